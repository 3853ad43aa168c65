//! Why an opening handshake failed.
//
// Owns: the error and what it reports of the server's answer.
// Must not know: how the handshake is done, or any transport.

#[cfg(feature = "std")]
use alloc::boxed::Box;
#[cfg(feature = "std")]
use alloc::string::String;
#[cfg(feature = "std")]
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;

use crate::handshake::server::Reject;
use crate::handshake::{ComposeError, HandshakeError, UriError};

/// Why an opening handshake failed, beyond the transport.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpeningError {
    /// The peer broke a rule of the handshake. A server has answered with the status for it.
    Handshake(HandshakeError),
    /// At a server: the application refused the request with this status.
    Refused(u16),
    /// At a server: a plain HTTP request was answered with 426.
    NotWebSocket,
    /// At a client: the server did not answer with 101.
    Rejected(Rejection),
    /// Our own config or request makes an invalid head, or one that a buffer of firmware does not hold.
    Compose(ComposeError),
    /// At a client: the URI is invalid. No connection was made.
    InvalidUri(UriError),
    /// At a client: the URI is `wss:`. The package `sockless-connect` does TLS; or give a stream with TLS to `client`.
    TlsRequired,
    /// The opening time was up while a client did this. In the handshake itself that is
    /// [`Timeout::OpeningHandshake`](crate::Timeout::OpeningHandshake).
    TimedOut(ConnectStage),
    /// No nonce could be drawn.
    Entropy,
}

impl OpeningError {
    /// `None` if there is none, or if the application has given one.
    pub(super) fn answer(&self) -> Option<Reject<'static>> {
        match self {
            Self::Handshake(error) => Reject::for_error(*error),
            Self::NotWebSocket => Some(Reject::for_plain_http()),
            Self::Refused(_) => None,
            _ => Reject::new(500).ok(),
        }
    }
}

impl fmt::Display for OpeningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake(error) => error.fmt(f),
            Self::Refused(status) => write!(f, "the request was refused with status {status}"),
            Self::NotWebSocket => f.write_str("the request does not ask for a WebSocket"),
            Self::Rejected(rejection) => rejection.fmt(f),
            Self::Compose(error) => error.fmt(f),
            Self::InvalidUri(error) => error.fmt(f),
            Self::TlsRequired => {
                f.write_str("a wss URI needs TLS: use sockless-connect, or give a stream with TLS to client")
            }
            Self::TimedOut(stage) => write!(f, "{stage} took too long"),
            Self::Entropy => f.write_str("there is no nonce to be had"),
        }
    }
}

// `Display` prints what an error is made of.
impl core::error::Error for OpeningError {}

impl From<HandshakeError> for OpeningError {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}

impl From<UriError> for OpeningError {
    fn from(error: UriError) -> Self {
        Self::InvalidUri(error)
    }
}

impl From<Infallible> for OpeningError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<ComposeError> for OpeningError {
    fn from(error: ComposeError) -> Self {
        Self::Compose(error)
    }
}

/// A server's answer that was no 101. Firmware knows the status alone.
///
/// `Debug` shows neither the values of fields nor the body.
#[derive(Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Every operation may return it.
    #[cfg(feature = "std")]
    response: Box<RejectedResponse>,
    #[cfg(not(feature = "std"))]
    status: u16,
}

#[cfg(feature = "std")]
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct RejectedResponse {
    pub(super) status: u16,
    pub(super) fields: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
    pub(super) complete: bool,
}

impl Rejection {
    #[cfg(any(feature = "embedded-io", feature = "embedded-io-async"))]
    pub(super) fn of_status(status: u16) -> Self {
        #[cfg(feature = "std")]
        return Box::new(RejectedResponse { status, ..RejectedResponse::default() }).into();
        #[cfg(not(feature = "std"))]
        Self { status }
    }

    /// The status, 200 or above. Above 599 it is invalid; treat it as a 5xx (RFC 9110 section 15).
    pub fn status(&self) -> u16 {
        #[cfg(feature = "std")]
        return self.response.status;
        #[cfg(not(feature = "std"))]
        self.status
    }

    /// The header fields in order, such as `Location` or `WWW-Authenticate`.
    #[cfg(feature = "std")]
    pub fn fields(&self) -> &[(String, Vec<u8>)] {
        &self.response.fields
    }

    /// The body, without chunks, up to [`ClientConfig::max_rejection_body`](super::ClientConfig::max_rejection_body).
    #[cfg(feature = "std")]
    pub fn body(&self) -> &[u8] {
        &self.response.body
    }

    /// Whether [`body`](Self::body) is whole: not if it is longer than the bound, if the time was up or the transport
    /// ended before, or if nothing says where it ends.
    #[cfg(feature = "std")]
    pub fn is_complete(&self) -> bool {
        self.response.complete
    }
}

#[cfg(feature = "std")]
impl From<Box<RejectedResponse>> for Rejection {
    fn from(response: Box<RejectedResponse>) -> Self {
        Self { response }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered with status {}", self.status())
    }
}

/// What a client does before the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectStage {
    /// The addresses of the host are looked up.
    Resolving,
    /// A connection to one of them is made.
    Connecting,
}

impl fmt::Display for ConnectStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolving => "looking up the host",
            Self::Connecting => "connecting",
        })
    }
}

debug_states!([] Rejection, |this| { status: this.status() });
