//! Why an opening handshake failed.
//
// Owns: the error and what it reports of the server's answer.
// Must not know: how the handshake is done, or any transport.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::handshake::{ComposeError, HandshakeError};

/// Why an opening handshake failed, beyond the transport.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpeningError {
    /// The peer broke a rule; a client was told by a status.
    Handshake(HandshakeError),
    /// The application refused the request, and the client was told by this status.
    Refused(u16),
    /// A plain HTTP request came, and was answered with 426.
    NotWebSocket,
    /// The server answered otherwise. In a box, since what every operation may return holds it.
    Rejected(Box<Rejection>),
    /// Our own options would make an invalid head.
    Compose(ComposeError),
    /// A `wss:` URI was to be opened without TLS.
    TlsRequired,
    /// The opening time was up while a client did this. Where it is up later, in the handshake itself, that is
    /// [`Timeout::OpeningHandshake`](crate::Timeout::OpeningHandshake).
    TimedOut(ConnectStage),
    /// There is no nonce to be had.
    Entropy,
}

impl fmt::Display for OpeningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake(error) => error.fmt(f),
            Self::Refused(status) => write!(f, "the request was refused with status {status}"),
            Self::NotWebSocket => f.write_str("the request does not ask for a WebSocket"),
            Self::Rejected(rejection) => rejection.fmt(f),
            Self::Compose(error) => error.fmt(f),
            Self::TlsRequired => f.write_str("a wss URI needs a transport with TLS"),
            Self::TimedOut(stage) => write!(f, "{stage} took too long"),
            Self::Entropy => f.write_str("there is no nonce to be had"),
        }
    }
}

// What an error is made of is printed by `Display`; there is no source that would print it again.
impl core::error::Error for OpeningError {}

impl From<HandshakeError> for OpeningError {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}

impl From<ComposeError> for OpeningError {
    fn from(error: ComposeError) -> Self {
        Self::Compose(error)
    }
}

/// A server's answer that was no 101.
///
/// Printed for debugging, it shows neither the values of fields nor the body: they may be credentials.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// The status: from 200. Above 599 it is invalid, and to be treated as a 5xx (RFC 9110 section 15).
    pub status: u16,
    /// The header fields in order, such as `Location` or `WWW-Authenticate`.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The body, without chunks, up to [`Settings::max_rejection_body`](super::Settings::max_rejection_body).
    pub body: Vec<u8>,
    /// Whether that is the whole body. It is not if it is longer than the bound, if the time was up or the
    /// transport ended before, or if nothing says where it ends.
    pub complete: bool,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered with status {}", self.status)
    }
}

/// What comes before the handshake where a client connects.
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

debug_states!([] Rejection, |this| { status: this.status, fields: this.fields.len(), body: this.body.len() });
