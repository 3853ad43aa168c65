//! The sending direction of an endpoint: from messages to what is to be written.
//
// Owns: the bounded queue of output, the writer, and how the connection ends.
// Must not know: sockets, runtimes, clocks, or where the receiving direction lives.

use alloc::boxed::Box;

#[cfg(feature = "deflate")]
use super::deflation::Deflation;
#[cfg(not(feature = "deflate"))]
use super::no_deflate::Deflation;
use super::turn;
use super::write_queue::{FeedError, Refused, WriteQueue};
use super::{Action, BufferPool, Compressing, Fed, OwnedMessage, Prepared, WriteSide};
use crate::close::CloseFrame;
use crate::closing::{Closed, ReadyState, TransportAction};
use crate::deadline::{Output, Timeouts};
use crate::error::{ProtocolError, SendError};
use crate::event::MessageProgress;
use crate::frame::FrameHeader;
#[cfg(feature = "deflate")]
use crate::frame::Rsv;
use crate::mailbox::{CloseReply, Mailbox};
use crate::parked::Parked;
use crate::payload::{AsPayload, ControlPayload, Payload};
use crate::role::{Role, Server, Side};
use crate::send_half::{SendHalf, Wait};
use crate::time::{Timestamp, Wake};
use crate::MAX_CONTROL_FRAME_LEN;

/// The sending direction of an [`Endpoint`](super::Endpoint): everything here is queued within the bound,
/// nothing is written.
pub struct Outbound<R> {
    send_half: SendHalf<R>,
    write_queue: WriteQueue,
    deflation: Option<Box<Deflation>>,
    /// A failure that was not reported.
    failure: Option<ProtocolError>,
    /// A failure that the receiving direction has not heard of.
    unheard: Option<ProtocolError>,
    /// Whether the transport took nothing when it was asked last, or a message has found no room since.
    blocked: bool,
    /// What was done of this connection's turn, in its units, since the receiving direction was told.
    pub(super) spent: u32,
}

impl<R> Outbound<R> {
    /// Whether the connection has ended.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    pub(crate) const fn is_over(&self) -> bool {
        self.send_half.has_ended()
    }
}

impl<R: Role> Outbound<R> {
    pub(super) fn new(role: R, timeouts: Timeouts, max_queued: usize) -> Self {
        Self {
            send_half: SendHalf::new(role, timeouts),
            write_queue: WriteQueue::new(max_queued),
            deflation: None,
            failure: None,
            unheard: None,
            blocked: false,
            spent: 0,
        }
    }

    #[cfg(feature = "deflate")]
    pub(super) fn set_deflation(&mut self, deflation: Deflation) {
        self.deflation = Some(Box::new(deflation));
        self.send_half.writer.allow_rsv(Rsv::RSV1);
    }

    /// Queues a whole message. Where it is to be compressed, room is asked for its length before that.
    ///
    /// # Errors
    ///
    /// [`Refused`] with the message, if the queue is full or the connection does not allow it.
    #[inline]
    pub fn feed<'p>(&mut self, message: impl Into<Payload<'p>>) -> Result<(), Refused<Payload<'p>>> {
        let payload = message.into();
        self.queue(payload, true).map_err(|error| Refused { message: payload, error })
    }

    /// Queues a whole message, but for what `write` writes at once of `[queued, payload]`: it returns how many
    /// bytes, and 0 where it failed. A long payload that goes out as it is need not be copied then; others
    /// are only queued, and `write` is not called.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    #[inline]
    pub fn feed_through<'p>(
        &mut self,
        message: impl Into<Payload<'p>>,
        write: impl FnOnce([&[u8]; 2]) -> usize,
    ) -> Result<(), Refused<Payload<'p>>> {
        let payload = message.into();
        self.queue_through(payload, write).map_err(|error| Refused { message: payload, error })
    }

    /// As [`feed_through`](Self::feed_through), but a long message that goes out compressed takes several turns:
    /// compressing 8 MiB at once would keep all others waiting for tens of milliseconds. After
    /// [`Fed::Compressing`] let others have their turn. Then feed the same message again, with the same
    /// `compressing`.
    ///
    /// Nothing of it is queued before all of it is compressed. Other messages can be queued meanwhile: they go out
    /// before it, and compressing it begins again if they are compressed as well.
    ///
    /// ```
    /// use sockless::message::{Buffers, Compressing, Endpoint, Fed};
    /// use sockless::{Config, Server};
    /// # fn others_have_their_turn() {}
    ///
    /// let mut endpoint = Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]);
    /// let mut compressing = Compressing::new();
    /// while endpoint.outbound().feed_in_turns("a long text", &mut compressing, |_| 0)? == Fed::Compressing {
    ///     others_have_their_turn();
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed). Where the queue is full, feed it again with the same `compressing`, too.
    pub fn feed_in_turns<'p>(
        &mut self,
        message: impl Into<Payload<'p>>,
        compressing: &mut Compressing,
        write: impl FnOnce([&[u8]; 2]) -> usize,
    ) -> Result<Fed, Refused<Payload<'p>>> {
        let payload = message.into();
        self.queue_in_turns(payload, true, compressing, write)
            .map_err(|error| Refused { message: payload, error })
    }

    /// Queues a message for which a `Sink` found room before it knew the length: the queue may outgrow its
    /// cap by this one.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    pub(crate) fn feed_promised(&mut self, message: &OwnedMessage) -> Result<(), FeedError> {
        self.demand_room(0)?;
        self.feed_started(message)
    }

    /// Queues a message that a `Sink` has taken, however full the queue has become since.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    pub(crate) fn feed_started(&mut self, message: &OwnedMessage) -> Result<(), FeedError> {
        self.append(message.as_payload(), true)
    }

    /// Queues a fragment of a message, the last if `fin`. Fragments of a message have one kind.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    pub fn feed_fragment<'p>(
        &mut self,
        fragment: impl Into<Payload<'p>>,
        fin: bool,
    ) -> Result<(), Refused<Payload<'p>>> {
        let payload = fragment.into();
        self.queue(payload, fin).map_err(|error| Refused { message: payload, error })
    }

    /// Queues a message that owns its octets, and gives it back if it is refused.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    pub fn feed_owned(&mut self, message: OwnedMessage) -> Result<(), Refused<OwnedMessage>> {
        match self.queue(message.as_payload(), true) {
            Ok(()) => Ok(()),
            Err(error) => Err(Refused { message, error }),
        }
    }

    /// Whether a message of `len` octets would be taken now, as far as the queue is concerned.
    pub fn has_room(&self, len: usize) -> bool {
        self.write_queue.admit(self.send_half.writer.encoded_len(len)).is_ok()
    }

    /// Bytes that wait for the transport.
    pub fn queued(&self) -> usize {
        self.write_queue.queued()
    }

    /// Queues a Ping.
    ///
    /// # Errors
    ///
    /// [`FeedError`].
    pub fn ping(&mut self, payload: ControlPayload<'_>) -> Result<(), FeedError> {
        self.demand_room(MAX_CONTROL_FRAME_LEN)?;
        let mut frame = [0; MAX_CONTROL_FRAME_LEN];
        let len = self.send_half.writer.ping(payload, &mut frame)?;
        self.write_queue.push(frame.get(..len).unwrap_or(&[]));
        Ok(())
    }

    /// Queues a Pong that nobody asked for.
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

    /// Queues the Close that starts the closing handshake, whatever else waits. Messages can still come.
    /// Nothing happens where a Close was sent or came already, or the connection has ended.
    ///
    /// # Errors
    ///
    /// [`SendError::CloseCodeNotForServers`], or [`SendError::Entropy`].
    pub fn close(&mut self, frame: CloseFrame<'_>) -> Result<(), SendError> {
        if self.send_half.is_ending() {
            return Ok(());
        }
        // A Pong that is owed goes first.
        let mut out = [0; MAX_CONTROL_FRAME_LEN << 1];
        let len = self.send_half.writer.close(frame, &mut out)?;
        self.write_queue.push(out.get(..len).unwrap_or(&[]));
        Ok(())
    }

    /// The bytes to write, in order: what was queued, and what is owed to the peer.
    pub fn output(&mut self) -> &[u8] {
        self.queue_owed();
        self.write_queue.bytes()
    }

    /// Queues what is owed to the peer, as far as there is room.
    #[inline]
    pub(crate) fn queue_owed(&mut self) {
        // Mostly nothing is owed, at whatever stage.
        if self.send_half.writer.owes() {
            self.transmit();
        }
    }

    #[cold]
    fn transmit(&mut self) {
        self.spent = self.spent.saturating_add(turn::FRAME);
        let mut frames = [0; MAX_CONTROL_FRAME_LEN];
        // Where the direction has ended, nothing is queued any more.
        while self.send_half.writer.wants_transmit()
            && self.write_queue.has_room()
            && !self.write_queue.is_ended()
        {
            match self.send_half.writer.poll_transmit(&mut frames) {
                Ok(len @ 1..) => self.write_queue.push(frames.get(..len).unwrap_or(&[])),
                // Without a masking key nothing can be sent; what is owed stays owed.
                Ok(0) | Err(_) => break,
            }
        }
    }

    /// The failure that is to be reported, once the peer was told of it.
    pub fn take_failure(&mut self) -> Option<ProtocolError> {
        self.failure.take()
    }

    /// The transport took the first `count` bytes of [`output`](Self::output).
    pub fn wrote(&mut self, count: usize) {
        self.write_queue.wrote(count);
        self.send_half.deadlines.wrote();
        self.blocked = false;
    }

    /// The writing direction of the transport was ended.
    pub fn write_ended(&mut self) {
        self.write_queue.end();
    }

    /// Open, closing or closed.
    pub fn ready_state(&self) -> ReadyState {
        self.send_half.ready_state()
    }

    /// How the connection ended: `None` until it did.
    pub fn closed(&self) -> Option<Closed> {
        let mut closed = self.send_half.closed()?;
        // A Close is the last that is written: where anything was not, neither was it.
        closed.clean &= !self.write_queue.is_cut_off();
        Some(closed)
    }

    /// Whether everything that was queued went to the transport, where nothing waits any more.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] if the connection ended before; [`closed`](Self::closed) tells how.
    pub fn written(&self) -> Result<(), SendError> {
        if self.write_queue.is_cut_off() {
            return Err(SendError::Closed);
        }
        Ok(())
    }

    /// Which end of the connection this is.
    #[inline]
    pub(crate) fn side(&self) -> Side {
        self.send_half.writer.side()
    }

    /// Takes what the receiving direction left for this one.
    #[inline]
    pub(super) fn accept(&mut self, from: &mut Mailbox) {
        if !from.is_empty() {
            self.accept_more(from);
        }
    }

    #[cold]
    fn accept_more(&mut self, from: &mut Mailbox) {
        if let Some(error) = self.send_half.accept(from) {
            self.failure.get_or_insert(error);
        }
    }

    /// The connection has failed for this, which the receiving direction found in what was taken. Where the peer was
    /// told of a Close or a failure before, nothing changes.
    #[cold]
    pub fn fail(&mut self, error: ProtocolError) {
        let mut mailbox = Mailbox::new();
        mailbox.set_close(CloseReply::Failure(error));
        self.accept_more(&mut mailbox);
    }

    /// Whether a Close was sent, owed or received, the connection has failed, or the transport ended.
    #[inline]
    pub(super) fn is_ending(&self) -> bool {
        self.send_half.is_ending()
    }

    /// What to do where nothing is to be taken, and the connection is not [ending](Self::is_ending).
    #[inline]
    pub(super) fn act(&mut self, write: WriteSide) -> Action {
        match write {
            WriteSide::Ready if !self.write_queue.is_ended() && !self.output().is_empty() => {
                return Action::Write
            }
            WriteSide::Ready => {}
            WriteSide::Blocked => self.blocked = true,
        }
        Action::Read
    }

    /// As [`act`](Self::act), where it is ending.
    pub(super) fn act_at_end(&mut self, write: WriteSide) -> Result<Action, ProtocolError> {
        self.blocked |= write == WriteSide::Blocked;
        let ended = self.send_half.transport() == TransportAction::Close;
        // Once nothing can come any more, there is nothing to do but to wait until the rest is written.
        if write == WriteSide::Ready || ended {
            if let Some(action) = self.next_write() {
                return Ok(action);
            }
            // A failure is reported once its Close was written.
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

    /// What the transport's writing direction needs, if it needs anything: [`Action::Write`] or
    /// [`Action::ShutdownWrite`].
    pub fn next_write(&mut self) -> Option<Action> {
        if self.write_queue.is_ended() {
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

    /// The transport ended, with this error where neither Close nor failure came before.
    pub(crate) fn eof(&mut self, error: Option<ProtocolError>) {
        self.send_half.eof(error);
        if let Some(error) = error {
            // Whoever ends without a Close hears nothing more.
            self.write_queue.end();
            self.failure.get_or_insert(error);
        }
    }

    /// Something was read from the transport: the peer is there.
    #[inline]
    pub fn did_read(&mut self) {
        self.send_half.deadlines.received();
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) during a wait for the transport to take output in
    /// which nothing is read. A peer that takes nothing is given as long as one that says nothing: the ping
    /// interval and the time for the Pong together, or the idle time; and no longer than the closing time where
    /// the connection is closing.
    #[must_use]
    pub fn poll_timeout(&self) -> Wake {
        self.send_half.poll_timeout(Wait { message: None, output: Output::Waits, only_writes: true })
    }

    /// Tells the time during such a wait.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] if a deadline has failed the connection. The receiving direction reports it as well.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Result<(), ProtocolError> {
        self.tell(now, Wait { message: None, output: Output::Waits, only_writes: true })
    }

    /// When to tell the time, where the peer is read from.
    pub(super) fn poll_read_timeout(&self, message: Option<MessageProgress>) -> Wake {
        self.send_half.poll_timeout(Wait { message, output: self.progress(), only_writes: false })
    }

    /// Tells the time, where the peer is read from.
    pub(super) fn handle_read_timeout(&mut self, now: Timestamp, message: Option<MessageProgress>) {
        // It is reported in its turn.
        let _ = self.tell(now, Wait { message, output: self.progress(), only_writes: false });
    }

    fn tell(&mut self, now: Timestamp, wait: Wait) -> Result<(), ProtocolError> {
        let result = self.send_half.handle_timeout(now, wait);
        if let Err(error) = result {
            self.failure.get_or_insert(error);
            self.unheard = Some(error);
        }
        if self.send_half.gave_up() {
            self.write_queue.end(); // waiting any longer is what the deadline forbids
        }
        result
    }

    /// A failure that the reader is to be told.
    #[inline]
    pub(super) fn unheard_failure(&mut self) -> Option<ProtocolError> {
        self.unheard.take()
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

    /// The peer sends on and on where nothing it sends means anything any more: the transport is dropped.
    #[cold]
    pub(super) fn give_up(&mut self) {
        self.send_half.give_up();
        self.write_queue.end();
    }

    pub(crate) fn abort(&mut self) {
        self.send_half.abort();
        self.write_queue.end();
        self.failure = None;
    }

    /// Takes of `pool` what is needed to queue. See [`BufferPool`].
    #[inline]
    pub fn acquire(&mut self, pool: &mut BufferPool) {
        self.write_queue.acquire(&mut pool.output);
    }

    /// Whether there is nothing to queue in.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    #[inline]
    pub(crate) fn wants_buffer(&self) -> bool {
        self.write_queue.is_bare()
    }

    /// Gives back to `pool` what was acquired, if nothing is queued.
    #[inline]
    pub fn release(&mut self, pool: &mut BufferPool) {
        self.write_queue.release(&mut pool.output);
    }

    /// Frees the buffers that hold nothing.
    pub(crate) fn shrink(&mut self) {
        self.write_queue.shrink();
        if let Some(deflation) = &mut self.deflation {
            deflation.shrink();
        }
    }

    /// How long it waits for what, and bytes that may wait; `None` if it compresses.
    pub(super) fn settings(&self) -> Option<(Timeouts, usize)> {
        self.deflation.is_none().then(|| (self.send_half.deadlines.timeouts(), self.write_queue.cap()))
    }

    /// Whether its buffer is larger than one that nothing is in should be.
    pub(super) fn is_large(&self) -> bool {
        self.write_queue.is_large()
    }

    /// What is to be kept of the connection, if nothing is queued, owed, in progress or remembered.
    pub(super) fn park(&self) -> Option<Parked> {
        let idle = self.write_queue.queued() == 0
            && !self.write_queue.is_ended()
            && self.failure.is_none()
            && self.deflation.as_ref().map_or(true, |deflation| deflation.is_idle());
        if idle {
            self.send_half.park()
        } else {
            None
        }
    }

    /// Goes on with a connection that was parked.
    pub(super) fn unpark(&mut self, parked: Parked) {
        self.send_half.unpark(parked);
        self.write_queue.restart();
        self.failure = None;
        self.unheard = None;
        self.blocked = false;
        if let Some(deflation) = &mut self.deflation {
            deflation.restart();
        }
    }

    /// As [`feed_through`](Self::feed_through).
    #[inline]
    pub(crate) fn queue_through(
        &mut self,
        payload: Payload<'_>,
        write: impl FnOnce([&[u8]; 2]) -> usize,
    ) -> Result<(), FeedError> {
        if self.queue_short(&payload) {
            return Ok(());
        }
        if self.send_half.writer.side() == Side::Client {
            return self.queue_masked(payload, true); // as it is, it goes nowhere
        }
        self.queue_long(payload, write)
    }

    /// As [`feed_in_turns`](Self::feed_in_turns), for fragments as well.
    pub(crate) fn queue_in_turns(
        &mut self,
        payload: Payload<'_>,
        fin: bool,
        compressing: &mut Compressing,
        write: impl FnOnce([&[u8]; 2]) -> usize,
    ) -> Result<Fed, FeedError> {
        if self.takes_turns(&payload, fin) {
            self.admit(payload.as_bytes().len())?;
            if let Some(deflation) = self.deflation.as_deref_mut() {
                let (octets, last) = deflation.advance(&payload, fin, compressing)?;
                if !last {
                    return Ok(Fed::Compressing);
                }
                self.spent = self.spent.saturating_add(turn::compressed(octets));
                let (header, octets) =
                    deflation.begin_ahead(&mut self.send_half.writer, payload, fin, compressing)?;
                self.write_queue.push(header.as_bytes());
                self.through(&octets, write);
                return Ok(Fed::Queued);
            }
        }
        compressing.work = None;
        let queued = if fin { self.queue_through(payload, write) } else { self.queue(payload, fin) };
        queued.map(|()| Fed::Queued)
    }

    /// Whether it takes several turns to compress this payload, if the connection allows it at all.
    pub(crate) fn takes_turns(&self, payload: &Payload<'_>, fin: bool) -> bool {
        let SendHalf { writer, .. } = &self.send_half;
        self.deflation
            .as_deref()
            .is_some_and(|deflation| writer.is_open() && deflation.takes_turns(writer, payload, fin))
    }

    /// As [`queue_through`](Self::queue_through), for any length.
    #[inline(never)]
    fn queue_long(
        &mut self,
        payload: Payload<'_>,
        write: impl FnOnce([&[u8]; 2]) -> usize,
    ) -> Result<(), FeedError> {
        let octets = payload.as_bytes();
        if octets.len() < LONG || self.transforms(&payload) {
            return self.queue_judged(payload, true);
        }
        self.admit(octets.len())?;
        let header = self.send_half.writer.begin_whole(payload, true, None)?.encode();
        self.write_queue.push(header.as_bytes());
        self.through(octets, write);
        Ok(())
    }

    /// As [`feed`](Self::feed) and [`feed_fragment`](Self::feed_fragment).
    #[inline]
    pub(crate) fn queue(&mut self, payload: Payload<'_>, fin: bool) -> Result<(), FeedError> {
        if fin && self.queue_short(&payload) {
            return Ok(());
        }
        self.queue_masked(payload, fin)
    }

    /// Queues at a glance what most messages are: whole, short, sent as they are by a server, and with nothing
    /// in the way. `false` leaves everything to be judged rule by rule.
    #[inline]
    pub(crate) fn queue_short(&mut self, payload: &Payload<'_>) -> bool {
        self.send_half.writer.side() == Side::Server
            && self.deflation.is_none()
            && payload.is_plain()
            && self.send_half.writer.is_ready()
            && self.write_queue.push_short(payload.kind().opcode(), payload.as_bytes())
    }

    /// As [`queue`](Self::queue), with the short cut of clients.
    #[inline]
    fn queue_masked(&mut self, payload: Payload<'_>, fin: bool) -> Result<(), FeedError> {
        let SendHalf { writer, .. } = &mut self.send_half;
        let glance = fin
            && writer.side() == Side::Client
            && self.deflation.is_none()
            && payload.is_plain()
            && writer.is_ready();
        if glance {
            if let Some(room) = self.write_queue.room_for_short(payload.as_bytes().len()) {
                let len = writer.encode(payload, true, room)?;
                self.write_queue.filled_short(len);
                return Ok(());
            }
        }
        self.queue_judged(payload, fin)
    }

    /// As [`queue`](Self::queue), rule by rule.
    #[inline(never)]
    fn queue_judged(&mut self, payload: Payload<'_>, fin: bool) -> Result<(), FeedError> {
        self.admit(payload.as_bytes().len())?;
        self.append(payload, fin)
    }

    /// Whether a message of `len` octets may be queued.
    #[inline]
    fn admit(&mut self, len: usize) -> Result<(), FeedError> {
        if !self.send_half.writer.is_open() {
            return Err(SendError::Closed.into()); // however full the queue is
        }
        self.demand_room(self.send_half.writer.encoded_len(len))
    }

    /// Whether `len` bytes may be queued. Where not, the sender waits for the transport from now on, whether or
    /// not its driver says so.
    #[inline]
    fn demand_room(&mut self, len: usize) -> Result<(), FeedError> {
        self.write_queue.admit(len).inspect_err(|_| self.blocked = true)
    }

    /// Whether the octets on the wire are not those of the payload.
    fn transforms(&self, payload: &Payload<'_>) -> bool {
        let writer = &self.send_half.writer;
        writer.side() == Side::Client
            || self
                .deflation
                .as_deref()
                .is_some_and(|deflation| payload.is_deflated() || deflation.wants(writer, payload, true))
    }

    /// Writes what is queued and `octets` after it; what is not written is queued.
    fn through(&mut self, octets: &[u8], write: impl FnOnce([&[u8]; 2]) -> usize) {
        let queued = self.write_queue.queued();
        let written = write([self.write_queue.bytes(), octets]);
        self.write_queue.push(octets.get(written.saturating_sub(queued)..).unwrap_or(&[]));
        self.write_queue.wrote(written.min(queued));
        if written > 0 {
            self.send_half.deadlines.wrote();
        }
    }

    #[inline]
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
    /// [`FeedError`].
    pub fn feed_prepared(&mut self, message: &Prepared) -> Result<(), FeedError> {
        let frame = self.pass(message)?;
        self.write_queue.push(frame);
        Ok(())
    }

    /// The same, but for what `write` writes at once of a long one. See [`feed_through`](Self::feed_through).
    ///
    /// # Errors
    ///
    /// [`FeedError`].
    pub fn feed_prepared_through(
        &mut self,
        message: &Prepared,
        write: impl FnOnce([&[u8]; 2]) -> usize,
    ) -> Result<(), FeedError> {
        let frame = self.pass(message)?;
        if frame.len() < LONG {
            self.write_queue.push(frame);
        } else {
            self.through(frame, write);
        }
        Ok(())
    }

    /// The same, but for what `write` writes at once of a frame of any length, where nothing is queued: it
    /// returns how many bytes, and 0 where it failed.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    #[inline]
    pub(crate) fn feed_prepared_at_once(
        &mut self,
        message: &Prepared,
        write: impl FnOnce(&[u8]) -> usize,
    ) -> Result<(), FeedError> {
        let frame = self.pass(message)?;
        let rest = frame.get(write(frame)..).unwrap_or(&[]);
        if !rest.is_empty() {
            self.write_queue.push(rest);
        }
        Ok(())
    }

    /// The frame that is sent here, which counts as sent.
    fn pass<'m>(&mut self, message: &'m Prepared) -> Result<&'m [u8], FeedError> {
        self.demand_room(message.frame().len())?;
        if !self.send_half.writer.is_ready() {
            let is_open = self.send_half.writer.is_open();
            return Err(if is_open { SendError::MessageInProgress } else { SendError::Closed }.into());
        }
        #[cfg(feature = "deflate")]
        if let (Some(deflation), Some((window, frame))) = (&mut self.deflation, message.deflated_frame()) {
            if deflation.admits(&self.send_half.writer, window) {
                deflation.passed();
                return Ok(frame);
            }
        }
        Ok(message.frame())
    }
}

/// Octets from which on it is cheaper to write a payload by itself than to copy it.
const LONG: usize = 64 << 10;

debug_states!([R] Outbound<R>, |this| { send_half: this.send_half, write_queue: this.write_queue, deflates: this.deflation.is_some(), failure: this.failure });
