//! The loop: who is ready, whose deadline passed, and who wants to be accepted.

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use sockless::deflate::{Policy, Tuning};
use sockless::handshake::HeadLimits;
use sockless::Timestamp;

use super::connection::{Connection, Shared, Turn};
use super::log::log;

const LISTENER: Token = Token(usize::MAX);
const STOPPER: Token = Token(usize::MAX - 1);
/// Connections that can be in the middle of a head at a time. One more takes the place of the oldest.
pub const HEADS: usize = 1024;
/// When to try again to accept, where it was not possible.
const PATIENCE: Duration = Duration::from_millis(50);

/// How long connections have to end in an orderly way once the loop is to stop.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Connections that are accepted before the others have their turns.
const ACCEPTS: usize = 64;

/// Sockets, and whose turn it is.
pub struct Loop<'h> {
    poll: Poll,
    /// Until the loop is to stop.
    listener: Option<TcpListener>,
    shared: Shared<'h>,
    clock: Instant,
    /// By token.
    connections: Vec<Option<Place<'h>>>,
    vacant: Vec<usize>,
    deadlines: BTreeSet<(Timestamp, usize)>,
    /// Those that are opening: without a head before those with one, then the oldest first.
    opening: BTreeSet<((bool, u64), usize)>,
    /// Who has a turn next; each is here once.
    turns: Vec<usize>,
    /// How many were accepted.
    accepted: u64,
    /// When to accept; nothing where nobody waits.
    accept_at: Option<Timestamp>,
    /// When the loop ends whatever is left to do, once it is to stop.
    ends_at: Option<Timestamp>,
}

/// A connection, and what is noted of it.
struct Place<'h> {
    connection: Connection<'h>,
    /// Among the deadlines.
    deadline: Option<Timestamp>,
    /// If it is among those that have a turn: `false` if its peer is known to have sent no end yet.
    turn: Option<bool>,
}

impl<'h> Loop<'h> {
    /// With storage for heads, of [`HeadLimits::STORAGE`] bytes each.
    pub fn new(
        mut listener: TcpListener,
        policy: Option<Policy>,
        tuning: Tuning,
        heads: &'h mut [u8],
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener: Some(listener),
            shared: Shared::new(policy, tuning, heads.chunks_exact_mut(HeadLimits::STORAGE).collect()),
            clock: Instant::now(),
            connections: Vec::new(),
            vacant: Vec::new(),
            deadlines: BTreeSet::new(),
            opening: BTreeSet::new(),
            turns: Vec::new(),
            accepted: 0,
            accept_at: None,
            ends_at: None,
        })
    }

    /// What makes the loop stop, from any thread: nobody is accepted any more, all connections are closed
    /// with 1001, and those that do not end within a time are dropped.
    pub fn stopper(&self) -> io::Result<Waker> {
        Waker::new(self.poll.registry(), STOPPER)
    }

    /// Serves until it is stopped.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut turns = Vec::new();
        loop {
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            let now = self.now();
            for event in &events {
                match event.token() {
                    // Where accepting failed, it has its time.
                    LISTENER => _ = self.accept_at.get_or_insert(now),
                    STOPPER => self.stop(now),
                    Token(token) => self.give_turn(token, event.is_read_closed()),
                }
            }
            while let Some(&(at, token)) = self.deadlines.first().filter(|(at, _)| *at <= now) {
                self.deadlines.remove(&(at, token));
                if let Some(Some(place)) = self.connections.get_mut(token) {
                    place.deadline = None;
                    self.with(token, |connection, shared| connection.tell(now, shared));
                    self.give_turn(token, true);
                }
            }
            // Who is not finished has the next turn when all others had theirs.
            std::mem::swap(&mut turns, &mut self.turns);
            for token in turns.drain(..) {
                self.turn(token, now);
            }
            if self.accept_at.is_some_and(|at| at <= now) {
                self.accept_at = self.accept(now);
            }
            let is_empty = self.connections.len() == self.vacant.len();
            if self.ends_at.is_some_and(|at| at <= now || is_empty) {
                return Ok(());
            }
        }
    }

    /// How long to wait for the next event; for ever if there is nothing else to do.
    fn patience(&self) -> Option<Duration> {
        if !self.turns.is_empty() {
            return Some(Duration::ZERO);
        }
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        let at = deadline.into_iter().chain(self.accept_at).chain(self.ends_at).min()?;
        Some(Duration::from_micros(at.as_micros().saturating_sub(self.now().as_micros())))
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_duration(self.clock.elapsed())
    }

    /// Takes leave of everybody.
    fn stop(&mut self, now: Timestamp) {
        self.ends_at.get_or_insert(now.after(LAST_WORDS));
        self.listener = None;
        self.accept_at = None;
        while let Some((_, opening)) = self.opening.first().copied() {
            self.evict(opening);
        }
        for token in 0..self.connections.len() {
            self.with(token, |connection, shared| connection.close(shared));
            self.give_turn(token, true);
        }
    }

    /// `ended` unless the peer is known to have sent no end yet.
    fn give_turn(&mut self, token: usize, ended: bool) {
        let Some(Some(place)) = self.connections.get_mut(token) else { return };
        match &mut place.turn {
            Some(known) => *known |= ended,
            none => {
                *none = Some(ended);
                self.turns.push(token);
            }
        }
    }

    /// Lets a connection go on, if it has a turn.
    fn turn(&mut self, token: usize, now: Timestamp) {
        let Some(Some(place)) = self.connections.get_mut(token) else { return };
        let peer = place.connection.peer();
        let Some(ended) = place.turn.take() else { return };
        let turn = self.with(token, |connection, shared| connection.turn(ended, shared));
        match turn {
            None | Some(Ok(Turn::Ended)) => self.end(token),
            Some(Err(error)) => {
                log(format_args!("{peer}: {error}"));
                self.end(token);
            }
            Some(Ok(Turn::Waiting)) => self.note_deadline(token, now),
            Some(Ok(Turn::Unfinished)) => {
                self.note_deadline(token, now);
                self.give_turn(token, true);
            }
            Some(Ok(Turn::WantsHead)) => {
                // The oldest has had the most time.
                let oldest = self.opening.range(((true, 0), 0)..).next().copied();
                if let Some((_, oldest)) = oldest {
                    self.evict(oldest);
                }
                self.note_deadline(token, now);
                self.give_turn(token, true);
            }
        }
    }

    /// Does something with a connection, and notes whether it is opening then.
    fn with<T>(
        &mut self,
        token: usize,
        act: impl FnOnce(&mut Connection<'h>, &mut Shared<'h>) -> T,
    ) -> Option<T> {
        let connection = &mut self.connections.get_mut(token)?.as_mut()?.connection;
        let before = connection.opening();
        let result = act(connection, &mut self.shared);
        let after = connection.opening();
        if before != after {
            if let Some(key) = before {
                self.opening.remove(&(key, token));
            }
            self.opening.extend(after.map(|key| (key, token)));
        }
        Some(result)
    }

    fn note_deadline(&mut self, token: usize, now: Timestamp) {
        let deadline = self.with(token, |connection, shared| connection.deadline(now, shared)).flatten();
        let Some(Some(place)) = self.connections.get_mut(token) else { return };
        if deadline != place.deadline {
            if let Some(at) = std::mem::replace(&mut place.deadline, deadline) {
                self.deadlines.remove(&(at, token));
            }
            self.deadlines.extend(deadline.map(|at| (at, token)));
        }
    }

    fn end(&mut self, token: usize) {
        if let Some(connection) = self.take(token) {
            connection.end(&mut self.shared);
        }
    }

    fn evict(&mut self, token: usize) {
        if let Some(connection) = self.take(token) {
            connection.evict(&mut self.shared);
        }
    }

    /// Takes a connection out.
    fn take(&mut self, token: usize) -> Option<Connection<'h>> {
        let Place { mut connection, deadline, .. } = self.connections.get_mut(token)?.take()?;
        let _ = self.poll.registry().deregister(connection.stream());
        if let Some(at) = deadline {
            self.deadlines.remove(&(at, token));
        }
        if let Some(key) = connection.opening() {
            self.opening.remove(&(key, token));
        }
        self.vacant.push(token);
        Some(connection)
    }

    /// Accepts who waits. When to go on with that; nothing where nobody waits any more.
    fn accept(&mut self, now: Timestamp) -> Option<Timestamp> {
        for _ in 0..ACCEPTS {
            let listener = self.listener.as_ref()?;
            let token = self.vacant.last().copied().unwrap_or(self.connections.len());
            let registry = self.poll.registry();
            let accepted = listener.accept().and_then(|(mut stream, peer)| {
                stream.set_nodelay(true)?;
                registry.register(&mut stream, Token(token), Interest::READABLE | Interest::WRITABLE)?;
                Ok((stream, peer))
            });
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(error) => match self.opening.first().copied() {
                    // Who has not even sent a request must not keep out those who do.
                    Some((_, oldest)) if is_out_of_files(&error) => {
                        self.evict(oldest);
                        continue;
                    }
                    // One connection that failed, or too many open files: neither is a reason to end.
                    _ => {
                        log(format_args!("accept: {error}"));
                        return Some(now.after(PATIENCE));
                    }
                },
            };
            self.vacant.pop();
            if token == self.connections.len() {
                self.connections.push(None);
            }
            self.accepted += 1;
            let connection = Connection::new(stream, peer, self.accepted);
            self.opening.extend(connection.opening().map(|key| (key, token)));
            self.connections[token] = Some(Place { connection, deadline: None, turn: Some(true) });
            self.turn(token, now);
        }
        Some(now)
    }
}

/// Whether the process, or the system, may open no more files: `EMFILE` or `ENFILE`.
fn is_out_of_files(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}
