//! Heads that an HTTP library has read, or is to send: the same judgement as of bytes, and extended CONNECT (RFC 8441,
//! RFC 9220).

use crate::opening::{head, ACCEPT, KEY, LINES};

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use sockless::deflate::{Offer, Policy};
use sockless::handshake::client::{ClientProgress, ClientRequest};
use sockless::handshake::server::{Reject, Request, ServerProgress};
use sockless::handshake::{
    Bootstrap, ComposeError, HandshakeError, HeadLimits, Headers, Key, OriginPolicy, ParsedRequest, Uri,
};

const WEBSOCKET: Bootstrap<'_> =
    Bootstrap::ExtendedConnect { protocol: Some("websocket"), scheme: Some("https") };

const CONNECT: ParsedRequest<'_> = ParsedRequest {
    bootstrap: WEBSOCKET,
    method: "CONNECT",
    target: "/chat?room=1",
    authority: Some("server.example.com"),
    headers: Headers::parsed(&[
        ("sec-websocket-version", b"13"),
        ("origin", b"https://server.example.com"),
        ("sec-websocket-protocol", b"chat, superchat"),
        ("sec-websocket-protocol", b" other "),
        ("sec-websocket-extensions", b"permessage-deflate; client_max_window_bits"),
    ]),
};

fn judge(request: ParsedRequest<'_>) -> Result<ServerProgress<'_>, HandshakeError> {
    Request::from_parsed(&request, &HeadLimits::DEFAULT)
}

fn accepted(request: ParsedRequest<'_>) -> Request<'_> {
    match judge(request) {
        Ok(ServerProgress::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn refused(request: ParsedRequest<'_>) -> HandshakeError {
    judge(request).expect_err("it is wrong")
}

fn with<'f>(fields: &[(&'f str, &'f [u8])]) -> Vec<(&'f str, &'f [u8])> {
    CONNECT.headers.iter().chain(fields.iter().copied()).collect()
}

fn list(headers: Headers<'_>) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| (name.into(), String::from_utf8(value.into()).expect("we write text")))
        .collect()
}

/// What a server says of a request, in words that can be compared.
fn outcome(judged: Result<ServerProgress<'_>, HandshakeError>) -> String {
    match judged {
        Err(error) => format!("{error:?}"),
        Ok(ServerProgress::Http(plain)) => format!(
            "http {} {} 1.{} {:?}",
            plain.method(),
            plain.target(),
            plain.minor_version(),
            plain.headers().iter().collect::<Vec<_>>()
        ),
        Ok(ServerProgress::Request(request)) => {
            let mut out = [0; 1024];
            let accept = request.accept(OriginPolicy::Any).unwrap();
            let accept = accept.with_supported_subprotocols(&["superchat"]).with_deflate(&Policy::DEFAULT);
            let (len, agreed) = accept.write(&mut out).unwrap();
            format!(
                "{} {} {:?} {:?} {:?} {agreed:?} {} {:?}",
                request.target(),
                request.host(),
                request.origin(),
                request.subprotocols().iter().collect::<Vec<_>>(),
                request.extensions().iter().map(|e| e.name()).collect::<Vec<_>>(),
                String::from_utf8_lossy(&out[..len]),
                request.headers().iter().collect::<Vec<_>>()
            )
        }
        Ok(other) => panic!("{other:?}"),
    }
}

/// Judges the bytes, and what httparse makes of them. Returns both, unless httparse refuses the head.
fn both(bytes: &[u8], limits: &HeadLimits) -> (String, Option<String>) {
    let mut room = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut room);
    let read = parsed.parse(bytes);
    let by_fields = read.is_ok_and(|status| status.is_complete()).then(|| {
        let fields: Vec<_> = parsed.headers.iter().map(|field| (field.name, field.value)).collect();
        outcome(Request::from_parsed(
            &ParsedRequest {
                bootstrap: Bootstrap::Upgrade { minor: parsed.version.unwrap() },
                method: parsed.method.unwrap(),
                target: parsed.path.unwrap(),
                authority: None,
                headers: Headers::parsed(&fields),
            },
            limits,
        ))
    });
    (outcome(Request::parse(bytes, limits)), by_fields)
}

/// Lines that make a request better or worse.
const MORE: [&str; 34] = [
    "Host: other.example",
    "Host: a b",
    "host:server.example.com:80",
    "Upgrade: h2c, WebSocket",
    "upgrade: HTTP/2.0, websocket",
    "Upgrade: h2c",
    "Connection: keep-alive",
    "connection:\tkeep-alive, upgrade",
    "Connection: @",
    "Sec-WebSocket-Key: AAAA",
    "sec-websocket-key:   dGhlIHNhbXBsZSBub25jZQ==  ",
    "Sec-WebSocket-Version: 8",
    "Sec-WebSocket-Version: 13, 8",
    "Origin: null",
    "Origin: \u{e9}",
    "Sec-WebSocket-Protocol: third",
    "Sec-WebSocket-Protocol: chat",
    "Sec-WebSocket-Protocol: ,",
    "Sec-WebSocket-Protocol: (",
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    "Sec-WebSocket-Extensions: x-private; a=\"b\", permessage-deflate",
    "Sec-WebSocket-Extensions: ;",
    "Sec-WebSocket-Extensions:",
    "Content-Length: 0",
    "Content-Length: 5",
    "Content-Length: five",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip",
    "Expect: 100-continue",
    "Cookie: a=b; c=\u{17c}",
    "X-Empty:",
    "X-Long: 0123456789012345678901234567890123456789",
    "Sec-WebSocket-Accept: a",
    "Sec-WebSocket-Unknown: a",
];

const FIRST: [&str; 12] = [
    "GET /chat HTTP/1.1",
    "GET /chat?a=b HTTP/1.0",
    "POST /chat HTTP/1.1",
    "get / HTTP/1.1",
    "GET http://other.example/chat?a HTTP/1.1",
    "GET http://other.example HTTP/1.1",
    "GET http://other.example?a HTTP/1.1",
    "GET http://a@b/chat HTTP/1.1",
    "GET ws://other.example/ HTTP/1.1",
    "GET other HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "CONNECT other.example:443 HTTP/1.1",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn bytes_and_their_fields_get_the_same_judgement(
        first in prop_oneof![2 => Just(FIRST[0]), 1 => select(&FIRST[..])],
        right in subsequence(&LINES[1..], 5..=7),
        more in subsequence(&MORE[..], 0..4),
        twice in any::<bool>(),
        max_fields in 6_usize..20,
    ) {
        let mut lines = vec![first];
        lines.extend(right);
        lines.extend(more.iter().copied());
        lines.extend(more.first().filter(|_| twice));
        let limits = HeadLimits::DEFAULT.with_max_fields(max_fields);
        let (by_bytes, by_fields) = both(head(&lines).as_bytes(), &limits);
        let by_fields = by_fields.expect("httparse reads all of these");
        prop_assert_eq!(by_bytes, by_fields, "{:?}", lines);
    }

    /// Where httparse takes what must be refused, it is still refused.
    #[test]
    fn a_spoilt_head_is_not_accepted_by_its_fields(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = head(LINES).into_bytes();
        let at = at.index(bytes.len() - 4);
        // A line end instead of another byte makes other lines, which a bare LF does for httparse alone.
        prop_assume!(!matches!(byte, b'\n' | b'\r') && !matches!(bytes[at], b'\n' | b'\r'));
        bytes[at] = byte;
        let (by_bytes, by_fields) = both(&bytes, &HeadLimits::DEFAULT);
        if let Some(by_fields) = by_fields {
            prop_assert_eq!(by_bytes, by_fields, "{}", String::from_utf8_lossy(&bytes));
        }
    }

    /// What a client asks for reaches a server, by extended CONNECT as by an upgrade, and so does the answer.
    #[test]
    fn req_9220_3_1_every_version_of_http_carries_the_same(
        extended in any::<bool>(),
        secure in any::<bool>(),
        names in subsequence(vec!["a", "b", "c"], 0..=3),
        offered in any::<bool>(),
        server_names in subsequence(vec!["c", "b"], 0..=2),
    ) {
        let uri = format!("{}://h.example:8080/p?q", if secure { "wss" } else { "ws" });
        let offers = [Offer::DEFAULT];
        let mut asked = ClientRequest::new(Uri::parse(&uri).unwrap()).with_subprotocols(&names).unwrap();
        if offered {
            asked = asked.with_deflate(&offers);
        }
        let key = Key::parse(KEY.as_bytes(), true).filter(|_| !extended);
        let (mut room, mut answer) = ([0; 1024], [0; 1024]);
        let sent = asked.to_parsed(key.as_ref(), &mut room).unwrap();
        let request = accepted(sent);
        prop_assert_eq!((request.target(), request.host()), ("/p?q", "h.example:8080"));
        prop_assert_eq!(request.subprotocols().iter().collect::<Vec<_>>(), names.clone());
        let accept = request.accept(OriginPolicy::NonBrowser).unwrap();
        let accept = accept.with_supported_subprotocols(&server_names).with_deflate(&Policy::DEFAULT);
        prop_assert_eq!(accept.status(), if extended { 200 } else { 101 });
        let fields = accept.fields(&mut answer).unwrap();
        let judged = asked.judge(key.as_ref(), accept.status(), fields, &HeadLimits::DEFAULT).unwrap();
        let ClientProgress::Accepted(judged) = judged else { panic!("{judged:?}") };
        prop_assert_eq!(judged.subprotocol(), accept.chosen_subprotocol());
        prop_assert_eq!(judged.negotiated(), accept.negotiated());
        prop_assert_eq!(judged.negotiated().deflate.is_some(), offered);
        prop_assert_eq!(judged.subprotocol().is_some(), names.iter().any(|name| server_names.contains(name)));
    }
}

#[test]
fn a_head_of_fields_is_checked_as_one_of_bytes() {
    for (name, value) in [
        ("x", &b"a\rb"[..]),
        ("x", b"a\nb"),
        ("x", b"a\0b"),
        ("x", b"\x7f"),
        ("", b"a"),
        ("a b", b"c"),
        (":path", b"/"),
        ("x:y", b"z"),
    ] {
        let fields = with(&[(name, value)]);
        let request = ParsedRequest { headers: Headers::parsed(&fields), ..CONNECT };
        assert_eq!(refused(request), HandshakeError::MalformedHeader, "{name:?}");
    }
    for target in ["", "/a b", "/#", "/\u{e9}", "/\r\n", "/\0"] {
        let request = ParsedRequest { target, ..CONNECT };
        assert_eq!(refused(request), HandshakeError::MalformedStartLine, "{target:?}");
    }
    let limited = |limits: HeadLimits| Request::from_parsed(&CONNECT, &limits).expect_err("beyond the limit");
    assert_eq!(limited(HeadLimits::DEFAULT.with_max_fields(4)), HandshakeError::TooManyFields);
    assert_eq!(limited(HeadLimits::DEFAULT.with_max_field(24)), HandshakeError::FieldTooLong);
    assert_eq!(limited(HeadLimits::DEFAULT.with_max_start_line(28)), HandshakeError::TargetTooLong);
    assert!(Request::from_parsed(&CONNECT, &HeadLimits::DEFAULT.with_max_start_line(29)).is_ok());
}

#[test]
fn the_authority_of_an_absolute_target_may_stand_beside_it() {
    let lines = [("host", &b"proxy.example"[..]), ("connection", b"upgrade"), ("upgrade", b"websocket")];
    let more = [("sec-websocket-version", &b"13"[..]), ("sec-websocket-key", KEY.as_bytes())];
    let fields = [&lines[..], &more[..]].concat();
    let request = ParsedRequest {
        bootstrap: Bootstrap::Upgrade { minor: 1 },
        method: "GET",
        target: "/",
        authority: Some("site.example"),
        headers: Headers::parsed(&fields),
    };
    assert_eq!(accepted(request).host(), "site.example");
    assert_eq!(accepted(ParsedRequest { authority: None, ..request }).host(), "proxy.example");
    let without_host = ParsedRequest { headers: Headers::parsed(&fields[1..]), ..request };
    assert_eq!(refused(without_host), HandshakeError::InvalidHost);
    assert_eq!(refused(ParsedRequest { authority: Some("a b"), ..request }), HandshakeError::InvalidHost);
    let mut room = [0; 512];
    let answer = accepted(request);
    let answer = answer.accept(OriginPolicy::Any).unwrap();
    assert_eq!(answer.status(), 101);
    let expected = [("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-accept", ACCEPT)];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(list(answer.fields(&mut room).unwrap()), expected);
}

#[test]
fn req_8441_4_1_req_8441_5_1_req_8441_5_2_a_client_says_what_it_asks_for() {
    for (uri, scheme) in [("ws://h.example/a?b", "http"), ("wss://h.example/a?b", "https")] {
        let mut room = [0; 512];
        let request = ClientRequest::new(Uri::parse(uri).unwrap()).with_absolute_form(true);
        let sent = request.to_parsed(None, &mut room).unwrap();
        let expected = Bootstrap::ExtendedConnect { protocol: Some("websocket"), scheme: Some(scheme) };
        assert_eq!(sent.bootstrap, expected);
        assert_eq!((sent.method, sent.target, sent.authority), ("CONNECT", "/a?b", Some("h.example")));
    }
}

#[test]
fn req_8441_4_2_an_extended_connect_needs_a_scheme_and_a_path() {
    let of_scheme = |scheme| Bootstrap::ExtendedConnect { protocol: Some("websocket"), scheme };
    for scheme in [None, Some(""), Some("ftp"), Some("wss")] {
        let request = ParsedRequest { bootstrap: of_scheme(scheme), ..CONNECT };
        assert_eq!(refused(request), HandshakeError::InvalidTarget, "{scheme:?}");
    }
    for scheme in ["http", "https", "HTTPS"] {
        accepted(ParsedRequest { bootstrap: of_scheme(Some(scheme)), ..CONNECT });
    }
    assert_eq!(refused(ParsedRequest { target: "", ..CONNECT }), HandshakeError::MalformedStartLine);
    for target in ["*", "server.example.com:443", "a/b"] {
        assert_eq!(refused(ParsedRequest { target, ..CONNECT }), HandshakeError::InvalidTarget, "{target}");
    }
    // RFC 8441 section 4: it is a CONNECT that has `:protocol`.
    assert_eq!(refused(ParsedRequest { method: "GET", ..CONNECT }), HandshakeError::MalformedStartLine);
}

#[test]
fn req_9220_3_2_another_protocol_is_answered_with_501() {
    for name in ["webtransport", "websocket2", "connect-udp", ""] {
        let bootstrap = Bootstrap::ExtendedConnect { protocol: Some(name), scheme: Some("https") };
        let error = refused(ParsedRequest { bootstrap, ..CONNECT });
        assert_eq!(error, HandshakeError::UnsupportedProtocol, "{name}");
        assert_eq!(Reject::for_error(error).unwrap().without_upgrade().status(), 501);
    }
    // RFC 9110 section 7.8: without case.
    let bootstrap = Bootstrap::ExtendedConnect { protocol: Some("WebSocket"), scheme: Some("https") };
    accepted(ParsedRequest { bootstrap, ..CONNECT });
}

#[test]
fn without_protocol_a_request_of_http_2_is_plain() {
    let bootstrap = Bootstrap::ExtendedConnect { protocol: None, scheme: Some("https") };
    for method in ["GET", "CONNECT", "POST"] {
        let progress = judge(ParsedRequest { bootstrap, method, ..CONNECT });
        let Ok(ServerProgress::Http(plain)) = progress else { panic!("{progress:?}") };
        assert_eq!((plain.method(), plain.path(), plain.query()), (method, "/chat", Some("room=1")));
        assert_eq!((plain.minor_version(), plain.head()), (0, &b""[..]));
    }
    let nobody = ParsedRequest { bootstrap, authority: None, ..CONNECT };
    assert_eq!(refused(nobody), HandshakeError::InvalidHost);
}

#[test]
fn req_8441_5_3_neither_side_uses_connection_or_upgrade() {
    for name in ["connection", "upgrade"] {
        let fields = with(&[(name, b"websocket")]);
        let request = ParsedRequest { headers: Headers::parsed(&fields), ..CONNECT };
        assert_eq!(refused(request), HandshakeError::MalformedHeader);
        let asked = ClientRequest::try_from("wss://h.example/").unwrap();
        let headers = Headers::parsed(&fields[5..]);
        let judged = asked.judge(None, 200, headers, &HeadLimits::DEFAULT);
        assert_eq!(judged.map(|_| ()), Err(HandshakeError::MalformedHeader));
    }
    let hop_by_hop = ["connection", "upgrade", "host", "transfer-encoding", "keep-alive"];
    let mut room = [0; 512];
    let asked = ClientRequest::try_from("wss://h.example/").unwrap();
    let sent = asked.to_parsed(None, &mut room).unwrap();
    assert!(sent.headers.iter().all(|(name, _)| !hop_by_hop.contains(&name)), "{:?}", list(sent.headers));
    let request = accepted(CONNECT);
    let answer = request.accept(OriginPolicy::SameHost).unwrap();
    assert!(answer.fields(&mut room).unwrap().iter().all(|(name, _)| !hop_by_hop.contains(&name)));
    for reject in [Reject::new(403).unwrap(), Reject::for_plain_http(), Reject::new(400).unwrap()] {
        let fields = list(reject.without_upgrade().fields(&mut room).unwrap());
        assert!(fields.iter().all(|(name, _)| !hop_by_hop.contains(&name.as_str())), "{fields:?}");
    }
}

#[test]
fn the_authority_counts_instead_of_host() {
    let fields = with(&[("host", b"internal.example")]);
    let headers = Headers::parsed(&fields);
    assert_eq!(accepted(ParsedRequest { headers, ..CONNECT }).host(), "server.example.com");
    let without = ParsedRequest { headers, authority: None, ..CONNECT };
    assert_eq!(accepted(without).host(), "internal.example");
    assert_eq!(refused(ParsedRequest { authority: None, ..CONNECT }), HandshakeError::InvalidHost);
    for authority in ["", "a@b", "a/b", "[::1", "a:b"] {
        let request = ParsedRequest { authority: Some(authority), ..CONNECT };
        assert_eq!(refused(request), HandshakeError::InvalidHost, "{authority}");
    }
}

#[test]
fn req_8441_5_4_no_key_is_looked_at_and_no_accept_value_is_sent() {
    for key in [&b"dGhlIHNhbXBsZSBub25jZQ=="[..], b"wrong"] {
        let fields = with(&[("sec-websocket-key", key), ("sec-websocket-key", key)]);
        let request = accepted(ParsedRequest { headers: Headers::parsed(&fields), ..CONNECT });
        let mut room = [0; 512];
        let accept = request.accept(OriginPolicy::SameHost).unwrap();
        assert_eq!(accept.fields(&mut room).unwrap().get("sec-websocket-accept"), None);
    }
    let mut room = [0; 512];
    let asked = ClientRequest::try_from("wss://h.example/").unwrap();
    assert_eq!(asked.to_parsed(None, &mut room).unwrap().headers.get("sec-websocket-key"), None);
    let answer = Headers::parsed(&[("sec-websocket-accept", b"nonsense")]);
    let judged = asked.judge(None, 200, answer, &HeadLimits::DEFAULT);
    assert!(matches!(judged, Ok(ClientProgress::Accepted(_))), "{judged:?}");
}

#[test]
fn req_8441_5_5_the_other_fields_mean_what_they_always_mean() {
    let request = accepted(CONNECT);
    assert_eq!(request.origin(), Some("https://server.example.com"));
    assert_eq!(request.subprotocols().iter().collect::<Vec<_>>(), ["chat", "superchat", "other"]);
    assert!(request.accept(OriginPolicy::NonBrowser).is_err());
    let accept = request.accept(OriginPolicy::SameHost).unwrap();
    let accept = accept.with_subprotocol("other").unwrap().with_deflate(&Policy::DEFAULT);
    let accept = accept.with_fields(&[("Set-Cookie", "A=B")]).unwrap();
    let mut room = [0; 512];
    let fields = accept.fields(&mut room).unwrap();
    assert_eq!(fields.get("sec-websocket-protocol"), Some(&b"other"[..]));
    assert!(fields.get("sec-websocket-extensions").unwrap().starts_with(b"permessage-deflate"));
    assert_eq!(fields.get("set-cookie"), Some(&b"A=B"[..]));

    let replaced = |name: &'static str, value: &'static [u8]| -> Vec<(&str, &[u8])> {
        let others = CONNECT.headers.iter().filter(|(other, _)| *other != name);
        others.chain([(name, value)]).collect()
    };
    for (name, value, error) in [
        ("sec-websocket-version", &b"8"[..], HandshakeError::UnsupportedVersion),
        ("sec-websocket-version", b"13, 8", HandshakeError::InvalidVersion),
        ("sec-websocket-protocol", b"a, a", HandshakeError::InvalidSubprotocols),
        ("sec-websocket-extensions", b"; a", HandshakeError::InvalidExtensions),
        ("origin", b"\xe9", HandshakeError::InvalidOrigin),
        ("content-length", b"7", HandshakeError::UnexpectedBody),
        ("expect", b"100-continue", HandshakeError::ExpectationFailed),
    ] {
        let fields = replaced(name, value);
        let request = ParsedRequest { headers: Headers::parsed(&fields), ..CONNECT };
        assert_eq!(refused(request), error, "{name}");
    }
    // HTTP/2 has no 426, because it has no `Upgrade`.
    let reject = Reject::for_error(HandshakeError::UnsupportedVersion).unwrap().without_upgrade();
    assert_eq!(reject.status(), 400);
    let expected = [("sec-websocket-version".to_owned(), "13".to_owned())];
    assert_eq!(list(reject.fields(&mut room).unwrap()), expected);
}

#[test]
fn req_8441_5_6_any_2xx_opens_and_101_does_not() {
    let asked = ClientRequest::try_from("wss://h.example/").unwrap();
    let none = Headers::parsed(&[]);
    let judge = |status| asked.judge(None, status, none, &HeadLimits::DEFAULT);
    for status in [200, 201, 299] {
        assert!(matches!(judge(status), Ok(ClientProgress::Accepted(_))), "{status}");
    }
    for status in [300, 401, 404, 501, 600] {
        let Ok(ClientProgress::Rejected(rejected)) = judge(status) else { panic!("{status}") };
        assert_eq!(rejected.status(), status);
    }
    for status in [100, 103] {
        assert!(matches!(judge(status), Ok(ClientProgress::NeedMore)), "{status}");
    }
    assert_eq!(judge(101).map(|_| ()), Err(HandshakeError::MalformedStartLine));
    // An upgrade is the other way round.
    let key = Key::parse(KEY.as_bytes(), true);
    let judged = asked.judge(key.as_ref(), 200, none, &HeadLimits::DEFAULT);
    assert!(matches!(judged, Ok(ClientProgress::Rejected(_))), "{judged:?}");
    let fields = [
        ("upgrade", &b"websocket"[..]),
        ("connection", b"upgrade"),
        ("sec-websocket-accept", ACCEPT.as_bytes()),
    ];
    let judge = |fields: &[(&str, &[u8])]| {
        let judged = asked.judge(key.as_ref(), 101, Headers::parsed(fields), &HeadLimits::DEFAULT);
        judged.map(|progress| matches!(progress, ClientProgress::Accepted(_)))
    };
    assert_eq!(judge(&fields), Ok(true));
    for (at, error) in
        [HandshakeError::InvalidUpgrade, HandshakeError::InvalidConnection, HandshakeError::InvalidAccept]
            .into_iter()
            .enumerate()
    {
        let mut fields = fields;
        fields[at].1 = b"wrong";
        assert_eq!(judge(&fields), Err(error));
    }
}

#[test]
fn req_9113_8_2_1_1_what_is_sent_has_names_in_lower_case_and_clean_values() {
    let own = [("X-Mixed-Case", "A: B"), ("COOKIE", "C=D")];
    let offers = [Offer::DEFAULT];
    let asked = ClientRequest::try_from("wss://h.example/").unwrap();
    let asked = asked.with_fields(&own).unwrap().with_origin("https://h.example").unwrap();
    let asked = asked.with_subprotocols(&["Chat", "b"]).unwrap().with_deflate(&offers);
    let key = Key::parse(KEY.as_bytes(), true);
    let (mut room, mut answer) = ([0; 1024], [0; 1024]);
    for key in [None, key.as_ref()] {
        let sent = asked.to_parsed(key, &mut room).unwrap();
        let request = accepted(sent);
        let accept = request.accept(OriginPolicy::SameHost).unwrap().with_fields(&own).unwrap();
        let accept = accept.with_supported_subprotocols(&["Chat"]).with_deflate(&Policy::DEFAULT);
        let answered = accept.fields(&mut answer).unwrap();
        for (name, value) in sent.headers.iter().chain(answered.iter()) {
            assert_eq!(name, name.to_ascii_lowercase());
            assert_eq!(value, value.trim_ascii());
            assert!(value.iter().all(|byte| !matches!(byte, b'\0' | b'\r' | b'\n')));
        }
        assert_eq!(sent.headers.get("x-mixed-case"), Some(&b"A: B"[..]));
        assert_eq!(answered.get("x-mixed-case"), Some(&b"A: B"[..]));
        assert_eq!(sent.headers.get("sec-websocket-protocol"), Some(&b"Chat, b"[..]));
    }
    assert!(asked.with_fields(&[("X", "a\nb")]).is_err());
}

#[test]
fn every_room_that_is_too_small_says_what_is_needed() {
    let asked =
        ClientRequest::try_from("wss://h.example/path?query").unwrap().with_subprotocols(&["a"]).unwrap();
    let mut required = 0;
    loop {
        let mut room = vec![0; required];
        match asked.to_parsed(None, &mut room) {
            Ok(_) => break,
            Err(short) => assert!(std::mem::replace(&mut required, short.required) == 0, "told at once"),
        }
    }
    let request = accepted(CONNECT);
    let accept = request.accept(OriginPolicy::Any).unwrap().with_subprotocol("chat").unwrap();
    let Err(ComposeError::BufferTooSmall(short)) = accept.fields(&mut []) else { panic!() };
    assert!(accept.fields(&mut vec![0; short.required]).is_ok());
    let reject = Reject::new(401).unwrap();
    assert_eq!(reject.fields(&mut [0; 99]).map(|_| ()), Err(ComposeError::MissingAuthenticate));
    let reject = Reject::new(404).unwrap().with_body(b"no");
    assert_eq!(reject.body(), b"no");
    let Err(ComposeError::BufferTooSmall(short)) = reject.fields(&mut []) else { panic!() };
    let mut room = vec![0; short.required];
    assert_eq!(list(reject.fields(&mut room).unwrap()), [("connection".to_owned(), "close".to_owned())]);
}
