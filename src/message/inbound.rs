//! The receiving direction of an endpoint: from what was read to messages.
//!
//! Owns: the read buffer, the reader, and what is ready to be taken. Must not know: sockets, runtimes,
//! clocks, or where the sending direction lives.

use alloc::boxed::Box;

use super::assembler::{message, whole};
use super::inflated::Inflated;
#[cfg(feature = "deflate")]
use super::inflation::Inflation;
#[cfg(not(feature = "deflate"))]
use super::no_deflate::Inflation;
use super::outbound::Outbound;
use super::read_buffer::ReadBuffer;
use super::turn::{self, Turn};
use super::{Action, BufferPool, Message, WriteSide};
use crate::close::CloseFrame;
use crate::error::ProtocolError;
use crate::event::{Data, MessageProgress, Piece};
use crate::frame::{FrameHeader, MessageKind, Rsv};
use crate::input::Input;
use crate::limits::Limits;
use crate::mailbox::Mailbox;
use crate::parked::Parked;
use crate::reader::{Next, Reader, ShortMessage};
use crate::role::{Role, Side};
use crate::time::{Timestamp, Wake};
use crate::utf8::{whole_text, InvalidUtf8};

/// The receiving direction of an [`Endpoint`](super::Endpoint).
pub struct Inbound {
    reader: Reader,
    read_buffer: ReadBuffer,
    inflation: Option<Box<Inflation>>,
    unit: Unit,
    joining: Option<MessageKind>,
    /// Whether the last large message was text. That is checked once more where it was joined, so it is better
    /// read at once.
    text_came: bool,
    ready: Ready,
    /// Counts the messages of which more was awaited.
    awaited: u32,
}

/// Octets of an inflated piece, at most.
#[cfg(feature = "deflate")]
const PIECE: usize = 16 << 10;

/// Whether the user takes whole messages or pieces.
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
    /// Nothing, until more of a short message has come. What came of it stands unread in the read buffer.
    Await(Await),
    /// A short message stands unread in the read buffer, with its header, but unmasked.
    Short(Short),
    /// The payload of a whole message stands unread in the read buffer.
    Whole,
    /// A message was joined in the read buffer.
    Joined(MessageKind),
    /// The beginning of a message was joined in the read buffer; the rest is to come in pieces.
    JoinedPart(MessageKind),
    /// A piece of a message stands unread in the read buffer.
    Piece,
    /// A joined message was taken, and may be borrowed until the next call.
    Taken,
    /// A message, or a piece of one, was inflated.
    Inflated,
    /// It was taken, and may be borrowed until the next call.
    InflatedTaken,
}

/// A message in one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Short {
    kind: MessageKind,
    header_len: u8,
    len: u16,
}

/// A message in one frame that is not worth a look before more of it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Await {
    /// Bytes that there must be.
    least: u16,
    /// Bytes that there were.
    seen: u16,
}

/// How far [`Inbound::advance`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Something is ready to be taken.
    Ready,
    /// A Pong is owed; there may be more to work through.
    Owed,
    /// There is more to work through in another turn.
    Yield,
    /// All that was read is worked through.
    Read,
}

impl Inbound {
    pub(super) fn new(side: Side, limits: Limits, capacity: usize, received: &[u8]) -> Self {
        Self {
            reader: Reader::new(side, limits),
            read_buffer: ReadBuffer::new(capacity, received),
            inflation: None,
            unit: Unit::Message,
            joining: None,
            text_came: false,
            ready: Ready::Nothing,
            awaited: 0,
        }
    }

    #[cfg(feature = "deflate")]
    pub(super) fn set_inflation(&mut self, inflater: crate::deflate::Inflater) {
        let most = self.reader.limits().max_message_size;
        self.inflation =
            Some(Box::new(Inflation::new(inflater, self.read_buffer.capacity().min(PIECE), most)));
        self.reader.allow_rsv(Rsv::RSV1);
    }

    /// What to do next towards a whole message. See [`Endpoint::poll`](super::Endpoint::poll).
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn poll<R: Role>(
        &mut self,
        outbound: &mut Outbound<R>,
        write: WriteSide,
    ) -> Result<Action, ProtocolError> {
        if self.has_short(outbound) {
            return Ok(Action::Take);
        }
        self.work(Unit::Message, outbound, write)
    }

    /// As [`poll`](Self::poll), where no short message was [found](Self::find_short).
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    #[inline]
    pub(crate) fn poll_on<R: Role>(
        &mut self,
        outbound: &mut Outbound<R>,
        write: WriteSide,
    ) -> Result<Action, ProtocolError> {
        self.work(Unit::Message, outbound, write)
    }

    /// What to do next towards a piece of a message. See
    /// [`Endpoint::poll_piece`](super::Endpoint::poll_piece).
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn poll_piece<R: Role>(
        &mut self,
        outbound: &mut Outbound<R>,
        write: WriteSide,
    ) -> Result<Action, ProtocolError> {
        if self.has_short(outbound) {
            return Ok(Action::Take);
        }
        self.work(Unit::Piece, outbound, write)
    }

    /// The message that was announced; `None` if none was.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] if its text is not UTF-8: the connection has failed, and `outbound` owes its Close.
    /// Until [`Outbound::take_failure`] is called, [`Endpoint::poll`](super::Endpoint::poll) reports it as
    /// well.
    #[inline]
    pub fn message<R: Role>(
        &mut self,
        outbound: &mut Outbound<R>,
    ) -> Result<Option<Message<'_>>, ProtocolError> {
        if let Ready::Short(short) = self.ready {
            return self.short(short, outbound).map(Some);
        }
        self.long_message(outbound)
    }

    /// The message that was announced, if it is not a short one.
    #[inline(never)]
    fn long_message<R: Role>(
        &mut self,
        outbound: &mut Outbound<R>,
    ) -> Result<Option<Message<'_>>, ProtocolError> {
        let Self { reader, read_buffer, inflation, ready, unit, text_came, .. } = self;
        match core::mem::replace(ready, Ready::Nothing) {
            Ready::Joined(kind) => {
                *ready = Ready::Taken;
                *text_came = kind == MessageKind::Text;
                message(kind, read_buffer.message()).map(Some)
            }
            Ready::Whole => {
                let taken = read_buffer.take(|input| reader.take_data(input, outbound.mailbox()));
                let data = taken.inspect_err(|error| outbound.failed(*error))?;
                *text_came = data.kind() == MessageKind::Text;
                whole(data).map(Some)
            }
            Ready::Inflated => {
                let Some(inflation) = inflation.as_deref_mut().filter(|inflation| inflation.is_done()) else {
                    *ready = Ready::Inflated;
                    return Ok(None);
                };
                *ready = Ready::InflatedTaken;
                *unit = Unit::Message;
                inflation.message().map(Some).inspect_err(|error| fail(reader, outbound, *error))
            }
            other @ (Ready::Nothing
            | Ready::Await(_)
            | Ready::Short(_)
            | Ready::Piece
            | Ready::JoinedPart(_)
            | Ready::Taken
            | Ready::InflatedTaken) => {
                *ready = other;
                Ok(None)
            }
        }
    }

    /// The piece that was announced; `None` if none was.
    ///
    /// # Errors
    ///
    /// As [`message`](Self::message).
    #[inline]
    pub fn piece<R: Role>(&mut self, outbound: &mut Outbound<R>) -> Result<Option<Data<'_>>, ProtocolError> {
        if let Ready::Short(short) = self.ready {
            return self.short(short, outbound).map(|message| Some(whole_piece(message)));
        }
        self.long_piece(outbound)
    }

    /// The piece that was announced, if it is not a short message.
    #[inline(never)]
    fn long_piece<R: Role>(&mut self, outbound: &mut Outbound<R>) -> Result<Option<Data<'_>>, ProtocolError> {
        let Self { reader, read_buffer, inflation, ready, unit, .. } = self;
        match *ready {
            Ready::Nothing | Ready::Await(_) | Ready::Short(_) | Ready::Taken | Ready::InflatedTaken => {
                Ok(None)
            }
            Ready::Inflated => {
                *ready = Ready::InflatedTaken;
                let Some(inflation) = inflation else { return Ok(None) };
                *unit = if inflation.is_done() { Unit::Message } else { Unit::Piece };
                inflation.piece().map(Some).inspect_err(|error| {
                    read_buffer.clear_message();
                    fail(reader, outbound, *error);
                })
            }
            Ready::Joined(kind) | Ready::JoinedPart(kind) => {
                let last = matches!(*ready, Ready::Joined(_));
                *ready = Ready::Taken;
                *unit = if last { Unit::Message } else { Unit::Piece };
                Ok(Some(Data {
                    piece: Piece::Bytes(read_buffer.message()),
                    kind,
                    rsv: Rsv::NONE,
                    first: true,
                    last,
                    frame_remaining: reader.frame_remaining(),
                }))
            }
            Ready::Whole | Ready::Piece => {
                *ready = Ready::Nothing;
                let taken = read_buffer.take(|input| reader.take_data(input, outbound.mailbox()));
                let data = taken.inspect_err(|error| outbound.failed(*error))?;
                *unit = if data.is_last() { Unit::Message } else { Unit::Piece };
                Ok(Some(data))
            }
        }
    }

    /// The Close that came, as soon as it came. Its reason is the peer's text.
    pub fn received_close(&self) -> Option<CloseFrame<'_>> {
        self.reader.close_frame()
    }

    /// The reason of the Close that came, empty if there is none. It is the peer's text.
    pub fn close_reason(&self) -> &str {
        self.reader.close_reason()
    }

    /// Takes of `pool` what the next read needs. See [`BufferPool`].
    #[inline]
    pub fn acquire(&mut self, pool: &mut BufferPool) {
        if !self.read_buffer.has_space() {
            self.read_buffer.acquire(self.announced(), &mut pool.input);
        }
        if let Some(inflation) = &mut self.inflation {
            inflation.acquire(&mut pool.inflated);
        }
    }

    /// Gives back to `pool` what was acquired and is not needed: all of it, where no message is in progress or
    /// ready.
    #[inline]
    pub fn release(&mut self, pool: &mut BufferPool) {
        self.settle();
        self.read_buffer.release(&mut pool.input);
        if let Some(inflation) = &mut self.inflation {
            inflation.release(&mut pool.inflated);
        }
    }

    /// Space to read into, never empty.
    #[inline]
    pub fn space(&mut self) -> &mut [u8] {
        if self.read_buffer.has_space() {
            return self.read_buffer.plain_space();
        }
        self.read_buffer.space(self.announced(), self.text_came)
    }

    /// Space to read into, if there is some without a buffer from the pool.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    #[inline]
    pub(crate) fn plain_space(&mut self) -> Option<&mut [u8]> {
        if self.inflation.is_none() && self.read_buffer.has_space() {
            Some(self.read_buffer.plain_space())
        } else {
            None
        }
    }

    /// `count` bytes were read into [`space`](Self::space).
    ///
    /// Tell the sending direction of it as well: [`Outbound::did_read`].
    #[inline]
    pub fn filled(&mut self, count: usize) {
        self.read_buffer.filled(count);
    }

    /// The transport ended; [`poll`](Self::poll) reports it in its turn.
    pub fn eof<R: Role>(&mut self, outbound: &mut Outbound<R>) {
        outbound.eof(self.reader.eof().err());
        self.await_nothing();
    }

    /// The transport failed. See [`Endpoint::lost`](super::Endpoint::lost).
    #[must_use]
    pub fn lost<R: Role>(&mut self, outbound: &mut Outbound<R>) -> bool {
        let unexpected = self.reader.eof().err();
        self.await_nothing();
        outbound.eof(unexpected);
        outbound.write_ended();
        if unexpected.is_some() {
            // The adapter's error says more.
            outbound.take_failure();
        }
        outbound.closed().is_some_and(|closed| match closed.error {
            None => !closed.clean,
            Some(_) => unexpected.is_some(),
        })
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing else happens before.
    #[must_use]
    pub fn poll_timeout<R: Role>(&self, outbound: &Outbound<R>) -> Wake {
        outbound.poll_read_timeout(self.message_progress())
    }

    /// Tells the time; [`poll`](Self::poll) reports in its turn if a deadline has failed the connection.
    pub fn handle_timeout<R: Role>(&mut self, outbound: &mut Outbound<R>, now: Timestamp) {
        // A failure is heard of before the next read.
        outbound.handle_read_timeout(now, self.message_progress());
    }

    /// Whether a short message is next among what was read, which can be taken: what [`poll`](Self::poll) and
    /// [`poll_piece`](Self::poll_piece) would find, for most messages.
    #[inline(always)]
    pub(crate) fn has_short<R: Role>(&mut self, outbound: &mut Outbound<R>) -> bool {
        let Some(short) = self.find_short(outbound) else { return false };
        self.ready = Ready::Short(Short {
            kind: short.kind,
            header_len: short.header_len as u8,
            len: short.len as u16,
        });
        true
    }

    /// As [`has_short`](Self::has_short), but what is found is not ready: it must be
    /// [taken](Self::take_short) at once.
    #[inline(always)]
    pub(crate) fn find_short<R: Role>(&mut self, outbound: &mut Outbound<R>) -> Option<ShortMessage> {
        if self.ready != Ready::Nothing || self.inflates() || outbound.turn.is_over() {
            return None;
        }
        let short = self.reader.unmask_short(outbound.side(), self.read_buffer.some_unread()?)?;
        outbound.heard();
        outbound.turn.delivered();
        Some(short)
    }

    /// As [`has_short`](Self::has_short), where that is not all there is to do.
    #[inline(never)]
    fn finds_short<R: Role>(&mut self, outbound: &mut Outbound<R>) -> bool {
        self.has_short(outbound)
    }

    /// The short message that was found.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    #[inline]
    pub(crate) fn take_short<R: Role>(
        &mut self,
        short: ShortMessage,
        outbound: &mut Outbound<R>,
    ) -> Result<Message<'_>, ProtocolError> {
        self.take_whole(short.kind, short.header_len, short.len, outbound)
    }

    /// The short message that is ready.
    #[inline]
    fn short<R: Role>(
        &mut self,
        short: Short,
        outbound: &mut Outbound<R>,
    ) -> Result<Message<'_>, ProtocolError> {
        self.ready = Ready::Nothing;
        self.take_whole(short.kind, usize::from(short.header_len), usize::from(short.len), outbound)
    }

    /// The message that stands unmasked in the read buffer, behind a header.
    #[inline(always)]
    fn take_whole<R: Role>(
        &mut self,
        kind: MessageKind,
        header_len: usize,
        len: usize,
        outbound: &mut Outbound<R>,
    ) -> Result<Message<'_>, ProtocolError> {
        let octets = self.read_buffer.take_after(header_len, len);
        match kind {
            MessageKind::Binary => Ok(Message::Binary(octets)),
            MessageKind::Text => whole_text(octets).map(Message::Text).map_err(|InvalidUtf8| {
                fail(&mut self.reader, outbound, ProtocolError::InvalidUtf8);
                ProtocolError::InvalidUtf8
            }),
        }
    }

    /// Works towards a whole message or a piece, through what was read.
    fn advance<R: Role>(&mut self, unit: Unit, outbound: &mut Outbound<R>) -> Step {
        self.settle();
        if unit == Unit::Message {
            // Announced as a piece and not taken: it may be more by now.
            match self.ready {
                Ready::Piece => self.ready = Ready::Nothing,
                Ready::Inflated if !self.inflation.as_ref().is_some_and(|inflation| inflation.is_done()) => {
                    self.ready = Ready::Nothing;
                }
                Ready::JoinedPart(kind) => {
                    self.joining = Some(kind);
                    self.ready = Ready::Nothing;
                }
                _ => {}
            }
        } else if self.ready == Ready::Nothing {
            if let Some(kind) = self.joining.take() {
                self.ready = Ready::JoinedPart(kind);
            }
        }
        match self.ready {
            Ready::Nothing => self.receive(unit, outbound),
            _ => Step::Ready,
        }
    }

    #[cfg(feature = "deflate")]
    pub(super) fn limits(&self) -> Limits {
        self.reader.limits()
    }

    /// Nobody takes anything any more.
    pub(crate) fn abort(&mut self) {
        let _ = self.reader.eof();
        self.await_nothing();
    }

    /// Frees the buffers that hold nothing.
    pub(crate) fn shrink(&mut self) {
        self.settle();
        self.read_buffer.shrink();
        if let Some(inflation) = &mut self.inflation {
            inflation.shrink();
        }
    }

    /// What it takes from a peer, and bytes of a read; `None` if it inflates.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    pub(super) fn settings(&self) -> Option<(Limits, usize)> {
        self.inflation.is_none().then(|| (self.reader.limits(), self.read_buffer.capacity()))
    }

    /// Whether its buffer is larger than one that nothing is in should be.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    #[inline]
    pub(super) fn is_large(&self) -> bool {
        self.read_buffer.is_large()
    }

    /// What is to be kept of the connection, if it is idle.
    #[inline]
    pub(crate) fn park<R: Role>(&mut self, outbound: &Outbound<R>) -> Option<Parked> {
        if self.is_idle() {
            outbound.park()
        } else {
            None
        }
    }

    /// Whether no message is in progress or ready, and nothing is unread or remembered.
    fn is_idle(&mut self) -> bool {
        self.settle();
        self.reader.is_idle()
            && self.read_buffer.is_empty()
            && (self.unit, self.joining, self.ready) == (Unit::Message, None, Ready::Nothing)
            && self.inflation.as_ref().map_or(true, |inflation| inflation.is_idle())
    }

    /// Goes on before a message of another connection.
    pub(super) fn unpark(&mut self, allowed_rsv: Rsv) {
        self.read_buffer.restart();
        (self.unit, self.joining, self.ready) = (Unit::Message, None, Ready::Nothing);
        // What nobody inflates is not allowed.
        let allowed_rsv = if self.inflation.is_some() { allowed_rsv } else { Rsv::NONE };
        self.reader.unpark(allowed_rsv);
        if let Some(inflation) = &mut self.inflation {
            inflation.restart();
        }
    }

    /// Does what is to be done before anything can be taken or has to be waited for.
    #[inline(never)]
    fn work<R: Role>(
        &mut self,
        unit: Unit,
        outbound: &mut Outbound<R>,
        write: WriteSide,
    ) -> Result<Action, ProtocolError> {
        let waits = match self.ready {
            Ready::Await(awaited) => self.still_awaits(awaited, unit, outbound),
            Ready::Nothing => self.joining.is_none() && !self.inflates() && self.has_read_all(),
            _ => false,
        };
        if waits {
            return self.act(outbound, write);
        }
        if outbound.turn.is_over() {
            return self.end_turn(outbound);
        }
        self.work_on(unit, outbound, write)
    }

    /// As [`work`](Self::work), where there is something to do, or may be.
    #[inline(never)]
    fn work_on<R: Role>(
        &mut self,
        unit: Unit,
        outbound: &mut Outbound<R>,
        write: WriteSide,
    ) -> Result<Action, ProtocolError> {
        loop {
            match self.advance(unit, outbound) {
                Step::Ready => return Ok(Action::Take),
                Step::Owed if outbound.turn.is_over() => return self.end_turn(outbound),
                Step::Owed => outbound.queue_owed(),
                Step::Yield => return self.end_turn(outbound),
                Step::Read => return self.act(outbound, write),
            }
        }
    }

    /// What to do where nothing is to be taken.
    #[inline]
    fn act<R: Role>(
        &mut self,
        outbound: &mut Outbound<R>,
        write: WriteSide,
    ) -> Result<Action, ProtocolError> {
        if outbound.is_ending() {
            return self.act_at_end(outbound, write);
        }
        Ok(outbound.act(write))
    }

    /// As [`act`](Self::act), where the connection is ending.
    #[inline(never)]
    fn act_at_end<R: Role>(
        &mut self,
        outbound: &mut Outbound<R>,
        write: WriteSide,
    ) -> Result<Action, ProtocolError> {
        if let Some(error) = outbound.unheard_failure() {
            // Found where nothing was read: by a deadline. Its Close is owed already.
            self.reader.fail(error, &mut Mailbox::new());
            self.await_nothing();
        }
        outbound.act_at_end(write)
    }

    /// Ends this turn. What is owed to the peer is queued first: it would wait for the turns of all others.
    #[cold]
    fn end_turn<R: Role>(&mut self, outbound: &mut Outbound<R>) -> Result<Action, ProtocolError> {
        outbound.queue_owed();
        outbound.turn = Turn::NEW;
        Ok(Action::Yield)
    }

    /// Whether the message that stands next is one of which more must have come, which is all that every read
    /// of one that comes in many costs.
    #[inline(never)]
    fn awaits<R: Role>(&mut self, unit: Unit, outbound: &mut Outbound<R>) -> bool {
        let capacity = self.read_buffer.capacity();
        let unread = self.read_buffer.unread();
        let least = self.reader.awaits(unread).filter(|least| unit == Unit::Message && *least <= capacity);
        let (Some(Ok(least)), Ok(seen)) = (least.map(u16::try_from), u16::try_from(unread.len())) else {
            return false;
        };
        self.ready = Ready::Await(Await { least, seen });
        self.awaited = self.awaited.wrapping_add(1);
        if usize::from(least) > FrameHeader::MAX_LEN {
            self.read_buffer.expect_frames(least.into());
        }
        outbound.heard();
        true
    }

    /// A header of so many bytes was read, unless there are none: more such frames may come, if not all of this
    /// one came.
    #[inline]
    fn expect_frames(&mut self, header_len: usize) {
        let len = usize::try_from(self.reader.frame_remaining()).unwrap_or(usize::MAX);
        if header_len > 0 && len > self.read_buffer.unread_len() {
            self.read_buffer.expect_frames(len.saturating_add(header_len));
        }
    }

    /// Whether more still must have come.
    #[inline]
    fn still_awaits<R: Role>(&mut self, awaited: Await, unit: Unit, outbound: &mut Outbound<R>) -> bool {
        let have = self.read_buffer.unread_len();
        if have >= usize::from(awaited.least) || unit == Unit::Piece {
            self.ready = Ready::Nothing;
            return false;
        }
        if have > usize::from(awaited.seen) {
            self.ready = Ready::Await(Await { seen: have as u16, ..awaited });
            outbound.heard();
        }
        true
    }

    /// Nothing that stands unread is a message to be awaited any more.
    fn await_nothing(&mut self) {
        if let Ready::Await(_) = self.ready {
            self.ready = Ready::Nothing;
        }
    }

    /// Octets of a frame that have still to come, as far as its header tells.
    fn announced(&self) -> u64 {
        match self.ready {
            Ready::Await(Await { least, .. }) => {
                usize::from(least).saturating_sub(self.read_buffer.unread_len()) as u64
            }
            _ => self.reader.frame_remaining(),
        }
    }

    /// How much came of the frame or the message that was begun and has not ended.
    fn message_progress(&self) -> Option<MessageProgress> {
        let mut progress = match self.ready {
            Ready::Await(_) => {
                let octets = self.read_buffer.unread_len() as u64;
                MessageProgress { number: self.reader.message_number(), octets }
            }
            _ => self.reader.message_progress()?,
        };
        progress.number = progress.number.wrapping_add(self.awaited);
        Some(progress)
    }

    /// Whether there is something to inflate.
    #[inline]
    fn inflates(&self) -> bool {
        self.inflation.as_ref().is_some_and(|inflation| inflation.is_active())
    }

    /// Whether nothing follows from what was read.
    #[inline]
    fn has_read_all(&self) -> bool {
        self.read_buffer.has_nothing_unread() && self.reader.needs_input()
    }

    /// What was joined or inflated, and taken, is done with.
    fn settle(&mut self) {
        match (self.ready, &mut self.inflation) {
            (Ready::Taken, _) => self.read_buffer.clear_message(),
            (Ready::InflatedTaken, Some(inflation)) => inflation.settle(),
            _ => return,
        }
        self.ready = Ready::Nothing;
    }

    /// Works through what was read until something is ready, or nothing is left.
    fn receive<R: Role>(&mut self, unit: Unit, outbound: &mut Outbound<R>) -> Step {
        loop {
            if self.inflates() {
                match self.inflate(unit, outbound) {
                    Inflated::Ready => return Step::Ready,
                    Inflated::NeedsMore => {}
                    Inflated::Paused => return Step::Yield,
                }
            }
            if self.has_read_all() {
                return Step::Read;
            }
            if self.reader.is_idle() {
                if self.finds_short(outbound) {
                    return Step::Ready;
                }
                if self.awaits(unit, outbound) {
                    return Step::Read;
                }
            }
            if outbound.turn.is_over() {
                return Step::Yield;
            }
            outbound.turn.spend(turn::FRAME);
            if unit == Unit::Message {
                match self.join_fragment(outbound) {
                    None => {}
                    Some(false) => continue,
                    Some(true) => {
                        outbound.turn.delivered();
                        return Step::Ready;
                    }
                }
            }
            let mut input = Input::new(self.read_buffer.unread());
            let next = self.reader.advance(&mut input, outbound.mailbox());
            let consumed = input.consumed();
            self.read_buffer.consume(consumed);
            if consumed > 0 {
                outbound.heard();
            }
            match next {
                Err(error) => outbound.failed(error),
                Ok(None) => {
                    if self.reader.has_swallowed_enough() {
                        outbound.give_up();
                    }
                    return Step::Read;
                }
                Ok(Some(Next::Data { whole, compressed: false })) if whole || unit == Unit::Piece => {
                    outbound.heard();
                    outbound.turn.delivered();
                    self.ready = if unit == Unit::Piece { Ready::Piece } else { Ready::Whole };
                    return Step::Ready;
                }
                Ok(Some(Next::Data { compressed, .. })) => {
                    self.expect_frames(consumed);
                    let mut input = Input::new(self.read_buffer.unread());
                    let taken = self.reader.take_data(&mut input, outbound.mailbox());
                    let taken = taken.map(|data| (data.kind(), data.is_last()));
                    let consumed = input.consumed();
                    outbound.heard();
                    match taken {
                        Err(error) => outbound.failed(error),
                        Ok((kind, last)) if compressed => self.keep_compressed(consumed, kind, last),
                        Ok((kind, last)) => {
                            if self.keep(consumed, kind, last) {
                                outbound.turn.delivered();
                                return Step::Ready;
                            }
                        }
                    }
                }
                // Each Ping of one read gets its Pong, while there is room (section 5.5.2).
                Ok(Some(Next::Ping)) => return Step::Owed,
                Ok(Some(Next::Pong)) => {}
                // Nothing but swallowing follows.
                Ok(Some(Next::Close(code))) => outbound.close_came(code),
            }
        }
    }

    /// Takes a whole short fragment at a glance, if one stands next. Whether the message is whole with it.
    #[inline(always)]
    fn join_fragment<R: Role>(&mut self, outbound: &mut Outbound<R>) -> Option<bool> {
        let mut input = Input::new(self.read_buffer.unread());
        let taken = self.reader.take_fragment(&mut input, outbound.mailbox())?;
        let taken = taken.map(|data| (data.as_bytes().len(), data.kind(), data.is_last()));
        let consumed = input.consumed();
        outbound.heard();
        Some(match taken {
            Ok((len, kind, last)) => {
                self.read_buffer.consume(consumed.saturating_sub(len));
                self.keep(len, kind, last)
            }
            Err(error) => {
                self.read_buffer.consume(consumed);
                outbound.failed(error);
                false
            }
        })
    }

    /// Keeps a piece of a message that is to be whole. Whether it is.
    fn keep(&mut self, len: usize, kind: MessageKind, last: bool) -> bool {
        if self.unit == Unit::Piece {
            // The rest of a message whose beginning was taken in pieces.
            self.read_buffer.consume(len);
            if last {
                self.unit = Unit::Message;
            }
            return false;
        }
        self.read_buffer.join(len);
        self.joining = if last { None } else { Some(kind) };
        if last {
            self.ready = Ready::Joined(kind);
        }
        last
    }

    /// Keeps compressed octets until they are inflated.
    fn keep_compressed(&mut self, len: usize, kind: MessageKind, last: bool) {
        match &mut self.inflation {
            Some(inflation) => {
                self.read_buffer.join(len);
                inflation.push(kind, last);
            }
            // The reader allows RSV1 only where there is somebody to inflate.
            None => self.read_buffer.consume(len),
        }
    }

    /// Inflates what came of a compressed message, as far as this turn goes.
    fn inflate<R: Role>(&mut self, unit: Unit, outbound: &mut Outbound<R>) -> Inflated {
        let Some(inflation) = self.inflation.as_deref_mut() else { return Inflated::NeedsMore };
        // The rest of a message whose beginning was taken in pieces.
        let skip = unit == Unit::Message && self.unit == Unit::Piece;
        loop {
            if outbound.turn.is_over() {
                return Inflated::Paused;
            }
            let (most, before) = (outbound.turn.inflates(), inflation.inflated());
            let mut result = inflation.run(&mut self.read_buffer, unit == Unit::Message && !skip, most);
            outbound.turn.inflated(inflation.inflated().saturating_sub(before));
            let done = inflation.is_done();
            if skip && result == Ok(Inflated::Ready) {
                result = inflation.pass_over().map(|()| Inflated::Ready);
            }
            match result {
                Ok(Inflated::Ready) if skip => {
                    if done {
                        self.unit = Unit::Message;
                        return Inflated::NeedsMore;
                    }
                }
                Ok(inflated) => {
                    if inflated == Inflated::Ready {
                        outbound.turn.spend(turn::CODEC);
                        self.ready = Ready::Inflated;
                    }
                    return inflated;
                }
                Err(error) => {
                    inflation.abandon();
                    self.read_buffer.clear_message();
                    fail(&mut self.reader, outbound, error);
                    return Inflated::NeedsMore;
                }
            }
        }
    }
}

/// A message as one piece.
#[inline]
fn whole_piece(message: Message<'_>) -> Data<'_> {
    let piece = match message {
        Message::Text(text) => Piece::Str(text),
        Message::Binary(octets) => Piece::Bytes(octets),
    };
    Data { piece, kind: message.kind(), rsv: Rsv::NONE, first: true, last: true, frame_remaining: 0 }
}

/// Fails the connection for what the reader has not seen.
#[cold]
fn fail<R: Role>(reader: &mut Reader, outbound: &mut Outbound<R>, error: ProtocolError) {
    reader.fail(error, outbound.mailbox());
    outbound.failed(error);
}

debug_states!([] Inbound, |this| { reader: this.reader, read_buffer: this.read_buffer, inflates: this.inflation.is_some(), joining: this.joining, ready: this.ready });
