//! `ws:` and `wss:` URIs (RFC 6455 section 3, RFC 3986, RFC 8307).

use proptest::prelude::*;
use sockless::handshake::client::{ClientHandshake, ClientRequest};
use sockless::handshake::{HeadLimits, Uri, UriError};

fn uri(text: &str) -> Uri<'_> {
    Uri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn error(text: &str) -> UriError {
    Uri::parse(text).expect_err(text)
}

fn resource(text: &str) -> String {
    uri(text).resource_name().to_string()
}

#[test]
fn req_6455_3_1_scheme_host_port_path_and_query() {
    let parsed = uri("ws://h:81/p?q");
    assert_eq!((parsed.is_secure(), parsed.host(), parsed.port()), (false, "h", 81));
    assert_eq!((parsed.path(), parsed.query()), ("/p", Some("q")));
    assert!(uri("wss://h").is_secure());
    for text in ["http://h", "ws:h", "ws:/h", "h", "", "://h", "wsx://h", "ws ://h"] {
        assert_eq!(error(text), UriError::Scheme, "{text}");
    }
    assert_eq!(error("ws:///p"), UriError::Host);
}

#[test]
fn req_6455_3_2_the_scheme_has_any_case() {
    let parsed = uri("WSS://h");
    assert_eq!((parsed.is_secure(), parsed.port()), (true, 443));
    assert!(!uri("Ws://h").is_secure());
}

#[test]
fn req_6455_3_3_ports_have_defaults() {
    for (text, port, default) in [
        ("ws://h", 80, true),
        ("ws://h:", 80, true),
        ("wss://h/", 443, true),
        ("wss://h:80", 80, false),
        ("ws://h:443", 443, false),
        ("ws://h:80", 80, true),
    ] {
        assert_eq!((uri(text).port(), uri(text).is_default_port()), (port, default), "{text}");
    }
}

#[test]
fn req_6455_3_4_req_6455_3_5_a_fragment_is_refused_and_written_as_23() {
    for text in ["ws://h/#f", "ws://h#", "ws://h/p#", "ws://h/p?q#f"] {
        assert_eq!(error(text), UriError::Fragment, "{text}");
    }
    assert_eq!(resource("ws://h/%23a"), "/%23a");
}

#[test]
fn req_6455_3_6_the_resource_name_is_path_and_query() {
    for (text, name) in [
        ("ws://h", "/"),
        ("ws://h/", "/"),
        ("ws://h?x=1", "/?x=1"),
        ("ws://h/p?", "/p?"),
        ("ws://h/a/b?c=/d?e", "/a/b?c=/d?e"),
        ("ws://h?", "/?"),
        ("ws://h//a/../b", "//a/../b"),
        ("ws://h/a:b@c;d=e,f!g", "/a:b@c;d=e,f!g"),
        ("ws://h/p://x", "/p://x"),
    ] {
        assert_eq!(resource(text), name);
    }
}

#[test]
fn req_6455_3_7_the_host_is_a_name_or_an_address() {
    assert_eq!((uri("ws://[::1]:9/").host(), uri("ws://[::1]:9/").address()), ("[::1]", ("::1", 9)));
    assert_eq!(uri("ws://127.0.0.1").address(), ("127.0.0.1", 80));
    for host in ["a.b-c_d~e", "H", "a%2Db", "1.2.3", "!$&'()*+,;=", "[::ffff:1.2.3.4]"] {
        let text = format!("ws://{host}:81/");
        assert_eq!((uri(&text).host(), uri(&text).port()), (host, 81));
    }
    for text in [
        "ws://[::1/",
        "ws://a b/",
        "ws://[]/",
        "ws://[x]/",
        "ws://[::1]x/",
        "ws://[::1]]/",
        "ws://a[b]/",
        "ws://]/",
        "ws://a%zz/",
        "ws://a%4",
        "ws://a\\b/",
        // An address without brackets, with a zone, or of a future version: nothing connects to these.
        "ws://::1/",
        "ws://[fe80::1%25eth0]/",
        "ws://[v1.x]/",
    ] {
        assert_eq!(error(text), UriError::Host, "{text}");
    }
}

#[test]
fn req_6455_3_8_a_port_has_16_bits() {
    for (text, port) in [("ws://h:65535", 65_535), ("ws://h:1/", 1), ("ws://h:00081?q", 81)] {
        assert_eq!(uri(text).port(), port, "{text}");
    }
    for text in [
        "ws://h:65536",
        "ws://h:-1",
        "ws://h:+80",
        "ws://h:8x",
        "ws://h:0",
        "ws://h: 80",
        "ws://h:99999999999",
        "ws://h:80:90",
        "ws://1::2",
        "ws://[::1]:x",
        "ws://h:\u{661}",
    ] {
        assert_eq!(error(text), UriError::Port, "{text}");
    }
}

#[test]
fn req_6455_11_1_1_req_6455_11_1_2_nothing_beyond_ascii_reaches_the_wire() {
    assert_eq!(error("ws://\u{FC}.example/"), UriError::Host);
    assert_eq!(uri("ws://xn--tda.example/").host(), "xn--tda.example");
    assert_eq!(error("ws://h/\u{FC}"), UriError::Resource);
    assert_eq!(error("ws://h/?\u{FC}"), UriError::Resource);
    assert_eq!(resource("ws://h/%C3%BC"), "/%C3%BC");
    for text in ["ws://h/%", "ws://h/%4", "ws://h/%zz", "ws://h/?%x0"] {
        assert_eq!(error(text), UriError::Resource, "{text}");
    }
}

#[test]
fn req_9110_4_2_4_1_a_user_is_refused() {
    for text in ["ws://u:p@h/", "ws://u@h", "ws://@h"] {
        assert_eq!(error(text), UriError::UserInfo, "{text}");
    }
    assert_eq!(resource("ws://h/@"), "/@");
}

#[test]
fn req_9110_4_2_1_an_empty_host_is_refused() {
    for text in ["ws://:80/", "ws://", "ws://?q", "wss:///"] {
        assert_eq!(error(text), UriError::Host, "{text}");
    }
}

#[test]
fn req_8307_1_well_known_paths_are_ordinary() {
    assert_eq!(resource("wss://h/.well-known/x"), "/.well-known/x");
}

#[test]
fn req_t_uri_1_no_control_octet_gets_through() {
    let never = |c: &char| c.is_ascii_control() || " \"<>\\^`{|}#%".contains(*c) || !c.is_ascii();
    let octets: Vec<String> = ('\0'..='\u{FF}').filter(never).map(String::from).collect();
    assert_eq!(octets.len(), 33 + 12 + 128);
    for byte in octets.iter().map(String::as_str).chain(["\r\nX: y", "\r\n\r\n", "\u{2028}"]) {
        for text in [format!("ws://a{byte}b/"), format!("ws://h/a{byte}b"), format!("ws://h/?a{byte}b")] {
            assert!(Uri::parse(&text).is_err(), "{text:?}");
        }
    }
}

/// A host that may be one, sometimes with an octet that may not.
fn authority() -> impl Strategy<Value = String> {
    let host = prop_oneof!["[a-z0-9.-]{1,12}", "[!-~]{1,6}", "\\PC{1,6}", Just("[::1]".to_owned())];
    (host, prop_oneof![Just(String::new()), ":[0-9]{0,5}", ":[ -~]{1,3}"]).prop_map(|(h, p)| h + &p)
}

/// A path and a query that may be such, sometimes with an octet that may not.
fn path_and_query() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        8 => "[a-zA-Z0-9/?:@!$&'()*+,;=._~-]{0,12}",
        2 => "%[0-9A-Fa-f]{2}",
        1 => "[\\x00-\\x7F]",
        1 => "\\PC{1,4}",
    ];
    let parts = proptest::collection::vec(part, 0..4).prop_map(|parts| parts.concat());
    (prop_oneof![Just("/"), Just("?"), Just("")], parts).prop_map(|(first, rest)| first.to_owned() + &rest)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// Whatever is accepted as a URI becomes one request and nothing else, whose parts are those of the URI.
    #[test]
    fn req_t_uri_1_an_accepted_uri_becomes_one_request(
        scheme in prop_oneof![Just("ws"), Just("wss")],
        authority in authority(),
        resource in path_and_query(),
        absolute in any::<bool>(),
    ) {
        let text = format!("{scheme}://{authority}{resource}");
        if let Ok(uri) = Uri::parse(&text) {
            prop_assert!(text.is_ascii());
            let mut storage = [0; 16];
            let request = ClientRequest::new(uri).with_absolute_form(absolute);
            let handshake = ClientHandshake::new(request, [7; 16], &mut storage, HeadLimits::DEFAULT);
            let mut out = [0; 1024];
            let len = handshake.write_request(&mut out).unwrap();
            let mut fields = [httparse::EMPTY_HEADER; 16];
            let mut parsed = httparse::Request::new(&mut fields);
            prop_assert_eq!(parsed.parse(&out[..len]), Ok(httparse::Status::Complete(len)));
            let host = match (scheme, uri.port()) {
                ("ws", 80) | ("wss", 443) => uri.host().to_owned(),
                (_, port) => format!("{}:{port}", uri.host()),
            };
            let target = uri.resource_name().to_string();
            let target = match (absolute, scheme) {
                (false, _) => target,
                (true, "ws") => format!("http://{host}{target}"),
                (true, _) => format!("https://{host}{target}"),
            };
            prop_assert_eq!(parsed.path, Some(target.as_str()));
            prop_assert_eq!(parsed.headers.len(), 5);
            prop_assert_eq!(parsed.headers[0], httparse::Header { name: "Host", value: host.as_bytes() });
            // The parts together are the text.
            prop_assert!(text[scheme.len() + 3..].starts_with(uri.host()));
            prop_assert!(text.ends_with(uri.query().unwrap_or(uri.path())));
        }
    }

    /// What the grammar allows is accepted, so that the test above is about something.
    #[test]
    fn what_the_grammar_allows_is_a_uri(
        host in "[a-z0-9._~!$&'()*+,;=-]{1,12}", port in 1_u16..,
        resource in "(/([a-zA-Z0-9/:@!$&'()*+,;=._~-]|%[0-9A-Fa-f]{2}){0,9})?([?]([a-z0-9/?:@]|%[0-9A-F]{2}){0,9})?",
    ) {
        let text = format!("ws://{host}:{port}{resource}");
        let parsed = Uri::parse(&text);
        prop_assert!(parsed.is_ok(), "{}", text);
        prop_assert_eq!(parsed.unwrap().address(), (host.as_str(), port));
    }
}
