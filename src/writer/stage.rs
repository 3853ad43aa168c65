//! What keeps the next data frame from being a message by itself, in one octet.
//!
//! Owns: which message is in progress, and how the sending direction ends. Must not know: frames in progress,
//! or what is owed.

use crate::frame::{MessageKind, Opcode, Rsv};

/// Between messages, in the middle of one, or at the end: zero where any message may begin.
///
/// The bits of a message in progress are those that the first byte of its first frame has (RFC 6455 section
/// 5.2): opcode and reserved bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stage(u8);

/// Opcodes 1 and 2, and the reserved bits.
const MESSAGE: u8 = 0x73;
const CLOSE_SENT: u8 = 0x08;
const OVER: u8 = 0x80;

impl Stage {
    /// Any message may begin.
    pub(super) const READY: Self = Self(0);

    #[inline]
    pub(super) const fn is_ready(self) -> bool {
        self.0 == 0
    }

    /// Whether neither a Close was sent nor everything has ended.
    #[inline]
    pub(super) const fn is_open(self) -> bool {
        self.0 & (CLOSE_SENT | OVER) == 0
    }

    /// Whether a Close was sent: no data follows it (section 5.5.1).
    #[inline]
    pub(super) const fn is_close_sent(self) -> bool {
        self.0 & CLOSE_SENT != 0
    }

    /// Whether nothing at all follows, not even what was owed.
    #[inline]
    pub(super) const fn is_over(self) -> bool {
        self.0 & OVER != 0
    }

    /// What the next frame of such a message has in its first byte, FIN aside: nothing, if the message is in
    /// progress (section 5.4). `None` if another one is.
    #[inline]
    pub(super) fn next(self, kind: MessageKind, rsv: Rsv) -> Option<(Opcode, Rsv)> {
        let message = message(kind, rsv);
        let first = match self.0 & MESSAGE {
            0 => message,
            begun if begun == message => 0,
            _ => return None,
        };
        Some((Opcode::from_low_bits(first), Rsv::from_first_byte(first)))
    }

    /// Whether a message is in progress.
    #[inline]
    pub(super) const fn is_in_message(self) -> bool {
        self.0 & MESSAGE != 0
    }

    /// The reserved bits of the message in progress.
    #[cfg(feature = "deflate")]
    pub(super) const fn rsv(self) -> Rsv {
        Rsv::from_first_byte(self.0 & MESSAGE)
    }

    /// A frame of such a message was sent: the last of it, if `fin`.
    #[inline]
    pub(super) fn sent_frame(&mut self, kind: MessageKind, rsv: Rsv, fin: bool) {
        self.0 = (self.0 & !MESSAGE) | if fin { 0 } else { message(kind, rsv) };
    }

    pub(super) fn sent_close(&mut self) {
        self.0 |= CLOSE_SENT;
    }

    pub(super) fn end(&mut self) {
        self.0 |= OVER;
    }
}

const fn message(kind: MessageKind, rsv: Rsv) -> u8 {
    kind.opcode().value() | rsv.as_first_byte()
}
