//! Ours, in a readiness loop of our own: epoll or kqueue by mio, one thread, no runtime.
//!
//! `examples/echo_server_mio` is the same with deadlines, refusals and turns.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener as StdListener};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use sockless::handshake::server::{Handshake, Progress};
use sockless::handshake::{HeadLimits, OriginPolicy};
use sockless::message::{Action, Buffers, Endpoint, FeedError, OwnedMessage, Refused, WriteSide};
use sockless::{Config, Server};

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
                    connections[token] = Some(Connection::Opening(stream, Vec::new()));
                }
            } else if let Some(slot) = connections.get_mut(token) {
                let Some(connection) = slot.take() else { continue };
                match connection.turn(event.is_read_closed()) {
                    Ok(Some(connection)) => *slot = Some(connection),
                    Ok(None) | Err(_) => vacant.push(token),
                }
            }
        }
    }
}

/// One that is not over.
enum Connection {
    /// With what came of its request.
    Opening(TcpStream, Vec<u8>),
    Open(Box<Echo>),
}

impl Connection {
    /// Goes on as far as the socket allows; `None` once the connection is over. `ended` tells that the peer
    /// sends no more than what is there.
    fn turn(self, ended: bool) -> Result<Option<Self>> {
        match self {
            Self::Opening(stream, request) => Self::open(stream, request),
            Self::Open(mut echo) => Ok(echo.turn(ended)?.then_some(Self::Open(echo))),
        }
    }

    fn open(mut stream: TcpStream, mut request: Vec<u8>) -> Result<Option<Self>> {
        let mut scratch = [0; 4096];
        loop {
            match attempt(|| stream.read(&mut scratch))? {
                Some(0) => return Ok(None),
                Some(count) => request.extend_from_slice(&scratch[..count]),
                None => return Ok(Some(Self::Opening(stream, request))),
            }
            let mut head = [0; HeadLimits::STORAGE];
            let mut handshake = Handshake::new(&mut head, HeadLimits::DEFAULT);
            let (taken, progress) = handshake.recv(&request)?;
            match progress {
                Progress::NeedMore => {}
                Progress::Request(accepted) => {
                    let (len, _) = accepted.accept(OriginPolicy::Any)?.write(&mut scratch)?;
                    // Shorter than any socket's buffer.
                    stream.write_all(&scratch[..len])?;
                    let mut echo = Box::new(Echo::new(stream, &request[taken..]));
                    return Ok(echo.turn(true)?.then_some(Self::Open(echo)));
                }
                _ => return Err("not a request for a WebSocket".into()),
            }
        }
    }
}

/// After the opening handshake.
struct Echo {
    stream: TcpStream,
    endpoint: Endpoint<Server>,
    /// The echo that found the queue full. Nothing is read while it waits.
    held: Option<OwnedMessage>,
}

impl Echo {
    fn new(stream: TcpStream, received: &[u8]) -> Self {
        let endpoint = Endpoint::new(Server, Config::new(), Buffers::DEFAULT, received);
        Self { stream, endpoint, held: None }
    }

    /// Goes on as far as the socket allows; `false` once the connection is over.
    fn turn(&mut self, ended: bool) -> io::Result<bool> {
        let Self { stream, endpoint, held } = self;
        let mut write = WriteSide::Ready;
        // Whether the last read had more room than there was to read: what comes later is another event.
        let mut drained = false;
        loop {
            if let Some(message) = held.take() {
                *held = keep(endpoint.outbound().feed_owned(message));
            }
            let action = match held {
                Some(_) => Action::Write,
                None => match endpoint.poll(write) {
                    Ok(action) => action,
                    Err(_) => continue, // to the end of the transport; the peer is told on the way
                },
            };
            match action {
                Action::Take => {
                    let (inbound, outbound) = endpoint.split_mut();
                    if let Ok(Some(message)) = inbound.message(outbound) {
                        *held = keep(outbound.feed(message)).map(|_| message.into());
                    }
                }
                Action::Write => match attempt(|| stream.write(endpoint.output())) {
                    Ok(Some(count)) => endpoint.wrote(count),
                    Ok(None) if write == WriteSide::Blocked || held.is_some() => break,
                    Ok(None) => write = WriteSide::Blocked,
                    // The peer does not read any more; what it sent before tells why.
                    Err(_) => endpoint.write_ended(),
                },
                Action::ShutdownWrite => {
                    // A transport that has ended is as good.
                    let _ = stream.shutdown(Shutdown::Write);
                    endpoint.write_ended();
                }
                Action::Read if drained => break,
                Action::Read => {
                    let space = endpoint.space();
                    let room = space.len();
                    match attempt(|| stream.read(space)) {
                        Ok(Some(0)) => endpoint.eof(),
                        Ok(Some(count)) => {
                            endpoint.filled(count);
                            drained = count < room && !ended;
                        }
                        Ok(None) => break,
                        Err(error) if endpoint.lost() => return Err(error),
                        Err(_) => {}
                    }
                }
                Action::Close => return Ok(false),
            }
        }
        // An idle connection needs no buffers.
        endpoint.release();
        Ok(true)
    }
}

/// The message that found no room.
fn keep<M>(fed: Result<(), Refused<M>>) -> Option<M> {
    match fed {
        Err(Refused { message, error: FeedError::Full { .. } }) => Some(message),
        _ => None,
    }
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
