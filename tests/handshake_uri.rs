//! `ws:` and `wss:` URIs (RFC 6455 section 3, RFC 3986, RFC 8307).

use proptest::prelude::*;
use sockless::handshake::client::{ClientRequest, Handshake};
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
    ] {
        assert_eq!(resource(text), name);
    }
}

#[test]
fn req_6455_3_7_the_host_is_a_name_or_an_address() {
    assert_eq!((uri("ws://[::1]:9/").host(), uri("ws://[::1]:9/").address()), ("[::1]", ("::1", 9)));
    assert_eq!(uri("ws://127.0.0.1").address(), ("127.0.0.1", 80));
    assert_eq!(uri("ws://a.b-c_d~e").host(), "a.b-c_d~e");
    for text in
        ["ws://[::1/", "ws://a b/", "ws://[]/", "ws://[x]/", "ws://[::1]x/", "ws://a[b]/", "ws://a%zz/"]
    {
        assert_eq!(error(text), UriError::Host, "{text}");
    }
}

#[test]
fn req_6455_3_8_a_port_has_16_bits() {
    assert_eq!(uri("ws://h:65535").port(), 65_535);
    for text in [
        "ws://h:65536",
        "ws://h:-1",
        "ws://h:+80",
        "ws://h:8x",
        "ws://h:0",
        "ws://h: 80",
        "ws://h:99999999999",
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
    for byte in
        ["\r", "\n", "\0", " ", "\t", "\r\nX: y", "\u{7F}", "\"", "<", ">", "\\", "^", "`", "{", "|", "}"]
    {
        for text in [format!("ws://a{byte}b/"), format!("ws://h/a{byte}b"), format!("ws://h/?a{byte}b")] {
            assert!(Uri::parse(&text).is_err(), "{text:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// Whatever is accepted as a URI becomes one request and nothing else.
    #[test]
    fn req_t_uri_1_an_accepted_uri_becomes_one_request(rest in "\\PC{0,20}", more in "[\\x00-\\x7F]{0,20}") {
        for text in [format!("ws://{rest}"), format!("ws://h/{more}"), format!("wss://{more}?{rest}")] {
            let Ok(uri) = Uri::parse(&text) else { continue };
            let mut storage = [0; 16];
            let request = ClientRequest::new(uri);
            let handshake = Handshake::new(request, [7; 16], &mut storage, HeadLimits::DEFAULT);
            let mut out = [0; 1024];
            let len = handshake.write_request(&mut out).unwrap();
            let mut fields = [httparse::EMPTY_HEADER; 16];
            let mut parsed = httparse::Request::new(&mut fields);
            prop_assert_eq!(parsed.parse(&out[..len]), Ok(httparse::Status::Complete(len)));
            let resource = uri.resource_name().to_string();
            prop_assert_eq!(parsed.path, Some(resource.as_str()));
            prop_assert_eq!(parsed.headers.len(), 5);
        }
    }
}
