//! What keeps the next data frame from being a message by itself, in one octet.
//
// Owns: which message is in progress, and whether a frame is.
// Must not know: payloads, what is owed, or the end of the connection.

use crate::frame::FrameHeader;
#[cfg(feature = "deflate")]
use crate::frame::Rsv;

/// Between messages or in the middle of one: zero where any message may begin.
///
/// A message in progress has the opcode and the reserved bits of its first byte (RFC 6455 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stage(u8);

/// Opcodes 1 and 2, and the reserved bits.
const MESSAGE: u8 = 0x73;
/// Some of the payload of a frame is still to come.
const FRAME: u8 = 0x04;

impl Stage {
    /// Any message may begin.
    pub(super) const READY: Self = Self(0);

    pub(super) const fn is_ready(self) -> bool {
        self.0 == 0
    }

    /// Of the byte that `begun` begins with, no more than FIN is left if that message is in progress (section 5.4).
    /// `None` if another one is.
    pub(super) const fn next(self, begun: u8) -> Option<u8> {
        match self.0 & MESSAGE {
            0 => Some(begun),
            message if message == begun & MESSAGE => Some(begun & !MESSAGE),
            _ => None,
        }
    }

    /// Whether a message is in progress.
    pub(super) const fn is_in_message(self) -> bool {
        self.0 & MESSAGE != 0
    }

    /// Whether a frame is in progress.
    pub(super) const fn is_in_frame(self) -> bool {
        self.0 & FRAME != 0
    }

    pub(super) fn set_in_frame(&mut self, in_frame: bool) {
        self.0 = (self.0 & !FRAME) | if in_frame { FRAME } else { 0 };
    }

    /// The reserved bits of the message in progress.
    #[cfg(feature = "deflate")]
    pub(super) const fn rsv(self) -> Rsv {
        Rsv::from_first_byte(self.0 & MESSAGE)
    }

    /// The last frame of the message, if `begun` has FIN.
    pub(super) fn sent_frame(&mut self, begun: u8) {
        self.0 = (self.0 & !MESSAGE) | if FrameHeader::is_last(begun) { 0 } else { begun & MESSAGE };
    }
}
