//! The two directions of a WebSocket on two threads.
//!
//! Nothing is locked while a half reads or writes. One half writes at a time, also what the other queues meanwhile. The
//! receiving half writes what it can, reads on, and tries again: two peers that write to each other never wait for each
//! other.
//
// Owns: the lock between the halves, and who writes.
// Must not know: the protocol.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use std::io;
use std::net::TcpStream;
use std::sync::PoisonError;
use std::time::Duration;

use super::clock::{Clock, Limited};
use super::{is_transient, BlockingTransport, WebSocket, WAKE_INTERVAL};
#[cfg(feature = "handshake")]
use crate::adapter::agreed::Agreed;
use crate::adapter::connections::Member;
use crate::adapter::last_close::LastClose;
use crate::adapter::receiver_guard::{Halves, ReceiverGuard};
use crate::adapter::socket_methods::{receiver_methods, sender_methods};
use crate::adapter::sync::{Condvar, Mutex, MutexGuard};
use crate::adapter::{thread_pool, Error, ReuniteError};
use crate::close::CloseFrame;
use crate::connection::closing::Closed;
use crate::endpoint::{Action, Directions, Endpoint, FeedError, Inbound, Outbound, Ready, WriteSide};
use crate::error::SendError;
use crate::event::Data;
use crate::message::{Message, Prepared};
use crate::payload::{AsPayload, ControlPayload, Payload};
use crate::role::{Role, Server};
use crate::time::{Timestamp, Wake};

/// A blocking transport of which there can be two handles.
pub trait CloneTransport: BlockingTransport + Sized {
    /// Another handle of the same transport.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn try_clone(&self) -> io::Result<Self>;
}

impl CloneTransport for TcpStream {
    fn try_clone(&self) -> io::Result<Self> {
        Self::try_clone(self)
    }
}

#[cfg(unix)]
impl CloneTransport for std::os::unix::net::UnixStream {
    fn try_clone(&self) -> io::Result<Self> {
        Self::try_clone(self)
    }
}

/// How long one half keeps the other from writing, or from reading on.
const WRITE_SLICE: Duration = Duration::from_millis(20);

/// Bytes of one write.
const CHUNK: usize = 64 << 10;

/// The receiving half of a [`WebSocket`], for a thread of its own. It answers Pings, and drives the closing handshake
/// and the timers.
pub struct Receiver<S, R> {
    stream: S,
    inbound: Inbound,
    clock: Clock,
    chunk: Vec<u8>,
    shared: Arc<ThreadHalves<R>>,
    left: ReceiverGuard<ThreadHalves<R>>,
    member: Option<Member>,
}

/// The sending half of a [`WebSocket`], for a thread of its own.
pub struct Sender<S, R> {
    stream: Option<S>,
    clock: Clock,
    /// The peer's reason, once it was asked for.
    reason: String,
    chunk: Vec<u8>,
    shared: Arc<ThreadHalves<R>>,
}

/// What [`Receiver::reunite`] gives back.
type NotHalves<S, R> = ReuniteError<Receiver<S, R>, Sender<S, R>>;

struct ThreadHalves<R> {
    both: Mutex<LockedOutbound<R>>,
    /// Something was written, or nobody writes any more.
    written: Condvar,
    #[cfg(feature = "handshake")]
    agreed: Agreed,
}

impl<R> Halves for ThreadHalves<R> {
    fn receiver_left(&self) {
        self.both.lock().unwrap_or_else(PoisonError::into_inner).deaf = true;
        self.written.notify_all();
    }
}

struct LockedOutbound<R> {
    outbound: Outbound<R>,
    /// Whether a half is writing.
    writing: bool,
    /// Whether the transport may still buffer something itself.
    unflushed: bool,
    /// The peer's Close, once it came.
    close: Option<LastClose>,
    /// Nobody reads any more.
    deaf: bool,
}

impl<S: CloneTransport, R: Role> WebSocket<S, R> {
    /// The two halves, for two threads. [`Receiver::reunite`] puts them together again.
    ///
    /// Until then the time limits of the transport's reads and writes belong to the halves.
    ///
    /// # Errors
    ///
    /// Those of the system, for a second handle of the transport.
    pub fn into_split(mut self) -> io::Result<(Receiver<S, R>, Sender<S, R>)> {
        let other = self.stream.try_clone()?;
        self.stream.limit_write(Some(WRITE_SLICE))?;
        let (inbound, outbound) = self.endpoint.into_split();
        self.clock.now();
        let clock = self.clock.clone();
        let shared = Arc::new(ThreadHalves {
            both: Mutex::new(LockedOutbound {
                outbound,
                writing: false,
                unflushed: true,
                close: None,
                deaf: false,
            }),
            written: Condvar::new(),
            #[cfg(feature = "handshake")]
            agreed: self.agreed,
        });
        let receiver = Receiver {
            stream: self.stream,
            inbound,
            clock: self.clock,
            chunk: Vec::new(),
            left: ReceiverGuard::new(&shared),
            member: self.member,
            shared: Arc::clone(&shared),
        };
        let sender = Sender { stream: Some(other), clock, reason: String::new(), chunk: Vec::new(), shared };
        Ok((receiver, sender))
    }
}

impl<S: CloneTransport, R: Role> Receiver<S, R> {
    /// The next message; `None` once the connection has ended, of which [`closed`](Self::closed) tells how.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`], once, after the peer was told; [`Error::Io`] if the transport failed.
    pub fn recv(&mut self) -> Result<Option<Message<'_>>, Error> {
        self.recv_until(None)
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
        self.recv_until(Some(until))
    }

    fn recv_until(&mut self, until: Option<Timestamp>) -> Result<Option<Message<'_>>, Error> {
        let ready = self.ready(|directions, write| directions.poll(write), until)?;
        let Some(ready) = ready else { return Ok(None) };
        let Self { stream, inbound, chunk, shared, .. } = self;
        inbound.message(ready).map_err(|error| shared.fail(stream, chunk, error))
    }

    /// The next piece of a message, for messages of any size in constant memory.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`], once, after the peer was told; [`Error::Io`] if the transport failed.
    pub fn recv_piece(&mut self) -> Result<Option<Data<'_>>, Error> {
        let ready = self.ready(|directions, write| directions.poll_piece(write), None)?;
        let Some(ready) = ready else { return Ok(None) };
        let Self { stream, inbound, chunk, shared, .. } = self;
        inbound.piece(ready).map_err(|error| shared.fail(stream, chunk, error))
    }

    receiver_methods!();

    /// The subprotocol that the opening handshake agreed on, if it did.
    #[cfg(feature = "handshake")]
    pub fn subprotocol(&self) -> Option<&str> {
        self.shared.agreed.subprotocol()
    }

    /// What the opening handshake agreed on beside it.
    #[cfg(feature = "handshake")]
    pub fn negotiated(&self) -> crate::handshake::Negotiated {
        self.shared.agreed.negotiated
    }

    /// The WebSocket whose halves these are, without time limits on reads and writes.
    ///
    /// # Errors
    ///
    /// [`ReuniteError`] with both, if they are not halves of one.
    pub fn reunite(mut self, sender: Sender<S, R>) -> Result<WebSocket<S, R>, Box<NotHalves<S, R>>> {
        if !Arc::ptr_eq(&self.shared, &sender.shared) {
            return Err(Box::new(ReuniteError(self, sender)));
        }
        let _ = self.stream.limit_write(None);
        let _ = self.clock.limit_read(&mut self.stream, Wake::Never);
        let Sender { stream: other, shared: same, .. } = sender;
        drop(same);
        let Self { stream, inbound, clock, chunk, shared, left, member } = self;
        left.disarm();
        match Arc::try_unwrap(shared) {
            Ok(ThreadHalves {
                both,
                #[cfg(feature = "handshake")]
                agreed,
                ..
            }) => {
                let both = both.into_inner().unwrap_or_else(PoisonError::into_inner);
                Ok(WebSocket {
                    stream,
                    #[cfg(feature = "handshake")]
                    agreed,
                    endpoint: Endpoint::from_split(inbound, both.outbound),
                    clock,
                    unflushed: true,
                    member,
                })
            }
            // There are only these two halves.
            Err(shared) => {
                let (left, reason) = (ReceiverGuard::new(&shared), String::new());
                let sender = Sender {
                    stream: other,
                    clock: clock.clone(),
                    reason,
                    chunk: Vec::new(),
                    shared: Arc::clone(&shared),
                };
                Err(Box::new(ReuniteError(
                    Self { stream, inbound, clock, chunk, shared, left, member },
                    sender,
                )))
            }
        }
    }

    fn ready(
        &mut self,
        poll: fn(&mut Directions<'_, R>, WriteSide) -> Result<Action, crate::ProtocolError>,
        until: Option<Timestamp>,
    ) -> Result<Option<Ready>, Error> {
        let came = self.drive(poll, until);
        #[cfg(feature = "tracing")]
        if !matches!(&came, Err(Error::Io(error)) if is_transient(error)) {
            self.shared.agreed.trace.came(&came, || self.closed());
        }
        came
    }

    /// Until something is ready, the connection has ended (`None`), or it is so late that this is an error.
    fn drive(
        &mut self,
        poll: fn(&mut Directions<'_, R>, WriteSide) -> Result<Action, crate::ProtocolError>,
        until: Option<Timestamp>,
    ) -> Result<Option<Ready>, Error> {
        let Self { stream, inbound, clock, chunk, shared, member, .. } = self;
        let mut write = WriteSide::Ready;
        loop {
            if let Some(order) = member.as_mut().and_then(Member::order) {
                order.obey(inbound, &mut shared.lock().outbound)?;
                shared.written.notify_all();
            }
            let (action, side, wake, unflushed) = {
                let mut both = shared.lock();
                // Who writes already writes this as well.
                let side = if both.writing { WriteSide::Blocked } else { write };
                let mut directions = Directions::new(inbound, &mut both.outbound);
                let (action, wake) = (poll(&mut directions, side), directions.poll_timeout());
                if LastClose::keep(&mut both.close, inbound.received_close()) {
                    // Whoever waits for room waits in vain.
                    shared.written.notify_all();
                }
                (action, side, wake, both.unflushed)
            };
            match action {
                Ok(Action::Take(ready)) => return Ok(Some(ready)),
                Ok(Action::Close) => {
                    shared.written.notify_all();
                    return Ok(None);
                }
                Err(error) => {
                    shared.written.notify_all();
                    return Err(error.into());
                }
                // Deadlines are looked at before each read.
                Ok(Action::Yield) => {}
                Ok(Action::Write | Action::ShutdownWrite) => match shared.write_once(stream, chunk) {
                    Written::Some | Written::Nothing => {}
                    Written::Busy | Written::Blocked => {
                        write = WriteSide::Blocked;
                        // Nothing is read any more.
                        let now = clock.now();
                        if wake.is_due(now) {
                            Directions::new(inbound, &mut shared.lock().outbound).handle_timeout(now);
                        }
                    }
                    // The peer does not read any more; what it sent before tells why.
                    Written::Failed(_) => shared.lock().outbound.write_ended(),
                },
                Ok(Action::Read) => {
                    let blocked = side == WriteSide::Blocked
                        || unflushed && matches!(shared.write_once(stream, chunk), Written::Blocked);
                    // What could not be written is tried again after a turn.
                    let look = clock.now().after(if blocked { WRITE_SLICE } else { WAKE_INTERVAL });
                    let wake = wake.sooner(Wake::At(until.map_or(look, |until| until.min(look))));
                    let limited = match clock.limit_read(stream, wake)? {
                        Limited::Passed(now) => {
                            Directions::new(inbound, &mut shared.lock().outbound).handle_timeout(now);
                            if until.is_some_and(|until| until <= now) {
                                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
                            }
                            write = WriteSide::Ready;
                            continue;
                        }
                        limited => limited != Limited::Not,
                    };
                    thread_pool::with(|pool| inbound.acquire(pool));
                    let called = clock.now();
                    let limit = clock.read_limit().filter(|_| limited);
                    let read = stream.read(inbound.space());
                    write = WriteSide::Ready;
                    match read {
                        Ok(0) => Directions::new(inbound, &mut shared.lock().outbound).eof(),
                        Ok(count) => {
                            inbound.filled(count);
                            shared.lock().outbound.did_read();
                        }
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) if is_transient(&error) && clock.was_limited(called, limit) => {}
                        Err(error) if is_transient(&error) => return Err(error.into()),
                        Err(error) => {
                            let reports = Directions::new(inbound, &mut shared.lock().outbound).lost();
                            shared.written.notify_all();
                            if reports {
                                return Err(error.into());
                            }
                        }
                    }
                }
            }
        }
    }
}

impl<S: CloneTransport, R: Role> Sender<S, R> {
    sender_methods! {
        [] [] []
        /// Queues a message, to be written by [`flush`](Self::flush). What does not fit the queue is written first.
    }

    /// Waits for the end of the connection, for which the receiving half has to receive, and frees this half's handle
    /// of the transport. How it ended; `None` if the receiving half was dropped before: nobody reads any more.
    pub fn ended(&mut self) -> Option<Closed> {
        let mut both = self.shared.lock();
        let closed = loop {
            let closed = both.outbound.closed();
            if closed.is_some() || both.deaf {
                break closed;
            }
            both = self.shared.wait(both);
        };
        drop(both);
        self.stream = None;
        closed
    }

    fn write_all(&mut self) -> Result<(), Error> {
        loop {
            {
                let both = &mut *self.shared.lock();
                if both.outbound.next_write() != Some(Action::Write)
                    && (!both.unflushed || self.stream.is_none())
                {
                    return Ok(both.outbound.written()?);
                }
            }
            self.write_once()?;
        }
    }

    fn queue(&mut self, payload: Payload<'_>, fin: bool) -> Result<(), Error> {
        self.queue_with(|outbound| match fin {
            true => outbound.feed(payload),
            false => outbound.feed_fragment(payload, fin),
        })
    }

    fn queue_ping(&mut self, payload: ControlPayload<'_>) -> Result<(), Error> {
        self.queue_with(|outbound| outbound.ping(payload))?;
        self.shared.lock().outbound.pinged(self.clock.now());
        Ok(())
    }

    fn queue_close(&self, frame: CloseFrame<'_>) -> Result<(), Error> {
        Ok(self.shared.lock().outbound.close(frame)?)
    }

    /// What does not fit is written first.
    fn queue_with(
        &mut self,
        mut feed: impl FnMut(&mut Outbound<R>) -> Result<(), FeedError>,
    ) -> Result<(), Error> {
        loop {
            let fed = feed(&mut self.shared.lock().outbound);
            match fed {
                Ok(()) => return Ok(()),
                Err(FeedError::Full { .. }) => self.write_once()?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes once of what waits, or waits until the other half did.
    fn write_once(&mut self) -> Result<(), Error> {
        let Some(stream) = &mut self.stream else { return Err(SendError::Closed.into()) };
        match self.shared.write_once(stream, &mut self.chunk) {
            Written::Some | Written::Nothing => return Ok(()),
            Written::Failed(error) => return Err(error.into()),
            // No timer runs for what the transport keeps of a connection that is over.
            Written::Blocked if self.shared.lock().outbound.has_ended() => {
                return Err(SendError::Closed.into())
            }
            Written::Blocked => {}
            Written::Busy => {
                let both = self.shared.lock();
                if both.writing {
                    drop(self.shared.wait(both));
                }
            }
        }
        let now = self.clock.now();
        let outbound = &mut self.shared.lock().outbound;
        if outbound.poll_timeout().is_due(now) {
            outbound.handle_timeout(now)?;
        }
        Ok(())
    }
}

impl<S: CloneTransport> Sender<S, Server> {
    /// Queues a message that was encoded once for many connections.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the connection does not allow it; [`Error::Io`] if the transport failed.
    pub fn feed_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
        self.queue_with(|outbound| outbound.feed_prepared(message))
    }
}

/// What came of one turn of writing.
enum Written {
    /// Some bytes went out, or the direction was ended.
    Some,
    /// There was nothing to write.
    Nothing,
    /// The other half writes.
    Busy,
    /// The peer does not read now.
    Blocked,
    Failed(io::Error),
}

impl<R: Role> ThreadHalves<R> {
    fn lock(&self) -> MutexGuard<'_, LockedOutbound<R>> {
        // No transport is called under the lock.
        self.both.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something changed, but not for long: woken early or late, the queue says how it stands.
    fn wait<'s>(&'s self, both: MutexGuard<'s, LockedOutbound<R>>) -> MutexGuard<'s, LockedOutbound<R>> {
        self.written.wait_timeout(both, WRITE_SLICE).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Takes one turn of writing, if nobody else does. The transport is flushed when nothing else is to be written.
    fn write_once<S: CloneTransport>(&self, stream: &mut S, chunk: &mut Vec<u8>) -> Written {
        let (action, flushes) = {
            let mut both = self.lock();
            if both.writing {
                return Written::Busy;
            }
            let action = both.outbound.next_write();
            if action == Some(Action::Write) {
                let output = both.outbound.output();
                chunk.clear();
                chunk.extend_from_slice(output.get(..CHUNK).unwrap_or(output));
            }
            let flushes = both.unflushed && action != Some(Action::Write);
            both.writing = action.is_some() || flushes;
            (action, flushes)
        };
        let result = match action {
            Some(Action::Write) => stream.write(chunk),
            _ if flushes => stream.flush().map(|()| 0),
            Some(_) => {
                let _ = stream.shutdown_write();
                Ok(0)
            }
            None => return Written::Nothing,
        };
        let mut both = self.lock();
        both.writing = false;
        self.written.notify_all();
        match result {
            Ok(0) if action == Some(Action::Write) => Written::Failed(io::ErrorKind::WriteZero.into()),
            Ok(count) if action == Some(Action::Write) => {
                both.outbound.wrote(count);
                both.unflushed = true;
                Written::Some
            }
            Ok(_) if flushes => {
                both.unflushed = false;
                Written::Some
            }
            Ok(_) => {
                both.outbound.write_ended();
                Written::Some
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Written::Some,
            Err(error) if is_transient(&error) => Written::Blocked,
            Err(error) => Written::Failed(error),
        }
    }

    /// As far as the transport lets us without waiting.
    fn fail<S: CloneTransport>(
        &self,
        stream: &mut S,
        chunk: &mut Vec<u8>,
        error: crate::ProtocolError,
    ) -> Error {
        #[cfg(feature = "tracing")]
        self.agreed.trace.failed(&error);
        self.lock().outbound.fail(error);
        loop {
            match self.write_once(stream, chunk) {
                Written::Some => {}
                Written::Busy => {
                    let both = self.lock();
                    if both.writing {
                        drop(self.wait(both));
                    }
                }
                Written::Nothing | Written::Blocked | Written::Failed(_) => break,
            }
        }
        self.lock().outbound.take_failure();
        self.written.notify_all();
        error.into()
    }
}

debug_states!([S, R] Receiver<S, R>, |this| { inbound: this.inbound });

debug_states!([S, R] Sender<S, R>, |_this| {});
