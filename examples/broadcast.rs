//! One message to many connections: `cargo run --release --example broadcast -- --listen 127.0.0.1:9001`.
//!
//! Every message of a client goes to every client, itself included. It is encoded, and compressed, once:
//! a [`Prepared`] is a frame that the queues of all connections copy from.
//!
//! A consumer that reads too slowly costs a bounded amount of memory and slows nobody down. Each connection
//! queues at most `--queue` octets beyond what the kernel buffers for it, and nothing waits for room: where
//! the next message does not fit ([`FeedError::Full`]), or where a connection's task falls so far behind that
//! the room's ring of messages laps it, the consumer is disconnected. It is told so by a Close with 1008; if
//! it does not even read that within `--grace`, the connection is dropped.
//!
//! To be dropped is right where a stream is worth nothing when pieces of it are missing. Where only the
//! latest value counts, ask `Outbound::has_room` instead, and leave the message out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use compression::Compression;
use log::{announce, log};
use sockless::deflate::{Policy, Tuning};
use sockless::endpoint::{Buffers, FeedError};
use sockless::handshake::OriginPolicy;
use sockless::message::Prepared;
use sockless::tokio::{accept, WebSocket};
use sockless::{CloseCode, CloseFrame, CloseReason, Closed, Message, SendError, Server};
use sockless::{Connections, Error, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, Notify};
use tokio::time::timeout;

#[path = "shared/compression.rs"]
mod compression;
#[path = "shared/log.rs"]
mod log;
#[path = "shared/signals.rs"]
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
    #[command(flatten)]
    compression: Compression,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let options = Options::parse();
    let listener = TcpListener::bind(&options.listen).await?;
    announce(listener.local_addr())?;
    let grace = Duration::from_secs(options.grace);
    let room = Room::new(options.queue, grace, options.compression.policy());
    let room = room.with_tuning(options.compression.tuning());
    let connections = room.connections.clone();
    let signal = Arc::new(Notify::new());
    let signalled = Arc::clone(&signal);
    signals::on_signal(move || signalled.notify_one())?;
    tokio::select! {
        () = room.run(listener) => {}
        () = signal.notified() => {}
    }
    connections.close_all(CloseCode::GOING_AWAY, "", tokio::time::sleep(grace)).await;
    Ok(())
}

/// Messages that a connection's task may be behind. They are shared by all.
const RING: usize = 64;
/// Octets of the largest message.
const MAX_MESSAGE: u64 = 64 << 10;

/// Everybody who hears what one says.
#[derive(Clone)]
pub struct Room {
    sender: broadcast::Sender<Prepared>,
    grace: Duration,
    config: Arc<ServerConfig>,
    connections: Connections,
}

impl Room {
    pub fn new(queue: usize, grace: Duration, policy: Option<Policy>) -> Self {
        let connections = Connections::new();
        // Any page may join; a server with users would say `SameHost`.
        let mut config = ServerConfig::new(OriginPolicy::Any)
            .with_max_message_size(MAX_MESSAGE)
            .with_buffers(Buffers::DEFAULT.with_max_queued(queue))
            .with_connections(&connections);
        config.deflate = policy;
        Self { sender: broadcast::Sender::new(RING), grace, config: Arc::new(config), connections }
    }

    /// Compresses in this way, if at all.
    pub fn with_tuning(mut self, tuning: Tuning) -> Self {
        Arc::make_mut(&mut self.config).tuning = tuning;
        self
    }

    /// How many are in the room.
    pub fn members(&self) -> usize {
        self.sender.receiver_count()
    }

    /// Lets everybody in who connects.
    pub async fn run(self, listener: TcpListener) {
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
            let room = self.clone();
            tokio::spawn(async move {
                if let Err(error) = room.serve(stream).await {
                    log(format_args!("{peer}: {error}"));
                }
            });
        }
    }

    async fn serve(&self, stream: TcpStream) -> Result<(), Error> {
        stream.set_nodelay(true)?;
        let socket = accept(stream, &self.config).await?;
        self.talk(socket).await
    }

    /// Hears one connection, and tells it what the others said.
    async fn talk(&self, mut socket: WebSocket<TcpStream, Server>) -> Result<(), Error> {
        let mut heard = self.sender.subscribe();
        loop {
            // Both are cancel safe. Receiving writes what is queued, as far as the peer reads.
            tokio::select! {
                message = socket.recv() => match message? {
                    Some(message) => self.publish(message)?,
                    None => return Ok(()),
                },
                message = heard.recv() => match message {
                    // Nothing here waits: there is room at once, or the consumer is too slow.
                    Ok(message) => match socket.endpoint().outbound().feed_prepared(&message) {
                        Ok(()) => {}
                        Err(FeedError::Full { .. }) => break,
                        // It is closing: it hears nothing more.
                        Err(_) => {}
                    },
                    Err(_) => break,
                },
            }
        }
        drop(heard);
        self.dismiss(socket).await.map(drop)
    }

    /// Says it to everybody.
    fn publish(&self, message: Message<'_>) -> Result<(), SendError> {
        let message = match self.config.deflate {
            Some(policy) => Prepared::deflated(message, policy.server_max_window_bits, self.config.tuning)?,
            None => Prepared::new(message),
        };
        // Nobody may be there any more.
        let _ = self.sender.send(message);
        Ok(())
    }

    /// Disconnects who reads too slowly.
    async fn dismiss(&self, mut socket: WebSocket<TcpStream, Server>) -> Result<Option<Closed>, Error> {
        let reason = CloseReason::new("too slow").unwrap_or_default();
        let close = CloseFrame::new(CloseCode::POLICY_VIOLATION, reason);
        match timeout(self.grace, socket.close(close)).await {
            Ok(closed) => closed,
            Err(_) => {
                socket.endpoint().abort();
                // Or the kernel would go on offering what waits.
                socket.get_ref().set_zero_linger()?;
                Ok(socket.closed())
            }
        }
    }
}
