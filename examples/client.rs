//! A terminal client: lines in, messages out.
//!
//! `cargo run --release --example client -- ws://127.0.0.1:9001` sends each line of standard input as a text
//! message and prints each message on a line; on a terminal with its control characters escaped. The end of the input closes the connection. At the end it
//! reports how the connection ended on standard error, as `closed CODE REASON`, and exits with 0 if it ended
//! cleanly.

use std::error::Error;
use std::io::{self, ErrorKind, IsTerminal};

use clap::Parser;
use log::{log, Printable};
use sockless::deflate::Offer;
use sockless::handshake::client::ClientRequest;
use sockless::handshake::Uri;
use sockless::tokio::{connect, WebSocket};
use sockless::{Client, ClientConfig, CloseCode, CloseFrame, CloseReason, Message, Payload, SystemEntropy};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines, Stdin};
use tokio::net::TcpStream;

#[path = "shared/log.rs"]
mod log;

#[derive(Parser)]
#[command(about = "Sends lines as messages and prints messages as lines")]
struct Options {
    /// A `ws:` URI.
    url: String,
    /// A subprotocol to offer, the preferred first.
    #[arg(long = "subprotocol", value_name = "NAME")]
    subprotocols: Vec<String>,
    /// A header field to send.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The origin to name.
    #[arg(long)]
    origin: Option<String>,
    /// Lines are hex and go out as binary messages.
    #[arg(long)]
    binary: bool,
    /// Send back every message instead of reading lines.
    #[arg(long)]
    echo: bool,
    /// Offer permessage-deflate; this is the default.
    #[arg(long, overrides_with = "no_deflate")]
    deflate: bool,
    /// Offer no compression.
    #[arg(long, overrides_with = "deflate")]
    no_deflate: bool,
    /// Offer this instead, such as `permessage-deflate; server_max_window_bits=10`.
    #[arg(long, value_name = "EXTENSIONS")]
    offer: Option<String>,
    /// How to close at the end of the input.
    #[arg(long, value_name = "CODE[:REASON]", default_value = "1000")]
    close: String,
}

type Socket = WebSocket<TcpStream, Client<SystemEntropy>>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let clean = run(&Options::parse()).await.unwrap_or_else(|error| {
        log(error);
        false
    });
    // Returning would wait for the thread that reads standard input, which may have nothing to read for ever.
    std::process::exit(i32::from(!clean));
}

/// Whether the connection ended cleanly.
async fn run(options: &Options) -> Result<bool, Box<dyn Error>> {
    let close = parse_close(&options.close)?;
    let mut socket = open(options).await?;
    let result = if options.echo { echo(&mut socket).await } else { talk(&mut socket, options, close).await };
    if let Err(error) = result {
        log(error);
    }
    match socket.closed() {
        Some(closed) => {
            log(format_args!("closed {} {}", closed.status, socket.close_reason()));
            Ok(closed.clean)
        }
        None => Ok(false),
    }
}

async fn open(options: &Options) -> Result<Socket, Box<dyn Error>> {
    let mut config = ClientConfig::new();
    for name in &options.subprotocols {
        config = config.with_subprotocol(name);
    }
    for line in &options.headers {
        let (name, value) = line.split_once(':').ok_or("a header is NAME: VALUE")?;
        config = config.with_field(name, value.trim());
    }
    if let Some(origin) = &options.origin {
        config = config.with_origin(origin);
    }
    let mut request = ClientRequest::new(Uri::parse(&options.url)?);
    match &options.offer {
        Some(offer) => request = request.with_extensions(offer)?,
        None if options.deflate || !options.no_deflate => config = config.with_deflate(Offer::DEFAULT),
        None => {}
    }
    Ok(connect(request, &config).await?)
}

async fn echo(socket: &mut Socket) -> Result<(), Box<dyn Error>> {
    while let Some((message, mut outgoing)) = socket.recv_with().await? {
        outgoing.feed(message).await?;
    }
    Ok(())
}

async fn talk(socket: &mut Socket, options: &Options, close: CloseFrame<'_>) -> Result<(), Box<dyn Error>> {
    let mut lines = Some(BufReader::new(tokio::io::stdin()).lines());
    let mut out = tokio::io::stdout();
    loop {
        // Receiving is cancel safe: whichever comes first, nothing of the other is lost.
        tokio::select! {
            message = socket.recv() => match message? {
                Some(message) => match print(message, &mut out).await {
                    // Nobody reads any more: there is nothing left to do here.
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                        socket.close(close).await?;
                        return Ok(());
                    }
                    printed => printed?,
                },
                None => return Ok(()),
            },
            line = next_line(&mut lines) => match line? {
                Some(line) if options.binary => socket.send(Payload::binary(&hex::decode(line.trim())?)).await?,
                Some(line) => socket.send(line.as_str()).await?,
                None => {
                    // What the peer has still to say is printed until its Close comes.
                    lines = None;
                    socket.start_close(close).await?;
                }
            },
        }
    }
}

/// The next line; waits for ever once the input has ended.
async fn next_line(lines: &mut Option<Lines<BufReader<Stdin>>>) -> std::io::Result<Option<String>> {
    match lines {
        Some(lines) => lines.next_line().await,
        None => std::future::pending().await,
    }
}

async fn print(message: Message<'_>, out: &mut tokio::io::Stdout) -> io::Result<()> {
    match message {
        Message::Text(text) if io::stdout().is_terminal() => {
            out.write_all(Printable(text).to_string().as_bytes()).await?;
        }
        Message::Text(text) => out.write_all(text.as_bytes()).await?,
        Message::Binary(octets) => out.write_all(hex::encode(octets).as_bytes()).await?,
    }
    out.write_all(b"\n").await?;
    out.flush().await
}

fn parse_close(text: &str) -> Result<CloseFrame<'_>, Box<dyn Error>> {
    let (code, reason) = text.split_once(':').unwrap_or((text, ""));
    let code = CloseCode::new(code.parse()?).ok_or("the code must not cross the wire")?;
    let reason = CloseReason::new(reason).ok_or("the reason is too long")?;
    Ok(CloseFrame::new(code, reason))
}
