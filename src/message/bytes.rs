//! Messages and the types of the crate `bytes`: feature `bytes`.
//
// Owns: where octets move between the two, and where they are copied.
// Must not know: connections.

use alloc::vec::Vec;

use ::bytes::{Bytes, BytesMut};

use super::{Message, OwnedMessage};
use crate::payload::{AsPayload, Payload};

impl AsPayload for Bytes {
    fn as_payload(&self) -> Payload<'_> {
        Payload::binary(self)
    }
}

impl AsPayload for BytesMut {
    fn as_payload(&self) -> Payload<'_> {
        Payload::binary(self)
    }
}

/// The octets of a message, of text as well, without a copy.
impl From<OwnedMessage> for Bytes {
    fn from(message: OwnedMessage) -> Self {
        match message {
            OwnedMessage::Text(text) => text.into(),
            OwnedMessage::Binary(octets) => octets.into(),
        }
    }
}

/// The octets of a message that is borrowed, copied once: what it borrows is used again for the next one.
impl From<Message<'_>> for Bytes {
    fn from(message: Message<'_>) -> Self {
        Self::copy_from_slice(message.as_bytes())
    }
}

/// A binary message. Without a copy where this is the only handle of a buffer on the heap.
impl From<Bytes> for OwnedMessage {
    fn from(octets: Bytes) -> Self {
        Self::Binary(Vec::from(octets))
    }
}
