//! The same chat over the WebSockets of sockless, each of which keeps what it has compressed before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::response::Response;
use axum::{Router, routing::any};
use sockless_axum::{Error, Policy, ServerConfig, Socket, WebSocketUpgrade, handshake::OriginPolicy};
use tokio::{select, sync::broadcast::Sender};

type Rooms = Arc<Mutex<HashMap<String, Sender<Arc<str>>>>>;

static CONFIG: ServerConfig =
    ServerConfig::new(OriginPolicy::SameHost).with_max_message_size(64 << 10).with_deflate(Policy::TAKEOVER);

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new().route("/rooms/{room}", any(join)).with_state(Rooms::default());
    frameworks::serve(app).await
}

async fn join(State(rooms): State<Rooms>, Path(room): Path<String>, ws: WebSocketUpgrade) -> Response {
    let room = rooms.lock().unwrap().entry(room).or_insert_with(|| Sender::new(64)).clone();
    ws.on_upgrade(&CONFIG, |socket| talk(socket, room))
}

async fn talk(mut socket: Socket, room: Sender<Arc<str>>) -> Result<(), Error> {
    let mut said = room.subscribe();
    loop {
        select! {
            message = socket.recv() => match message? {
                Some(message) => drop(room.send(message.as_text().unwrap_or_default().into())),
                None => return Ok(()),
            },
            text = said.recv() => match text {
                Ok(text) => socket.send(&*text).await?,
                Err(_) => return Ok(()),
            },
        }
    }
}
