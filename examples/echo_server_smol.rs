//! An echo server on smol: `cargo run --release --example echo_server_smol -- --listen 127.0.0.1:9001`.

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use compression::Compression;
use log::{announce, log};
use smol::future::or;
use smol::net::{TcpListener, TcpStream};
use smol::Timer;
use sockless::futures_io::FuturesIo;
use sockless::handshake::OriginPolicy;
use sockless::CloseCode;
use sockless::{polled, Connections, Error, ServerConfig};

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

pub fn main() -> std::io::Result<()> {
    let options = Options::parse();
    smol::block_on(async {
        let listener = TcpListener::bind(&options.listen).await?;
        announce(listener.local_addr())?;
        let connections = Connections::new();
        // Any page may use an echo; a server with users would say `SameHost`.
        let config = ServerConfig::new(OriginPolicy::Any).with_connections(&connections);
        let mut config = config.with_tuning(options.compression.tuning());
        config.deflate = options.compression.policy();
        let config = Arc::new(config);
        let (signal, signalled) = smol::channel::bounded::<()>(1);
        signals::on_signal(move || {
            let _ = signal.try_send(()); // there is room for one
        })?;
        loop {
            let accept = async { Some(listener.accept().await) };
            let end = async {
                let _ = signalled.recv().await;
                None
            };
            let Some(accepted) = or(end, accept).await else { break };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                // One connection that failed, or too many open files: neither is a reason to end.
                Err(error) => {
                    log(format_args!("accept: {error}"));
                    Timer::after(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let config = Arc::clone(&config);
            let connection = smol::spawn(async move {
                if let Err(error) = serve(stream, &config).await {
                    log(format_args!("{peer}: {error}"));
                }
            });
            connection.detach();
        }
        drop(listener);
        connections.close_all(CloseCode::GOING_AWAY, "", Timer::after(LAST_WORDS)).await;
        Ok(())
    })
}

async fn serve(stream: TcpStream, config: &ServerConfig) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    // The traits know no clock: the transport is given the runtime's.
    let stream = FuturesIo::new(stream).with_timer(Timer::at);
    let mut socket = polled::accept(stream, config).await?;
    // What one read brought is answered in one write: `feed` queues, and the next wait for input writes.
    while let Some((message, mut outgoing)) = socket.recv_with().await? {
        outgoing.feed(message).await?;
    }
    Ok(())
}
