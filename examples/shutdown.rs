//! A server with thousands of connections that ends well: `cargo run --release --example shutdown`, and then Ctrl-C.
//!
//! It stops listening, sends everybody a Close with 1001, waits for their answers for `--grace` at most, and says in figures what
//! became of them. What a connection is doing is finished first. A second signal ends it at once.
//!
//! Clients that come back all at once are the next load: let them wait a random time first, as `Backoff` of
//! `sockless-connect` does. A balancer before this server should see that it listens no more, and send them elsewhere.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use sockless::handshake::OriginPolicy;
use sockless::{tokio::accept, CloseCode, Connections, Error, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

#[derive(Parser)]
struct Options {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9001")]
    listen: String,
    /// How long the connections have to end. Whoever ends this process, as Kubernetes or systemd, must wait longer.
    #[arg(long, value_name = "SECONDS", default_value = "10")]
    grace: u64,
    /// More connections than these wait until others end. Each is an open file.
    #[arg(long, value_name = "COUNT", default_value = "10000")]
    max_connections: usize,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let options = Options::parse();
    rlimit::increase_nofile_limit((options.max_connections as u64).saturating_add(100))?;
    let (grace, connections) = (Duration::from_secs(options.grace), Connections::new());
    let mut config = ServerConfig::new(OriginPolicy::SameHost)
        .with_max_message_size(64 << 10)
        .with_connections(&connections);
    config.timeouts.closing = Some(grace.saturating_mul(2)); // so that those who do not answer are counted below
    let listener = TcpListener::bind(&options.listen).await?;
    let _ = writeln!(io::stdout(), "listening on {}", listener.local_addr()?);
    tokio::select! {
        () = accept_all(listener, config, options.max_connections) => {}
        signalled = signal() => signalled?,
    }
    tokio::spawn(async {
        let _ = signal().await;
        std::process::exit(1);
    });
    // The listener was dropped with `accept_all`.
    let (count, began) = (connections.len(), Instant::now());
    let _ = writeln!(io::stdout(), "closing {count} connections");
    let dropped = connections.close_all(CloseCode::GOING_AWAY, "the server ends", sleep(grace)).await;
    let closed = count.saturating_sub(dropped);
    let took = began.elapsed().as_secs_f64();
    let _ = writeln!(io::stdout(), "{closed} were closed and {dropped} dropped after {took:.1} s");
    Ok(())
}

/// SIGINT, as Ctrl-C sends it, or SIGTERM.
async fn signal() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{signal, SignalKind};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            interrupted = tokio::signal::ctrl_c() => interrupted,
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

async fn accept_all(listener: TcpListener, config: ServerConfig, max: usize) {
    let (config, room) = (Arc::new(config), Arc::new(Semaphore::new(max)));
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        let Ok((stream, peer)) = listener.accept().await else {
            sleep(Duration::from_millis(50)).await; // too many open files, perhaps
            continue;
        };
        let config = Arc::clone(&config);
        tokio::spawn(async move {
            serve(stream, &config, permit).await.map_err(|error| writeln!(io::stderr(), "{peer}: {error}"))
        });
    }
}

/// Until the end, the permit is taken. `recv_with` is what sends the Close, and returns `None` after the answer.
async fn serve(stream: TcpStream, config: &ServerConfig, _permit: OwnedSemaphorePermit) -> Result<(), Error> {
    let mut socket = accept(stream, config).await?;
    while let Some((message, mut outgoing)) = socket.recv_with().await? {
        outgoing.feed(message).await?;
    }
    Ok(())
}
