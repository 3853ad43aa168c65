//! The loop: who is ready, whose deadline passed, and who wants to be accepted.

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use sockless::deflate::Policy;
use sockless::handshake::HeadLimits;
use sockless::Timestamp;

use crate::connection::{Connection, Shared, Turn};

const LISTENER: Token = Token(usize::MAX);
/// Connections that can be opening at a time; the others wait in the listener's backlog.
pub const HEADS: usize = 1024;
/// When to try again to accept, where it was not possible.
const PATIENCE: Duration = Duration::from_millis(50);

/// Sockets, and whose turn it is.
pub struct Loop<'h> {
    poll: Poll,
    listener: TcpListener,
    shared: Shared<'h>,
    clock: Instant,
    /// By token, with the deadline that is noted for each.
    connections: Vec<Option<(Connection<'h>, Option<Timestamp>)>>,
    vacant: Vec<usize>,
    deadlines: BTreeSet<(Timestamp, usize)>,
    /// Who has more to do than one turn allowed.
    unfinished: Vec<usize>,
    /// Whether somebody may be waiting to be accepted.
    accepting: bool,
}

impl<'h> Loop<'h> {
    /// With storage for heads, of [`HeadLimits::STORAGE`] bytes each.
    pub fn new(mut listener: TcpListener, policy: Option<Policy>, heads: &'h mut [u8]) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            shared: Shared::new(policy, heads.chunks_exact_mut(HeadLimits::STORAGE).collect()),
            clock: Instant::now(),
            connections: Vec::new(),
            vacant: Vec::new(),
            deadlines: BTreeSet::new(),
            unfinished: Vec::new(),
            accepting: false,
        })
    }

    /// Serves for ever.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            let now = self.now();
            for token in std::mem::take(&mut self.unfinished) {
                self.turn(token, true, now);
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accepting = true,
                    Token(token) => self.turn(token, event.is_read_closed(), now),
                }
            }
            while let Some(&(at, token)) = self.deadlines.first() {
                if at > now {
                    break;
                }
                self.deadlines.pop_first();
                if let Some(Some((connection, noted))) = self.connections.get_mut(token) {
                    *noted = None;
                    connection.tell(now, &mut self.shared);
                }
                self.turn(token, true, now);
            }
            if self.accepting {
                self.accept(now);
            }
        }
    }

    /// How long to wait for the next event; for ever if there is nothing else to do.
    fn patience(&self) -> Option<Duration> {
        if !self.unfinished.is_empty() {
            return Some(Duration::ZERO);
        }
        let micros = |at: Timestamp| at.as_micros().saturating_sub(self.now().as_micros());
        let deadline = self.deadlines.first().map(|(at, _)| Duration::from_micros(micros(*at)));
        deadline.into_iter().chain(self.accepting.then_some(PATIENCE)).min()
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_duration(self.clock.elapsed())
    }

    /// Lets a connection go on, and notes its next deadline.
    fn turn(&mut self, token: usize, ended: bool, now: Timestamp) {
        let Some(slot) = self.connections.get_mut(token) else { return };
        let Some((connection, noted)) = slot else { return };
        let turn = connection.turn(ended, &mut self.shared).unwrap_or_else(|error| {
            eprintln!("connection {token}: {error}");
            Turn::Ended
        });
        let deadline = match turn {
            Turn::Ended => None,
            Turn::Waiting | Turn::Unfinished => connection.deadline(now, &mut self.shared),
        };
        if deadline != *noted {
            if let Some(at) = std::mem::replace(noted, deadline) {
                self.deadlines.remove(&(at, token));
            }
            self.deadlines.extend(deadline.map(|at| (at, token)));
        }
        match turn {
            Turn::Waiting => {}
            Turn::Unfinished => self.unfinished.push(token),
            Turn::Ended => {
                if let Some((mut connection, _)) = slot.take() {
                    let _ = self.poll.registry().deregister(connection.stream());
                    connection.end(&mut self.shared);
                    self.vacant.push(token);
                }
            }
        }
    }

    /// Accepts who waits, as far as there is storage for heads.
    fn accept(&mut self, now: Timestamp) {
        while let Some(head) = self.shared.heads.pop() {
            let token = self.vacant.last().copied().unwrap_or(self.connections.len());
            let registry = self.poll.registry();
            let accepted = self.listener.accept().and_then(|(mut stream, _)| {
                stream.set_nodelay(true)?;
                registry.register(&mut stream, Token(token), Interest::READABLE | Interest::WRITABLE)?;
                Ok(stream)
            });
            let stream = match accepted {
                Ok(stream) => stream,
                Err(error) => {
                    self.shared.heads.push(head);
                    // One connection that failed, or too many open files: neither is a reason to end.
                    match error.kind() {
                        io::ErrorKind::WouldBlock => self.accepting = false,
                        _ => eprintln!("accept: {error}"),
                    }
                    return;
                }
            };
            self.vacant.pop();
            if token == self.connections.len() {
                self.connections.push(None);
            }
            self.connections[token] = Some((Connection::new(stream, head), None));
            self.turn(token, true, now);
        }
    }
}
