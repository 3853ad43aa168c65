//! What a client asks (RFC 6455 section 4.1, first half).

use std::collections::BTreeSet;

use proptest::prelude::*;
use sockless::handshake::client::{ClientHandshake, ClientProgress, ClientRequest};
use sockless::handshake::{encode_nonce, ComposeError, HandshakeError, HeadLimits, Uri};

/// The nonce of RFC 6455 section 1.3.
const NONCE: [u8; 16] = *b"the sample nonce";

fn request(uri: &str) -> ClientRequest<'_> {
    ClientRequest::new(Uri::parse(uri).unwrap())
}

fn written(request: ClientRequest<'_>) -> String {
    let mut storage = [0; 16];
    let handshake = ClientHandshake::new(request, NONCE, &mut storage, HeadLimits::DEFAULT);
    let mut out = [0; 2048];
    let len = handshake.write_request(&mut out).unwrap();
    String::from_utf8(out[..len].to_vec()).unwrap()
}

/// The values of a field, in order.
fn values<'h>(head: &'h str, name: &str) -> Vec<&'h str> {
    head.split("\r\n")
        .filter_map(|l| l.split_once(": "))
        .filter(|(n, _)| *n == name)
        .map(|(_, v)| v)
        .collect()
}

#[test]
fn req_6455_4_1_20_req_9112_2_2_1_req_6455_4_1_22_the_request_octet_by_octet() {
    let want =
        "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    assert_eq!(written(request("ws://server.example.com/chat")), want);
}

#[test]
fn req_6455_4_1_1_an_invalid_uri_ends_before_anything_is_opened() {
    // There is no request without a valid URI, and no handshake without a request.
    for text in ["http://h/", "ws://h/#f", "ws://", "ws://u@h/"] {
        assert!(Uri::parse(text).is_err());
    }
}

#[test]
fn req_6455_4_1_21_an_independent_parser_takes_it() {
    let head = written(
        request("ws://h/a?b").with_subprotocols(&["x", "y"]).unwrap().with_origin("http://o").unwrap(),
    );
    let mut fields = [httparse::EMPTY_HEADER; 16];
    let mut parsed = httparse::Request::new(&mut fields);
    assert_eq!(parsed.parse(head.as_bytes()), Ok(httparse::Status::Complete(head.len())));
    assert_eq!((parsed.method, parsed.path, parsed.version), (Some("GET"), Some("/a?b"), Some(1)));
}

#[test]
fn req_6455_4_1_23_the_target_is_the_resource_name_or_the_whole_uri() {
    assert!(written(request("ws://h:81?x")).starts_with("GET /?x HTTP/1.1\r\n"));
    assert!(written(request("ws://h:81/a").with_absolute_form(true))
        .starts_with("GET http://h:81/a HTTP/1.1\r\n"));
    assert!(written(request("wss://h").with_absolute_form(true)).starts_with("GET https://h/ HTTP/1.1\r\n"));
    assert!(written(request("ws://[::1]?x").with_absolute_form(true))
        .starts_with("GET http://[::1]/?x HTTP/1.1\r\n"));
}

#[test]
fn req_6455_4_1_24_req_9112_3_2_1_host_comes_first_with_a_port_that_is_not_the_default() {
    for (uri, host) in [
        ("ws://h:80", "h"),
        ("ws://h:81", "h:81"),
        ("wss://h:80", "h:80"),
        ("wss://h:443", "h"),
        ("ws://[::1]:9/", "[::1]:9"),
        ("ws://[::1]", "[::1]"),
    ] {
        let head = written(request(uri));
        assert_eq!(head.split("\r\n").nth(1), Some(format!("Host: {host}").as_str()));
        assert_eq!(values(&head, "Host").len(), 1);
    }
}

#[test]
fn req_6455_4_1_25_req_6455_4_1_26_req_6455_4_1_27_req_6455_4_1_32_req_6455_4_1_33_the_fields_of_the_handshake(
) {
    let head = written(request("ws://h"));
    assert_eq!(values(&head, "Upgrade"), ["websocket"]);
    assert_eq!(values(&head, "Connection"), ["Upgrade"]);
    assert_eq!(values(&head, "Sec-WebSocket-Key").len(), 1);
    assert_eq!(values(&head, "Sec-WebSocket-Version"), ["13"]);
}

#[test]
fn req_6455_4_1_28_req_6455_4_1_29_the_key_is_the_nonce_and_each_nonce_gives_another() {
    let mut keys = BTreeSet::new();
    for n in 0..=255 {
        let nonce: [u8; 16] = core::array::from_fn(|i| if n == 0 { i as u8 + 1 } else { n });
        let mut storage = [0; 16];
        let handshake = ClientHandshake::new(request("ws://h"), nonce, &mut storage, HeadLimits::DEFAULT);
        let mut out = [0; 512];
        let len = handshake.write_request(&mut out).unwrap();
        let head = String::from_utf8(out[..len].to_vec()).unwrap();
        keys.insert(values(&head, "Sec-WebSocket-Key")[0].to_owned());
    }
    // The corrected key of RFC 6455 erratum 3150, with zero pad bits.
    assert!(keys.contains("AQIDBAUGBwgJCgsMDQ4PEA=="));
    assert_eq!(keys.len(), 256);
}

#[test]
fn rfc_6455_section_1_3_and_4_1_a_nonce_gives_its_key_and_the_key_its_accept_value() {
    let pairs = [
        (NONCE, "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        (core::array::from_fn(|at| at as u8 + 1), "AQIDBAUGBwgJCgsMDQ4PEA==", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY="),
    ];
    for (nonce, key, _) in pairs {
        for (_, other_key, accept) in pairs {
            let mut storage = [0; 512];
            let mut handshake =
                ClientHandshake::new(request("ws://h"), nonce, &mut storage, HeadLimits::DEFAULT);
            let mut out = [0; 512];
            let len = handshake.write_request(&mut out).unwrap();
            assert_eq!(values(core::str::from_utf8(&out[..len]).unwrap(), "Sec-WebSocket-Key"), [key]);
            let response = format!(
                "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            match handshake.recv(response.as_bytes()) {
                Ok((_, ClientProgress::Accepted(_))) => assert_eq!(key, other_key),
                Err(HandshakeError::InvalidAccept) => assert_ne!(key, other_key),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn req_6455_4_1_30_req_6455_4_1_31_an_origin_is_sent_where_it_is_asked_for() {
    assert!(values(&written(request("ws://h")), "Origin").is_empty());
    let head = written(request("ws://h").with_origin("https://example.com").unwrap());
    assert_eq!(values(&head, "Origin"), ["https://example.com"]);
    // It is the ASCII serialization of an origin, which is never empty.
    for origin in ["", "http://\u{FC}.example"] {
        assert_eq!(request("ws://h").with_origin(origin).unwrap_err(), ComposeError::InvalidValue);
    }
    assert!(request("ws://h").with_origin("null").is_ok());
}

#[test]
fn req_6455_4_1_34_req_9110_5_6_1_1_subprotocols_come_in_order_and_never_as_an_empty_list() {
    let head = written(request("ws://h").with_subprotocols(&["b", "a"]).unwrap());
    assert_eq!(values(&head, "Sec-WebSocket-Protocol"), ["b, a"]);
    assert!(!written(request("ws://h").with_subprotocols(&[]).unwrap()).contains("Protocol"));
}

#[test]
fn req_6455_4_1_35_req_6455_4_1_36_subprotocols_are_tokens_and_unique() {
    // RFC 6455 section 4.1: 0x21 to 0x7E without the separators of RFC 2616 section 2.2.
    for c in '\0'..='\u{100}' {
        let allowed = c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?={}".contains(c);
        for name in [c.to_string(), format!("a{c}"), format!("{c}a")] {
            let offered = [name.as_str()];
            let result = request("ws://h").with_subprotocols(&offered);
            assert_eq!(result.err(), (!allowed).then_some(ComposeError::InvalidSubprotocol), "{name:?}");
        }
    }
    for name in ["", "a\r\nX: y"] {
        assert_eq!(
            request("ws://h").with_subprotocols(&[name]).unwrap_err(),
            ComposeError::InvalidSubprotocol
        );
    }
    assert_eq!(
        request("ws://h").with_subprotocols(&["a", "b", "a"]).unwrap_err(),
        ComposeError::InvalidSubprotocol
    );
    assert!(request("ws://h").with_subprotocols(&["a", "A"]).is_ok());
}

#[test]
fn req_6455_4_1_37_extensions_are_offered_where_they_are_asked_for() {
    assert!(!written(request("ws://h")).contains("Extensions"));
    let head =
        written(request("ws://h").with_extensions("permessage-deflate; client_max_window_bits, x").unwrap());
    assert_eq!(values(&head, "Sec-WebSocket-Extensions"), ["permessage-deflate; client_max_window_bits, x"]);
    for value in ["", "a;", "a b", "a\r\nb", " a"] {
        assert!(request("ws://h").with_extensions(value).is_err(), "{value:?}");
    }
}

#[test]
fn req_9110_5_6_1_1_req_9110_5_6_3_1_what_is_borne_in_a_list_is_never_sent() {
    // Empty elements, and whitespace around `=`, quoted or not.
    for value in
        [",", ",a", "a,", "a,,b", "a, ,b", "a; b =1", "a; b= 1", "a; b\t=1", "a; b=\t\"1\"", "c, a; d; b =1"]
    {
        assert_eq!(
            request("ws://h").with_extensions(value).unwrap_err(),
            ComposeError::InvalidExtensions,
            "{value:?}"
        );
    }
    for value in ["a", "a,b", "a , b", "a;b ; c=1", "a; b=\"1\"; c=\"\\1\", d"] {
        let head = written(request("ws://h").with_extensions(value).unwrap());
        assert_eq!(values(&head, "Sec-WebSocket-Extensions"), [value]);
    }
}

#[test]
fn req_6455_4_1_38_other_fields_are_sent_as_they_are() {
    let fields = [("Cookie", "a=b; c=d"), ("Authorization", "Basic YTpi"), ("X-Case", "Kept")];
    let head = written(request("ws://h").with_fields(&fields).unwrap());
    for (name, value) in fields {
        assert_eq!(values(&head, name), [value]);
    }
}

#[test]
fn req_6455_4_1_39_req_9112_2_2_2_req_9112_5_2_1_req_9110_10_1_1_1_no_field_can_become_another() {
    for name in [
        "Host",
        "Upgrade",
        "Connection",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Accept",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Content-Length",
        "Transfer-Encoding",
        "Expect",
        "Trailer",
    ] {
        for name in [name, &name.to_lowercase(), &name.to_uppercase()] {
            let reserved = ComposeError::ReservedField;
            assert_eq!(
                request("ws://h").with_fields(&[("X", "y"), (name, "x")]).unwrap_err(),
                reserved,
                "{name}"
            );
        }
    }
    let controls = ('\0'..='\x1F').chain(['\x7F']).filter(|c| *c != '\t').map(|c| format!("a{c}b"));
    let more = [" a", "a ", "\ta", "a\t", " ", "a\r\nb: c", "a\r\n b", "\r\n", "\r", "\0"];
    for value in controls.chain(more.map(String::from)) {
        let value = value.as_str();
        let invalid = ComposeError::InvalidValue;
        assert_eq!(request("ws://h").with_fields(&[("X", value)]).unwrap_err(), invalid, "{value:?}");
        assert_eq!(request("ws://h").with_origin(value).unwrap_err(), invalid, "{value:?}");
        assert_eq!(request("ws://h").with_extensions(value).unwrap_err(), invalid, "{value:?}");
    }
    for name in ["", " X", "X ", "X Y", "X:", "a\r\n", "\u{E9}", "X\0"] {
        assert_eq!(request("ws://h").with_fields(&[(name, "v")]).unwrap_err(), ComposeError::InvalidName);
    }
    // There is only one `Origin`, in whatever way and order it was given.
    let twice = request("ws://h").with_origin("http://a").unwrap().with_fields(&[("origin", "http://b")]);
    assert_eq!(twice.unwrap_err(), ComposeError::ReservedField);
    let twice = request("ws://h").with_fields(&[("origin", "http://b")]).unwrap().with_origin("http://a");
    assert_eq!(twice.unwrap_err(), ComposeError::ReservedField);
    let twice = request("ws://h").with_fields(&[("Origin", "http://a"), ("origin", "http://b")]);
    assert_eq!(twice.unwrap_err(), ComposeError::ReservedField);
    assert_eq!(
        values(&written(request("ws://h").with_fields(&[("Origin", "http://a")]).unwrap()), "Origin"),
        ["http://a"]
    );
}

#[test]
fn req_t_proxy_1_the_proxy_s_credentials_are_for_the_proxy_that_reads_the_request() {
    let credentials = [("proxy-authorization", "Basic YTpi")];
    assert_eq!(request("ws://h").with_fields(&credentials).unwrap_err(), ComposeError::ReservedField);
    // Plain proxies need the whole URI as the target.
    let head = written(request("ws://h").with_absolute_form(true).with_fields(&credentials).unwrap());
    assert_eq!(values(&head, "proxy-authorization"), ["Basic YTpi"]);
}

#[test]
fn credentials_do_not_get_into_what_is_printed() {
    let request =
        request("ws://h").with_fields(&[("Authorization", "Basic c2VjcmV0"), ("Cookie", "c2VjcmV0")]);
    let mut storage = [0; 16];
    let handshake = ClientHandshake::new(request.unwrap(), NONCE, &mut storage, HeadLimits::DEFAULT);
    let printed = format!("{:?} {handshake:?}", request.unwrap());
    assert!(printed.contains("Authorization") && !printed.contains("c2VjcmV0"), "{printed}");
}

#[test]
fn req_6455_4_1_13_req_6455_4_1_40_there_is_nothing_to_send_with_before_the_response() {
    // Frames are sent through a connection, and only a successful handshake gives what makes one.
    let mut storage = [0; 512];
    let mut handshake = ClientHandshake::new(request("ws://h"), NONCE, &mut storage, HeadLimits::DEFAULT);
    let part = b"HTTP/1.1 101 x\r\nUpgrade: websock";
    let Ok((taken, ClientProgress::NeedMore)) = handshake.recv(part) else { panic!() };
    assert_eq!(taken, part.len());
    assert_eq!(handshake.eof(), Err(HandshakeError::UnexpectedEof));
    // An interim response opens nothing either.
    let mut storage = [0; 512];
    let mut handshake = ClientHandshake::new(request("ws://h"), NONCE, &mut storage, HeadLimits::DEFAULT);
    assert!(matches!(handshake.recv(b"HTTP/1.1 103 x\r\n\r\n"), Ok((18, ClientProgress::NeedMore))));
}

#[test]
fn for_a_buffer_that_is_too_small_the_error_says_what_is_needed() {
    let full = written(request("ws://h")).len();
    let mut storage = [0; 16];
    let handshake = ClientHandshake::new(request("ws://h"), NONCE, &mut storage, HeadLimits::DEFAULT);
    for size in 0..full {
        let mut out = vec![0; size];
        assert_eq!(handshake.write_request(&mut out).unwrap_err().required, full);
    }
}

/// A header field that may be one, sometimes with an octet that may not.
fn header() -> impl Strategy<Value = (String, String)> {
    let name = prop_oneof![
        20 => "[A-Za-z][!#$%&'*+.^_`|~A-Za-z0-9-]{0,6}",
        1 => "[\\x00-\\x7F]{0,3}",
        1 => Just("Origin".into()),
    ];
    let value = prop_oneof![
        10 => "[!-~]{0,8}",
        10 => "[!-~][ \\t!-~\u{80}-\u{FF}]{0,8}[!-~]",
        1 => "[!-~]{0,2}[\\x00-\\x20\\x7F][!-~]{0,2}",
        1 => "(\r|\n|\r\n)[A-Z]: y",
    ];
    (name, value)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_the_caller_may_ask_is_one_request(
        (secure, authority, rest) in (any::<bool>(), "[!-~]{0,10}", "[\\x00-\\x7F]{0,12}"),
        absolute in any::<bool>(),
        names in proptest::collection::vec("[!-~]{1,6}", 0..3),
        origin in proptest::option::of(prop_oneof!["[\\x00-\\xFF]{0,6}", "http://[!-~]{1,6}"]),
        extensions in proptest::option::of(prop_oneof![
            "[a-c;,= \"\\\\\r\n]{0,12}",
            "[a-c]( ?; ?[a-c](=[a-c1]|=\"\\\\?[a-c1]\")?){0,2}( ?, ?[a-c]){0,2}",
        ]),
        field in proptest::option::of((
            "([ -~]{0,6}|[A-Za-z]{1,6}|[Oo]rigin|Cookie|Host)",
            prop_oneof!["[\\x00-\\xFF]{0,6}", "[ -~]{0,10}"],
        )),
        origin_first in any::<bool>(),
    ) {
        let scheme = if secure { "wss" } else { "ws" };
        let (resource, query) = (format!("{authority}/{rest}"), format!("h?{rest}"));
        let texts = [resource, query, "h".to_owned()].map(|rest| format!("{scheme}://{rest}"));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let fields: Vec<(&str, &str)> = field.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        for uri in texts.iter().filter_map(|text| Uri::parse(text).ok()) {
            let mut request = ClientRequest::new(uri).with_absolute_form(absolute);
            let mut count = 5;
            if let Ok(more) = request.with_subprotocols(&names) {
                request = more;
                count += usize::from(!names.is_empty());
            }
            for step in [origin_first, !origin_first] {
                let more = match &origin {
                    Some(origin) if step => request.with_origin(origin),
                    _ if step => continue,
                    _ => request.with_fields(&fields),
                };
                if let Ok(more) = more {
                    request = more;
                    count += if step { 1 } else { fields.len() };
                }
            }
            if let Some(Ok(more)) = extensions.as_deref().map(|value| request.with_extensions(value)) {
                request = more;
                count += 1;
            }
            let head = written(request);
            let mut parsed = [httparse::EMPTY_HEADER; 32];
            let mut parsed = httparse::Request::new(&mut parsed);
            prop_assert_eq!(parsed.parse(head.as_bytes()), Ok(httparse::Status::Complete(head.len())));
            prop_assert_eq!((parsed.method, parsed.version), (Some("GET"), Some(1)));
            prop_assert!(parsed.path.unwrap().ends_with(&uri.resource_name().to_string()));
            prop_assert_eq!(parsed.headers.len(), count);
            // No field is repeated.
            let names: BTreeSet<_> = parsed.headers.iter().map(|h| h.name.to_ascii_lowercase()).collect();
            prop_assert_eq!(names.len(), count);
        }
    }

    /// Whatever the interface lets through is one request, with these fields in order and nothing after it.
    #[test]
    fn whatever_the_caller_may_ask_is_one_request_with_these_fields(
        uri in "wss?://[a-z]{1,5}(:[1-9][0-9]{0,3})?(/[a-z%20/]{0,6})?([?][a-z=&]{0,5})?",
        names in proptest::collection::vec(
            prop_oneof![30 => "[!#-'*+.0-9A-Z^-z|~-]{1,6}", 1 => "[ -~]{0,3}"],
            0..4,
        ),
        origin in proptest::option::of(prop_oneof![9 => "https?://[a-z]{1,5}", 1 => "[\\x00-\\x7F]{0,4}"]),
        extensions in proptest::option::of(prop_oneof![
            9 => "[a-z]{1,4}( ?; ?[a-z]{1,3}(=[a-z0-9]{1,2}|=\"[a-z]{1,3}\")?){0,2}(, ?[a-z-]{1,4}){0,2}",
            1 => "[\\x00-\\x7F]{0,4}",
        ]),
        fields in proptest::collection::vec(header(), 0..4),
        nonce in any::<[u8; 16]>(),
    ) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let Ok(uri) = Uri::parse(&uri) else { return Ok(()) };
        let mut built = ClientRequest::new(uri).with_subprotocols(&names).and_then(|built| built.with_fields(&fields));
        if let Some(origin) = &origin {
            built = built.and_then(|request| request.with_origin(origin));
        }
        if let Some(extensions) = &extensions {
            built = built.and_then(|request| request.with_extensions(extensions));
        }
        let Ok(request) = built else { return Ok(()) };

        let mut storage = [0; 16];
        let handshake = ClientHandshake::new(request, nonce, &mut storage, HeadLimits::DEFAULT);
        let mut out = [0; 2048];
        let len = handshake.write_request(&mut out).unwrap();
        let mut parsed = [httparse::EMPTY_HEADER; 32];
        let mut parsed = httparse::Request::new(&mut parsed);
        prop_assert_eq!(parsed.parse(&out[..len]), Ok(httparse::Status::Complete(len)));
        let resource = uri.resource_name().to_string();
        let start_line = (parsed.method, parsed.path, parsed.version);
        prop_assert_eq!(start_line, (Some("GET"), Some(resource.as_str()), Some(1)));

        let port = if uri.is_default_port() { String::new() } else { format!(":{}", uri.port()) };
        let host = uri.host().to_owned() + &port;
        let key = encode_nonce(nonce);
        let list = names.join(", ");
        let mut want = vec![
            ("Host", host.as_str()),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", key.as_str()),
            ("Sec-WebSocket-Version", "13"),
        ];
        want.extend(origin.as_deref().map(|origin| ("Origin", origin)));
        want.extend((!names.is_empty()).then_some(("Sec-WebSocket-Protocol", list.as_str())));
        want.extend(extensions.as_deref().map(|extensions| ("Sec-WebSocket-Extensions", extensions)));
        want.extend(fields);
        let text = |value| core::str::from_utf8(value).unwrap();
        let got: Vec<_> = parsed.headers.iter().map(|field| (field.name, text(field.value))).collect();
        prop_assert_eq!(got, want);
    }
}

/// Each call adds fields. None removes those of an earlier call, and the rules apply to all of them together.
#[test]
fn fields_add_up() {
    let names: Vec<String> = (0..4).map(|at| format!("X-{at}")).collect();
    let sets: Vec<[(&str, &str); 2]> =
        names.iter().map(|name| [(name.as_str(), "a"), ("Cookie", "b")]).collect();
    let mut built = request("ws://h");
    for (at, set) in sets.iter().enumerate() {
        built = built.with_fields(&[]).unwrap().with_fields(set).unwrap();
        let head = written(built);
        for name in &names[..=at] {
            assert_eq!(values(&head, name), ["a"]);
        }
        assert_eq!(values(&head, "Cookie").len(), at + 1);
    }
    assert_eq!(built.with_fields(&[("Z", "z")]).unwrap_err(), ComposeError::TooManySets);
    assert!(format!("{built:?}").contains("X-3") && !format!("{built:?}").contains("\"a\""));
    // There is only one `Origin`, whichever call gives it.
    let reserved = Some(ComposeError::ReservedField);
    let page = request("ws://h").with_fields(&[("Origin", "http://a")]).unwrap();
    assert_eq!(page.with_fields(&[("origin", "http://b")]).err(), reserved);
    assert_eq!(page.with_fields(&[("X", "y")]).unwrap().with_origin("http://b").err(), reserved);
    let page = request("ws://h").with_fields(&[("X", "y")]).unwrap().with_origin("http://b").unwrap();
    assert_eq!(page.with_fields(&[("Y", "z"), ("ORIGIN", "http://b")]).err(), reserved);
}
