//! The client that Autobahn's fuzzing server tests: runs every case that it counts, echoes, then asks for the
//! report.
//!
//! `AUTOBAHN_URL` (such as `ws://127.0.0.1:9001`) and `AUTOBAHN_AGENT` come from the environment.

use std::env;
use std::error::Error;

use sockless::deflate::Offer;
use sockless::tokio::{connect, WebSocket};
use sockless::{Client, ClientConfig, CloseCode, Message, SystemEntropy};
use tokio::net::TcpStream;

use log::log;

#[path = "shared/log.rs"]
mod log;

type Socket = WebSocket<TcpStream, Client<SystemEntropy>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = env::var("AUTOBAHN_URL").unwrap_or_else(|_| "ws://127.0.0.1:9001".into());
    let agent = env::var("AUTOBAHN_AGENT").unwrap_or_else(|_| "sockless".into());
    let count = case_count(&url).await?;
    log(format_args!("{count} cases"));
    for case in 1..=count {
        let mut socket = open(&format!("{url}/runCase?case={case}&agent={agent}")).await?;
        // Many cases end in a failure on purpose; the report judges it.
        if let Err(error) = echo(&mut socket).await {
            log(format_args!("case {case}: {error}"));
        }
    }
    open(&format!("{url}/updateReports?agent={agent}")).await?.close(CloseCode::NORMAL).await?;
    Ok(())
}

async fn open(url: &str) -> Result<Socket, Box<dyn Error>> {
    Ok(connect(url, &ClientConfig::new().with_deflate(Offer::DEFAULT)).await?)
}

async fn case_count(url: &str) -> Result<u32, Box<dyn Error>> {
    let mut socket = open(&format!("{url}/getCaseCount")).await?;
    let count = match socket.recv().await? {
        Some(Message::Text(count)) => count.parse()?,
        other => return Err(format!("expected the number of cases, got {other:?}").into()),
    };
    while socket.recv().await?.is_some() {}
    Ok(count)
}

async fn echo(socket: &mut Socket) -> Result<(), sockless::Error> {
    while let Some((message, mut outgoing)) = socket.recv_with().await? {
        outgoing.feed(message).await?;
    }
    Ok(())
}
