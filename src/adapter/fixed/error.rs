//! Errors on a transport of which only its own error type is known.
//
// Owns: one error type for all that can fail below.
// Must not know: any one transport.

use core::fmt;

#[cfg(feature = "handshake")]
use crate::adapter::OpeningError;
use crate::error::{ProtocolError, SendError};

/// Why an operation on a WebSocket failed. `E` is the transport's own error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error<E> {
    /// The peer broke the protocol or a limit, a timer ran out, or the peer is gone. It was told why, if possible.
    Protocol(ProtocolError),
    /// What should be sent is not allowed now, or no masking key could be drawn.
    Send(SendError),
    /// The opening handshake failed.
    #[cfg(feature = "handshake")]
    Opening(OpeningError),
    /// The transport failed. After a time-out the connection can still be used: see the adapter.
    Io(E),
    /// The transport has accepted 0 bytes of a write.
    WriteZero,
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(error) => error.fmt(f),
            Self::Send(error) => error.fmt(f),
            #[cfg(feature = "handshake")]
            Self::Opening(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
            Self::WriteZero => f.write_str("the transport took nothing"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for Error<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        // The text is that of the inner error, so `source` skips it.
        match self {
            Self::Protocol(error) => error.source(),
            Self::Send(error) => error.source(),
            #[cfg(feature = "handshake")]
            Self::Opening(error) => error.source(),
            Self::Io(error) => error.source(),
            Self::WriteZero => None,
        }
    }
}

impl<E> From<ProtocolError> for Error<E> {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

impl<E> From<SendError> for Error<E> {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}

#[cfg(feature = "handshake")]
impl<E> From<OpeningError> for Error<E> {
    fn from(error: OpeningError) -> Self {
        Self::Opening(error)
    }
}
