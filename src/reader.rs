//! Bytes to events: the receiving half of RFC 6455 sections 5 and 7.
//!
//! Owns: the frame that is coming, the message it belongs to, and what the peer's frames oblige us to answer.
//! Must not know: what was sent, the transport, or time.

use crate::close::CloseCode;
use crate::error::ProtocolError;
use crate::event::{Data, Event, Piece};
use crate::frame::{FrameHeader, LengthForm, Masker, MaskingKey, MessageKind, Opcode, Rsv};
use crate::input::Input;
use crate::limits::Limits;
use crate::replies::{CloseReply, Replies};
use crate::role::Side;
use crate::utf8::{is_short_ascii, whole_text, InvalidUtf8, Utf8Check};

/// Turns received bytes into events, strictly.
///
/// It consumes every byte it is given and keeps only what it must: an incomplete header, the payload of an
/// incomplete control frame, and up to three octets of a character. It allocates nothing and needs no more
/// than one byte at a time.
#[derive(Clone, Debug)]
pub struct Reader {
    state: State,
    side: Side,
    allowed_rsv: Rsv,
    limits: Limits,
    /// A whole message shorter than this is within every limit, in one frame of any kind.
    short_below: u16,
    // The frame that is coming.
    fin: bool,
    /// Octets of a data frame's payload that have not come; 0 outside of one.
    frame_remaining: u64,
    masker: Masker,
    // The message that is in progress.
    message: Option<MessageKind>,
    message_rsv: Rsv,
    taken: Taken,
    message_len: u64,
    fragments: u32,
    text: Utf8Check,
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
    /// Pieces of compressed text.
    Compressed,
}

/// What the header says of a message that is one frame, with which nothing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShortMessage {
    pub(crate) kind: MessageKind,
    key: MaskingKey,
    // Wider than they need be: what fits one register is packed into it, and unpacked again.
    pub(crate) header_len: usize,
    pub(crate) len: usize,
}

/// What a header says of a frame that is shorter than any limit.
#[derive(Clone, Copy, Debug)]
struct ShortFrame {
    first: u8,
    key: MaskingKey,
    header_len: usize,
    len: usize,
}

/// What a header says of a short fragment, and what it makes of its message.
#[derive(Clone, Copy, Debug)]
struct ShortFragment {
    frame: ShortFrame,
    kind: MessageKind,
    last: bool,
    message_len: u64,
    fragments: u32,
}

impl ShortFrame {
    /// A whole message, with which nothing is wrong, if it is that.
    #[inline(always)]
    fn message(self) -> Option<ShortMessage> {
        let Self { first, header_len, key, len } = self;
        // FIN, no reserved bit, text or binary.
        let kind = match first {
            0x81 => MessageKind::Text,
            0x82 => MessageKind::Binary,
            _ => return None,
        };
        Some(ShortMessage { kind, header_len, key, len })
    }
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

impl Reader {
    /// For the endpoint that is `side`, at the first byte after the opening handshake.
    pub const fn new(side: Side, limits: Limits) -> Self {
        Self {
            state: State::Between,
            side,
            allowed_rsv: Rsv::NONE,
            limits,
            short_below: short_below(limits),
            fin: true,
            frame_remaining: 0,
            masker: Masker::new(MaskingKey([0; 4])),
            message: None,
            message_rsv: Rsv::NONE,
            taken: Taken::Nothing,
            message_len: 0,
            fragments: 0,
            text: Utf8Check::new(),
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
        self.allow_rsv(rsv);
        self
    }

    pub(crate) const fn allow_rsv(&mut self, rsv: Rsv) {
        self.allowed_rsv = rsv;
    }

    /// Whether nothing of a frame, a message or the end has come.
    pub(crate) const fn is_at_rest(&self) -> bool {
        matches!(self.state, State::Between)
    }

    /// Goes on before a message of another connection, with the same bounds.
    pub(crate) fn resume(&mut self, allowed_rsv: Rsv) {
        self.state = State::Between;
        self.allowed_rsv = allowed_rsv;
        self.frame_remaining = 0;
        self.message = None;
        self.kept_len = 0;
    }

    /// The bounds on the input.
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// The next event in `input`. What it obliges us to answer goes to `replies`.
    ///
    /// `Ok(None)` means that every byte was consumed: the buffer may be used again from its front.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`], once: the connection has failed, its Close is in `replies`, and all further input
    /// is swallowed.
    #[inline]
    pub fn next<'b>(
        &mut self,
        input: &mut Input<'b>,
        replies: &mut Replies,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        if input.remaining() == 0 {
            return Ok(None);
        }
        match self.take_amid(input) {
            Some(data) => Ok(Some(Event::Data(data))),
            None => self.next_frame(input, replies),
        }
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
    pub fn fail(&mut self, error: ProtocolError, replies: &mut Replies) {
        if !matches!(self.state, State::Closed(_) | State::Failed(_)) {
            self.end(State::Failed(error));
            replies.set_close(CloseReply::Failure(error.close_code()));
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

    /// How many octets of the data frame in progress have not come yet: a hint for reading.
    pub const fn frame_remaining(&self) -> u64 {
        self.frame_remaining
    }

    /// Unmasks a further piece of a payload that does not end with it, and in which nothing is to be checked;
    /// `None`, and nothing is consumed, if it is not that.
    ///
    /// All that a payload costs which comes in many small reads, so it is compiled into the caller.
    #[inline(always)]
    pub(crate) fn take_amid<'b>(&mut self, input: &mut Input<'b>) -> Option<Data<'b>> {
        let count = input.remaining() as u64;
        if count >= self.frame_remaining || self.taken != Taken::Binary {
            return None;
        }
        let piece = input.take_all();
        self.frame_remaining = self.frame_remaining.wrapping_sub(count);
        if self.side == Side::Server {
            self.masker.apply_short(piece);
        }
        Some(Data {
            piece: Piece::Bytes(piece),
            kind: MessageKind::Binary,
            rsv: self.message_rsv,
            first: false,
            last: false,
            frame_remaining: self.frame_remaining,
        })
    }

    /// As [`next`](Self::next), where there is input that [`take_amid`](Self::take_amid) does not take.
    #[inline(always)]
    pub(crate) fn next_frame<'b>(
        &mut self,
        input: &mut Input<'b>,
        replies: &mut Replies,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        match self.state {
            State::Between => self.next_message(input, replies),
            _ => self.next_amid(input, replies),
        }
    }

    /// As [`next`](Self::next), between messages.
    #[inline(never)]
    fn next_message<'b>(
        &mut self,
        input: &mut Input<'b>,
        replies: &mut Replies,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        match self.short_frame(self.side, input.rest()).and_then(ShortFrame::message) {
            Some(short) => match self.take_short_as(short, input, replies, text_message) {
                Some(data) => data.map(|data| Some(Event::Data(data))),
                None => self.next_begun(input, replies),
            },
            None => self.next_other(input, replies),
        }
    }

    /// As [`next`](Self::next), inside a frame or a message, or after all of them.
    #[inline(never)]
    fn next_amid<'b>(
        &mut self,
        input: &mut Input<'b>,
        replies: &mut Replies,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        match self.state {
            State::Data if self.taken == Taken::Text && (input.remaining() as u64) < self.frame_remaining => {
                self.next_text(input, replies)
            }
            State::Data if self.frame_remaining > 0 => self.next_piece(input, replies),
            State::Header => self.next_after_header(input, replies),
            State::Amid => self.next_other(input, replies),
            _ => self.next_in_steps(input, replies),
        }
    }

    /// As [`next`](Self::next), where a further piece of a text does not end its frame.
    #[inline(never)]
    fn next_text<'b>(
        &mut self,
        input: &mut Input<'b>,
        replies: &mut Replies,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        let piece = input.take_all();
        self.frame_remaining = self.frame_remaining.saturating_sub(piece.len() as u64);
        if self.side == Side::Server {
            self.masker.apply_short(piece);
        }
        let piece: &'b [u8] = piece;
        let piece = if self.text.is_complete() && is_short_ascii(piece) {
            Piece::Ascii(piece)
        } else {
            match self.text_piece(piece, false) {
                Ok(piece) => piece,
                Err(InvalidUtf8) => return Err(self.failed(ProtocolError::InvalidUtf8, replies)),
            }
        };
        Ok(Some(Event::Data(Data {
            piece,
            kind: MessageKind::Text,
            rsv: self.message_rsv,
            first: false,
            last: false,
            frame_remaining: self.frame_remaining,
        })))
    }

    /// As [`next`](Self::next), before a frame that is not a short message.
    #[inline(never)]
    fn next_other<'b>(
        &mut self,
        input: &mut Input<'b>,
        replies: &mut Replies,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        let least = match self.side {
            Side::Server => 6,
            Side::Client => 2,
        };
        if input.remaining() < least {
            return self.next_after_header(input, replies);
        }
        match self.take_short_fragment(input, replies) {
            Some(data) => data.map(|data| Some(Event::Data(data))),
            None => self.next_in_steps(input, replies),
        }
    }

    /// As [`next`](Self::next), at the header of a short message whose end has not come.
    #[inline(never)]
    fn next_begun<'b>(
        &mut self,
        input: &mut Input<'b>,
        replies: &mut Replies,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        // To be handed it would cost whole messages that it is put together.
        if let Some(short) = self.short_message(input.rest()) {
            self.begin_short(short);
            input.take(short.header_len);
        }
        if input.remaining() == 0 {
            return Ok(None);
        }
        self.next_piece(input, replies)
    }

    /// As [`next`](Self::next), where a header comes in pieces.
    #[inline(never)]
    fn next_after_header<'b>(
        &mut self,
        input: &mut Input<'b>,
        replies: &mut Replies,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        match self.collect_header(input) {
            Ok(false) => Ok(None),
            Ok(true) if self.frame_remaining > 0 && input.remaining() == 0 => Ok(None),
            Ok(true) if self.frame_remaining > 0 => self.next_piece(input, replies),
            Ok(true) => self.next_in_steps(input, replies),
            Err(error) => Err(self.failed(error, replies)),
        }
    }

    /// As [`next`](Self::next), where more of a payload has come.
    #[inline(never)]
    fn next_piece<'b>(
        &mut self,
        input: &mut Input<'b>,
        replies: &mut Replies,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        self.take_piece(input, replies).map(|data| Some(Event::Data(data)))
    }

    /// As [`next`](Self::next), for everything.
    #[inline(never)]
    fn next_in_steps<'b>(
        &mut self,
        input: &mut Input<'b>,
        replies: &mut Replies,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        Ok(match self.advance(input, replies)? {
            None => None,
            Some(Next::Data { .. }) => Some(Event::Data(self.take_data(input, replies)?)),
            Some(Next::Ping) => Some(Event::Ping),
            Some(Next::Pong) => Some(Event::Pong),
            Some(Next::Close(code)) => Some(Event::Close(code)),
        })
    }

    /// Whether nothing can be reported before more is received.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) const fn needs_input(&self) -> bool {
        // An empty frame may wait to be taken.
        !matches!(self.state, State::Data) || self.frame_remaining > 0
    }

    /// Consumes headers and control frames up to the next thing to report.
    #[inline]
    pub(crate) fn advance(
        &mut self,
        input: &mut Input<'_>,
        replies: &mut Replies,
    ) -> Result<Option<Next>, ProtocolError> {
        if self.frame_remaining > 0 {
            return Ok(self.next_data(input));
        }
        self.advance_in_steps(input, replies)
    }

    /// What stands next inside the payload of a data frame.
    #[inline(always)]
    fn next_data(&self, input: &Input<'_>) -> Option<Next> {
        let available = input.remaining() as u64;
        if self.frame_remaining > 0 && available == 0 {
            return None;
        }
        let last = self.fin && self.frame_remaining <= available;
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
        replies: &mut Replies,
    ) -> Result<Option<Next>, ProtocolError> {
        loop {
            match self.state {
                State::Between | State::Amid | State::Header => match self.header(input) {
                    Ok(true) => {}
                    Ok(false) => return Ok(None),
                    Err(error) => return Err(self.failed(error, replies)),
                },
                State::Data if self.frame_remaining == 0 && !self.fin => {
                    // An empty fragment in the middle tells nothing.
                    self.state = State::Amid;
                }
                State::Data => return Ok(self.next_data(input)),
                State::Control { opcode, len } => {
                    if !self.collect_control(len, input) {
                        return Ok(None);
                    }
                    return self
                        .control(opcode, replies)
                        .map(Some)
                        .map_err(|error| self.failed(error, replies));
                }
                State::Closed(_) | State::Failed(_) => {
                    input.take_all();
                    return Ok(None);
                }
            }
        }
    }

    /// Unmasks and checks the piece that [`advance`](Self::advance) announced.
    pub(crate) fn take_data<'b>(
        &mut self,
        input: &mut Input<'b>,
        replies: &mut Replies,
    ) -> Result<Data<'b>, ProtocolError> {
        match self.take_amid(input) {
            Some(data) => Ok(data),
            None => self.take_piece(input, replies),
        }
    }

    #[inline(always)]
    fn take_piece<'b>(
        &mut self,
        input: &mut Input<'b>,
        replies: &mut Replies,
    ) -> Result<Data<'b>, ProtocolError> {
        let count = usize::try_from(self.frame_remaining).unwrap_or(usize::MAX);
        let piece = input.take(count);
        self.frame_remaining = self.frame_remaining.saturating_sub(piece.len() as u64);
        if self.side == Side::Server {
            self.masker.apply(piece);
        }
        let last = self.fin && self.frame_remaining == 0;
        let kind = self.message.unwrap_or(MessageKind::Binary);
        self.piece(piece, kind, last, replies)
    }

    /// Checks a piece that was unmasked, and goes on to what follows it.
    #[inline(always)]
    fn piece<'b>(
        &mut self,
        piece: &'b [u8],
        kind: MessageKind,
        last: bool,
        replies: &mut Replies,
    ) -> Result<Data<'b>, ProtocolError> {
        let first = self.taken == Taken::Nothing;
        self.taken = match kind {
            MessageKind::Binary => Taken::Binary,
            MessageKind::Text if self.message_rsv.contains(Rsv::RSV1) => Taken::Compressed,
            MessageKind::Text => Taken::Text,
        };
        let checked = self.taken == Taken::Text;
        // Whole messages go to those who want `str`; pieces are seldom looked at as such.
        let piece = if !checked {
            Piece::Bytes(piece)
        } else if !(first && last) && self.text.is_complete() && is_ascii_piece(piece) {
            Piece::Ascii(piece)
        } else {
            match self.text_piece(piece, last) {
                Ok(piece) => piece,
                Err(InvalidUtf8) => return Err(self.failed(ProtocolError::InvalidUtf8, replies)),
            }
        };
        let frame_remaining = self.frame_remaining;
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
        match self.text.push_str(piece)? {
            _ if last && !self.text.is_complete() => Err(InvalidUtf8),
            Some(text) => Ok(Piece::Str(text)),
            None => Ok(Piece::Bytes(piece)),
        }
    }

    /// Unmasks a whole short message at the front of `bytes` where it stands, of which nothing needs to be
    /// remembered; `None`, and nothing is changed, if there is none. Its text is still to be checked. `side` is
    /// this end's, where that may be known to the compiler.
    #[cfg(feature = "alloc")]
    #[inline(always)]
    pub(crate) fn unmask_short(&self, side: Side, bytes: &mut [u8]) -> Option<ShortMessage> {
        let short = self.short_message_to(side, bytes)?;
        let payload = bytes.get_mut(short.header_len..)?.get_mut(..short.len)?;
        if side == Side::Server {
            unmask(payload, short.key);
        }
        Some(short)
    }

    #[inline(always)]
    fn take_short_as<'b>(
        &mut self,
        short: ShortMessage,
        input: &mut Input<'b>,
        replies: &mut Replies,
        text: impl FnOnce(&'b [u8]) -> Result<Piece<'b>, InvalidUtf8>,
    ) -> Option<Result<Data<'b>, ProtocolError>> {
        let payload = input.take_after(short.header_len, short.len)?;
        if self.side == Side::Server {
            Masker::new(short.key).apply(payload);
        }
        let piece = match short.kind {
            MessageKind::Binary => Piece::Bytes(payload),
            MessageKind::Text => match text(payload) {
                Ok(piece) => piece,
                Err(InvalidUtf8) => return Some(Err(self.failed(ProtocolError::InvalidUtf8, replies))),
            },
        };
        Some(Ok(Data {
            piece,
            kind: short.kind,
            rsv: Rsv::NONE,
            first: true,
            last: true,
            frame_remaining: 0,
        }))
    }

    /// Reads at a glance what most headers say: a whole message whose length stands in 7 or 16 bits, with
    /// which nothing is wrong. `None` leaves everything to be judged rule by rule.
    #[inline]
    fn short_message(&self, bytes: &[u8]) -> Option<ShortMessage> {
        self.short_message_to(self.side, bytes)
    }

    #[inline(always)]
    fn short_message_to(&self, side: Side, bytes: &[u8]) -> Option<ShortMessage> {
        if self.state != State::Between {
            return None;
        }
        self.short_frame(side, bytes)?.message()
    }

    /// Reads at a glance all but the first octet of a header whose length stands in 7 or 16 bits, and that is
    /// masked as it must be.
    #[inline(always)]
    fn short_frame(&self, side: Side, bytes: &[u8]) -> Option<ShortFrame> {
        let (&[first, second], rest) = bytes.split_first_chunk::<2>()?;
        // The mask bit must be as the side wants it: it is then gone.
        let (len, rest, header_len) = match second ^ mask_bit(side) {
            len @ 0..=125 => (u16::from(len), rest, 2_usize),
            126 => {
                let (len, rest) = rest.split_first_chunk::<2>()?;
                (u16::from_be_bytes(*len), rest, 4)
            }
            _ => return None,
        };
        let minimal = header_len == 2 || len > 125;
        if len >= self.short_below || !minimal {
            return None;
        }
        let (key, header_len) = match side {
            Side::Server => (*rest.first_chunk::<4>()?, header_len.wrapping_add(4)),
            Side::Client => ([0; 4], header_len),
        };
        Some(ShortFrame { first, key: MaskingKey(key), header_len, len: usize::from(len) })
    }

    /// Reads at a glance the header of a short fragment, with which nothing is wrong.
    #[inline(always)]
    fn short_fragment(&self, bytes: &[u8]) -> Option<ShortFragment> {
        let frame = self.short_frame(self.side, bytes)?;
        // No reserved bit. An empty fragment tells nothing but the end.
        let last = frame.first == 0x80;
        if !last && frame.len == 0 {
            return None;
        }
        let (kind, message_len, fragments) = match (frame.first, self.message) {
            (0x00 | 0x80, Some(kind)) => {
                let message_len = self.message_len.saturating_add(frame.len as u64);
                let fragments = self.fragments.saturating_add(1);
                if message_len > self.limits.max_message_size || fragments > self.limits.max_fragments {
                    return None;
                }
                (kind, message_len, fragments)
            }
            (0x01, None) => (MessageKind::Text, frame.len as u64, 1),
            (0x02, None) => (MessageKind::Binary, frame.len as u64, 1),
            _ => return None,
        };
        Some(ShortFragment { frame, kind, last, message_len, fragments })
    }

    /// Adds a fragment to its message, and begins that with the first.
    #[inline(always)]
    fn add_fragment(&mut self, fragment: &ShortFragment) {
        if self.message.is_none() {
            self.message = Some(fragment.kind);
            self.message_rsv = Rsv::NONE;
            self.taken = Taken::Nothing;
            self.text = Utf8Check::new();
        }
        self.message_len = fragment.message_len;
        self.fragments = fragment.fragments;
    }

    /// Takes a whole short fragment, with which nothing is wrong. `None`, and nothing is consumed, if it is
    /// not that.
    #[inline(always)]
    fn take_short_fragment<'b>(
        &mut self,
        input: &mut Input<'b>,
        replies: &mut Replies,
    ) -> Option<Result<Data<'b>, ProtocolError>> {
        let fragment = self.short_fragment(input.rest())?;
        let payload = input.take_after(fragment.frame.header_len, fragment.frame.len)?;
        self.add_fragment(&fragment);
        if self.side == Side::Server {
            Masker::new(fragment.frame.key).apply(payload);
        }
        Some(self.piece(payload, fragment.kind, fragment.last, replies))
    }

    /// Reads a header; `false` if its end has not come.
    #[inline]
    fn header(&mut self, input: &mut Input<'_>) -> Result<bool, ProtocolError> {
        if let Some(short) = self.short_message(input.rest()) {
            self.begin_short(short);
            input.take(short.header_len);
            return Ok(true);
        }
        if self.state != State::Header {
            if let Some(fragment) = self.short_fragment(input.rest()) {
                self.add_fragment(&fragment);
                self.fin = fragment.last;
                self.frame_remaining = fragment.frame.len as u64;
                self.masker = Masker::new(fragment.frame.key);
                self.state = State::Data;
                input.take(fragment.frame.header_len);
                return Ok(true);
            }
            if let Some((header, len)) = FrameHeader::decode(input.rest()) {
                if let Some(&first_two) = input.rest().first_chunk::<2>() {
                    self.judge_first_two(first_two)?;
                }
                self.begin_frame(header)?;
                input.take(len);
                return Ok(true);
            }
        }
        self.collect_header(input)
    }

    /// Enters the payload of a whole short message.
    #[inline]
    fn begin_short(&mut self, short: ShortMessage) {
        self.message = Some(short.kind);
        self.message_rsv = Rsv::NONE;
        self.taken = Taken::Nothing;
        self.text = Utf8Check::new();
        self.fin = true;
        self.frame_remaining = short.len as u64;
        self.masker = Masker::new(short.key);
        self.state = State::Data;
    }

    /// Reads a header that came in pieces; `false` if its end has not come.
    #[inline(never)]
    fn collect_header(&mut self, input: &mut Input<'_>) -> Result<bool, ProtocolError> {
        if input.remaining() == 0 {
            return Ok(false);
        }
        if self.state != State::Header {
            self.kept_len = 0;
        }
        let have = usize::from(self.kept_len);
        let Some(front) = self.kept.first_chunk_mut::<{ FrameHeader::MAX_LEN }>() else { return Ok(false) };
        if let Some(spare) = front.get_mut(have..) {
            for (slot, octet) in spare.iter_mut().zip(input.rest()) {
                *slot = *octet;
            }
        }
        let front = *front;
        let count = have.saturating_add(input.remaining()).min(FrameHeader::MAX_LEN);
        let [first, second, ..] = front;
        if count < 2 || count < FrameHeader::len_from([first, second]) {
            input.take_all();
            self.state = State::Header;
            self.kept_len = count as u8;
            if have < 2 && count >= 2 {
                self.judge_first_two([first, second])?;
            }
            return Ok(false);
        }
        self.kept_len = 0;
        let front = front.get(..count).unwrap_or(&front);
        let len = match self.short_frame(self.side, front).and_then(ShortFrame::message) {
            Some(short) if self.message.is_none() => {
                self.begin_short(short);
                short.header_len
            }
            _ => {
                if have < 2 {
                    self.judge_first_two([first, second])?;
                }
                let Some((header, len)) = FrameHeader::decode(front) else { return Ok(false) };
                self.begin_frame(header)?;
                len
            }
        };
        input.take(len.saturating_sub(have));
        Ok(true)
    }

    /// Everything that the first two octets decide, so that nonsense is refused before its length is awaited.
    #[inline]
    fn judge_first_two(&self, [first, second]: [u8; 2]) -> Result<(), ProtocolError> {
        let fin = first & 0x80 != 0;
        let rsv = Rsv::from_first_byte(first);
        let opcode = Opcode::from_low_bits(first);
        let masked = second & 0x80 != 0;
        if opcode.is_reserved() {
            return Err(ProtocolError::ReservedOpcode);
        }
        // An extension's bits belong to the first frame of a message (RFC 7692 section 6.1).
        let begins_message = opcode == Opcode::TEXT || opcode == Opcode::BINARY;
        let allowed = if begins_message { self.allowed_rsv } else { Rsv::NONE };
        if !allowed.contains(rsv) {
            return Err(ProtocolError::ReservedBits);
        }
        match (self.side, masked) {
            (Side::Server, false) => return Err(ProtocolError::MissingMask),
            (Side::Client, true) => return Err(ProtocolError::UnexpectedMask),
            _ => {}
        }
        if opcode.is_control() {
            if !fin {
                return Err(ProtocolError::FragmentedControl);
            }
            if second & 0x7F > 125 {
                return Err(ProtocolError::OversizedControl);
            }
        } else if begins_message {
            if self.message.is_some() {
                return Err(ProtocolError::ExpectedContinuation);
            }
            let accepted =
                if opcode == Opcode::TEXT { self.limits.accept_text } else { self.limits.accept_binary };
            if !accepted {
                return Err(ProtocolError::UnsupportedData);
            }
        } else if self.message.is_none() {
            return Err(ProtocolError::UnexpectedContinuation);
        }
        Ok(())
    }

    /// Judges the length (sections 5.2 and 10.4) and enters the payload.
    #[inline]
    fn begin_frame(&mut self, header: FrameHeader) -> Result<(), ProtocolError> {
        let len = header.payload_len;
        if header.length_form != LengthForm::Bits7 {
            if header.length_form != LengthForm::minimal(len) {
                return Err(ProtocolError::NonMinimalLength);
            }
            if len > u64::MAX >> 1 {
                return Err(ProtocolError::LengthOverflow);
            }
        }
        if header.opcode.is_control() {
            self.kept_len = 0;
            self.state = State::Control { opcode: header.opcode, len: len as u8 };
        } else {
            if len > self.limits.max_frame_size {
                return Err(ProtocolError::FrameTooBig);
            }
            if header.opcode != Opcode::CONTINUATION {
                self.message =
                    Some(if header.opcode == Opcode::TEXT { MessageKind::Text } else { MessageKind::Binary });
                self.message_rsv = header.rsv;
                self.taken = Taken::Nothing;
                self.message_len = 0;
                self.fragments = 0;
                self.text = Utf8Check::new();
            }
            self.message_len = self.message_len.saturating_add(len);
            // A compressed message is as long as what it inflates to, which is counted there.
            if self.message_len > self.limits.max_message_size && !self.message_rsv.contains(Rsv::RSV1) {
                return Err(ProtocolError::MessageTooBig);
            }
            self.fragments = self.fragments.saturating_add(1);
            if self.fragments > self.limits.max_fragments {
                return Err(ProtocolError::TooManyFragments);
            }
            self.state = State::Data;
            self.fin = header.fin;
            self.frame_remaining = len;
        }
        if let Some(key) = header.masking_key {
            self.masker = Masker::new(key);
        }
        Ok(())
    }

    /// Collects the payload of a control frame; `false` if its end has not come.
    fn collect_control(&mut self, len: u8, input: &mut Input<'_>) -> bool {
        let have = usize::from(self.kept_len);
        let piece = input.take(usize::from(len).saturating_sub(have));
        if let Some(slot) = self.kept.get_mut(have..).and_then(|spare| spare.get_mut(..piece.len())) {
            slot.copy_from_slice(piece);
            if self.side == Side::Server {
                self.masker.apply(slot);
            }
            self.kept_len = self.kept_len.saturating_add(piece.len() as u8);
        }
        self.kept_len >= len
    }

    fn kept(&self) -> &[u8] {
        self.kept.get(..usize::from(self.kept_len)).unwrap_or(&[])
    }

    /// Acts on a whole control frame.
    fn control(&mut self, opcode: Opcode, replies: &mut Replies) -> Result<Next, ProtocolError> {
        self.state = if self.message.is_some() { State::Amid } else { State::Between };
        match opcode {
            Opcode::PING => {
                replies.set_pong(self.control_payload());
                Ok(Next::Ping)
            }
            Opcode::PONG => Ok(Next::Pong),
            _ => {
                let code = close_body(self.control_payload())?;
                // A message that was in progress is dropped: it can never end (section 5.4 allows the Close
                // here).
                self.message = None;
                self.state = State::Closed(code);
                replies.set_close(CloseReply::Echo(code));
                Ok(Next::Close(code))
            }
        }
    }

    /// Nothing follows.
    fn end(&mut self, state: State) {
        if self.state == State::Header {
            self.kept_len = 0;
        }
        self.state = state;
        self.frame_remaining = 0;
    }

    #[cold]
    fn failed(&mut self, error: ProtocolError, replies: &mut Replies) -> ProtocolError {
        self.fail(error, replies);
        error
    }
}

/// Unmasks a whole payload.
#[cfg(feature = "alloc")]
#[inline(never)]
fn unmask(payload: &mut [u8], key: MaskingKey) {
    Masker::new(key).apply(payload);
}

/// Checks the text of a whole message, and leaves the cast of most to those who want it.
#[inline(never)]
fn text_message(octets: &[u8]) -> Result<Piece<'_>, InvalidUtf8> {
    if is_short_ascii(octets) {
        return Ok(Piece::Ascii(octets));
    }
    whole_text(octets).map(Piece::Str)
}

/// Apart from what the check of other text needs.
#[inline(never)]
fn is_ascii_piece(octets: &[u8]) -> bool {
    is_short_ascii(octets)
}

/// The mask bit of the frames that this end receives (section 5.1), where it stands in the second byte.
const fn mask_bit(side: Side) -> u8 {
    match side {
        Side::Server => 0x80,
        Side::Client => 0,
    }
}

/// The least length that some limit is against, of a message of either kind in one frame; 0 if one is against
/// them all. What a `u16` cannot hold is judged rule by rule.
const fn short_below(limits: Limits) -> u16 {
    if limits.max_fragments == 0 || !limits.accept_text || !limits.accept_binary {
        return 0;
    }
    let max = if limits.max_frame_size < limits.max_message_size {
        limits.max_frame_size
    } else {
        limits.max_message_size
    };
    match max {
        0..=0xFFFE => (max as u16).saturating_add(1),
        _ => u16::MAX,
    }
}

/// Judges the body of a Close frame (sections 5.5.1 and 7.4).
fn close_body(body: &[u8]) -> Result<Option<CloseCode>, ProtocolError> {
    match body.split_first_chunk::<2>() {
        None if body.is_empty() => Ok(None),
        None => Err(ProtocolError::InvalidClosePayload),
        Some((code, reason)) => {
            let code = CloseCode::new(u16::from_be_bytes(*code)).ok_or(ProtocolError::InvalidCloseCode)?;
            core::str::from_utf8(reason).map_err(|_| ProtocolError::InvalidCloseReason)?;
            Ok(Some(code))
        }
    }
}
