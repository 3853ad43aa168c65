//! An echo server on tokio: `cargo run --release --example echo_server -- --listen 127.0.0.1:9001`.

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use compression::Compression;
use log::{announce, log};
use sockless::handshake::OriginPolicy;
use sockless::tokio::accept;
use sockless::CloseCode;
use sockless::{Connections, Error, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

#[path = "shared/compression.rs"]
mod compression;
#[path = "shared/log.rs"]
mod log;
#[path = "shared/signals.rs"]
mod signals;

#[derive(Parser)]
#[command(about = "Echoes every WebSocket message")]
struct Options {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9001")]
    listen: String,
    #[command(flatten)]
    compression: Compression,
    /// Let in only pages of the host that they ask; otherwise any page may use an echo.
    #[arg(long)]
    same_host: bool,
    /// A subprotocol that is spoken, the preferred first.
    #[arg(long = "subprotocol", value_name = "NAME")]
    subprotocols: Vec<String>,
    /// The silence after which a Ping is sent.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 30_000)]
    ping: u64,
}

/// How long connections have to end in an orderly way once a signal came.
const LAST_WORDS: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> std::io::Result<()> {
    run().await
}

/// As the command line says, on whatever runtime this is.
pub async fn run() -> std::io::Result<()> {
    let options = Options::parse();
    let listener = TcpListener::bind(&options.listen).await?;
    announce(listener.local_addr())?;
    let connections = Connections::new();
    let origins = if options.same_host { OriginPolicy::SameHost } else { OriginPolicy::Any };
    let config = ServerConfig::new(origins).with_connections(&connections);
    let config = options.subprotocols.into_iter().fold(config, ServerConfig::with_subprotocol);
    let config = config.with_keep_alive(Duration::from_millis(options.ping), Duration::from_secs(20));
    let mut config = config.with_tuning(options.compression.tuning());
    config.deflate = options.compression.policy();
    let config = Arc::new(config);
    let signal = Arc::new(Notify::new());
    let signalled = Arc::clone(&signal);
    signals::on_signal(move || signalled.notify_one())?;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = signal.notified() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            // One connection that failed, or too many open files: neither is a reason to end.
            Err(error) => {
                log(format_args!("accept: {error}"));
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let config = Arc::clone(&config);
        tokio::spawn(async move {
            if let Err(error) = serve(stream, &config).await {
                log(format_args!("{peer}: {error}"));
            }
        });
    }
    drop(listener);
    connections.close_all(CloseCode::GOING_AWAY, "", tokio::time::sleep(LAST_WORDS)).await;
    Ok(())
}

async fn serve(stream: TcpStream, config: &ServerConfig) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let mut socket = accept(stream, config).await?;
    // What one read brought is answered in one write: `feed` queues, and the next wait for input writes.
    while let Some((message, mut outgoing)) = socket.recv_with().await? {
        outgoing.feed(message).await?;
    }
    Ok(())
}
