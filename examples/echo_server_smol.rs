//! An echo server on smol: `cargo run --release --example echo_server_smol -- --listen 127.0.0.1:9001`.

use std::time::Duration;

use clap::Parser;
use compression::Compression;
use log::{announce, log};
use smol::net::{TcpListener, TcpStream};
use smol::Timer;
use sockless::adapter::futures_io::FuturesIo;
use sockless::adapter::{polled, Error, ServerOptions, Settings};
use sockless::deflate::{Policy, Pool};
use sockless::handshake::OriginPolicy;

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

pub fn main() -> std::io::Result<()> {
    let options = Options::parse();
    smol::block_on(async {
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
                    Timer::after(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let pool = pool.clone();
            let connection = smol::spawn(async move {
                if let Err(error) = serve(stream, settings, policy, &pool).await {
                    log(format_args!("{peer}: {error}"));
                }
            });
            connection.detach();
        }
    })
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
    // The traits know no clock: the transport is given the runtime's.
    let stream = FuturesIo::new(stream).with_timer(Timer::at);
    let mut socket = polled::accept(stream, &options).await?;
    // What one read brought is answered in one write: `feed` queues, and the next wait for input writes.
    while let Some((message, mut outgoing)) = socket.recv_with().await? {
        outgoing.feed(message).await?;
    }
    Ok(())
}
