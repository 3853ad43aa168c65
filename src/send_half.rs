//! How a connection is conducted to its end: the sending half, and what it must know of the receiving one.
//
// Owns: what both directions mean together, the closing handshake and the deadlines.
// Must not know: where the reader lives, on this task or on another; buffers, sockets, or any clock.

use crate::close::CloseCode;
use crate::closing::{Closed, Ending, ReadyState, TransportAction};
use crate::deadline::{Deadlines, Output, Progress, TimeoutAction, Timeouts};
use crate::error::{ProtocolError, Timeout};
use crate::event::MessageProgress;
use crate::mailbox::{CloseReply, Mailbox};
use crate::parked::Parked;
use crate::role::Role;
use crate::time::{Timestamp, Wake};
use crate::writer::Writer;

/// A writer, its timers, and the facts that decide what becomes of the transport.
#[derive(Clone)]
pub(crate) struct SendHalf<R> {
    pub(crate) writer: Writer<R>,
    pub(crate) deadlines: Deadlines,
    received: Option<Option<CloseCode>>,
    failure: Option<ProtocolError>,
    /// Whether this endpoint began the end: its Close went before the peer's, or it dropped the transport.
    local_first: bool,
    ended: bool,
    /// Whether the transport is to be dropped at once, and what still waits for it with it.
    gave_up: bool,
}

/// How somebody waits: what the deadlines have to know of it. See [`Progress`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    pub(crate) message: Option<MessageProgress>,
    pub(crate) output: Output,
    pub(crate) only_writes: bool,
}

impl<R> SendHalf<R> {
    /// Whether the transport ended, or is to be dropped.
    #[cfg(feature = "alloc")]
    pub(crate) const fn has_ended(&self) -> bool {
        self.ended
    }
}

impl<R: Role> SendHalf<R> {
    pub(crate) const fn new(role: R, timeouts: Timeouts) -> Self {
        Self {
            writer: Writer::new(role),
            deadlines: Deadlines::new(timeouts),
            received: None,
            failure: None,
            local_first: false,
            ended: false,
            gave_up: false,
        }
    }

    /// What is to be kept of it, if it is idle as far as the sending half knows.
    pub(crate) fn park(&self) -> Option<Parked> {
        if self.received.is_some() || self.failure.is_some() || self.ended || self.deadlines.ping_waits() {
            return None;
        }
        Some(Parked::from_parts(self.deadlines.signs(), self.writer.idle_rsv()?))
    }

    /// Goes on with a connection that was parked, whatever became of the one before.
    pub(crate) fn unpark(&mut self, parked: Parked) {
        self.writer.unpark(parked.allowed_rsv());
        self.deadlines.unpark(parked.signs());
        self.received = None;
        self.failure = None;
        self.local_first = false;
        self.ended = false;
        self.gave_up = false;
    }

    /// The peer's Close came.
    pub(crate) fn close_came(&mut self, code: Option<CloseCode>) {
        if self.received.is_none() && self.failure.is_none() {
            self.received = Some(code);
            self.local_first = self.writer.sent_close().is_some();
        }
    }

    /// The reader has failed, and owes its Close.
    pub(crate) fn failed(&mut self, error: ProtocolError) {
        if self.received.is_none() {
            self.failure.get_or_insert(error);
        }
    }

    /// Takes what the receiving half left for this one: the Pong that is owed, the Close that came, the failure. The
    /// first Close or failure counts. The failure, if it is news.
    #[cfg(feature = "alloc")]
    pub(crate) fn accept(&mut self, from: &mut Mailbox) -> Option<ProtocolError> {
        let close = from.close();
        from.clear_close();
        self.writer.mailbox().merge(from);
        let close = close.filter(|_| self.received.is_none() && self.failure.is_none())?;
        self.writer.mailbox().set_close(close);
        match close {
            CloseReply::Echo(code) => {
                self.close_came(code);
                None
            }
            CloseReply::Failure(error) => {
                self.failed(error);
                Some(error)
            }
        }
    }

    /// The transport ended, after a Close or a failure, or else with this error.
    pub(crate) fn eof(&mut self, error: Option<ProtocolError>) {
        self.ended = true;
        if let Some(error) = error {
            // After a Close the peer may have ended its direction only: the answer can still be written.
            self.failed(error);
            self.writer.abort();
        }
    }

    /// The transport was dropped by this endpoint.
    pub(crate) fn abort(&mut self) {
        if !self.ended && self.received.is_none() {
            self.local_first = true;
        }
        self.ended = true;
        self.failed(ProtocolError::UnexpectedEof);
        self.writer.abort();
    }

    /// The transport is to be dropped, whatever else the peer sends.
    #[cold]
    pub(crate) fn give_up(&mut self) {
        self.ended = true;
        self.gave_up = true;
    }

    /// Whether the transport is to be dropped at once, and what still waits for it with it.
    #[cfg(any(feature = "alloc", feature = "embedded-io", feature = "embedded-io-async"))]
    pub(crate) const fn gave_up(&self) -> bool {
        self.gave_up
    }

    /// Whether no deadline runs any more. After the peer's end, what still waits for the transport has one.
    fn is_over(&self, wait: Wait) -> bool {
        self.gave_up || (self.ended && !matches!(wait.output, Output::Queued | Output::Waits))
    }

    /// Whether a Close was sent, owed or received, the connection has failed, or the transport ended.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) const fn is_ending(&self) -> bool {
        self.ended || self.received.is_some() || self.failure.is_some() || !self.writer.is_open()
    }

    pub(crate) fn transport(&self) -> TransportAction {
        self.ending().transport()
    }

    pub(crate) fn ready_state(&self) -> ReadyState {
        self.ending().ready_state()
    }

    pub(crate) fn closed(&self) -> Option<Closed> {
        self.ending().closed()
    }

    pub(crate) fn poll_timeout(&self, wait: Wait) -> Wake {
        if self.is_over(wait) {
            return Wake::Never;
        }
        self.deadlines.poll_timeout(self.progress(wait))
    }

    /// Tells the time. An error is a failure that the reader must hear of.
    pub(crate) fn handle_timeout(&mut self, now: Timestamp, wait: Wait) -> Result<(), ProtocolError> {
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
                let error = ProtocolError::TimedOut(timeout);
                // A complete closing handshake is clean even if the peer never ends the transport.
                let over = self.received.is_some() || self.failure.is_some();
                if timeout == Timeout::ClosingHandshake {
                    self.give_up();
                }
                if over {
                    return Ok(());
                }
                self.failure = Some(error);
                self.writer.mailbox().set_close(CloseReply::Failure(error));
                Err(error)
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

    fn ending(&self) -> Ending {
        Ending {
            side: self.writer.side(),
            received: self.received,
            sent: self.writer.sent_close().is_some(),
            owed: !self.writer.is_open(),
            local_first: self.local_first,
            failure: self.failure,
            frame_abandoned: self.writer.frame_remaining() > 0,
            ended: self.ended,
        }
    }
}

debug_states!([R] SendHalf<R>, |this| { writer: this.writer, received: this.received, failure: this.failure, local_first: this.local_first, ended: this.ended });
