//! The same chat over the WebSockets of sockless, each of which keeps what it has compressed before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::response::Response;
use axum::serve::ListenerExt as _;
use axum::{routing::any, Router};
use sockless_axum::{handshake::OriginPolicy, Error, Policy, ServerConfig, Socket, WebSocketUpgrade};
use tokio::{net::TcpListener, select, sync::broadcast::Sender};

type Rooms = Arc<Mutex<HashMap<String, Sender<Arc<str>>>>>;

static CONFIG: ServerConfig =
    ServerConfig::new(OriginPolicy::SameHost).with_max_message_size(64 << 10).with_deflate(Policy::TAKEOVER);

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let app = Router::new().route("/rooms/{room}", any(join)).with_state(Rooms::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    axum::serve(listener.tap_io(|stream| drop(stream.set_nodelay(true))), app).await
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
