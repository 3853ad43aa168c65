//! Stands between clients and a server: `cargo run --release --example proxy -- --to ws://127.0.0.1:9001`.
//!
//! Each side has a connection of its own, with its own Pings, timers and masks; what passes is messages, in pieces of any
//! size, and the codes and reasons of Closes. Nothing is collected: who reads slowly slows down the other side, through here.
//!
//! Of the request, the path, the query and the subprotocols go on. Its other header fields do not.

use std::io::{self, Write as _};
use std::{net::SocketAddr, sync::Arc, time::Duration};

use clap::Parser;
use sockless::handshake::OriginPolicy;
use sockless::tokio::{accept_with, connect, Receiver, Sender};
use sockless::{Answer, ClientConfig, CloseCode, CloseFrame, Error, Payload, Role, ServerConfig};
use tokio::net::{TcpListener, TcpStream};

#[derive(Parser)]
struct Options {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9000")]
    listen: String,
    /// The server, without a path.
    #[arg(long, value_name = "ws://HOST:PORT")]
    to: String,
    /// Octets of the largest message.
    #[arg(long, value_name = "OCTETS", default_value = "16777216")]
    max_message: u64,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let options = Arc::new(Options::parse());
    let listener = TcpListener::bind(&options.listen).await?;
    let _ = writeln!(io::stdout(), "listening on {}", listener.local_addr()?);
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await; // too many open files, perhaps
            continue;
        };
        let options = Arc::clone(&options);
        tokio::spawn(async move {
            join(stream, peer, &options).await.map_err(|error| writeln!(io::stderr(), "{peer}: {error}"))
        });
    }
}

async fn join(stream: TcpStream, peer: SocketAddr, options: &Options) -> Result<(), Error> {
    let config = ServerConfig::new(OriginPolicy::SameHost).with_max_message_size(options.max_message);
    let (mut url, mut offered) = (String::new(), None);
    // The client gets its answer before the server is asked, so it is the first subprotocol that counts.
    let mut client = accept_with(stream, &config, |request| {
        url = format!("{}{}", options.to, request.target());
        offered = request.subprotocols().iter().next().map(String::from);
        Ok(offered.clone().map_or(Answer::new(), |name| Answer::new().with_subprotocol(name)))
    })
    .await?;
    let mut config = ClientConfig::new().with_max_message_size(options.max_message);
    config = config.with_field("X-Forwarded-For", peer.ip().to_string());
    if let Some(name) = offered {
        config = config.with_subprotocol(name);
    }
    let server = match connect(&*url, &config).await {
        Ok(server) if server.subprotocol() == client.subprotocol() => server,
        other => {
            client.close((CloseCode::BAD_GATEWAY, "the server cannot be reached")).await?;
            return other.map(drop);
        }
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let up = pass(from_client, to_server, CloseCode::GOING_AWAY);
    let down = pass(from_server, to_client, CloseCode::BAD_GATEWAY);
    let (up, down) = tokio::join!(up, down);
    up.and(down)
}

/// Passes messages on until there are no more, and then how it ended: by a Close, or by `lost`, since a connection that was
/// lost has no code that may be sent.
async fn pass<A: Role, B: Role>(
    mut from: Receiver<TcpStream, A>,
    mut to: Sender<TcpStream, B>,
    lost: CloseCode,
) -> Result<(), Error> {
    let mut takes = true;
    let ended = loop {
        match from.recv_piece().await {
            // Where nobody takes it any more, this reads on, up to the Close.
            Ok(Some(piece)) => match Payload::forward(&piece) {
                Some(payload) if takes => takes = to.send_fragment(payload, piece.is_last()).await.is_ok(),
                _ => {}
            },
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    let close = from.received_close().unwrap_or(CloseFrame::from(lost));
    let _ = to.start_close(close).await; // it may be closed already
    ended
}
