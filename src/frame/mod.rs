//! The wire format of RFC 6455 section 5, usable alone: any frame can be read and built, invalid ones too.
//!
//! Owns: the bits of a frame and the masking algorithm. Must not know: roles, state, limits, or which frames are
//! legal; those are judged by [`Reader`](crate::Reader) and kept by [`Writer`](crate::Writer).

mod header;
mod mask;
mod opcode;

pub use header::{EncodedHeader, FrameHeader, LengthForm};
pub use mask::{Masker, MaskingKey};
pub use opcode::{MessageKind, Opcode, Rsv};
