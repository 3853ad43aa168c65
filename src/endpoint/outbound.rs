//! The sending direction of an endpoint: from messages to what is to be written.
//
// Owns: the bounded queue of output, the writer, and how the connection ends.
// Must not know: sockets, runtimes, clocks, or where the receiving direction lives.

use alloc::boxed::Box;
use core::time::Duration;

#[cfg(feature = "deflate")]
use super::deflation::Deflation;
#[cfg(not(feature = "deflate"))]
use super::no_codec::NoCodec as Deflation;
use super::write_queue::{FeedError, WriteQueue};
use super::{Action, BufferPool, Compressing, Fed, WriteSide};
use crate::close::CloseFrame;
use crate::connection::closing::{Closed, ReadyState, TransportAction};
use crate::connection::deadline::{Output, TimeoutAction, Timeouts};
use crate::connection::mailbox::Mailbox;
use crate::connection::parked::Parked;
use crate::connection::send_half::{SendHalf, Wait};
use crate::connection::turn;
use crate::error::{ProtocolError, SendError};
use crate::event::MessageProgress;
use crate::frame::FrameHeader;
#[cfg(feature = "deflate")]
use crate::frame::Rsv;
use crate::message::Prepared;
use crate::payload::{AsPayload, ControlPayload, Payload};
use crate::role::{Role, Server, Side};
use crate::time::{Timestamp, Wake};
use crate::MAX_CONTROL_FRAME_LEN;

/// The sending direction of an [`Endpoint`](super::Endpoint). Everything is queued within the bound, nothing is
/// written.
pub struct Outbound<R> {
    send_half: SendHalf<R>,
    write_queue: WriteQueue,
    deflation: Option<Box<Deflation>>,
    /// Whether the transport took nothing when it was asked last, or a message has found no room.
    blocked: bool,
    /// Units of this turn, since the receiving direction was told.
    pub(super) spent: u32,
}

impl<R> Outbound<R> {
    /// Whether the transport has ended, or is to be dropped: [`closed`](Self::closed) then tells how. It
    /// needs no [`Role`], so that a `Drop` can call it.
    pub const fn has_ended(&self) -> bool {
        self.send_half.has_ended()
    }
}

impl<R: Role> Outbound<R> {
    pub(super) fn new(role: R, timeouts: Timeouts, max_queued: usize) -> Self {
        Self {
            send_half: SendHalf::new(role, timeouts),
            write_queue: WriteQueue::new(max_queued),
            deflation: None,
            blocked: false,
            spent: 0,
        }
    }

    #[cfg(feature = "deflate")]
    pub(super) fn set_deflation(&mut self, deflation: Deflation) {
        self.deflation = Some(Box::new(deflation));
        self.send_half.writer.allow_rsv(Rsv::RSV1);
    }

    /// Queues a whole message. If it is compressed, room is asked for its length before that.
    ///
    /// # Errors
    ///
    /// [`FeedError::Full`] if the queue has no room for it, [`FeedError::Send`] if the connection does not allow it.
    /// Nothing of it is queued then.
    // Inlined, so that what the caller knows need not be checked (bench: a server's 16 octets beside other libraries).
    #[inline(always)]
    pub fn feed(&mut self, message: impl AsPayload) -> Result<(), FeedError> {
        let payload = message.as_payload();
        // Most messages are short and go out as they are (bench: endpoint_echoes.binary_16_pipelined_16).
        if self.deflation.is_none() && payload.is_plain() && self.send_half.writer.is_ready() {
            if let Some(room) = self.write_queue.room_for_short(payload.as_bytes().len()) {
                let len = self.send_half.writer.encode(payload, true, room)?;
                self.write_queue.filled_short(len);
                return Ok(());
            }
        }
        self.feed_fragment(payload, true)
    }

    /// Queues a fragment of a message, the last if `fin`, all of one kind.
    ///
    /// # Errors
    ///
    /// [`FeedError::Full`] if the queue has no room for it, [`FeedError::Send`] if the connection does not allow it.
    /// Nothing of it is queued then.
    // So `feed` is short enough to be inlined (bench: endpoint_echoes.binary_16_pipelined_16).
    #[inline(never)]
    pub fn feed_fragment(&mut self, fragment: impl AsPayload, fin: bool) -> Result<(), FeedError> {
        let payload = fragment.as_payload();
        self.demand_open()?;
        self.demand_room(self.send_half.writer.encoded_len(payload.as_bytes().len()))?;
        self.append(payload, fin)
    }

    /// Queues a message, or a fragment of one, with as little copying and waiting as its length allows.
    ///
    /// - A payload of [`LONG_PAYLOAD`] octets or more that goes out as it is need not be copied. `write` is called with
    ///   `[queued, payload]`, writes what the transport takes at once, and returns how many bytes; 0 where it failed.
    ///   Only the rest is queued. For other messages `write` is not called.
    /// - A long message that goes out compressed takes several turns: 8 MiB would keep all others waiting for tens of
    ///   milliseconds. After [`Fed::Compressing`] let others have their turn. Then feed the same message again, with
    ///   the same `compressing`.
    ///
    /// Other messages can be queued meanwhile: they go out before it, and compressing it begins again if they are
    /// compressed as well.
    ///
    /// ```
    /// use sockless::endpoint::{Buffers, Compressing, Endpoint, Fed};
    /// use sockless::{Config, Server};
    /// # fn others_have_their_turn() {}
    ///
    /// let mut endpoint = Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]);
    /// let mut compressing = Compressing::new();
    /// let text = "a long text";
    /// while endpoint.outbound().feed_in_turns(text, true, &mut compressing, |_| 0)? == Fed::Compressing {
    ///     others_have_their_turn();
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`FeedError::Full`] if the queue has no room for it: feed it again later, with the same `compressing`.
    /// [`FeedError::Send`] if the connection does not allow it.
    pub fn feed_in_turns(
        &mut self,
        fragment: impl AsPayload,
        fin: bool,
        compressing: &mut Compressing,
        write: impl FnOnce([&[u8]; 2]) -> usize,
    ) -> Result<Fed, FeedError> {
        let payload = fragment.as_payload();
        let len = payload.as_bytes().len();
        if len < LONG_PAYLOAD && !compressing.promised {
            let fed = if fin { self.feed(payload) } else { self.feed_fragment(payload, fin) };
            return fed.map(|()| Fed::Queued);
        }
        self.demand_open()?;
        if !compressing.promised {
            self.demand_room(self.send_half.writer.encoded_len(len))?;
        }
        let SendHalf { writer, .. } = &mut self.send_half;
        if let Some(deflation) = self.deflation.as_deref_mut() {
            if deflation.takes_turns(writer, &payload, fin) {
                let (octets, last) = deflation.advance(&payload, fin, compressing)?;
                if !last {
                    return Ok(Fed::Compressing);
                }
                self.spent = self.spent.saturating_add(turn::compressed(octets));
                let (header, octets) = deflation.begin_ahead(writer, payload, fin, compressing)?;
                self.write_queue.push(header.as_bytes());
                self.push_through(&octets, write);
                return Ok(Fed::Queued);
            }
        }
        #[cfg(feature = "deflate")]
        {
            compressing.work = None;
        }
        if len < LONG_PAYLOAD || self.transforms(&payload, fin) {
            self.append(payload, fin)?;
        } else {
            let header = self.send_half.writer.header(payload, fin)?;
            self.write_queue.push(header.as_bytes());
            self.push_through(payload.as_bytes(), write);
        }
        Ok(Fed::Queued)
    }

    /// Whether the queue has room for a message of `len` octets.
    pub fn has_room(&self, len: usize) -> bool {
        self.write_queue.admit(self.send_half.writer.encoded_len(len)).is_ok()
    }

    /// Bytes that wait for the transport.
    pub fn queued(&self) -> usize {
        self.write_queue.queued()
    }

    /// Queues a Ping. To have its [`latency`](Self::latency) measured, call [`pinged`](Self::pinged) at once.
    ///
    /// # Errors
    ///
    /// [`FeedError`].
    pub fn ping(&mut self, payload: ControlPayload<'_>) -> Result<(), FeedError> {
        self.demand_room(MAX_CONTROL_FRAME_LEN)?;
        let mut frame = [0; MAX_CONTROL_FRAME_LEN];
        let len = self.send_half.writer.ping(payload, &mut frame)?;
        self.write_queue.push(frame.get(..len).unwrap_or(&[]));
        self.send_half.deadlines.round_trip.ping(payload.as_bytes());
        Ok(())
    }

    /// The time at which the last [`ping`](Self::ping) was queued.
    pub fn pinged(&mut self, now: Timestamp) {
        self.send_half.deadlines.round_trip.tell(now);
    }

    /// How long the last Pong took that answered a Ping, whether [`ping`](Self::ping) or keep-alive sent that; `None` before.
    /// Once the Pong was read, [`poll_timeout`](super::Endpoint::poll_timeout) says `Now`, and the time that is told then
    /// counts.
    ///
    /// A Pong counts if its payload is that of the last Ping. Of that only a checksum of one octet is compared: the peer
    /// can make the time too short.
    pub fn latency(&self) -> Option<Duration> {
        self.send_half.latency()
    }

    /// Whether a Ping was sent whose Pong has not come.
    pub fn awaits_pong(&self) -> bool {
        self.send_half.deadlines.round_trip.awaits_pong()
    }

    /// Queues an unsolicited Pong.
    ///
    /// # Errors
    ///
    /// [`FeedError`].
    pub fn pong(&mut self, payload: ControlPayload<'_>) -> Result<(), FeedError> {
        self.demand_room(MAX_CONTROL_FRAME_LEN)?;
        let mut frame = [0; MAX_CONTROL_FRAME_LEN];
        let len = self.send_half.writer.pong(payload, &mut frame)?;
        self.write_queue.push(frame.get(..len).unwrap_or(&[]));
        Ok(())
    }

    /// Queues the Close that starts the closing handshake, whatever else waits. Messages can still come. Nothing
    /// happens where a Close was sent or came, or the connection has ended.
    ///
    /// # Errors
    ///
    /// [`SendError::CloseCodeNotForServers`], or [`SendError::Entropy`].
    pub fn close(&mut self, frame: CloseFrame<'_>) -> Result<(), SendError> {
        if self.is_ending() {
            return Ok(());
        }
        let mut out = [0; MAX_CONTROL_FRAME_LEN << 1];
        let len = self.send_half.writer.close(frame, &mut out)?;
        self.write_queue.push(out.get(..len).unwrap_or(&[]));
        Ok(())
    }

    /// The bytes to write, in order: what was queued, and what is owed.
    pub fn output(&mut self) -> &[u8] {
        self.queue_owed();
        self.write_queue.bytes()
    }

    /// As far as there is room.
    pub(super) fn queue_owed(&mut self) {
        // Mostly nothing is owed.
        if self.send_half.writer.owes() {
            self.transmit();
        }
    }

    fn transmit(&mut self) {
        let mut frames = [0; MAX_CONTROL_FRAME_LEN];
        while self.send_half.writer.wants_transmit() && self.write_queue.has_room() && !self.write_has_ended()
        {
            self.spent = self.spent.saturating_add(turn::FRAME);
            match self.send_half.writer.poll_transmit(&mut frames) {
                Ok(len @ 1..) => self.write_queue.push(frames.get(..len).unwrap_or(&[])),
                // What is owed stays owed.
                Ok(0) | Err(_) => break,
            }
        }
    }

    /// The failure that is to be reported, once the peer was told of it.
    pub fn take_failure(&mut self) -> Option<ProtocolError> {
        self.send_half.writer.close_state.take_failure()
    }

    /// The transport took the first `count` bytes of [`output`](Self::output).
    pub fn wrote(&mut self, count: usize) {
        self.write_queue.wrote(count);
        self.send_half.deadlines.wrote();
        self.blocked = false;
    }

    /// The writing direction of the transport was ended.
    pub fn write_ended(&mut self) {
        self.send_half.write_ended(self.write_queue.queued() == 0);
        drop(self.write_queue.take_storage());
    }

    fn write_has_ended(&self) -> bool {
        self.send_half.writer.close_state.write_ended()
    }

    /// Open, closing or closed.
    pub fn ready_state(&self) -> ReadyState {
        self.send_half.ready_state()
    }

    /// How the connection ended: `None` until it did.
    pub fn closed(&self) -> Option<Closed> {
        let mut closed = self.send_half.closed()?;
        // A Close is the last that is written.
        closed.clean &= !self.is_cut_off();
        Some(closed)
    }

    /// What is queued after that never is written.
    fn is_cut_off(&self) -> bool {
        let close_state = &self.send_half.writer.close_state;
        close_state.is_cut_off() || (close_state.write_ended() && self.write_queue.queued() > 0)
    }

    /// Whether everything that was queued went to the transport.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] if the connection ended before; [`closed`](Self::closed) tells how.
    pub fn written(&self) -> Result<(), SendError> {
        if self.is_cut_off() {
            return Err(SendError::Closed);
        }
        Ok(())
    }

    /// Which end of the connection this is.
    pub fn side(&self) -> Side {
        self.send_half.writer.side()
    }

    #[inline]
    pub(super) fn accept(&mut self, from: &mut Mailbox) {
        if !from.is_empty() {
            self.accept_more(from);
        }
    }

    #[cold]
    fn accept_more(&mut self, from: &mut Mailbox) {
        self.send_half.heed(from);
        self.drop_if_given_up();
    }

    /// The connection has failed for this, which the receiving direction found. Nothing happens after a Close or a
    /// failure.
    pub fn fail(&mut self, error: ProtocolError) {
        self.send_half.fail(error);
    }

    /// Why the connection has failed, if it has.
    pub(super) fn failure(&self) -> Option<ProtocolError> {
        self.send_half.failure()
    }

    pub(super) fn is_ending(&self) -> bool {
        !self.send_half.writer.is_open()
    }

    /// Nothing is to be taken, and the connection is not [ending](Self::is_ending).
    pub(super) fn act(&mut self, write: WriteSide) -> Action {
        match write {
            WriteSide::Ready if !self.write_has_ended() && !self.output().is_empty() => return Action::Write,
            WriteSide::Ready => {}
            WriteSide::Blocked => self.blocked = true,
        }
        Action::Read
    }

    /// The connection is ending.
    pub(super) fn act_at_end(&mut self, write: WriteSide) -> Result<Action, ProtocolError> {
        self.blocked |= write == WriteSide::Blocked;
        let ended = self.send_half.transport() == TransportAction::Close;
        // Nothing can come any more.
        if write == WriteSide::Ready || ended {
            if let Some(action) = self.next_write() {
                return Ok(action);
            }
            if let Some(error) = self.take_failure() {
                return Err(error);
            }
        }
        Ok(match self.send_half.transport() {
            TransportAction::Close => Action::Close,
            TransportAction::Open | TransportAction::ShutdownWrite | TransportAction::AwaitEof => {
                Action::Read
            }
        })
    }

    /// What the transport's writing direction needs: [`Action::Write`] or [`Action::ShutdownWrite`].
    pub fn next_write(&mut self) -> Option<Action> {
        if self.write_has_ended() {
            return None;
        }
        if !self.output().is_empty() {
            return Some(Action::Write);
        }
        match self.send_half.transport() {
            TransportAction::ShutdownWrite | TransportAction::Close => Some(Action::ShutdownWrite),
            TransportAction::Open | TransportAction::AwaitEof => None,
        }
    }

    /// The transport ended.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::UnexpectedEof`] if no Close had come and the connection had not failed.
    pub(crate) fn eof(&mut self) -> Result<(), ProtocolError> {
        self.send_half.eof().inspect_err(|_| self.write_ended())
    }

    /// Something was read: the peer is there.
    pub fn did_read(&mut self) {
        self.send_half.deadlines.received();
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) during a wait for the transport to take output in which
    /// nothing is read. [`Timeouts`] tells how long that may take.
    #[must_use]
    pub fn poll_timeout(&self) -> Wake {
        self.send_half.poll_timeout_in(Wait { message: None, output: Output::Waits, only_writes: true })
    }

    /// Tells the time during such a wait.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] if a deadline has failed the connection. The receiving direction reports it as well.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Result<(), ProtocolError> {
        self.tell(now, Wait { message: None, output: Output::Waits, only_writes: true })
    }

    /// The peer is read from.
    pub(super) fn poll_read_timeout(&self, message: Option<MessageProgress>) -> Wake {
        self.send_half.poll_timeout_in(Wait { message, output: self.progress(), only_writes: false })
    }

    /// The peer is read from.
    pub(super) fn next_timer(&self, message: Option<MessageProgress>) -> Option<TimeoutAction> {
        self.send_half.next_timer_in(Wait { message, output: self.progress(), only_writes: false })
    }

    /// The peer is read from.
    pub(super) fn handle_read_timeout(&mut self, now: Timestamp, message: Option<MessageProgress>) {
        let _ = self.tell(now, Wait { message, output: self.progress(), only_writes: false });
    }

    fn tell(&mut self, now: Timestamp, wait: Wait) -> Result<(), ProtocolError> {
        let result = self.send_half.handle_timeout_in(now, wait);
        self.drop_if_given_up();
        result
    }

    /// If the transport is to be dropped.
    fn drop_if_given_up(&mut self) {
        if self.send_half.gave_up() {
            self.write_ended();
        }
    }

    fn progress(&self) -> Output {
        if self.write_queue.queued() == 0 && !self.send_half.writer.wants_transmit() {
            Output::Taken
        } else if self.blocked {
            Output::Waits
        } else {
            Output::Queued
        }
    }

    pub(crate) fn abort(&mut self) {
        self.send_half.abort();
        self.write_ended();
        self.take_failure();
    }

    /// Takes of `pool` what is needed to queue. See [`BufferPool`].
    pub fn acquire(&mut self, pool: &mut BufferPool) {
        self.write_queue.acquire(pool);
    }

    /// Whether [`acquire`](Self::acquire) would take a buffer. Ask this first where it takes time to get at the pool,
    /// as with a lock or a variable of the thread.
    pub fn wants_buffer(&self) -> bool {
        self.write_queue.is_bare()
    }

    /// Gives back to `pool` what was acquired, if nothing is queued.
    pub fn release(&mut self, pool: &mut BufferPool) {
        self.write_queue.release(pool);
    }

    /// Frees the buffers that hold nothing.
    pub(super) fn shrink(&mut self) {
        self.write_queue.release(&mut BufferPool::new());
        if let Some(deflation) = &mut self.deflation {
            deflation.release_context();
        }
    }

    /// `None` if it compresses.
    pub(super) fn settings(&self) -> Option<(Timeouts, usize)> {
        self.deflation.is_none().then(|| (self.send_half.deadlines.timeouts(), self.write_queue.cap()))
    }

    pub(super) fn is_large(&self) -> bool {
        self.write_queue.is_large()
    }

    /// If nothing is queued, owed, in progress or remembered.
    pub(super) fn park(&self) -> Option<Parked> {
        let idle = self.write_queue.queued() == 0
            && !self.write_has_ended()
            && self.deflation.as_ref().map_or(true, |deflation| deflation.is_idle());
        if idle {
            self.send_half.park()
        } else {
            None
        }
    }

    pub(super) fn unpark(&mut self, parked: Parked) {
        self.send_half.unpark(parked);
        self.write_queue.restart();
        self.blocked = false;
        if let Some(deflation) = &mut self.deflation {
            deflation.restart();
        }
    }

    /// Asked before room is, so that an error does not depend on how full the queue is.
    fn demand_open(&self) -> Result<(), FeedError> {
        if self.send_half.writer.is_open() {
            Ok(())
        } else {
            Err(SendError::Closed.into())
        }
    }

    /// If not, the sender waits for the transport from now on.
    fn demand_room(&mut self, len: usize) -> Result<(), FeedError> {
        self.write_queue.admit(len).inspect_err(|_| self.blocked = true)
    }

    fn transforms(&self, payload: &Payload<'_>, fin: bool) -> bool {
        let writer = &self.send_half.writer;
        writer.side() == Side::Client
            || self
                .deflation
                .as_deref()
                .is_some_and(|deflation| payload.is_deflated() || deflation.wants(writer, payload, fin))
    }

    /// What is not written is queued.
    fn push_through(&mut self, octets: &[u8], write: impl FnOnce([&[u8]; 2]) -> usize) {
        let queued = self.write_queue.queued();
        let written = write([self.write_queue.bytes(), octets]);
        self.write_queue.push(octets.get(written.saturating_sub(queued)..).unwrap_or(&[]));
        if written > 0 {
            self.write_queue.wrote(written.min(queued));
            self.send_half.deadlines.wrote();
        }
    }

    /// Room was asked for.
    fn append(&mut self, payload: Payload<'_>, fin: bool) -> Result<(), FeedError> {
        if let Some(deflation) = self.deflation.as_deref_mut() {
            if deflation.wants(&self.send_half.writer, &payload, fin) {
                self.spent = self.spent.saturating_add(turn::compressed(payload.as_bytes().len()));
                return Ok(deflation.append(
                    &mut self.send_half.writer,
                    &mut self.write_queue,
                    payload,
                    fin,
                )?);
            }
        }
        let room = self.write_queue.room(payload.as_bytes().len().saturating_add(FrameHeader::MAX_LEN));
        let len = self.send_half.writer.encode(payload, fin, room)?;
        self.write_queue.filled(len);
        #[cfg(feature = "deflate")]
        if let (true, Some(deflation)) = (payload.is_deflated(), self.deflation.as_deref_mut()) {
            deflation.passed();
        }
        Ok(())
    }
}

impl Outbound<Server> {
    /// Queues a message that was encoded once for many connections.
    ///
    /// # Errors
    ///
    /// [`FeedError::Full`] if the queue has no room for it, [`FeedError::Send`] if the connection does not allow it.
    /// Nothing of it is queued then.
    pub fn feed_prepared(&mut self, message: &Prepared) -> Result<(), FeedError> {
        self.feed_prepared_through(message, |_| 0)
    }

    /// Queues what `write` does not write at once of a message that was encoded once for many connections. It is called
    /// with `[queued, frame]`, and returns how many bytes it has written; 0 where it failed.
    ///
    /// # Errors
    ///
    /// [`FeedError::Full`] if the queue has no room for it, [`FeedError::Send`] if the connection does not allow it.
    /// Nothing of it is queued or written then.
    pub fn feed_prepared_through(
        &mut self,
        message: &Prepared,
        write: impl FnOnce([&[u8]; 2]) -> usize,
    ) -> Result<(), FeedError> {
        self.demand_room(message.frame().len())?;
        let SendHalf { writer, .. } = &self.send_half;
        if !writer.is_ready() {
            return self.demand_open().and(Err(SendError::MessageInProgress.into()));
        }
        #[cfg(feature = "deflate")]
        if let (Some(deflation), Some((window, frame))) = (&mut self.deflation, message.deflated_frame()) {
            if deflation.admits(writer, window) {
                deflation.passed();
                self.push_through(frame, write);
                return Ok(());
            }
        }
        self.push_through(message.frame(), write);
        Ok(())
    }
}

/// Payloads of so many octets are better written by themselves than copied into the queue.
pub const LONG_PAYLOAD: usize = 64 << 10;

debug_states!([R] Outbound<R>, |this| { send_half: this.send_half, write_queue: this.write_queue, deflates: this.deflation.is_some() });
