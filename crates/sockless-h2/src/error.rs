//! Why a WebSocket over HTTP/2 was not opened, and why its stream failed.
//
// Owns: the errors, and what an error of HTTP/2 is in terms of a transport.
// Must not know: how a stream is read, written or opened.

use std::fmt;
use std::io;

use bytes::Bytes;
use h2::Reason;
use sockless::handshake::{ComposeError, HandshakeError, UriError};
use sockless::OpeningError;

/// Why a WebSocket was not opened.
///
/// `Debug` shows neither the values of header fields nor a body.
#[non_exhaustive]
pub enum Error {
    /// The handshake failed. A server has answered with the status for it.
    Opening(OpeningError),
    /// At a client: the server answered with this, and not with a 2xx. Of the body there is as much as
    /// [`ClientConfig::max_rejection_body`](sockless::ClientConfig::max_rejection_body) allows and as came in time.
    Rejected(Box<http::Response<Bytes>>),
    /// At a client: the server has not said that it takes extended CONNECT (RFC 8441 section 3). Nothing was sent.
    NotEnabled,
    /// At a client: no answer came within the opening time.
    TimedOut,
    /// The stream or its connection failed: see [`StreamError`].
    Io(io::Error),
}

/// What became of a stream, inside of an [`io::Error`].
///
/// ```
/// use sockless_h2::{h2::Reason, StreamError};
///
/// fn is_too_busy(error: &std::io::Error) -> bool {
///     let stream = error.get_ref().and_then(|inner| inner.downcast_ref::<StreamError>());
///     stream.and_then(StreamError::reason) == Some(Reason::ENHANCE_YOUR_CALM)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamError {
    end: End,
    reason: Option<Reason>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Reset,
    GoAway,
    Fault,
    Closed,
}

impl StreamError {
    /// The code of the RST_STREAM or GOAWAY (RFC 9113 section 7).
    pub const fn reason(&self) -> Option<Reason> {
        self.reason
    }

    pub(crate) fn reset(reason: Reason) -> io::Error {
        let kind = match reason {
            Reason::REFUSED_STREAM => io::ErrorKind::ConnectionRefused,
            Reason::NO_ERROR => io::ErrorKind::BrokenPipe,
            _ => io::ErrorKind::ConnectionReset,
        };
        io::Error::new(kind, Self { end: End::Reset, reason: Some(reason) })
    }

    /// Our direction has ended already.
    pub(crate) fn closed() -> io::Error {
        io::Error::new(io::ErrorKind::BrokenPipe, Self { end: End::Closed, reason: None })
    }

    pub(crate) fn of(error: h2::Error) -> io::Error {
        let reason = error.reason();
        if error.is_library() {
            return io::Error::new(io::ErrorKind::InvalidData, Self { end: End::Fault, reason });
        }
        match reason {
            Some(reason) if error.is_reset() => Self::reset(reason),
            Some(_) => io::Error::new(io::ErrorKind::ConnectionAborted, Self { end: End::GoAway, reason }),
            None => error.into_io().unwrap_or_else(Self::closed),
        }
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.end {
            End::Reset => "the stream was reset",
            End::GoAway => "the peer ended the HTTP/2 connection",
            End::Fault => "the peer broke a rule of HTTP/2",
            End::Closed => "the stream is closed",
        })?;
        match self.reason {
            Some(reason) => write!(f, " ({reason:?})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for StreamError {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opening(error) => error.fmt(f),
            Self::Rejected(response) => {
                write!(f, "the server answered with status {}", response.status().as_u16())
            }
            Self::NotEnabled => f.write_str("the server does not take WebSockets over HTTP/2"),
            Self::TimedOut => f.write_str("the opening handshake took too long"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opening(error) => f.debug_tuple("Opening").field(error).finish(),
            Self::Rejected(response) => f.debug_tuple("Rejected").field(&response.status()).finish(),
            Self::NotEnabled => f.write_str("NotEnabled"),
            Self::TimedOut => f.write_str("TimedOut"),
            Self::Io(error) => f.debug_tuple("Io").field(error).finish(),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The text is that of the inner error, so `source` skips it.
        match self {
            Self::Opening(error) => error.source(),
            Self::Io(error) => error.source(),
            _ => None,
        }
    }
}

impl From<h2::Error> for Error {
    fn from(error: h2::Error) -> Self {
        Self::Io(StreamError::of(error))
    }
}

impl From<OpeningError> for Error {
    fn from(error: OpeningError) -> Self {
        Self::Opening(error)
    }
}

impl From<HandshakeError> for Error {
    fn from(error: HandshakeError) -> Self {
        Self::Opening(error.into())
    }
}

impl From<ComposeError> for Error {
    fn from(error: ComposeError) -> Self {
        Self::Opening(error.into())
    }
}

impl From<UriError> for Error {
    fn from(error: UriError) -> Self {
        Self::Opening(error.into())
    }
}

impl From<http::Error> for Error {
    fn from(error: http::Error) -> Self {
        Self::Io(io::Error::new(io::ErrorKind::InvalidInput, error))
    }
}
