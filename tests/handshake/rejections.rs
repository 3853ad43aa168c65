//! A server's refusal is reported, whatever follows its status line, and a client checks that line at once.

use proptest::prelude::*;
use sockless::handshake::client::{ClientHandshake, ClientProgress, ClientRequest};
use sockless::handshake::{HandshakeError, HeadLimits, Uri};
use sockless::proxy::{HttpConnect, HttpConnectProgress};
use sockless::{Tolerance, Tolerances};

/// A refusal, as a client tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    truncated: bool,
    taken: usize,
}

fn request() -> ClientRequest<'static> {
    ClientRequest::new(Uri::parse("ws://server.example.com/chat").unwrap())
}

/// What a client takes a response for, in pieces of these sizes; `None` if it waits for more.
fn run(
    mut bytes: &[u8],
    cuts: impl IntoIterator<Item = usize>,
    limits: HeadLimits,
    size: usize,
) -> Result<Option<Refusal>, HandshakeError> {
    let mut storage = vec![0; size];
    let mut handshake = ClientHandshake::new(request(), *b"the sample nonce", &mut storage, limits);
    let mut cuts = cuts.into_iter().chain(std::iter::repeat(usize::MAX));
    let mut taken = 0;
    while !bytes.is_empty() {
        let (chunk, rest) = bytes.split_at(cuts.next().unwrap().clamp(1, bytes.len()));
        bytes = rest;
        let (more, progress) = handshake.recv(chunk)?;
        taken += more;
        match progress {
            ClientProgress::NeedMore => assert_eq!(more, chunk.len()),
            ClientProgress::Rejected(rejected) => {
                let fields = rejected.headers().iter().map(|(n, v)| (n.to_owned(), v.to_vec())).collect();
                let (status, truncated) = (rejected.status(), rejected.is_truncated());
                return Ok(Some(Refusal { status, fields, truncated, taken }));
            }
            other => panic!("{other:?}"),
        }
    }
    Ok(None)
}

/// Whole, octet by octet, and cut in two at each place.
fn refusal_in(response: &[u8], limits: HeadLimits, size: usize) -> Result<Option<Refusal>, HandshakeError> {
    let whole = run(response, [], limits, size);
    let octets = std::iter::repeat_n(1, response.len());
    assert_eq!(whole, run(response, octets, limits, size), "{}", response.escape_ascii());
    for cut in 1..response.len().min(600) {
        assert_eq!(whole, run(response, [cut], limits, size), "{cut} of {}", response.escape_ascii());
    }
    whole
}

fn refusal(response: impl AsRef<[u8]>) -> Refusal {
    let response = response.as_ref();
    let strict = HeadLimits::DEFAULT.with_tolerances(Tolerances::NONE);
    let seen = refusal_in(response, strict, 2048);
    let Ok(Some(seen)) = seen else { panic!("{seen:?} for {}", response.escape_ascii()) };
    seen
}

fn field(name: &str, value: &str) -> (String, Vec<u8>) {
    (name.to_owned(), value.as_bytes().to_vec())
}

/// Lines that are no header fields, each with its end.
const SLOPPY: [&[u8]; 20] = [
    b"X Foo: 1\r\n",
    b"X : 1\r\n",
    b"no colon\r\n",
    b": 1\r\n",
    b"X: a\x01b\r\n",
    b"X: \0\r\n",
    b"X: a\rb\r\n",
    b"X: a\r\r\n",
    b"\r\r\n",
    b"\0\r\n",
    b"X\xFF: 1\r\n",
    b"<html>\n",
    b"X : 1\n",
    b"Connection : close\r\n",
    b"Upgrade\x01: websocket\r\n",
    b" Sec-WebSocket-Accept: x\x01\r\n",
    b"Sec-WebSocket-Accept\r\n",
    b"no colon\r\n but: more\r\n",
    b"X: \x01\n\tb\n",
    b"HTTP/1.1 200 OK\r\n",
];

#[test]
fn a_refusal_is_told_whatever_lines_stand_in_its_head() {
    for sloppy in SLOPPY {
        for (before, after) in [
            (&b""[..], &b""[..]),
            (b"Retry-After: 1\r\n", b""),
            (b"", b"Retry-After: 1\r\n"),
            (b"Retry-After: 1\n", b"A: b\nC:\r\n"),
        ] {
            for end in [&b"\r\n"[..], b"\n"] {
                let sloppy = if before.is_empty() && sloppy.starts_with(b" ") { b"X y\r\n" } else { sloppy };
                let head = [b"HTTP/1.1 403 Forbidden\r\n", before, sloppy, after, end].concat();
                let seen = refusal([&head[..], b"body"].concat());
                assert_eq!((seen.status, seen.truncated, seen.taken), (403, false, head.len()));
                let right = [before, after].concat();
                let joined = !before.is_empty() && sloppy.starts_with(b" ");
                let want = right.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
                // A wrong line is left out together with the lines that continue it.
                assert_eq!(seen.fields.len(), want - usize::from(joined), "{}", head.escape_ascii());
            }
        }
    }
}

#[test]
fn lf_ends_lines_of_a_refusal_the_status_line_too() {
    let seen = refusal("HTTP/1.1 502 Bad Gateway\nServer: x\nRetry-After: 5\n\nbody");
    assert_eq!((seen.status, seen.taken), (502, 51));
    assert_eq!(seen.fields, [field("Server", "x"), field("Retry-After", "5")]);
    for status in [200, 204, 301, 404, 599, 999] {
        assert_eq!(refusal(format!("HTTP/1.1 {status}\n\n")).status, status);
        assert_eq!(refusal(format!("HTTP/1.0 {status} \r\n\n")).status, status);
    }
    let seen = refusal("HTTP/1.1 302 x\r\nLocation: /a\r\n  ?b\n\tc\r\n\r\n");
    assert_eq!(seen.fields, [field("Location", "/a    ?b \tc")]);
}

#[test]
fn nothing_becomes_a_response_that_opens_or_one_that_is_passed_over() {
    let strict = HeadLimits::DEFAULT.with_tolerances(Tolerances::NONE);
    for status in [100, 101, 103] {
        for sloppy in SLOPPY {
            let head = format!("HTTP/1.1 {status} x\r\n");
            let response = [head.as_bytes(), sloppy, b"\r\n"].concat();
            assert!(refusal_in(&response, strict, 2048).is_err(), "{}", response.escape_ascii());
        }
        let bare = format!("HTTP/1.1 {status} x\n\n");
        let result = refusal_in(bare.as_bytes(), HeadLimits::DEFAULT, 2048);
        assert_eq!(result, Err(HandshakeError::MalformedStartLine));
    }
    // An interim response is not a refusal yet. One after it can be.
    assert_eq!(refusal("HTTP/1.1 100 x\r\n\r\nHTTP/1.1 403 x\r\nno colon\n\n").status, 403);
    let wrong = b"HTTP/1.1 100 x\r\nno colon\r\n\r\nHTTP/1.1 403 x\r\n\r\n";
    assert_eq!(refusal_in(wrong, strict, 2048), Err(HandshakeError::MalformedHeader));
    // An invalid status line says nothing.
    for line in ["HTTP/1.1 403 a\rb\r\n", "HTTP/1.1 403 \u{1}\r\n", "HTTP/1.1 4O3\n", "403 Forbidden\r\n"] {
        let result = refusal_in(format!("{line}\r\n").as_bytes(), HeadLimits::DEFAULT, 2048);
        assert_eq!(result, Err(HandshakeError::MalformedStartLine), "{line:?}");
    }
}

#[test]
fn a_refusal_is_told_when_a_limit_is_met_and_bounded_by_it() {
    let limits = HeadLimits::DEFAULT.with_tolerances(Tolerances::NONE);
    // More than fits the storage: what was received is reported at once.
    for line in [&b"X: y\r\n"[..], b"no colon\r\n", b"\x01\n", b"X: y\r\n z\r\n", b"x"] {
        let response = [b"HTTP/1.1 403 x\r\nA: b\r\n", &line.repeat(1000)[..]].concat();
        let seen = refusal_in(&response, limits, 500).unwrap().unwrap();
        assert_eq!((seen.status, seen.truncated, seen.taken), (403, true, 500));
        assert!(seen.fields.len() < 90);
        assert_eq!(seen.fields.first(), Some(&field("A", "b")));
    }
    // At the very octet.
    let head = b"HTTP/1.1 403 x\r\nA: b\r\nno colon\r\nC: d\r\n\r\n";
    let fits = refusal_in(head, limits, head.len()).unwrap().unwrap();
    assert_eq!((fits.truncated, fits.fields.len()), (false, 2));
    let cut = refusal_in(head, limits, head.len() - 1).unwrap().unwrap();
    assert_eq!((cut.truncated, cut.taken), (true, head.len() - 1));
    // Lines beyond another limit are left out.
    let few = refusal_in(head, limits.with_max_fields(1), 2048).unwrap().unwrap();
    assert_eq!((few.fields, few.taken), (vec![field("A", "b")], head.len()));
    let head = b"HTTP/1.1 403 x\r\nA: b\r\nC: ddddddddddd\r\nE: f\r\n\r\n";
    let short = refusal_in(head, limits.with_max_field(8), 2048).unwrap().unwrap();
    assert_eq!((short.fields, short.taken), (vec![field("A", "b"), field("E", "f")], head.len()));
}

#[test]
fn a_refusal_whose_head_never_ends_is_known_to_whoever_waits_no_longer() {
    for (bytes, known, fields) in [
        (&b"HTTP/1.1 403 x\r"[..], None, 0),
        (b"HTTP/1.1 403 x\r\n", Some(403), 0),
        (b"HTTP/1.1 403 x\n", Some(403), 0),
        (b"HTTP/1.1 403 x\r\nA: b\r\n", Some(403), 0),
        (b"HTTP/1.1 403 x\r\nA: b\r\nC", Some(403), 1),
        (b"HTTP/1.1 403 x\r\nno colon\r\nA: b\r\nC: d", Some(403), 1),
        (b"HTTP/1.1 101 x\r\nA: b\r\nC", None, 0),
        (b"HTTP/1.1 100 x\r\nA: b\r\nC", None, 0),
        (b"HTTP/1.1 403 x\r\nA: b\r\n\r\n", Some(403), 1),
    ] {
        for size in [1, 3, bytes.len()] {
            let mut storage = [0; 256];
            let mut handshake = ClientHandshake::new(request(), [7; 16], &mut storage, HeadLimits::DEFAULT);
            for chunk in bytes.chunks(size) {
                handshake.recv(chunk).unwrap();
            }
            let rejected = handshake.rejected();
            assert_eq!(rejected.map(|rejected| rejected.status()), known, "{}", bytes.escape_ascii());
            let count = rejected.map_or(0, |rejected| rejected.headers().iter().count());
            assert_eq!(count, fields, "{}", bytes.escape_ascii());
            let ended = bytes.ends_with(b"\r\n\r\n");
            assert_eq!(handshake.eof(), if ended { Ok(()) } else { Err(HandshakeError::UnexpectedEof) });
        }
    }
}

#[test]
fn a_proxy_s_refusal_is_told_as_well_and_its_consent_stays_strict() {
    for size in [1, 200] {
        let ask = |answer: &[u8]| {
            let mut storage = [0; 256];
            let mut tunnel = HttpConnect::new(*request().uri(), &mut storage, HeadLimits::DEFAULT);
            for chunk in answer.chunks(size) {
                match tunnel.recv(chunk)? {
                    (_, HttpConnectProgress::NeedMore) => {}
                    (_, HttpConnectProgress::Open) => return Ok(200),
                    (_, HttpConnectProgress::Rejected(rejected)) => return Ok(rejected.status()),
                    (_, other) => panic!("{other:?}"),
                }
            }
            Ok(tunnel.rejected().map_or(0, |rejected| rejected.status()))
        };
        assert_eq!(ask(b"HTTP/1.1 407 x\nX Foo: y\nProxy-Authenticate: Basic\n\n"), Ok(407));
        assert_eq!(ask(b"HTTP/1.1 502 x\r\nX"), Ok(502));
        assert_eq!(ask(b"HTTP/1.1 200 x\n\n"), Err(HandshakeError::MalformedStartLine));
        assert_eq!(ask(b"HTTP/1.1 200 x\r\nX Foo: y\r\n\r\n"), Err(HandshakeError::MalformedHeader));
        assert_eq!(ask(b"HTTP/1.1 200 x\r\n\r\n"), Ok(200));
    }
}

/// At which octet a client refuses the answer of a server, and why.
fn refused_at(bytes: &[u8], limits: HeadLimits) -> Option<(usize, HandshakeError)> {
    let mut storage = [0; 256];
    let mut handshake = ClientHandshake::new(request(), [7; 16], &mut storage, limits);
    for (at, octet) in bytes.iter().enumerate() {
        if let Err(error) = handshake.recv(&[*octet]) {
            let mut storage = [0; 256];
            let mut whole = ClientHandshake::new(request(), [7; 16], &mut storage, limits);
            assert_eq!(whole.recv(bytes).map(|_| ()), Err(error), "whole: {}", bytes.escape_ascii());
            return Some((at, error));
        }
    }
    None
}

#[test]
fn what_is_no_status_line_is_refused_at_the_first_octet_that_shows_it() {
    use HandshakeError::{MalformedStartLine, UnsupportedHttpVersion};
    for (bytes, at, error) in [
        // Services that greet, and then wait.
        (&b"SSH-2.0-OpenSSH_9.2\r\n"[..], 0, MalformedStartLine),
        (b"220 mail.example ESMTP\r\n", 0, MalformedStartLine),
        (b"+OK POP3\r\n", 0, MalformedStartLine),
        (b"* OK IMAP4\r\n", 0, MalformedStartLine),
        (b"RFB 003.008\n", 0, MalformedStartLine),
        (b"\x15\x03\x01\x00\x02\x02\x46", 0, MalformedStartLine),
        (b"Hello, what is your name?", 1, MalformedStartLine),
        (b"HTTPS", 4, MalformedStartLine),
        (b"http/1.1 101", 0, MalformedStartLine),
        (b"\r\n\r\nSSH-2.0", 4, MalformedStartLine),
        // At the end of the line, before the head is there.
        (b"HTTP/1.1 1O1 x\r\n", 15, MalformedStartLine),
        (b"HTTP/1.1\r\n", 9, MalformedStartLine),
        (b"HTTP/2.0 101 x\r\n", 15, UnsupportedHttpVersion),
        (b"HTTP/1.1 101 x\n", 14, MalformedStartLine),
    ] {
        assert_eq!(refused_at(bytes, HeadLimits::DEFAULT), Some((at, error)), "{}", bytes.escape_ascii());
    }
    assert_eq!(refused_at(b"HTTP/1.1 101 x\r\n", HeadLimits::DEFAULT), None);
    assert_eq!(refused_at(b"HTTP/1.1 403 x\n", HeadLimits::DEFAULT), None);
}

#[test]
fn a_status_line_that_is_too_long_says_so() {
    let limits = HeadLimits::DEFAULT.with_max_start_line(20);
    for (line, fits) in [("HTTP/1.1 101 Switchin", false), ("HTTP/1.1 101 Switchi", true)] {
        for end in ["\r\n", "\n"] {
            let limits = limits.with_tolerances(Tolerances::NONE.with(Tolerance::BareLfInResponses));
            let found = refused_at(format!("{line}{end}").as_bytes(), limits).map(|(_, error)| error);
            assert_eq!(found, (!fits).then_some(HandshakeError::StatusLineTooLong));
        }
    }
    // Before its end is there.
    let endless = refused_at(format!("HTTP/1.1 403 {}", "x".repeat(200)).as_bytes(), limits);
    assert_eq!(endless, Some((22, HandshakeError::StatusLineTooLong)));
    let error = HandshakeError::StatusLineTooLong;
    assert_eq!((error.to_string().as_str(), error.status()), ("the status line is too long", None));
    assert_eq!(error.name(), "status-line-too-long");
    // The first wrong octet decides, with any limit.
    for max in 0..12 {
        for bytes in ["SSH-2.0", "HTTPS/1.1 101 x", "HTTP/1.1 101 x"] {
            let limits = HeadLimits::DEFAULT.with_max_start_line(max);
            assert_eq!(
                refused_at(bytes.as_bytes(), limits).is_some(),
                bytes.len() > max + 2 || bytes.contains('S')
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn whatever_follows_a_refusing_status_line_the_refusal_is_told(
        status in 200_u16..1000,
        octets in proptest::collection::vec(
            prop_oneof![any::<u8>(), proptest::sample::select(&b"\r\n\n \t:aX\0"[..])], 0..120,
        ),
        cuts in proptest::collection::vec(1_usize..30, 0..12),
        size in prop_oneof![2 => Just(4096_usize), 1 => 16_usize..120],
        max_field in prop_oneof![2 => Just(usize::MAX), 1 => 0_usize..20],
        max_fields in prop_oneof![2 => Just(128_usize), 1 => 0_usize..4],
    ) {
        let mut response = format!("HTTP/1.1 {status}\r\n").into_bytes();
        response.extend_from_slice(&octets);
        response.extend_from_slice(b"\n\n");
        let limits = HeadLimits::DEFAULT.with_max_field(max_field).with_max_fields(max_fields);
        let whole = run(&response, [], limits, size);
        prop_assert_eq!(&whole, &run(&response, cuts, limits, size));
        prop_assert_eq!(&whole, &run(&response, std::iter::repeat_n(1, response.len()), limits, size));
        let seen = whole.unwrap().unwrap();
        prop_assert_eq!(seen.status, status);
        prop_assert!(seen.taken <= size && seen.fields.len() <= max_fields);
        for (name, value) in seen.fields {
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)));
            prop_assert!(!value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t'));
            prop_assert!(name.len() + value.len() < max_field);
        }
    }
}
