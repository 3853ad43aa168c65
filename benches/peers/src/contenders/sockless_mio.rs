//! Ours, in a readiness loop of our own: epoll or kqueue by mio, one thread, no runtime.
//!
//! A connection that waits is its socket and a few octets; it wakes up in the endpoint, and on the buffers,
//! that all share. `examples/echo_server_mio` is the same with deadlines, refusals and turns.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpListener as StdListener};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use sockless::endpoint::{Action, BufferPool, Buffers, Compressing, Endpoint, FeedError, WriteSide};
use sockless::handshake::server::{ServerHandshake, ServerProgress};
use sockless::handshake::{HeadLimits, OriginPolicy};
use sockless::message::OwnedMessage;
use sockless::{Config, Parked, Server};

use crate::Result;

const LISTENER: Token = Token(usize::MAX);

pub fn serve(listener: StdListener) -> Result {
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut vacant = Vec::new();
    let mut shared = Shared { awake: None, spare: BufferPool::new() };
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            let Token(token) = event.token();
            if event.token() == LISTENER {
                while let Some((mut stream, _)) = attempt(|| listener.accept())? {
                    stream.set_nodelay(true)?;
                    let token = vacant.pop().unwrap_or(connections.len());
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut stream, Token(token), interest)?;
                    if token == connections.len() {
                        connections.push(None);
                    }
                    connections[token] = Some(Connection { stream, phase: Phase::Opening(Vec::new()) });
                }
            } else if let Some(slot @ Some(_)) = connections.get_mut(token) {
                let goes_on = match slot {
                    Some(connection) => connection.turn(event.is_read_closed(), &mut shared),
                    None => Ok(false),
                };
                if !goes_on.unwrap_or(false) {
                    *slot = None;
                    vacant.push(token);
                }
            }
        }
    }
}

/// What the connections share.
struct Shared {
    /// An endpoint in which the next connection wakes up.
    awake: Option<Box<Echo>>,
    spare: BufferPool,
}

struct Connection {
    stream: TcpStream,
    phase: Phase,
}

enum Phase {
    /// With what came of its request.
    Opening(Vec<u8>),
    /// Between messages, and nothing to do.
    Parked(Parked),
    /// Something is in progress.
    Awake(Box<Echo>),
}

impl Connection {
    /// Goes on as far as the socket allows; `false` once the connection is over. `ended` tells that the peer
    /// sends no more than what is there.
    fn turn(&mut self, ended: bool, shared: &mut Shared) -> Result<bool> {
        let (mut echo, ended) = match &mut self.phase {
            Phase::Opening(request) => match open(&mut self.stream, request)? {
                Some(more) => (Box::new(Echo::new(&more)), true),
                None => return Ok(true),
            },
            Phase::Parked(rest) => {
                let mut echo = shared.awake.take().unwrap_or_else(|| Box::new(Echo::new(&[])));
                echo.endpoint.unpark(*rest);
                (echo, ended)
            }
            Phase::Awake(_) => match std::mem::replace(&mut self.phase, Phase::Parked(Parked::new())) {
                Phase::Awake(echo) => (echo, ended),
                _ => return Ok(false),
            },
        };
        let goes_on = echo.turn(&mut self.stream, ended, &mut shared.spare)?;
        echo.endpoint.release(&mut shared.spare);
        let rest = if echo.held.is_none() { echo.endpoint.park() } else { None };
        self.phase = match rest {
            Some(rest) => {
                shared.awake = Some(echo);
                Phase::Parked(rest)
            }
            None => Phase::Awake(echo),
        };
        Ok(goes_on)
    }
}

/// Goes on with the opening handshake. Once it is done, returns what came after it.
fn open(stream: &mut TcpStream, request: &mut Vec<u8>) -> Result<Option<Vec<u8>>> {
    let mut scratch = [0; 4096];
    while let Some(count) = attempt(|| stream.read(&mut scratch))? {
        if count == 0 {
            return Err("ended amid the opening handshake".into());
        }
        request.extend_from_slice(&scratch[..count]);
        let mut head = [0; HeadLimits::STORAGE];
        let mut handshake = ServerHandshake::new(&mut head, HeadLimits::DEFAULT);
        let (taken, progress) = handshake.recv(request)?;
        match progress {
            ServerProgress::NeedMore => {}
            ServerProgress::Request(accepted) => {
                let (len, _) = accepted.accept(OriginPolicy::Any)?.write(&mut scratch)?;
                // Shorter than any socket's buffer.
                stream.write_all(&scratch[..len])?;
                return Ok(Some(request.split_off(taken)));
            }
            _ => return Err("not a request for a WebSocket".into()),
        }
    }
    Ok(None)
}

/// After the opening handshake, while there is something to do.
struct Echo {
    endpoint: Endpoint<Server>,
    /// The echo that found the queue full. Nothing is read while it waits.
    held: Option<OwnedMessage>,
}

impl Echo {
    fn new(received: &[u8]) -> Self {
        Self { endpoint: Endpoint::new(Server, Config::new(), Buffers::DEFAULT, received), held: None }
    }

    /// Goes on as far as the socket allows; `false` once the connection is over.
    fn turn(&mut self, stream: &mut TcpStream, ended: bool, spare: &mut BufferPool) -> io::Result<bool> {
        let Self { endpoint, held } = self;
        let mut write = WriteSide::Ready;
        // Whether the last read had more room than there was to read: what comes later is another event.
        let mut drained = false;
        loop {
            if let Some(message) = held.take() {
                *held = is_full(endpoint.outbound().feed(&message)).then_some(message);
            }
            let action = match held {
                Some(_) => Action::Write,
                None => match endpoint.poll(write) {
                    Ok(action) => action,
                    Err(_) => continue, // to the end of the transport; the peer is told on the way
                },
            };
            match action {
                Action::Take(ready) => {
                    let (inbound, outbound) = endpoint.split_mut();
                    if let Ok(Some(message)) = inbound.message(ready) {
                        // A long one is written from where it stands.
                        let fed = outbound.feed_in_turns(message, true, &mut Compressing::new(), |slices| {
                            let slices = slices.map(IoSlice::new);
                            attempt(|| stream.write_vectored(&slices)).ok().flatten().unwrap_or(0)
                        });
                        *held = is_full(fed.map(|_| ())).then(|| message.into());
                    }
                }
                Action::Write => match attempt(|| stream.write(endpoint.output())) {
                    Ok(Some(count)) => endpoint.wrote(count),
                    Ok(None) if write == WriteSide::Blocked || held.is_some() => return Ok(true),
                    Ok(None) => write = WriteSide::Blocked,
                    // The peer does not read any more; what it sent before tells why.
                    Err(_) => endpoint.write_ended(),
                },
                Action::ShutdownWrite => {
                    // A transport that has ended is as good.
                    let _ = stream.shutdown(Shutdown::Write);
                    endpoint.write_ended();
                }
                Action::Read if drained => return Ok(true),
                Action::Read => {
                    endpoint.acquire(spare);
                    let space = endpoint.space();
                    let room = space.len();
                    match attempt(|| stream.read(space)) {
                        Ok(Some(0)) => endpoint.eof(),
                        Ok(Some(count)) => {
                            endpoint.filled(count);
                            drained = count < room && !ended;
                        }
                        Ok(None) => return Ok(true),
                        Err(error) if endpoint.lost() => return Err(error),
                        Err(_) => {}
                    }
                }
                Action::Yield => {} // the connections of the comparison are fair by themselves
                Action::Close => return Ok(false),
            }
        }
    }
}

/// Whether the message found no room.
fn is_full(fed: Result<(), FeedError>) -> bool {
    matches!(fed, Err(FeedError::Full { .. }))
}

/// `None` if the socket would make us wait.
fn attempt<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<Option<T>> {
    loop {
        match operation() {
            Ok(result) => return Ok(Some(result)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
