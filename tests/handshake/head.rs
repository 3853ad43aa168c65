//! Collecting the head of a request: limits that are exact to the octet, and what is refused before its end.

use crate::opening;

use opening::{head, replaced, serve_in, with, without, Outcome, LINES};
use proptest::prelude::*;
use sockless::handshake::server::{Request, ServerHandshake, ServerProgress};
use sockless::handshake::{HandshakeError, HeadLimits};

/// The first octet at which the head is refused, and why, when it comes octet by octet.
fn refused_at(head: &[u8], limits: HeadLimits) -> Option<(usize, HandshakeError)> {
    let mut storage = vec![0; 1 << 16];
    let mut handshake = ServerHandshake::new(&mut storage, limits);
    for (at, byte) in head.iter().enumerate() {
        match handshake.recv(&[*byte]) {
            Ok((1, _)) => {}
            Ok(other) => panic!("{other:?} at {at}"),
            Err(error) => return Some((at, error)),
        }
    }
    None
}

#[test]
fn req_9112_2_2_8_other_protocols_are_refused_at_the_first_octet_or_line_that_shows_them() {
    use HandshakeError::{MalformedStartLine, UnsupportedHttpVersion};
    for (name, bytes, at, error) in [
        ("TLS", &b"\x16\x03\x01\x02\x00\x01"[..], 0, MalformedStartLine),
        ("MQTT", b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3C\x00\x00", 0, MalformedStartLine),
        ("SOCKS5", b"\x05\x01\x00", 0, MalformedStartLine),
        ("PostgreSQL", b"\x00\x00\x00\x08\x04\xD2\x16\x2F", 0, MalformedStartLine),
        // These wait for an answer to their first line.
        ("SSH", b"SSH-2.0-OpenSSH_9.6\r\n", 20, MalformedStartLine),
        ("SMTP", b"EHLO client.example\r\n", 20, MalformedStartLine),
        ("HTTP/0.9", b"GET /\r\n", 6, MalformedStartLine),
        // Its preface is made to be refused by its first line.
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 15, UnsupportedHttpVersion),
    ] {
        assert_eq!(refused_at(bytes, HeadLimits::DEFAULT), Some((at, error)), "{name}");
    }
}

#[test]
fn req_9112_2_2_5_req_9112_2_2_4_a_bare_cr_or_lf_is_refused_where_it_stands() {
    let of = |head: &str| refused_at(head.as_bytes(), HeadLimits::DEFAULT);
    use HandshakeError::{MalformedHeader, MalformedStartLine};
    assert_eq!(of("GET /\rX"), Some((6, MalformedStartLine)));
    assert_eq!(of("GET /\nX"), Some((5, MalformedStartLine)));
    assert_eq!(of("\nGET /"), Some((0, MalformedStartLine)));
    assert_eq!(of("\r\r\n"), Some((1, MalformedStartLine)));
    assert_eq!(of("GET / HTTP/1.1\r\nHost: a\rb"), Some((24, MalformedHeader)));
    assert_eq!(of("GET / HTTP/1.1\r\nHost: a\nb"), Some((23, MalformedHeader)));
    assert_eq!(of("GET / HTTP/1.1\r\nHost: a\r\r\n"), Some((24, MalformedHeader)));
    assert_eq!(of("GET / HTTP/1.1\r\nHost: a\r\n\n"), Some((25, MalformedHeader)));
}

#[test]
fn req_9112_2_2_6_four_blank_lines_are_borne_and_the_fifth_is_not() {
    let after = |lines: usize| {
        let head = "\r\n".repeat(lines) + &head(LINES);
        serve_in(head.as_bytes(), 1, HeadLimits::DEFAULT, 4096)
    };
    for lines in 0..=4 {
        let Outcome::Accepted(seen) = after(lines) else { panic!("{lines}") };
        assert_eq!(seen.taken, head(LINES).len() + 2 * lines);
    }
    assert!(matches!(after(5), Outcome::Refused(HandshakeError::MalformedStartLine, 400, _)));
}

#[test]
fn req_9110_5_4_1_a_header_line_is_held_to_its_limit_at_the_very_octet() {
    let longest = LINES.iter().skip(1).map(|line| line.len()).max().unwrap();
    let request = head(LINES);
    for (limit, fits) in [(longest, true), (longest - 1, false)] {
        let limits = HeadLimits::DEFAULT.with_max_field(limit);
        for chunk in [1, 3, 1000] {
            let outcome = serve_in(request.as_bytes(), chunk, limits, 4096);
            assert_eq!(matches!(outcome, Outcome::Accepted(_)), fits, "{limit} {chunk}");
            assert_eq!(matches!(outcome, Outcome::Refused(HandshakeError::FieldTooLong, 431, _)), !fits);
        }
        // The same where another HTTP server has read the head.
        assert_eq!(Request::parse(request.as_bytes(), &limits).is_ok(), fits);
    }
    // Before the end of the line is there.
    let limits = HeadLimits::DEFAULT.with_max_field(100);
    let endless = format!("GET / HTTP/1.1\r\nX: {}", "y".repeat(200));
    assert_eq!(refused_at(endless.as_bytes(), limits), Some((16 + 102, HandshakeError::FieldTooLong)));
}

#[test]
fn a_head_that_another_server_has_read_is_held_to_the_same_limits() {
    let request = head(LINES);
    let parse = |limits: HeadLimits| Request::parse(request.as_bytes(), &limits).map(|_| ());
    let line = LINES[0].len();
    assert_eq!(parse(HeadLimits::DEFAULT.with_max_start_line(line)), Ok(()));
    assert_eq!(parse(HeadLimits::DEFAULT.with_max_start_line(line - 1)), Err(HandshakeError::TargetTooLong));
    assert_eq!(parse(HeadLimits::DEFAULT.with_max_fields(6)), Err(HandshakeError::TooManyFields));
}

#[test]
fn req_9110_5_5_2_a_head_that_another_server_has_read_is_judged_as_strictly() {
    let parse = |head: &[u8]| Request::parse(head, &HeadLimits::DEFAULT).map(|_| ());
    for byte in (0..=0x1F_u8).chain([0x7F]).filter(|byte| *byte != b'\t') {
        let mut head = with("X: a?b").into_bytes();
        let at = head.iter().rposition(|b| *b == b'?').unwrap();
        head[at] = byte;
        assert_eq!(parse(&head), Err(HandshakeError::MalformedHeader), "{byte:#x}");
    }
    // What is no complete head.
    let right = head(LINES);
    for end in 0..right.len() {
        assert!(parse(&right.as_bytes()[..end]).is_err(), "{end}");
    }
    assert!(parse(format!("\r\n{right}").as_bytes()).is_err());
}

#[test]
fn what_comes_behind_a_head_that_another_server_has_read_is_no_part_of_it() {
    let plain = "GET /page HTTP/1.1\r\nHost: a\r\n\r\n";
    for rest in ["", "\r\n", "X: y\r\n\r\n", "\0", plain] {
        let bytes = [plain, rest].concat();
        let Ok(ServerProgress::Http(request)) = Request::parse(bytes.as_bytes(), &HeadLimits::DEFAULT) else {
            panic!("{rest:?}")
        };
        assert_eq!((request.head(), request.headers().iter().count()), (plain.as_bytes(), 1), "{rest:?}");
        let bytes = [&head(LINES), rest].concat();
        let Ok(ServerProgress::Request(request)) = Request::parse(bytes.as_bytes(), &HeadLimits::DEFAULT)
        else {
            panic!("{rest:?}")
        };
        assert_eq!(request.head(), head(LINES).as_bytes(), "{rest:?}");
    }
}

#[test]
fn the_end_of_the_transport_does_not_hide_a_failure() {
    for bad in [replaced("Sec-WebSocket-Key: short"), "GET /\n".to_owned()] {
        let mut storage = [0; 4096];
        let mut handshake = ServerHandshake::new(&mut storage, HeadLimits::DEFAULT);
        assert_eq!(handshake.eof(), Err(HandshakeError::UnexpectedEof));
        let error = handshake.recv(bad.as_bytes()).map(|_| ()).unwrap_err();
        assert_eq!(handshake.eof(), Err(error));
    }
    let mut storage = [0; 4096];
    let mut handshake = ServerHandshake::new(&mut storage, HeadLimits::DEFAULT);
    handshake.recv(head(LINES).as_bytes()).unwrap();
    assert_eq!(handshake.eof(), Ok(()));
}

/// How one run over a head ends: the outcome, and how many octets were taken by then. What a failing call takes does not
/// count.
fn run(head: &[u8], cuts: &[usize], limits: HeadLimits, size: usize) -> (String, usize) {
    let mut storage = vec![0; size];
    let mut handshake = ServerHandshake::new(&mut storage, limits);
    let (mut rest, mut taken) = (head, 0);
    let mut cuts = cuts.iter().copied().chain(std::iter::repeat(usize::MAX));
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(cuts.next().unwrap().clamp(1, rest.len()));
        match handshake.recv(chunk) {
            Ok((more, ServerProgress::NeedMore)) => {
                assert_eq!(more, chunk.len());
                taken += more;
            }
            Ok((more, ServerProgress::Request(request))) => {
                let fields: Vec<_> = request.headers().iter().collect();
                let parts = (request.target(), request.host(), request.origin(), request.head());
                return (format!("request {parts:?} {fields:?}"), taken + more);
            }
            Ok((more, ServerProgress::Http(plain))) => {
                let fields: Vec<_> = plain.headers().iter().collect();
                let parts = (plain.method(), plain.target(), plain.minor_version(), plain.head());
                return (format!("plain {parts:?} {fields:?}"), taken + more);
            }
            Ok((_, other)) => panic!("{other:?}"),
            Err(error) => {
                assert_eq!(handshake.recv(b"").map(|_| ()), Err(error), "a failure stays");
                return (format!("{error:?}"), 0);
            }
        }
        rest = after;
    }
    ("more".to_owned(), taken)
}

/// Heads of every kind: right ones, plain ones, and ones that are spoilt here and there.
fn any_head() -> impl Strategy<Value = Vec<u8>> {
    let right = prop_oneof![
        Just(head(LINES)),
        Just(without("Upgrade")),
        Just(without("Sec-WebSocket-Version")),
        Just(format!("\r\n{}", head(LINES))),
        "[!-~ \t]{0,40}".prop_map(|line| with(&line)),
        "[A-Z]{1,5} /[a-z]{0,40} HTTP/[012]\\.[0-9]".prop_map(|line| replaced(&line)),
    ];
    let octet = prop_oneof![
        any::<u8>(),
        proptest::sample::select(&b"\r\n\0 \t:,;\"\\/"[..]),
        Just(b'\r'),
        Just(b'\n'),
    ];
    let edit = (any::<prop::sample::Index>(), octet, 0_u8..3);
    (right, proptest::collection::vec(edit, 0..4), "[ -~]{0,8}").prop_map(|(head, edits, glue)| {
        let mut bytes = head.into_bytes();
        for (at, octet, how) in edits {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = octet,
                1 => bytes.insert(at, octet),
                _ => drop(bytes.remove(at)),
            }
        }
        bytes.extend_from_slice(glue.as_bytes());
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn any_cuts_of_any_head_take_the_same_octets_and_come_to_the_same(
        head in any_head(),
        cuts in proptest::collection::vec(1_usize..80, 0..30),
        start_line in prop_oneof![Just(8192_usize), 10_usize..40],
        field in prop_oneof![Just(usize::MAX), 10_usize..60],
        size in prop_oneof![Just(4096_usize), 20_usize..400],
    ) {
        let limits = HeadLimits::DEFAULT.with_max_start_line(start_line).with_max_field(field);
        let whole = run(&head, &[], limits, size);
        prop_assert_eq!(&whole, &run(&head, &cuts, limits, size));
        prop_assert_eq!(&whole, &run(&head, &vec![1; head.len()], limits, size));
    }

    /// Also of requests that do not ask for a WebSocket.
    #[test]
    fn what_is_well_formed_is_so_for_httparse_too_with_the_same_parts(head in any_head()) {
        let mut storage = [0; 4096];
        let mut handshake = ServerHandshake::new(&mut storage, HeadLimits::DEFAULT);
        let (method, target, fields, taken) = match handshake.recv(&head) {
            Ok((taken, ServerProgress::Http(plain))) => {
                // httparse knows the versions 1.0 and 1.1 alone.
                prop_assume!(plain.minor_version() < 2);
                (plain.method().to_owned(), Some(plain.target().to_owned()), plain.headers(), taken)
            }
            Ok((taken, ServerProgress::Request(request))) => {
                prop_assume!(request.head().windows(10).any(|w| w == b" HTTP/1.1\r"));
                ("GET".to_owned(), None, request.headers(), taken)
            }
            _ => return Ok(()),
        };
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
        let mut slots = [httparse::EMPTY_HEADER; 128];
        let mut request = httparse::Request::new(&mut slots);
        prop_assert_eq!(request.parse(&head), Ok(httparse::Status::Complete(taken)));
        prop_assert_eq!(request.method, Some(method.as_str()));
        if let Some(target) = target {
            prop_assert_eq!(request.path, Some(target.as_str()));
        }
        let theirs: Vec<_> =
            request.headers.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect();
        prop_assert_eq!(fields, theirs);
    }
}

#[test]
fn the_storage_can_be_lent_to_one_connection_after_the_other() {
    let mut storage = vec![0; HeadLimits::STORAGE];
    let mut lent = &mut storage[..];
    for request in [head(LINES), with("X-More: than the first"), without("Origin"), head(LINES)] {
        let mut handshake = ServerHandshake::new(lent, HeadLimits::DEFAULT);
        let (taken, progress) = handshake.recv(request.as_bytes()).unwrap();
        assert!(taken == request.len() && matches!(progress, ServerProgress::Request(_)));
        lent = handshake.into_storage();
        assert_eq!(lent.len(), HeadLimits::STORAGE);
    }
}
