//! Who is it? A page cannot set header fields for a WebSocket, and a URL ends up in logs. So a token comes in one of two ways:
//!
//! - as one more subprotocol: `new WebSocket(url, ["chat.v1", "bearer." + token])`. A wrong one is refused with 401.
//! - as the first message, within five seconds. A wrong one is answered by a Close with 1008, and so is none.
//!
//! `cargo run --release --example auth -- --users FILE`, with a file of lines `NAME TOKEN`. Behind TLS, of course.

use std::io::{self, Write as _};
use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};

use clap::Parser;
use sha2::{Digest as _, Sha256};
use sockless::handshake::OriginPolicy;
use sockless::tokio::{accept_with, ServerSocket};
use sockless::{CloseCode, Error, Refusal, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

#[derive(Parser)]
struct Options {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9001")]
    listen: String,
    /// A line `NAME TOKEN` for each user. Make a token of 16 random bytes at least.
    #[arg(long)]
    users: PathBuf,
}

/// A token is in no list of ours, so it is never sent back.
static CONFIG: ServerConfig =
    ServerConfig::new(OriginPolicy::SameHost).with_subprotocols(&["chat.v1"]).with_max_message_size(16 << 10);

/// Names by the hash of the token. The time to look a hash up tells nothing of the token, and nor does a dump of memory.
struct Users(HashMap<[u8; 32], String>);

impl Users {
    fn parse(lines: &str) -> Self {
        let users = lines.lines().filter_map(|line| line.trim().split_once(' '));
        Self(users.map(|(name, token)| (Self::hash(token), name.to_owned())).collect())
    }

    fn hash(token: &str) -> [u8; 32] {
        Sha256::digest(token).into()
    }

    fn name(&self, token: &str) -> Option<&str> {
        self.0.get(&Self::hash(token)).map(String::as_str)
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let options = Options::parse();
    let users = Arc::new(Users::parse(&tokio::fs::read_to_string(options.users).await?));
    let listener = TcpListener::bind(&options.listen).await?;
    let _ = writeln!(io::stdout(), "listening on {}", listener.local_addr()?);
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            sleep(Duration::from_millis(50)).await; // too many open files, perhaps
            continue;
        };
        let users = Arc::clone(&users);
        tokio::spawn(async move {
            serve(stream, &users).await.map_err(|error| writeln!(io::stderr(), "{peer}: {error}"))
        });
    }
}

async fn serve(stream: TcpStream, users: &Users) -> Result<(), Error> {
    let mut user = None;
    let mut socket = accept_with(stream, &CONFIG, |request| {
        let token = request.subprotocols().iter().find_map(|name| name.strip_prefix("bearer."));
        let Some(token) = token else { return Ok(()) }; // it may come later
        let refusal = Refusal::new(401).with_field("WWW-Authenticate", "Bearer").with_body("wrong token\n");
        user = Some(users.name(token).ok_or(refusal)?);
        Ok(())
    })
    .await?;
    if user.is_none() {
        let Ok(first) = timeout(Duration::from_secs(5), socket.recv()).await else {
            return socket.close((CloseCode::POLICY_VIOLATION, "no token in time")).await.map(drop);
        };
        let Some(first) = first? else { return Ok(()) };
        user = first.as_text().and_then(|token| users.name(token));
    }
    match user {
        Some(user) => talk(socket, user).await,
        None => socket.close((CloseCode::POLICY_VIOLATION, "wrong token")).await.map(drop),
    }
}

/// Only those come here who have said who they are.
async fn talk(mut socket: ServerSocket, user: &str) -> Result<(), Error> {
    socket.send(&format!("hello {user}")).await?;
    while let Some((message, mut outgoing)) = socket.recv_with().await? {
        outgoing.feed(message).await?;
    }
    Ok(())
}
