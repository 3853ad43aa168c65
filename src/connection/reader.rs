//! Bytes to events: the receiving half of RFC 6455 sections 5 and 7.
//
// Owns: the frame that is coming, the message it belongs to, and what the peer's frames oblige us to answer.
// Must not know: what was sent, the transport, or time.

mod control;
mod fast;
mod header;

#[cfg(feature = "alloc")]
pub(crate) use self::fast::{unmask, ShortMessage};

use self::fast::short_below;
use crate::close::{CloseCode, CloseFrame, CloseReason};
use crate::connection::close_state::CloseEvent;
use crate::connection::mailbox::Mailbox;
use crate::error::ProtocolError;
use crate::event::{Data, Event, MessageProgress, Piece};
use crate::frame::{Masker, MaskingKey, MessageKind, Opcode, Rsv};
use crate::input::Input;
use crate::limits::Limits;
use crate::role::Side;
use crate::tolerance::Tolerance;
use crate::utf8::{is_short_ascii, whole_text, InvalidUtf8, Utf8Check};

/// Turns received bytes into events, strictly.
///
/// It consumes every byte it is given and keeps only what it must: an incomplete header, the payload of an
/// incomplete control frame, and up to three octets of a character. It allocates nothing and needs no more
/// than one byte at a time.
#[derive(Clone)]
pub struct Reader {
    state: State,
    side: Side,
    allowed_rsv: Rsv,
    limits: Limits,
    /// A whole message shorter than this is within every limit, in one frame of any kind.
    short_below: u16,
    // The frame that is coming.
    fin: bool,
    /// Octets of a data frame's payload that have not come, if they are binary and a piece of their message was
    /// told: nothing is to be asked about them but whether they are the last. 0 otherwise.
    plain_remaining: u64,
    /// Octets of any other payload of a data frame that have not come; 0 outside of one.
    other_remaining: u64,
    masker: Masker,
    /// Whether a server has masked the frame, which is tolerated.
    masked_by_server: bool,
    // The message that is in progress.
    message: Option<MessageKind>,
    message_rsv: Rsv,
    taken: Taken,
    message_len: u64,
    fragments: u32,
    /// Counts the messages, and control frames between them, that were not taken at a glance.
    number: u32,
    /// Octets that came after a Close or a failure.
    swallowed: u32,
    text: Utf8Check,
    /// What pieces of text are that is not compressed.
    text_as: Taken,
    /// The payload of the control frame that came last or is coming, or the front of a header.
    kept: [u8; 125],
    kept_len: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between messages, before the first byte of a frame.
    Between,
    /// Amid a message, before the first byte of a frame.
    Amid,
    /// Inside a header.
    Header,
    /// Inside the payload of a data frame.
    Data,
    /// Inside the payload of a control frame.
    Control { opcode: Opcode, len: u8 },
    /// After the peer's Close: everything is swallowed (section 5.5.1).
    Closed(Option<CloseCode>),
    /// After a failure: everything is swallowed (section 7.1.7).
    Failed(ProtocolError),
}

/// What was taken of the message in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Nothing,
    /// Pieces of binary data, of which none needs a check.
    Binary,
    /// Pieces of text, which is checked.
    Text,
    /// Pieces of text that is not checked here: it is compressed, or not to be checked.
    Unchecked,
}

/// What stands next in the input. Data stays there until [`Reader::take_data`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A piece of a message; `whole` if it is all of one, `compressed` if it has RSV1.
    Data {
        whole: bool,
        compressed: bool,
    },
    Ping,
    Pong,
    Close(Option<CloseCode>),
}

/// What came of some input, and what is left of that.
struct Step<'b> {
    rest: &'b mut [u8],
    event: Result<Option<Event<'b>>, ProtocolError>,
}

impl<'b> Step<'b> {
    /// All was consumed, and there is nothing to report.
    #[inline(always)]
    fn nothing() -> Self {
        Self { rest: &mut [], event: Ok(None) }
    }

    #[inline(always)]
    fn data(input: Input<'b>, data: Data<'b>) -> Self {
        Self { rest: input.into_rest(), event: Ok(Some(Event::Data(data))) }
    }

    #[inline(always)]
    fn error(input: Input<'b>, error: ProtocolError) -> Self {
        Self { rest: input.into_rest(), event: Err(error) }
    }
}

impl Reader {
    /// Octets that are swallowed after a Close or a failure before the transport is dropped: a peer that was
    /// sending a message when it was told needs time to hear of it, and one that goes on for ever needs none.
    pub const MAX_SWALLOWED: u32 = 1 << 20;

    /// For the endpoint that is `side`, at the first byte after the opening handshake.
    pub const fn new(side: Side, limits: Limits) -> Self {
        Self {
            state: State::Between,
            side,
            allowed_rsv: Rsv::NONE,
            limits,
            short_below: short_below(limits),
            fin: true,
            plain_remaining: 0,
            other_remaining: 0,
            masker: Masker::new(MaskingKey([0; 4])),
            masked_by_server: false,
            message: None,
            message_rsv: Rsv::NONE,
            taken: Taken::Nothing,
            message_len: 0,
            fragments: 0,
            number: 0,
            swallowed: 0,
            text: Utf8Check::new(),
            text_as: if limits.tolerances.contains(Tolerance::InvalidText) {
                Taken::Unchecked
            } else {
                Taken::Text
            },
            kept: [0; 125],
            kept_len: 0,
        }
    }

    /// The same, where an extension was negotiated that gives `rsv` a meaning on the first frame of a
    /// message.
    ///
    /// Text of a message with RSV1 is not checked here, nor is its length held against
    /// [`Limits::max_message_size`], since it is compressed (RFC 7692 section 6).
    #[must_use]
    pub const fn with_allowed_rsv(mut self, rsv: Rsv) -> Self {
        self.allowed_rsv = rsv;
        self
    }

    pub(crate) fn allow_rsv(&mut self, rsv: Rsv) {
        self.allowed_rsv = rsv;
    }

    /// Which end of the connection this is.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) const fn side(&self) -> Side {
        self.side
    }

    /// Whether nothing of a frame, a message or the end has come.
    pub(crate) const fn is_idle(&self) -> bool {
        matches!(self.state, State::Between)
    }

    /// Goes on before a message of another connection, with the same bounds.
    pub(crate) fn unpark(&mut self, allowed_rsv: Rsv) {
        self.state = State::Between;
        self.allowed_rsv = allowed_rsv;
        self.set_frame_remaining(0);
        self.message = None;
        self.kept_len = 0;
        self.swallowed = 0;
    }

    /// The bounds on the input.
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// The next event in `input`. What it obliges us to answer goes to `mailbox`.
    ///
    /// `Ok(None)` means that every byte was consumed: the buffer may be used again from its front.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`], once: the connection has failed, its Close is in `mailbox`, and all further input
    /// is swallowed.
    #[inline]
    pub fn next<'b>(
        &mut self,
        input: &mut Input<'b>,
        mailbox: &mut Mailbox,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        self.next_as(self.side, input, mailbox)
    }

    /// As [`next`](Self::next). `side` is this end's, where that may be known to the compiler.
    #[inline(always)]
    pub(crate) fn next_as<'b>(
        &mut self,
        side: Side,
        input: &mut Input<'b>,
        mailbox: &mut Mailbox,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        if input.remaining() == 0 {
            return Ok(None);
        }
        if let Some(data) = self.take_amid(side, input) {
            return Ok(Some(Event::Data(data)));
        }
        if let Some(data) = self.take_short(side, input) {
            return match data {
                Ok(data) => Ok(Some(Event::Data(data))),
                Err(InvalidUtf8) => Err(self.failed(ProtocolError::InvalidUtf8, mailbox)),
            };
        }
        if input.remaining() == 1 && self.take_header_octet(input.rest()) {
            input.take_all();
            return Ok(None);
        }
        // What is left goes in and out by value: what is lent to no function can live in registers.
        let Step { rest, event } = self.next_in_frame(input.take_all(), mailbox);
        input.put_back(rest);
        event
    }

    /// The transport ended: no byte will follow.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::UnexpectedEof`], once, if neither a Close nor a failure came before (section 7.1.5:
    /// 1006).
    pub fn eof(&mut self) -> Result<(), ProtocolError> {
        match self.state {
            State::Closed(_) | State::Failed(_) => Ok(()),
            State::Between | State::Amid | State::Header | State::Data | State::Control { .. } => {
                self.end(State::Failed(ProtocolError::UnexpectedEof));
                Err(ProtocolError::UnexpectedEof)
            }
        }
    }

    /// Fails the connection for a reason outside of the input, such as a deadline, and owes its Close.
    ///
    /// Nothing happens after a Close or a failure.
    pub fn fail(&mut self, error: ProtocolError, mailbox: &mut Mailbox) {
        if !matches!(self.state, State::Closed(_) | State::Failed(_)) {
            self.end(State::Failed(error));
            mailbox.set_end(CloseEvent::Fail(error));
        }
    }

    /// The payload of the control frame that was reported last, until more is received: at most 125 octets.
    /// For a Close, code included.
    pub fn control_payload(&self) -> &[u8] {
        match self.state {
            State::Header => &[],
            _ => self.kept(),
        }
    }

    /// The Close that came, as its code, if one came (section 7.1.5).
    pub const fn received_close(&self) -> Option<Option<CloseCode>> {
        match self.state {
            State::Closed(code) => Some(code),
            _ => None,
        }
    }

    /// The reason of the Close that came, empty if there is none (section 7.1.6). It is the peer's text: do
    /// not show it to end users.
    pub fn close_reason(&self) -> &str {
        match self.state {
            State::Closed(_) => self
                .control_payload()
                .get(2..)
                .and_then(|reason| core::str::from_utf8(reason).ok())
                .unwrap_or(""),
            _ => "",
        }
    }

    /// Why the connection failed, if it did.
    pub const fn failure(&self) -> Option<ProtocolError> {
        match self.state {
            State::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Whether a frame or a message was begun and its end has not come.
    pub const fn is_mid_message(&self) -> bool {
        match self.state {
            State::Amid | State::Header | State::Data | State::Control { .. } => true,
            State::Between | State::Closed(_) | State::Failed(_) => false,
        }
    }

    /// The Close that came. Its reason is the peer's text: do not show it to end users.
    pub fn close_frame(&self) -> Option<CloseFrame<'_>> {
        match self.received_close()? {
            Some(code) => Some(CloseFrame::new(code, CloseReason::truncated(self.close_reason()))),
            None => Some(CloseFrame::EMPTY),
        }
    }

    /// Counts the messages that were not taken at a glance.
    #[cfg(feature = "alloc")]
    pub(crate) const fn message_number(&self) -> u32 {
        self.number
    }

    /// How much came of the message or the frame that was begun and has not ended, if there is one.
    pub const fn message_progress(&self) -> Option<MessageProgress> {
        if !self.is_mid_message() {
            return None;
        }
        Some(match (self.message, self.state) {
            (Some(_), _) => {
                let octets = self.message_len.saturating_sub(self.frame_remaining());
                MessageProgress { number: self.number, octets }
            }
            // Counted once its header is whole.
            (None, State::Header) => {
                MessageProgress { number: self.number.wrapping_add(1), octets: self.kept_len as u64 }
            }
            (None, _) => MessageProgress { number: self.number, octets: self.kept_len as u64 },
        })
    }

    /// How many octets of the data frame in progress have not come yet: a hint for reading.
    #[inline]
    pub const fn frame_remaining(&self) -> u64 {
        // One of them is 0.
        self.plain_remaining | self.other_remaining
    }

    /// Unmasks a further piece of a payload that does not end with it, and in which nothing is to be checked;
    /// `None`, and nothing is consumed, if it is not that.
    ///
    /// All that a payload costs which comes in many small reads, so it is compiled into the caller.
    #[inline(always)]
    pub(crate) fn take_amid<'b>(&mut self, side: Side, input: &mut Input<'b>) -> Option<Data<'b>> {
        let count = input.remaining() as u64;
        if count >= self.plain_remaining {
            return None;
        }
        let piece = input.take_all();
        self.plain_remaining = self.plain_remaining.wrapping_sub(count);
        if side == Side::Server {
            self.masker.apply_short(piece);
        }
        Some(Data {
            piece: Piece::Bytes(piece),
            kind: MessageKind::Binary,
            rsv: self.message_rsv,
            first: false,
            last: false,
            frame_remaining: self.plain_remaining,
        })
    }

    /// As [`next`](Self::next), inside a frame or a message, or after all of them.
    #[inline(never)]
    fn next_in_frame<'b>(&mut self, rest: &'b mut [u8], mailbox: &mut Mailbox) -> Step<'b> {
        if matches!(self.state, State::Between | State::Amid) {
            return self.next_other(rest, mailbox);
        }
        if self.taken == Taken::Text && (rest.len() as u64) < self.other_remaining {
            return self.next_text(rest, mailbox);
        }
        match self.state {
            State::Data if self.frame_remaining() > 0 => self.next_piece(rest, mailbox),
            State::Header => self.next_after_header(rest, mailbox),
            _ => self.next_in_steps(rest, mailbox),
        }
    }

    /// As [`next`](Self::next), where a further piece of a text does not end its frame.
    #[inline(never)]
    fn next_text<'b>(&mut self, piece: &'b mut [u8], mailbox: &mut Mailbox) -> Step<'b> {
        self.other_remaining = self.other_remaining.saturating_sub(piece.len() as u64);
        if self.side == Side::Server || self.masked_by_server {
            self.masker.apply_short(piece);
        }
        let piece: &'b [u8] = piece;
        let piece = match self.text.push_few(piece) {
            Some(Ok(whole)) => few_octets(piece, whole),
            Some(Err(InvalidUtf8)) => return self.not_text(Input::new(&mut []), mailbox),
            None if self.text.is_complete() && is_short_ascii(piece) => Piece::Short(piece),
            None => match self.text_piece(piece, false) {
                Ok(piece) => piece,
                Err(InvalidUtf8) => return self.not_text(Input::new(&mut []), mailbox),
            },
        };
        let data = Data {
            piece,
            kind: MessageKind::Text,
            rsv: self.message_rsv,
            first: false,
            last: false,
            frame_remaining: self.other_remaining,
        };
        Step { rest: &mut [], event: Ok(Some(Event::Data(data))) }
    }

    #[cold]
    fn not_text<'b>(&mut self, left: Input<'b>, mailbox: &mut Mailbox) -> Step<'b> {
        Step::error(left, self.failed(ProtocolError::InvalidUtf8, mailbox))
    }

    /// As [`next`](Self::next), before a frame that is not a short message.
    #[inline(never)]
    fn next_other<'b>(&mut self, rest: &'b mut [u8], mailbox: &mut Mailbox) -> Step<'b> {
        let mut input = Input::new(rest);
        match self.take_short_fragment(&mut input) {
            None => {}
            Some(Ok(data)) => return Step::data(input, data),
            Some(Err(InvalidUtf8)) => return self.not_text(input, mailbox),
        }
        let least = match self.side {
            Side::Server => 6,
            Side::Client => 2,
        };
        let rest = input.into_rest();
        if rest.len() < least {
            self.next_after_header(rest, mailbox)
        } else if self.short_message(rest).is_some() {
            self.next_begun(rest, mailbox)
        } else {
            self.next_in_steps(rest, mailbox)
        }
    }

    /// As [`next`](Self::next), at the header of a short message whose end has not come.
    #[inline(never)]
    fn next_begun<'b>(&mut self, rest: &'b mut [u8], mailbox: &mut Mailbox) -> Step<'b> {
        let mut input = Input::new(rest);
        // To be handed it would cost whole messages that it is put together.
        if let Some(short) = self.short_message(input.rest()) {
            self.begin_short(short);
            input.take(short.header_len);
        }
        if input.remaining() == 0 {
            return Step::nothing();
        }
        self.next_piece(input.into_rest(), mailbox)
    }

    /// As [`next`](Self::next), where a header comes in pieces.
    #[inline(never)]
    fn next_after_header<'b>(&mut self, rest: &'b mut [u8], mailbox: &mut Mailbox) -> Step<'b> {
        let mut input = Input::new(rest);
        match self.collect_header(&mut input) {
            Ok(false) => Step::nothing(),
            Ok(true) if self.frame_remaining() > 0 && input.remaining() == 0 => Step::nothing(),
            Ok(true) if self.frame_remaining() > 0 => self.next_piece(input.into_rest(), mailbox),
            Ok(true) => self.next_in_steps(input.into_rest(), mailbox),
            Err(error) => Step::error(input, self.failed(error, mailbox)),
        }
    }

    /// As [`next`](Self::next), where more of a payload has come.
    #[inline(never)]
    fn next_piece<'b>(&mut self, rest: &'b mut [u8], mailbox: &mut Mailbox) -> Step<'b> {
        let mut input = Input::new(rest);
        match self.take_piece(&mut input) {
            Ok(data) => Step::data(input, data),
            Err(InvalidUtf8) => self.not_text(input, mailbox),
        }
    }

    /// As [`next`](Self::next), for everything.
    #[inline(never)]
    fn next_in_steps<'b>(&mut self, rest: &'b mut [u8], mailbox: &mut Mailbox) -> Step<'b> {
        let mut input = Input::new(rest);
        let event = match self.advance(&mut input, mailbox) {
            Ok(Some(Next::Data { .. })) => {
                self.take_data(&mut input, mailbox).map(|data| Some(Event::Data(data)))
            }
            Ok(Some(Next::Ping)) => Ok(Some(Event::Ping)),
            Ok(Some(Next::Pong)) => Ok(Some(Event::Pong)),
            Ok(Some(Next::Close(code))) => Ok(Some(Event::Close(code))),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        Step { rest: input.into_rest(), event }
    }

    /// Whether nothing can be reported before more is received.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) const fn needs_input(&self) -> bool {
        // An empty frame may wait to be taken.
        !matches!(self.state, State::Data) || self.frame_remaining() > 0
    }

    /// Consumes headers and control frames up to the next thing to report.
    #[inline]
    pub(crate) fn advance(
        &mut self,
        input: &mut Input<'_>,
        mailbox: &mut Mailbox,
    ) -> Result<Option<Next>, ProtocolError> {
        if self.frame_remaining() > 0 {
            return Ok(self.next_data(input));
        }
        self.advance_in_steps(input, mailbox)
    }

    /// What stands next inside the payload of a data frame.
    #[inline(always)]
    fn next_data(&self, input: &Input<'_>) -> Option<Next> {
        let available = input.remaining() as u64;
        if self.frame_remaining() > 0 && available == 0 {
            return None;
        }
        let last = self.fin && self.frame_remaining() <= available;
        Some(Next::Data {
            whole: last && self.taken == Taken::Nothing,
            compressed: self.message_rsv.contains(Rsv::RSV1),
        })
    }

    /// As [`advance`](Self::advance), from any state.
    #[inline(never)]
    fn advance_in_steps(
        &mut self,
        input: &mut Input<'_>,
        mailbox: &mut Mailbox,
    ) -> Result<Option<Next>, ProtocolError> {
        loop {
            match self.state {
                State::Between | State::Amid | State::Header => match self.header(input) {
                    Ok(true) => {}
                    Ok(false) => return Ok(None),
                    Err(error) => return Err(self.failed(error, mailbox)),
                },
                State::Data if self.frame_remaining() == 0 && !self.fin => {
                    // An empty fragment in the middle tells nothing.
                    self.state = State::Amid;
                }
                State::Data => return Ok(self.next_data(input)),
                State::Control { opcode, len } => {
                    if !self.collect_control(len, input) {
                        return Ok(None);
                    }
                    return self
                        .control(opcode, mailbox)
                        .map(Some)
                        .map_err(|error| self.failed(error, mailbox));
                }
                State::Closed(_) | State::Failed(_) => {
                    let octets = u32::try_from(input.take_all().len()).unwrap_or(u32::MAX);
                    self.swallowed = self.swallowed.saturating_add(octets);
                    if self.swallowed > Self::MAX_SWALLOWED {
                        mailbox.set_end(CloseEvent::GiveUp);
                    }
                    return Ok(None);
                }
            }
        }
    }

    /// Unmasks and checks the piece that [`advance`](Self::advance) announced.
    pub(crate) fn take_data<'b>(
        &mut self,
        input: &mut Input<'b>,
        mailbox: &mut Mailbox,
    ) -> Result<Data<'b>, ProtocolError> {
        match self.take_amid(self.side, input) {
            Some(data) => Ok(data),
            None => {
                self.take_piece(input).map_err(|InvalidUtf8| self.failed(ProtocolError::InvalidUtf8, mailbox))
            }
        }
    }

    /// All that can be wrong with a piece is its text, and an error that says only that leaves the piece in
    /// registers.
    #[inline(always)]
    fn take_piece<'b>(&mut self, input: &mut Input<'b>) -> Result<Data<'b>, InvalidUtf8> {
        let remaining = self.frame_remaining();
        let piece = input.take(usize::try_from(remaining).unwrap_or(usize::MAX));
        let remaining = remaining.saturating_sub(piece.len() as u64);
        if self.side == Side::Server || self.masked_by_server {
            self.masker.apply(piece);
        }
        let last = self.fin && remaining == 0;
        let kind = self.message.unwrap_or(MessageKind::Binary);
        self.set_frame_remaining(remaining);
        if kind == MessageKind::Binary && !self.masked_by_server {
            self.plain_remaining = core::mem::take(&mut self.other_remaining);
        }
        self.piece(piece, kind, last, remaining)
    }

    /// Checks a piece that was unmasked, and goes on to what follows it: more of its frame, or the next one.
    #[inline(always)]
    fn piece<'b>(
        &mut self,
        piece: &'b [u8],
        kind: MessageKind,
        last: bool,
        frame_remaining: u64,
    ) -> Result<Data<'b>, InvalidUtf8> {
        let first = self.taken == Taken::Nothing;
        self.taken = match kind {
            MessageKind::Binary => Taken::Binary,
            MessageKind::Text if self.message_rsv.contains(Rsv::RSV1) => Taken::Unchecked,
            MessageKind::Text => self.text_as,
        };
        // Whole messages go to those who want `str`; pieces are seldom looked at as such.
        let piece = if self.taken == Taken::Binary {
            Piece::Bytes(piece)
        } else if self.taken == Taken::Text
            && !(first && last)
            && self.text.is_complete()
            && is_ascii_piece(piece)
        {
            Piece::Short(piece)
        } else {
            self.text_piece(piece, last)?
        };
        if last {
            self.message = None;
            self.state = State::Between;
        } else if frame_remaining == 0 {
            self.state = State::Amid;
        }
        Ok(Data { piece, kind, rsv: self.message_rsv, first, last, frame_remaining })
    }

    /// Checks the next piece of a text.
    #[inline(never)]
    fn text_piece<'b>(&mut self, piece: &'b [u8], last: bool) -> Result<Piece<'b>, InvalidUtf8> {
        if self.taken == Taken::Unchecked {
            // As text if it is one, unless it is compressed.
            let text = if self.message_rsv.contains(Rsv::RSV1) { None } else { whole_text(piece).ok() };
            return Ok(text.map_or(Piece::Bytes(piece), Piece::Str));
        }
        if let Some(result) = self.text.push_few(piece) {
            return match result? {
                _ if last && !self.text.is_complete() => Err(InvalidUtf8),
                whole => Ok(few_octets(piece, whole)),
            };
        }
        match self.text.push_str(piece)? {
            _ if last && !self.text.is_complete() => Err(InvalidUtf8),
            Some(text) => Ok(Piece::Str(text)),
            None => Ok(Piece::Bytes(piece)),
        }
    }

    fn kept(&self) -> &[u8] {
        self.kept.get(..usize::from(self.kept_len)).unwrap_or(&[])
    }

    /// Nothing follows.
    fn end(&mut self, state: State) {
        if self.state == State::Header {
            self.kept_len = 0;
        }
        self.state = state;
        self.set_frame_remaining(0);
    }

    /// So much of a payload is still to come, of which no piece was told yet.
    #[inline(always)]
    fn set_frame_remaining(&mut self, len: u64) {
        self.plain_remaining = 0;
        self.other_remaining = len;
    }

    #[cold]
    fn failed(&mut self, error: ProtocolError, mailbox: &mut Mailbox) -> ProtocolError {
        self.fail(error, mailbox);
        error
    }
}

/// A few octets of text that were checked; `whole` if they begin and end between characters.
#[inline(always)]
const fn few_octets(piece: &[u8], whole: bool) -> Piece<'_> {
    if whole {
        Piece::Short(piece)
    } else {
        Piece::Bytes(piece)
    }
}

/// Apart from what the check of other text needs.
#[inline(never)]
fn is_ascii_piece(octets: &[u8]) -> bool {
    is_short_ascii(octets)
}

debug_states!([] Reader, |this| { state: this.state, side: this.side, message: this.message, message_len: this.message_len, fragments: this.fragments });
