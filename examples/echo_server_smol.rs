//! An echo server on smol: `cargo run --release --example echo_server_smol -- --listen 127.0.0.1:9001`.

use std::time::Duration;

use clap::Parser;
use compression::Compression;
use smol::net::{TcpListener, TcpStream};
use smol::Timer;
use sockless::adapter::futures_io::FuturesIo;
use sockless::adapter::{polled, Error, ServerOptions};
use sockless::deflate::{Policy, Pool};
use sockless::handshake::OriginPolicy;

#[path = "shared/compression.rs"]
mod compression;

#[derive(Parser)]
#[command(about = "Echoes every WebSocket message")]
struct Options {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9001")]
    listen: String,
    #[command(flatten)]
    compression: Compression,
}

fn main() -> std::io::Result<()> {
    let options = Options::parse();
    smol::block_on(async {
        let listener = TcpListener::bind(&options.listen).await?;
        println!("listening on {}", listener.local_addr()?);
        let policy = options.compression.policy();
        // Connections that keep no context between messages take theirs from here.
        let pool = Pool::default();
        loop {
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                // One connection that failed, or too many open files: neither is a reason to end.
                Err(error) => {
                    eprintln!("accept: {error}");
                    Timer::after(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let pool = pool.clone();
            let connection = smol::spawn(async move {
                if let Err(error) = serve(stream, policy, &pool).await {
                    eprintln!("{peer}: {error}");
                }
            });
            connection.detach();
        }
    })
}

async fn serve(stream: TcpStream, policy: Option<Policy>, pool: &Pool) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    // Any page may use an echo; a server with users would say `SameHost`.
    let mut options = ServerOptions::new(OriginPolicy::Any);
    if let Some(policy) = policy {
        options = options.with_deflate(policy, pool);
    }
    // The traits know no clock: the transport is given the runtime's.
    let stream = FuturesIo::new(stream).with_timer(Timer::at);
    let mut socket = polled::accept(stream, &options).await?;
    // What one read brought is answered in one write: `feed` queues, and the next wait for input writes.
    while let Some((message, mut outgoing)) = socket.recv_with().await? {
        outgoing.feed(message).await?;
    }
    Ok(())
}
