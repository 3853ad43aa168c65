//! One message to many connections: `cargo run --release --example broadcast -- --listen 127.0.0.1:9001`.
//!
//! Every message of a client goes to every client, itself included. It is encoded, and compressed, once: a `Prepared` is a
//! frame that the queues of all connections copy from.
//!
//! Who reads too slowly costs a bounded amount of memory and slows nobody down. At most `--queue` octets wait for each client,
//! beyond what the kernel buffers, and a task may be `RING` messages behind. Who exceeds that is told so by a Close with 1008,
//! and if it does not even read that within `--grace`, it is dropped. That is right where a stream is worth nothing when pieces
//! of it are missing. Where only the latest value counts, ask `Outbound::has_room` instead, and leave the message out.

use std::io::{self, Write as _};
use std::{sync::Arc, time::Duration};

use clap::Parser;
use room::Room;
use sockless::deflate::Policy;
use tokio::{net::TcpListener, sync::Notify};

mod room;
#[path = "../shared/signals.rs"]
mod signals;

#[derive(Parser)]
#[command(about = "Sends every WebSocket message to every client")]
struct Options {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9001")]
    listen: String,
    /// Octets that may wait for a consumer.
    #[arg(long, value_name = "OCTETS", default_value = "262144")]
    queue: usize,
    /// How long a consumer that was too slow has to read what waits for it, and the Close.
    #[arg(long, value_name = "SECONDS", default_value = "5")]
    grace: u64,
    /// Compress nothing.
    #[arg(long)]
    no_deflate: bool,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let options = Options::parse();
    let listener = TcpListener::bind(&options.listen).await?;
    let _ = writeln!(io::stdout(), "listening on {}", listener.local_addr()?);
    let policy = (!options.no_deflate).then_some(Policy::DEFAULT);
    let room = Room::new(options.queue, Duration::from_secs(options.grace), policy);
    let signal = Arc::new(Notify::new());
    let signalled = Arc::clone(&signal);
    signals::on_signal(move || signalled.notify_one())?;
    tokio::select! {
        () = room.clone().run(listener) => {}
        () = signal.notified() => {}
    }
    room.close().await;
    Ok(())
}
