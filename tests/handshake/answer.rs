//! What a server answers (RFC 6455 sections 4.2.2 and 4.4, RFC 9110 section 7.8).

use crate::opening;

use opening::{
    accepted, field, head, refused, rejection, replaced, serve, with, without, Outcome, ACCEPT, LINES,
};
use sockless::handshake::server::{Accept, Reject, Request, ServerProgress};
use sockless::handshake::{ComposeError, HandshakeError, HeadLimits, Negotiated, OriginPolicy};
use sockless::MAX_CONTROL_FRAME_LEN;

/// Runs `check` on the request in `head`.
fn on(head: &str, check: impl FnOnce(&Request<'_>)) {
    match Request::parse(head.as_bytes(), &HeadLimits::DEFAULT).unwrap() {
        ServerProgress::Request(request) => check(&request),
        other => panic!("{other:?}"),
    }
}

fn written(accept: &Accept<'_, '_>) -> (String, Negotiated) {
    let mut out = [0; 1024];
    let (len, session) = accept.write(&mut out).unwrap();
    (String::from_utf8(out[..len].to_vec()).unwrap(), session)
}

#[test]
fn req_6455_4_2_2_30_req_6455_4_2_2_31_req_6455_4_2_2_32_req_6455_4_2_2_33_the_101_octet_by_octet() {
    let want = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    );
    assert_eq!(accepted(&head(LINES)).response, want);
}

#[test]
fn req_9112_6_1_1_a_101_announces_no_body() {
    let response = accepted(&head(LINES)).response;
    assert_eq!((field(&response, "Transfer-Encoding"), field(&response, "Content-Length")), (None, None));
}

#[test]
fn req_t_upg_1_req_9110_7_8_7_lower_case_is_sent_and_any_case_is_taken() {
    for value in ["WebSocket", "websocket", "WEBSOCKET"] {
        let response = accepted(&replaced(&format!("Upgrade: {value}"))).response;
        assert_eq!(field(&response, "Upgrade"), Some("websocket"));
    }
}

#[test]
fn req_6455_4_2_2_34_subprotocol_extensions_and_fields_stand_where_they_were_chosen() {
    on(&with("Sec-WebSocket-Extensions: x; a=1, y"), |request| {
        let accept = request.accept(OriginPolicy::Any).unwrap();
        let accept = accept.with_subprotocol("superchat").unwrap().with_extensions("y, x; b").unwrap();
        let (response, _) =
            written(&accept.with_fields(&[("Set-Cookie", "a=b"), ("Set-Cookie", "c=d")]).unwrap());
        assert_eq!(field(&response, "Sec-WebSocket-Protocol"), Some("superchat"));
        assert_eq!(field(&response, "Sec-WebSocket-Extensions"), Some("y, x; b"));
        assert!(response.contains("\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n"));
    });
}

#[test]
fn req_6455_4_2_2_22_req_6455_4_2_2_24_a_subprotocol_that_was_not_offered_cannot_be_chosen() {
    on(&head(LINES), |request| {
        let accept = request.accept(OriginPolicy::Any).unwrap();
        for name in ["other", "", "Chat", "chat, superchat"] {
            assert_eq!(accept.with_subprotocol(name).unwrap_err(), ComposeError::UnofferedSubprotocol);
        }
        assert_eq!(accept.with_subprotocol("chat").unwrap().chosen_subprotocol(), Some("chat"));
    });
}

#[test]
fn req_6455_4_2_2_23_req_7936_1_where_nothing_is_agreed_on_there_is_no_field() {
    on(&head(LINES), |request| {
        let accept = request.accept(OriginPolicy::Any).unwrap();
        // Names are compared with case, and the client's order decides.
        let none = accept.with_supported_subprotocols(&["Chat", "v2"]);
        assert_eq!(none.chosen_subprotocol(), None);
        assert!(!written(&none).0.contains("Sec-WebSocket-Protocol"));
        let one = accept.with_supported_subprotocols(&["v2", "superchat", "chat"]);
        assert_eq!(one.chosen_subprotocol(), Some("chat"));
        assert_eq!(field(&written(&one).0, "Sec-WebSocket-Protocol"), Some("chat"));
    });
}

#[test]
fn req_6455_4_2_2_25_req_6455_4_2_2_26_req_6455_9_2_the_extensions_come_from_the_client_s_list_only() {
    let response = accepted(&with("Sec-WebSocket-Extensions: permessage-deflate")).response;
    assert_eq!(field(&response, "Sec-WebSocket-Extensions"), None, "none is accepted unasked");
    on(&with("Sec-WebSocket-Extensions: x"), |request| {
        let accept = request.accept(OriginPolicy::Any).unwrap();
        assert_eq!(accept.with_extensions("y").unwrap_err(), ComposeError::UnofferedExtension);
        assert_eq!(accept.with_extensions("x, y").unwrap_err(), ComposeError::UnofferedExtension);
        assert_eq!(accept.with_extensions("x, x").unwrap_err(), ComposeError::InvalidExtensions);
        assert_eq!(accept.with_extensions("x; ").unwrap_err(), ComposeError::InvalidValue);
        assert_eq!(accept.with_extensions("x;").unwrap_err(), ComposeError::InvalidExtensions);
    });
    on(&head(LINES), |request| {
        let accept = request.accept(OriginPolicy::Any).unwrap();
        assert_eq!(accept.with_extensions("x").unwrap_err(), ComposeError::UnofferedExtension);
    });
}

#[test]
fn req_e_3433_a_server_writes_one_line_of_extensions() {
    on(&with("Sec-WebSocket-Extensions: x\r\nSec-WebSocket-Extensions: y"), |request| {
        let (response, _) =
            written(&request.accept(OriginPolicy::Any).unwrap().with_extensions("x, y").unwrap());
        assert_eq!(field(&response, "Sec-WebSocket-Extensions"), Some("x, y"));
    });
}

#[test]
fn req_6455_4_2_2_10_req_6455_10_2_1_req_6455_10_2_2_an_origin_that_is_not_acceptable_is_answered_with_403() {
    let pages: &[&str] = &["https://good.example", "http://Example.com"];
    let none = "";
    for (policy, origin, host, accept) in [
        (OriginPolicy::Any, "http://evil.example", "a", true),
        (OriginPolicy::Any, "null", "a", true),
        (OriginPolicy::NonBrowser, "http://a", "a", false),
        (OriginPolicy::NonBrowser, none, "a", true),
        (OriginPolicy::List(pages), "https://good.example", "a", true),
        (OriginPolicy::List(pages), "https://good.example.evil.example", "a", false),
        (OriginPolicy::List(pages), "http://good.example", "a", false),
        (OriginPolicy::List(pages), "null", "a", false),
        (OriginPolicy::List(pages), none, "a", true),
        (OriginPolicy::SameHost, "http://a", "a", true),
        (OriginPolicy::SameHost, "https://A", "a", true),
        (OriginPolicy::SameHost, "http://a:8080", "a:8080", true),
        (OriginPolicy::SameHost, "http://a", "a:80", true),
        (OriginPolicy::SameHost, "https://a", "a:443", true),
        (OriginPolicy::SameHost, "http://[::1]:9", "[::1]:9", true),
        (OriginPolicy::SameHost, "http://a:8081", "a:8080", false),
        (OriginPolicy::SameHost, "http://a", "a:8080", false),
        (OriginPolicy::SameHost, "http://b", "a", false),
        (OriginPolicy::SameHost, "http://a.evil.example", "a", false),
        (OriginPolicy::SameHost, "null", "a", false),
        (OriginPolicy::SameHost, none, "a", true),
    ] {
        let lines = LINES.into_iter().filter(|l| !l.starts_with("Origin") && !l.starts_with("Host"));
        let lines = lines.map(str::to_owned).chain([format!("Host: {host}")]);
        let origin_line = (!origin.is_empty()).then(|| format!("Origin: {origin}"));
        on(&head(lines.chain(origin_line)), |request| {
            let result = request.accept(policy).map(|_| ());
            let want = if accept { Ok(()) } else { Err(HandshakeError::OriginRefused) };
            assert_eq!(result, want, "{policy:?} {origin} {host}");
        });
    }
    let reject = Reject::for_error(HandshakeError::OriginRefused).unwrap();
    assert!(rejection(&reject).starts_with("HTTP/1.1 403 Forbidden\r\n"));
}

#[test]
fn req_6455_4_2_2_11_origins_are_compared_in_lower_case() {
    let policy = OriginPolicy::List(&["http://example.com"]);
    assert!(policy.accepts(Some("HTTP://Example.com"), "a"));
}

#[test]
fn req_6455_4_2_2_2_req_9110_11_6_1_1_a_401_names_a_challenge() {
    let reject = Reject::new(401).unwrap();
    assert_eq!(reject.write(&mut [0; 500]), Err(ComposeError::MissingAuthenticate));
    let answer = rejection(&reject.with_fields(&[("WWW-Authenticate", "Basic realm=\"x\"")]).unwrap());
    assert_eq!(field(&answer, "WWW-Authenticate"), Some("Basic realm=\"x\""));
}

#[test]
fn req_6455_4_2_2_3_req_6455_4_2_2_21_an_application_may_redirect_or_say_that_there_is_nothing() {
    let answer = rejection(&Reject::new(302).unwrap().with_fields(&[("Location", "wss://b/")]).unwrap());
    assert!(answer.starts_with("HTTP/1.1 302 "));
    assert_eq!(field(&answer, "Location"), Some("wss://b/"));
    let answer = rejection(&Reject::new(404).unwrap().with_body(b"nothing here"));
    assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"));
    assert!(answer.ends_with("Content-Length: 12\r\n\r\nnothing here"));
    for status in [0, 100, 101, 200, 299, 600, 999] {
        assert_eq!(Reject::new(status).unwrap_err(), ComposeError::InvalidStatus);
    }
}

#[test]
fn req_6455_10_7_4_every_refusal_in_the_handshake_has_a_status() {
    for (head, status) in [
        (without("Host"), 400),
        (replaced("POST / HTTP/1.1"), 405),
        (replaced("Sec-WebSocket-Version: 8"), 426),
        (with("Expect: 100-continue"), 417),
        (replaced("GET / HTTP/1.0"), 505),
    ] {
        refused(&head, status);
    }
}

#[test]
fn req_9110_7_8_1_req_9110_7_8_6_without_our_protocol_in_upgrade_there_is_never_a_101() {
    for head in [without("Upgrade"), replaced("Upgrade: h2c, foo"), replaced("Upgrade: ")] {
        // The head is handed back, so that the caller may serve HTTP.
        assert_eq!(serve(&head), Outcome::Http("GET".into(), "/chat".into()));
        let Ok(ServerProgress::Http(plain)) = Request::parse(head.as_bytes(), &HeadLimits::DEFAULT) else {
            panic!()
        };
        assert_eq!((plain.head(), plain.minor_version()), (head.as_bytes(), 1));
        assert_eq!(plain.headers().get("host"), Some(&b"server.example.com"[..]));
    }
}

#[test]
fn req_t_426_1_req_9110_7_8_2_req_9110_7_8_4_a_plain_get_is_told_to_upgrade() {
    let plain = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(serve(plain), Outcome::Http("GET".into(), "/".into()));
    let answer = rejection(&Reject::for_plain_http());
    assert!(answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n"));
    assert_eq!(field(&answer, "Upgrade"), Some("websocket"));
    assert_eq!(field(&answer, "Connection"), Some("Upgrade, close"));
    assert_eq!(field(&answer, "Sec-WebSocket-Version"), Some("13"));
    let response = accepted(&head(LINES)).response;
    assert_eq!(
        (field(&response, "Upgrade"), field(&response, "Connection")),
        (Some("websocket"), Some("Upgrade"))
    );
}

#[test]
fn req_9110_7_8_3_upgrade_is_ignored_in_http_1_0() {
    let answer = refused(&replaced("GET /chat HTTP/1.0"), 505);
    assert!(!answer.contains("101"));
    assert_eq!(serve("GET / HTTP/1.0\r\n\r\n"), Outcome::Http("GET".into(), "/".into()));
}

#[test]
fn req_9110_7_8_5_an_expectation_is_refused() {
    refused(&with("Expect: 100-continue"), 417);
    refused(&with("Expect: anything"), 417);
}

#[test]
fn req_9110_6_6_1_1_a_date_is_the_caller_s_to_add() {
    let date = "Sat, 21 Nov 2026 04:00:00 GMT";
    let answer = rejection(&Reject::new(403).unwrap().with_fields(&[("Date", date)]).unwrap());
    assert_eq!(field(&answer, "Date"), Some(date));
}

#[test]
fn req_9112_9_6_1_a_refusal_ends_the_connection_unless_it_is_kept() {
    for status in [302, 400, 403, 404, 405, 417, 426, 431, 500, 503] {
        let reject = Reject::new(status).unwrap();
        let answer = rejection(&reject);
        assert!(field(&answer, "Connection").unwrap().ends_with("close"), "{answer}");
        assert_eq!(field(&answer, "Content-Length"), Some("0"));
        let kept = rejection(&reject.with_keep_alive());
        assert!(!kept.contains("close"), "{kept}");
    }
}

#[test]
fn req_9112_4_2_the_space_after_the_status_stands_even_without_a_phrase() {
    assert!(rejection(&Reject::new(599).unwrap()).starts_with("HTTP/1.1 599 \r\n"));
}

#[test]
fn nothing_that_a_caller_adds_can_make_another_line() {
    let bad_values = ["a\r\nX: y", "a\nb", "a\rb", "a\0b", " a", "a ", "\u{7F}"];
    let bad_names = ["", "a b", "a:", "a\r\n", "\u{E9}", "a\0"];
    let reserved = [
        "Host",
        "upgrade",
        "CONNECTION",
        "sec-websocket-accept",
        "Sec-WebSocket-Protocol",
        "Content-Length",
        "Transfer-Encoding",
        "Sec-WebSocket-Extensions",
    ];
    on(&head(LINES), |request| {
        let accept = request.accept(OriginPolicy::Any).unwrap();
        let reject = Reject::new(400).unwrap();
        for value in bad_values {
            assert_eq!(accept.with_fields(&[("X", value)]).unwrap_err(), ComposeError::InvalidValue);
            assert_eq!(reject.with_fields(&[("X", value)]).unwrap_err(), ComposeError::InvalidValue);
            assert!(accept.with_subprotocol(value).is_err() && accept.with_extensions(value).is_err());
        }
        for name in bad_names {
            assert_eq!(accept.with_fields(&[(name, "v")]).unwrap_err(), ComposeError::InvalidName);
            assert_eq!(reject.with_fields(&[(name, "v")]).unwrap_err(), ComposeError::InvalidName);
        }
        for name in reserved {
            assert_eq!(accept.with_fields(&[(name, "v")]).unwrap_err(), ComposeError::ReservedField);
            assert_eq!(reject.with_fields(&[(name, "v")]).unwrap_err(), ComposeError::ReservedField);
        }
    });
}

#[test]
fn for_a_buffer_that_is_too_small_the_error_says_what_is_needed() {
    on(&head(LINES), |request| {
        let accept = request.accept(OriginPolicy::Any).unwrap();
        let full = written(&accept).0.len();
        for size in 0..full {
            let mut out = vec![0; size];
            let Err(ComposeError::BufferTooSmall(short)) = accept.write(&mut out) else { panic!("{size}") };
            assert_eq!(short.required, full);
        }
        assert_eq!(accept.write(&mut vec![0; full]).unwrap().0, full);
    });
}

#[test]
fn req_6455_4_2_2_20_req_6455_4_4_1_whatever_is_wrong_with_the_version_the_answer_names_ours() {
    for (head, status) in [
        (without("Sec-WebSocket-Version"), 426),
        (replaced("Sec-WebSocket-Version: 8"), 426),
        (replaced("Sec-WebSocket-Version: 13, 8"), 400),
        (with("Sec-WebSocket-Version: 13"), 400),
        (replaced("Sec-WebSocket-Version: "), 400),
    ] {
        assert_eq!(field(&refused(&head, status), "Sec-WebSocket-Version"), Some("13"), "{head}");
    }
    // Other refusals do not mention it.
    let answer = refused(&without("Host"), 400);
    assert_eq!((field(&answer, "Sec-WebSocket-Version"), field(&answer, "Allow")), (None, None));
}

#[test]
fn req_6455_10_2_1_the_same_host_means_a_page_of_the_web() {
    // Applications that embed a browser serve their pages under schemes of their own, which are other origins.
    for origin in ["app://a", "file://a", "capacitor://a", "chrome-extension://a", "ws://a", "://a", "a"] {
        assert!(!OriginPolicy::SameHost.accepts(Some(origin), "a"), "{origin}");
    }
    for origin in ["http://a", "https://a", "HTTPS://A"] {
        assert!(OriginPolicy::SameHost.accepts(Some(origin), "a"), "{origin}");
    }
    for origin in
        ["http://a@b", "http://b@a", "http://a/", "http://a, http://b", "http://a:80:80", "http://", ""]
    {
        assert!(!OriginPolicy::SameHost.accepts(Some(origin), "a"), "{origin}");
    }
    assert!(!OriginPolicy::SameHost.accepts(Some("http://"), ""));
}

#[test]
fn req_6455_10_7_4_every_failure_has_a_name_of_its_own_and_a_server_s_has_a_status() {
    use HandshakeError as E;
    let server = [
        (E::MalformedStartLine, 400),
        (E::MalformedHeader, 400),
        (E::HeadTooLarge, 431),
        (E::TargetTooLong, 414),
        (E::FieldTooLong, 431),
        (E::TooManyFields, 431),
        (E::ListTooLong, 400),
        (E::UnsupportedHttpVersion, 505),
        (E::MethodNotAllowed, 405),
        (E::InvalidTarget, 400),
        (E::InvalidHost, 400),
        (E::InvalidConnection, 400),
        (E::InvalidKey, 400),
        (E::InvalidVersion, 400),
        (E::UnsupportedVersion, 426),
        (E::InvalidOrigin, 400),
        (E::OriginRefused, 403),
        (E::InvalidSubprotocols, 400),
        (E::InvalidExtensions, 400),
        (E::UnexpectedBody, 400),
        (E::ExpectationFailed, 417),
    ];
    let others = [
        E::InvalidUpgrade,
        E::InvalidAccept,
        E::UnofferedSubprotocol,
        E::SubprotocolRequired,
        E::UnofferedExtension,
        E::InvalidExtensionParameters,
        E::ConflictingExtensions,
        E::TooManyInterimResponses,
        E::InvalidProxyResponse,
        E::UnexpectedEof,
    ];
    for (error, status) in server {
        assert_eq!(error.status(), Some(status), "{error:?}");
        let reject = Reject::for_error(error).unwrap();
        assert_eq!(reject.status(), status);
        // A write buffer of this length is the shortest that adapters without an allocator take.
        assert!(reject.write(&mut [0; MAX_CONTROL_FRAME_LEN]).is_ok(), "{error:?}");
    }
    for reject in [Reject::for_plain_http(), Reject::new(500).unwrap()] {
        assert!(reject.write(&mut [0; MAX_CONTROL_FRAME_LEN]).is_ok(), "{reject:?}");
    }
    for error in others {
        assert!(error.status().is_none() && Reject::for_error(error).is_none(), "{error:?}");
    }
    let names: Vec<_> = server.iter().map(|(error, _)| *error).chain(others).map(E::name).collect();
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len());
    for name in &names {
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{name}");
    }
    // What is written into logs and metrics stays.
    assert_eq!((E::InvalidKey.name(), E::OriginRefused.name()), ("invalid-key", "origin-refused"));
}

/// Each call adds fields. None removes those of an earlier call.
#[test]
fn fields_add_up() {
    let request = head(LINES);
    let Ok(ServerProgress::Request(request)) = Request::parse(request.as_bytes(), &HeadLimits::DEFAULT)
    else {
        panic!()
    };
    let sets: Vec<[(String, String); 2]> = (0..4)
        .map(|at| [(format!("X-{at}"), "a".to_owned()), (format!("Y-{at}"), format!("{at}"))])
        .collect();
    let sets: Vec<Vec<(&str, &str)>> =
        sets.iter().map(|set| set.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect()).collect();
    let all: Vec<(&str, &str)> = sets.concat();
    let written_in = |text: &str| -> Vec<(String, String)> {
        let fields = text.split("\r\n").filter_map(|line| line.split_once(": "));
        fields
            .filter(|(name, _)| name.starts_with("X-") || name.starts_with("Y-"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    let mut accept = request.accept(OriginPolicy::Any).unwrap();
    let mut reject = Reject::new(403).unwrap();
    for (at, set) in sets.iter().enumerate() {
        // Nothing takes no place.
        accept = accept.with_fields(&[]).unwrap().with_fields(set).unwrap().with_fields(&[]).unwrap();
        reject = reject.with_fields(set).unwrap().with_fields(&[]).unwrap();
        let want: Vec<_> =
            all.iter().take(2 * at + 2).map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let mut out = [0; 1024];
        let (len, _) = accept.write(&mut out).unwrap();
        assert_eq!(written_in(std::str::from_utf8(&out[..len]).unwrap()), want);
        assert_eq!(written_in(&rejection(&reject)), want);
    }
    // There is a limit, and it is reported.
    assert_eq!(accept.with_fields(&[("Z", "z")]).unwrap_err(), ComposeError::TooManySets);
    assert_eq!(reject.with_fields(&[("Z", "z")]).unwrap_err(), ComposeError::TooManySets);
    // A field that a rule asks for may be in any of the calls.
    let challenge = [("WWW-Authenticate", "Basic realm=\"x\"")];
    let answer = rejection(
        &Reject::new(401).unwrap().with_fields(&challenge).unwrap().with_fields(&[("X", "y")]).unwrap(),
    );
    assert!(answer.contains("\r\nWWW-Authenticate: Basic realm=\"x\"\r\nX: y\r\n"));
}
