//! Echoes WebSockets over HTTP/2 without TLS (RFC 8441), on the crate `h2`. Every other request gets a line of text.
//!
//! `h2_echo --listen 127.0.0.1:9002`

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use clap::Parser;
use h2::server::SendResponse;
use h2::RecvStream;
use sockless::deflate::Policy;
use sockless::handshake::OriginPolicy;
use sockless::{CloseCode, Connections, ServerConfig};
use sockless_h2::http::{Request, Response};
use tokio::net::{TcpListener, TcpStream};

#[derive(Parser)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:9002")]
    listen: String,
    /// WebSockets and requests of one connection at a time.
    #[arg(long, default_value_t = 100)]
    streams: u32,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let listener = TcpListener::bind(&arguments.listen).await?;
    println!("listening on {}", listener.local_addr()?);
    let connections = Connections::new();
    let config = ServerConfig::new(OriginPolicy::SameHost)
        .with_deflate(Policy::DEFAULT)
        .with_max_message_size(64 << 20)
        .with_connections(&connections);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(tokio::spawn(serve(stream, config.clone(), arguments.streams))),
                // Perhaps too many files are open: others may close some.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    let within = tokio::time::sleep(Duration::from_secs(5));
    let left = connections.close_all(CloseCode::GOING_AWAY, "the server ends", within).await;
    println!("{left} did not answer");
    Ok(())
}

/// One connection of HTTP/2. It ends by itself once its client has gone.
async fn serve(stream: TcpStream, config: ServerConfig, streams: u32) {
    if let Err(error) = serve_streams(stream, config, streams).await {
        eprintln!("{error}");
    }
}

async fn serve_streams(stream: TcpStream, config: ServerConfig, streams: u32) -> Result<(), Box<dyn Error>> {
    stream.set_nodelay(true)?;
    let handshake = sockless_h2::server_builder(streams).handshake(stream);
    let mut connection = tokio::time::timeout(Duration::from_secs(10), handshake).await??;
    while let Some(stream) = connection.accept().await {
        let (request, mut respond) = stream?;
        if sockless_h2::is_extended_connect(&request) {
            tokio::spawn(echo(request, respond, config.clone()));
        } else {
            let mut body = respond.send_response(Response::new(()), false)?;
            body.send_data(Bytes::from("WebSockets over HTTP/2 are echoed here.\n"), true)?;
        }
    }
    Ok(())
}

async fn echo(request: Request<RecvStream>, respond: SendResponse<Bytes>, config: ServerConfig) {
    let mut socket = match sockless_h2::accept(request, respond, &config) {
        Ok(socket) => socket,
        Err(error) => return eprintln!("{error}"), // the client knows
    };
    while let Ok(Some((message, mut outgoing))) = socket.recv_with().await {
        let _ = outgoing.feed(message).await; // receiving tells what is wrong
    }
}
