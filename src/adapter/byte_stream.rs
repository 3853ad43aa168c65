//! Binary messages as a stream of bytes.
//
// Owns: what the end of a connection, a text and an error are to such a stream.
// Must not know: how it is read and written.

use alloc::vec::Vec;
use std::io;

use super::Error;
use crate::connection::closing::Closed;
use crate::error::{ProtocolError, SendError};
use crate::event::Data;
use crate::frame::MessageKind;
use crate::payload::Payload;

/// Octets of a message. Less than is compressed in several turns, so nothing is half done between two polls.
const LONGEST: usize = 32 << 10;

pub(super) fn chunk(bytes: &[u8]) -> Payload<'_> {
    Payload::binary(bytes.get(..LONGEST).unwrap_or(bytes))
}

/// What was received and found no room.
#[derive(Default)]
pub(super) struct Rest {
    octets: Vec<u8>,
    taken: usize,
}

impl Rest {
    pub(super) fn take(&mut self, buf: &mut [u8]) -> usize {
        let count = copy(self.octets.get(self.taken..).unwrap_or(&[]), buf);
        self.taken = self.taken.saturating_add(count);
        if self.taken >= self.octets.len() {
            *self = Self::default(); // an idle stream has no buffer
        }
        count
    }

    /// Keeps what does not fit `buf`.
    pub(super) fn put(&mut self, piece: Data<'_>, buf: &mut [u8]) -> io::Result<usize> {
        if piece.kind() == MessageKind::Text {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a text message in a stream of bytes"));
        }
        let count = copy(piece.as_bytes(), buf);
        self.octets.extend_from_slice(piece.as_bytes().get(count..).unwrap_or(&[]));
        Ok(count)
    }
}

fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let count = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..count), to.get_mut(..count)) {
        to.copy_from_slice(from);
    }
    count
}

pub(super) fn end(closed: Option<Closed>) -> io::Result<usize> {
    match closed {
        Some(Closed { status: 1000 | 1005, .. }) => Ok(0),
        _ => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "closed before the end of the stream")),
    }
}

impl From<Error> for io::Error {
    /// The transport's own error, or one with this as its source.
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Io(error) => return error,
            Error::Send(SendError::Closed) => io::ErrorKind::BrokenPipe,
            Error::Protocol(ProtocolError::TimedOut(_)) => io::ErrorKind::TimedOut,
            Error::Protocol(ProtocolError::UnexpectedEof) => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

debug_states!([] Rest, |this| { octets: this.octets.len(), taken: this.taken });
