//! One connection after its opening handshake: both halves and its timers.
//!
//! Owns: what reader, writer and deadlines mean together. Must not know: buffers, sockets, or any clock.

use crate::closing::{Closed, Ending, ReadyState, Transport};
use crate::deadline::{Deadlines, Progress, TimeoutAction, Timeouts};
use crate::error::{EntropyError, ProtocolError, Timeout};
use crate::event::Event;
use crate::frame::Rsv;
use crate::input::Input;
use crate::limits::Limits;
use crate::reader::Reader;
use crate::role::Role;
use crate::time::{Timestamp, Wake};
use crate::writer::Writer;

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

/// The protocol state machine of one connection, without buffers: bytes in, events out; messages in, bytes
/// out.
///
/// The order for a caller: give what was read to [`recv`](Self::recv) until it returns `Ok(None)`; write what
/// [`poll_transmit`](Self::poll_transmit) gives, also after an error; do what [`transport`](Self::transport)
/// says; then wait for input or for [`poll_timeout`](Self::poll_timeout).
#[derive(Clone, Debug)]
pub struct Connection<R> {
    reader: Reader,
    writer: Writer<R>,
    deadlines: Deadlines,
    /// Whether this endpoint began the end: its Close went before the peer's, or it dropped the transport.
    local_first: bool,
    ended: bool,
}

impl<R: Role> Connection<R> {
    /// At the first byte after the opening handshake.
    pub fn new(role: R, config: Config) -> Self {
        Self {
            reader: Reader::new(role.side(), config.limits),
            writer: Writer::new(role),
            deadlines: Deadlines::new(config.timeouts),
            local_first: false,
            ended: false,
        }
    }

    /// The same, where an extension was negotiated that gives `rsv` a meaning on the first frame of a
    /// message, in both directions: RSV1 for permessage-deflate. Whoever calls this inflates and compresses.
    #[must_use]
    pub fn with_allowed_rsv(mut self, rsv: Rsv) -> Self {
        self.allow_rsv(rsv);
        self
    }

    /// As [`with_allowed_rsv`](Self::with_allowed_rsv), in place.
    pub(crate) fn allow_rsv(&mut self, rsv: Rsv) {
        self.reader.allow_rsv(rsv);
        self.writer.allow_rsv(rsv);
    }

    /// The next event in `input`. Pongs and Closes that it owes come out of
    /// [`poll_transmit`](Self::poll_transmit).
    ///
    /// `Ok(None)` means that every byte was consumed.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`], once: the connection has failed (RFC 6455 section 7.1.7). Its Close is owed; write
    /// it, then do what [`transport`](Self::transport) says. All further input is swallowed.
    #[inline]
    pub fn recv<'b>(&mut self, input: &mut Input<'b>) -> Result<Option<Event<'b>>, ProtocolError> {
        if input.remaining() > 0 {
            self.deadlines.received();
        }
        let event = self.reader.next(input, self.writer.replies())?;
        if matches!(event, Some(Event::Close(_))) {
            self.note_close();
        }
        Ok(event)
    }

    /// Fails the connection (section 7.1.7) for what an extension found in a message, and owes its Close.
    pub fn fail(&mut self, error: ProtocolError) {
        self.reader.fail(error, self.writer.replies());
    }

    /// The transport ended: no byte will come. [`closed`](Self::closed) tells from now on how the connection
    /// ended.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::UnexpectedEof`], once, if no Close had come and the connection had not failed.
    pub fn eof(&mut self) -> Result<(), ProtocolError> {
        self.ended = true;
        // After a Close the peer may have ended its direction only: the answer can still be written.
        self.reader.eof().inspect_err(|_| self.writer.abort())
    }

    /// Drops the connection by any means (section 7.1.1 allows it under attack): nothing more is sent or
    /// reported.
    pub fn abort(&mut self) {
        if !self.ended && self.reader.received_close().is_none() {
            self.local_first = true;
        }
        self.ended = true;
        self.writer.abort();
        // There is nobody left to tell.
        let _ = self.reader.eof();
    }

    /// Writes what is owed to the peer into `out`; 0 if nothing is. See [`Writer::poll_transmit`].
    ///
    /// # Errors
    ///
    /// [`EntropyError`] if a client has no masking key.
    #[inline]
    pub fn poll_transmit(&mut self, out: &mut [u8]) -> Result<usize, EntropyError> {
        self.writer.poll_transmit(out)
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) has something to write, at once or after the frame in
    /// progress.
    #[inline]
    #[must_use]
    pub const fn wants_transmit(&self) -> bool {
        self.writer.wants_transmit()
    }

    /// The sending half: messages, Pings, and the Close that starts the closing handshake.
    #[inline]
    pub fn writer(&mut self) -> &mut Writer<R> {
        &mut self.writer
    }

    /// The receiving half.
    #[inline]
    pub const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// What to do with the transport once everything owed was written.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.ending().transport()
    }

    /// Open, closing or closed.
    pub fn ready_state(&self) -> ReadyState {
        self.ending().ready_state()
    }

    /// How the connection ended: `None` until the transport did.
    pub fn closed(&self) -> Option<Closed> {
        self.ending().closed()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing else happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Wake {
        if self.ended {
            return Wake::Never;
        }
        self.deadlines.poll_timeout(self.progress())
    }

    /// Tells the time. Owes a keep-alive Ping where one is due. Spurious calls are harmless.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::TimedOut`], once, if a deadline has failed the connection. If it was the closing
    /// handshake's, [`transport`](Self::transport) says `Close` from now on.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Result<(), ProtocolError> {
        if self.ended {
            return Ok(());
        }
        match self.deadlines.handle_timeout(now, self.progress()) {
            None => Ok(()),
            Some(TimeoutAction::SendPing) => {
                self.writer.keep_alive();
                Ok(())
            }
            Some(TimeoutAction::Fail(timeout)) => {
                let error = ProtocolError::TimedOut(timeout);
                // A complete closing handshake is clean even if the peer never ends the transport.
                let over = self.reader.received_close().is_some() || self.reader.failure().is_some();
                self.reader.fail(error, self.writer.replies());
                self.ended = timeout == Timeout::ClosingHandshake;
                if over {
                    Ok(())
                } else {
                    Err(error)
                }
            }
        }
    }

    /// The halves, for two tasks. Whoever has the reader passes what is owed on to the writer's
    /// [`replies`](Writer::replies).
    pub fn split(self) -> (Reader, Writer<R>, Deadlines) {
        (self.reader, self.writer, self.deadlines)
    }

    /// The halves in place, for the layer that owns buffers beside them. It must [note a
    /// Close](Self::note_close).
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn parts_mut(&mut self) -> (&mut Reader, &mut Writer<R>, &mut Deadlines) {
        (&mut self.reader, &mut self.writer, &mut self.deadlines)
    }

    /// The peer's Close came just now.
    pub(crate) fn note_close(&mut self) {
        self.local_first = self.writer.sent_close().is_some();
    }

    fn progress(&self) -> Progress {
        Progress {
            open: true,
            mid_message: self.reader.is_mid_message(),
            closing: self.ending().ready_state() != ReadyState::Open,
        }
    }

    fn ending(&self) -> Ending {
        Ending {
            side: self.writer.side(),
            received: self.reader.received_close(),
            sent: self.writer.sent_close().is_some(),
            owed: !self.writer.is_open(),
            local_first: self.local_first,
            failure: self.reader.failure(),
            frame_abandoned: self.writer.frame_remaining() > 0,
            ended: self.ended,
        }
    }
}
