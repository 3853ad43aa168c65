//! An echo server on tokio: `cargo run --release --example echo_server -- --listen 127.0.0.1:9001`.

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use compression::Compression;
use log::{announce, log};
use sockless::deflate::{Policy, Pool};
use sockless::handshake::OriginPolicy;
use sockless::tokio::accept;
use sockless::CloseCode;
use sockless::{Connections, Error, ServerOptions, Settings};
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
    let (policy, tuning) = (options.compression.policy(), options.compression.tuning());
    let settings = Settings::DEFAULT.with_tuning(tuning);
    // Connections that keep no context between messages take theirs from here.
    let pool = Pool::default();
    let connections = Connections::new();
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
        let (pool, connections) = (pool.clone(), connections.clone());
        tokio::spawn(async move {
            if let Err(error) = serve(stream, settings, policy, &pool, &connections).await {
                log(format_args!("{peer}: {error}"));
            }
        });
    }
    drop(listener);
    connections.close_all(CloseCode::GOING_AWAY, "", tokio::time::sleep(LAST_WORDS)).await;
    Ok(())
}

async fn serve(
    stream: TcpStream,
    settings: Settings,
    policy: Option<Policy>,
    pool: &Pool,
    connections: &Connections,
) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    // Any page may use an echo; a server with users would say `SameHost`.
    let options = ServerOptions::new(OriginPolicy::Any).with_settings(settings);
    let mut options = options.with_connections(connections);
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
