//! An echo server on blocking sockets, a thread for each connection:
//! `cargo run --release --example echo_server_std -- --listen 127.0.0.1:9001`.

use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use clap::Parser;
use compression::Compression;
use sockless::adapter::std_io::accept;
use sockless::adapter::{Error, ServerOptions};
use sockless::deflate::{Policy, Pool};
use sockless::handshake::OriginPolicy;

#[path = "shared/compression.rs"]
mod compression;

#[derive(Parser)]
#[command(about = "Echoes every WebSocket message, on blocking sockets")]
struct Options {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9001")]
    listen: String,
    #[command(flatten)]
    compression: Compression,
}

fn main() -> std::io::Result<()> {
    let options = Options::parse();
    let listener = TcpListener::bind(&options.listen)?;
    println!("listening on {}", listener.local_addr()?);
    let policy = options.compression.policy();
    // Connections that keep no context between messages take theirs from here.
    let pool = Pool::default();
    loop {
        let (stream, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            // One connection that failed, or too many open files: neither is a reason to end.
            Err(error) => {
                eprintln!("accept: {error}");
                thread::sleep(Duration::from_millis(50));
                continue;
            }
        };
        let pool = pool.clone();
        thread::spawn(move || {
            if let Err(error) = serve(stream, policy, &pool) {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

fn serve(stream: TcpStream, policy: Option<Policy>, pool: &Pool) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    // Any page may use an echo; a server with users would say `SameHost`.
    let mut options = ServerOptions::new(OriginPolicy::Any);
    if let Some(policy) = policy {
        options = options.with_deflate(policy, pool);
    }
    let mut socket = accept(stream, &options)?;
    // What one read brought is answered in one write: `feed` queues, and the next wait for input writes.
    while let Some((message, mut outgoing)) = socket.recv_with()? {
        outgoing.feed(message)?;
    }
    Ok(())
}
