//! Messages as JSON, with types of your own: `cargo run --release --example json`, and then `{"type":"sum","of":[1,2]}`.
//!
//! What a client may say is one `enum`, and what the server answers another one. What is neither is answered by an error, which
//! says where the fault is and repeats nothing of the message.

use std::io::{self, Write as _};
use std::time::Duration;

use clap::Parser;
use serde::{Deserialize, Serialize};
use sockless::handshake::OriginPolicy;
use sockless::message::{JsonError, OwnedMessage};
use sockless::tokio::accept;
use sockless::{Error, Message, ServerConfig};
use tokio::net::{TcpListener, TcpStream};

#[derive(Parser)]
struct Options {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9001")]
    listen: String,
}

/// What a client says. A field that is not known is a fault: it was meant to do something.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Question {
    Sum { of: Vec<i64> },
    Reverse { text: String },
}

/// What it is told.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Answer {
    Sum { is: i64 },
    Reverse { text: String },
    Error { reason: String },
}

static CONFIG: ServerConfig = ServerConfig::new(OriginPolicy::SameHost).with_max_message_size(64 << 10);

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
    let mut socket = accept(stream, &CONFIG).await?;
    while let Some((message, mut outgoing)) = socket.recv_with().await? {
        match OwnedMessage::from_json(&answer(message)) {
            Ok(answer) => outgoing.feed(answer).await?,
            // Such as a map whose keys are no strings.
            Err(error) => drop(writeln!(io::stderr(), "an answer that is no JSON: {error}")),
        }
    }
    Ok(())
}

fn answer(message: Message<'_>) -> Answer {
    let question: Result<Question, JsonError> = message.json();
    match question {
        Ok(Question::Sum { of }) => match of.iter().try_fold(0_i64, |sum, &term| sum.checked_add(term)) {
            Some(is) => Answer::Sum { is },
            None => Answer::Error { reason: "the sum is too large".into() },
        },
        Ok(Question::Reverse { text }) => Answer::Reverse { text: text.chars().rev().collect() },
        Err(error) => Answer::Error { reason: error.to_string() },
    }
}
