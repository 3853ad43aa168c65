//! A chat with rooms, which ends well: `cargo run -p sockless-axum --example axum_chat`, then `ws://127.0.0.1:3000/rooms/lobby?name=me`.
//!
//! What one says goes to all of the room, encoded once. Who reads too slowly for 64 messages is disconnected. Ctrl-C sends everybody
//! a Close with 1001 and waits ten seconds at most. `tests/chat.rs` asks the same router without a network.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{routing::any, serve::ListenerExt as _, Router};
use sockless_axum::handshake::OriginPolicy;
use sockless_axum::sockless::deflate::{Tuning, WindowBits};
use sockless_axum::{CloseCode, Error, Policy, Prepared, ServerConfig, Socket, Sockets, WebSocketUpgrade};
use tokio::sync::broadcast::{error::RecvError, Sender};
use tokio::{net::TcpListener, select, signal::ctrl_c};

static CONFIG: ServerConfig =
    ServerConfig::new(OriginPolicy::SameHost).with_max_message_size(4 << 10).with_deflate(Policy::DEFAULT);

/// A room is there as long as somebody is in it.
#[derive(Clone, Default)]
pub struct Chat {
    rooms: Arc<Mutex<HashMap<String, Sender<Prepared>>>>,
    pub sockets: Sockets,
}

pub fn app(chat: Chat) -> Router {
    Router::new().route("/rooms/{room}", any(join)).with_state(chat)
}

async fn join(
    State(chat): State<Chat>,
    Path(room): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    ws: WebSocketUpgrade,
) -> Response {
    match query.get("name").map(|name| name.trim()) {
        Some(name) if (1..=20).contains(&name.len()) && room.len() <= 20 => {
            let name = name.to_owned();
            ws.with_sockets(&chat.sockets).on_upgrade(&CONFIG, |socket| talk(socket, chat, room, name))
        }
        _ => (StatusCode::BAD_REQUEST, "name and room have 1 to 20 octets\n").into_response(),
    }
}

async fn talk(socket: Socket, chat: Chat, room: String, name: String) {
    let rooms = || chat.rooms.lock().unwrap_or_else(PoisonError::into_inner);
    let all = rooms().entry(room.clone()).or_insert_with(|| Sender::new(64)).clone();
    let _ = say(socket, &all, &name).await; // a client that is gone is no fault of ours
    let mut rooms = rooms();
    if all.receiver_count() == 0 {
        rooms.remove(&room);
    }
}

async fn say(mut socket: Socket, all: &Sender<Prepared>, name: &str) -> Result<(), Error> {
    let mut said = all.subscribe();
    let _ = all.send(once(format!("{name} is here")));
    loop {
        select! {
            message = socket.recv() => {
                let Some(message) = message? else { break };
                let text = message.as_text().unwrap_or("(bytes)");
                let _ = all.send(once(format!("{name}: {text}")));
            }
            message = said.recv() => match message {
                Ok(message) => socket.send_prepared(&message).await?,
                Err(RecvError::Lagged(_)) => drop(socket.close((CloseCode::TRY_AGAIN_LATER, "too slow")).await?),
                Err(RecvError::Closed) => break,
            },
        }
    }
    drop(said);
    let _ = all.send(once(format!("{name} is gone")));
    Ok(())
}

/// Compressed and framed once, for all who hear it.
fn once(text: String) -> Prepared {
    Prepared::deflated(&text, WindowBits::MAX, Tuning::DEFAULT).unwrap_or_else(|_| Prepared::new(&text))
}

#[allow(dead_code, reason = "the test has no use for it")]
#[tokio::main]
async fn main() -> io::Result<()> {
    let chat = Chat { sockets: Sockets::with_max(10_000), ..Chat::default() };
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    let _ = writeln!(io::stdout(), "listening on {}", listener.local_addr()?);
    let stop = chat.sockets.close_after(ctrl_c(), Duration::from_secs(10));
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, app(chat.clone())).with_graceful_shutdown(stop).await?;
    let dropped = chat.sockets.ended().await;
    let _ = writeln!(io::stdout(), "{dropped} were dropped");
    Ok(())
}
