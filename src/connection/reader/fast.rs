//! The fast path: a whole, short, valid message in one frame.
//
// Owns: recognising such a message in one look.
// Must not know: what is wrong with any other frame. Those it leaves to the checked path in header.rs.

#[cfg(feature = "alloc")]
use super::header::Checked;
use super::{Reader, State};
use crate::event::{Data, Piece};
use crate::frame::{Masker, MaskingKey, MessageKind, Rsv};
use crate::input::Input;
use crate::limits::Limits;
use crate::role::Side;
use crate::tolerance::Tolerance;
use crate::utf8::{check_whole, is_short_ascii, InvalidUtf8};

/// The header of a message that is one frame, with which nothing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShortMessage {
    pub(crate) kind: MessageKind,
    key: MaskingKey,
    // What fits one register is packed into it, and unpacked again.
    pub(crate) header_len: usize,
    pub(crate) len: usize,
}

/// The header of a frame of at most 65,535 octets, right but for its first octet.
struct ShortFrame {
    first: u8,
    key: MaskingKey,
    header_len: usize,
    len: usize,
}

/// Where a length of 16 bits ends.
const LEN_16_END: usize = 4;

impl Reader {
    /// FIN, no reserved bit, text or binary, masked as it must be, and shorter than every limit. All else takes the
    /// checked path.
    #[inline(always)]
    fn short_message(&self, side: Side, bytes: &[u8]) -> Option<ShortMessage> {
        if self.state != State::Between {
            return None;
        }
        let ShortFrame { first, key, header_len, len } = short_frame(side, bytes)?;
        if len >= self.short_below.into() {
            return None;
        }
        let kind = match first {
            0x81 => MessageKind::Text,
            0x82 => MessageKind::Binary,
            _ => return None,
        };
        Some(ShortMessage { kind, key, header_len, len })
    }

    /// A whole short message at the front, still masked, and its text not checked.
    // bench: endpoint_echoes/binary_16_pipelined_16
    #[cfg(feature = "alloc")]
    #[inline(always)]
    pub(crate) fn find_short(&self, side: Side, bytes: &[u8]) -> Option<ShortMessage> {
        let short = self.short_message(side, bytes)?;
        (bytes.len() >= short.header_len.wrapping_add(short.len)).then_some(short)
    }

    /// Takes a whole short message, and checks its text, or a piece of binary data that does not end its frame. If
    /// `None`, nothing is consumed.
    // bench: server_receives/binary_16, client_receives/binary_16
    #[inline(always)]
    pub(crate) fn take_fast<'b>(
        &mut self,
        side: Side,
        input: &mut Input<'b>,
    ) -> Option<Result<Data<'b>, InvalidUtf8>> {
        if self.state != State::Between {
            return self.take_part(input).map(Ok);
        }
        let short = self.short_message(side, input.rest())?;
        let payload = input.take_after(short.header_len, short.len)?;
        if side == Side::Server {
            Masker::new(short.key).apply(payload);
        }
        let piece = match short.kind {
            MessageKind::Binary => Piece::Bytes(payload),
            // bench: server_receives/ascii_16
            MessageKind::Text if is_short_ascii(payload) => Piece::Short(payload),
            MessageKind::Text => match other_text(payload) {
                Ok(piece) => piece,
                Err(InvalidUtf8) => return Some(Err(InvalidUtf8)),
            },
        };
        let (first, last, frame_remaining) = (true, true, 0);
        Some(Ok(Data { piece, kind: short.kind, rsv: Rsv::NONE, first, last, frame_remaining }))
    }

    /// Takes a piece of binary data that does not end its frame. If `None`, nothing is consumed.
    // bench: server_receives/binary_125_by_7
    #[inline(always)]
    pub(super) fn take_part<'b>(&mut self, input: &mut Input<'b>) -> Option<Data<'b>> {
        let count = input.remaining() as u64;
        if count >= self.frame_remaining || count == 0 || self.message != Some(MessageKind::Binary) {
            return None;
        }
        let piece = input.take_all();
        if self.masked {
            self.masker.apply_few(piece);
        }
        self.frame_remaining = self.frame_remaining.wrapping_sub(count);
        let first = !core::mem::replace(&mut self.reported, true);
        let (kind, rsv, frame_remaining) = (MessageKind::Binary, self.message_rsv, self.frame_remaining);
        Some(Data { piece: Piece::Bytes(piece), kind, rsv, first, last: false, frame_remaining })
    }

    /// Takes a whole short fragment that goes on with a binary message, and checks only the limits. If `None`, nothing
    /// is consumed.
    // bench: server_receives/fragments_8x128
    #[inline(always)]
    pub(crate) fn take_fragment<'b>(&mut self, input: &mut Input<'b>) -> Option<Data<'b>> {
        let plain = self.message == Some(MessageKind::Binary) && self.message_rsv == Rsv::NONE;
        if self.state != State::Amid || !plain {
            return None;
        }
        let short = short_frame(self.side, input.rest())?;
        let last = short.first == 0x80;
        // If it is not the last, it is not reported.
        if !last && (short.first != 0 || short.len == 0) {
            return None;
        }
        let message_len = self.message_len.wrapping_add(short.len as u64);
        if self.fragments >= self.limits.max_fragments
            || short.len as u64 > self.limits.max_frame_size
            || message_len > self.limits.max_message_size
        {
            return None;
        }
        let payload = input.take_after(short.header_len, short.len)?;
        if self.side == Side::Server {
            Masker::new(short.key).apply_few(payload);
        }
        self.message_len = message_len;
        self.fragments = self.fragments.wrapping_add(1);
        let first = !core::mem::replace(&mut self.reported, true);
        if last {
            self.message = None;
            self.state = State::Between;
        }
        let (kind, rsv) = (MessageKind::Binary, Rsv::NONE);
        Some(Data { piece: Piece::Bytes(payload), kind, rsv, first, last, frame_remaining: 0 })
    }

    /// How many bytes must have come before there is something to do: enough of the header to check more of it, or the
    /// whole message if it is short and binary. `None` if they have come, or if something is wrong.
    #[cfg(feature = "alloc")]
    pub(crate) fn awaits(&self, bytes: &[u8]) -> Option<usize> {
        let &[first @ (0x81 | 0x82), ..] = bytes else {
            return None;
        };
        if self.state != State::Between || self.short_below == 0 {
            return None;
        }
        let least = match self.check(bytes).ok()? {
            Checked::Needs(least) => least,
            Checked::Whole(header) if first == 0x82 && header.payload_len < self.short_below.into() => {
                header.header_len.checked_add(usize::try_from(header.payload_len).ok()?)?
            }
            Checked::Whole(_) => return None,
        };
        (bytes.len() < least).then_some(least)
    }
}

/// If the rest is right as well: masked as it must be, its length in as few octets as can be.
#[inline(always)]
fn short_frame(side: Side, bytes: &[u8]) -> Option<ShortFrame> {
    let (&[first, second], rest) = bytes.split_first_chunk::<2>()?;
    // The mask bit is gone if it is as the side wants it.
    let (len, rest, header_len) = match second ^ mask_bit(side) {
        len @ 0..=125 => (u16::from(len), rest, 2_usize),
        126 => {
            let (len, rest) = rest.split_first_chunk::<2>()?;
            (u16::from_be_bytes(*len), rest, LEN_16_END)
        }
        _ => return None,
    };
    if header_len > 2 && len <= 125 {
        return None;
    }
    let (key, header_len) = match side {
        Side::Server => (*rest.first_chunk::<4>()?, header_len.wrapping_add(4)),
        Side::Client => ([0; 4], header_len),
    };
    Some(ShortFrame { first, key: MaskingKey(key), header_len, len: usize::from(len) })
}

/// The length below which no limit forbids a message in one frame. 0 if text is not checked. What a `u16` cannot hold
/// takes the checked path.
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

#[inline(never)]
fn other_text(octets: &[u8]) -> Result<Piece<'_>, InvalidUtf8> {
    Ok(check_whole(octets)?.map_or(Piece::Short(octets), Piece::Str))
}

/// Unmasks where it stands, if the header has a key.
#[cfg(feature = "alloc")]
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

/// Not every caller has all lengths.
#[cfg(feature = "alloc")]
#[inline(never)]
fn apply(payload: &mut [u8], key: MaskingKey) {
    Masker::new(key).apply(payload);
}

/// What this end receives (section 5.1), in the second byte.
const fn mask_bit(side: Side) -> u8 {
    match side {
        Side::Server => 0x80,
        Side::Client => 0,
    }
}
