//! Errors on a transport of which only its own error type is known.
//
// Owns: one error type for all that can fail below.
// Must not know: any one transport.

use core::fmt;

use crate::error::{ProtocolError, SendError};
#[cfg(feature = "handshake")]
use crate::handshake::{ComposeError, HandshakeError};

/// Why an operation on a WebSocket failed. `E` is the transport's own error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error<E> {
    /// The peer broke the protocol or a limit, a timer ran out, or the peer is gone. It was told why, if that
    /// was possible.
    Protocol(ProtocolError),
    /// What should be sent is not allowed now, or no masking key could be drawn.
    Send(SendError),
    /// The opening handshake failed.
    #[cfg(feature = "handshake")]
    Opening(OpeningError),
    /// The transport failed. After a time-out the connection can still be used; the adapter's documentation
    /// says how.
    Io(E),
    /// The transport has accepted 0 bytes of a write, which its trait forbids.
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

/// Why an opening handshake failed, apart from the transport.
#[cfg(feature = "handshake")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpeningError {
    /// The peer broke a rule. A client was told with a status.
    Handshake(HandshakeError),
    /// The application refused the request. The client was told with this status.
    Refused(u16),
    /// A plain HTTP request was received, and answered with 426.
    NotWebSocket,
    /// The server answered with this status instead of 101.
    Rejected(u16),
    /// Our own options would make an invalid head, or one that is too long for the write buffer.
    Compose(ComposeError),
    /// No nonce could be drawn.
    Entropy,
}

#[cfg(feature = "handshake")]
impl fmt::Display for OpeningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake(error) => error.fmt(f),
            Self::Refused(status) => write!(f, "the request was refused with status {status}"),
            Self::NotWebSocket => f.write_str("the request does not ask for a WebSocket"),
            Self::Rejected(status) => write!(f, "the server answered with status {status}"),
            Self::Compose(error) => error.fmt(f),
            Self::Entropy => f.write_str("there is no nonce to be had"),
        }
    }
}

#[cfg(feature = "handshake")]
impl core::error::Error for OpeningError {}

#[cfg(feature = "handshake")]
impl From<HandshakeError> for OpeningError {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}

#[cfg(feature = "handshake")]
impl From<ComposeError> for OpeningError {
    fn from(error: ComposeError) -> Self {
        Self::Compose(error)
    }
}
