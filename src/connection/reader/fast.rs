//! The fast path: it recognises a short, valid, correctly masked frame from its header.
//
// Owns: recognising a short message or fragment in one look.
// Must not know: what is wrong with any other frame.
// For those it returns `None`, and the checked path in header.rs takes them, rule by rule.

use super::{is_ascii_piece, Reader, State, Taken};
#[cfg(feature = "alloc")]
use crate::connection::mailbox::Mailbox;
#[cfg(feature = "alloc")]
use crate::error::ProtocolError;
use crate::event::{Data, Piece};
#[cfg(feature = "alloc")]
use crate::frame::FrameHeader;
use crate::frame::{Masker, MaskingKey, MessageKind, Rsv};
use crate::input::Input;
use crate::limits::Limits;
use crate::role::Side;
use crate::tolerance::Tolerance;
use crate::utf8::{check_whole, InvalidUtf8, Utf8Check};

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
pub(super) struct ShortFrame {
    first: u8,
    pub(super) key: MaskingKey,
    pub(super) header_len: usize,
    pub(super) len: usize,
}

/// What a header says of a short fragment, and what it makes of its message.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShortFragment {
    pub(super) frame: ShortFrame,
    kind: MessageKind,
    pub(super) last: bool,
    message_len: u64,
    fragments: u32,
}

/// Where a length of 16 bits ends.
const LEN_16_END: usize = 4;

impl ShortFrame {
    /// A whole message, with which nothing is wrong, if it is that.
    #[inline(always)]
    pub(super) fn message(self) -> Option<ShortMessage> {
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

impl Reader {
    /// A whole short message at the front of `bytes`, still masked, of which nothing needs to be remembered. Its text is
    /// still to be checked.
    #[cfg(feature = "alloc")]
    #[inline(always)]
    pub(crate) fn find_short(&self, side: Side, bytes: &[u8]) -> Option<ShortMessage> {
        let short = self.short_message_to(side, bytes)?;
        (bytes.len() >= short.header_len.wrapping_add(short.len)).then_some(short)
    }

    /// How many bytes there must be until something can be told of the frame that `bytes` begin, between
    /// messages: a header, or all of a short message of octets, in which nothing is to be checked. `None` if
    /// there are as many, or if something is wrong.
    #[cfg(feature = "alloc")]
    pub(crate) fn awaits(&self, bytes: &[u8]) -> Option<usize> {
        if self.state != State::Between || self.short_below == 0 {
            return None;
        }
        let least = match *bytes {
            [0x81 | 0x82] => 2,
            [first @ (0x81 | 0x82), second, ..] => match self.short_frame(self.side, bytes) {
                Some(frame) if first == 0x82 => frame.header_len.saturating_add(frame.len),
                Some(_) => return None,
                // The length is judged before the masking key comes.
                None if self.short_len(self.side, bytes).is_some() => FrameHeader::len_from([first, second]),
                None if (second ^ mask_bit(self.side)) == 126 => LEN_16_END,
                None => return None,
            },
            _ => return None,
        };
        (bytes.len() < least).then_some(least)
    }

    /// Takes a whole short message, with which nothing is wrong but its text. `None`, and nothing is consumed,
    /// if it is not that.
    #[inline(always)]
    pub(super) fn take_short<'b>(
        &self,
        side: Side,
        input: &mut Input<'b>,
    ) -> Option<Result<Data<'b>, InvalidUtf8>> {
        let short = self.short_message_to(side, input.rest())?;
        let payload = input.take_after(short.header_len, short.len)?;
        if side == Side::Server {
            Masker::new(short.key).apply(payload);
        }
        let piece = match short.kind {
            MessageKind::Binary => Piece::Bytes(payload),
            MessageKind::Text if is_ascii_piece(payload) => Piece::Short(payload),
            MessageKind::Text => match other_text(payload) {
                Ok(piece) => piece,
                Err(InvalidUtf8) => return Some(Err(InvalidUtf8)),
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
    pub(super) fn short_message(&self, bytes: &[u8]) -> Option<ShortMessage> {
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
    pub(super) fn short_frame(&self, side: Side, bytes: &[u8]) -> Option<ShortFrame> {
        let (first, len, header_len, rest) = self.short_len(side, bytes)?;
        let (key, header_len) = match side {
            Side::Server => (*rest.first_chunk::<4>()?, header_len.wrapping_add(4)),
            Side::Client => ([0; 4], header_len),
        };
        Some(ShortFrame { first, key: MaskingKey(key), header_len, len: usize::from(len) })
    }

    /// The first octet, a length below every limit, where that ends, and what is behind it.
    #[inline(always)]
    fn short_len<'b>(&self, side: Side, bytes: &'b [u8]) -> Option<(u8, u16, usize, &'b [u8])> {
        let (&[first, second], rest) = bytes.split_first_chunk::<2>()?;
        // The mask bit must be as the side wants it: it is then gone.
        let (len, rest, end) = match second ^ mask_bit(side) {
            len @ 0..=125 => (u16::from(len), rest, 2_usize),
            126 => {
                let (len, rest) = rest.split_first_chunk::<2>()?;
                (u16::from_be_bytes(*len), rest, LEN_16_END)
            }
            _ => return None,
        };
        let minimal = end == 2 || len > 125;
        if len >= self.short_below || !minimal {
            return None;
        }
        Some((first, len, end, rest))
    }

    /// Whether the front of a header that is kept begins a whole message with which nothing is wrong: what it
    /// says stands in two octets.
    #[inline(always)]
    pub(super) fn begins_short(&self, count: usize) -> bool {
        let [first, second, ..] = self.kept;
        matches!(first, 0x81 | 0x82)
            && self.message.is_none()
            && match count {
                0 => false,
                1 => self.short_below > 0,
                _ => u16::from(second ^ mask_bit(self.side)) < self.short_below.min(126),
            }
    }

    /// Reads at a glance the header of a short fragment, with which nothing is wrong.
    #[inline(always)]
    pub(super) fn short_fragment(&self, bytes: &[u8]) -> Option<ShortFragment> {
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
    pub(super) fn add_fragment(&mut self, fragment: &ShortFragment) {
        if self.message.is_none() {
            self.message = Some(fragment.kind);
            self.message_rsv = Rsv::NONE;
            self.taken = Taken::Nothing;
            self.number = self.number.wrapping_add(1);
            self.text = Utf8Check::new();
        }
        self.message_len = fragment.message_len;
        self.fragments = fragment.fragments;
    }

    /// Takes a whole short fragment, with which nothing is wrong. `None`, and nothing is consumed, if it is
    /// not that.
    #[inline(always)]
    pub(super) fn take_short_fragment<'b>(
        &mut self,
        input: &mut Input<'b>,
    ) -> Option<Result<Data<'b>, InvalidUtf8>> {
        let fragment = self.short_fragment(input.rest())?;
        let payload = input.take_after(fragment.frame.header_len, fragment.frame.len)?;
        self.add_fragment(&fragment);
        if self.side == Side::Server {
            Masker::new(fragment.frame.key).apply(payload);
        }
        Some(self.piece(payload, fragment.kind, fragment.last, 0))
    }

    /// As [`take_short_fragment`](Self::take_short_fragment), from any state, of a message that is not
    /// compressed.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn take_fragment<'b>(
        &mut self,
        input: &mut Input<'b>,
        mailbox: &mut Mailbox,
    ) -> Option<Result<Data<'b>, ProtocolError>> {
        let plain = match self.state {
            State::Between => true,
            State::Amid => !self.message_rsv.contains(Rsv::RSV1),
            _ => false,
        };
        if plain {
            let taken = self.take_short_fragment(input)?;
            Some(taken.map_err(|InvalidUtf8| self.failed(ProtocolError::InvalidUtf8, mailbox)))
        } else {
            None
        }
    }

    /// Enters the payload of a whole short message.
    #[inline]
    pub(super) fn begin_short(&mut self, short: ShortMessage) {
        self.message = Some(short.kind);
        self.message_rsv = Rsv::NONE;
        self.message_len = short.len as u64;
        self.taken = Taken::Nothing;
        self.number = self.number.wrapping_add(1);
        self.text = Utf8Check::new();
        self.fin = true;
        self.set_frame_remaining(short.len as u64);
        self.masker = Masker::new(short.key);
        self.state = State::Data;
    }
}

/// The least length that some limit is against, of a message of either kind in one frame; 0 if one is against
/// them all, or text is not checked. What a `u16` cannot hold is judged rule by rule.
pub(super) const fn short_below(limits: Limits) -> u16 {
    let unchecked = limits.tolerances.contains(Tolerance::InvalidText);
    if limits.max_fragments == 0 || !limits.accept_text || !limits.accept_binary || unchecked {
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

/// Checks a whole text that is more than short ASCII.
#[inline(never)]
fn other_text(octets: &[u8]) -> Result<Piece<'_>, InvalidUtf8> {
    Ok(check_whole(octets)?.map_or(Piece::Short(octets), Piece::Str))
}

/// The payload of a short frame, unmasked where it stands if its header, of so many bytes, has a masking key.
#[cfg(feature = "alloc")]
#[inline]
pub(crate) fn unmask(frame: &mut [u8], header_len: usize) -> &mut [u8] {
    let Some((header, payload)) = frame.split_at_mut_checked(header_len) else { return &mut [] };
    // Without a key it ends where the length does.
    if header_len > LEN_16_END {
        if let Some(key) = header.last_chunk() {
            apply(payload, MaskingKey(*key));
        }
    }
    payload
}

/// By itself, so that not every caller has all lengths.
#[cfg(feature = "alloc")]
#[inline(never)]
fn apply(payload: &mut [u8], key: MaskingKey) {
    Masker::new(key).apply(payload);
}

/// The mask bit of the frames that this end receives (section 5.1), where it stands in the second byte.
const fn mask_bit(side: Side) -> u8 {
    match side {
        Side::Server => 0x80,
        Side::Client => 0,
    }
}
