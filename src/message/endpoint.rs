//! An endpoint of RFC 6455 with its buffers, still without a socket: what every adapter drives.
//!
//! Owns: the order of reading, writing and closing, so that adapters hold no protocol logic. Must not know:
//! sockets, runtimes, clocks.

use alloc::boxed::Box;

use super::assembler::message;
#[cfg(feature = "deflate")]
use super::deflation::Deflation;
use super::inbox::Inbox;
#[cfg(feature = "deflate")]
use super::inflation::Inflation;
#[cfg(not(feature = "deflate"))]
use super::no_deflate::{Deflation, Inflation};
use super::outbox::{FeedError, Outbox, Refused};
use super::{Message, OwnedMessage, Prepared};
use crate::close::CloseFrame;
use crate::closing::{Closed, ReadyState, Transport};
use crate::connection::{Config, Connection};
#[cfg(feature = "deflate")]
use crate::deflate::{Deflater, Inflater, Params, Pool, Tuning};
use crate::error::{ProtocolError, SendError};
use crate::event::{Data, Piece};
use crate::frame::{MessageKind, Rsv};
use crate::input::Input;
use crate::payload::{ControlPayload, Payload};
use crate::reader::Next;
use crate::role::{Role, Server};
use crate::time::{Timestamp, Wake};
use crate::MAX_CONTROL_FRAME_LEN;

/// How much an endpoint buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Buffers {
    /// Bytes of a read. Messages up to about this size need no allocation. Default: 16 KiB.
    pub read: usize,
    /// Bytes of output that may wait for the transport. One message is always taken when none wait. Default:
    /// 1 MiB.
    pub max_queued: usize,
}

impl Buffers {
    /// The defaults.
    pub const DEFAULT: Self = Self { read: 16 << 10, max_queued: 1 << 20 };

    /// With another size of a read.
    #[must_use]
    pub const fn with_read(mut self, bytes: usize) -> Self {
        self.read = bytes;
        self
    }

    /// With another bound on output that waits.
    #[must_use]
    pub const fn with_max_queued(mut self, bytes: usize) -> Self {
        self.max_queued = bytes;
        self
    }
}

impl Default for Buffers {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What an adapter does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "an adapter must know every action")]
pub enum Action {
    /// A message, or a piece of one, is ready: take it with [`Endpoint::message`] or [`Endpoint::piece`].
    Take,
    /// Write [`Endpoint::output`] and report it with [`Endpoint::wrote`]. If the transport would make us
    /// wait, go on with [`WriteSide::Blocked`]; if the answer to that is to write, wait.
    Write,
    /// End the writing direction of the transport, then call [`Endpoint::write_ended`]. Waiting is as for
    /// `Write`.
    ShutdownWrite,
    /// Read into [`Endpoint::space`] and report it with [`Endpoint::filled`], or [`Endpoint::eof`].
    Read,
    /// Drop the transport; [`Endpoint::closed`] tells how the connection ended.
    Close,
}

/// Whether the transport takes output now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it does or it does not")]
pub enum WriteSide {
    /// It may.
    Ready,
    /// It would make us wait: read meanwhile.
    Blocked,
}

/// A [`Connection`] with the buffers that whole messages need.
///
/// An adapter does what [`poll`](Self::poll) says, until it gets what its user asked for. Everything that one
/// read brought is handed out before anything is written, and everything is written before the next wait for
/// input.
#[derive(Debug)]
pub struct Endpoint<R> {
    connection: Connection<R>,
    inbox: Inbox,
    outbox: Outbox,
    inflation: Option<Box<Inflation>>,
    deflation: Option<Box<Deflation>>,
    unit: Unit,
    joining: Option<MessageKind>,
    ready: Ready,
    error: Option<ProtocolError>,
}

/// Whether the user of the endpoint takes whole messages or pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// Between messages, or joining one.
    Message,
    /// In a message of which pieces were taken.
    Piece,
}

/// What is ready to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ready {
    Nothing,
    /// A whole message stands unread in the inbox.
    Whole,
    /// A message was joined in the inbox.
    Joined(MessageKind),
    /// The beginning of a message was joined in the inbox; the rest is to come in pieces.
    JoinedPart(MessageKind),
    /// A piece of a message stands unread in the inbox.
    Piece,
    /// A joined message was taken, and may be borrowed until the next call.
    Taken,
    /// A message, or a piece of one, was inflated.
    Inflated,
    /// It was taken, and may be borrowed until the next call.
    InflatedTaken,
}

impl<R: Role> Endpoint<R> {
    /// After the opening handshake. `received` are the bytes that were read together with its end.
    pub fn new(role: R, config: Config, buffers: Buffers, received: &[u8]) -> Self {
        Self {
            connection: Connection::new(role, config),
            inbox: Inbox::new(buffers.read, received),
            outbox: Outbox::new(buffers.max_queued),
            inflation: None,
            deflation: None,
            unit: Unit::Message,
            joining: None,
            ready: Ready::Nothing,
            error: None,
        }
    }

    /// With permessage-deflate as it was agreed on. Contexts are made when they are needed; where they are
    /// not kept between messages, they come from `pool` if there is one.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_deflate(mut self, params: &Params, tuning: Tuning, pool: Option<&Pool>) -> Self {
        let side = self.connection.writer().side();
        let limits = self.connection.reader().limits();
        let mut inflater = Inflater::new(params, side.peer(), limits);
        let mut deflater = Deflater::new(params, side, tuning);
        if let Some(pool) = pool {
            inflater = inflater.with_pool(pool.clone());
            deflater = deflater.with_pool(pool.clone());
        }
        let inflation = Inflation::new(inflater, self.inbox.capacity(), limits.max_message_size);
        let deflation = Deflation::new(deflater, tuning.threshold, params.window_bits(side));
        self.inflation = Some(Box::new(inflation));
        self.deflation = Some(Box::new(deflation));
        self.connection.allow_rsv(Rsv::RSV1);
        self
    }

    /// What to do next towards a whole message.
    ///
    /// A message of which pieces were taken is passed over.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`], once, after its Close was written and the writing direction ended, if the transport
    /// let us.
    pub fn poll(&mut self, write: WriteSide) -> Result<Action, ProtocolError> {
        self.settle();
        match self.ready {
            // Announced as a piece and not taken: it may be more by now.
            Ready::Piece => self.ready = Ready::Nothing,
            Ready::Inflated if !self.inflation.as_ref().is_some_and(|inflation| inflation.is_done()) => {
                self.ready = Ready::Nothing;
            }
            Ready::JoinedPart(kind) => {
                self.joining = Some(kind);
                self.ready = Ready::Nothing;
            }
            Ready::Nothing
            | Ready::Whole
            | Ready::Joined(_)
            | Ready::Taken
            | Ready::Inflated
            | Ready::InflatedTaken => {}
        }
        if self.ready == Ready::Nothing {
            self.receive(Unit::Message);
        }
        self.act(write)
    }

    /// What to do next towards a piece of a message, for messages of any size in constant memory.
    ///
    /// # Errors
    ///
    /// As [`poll`](Self::poll).
    pub fn poll_piece(&mut self, write: WriteSide) -> Result<Action, ProtocolError> {
        self.settle();
        if self.ready == Ready::Nothing {
            self.receive(Unit::Piece);
        }
        self.act(write)
    }

    /// The two directions, so that an answer can be queued while the message is still borrowed.
    pub fn split_mut(&mut self) -> (Inbound<'_, R>, Outbound<'_, R>) {
        let (reader, writer, _) = self.connection.parts_mut();
        (
            Inbound {
                reader,
                inbox: &mut self.inbox,
                inflation: self.inflation.as_deref_mut(),
                ready: &mut self.ready,
                unit: &mut self.unit,
                role: core::marker::PhantomData,
            },
            Outbound {
                writer,
                outbox: &mut self.outbox,
                deflation: self.deflation.as_deref_mut(),
                failure: &mut self.error,
            },
        )
    }

    /// The message that [`poll`](Self::poll) announced; `None` if it announced none.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] if its text is not UTF-8: the connection has failed, and its Close waits in
    /// [`output`](Self::output).
    pub fn message(&mut self) -> Result<Option<Message<'_>>, ProtocolError> {
        let (inbound, mut outbound) = self.split_mut();
        let message = inbound.message(&mut outbound);
        outbound.take_failure();
        message
    }

    /// The piece that [`poll_piece`](Self::poll_piece) announced; `None` if it announced none.
    ///
    /// # Errors
    ///
    /// As [`message`](Self::message).
    pub fn piece(&mut self) -> Result<Option<Data<'_>>, ProtocolError> {
        let (inbound, mut outbound) = self.split_mut();
        let piece = inbound.piece(&mut outbound);
        outbound.take_failure();
        piece
    }

    /// Space to read into, never empty.
    pub fn space(&mut self) -> &mut [u8] {
        self.inbox.space()
    }

    /// `count` bytes were read into [`space`](Self::space).
    pub fn filled(&mut self, count: usize) {
        self.inbox.filled(count);
    }

    /// The transport ended; [`poll`](Self::poll) reports it in its turn.
    pub fn eof(&mut self) {
        if let Err(error) = self.connection.eof() {
            // Whoever ends without a Close hears nothing more.
            self.outbox.end();
            self.error.get_or_insert(error);
        }
    }

    /// The transport failed, in a way that the adapter reports itself. How the connection ended.
    pub fn lost(&mut self) -> Closed {
        let _ = self.connection.eof();
        self.outbox.end();
        self.connection.closed().unwrap_or_else(Closed::abnormal)
    }

    /// The bytes to write, in order.
    pub fn output(&mut self) -> &[u8] {
        queue_owed(self.connection.writer(), &mut self.outbox);
        self.outbox.bytes()
    }

    /// The transport took the first `count` bytes of [`output`](Self::output).
    pub fn wrote(&mut self, count: usize) {
        self.outbox.wrote(count);
    }

    /// The writing direction of the transport was ended.
    pub fn write_ended(&mut self) {
        self.outbox.end();
    }

    /// The sending direction.
    pub fn outbound(&mut self) -> Outbound<'_, R> {
        self.split_mut().1
    }

    /// Open, closing or closed.
    pub fn ready_state(&self) -> ReadyState {
        self.connection.ready_state()
    }

    /// How the connection ended: `None` until it did.
    pub fn closed(&self) -> Option<Closed> {
        self.connection.closed()
    }

    /// The reason of the Close that came, empty if there is none. It is the peer's text.
    pub fn close_reason(&self) -> &str {
        self.connection.reader().close_reason()
    }

    /// Drops the connection: nothing more is sent or reported.
    pub fn abort(&mut self) {
        self.connection.abort();
        self.outbox.end();
        self.error = None;
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing else happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Wake {
        self.connection.poll_timeout()
    }

    /// Tells the time; [`poll`](Self::poll) reports in its turn if a deadline has failed the connection.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if let Err(error) = self.connection.handle_timeout(now) {
            self.error.get_or_insert(error);
        }
        if self.connection.transport() == Transport::Close {
            self.outbox.end(); // waiting any longer is what the deadline forbids
        }
    }

    /// Gives back the buffers that hold nothing: an idle connection needs none.
    pub fn release(&mut self) {
        self.settle();
        self.inbox.release();
        self.outbox.release();
        if let Some(inflation) = &mut self.inflation {
            inflation.release();
        }
        if let Some(deflation) = &mut self.deflation {
            deflation.release();
        }
    }

    /// What was joined or inflated, and taken, is done with.
    fn settle(&mut self) {
        match (self.ready, &mut self.inflation) {
            (Ready::Taken, _) => self.inbox.clear_message(),
            (Ready::InflatedTaken, Some(inflation)) => inflation.settle(),
            _ => return,
        }
        self.ready = Ready::Nothing;
    }

    /// Inflates what came of a compressed message. Whether something is ready.
    fn inflate(&mut self, unit: Unit) -> bool {
        let Some(inflation) = self.inflation.as_deref_mut() else { return false };
        // The rest of a message whose beginning was taken in pieces.
        let skip = unit == Unit::Message && self.unit == Unit::Piece;
        loop {
            match inflation.run(&mut self.inbox, unit == Unit::Message && !skip) {
                Ok(true) if skip => {
                    let done = inflation.is_done();
                    inflation.settle();
                    if done {
                        self.unit = Unit::Message;
                        return false;
                    }
                }
                Ok(ready) => {
                    if ready {
                        self.ready = Ready::Inflated;
                    }
                    return ready;
                }
                Err(error) => {
                    inflation.abandon();
                    self.inbox.clear_message();
                    self.connection.fail(error);
                    self.error.get_or_insert(error);
                    return false;
                }
            }
        }
    }

    /// Works through what was read until something is ready, or nothing is left.
    fn receive(&mut self, unit: Unit) {
        if unit == Unit::Piece {
            if let Some(kind) = self.joining.take() {
                self.ready = Ready::JoinedPart(kind);
                return;
            }
        }
        loop {
            if self.inflation.as_ref().is_some_and(|inflation| inflation.is_active()) && self.inflate(unit) {
                return;
            }
            let (reader, writer, deadlines) = self.connection.parts_mut();
            let mut input = Input::new(self.inbox.unread());
            let next = reader.advance(&mut input, writer.replies());
            let consumed = input.consumed();
            self.inbox.consume(consumed);
            if consumed > 0 {
                deadlines.received();
            }
            match next {
                Err(error) => {
                    self.error.get_or_insert(error);
                }
                Ok(None) => return,
                Ok(Some(Next::Data { compressed: true, .. })) => {
                    let mut input = Input::new(self.inbox.unread());
                    let taken = reader.take_data(&mut input, writer.replies());
                    let taken = taken.map(|data| (data.kind(), data.is_last()));
                    let consumed = input.consumed();
                    deadlines.received();
                    match (taken, &mut self.inflation) {
                        (Err(error), _) => {
                            self.error.get_or_insert(error);
                        }
                        (Ok((kind, last)), Some(inflation)) => {
                            self.inbox.join(consumed);
                            inflation.push(kind, last);
                        }
                        // The reader allows RSV1 only where there is somebody to inflate.
                        (Ok(_), None) => self.inbox.consume(consumed),
                    }
                }
                Ok(Some(Next::Data { .. })) if unit == Unit::Piece => {
                    self.ready = Ready::Piece;
                    return;
                }
                Ok(Some(Next::Data { whole: true, .. })) => {
                    self.ready = Ready::Whole;
                    return;
                }
                Ok(Some(Next::Data { whole: false, .. })) => {
                    let mut input = Input::new(self.inbox.unread());
                    let taken = reader.take_data(&mut input, writer.replies());
                    let taken = taken.map(|data| (data.kind(), data.is_last()));
                    let consumed = input.consumed();
                    deadlines.received();
                    match taken {
                        Err(error) => {
                            self.error.get_or_insert(error);
                        }
                        Ok((_, last)) if self.unit == Unit::Piece => {
                            // The rest of a message whose beginning was taken in pieces.
                            self.inbox.consume(consumed);
                            if last {
                                self.unit = Unit::Message;
                            }
                        }
                        Ok((kind, last)) => {
                            self.inbox.join(consumed);
                            self.joining = Some(kind);
                            if last {
                                self.joining = None;
                                self.ready = Ready::Joined(kind);
                                return;
                            }
                        }
                    }
                }
                // Each Ping of one read gets its Pong, while there is room (section 5.5.2).
                Ok(Some(Next::Ping)) => queue_owed(writer, &mut self.outbox),
                Ok(Some(Next::Pong)) => {}
                Ok(Some(Next::Close(_))) => {
                    self.connection.note_close();
                    return self.receive(unit); // once: nothing but swallowing follows
                }
            }
        }
    }

    fn act(&mut self, write: WriteSide) -> Result<Action, ProtocolError> {
        if self.ready != Ready::Nothing {
            return Ok(Action::Take);
        }
        let ended = self.connection.transport() == Transport::Close;
        // Once nothing can come any more, there is nothing to do but to wait until the rest is written.
        if write == WriteSide::Ready || ended {
            if let Some(action) = self.outbound_action() {
                return Ok(action);
            }
            // A failure is reported once its Close was written.
            if let Some(error) = self.error.take() {
                return Err(error);
            }
        }
        Ok(match self.connection.transport() {
            Transport::Close => Action::Close,
            Transport::Open | Transport::ShutdownWrite | Transport::AwaitEof => Action::Read,
        })
    }

    /// What the writing direction needs, if it needs anything.
    fn outbound_action(&mut self) -> Option<Action> {
        if self.outbox.is_ended() {
            return None;
        }
        if !self.output().is_empty() {
            return Some(Action::Write);
        }
        match self.connection.transport() {
            Transport::ShutdownWrite | Transport::Close => Some(Action::ShutdownWrite),
            Transport::Open | Transport::AwaitEof => None,
        }
    }
}

/// The receiving direction of an [`Endpoint`], to take what its `poll` announced.
#[derive(Debug)]
pub struct Inbound<'e, R> {
    reader: &'e mut crate::Reader,
    inbox: &'e mut Inbox,
    inflation: Option<&'e mut Inflation>,
    ready: &'e mut Ready,
    unit: &'e mut Unit,
    role: core::marker::PhantomData<fn() -> R>,
}

impl<'e, R: Role> Inbound<'e, R> {
    /// As [`Endpoint::message`]; the message borrows from this direction alone.
    ///
    /// # Errors
    ///
    /// As [`Endpoint::message`]. Until [`Outbound::take_failure`] is called, [`Endpoint::poll`] reports it as
    /// well.
    pub fn message(self, outbound: &mut Outbound<'_, R>) -> Result<Option<Message<'e>>, ProtocolError> {
        let Self { reader, inbox, inflation, ready, unit, .. } = self;
        match core::mem::replace(ready, Ready::Nothing) {
            Ready::Joined(kind) => {
                *ready = Ready::Taken;
                message(kind, inbox.message()).map(Some)
            }
            Ready::Whole => {
                let taken = inbox.take(|input| reader.take_data(input, outbound.writer.replies()));
                let data = outbound.note(taken)?;
                match data.as_str() {
                    Some(text) => Ok(Some(Message::Text(text))),
                    None => message(data.kind(), data.bytes()).map(Some),
                }
            }
            Ready::Inflated => {
                let Some(inflation) = inflation.filter(|inflation| inflation.is_done()) else {
                    *ready = Ready::Inflated;
                    return Ok(None);
                };
                *ready = Ready::InflatedTaken;
                *unit = Unit::Message;
                outbound.fail_on_error(reader, inflation.message()).map(Some)
            }
            other @ (Ready::Nothing
            | Ready::Piece
            | Ready::JoinedPart(_)
            | Ready::Taken
            | Ready::InflatedTaken) => {
                *ready = other;
                Ok(None)
            }
        }
    }

    /// As [`Endpoint::piece`]; the piece borrows from this direction alone.
    ///
    /// # Errors
    ///
    /// As [`Endpoint::piece`].
    pub fn piece(self, outbound: &mut Outbound<'_, R>) -> Result<Option<Data<'e>>, ProtocolError> {
        let Self { reader, inbox, inflation, ready, unit, .. } = self;
        match *ready {
            Ready::Nothing | Ready::Taken | Ready::InflatedTaken => Ok(None),
            Ready::Inflated => {
                *ready = Ready::InflatedTaken;
                let Some(inflation) = inflation else { return Ok(None) };
                *unit = if inflation.is_done() { Unit::Message } else { Unit::Piece };
                outbound.fail_on_error(reader, inflation.piece()).map(Some)
            }
            Ready::Joined(kind) | Ready::JoinedPart(kind) => {
                let last = matches!(*ready, Ready::Joined(_));
                *ready = Ready::Taken;
                *unit = if last { Unit::Message } else { Unit::Piece };
                Ok(Some(Data {
                    piece: Piece::Bytes(inbox.message()),
                    kind,
                    rsv: Rsv::NONE,
                    first: true,
                    last,
                    frame_remaining: reader.frame_remaining(),
                }))
            }
            Ready::Whole | Ready::Piece => {
                *ready = Ready::Nothing;
                let taken = inbox.take(|input| reader.take_data(input, outbound.writer.replies()));
                let data = outbound.note(taken)?;
                *unit = if data.is_last() { Unit::Message } else { Unit::Piece };
                Ok(Some(data))
            }
        }
    }
}

/// The sending direction of an [`Endpoint`]: everything here is queued within the bound, nothing is written.
#[derive(Debug)]
pub struct Outbound<'e, R> {
    writer: &'e mut crate::Writer<R>,
    outbox: &'e mut Outbox,
    deflation: Option<&'e mut Deflation>,
    failure: &'e mut Option<ProtocolError>,
}

impl<R: Role> Outbound<'_, R> {
    /// Queues a whole message.
    ///
    /// # Errors
    ///
    /// [`Refused`] with the message, if the queue is full or the connection does not allow it.
    pub fn feed<'p>(&mut self, message: impl Into<Payload<'p>>) -> Result<(), Refused<Payload<'p>>> {
        let payload = message.into();
        self.queue(payload, true).map_err(|error| Refused { message: payload, error })
    }

    /// Queues a message for which a `Sink` found room before it knew the length: the queue may outgrow its
    /// cap by this one.
    #[cfg(feature = "tokio")]
    pub(crate) fn feed_promised(&mut self, message: &OwnedMessage) -> Result<(), FeedError> {
        self.outbox.admit(0)?;
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
        self.outbox.admit(self.writer.encoded_len(len)).is_ok()
    }

    /// Bytes that wait for the transport.
    pub fn queued(&self) -> usize {
        self.outbox.queued()
    }

    /// Queues a Ping.
    ///
    /// # Errors
    ///
    /// [`FeedError`].
    pub fn ping(&mut self, payload: ControlPayload<'_>) -> Result<(), FeedError> {
        self.outbox.admit(MAX_CONTROL_FRAME_LEN)?;
        let mut frame = [0; MAX_CONTROL_FRAME_LEN];
        let len = self.writer.ping(payload, &mut frame)?;
        self.outbox.push(frame.get(..len).unwrap_or(&[]));
        Ok(())
    }

    /// Queues a Pong that nobody asked for.
    ///
    /// # Errors
    ///
    /// [`FeedError`].
    pub fn pong(&mut self, payload: ControlPayload<'_>) -> Result<(), FeedError> {
        self.outbox.admit(MAX_CONTROL_FRAME_LEN)?;
        let mut frame = [0; MAX_CONTROL_FRAME_LEN];
        let len = self.writer.pong(payload, &mut frame)?;
        self.outbox.push(frame.get(..len).unwrap_or(&[]));
        Ok(())
    }

    /// Queues the Close that starts the closing handshake, whatever else waits. Messages can still come.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] if a Close was sent or came already, [`SendError::CloseCodeNotForServers`], or
    /// [`SendError::Entropy`].
    pub fn close(&mut self, frame: CloseFrame<'_>) -> Result<(), SendError> {
        // A Pong that is owed goes first.
        let mut out = [0; MAX_CONTROL_FRAME_LEN << 1];
        let len = self.writer.close(frame, &mut out)?;
        self.outbox.push(out.get(..len).unwrap_or(&[]));
        Ok(())
    }

    /// The bytes to write, in order: what was queued, and what is owed to the peer.
    pub fn output(&mut self) -> &[u8] {
        queue_owed(self.writer, self.outbox);
        self.outbox.bytes()
    }

    /// The failure that taking a message met, once the peer was told of it.
    pub fn take_failure(&mut self) -> Option<ProtocolError> {
        self.failure.take()
    }

    /// The transport took the first `count` bytes of [`output`](Self::output).
    pub fn wrote(&mut self, count: usize) {
        self.outbox.wrote(count);
    }

    /// The writing direction of the transport was ended.
    pub fn write_ended(&mut self) {
        self.outbox.end();
    }

    /// Keeps a failure until the peer was told of it.
    fn note<T>(&mut self, taken: Result<T, ProtocolError>) -> Result<T, ProtocolError> {
        if let Err(error) = taken {
            self.failure.get_or_insert(error);
            return Err(error);
        }
        taken
    }

    /// As [`note`](Self::note), where the failure is found by somebody else than the reader.
    fn fail_on_error<T>(
        &mut self,
        reader: &mut crate::Reader,
        taken: Result<T, ProtocolError>,
    ) -> Result<T, ProtocolError> {
        if let Err(error) = taken {
            reader.fail(error, self.writer.replies());
        }
        self.note(taken)
    }

    fn queue(&mut self, payload: Payload<'_>, fin: bool) -> Result<(), FeedError> {
        if !self.writer.is_open() {
            return Err(SendError::Closed.into()); // however full the queue is
        }
        self.outbox.admit(self.writer.encoded_len(payload.octets().len()))?;
        self.append(payload, fin)
    }

    fn append(&mut self, payload: Payload<'_>, fin: bool) -> Result<(), FeedError> {
        if let Some(deflation) = self.deflation.as_deref_mut() {
            if deflation.wants(self.writer, &payload, fin) {
                return Ok(deflation.append(self.writer, self.outbox, payload, fin)?);
            }
        }
        let octets = payload.octets();
        let header = self.writer.begin_whole(payload, fin)?;
        self.outbox.push(header.as_bytes());
        let queued = self.outbox.queued();
        self.outbox.push(octets);
        self.writer.mask_whole(self.outbox.since(queued));
        Ok(())
    }
}

impl Outbound<'_, Server> {
    /// Queues a message that was encoded once for many connections.
    ///
    /// # Errors
    ///
    /// [`FeedError`].
    pub fn feed_prepared(&mut self, message: &Prepared) -> Result<(), FeedError> {
        self.outbox.admit(message.frame().len())?;
        self.writer.pass_whole()?;
        #[cfg(feature = "deflate")]
        if let (Some(deflation), Some((window, frame))) = (&mut self.deflation, message.deflated_frame()) {
            if deflation.admits(window) {
                self.outbox.push(frame);
                deflation.passed();
                return Ok(());
            }
        }
        self.outbox.push(message.frame());
        Ok(())
    }
}

/// Queues what is owed to the peer, as far as there is room.
fn queue_owed<R: Role>(writer: &mut crate::Writer<R>, outbox: &mut Outbox) {
    let mut frames = [0; MAX_CONTROL_FRAME_LEN];
    while writer.wants_transmit() && outbox.has_room() {
        match writer.poll_transmit(&mut frames) {
            Ok(len @ 1..) => outbox.push(frames.get(..len).unwrap_or(&[])),
            // Without a masking key nothing can be sent; what is owed stays owed.
            Ok(0) | Err(_) => break,
        }
    }
}
