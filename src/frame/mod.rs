//! The wire format of RFC 6455 section 5, usable alone: any frame can be read and built, invalid ones too.
//! Which frames are legal is checked by [`Reader`](crate::Reader); [`Writer`](crate::Writer) writes no others.
//!
//! An intermediary that forwards frames through here leaves the fragmentation of control frames as it is
//! (6455-5.4-11), and of all frames where it does not know the reserved bits, the extensions or the opening
//! handshake (6455-5.4-12).
//
// Owns: the bits of a frame and the masking algorithm.
// Must not know: roles, state, limits, or which frames are legal. `Reader` checks that, and `Writer` keeps to it.

mod copy;
mod header;
mod mask;
mod opcode;
mod simd;

pub(crate) use copy::copy;
pub use header::{EncodedHeader, FrameHeader, LengthForm};
pub use mask::{Masker, MaskingKey};
pub use opcode::{MessageKind, Opcode, Rsv};
