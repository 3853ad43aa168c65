//! Whole messages on the heap.
//
// Owns: messages that do not borrow from a buffer.
// Must not know: connections.

use alloc::string::String;
use alloc::vec::Vec;

use super::Message;
use crate::payload::{AsPayload, Payload};

/// A whole message that owns its octets. For channels and `Stream`s.
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 6455 section 5.6 knows two kinds of data")]
pub enum OwnedMessage {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl OwnedMessage {
    /// The message, borrowed.
    pub fn as_message(&self) -> Message<'_> {
        match self {
            Self::Text(text) => Message::Text(text),
            Self::Binary(octets) => Message::Binary(octets),
        }
    }

    /// The text, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        self.as_message().as_text()
    }

    /// The octets, whether it is text or not.
    pub fn as_bytes(&self) -> &[u8] {
        self.as_message().as_bytes()
    }
}

impl AsPayload for OwnedMessage {
    fn as_payload(&self) -> Payload<'_> {
        self.as_message().into()
    }
}

impl From<Message<'_>> for OwnedMessage {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Text(text) => Self::Text(text.into()),
            Message::Binary(octets) => Self::Binary(octets.into()),
        }
    }
}

impl From<String> for OwnedMessage {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for OwnedMessage {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<Vec<u8>> for OwnedMessage {
    fn from(octets: Vec<u8>) -> Self {
        Self::Binary(octets)
    }
}

impl core::fmt::Debug for OwnedMessage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} octets)", text.len()),
            Self::Binary(octets) => write!(f, "Binary({} octets)", octets.len()),
        }
    }
}
