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
use crate::utf8::{whole_text, InvalidUtf8, Utf8Check};

/// Turns received bytes into events, strictly.
///
/// It consumes every byte and keeps only an incomplete header, the payload of an incomplete control frame, and up to
/// three octets of a character. It allocates nothing and needs no more than one byte at a time.
#[derive(Clone)]
pub struct Reader {
    state: State,
    side: Side,
    allowed_rsv: Rsv,
    limits: Limits,
    /// A message in one frame that is shorter than this is within every limit.
    short_below: u16,
    // The frame that is coming.
    fin: bool,
    /// Octets of a data frame's payload that have not come; 0 outside of one.
    frame_remaining: u64,
    /// Whether its payload is masked.
    masked: bool,
    masker: Masker,
    // The message that is in progress.
    message: Option<MessageKind>,
    message_rsv: Rsv,
    /// Whether a piece of it was reported.
    reported: bool,
    message_len: u64,
    fragments: u32,
    /// Counts what took the checked path.
    number: u32,
    /// Octets that came after a Close or a failure.
    swallowed: u32,
    text: Utf8Check,
    /// The payload of the last control frame, or the front of a header.
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

/// Data stays there until [`Reader::take_data`].
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

/// What came of some input.
pub(crate) type EventResult<'b> = Result<Option<Event<'b>>, ProtocolError>;

impl Reader {
    /// Octets that are swallowed after a Close or a failure before the transport is dropped: a peer that was sending a
    /// message needs time to hear of it.
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
            frame_remaining: 0,
            masked: false,
            masker: Masker::new(MaskingKey([0; 4])),
            message: None,
            message_rsv: Rsv::NONE,
            reported: false,
            message_len: 0,
            fragments: 0,
            number: 0,
            swallowed: 0,
            text: Utf8Check::new(),
            kept: [0; 125],
            kept_len: 0,
        }
    }

    /// The same, where an extension was negotiated that gives `rsv` a meaning on the first frame of a message.
    ///
    /// A message with RSV1 is compressed (RFC 7692 section 6): neither its text nor its length is checked here.
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
    pub(crate) const fn side(&self) -> Side {
        self.side
    }

    pub(crate) const fn is_idle(&self) -> bool {
        matches!(self.state, State::Between)
    }

    pub(crate) fn unpark(&mut self, allowed_rsv: Rsv) {
        self.state = State::Between;
        self.allowed_rsv = allowed_rsv;
        self.frame_remaining = 0;
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
    /// `Ok(None)` means that every byte was consumed.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`], once: the connection has failed, its Close is in `mailbox`, and all further input is
    /// swallowed.
    #[inline]
    pub fn next<'b>(
        &mut self,
        input: &mut Input<'b>,
        mailbox: &mut Mailbox,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        match self.take_fast(self.side, input) {
            Some(Ok(data)) => return Ok(Some(Event::Data(data))),
            Some(Err(InvalidUtf8)) => return Err(self.failed(ProtocolError::InvalidUtf8, mailbox)),
            None if input.remaining() == 0 => return Ok(None),
            None => {}
        }
        // A reference to `input` would keep it out of registers.
        let (event, rest) = self.next_checked(input.take_all(), mailbox);
        input.put_back(rest);
        event
    }

    /// For everything that does not take the fast path.
    #[inline(never)]
    pub(crate) fn next_checked<'b>(
        &mut self,
        rest: &'b mut [u8],
        mailbox: &mut Mailbox,
    ) -> (EventResult<'b>, &'b mut [u8]) {
        let mut input = Input::new(rest);
        if self.frame_remaining == 0 {
            let event = match self.advance(&mut input, mailbox) {
                Ok(Some(Next::Data { .. })) => None,
                Ok(Some(Next::Ping)) => Some(Ok(Some(Event::Ping))),
                Ok(Some(Next::Pong)) => Some(Ok(Some(Event::Pong))),
                Ok(Some(Next::Close(code))) => Some(Ok(Some(Event::Close(code)))),
                Ok(None) => Some(Ok(None)),
                Err(error) => Some(Err(error)),
            };
            if let Some(event) = event {
                return (event, input.into_rest());
            }
        }
        let event = match self.take_piece(&mut input) {
            Ok(data) => Ok(Some(Event::Data(data))),
            Err(InvalidUtf8) => Err(self.failed(ProtocolError::InvalidUtf8, mailbox)),
        };
        (event, input.into_rest())
    }

    /// The transport ended: no byte will follow.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::UnexpectedEof`], once, if no Close had come and the connection had not failed.
    pub fn eof(&mut self) -> Result<(), ProtocolError> {
        match self.state {
            State::Closed(_) | State::Failed(_) => Ok(()),
            State::Between | State::Amid | State::Header | State::Data | State::Control { .. } => {
                self.end(State::Failed(ProtocolError::UnexpectedEof));
                Err(ProtocolError::UnexpectedEof)
            }
        }
    }

    /// Fails the connection for a reason outside of the input, such as a deadline, and owes its Close. Nothing happens
    /// after a Close or a failure.
    pub fn fail(&mut self, error: ProtocolError, mailbox: &mut Mailbox) {
        if !matches!(self.state, State::Closed(_) | State::Failed(_)) {
            self.end(State::Failed(error));
            mailbox.set_end(CloseEvent::Fail(error));
        }
    }

    /// The payload of the last control frame, until more is received: at most 125 octets, for a Close with its code.
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

    /// The reason of the Close that came, empty if there is none (section 7.1.6). Do not show it to end users.
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

    /// The Close that came. Do not show its reason to end users.
    pub fn close_frame(&self) -> Option<CloseFrame<'_>> {
        match self.received_close()? {
            Some(code) => Some(CloseFrame::new(code, CloseReason::truncated(self.close_reason()))),
            None => Some(CloseFrame::EMPTY),
        }
    }

    /// Counts the messages that took the checked path.
    #[cfg(feature = "alloc")]
    pub(crate) const fn message_number(&self) -> u32 {
        self.number
    }

    /// How much came of a message or a frame that has not ended.
    pub const fn message_progress(&self) -> Option<MessageProgress> {
        if !self.is_mid_message() {
            return None;
        }
        Some(match (self.message, self.state) {
            (Some(_), _) => {
                let octets = self.message_len.saturating_sub(self.frame_remaining);
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
    pub const fn frame_remaining(&self) -> u64 {
        self.frame_remaining
    }

    #[cfg(feature = "alloc")]
    pub(crate) const fn needs_input(&self) -> bool {
        // An empty frame may wait to be taken.
        !matches!(self.state, State::Data) || self.frame_remaining > 0
    }

    /// Up to the next thing to report.
    #[inline(always)]
    pub(crate) fn advance(
        &mut self,
        input: &mut Input<'_>,
        mailbox: &mut Mailbox,
    ) -> Result<Option<Next>, ProtocolError> {
        loop {
            if self.frame_remaining > 0 {
                return Ok((input.remaining() > 0).then(|| self.next_data(input)));
            }
            match self.state {
                State::Between | State::Amid | State::Header => match self.header(input) {
                    Ok(true) => {}
                    Ok(false) => return Ok(None),
                    Err(error) => return Err(self.failed(error, mailbox)),
                },
                State::Data if self.fin => return Ok(Some(self.next_data(input))),
                // An empty fragment in the middle tells nothing.
                State::Data => self.state = State::Amid,
                State::Control { opcode, len } => {
                    if !self.collect_control(len, input) {
                        return Ok(None);
                    }
                    let next = self.control(opcode, mailbox);
                    return next.map(Some).map_err(|error| self.failed(error, mailbox));
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

    #[inline(always)]
    fn next_data(&self, input: &Input<'_>) -> Next {
        let last = self.fin && self.frame_remaining <= input.remaining() as u64;
        Next::Data { whole: last && !self.reported, compressed: self.message_rsv.contains(Rsv::RSV1) }
    }

    /// Unmasks and checks the piece that [`advance`](Self::advance) announced.
    #[cfg(any(feature = "alloc", feature = "embedded-io", feature = "embedded-io-async"))]
    pub(crate) fn take_data<'b>(
        &mut self,
        input: &mut Input<'b>,
        mailbox: &mut Mailbox,
    ) -> Result<Data<'b>, ProtocolError> {
        self.take_piece(input).map_err(|InvalidUtf8| self.failed(ProtocolError::InvalidUtf8, mailbox))
    }

    /// Only the text of a piece can be wrong.
    #[inline(always)]
    fn take_piece<'b>(&mut self, input: &mut Input<'b>) -> Result<Data<'b>, InvalidUtf8> {
        let piece = input.take(usize::try_from(self.frame_remaining).unwrap_or(usize::MAX));
        self.frame_remaining = self.frame_remaining.saturating_sub(piece.len() as u64);
        if self.masked {
            self.masker.apply_few(piece);
        }
        let (first, last) = (!self.reported, self.fin && self.frame_remaining == 0);
        let kind = self.message.unwrap_or(MessageKind::Binary);
        let piece = match kind {
            MessageKind::Binary => Piece::Bytes(piece),
            MessageKind::Text => self.text_piece(piece, last)?,
        };
        self.reported = true;
        if last {
            self.message = None;
            self.state = State::Between;
        } else if self.frame_remaining == 0 {
            self.state = State::Amid;
        }
        let frame_remaining = self.frame_remaining;
        Ok(Data { piece, kind, rsv: self.message_rsv, first, last, frame_remaining })
    }

    #[inline(never)]
    fn text_piece<'b>(&mut self, piece: &'b [u8], last: bool) -> Result<Piece<'b>, InvalidUtf8> {
        if self.message_rsv.contains(Rsv::RSV1) {
            return Ok(Piece::Bytes(piece)); // it is compressed
        }
        if self.limits.tolerances.contains(Tolerance::InvalidText) {
            return Ok(whole_text(piece).map_or(Piece::Bytes(piece), Piece::Str));
        }
        let checked = match self.text.push_few(piece) {
            // bench: server_receives/mixed_125_by_7
            Some(whole) => {
                if whole? {
                    Piece::Short(piece)
                } else {
                    Piece::Bytes(piece)
                }
            }
            None => self.text.push_str(piece)?.map_or(Piece::Bytes(piece), Piece::Str),
        };
        if last && !self.text.is_complete() {
            return Err(InvalidUtf8);
        }
        Ok(checked)
    }

    fn kept(&self) -> &[u8] {
        self.kept.get(..usize::from(self.kept_len)).unwrap_or(&[])
    }

    fn end(&mut self, state: State) {
        if self.state == State::Header {
            self.kept_len = 0;
        }
        self.state = state;
        self.frame_remaining = 0;
    }

    #[cold]
    fn failed(&mut self, error: ProtocolError, mailbox: &mut Mailbox) -> ProtocolError {
        self.fail(error, mailbox);
        error
    }
}

debug_states!([] Reader, |this| { state: this.state, side: this.side, message: this.message, message_len: this.message_len, fragments: this.fragments });
