//! An echo server on tokio: `cargo run --release --example echo_server -- --listen 127.0.0.1:9001`.

use std::time::Duration;

use clap::Parser;
use compression::Compression;
use log::{announce, log};
use sockless::adapter::tokio::accept;
use sockless::adapter::{Error, ServerOptions, Settings};
use sockless::deflate::{Policy, Pool};
use sockless::handshake::OriginPolicy;
use tokio::net::{TcpListener, TcpStream};

#[path = "shared/compression.rs"]
mod compression;
#[path = "shared/log.rs"]
mod log;

#[derive(Parser)]
#[command(about = "Echoes every WebSocket message")]
struct Options {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9001")]
    listen: String,
    #[command(flatten)]
    compression: Compression,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    run().await
}

/// As the command line says, on whatever runtime this is.
pub async fn run() -> std::io::Result<()> {
    let options = Options::parse();
    let listener = TcpListener::bind(&options.listen).await?;
    announce(listener.local_addr())?;
    let (policy, tuning) = (options.compression.policy(), options.compression.tuning());
    let settings = Settings::DEFAULT.with_tuning(tuning);
    // Connections that keep no context between messages take theirs from here.
    let pool = Pool::default();
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            // One connection that failed, or too many open files: neither is a reason to end.
            Err(error) => {
                log(format_args!("accept: {error}"));
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let pool = pool.clone();
        tokio::spawn(async move {
            if let Err(error) = serve(stream, settings, policy, &pool).await {
                log(format_args!("{peer}: {error}"));
            }
        });
    }
}

async fn serve(
    stream: TcpStream,
    settings: Settings,
    policy: Option<Policy>,
    pool: &Pool,
) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    // Any page may use an echo; a server with users would say `SameHost`.
    let mut options = ServerOptions::new(OriginPolicy::Any).with_settings(settings);
    if let Some(policy) = policy {
        options = options.with_deflate(policy, pool);
    }
    let mut socket = accept(stream, &options).await?;
    // What one read brought is answered in one write: `feed` queues, and the next wait for input writes.
    while let Some((message, mut outgoing)) = socket.recv_with().await? {
        outgoing.feed(message).await?;
    }
    Ok(())
}
