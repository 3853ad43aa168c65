//! The example `axum_chat`, asked in memory.

#[macro_use]
#[path = "../../../tests/common/watchdog.rs"]
mod watchdog;

#[path = "../examples/axum_chat.rs"]
mod axum_chat;

use std::time::Duration;

use axum_chat::{app, Chat};
use sockless_axum::sockless::deflate::Offer;
use sockless_axum::test::{connect, connect_http2, TestSocket};
use sockless_axum::{ClientConfig, CloseCode};

async fn next(client: &mut TestSocket) -> String {
    client.recv().await.unwrap().unwrap().as_text().unwrap().to_owned()
}

#[tokio::test]
async fn what_one_says_goes_to_the_room_and_the_end_is_told() {
    let _watchdog = watchdog!();
    let (chat, config) = (Chat::default(), ClientConfig::new().with_deflate(Offer::DEFAULT));
    let app = app(chat.clone());
    let mut ann = connect(app.clone(), "ws://localhost/rooms/lobby?name=Ann", &config).await.unwrap();
    assert_eq!(next(&mut ann).await, "Ann is here");
    let mut bob = connect_http2(app.clone(), "ws://localhost/rooms/lobby?name=Bob", &config).await.unwrap();
    let mut eve = connect(app.clone(), "ws://localhost/rooms/other?name=Eve", &config).await.unwrap();
    for client in [&mut ann, &mut bob] {
        assert_eq!(next(client).await, "Bob is here");
    }
    bob.send("Hello").await.unwrap();
    for client in [&mut ann, &mut bob] {
        assert_eq!(next(client).await, "Bob: Hello");
    }
    assert_eq!(next(&mut eve).await, "Eve is here", "and nothing of the lobby");
    bob.close(CloseCode::NORMAL).await.unwrap();
    assert_eq!(next(&mut ann).await, "Bob is gone");

    let refused = connect(app, "ws://localhost/rooms/lobby", &config).await.unwrap_err();
    assert_eq!(refused.status().unwrap(), 400);

    let heard = tokio::spawn(async move {
        assert!(ann.recv().await.unwrap().is_none());
        assert!(eve.recv().await.unwrap().is_none());
        ann.received_close().unwrap().code()
    });
    let dropped = chat.sockets.close_all(CloseCode::GOING_AWAY, "", Duration::from_secs(5)).await;
    assert_eq!(dropped, 0);
    assert_eq!(heard.await.unwrap(), Some(CloseCode::GOING_AWAY));
}
