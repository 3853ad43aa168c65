//! Why no WebSocket was opened.
//
// Owns: the error, and how far connecting came.
// Must not know: how connecting is done.

use std::error::Error as StdError;
use std::{fmt, io};

use sockless::handshake::{ComposeError, UriError};
use sockless::proxy::{Socks5Rejection, Socks5RequestError};
use sockless::{Error, OpeningError, ProtocolError, Timeout};

use crate::ProxyVariableError;
use crate::{Interruption, Response};

/// Why no WebSocket was opened.
///
/// Nothing stays behind: the connection is closed, and no task goes on. Only a look-up of a host cannot be interrupted:
/// its thread ends when the system's resolver has answered.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL is invalid. No connection was made.
    ///
    /// [`UriError::UserInfo`] also if it has a user name, and
    /// [`with_url_credentials`](crate::Connect::with_url_credentials) does not say that this is meant.
    InvalidUrl(UriError),
    /// A header field, a cookie, credentials, an origin or a subprotocol cannot stand in a request. Whatever was set
    /// with [`Connect`](crate::Connect) is checked before a connection is made.
    InvalidRequest(ComposeError),
    /// The token of [`with_bearer`](crate::Connect::with_bearer) is empty, or holds what no token has: a space or a line
    /// break, for example, where it was read from a file. No connection was made.
    InvalidToken,
    /// The URL is `wss:`, and there is no TLS: the crate was built without its feature `rustls`, and no other library
    /// was plugged in with `Connect::with_tls_by` (on tokio) or
    /// [`with_tls_by_blocking`](crate::Connect::with_tls_by_blocking). No connection was made.
    TlsUnavailable,
    /// The environment asks for a proxy that cannot be used. No connection was made.
    ProxyVariable(ProxyVariableError),
    /// The opening time was up in this stage.
    TimedOut(Stage),
    /// The addresses of the host were not found.
    Resolve(io::Error),
    /// No address of the host could be reached. The error is that of the first address that failed.
    Connect(io::Error),
    /// The proxy did not open the way to the server.
    Proxy(ProxyError),
    /// TLS could not be set up: the server's certificate is not trusted, for example, or our own could not be used, or the
    /// server says that it wants another one. A server that says nothing and ends the connection is
    /// [`Handshake`](Self::Handshake) in TLS 1.3.
    Tls(io::Error),
    /// The server answered with another status than 101.
    Rejected(Response),
    /// This redirect would be one more than
    /// [`with_redirects`](crate::Connect::with_redirects) allows.
    TooManyRedirects(Response),
    /// The answer broke a rule of the handshake, or the connection failed before it was whole.
    Handshake(Error),
    /// The connection before ended like this, and no other one was made
    /// ([`Interruption`](crate::Interruption)). Only where connections are made one after the other.
    Closed {
        /// The code of the Close that came; 1005 if it had none; 1006 if none came.
        status: u16,
        /// Why the connection failed, if it did.
        error: Option<ProtocolError>,
    },
}

impl ConnectError {
    /// In which stage it failed. `None` if it never began.
    pub const fn stage(&self) -> Option<Stage> {
        match self {
            Self::InvalidUrl(_)
            | Self::InvalidRequest(_)
            | Self::InvalidToken
            | Self::TlsUnavailable
            | Self::ProxyVariable(_)
            | Self::Closed { .. } => None,
            Self::TimedOut(stage) => Some(*stage),
            Self::Resolve(_) => Some(Stage::Resolving),
            Self::Connect(_) => Some(Stage::Connecting),
            Self::Proxy(_) => Some(Stage::Proxy),
            Self::Tls(_) => Some(Stage::Tls),
            Self::Rejected(_) | Self::TooManyRedirects(_) | Self::Handshake(_) => Some(Stage::Handshake),
        }
    }

    /// The server's answer, if that was a refusal.
    pub const fn response(&self) -> Option<&Response> {
        match self {
            Self::Rejected(response) | Self::TooManyRedirects(response) => Some(response),
            _ => None,
        }
    }
}

impl From<Error> for ConnectError {
    /// What a failed opening handshake means here.
    fn from(error: Error) -> Self {
        match error {
            Error::Opening(OpeningError::Rejected(rejection)) => Self::Rejected(rejection.into()),
            Error::Opening(OpeningError::Compose(error)) => Self::InvalidRequest(error),
            Error::Opening(OpeningError::InvalidUri(error)) => Self::InvalidUrl(error),
            Error::Protocol(ProtocolError::TimedOut(Timeout::OpeningHandshake)) => {
                Self::TimedOut(Stage::Handshake)
            }
            // TLS was up on our side before the server had judged our certificate, as TLS 1.3 has it.
            #[cfg(feature = "rustls")]
            Error::Io(error) if error.get_ref().is_some_and(|cause| cause.is::<rustls::Error>()) => {
                Self::Tls(error)
            }
            error => Self::Handshake(error),
        }
    }
}

impl From<ProxyError> for ConnectError {
    fn from(error: ProxyError) -> Self {
        Self::Proxy(error)
    }
}

impl From<ProxyVariableError> for ConnectError {
    fn from(error: ProxyVariableError) -> Self {
        Self::ProxyVariable(error)
    }
}

impl From<UriError> for ConnectError {
    fn from(error: UriError) -> Self {
        Self::InvalidUrl(error)
    }
}

impl From<ComposeError> for ConnectError {
    fn from(error: ComposeError) -> Self {
        Self::InvalidRequest(error)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidUrl(error) => write!(f, "the URL is invalid: {error}"),
            Self::InvalidRequest(error) => write!(f, "the request would be invalid: {error}"),
            Self::InvalidToken => {
                f.write_str("the bearer token is empty, or holds a space, a line break or the like")
            }
            Self::TlsUnavailable => f.write_str("the URL is wss, and there is no TLS in this program"),
            Self::ProxyVariable(error) => error.fmt(f),
            Self::TimedOut(stage) => write!(f, "{stage} took too long"),
            Self::Resolve(error) => write!(f, "the host was not found: {error}"),
            Self::Connect(error) => write!(f, "the host could not be reached: {error}"),
            Self::Proxy(error) => error.fmt(f),
            Self::Tls(error) => write!(f, "TLS could not be set up: {error}"),
            Self::Rejected(response) => write!(f, "the server answered with status {}", response.status()),
            Self::TooManyRedirects(_) => f.write_str("the server redirects too often"),
            Self::Closed { status, error } => {
                Interruption::Closed { status: *status, by: None, error: *error }.fmt(f)
            }
            Self::Handshake(error) => write!(f, "the opening handshake failed: {error}"),
        }
    }
}

impl StdError for ConnectError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The text has that of the inner error in it, so `source` skips it.
        match self {
            Self::InvalidUrl(error) => error.source(),
            Self::InvalidRequest(error) => error.source(),
            Self::ProxyVariable(error) => error.source(),
            Self::InvalidToken
            | Self::TlsUnavailable
            | Self::TimedOut(_)
            | Self::Rejected(_)
            | Self::TooManyRedirects(_)
            | Self::Closed { .. } => None,
            Self::Resolve(error) | Self::Connect(error) | Self::Tls(error) => error.source(),
            Self::Proxy(error) => error.source(),
            Self::Handshake(error) => error.source(),
        }
    }
}

/// Why a proxy did not open the way to a server.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProxyError {
    /// No request to a SOCKS5 proxy can hold the name of the server, or the credentials.
    Request(Socks5RequestError),
    /// The proxy itself was not found, or could not be reached.
    Unreachable(io::Error),
    /// TLS to the proxy could not be set up.
    Tls(io::Error),
    /// The HTTP proxy answered with another status than 2xx: 407 with the challenges in `Proxy-Authenticate` if it wants
    /// credentials, or 502 if it could not reach the server. The body is read as that of a server's refusal.
    Rejected(Response),
    /// The SOCKS5 proxy refused.
    Socks5(Socks5Rejection),
    /// The connection to the proxy failed, or the proxy broke a rule.
    Failed(io::Error),
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => write!(f, "the proxy cannot be asked: {error}"),
            Self::Unreachable(error) => write!(f, "the proxy could not be reached: {error}"),
            Self::Tls(error) => write!(f, "TLS to the proxy could not be set up: {error}"),
            Self::Rejected(response) => write!(f, "the proxy answered with status {}", response.status()),
            Self::Socks5(rejection) => rejection.fmt(f),
            Self::Failed(error) => write!(f, "the connection to the proxy failed: {error}"),
        }
    }
}

impl StdError for ProxyError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Request(error) => error.source(),
            Self::Unreachable(error) | Self::Tls(error) | Self::Failed(error) => error.source(),
            Self::Rejected(_) => None,
            Self::Socks5(rejection) => rejection.source(),
        }
    }
}

/// What is done until a WebSocket is open, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The addresses of the host are looked up.
    Resolving,
    /// A connection to one of them is made.
    Connecting,
    /// A proxy is connected to, and asked for the way to the server.
    Proxy,
    /// TLS is set up, for `wss:`.
    Tls,
    /// The request is sent, and the answer read.
    Handshake,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolving => "looking up the host",
            Self::Connecting => "connecting",
            Self::Proxy => "the way through the proxy",
            Self::Tls => "setting up TLS",
            Self::Handshake => "the opening handshake",
        })
    }
}
