//! One connection after its opening handshake: both halves and its timers.
//
// Owns: its settings, and passing what the reader met on to whoever conducts the connection.
// Must not know: buffers, sockets, or any clock.

mod close_state;
pub(crate) mod closing;
pub(crate) mod deadline;
pub(crate) mod mailbox;
pub(crate) mod parked;
pub(crate) mod reader;
pub(crate) mod round_trip;
pub(crate) mod send_half;
#[cfg(any(feature = "alloc", feature = "embedded-io-async"))]
pub(crate) mod turn;
pub(crate) mod writer;

use core::time::Duration;

use crate::close::CloseFrame;
use crate::connection::closing::{Closed, ReadyState, TransportAction};
use crate::connection::deadline::{Output, TimeoutAction, Timeouts};
use crate::connection::mailbox::Mailbox;
use crate::connection::parked::Parked;
use crate::connection::reader::{EventResult, Reader};
use crate::connection::send_half::{SendHalf, Wait};
use crate::connection::writer::Writer;
use crate::error::{EntropyError, ProtocolError};
use crate::event::Event;
use crate::frame::Rsv;
use crate::input::Input;
use crate::limits::Limits;
use crate::role::Role;
use crate::time::{Timestamp, Wake};
use crate::utf8::InvalidUtf8;

/// The settings of one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// What is taken from the peer.
    pub limits: Limits,
    /// How long is waited for what.
    pub timeouts: Timeouts,
}

impl Config {
    /// The default limits, no timer.
    pub const fn new() -> Self {
        Self { limits: Limits::DEFAULT, timeouts: Timeouts::NONE }
    }

    /// With other limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// With timers.
    #[must_use]
    pub const fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }
}

/// The protocol state machine of one connection, without buffers.
///
/// Give what was read to [`recv`](Self::recv) until it returns `Ok(None)`; write what
/// [`poll_transmit`](Self::poll_transmit) gives, also after an error; do what [`transport`](Self::transport) says; then
/// wait for input or for [`poll_timeout`](Self::poll_timeout).
#[derive(Clone)]
pub struct Connection<R> {
    reader: Reader,
    send_half: SendHalf<R>,
}

impl<R: Role> Connection<R> {
    /// At the first byte after the opening handshake.
    pub fn new(role: R, config: Config) -> Self {
        Self {
            reader: Reader::new(role.side(), config.limits),
            send_half: SendHalf::new(role, config.timeouts),
        }
    }

    /// The same, where an extension was negotiated that gives `rsv` a meaning on the first frame of a message: RSV1 for
    /// permessage-deflate. Whoever calls this inflates and compresses.
    #[must_use]
    pub fn with_allowed_rsv(mut self, rsv: Rsv) -> Self {
        self.reader.allow_rsv(rsv);
        self.send_half.writer.allow_rsv(rsv);
        self
    }

    /// The next event in `input`. The Pongs and Closes that it owes come out of [`poll_transmit`](Self::poll_transmit);
    /// [`Event::Data`] owes nothing.
    ///
    /// `Ok(None)` means that every byte was consumed, and comes at once where none [remains](Input::remaining).
    ///
    /// # Errors
    ///
    /// [`ProtocolError`], once: the connection has failed (RFC 6455 section 7.1.7). Write the Close that is owed, then
    /// do what [`transport`](Self::transport) says. All further input is swallowed.
    pub fn recv<'b>(&mut self, input: &mut Input<'b>) -> Result<Option<Event<'b>>, ProtocolError> {
        match self.reader.take_fast(self.send_half.writer.side(), input) {
            Some(Ok(data)) => {
                self.send_half.deadlines.received();
                return Ok(Some(Event::Data(data)));
            }
            Some(Err(InvalidUtf8)) => {
                self.fail(ProtocolError::InvalidUtf8);
                return Err(ProtocolError::InvalidUtf8);
            }
            None if input.remaining() == 0 => return Ok(None),
            None => {}
        }
        let (event, rest) = self.recv_checked(input.take_all());
        input.put_back(rest);
        event
    }

    /// For everything that does not take the fast path.
    #[inline(never)]
    fn recv_checked<'b>(&mut self, rest: &'b mut [u8]) -> (EventResult<'b>, &'b mut [u8]) {
        let SendHalf { writer, deadlines } = &mut self.send_half;
        deadlines.received();
        let mut input = Input::new(rest);
        // Not in `next_checked`, which saves more registers: that costs a short fragment 7 %.
        if let Some(data) = self.reader.take_fragment(&mut input) {
            return (Ok(Some(Event::Data(data))), input.into_rest());
        }
        let (event, rest) = self.reader.next_checked(input.into_rest(), writer.mailbox());
        if let Some(digest) = writer.mailbox().take_answer() {
            deadlines.round_trip.pong(digest);
        }
        if writer.mailbox().has_end() {
            writer.settle();
        }
        (event, rest)
    }

    /// Fails the connection (section 7.1.7) for what an extension found, and owes its Close.
    pub fn fail(&mut self, error: ProtocolError) {
        self.reader.fail(error, self.send_half.writer.mailbox());
        self.send_half.writer.settle();
    }

    /// The transport ended: no byte will come. [`closed`](Self::closed) tells from now on how the connection ended.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::UnexpectedEof`], once, if no Close had come and the connection had not failed.
    pub fn eof(&mut self) -> Result<(), ProtocolError> {
        // Both know what came before.
        let _ = self.reader.eof();
        self.send_half.eof()
    }

    /// Drops the connection (section 7.1.1 allows it under attack): nothing more is sent or reported.
    pub fn abort(&mut self) {
        self.send_half.abort();
        let _ = self.reader.eof();
    }

    /// The writing direction of the transport ended: because [`transport`](Self::transport) asked for it, or because
    /// writing failed. `complete` if all was written before. If not, the connection does not end cleanly.
    pub fn write_ended(&mut self, complete: bool) {
        self.send_half.write_ended(complete);
    }

    /// Writes what is owed into `out`; 0 if nothing is. See [`Writer::poll_transmit`].
    ///
    /// # Errors
    ///
    /// [`EntropyError`] if a client has no masking key.
    pub fn poll_transmit(&mut self, out: &mut [u8]) -> Result<usize, EntropyError> {
        self.send_half.writer.poll_transmit(out)
    }

    /// Whether something is owed, at once or after the frame in progress.
    #[must_use]
    pub const fn wants_transmit(&self) -> bool {
        self.send_half.writer.wants_transmit()
    }

    /// The sending half: messages, Pings, and the Close that starts the closing handshake.
    pub fn writer(&mut self) -> &mut Writer<R> {
        &mut self.send_half.writer
    }

    /// The receiving half.
    pub const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// What to do with the transport once everything owed was written: [`SendHalf`] has a table.
    #[must_use]
    pub fn transport(&self) -> TransportAction {
        self.send_half.transport()
    }

    /// Open, closing or closed.
    pub fn ready_state(&self) -> ReadyState {
        self.send_half.ready_state()
    }

    /// How the connection ended: `None` until the transport did.
    pub fn closed(&self) -> Option<Closed> {
        self.send_half.closed()
    }

    /// How long the last Pong took that answered a keep-alive Ping. See [`SendHalf::latency`].
    pub fn latency(&self) -> Option<Duration> {
        self.send_half.latency()
    }

    /// The Close that came, as soon as it did. Its reason is the peer's text.
    pub fn received_close(&self) -> Option<CloseFrame<'_>> {
        self.reader.close_frame()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing else happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Wake {
        self.poll_timeout_with(Output::Unknown)
    }

    /// What happens when [`poll_timeout`](Self::poll_timeout) is due: which timer that is. For logs and tools.
    #[must_use]
    pub fn next_timer(&self) -> Option<TimeoutAction> {
        self.send_half.next_timer_in(self.wait(Output::Unknown))
    }

    /// Tells the time. Owes a keep-alive Ping where one is due. Spurious calls are harmless.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::TimedOut`], once, if a deadline has failed the connection. If it was the closing
    /// handshake's, [`transport`](Self::transport) says `Close` from now on.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Result<(), ProtocolError> {
        self.handle_timeout_with(now, Output::Unknown)
    }

    /// For callers that know what became of the output.
    pub(crate) fn poll_timeout_with(&self, output: Output) -> Wake {
        self.send_half.poll_timeout_in(self.wait(output))
    }

    /// For callers that know what became of the output.
    pub(crate) fn handle_timeout_with(
        &mut self,
        now: Timestamp,
        output: Output,
    ) -> Result<(), ProtocolError> {
        let result = self.send_half.handle_timeout_in(now, self.wait(output));
        if let Err(error) = result {
            self.reader.fail(error, &mut Mailbox::new());
        }
        result
    }

    fn wait(&self, output: Output) -> Wait {
        Wait { message: self.reader.message_progress(), output, only_writes: false }
    }

    /// What to keep of this connection while it waits, if it is idle: open, between messages in both directions, with
    /// nothing owed, and all input consumed. [`unpark`](Self::unpark) goes on with it. The payload of the last control
    /// frame is not kept.
    #[must_use]
    pub fn park(&self) -> Option<Parked> {
        if self.reader.is_idle() {
            self.send_half.park()
        } else {
            None
        }
    }

    /// Goes on with a connection that was parked, in this one's place: with the same role, limits and timeouts, and the
    /// extension that the other has negotiated.
    pub fn unpark(&mut self, parked: Parked) {
        self.reader.unpark(parked.allowed_rsv());
        self.send_half.unpark(parked);
    }

    /// The halves, for two tasks. The page of [`SendHalf`] says how they work together. [`join`](Self::join) puts them
    /// together again.
    pub fn split(self) -> (Reader, SendHalf<R>) {
        (self.reader, self.send_half)
    }

    /// Joins the halves of one connection.
    pub fn join(reader: Reader, send_half: SendHalf<R>) -> Self {
        Self { reader, send_half }
    }

    /// For the layer that owns buffers beside them. What the reader meets is to be told to the other.
    #[cfg(any(feature = "embedded-io", feature = "embedded-io-async"))]
    pub(crate) fn halves_mut(&mut self) -> (&mut Reader, &mut SendHalf<R>) {
        (&mut self.reader, &mut self.send_half)
    }
}

debug_states!([R] Connection<R>, |this| { reader: this.reader, send_half: this.send_half });
