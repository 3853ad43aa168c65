//! The `broadcast` example: who does not read is disconnected, the others get everything, and memory stays bounded.

#[path = "../../examples/broadcast/room.rs"]
mod room;
use crate::common;

use std::future::Future;
use std::time::Duration;

use common::counting::held;
use room::Room;
use sockless::handshake::client::ClientRequest;
use sockless::handshake::Uri;
use sockless::tokio::{connect, WebSocket};
use sockless::ClientConfig;
use sockless::{Client, Message, Payload, SystemEntropy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

type Socket = WebSocket<TcpStream, Client<SystemEntropy>>;

/// The length of a message, and of what may wait for a consumer.
const MESSAGE: usize = 32 << 10;
const QUEUE: usize = 64 << 10;
/// The kernel takes some megabytes for a consumer that does not read; these are more.
const MESSAGES: u32 = 1500;
const READERS: usize = 3;

/// Everything on this thread, whose memory is counted; how much was held at the most.
fn run(test: impl Future<Output = ()>) -> isize {
    let (_, peak, ()) = held(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { timeout(Duration::from_secs(120), test).await.expect("in time") });
    });
    peak
}

async fn join(url: &str) -> Socket {
    connect(ClientRequest::new(Uri::parse(url).unwrap()), &ClientConfig::new()).await.unwrap()
}

/// The number that a message carries.
fn number(message: Message<'_>) -> u32 {
    assert_eq!(message.as_bytes().len(), MESSAGE);
    u32::from_be_bytes(message.as_bytes()[..4].try_into().unwrap())
}

/// A room with some who read, one who does not, and one who talks: it says the next when all readers have heard the
/// last.
struct Party {
    room: Room,
    lazy: Socket,
    talker: Socket,
    heard: mpsc::UnboundedReceiver<u32>,
}

impl Party {
    async fn new(grace: Duration) -> Self {
        let room = Room::new(QUEUE, grace, None);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        tokio::spawn(room.clone().run(listener));
        let (sender, heard) = mpsc::unbounded_channel();
        for _ in 0..READERS {
            let (mut socket, sender) = (join(&url).await, sender.clone());
            tokio::spawn(async move {
                while let Some(message) = socket.recv().await.unwrap() {
                    sender.send(number(message)).unwrap();
                }
            });
        }
        let (lazy, talker) = (join(&url).await, join(&url).await);
        let party = Self { room, lazy, talker, heard };
        party.wait_for_members(READERS + 2).await;
        party
    }

    async fn say(&mut self, n: u32) {
        let mut message = vec![0; MESSAGE];
        message[..4].copy_from_slice(&n.to_be_bytes());
        self.talker.send(Payload::binary(&message)).await.unwrap();
        assert_eq!(number(self.talker.recv().await.unwrap().unwrap()), n);
        for _ in 0..READERS {
            assert_eq!(self.heard.recv().await, Some(n));
        }
    }

    /// Everything at once: nobody waits until it is heard.
    async fn burst(&mut self, messages: u32) {
        for n in 0..messages {
            let mut message = vec![0; MESSAGE];
            message[..4].copy_from_slice(&n.to_be_bytes());
            self.talker.send(Payload::binary(&message)).await.unwrap();
        }
        for n in 0..messages {
            let heard = self.talker.recv().await.unwrap().map(number);
            assert_eq!(heard, Some(n), "{:?}", self.talker.received_close());
        }
        for _ in 0..messages * READERS as u32 {
            let heard = timeout(Duration::from_secs(20), self.heard.recv()).await;
            assert!(heard.is_ok(), "somebody who reads was sent away");
        }
    }

    async fn wait_for_members(&self, members: usize) {
        while self.room.members() != members {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

#[test]
fn a_consumer_that_never_reads_is_dropped_and_the_others_get_everything() {
    let _watchdog = watchdog!();
    let peak = run(async {
        let mut party = Party::new(Duration::from_millis(100)).await;
        for n in 0..MESSAGES {
            party.say(n).await;
        }
        party.wait_for_members(READERS + 1).await;
        sleep(Duration::from_millis(200)).await; // the grace
        let mut came = 0;
        let error = loop {
            match party.lazy.recv().await {
                Ok(Some(message)) => assert_eq!(number(message), came),
                other => break other.err(),
            }
            came += 1;
        };
        assert!(came < MESSAGES, "the kernel holds {came} messages");
        assert!(error.is_some(), "the connection was dropped, not closed");
    });
    // The buffers of five connections and both their ends, and what may wait for one: not the 48 MiB that were
    // said.
    assert!(peak < 1 << 20, "{peak} bytes at the most");
}

#[test]
fn a_burst_sends_nobody_away_who_reads() {
    let _watchdog = watchdog!();
    run(async {
        let mut party = Party::new(Duration::from_millis(100)).await;
        // Each is more than may wait in a queue, and less than the kernel takes.
        for _ in 0..20 {
            party.burst(16).await;
        }
    });
}

#[test]
fn a_consumer_that_reads_again_in_time_hears_why() {
    let _watchdog = watchdog!();
    let peak = run(async {
        let mut party = Party::new(Duration::from_secs(60)).await;
        let mut said = 0;
        while party.room.members() == READERS + 2 {
            party.say(said).await;
            said += 1;
            assert!(said < MESSAGES);
        }
        let mut came = 0;
        while let Some(message) = party.lazy.recv().await.unwrap() {
            assert_eq!(number(message), came);
            came += 1;
        }
        // Everything that had found room, in order, and then the Close.
        assert!(came >= QUEUE as u32 / MESSAGE as u32 && came < said, "{came} of {said}");
        let closed = party.lazy.closed().unwrap();
        assert_eq!((closed.status, party.lazy.close_reason(), closed.clean), (1008, "too slow", true));
        party.say(said).await;
        // The end reaches who is left.
        let Party { room, mut talker, .. } = party;
        let ended = async { while talker.recv().await.unwrap().is_some() {} };
        tokio::join!(room.close(), ended);
        assert_eq!(talker.closed().map(|closed| closed.status), Some(1001));
    });
    assert!(peak < 1 << 20, "{peak} bytes at the most");
}
