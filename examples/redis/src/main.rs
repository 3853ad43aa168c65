//! One room over many processes: what a client says to one of them reaches the clients of all, through Redis.
//! `examples/redis/run` shows three of them behind haproxy, and kills one while 300 clients talk.
//!
//! Redis passes on what it gets (PUBLISH, SUBSCRIBE) and keeps nothing: who is away at that moment misses it. Where that is
//! not enough, keep the messages in a stream of Redis (XADD), and let clients that come back say what they had last.
//!
//! A process that has lost Redis is of no use: it sends its clients away and ends, and whoever watches it starts it again.

use std::io::{self, Write as _};
use std::{error::Error, process, sync::Arc, time::Duration};

use clap::Parser;
use futures_util::StreamExt as _;
use redis::aio::ConnectionManager;
use sockless::endpoint::{Buffers, FeedError};
use sockless::{CloseCode, CloseFrame, CloseReason, Connections, ServerConfig};
use sockless::{handshake::OriginPolicy, message::Prepared, tokio::accept};
use tokio::net::{TcpListener, TcpStream};
use tokio::{signal::unix::SignalKind, sync::broadcast, time::sleep};

#[derive(Parser)]
struct Options {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9001")]
    listen: String,
    #[arg(long, value_name = "URL", default_value = "redis://127.0.0.1/")]
    redis: String,
}

const CHANNEL: &str = "room";
const BEHIND: usize = 256; // messages that a client's task may be behind; who is slower is sent away

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let redis = redis::Client::open(options.redis)?;
    let publisher = ConnectionManager::new(redis.clone()).await?;
    let mut subscriber = redis.get_async_pubsub().await?;
    subscriber.subscribe(CHANNEL).await?; // before anybody is let in
    let mut said = subscriber.into_on_message();
    let (room, connections) = (broadcast::Sender::new(BEHIND), Connections::new());
    let config = ServerConfig::new(OriginPolicy::SameHost)
        .with_max_message_size(16 << 10)
        .with_buffers(Buffers::DEFAULT.with_max_queued(256 << 10)) // octets that may wait for one client
        .with_connections(&connections)
        .with_field("X-Served-By", process::id().to_string());
    let config = Arc::new(config);
    let mut terminate = tokio::signal::unix::signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(&options.listen).await?;
    let _ = writeln!(io::stdout(), "listening on {}", listener.local_addr()?);
    let code = loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let talk = talk(stream, config.clone(), room.clone(), publisher.clone());
                    tokio::spawn(async move { talk.await.map_err(|error| writeln!(io::stderr(), "{peer}: {error}")) });
                }
                Err(_) => sleep(Duration::from_millis(50)).await, // too many open files, perhaps
            },
            message = said.next() => match message.map(|message| message.get_payload::<String>()) {
                Some(Ok(text)) => drop(room.send(Prepared::new(&*text))), // encoded once for all
                Some(Err(_)) => {} // not from one of us: it is no text
                None => break CloseCode::SERVICE_RESTART,
            },
            _ = terminate.recv() => break CloseCode::GOING_AWAY,
        }
    };
    drop(listener);
    connections.close_all(code, "", sleep(Duration::from_secs(5))).await;
    if code == CloseCode::GOING_AWAY { Ok(()) } else { Err("the connection to Redis was lost".into()) }
}

async fn talk(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    room: broadcast::Sender<Prepared>,
    mut redis: ConnectionManager,
) -> Result<(), sockless::Error> {
    let mut news = room.subscribe();
    let mut socket = accept(stream, &config).await?;
    let (code, reason) = loop {
        tokio::select! {
            message = socket.recv() => {
                let Some(message) = message? else { return Ok(()) };
                let Some(text) = message.as_text() else { break (CloseCode::UNSUPPORTED_DATA, "text only") };
                // While Redis takes its time, no more is read of this client.
                if redis::cmd("PUBLISH").arg(CHANNEL).arg(text).exec_async(&mut redis).await.is_err() {
                    break (CloseCode::TRY_AGAIN_LATER, "that was not passed on");
                }
            }
            said = news.recv() => {
                let Ok(message) = said else { break (CloseCode::POLICY_VIOLATION, "too slow") };
                if let Err(FeedError::Full { .. }) = socket.outgoing().queue().feed_prepared(&message) {
                    break (CloseCode::POLICY_VIOLATION, "too slow");
                }
            }
        }
    };
    socket.close(CloseFrame::new(code, CloseReason::new(reason).unwrap_or_default())).await.map(drop)
}
