//! Whole messages (RFC 6455 section 6).
//!
//! - [`Message`] borrows from the read buffer, `OwnedMessage` can be kept, and `Prepared` is a message that is encoded
//!   once and sent to many connections.
//! - Without an allocator, [`SliceAssembler`] joins the pieces of a message.
//
// Owns: what a message is, and joining one that came in pieces.
// Must not know: connections, buffers that grow, or who sends.

mod assembler;
#[cfg(feature = "bytes")]
mod bytes;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "alloc")]
mod owned;
#[cfg(feature = "alloc")]
mod prepared;

#[cfg(feature = "alloc")]
pub(crate) use assembler::message;
#[cfg(any(feature = "alloc", feature = "embedded-io", feature = "embedded-io-async"))]
pub(crate) use assembler::whole;
pub use assembler::SliceAssembler;
#[cfg(feature = "json")]
pub use json::JsonError;
#[cfg(feature = "alloc")]
pub use owned::OwnedMessage;
#[cfg(feature = "alloc")]
pub use prepared::Prepared;

use crate::frame::MessageKind;
use crate::payload::{AsPayload, Payload};

/// A whole message, borrowed.
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 6455 section 5.6 knows two kinds of data")]
pub enum Message<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

impl<'a> Message<'a> {
    /// Text or binary.
    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }

    /// The text, if it is text.
    pub const fn as_text(&self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// The octets, of text as of bytes.
    pub const fn as_bytes(&self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(octets) => octets,
        }
    }

    /// The message with octets of its own: what is kept when the next one is received.
    #[cfg(feature = "alloc")]
    pub fn into_owned(self) -> OwnedMessage {
        self.into()
    }
}

impl AsPayload for Message<'_> {
    fn as_payload(&self) -> Payload<'_> {
        match self {
            Self::Text(text) => Payload::text(text),
            Self::Binary(octets) => Payload::binary(octets),
        }
    }
}

impl<'a> From<Message<'a>> for Payload<'a> {
    fn from(message: Message<'a>) -> Self {
        match message {
            Message::Text(text) => Payload::text(text),
            Message::Binary(octets) => Payload::binary(octets),
        }
    }
}

impl<'a> From<&'a str> for Message<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Message<'a> {
    fn from(octets: &'a [u8]) -> Self {
        Self::Binary(octets)
    }
}

impl core::fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} octets)", text.len()),
            Self::Binary(octets) => write!(f, "Binary({} octets)", octets.len()),
        }
    }
}
