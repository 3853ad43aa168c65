//! A sending half that waits for a transport that takes nothing hears of it when the receiving half meets the end: of the
//! stream, by an error, by the peer's Close, or by a rule that the peer broke.
//!
//! The transport never wakes the sender: whoever met the end must.

use crate::common;

use std::collections::VecDeque;
use std::fmt::Debug;
use std::future::Future;
use std::io::{self, Read, Write};
use std::pin::{pin, Pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use common::{close_body, to, BINARY, CLOSE, TEXT};
use futures_util::Sink;
use sockless::endpoint::Buffers;
use sockless::message::{OwnedMessage, Prepared};
use sockless::polled::{self, PollTransport};
use sockless::{blocking, Error};
use sockless::{Config, ControlPayload, Server, Side, Timeouts, Timestamp};

/// What the peer does while our sender waits.
#[derive(Clone, Copy, Debug)]
enum Peer {
    /// Ends its direction.
    Ends,
    /// Resets the connection.
    Resets,
    /// Sends a Close, and ends its direction.
    ClosesAndEnds,
    /// Sends a Close, and nothing else.
    Closes,
    /// Sends a frame that is not masked.
    BreaksARule,
    /// Sends text that is not UTF-8.
    SendsBadText,
    /// Sends such text, and ends its direction.
    SendsBadTextAndEnds,
    /// Says nothing at all.
    IsSilent,
}

/// After which a receiving half comes to its end, at the latest when a timer runs out.
const PEERS: [Peer; 5] = [Peer::Ends, Peer::Resets, Peer::Closes, Peer::BreaksARule, Peer::IsSilent];

impl Peer {
    /// The frames, and how the stream ends, if it does.
    fn acts(self) -> (Vec<u8>, Option<Result<(), io::ErrorKind>>) {
        let close = to(Side::Server, CLOSE, &close_body(1000, b""));
        match self {
            Self::Ends => (Vec::new(), Some(Ok(()))),
            Self::Resets => (Vec::new(), Some(Err(io::ErrorKind::ConnectionReset))),
            Self::ClosesAndEnds => (close, Some(Ok(()))),
            Self::Closes => (close, None),
            Self::BreaksARule => (vec![BINARY, 1, 7], None),
            Self::SendsBadText => (to(Side::Server, TEXT, b"\xFF"), None),
            Self::SendsBadTextAndEnds => (to(Side::Server, TEXT, b"\xFF"), Some(Ok(()))),
            Self::IsSilent => (Vec::new(), None),
        }
    }
}

/// What the sender waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    Send,
    Feed,
    Fragment,
    Ping,
    Prepared,
    Flush,
    DrainTo,
    SinkReady,
    SinkFlush,
}

/// Such short times that a test of the blocking adapter need not wait long.
fn config() -> Config {
    let mut timeouts = Timeouts::NONE;
    timeouts.idle = Some(Duration::from_millis(300));
    timeouts.closing = Some(Duration::from_millis(100));
    Config::new().with_timeouts(timeouts)
}

const BUFFERS: Buffers = Buffers::DEFAULT.with_max_queued(1000);

/// More than the transport takes, less than the queue.
const MESSAGE: [u8; 900] = [7; 900];

/// Bytes that the transport takes before it is full for ever.
const ROOM: usize = 100;

/// A transport of which the peer reads nothing.
#[derive(Default)]
struct Line {
    input: VecDeque<u8>,
    end: Option<Result<(), io::ErrorKind>>,
    taken: usize,
    /// How often a write found it full.
    full: usize,
    reader: Option<Waker>,
    now: u64,
}

impl Line {
    fn act(&mut self, peer: Peer) {
        let (frames, end) = peer.acts();
        self.input.extend(frames);
        self.end = end;
        self.reader.take().into_iter().for_each(Waker::wake);
    }

    fn read(&mut self, buf: &mut [u8]) -> Option<io::Result<usize>> {
        if self.input.is_empty() {
            return self.end.map(|end| end.map(|()| 0).map_err(io::Error::from));
        }
        let count = buf.len().min(self.input.len());
        buf.iter_mut().zip(self.input.drain(..count)).for_each(|(to, from)| *to = from);
        Some(Ok(count))
    }

    fn write(&mut self, buf: &[u8]) -> Option<usize> {
        let count = buf.len().min(ROOM - self.taken);
        self.taken += count;
        self.full += usize::from(count == 0);
        (count > 0).then_some(count)
    }
}

#[derive(Clone, Default)]
struct Wire {
    line: Arc<(Mutex<Line>, Condvar)>,
    read_limit: Option<Duration>,
    write_limit: Option<Duration>,
}

impl Wire {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.0.lock().unwrap()
    }

    /// Waits for a result, as long as the limit allows.
    fn wait<T>(
        &self,
        limit: Option<Duration>,
        mut attempt: impl FnMut(&mut Line) -> Option<T>,
    ) -> io::Result<T> {
        let (line, changed) = &*self.line;
        let mut found = None;
        let mut missing = |line: &mut Line| {
            found = attempt(line);
            found.is_none()
        };
        let line = line.lock().unwrap();
        match limit {
            None => drop(changed.wait_while(line, &mut missing).unwrap()),
            Some(limit) => drop(changed.wait_timeout_while(line, limit, &mut missing).unwrap()),
        }
        found.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }
}

impl PollTransport for Wire {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut line = self.line();
        let read = line.read(buf);
        if read.is_none() {
            line.reader = Some(cx.waker().clone());
        }
        read.map_or(Poll::Pending, Poll::Ready)
    }

    fn poll_write(&mut self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.line().write(buf).map_or(Poll::Pending, |count| Poll::Ready(Ok(count)))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn now(&mut self) -> Option<Timestamp> {
        Some(Timestamp::from_micros(self.line().now))
    }

    fn poll_sleep(&mut self, cx: &mut Context<'_>, until: Timestamp) -> Poll<()> {
        let mut line = self.line();
        if Timestamp::from_micros(line.now) >= until {
            return Poll::Ready(());
        }
        line.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

type Polled = polled::Sender<Wire, Server>;

async fn wait(sender: &mut Polled, wait: Wait) -> Result<(), Error> {
    match wait {
        Wait::Send => sender.send(&MESSAGE).await,
        Wait::Feed => {
            sender.feed(&MESSAGE).await?;
            sender.feed(&MESSAGE).await
        }
        Wait::Fragment => sender.send_fragment(&MESSAGE, false).await,
        Wait::Ping => {
            sender.feed(&MESSAGE).await?;
            sender.ping(ControlPayload::new(b"?").unwrap()).await
        }
        Wait::Prepared => sender.send_prepared(&Prepared::new(MESSAGE)).await,
        Wait::Flush => {
            sender.feed(&MESSAGE).await?;
            sender.flush().await
        }
        Wait::DrainTo => {
            sender.feed(&MESSAGE).await?;
            sender.drain_to(500).await
        }
        Wait::SinkReady => loop {
            std::future::poll_fn(|cx| Pin::new(&mut *sender).poll_ready(cx)).await?;
            Pin::new(&mut *sender).start_send(OwnedMessage::from(MESSAGE.to_vec()))?;
        },
        Wait::SinkFlush => {
            Pin::new(&mut *sender).start_send(OwnedMessage::from(MESSAGE.to_vec()))?;
            std::future::poll_fn(|cx| Sink::<OwnedMessage>::poll_flush(Pin::new(&mut *sender), cx)).await
        }
    }
}

/// Polls the receiver to its end, with as much time as it asks for. Returns what it said.
fn receive<T: Debug, F: Future<Output = T>>(wire: &Wire, receiving: F) -> Option<String> {
    let woken = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut receiving = pin!(receiving);
    for _ in 0..100 {
        if let Poll::Ready(end) = receiving.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(format!("{end:?}"));
        }
        wire.line().now += 50_000;
    }
    None
}

fn polled(peer: Peer, waits: Wait) -> Result<(), String> {
    let wire = Wire::default();
    let socket = polled::WebSocket::new(wire.clone(), Server, config(), BUFFERS, &[]);
    let (mut receiver, mut sender) = socket.into_split();
    let woken = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut waiting = pin!(wait(&mut sender, waits));
    if let Poll::Ready(result) = waiting.as_mut().poll(&mut Context::from_waker(&waker)) {
        return Err(format!("it does not wait: {result:?}"));
    }
    let before = woken.0.load(Ordering::SeqCst);
    wire.line().act(peer);
    let end = receive(&wire, async { receiver.recv().await.map(|message| message.map(|it| it.kind())) });
    let Some(end) = end else { return Err("the receiver waits for ever".into()) };
    if woken.0.load(Ordering::SeqCst) == before {
        return Err(format!("not woken after {end}"));
    }
    match waiting.as_mut().poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(Err(_)) => Ok(()),
        other => Err(format!("after {end}: {other:?}")),
    }
}

const WAITS: [Wait; 9] = [
    Wait::Send,
    Wait::Feed,
    Wait::Fragment,
    Wait::Ping,
    Wait::Prepared,
    Wait::Flush,
    Wait::DrainTo,
    Wait::SinkReady,
    Wait::SinkFlush,
];

fn all_polled(peers: &[Peer]) {
    let cases = peers.iter().flat_map(|peer| WAITS.iter().map(move |wait| (*peer, *wait)));
    let faults = cases.filter_map(|(peer, wait)| {
        polled(peer, wait).err().map(|fault| format!("{peer:?}, {wait:?}: {fault}"))
    });
    let faults: Vec<String> = faults.collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_sender_that_is_polled_is_woken_by_every_end_and_gets_an_error() {
    let _watchdog = watchdog!();
    all_polled(&PEERS);
}

#[test]
fn a_sender_that_is_polled_is_woken_when_the_peer_closes_and_ends_without_reading() {
    let _watchdog = watchdog!();
    all_polled(&[Peer::ClosesAndEnds]);
}

#[test]
fn a_sender_that_is_polled_is_woken_by_a_failure_that_is_found_in_a_payload() {
    let _watchdog = watchdog!();
    all_polled(&[Peer::SendsBadText, Peer::SendsBadTextAndEnds]);
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.wait(self.read_limit, |line| line.read(buf))?
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.wait(self.write_limit, |line| line.write(buf));
        // The test waits until the sender does.
        self.line.1.notify_all();
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl blocking::BlockingTransport for Wire {
    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn limit_read(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.read_limit = limit;
        Ok(())
    }

    fn limit_write(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.write_limit = limit;
        Ok(())
    }
}

impl blocking::CloneTransport for Wire {
    /// As sockets have it: both handles have the limits that were set on one.
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { write_limit: Some(Duration::from_millis(20)), ..self.clone() })
    }
}

fn wait_blocking(sender: &mut blocking::Sender<Wire, Server>, wait: Wait) -> Result<(), Error> {
    match wait {
        Wait::Send => sender.send(MESSAGE),
        Wait::Feed => {
            sender.feed(MESSAGE)?;
            sender.feed(MESSAGE)
        }
        Wait::Fragment => sender.send_fragment(MESSAGE, false),
        Wait::Ping => {
            sender.feed(MESSAGE)?;
            sender.ping(ControlPayload::new(b"?").unwrap())
        }
        Wait::Prepared => {
            sender.feed_prepared(&Prepared::new(MESSAGE))?;
            sender.flush()
        }
        _ => {
            sender.feed(MESSAGE)?;
            sender.flush()
        }
    }
}

/// Whether the thread ends in the time that all timers and turns together take, and a lot more.
fn soon<T>(thread: &thread::JoinHandle<T>) -> bool {
    for _ in 0..200 {
        if thread.is_finished() {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}

/// What the sender got.
fn blocking(peer: Peer, waits: Wait) -> Result<Result<(), Error>, String> {
    let wire = Wire::default();
    let socket = blocking::WebSocket::new(wire.clone(), Server, config(), BUFFERS, &[]);
    let (mut receiver, mut sender) = socket.into_split().unwrap();
    let sending = thread::spawn(move || wait_blocking(&mut sender, waits));
    wire.wait(None, |line| (line.full > 0).then_some(())).unwrap();
    wire.line().act(peer);
    wire.line.1.notify_all();
    let receiving = thread::spawn(move || receiver.recv().map(|message| message.map(|it| it.kind())));
    if !soon(&receiving) {
        return Err("the receiver waits for ever".into());
    }
    let end = receiving.join().unwrap();
    if !soon(&sending) {
        return Err(format!("still waiting after {end:?}"));
    }
    Ok(sending.join().unwrap())
}

/// Whether `right` is true of what the sender got, after each of these peers and in each wait. They run at the
/// same time, because each takes the time of a timer.
fn all_blocking(peers: &[Peer], right: fn(&Result<(), Error>) -> bool) {
    let waits = [Wait::Send, Wait::Feed, Wait::Fragment, Wait::Ping, Wait::Prepared, Wait::Flush];
    let cases = peers.iter().flat_map(|peer| waits.iter().map(move |wait| (*peer, *wait)));
    let started: Vec<_> =
        cases.map(|(peer, wait)| (peer, wait, thread::spawn(move || blocking(peer, wait)))).collect();
    let mut faults = Vec::new();
    for (peer, wait, case) in started {
        match case.join().unwrap() {
            Ok(result) if right(&result) => {}
            other => faults.push(format!("{peer:?}, {wait:?}: {other:?}")),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_sender_that_blocks_is_let_go_by_every_end() {
    let _watchdog = watchdog!();
    all_blocking(&PEERS, |_| true);
}

#[test]
fn a_sender_that_blocks_gets_an_error_for_what_was_dropped() {
    let _watchdog = watchdog!();
    all_blocking(&PEERS, Result::is_err);
}

#[test]
fn a_sender_that_blocks_is_let_go_when_the_peer_closes_and_ends_without_reading() {
    let _watchdog = watchdog!();
    all_blocking(&[Peer::ClosesAndEnds], Result::is_err);
}

#[test]
fn a_sender_that_blocks_is_let_go_by_a_failure_that_is_found_in_a_payload() {
    let _watchdog = watchdog!();
    all_blocking(&[Peer::SendsBadText, Peer::SendsBadTextAndEnds], Result::is_err);
}
