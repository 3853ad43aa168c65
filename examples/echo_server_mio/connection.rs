//! One connection of the loop: it does what the engine says until the socket would make it wait.

use std::io::{self, IoSlice, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};

use mio::net::TcpStream;
use sockless::deflate::{Params, Policy, Pool, Tuning};
use sockless::endpoint::{
    Action, BufferPool, Buffers, Compressing, Endpoint, Fed, FeedError, Outbound, Ready, WriteSide,
};
use sockless::handshake::server::{Reject, ServerHandshake};
use sockless::handshake::HeadLimits;
use sockless::message::{Message, OwnedMessage};
use sockless::{CloseCode, Config, Deadlines, Parked, Progress, Server, Timeouts, Timestamp, Wake};

use super::log::log;
use super::opening::{open, refuse, Opening};

/// What the connections of a thread share.
pub struct Shared<'h> {
    /// What is accepted of permessage-deflate, if anything is.
    policy: Option<Policy>,
    /// How it is compressed.
    tuning: Tuning,
    /// Where connections that keep no context between messages have theirs from.
    pool: Pool,
    /// Storage for heads: so many connections can be in the middle of one at a time.
    pub heads: Vec<&'h mut [u8]>,
    /// What is read before there is an endpoint, or after there could have been one.
    scratch: Box<[u8]>,
    /// An endpoint in which the next connection wakes up.
    awake: Option<Box<Echo>>,
    /// Its buffers, and those of connections that have an endpoint of their own.
    spare: BufferPool,
}

impl<'h> Shared<'h> {
    pub fn new(policy: Option<Policy>, tuning: Tuning, heads: Vec<&'h mut [u8]>) -> Self {
        let scratch = vec![0; 16 << 10].into();
        Self { policy, tuning, pool: Pool::default(), heads, scratch, awake: None, spare: BufferPool::new() }
    }

    /// The endpoint of a connection that was parked.
    fn wake(&mut self, parked: Parked) -> Box<Echo> {
        let mut echo = self.awake.take().unwrap_or_else(|| Box::new(Echo::new(&[])));
        echo.endpoint.unpark(parked);
        echo
    }
}

/// How a turn ended.
pub enum Turn {
    /// There is nothing to do until the socket is ready or the deadline passes.
    Waiting,
    /// There may be more to do, but others want their turn.
    Unfinished,
    /// A request begins, and no storage for its head is free: another opening has to give its own.
    WantsHead,
    /// The connection is over.
    Ended,
}

pub struct Connection<'h> {
    stream: TcpStream,
    /// For the log: a socket that was reset does not tell it any more. It is smaller than a `SocketAddr`.
    peer: (IpAddr, u16),
    /// What is not written yet of the answer to the opening handshake.
    response: Vec<u8>,
    phase: Phase<'h>,
}

/// What most connections are in is small: parked.
enum Phase<'h> {
    Opening(Box<Begun<'h>>),
    /// Between messages, and nothing to do.
    Parked(Parked),
    /// Something is in progress, or a compression context remembers earlier messages.
    Awake(Box<Echo>),
    /// Reading on, within a bound, so that no reset overtakes the refusal.
    Refused(Box<Refusal>),
    Over,
}

/// An opening handshake.
struct Begun<'h> {
    /// Which it is, counted from the first that was accepted.
    number: u64,
    /// From the first octet on: it takes storage.
    handshake: Option<ServerHandshake<'h>>,
    deadlines: Deadlines,
}

/// What is left to do after a refusal.
struct Refusal {
    deadlines: Deadlines,
    /// Octets that may still be read.
    left: usize,
    /// The writing direction was ended.
    ended: bool,
}

/// Steps of a turn before the connection is open. From then on the engine says when others are to have theirs.
const STEPS: usize = 64;
/// Octets that are read after a refusal, at most.
const MAX_DRAINED: usize = 1 << 20;

const TIMEOUTS: Timeouts = Timeouts::SERVER;
const OPENING: Progress = Progress::OPENING;
const REFUSED: Progress = Progress { closing: true, ..OPENING };

impl<'h> Connection<'h> {
    /// The `number` counts connections.
    pub fn new(stream: TcpStream, peer: SocketAddr, number: u64) -> Self {
        let begun = Begun { number, handshake: None, deadlines: Deadlines::new(TIMEOUTS) };
        Self {
            stream,
            peer: (peer.ip(), peer.port()),
            response: Vec::new(),
            phase: Phase::Opening(Box::new(begun)),
        }
    }

    /// Its number while it is opening, behind whether it has storage for a head.
    pub fn opening(&self) -> Option<(bool, u64)> {
        match &self.phase {
            Phase::Opening(begun) => Some((begun.handshake.is_some(), begun.number)),
            _ => None,
        }
    }

    pub fn peer(&self) -> SocketAddr {
        self.peer.into()
    }

    pub const fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Goes on as far as the socket allows. `ended` unless the peer is known to have sent no end yet.
    pub fn turn(&mut self, ended: bool, shared: &mut Shared<'h>) -> io::Result<Turn> {
        for _ in 0..STEPS {
            if !self.response.is_empty() {
                match attempt(|| self.stream.write(&self.response))? {
                    Some(count) if count == self.response.len() => self.response = Vec::new(),
                    Some(count) => drop(self.response.drain(..count)),
                    None => return Ok(Turn::Waiting),
                }
                continue;
            }
            match &mut self.phase {
                Phase::Parked(parked) => self.phase = Phase::Awake(shared.wake(*parked)),
                Phase::Awake(echo) => {
                    let turn = echo.turn(&mut self.stream, self.peer.into(), ended, &mut shared.spare);
                    self.settle(shared);
                    return turn;
                }
                Phase::Over => return Ok(Turn::Ended),
                Phase::Refused(refused) => {
                    // Once: each is an event of its own. A transport that has ended is as good.
                    if !std::mem::replace(&mut refused.ended, true) {
                        let _ = self.stream.shutdown(Shutdown::Write);
                    }
                    match attempt(|| self.stream.read(&mut shared.scratch))? {
                        Some(count @ 1..) if count < refused.left => refused.left -= count,
                        Some(_) => return Ok(Turn::Ended),
                        None => return Ok(Turn::Waiting),
                    }
                }
                Phase::Opening(begun) if begun.handshake.is_none() && shared.heads.is_empty() => {
                    return Ok(match attempt(|| self.stream.peek(&mut [0]))? {
                        Some(0) => Turn::Ended,
                        Some(_) => Turn::WantsHead,
                        None => Turn::Waiting,
                    });
                }
                Phase::Opening(_) => match attempt(|| self.stream.read(&mut shared.scratch))? {
                    Some(0) => return Ok(Turn::Ended),
                    Some(count) => self.open(count, shared),
                    None => return Ok(Turn::Waiting),
                },
            }
        }
        Ok(Turn::Unfinished)
    }

    /// When to tell the connection the time.
    pub fn deadline(&mut self, now: Timestamp, shared: &mut Shared<'h>) -> Option<Timestamp> {
        loop {
            let wake = match &self.phase {
                Phase::Opening(begun) => begun.deadlines.poll_timeout(OPENING),
                Phase::Parked(parked) => parked.poll_timeout(&TIMEOUTS),
                Phase::Awake(echo) => echo.endpoint.poll_timeout(),
                Phase::Refused(refused) => refused.deadlines.poll_timeout(REFUSED),
                Phase::Over => Wake::Never,
            };
            match wake {
                Wake::Now => self.tell(now, shared), // which arms what has to be armed
                Wake::At(at) => return Some(at),
                Wake::Never => return None,
            }
        }
    }

    /// Tells the time; what follows from it is done by the next turn.
    pub fn tell(&mut self, now: Timestamp, shared: &mut Shared<'h>) {
        if let Phase::Parked(parked) = self.phase {
            self.phase = Phase::Awake(shared.wake(parked));
        }
        match &mut self.phase {
            Phase::Opening(begun) => {
                if begun.deadlines.handle_timeout(now, OPENING).is_some() {
                    refuse(&Reject::new(408).expect("a status"), &mut self.response);
                    self.enter(refused(), shared);
                }
            }
            Phase::Awake(echo) => {
                echo.endpoint.handle_timeout(now);
                self.settle(shared);
            }
            Phase::Refused(refused) => {
                if refused.deadlines.handle_timeout(now, REFUSED).is_some() {
                    self.response.clear();
                    self.phase = Phase::Over;
                }
            }
            Phase::Parked(_) | Phase::Over => {}
        }
    }

    /// Queues a Close of ours, which the next turn writes.
    pub fn close(&mut self, shared: &mut Shared<'h>) {
        if let Phase::Parked(parked) = self.phase {
            self.phase = Phase::Awake(shared.wake(parked));
        }
        if let Phase::Awake(echo) = &mut self.phase {
            // Where it is closing already, that goes on.
            let _ = echo.endpoint.outbound().close(CloseCode::GOING_AWAY.into());
        }
    }

    /// Goes on to this phase; the storage of a head is for the next connection then.
    fn enter(&mut self, next: Phase<'h>, shared: &mut Shared<'h>) {
        if let Phase::Opening(begun) = std::mem::replace(&mut self.phase, next) {
            shared.heads.extend(begun.handshake.map(ServerHandshake::into_storage));
        }
    }

    /// Puts the connection to rest if it can be, and leaves its endpoint to the next.
    fn settle(&mut self, shared: &mut Shared<'h>) {
        let Phase::Awake(echo) = &mut self.phase else { return };
        echo.endpoint.release(&mut shared.spare);
        if let Some(parked) = echo.park() {
            if let Phase::Awake(echo) = std::mem::replace(&mut self.phase, Phase::Parked(parked)) {
                shared.awake = Some(echo);
            }
        }
    }

    /// Gives up what the connection holds of what is shared.
    pub fn end(mut self, shared: &mut Shared<'h>) {
        self.enter(Phase::Over, shared);
    }

    /// Ends an opening whose storage or file another needs. The peer is told as far as that needs no wait.
    pub fn evict(mut self, shared: &mut Shared<'h>) {
        let mut response = Vec::new();
        refuse(&Reject::new(503).expect("a status"), &mut response);
        // What was not read would make a reset of the end, which overtakes the answer.
        let _ = self.stream.read(&mut shared.scratch);
        let _ = self.stream.write(&response);
        self.end(shared);
    }

    /// Takes the first octets of the scratch as a part of the opening handshake.
    fn open(&mut self, count: usize, shared: &mut Shared<'h>) {
        let Phase::Opening(begun) = &mut self.phase else { return };
        let handshake = match &mut begun.handshake {
            Some(handshake) => handshake,
            none => match shared.heads.pop() {
                Some(head) => none.insert(ServerHandshake::new(head, HeadLimits::DEFAULT)),
                None => return,
            },
        };
        let received = &shared.scratch[..count];
        let next = match open(handshake, received, shared.policy.as_ref(), &mut self.response) {
            Opening::NeedMore => return,
            Opening::Open(session, taken) => match (&session.deflate, &received[taken..]) {
                (None, []) => Phase::Parked(Parked::new()),
                (None, more) => Phase::Awake(Box::new(Echo::new(more))),
                (Some(params), more) => {
                    Phase::Awake(Box::new(Echo::compressing(params, shared.tuning, &shared.pool, more)))
                }
            },
            Opening::Refused => refused(),
        };
        self.enter(next, shared);
    }
}

fn refused<'h>() -> Phase<'h> {
    Phase::Refused(Box::new(Refusal { deadlines: Deadlines::new(TIMEOUTS), left: MAX_DRAINED, ended: false }))
}

/// After the opening handshake.
struct Echo {
    endpoint: Endpoint<Server>,
    /// The echo that found the queue full, or is still being compressed. Nothing is read while it waits.
    held: Option<(OwnedMessage, Compressing)>,
    /// Whether the endpoint is for this connection alone: others may have agreed on another compression.
    compresses: bool,
}

impl Echo {
    fn new(received: &[u8]) -> Self {
        let config = Config::new().with_timeouts(TIMEOUTS);
        let endpoint = Endpoint::new(Server, config, Buffers::DEFAULT, received);
        Self { endpoint, held: None, compresses: false }
    }

    fn compressing(params: &Params, tuning: Tuning, pool: &Pool, received: &[u8]) -> Self {
        let Self { endpoint, held, .. } = Self::new(received);
        Self { endpoint: endpoint.with_deflate(params, tuning, Some(pool)), held, compresses: true }
    }

    /// What is to be kept of the connection, if it is idle.
    fn park(&mut self) -> Option<Parked> {
        if self.compresses || self.held.is_some() {
            return None;
        }
        self.endpoint.park()
    }

    fn turn(
        &mut self,
        stream: &mut TcpStream,
        peer: SocketAddr,
        ended: bool,
        spare: &mut BufferPool,
    ) -> io::Result<Turn> {
        let mut write = WriteSide::Ready;
        // Whether the last read left room: what comes later is an event of its own.
        let mut drained = false;
        loop {
            let action = match self.feed_held(stream) {
                Some(action) => action,
                None => match self.endpoint.poll(write) {
                    Ok(action) => action,
                    Err(error) => {
                        log(format_args!("{peer}: {error}"));
                        continue; // to the end of the transport
                    }
                },
            };
            match action {
                Action::Take(ready) => self.echo(ready, stream),
                Action::Write => match attempt(|| stream.write(self.endpoint.output())) {
                    Ok(Some(count)) => self.endpoint.wrote(count),
                    Ok(None) if write == WriteSide::Blocked || self.held.is_some() => {
                        return Ok(Turn::Waiting)
                    }
                    Ok(None) => write = WriteSide::Blocked,
                    // The peer does not read any more; what it sent before tells why.
                    Err(_) => self.endpoint.write_ended(),
                },
                Action::ShutdownWrite => {
                    // A transport that has ended is as good.
                    let _ = stream.shutdown(Shutdown::Write);
                    self.endpoint.write_ended();
                }
                Action::Read if drained => return Ok(Turn::Waiting),
                Action::Read => {
                    // Each time: a large message wants another buffer than the one before it.
                    self.endpoint.acquire(spare);
                    let space = self.endpoint.space();
                    let room = space.len();
                    match attempt(|| stream.read(space)) {
                        Ok(Some(0)) => self.endpoint.eof(),
                        Ok(Some(count)) => {
                            self.endpoint.filled(count);
                            drained = count < room && !ended;
                        }
                        Ok(None) => return Ok(Turn::Waiting),
                        Err(error) if self.endpoint.lost() => return Err(error),
                        Err(_) => {}
                    }
                }
                Action::Yield => return Ok(Turn::Unfinished),
                Action::Close => return Ok(Turn::Ended),
            }
        }
    }

    /// Queues the message that is ready. What one read brought is answered in one write.
    fn echo(&mut self, ready: Ready, stream: &mut TcpStream) {
        let (inbound, outbound) = self.endpoint.split_mut();
        // A failure is reported by `poll` as well.
        let Ok(Some(message)) = inbound.message(ready) else { return };
        let mut compressing = Compressing::new();
        if feed(outbound, message, &mut compressing, stream).is_some() {
            self.held = Some((message.into(), compressing));
        }
    }

    /// Queues the echo that is held. What it waits for, if it still does.
    fn feed_held(&mut self, stream: &mut TcpStream) -> Option<Action> {
        let (message, compressing) = self.held.as_mut()?;
        let waits = feed(self.endpoint.outbound(), message.as_message(), compressing, stream);
        if waits.is_none() {
            self.held = None;
        }
        waits
    }
}

/// Queues a message: what it waits for, if it cannot be queued yet. A long one is written from where it stands, as far
/// as the socket takes it.
fn feed(
    outbound: &mut Outbound<Server>,
    message: Message<'_>,
    compressing: &mut Compressing,
    stream: &mut TcpStream,
) -> Option<Action> {
    let fed = outbound.feed_in_turns(message, true, compressing, |slices| {
        // Where nothing can be written, the next write tells why.
        let slices = slices.map(IoSlice::new);
        attempt(|| stream.write_vectored(&slices)).ok().flatten().unwrap_or(0)
    });
    match fed {
        Ok(Fed::Compressing) => Some(Action::Yield),
        Err(FeedError::Full { .. }) => Some(Action::Write),
        // The connection is ending: nobody waits for the echo.
        Ok(Fed::Queued) | Err(_) => None,
    }
}

/// `None` if the socket would make us wait.
fn attempt(mut operation: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match operation() {
            Ok(count) => return Ok(Some(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
