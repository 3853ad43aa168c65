//! The sending half of a connection: what is sent, when, and how the connection ends.
//
// Owns: what the writer, its timers and the end of the connection mean together.
// Must not know: where the reader lives, buffers, sockets, or any clock.

use core::time::Duration;

use crate::close::CloseCode;
use crate::connection::close_state::CloseEvent;
use crate::connection::closing::{Closed, ReadyState, TransportAction};
use crate::connection::deadline::{Deadlines, Output, Progress, TimeoutAction, Timeouts};
use crate::connection::mailbox::Mailbox;
use crate::connection::parked::Parked;
use crate::connection::writer::Writer;
use crate::error::{ProtocolError, Timeout};
use crate::event::MessageProgress;
use crate::role::Role;
use crate::time::{Timestamp, Wake};

/// The sending half of a [split](crate::Connection::split) connection: a [`Writer`], its timers, and how the connection
/// ends.
///
/// The [`Reader`](crate::Reader) can live on another task. What it leaves for this half goes into a [`Mailbox`], which
/// [`accept`](Self::accept) takes after each read. Then write what [`Writer::poll_transmit`] gives, and do what
/// [`transport`](Self::transport) says.
///
/// # How a connection ends
///
/// A [`Connection`](crate::Connection) ends in the same way. An empty cell means that nothing changes: the first Close
/// of each end and the first failure count. In `open`, messages can be sent; in `close sent`, they can still come.
///
/// | state | our Close is sent | the peer's Close comes | it fails | what is owed is sent | [`transport`](Self::transport) of a server | of a client | [`closed`](Self::closed) if the transport ends now | if we drop it |
/// |---|---|---|---|---|---|---|---|---|
/// | open | close sent | close received | failing |  | `Open` | `Open` | 1006, by nobody | 1006, by us |
/// | close sent |  | both closed | failed |  | `Open` | `Open` | 1006, by us | 1006, by us |
/// | close received |  |  |  | both closed | `ShutdownWrite` | `AwaitEof` | 1000, by the peer | 1000, by the peer |
/// | both closed |  |  |  |  | `ShutdownWrite` | `AwaitEof` | 1000, clean, by us | 1000, clean, by us |
/// | failing |  |  |  | failed | `ShutdownWrite` | `ShutdownWrite` | 1006, by us | 1006, by us |
/// | failed |  |  |  |  | `ShutdownWrite` | `ShutdownWrite` | 1006, by us | 1006, by us |
///
/// "By" is who took the connection out of `open`. 1000 stands for the code of the peer's Close. A failure without a
/// close code, such as the end of the transport, leads to `failed` at once. Once the transport has ended, or is to be
/// dropped, its action is `Close`.
///
/// # Examples
///
/// ```
/// use std::sync::Mutex;
///
/// use sockless::{
///     CloseCode, Config, Connection, Event, Input, Mailbox, ProtocolError, Reader, SendHalf, Server, TransportAction,
///     MAX_CONTROL_FRAME_LEN,
/// };
///
/// /// The task that reads: takes what came, and says what to do with the transport.
/// fn took(
///     reader: &mut Reader,
///     send_half: &Mutex<SendHalf<Server>>,
///     received: &mut [u8],
///     mut write: impl FnMut(&[u8]),
/// ) -> Result<TransportAction, ProtocolError> {
///     let (mut input, mut mailbox) = (Input::new(received), Mailbox::new());
///     let result = loop {
///         match reader.next(&mut input, &mut mailbox) {
///             Ok(Some(Event::Data(data))) => println!("{} octets came", data.as_bytes().len()),
///             Ok(Some(_)) => {}
///             Ok(None) => break Ok(()),
///             Err(error) => break Err(error),
///         }
///     };
///     // The lock is held while the answers are written, not while anything is read.
///     let mut send_half = send_half.lock().expect("no task panics");
///     send_half.accept(&mut mailbox);
///     let mut owed = [0; MAX_CONTROL_FRAME_LEN];
///     while let Ok(len @ 1..) = send_half.writer().poll_transmit(&mut owed) {
///         write(&owed[..len]);
///     }
///     result.map(|()| send_half.transport())
/// }
///
/// let (mut reader, send_half) = Connection::new(Server, Config::new()).split();
/// let send_half = Mutex::new(send_half);
///
/// // The task that sends.
/// let mut out = [0; 64];
/// let len = send_half.lock().unwrap().writer().encode("news".into(), true, &mut out)?;
/// assert_eq!(out[..len], *b"\x81\x04news");
///
/// // The peer's Close comes. The answer goes out, then a server ends its direction of the transport.
/// let (mut received, mut written) = (*b"\x88\x82\0\0\0\0\x03\xE8", Vec::new());
/// let next = took(&mut reader, &send_half, &mut received, |bytes| written.extend_from_slice(bytes));
/// assert_eq!((next, &written[..]), (Ok(TransportAction::ShutdownWrite), &b"\x88\x02\x03\xE8"[..]));
///
/// // The transport ends.
/// let mut send_half = send_half.lock().unwrap();
/// send_half.eof()?;
/// assert!(send_half.closed().is_some_and(|closed| closed.clean && closed.status == 1000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SendHalf<R> {
    pub(crate) writer: Writer<R>,
    pub(crate) deadlines: Deadlines,
}

/// What the deadlines have to know of a wait. See [`Progress`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    pub(crate) message: Option<MessageProgress>,
    pub(crate) output: Output,
    pub(crate) only_writes: bool,
}

impl<R> SendHalf<R> {
    pub(crate) const fn has_ended(&self) -> bool {
        self.writer.close_state.has_ended()
    }
}

impl<R: Role> SendHalf<R> {
    pub(crate) const fn new(role: R, timeouts: Timeouts) -> Self {
        Self { writer: Writer::new(role), deadlines: Deadlines::new(timeouts) }
    }

    pub(crate) fn park(&self) -> Option<Parked> {
        if self.deadlines.is_untold() {
            return None;
        }
        Some(Parked::from_parts(self.deadlines.signs(), self.writer.idle_rsv()?))
    }

    pub(crate) fn unpark(&mut self, parked: Parked) {
        self.writer.unpark(parked.allowed_rsv());
        self.deadlines.unpark(parked.signs());
    }

    /// Messages, Pings, and the Close that starts the closing handshake.
    pub fn writer(&mut self) -> &mut Writer<R> {
        &mut self.writer
    }

    /// Takes what the reader left for this half. Call it after each read, even if that is nothing: the peer was heard
    /// from. The first end counts. Nothing is left in `from`.
    ///
    /// Where this half [has failed](Self::failure) by itself, tell the reader: [`Reader::fail`](crate::Reader::fail).
    pub fn accept(&mut self, from: &mut Mailbox) {
        self.deadlines.received();
        self.heed(from);
    }

    /// Takes what the reader left; that the peer was heard from is known.
    pub(crate) fn heed(&mut self, from: &mut Mailbox) {
        if let Some(digest) = from.take_answer() {
            self.deadlines.round_trip.pong(digest);
        }
        self.writer.accept(from);
    }

    /// How long the last Pong took that answered a keep-alive Ping: until the first
    /// [`handle_timeout`](Self::handle_timeout) after it. [`poll_timeout`](Self::poll_timeout) says `Now` once it has come.
    ///
    /// A Pong counts if its payload is that of the last Ping. Of that only a checksum of one octet is compared: the peer
    /// can make the time too short.
    pub fn latency(&self) -> Option<Duration> {
        self.deadlines.round_trip.latency()
    }

    /// Fails the connection (RFC 6455 section 7.1.7) for a reason that the reader does not know, and owes its Close.
    /// Nothing happens after a Close or a failure.
    pub fn fail(&mut self, error: ProtocolError) {
        self.writer.close_state.on(CloseEvent::Fail(error));
    }

    /// The transport ended: no byte will come. [`closed`](Self::closed) tells from now on how the connection ended.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::UnexpectedEof`], once, if no Close had come and the connection had not failed.
    pub fn eof(&mut self) -> Result<(), ProtocolError> {
        self.writer.close_state.on(CloseEvent::Eof).map_or(Ok(()), Err)
    }

    /// Drops the connection (section 7.1.1 allows it under attack): nothing more is sent.
    pub fn abort(&mut self) {
        self.writer.close_state.on(CloseEvent::Abort);
    }

    /// The writing direction of the transport ended: because [`transport`](Self::transport) asked for it, or because
    /// writing failed. `complete` if all was written before. If not, the connection does not end cleanly.
    pub fn write_ended(&mut self, complete: bool) {
        self.writer.close_state.on(CloseEvent::WriteEnded { complete });
    }

    /// Why the connection failed, if it did.
    pub const fn failure(&self) -> Option<ProtocolError> {
        self.writer.close_state.failure()
    }

    /// The Close that came, as its code, if one came (section 7.1.5).
    pub const fn received_close(&self) -> Option<Option<CloseCode>> {
        self.writer.close_state.received()
    }

    #[cfg(any(feature = "alloc", feature = "embedded-io", feature = "embedded-io-async"))]
    pub(crate) const fn gave_up(&self) -> bool {
        self.writer.close_state.gave_up()
    }

    /// After the peer's end, what still waits for the transport has a deadline.
    fn is_over(&self, wait: Wait) -> bool {
        self.writer.close_state.gave_up()
            || (self.has_ended() && !matches!(wait.output, Output::Queued | Output::Waits))
    }

    /// What to do with the transport once everything owed was written.
    #[must_use]
    pub fn transport(&self) -> TransportAction {
        self.writer.close_state.transport(self.writer.side(), self.writer.frame_remaining() > 0)
    }

    /// Open, closing or closed.
    pub const fn ready_state(&self) -> ReadyState {
        self.writer.close_state.ready_state()
    }

    /// How the connection ended: `None` until it did.
    pub const fn closed(&self) -> Option<Closed> {
        self.writer.close_state.closed()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing else happens before. `message` is the reader's
    /// [`message_progress`](crate::Reader::message_progress).
    #[must_use]
    pub fn poll_timeout(&self, message: Option<MessageProgress>) -> Wake {
        self.poll_timeout_in(Wait { message, output: Output::Unknown, only_writes: false })
    }

    /// Tells the time. Owes a keep-alive Ping where one is due. Spurious calls are harmless.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::TimedOut`], once, if a deadline has failed the connection: tell the reader. If it was the
    /// closing handshake's, [`transport`](Self::transport) says `Close` from now on.
    pub fn handle_timeout(
        &mut self,
        now: Timestamp,
        message: Option<MessageProgress>,
    ) -> Result<(), ProtocolError> {
        self.handle_timeout_in(now, Wait { message, output: Output::Unknown, only_writes: false })
    }

    pub(crate) fn poll_timeout_in(&self, wait: Wait) -> Wake {
        if self.is_over(wait) {
            return Wake::Never;
        }
        self.deadlines.poll_timeout(self.progress(wait))
    }

    pub(crate) fn next_timer_in(&self, wait: Wait) -> Option<TimeoutAction> {
        if self.is_over(wait) {
            return None;
        }
        self.deadlines.next_timer(self.progress(wait))
    }

    pub(crate) fn handle_timeout_in(&mut self, now: Timestamp, wait: Wait) -> Result<(), ProtocolError> {
        if self.is_over(wait) {
            return Ok(());
        }
        match self.deadlines.handle_timeout(now, self.progress(wait)) {
            None => Ok(()),
            Some(TimeoutAction::SendPing) => {
                self.writer.keep_alive();
                Ok(())
            }
            Some(TimeoutAction::Fail(timeout)) => {
                let close_state = &mut self.writer.close_state;
                // A complete closing handshake is clean even if the transport never ends.
                let failure = close_state.on(CloseEvent::Fail(ProtocolError::TimedOut(timeout)));
                if timeout == Timeout::ClosingHandshake {
                    close_state.on(CloseEvent::GiveUp);
                }
                failure.map_or(Ok(()), Err)
            }
        }
    }

    fn progress(&self, wait: Wait) -> Progress {
        Progress {
            open: true,
            message: wait.message,
            closing: self.ready_state() != ReadyState::Open,
            output: wait.output,
            only_writes: wait.only_writes,
        }
    }
}

debug_states!([R] SendHalf<R>, |this| { writer: this.writer });
