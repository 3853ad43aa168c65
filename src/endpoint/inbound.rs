//! The receiving direction of an endpoint: from what was read to messages.
//
// Owns: the read buffer, the reader, and what is held of the next message.
// Must not know: sockets, runtimes, clocks, or where the sending direction lives.

use alloc::boxed::Box;

use super::action::{Place, Ready};
#[cfg(feature = "deflate")]
use super::inflation::Inflation;
use super::inflation_progress::InflationProgress;
#[cfg(not(feature = "deflate"))]
use super::no_codec::NoCodec as Inflation;
use super::read_buffer::ReadBuffer;
use super::BufferPool;
use crate::close::CloseFrame;
use crate::connection::mailbox::Mailbox;
use crate::connection::reader::{unmask, Next, Reader, ShortMessage};
use crate::connection::turn::{self, Turn};
use crate::error::ProtocolError;
use crate::event::{Data, MessageProgress, Piece};
use crate::frame::{FrameHeader, MessageKind, Rsv};
use crate::input::Input;
use crate::limits::Limits;
use crate::message::Message;
use crate::message::{message, whole};
use crate::role::Side;
use crate::utf8::{whole_text, InvalidUtf8};

/// The receiving direction of an [`Endpoint`](super::Endpoint).
pub struct Inbound {
    reader: Reader,
    read_buffer: ReadBuffer,
    inflation: Option<Box<Inflation>>,
    held: Held,
    /// Whether pieces of the message were taken.
    in_pieces: bool,
    /// Whether the last large message was text, which is better read at once: it is checked once more where it was
    /// joined.
    text_came: bool,
    /// Counts what was taken.
    taken: u32,
    /// Counts the messages of which more was awaited.
    awaited: u32,
    /// What the sending direction has to know of what came.
    mailbox: Mailbox,
    turn: Turn,
}

/// Octets of an inflated piece, at most.
#[cfg(feature = "deflate")]
const PIECE: usize = 16 << 10;

/// Besides what the reader knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Nothing,
    /// The beginning of a short message, unread. Nothing comes of it until there are so many bytes.
    Begun(u16),
    /// Its first fragments, joined in the read buffer.
    Part(MessageKind),
    /// All of it, joined in the read buffer.
    Whole(MessageKind),
    /// The inflation knows how far they are inflated.
    Compressed,
    /// It or a piece of it was taken, and may be borrowed until the next call.
    Lent,
}

/// How far [`Inbound::work`] came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WorkOutcome {
    Ready(Ready),
    /// There may be more to work through.
    Owed,
    /// In another turn.
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
            held: Held::Nothing,
            in_pieces: false,
            text_came: false,
            taken: 0,
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

    /// The message that is ready; `None`, and nothing is lost, if it is not whole, or [out of date](Ready).
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] if its text is not UTF-8: the connection has failed, which the sending direction is told by
    /// [`Outbound::fail`](super::Outbound::fail), or by [`Directions`](super::Directions) in its turn, which reports it
    /// then.
    #[inline(always)]
    pub fn message(&mut self, ready: Ready) -> Result<Option<Message<'_>>, ProtocolError> {
        if !self.may_take(&ready) {
            return Ok(None);
        }
        let Place::Short { kind, header_len, len } = ready.place else { return self.long_message() };
        let payload = unmask(self.read_buffer.take_front(header_len.wrapping_add(len)), header_len);
        match kind {
            MessageKind::Binary => Ok(Some(Message::Binary(payload))),
            MessageKind::Text => {
                whole_text(payload).map(|text| Some(Message::Text(text))).map_err(|InvalidUtf8| {
                    self.reader.fail(ProtocolError::InvalidUtf8, &mut self.mailbox);
                    ProtocolError::InvalidUtf8
                })
            }
        }
    }

    /// For messages that are not short.
    fn long_message(&mut self) -> Result<Option<Message<'_>>, ProtocolError> {
        let held = self.held;
        match held {
            Held::Whole(kind) => {
                self.held = Held::Lent;
                self.text_came = kind == MessageKind::Text;
                message(kind, self.read_buffer.message()).map(Some)
            }
            Held::Compressed if !self.in_pieces => {
                let Some(inflation) = self.inflation.as_deref_mut().filter(|inflation| inflation.is_done())
                else {
                    return Ok(None);
                };
                self.held = Held::Lent;
                let (reader, mailbox) = (&mut self.reader, &mut self.mailbox);
                inflation.message().map(Some).inspect_err(|error| reader.fail(*error, mailbox))
            }
            Held::Nothing if self.data_stands_next() == Some(true) => {
                let Self { reader, read_buffer, mailbox, .. } = self;
                let data = read_buffer.take(|input| reader.take_data(input, mailbox))?;
                self.text_came = data.kind() == MessageKind::Text;
                whole(data).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The piece that is ready, or a whole message; `None`, and nothing is lost, if it is [out of date](Ready).
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] if its text is not UTF-8. See [`message`](Self::message).
    pub fn piece(&mut self, ready: Ready) -> Result<Option<Data<'_>>, ProtocolError> {
        match ready.place {
            Place::Short { .. } => Ok(self.message(ready)?.map(whole_piece)),
            Place::Long if self.may_take(&ready) => self.long_piece(),
            Place::Long => Ok(None),
        }
    }

    /// For everything but short messages.
    fn long_piece(&mut self) -> Result<Option<Data<'_>>, ProtocolError> {
        let held = self.held;
        let last = match held {
            Held::Compressed => self.inflation.as_ref().is_some_and(|inflation| inflation.is_done()),
            Held::Whole(_) => true,
            _ => false,
        };
        match held {
            Held::Compressed => {
                let Some(inflation) = self.inflation.as_deref_mut() else { return Ok(None) };
                if !last && inflation.inflated() == 0 {
                    return Ok(None);
                }
                self.held = Held::Lent;
                self.in_pieces = !last;
                let (reader, read_buffer, mailbox) =
                    (&mut self.reader, &mut self.read_buffer, &mut self.mailbox);
                inflation.piece().map(Some).inspect_err(|error| {
                    read_buffer.clear_message();
                    reader.fail(*error, mailbox);
                })
            }
            Held::Part(kind) | Held::Whole(kind) => {
                self.held = Held::Lent;
                self.in_pieces = !last;
                Ok(Some(Data {
                    piece: Piece::Bytes(self.read_buffer.message()),
                    kind,
                    rsv: Rsv::NONE,
                    first: true,
                    last,
                    frame_remaining: self.reader.frame_remaining(),
                }))
            }
            Held::Nothing if self.data_stands_next().is_some() => {
                let Self { reader, read_buffer, mailbox, .. } = self;
                let data = read_buffer.take(|input| reader.take_data(input, mailbox))?;
                self.in_pieces = !data.is_last();
                Ok(Some(data))
            }
            Held::Nothing | Held::Begun(_) | Held::Lent => Ok(None),
        }
    }

    /// Whether nothing was taken since. From now on it is not ready.
    fn may_take(&mut self, ready: &Ready) -> bool {
        if ready.number != self.taken {
            return false;
        }
        self.taken = self.taken.wrapping_add(1);
        self.turn.delivered();
        true
    }

    /// Whether data that is not compressed stands next, and if so, whether it is a whole message.
    fn data_stands_next(&mut self) -> Option<bool> {
        if self.reader.needs_input() && self.reader.frame_remaining() == 0 {
            return None;
        }
        let Self { reader, read_buffer, mailbox, .. } = self;
        match read_buffer.take(|input| reader.advance(input, mailbox)) {
            Ok(Some(Next::Data { whole, compressed: false })) => Some(whole),
            _ => None,
        }
    }

    /// The Close that came, as soon as it did. Its reason is the peer's text.
    pub fn received_close(&self) -> Option<CloseFrame<'_>> {
        self.reader.close_frame()
    }

    /// The reason of the Close that came, empty if there is none. It is the peer's text.
    pub fn close_reason(&self) -> &str {
        self.reader.close_reason()
    }

    /// Takes of `pool` what the next read needs. See [`BufferPool`].
    // Inlined, so that `space` need not check again (bench: one frame a read beside other libraries).
    #[inline]
    pub fn acquire(&mut self, pool: &mut BufferPool) {
        if !self.read_buffer.has_space() {
            self.acquire_more(pool);
        }
        if let Some(inflation) = &mut self.inflation {
            inflation.acquire(pool);
        }
    }

    #[cold]
    fn acquire_more(&mut self, pool: &mut BufferPool) {
        self.read_buffer.acquire(self.announced(), pool);
    }

    /// Gives back to `pool` what is not needed: all of it, where no message is in progress or ready.
    pub fn release(&mut self, pool: &mut BufferPool) {
        self.settle();
        self.read_buffer.release(pool);
        if let Some(inflation) = &mut self.inflation {
            inflation.release(pool);
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

    /// Whether [`acquire`](Self::acquire) may take something. If not, it need not be called before a read.
    pub fn wants_buffer(&mut self) -> bool {
        self.inflation.is_some() || !self.read_buffer.has_space()
    }

    /// `count` bytes were read into [`space`](Self::space).
    ///
    /// Tell the sending direction of it as well: [`Outbound::did_read`](super::Outbound::did_read).
    #[inline]
    pub fn filled(&mut self, count: usize) {
        self.read_buffer.filled(count);
        self.turn.read(count);
    }

    /// The transport ended, or is dropped. The sending direction reports it.
    pub(crate) fn eof(&mut self) {
        self.await_nothing();
        let _ = self.reader.eof();
    }

    /// By a deadline. Its Close is owed already.
    #[cold]
    pub(super) fn fail(&mut self, error: ProtocolError) {
        self.reader.fail(error, &mut Mailbox::new());
        self.await_nothing();
    }

    pub(super) fn mailbox(&mut self) -> &mut Mailbox {
        &mut self.mailbox
    }

    pub(super) fn turn(&mut self) -> &mut Turn {
        &mut self.turn
    }

    /// A short message that stands next. `side` may be known to the compiler.
    #[inline(always)]
    pub(super) fn ready(&mut self, side: Side) -> Option<Ready> {
        if self.held != Held::Nothing || self.turn.is_over() {
            return None;
        }
        let short = self.reader.find_short(side, self.read_buffer.unread())?;
        let ShortMessage { kind, header_len, len, .. } = short;
        Some(Ready { number: self.taken, place: Place::Short { kind, header_len, len } })
    }

    #[cfg(feature = "deflate")]
    pub(super) fn limits(&self) -> Limits {
        self.reader.limits()
    }

    /// Frees the buffers that hold nothing.
    pub(super) fn shrink(&mut self) {
        self.release(&mut BufferPool::new());
        if let Some(inflation) = &mut self.inflation {
            inflation.release_context();
        }
    }

    /// `None` if it inflates.
    pub(super) fn settings(&self) -> Option<(Limits, usize)> {
        self.inflation.is_none().then(|| (self.reader.limits(), self.read_buffer.capacity()))
    }

    pub(super) fn is_large(&self) -> bool {
        self.read_buffer.is_large()
    }

    /// No message is in progress or ready, and nothing is unread or remembered.
    pub(super) fn is_idle(&mut self) -> bool {
        self.settle();
        self.reader.is_idle()
            && self.read_buffer.is_empty()
            && (self.held, self.in_pieces) == (Held::Nothing, false)
            && self.inflation.as_ref().map_or(true, |inflation| inflation.is_idle())
    }

    pub(super) fn unpark(&mut self, allowed_rsv: Rsv) {
        self.read_buffer.restart();
        (self.held, self.in_pieces) = (Held::Nothing, false);
        self.taken = self.taken.wrapping_add(1);
        let allowed_rsv = if self.inflation.is_some() { allowed_rsv } else { Rsv::NONE };
        self.reader.unpark(allowed_rsv);
        if let Some(inflation) = &mut self.inflation {
            inflation.restart();
        }
    }

    /// Whether nothing follows from what was read, as far as that can be told at once.
    #[inline]
    pub(super) fn waits(&mut self, whole: bool) -> bool {
        match self.held {
            Held::Begun(least) if whole && self.read_buffer.unread_len() < usize::from(least) => true,
            Held::Begun(_) => {
                self.held = Held::Nothing;
                false
            }
            Held::Nothing => self.has_read_all(),
            _ => false,
        }
    }

    /// No short message was found.
    #[inline]
    pub(super) fn work(&mut self, whole: bool) -> WorkOutcome {
        if self.turn.is_over() {
            return WorkOutcome::Yield;
        }
        self.settle();
        self.receive(whole)
    }

    /// Whether more must have come of the message that stands next: all that every read of a long one costs.
    #[inline(never)]
    fn awaits(&mut self) -> bool {
        let capacity = self.read_buffer.capacity();
        let unread = self.read_buffer.unread();
        let least = self.reader.awaits(unread).filter(|least| *least <= capacity);
        let Some(Ok(least)) = least.map(u16::try_from) else { return false };
        self.held = Held::Begun(least);
        self.awaited = self.awaited.wrapping_add(1);
        if usize::from(least) > FrameHeader::MAX_LEN {
            self.read_buffer.expect_frames(least.into());
        }
        true
    }

    /// More frames with such a header may come, if not all of this one came.
    fn expect_frames(&mut self, header_len: usize) {
        let len = usize::try_from(self.reader.frame_remaining()).unwrap_or(usize::MAX);
        if header_len > 0 && len > self.read_buffer.unread_len() {
            self.read_buffer.expect_frames(len.saturating_add(header_len));
        }
    }

    fn await_nothing(&mut self) {
        if let Held::Begun(_) = self.held {
            self.held = Held::Nothing;
        }
    }

    /// As far as its header tells.
    fn announced(&self) -> u64 {
        match self.held {
            Held::Begun(least) => usize::from(least).saturating_sub(self.read_buffer.unread_len()) as u64,
            _ => self.reader.frame_remaining(),
        }
    }

    /// How much came of a message or a frame that has not ended.
    pub(super) fn message_progress(&self) -> Option<MessageProgress> {
        let mut progress = match self.held {
            Held::Begun(_) => {
                let octets = self.read_buffer.unread_len() as u64;
                MessageProgress { number: self.reader.message_number(), octets }
            }
            _ => self.reader.message_progress()?,
        };
        progress.number = progress.number.wrapping_add(self.awaited);
        Some(progress)
    }

    fn has_read_all(&self) -> bool {
        self.read_buffer.unread_len() == 0 && self.reader.needs_input()
    }

    /// What was taken is done with.
    fn settle(&mut self) {
        if self.held != Held::Lent {
            return;
        }
        self.held = Held::Nothing;
        match self.inflation.as_deref_mut().filter(|inflation| inflation.is_active()) {
            Some(inflation) => {
                inflation.clear_message();
                if inflation.is_active() {
                    self.held = Held::Compressed;
                }
            }
            None => self.read_buffer.clear_message(),
        }
    }

    fn long(&self) -> WorkOutcome {
        WorkOutcome::Ready(Ready { number: self.taken, place: Place::Long })
    }

    /// Until something is ready, or nothing is left.
    fn receive(&mut self, whole: bool) -> WorkOutcome {
        loop {
            match self.held {
                Held::Whole(_) => return self.long(),
                Held::Part(_) if !whole => return self.long(),
                Held::Compressed => match self.inflate(whole) {
                    InflationProgress::Ready => return self.long(),
                    InflationProgress::NeedsMore => {}
                    InflationProgress::Paused => return WorkOutcome::Yield,
                },
                _ => {}
            }
            if self.has_read_all() {
                return WorkOutcome::Read;
            }
            if self.reader.is_idle() {
                if let Some(ready) = self.ready(self.reader.side()) {
                    return WorkOutcome::Ready(ready);
                }
                if whole && self.awaits() {
                    return WorkOutcome::Read;
                }
            }
            if self.turn.is_over() {
                return WorkOutcome::Yield;
            }
            self.turn.spend(turn::FRAME);
            let mut input = Input::new(self.read_buffer.unread());
            let next = self.reader.advance(&mut input, &mut self.mailbox);
            let consumed = input.consumed();
            self.read_buffer.consume(consumed);
            match next {
                Err(_) => {} // the mailbox has it
                Ok(None) => return WorkOutcome::Read,
                Ok(Some(Next::Data { whole: all, compressed: false })) if all || !whole => {
                    return self.long()
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
                        Ok((kind, last)) => self.keep(consumed, kind, last),
                    }
                }
                // Section 5.5.2: while there is room. No Pong hides another.
                Ok(Some(Next::Ping | Next::Pong)) => return WorkOutcome::Owed,
                // Nothing but swallowing follows.
                Ok(Some(Next::Close(_))) => {}
            }
        }
    }

    /// Of a message that is to be whole.
    fn keep(&mut self, len: usize, kind: MessageKind, last: bool) {
        if self.in_pieces {
            // The rest of a message whose beginning was taken in pieces.
            self.read_buffer.consume(len);
            self.in_pieces = !last;
            return;
        }
        self.read_buffer.join(len);
        self.held = if last { Held::Whole(kind) } else { Held::Part(kind) };
    }

    fn keep_compressed(&mut self, len: usize, kind: MessageKind, last: bool) {
        match &mut self.inflation {
            Some(inflation) => {
                self.read_buffer.join(len);
                inflation.push(kind, last);
                self.held = Held::Compressed;
            }
            None => self.read_buffer.consume(len),
        }
    }

    /// As far as this turn goes.
    fn inflate(&mut self, whole: bool) -> InflationProgress {
        let Some(inflation) = self.inflation.as_deref_mut() else { return InflationProgress::NeedsMore };
        // The rest of a message whose beginning was taken in pieces.
        let skip = whole && self.in_pieces;
        loop {
            if self.turn.is_over() {
                return InflationProgress::Paused;
            }
            let (most, before) = (self.turn.inflates(), inflation.inflated());
            let mut result = inflation.run(&mut self.read_buffer, whole && !skip, most);
            self.turn.inflated(inflation.inflated().saturating_sub(before));
            let done = inflation.is_done();
            if skip && result == Ok(InflationProgress::Ready) {
                result = inflation.pass_over().map(|()| InflationProgress::Ready);
            }
            match result {
                Ok(InflationProgress::Ready) if skip => {
                    if done {
                        (self.held, self.in_pieces) = (Held::Nothing, false);
                        return InflationProgress::NeedsMore;
                    }
                }
                Ok(inflated) => {
                    if inflated == InflationProgress::Ready {
                        self.turn.spend(turn::CODEC);
                    }
                    return inflated;
                }
                Err(error) => {
                    inflation.restart();
                    self.read_buffer.clear_message();
                    self.reader.fail(error, &mut self.mailbox);
                    self.held = Held::Nothing;
                    return InflationProgress::NeedsMore;
                }
            }
        }
    }
}

fn whole_piece(message: Message<'_>) -> Data<'_> {
    let piece = match message {
        Message::Text(text) => Piece::Str(text),
        Message::Binary(octets) => Piece::Bytes(octets),
    };
    Data { piece, kind: message.kind(), rsv: Rsv::NONE, first: true, last: true, frame_remaining: 0 }
}

debug_states!([] Inbound, |this| { reader: this.reader, read_buffer: this.read_buffer, inflates: this.inflation.is_some(), held: this.held });
