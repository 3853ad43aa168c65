//! The room, and its policy for consumers that are too slow.

use std::io::{self, Write as _};
use std::{sync::Arc, time::Duration};

use sockless::endpoint::{Buffers, FeedError};
use sockless::{deflate::Policy, handshake::OriginPolicy, message::Prepared, tokio::accept};
use sockless::{CloseCode, Connections, Error, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::time::{sleep, timeout};

/// Messages that a connection's task may be behind. They are shared by all.
const RING: usize = 64;
/// Octets of the largest message.
const MAX_MESSAGE: u64 = 64 << 10;

/// Everybody who hears what one says.
#[derive(Clone)]
pub struct Room {
    connections: Connections,
    grace: Duration,
    sender: broadcast::Sender<Prepared>,
    config: Arc<ServerConfig>,
}

impl Room {
    pub fn new(queue: usize, grace: Duration, policy: Option<Policy>) -> Self {
        let connections = Connections::new();
        let mut config = ServerConfig::new(OriginPolicy::SameHost)
            .with_max_message_size(MAX_MESSAGE)
            .with_buffers(Buffers::DEFAULT.with_max_queued(queue))
            .with_connections(&connections);
        config.deflate = policy;
        Self { sender: broadcast::Sender::new(RING), grace, config: Arc::new(config), connections }
    }

    /// How many are in the room.
    #[allow(dead_code, reason = "the tests ask for it")]
    pub fn members(&self) -> usize {
        self.sender.receiver_count()
    }

    /// Lets everybody in who connects.
    pub async fn run(self, listener: TcpListener) {
        loop {
            let Ok((stream, peer)) = listener.accept().await else {
                sleep(Duration::from_millis(50)).await; // too many open files, perhaps
                continue;
            };
            let room = self.clone();
            tokio::spawn(async move {
                room.talk(stream).await.map_err(|error| writeln!(io::stderr(), "{peer}: {error}"))
            });
        }
    }

    /// Ends it for everybody.
    pub async fn close(&self) {
        self.connections.close_all(CloseCode::GOING_AWAY, "", sleep(self.grace)).await;
    }

    /// Hears one connection, and tells it what the others said.
    async fn talk(&self, stream: TcpStream) -> Result<(), Error> {
        stream.set_nodelay(true)?;
        let mut socket = accept(stream, &self.config).await?;
        let mut heard = self.sender.subscribe();
        loop {
            // Both are cancel safe. Receiving writes what is queued, as far as the peer reads.
            tokio::select! {
                message = socket.recv() => {
                    let Some(message) = message? else { return Ok(()) };
                    let message = match self.config.deflate {
                        Some(policy) => Prepared::deflated(message, policy.server_max_window_bits, self.config.tuning)?,
                        None => Prepared::new(message),
                    };
                    let _ = self.sender.send(message); // perhaps nobody is there any more
                }
                message = heard.recv() => {
                    let Ok(message) = message else { break };
                    // Nothing here waits: there is room at once, or once the kernel took what it takes, or the consumer
                    // is too slow.
                    let mut outgoing = socket.outgoing();
                    if let Err(FeedError::Full { .. }) = outgoing.queue().feed_prepared(&message) {
                        let _ = timeout(Duration::ZERO, outgoing.flush()).await; // what fails, receiving tells
                        if let Err(FeedError::Full { .. }) = outgoing.queue().feed_prepared(&message) {
                            break;
                        }
                    }
                }
            }
        }
        drop(heard);
        if timeout(self.grace, socket.close((CloseCode::POLICY_VIOLATION, "too slow"))).await.is_err() {
            socket.get_ref().set_zero_linger()?; // or the kernel would go on offering what waits
        }
        Ok(())
    }
}
