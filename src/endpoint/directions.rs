//! The two directions of an endpoint at work together.
//
// Owns: what one direction has to know of the other, and what is to be done next.
// Must not know: where either lives, in one value or on two tasks; sockets, runtimes, clocks.

use super::action::{Action, WriteSide};
use super::inbound::{Inbound, WorkOutcome};
use super::outbound::Outbound;
use crate::connection::parked::Parked;
use crate::connection::turn::Turn;
use crate::error::ProtocolError;
use crate::role::Role;
use crate::time::{Timestamp, Wake};

/// Both directions of one [`Endpoint`](super::Endpoint) for one step of work: for adapters that keep the two apart, for
/// example on two tasks, with a lock around the sending one.
///
/// The functions here bring over what the receiving direction keeps for the other: a Pong that is owed, the peer's
/// Close, a failure.
pub struct Directions<'e, R> {
    inbound: &'e mut Inbound,
    outbound: &'e mut Outbound<R>,
}

impl<'e, R: Role> Directions<'e, R> {
    /// Takes the two directions of one endpoint. With those of two, answers go to the wrong peer.
    pub fn new(inbound: &'e mut Inbound, outbound: &'e mut Outbound<R>) -> Self {
        Self { inbound, outbound }
    }

    /// What to do next towards a whole message. A message of which pieces were taken is passed over.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`], once, after its Close was written and the writing direction ended, if the transport let us.
    #[inline]
    pub fn poll(&mut self, write: WriteSide) -> Result<Action, ProtocolError> {
        match self.inbound.ready(self.outbound.side()) {
            Some(ready) => Ok(Action::Take(ready)),
            None => self.work(true, write),
        }
    }

    /// What to do next towards a piece of a message.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`], once, after its Close was written and the writing direction ended, if the transport let us.
    #[inline]
    pub fn poll_piece(&mut self, write: WriteSide) -> Result<Action, ProtocolError> {
        match self.inbound.ready(self.outbound.side()) {
            Some(ready) => Ok(Action::Take(ready)),
            None => self.work(false, write),
        }
    }

    /// The transport ended; [`poll`](Self::poll) reports it in its turn.
    pub fn eof(&mut self) {
        self.exchange();
        self.inbound.eof();
        let _ = self.outbound.eof();
    }

    /// The transport failed. See [`Endpoint::lost`](super::Endpoint::lost).
    #[must_use]
    pub fn lost(&mut self) -> bool {
        self.exchange();
        self.inbound.eof();
        let unexpected = self.outbound.eof().is_err();
        self.outbound.write_ended();
        if unexpected {
            // The adapter's error says more.
            self.outbound.take_failure();
        }
        self.outbound.closed().is_some_and(|closed| match closed.error {
            None => !closed.clean,
            Some(_) => unexpected,
        })
    }

    /// Drops the connection: nothing more is sent or reported. The adapter then drops the transport.
    pub fn abort(&mut self) {
        self.outbound.abort();
        self.inbound.eof();
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing else happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Wake {
        self.outbound.poll_read_timeout(self.inbound.message_progress())
    }

    /// Tells the time; [`poll`](Self::poll) reports in its turn if a deadline has failed the connection.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.outbound.handle_read_timeout(now, self.inbound.message_progress());
    }

    /// What is to be kept of the connection, if it is idle ([`Endpoint::park`](super::Endpoint::park)).
    #[must_use]
    pub fn park(&mut self) -> Option<Parked> {
        if self.inbound.is_idle() {
            self.outbound.park()
        } else {
            None
        }
    }

    /// Does what is to be done before anything can be taken or has to be waited for.
    #[inline(never)]
    fn work(&mut self, whole: bool, write: WriteSide) -> Result<Action, ProtocolError> {
        if self.inbound.waits(whole) {
            self.exchange();
            return self.act(write);
        }
        // What was begun may be whole now (bench: the row of 1 KiB in reads of 1460 octets beside other libraries).
        if let Some(ready) = self.inbound.ready(self.outbound.side()) {
            return Ok(Action::Take(ready));
        }
        self.work_on(whole, write)
    }

    /// When there may be something to do.
    #[inline(never)]
    fn work_on(&mut self, whole: bool, write: WriteSide) -> Result<Action, ProtocolError> {
        loop {
            let step = self.inbound.work(whole);
            self.exchange();
            match step {
                WorkOutcome::Ready(ready) => return Ok(Action::Take(ready)),
                WorkOutcome::Read => return self.act(write),
                WorkOutcome::Owed if !self.inbound.turn().is_over() => self.outbound.queue_owed(),
                WorkOutcome::Owed | WorkOutcome::Yield => return self.end_turn(),
            }
        }
    }

    fn exchange(&mut self) {
        self.outbound.accept(self.inbound.mailbox());
        if self.outbound.spent > 0 {
            self.inbound.turn().spend(core::mem::take(&mut self.outbound.spent));
        }
    }

    /// Nothing is to be taken.
    #[inline]
    fn act(&mut self, write: WriteSide) -> Result<Action, ProtocolError> {
        if self.outbound.is_ending() {
            return self.act_at_end(write);
        }
        Ok(self.outbound.act(write))
    }

    /// The connection is ending.
    #[inline(never)]
    fn act_at_end(&mut self, write: WriteSide) -> Result<Action, ProtocolError> {
        if let Some(error) = self.outbound.failure() {
            self.inbound.fail(error); // a deadline may have passed
        }
        self.outbound.act_at_end(write)
    }

    /// What is owed would wait for the turns of all others: it is queued first.
    #[cold]
    fn end_turn(&mut self) -> Result<Action, ProtocolError> {
        self.outbound.queue_owed();
        *self.inbound.turn() = Turn::NEW;
        Ok(Action::Yield)
    }
}

debug_states!([R] Directions<'_, R>, |this| { inbound: this.inbound, outbound: this.outbound });
