//! URIs as people write them: what a browser sends for them, credentials, and references (WHATWG URL, RFC 3986,
//! RFC 7617).

use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;
use proptest::prelude::*;
use serde_json::Value;
use sockless::handshake::client::{ClientHandshake, ClientRequest};
use sockless::handshake::{HeadLimits, Uri, UriBuf, UriError};

fn uri(text: &str) -> UriBuf {
    UriBuf::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn sent(text: &str) -> String {
    uri(text).as_uri().resource_name().to_string()
}

/// Percent-decoded as the standard does it.
fn decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let octet = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let octet = octet.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        match octet {
            Some(digits) => {
                out.push(u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap());
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

/// The expected result for an entry of the table. These are all reasons to differ from a browser.
fn wanted(entry: &Value) -> Result<UriBuf, Option<UriError>> {
    let text = |name: &str| entry[name].as_str().unwrap();
    if entry["failure"] == true {
        return Err(None);
    }
    // It leads to something that is no WebSocket, which the constructor of `WebSocket` refuses.
    if entry["scheme"].is_string() {
        return Err(Some(UriError::Scheme));
    }
    let joined = entry["base"].is_string();
    if entry["fragment"] == true && !joined {
        return Err(Some(UriError::Fragment));
    }
    let host = text("host");
    // A name beyond ASCII, for which this has no table.
    let given = decoded(text("input"));
    let international = host.contains("xn--") && !String::from_utf8_lossy(&given).contains("xn--");
    // A soft hyphen, which tables drop.
    let mapped = String::from_utf8_lossy(&given).contains("h\u{AD}") && host == "h";
    // Octets that are in no name: nothing resolves it, and RFC 3986 has no such host.
    if international || mapped || host.contains(['"', '`', '{', '}']) {
        return Err(Some(UriError::Host));
    }
    if entry["port"] == 0 {
        return Err(Some(UriError::Port));
    }
    let (user, password) = (decoded(text("user")), decoded(text("password")));
    // Credentials that a reference brings are refused; those of the base are inherited.
    let brought = joined && text("input").contains('@');
    if !user.is_empty() || !password.is_empty() {
        let control = user.iter().chain(&password).any(u8::is_ascii_control);
        if user.contains(&b':') || control || brought {
            return Err(Some(UriError::UserInfo));
        }
    }
    let secure = entry["secure"] == true;
    let scheme = if secure { "wss" } else { "ws" };
    let user_info = if user.is_empty() && password.is_empty() {
        String::new()
    } else {
        // As recorded: it was encoded by the browser.
        format!("{}:{}@", text("user"), text("password"))
    };
    // The standard encodes `^` in paths since 2024, which the recorder does not know.
    let path = text("path").replace('^', "%5E");
    let query = entry["query"].as_str().map_or(String::new(), |query| format!("?{query}"));
    let whole = format!("{scheme}://{user_info}{host}:{}{path}{query}", entry["port"]);
    let built = UriBuf::parse_with_credentials(&whole).map_err(Some)?;
    // The base itself is as the table says.
    let parts = built.as_uri();
    assert_eq!((parts.host(), parts.path(), parts.query()), (host, path.as_str(), entry["query"].as_str()));
    assert_eq!((parts.is_secure(), u64::from(parts.port())), (secure, entry["port"].as_u64().unwrap()));
    let mut both = user;
    both.push(b':');
    both.extend_from_slice(&password);
    let value = (both.len() > 1).then(|| format!("Basic {}", STANDARD.encode(both)));
    assert_eq!(built.basic_authorization(), value, "{entry}");
    Ok(built)
}

#[test]
fn what_browsers_make_of_urls_this_does() {
    let table: Vec<Value> = serde_json::from_str(include_str!("urls/table.json")).unwrap();
    let mut faults = Vec::new();
    let mut counted = [0; 3];
    for entry in &table {
        let input = entry["input"].as_str().unwrap();
        let got = match entry["base"].as_str() {
            None => UriBuf::parse_with_credentials(input),
            Some(base) => UriBuf::parse_with_credentials(base).unwrap().join(input),
        };
        let want = wanted(entry);
        counted[match want {
            Ok(_) => 0,
            Err(None) => 1,
            Err(Some(_)) => 2,
        }] += 1;
        let same = match (&got, &want) {
            (Ok(got), Ok(want)) => {
                got == want || got.as_uri().path().is_empty() && got.to_string() == want.to_string()
            }
            (Err(got), Err(want)) => want.map_or(true, |want| want == *got),
            _ => false,
        };
        if !same {
            faults.push(format!("{entry}: {got:?}"));
        }
        if let Ok(got) = &got {
            // What was parsed once is parsed again as the same, and is printed as it is.
            assert_eq!(got.to_string().parse::<UriBuf>().unwrap().to_string(), got.to_string());
            let strict = UriBuf::parse(input);
            if entry["base"].is_null() {
                let refused =
                    if got.basic_authorization().is_some() { Some(UriError::UserInfo) } else { None };
                assert_eq!(strict.err(), refused, "{entry}");
            }
        }
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), table.len(), faults.join("\n"));
    let [right, failures, ours] = counted;
    assert!(right > 900 && failures > 90 && ours > 30, "{counted:?}");
}

#[test]
fn urls_as_services_document_them() {
    for (text, want) in [
        ("wss://stream.example/ws/{symbol}@trade", "/ws/%7Bsymbol%7D@trade"),
        ("wss://h/a|b/[c]", "/a|b/[c]"),
        ("wss://h/say \"hi\" <b>", "/say%20%22hi%22%20%3Cb%3E"),
        ("wss://h/100%/%zz", "/100%/%zz"),
        ("wss://h/\u{FC}?\u{4E2D}=\u{1F600}", "/%C3%BC?%E4%B8%AD=%F0%9F%98%80"),
        ("wss://h/a b?c d", "/a%20b?c%20d"),
        ("wss://h/%7Balready%7D", "/%7Balready%7D"),
        (" wss://h/x\n", "/x"),
        ("wss:\\\\h\\a\\..\\b", "/b"),
        ("wss://h", "/"),
        ("wss://h?x", "/?x"),
    ] {
        assert_eq!(sent(text), want, "{text}");
    }
    assert_eq!(uri("HTTPS://Example.COM:443/").to_string(), "wss://example.com/");
    assert_eq!(uri("http://h:443").to_string(), "ws://h:443/");
    assert_eq!(uri("ws://[::FFFF:1.2.3.4]:80").as_uri().address(), ("::ffff:102:304", 80));
}

#[test]
fn what_cannot_be_sent_is_refused_with_a_reason() {
    for (text, error) in [
        ("wss://h\u{FC}.example/", UriError::Host),
        ("wss://h%C3%BC/", UriError::Host),
        ("wss://a b/", UriError::Host),
        ("wss://", UriError::Host),
        ("wss://h:0/", UriError::Port),
        ("wss://h:65536/", UriError::Port),
        ("wss://h/#f", UriError::Fragment),
        ("wss://h#", UriError::Fragment),
        ("ftp://h/", UriError::Scheme),
        ("/chat", UriError::Scheme),
        ("h", UriError::Scheme),
        ("wss://u:p@h/", UriError::UserInfo),
    ] {
        assert_eq!(UriBuf::parse(text), Err(error), "{text}");
    }
    assert!(UriError::Host.to_string().contains("Punycode"));
}

#[test]
fn credentials_become_a_field_and_are_printed_nowhere() {
    for (text, want) in [
        ("wss://Aladdin:open%20sesame@h/", Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")),
        ("wss://u@h/", Some("Basic dTo=")),
        ("wss://:p@h/", Some("Basic OnA=")),
        // RFC 7617 section 2.1, in UTF-8.
        ("wss://test:123\u{A3}@h/", Some("Basic dGVzdDoxMjPCow==")),
        ("wss://test:123%C2%A3@h/", Some("Basic dGVzdDoxMjPCow==")),
        ("wss://u%40x:p%3Aq@h/", Some("Basic dUB4OnA6cQ==")),
        ("wss://h/", None),
        ("wss://@h/", None),
        ("wss://:@h/", None),
    ] {
        let uri = UriBuf::parse_with_credentials(text).unwrap();
        assert_eq!(uri.basic_authorization().as_deref(), want, "{text}");
        assert_eq!(uri.to_string(), "wss://h/");
    }
    let uri = UriBuf::parse_with_credentials("wss://hunter:secret@h/x").unwrap();
    for shown in
        [format!("{uri}"), format!("{uri:?}"), format!("{:?}", uri.as_uri()), format!("{:#?}", uri.clone())]
    {
        assert!(
            !shown.contains("hunter") && !shown.contains("secret") && !shown.contains("aHVudGVy"),
            "{shown}"
        );
        assert!(shown.len() < 256);
    }
    // The request carries them where the caller puts them, and nowhere else.
    let value = uri.basic_authorization().unwrap();
    let fields = [("Authorization", value.as_str())];
    let written = |request: ClientRequest<'_>| {
        let mut out = [0; 512];
        let len = ClientHandshake::new(request, [7; 16], &mut [], HeadLimits::DEFAULT)
            .write_request(&mut out)
            .unwrap();
        String::from_utf8(out[..len].to_vec()).unwrap()
    };
    let plain = ClientRequest::new(uri.as_uri());
    let head = written(plain.with_fields(&fields).unwrap());
    assert!(head.starts_with("GET /x HTTP/1.1\r\nHost: h\r\n"));
    assert!(head.contains("\r\nAuthorization: Basic aHVudGVyOnNlY3JldA==\r\n"));
    assert!(!written(plain).contains("Authorization"));
    for text in ["wss://a%3Ab:c@h/", "wss://a%00:c@h/", "wss://a:%0D%0A@h/", "wss://a:\u{7F}@h/"] {
        assert_eq!(UriBuf::parse_with_credentials(text), Err(UriError::UserInfo), "{text}");
    }
}

#[test]
fn credentials_reach_no_other_authority() {
    let base = UriBuf::parse_with_credentials("wss://u:p@h/a/b").unwrap();
    for reference in ["c", "/c", "?c", "", "wss:c", "../c", "\\c"] {
        assert!(base.join(reference).unwrap().basic_authorization().is_some(), "{reference}");
    }
    for reference in ["//h/c", "//other", "wss://h/", "ws:h", "ws://h", "https://h/", "\\\\h", "wss:///h"] {
        assert_eq!(base.join(reference).unwrap().basic_authorization(), None, "{reference}");
    }
    for reference in ["//x:y@h/", "wss://x@other/", "http://x:y@h"] {
        assert_eq!(base.join(reference), Err(UriError::UserInfo), "{reference}");
    }
}

#[test]
fn a_location_is_resolved_against_what_was_asked() {
    // RFC 3986 section 5.4.1, where a scheme of ours is given.
    let base = uri("ws://a/b/c/d;p?q");
    for (reference, want) in [
        ("g", "ws://a/b/c/g"),
        ("./g", "ws://a/b/c/g"),
        ("g/", "ws://a/b/c/g/"),
        ("/g", "ws://a/g"),
        ("//g", "ws://g/"),
        ("?y", "ws://a/b/c/d;p?y"),
        ("g?y", "ws://a/b/c/g?y"),
        ("g#s", "ws://a/b/c/g"),
        (";x", "ws://a/b/c/;x"),
        ("", "ws://a/b/c/d;p?q"),
        (".", "ws://a/b/c/"),
        ("..", "ws://a/b/"),
        ("../g", "ws://a/b/g"),
        ("../../g", "ws://a/g"),
        ("../../../g", "ws://a/g"),
        ("http://other/x", "ws://other/x"),
        ("https://other/x?y#z", "wss://other/x?y"),
        ("wss://other:8443", "wss://other:8443/"),
        ("/a b/{c}", "ws://a/a%20b/%7Bc%7D"),
    ] {
        assert_eq!(base.join(reference).unwrap().to_string(), want, "{reference}");
        assert_eq!(base.as_uri().join(reference).unwrap().to_string(), want, "{reference}");
    }
    for (reference, error) in [
        ("ftp://h/", UriError::Scheme),
        ("javascript:alert(1)", UriError::Scheme),
        ("//", UriError::Host),
        ("//\u{FC}/", UriError::Host),
        ("//h:99999", UriError::Port),
        ("wss://", UriError::Host),
    ] {
        assert_eq!(base.join(reference), Err(error), "{reference}");
    }
    // If a URI was taken as it was written, the parts that are not replaced stay so.
    let odd = Uri::parse("ws://H:80/a/../b?c'd").unwrap();
    assert_eq!(UriBuf::from(odd).to_string(), "ws://H/a/../b?c'd");
    assert_eq!(odd.join("").unwrap().to_string(), "ws://H/a/../b?c'd");
    assert_eq!(odd.join("e").unwrap().to_string(), "ws://H/e");
    assert_eq!(Uri::parse("ws://h?q").unwrap().join("?r").unwrap().to_string(), "ws://h/?r");
}

#[test]
fn an_encoded_resource_is_sent_untouched() {
    for (resource, want) in [
        ("/a/../%2e%2E/./b", "/a/../%2e%2E/./b"),
        ("/%7bx%7D|{y}'^`\\?'q'%", "/%7bx%7D|{y}'^`\\?'q'%"),
        ("?x", "/?x"),
        ("/?", "/?"),
        ("//h/x", "//h/x"),
    ] {
        let owned = uri("wss://h/old?query").with_resource(resource).unwrap();
        assert_eq!(owned.as_uri().resource_name().to_string(), want);
        let borrowed = Uri::parse("wss://h/old?query").unwrap().with_resource(resource).unwrap();
        assert_eq!(borrowed.resource_name().to_string(), want);
        assert_eq!((borrowed.host(), borrowed.is_secure()), ("h", true));
        assert!(written(borrowed).starts_with(&format!("GET {want} HTTP/1.1\r\n")));
    }
    for resource in [
        "",
        "x",
        "*",
        "/a b",
        "/\u{FC}",
        "/a#b",
        "/\r\nX: y",
        "/\t",
        "/\"",
        "/<",
        "/>",
        "/\0",
        "/\u{7F}",
        "http://h/",
    ] {
        assert_eq!(uri("wss://h").with_resource(resource), Err(UriError::Resource), "{resource:?}");
        let borrowed = Uri::parse("wss://h").unwrap();
        assert_eq!(borrowed.with_resource(resource), Err(UriError::Resource), "{resource:?}");
    }
}

fn written(uri: Uri<'_>) -> String {
    let mut out = vec![0; 4096];
    let handshake = ClientHandshake::new(ClientRequest::new(uri), [7; 16], &mut [], HeadLimits::DEFAULT);
    let len = handshake.write_request(&mut out).unwrap();
    String::from_utf8(out[..len].to_vec()).unwrap()
}

fn any_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => "[a-zA-Z0-9/?.:@%\\\\-]{0,8}",
        2 => "[ -~]{0,6}",
        1 => "\\PC{0,4}",
        1 => "[\\x00-\\x7F]{0,4}",
        1 => Just("..".to_owned()),
        1 => Just("//".to_owned()),
    ];
    proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// Whatever is taken becomes one request, printed and read it is the same, and no reference leads elsewhere.
    #[test]
    fn req_t_uri_1_whatever_is_taken_becomes_one_request(
        scheme in prop_oneof![Just("ws://h"), Just("wss://h"), Just("HTTP:"), Just("https:/\\"), Just("")],
        text in any_text(),
        reference in any_text(),
    ) {
        let Ok(uri) = UriBuf::parse_with_credentials(&format!("{scheme}{text}")) else { return Ok(()) };
        for uri in [Some(uri.clone()), uri.join(&reference).ok()].into_iter().flatten() {
            let head = written(uri.as_uri());
            let mut fields = [httparse::EMPTY_HEADER; 8];
            let mut parsed = httparse::Request::new(&mut fields);
            prop_assert_eq!(parsed.parse(head.as_bytes()), Ok(httparse::Status::Complete(head.len())));
            let resource = uri.as_uri().resource_name().to_string();
            prop_assert_eq!(parsed.path, Some(resource.as_str()));
            prop_assert!(resource.is_ascii() && !resource.contains(['#', ' ', '"', '<', '>']));
            prop_assert_eq!(parsed.headers.len(), 5);
            let again = UriBuf::parse(&uri.to_string());
            prop_assert_eq!(again.map(|again| again.to_string()), Ok(uri.to_string()));
            // The value fits a header field.
            if let Some(value) = uri.basic_authorization() {
                prop_assert!(value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '));
            }
        }
    }
}
