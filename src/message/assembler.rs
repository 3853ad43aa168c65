//! Whole messages without an allocator.
//
// Owns: joining pieces in storage that the caller lends.
// Must not know: connections.

use super::Message;
use crate::error::ProtocolError;
use crate::event::Data;
use crate::frame::{MessageKind, Rsv};
use crate::utf8::whole_text;

/// Joins the pieces of messages in storage that the caller lends.
///
/// A message that came in one piece is returned as it is, and needs no storage.
pub struct SliceAssembler<'s> {
    storage: &'s mut [u8],
    len: usize,
    joining: bool,
}

impl<'s> SliceAssembler<'s> {
    /// `storage` holds messages of more than one piece: its length is the longest such message.
    pub fn new(storage: &'s mut [u8]) -> Self {
        Self { storage, len: 0, joining: false }
    }

    /// Takes the next piece. Returns the message once it is whole. A message whose beginning was not given is skipped.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::MessageTooBig`] if the message does not fit the storage, and
    /// [`ProtocolError::ReservedBits`] for a piece that an extension has transformed. Fail the connection with
    /// it ([`Reader::fail`](crate::Reader::fail)).
    pub fn push<'a>(&'a mut self, data: Data<'a>) -> Result<Option<Message<'a>>, ProtocolError> {
        if data.is_first() && data.is_last() && data.rsv() == Rsv::NONE {
            self.joining = false;
            return whole(data).map(Some);
        }
        match self.append(data)? {
            Some(kind) => self.joined(kind).map(Some),
            None => Ok(None),
        }
    }

    /// Returns the kind of the message if it is whole; [`joined`](Self::joined) has it.
    pub(crate) fn append(&mut self, data: Data<'_>) -> Result<Option<MessageKind>, ProtocolError> {
        if data.rsv() != Rsv::NONE {
            return Err(ProtocolError::ReservedBits);
        }
        if data.is_first() {
            self.len = 0;
            self.joining = true;
        }
        if !self.joining {
            return Ok(None);
        }
        let piece = data.as_bytes();
        // In two steps, so that the compiler sees equal lengths and the copy has no panic.
        let spare = self.storage.get_mut(self.len..).and_then(|spare| spare.get_mut(..piece.len()));
        spare.ok_or(ProtocolError::MessageTooBig)?.copy_from_slice(piece);
        self.len = self.len.saturating_add(piece.len());
        self.joining = !data.is_last();
        Ok(data.is_last().then_some(data.kind()))
    }

    /// Until the next piece is stored.
    pub(crate) fn joined(&self, kind: MessageKind) -> Result<Message<'_>, ProtocolError> {
        message(kind, self.storage.get(..self.len).unwrap_or(&[]))
    }
}

pub(crate) fn whole(data: Data<'_>) -> Result<Message<'_>, ProtocolError> {
    match data.as_str() {
        Some(text) => Ok(Message::Text(text)),
        // Not UTF-8, which is tolerated.
        None => Ok(Message::Binary(data.as_bytes())),
    }
}

/// Text that is not UTF-8 is tolerated ([`InvalidText`](crate::Tolerance::InvalidText)) and becomes a binary message.
pub(crate) fn message(kind: MessageKind, octets: &[u8]) -> Result<Message<'_>, ProtocolError> {
    match kind {
        MessageKind::Binary => Ok(Message::Binary(octets)),
        // Without `unsafe` the octets are checked again. Only joined texts pay for that.
        MessageKind::Text => match whole_text(octets) {
            Ok(text) => Ok(Message::Text(text)),
            Err(_) => Ok(Message::Binary(octets)),
        },
    }
}

debug_states!([] SliceAssembler<'_>, |this| { len: this.len, capacity: this.storage.len(), joining: this.joining });
