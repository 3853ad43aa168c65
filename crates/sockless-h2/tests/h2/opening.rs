//! The opening handshake, and what is beside it on the connection.

use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::{Request, Response, StatusCode};
use sockless::deflate::{Offer, Policy};
use sockless::handshake::{ComposeError, HandshakeError, OriginPolicy};
use sockless::message::OwnedMessage;
use sockless::{Answer, ClientConfig, CloseCode, Connections, OpeningError, ServerConfig, Timeouts};
use sockless_h2::{accept, accept_with, client_builder, connect, is_extended_connect, server_builder, Error};

use crate::{both, echo, Link, CLIENT, SERVER, STREAMS};

#[tokio::test]
async fn req_8441_5_7_messages_of_every_size_come_back_and_a_close_is_clean() {
    let _watchdog = watchdog!();
    static DEFLATED: ClientConfig = ClientConfig::new().with_deflate(Offer::DEFAULT);
    for (client, deflates) in [(&CLIENT, false), (&DEFLATED, true)] {
        let mut link = Link::new().await;
        let server = SERVER.clone().with_deflate(Policy::DEFAULT);
        let (here, mut socket) = both(&mut link, &server, client).await;
        assert_eq!(here.negotiated().deflate.is_some(), deflates);
        assert_eq!(socket.negotiated().deflate.is_some(), deflates);
        let echo = tokio::spawn(echo(here));
        for len in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
            let text = "\u{e9}".repeat(len / 2);
            let sent: Vec<u8> = (0..len).map(|at| (at * 7 % 251) as u8).collect();
            socket.send(text.as_str()).await.unwrap();
            assert!(socket.recv().await.unwrap().unwrap().as_text() == Some(&text), "text of {len}");
            socket.send(&sent[..]).await.unwrap();
            let received: OwnedMessage = socket.recv().await.unwrap().unwrap().into();
            assert!(matches!(received, OwnedMessage::Binary(back) if back == sent), "{len} octets");
        }
        let closed = socket.close(CloseCode::NORMAL).await.unwrap().unwrap();
        assert!(closed.clean && closed.status == 1000, "{closed:?}");
        assert!(echo.await.unwrap().closed().unwrap().clean);
    }
}

#[tokio::test]
async fn a_server_chooses_a_subprotocol_and_adds_fields() {
    let _watchdog = watchdog!();
    let mut link = Link::new().await;
    static ASKS: ClientConfig = ClientConfig::new().with_subprotocols(&["v1", "v2"]);
    let send = link.send.clone();
    let opening = tokio::spawn(async move { connect(&send, "ws://server.example/chat?room=1", &ASKS).await });
    let (request, respond) = link.asked().await;
    assert!(is_extended_connect(&request));
    let socket = accept_with(request, respond, &SERVER, |request| {
        assert_eq!((request.path(), request.query()), ("/chat", Some("room=1")));
        assert_eq!(request.subprotocols().iter().collect::<Vec<_>>(), ["v1", "v2"]);
        Ok(Answer::new().with_subprotocol("v2").with_field("Set-Cookie", "a=b"))
    })
    .unwrap();
    let (client, response) = opening.await.unwrap().unwrap();
    assert_eq!((socket.subprotocol(), client.subprotocol()), (Some("v2"), Some("v2")));
    assert_eq!(
        (response.status(), &response.headers()["set-cookie"]),
        (StatusCode::OK, &"a=b".parse().unwrap())
    );
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused() {
    let _watchdog = watchdog!();
    let mut link = Link::new().await;
    for (origin, status) in [("http://server.example", 200), ("http://evil.example", 403)] {
        let fields = [("sec-websocket-version", "13"), ("origin", origin)];
        let (response, _send) = link.ask("websocket", &fields).await;
        let (request, respond) = link.asked().await;
        let opened = accept(request, respond, &SERVER);
        assert_eq!(response.await.unwrap().status().as_u16(), status);
        match (status, opened) {
            (200, Ok(_)) => {}
            (_, Err(Error::Opening(OpeningError::Handshake(HandshakeError::OriginRefused)))) => {}
            other => panic!("{other:?}"),
        }
    }
    static FOREIGN: ClientConfig = ClientConfig::new().with_fields(&[("Origin", "http://evil.example")]);
    let send = link.send.clone();
    let opening = tokio::spawn(async move { connect(&send, "ws://server.example/", &FOREIGN).await });
    let (request, respond) = link.asked().await;
    assert!(accept(request, respond, &SERVER).is_err());
    let error = opening.await.unwrap().unwrap_err();
    assert!(matches!(&error, Error::Rejected(answer) if answer.status() == 403), "{error:?}");
}

/// RFC 9113 section 8.1: a reset with NO_ERROR follows, which is no reason to drop the answer.
#[tokio::test]
async fn a_refusal_brings_its_fields_and_its_body() {
    let _watchdog = watchdog!();
    let mut link = Link::new().await;
    static SHORT: ClientConfig = ClientConfig::new().with_max_rejection_body(5);
    for (config, expected) in [(&CLIENT, "there is no such room"), (&SHORT, "there")] {
        let send = link.send.clone();
        let opening = tokio::spawn(async move { connect(&send, "ws://server.example/", config).await });
        let (request, respond) = link.asked().await;
        let opened = accept_with(request, respond, &SERVER, |_| {
            let response = Response::builder().status(404).header("retry-after", "1");
            Err::<(), _>(Box::new(response.body(Bytes::from("there is no such room")).unwrap()))
        });
        assert!(matches!(opened, Err(Error::Opening(OpeningError::Refused(404)))), "{opened:?}");
        let Err(Error::Rejected(answer)) = opening.await.unwrap() else { panic!() };
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["retry-after"]),
            (404, &"1".parse().unwrap())
        );
        assert_eq!(answer.body(), expected);
    }
}

#[tokio::test]
async fn a_refusal_never_opens_a_websocket() {
    let _watchdog = watchdog!();
    let mut link = Link::new().await;
    let (response, _send) = link.ask("websocket", &[("sec-websocket-version", "13")]).await;
    let (request, respond) = link.asked().await;
    let opened = accept_with(request, respond, &SERVER, |_| Err::<(), _>(Box::default()));
    assert!(
        matches!(opened, Err(Error::Opening(OpeningError::Compose(ComposeError::InvalidStatus)))),
        "{opened:?}"
    );
    assert_eq!(response.await.unwrap().status(), 500);
}

#[tokio::test]
async fn what_breaks_a_rule_gets_the_status_for_it() {
    let _watchdog = watchdog!();
    let mut link = Link::new().await;
    for (protocol, fields, status) in [
        ("websocket", &[("sec-websocket-version", "8")][..], 400),
        ("websocket", &[], 400),
        ("webtransport", &[], 501),
        ("websocket", &[("sec-websocket-version", "13"), ("sec-websocket-protocol", "a, a")], 400),
        ("websocket", &[("sec-websocket-version", "13"), ("expect", "100-continue")], 417),
    ] {
        let (response, _send) = link.ask(protocol, fields).await;
        let (request, respond) = link.asked().await;
        assert!(matches!(accept(request, respond, &SERVER), Err(Error::Opening(OpeningError::Handshake(_)))));
        let response = response.await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{fields:?}");
        let says_version = response.headers().get("sec-websocket-version").is_some();
        // RFC 6455 section 4.4.
        let wrong_version = protocol == "websocket" && !fields.contains(&("sec-websocket-version", "13"));
        assert_eq!(says_version, wrong_version, "{fields:?}");
        assert!(response.headers().get("connection").is_none());
    }
}

/// RFC 8441 section 4: nothing changes for what has no `:protocol`.
#[tokio::test]
async fn plain_requests_stay_with_the_program() {
    let _watchdog = watchdog!();
    let mut link = Link::new().await;
    let (server, mut client) = both(&mut link, &SERVER, &CLIENT).await;
    let echo = tokio::spawn(echo(server));
    for (method, uri) in [("GET", "http://server.example/"), ("CONNECT", "other.example:443")] {
        let request = Request::builder().method(method).uri(uri).body(()).unwrap();
        let (response, _send) =
            link.send.clone().ready().await.unwrap().send_request(request, false).unwrap();
        let (request, mut respond) = link.asked().await;
        assert!(!is_extended_connect(&request));
        assert_eq!(request.method(), method);
        let answer = Response::builder().status(299).body(()).unwrap();
        respond.send_response(answer, true).unwrap();
        assert_eq!(response.await.unwrap().status(), 299);
        client.send(method).await.unwrap();
        assert_eq!(client.recv().await.unwrap().unwrap().as_text(), Some(method));
    }
    // Whoever gives one to `accept` all the same gets an answer.
    let request = Request::builder().uri("http://server.example/").body(()).unwrap();
    let (response, _send) = link.send.clone().ready().await.unwrap().send_request(request, true).unwrap();
    let (request, respond) = link.asked().await;
    assert!(matches!(accept(request, respond, &SERVER), Err(Error::Opening(OpeningError::NotWebSocket))));
    assert_eq!(response.await.unwrap().status(), 400);
    client.close(CloseCode::NORMAL).await.unwrap();
    echo.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn req_8441_3_3_a_client_asks_only_where_the_server_allows_it() {
    let _watchdog = watchdog!();
    let mut link = Link::with(h2::server::Builder::new(), client_builder(STREAMS), Duration::ZERO).await;
    let opened = connect(&link.send, "ws://server.example/", &CLIENT).await;
    assert!(matches!(opened, Err(Error::NotEnabled)), "{opened:?}");
    assert!(link.asked.try_recv().is_err(), "nothing was sent");
    // It may take a while until it says so.
    let late = Duration::from_secs(4);
    let mut link = Link::with(server_builder(STREAMS), client_builder(STREAMS), late).await;
    let (server, mut client) = both(&mut link, &SERVER, &CLIENT).await;
    tokio::spawn(echo(server));
    client.send("Hello").await.unwrap();
    assert_eq!(client.recv().await.unwrap().unwrap().as_text(), Some("Hello"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_given_up_and_told() {
    let _watchdog = watchdog!();
    let mut link = Link::new().await;
    let opened = tokio::spawn({
        let send = link.send.clone();
        async move { connect(&send, "ws://server.example/", &ClientConfig::new()).await }
    });
    let (_request, mut respond) = link.asked().await;
    let error = opened.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::TimedOut), "{error:?}");
    let reason = std::future::poll_fn(|cx| respond.poll_reset(cx)).await.unwrap();
    assert_eq!(reason, Reason::CANCEL);
}

#[tokio::test]
async fn an_answer_that_breaks_a_rule_is_no_websocket() {
    let _watchdog = watchdog!();
    let mut link = Link::new().await;
    let send = link.send.clone();
    let opening = tokio::spawn(async move { connect(&send, "ws://server.example/", &CLIENT).await });
    let (_request, mut respond) = link.asked().await;
    let answer = Response::builder().header("sec-websocket-protocol", "unasked").body(()).unwrap();
    let mut send = respond.send_response(answer, false).unwrap();
    let error = opening.await.unwrap().unwrap_err();
    let expected = OpeningError::Handshake(HandshakeError::UnofferedSubprotocol);
    assert!(matches!(&error, Error::Opening(error) if *error == expected), "{error:?}");
    let reason = std::future::poll_fn(|cx| send.poll_reset(cx)).await.unwrap();
    assert_eq!(reason, Reason::CANCEL);
}

#[tokio::test]
async fn all_sockets_of_a_connection_are_closed_together() {
    let _watchdog = watchdog!();
    let mut link = Link::new().await;
    let connections = Connections::new();
    let config = ServerConfig::new(OriginPolicy::Any).with_connections(&connections);
    let mut clients = Vec::new();
    for _ in 0..STREAMS {
        let (server, client) = both(&mut link, &config, &CLIENT).await;
        tokio::spawn(echo(server));
        clients.push(tokio::spawn(async move {
            let mut client = client;
            while let Ok(Some(_)) = client.recv().await {}
            client.closed()
        }));
    }
    assert_eq!(connections.len(), STREAMS as usize);
    let within = tokio::time::sleep(Duration::from_secs(20));
    assert_eq!(connections.close_all(CloseCode::GOING_AWAY, "restart", within).await, 0);
    for client in clients {
        assert_eq!(client.await.unwrap().unwrap().status, 1001);
    }
}

#[tokio::test]
async fn the_timers_of_the_engine_run() {
    let _watchdog = watchdog!();
    let mut link = Link::new().await;
    let mut timeouts = Timeouts::NONE;
    timeouts.idle = Some(Duration::from_millis(50));
    let config = SERVER.clone().with_timeouts(timeouts);
    let (mut server, _client) = both(&mut link, &config, &CLIENT).await;
    let error = server.recv().await.unwrap_err();
    assert!(matches!(error, sockless::Error::Protocol(sockless::ProtocolError::TimedOut(_))), "{error:?}");
}
