//! A chat with rooms over axum's own WebSockets.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::Response;
use axum::{Router, routing::any};
use tokio::{select, sync::broadcast::Sender};

type Rooms = Arc<Mutex<HashMap<String, Sender<Utf8Bytes>>>>;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new().route("/rooms/{room}", any(join)).with_state(Rooms::default());
    frameworks::serve(app).await
}

async fn join(State(rooms): State<Rooms>, Path(room): Path<String>, ws: WebSocketUpgrade) -> Response {
    let ws = match std::env::var("BUFFER").ok().and_then(|octets| octets.parse().ok()) {
        Some(octets) => ws.read_buffer_size(octets).write_buffer_size(octets),
        None => ws,
    };
    let room = rooms.lock().unwrap().entry(room).or_insert_with(|| Sender::new(64)).clone();
    ws.max_message_size(64 << 10).on_upgrade(|socket| talk(socket, room))
}

async fn talk(mut socket: WebSocket, room: Sender<Utf8Bytes>) {
    let mut said = room.subscribe();
    loop {
        select! {
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => drop(room.send(text)),
                Some(Ok(_)) => {}
                _ => return,
            },
            text = said.recv() => match text {
                Ok(text) => {
                    if socket.send(Message::Text(text)).await.is_err() {
                        return;
                    }
                }
                Err(_) => return,
            },
        }
    }
}
