//! What is answered: refusals, and what an application adds.

use crate::{config, exchange, head, serve, serve_with, KEY};

use hyper::Request;
use sockless::handshake::{HandshakeError, HeadLimits, OriginPolicy};
use sockless::{Answer, OpeningError, ServerConfig};
use sockless_hyper::{receive, receive_with, upgrade, Refusal, TestUpgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn request() -> Request<()> {
    let request = Request::get("/chat?room=1")
        .header("host", "example.com")
        .header("connection", "keep-alive, Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", KEY);
    request.extension(TestUpgrade::pair().0).body(()).unwrap()
}

fn with(name: &'static str, value: &str) -> Request<()> {
    let mut request = request();
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

fn refused(mut request: Request<()>) -> Refusal {
    upgrade(&mut request, &config()).expect_err("it is refused")
}

fn field<'r>(refusal: &'r Refusal, name: &str) -> Option<&'r str> {
    refusal.fields().get(name).map(|value| value.to_str().unwrap())
}

#[test]
fn each_fault_has_its_status_and_a_text() {
    let _watchdog = watchdog!();
    let mut without_upgrade = request();
    without_upgrade.headers_mut().remove("upgrade");
    let mut http_1_0 = request();
    *http_1_0.version_mut() = hyper::Version::HTTP_10;
    let mut post = request();
    *post.method_mut() = hyper::Method::POST;
    let mut nowhere = request();
    nowhere.extensions_mut().clear();
    for (request, status, reason, text) in [
        (with("sec-websocket-version", "8"), 426, Some(HandshakeError::UnsupportedVersion), "Version"),
        (with("origin", "http://evil.example"), 403, Some(HandshakeError::OriginRefused), "origin"),
        (with("sec-websocket-key", "short"), 400, Some(HandshakeError::InvalidKey), "ey"),
        (post, 405, Some(HandshakeError::MethodNotAllowed), "GET"),
        (http_1_0, 505, Some(HandshakeError::UnsupportedHttpVersion), "the proxy must speak HTTP/1.1"),
        (without_upgrade, 426, None, "the proxy must speak HTTP/1.1"),
        (nowhere, 426, None, "The proxy must speak HTTP/1.1"),
    ] {
        let refusal = refused(request);
        assert_eq!(refusal.status(), status, "{refusal:?}");
        let expected = reason.map_or(OpeningError::NotWebSocket, OpeningError::Handshake);
        assert_eq!(*refusal.reason(), expected);
        let body = String::from_utf8(refusal.body().to_vec()).unwrap();
        assert!(body.contains(text) && body.ends_with('\n'), "{status}: {body}");
        assert_eq!(field(&refusal, "content-type"), Some("text/plain; charset=utf-8"));
        if status == 426 {
            assert_eq!(field(&refusal, "upgrade"), Some("websocket"));
            assert_eq!(field(&refusal, "sec-websocket-version"), Some("13"));
        }
        let response = refusal.into_response::<Vec<u8>>();
        assert_eq!((response.status().as_u16(), response.into_body()), (status, body.into_bytes()));
    }
}

#[tokio::test]
async fn a_refusal_leaves_the_connection_for_another_request() {
    let _watchdog = watchdog!();
    let (mut client, _ends) = serve(config());
    for (line, status) in [("Origin: http://evil.example", "403"), ("Sec-WebSocket-Protocol: (", "400")] {
        let (lines, _) = exchange(&mut client, head(&[line]).as_bytes(), 0).await;
        assert!(lines[0].contains(status), "{lines:?}");
        let length = lines.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        client.read_exact(&mut body).await.unwrap();
        assert!(body.ends_with(b"\n"), "{body:?}");
    }
    let (lines, _) = exchange(&mut client, head(&["Origin: http://example.com"]).as_bytes(), 0).await;
    assert!(lines[0].contains("101"), "{lines:?}");
}

#[tokio::test]
async fn http_1_0_is_told_what_the_proxy_must_do() {
    let _watchdog = watchdog!();
    let (mut client, _ends) = serve(config());
    let old = head(&[]).replacen("HTTP/1.1", "HTTP/1.0", 1);
    client.write_all(old.as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.0 505") && answer.contains("proxy_http_version 1.1"), "{answer}");
}

#[tokio::test]
async fn an_application_sees_the_request_and_shapes_the_answer() {
    let _watchdog = watchdog!();
    let (mut client, mut ends) = serve_with(|request| {
        let opening = receive(request).map_err(Refusal::into_response)?;
        assert_eq!(
            (opening.path(), opening.query(), opening.host()),
            ("/chat", Some("room=1"), "example.com")
        );
        assert_eq!(opening.origin(), Some("https://example.com"));
        assert_eq!(opening.subprotocols().collect::<Vec<_>>(), ["a", "b", "c"]);
        if opening.headers().get("authorization").is_none() {
            let refusal = opening.refuse(401, "who?").with_field("WWW-Authenticate", "Bearer");
            return Err(refusal.into_response());
        }
        let answer = Answer::new().with_field("Set-Cookie", "id=1").with_subprotocol("b");
        opening.accept(&ServerConfig::new(OriginPolicy::SameHost), &answer).map_err(Refusal::into_response)
    });
    let fields = ["Origin: https://example.com", "Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Protocol: c"];
    let (lines, body) = exchange(&mut client, head(&fields).as_bytes(), 4).await;
    assert!(
        lines[0].contains("401") && lines.iter().any(|line| line == "www-authenticate: Bearer"),
        "{lines:?}"
    );
    assert_eq!(body, b"who?");
    let with_token = [&fields[..], &["Authorization: Bearer x"]].concat();
    let (lines, _) = exchange(&mut client, head(&with_token).as_bytes(), 0).await;
    for line in ["set-cookie: id=1", "sec-websocket-protocol: b"] {
        assert!(lines.iter().any(|written| written == line), "{lines:?}");
    }
    drop(client);
    assert_eq!(ends.recv().await.unwrap().0.subprotocol(), Some("b"));
}

#[test]
fn an_opening_can_be_kept_and_moved() {
    fn movable<T: Send + 'static>(kept: T) -> T {
        kept
    }
    let mut kept = request();
    let opening = movable(receive(&mut kept).unwrap());
    drop(kept);
    let text = format!("{opening:?}");
    assert!(!text.contains("room=1") && !text.contains(KEY), "{text}");
    let (response, upgrade) = opening.accept(&config().with_subprotocols(&["a"]), &Answer::new()).unwrap();
    assert_eq!(response.status(), 101);
    let upgrade = movable(upgrade);
    assert_eq!((upgrade.subprotocol(), upgrade.negotiated().deflate), (None, None));
}

#[test]
fn an_invalid_answer_is_a_500_that_says_nothing_of_it() {
    for answer in [Answer::new().with_field("Upgrade", "x"), Answer::new().with_subprotocol("unoffered")] {
        let refusal = receive(&mut request()).unwrap().accept(&config(), &answer).expect_err("it is invalid");
        assert_eq!(refusal.status(), 500);
        assert!(matches!(refusal.reason(), OpeningError::Compose(_)));
        assert!(!String::from_utf8_lossy(refusal.body()).contains("unoffered"));
    }
    for status in [0, 99, 101, 200, 299, 600, u16::MAX] {
        assert_eq!(Refusal::new(status, "").status(), 500);
    }
}

#[test]
fn limits_of_heads_are_those_that_were_given() {
    let tight = HeadLimits::DEFAULT.with_max_fields(4);
    let refusal = receive_with(&mut request(), &tight).expect_err("it has 5 fields");
    assert_eq!(refusal.status(), 431);
    let config = config().with_head_limits(tight);
    assert_eq!(upgrade(&mut request(), &config).expect_err("it has 5 fields").status(), 431);
}

#[tokio::test]
async fn a_stream_is_given_once() {
    let _watchdog = watchdog!();
    let (stream, mut peer) = TestUpgrade::pair();
    let mut first = request();
    first.extensions_mut().insert(stream.clone());
    let (_, opening) = upgrade(&mut first, &config()).unwrap();
    let mut second = request();
    second.extensions_mut().insert(stream);
    assert_eq!(refused(second).status(), 426);
    let mut socket = opening.await.unwrap();
    socket.send("Hello").await.unwrap();
    let mut received = [0; 7];
    peer.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"\x81\x05Hello");
}
