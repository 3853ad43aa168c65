//! One connection costs its share: however much a peer sends at once, a task that serves it is pending after a turn
//! of bounded work, and woken for the next.

use crate::common;

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use common::*;
use sockless::deflate::{Flush, Params, Tuning};
use sockless::endpoint::{Action, Buffers, Endpoint, WriteSide};
use sockless::polled::{PollTransport, WebSocket};
use sockless::{Config, Server, Side, Timeouts, Timestamp};

/// A peer that always has more to send, and takes everything.
struct Flood {
    input: Vec<u8>,
    at: usize,
    read: Rc<Cell<usize>>,
    now: Rc<Cell<u64>>,
    /// How many octets follow before the stream ends.
    left: usize,
}

impl PollTransport for Flood {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut count = 0;
        while count < buf.len().min(self.left) {
            let some = (buf.len().min(self.left) - count).min(self.input.len() - self.at);
            buf[count..count + some].copy_from_slice(&self.input[self.at..self.at + some]);
            count += some;
            self.at = (self.at + some) % self.input.len();
        }
        self.left -= count;
        self.read.set(self.read.get() + count);
        Poll::Ready(Ok(count))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn now(&mut self) -> Option<Timestamp> {
        Some(Timestamp::from_micros(self.now.get()))
    }

    fn poll_sleep(&mut self, _: &mut Context<'_>, until: Timestamp) -> Poll<()> {
        if self.now.get() >= until.as_micros() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What permessage-deflate makes of a message, its tail removed.
fn compressed(message: &[u8]) -> Vec<u8> {
    let mut deflater = sockless::deflate::Deflater::new(&Params::DEFAULT, Side::Client, Tuning::DEFAULT);
    let (mut out, mut room, mut input) = (Vec::new(), vec![0; 64 << 10], message);
    loop {
        let deflated = deflater.deflate(&mut input, Flush::Message, &mut room).unwrap();
        out.extend_from_slice(&room[..deflated.written]);
        if deflated.done {
            return out;
        }
    }
}

fn floods() -> Vec<(&'static str, Vec<u8>)> {
    let client = |first, payload: &[u8]| to(Side::Server, first, payload);
    let bomb = compressed(&vec![0; 8 << 20]);
    vec![
        ("messages of one octet", client(BINARY, b"x")),
        ("empty messages", client(TEXT, b"")),
        ("messages of a kibibyte", client(BINARY, &[7; 1024])),
        ("large messages", client(BINARY, &vec![7; 1 << 20])),
        ("text", client(TEXT, &vec![b'a'; 100_000])),
        ("Pings", client(PING, &[7; 125])),
        ("empty Pings", client(PING, b"")),
        ("Pongs", client(PONG, b"")),
        (
            "empty fragments",
            [client(TEXT_PART, b""), client(MORE, b"").repeat(10_000), client(END, b"")].concat(),
        ),
        (
            "fragments",
            [client(TEXT_PART, b"a"), client(MORE, b"b").repeat(10_000), client(END, b"c")].concat(),
        ),
        ("compressed messages", client(0xC1, &compressed(b"x"))),
        ("empty compressed messages", client(0xC1, &[0])),
        ("compressed zeros", client(0xC2, &bomb)),
        (
            "zeros in fragments",
            [client(0x42, &bomb[..bomb.len() / 2]), client(END, &bomb[bomb.len() / 2..])].concat(),
        ),
    ]
}

/// A connection, how much it has read, and its clock.
type Flooded = (WebSocket<Flood, Server>, Rc<Cell<usize>>, Rc<Cell<u64>>);

fn socket(input: &[u8], left: usize, timeouts: Timeouts) -> Flooded {
    let mut limits = sockless::Limits::DEFAULT;
    limits.max_expansion = u16::MAX;
    let config = Config::new().with_limits(limits).with_timeouts(timeouts);
    let endpoint = Endpoint::new(Server, config, Buffers::DEFAULT, &[]);
    let endpoint = endpoint.with_deflate(&Params::DEFAULT, Tuning::DEFAULT, None);
    let (read, now) = (Rc::default(), Rc::default());
    let flood = Flood { input: input.to_vec(), at: 0, read: Rc::clone(&read), now: Rc::clone(&now), left };
    (WebSocket::with_endpoint(flood, endpoint), read, now)
}

/// How a task serves: it echoes, drops, or takes pieces, undivided or in halves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Serves {
    Echo,
    Drop,
    Pieces,
    Halves,
}

async fn serve(mut socket: WebSocket<Flood, Server>, serves: Serves, count: Rc<Cell<usize>>) {
    let counted = || count.set(count.get() + 1);
    match serves {
        Serves::Echo => {
            while let Ok(Some((message, mut outgoing))) = socket.recv_with().await {
                counted();
                outgoing.feed(message).await.unwrap();
            }
        }
        Serves::Drop => {
            while let Ok(Some(_)) = socket.recv().await {
                counted();
            }
        }
        Serves::Pieces => {
            while let Ok(Some(_)) = socket.recv_piece().await {
                counted();
            }
        }
        Serves::Halves => {
            let (mut receiver, mut sender) = socket.into_split();
            while let Ok(Some(message)) = receiver.recv().await {
                counted();
                sender.feed(&message.as_bytes()[..message.as_bytes().len().min(16)]).await.unwrap();
            }
        }
    }
}

#[test]
fn a_turn_ends_whatever_a_peer_sends_and_the_next_one_comes() {
    for (what, input) in floods() {
        for serves in [Serves::Echo, Serves::Drop, Serves::Pieces, Serves::Halves] {
            let total = 24 << 20;
            let (socket, read, _) = socket(&input, total, Timeouts::NONE);
            let count = Rc::default();
            let mut task = pin!(serve(socket, serves, Rc::clone(&count)));
            let woken = Arc::new(Woken::default());
            let waker = Waker::from(Arc::clone(&woken));
            let began = Instant::now();
            let mut turns = 0;
            let mut longest = Duration::ZERO;
            while turns < 3 || began.elapsed() < Duration::from_millis(100) {
                let (before, turn) =
                    ((read.get(), count.get(), woken.0.load(Ordering::Relaxed)), Instant::now());
                let over = task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
                longest = longest.max(turn.elapsed());
                turns += 1;
                let (octets, messages) = (read.get() - before.0, count.get() - before.1);
                assert!(octets <= 5 << 20, "{what}, {serves:?}: {octets} octets in a turn");
                assert!(messages <= 4096, "{what}, {serves:?}: {messages} messages in a turn");
                if over {
                    break;
                }
                assert!(
                    woken.0.load(Ordering::Relaxed) > before.2,
                    "{what}, {serves:?}: there is more to do"
                );
            }
            assert!(turns > 1, "{what}, {serves:?}: one turn took {longest:?}");
            // Unoptimized, on a machine that does other things; a turn is some milliseconds at most otherwise.
            assert!(longest < Duration::from_secs(2), "{what}, {serves:?}: {longest:?}");
        }
    }
}

/// A peer that never lets a read wait does not keep a deadline from passing.
#[test]
fn a_flood_does_not_stop_the_clock() {
    let mut timeouts = Timeouts::NONE;
    timeouts.closing = Some(Duration::from_secs(5));
    for (what, input) in floods() {
        let (mut socket, _, now) = socket(&input, usize::MAX, timeouts);
        let waker = Waker::noop();
        let mut cx = Context::from_waker(waker);
        let mut closing = pin!(async move {
            let _ = socket.close(sockless::CloseCode::NORMAL).await;
            socket.closed()
        });
        for turn in 0_u64.. {
            assert!(turn < 1000, "{what}: the closing time has passed");
            now.set(turn * 1_000_000);
            if let Poll::Ready(closed) = closing.as_mut().poll(&mut cx) {
                assert!(closed.is_some(), "{what}");
                break;
            }
        }
    }
}

/// The engine itself says so, to everyone who drives it.
#[test]
fn the_engine_asks_for_others_to_have_their_turn() {
    for (what, input) in floods() {
        let config = Config::new().with_limits(sockless::Limits::DEFAULT.with_max_expansion(u16::MAX));
        let endpoint = Endpoint::new(Server, config, Buffers::DEFAULT, &[]);
        let mut endpoint = endpoint.with_deflate(&Params::DEFAULT, Tuning::DEFAULT, None);
        let (mut at, mut read, mut yields, mut messages) = (0, 0, 0, 0);
        while read < 12 << 20 && yields < 20 {
            match endpoint.poll(WriteSide::Ready).unwrap() {
                Action::Take(ready) => {
                    let _ = endpoint.message(ready).unwrap();
                    messages += 1;
                }
                Action::Write => {
                    let len = endpoint.output().len();
                    endpoint.wrote(len);
                }
                Action::Read => {
                    let space = endpoint.space();
                    let count = space.len().min(input.len() - at);
                    space[..count].copy_from_slice(&input[at..at + count]);
                    at = (at + count) % input.len();
                    read += count;
                    endpoint.filled(count);
                }
                Action::Yield => yields += 1,
                other => panic!("{what}: {other:?}"),
            }
        }
        assert!(yields >= 2, "{what}: {yields} turns for {read} octets and {messages} messages");
    }
}
