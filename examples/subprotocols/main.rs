//! More than one protocol on one port: the client names those that it speaks, best one first, and each has its own code here.
//! `cargo run --release --example subprotocols`, and then `new WebSocket(url, "graphql-transport-ws")`.
//!
//! - `graphql-transport-ws`: several subscriptions over one connection, as GraphQL's clients ask for them. See `graphql.rs`.
//! - `lines`: text that comes back.
//!
//! Who speaks neither is refused with 400, before there is a WebSocket.

use std::io::{self, Write as _};
use std::time::Duration;

use clap::Parser;
use sockless::tokio::{accept_with, ServerSocket};
use sockless::{handshake::OriginPolicy, CloseCode, Error, Refusal, ServerConfig};
use tokio::net::{TcpListener, TcpStream};

mod graphql;

#[derive(Parser)]
struct Options {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9001")]
    listen: String,
}

const GRAPHQL: &str = "graphql-transport-ws";
const LINES: &str = "lines";
const KNOWN: &[&str] = &[GRAPHQL, LINES];
static CONFIG: ServerConfig =
    ServerConfig::new(OriginPolicy::SameHost).with_subprotocols(KNOWN).with_max_message_size(16 << 10);

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind(&Options::parse().listen).await?;
    let _ = writeln!(io::stdout(), "listening on {}", listener.local_addr()?);
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await; // too many open files, perhaps
            continue;
        };
        tokio::spawn(async move {
            serve(stream).await.map_err(|error| writeln!(io::stderr(), "{peer}: {error}"))
        });
    }
}

async fn serve(stream: TcpStream) -> Result<(), Error> {
    let mut socket = accept_with(stream, &CONFIG, |request| {
        let known = request.subprotocols().iter().any(|name| KNOWN.contains(&name));
        known.then_some(()).ok_or_else(|| Refusal::new(400).with_body(format!("speak {KNOWN:?}\n")))
    })
    .await?;
    match socket.subprotocol() {
        Some(GRAPHQL) => match graphql::serve(&mut socket).await? {
            Some(close) => socket.close(close).await.map(drop),
            None => Ok(()),
        },
        _ => lines(socket).await,
    }
}

async fn lines(mut socket: ServerSocket) -> Result<(), Error> {
    while let Some((message, mut outgoing)) = socket.recv_with().await? {
        if message.as_text().is_none() {
            return socket.close((CloseCode::UNSUPPORTED_DATA, "text only")).await.map(drop);
        }
        outgoing.feed(message).await?;
    }
    Ok(())
}
