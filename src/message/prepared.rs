//! One message for many connections.
//!
//! Owns: a frame that was encoded once. Must not know: who receives it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::frame::{FrameHeader, MessageKind};
use crate::payload::Payload;

/// A message encoded once, to be sent by a server to any number of connections. Cloning shares the bytes.
///
/// Only servers can send it: a client masks every frame with a key of its own.
#[derive(Clone, Debug)]
pub struct Prepared {
    kind: MessageKind,
    frame: Arc<[u8]>,
}

impl Prepared {
    /// Encodes the message.
    pub fn new<'p>(message: impl Into<Payload<'p>>) -> Self {
        let payload = message.into();
        let octets = payload.octets();
        let header = FrameHeader::new(true, payload.kind().opcode(), octets.len() as u64, None).encode();
        let mut frame = Vec::with_capacity(header.as_bytes().len().saturating_add(octets.len()));
        frame.extend_from_slice(header.as_bytes());
        frame.extend_from_slice(octets);
        Self { kind: payload.kind(), frame: frame.into() }
    }

    /// Text or binary.
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The whole frame, as it goes on the wire.
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }
}
