//! What a server takes for a request to open a WebSocket (RFC 6455 section 4.2.1).

use crate::opening;

use opening::{accepted, field, head, refused, replaced, serve, with, without, Outcome, ACCEPT, KEY, LINES};
use sockless::handshake::server::{Request, ServerHandshake, ServerProgress};
use sockless::handshake::{accept_value, encode_nonce, HandshakeError, HeadLimits, Key};

#[test]
fn rfc_6455_section_1_3_the_request_of_the_example_is_answered_with_its_accept_value() {
    let seen = accepted(&head(LINES));
    assert_eq!(field(&seen.response, "Sec-WebSocket-Accept"), Some(ACCEPT));
    assert_eq!((seen.target.as_str(), seen.host.as_str()), ("/chat", "server.example.com"));
    assert_eq!(accept_value(KEY).unwrap().as_str(), ACCEPT);
}

#[test]
fn the_pairs_that_the_literature_prints() {
    // Wikipedia's older example, Wikipedia's newer one with its padding, and RFC 6455 erratum 3150's key.
    for (key, accept) in [
        ("wDqumtseNBJdhkihL6PW7w==", "0FFP+2nmNIf/h+4BP36k9uzrYGk="),
        ("x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="),
        ("AQIDBAUGBwgJCgsMDQ4PEA==", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY="),
    ] {
        let seen = accepted(&replaced(&format!("Sec-WebSocket-Key: {key}")));
        assert_eq!(field(&seen.response, "Sec-WebSocket-Accept"), Some(accept));
    }
}

#[test]
fn req_t_key_1_wikipedia_s_key_without_its_padding_is_refused() {
    refused(&replaced("Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw"), 400);
    accepted(&replaced("Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw=="));
}

#[test]
fn req_t_key_2_outer_whitespace_is_not_hashed() {
    for line in
        ["Sec-WebSocket-Key:   dGhlIHNhbXBsZSBub25jZQ==  ", "Sec-WebSocket-Key:\tdGhlIHNhbXBsZSBub25jZQ==\t"]
    {
        assert_eq!(field(&accepted(&replaced(line)).response, "Sec-WebSocket-Accept"), Some(ACCEPT));
    }
}

#[test]
fn req_e_3150_bits_that_encode_nothing_are_never_sent_and_borne_unless_told_otherwise() {
    let wrong = "AQIDBAUGBwgJCgsMDQ4PEC==";
    let request = replaced(&format!("Sec-WebSocket-Key: {wrong}"));
    let seen = accepted(&request);
    // Hashed as it was sent.
    assert_eq!(field(&seen.response, "Sec-WebSocket-Accept"), Some("OfS0wDaT5NoxF2gqm7Zj2YtetzM="));
    let strict = HeadLimits::DEFAULT.with_strict_key(true);
    let Outcome::Refused(error, 400, _) = opening::serve_in(request.as_bytes(), 1000, strict, 4096) else {
        panic!()
    };
    assert_eq!(error, HandshakeError::InvalidKey);
    assert!(Key::parse(wrong.as_bytes(), true).is_none());
    // A client's own key has zero bits there.
    let nonce: [u8; 16] = core::array::from_fn(|i| i as u8 + 1);
    assert_eq!(encode_nonce(nonce).as_str(), "AQIDBAUGBwgJCgsMDQ4PEA==");
}

#[test]
fn req_6455_4_2_1_1_whatever_breaks_a_rule_is_answered_by_a_status_and_stays_refused() {
    let mut storage = [0; 4096];
    let mut handshake = ServerHandshake::new(&mut storage, HeadLimits::DEFAULT);
    let bad = replaced("Sec-WebSocket-Key: short");
    assert!(matches!(handshake.recv(bad.as_bytes()), Err(HandshakeError::InvalidKey)));
    assert!(matches!(handshake.recv(head(LINES).as_bytes()), Err(HandshakeError::InvalidKey)));
    assert_eq!(handshake.eof(), Err(HandshakeError::InvalidKey));
    assert_eq!(HandshakeError::InvalidKey.status(), Some(400));
}

#[test]
fn req_6455_4_2_1_2_the_method_is_get_and_the_version_1_1_or_higher() {
    let answer = refused(&replaced("POST /chat HTTP/1.1"), 405);
    assert_eq!(field(&answer, "Allow"), Some("GET"));
    refused(&replaced("get /chat HTTP/1.1"), 405);
    refused(&replaced("GET /chat HTTP/1.0"), 505);
    refused(&replaced("GET /chat HTTP/2.0"), 505);
    refused(&replaced("GET /chat HTTP/0.9"), 505);
    // Also if no WebSocket is asked for: what follows such a head is not HTTP/1.
    refused("GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505);
    refused("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505);
    accepted(&replaced("GET /chat HTTP/1.2"));
    for line in ["GET /chat HTTP/11", "GET /chat http/1.1", "GET /chat HTTP/1.1x", "GET /chat"] {
        // Without a name for the version, `replaced` cannot know the request line.
        refused(&head([line].into_iter().chain(LINES[1..].iter().copied())), 400);
    }
}

#[test]
fn req_6455_4_2_1_3_the_target_is_a_path_or_a_whole_uri() {
    assert_eq!(accepted(&replaced("GET http://h/chat?x=1 HTTP/1.1")).target, "/chat?x=1");
    assert_eq!(accepted(&replaced("GET HTTPS://h HTTP/1.1")).target, "/");
    for target in [
        "*",
        "h:80",
        "chat",
        "ftp://h/chat",
        "ws://h/chat",
        "wss://h/chat",
        "http:///chat",
        "http://u@h/chat",
    ] {
        refused(&replaced(&format!("GET {target} HTTP/1.1")), 400);
    }
}

#[test]
fn a_target_is_a_path_and_perhaps_a_query() {
    for (target, path, query) in
        [("/chat", "/chat", None), ("/?", "/", Some("")), ("/chat?a=/b?c", "/chat", Some("a=/b?c"))]
    {
        let request = replaced(&format!("GET {target} HTTP/1.1"));
        let plain = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        for head in [&request, &plain] {
            let parts = match Request::parse(head.as_bytes(), &HeadLimits::DEFAULT).unwrap() {
                ServerProgress::Request(request) => (request.path(), request.query()),
                ServerProgress::Http(plain) => (plain.path(), plain.query()),
                other => panic!("{other:?}"),
            };
            assert_eq!(parts, (path, query));
        }
    }
}

/// RFC 9112 section 3.2.1 and RFC 9110 section 4.2.3: no path is the path `/`.
#[test]
fn a_whole_uri_with_a_query_alone_asks_for_the_root() {
    for (target, host, resource) in [
        ("http://srv.example?x=1", "srv.example", "/?x=1"),
        ("HTTPS://h?", "h", "/?"),
        ("http://h:81?a=/b?c", "h:81", "/?a=/b?c"),
        ("http://h:?a", "h:", "/?a"),
        ("http://[::1]?x", "[::1]", "/?x"),
        ("http://[::1]:9?http://y/z", "[::1]:9", "/?http://y/z"),
        ("http://h?@", "h", "/?@"),
        ("http://h", "h", "/"),
        ("http://h/?x", "h", "/?x"),
    ] {
        let request = replaced(&format!("GET {target} HTTP/1.1"));
        let seen = accepted(&request);
        assert_eq!((seen.host.as_str(), seen.target.as_str()), (host, resource), "{target}");
        assert_eq!((seen.taken, seen.fields.len()), (request.len(), 7), "{target}");
        // A server that borrows the head from elsewhere gets it unchanged.
        let plain = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\nnext");
        assert!(matches!(serve(&plain), Outcome::Http(..)), "{target}");
    }
    for target in [
        "http://?x",
        "http://u@h?x",
        "http://h?x#f",
        "http://h\\?x",
        "http://h:x?y",
        "ftp://h?x",
        "h?x",
        "?x",
    ] {
        refused(&replaced(&format!("GET {target} HTTP/1.1")), 400);
    }
}

/// The limits are still exact to the octet, though the path takes one.
#[test]
fn a_path_that_was_missing_changes_no_limit() {
    let line = "GET http://srv.example?x=1 HTTP/1.1";
    let request = replaced(line);
    let glued = format!("{request}{}", "frames".repeat(100));
    for chunk in [1, 7, glued.len()] {
        let run = |limits, size| opening::serve_in(glued.as_bytes(), chunk, limits, size);
        let limits = HeadLimits::DEFAULT.with_max_start_line(line.len());
        assert!(matches!(run(limits, request.len() + 1), Outcome::Accepted(_)));
        assert!(matches!(run(limits, request.len()), Outcome::Refused(HandshakeError::HeadTooLarge, ..)));
        let limits = limits.with_max_start_line(line.len() - 1);
        assert!(matches!(run(limits, 4096), Outcome::Refused(HandshakeError::TargetTooLong, ..)));
    }
}

#[test]
fn req_6455_4_2_1_4_a_host_is_there() {
    refused(&without("Host"), 400);
    for host in ["[::1]:9001", "a:65535", "a:0", "a:", "127.0.0.1"] {
        assert_eq!(accepted(&replaced(&format!("Host: {host}"))).host, host);
    }
}

#[test]
fn req_6455_4_2_1_5_req_iana_upg_1_upgrade_names_websocket() {
    // Without it the request is for an HTTP server, or is answered with 426.
    for head in [without("Upgrade"), replaced("Upgrade: h2c"), replaced("Upgrade: websocket2")] {
        assert_eq!(serve(&head), Outcome::Http("GET".into(), "/chat".into()));
    }
    for value in ["WebSocket", "WEBSOCKET", "h2c, websocket", "HTTP/2.0, websocket", "websocket,"] {
        accepted(&replaced(&format!("Upgrade: {value}")));
    }
}

#[test]
fn req_6455_4_2_1_6_connection_names_upgrade() {
    refused(&without("Connection"), 400);
    for value in ["close", "upgrade2", "keep-alive", "Up grade"] {
        refused(&replaced(&format!("Connection: {value}")), 400);
    }
    // Firefox; any case; two lines.
    accepted(&replaced("Connection: keep-alive, Upgrade"));
    accepted(&replaced("Connection: UPGRADE"));
    accepted(&replaced("Connection: keep-alive\r\nConnection: upgrade"));
}

#[test]
fn req_6455_4_2_1_7_the_key_is_the_base64_of_16_octets() {
    refused(&without("Sec-WebSocket-Key"), 400);
    for key in [
        "",
        "AQIDBAUGBwgJCgsMDQ4P",     // 15 octets
        "AQIDBAUGBwgJCgsMDQ4PEBE=", // 17 octets
        "dGhlIHNhbXBsZSBub25jZ-==", // the alphabet of URLs
        "dGhlIHNhbXBs ZSBub25jZQ",  // an inner space
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "\"dGhlIHNhbXBsZSBub25jZQ==\"",
    ] {
        refused(&replaced(&format!("Sec-WebSocket-Key: {key}")), 400);
    }
}

#[test]
fn req_6455_4_2_1_8_req_6455_4_2_2_20_req_6455_4_4_1_req_iana_ver_1_the_version_is_13() {
    let mut answers = vec![refused(&without("Sec-WebSocket-Version"), 426)];
    for version in ["8", "12", "14", "0", "013", "256", "abc", "7", "9"] {
        answers.push(refused(&replaced(&format!("Sec-WebSocket-Version: {version}")), 426));
    }
    for answer in answers {
        assert_eq!(field(&answer, "Sec-WebSocket-Version"), Some("13"));
    }
}

#[test]
fn req_6455_4_2_1_9_an_origin_is_optional() {
    assert_eq!(accepted(&without("Origin")).origin, None);
    assert_eq!(accepted(&head(LINES)).origin.as_deref(), Some("http://example.com"));
    refused(&with("Origin: http://other.example"), 400);
    // It is serialised as ASCII (RFC 6454 section 6.2).
    refused(&replaced("Origin: http://\u{17C}.example"), 400);
}

#[test]
fn req_6455_4_2_1_10_req_6455_11_3_4_2_subprotocols_come_in_the_client_s_order_from_all_lines() {
    let names = |line| accepted(&replaced(line)).subprotocols;
    assert_eq!(names("Sec-WebSocket-Protocol: b, a"), ["b", "a"]);
    assert_eq!(names("Sec-WebSocket-Protocol: b\r\nSec-WebSocket-Protocol: a,c"), ["b", "a", "c"]);
    assert!(accepted(&without("Sec-WebSocket-Protocol")).subprotocols.is_empty());
}

#[test]
fn req_6455_4_2_1_11_subprotocols_are_tokens_and_unique() {
    for names in ["a b", "a/b", "a;b", "\"a\"", "a, b, a", "\u{E9}"] {
        refused(&replaced(&format!("Sec-WebSocket-Protocol: {names}")), 400);
    }
    refused(&with("Sec-WebSocket-Protocol: chat"), 400);
    // Empty elements are accepted, and names are compared with case.
    assert_eq!(accepted(&replaced("Sec-WebSocket-Protocol: a,, A,")).subprotocols, ["a", "A"]);
}

#[test]
fn req_iana_sub_1_registered_subprotocols_are_tokens() {
    let names = "mqtt, graphql-transport-ws, v12.stomp, ocpp2.0.1, soap";
    let seen = accepted(&replaced(&format!("Sec-WebSocket-Protocol: {names}")));
    assert_eq!(seen.subprotocols.join(", "), names);
}

#[test]
fn req_6455_4_2_1_12_req_6455_11_3_2_1_extensions_are_optional_and_come_from_all_lines() {
    assert!(accepted(&head(LINES)).extensions.is_empty());
    let line = "Sec-WebSocket-Extensions: x, permessage-deflate; a=1\r\nSec-WebSocket-Extensions: y";
    assert_eq!(accepted(&with(line)).extensions, ["x", "permessage-deflate", "y"]);
}

#[test]
fn req_6455_4_2_1_13_unknown_fields_are_ignored() {
    let seen = accepted(&with("X-Foo: bar"));
    assert!(seen.fields.contains(&("X-Foo".into(), b"bar".to_vec())));
}

#[test]
fn req_6455_4_2_1_14_order_and_case_of_fields_do_not_matter() {
    let want = accepted(&head(LINES));
    let lines = LINES[1..].iter().rev().map(|line| {
        let (name, value) = line.split_once(':').unwrap();
        format!("{}:{value}", name.to_lowercase())
    });
    let seen = accepted(&head([LINES[0].to_owned()].into_iter().chain(lines)));
    assert_eq!((seen.response, seen.origin, seen.host), (want.response, want.origin, want.host));
}

#[test]
fn req_6455_11_3_1_1_req_6455_11_3_5_1_key_and_version_stand_once() {
    refused(&with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400);
    refused(&with("Sec-WebSocket-Key: wDqumtseNBJdhkihL6PW7w=="), 400);
    refused(&with("Sec-WebSocket-Version: 13"), 400);
    refused(&replaced("Sec-WebSocket-Version: 13, 8"), 400);
}

#[test]
fn req_6455_11_3_3_2_an_accept_value_in_a_request_is_never_used() {
    let seen = accepted(&with("Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA="));
    assert_eq!(field(&seen.response, "Sec-WebSocket-Accept"), Some(ACCEPT));
}

#[test]
fn req_6455_10_5_1_whatever_http_offers_for_authentication_is_readable() {
    let seen = accepted(&with("Cookie: session=1\r\nAuthorization: Basic YTpi"));
    assert!(seen.fields.contains(&("Cookie".into(), b"session=1".to_vec())));
    assert!(seen.fields.contains(&("Authorization".into(), b"Basic YTpi".to_vec())));
}

#[test]
fn the_bytes_after_the_blank_line_are_left() {
    let request = head(LINES);
    let all = format!("{request}\u{1}\u{2}frames");
    let mut storage = [0; 4096];
    let mut handshake = ServerHandshake::new(&mut storage, HeadLimits::DEFAULT);
    let Ok((taken, ServerProgress::Request(_))) = handshake.recv(all.as_bytes()) else { panic!() };
    assert_eq!(taken, request.len());
}
