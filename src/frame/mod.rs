//! The wire format of frames (RFC 6455 section 5), for proxies, test tools and other engines.
//!
//! Nothing here checks whether a frame is legal: [`Reader`](crate::Reader) does, and [`Writer`](crate::Writer) writes
//! only legal ones.
//!
//! ```
//! use sockless::frame::{FrameHeader, Masker, Opcode};
//!
//! let mut frame = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; // RFC 6455 section 5.7
//! let (header, len) = FrameHeader::decode(&frame).expect("a whole header");
//! assert_eq!((header.opcode, header.fin, header.payload_len), (Opcode::TEXT, true, 5));
//!
//! let payload = &mut frame[len..];
//! Masker::new(header.masking_key.expect("a client masks")).apply(payload);
//! assert_eq!(payload, b"Hello");
//!
//! let header = FrameHeader::new(true, Opcode::TEXT, 5, None); // the same frame of a server
//! assert_eq!(header.encode().as_bytes(), b"\x81\x05");
//! ```
//!
//! # Intermediaries
//!
//! A proxy must not change the fragmentation of control frames (6455-5.4-11), nor any if it does not know the reserved
//! bits, the extensions or the opening handshake (6455-5.4-12).
//
// Owns: the bits of a frame and the masking algorithm.
// Must not know: roles, state, limits, or which frames are legal.

mod copy;
mod header;
mod mask;
mod opcode;
mod simd;

pub(crate) use copy::copy;
pub use header::{EncodedHeader, FrameHeader, LengthForm};
pub use mask::{Masker, MaskingKey};
pub use opcode::{MessageKind, Opcode, Rsv};
