//! What a client takes for an answer (RFC 6455 section 4.1, second half).

use proptest::prelude::*;
use proptest::sample::Index;
use sockless::deflate::Params;
use sockless::handshake::client::{ClientHandshake, ClientProgress, ClientRequest};
use sockless::handshake::{accept_value, HandshakeError, HeadLimits, Uri};
use sockless::{Client, Config, Connection, EntropyError, Event, Input, Tolerances};

const LINES: [&str; 4] = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
];

fn head<L: AsRef<str>>(lines: impl IntoIterator<Item = L>) -> String {
    lines.into_iter().map(|line| format!("{}\r\n", line.as_ref())).collect::<String>() + "\r\n"
}

fn with(line: &str) -> String {
    head(LINES.into_iter().chain([line]))
}

fn replaced(at: usize, line: &str) -> String {
    head(LINES.into_iter().enumerate().map(|(n, old)| if n == at { line } else { old }))
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    More,
    Open {
        subprotocol: Option<String>,
        extensions: Vec<String>,
        deflate: Option<Params>,
        cookies: Vec<String>,
        taken: usize,
    },
    Rejected {
        status: u16,
        versions: Vec<String>,
        fields: Vec<(String, Vec<u8>)>,
        head: Vec<u8>,
        taken: usize,
    },
}

/// The offer of these tests: two subprotocols, three extensions.
fn offer() -> ClientRequest<'static> {
    ClientRequest::new(Uri::parse("ws://server.example.com/chat").unwrap())
        .with_subprotocols(&["chat", "superchat"])
        .unwrap()
        .with_extensions("permessage-deflate; client_max_window_bits, x-other, x-more")
        .unwrap()
}

fn run(request: ClientRequest<'_>, bytes: &[u8], chunk: usize) -> Result<Outcome, HandshakeError> {
    run_cut(request, bytes, std::iter::repeat(chunk.max(1)))
}

/// Gives the response in pieces of these sizes.
fn run_cut(
    request: ClientRequest<'_>,
    bytes: &[u8],
    sizes: impl Iterator<Item = usize>,
) -> Result<Outcome, HandshakeError> {
    run_in(request, bytes, sizes, 4096, HeadLimits::DEFAULT)
}

/// The same in storage of this size and under these limits.
fn run_in(
    request: ClientRequest<'_>,
    mut bytes: &[u8],
    mut sizes: impl Iterator<Item = usize>,
    storage: usize,
    limits: HeadLimits,
) -> Result<Outcome, HandshakeError> {
    let mut storage = vec![0; storage];
    let mut handshake = ClientHandshake::new(request, *b"the sample nonce", &mut storage, limits);
    let mut taken = 0;
    while !bytes.is_empty() {
        let (chunk, rest) = bytes.split_at(sizes.next().unwrap().min(bytes.len()));
        bytes = rest;
        let (more, progress) = handshake.recv(chunk)?;
        taken += more;
        match progress {
            ClientProgress::NeedMore => assert_eq!(more, chunk.len()),
            ClientProgress::Accepted(accepted) => {
                let cookies =
                    accepted.headers().get_all("set-cookie").map(|v| String::from_utf8_lossy(v).into());
                return Ok(Outcome::Open {
                    subprotocol: accepted.subprotocol().map(str::to_owned),
                    extensions: accepted.extensions().iter().map(|e| e.name().to_owned()).collect(),
                    deflate: accepted.negotiated().deflate,
                    cookies: cookies.collect(),
                    taken,
                });
            }
            ClientProgress::Rejected(rejected) => {
                return Ok(Outcome::Rejected {
                    status: rejected.status(),
                    versions: rejected.versions().map(str::to_owned).collect(),
                    fields: rejected.headers().iter().map(|(n, v)| (n.to_owned(), v.to_vec())).collect(),
                    head: rejected.head().to_vec(),
                    taken,
                });
            }
            other => panic!("{other:?}"),
        }
    }
    Ok(Outcome::More)
}

/// Read whole and octet by octet; both must come to the same.
fn ask_with(request: ClientRequest<'_>, response: &str) -> Result<Outcome, HandshakeError> {
    let whole = run(request, response.as_bytes(), response.len());
    assert_eq!(whole, run(request, response.as_bytes(), 1));
    whole
}

fn ask(response: &str) -> Result<Outcome, HandshakeError> {
    ask_with(offer(), response)
}

fn opens(response: &str) {
    assert!(matches!(ask(response), Ok(Outcome::Open { .. })), "{:?} for\n{response}", ask(response));
}

#[test]
fn rfc_6455_section_1_3_the_answer_of_the_example_opens() {
    opens(&with("Sec-WebSocket-Protocol: chat"));
}

#[test]
fn req_6455_4_1_50_another_status_is_an_outcome_of_its_own() {
    for (status, name, value) in [
        (401, "WWW-Authenticate", "Basic realm=\"a, b\""),
        (302, "Location", "/b"),
        (404, "X", "y"),
        (503, "Retry-After", "1"),
        (200, "X", "y"),
        (599, "X", ""),
    ] {
        // Even if all else looks like a WebSocket.
        let lines = [LINES[1], LINES[2], LINES[3], "Content-Length: 4"];
        let first = [format!("HTTP/1.1 {status} x"), format!("{name}: {value}")];
        let response = head(first.iter().map(String::as_str).chain(lines));
        let outcome = ask(&format!("{response}body"));
        let Ok(Outcome::Rejected { status: got, fields, taken, head, .. }) = outcome else {
            panic!("{outcome:?}")
        };
        // The body is in the bytes that were not taken.
        assert_eq!((got, fields.len(), taken), (status, 5, response.len()));
        assert_eq!(fields[0], (name.to_owned(), value.as_bytes().to_vec()));
        assert_eq!(head, response.as_bytes());
    }
}

/// RFC 9110 section 15: a status beyond 599 is invalid, and treated as a 5xx.
#[test]
fn req_6455_4_1_50_a_status_that_nobody_defined_is_an_outcome_too() {
    for status in [299, 499, 600, 999] {
        let outcome = ask(&format!("HTTP/1.1 {status} x\r\nRetry-After: 1\r\n\r\n"));
        let Ok(Outcome::Rejected { status: got, fields, .. }) = outcome else { panic!("{outcome:?}") };
        assert_eq!((got, fields.len()), (status, 1));
    }
}

#[test]
fn req_whatwg_1_a_redirect_is_reported_and_not_followed() {
    for status in [300, 301, 302, 303, 307, 308] {
        let outcome = ask(&format!("HTTP/1.1 {status} x\r\nLocation: ws://elsewhere/\r\n\r\n"));
        let Ok(Outcome::Rejected { status: got, fields, .. }) = outcome else { panic!("{outcome:?}") };
        assert_eq!((got, &*fields[0].1), (status, &b"ws://elsewhere/"[..]));
    }
}

#[test]
fn req_6455_4_4_2_req_6455_11_3_5_2_versions_come_from_all_lines() {
    let response = "HTTP/1.1 426 x\r\nSec-WebSocket-Version: 13, 8\r\nSec-WebSocket-Version: 7\r\n\r\n";
    let Ok(Outcome::Rejected { versions, .. }) = ask(response) else { panic!() };
    assert_eq!(versions, ["13", "8", "7"]);
}

#[test]
fn req_6455_4_1_51_upgrade_says_websocket_in_any_case() {
    for line in ["X: y", "Upgrade: h2c", "Upgrade: websocket2", "Upgrade: ", "Upgrade: websocket, h2c"] {
        assert_eq!(ask(&replaced(1, line)), Err(HandshakeError::InvalidUpgrade), "{line}");
    }
    opens(&replaced(1, "Upgrade: WebSocket"));
    assert_eq!(ask(&with("Upgrade: websocket")), Err(HandshakeError::InvalidUpgrade));
}

#[test]
fn req_6455_4_1_52_connection_names_upgrade() {
    for line in
        ["X: y", "Connection: close", "Connection: upgrade2", "Connection:", "Connection: upgrade, a b"]
    {
        assert_eq!(ask(&replaced(2, line)), Err(HandshakeError::InvalidConnection), "{line}");
    }
    opens(&replaced(2, "Connection: keep-alive, upgrade"));
    opens(&replaced(2, "Connection: keep-alive\r\nConnection: Upgrade"));
}

#[test]
fn req_6455_4_1_53_req_6455_11_3_3_1_the_accept_value_is_right_and_stands_once() {
    opens(&replaced(3, "Sec-WebSocket-Accept:  \ts3pPLMBiTxaQ9kYGzzhZRbK+xOo= "));
    // Each character counts, and so does the length.
    let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    let spoilt = (0..accept.len()).map(|at| {
        let other = if accept.as_bytes()[at] == b'A' { "B" } else { "A" };
        format!("{}{other}{}", &accept[..at], &accept[at + 1..])
    });
    let more = [
        accept.to_uppercase(),
        accept.to_lowercase(),
        String::new(),
        accept[..27].to_owned(),
        accept[1..].to_owned(),
        format!("{accept}="),
        format!("\"{accept}\""),
        format!("{accept}, {accept}"),
        // The key itself.
        "dGhlIHNhbXBsZSBub25jZQ==".to_owned(),
    ];
    for value in spoilt.chain(more) {
        let response = replaced(3, &format!("Sec-WebSocket-Accept: {value}"));
        assert_eq!(ask(&response), Err(HandshakeError::InvalidAccept));
    }
    assert_eq!(ask(&replaced(3, "X: y")), Err(HandshakeError::InvalidAccept));
    assert_eq!(ask(&with(LINES[3])), Err(HandshakeError::InvalidAccept));
}

#[test]
fn req_6455_4_1_54_the_accept_value_is_made_of_the_characters_of_the_key() {
    assert_eq!(accept_value("dGhlIHNhbXBsZSBub25jZQ==").unwrap().as_str(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(accept_value("AQIDBAUGBwgJCgsMDQ4PEA==").unwrap().as_str(), "C/0nmHhBztSRGR1CwL6Tf4ZjwpY=");
}

#[test]
fn req_6455_4_1_55_an_extension_that_was_not_offered_fails() {
    let unoffered = Err(HandshakeError::UnofferedExtension);
    assert_eq!(ask(&with("Sec-WebSocket-Extensions: x-foo")), unoffered);
    assert_eq!(ask(&with("Sec-WebSocket-Extensions: permessage-deflate, x-foo")), unoffered);
    // Names are compared with case, and one twice is one that was not offered twice.
    assert_eq!(ask(&with("Sec-WebSocket-Extensions: Permessage-Deflate")), unoffered);
    assert_eq!(ask(&with("Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate")), unoffered);
    let plain = ClientRequest::new(Uri::parse("ws://h").unwrap());
    assert_eq!(ask_with(plain, &with("Sec-WebSocket-Extensions: permessage-deflate")), unoffered);
    assert_eq!(ask(&with("Sec-WebSocket-Extensions: ;")), Err(HandshakeError::InvalidExtensions));
    assert_eq!(ask(&with("Sec-WebSocket-Extensions:")), Err(HandshakeError::InvalidExtensions));
}

#[test]
fn req_e_3433_several_lines_of_extensions_are_one_list() {
    let lines = "Sec-WebSocket-Extensions: x-other; a=1\r\nSec-WebSocket-Extensions: x-more";
    let Ok(Outcome::Open { extensions, .. }) = ask(&with(lines)) else { panic!() };
    assert_eq!(extensions, ["x-other", "x-more"]);
}

#[test]
fn req_6455_4_1_56_req_6455_11_3_4_1_a_subprotocol_is_one_that_was_offered() {
    for value in ["other", "Chat", "chat, superchat", ""] {
        let response = with(&format!("Sec-WebSocket-Protocol: {value}"));
        assert_eq!(ask(&response), Err(HandshakeError::UnofferedSubprotocol), "{value}");
    }
    let twice = with("Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat");
    assert_eq!(ask(&twice), Err(HandshakeError::UnofferedSubprotocol));
    let plain = ClientRequest::new(Uri::parse("ws://h").unwrap());
    assert_eq!(
        ask_with(plain, &with("Sec-WebSocket-Protocol: chat")),
        Err(HandshakeError::UnofferedSubprotocol)
    );
}

#[test]
fn req_6455_4_1_57_whatever_else_breaks_a_rule_fails() {
    let (start, header) = (HandshakeError::MalformedStartLine, HandshakeError::MalformedHeader);
    for (response, error) in [
        (head(LINES).replace("\r\n", "\n"), start),
        (replaced(0, "HTTP/1.1 1010 x"), start),
        (replaced(0, "HTTP/1.1 099 x"), start),
        (replaced(0, "HTTP/1.1 000 x"), start),
        (replaced(0, "HTTP/1.1 1O1 x"), start),
        (replaced(0, "HTTP/1.1 10 x"), start),
        (replaced(0, "HTTP/1.1  101 x"), start),
        (replaced(0, "HTTP/11 101 x"), start),
        (replaced(0, "http/1.1 101 x"), start),
        (replaced(0, "ICY 101 x"), start),
        (replaced(0, "GET / HTTP/1.1"), start),
        (replaced(0, "HTTP/1.1 101 \u{1}"), start),
        (with("no colon"), header),
        (with(": y"), header),
        (with("X : y"), header),
        // It goes on after the accept value.
        (with(" X: y"), HandshakeError::InvalidAccept),
        (with("X: a\rb"), header),
        (with("X: a\nY: b"), header),
        (with("X: \0"), header),
        (with("X: \u{7F}"), header),
        (with(LINES[1]), HandshakeError::InvalidUpgrade),
        // A list, not a single name.
        (with(&format!("Sec-WebSocket-Protocol: {}", ",".repeat(200))), HandshakeError::UnofferedSubprotocol),
        (with(&format!("Sec-WebSocket-Extensions: x-other{}", ",".repeat(200))), HandshakeError::ListTooLong),
        (with(&format!("Connection: {}", ",".repeat(200))), HandshakeError::ListTooLong),
        (with(&format!("X: {}", "y".repeat(5000))), HandshakeError::HeadTooLarge),
        (head(LINES.into_iter().chain(["X: y"; 200])), HandshakeError::TooManyFields),
    ] {
        assert_eq!(ask(&response), Err(error), "{response}");
    }
}

#[test]
fn req_6455_4_1_58_what_was_agreed_on_is_known() {
    let lines = "Sec-WebSocket-Protocol: superchat\r\nSec-WebSocket-Extensions: permessage-deflate";
    let Ok(Outcome::Open { subprotocol, extensions, deflate, .. }) = ask(&with(lines)) else { panic!() };
    assert_eq!(subprotocol.as_deref(), Some("superchat"));
    assert_eq!(extensions, ["permessage-deflate"]);
    assert_eq!(deflate, Some(Params::DEFAULT));
    let Ok(Outcome::Open { subprotocol: None, extensions, .. }) = ask(&head(LINES)) else { panic!() };
    assert!(extensions.is_empty());
}

#[test]
fn req_6455_4_1_59_each_cookie_is_readable() {
    let Ok(Outcome::Open { cookies, .. }) = ask(&with("Set-Cookie: a=1, x\r\nset-cookie: b=2")) else {
        panic!()
    };
    assert_eq!(cookies, ["a=1, x", "b=2"]);
}

#[test]
fn req_6455_4_1_60_req_9110_15_2_2_1_nothing_after_the_head_is_http() {
    let response = with("Content-Length: 3\r\nTransfer-Encoding: chunked");
    let mut bytes = format!("{response}\u{1}").into_bytes();
    bytes.pop();
    bytes.extend_from_slice(b"\x81\x05Hello");
    let Ok(Outcome::Open { taken, .. }) = run(offer(), &bytes, bytes.len()) else { panic!() };
    assert_eq!(taken, response.len());
    let key = |dest: &mut [u8]| -> Result<(), EntropyError> {
        dest.fill(0);
        Ok(())
    };
    let mut connection = Connection::new(Client::new(key), Config::new());
    let mut input = Input::new(&mut bytes[taken..]);
    let Ok(Some(Event::Data(data))) = connection.recv(&mut input) else { panic!() };
    assert_eq!(data.as_str(), Some("Hello"));
}

#[test]
fn req_9110_15_2_1_req_9110_15_2_2_interim_responses_are_passed_over_within_reason() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 x\r\nX: y\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    opens(&format!("{interim}{}", head(LINES)));
    let many = |count| "HTTP/1.1 100 Continue\r\n\r\n".repeat(count) + &head(LINES);
    opens(&many(8));
    assert_eq!(ask(&many(9)), Err(HandshakeError::TooManyInterimResponses));
    // What is passed over is HTTP as well.
    for interim in ["HTTP/2.0 100 x\r\n\r\n", "HTTP/0.9 103 x\r\n\r\n"] {
        assert_eq!(
            ask(&format!("{interim}{}", head(LINES))),
            Err(HandshakeError::UnsupportedHttpVersion),
            "{interim}"
        );
    }
    assert_eq!(
        ask(&format!("HTTP/1.1 100 x\r\nX : y\r\n\r\n{}", head(LINES))),
        Err(HandshakeError::MalformedHeader)
    );
}

#[test]
fn req_9112_4_1_the_reason_phrase_is_ignored() {
    for line in ["HTTP/1.1 101", "HTTP/1.1 101 ", "HTTP/1.1 101 Foo bar", "HTTP/1.1 101 \u{17C}"] {
        opens(&replaced(0, line));
    }
}

#[test]
fn req_9112_5_2_2_a_folded_line_is_read_as_spaces() {
    let Ok(Outcome::Open { cookies, .. }) = ask(&with("Set-Cookie: b\r\n c")) else { panic!() };
    assert_eq!(cookies, ["b   c"]);
    // Refusing it is left to those who ask for it.
    let strict = HeadLimits::DEFAULT.with_tolerances(Tolerances::NONE);
    let bytes = with("A: b\r\n c").into_bytes();
    let result = run_in(offer(), &bytes, std::iter::repeat(1), 4096, strict);
    assert_eq!(result, Err(HandshakeError::MalformedHeader));
}

#[test]
fn req_9112_2_3_1_the_version_is_1_1_or_higher_with_major_1() {
    for version in ["HTTP/1.0", "HTTP/2.0", "HTTP/0.9"] {
        assert_eq!(
            ask(&replaced(0, &format!("{version} 101 x"))),
            Err(HandshakeError::UnsupportedHttpVersion)
        );
    }
    opens(&replaced(0, "HTTP/1.2 101 x"));
    // What refuses may be of HTTP/1.0.
    assert_eq!(ask("HTTP/2.0 404 x\r\n\r\n"), Err(HandshakeError::UnsupportedHttpVersion));
    assert!(matches!(ask("HTTP/1.0 404 x\r\n\r\n"), Ok(Outcome::Rejected { status: 404, .. })));
}

#[test]
fn req_whatwg_2_a_client_may_require_a_subprotocol() {
    assert_eq!(
        ask_with(offer().with_required_subprotocol(true), &head(LINES)),
        Err(HandshakeError::SubprotocolRequired)
    );
    opens(&head(LINES));
    // If none is offered, none is required.
    let plain = ClientRequest::new(Uri::parse("ws://h").unwrap()).with_required_subprotocol(true);
    assert!(matches!(ask_with(plain, &head(LINES)), Ok(Outcome::Open { subprotocol: None, .. })));
    assert!(matches!(
        ask_with(offer().with_required_subprotocol(true), &with("Sec-WebSocket-Protocol: chat")),
        Ok(Outcome::Open { .. })
    ));
}

#[test]
fn req_whatwg_3_no_failure_of_the_opening_has_a_code_for_the_wire() {
    // There is no connection, so there is no Close: applications report 1006. A client does not answer with a
    // status either.
    for error in
        [HandshakeError::InvalidAccept, HandshakeError::UnofferedSubprotocol, HandshakeError::UnexpectedEof]
    {
        assert_eq!(error.status(), None);
    }
    let key = |dest: &mut [u8]| -> Result<(), EntropyError> {
        dest.fill(0);
        Ok(())
    };
    let mut connection = Connection::new(Client::new(key), Config::new());
    assert!(connection.eof().is_err());
    assert_eq!(connection.closed().unwrap().status, 1006);
    assert_eq!(connection.poll_transmit(&mut [0; 200]), Ok(0));
}

#[test]
fn a_failure_stays_a_failure() {
    let mut storage = [0; 4096];
    let mut handshake =
        ClientHandshake::new(offer(), *b"the sample nonce", &mut storage, HeadLimits::DEFAULT);
    let bad = replaced(1, "Upgrade: h2c");
    assert!(matches!(handshake.recv(bad.as_bytes()), Err(HandshakeError::InvalidUpgrade)));
    assert!(matches!(handshake.recv(head(LINES).as_bytes()), Err(HandshakeError::InvalidUpgrade)));
    // Also when the transport ends, whether the head was complete or not.
    assert_eq!(handshake.eof(), Err(HandshakeError::InvalidUpgrade));
    let mut storage = [0; 4096];
    let mut handshake =
        ClientHandshake::new(offer(), *b"the sample nonce", &mut storage, HeadLimits::DEFAULT);
    assert!(handshake.recv(b"HTTP/1.1\0").is_err());
    assert_eq!(handshake.eof(), Err(HandshakeError::MalformedStartLine));
}

#[test]
fn the_end_of_the_transport_is_fine_after_the_final_response_alone() {
    for (bytes, want) in [
        (String::new(), Err(HandshakeError::UnexpectedEof)),
        ("HTTP/1.1 101 x\r\n".into(), Err(HandshakeError::UnexpectedEof)),
        ("HTTP/1.1 100 x\r\n\r\n".into(), Err(HandshakeError::UnexpectedEof)),
        ("HTTP/1.1 404 x\r\n\r\n".into(), Ok(())),
        (head(LINES), Ok(())),
    ] {
        let mut storage = [0; 4096];
        let mut handshake =
            ClientHandshake::new(offer(), *b"the sample nonce", &mut storage, HeadLimits::DEFAULT);
        handshake.recv(bytes.as_bytes()).unwrap();
        assert_eq!(handshake.eof(), want, "{bytes}");
    }
}

/// The limits are exact to the octet and the field, and frames that follow the head do not count.
#[test]
fn a_response_may_be_as_large_as_its_limits() {
    let response = with("X: y");
    let glued = format!("{response}{}", "frames".repeat(100));
    let run = |size: usize, limits: HeadLimits, chunk: usize| {
        let mut storage = vec![0; size];
        let mut handshake = ClientHandshake::new(offer(), *b"the sample nonce", &mut storage, limits);
        let mut taken = 0;
        for chunk in glued.as_bytes().chunks(chunk) {
            let (more, progress) = handshake.recv(chunk)?;
            taken += more;
            if !matches!(progress, ClientProgress::NeedMore) {
                return Ok(taken);
            }
        }
        panic!("the response has no end")
    };
    let (len, limits) = (response.len(), HeadLimits::DEFAULT);
    for chunk in [1, 7, glued.len()] {
        assert_eq!(run(len, limits, chunk), Ok(len));
        assert_eq!(run(len - 1, limits, chunk), Err(HandshakeError::HeadTooLarge));
        assert_eq!(run(len, limits.with_max_fields(4), chunk), Ok(len));
        assert_eq!(run(len, limits.with_max_fields(3), chunk), Err(HandshakeError::TooManyFields));
        let start = LINES[0].len();
        assert_eq!(run(len, limits.with_max_start_line(start), chunk), Ok(len));
        let too_long = Err(HandshakeError::StatusLineTooLong);
        assert_eq!(run(len, limits.with_max_start_line(start - 1), chunk), too_long);
    }
}

/// A line of a response: right ones, ones that fail the handshake, and anything.
fn any_line() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => (1..LINES.len()).prop_map(|at| LINES[at].to_owned()),
        1 => Just("Sec-WebSocket-Protocol: superchat".to_owned()),
        1 => Just("Sec-WebSocket-Extensions: x-other, x-more; a=\"b\"".to_owned()),
        1 => Just("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=10".to_owned()),
        1 => Just("Set-Cookie: a=b".to_owned()),
        1 => "[ -~\t]{0,20}",
        4 => "[A-Za-z-]{1,8}: [ -~\\xFF]{0,12}",
    ]
}

/// A few octets, many of which mean something in a head.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let octet = prop_oneof![any::<u8>(), proptest::sample::select(&b"\r\n\t :,;\"\0"[..])];
    proptest::collection::vec(octet, 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Responses as they could come: interim ones, any status, lines that are right and lines that are not.
    #[test]
    fn any_cut_of_any_series_of_responses_comes_to_the_same(
        interim in proptest::collection::vec((100_u16..200, any_line()), 0..4),
        version in prop_oneof![8 => Just("HTTP/1.1"), 1 => Just("HTTP/1.0"), 1 => Just("HTTP/2.0")],
        status in prop_oneof![4 => Just(101_u16), 1 => 0_u16..1000],
        lines in proptest::collection::vec(any_line(), 0..4),
        complete in any::<bool>(),
        glue in proptest::collection::vec(any::<u8>(), 0..20),
        cuts in proptest::collection::vec(1_usize..40, 1..8),
        noise in proptest::option::weighted(0.2, (any::<Index>(), octets())),
        storage in prop_oneof![4 => Just(4096_usize), 1 => 0_usize..260],
        start_line in prop_oneof![4 => Just(8192_usize), 1 => 0_usize..40],
        max_fields in prop_oneof![4 => Just(128_usize), 1 => 0_usize..8],
    ) {
        let mut text: String =
            interim.iter().map(|(status, line)| head([&format!("HTTP/1.1 {status:03} x"), line])).collect();
        let right = if complete { &LINES[1..] } else { &[] };
        let first = [format!("{version} {status:03} x")].into_iter();
        text += &head(first.chain(right.iter().map(|line| line.to_string())).chain(lines));
        let mut bytes = text.into_bytes();
        if let Some((at, noise)) = noise {
            let at = at.index(bytes.len());
            bytes.splice(at..(at + noise.len() / 2).min(bytes.len()), noise);
        }
        bytes.extend_from_slice(&glue);
        let limits = HeadLimits::DEFAULT.with_max_start_line(start_line).with_max_fields(max_fields);
        let run = |bytes: &[u8], cuts: &[usize]| {
            run_in(offer(), bytes, cuts.iter().copied().cycle(), storage, limits)
        };
        let whole = run(&bytes, &[bytes.len()]);
        prop_assert_eq!(&whole, &run(&bytes, &[1]));
        prop_assert_eq!(&whole, &run(&bytes, &cuts));
        // What follows the head is not taken, and changes nothing.
        if let Ok(Outcome::Open { taken, .. } | Outcome::Rejected { taken, .. }) = whole {
            let end = &bytes[..taken];
            if matches!(whole, Ok(Outcome::Open { .. })) {
                prop_assert!(end.ends_with(b"\r\n\r\n"));
            } else {
                // What refuses may be sloppy, and more than the storage.
                let ended = end.ends_with(b"\n\r\n") || end.ends_with(b"\n\n");
                prop_assert!(ended || taken >= storage);
                prop_assume!(ended);
            }
            prop_assert_eq!(&whole, &run(&bytes[..taken], &[taken]));
        }
    }

    #[test]
    fn any_cut_of_any_response_comes_to_the_same(
        noise in proptest::collection::vec(any::<u8>(), 0..30), at in 0_usize..200, chunk in 1_usize..60, glue in "[a-z]{0,5}",
    ) {
        let mut bytes = with("Sec-WebSocket-Protocol: chat").into_bytes();
        let at = at % bytes.len();
        if !noise.is_empty() {
            bytes.splice(at..(at + noise.len() / 2).min(bytes.len()), noise);
        }
        bytes.extend_from_slice(glue.as_bytes());
        let whole = run(offer(), &bytes, bytes.len());
        prop_assert_eq!(&whole, &run(offer(), &bytes, chunk));
        prop_assert_eq!(&whole, &run(offer(), &bytes, 1));
    }
}
