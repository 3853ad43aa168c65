//! The same chat over the WebSockets of sockless.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use axum::extract::{Path, State};
use axum::response::Response;
use axum::{Router, routing::any};
use sockless_axum::sockless::deflate::{Tuning, WindowBits};
use sockless_axum::{
    Error, Policy, Prepared, ServerConfig, Socket, WebSocketUpgrade, handshake::OriginPolicy,
};
use tokio::{select, sync::broadcast::Sender};

type Rooms = Arc<Mutex<HashMap<String, Sender<Prepared>>>>;

static DEFLATE: LazyLock<bool> = LazyLock::new(|| std::env::var_os("DEFLATE").is_some());
static CONFIG: LazyLock<ServerConfig> = LazyLock::new(|| {
    let config = ServerConfig::new(OriginPolicy::SameHost).with_max_message_size(64 << 10);
    if *DEFLATE { config.with_deflate(Policy::DEFAULT) } else { config }
});

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new().route("/rooms/{room}", any(join)).with_state(Rooms::default());
    frameworks::serve(app).await
}

async fn join(State(rooms): State<Rooms>, Path(room): Path<String>, ws: WebSocketUpgrade) -> Response {
    let room = rooms.lock().unwrap().entry(room).or_insert_with(|| Sender::new(64)).clone();
    ws.on_upgrade(&CONFIG, |socket| talk(socket, room))
}

async fn talk(mut socket: Socket, room: Sender<Prepared>) -> Result<(), Error> {
    let mut said = room.subscribe();
    loop {
        select! {
            message = socket.recv() => match message? {
                Some(message) if *DEFLATE => {
                    drop(room.send(Prepared::deflated(message, WindowBits::MAX, Tuning::DEFAULT)?))
                }
                Some(message) => drop(room.send(Prepared::new(message))),
                None => return Ok(()),
            },
            message = said.recv() => match message {
                Ok(message) => socket.send_prepared(&message).await?,
                Err(_) => return Ok(()),
            },
        }
    }
}
