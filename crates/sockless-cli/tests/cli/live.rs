//! `sockless inspect` between a client and a server.

use std::io::{BufRead, BufReader};

use serde_json::{json, Value};
use sockless::deflate::Policy;
use sockless::tokio::{accept, accept_with};
use sockless_connect::{CloseCode, Connect, ConnectError, Message};
use tokio::task::spawn_blocking;

use crate::certificates::identity;
use crate::support::{command, first_line, start, tcp_server, OPEN};

/// The program in front of this server, and its URL.
async fn between(arguments: &[&str]) -> (std::process::Child, String) {
    let all = [&["inspect", "--listen", "127.0.0.1:0", "--json", "--no-proxy"], arguments].concat();
    let mut child = start(&mut command(&all));
    let (child, line) = spawn_blocking(move || {
        let line = first_line(&mut child);
        (child, line)
    })
    .await
    .unwrap();
    (child, line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}")).into())
}

/// What it has written until this connection was over.
async fn events(mut child: std::process::Child) -> Vec<Value> {
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let reading = spawn_blocking(move || {
        let mut events = Vec::new();
        for line in stdout.lines() {
            let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let text = event["text"].as_str().unwrap_or_default();
            let is_over = event["event"] == "note" && (text == "closed" || text.starts_with("lost"));
            events.push(event);
            if is_over {
                break;
            }
        }
        events
    });
    let events = reading.await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_passed_on_and_shown() {
    let _watchdog = watchdog!();
    let identity = identity("everything_is_passed_on_and_shown");
    let acceptor = identity.acceptor.clone();
    let address = tcp_server(move |stream| {
        let (acceptor, host) = (acceptor.clone(), stream.local_addr().unwrap().to_string());
        async move {
            let stream = acceptor.accept(stream).await.unwrap();
            let config = OPEN.clone().with_deflate(Policy::DEFAULT).with_subprotocol("v1");
            let decide = |request: &sockless::handshake::server::Request<'_>| {
                assert_eq!((request.host(), request.target()), (host.as_str(), "/asked?for"));
                Ok(())
            };
            let mut socket = accept_with(stream, &config, decide).await.unwrap();
            while let Some((message, mut outgoing)) = socket.recv_with().await.unwrap() {
                outgoing.feed(message).await.unwrap();
            }
        }
    });
    let to = format!("wss://{}/", address.await);
    let (child, url) = between(&["--to", &to, "--cacert", identity.certificate.to_str().unwrap()]).await;
    let server = Connect::new(format!("{url}asked?for")).with_subprotocol("v1");
    let (mut socket, response) = server.connect().await.unwrap();
    assert_eq!(response.field("Sec-WebSocket-Protocol"), Some("v1"));
    let text = "a\u{1b}b".repeat(100);
    socket.send(text.as_str()).await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some(Message::Text(&text)));
    assert!(socket.close(CloseCode::NORMAL).await.unwrap().unwrap().clean);

    let events = events(child).await;
    for from in ["client", "server"] {
        let of_side: Vec<_> = events.iter().filter(|event| event["from"] == from).collect();
        let kinds: Vec<_> = of_side.iter().map(|event| event["event"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["head", "frame", "message", "frame", "close", "end"], "{from}");
        assert_eq!((&of_side[1]["rsv1"], &of_side[2]["compressed"]), (&json!(true), &json!(true)));
        assert_eq!((&of_side[2]["text"], &of_side[4]["code"]), (&json!(text), &json!(1000)));
    }
    let start = &events.iter().find(|event| event["event"] == "head").unwrap()["start"];
    assert_eq!(start, "GET /asked?for HTTP/1.1");
    let times: Vec<_> = events.iter().map(|event| event["time"].as_f64().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_path_of_the_url_takes_precedence_and_faults_are_passed_on() {
    let _watchdog = watchdog!();
    let address = tcp_server(|stream| async move {
        let decide = |request: &sockless::handshake::server::Request<'_>| {
            assert_eq!(request.target(), "/mine?q");
            Ok(())
        };
        let socket = accept_with(stream, &OPEN, decide).await.unwrap();
        let mut stream = socket.into_inner().into_inner();
        // A masked frame of a server.
        tokio::io::AsyncWriteExt::write_all(&mut stream, &[0x81, 0x80, 0, 0, 0, 0]).await.unwrap();
        let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 64]).await;
    });
    let (child, url) = between(&["--to", &format!("ws://{}/mine?q", address.await)]).await;
    let (mut socket, _) = Connect::new(format!("{url}other")).connect().await.unwrap();
    let error = socket.recv().await.unwrap_err();
    assert_eq!(error.to_string(), "a server sent a masked frame");
    drop(socket);
    let events = events(child).await;
    let fault = events.iter().find(|event| event["event"] == "fault").unwrap();
    assert_eq!((&fault["from"], &fault["text"]), (&json!("server"), &json!("a server sent a masked frame")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there() {
    let _watchdog = watchdog!();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (child, url) = between(&["--to", &format!("ws://{free}/")]).await;
    match Connect::new(url).connect().await {
        Err(ConnectError::Rejected(response)) => assert_eq!(response.status(), 502),
        other => panic!("{:?}", other.map(drop)),
    }
    let events = events(child).await;
    assert!(events.last().unwrap()["text"].as_str().unwrap().starts_with("lost: "), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_passed_on() {
    let _watchdog = watchdog!();
    let address = tcp_server(|stream| async move {
        let config = sockless::ServerConfig::new(sockless::handshake::OriginPolicy::NonBrowser);
        drop(accept(stream, &config).await);
    });
    let (child, url) = between(&["--to", &format!("ws://{}/", address.await)]).await;
    match Connect::new(url).with_origin("https://example.com").connect().await {
        Err(ConnectError::Rejected(response)) => assert_eq!(response.status(), 403),
        other => panic!("{:?}", other.map(drop)),
    }
    let events = events(child).await;
    assert!(events.iter().any(|event| event["text"] == "the server refused"), "{events:?}");
}
