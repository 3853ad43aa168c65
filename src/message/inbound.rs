//! The receiving direction of an endpoint: from what was read to messages.
//
// Owns: the read buffer, the reader, and what is ready to be taken.
// Must not know: sockets, runtimes, clocks, or where the sending direction lives.

use alloc::boxed::Box;

use super::assembler::{message, whole};
use super::inflated::Inflated;
#[cfg(feature = "deflate")]
use super::inflation::Inflation;
#[cfg(not(feature = "deflate"))]
use super::no_deflate::Inflation;
use super::read_buffer::ReadBuffer;
use super::turn::{self, Turn};
use super::{BufferPool, Message};
use crate::close::CloseFrame;
use crate::error::ProtocolError;
use crate::event::{Data, MessageProgress, Piece};
use crate::frame::{FrameHeader, MessageKind, Rsv};
use crate::input::Input;
use crate::limits::Limits;
use crate::mailbox::Mailbox;
use crate::reader::{Next, Reader, ShortMessage};
use crate::role::Side;
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
    /// What the sending direction has to know of what came.
    mailbox: Mailbox,
    /// What is left of this connection's turn.
    turn: Turn,
}

/// Octets of an inflated piece, at most.
#[cfg(feature = "deflate")]
const PIECE: usize = 16 << 10;

/// Whether the user takes whole messages or pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Between messages, or joining one.
    Message,
    /// In a message of which pieces were taken.
    Piece,
}

/// What is ready to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ready {
    Nothing,
    /// Nothing, until there are so many bytes of a short message. What came of it stands unread in the read buffer.
    Await(u16),
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

/// How far [`Inbound::work`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
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
            mailbox: Mailbox::new(),
            turn: Turn::NEW,
        }
    }

    #[cfg(feature = "deflate")]
    pub(super) fn set_inflation(&mut self, inflater: crate::deflate::Inflater) {
        let most = self.reader.limits().max_message_size;
        self.inflation =
            Some(Box::new(Inflation::new(inflater, self.read_buffer.capacity().min(PIECE), most)));
        self.reader.allow_rsv(Rsv::RSV1);
    }

    /// The message that was announced; `None` if none was.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] if its text is not UTF-8: the connection has failed, which the sending direction is told
    /// by [`Outbound::fail`](super::Outbound::fail), or by [`Directions`](super::Directions) in its turn, which reports it then.
    #[inline]
    pub fn message(&mut self) -> Result<Option<Message<'_>>, ProtocolError> {
        if let Ready::Short(short) = self.ready {
            return self.short(short).map(Some);
        }
        self.long_message()
    }

    /// The message that was announced, if it is not a short one.
    #[inline(never)]
    fn long_message(&mut self) -> Result<Option<Message<'_>>, ProtocolError> {
        let Self { reader, read_buffer, inflation, ready, unit, text_came, mailbox, .. } = self;
        match core::mem::replace(ready, Ready::Nothing) {
            Ready::Joined(kind) => {
                *ready = Ready::Taken;
                *text_came = kind == MessageKind::Text;
                message(kind, read_buffer.message()).map(Some)
            }
            Ready::Whole => {
                let data = read_buffer.take(|input| reader.take_data(input, mailbox))?;
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
                inflation.message().map(Some).inspect_err(|error| reader.fail(*error, mailbox))
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
    pub fn piece(&mut self) -> Result<Option<Data<'_>>, ProtocolError> {
        if let Ready::Short(short) = self.ready {
            return self.short(short).map(|message| Some(whole_piece(message)));
        }
        self.long_piece()
    }

    /// The piece that was announced, if it is not a short message.
    #[inline(never)]
    fn long_piece(&mut self) -> Result<Option<Data<'_>>, ProtocolError> {
        let Self { reader, read_buffer, inflation, ready, unit, mailbox, .. } = self;
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
                    reader.fail(*error, mailbox);
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
                let data = read_buffer.take(|input| reader.take_data(input, mailbox))?;
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
    /// Tell the sending direction of it as well: [`Outbound::did_read`](super::Outbound::did_read).
    #[inline]
    pub fn filled(&mut self, count: usize) {
        self.read_buffer.filled(count);
        self.turn.read(count);
    }

    /// The transport ended: with this error where neither Close nor failure came before.
    pub(super) fn eof(&mut self) -> Option<ProtocolError> {
        self.await_nothing();
        self.reader.eof().err()
    }

    /// The connection has failed for what was found elsewhere: by a deadline. Its Close is owed already.
    #[cold]
    pub(super) fn fail(&mut self, error: ProtocolError) {
        self.reader.fail(error, &mut Mailbox::new());
        self.await_nothing();
    }

    /// Whether the peer sends on and on where nothing it sends means anything any more.
    pub(super) fn has_swallowed_enough(&self) -> bool {
        self.reader.has_swallowed_enough()
    }

    /// What the sending direction has to know of what came.
    #[inline]
    pub(super) fn mailbox(&mut self) -> &mut Mailbox {
        &mut self.mailbox
    }

    /// What is left of the turn of this connection.
    #[inline]
    pub(super) fn turn(&mut self) -> &mut Turn {
        &mut self.turn
    }

    /// Whether a short message is next among what was read, which can be taken: what [`poll`](Self::poll) and
    /// [`poll_piece`](Self::poll_piece) would find, for most messages.
    #[inline(always)]
    pub(crate) fn has_short(&mut self, side: Side) -> bool {
        let Some(short) = self.find_short(side) else { return false };
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
    pub(crate) fn find_short(&mut self, side: Side) -> Option<ShortMessage> {
        if self.ready != Ready::Nothing || self.inflates() || self.turn.is_over() {
            return None;
        }
        let short = self.reader.unmask_short(side, self.read_buffer.some_unread()?)?;
        self.turn.delivered();
        Some(short)
    }

    /// As [`has_short`](Self::has_short), where that is not all there is to do.
    #[inline(never)]
    fn finds_short(&mut self) -> bool {
        self.has_short(self.reader.side())
    }

    /// The short message that was found.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    #[inline]
    pub(crate) fn take_short(&mut self, short: ShortMessage) -> Result<Message<'_>, ProtocolError> {
        self.take_whole(short.kind, short.header_len, short.len)
    }

    /// The short message that is ready.
    #[inline]
    fn short(&mut self, short: Short) -> Result<Message<'_>, ProtocolError> {
        self.ready = Ready::Nothing;
        self.take_whole(short.kind, usize::from(short.header_len), usize::from(short.len))
    }

    /// The message that stands unmasked in the read buffer, behind a header.
    #[inline(always)]
    fn take_whole(
        &mut self,
        kind: MessageKind,
        header_len: usize,
        len: usize,
    ) -> Result<Message<'_>, ProtocolError> {
        let octets = self.read_buffer.take_after(header_len, len);
        match kind {
            MessageKind::Binary => Ok(Message::Binary(octets)),
            MessageKind::Text => whole_text(octets).map(Message::Text).map_err(|InvalidUtf8| {
                self.reader.fail(ProtocolError::InvalidUtf8, &mut self.mailbox);
                ProtocolError::InvalidUtf8
            }),
        }
    }

    /// Works towards a whole message or a piece, through what was read.
    fn advance(&mut self, unit: Unit) -> Step {
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
            Ready::Nothing => self.receive(unit),
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

    /// Whether no message is in progress or ready, and nothing is unread or remembered.
    pub(super) fn is_idle(&mut self) -> bool {
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

    /// Whether nothing follows from what was read, as far as that can be told at once.
    #[inline]
    pub(super) fn waits(&mut self, unit: Unit) -> bool {
        match self.ready {
            Ready::Await(least) => self.still_awaits(least, unit),
            Ready::Nothing => self.joining.is_none() && !self.inflates() && self.has_read_all(),
            _ => false,
        }
    }

    /// Works towards a whole message or a piece, where no short message was found.
    #[inline]
    pub(super) fn work(&mut self, unit: Unit) -> Step {
        if self.turn.is_over() {
            return Step::Yield;
        }
        self.advance(unit)
    }

    /// Whether the message that stands next is one of which more must have come, which is all that every read
    /// of one that comes in many costs.
    #[inline(never)]
    fn awaits(&mut self, unit: Unit) -> bool {
        let capacity = self.read_buffer.capacity();
        let unread = self.read_buffer.unread();
        let least = self.reader.awaits(unread).filter(|least| unit == Unit::Message && *least <= capacity);
        let Some(Ok(least)) = least.map(u16::try_from) else { return false };
        self.ready = Ready::Await(least);
        self.awaited = self.awaited.wrapping_add(1);
        if usize::from(least) > FrameHeader::MAX_LEN {
            self.read_buffer.expect_frames(least.into());
        }
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
    fn still_awaits(&mut self, least: u16, unit: Unit) -> bool {
        if self.read_buffer.unread_len() >= usize::from(least) || unit == Unit::Piece {
            self.ready = Ready::Nothing;
            return false;
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
            Ready::Await(least) => usize::from(least).saturating_sub(self.read_buffer.unread_len()) as u64,
            _ => self.reader.frame_remaining(),
        }
    }

    /// How much came of the frame or the message that was begun and has not ended.
    pub(super) fn message_progress(&self) -> Option<MessageProgress> {
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
    fn receive(&mut self, unit: Unit) -> Step {
        loop {
            if self.inflates() {
                match self.inflate(unit) {
                    Inflated::Ready => return Step::Ready,
                    Inflated::NeedsMore => {}
                    Inflated::Paused => return Step::Yield,
                }
            }
            if self.has_read_all() {
                return Step::Read;
            }
            if self.reader.is_idle() {
                if self.finds_short() {
                    return Step::Ready;
                }
                if self.awaits(unit) {
                    return Step::Read;
                }
            }
            if self.turn.is_over() {
                return Step::Yield;
            }
            self.turn.spend(turn::FRAME);
            if unit == Unit::Message {
                match self.join_fragment() {
                    None => {}
                    Some(false) => continue,
                    Some(true) => {
                        self.turn.delivered();
                        return Step::Ready;
                    }
                }
            }
            let mut input = Input::new(self.read_buffer.unread());
            let next = self.reader.advance(&mut input, &mut self.mailbox);
            let consumed = input.consumed();
            self.read_buffer.consume(consumed);
            match next {
                Err(_) => {} // the mailbox has it
                Ok(None) => return Step::Read,
                Ok(Some(Next::Data { whole, compressed: false })) if whole || unit == Unit::Piece => {
                    self.turn.delivered();
                    self.ready = if unit == Unit::Piece { Ready::Piece } else { Ready::Whole };
                    return Step::Ready;
                }
                Ok(Some(Next::Data { compressed, .. })) => {
                    self.expect_frames(consumed);
                    let mut input = Input::new(self.read_buffer.unread());
                    let taken = self.reader.take_data(&mut input, &mut self.mailbox);
                    let taken = taken.map(|data| (data.kind(), data.is_last()));
                    let consumed = input.consumed();
                    match taken {
                        Err(_) => {} // the mailbox has it
                        Ok((kind, last)) if compressed => self.keep_compressed(consumed, kind, last),
                        Ok((kind, last)) => {
                            if self.keep(consumed, kind, last) {
                                self.turn.delivered();
                                return Step::Ready;
                            }
                        }
                    }
                }
                // Each Ping of one read gets its Pong, while there is room (section 5.5.2).
                Ok(Some(Next::Ping)) => return Step::Owed,
                Ok(Some(Next::Pong)) => {}
                // Nothing but swallowing follows.
                Ok(Some(Next::Close(_))) => {}
            }
        }
    }

    /// Takes a whole short fragment at a glance, if one stands next. Whether the message is whole with it.
    #[inline(always)]
    fn join_fragment(&mut self) -> Option<bool> {
        let mut input = Input::new(self.read_buffer.unread());
        let taken = self.reader.take_fragment(&mut input, &mut self.mailbox)?;
        let taken = taken.map(|data| (data.as_bytes().len(), data.kind(), data.is_last()));
        let consumed = input.consumed();
        Some(match taken {
            Ok((len, kind, last)) => {
                self.read_buffer.consume(consumed.saturating_sub(len));
                self.keep(len, kind, last)
            }
            Err(_) => {
                self.read_buffer.consume(consumed);
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
    fn inflate(&mut self, unit: Unit) -> Inflated {
        let Some(inflation) = self.inflation.as_deref_mut() else { return Inflated::NeedsMore };
        // The rest of a message whose beginning was taken in pieces.
        let skip = unit == Unit::Message && self.unit == Unit::Piece;
        loop {
            if self.turn.is_over() {
                return Inflated::Paused;
            }
            let (most, before) = (self.turn.inflates(), inflation.inflated());
            let mut result = inflation.run(&mut self.read_buffer, unit == Unit::Message && !skip, most);
            self.turn.inflated(inflation.inflated().saturating_sub(before));
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
                        self.turn.spend(turn::CODEC);
                        self.ready = Ready::Inflated;
                    }
                    return inflated;
                }
                Err(error) => {
                    inflation.abandon();
                    self.read_buffer.clear_message();
                    self.reader.fail(error, &mut self.mailbox);
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

debug_states!([] Inbound, |this| { reader: this.reader, read_buffer: this.read_buffer, inflates: this.inflation.is_some(), joining: this.joining, ready: this.ready });
