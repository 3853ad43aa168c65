//! How a server ends: over both versions of HTTP, with handlers that listen and handlers that do not.

use std::future::pending;
use std::time::{Duration, Instant};

use axum::routing::any;
use axum::Router;
use sockless_axum::test::connect;
use sockless_axum::{ClientConfig, CloseCode, Socket, Sockets, WebSocketUpgrade};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::common::{echo, over_http1, over_http2, SAME_HOST};

fn app(sockets: &Sockets) -> Router {
    let (one, other) = (sockets.clone(), sockets.clone());
    Router::new()
        .route("/", any(async || "a page"))
        .route(
            "/listens",
            any(async move |ws: WebSocketUpgrade| ws.with_sockets(&one).on_upgrade(&SAME_HOST, echo)),
        )
        .route(
            "/sleeps",
            any(async move |ws: WebSocketUpgrade| {
                ws.with_sockets(&other).on_upgrade(&SAME_HOST, sleep_for_ever)
            }),
        )
}

async fn sleep_for_ever(_socket: Socket) {
    pending::<()>().await;
}

#[tokio::test]
async fn a_server_ends_in_time_and_who_listens_gets_1001() {
    let _watchdog = watchdog!();
    for (http2, path, dropped) in
        [(false, "/listens", 0), (false, "/sleeps", 1), (true, "/listens", 0), (true, "/sleeps", 1)]
    {
        let what = format!("http2: {http2}, {path}");
        let sockets = Sockets::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (stop, stopped) = oneshot::channel::<()>();
        // Who listens needs none of it.
        let within = if dropped == 0 { Duration::from_secs(25) } else { Duration::from_millis(300) };
        let signal = sockets.close_after(stopped, within);
        let app = app(&sockets);
        let server =
            tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(signal).await });
        let opened = match http2 {
            false => over_http1(&address, path).await,
            true => over_http2(&address, path).await,
        };
        let mut client = opened.unwrap();
        assert_eq!(sockets.len(), 1, "{what}");
        let began = Instant::now();
        stop.send(()).unwrap();
        let heard = tokio::spawn(async move {
            let ended = client.recv().await.map(|message| message.is_none());
            (ended.is_ok(), client.received_close().and_then(|close| close.code()))
        });
        server.await.unwrap().unwrap();
        assert_eq!(sockets.ended().await, dropped, "{what}");
        assert!(sockets.is_empty(), "{what}");
        let took = began.elapsed();
        let (at_least, at_most) =
            if dropped == 0 { (Duration::ZERO, within / 2) } else { (within, within * 20) };
        assert!((at_least..at_most).contains(&took), "{what}: {took:?}");
        let expected = (dropped == 0).then_some(CloseCode::GOING_AWAY);
        assert_eq!(heard.await.unwrap(), (dropped == 0, expected), "{what}");
    }
}

#[tokio::test]
async fn who_comes_after_the_end_has_begun_gets_503() {
    let _watchdog = watchdog!();
    let sockets = Sockets::new();
    let config = ClientConfig::new();
    sockets.start_close_all(CloseCode::GOING_AWAY, "", Duration::ZERO);
    let opened = connect(app(&sockets), "ws://localhost/listens", &config).await;
    assert_eq!(opened.unwrap_err().status().unwrap(), 503);
    assert_eq!(sockets.ended().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_are_closed_together() {
    let _watchdog = watchdog!();
    let sockets = Sockets::new();
    let config = ClientConfig::new();
    let mut clients = Vec::new();
    for _ in 0..1000 {
        let client = connect(app(&sockets), "ws://localhost/listens", &config);
        clients.push(client.await.unwrap());
    }
    let clients = Vec::from_iter(clients.into_iter().map(|mut client| {
        tokio::spawn(async move {
            assert!(client.recv().await.unwrap().is_none());
            let close = client.received_close().unwrap();
            (close.code(), close.reason().to_owned())
        })
    }));
    let dropped = sockets.close_all(CloseCode::SERVICE_RESTART, "back soon", Duration::from_secs(20)).await;
    assert_eq!(dropped, 0);
    for client in clients {
        assert_eq!(client.await.unwrap(), (Some(CloseCode::SERVICE_RESTART), "back soon".to_owned()));
    }
}

#[tokio::test]
async fn the_end_comes_though_a_handler_is_never_run() {
    let _watchdog = watchdog!();
    let sockets = Sockets::new();
    let never = sockets.clone();
    let keep = async move |ws: WebSocketUpgrade| {
        let (response, served) = ws.with_sockets(&never).accept(&SAME_HOST, echo).unwrap();
        std::mem::forget(served);
        response
    };
    let app = Router::new().route("/", any(keep));
    let config = ClientConfig::new();
    let _client = connect(app, "ws://localhost/", &config).await.unwrap();
    tokio::time::pause();
    assert_eq!(sockets.close_all(CloseCode::GOING_AWAY, "", Duration::from_secs(5)).await, 1);
}
