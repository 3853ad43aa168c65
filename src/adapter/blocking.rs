//! WebSockets on blocking sockets, over anything that is [`Read`] and [`Write`]: a thread for each connection.
//!
//! ```no_run
//! use sockless::{blocking, handshake::OriginPolicy, Error, ServerConfig};
//!
//! fn echo(stream: std::net::TcpStream) -> Result<(), Error> {
//!     let mut socket = blocking::accept(stream, &ServerConfig::new(OriginPolicy::SameHost))?;
//!     while let Some((message, mut outgoing)) = socket.recv_with()? {
//!         outgoing.send(message)?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! A client, which keeps what came (a [`Message`] lies in the buffer until the next call):
//!
//! ```no_run
//! use sockless::{blocking, message::OwnedMessage, ClientConfig, CloseCode, Error};
//!
//! fn ask(url: &str, question: &str) -> Result<Vec<OwnedMessage>, Error> {
//!     let mut socket = blocking::connect(url, &ClientConfig::new())?;
//!     socket.send(question)?;
//!     let mut answers = Vec::new();
//!     while let Some(message) = socket.recv()? {
//!         if message.as_text() == Some("that is all") {
//!             socket.start_close(CloseCode::NORMAL)?;
//!         } else {
//!             answers.push(message.into_owned());
//!         }
//!     }
//!     Ok(answers)
//! }
//! ```
//!
//! [`recv`](WebSocket::recv) waits for as long as the connection lives, [`recv_timeout`](WebSocket::recv_timeout) for a
//! given time. Who wants to wait for something else as well gives the receiving half a thread of its own ([`into_split`](WebSocket::into_split)), which passes the messages on
//! through a channel, such as `std::sync::mpsc`.
//!
//! With a transport that does not block, or that has a time limit, every operation may fail with
//! [`WouldBlock`](io::ErrorKind::WouldBlock) or [`TimedOut`](io::ErrorKind::TimedOut); call it again later, nothing is
//! lost.
//!
//! Where [`Timeouts`](crate::Timeouts) are set, the adapter sets the time limit of each read itself, and timers move
//! while [`recv`](WebSocket::recv) waits.
//
// Owns: blocking reads and writes.
// Must not know: the protocol.

mod clock;
mod split;

#[cfg(all(feature = "handshake", feature = "rng"))]
mod opening;

#[cfg(all(feature = "handshake", feature = "rng"))]
pub use opening::{
    accept, accept_buffered, accept_or_http, accept_with, client, client_with, connect, receive,
    receive_buffered, ClientSocket, PendingRequest, ServerSocket,
};
#[cfg(all(feature = "handshake", feature = "rng"))]
pub(in crate::adapter) use opening::{open, open_client, receive_request};
pub use split::{CloneTransport, Receiver, Sender};

#[cfg(feature = "handshake")]
use alloc::string::String;
use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use self::clock::{Clock, Limited};
#[cfg(feature = "handshake")]
use super::agreed::Agreed;
use super::byte_stream::{chunk, end, Rest};
use super::connections::Member;
use super::socket_methods::socket_methods;
use super::{thread_pool, Connections, Error};
use crate::close::{CloseCode, CloseFrame};
use crate::connection::closing::Closed;
use crate::connection::Config;
use crate::endpoint::{Action, Buffers, Compressing, Endpoint, Fed, Inbound, Outbound, Ready, WriteSide};
use crate::error::{ProtocolError, SendError};
use crate::event::Data;
use crate::message::{Message, Prepared};
use crate::payload::{AsPayload, ControlPayload};
use crate::role::{Role, Server};
use crate::time::{Timestamp, Wake};

/// A blocking transport whose writing direction can be ended alone.
pub trait BlockingTransport: Read + Write {
    /// Ends the writing direction: the peer reads the end of the stream. For TLS, sends `close_notify`.
    ///
    /// # Errors
    ///
    /// Those of the transport; that it has ended is none.
    fn shutdown_write(&mut self) -> io::Result<()>;

    /// Limits the time of a read, after which it fails with [`WouldBlock`](io::ErrorKind::WouldBlock) or
    /// [`TimedOut`](io::ErrorKind::TimedOut); `None` is no limit.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported) unless implemented: no timer runs then.
    fn limit_read(&mut self, limit: Option<Duration>) -> io::Result<()> {
        let _ = limit;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Limits the time of a write in the same way.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported) unless implemented: a write waits for the peer then.
    fn limit_write(&mut self, limit: Option<Duration>) -> io::Result<()> {
        let _ = limit;
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl BlockingTransport for TcpStream {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }

    fn limit_read(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(limit)
    }

    fn limit_write(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.set_write_timeout(limit)
    }
}

#[cfg(unix)]
impl BlockingTransport for std::os::unix::net::UnixStream {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }

    fn limit_read(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(limit)
    }

    fn limit_write(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.set_write_timeout(limit)
    }
}

/// A WebSocket on a blocking transport.
pub struct WebSocket<S, R> {
    stream: S,
    #[cfg(feature = "handshake")]
    agreed: Agreed,
    endpoint: Endpoint<R>,
    clock: Clock,
    unflushed: bool,
    member: Option<Member>,
}

impl<S: BlockingTransport, R: Role> WebSocket<S, R> {
    /// After the opening handshake. `received` are the bytes that were read together with its end.
    pub fn new(stream: S, role: R, config: Config, buffers: Buffers, received: &[u8]) -> Self {
        Self::with_endpoint(stream, Endpoint::new(role, config, buffers, received))
    }

    /// With an endpoint that knows what was agreed on.
    pub fn with_endpoint(stream: S, endpoint: Endpoint<R>) -> Self {
        Self {
            stream,
            #[cfg(feature = "handshake")]
            agreed: Agreed::default(),
            endpoint,
            clock: Clock::new(),
            unflushed: false,
            member: None,
        }
    }

    /// With what the opening handshake agreed on.
    #[cfg(feature = "handshake")]
    #[must_use]
    pub fn with_negotiated(mut self, negotiated: crate::handshake::Negotiated) -> Self {
        self.agreed.negotiated = negotiated;
        self
    }

    /// With this subprotocol, which the opening handshake agreed on.
    #[cfg(feature = "handshake")]
    #[must_use]
    pub fn with_subprotocol(mut self, name: impl Into<String>) -> Self {
        self.agreed.subprotocol = Some(name.into().into());
        self
    }

    /// With what the opening handshake agreed on.
    #[cfg(all(feature = "handshake", feature = "rng"))]
    fn with_agreed(mut self, agreed: Agreed) -> Self {
        self.agreed = agreed;
        self
    }

    /// As one of these connections, which are closed together. It looks twice a second whether they are.
    #[must_use]
    pub fn with_connections(self, connections: &Connections) -> Self {
        self.with_member(Some(connections.enter()))
    }

    fn with_member(mut self, member: Option<Member>) -> Self {
        self.member = member;
        self
    }

    /// The subprotocol that the opening handshake agreed on, if it did.
    #[cfg(feature = "handshake")]
    pub fn subprotocol(&self) -> Option<&str> {
        self.agreed.subprotocol()
    }

    /// What the opening handshake agreed on beside it.
    #[cfg(feature = "handshake")]
    pub const fn negotiated(&self) -> crate::handshake::Negotiated {
        self.agreed.negotiated
    }

    socket_methods! {
        [] [] []
        /// Queues a message, to be written with others before the next wait for input or by [`flush`](Self::flush).
    }

    /// The next message, as from [`recv`](Self::recv), if it comes within `limit`. On a transport that cannot limit its
    /// reads this waits as long as `recv`.
    ///
    /// # Errors
    ///
    /// Those of `recv`; [`Error::Io`] with [`TimedOut`](io::ErrorKind::TimedOut) if no message came: call again, nothing
    /// is lost.
    pub fn recv_timeout(&mut self, limit: Duration) -> Result<Option<Message<'_>>, Error> {
        // Or no limit at all would never read.
        let until = self.clock.now().after(limit.max(Duration::from_millis(1)));
        self.ready(Endpoint::poll, Some(until))?;
        self.recv()
    }

    /// The next message and the sending direction, so that an answer can be queued or sent while the message is
    /// still borrowed: no copy between the two. `None` once the connection has ended.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`], once, after the peer was told; [`Error::Io`] if the transport failed.
    pub fn recv_with(&mut self) -> Result<Option<Incoming<'_, S, R>>, Error> {
        self.received(Endpoint::poll, Inbound::message)
    }

    /// The sending direction.
    pub fn outgoing(&mut self) -> Outgoing<'_, S, R> {
        let Self { stream, endpoint, clock, unflushed, .. } = self;
        Outgoing { stream, outbound: endpoint.outbound(), clock, unflushed }
    }

    /// How long the last Pong took that answered a Ping, also of keep-alive; `None` before. Too long where nobody
    /// receives. The peer can make it too short ([`Outbound::latency`](crate::endpoint::Outbound::latency)).
    pub fn latency(&self) -> Option<Duration> {
        self.endpoint.latency()
    }

    /// Whether a Ping was sent whose Pong has not come.
    pub fn awaits_pong(&self) -> bool {
        self.endpoint.awaits_pong()
    }

    /// The transport.
    pub const fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The engine, for what this adapter does not cover.
    pub fn endpoint(&mut self) -> &mut Endpoint<R> {
        &mut self.endpoint
    }

    fn recv_piece_with(&mut self) -> Received<'_, Data<'_>, S, R> {
        self.received(Endpoint::poll_piece, Inbound::piece)
    }

    fn received<'w, T>(
        &'w mut self,
        poll: fn(&mut Endpoint<R>, WriteSide) -> Result<Action, ProtocolError>,
        take: fn(&'w mut Inbound, Ready) -> Result<Option<T>, ProtocolError>,
    ) -> Received<'w, T, S, R> {
        let Some(ready) = self.ready(poll, None)? else { return Ok(None) };
        let Self { stream, endpoint, clock, unflushed, .. } = self;
        let (inbound, outbound) = endpoint.split_mut();
        let mut outgoing = Outgoing { stream, outbound, clock, unflushed };
        match take(inbound, ready) {
            Ok(taken) => Ok(taken.map(|taken| (taken, outgoing))),
            Err(error) => {
                outgoing.fail(error);
                #[cfg(feature = "tracing")]
                self.agreed.trace.failed(&error);
                Err(error.into())
            }
        }
    }

    const fn awake(&self) -> Option<&Endpoint<R>> {
        Some(&self.endpoint)
    }

    /// Whether the operation that failed may be called again.
    fn is_passing(error: &io::Error) -> bool {
        is_transient(error)
    }

    fn ready(
        &mut self,
        poll: impl Fn(&mut Endpoint<R>, WriteSide) -> Result<Action, ProtocolError>,
        until: Option<Timestamp>,
    ) -> Result<Option<Ready>, Error> {
        let came = self.drive(poll, until);
        #[cfg(feature = "tracing")]
        if !matches!(&came, Err(Error::Io(error)) if is_transient(error)) {
            self.agreed.trace.came(&came, || self.closed());
        }
        came
    }

    /// Until something is ready, the connection has ended (`None`), or it is so late that this is an error.
    fn drive(
        &mut self,
        poll: impl Fn(&mut Endpoint<R>, WriteSide) -> Result<Action, ProtocolError>,
        until: Option<Timestamp>,
    ) -> Result<Option<Ready>, Error> {
        loop {
            if let Some(order) = self.member.as_mut().and_then(Member::order) {
                let (inbound, outbound) = self.endpoint.split_mut();
                order.obey(inbound, outbound)?;
            }
            match poll(&mut self.endpoint, WriteSide::Ready)? {
                Action::Take(ready) => return Ok(Some(ready)),
                Action::Close => return Ok(None),
                Action::Write => match self.outgoing().write() {
                    Err(Error::Io(error)) if is_transient(&error) => return Err(error.into()),
                    // The peer does not read any more; what it sent before tells why.
                    Err(Error::Io(_)) => self.endpoint.write_ended(),
                    // A deadline that has passed is reported in its turn.
                    Ok(()) | Err(_) => {}
                },
                // Deadlines are looked at before each read.
                Action::Yield => {}
                Action::ShutdownWrite => self.outgoing().shutdown()?,
                Action::Read => {
                    match self.outgoing().flush_transport() {
                        Err(Error::Io(error)) if is_transient(&error) => return Err(error.into()),
                        // There is nothing to do but read.
                        _ => {}
                    }
                    let called = self.clock.now();
                    let mut wake = self.endpoint.poll_timeout().sooner(until.map_or(Wake::Never, Wake::At));
                    if self.member.is_some() {
                        wake = wake.sooner(Wake::At(called.after(WAKE_INTERVAL)));
                    }
                    let limited = match self.clock.limit_read(&mut self.stream, wake)? {
                        Limited::Passed(now) => {
                            self.endpoint.handle_timeout(now);
                            if until.is_some_and(|until| until <= now) {
                                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
                            }
                            continue;
                        }
                        Limited::Until(_) => self.clock.read_limit(),
                        Limited::Not => None,
                    };
                    // For the next large message on this thread.
                    thread_pool::with(|pool| self.endpoint.split_mut().0.acquire(pool));
                    match self.stream.read(self.endpoint.space()) {
                        Ok(0) => self.endpoint.eof(),
                        Ok(count) => self.endpoint.filled(count),
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) if is_transient(&error) && self.clock.was_limited(called, limited) => {}
                        Err(error) if is_transient(&error) => return Err(error.into()),
                        Err(error) => {
                            if self.endpoint.lost() {
                                return Err(error.into());
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A WebSocket as a stream of bytes, by [`WebSocket::into_io`]: with [`Read`] and [`Write`].
///
/// - Binary messages carry the bytes; where one ends and the next begins carries no meaning.
/// - A write sends one message of at most 32 KiB.
/// - The end is the peer's Close with 1000 or without a code. After any other end, reading fails.
/// - A text message is an error, `InvalidData`, and is answered with 1003.
pub struct ByteStream<S, R> {
    socket: WebSocket<S, R>,
    rest: Rest,
}

impl<S: BlockingTransport, R: Role> WebSocket<S, R> {
    /// Binary messages as a stream of bytes.
    pub fn into_io(self) -> ByteStream<S, R> {
        ByteStream { socket: self, rest: Rest::default() }
    }
}

impl<S, R> ByteStream<S, R> {
    /// The WebSocket, to [close](WebSocket::close) it.
    pub fn get_mut(&mut self) -> &mut WebSocket<S, R> {
        &mut self.socket
    }
}

impl<S: BlockingTransport, R: Role> Read for ByteStream<S, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Self { socket, rest } = self;
        let mut count = rest.take(buf);
        while count == 0 && !buf.is_empty() {
            let Some(piece) = socket.recv_piece()? else { return end(socket.closed()) };
            match rest.put(piece, buf) {
                Ok(put) => count = put,
                Err(error) => {
                    socket.start_close(CloseCode::UNSUPPORTED_DATA)?;
                    return Err(error);
                }
            }
        }
        Ok(count)
    }
}

impl<S: BlockingTransport, R: Role> Write for ByteStream<S, R> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let message = chunk(buf);
        self.socket.feed(message)?;
        match self.socket.flush() {
            // It is queued.
            Err(Error::Io(error)) if is_transient(&error) => {}
            flushed => flushed?,
        }
        Ok(message.as_bytes().len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(self.socket.flush()?)
    }
}

/// How often a read that waits looks up for a Close by the sending half, or of all connections.
const WAKE_INTERVAL: Duration = Duration::from_millis(500);

impl<S: BlockingTransport> WebSocket<S, Server> {
    /// Queues a message that was encoded once for many connections.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the connection does not allow it; [`Error::Io`] if the transport failed.
    pub fn feed_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
        let mut outgoing = self.outgoing();
        outgoing.make_room(message.frame().len())?;
        Ok(outgoing.outbound.feed_prepared(message)?)
    }
}

/// A message, and the sending direction to answer it.
pub type Incoming<'w, S, R> = (Message<'w>, Outgoing<'w, S, R>);

/// The same of something else.
type Received<'w, T, S, R> = Result<Option<(T, Outgoing<'w, S, R>)>, Error>;

/// The sending direction of a [`WebSocket`].
pub struct Outgoing<'w, S, R> {
    stream: &'w mut S,
    outbound: &'w mut Outbound<R>,
    clock: &'w mut Clock,
    unflushed: &'w mut bool,
}

impl<S: BlockingTransport, R: Role> Outgoing<'_, S, R> {
    /// Sends a message and everything queued before it.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the connection does not allow it, [`Error::Io`] if the transport failed.
    pub fn send(&mut self, message: impl AsPayload) -> Result<(), Error> {
        let payload = message.as_payload();
        self.make_room(payload.as_bytes().len())?;
        self.limit_writes()?;
        let Self { stream, outbound, unflushed, .. } = self;
        let mut compressing = Compressing::new();
        let mut write = |slices: [&[u8]; 2]| {
            let slices = slices.map(IoSlice::new);
            let count = retry(|| stream.write_vectored(&slices)).unwrap_or(0);
            **unflushed |= count > 0;
            count
        };
        // The thread serves one connection.
        while outbound.feed_in_turns(payload, true, &mut compressing, &mut write)? == Fed::Compressing {}
        self.flush()
    }

    /// Queues a message, to be written with others before the next wait for input or by [`flush`](Self::flush). What
    /// does not fit the queue is written first.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the connection does not allow it; [`Error::Io`] if the transport failed.
    pub fn feed(&mut self, message: impl AsPayload) -> Result<(), Error> {
        let payload = message.as_payload();
        self.make_room(payload.as_bytes().len())?;
        Ok(self.outbound.feed(payload)?)
    }

    /// Sends a fragment of a message, the last if `fin`: a message of any size in constant memory.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the connection does not allow it; [`Error::Io`] if the transport failed.
    pub fn send_fragment(&mut self, fragment: impl AsPayload, fin: bool) -> Result<(), Error> {
        let payload = fragment.as_payload();
        self.make_room(payload.as_bytes().len())?;
        self.outbound.feed_fragment(payload, fin)?;
        self.flush()
    }

    /// Sends a Ping.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the connection does not allow it; [`Error::Io`] if the transport failed.
    pub fn ping(&mut self, payload: ControlPayload<'_>) -> Result<(), Error> {
        self.make_room(payload.as_bytes().len())?;
        self.outbound.ping(payload)?;
        self.outbound.pinged(self.clock.now());
        self.flush()
    }

    /// Sends a Close. Messages can still come. Where the connection is closing already, only what is queued is written.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the connection does not allow it; [`Error::Io`] if the transport failed.
    pub fn start_close<'c>(&mut self, frame: impl Into<CloseFrame<'c>>) -> Result<(), Error> {
        self.outbound.close(frame.into())?;
        self.flush()
    }

    /// Writes everything that is queued.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the transport failed.
    pub fn flush(&mut self) -> Result<(), Error> {
        while !self.outbound.output().is_empty() {
            self.write()?;
        }
        self.outbound.written()?;
        self.flush_transport()
    }

    /// Writes until at most `bytes` wait: the low watermark below which a producer goes on. The bound of the queue is
    /// the high one.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the transport failed.
    pub fn drain_to(&mut self, bytes: usize) -> Result<(), Error> {
        while self.outbound.output().len() > bytes {
            self.write()?;
        }
        Ok(self.outbound.written()?)
    }

    fn make_room(&mut self, len: usize) -> Result<(), Error> {
        while !self.outbound.has_room(len) {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), Error> {
        match self.wait_for(|stream, outbound| stream.write(outbound.output()))? {
            Some(0) => Err(io::Error::from(io::ErrorKind::WriteZero).into()),
            Some(count) => {
                self.outbound.wrote(count);
                *self.unflushed = true;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// As long as the deadlines allow. `None` once the connection has ended.
    fn wait_for<T>(
        &mut self,
        mut operation: impl FnMut(&mut S, &mut Outbound<R>) -> io::Result<T>,
    ) -> Result<Option<T>, Error> {
        self.limit_writes()?;
        loop {
            let called = self.clock.now();
            match retry(|| operation(self.stream, self.outbound)) {
                Err(error) if is_transient(&error) => {
                    if !self.clock.was_limited(called, self.clock.write_limit()) {
                        return Err(error.into());
                    }
                }
                result => return Ok(Some(result?)),
            }
            let now = self.clock.now();
            if self.outbound.poll_timeout().is_due(now) {
                self.outbound.handle_timeout(now)?;
                if self.outbound.closed().is_some() {
                    return Ok(None);
                }
            }
        }
    }

    /// A write does not wait longer than the timers allow.
    fn limit_writes(&mut self) -> io::Result<()> {
        if self.outbound.poll_timeout() != Wake::Never {
            self.clock.limit_writes(self.stream)?;
        }
        Ok(())
    }

    /// Writes out what the transport buffers itself.
    fn flush_transport(&mut self) -> Result<(), Error> {
        if *self.unflushed {
            self.wait_for(|stream, _| stream.flush())?;
            *self.unflushed = false;
        }
        Ok(())
    }

    /// An error means to call again.
    fn shutdown(&mut self) -> Result<(), Error> {
        let ended = self.flush_transport().and_then(|()| self.wait_for(|stream, _| stream.shutdown_write()));
        match ended {
            Err(Error::Io(error)) if is_transient(&error) => return Err(error.into()),
            // That the transport has ended, or does not end in time, is as good.
            _ => self.outbound.write_ended(),
        }
        Ok(())
    }

    /// As far as the transport lets us at once.
    fn fail(&mut self, error: ProtocolError) {
        self.outbound.fail(error);
        self.outbound.take_failure();
        while !self.outbound.output().is_empty() {
            if self.write().is_err() {
                return;
            }
        }
        // Called again if need be.
        let _ = self.shutdown();
    }
}

/// Calls again what a signal interrupted.
fn retry<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

debug_states!([S, R] WebSocket<S, R>, |this| { unflushed: this.unflushed, endpoint: this.endpoint });

debug_states!([S, R] ByteStream<S, R>, |this| { socket: this.socket, rest: this.rest });

debug_states!([S, R] Outgoing<'_, S, R>, |this| { unflushed: this.unflushed, outbound: this.outbound });
