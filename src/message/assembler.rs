//! Whole messages without an allocator.
//!
//! Owns: joining pieces in storage that the caller lends. Must not know: connections.

use super::Message;
use crate::error::ProtocolError;
use crate::event::Data;
use crate::frame::{MessageKind, Rsv};

/// Joins the pieces of messages in storage that the caller lends.
///
/// A message that came in one piece is handed out as it is and needs no storage.
#[derive(Debug)]
pub struct SliceAssembler<'s> {
    storage: &'s mut [u8],
    len: usize,
}

impl<'s> SliceAssembler<'s> {
    /// Messages of more than one piece may be as long as `storage`.
    pub fn new(storage: &'s mut [u8]) -> Self {
        Self { storage, len: 0 }
    }

    /// Takes the next piece; gives the message once it is whole.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::MessageTooBig`] if the message outgrows the storage, and
    /// [`ProtocolError::ReservedBits`] for a piece that an extension has transformed. Fail the connection
    /// with it ([`Reader::fail`](crate::Reader::fail)).
    pub fn push<'a>(&'a mut self, data: Data<'a>) -> Result<Option<Message<'a>>, ProtocolError> {
        if data.rsv() != Rsv::NONE {
            return Err(ProtocolError::ReservedBits);
        }
        if data.is_first() {
            self.len = 0;
            if data.is_last() {
                return message(data.kind(), data.bytes()).map(Some);
            }
        }
        let piece = data.bytes();
        // In two steps, so that the lengths are seen to be equal and the copy holds no panic.
        let spare = self.storage.get_mut(self.len..).and_then(|spare| spare.get_mut(..piece.len()));
        spare.ok_or(ProtocolError::MessageTooBig)?.copy_from_slice(piece);
        self.len = self.len.saturating_add(piece.len());
        if data.is_last() {
            let whole = self.storage.get(..self.len).unwrap_or(&[]);
            self.len = 0;
            return message(data.kind(), whole).map(Some);
        }
        Ok(None)
    }
}

/// The message of these octets, which the reader has checked.
pub(super) fn message(kind: MessageKind, octets: &[u8]) -> Result<Message<'_>, ProtocolError> {
    match kind {
        MessageKind::Binary => Ok(Message::Binary(octets)),
        // A cast from checked octets to `str` takes `unsafe` or this second look; only joined texts pay it.
        MessageKind::Text => match core::str::from_utf8(octets) {
            Ok(text) => Ok(Message::Text(text)),
            Err(_) => Err(ProtocolError::InvalidUtf8),
        },
    }
}
