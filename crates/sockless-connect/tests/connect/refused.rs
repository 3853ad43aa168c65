//! Answers that open no WebSocket: each is an error of its own.

use std::time::{Duration, Instant};

use sockless_connect::sockless::handshake::HandshakeError;
use sockless_connect::sockless::OpeningError;
use sockless_connect::{ClientConfig, Connect, ConnectError, Error, Response, Stage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::ways::{Way, WAYS};
use crate::{answer_to, both, listener, read_head, within};

/// What a client makes of a server that answers so, and then ends if it says so.
async fn error_of(
    way: Way,
    answer: impl Fn(&str) -> String,
    ends: bool,
    set: impl Fn(&str) -> Connect,
) -> ConnectError {
    let (listener, address) = listener().await;
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        // A client that has seen enough may be gone already.
        let _ = stream.write_all(answer(&head).as_bytes()).await;
        if ends {
            return;
        }
        let _ = stream.read_to_end(&mut Vec::new()).await;
    };
    let connect = set(&format!("ws://{address}/"));
    both(server, way.connect(&connect)).await.1.unwrap_err()
}

fn rejected(error: ConnectError) -> Response {
    assert_eq!(error.stage(), Some(Stage::Handshake));
    error.response().unwrap_or_else(|| panic!("{error:?}")).clone()
}

#[tokio::test]
async fn a_refusal_has_status_fields_and_body() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let json = "{\"error\":\"no such room\"}";
        let answer = |_: &_| {
            format!(
            "HTTP/1.1 403 Forbidden\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: {}\r\n\r\n{json}",
            json.len()
        )
        };
        let error = error_of(way, answer, false, |url| Connect::new(url)).await;
        assert_eq!(error.to_string(), "the server answered with status 403");
        let response = rejected(error);
        assert_eq!(
            (response.status(), response.body(), response.is_complete()),
            (403, json.as_bytes(), true)
        );
        assert_eq!(response.fields_named("set-cookie").count(), 2);
        assert!(!format!("{response:?}").contains("room"));
    }
}

#[tokio::test]
async fn what_would_let_us_in_is_read() {
    let _watchdog = watchdog!();
    for way in WAYS {
        for (status, expected) in [(401, Some("a, b")), (407, Some("of proxy")), (403, None)] {
            let answer = |_: &_| {
                format!(
                "HTTP/1.1 {status} No\r\nWWW-Authenticate: Bearer\r\nWWW-Authenticate: Basic realm=\"a, b\"\r\n\
                 Proxy-Authenticate: Basic realm=\"of proxy\"\r\nContent-Length: 0\r\n\r\n"
            )
            };
            let response = rejected(error_of(way, answer, false, |url| Connect::new(url)).await);
            let challenges = response.challenges();
            let basic = challenges.iter().find(|challenge| challenge.scheme() == "Basic");
            assert_eq!(
                basic.and_then(|basic| basic.parameter("realm")),
                expected,
                "{status}: {challenges:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_body_of_a_refusal_is_bounded() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let answer = |_: &_| {
            format!("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 102400\r\n\r\n{}", "x".repeat(102_400))
        };
        let set = |url: &_| Connect::new(url).with_config(ClientConfig::new().with_max_rejection_body(1000));
        let response = rejected(error_of(way, answer, false, set).await);
        assert_eq!((response.status(), response.body().len(), response.is_complete()), (502, 1000, false));
    }
}

#[tokio::test]
async fn answers_that_break_a_rule_are_told_apart() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let ok = |head: &str, fields: &str| answer_to(head, fields);
        type Answer<'a> = &'a dyn Fn(&str) -> String;
        let cases: [(Answer<'_>, HandshakeError); 5] = [
            (&|head| ok(head, "").replace("Accept: ", "Accept: A"), HandshakeError::InvalidAccept),
            (&|head| ok(head, "Sec-WebSocket-Protocol: other\r\n"), HandshakeError::UnofferedSubprotocol),
            (&|head| ok(head, "Sec-WebSocket-Extensions: x-other\r\n"), HandshakeError::UnofferedExtension),
            (&|_| "220 mail.example ESMTP\r\n".into(), HandshakeError::MalformedStartLine),
            (&|_| "HTTP/1.1 101 Switching".into(), HandshakeError::UnexpectedEof),
        ];
        for (answer, expected) in cases {
            let error = error_of(way, answer, true, |url| Connect::new(url)).await;
            let ConnectError::Handshake(Error::Opening(OpeningError::Handshake(met))) = error else {
                panic!("{error:?} instead of {expected:?}")
            };
            assert_eq!(met, expected);
        }
    }
}

#[tokio::test]
async fn a_head_that_never_ends_is_given_up_by_its_size_and_by_the_time() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let endless =
            |_: &_| format!("HTTP/1.1 101 Switching Protocols\r\n{}", "X-More: 1\r\n".repeat(10_000));
        let error = error_of(way, endless, false, |url| Connect::new(url)).await;
        assert!(
            matches!(error, ConnectError::Handshake(Error::Opening(OpeningError::Handshake(_)))),
            "{error:?}"
        );

        let limit = Duration::from_millis(300);
        for silence in ["", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"] {
            let began = Instant::now();
            let error = error_of(way, |_| silence.into(), false, |url| within(limit, url)).await;
            assert!(matches!(error, ConnectError::TimedOut(Stage::Handshake)), "{error:?}");
            assert_eq!(error.stage(), Some(Stage::Handshake));
            let took = began.elapsed();
            assert!(took >= limit && took < limit + Duration::from_secs(2), "{took:?}");
        }
    }
}
