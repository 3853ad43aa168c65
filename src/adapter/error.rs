//! Errors on a real transport.
//
// Owns: one error type for all that can fail below.
// Must not know: any one transport.

use core::fmt;
use std::io;

#[cfg(all(feature = "handshake", feature = "rng"))]
use super::opening_error::OpeningError;
use crate::endpoint::FeedError;
use crate::error::{ProtocolError, SendError};
#[cfg(all(feature = "handshake", feature = "rng"))]
use crate::handshake::{ComposeError, UriError};

/// Why an operation on a WebSocket failed.
///
/// Another attempt to connect may do better after [`Io`](Self::Io) and [`Protocol`](Self::Protocol), and after a
/// [`Rejected`](OpeningError::Rejected) with a status of 429 or from 500 on, or a [`TimedOut`](OpeningError::TimedOut).
/// All else in [`Opening`](Self::Opening) comes again until the request, the URI or the server changes. Wait longer
/// after each attempt (RFC 6455 section 7.2.3).
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke the protocol or a limit, a timer ran out, or the peer is gone. It was told why, if possible.
    Protocol(ProtocolError),
    /// What should be sent is not allowed now.
    Send(SendError),
    /// Too much output waits for the peer.
    Full {
        /// How many bytes wait.
        queued: usize,
        /// How many bytes may wait.
        cap: usize,
    },
    /// The opening handshake failed.
    #[cfg(all(feature = "handshake", feature = "rng"))]
    Opening(OpeningError),
    /// The transport failed.
    Io(io::Error),
    /// A message is not the JSON that is expected, or a value cannot be written as JSON.
    #[cfg(feature = "json")]
    Json(crate::message::JsonError),
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
            #[cfg(feature = "json")]
            Self::Json(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        // The text is that of the inner error, so `source` skips it.
        match self {
            Self::Protocol(error) => error.source(),
            Self::Send(error) => error.source(),
            Self::Full { .. } => None,
            #[cfg(all(feature = "handshake", feature = "rng"))]
            Self::Opening(error) => error.source(),
            Self::Io(error) => error.source(),
            #[cfg(feature = "json")]
            Self::Json(error) => error.source(),
        }
    }
}

#[cfg(feature = "json")]
impl From<crate::message::JsonError> for Error {
    fn from(error: crate::message::JsonError) -> Self {
        Self::Json(error)
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

#[cfg(all(feature = "handshake", feature = "rng"))]
impl From<ComposeError> for Error {
    fn from(error: ComposeError) -> Self {
        Self::Opening(error.into())
    }
}

#[cfg(all(feature = "handshake", feature = "rng"))]
impl From<UriError> for Error {
    fn from(error: UriError) -> Self {
        Self::Opening(error.into())
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Two halves that do not belong to one WebSocket, returned.
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
