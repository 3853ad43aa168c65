//! Whole messages (RFC 6455 section 6), and what an adapter needs to receive and send them.
//!
//! - An application uses [`Message`], which borrows from the read buffer, `OwnedMessage`, which can be kept, and
//!   `Prepared`, a message that is encoded once and sent to many connections.
//! - An adapter drives an `Endpoint`: it has buffers for whole messages, and does everything but reading and writing.
//! - Without an allocator, [`SliceAssembler`] joins the pieces of a message.
//
// Owns: assembling what came in pieces, queueing what is to be sent, and the order in which an adapter reads
// and writes.
// Must not know: sockets, runtimes, or the opening handshake.

#[cfg(feature = "alloc")]
mod action;
mod assembler;
#[cfg(feature = "alloc")]
mod buffer_pool;
#[cfg(feature = "alloc")]
mod bytes;
#[cfg(feature = "alloc")]
mod compressing;
#[cfg(feature = "deflate")]
mod deflation;
#[cfg(feature = "alloc")]
mod directions;
#[cfg(feature = "alloc")]
mod endpoint;
#[cfg(feature = "alloc")]
mod inbound;
#[cfg(feature = "alloc")]
mod inflated;
#[cfg(feature = "deflate")]
mod inflation;
#[cfg(all(feature = "alloc", not(feature = "deflate")))]
mod no_deflate;
#[cfg(feature = "alloc")]
mod outbound;
#[cfg(feature = "alloc")]
mod owned;
#[cfg(feature = "alloc")]
mod prepared;
#[cfg(feature = "alloc")]
mod read_buffer;
#[cfg(feature = "alloc")]
mod read_size;
#[cfg(any(feature = "alloc", feature = "embedded-io-async"))]
mod turn;
#[cfg(feature = "alloc")]
mod write_queue;

#[cfg(feature = "alloc")]
pub use action::{Action, Ready, WriteSide};
#[cfg(any(feature = "embedded-io", feature = "embedded-io-async"))]
pub(crate) use assembler::whole;
pub use assembler::SliceAssembler;
#[cfg(feature = "alloc")]
pub use buffer_pool::BufferPool;
#[cfg(feature = "alloc")]
pub use compressing::{Compressing, Fed};
#[cfg(feature = "alloc")]
pub use directions::Directions;
#[cfg(feature = "alloc")]
pub use endpoint::{Buffers, Endpoint};
#[cfg(feature = "alloc")]
pub use inbound::Inbound;
#[cfg(feature = "alloc")]
pub use outbound::{Outbound, LONG_PAYLOAD};
#[cfg(feature = "alloc")]
pub use owned::OwnedMessage;
#[cfg(feature = "alloc")]
pub use prepared::Prepared;
#[cfg(feature = "embedded-io-async")]
pub(crate) use turn::Turn;
#[cfg(feature = "alloc")]
pub use write_queue::FeedError;

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
    #[inline]
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
