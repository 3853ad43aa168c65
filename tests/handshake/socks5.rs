//! The tunnel through a SOCKS5 proxy (RFC 1928, RFC 1929).

use std::net::IpAddr;

use proptest::prelude::*;
use sockless::handshake::Uri;
use sockless::proxy::{
    Socks5Connect, Socks5ConnectProgress as Progress, Socks5Error, Socks5Rejection, Socks5RequestError,
};

/// What a proxy says that lets us in without credentials, and with them.
const NO_AUTHENTICATION: &[u8] = b"\x05\x00";
const USERNAME_PASSWORD: &[u8] = b"\x05\x02";
const CREDENTIALS_ACCEPTED: &[u8] = b"\x01\x00";
/// The tunnel is open, from 192.0.2.1 port 8080.
const OPEN: &[u8] = b"\x05\x00\x00\x01\xC0\x00\x02\x01\x1F\x90";

fn plain(uri: &str) -> Socks5Connect<'_> {
    Socks5Connect::new(Uri::parse(uri).unwrap()).unwrap()
}

fn with_credentials(uri: &str) -> Socks5Connect<'_> {
    plain(uri).with_credentials("user", "secret").unwrap()
}

fn due(connect: &Socks5Connect<'_>) -> Vec<u8> {
    let mut out = [0xAA; Socks5Connect::MAX_MESSAGE_LEN];
    let len = connect.write_next(&mut out).unwrap();
    assert!(out[len..].iter().all(|octet| *octet == 0xAA));
    for size in 0..len {
        let mut small = vec![0; size];
        assert_eq!(connect.write_next(&mut small).unwrap_err().required, len);
    }
    out[..len].to_vec()
}

/// What a proxy's octets came to: what was sent, how many octets were taken, and how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    sent: Vec<Vec<u8>>,
    taken: usize,
    end: Result<Progress, Socks5Error>,
}

/// Whole, in single octets and in pieces of three: the result is the same.
fn outcome<'u>(connect: impl Fn() -> Socks5Connect<'u>, answers: &[u8]) -> Outcome {
    let run = |size: usize| {
        let mut connect = connect();
        let (mut sent, mut taken) = (vec![due(&connect)], 0);
        let mut end = Ok(Progress::NeedMore);
        'chunks: for mut chunk in answers.chunks(size) {
            loop {
                match connect.recv(chunk) {
                    Ok((more, progress)) => {
                        taken += more;
                        chunk = &chunk[more..];
                        end = Ok(progress);
                        match progress {
                            Progress::Send => sent.push(due(&connect)),
                            Progress::NeedMore => {
                                assert_eq!(chunk, b"");
                                break;
                            }
                            _ => break 'chunks,
                        }
                    }
                    Err(error) => {
                        taken = 0;
                        end = Err(error);
                        break 'chunks;
                    }
                }
            }
        }
        // The end stays what it is, and nothing more is taken or sent.
        match end {
            Ok(Progress::NeedMore) => assert_eq!(connect.eof(), Err(Socks5Error::UnexpectedEof)),
            Ok(progress) => {
                assert_eq!(connect.recv(b"\x05\x00"), Ok((0, progress)));
                assert_eq!((connect.eof(), due(&connect)), (Ok(()), vec![]));
            }
            Err(error) => {
                assert_eq!(connect.recv(b"\x05\x00"), Err(error));
                assert_eq!((connect.eof(), due(&connect)), (Err(error), vec![]));
            }
        }
        Outcome { sent, taken, end }
    };
    let whole = run(answers.len().max(1));
    for size in [1, 3] {
        assert_eq!(whole, run(size), "in pieces of {size}");
    }
    whole
}

/// RFC 1928 sections 3 and 4, RFC 1929 section 2.
#[test]
fn req_1928_3_1_req_1928_4_1_req_1929_2_1_the_messages_are_as_the_rfcs_lay_them_out() {
    let request = b"\x05\x01\x00\x03\x0Bexample.com\x01\xBB";
    let answers = [NO_AUTHENTICATION, OPEN].concat();
    let got = outcome(|| plain("wss://example.com"), &answers);
    assert_eq!(got.sent, [&b"\x05\x01\x00"[..], request]);
    assert_eq!((got.taken, got.end), (answers.len(), Ok(Progress::Open)));

    // The proxy chooses whether it wants the credentials.
    let got = outcome(|| with_credentials("wss://example.com"), &answers);
    assert_eq!(got.sent, [&b"\x05\x02\x00\x02"[..], request]);
    let answers = [USERNAME_PASSWORD, CREDENTIALS_ACCEPTED, OPEN].concat();
    let got = outcome(|| with_credentials("wss://example.com"), &answers);
    let credentials = b"\x01\x04user\x06secret";
    assert_eq!(got.sent, [&b"\x05\x02\x00\x02"[..], credentials, request]);
    assert_eq!((got.taken, got.end), (answers.len(), Ok(Progress::Open)));

    // Unless they are required.
    let required = || with_credentials("wss://example.com").with_required_credentials(true);
    assert_eq!(outcome(required, &answers).sent, [&b"\x05\x01\x02"[..], credentials, request]);
    let got = outcome(required, NO_AUTHENTICATION);
    assert_eq!(got.end, Err(Socks5Error::UnofferedMethod(0)));
    // Without any it means nothing.
    let none = || plain("ws://h").with_required_credentials(true);
    assert_eq!(outcome(none, NO_AUTHENTICATION).sent[0], b"\x05\x01\x00");
}

#[test]
fn req_1928_5_1_a_host_is_sent_as_a_name_or_as_an_address() {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let v6 = b"\x04\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01";
    for (uri, resolved, host) in [
        ("ws://h:80", None, &b"\x03\x01h"[..]),
        ("ws://EXAMPLE.com.:80", None, b"\x03\x0CEXAMPLE.com."),
        ("ws://192.0.2.1:80", None, b"\x01\xC0\x00\x02\x01"),
        ("ws://[2001:db8::1]:80", None, v6),
        // What only looks like an address is a name.
        ("ws://1.2.3:80", None, b"\x03\x051.2.3"),
        ("ws://1.2.3.256:80", None, b"\x03\x091.2.3.256"),
        // The caller has resolved it.
        ("ws://h:80", Some("192.0.2.1"), b"\x01\xC0\x00\x02\x01"),
        ("ws://h:80", Some("2001:db8::1"), v6),
        ("ws://[::1]:80", Some("192.0.2.1"), b"\x01\xC0\x00\x02\x01"),
    ] {
        let connect = || match resolved {
            Some(resolved) => plain(uri).with_address(address(resolved)),
            None => plain(uri),
        };
        let want = [b"\x05\x01\x00", host, b"\x00\x50"].concat();
        assert_eq!(outcome(connect, NO_AUTHENTICATION).sent[1], want, "{uri} {resolved:?}");
    }
    for (uri, port) in [("ws://h", 80_u16), ("wss://h", 443), ("ws://h:1", 1), ("wss://h:65535", 65535)] {
        assert!(outcome(|| plain(uri), NO_AUTHENTICATION).sent[1].ends_with(&port.to_be_bytes()));
    }
}

#[test]
fn req_1928_5_2_req_1929_2_2_what_does_not_fit_its_length_octet_is_refused() {
    let (longest, longer) = ("x".repeat(255), "x".repeat(256));
    let uri = format!("ws://{longest}:80");
    let long = format!("ws://{longer}");
    assert_eq!(Socks5Connect::new(Uri::parse(&long).unwrap()).unwrap_err(), Socks5RequestError::NameTooLong);
    let connect = || plain(&uri).with_credentials(&longest, &longest).unwrap();
    let got = outcome(connect, &[USERNAME_PASSWORD, CREDENTIALS_ACCEPTED, OPEN].concat());
    let counted = format!("\u{FF}{longest}");
    let counted: Vec<u8> = counted.chars().map(|c| c as u8).collect();
    assert_eq!(got.sent[1], [&b"\x01"[..], &counted, &counted].concat());
    assert_eq!(got.sent[1].len(), Socks5Connect::MAX_MESSAGE_LEN);
    assert_eq!(got.sent[2], [&b"\x05\x01\x00\x03"[..], &counted, b"\x00\x50"].concat());
    // Octets count, not characters.
    let umlauts = "\u{FC}".repeat(128);
    for (username, password, error) in [
        ("", "x", Socks5RequestError::UsernameLength),
        ("x", "", Socks5RequestError::PasswordLength),
        (&longer, "x", Socks5RequestError::UsernameLength),
        ("x", &longer, Socks5RequestError::PasswordLength),
        ("x", &umlauts, Socks5RequestError::PasswordLength),
    ] {
        assert_eq!(plain("ws://h").with_credentials(username, password).unwrap_err(), error);
    }
}

#[test]
fn req_1928_3_2_req_1928_3_3_only_a_method_that_was_offered_is_used() {
    let rejected = Ok(Progress::Rejected(Socks5Rejection::NoAcceptableMethod));
    for method in 1..=254 {
        let got = outcome(|| plain("ws://h"), &[5, method]);
        assert_eq!(got.end, Err(Socks5Error::UnofferedMethod(method)));
        if method != 2 {
            let got = outcome(|| with_credentials("ws://h"), &[5, method]);
            assert_eq!(got.end, Err(Socks5Error::UnofferedMethod(method)));
        }
    }
    assert_eq!(outcome(|| plain("ws://h"), b"\x05\xFF").end, rejected);
    let got = outcome(|| with_credentials("ws://h"), b"\x05\xFF\x05\x00");
    assert_eq!((got.taken, got.end, got.sent.len()), (2, rejected, 1));
}

#[test]
fn req_1929_2_3_any_status_but_0_refuses_the_credentials() {
    for status in 1..=255 {
        let answers = [USERNAME_PASSWORD, &[1, status]].concat();
        let got = outcome(|| with_credentials("ws://h"), &answers);
        assert_eq!(got.end, Ok(Progress::Rejected(Socks5Rejection::CredentialsRefused)));
        assert_eq!((got.taken, got.sent.len()), (4, 2));
    }
}

#[test]
fn req_1928_6_1_each_reply_code_has_its_meaning() {
    use Socks5Rejection::*;
    for (code, meaning) in [
        (1, GeneralFailure),
        (2, NotAllowed),
        (3, NetworkUnreachable),
        (4, HostUnreachable),
        (5, ConnectionRefused),
        (6, TtlExpired),
        (7, CommandNotSupported),
        (8, AddressTypeNotSupported),
        (9, Unassigned(9)),
        (0xFF, Unassigned(0xFF)),
    ] {
        // With the remainder that the RFC wants, with a broken one, and without.
        for remainder in [&b"\x00\x01\0\0\0\0\0\0"[..], b"\xFF\xFF", b""] {
            let answers = [NO_AUTHENTICATION, &[5, code], remainder].concat();
            let got = outcome(|| plain("ws://h"), &answers);
            assert_eq!((got.taken, got.end), (4, Ok(Progress::Rejected(meaning))));
        }
    }
}

/// Where a reply ends depends on its address. What follows it belongs to the tunnel.
#[test]
fn req_1928_6_2_a_reply_with_any_address_is_read_to_its_end_and_no_further() {
    let names = (0..=255_u8).map(|len| {
        let mut name = vec![3, len];
        name.resize(2 + usize::from(len), b'n');
        name
    });
    for address in names.chain([vec![1, 0, 0, 0, 0], [&[4][..], &[0; 16]].concat()]) {
        let answers = [NO_AUTHENTICATION, b"\x05\x00\x00", &address, b"\x00\x00"].concat();
        for tunnel in [&b""[..], b"\x16\x03\x01", b"\x05\x00"] {
            let got = outcome(|| plain("ws://h"), &[&answers, tunnel].concat());
            assert_eq!((got.taken, got.end), (answers.len(), Ok(Progress::Open)));
        }
        for cut in 2..answers.len() {
            let got = outcome(|| plain("ws://h"), &answers[..cut]);
            // The octet that makes the request due is told of at once.
            let end = if cut == 2 { Progress::Send } else { Progress::NeedMore };
            assert!(got.taken == cut && (got.end == Ok(end) || got.end == Ok(Progress::NeedMore)));
        }
    }
}

#[test]
fn req_1928_6_3_req_1928_3_4_a_proxy_that_breaks_a_rule_is_refused_at_that_octet() {
    let login = [USERNAME_PASSWORD, CREDENTIALS_ACCEPTED].concat();
    for (answers, error) in [
        (b"\x04\x00".to_vec(), Socks5Error::UnsupportedVersion(4)),
        (b"\x00\x5A".to_vec(), Socks5Error::UnsupportedVersion(0)),
        (b"HTTP/1.1 400 Bad Request\r\n".to_vec(), Socks5Error::UnsupportedVersion(b'H')),
        (b"\x05\x02\x05\x00".to_vec(), Socks5Error::UnsupportedVersion(5)),
        ([&login, &b"\x04\x00"[..]].concat(), Socks5Error::UnsupportedVersion(4)),
        ([&login, &b"\x05\x00\x01"[..]].concat(), Socks5Error::NonzeroReserved(1)),
        ([&login, &b"\x05\x00\x00\x00"[..]].concat(), Socks5Error::UnknownAddressType(0)),
        ([&login, &b"\x05\x00\x00\x02"[..]].concat(), Socks5Error::UnknownAddressType(2)),
        ([&login, &b"\x05\x00\x00\xFF"[..]].concat(), Socks5Error::UnknownAddressType(0xFF)),
    ] {
        assert_eq!(outcome(|| with_credentials("ws://h"), &answers).end, Err(error));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whole and cut are compared in there, and that the end stays.
    #[test]
    fn any_cut_of_any_octets_comes_to_the_same(
        octets in proptest::collection::vec(prop_oneof![0_u8..9, any::<u8>()], 0..40),
        valid in 0_usize..12, password in any::<bool>(),
    ) {
        let login = if password { [USERNAME_PASSWORD, CREDENTIALS_ACCEPTED].concat() } else { NO_AUTHENTICATION.to_vec() };
        let mut answers = [&login, OPEN].concat();
        answers.truncate(valid);
        answers.extend_from_slice(&octets);
        outcome(|| plain("ws://h"), &answers);
        outcome(|| with_credentials("ws://h"), &answers);
    }
}
