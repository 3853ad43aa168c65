//! Messages to bytes: the sending half of RFC 6455 sections 5 and 7.
//
// Owns: fragmentation, masking, and the order of control frames.
// Must not know: what was received; what a Close means for the transport; time.

mod stage;

use self::stage::Stage;
use crate::close::{CloseCode, CloseFrame};
use crate::connection::close_state::{CloseEvent, CloseState};
use crate::connection::mailbox::Mailbox;
use crate::error::{BufferTooSmall, SendError};
use crate::frame::{
    copy, EncodedHeader, FrameHeader, LengthForm, Masker, MaskingKey, MessageKind, Opcode, Rsv,
};
use crate::payload::{ControlPayload, Payload};
use crate::role::{Role, Server, Side};
use crate::utf8::Utf8Check;
use crate::EntropyError;

/// Turns messages and replies into frames, and cannot produce an invalid one.
///
/// A whole frame is written by [`encode`](Self::encode), or for servers without a copy by [`frame`](Self::frame). One
/// that is too large for a buffer is begun by [`begin`](Self::begin), and its payload passed through
/// [`mask`](Self::mask) or [`mask_copy`](Self::mask_copy). Replies and keep-alive Pings come out of
/// [`poll_transmit`](Self::poll_transmit).
#[derive(Clone)]
pub struct Writer<R> {
    role: R,
    frame_remaining: u64,
    stage: Stage,
    allowed_rsv: Rsv,
    masker: Masker,
    text: TextState,
    keep_alive: bool,
    /// It decides what may be sent.
    pub(crate) close_state: CloseState,
    mailbox: Mailbox,
}

/// Once raw octets are part of a text.
type TextState = Option<Utf8Check>;

/// Bytes of the longest control frame.
pub const MAX_CONTROL_FRAME_LEN: usize = 131;

impl<R: Role> Writer<R> {
    /// At the first byte after the opening handshake.
    pub const fn new(role: R) -> Self {
        Self {
            role,
            frame_remaining: 0,
            stage: Stage::READY,
            allowed_rsv: Rsv::NONE,
            masker: Masker::new(MaskingKey([0; 4])),
            text: None,
            keep_alive: false,
            close_state: CloseState::OPEN,
            mailbox: Mailbox::new(),
        }
    }

    /// The same, where an extension was negotiated that gives `rsv` a meaning on the first frame of a message: with
    /// RSV1, [`deflated`](Payload::deflated) payloads may be sent.
    #[must_use]
    pub fn with_allowed_rsv(mut self, rsv: Rsv) -> Self {
        self.allow_rsv(rsv);
        self
    }

    pub(crate) fn allow_rsv(&mut self, rsv: Rsv) {
        self.allowed_rsv = rsv;
    }

    /// What was negotiated, if nothing is in progress or owed.
    pub(crate) fn idle_rsv(&self) -> Option<Rsv> {
        let rests = self.is_ready() && !self.owes();
        rests.then_some(self.allowed_rsv)
    }

    pub(crate) fn unpark(&mut self, allowed_rsv: Rsv) {
        self.frame_remaining = 0;
        self.stage = Stage::READY;
        self.allowed_rsv = allowed_rsv;
        self.text = None;
        self.keep_alive = false;
        self.close_state = CloseState::OPEN;
        self.mailbox.clear();
    }

    /// Which end of the connection this is.
    pub fn side(&self) -> Side {
        self.role.side()
    }

    /// Writes one whole frame: a message, or a fragment of one if `fin` is false or a message is in progress (RFC 6455
    /// section 5.4). Returns its length. A client masks it on its way into `out`.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::MessageInProgress`], [`SendError::FrameInProgress`],
    /// [`SendError::InvalidUtf8`] (only after an incomplete character of [`begin`](Self::begin)),
    /// [`SendError::CompressionNotNegotiated`], [`SendError::BufferTooSmall`] or [`SendError::Entropy`]; `out` and the
    /// state are then unchanged.
    // What the caller knows of the payload decides most of it (bench: server_sends.binary_16, client_sends.binary_16).
    #[inline(always)]
    pub fn encode(&mut self, payload: Payload<'_>, fin: bool, out: &mut [u8]) -> Result<usize, SendError> {
        match self.whole_message(payload, fin) {
            Some(first) => self.whole_frame(first, payload.as_bytes(), out),
            None => self.encode_checked(payload, fin, out),
        }
    }

    /// For everything but a whole message on an open connection.
    fn encode_checked(
        &mut self,
        payload: Payload<'_>,
        fin: bool,
        out: &mut [u8],
    ) -> Result<usize, SendError> {
        let begun = first_byte(payload.kind(), fin, payload.rsv());
        let first = self.next_byte(begun)?;
        let text = text_after(self.text, &payload, fin)?;
        let written = self.whole_frame(first, payload.as_bytes(), out)?;
        self.text = text;
        self.stage.sent_frame(begun);
        Ok(written)
    }

    /// The first byte of a message in one frame, if that leaves the state as it is (bench: server_sends.binary_16, and
    /// the row of 1 KiB in two slices beside other libraries).
    fn whole_message(&self, payload: Payload<'_>, fin: bool) -> Option<u8> {
        let whole = fin && payload.is_plain() && self.is_ready();
        whole.then(|| first_byte(payload.kind(), true, Rsv::NONE))
    }

    /// How many bytes [`encode`](Self::encode) writes for a payload of `len` octets.
    pub fn encoded_len(&self, len: usize) -> usize {
        let header = match LengthForm::minimal(len as u64) {
            LengthForm::Bits7 => 2,
            LengthForm::Bits16 => 4,
            LengthForm::Bits64 => 10,
        };
        let key = match self.role.side() {
            Side::Server => 0,
            Side::Client => 4,
        };
        len.saturating_add(header).saturating_add(key)
    }

    /// Begins a frame of `len` octets and returns its header. The payload follows through [`mask`](Self::mask) or
    /// [`mask_copy`](Self::mask_copy), in pieces of any size. Until it is complete, no other frame can be sent.
    ///
    /// A client's header contains the masking key. Who knows it and can choose the payload can choose what is on the
    /// wire (section 10.3).
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::MessageInProgress`], [`SendError::FrameInProgress`],
    /// [`SendError::InvalidUtf8`] (if a text would end within a character) or [`SendError::Entropy`]; the state is then
    /// unchanged.
    pub fn begin(&mut self, kind: MessageKind, fin: bool, len: u64) -> Result<EncodedHeader, SendError> {
        let begun = first_byte(kind, fin, Rsv::NONE);
        let first = self.next_byte(begun)?;
        let text = match kind {
            // Fragments that were text by type end between characters.
            MessageKind::Text => Some(self.text.unwrap_or_default()),
            MessageKind::Binary => None,
        };
        let ends = fin && len == 0;
        if ends && text.is_some_and(|text| !text.is_complete()) {
            return Err(SendError::InvalidUtf8);
        }
        let key = self.role.masking_key()?;
        if let Some(key) = key {
            self.masker = Masker::new(key);
        }
        self.text = if ends { None } else { text };
        self.stage.sent_frame(begun);
        self.set_frame_remaining(len);
        Ok(FrameHeader::begun_with(first, len, key).encode())
    }

    /// The header of one whole frame, whose payload the caller writes behind it, masked if that has a key.
    #[inline(always)]
    pub(crate) fn header(&mut self, payload: Payload<'_>, fin: bool) -> Result<EncodedHeader, SendError> {
        // Each branch encodes by itself: where they meet, a header in parts would go through memory, and be read there
        // before it is written.
        match self.whole_message(payload, fin) {
            Some(first) => {
                let key = self.role.masking_key()?;
                Ok(FrameHeader::begun_with(first, payload.as_bytes().len() as u64, key).encode())
            }
            None => Ok(self.begin_whole(payload, fin, None)?.encode()),
        }
    }

    /// Begins the frame of a payload that is there in full. The caller writes it behind the header, masked if that has
    /// a key: as it is, or as the `deflated` octets that it was compressed to.
    pub(crate) fn begin_whole(
        &mut self,
        payload: Payload<'_>,
        fin: bool,
        deflated: Option<usize>,
    ) -> Result<FrameHeader, SendError> {
        let (rsv, len) = match deflated {
            Some(len) => (Rsv::RSV1, len),
            None => (payload.rsv(), payload.as_bytes().len()),
        };
        let begun = first_byte(payload.kind(), fin, rsv);
        let first = self.next_byte(begun)?;
        let text = text_after(self.text, &payload, fin)?;
        let key = self.role.masking_key()?;
        self.text = text;
        self.stage.sent_frame(begun);
        Ok(FrameHeader::begun_with(first, len as u64, key))
    }

    /// Turns the next piece of the begun frame's payload into wire bytes in place.
    ///
    /// # Errors
    ///
    /// [`SendError::PayloadTooLong`] if the frame has less left, [`SendError::InvalidUtf8`] if it is text and the piece
    /// is not: the piece is then unchanged, and the frame can only be completed or the transport dropped.
    pub fn mask(&mut self, piece: &mut [u8]) -> Result<(), SendError> {
        self.account(piece)?;
        if self.role.side() == Side::Client {
            self.masker.apply(piece);
        }
        Ok(())
    }

    /// Does the same from `piece` into `out`. Returns how many octets were written: all of `piece`.
    ///
    /// # Errors
    ///
    /// The errors of [`mask`](Self::mask), and [`SendError::BufferTooSmall`] if `out` is shorter than `piece`.
    pub fn mask_copy(&mut self, piece: &[u8], out: &mut [u8]) -> Result<usize, SendError> {
        let Some(target) = out.get_mut(..piece.len()) else {
            return Err(BufferTooSmall::new(piece.len()).into());
        };
        self.account(piece)?;
        match self.role.side() {
            Side::Server => target.copy_from_slice(piece),
            Side::Client => {
                self.masker.copy(piece, target);
            }
        }
        Ok(piece.len())
    }

    /// Octets of the begun frame's payload that are still to come.
    pub const fn frame_remaining(&self) -> u64 {
        self.frame_remaining
    }

    /// Writes a Ping (section 5.5.2). Allowed until a Close was sent or received. Returns its length.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::FrameInProgress`], [`SendError::BufferTooSmall`] or [`SendError::Entropy`];
    /// `out` and the state are then unchanged.
    pub fn ping(&mut self, payload: ControlPayload<'_>, out: &mut [u8]) -> Result<usize, SendError> {
        self.may_send()?;
        self.control_frame(Opcode::PING, payload.as_bytes(), out)
    }

    /// Writes an unsolicited Pong (section 5.5.3). Returns its length.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::FrameInProgress`], [`SendError::BufferTooSmall`] or [`SendError::Entropy`];
    /// `out` and the state are then unchanged.
    pub fn pong(&mut self, payload: ControlPayload<'_>, out: &mut [u8]) -> Result<usize, SendError> {
        self.may_send()?;
        self.control_frame(Opcode::PONG, payload.as_bytes(), out)
    }

    /// Writes a Pong that is owed and a Close, which starts the closing handshake (section 7.1.2). Returns how many
    /// bytes. A message in progress ends unfinished. Data can still come.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] if a Close was sent or is owed, [`SendError::CloseCodeNotForServers`], or as
    /// [`encode`](Self::encode).
    pub fn close(&mut self, frame: CloseFrame<'_>, out: &mut [u8]) -> Result<usize, SendError> {
        self.may_send()?;
        if self.role.side() == Side::Server && frame.code() == Some(CloseCode::MANDATORY_EXTENSION) {
            return Err(SendError::CloseCodeNotForServers);
        }
        let mut body = [0; 125];
        let body = close_body(frame, &mut body);
        let pong = self.mailbox.pong().map_or(0, |payload| self.encoded_len(payload.len()));
        let required = pong.saturating_add(self.encoded_len(body.len()));
        if out.len() < required {
            return Err(BufferTooSmall::new(required).into());
        }
        let owed = self.mailbox;
        let first = self.transmit_pong(out)?;
        let rest = out.get_mut(first..).unwrap_or(&mut []);
        match self.control_frame(Opcode::CLOSE, body, rest) {
            Ok(second) => {
                self.close_state.on(CloseEvent::LocalClose(frame.code()));
                Ok(first.saturating_add(second))
            }
            Err(error) => {
                self.mailbox = owed;
                Err(error)
            }
        }
    }

    /// Writes what is owed: a Pong, a keep-alive Ping, a Close. Whole frames only; 0 if nothing is owed, if `out` is
    /// too small or if a data frame is in progress. [`MAX_CONTROL_FRAME_LEN`] bytes are enough for one; call until 0.
    ///
    /// # Errors
    ///
    /// [`EntropyError`] if a client has no masking key; what is owed stays owed.
    pub fn poll_transmit(&mut self, out: &mut [u8]) -> Result<usize, EntropyError> {
        if !self.wants_transmit() || self.stage.is_in_frame() {
            return Ok(0);
        }
        let mut written = 0_usize;
        for part in [Self::transmit_pong, Self::transmit_ping, Self::transmit_close] {
            let spare = out.get_mut(written..).unwrap_or(&mut []);
            match part(self, spare) {
                Ok(more) => written = written.saturating_add(more),
                Err(SendError::Entropy(error)) if written == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(written)
    }

    /// Whether something is owed: at once, or after the frame in progress.
    #[must_use]
    pub const fn wants_transmit(&self) -> bool {
        (self.mailbox.pong_is_due() && self.close_state.allows_pongs())
            || (self.keep_alive && self.is_open())
            || self.close_state.owed().is_some()
    }

    /// `false` is certain, and quicker to know than by [`wants_transmit`](Self::wants_transmit).
    pub(crate) const fn owes(&self) -> bool {
        self.keep_alive || self.mailbox.pong_is_due() || !self.is_open()
    }

    /// Takes what a [`Reader`](crate::Reader) has left for this writer. The first end counts. Nothing is left in
    /// `from`.
    pub fn accept(&mut self, from: &mut Mailbox) {
        self.mailbox.merge(from);
        self.settle();
    }

    /// For a [`Reader`](crate::Reader) beside this writer. [`settle`](Self::settle) is to follow.
    pub(crate) fn mailbox(&mut self) -> &mut Mailbox {
        &mut self.mailbox
    }

    /// Takes the end out of the mailbox.
    #[inline(never)]
    pub(crate) fn settle(&mut self) {
        if let Some(end) = self.mailbox.take_end() {
            self.close_state.on(end);
        }
    }

    /// Owes a keep-alive Ping with an empty payload, once.
    pub fn keep_alive(&mut self) {
        self.keep_alive = self.is_open();
    }

    /// Sends nothing more, whatever is owed.
    pub fn abort(&mut self) {
        self.close_state.on(CloseEvent::Abort);
    }

    /// Whether data may still be sent.
    pub const fn is_open(&self) -> bool {
        self.close_state.is_open()
    }

    /// The code of the Close that was sent.
    pub const fn sent_close(&self) -> Option<Option<CloseCode>> {
        self.close_state.sent()
    }

    /// Whether compression was negotiated.
    #[cfg(feature = "deflate")]
    pub(crate) const fn compresses(&self) -> bool {
        self.allowed_rsv.contains(Rsv::RSV1)
    }

    /// Whether the message in progress is compressed; `None` if none is in progress.
    #[cfg(feature = "deflate")]
    pub(crate) fn message_is_deflated(&self) -> Option<bool> {
        self.stage.is_in_message().then(|| self.stage.rsv().contains(Rsv::RSV1))
    }

    /// Whether any message may begin, and there is no text to go on with.
    pub(crate) const fn is_ready(&self) -> bool {
        self.stage.is_ready() && self.is_open()
    }

    fn may_send(&self) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        if self.stage.is_in_frame() {
            return Err(SendError::FrameInProgress);
        }
        Ok(())
    }

    /// The first byte of the next data frame (section 5.4, and RFC 7692 section 6.1). `begun` is that byte if it begins
    /// a message.
    fn next_byte(&self, begun: u8) -> Result<u8, SendError> {
        self.may_send()?;
        if !self.allowed_rsv.contains(Rsv::from_first_byte(begun)) {
            return Err(SendError::CompressionNotNegotiated);
        }
        self.stage.next(begun).ok_or(SendError::MessageInProgress)
    }

    #[inline(never)]
    fn control_frame(&mut self, opcode: Opcode, octets: &[u8], out: &mut [u8]) -> Result<usize, SendError> {
        self.whole_frame(FrameHeader::first_byte(true, Rsv::NONE, opcode), octets, out)
    }

    #[inline(always)]
    fn whole_frame(&mut self, first: u8, octets: &[u8], out: &mut [u8]) -> Result<usize, SendError> {
        // Each branch asks for its room, so that a short frame knows the form of its header (bench:
        // server_sends.binary_16, client_sends.binary_16).
        if octets.len() <= 125 {
            let frame = self.room(octets.len(), out)?;
            put(octets, frame, self.role.masking_key()?, first);
            Ok(frame.len())
        } else {
            let frame = self.room(octets.len(), out)?;
            put_long(octets, frame, self.role.masking_key()?, first);
            Ok(frame.len())
        }
    }

    #[inline(always)]
    fn room<'o>(&self, len: usize, out: &'o mut [u8]) -> Result<&'o mut [u8], BufferTooSmall> {
        let required = self.encoded_len(len);
        out.get_mut(..required).ok_or(BufferTooSmall::new(required))
    }

    fn account(&mut self, piece: &[u8]) -> Result<(), SendError> {
        let len = piece.len() as u64;
        let left = self.frame_remaining.checked_sub(len).ok_or(SendError::PayloadTooLong)?;
        if let Some(mut text) = self.text {
            text.push(piece).map_err(|_| SendError::InvalidUtf8)?;
            if left == 0 && !self.stage.is_in_message() && !text.is_complete() {
                return Err(SendError::InvalidUtf8);
            }
            self.text = Some(text);
        }
        self.set_frame_remaining(left);
        if left == 0 && !self.stage.is_in_message() {
            self.text = None;
        }
        Ok(())
    }

    fn set_frame_remaining(&mut self, len: u64) {
        self.frame_remaining = len;
        self.stage.set_in_frame(len > 0);
    }

    fn transmit_pong(&mut self, out: &mut [u8]) -> Result<usize, SendError> {
        let mut payload = [0; 125];
        let Some(pong) = self.mailbox.pong() else { return Ok(0) };
        let len = pong.len();
        let Some(copy) = payload.get_mut(..len) else { return Ok(0) };
        copy.copy_from_slice(pong);
        let written = self.control_frame(Opcode::PONG, copy, out)?;
        self.mailbox.clear_pong();
        Ok(written)
    }

    fn transmit_ping(&mut self, out: &mut [u8]) -> Result<usize, SendError> {
        if !self.keep_alive || !self.is_open() {
            return Ok(0);
        }
        let written = self.control_frame(Opcode::PING, &[], out)?;
        self.keep_alive = false;
        Ok(written)
    }

    fn transmit_close(&mut self, out: &mut [u8]) -> Result<usize, SendError> {
        let Some(code) = self.close_state.owed() else { return Ok(0) };
        let frame = code.map_or(CloseFrame::EMPTY, CloseFrame::code_only);
        let mut body = [0; 125];
        let body = close_body(frame, &mut body);
        let written = self.control_frame(Opcode::CLOSE, body, out)?;
        self.close_state.on(CloseEvent::LocalClose(code));
        Ok(written)
    }
}

impl Writer<Server> {
    /// One whole frame of a server without a copy, for a vectored write.
    ///
    /// # Errors
    ///
    /// [`SendError`] if the frame is not allowed now: the connection is closing, a frame or a message of another kind
    /// is in progress, or the text is invalid.
    #[inline]
    pub fn frame<'p>(&mut self, payload: Payload<'p>, fin: bool) -> Result<Frame<'p>, SendError> {
        let header = self.header(payload, fin)?;
        Ok(Frame { header, payload: payload.as_bytes() })
    }
}

/// One whole frame in two slices.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Frame<'p> {
    /// The header.
    pub header: EncodedHeader,
    /// The payload, as it goes on the wire.
    pub payload: &'p [u8],
}

impl Frame<'_> {
    /// Header and payload, in the order of the wire.
    pub fn as_slices(&self) -> [&[u8]; 2] {
        [self.header.as_bytes(), self.payload]
    }
}

/// The first byte of a frame that begins a message.
const fn first_byte(kind: MessageKind, fin: bool, rsv: Rsv) -> u8 {
    FrameHeader::first_byte(fin, rsv, kind.opcode())
}

/// There is just room for it.
#[inline(always)]
fn put(octets: &[u8], frame: &mut [u8], key: Option<MaskingKey>, first: u8) {
    let header = FrameHeader::begun_with(first, octets.len() as u64, key);
    if let Some(target) = header.write(frame).and_then(|payload| payload.get_mut(..octets.len())) {
        match key {
            Some(key) => key.copy(octets, target),
            None => copy(octets, target),
        }
    }
}

/// Never inlined: its loops need registers, and saving them would slow down short frames.
#[inline(never)]
fn put_long(octets: &[u8], frame: &mut [u8], key: Option<MaskingKey>, first: u8) {
    put(octets, frame, key, first);
}

/// Where the text stands, if types do not vouch for it.
fn text_after(text: TextState, payload: &Payload<'_>, fin: bool) -> Result<TextState, SendError> {
    if text.is_none() && !payload.is_cut() {
        return Ok(None);
    }
    let mut text = text.unwrap_or_default();
    match text.push(payload.as_bytes()) {
        // Between characters, types vouch again.
        Ok(()) if text.is_complete() => Ok(None),
        Ok(()) if !fin => Ok(Some(text)),
        _ => Err(SendError::InvalidUtf8),
    }
}

/// The body of a Close frame.
fn close_body<'o>(frame: CloseFrame<'_>, out: &'o mut [u8; 125]) -> &'o [u8] {
    let Some(code) = frame.code() else { return &[] };
    let reason = frame.reason().as_bytes();
    let len = reason.len().saturating_add(2);
    if let Some((first, rest)) = out.split_first_chunk_mut::<2>() {
        *first = code.value().to_be_bytes();
        if let Some(slot) = rest.get_mut(..reason.len()) {
            slot.copy_from_slice(reason);
        }
    }
    out.get(..len).unwrap_or(&[])
}

debug_states!([R] Writer<R>, |this| { stage: this.stage, frame_remaining: this.frame_remaining, close_state: this.close_state, mailbox: this.mailbox });

debug_states!([] Frame<'_>, |this| { header: this.header, payload: this.payload.len() });
