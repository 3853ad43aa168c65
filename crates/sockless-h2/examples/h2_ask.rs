//! Asks an echo server over HTTP/2 without TLS: sends messages of 0 to 1 MiB, checks what comes back, and closes.
//!
//! `h2_ask ws://127.0.0.1:9002/`

use std::error::Error;

use clap::Parser;
use sockless::deflate::Offer;
use sockless::handshake::Uri;
use sockless::{ClientConfig, CloseCode};
use tokio::net::TcpStream;

const SIZES: [usize; 7] = [0, 1, 125, 126, 65_535, 65_536, 1 << 20];

#[derive(Parser)]
struct Arguments {
    /// Such as `ws://127.0.0.1:9002/`.
    url: String,
    /// The status code to close with.
    #[arg(long, default_value_t = 1000)]
    code: u16,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { url, code } = Arguments::parse();
    let code = CloseCode::new(code).ok_or("this code may not be sent")?;
    let config = ClientConfig::new().with_deflate(Offer::DEFAULT);
    let stream = TcpStream::connect(Uri::parse(&url)?.address()).await?;
    stream.set_nodelay(true)?;
    let (send, connection) = sockless_h2::client_builder(1).handshake(stream).await?;
    tokio::spawn(connection);
    let (mut socket, response) = sockless_h2::connect(&send, &url, &config).await?;
    println!("{}, compression: {}", response.status(), socket.negotiated().deflate.is_some());
    for size in SIZES {
        let payload: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        socket.send(&payload[..]).await?;
        match socket.recv().await? {
            Some(message) if message.as_bytes() == payload => {}
            _ => return Err(format!("{size} octets did not come back").into()),
        }
    }
    match socket.close(code).await? {
        Some(closed) if closed.clean && closed.status == u16::from(code) => {
            println!("closed with {}", closed.status)
        }
        other => return Err(format!("the close was not clean: {other:?}").into()),
    }
    Ok(())
}
