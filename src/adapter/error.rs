//! What can go wrong on a real transport.
//
// Owns: the sum of the errors below.
// Must not know: any one transport.

use core::fmt;
use std::io;

#[cfg(all(feature = "handshake", feature = "rng"))]
use super::opening_error::OpeningError;
use crate::error::{ProtocolError, SendError};
use crate::message::FeedError;

/// Why an operation on a WebSocket failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke the protocol, a limit or a deadline, or vanished; it was told why where that was
    /// possible.
    Protocol(ProtocolError),
    /// The connection does not allow what was to be sent.
    Send(SendError),
    /// Too much output waits for the peer already.
    Full {
        /// Bytes that wait.
        queued: usize,
        /// Bytes that may wait.
        cap: usize,
    },
    /// The opening handshake failed.
    #[cfg(all(feature = "handshake", feature = "rng"))]
    Opening(OpeningError),
    /// The transport failed.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(error) => error.fmt(f),
            Self::Send(error) => error.fmt(f),
            Self::Full { queued, cap } => FeedError::Full { queued: *queued, cap: *cap }.fmt(f),
            #[cfg(all(feature = "handshake", feature = "rng"))]
            Self::Opening(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        // The text is that of what lies below, so the chain goes on behind that.
        match self {
            Self::Protocol(error) => error.source(),
            Self::Send(error) => error.source(),
            Self::Full { .. } => None,
            #[cfg(all(feature = "handshake", feature = "rng"))]
            Self::Opening(error) => error.source(),
            Self::Io(error) => error.source(),
        }
    }
}

impl From<ProtocolError> for Error {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}

impl From<FeedError> for Error {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Full { queued, cap } => Self::Full { queued, cap },
            FeedError::Send(error) => Self::Send(error),
        }
    }
}

#[cfg(all(feature = "handshake", feature = "rng"))]
impl From<OpeningError> for Error {
    fn from(error: OpeningError) -> Self {
        Self::Opening(error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Two halves that are not of one WebSocket, given back by the attempt to put them together.
pub struct ReuniteError<A, B>(
    /// The receiving half.
    pub A,
    /// The sending half.
    pub B,
);

impl<A, B> fmt::Debug for ReuniteError<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReuniteError(..)")
    }
}

impl<A, B> fmt::Display for ReuniteError<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these are not halves of one WebSocket")
    }
}

impl<A, B> core::error::Error for ReuniteError<A, B> {}
