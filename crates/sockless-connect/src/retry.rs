//! What is worth another attempt.
//
// Owns: which errors and which ends of a connection will perhaps not come again, and how long that takes.
// Must not know: how connecting is done.

use std::fmt;
use std::io;
use std::time::{Duration, SystemTime};

use sockless::proxy::Socks5Rejection;
use sockless::{Error, Initiator, OpeningError, ProtocolError, Timeout};

use crate::{ConnectError, ProxyError, Response};

/// The longest wait that a server is given which asks for one.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);

/// Why there is no connection any more, or still none.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Interruption<'e> {
    /// No WebSocket was opened.
    Failed(&'e ConnectError),
    /// The connection has ended, or is about to.
    Closed {
        /// The code of the Close that came; 1005 if it had none; 1006 if none came.
        status: u16,
        /// Who began.
        by: Option<Initiator>,
        /// Why the connection failed, if it did.
        error: Option<ProtocolError>,
    },
    /// The connection was in order, and another one was asked for. That one is made, whatever is said of this.
    Dropped,
}

impl Interruption<'_> {
    /// Whether another attempt is worth it, if nobody says otherwise.
    ///
    /// | | another attempt |
    /// |---|---|
    /// | [`Failed`](Self::Failed) | as [`ConnectError::is_temporary`] says |
    /// | we have closed | no |
    /// | the peer has closed with 1000 | no: the conversation has done what it was for |
    /// | 1001, 1011 to 1014 and 3008, without a code (1005), or no Close came (1006) | yes: the server or the way to it failed |
    /// | any other code: 1002, 1003, 1007 to 1010, 3000, 4000 … | no: the server refuses what we said, and would again |
    /// | we have failed it since the peer broke a rule or a limit | no: the same would come again |
    /// | we have failed it since a time was up | yes |
    /// | [`Dropped`](Self::Dropped) | yes |
    ///
    /// What the codes from 3000 on mean, the application knows: say so with
    /// [`with_retry_if`](crate::blocking::Reconnect::with_retry_if).
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Failed(error) => error.is_temporary(),
            Self::Closed { .. } if self.is_finished() => false,
            Self::Closed { error: Some(error), .. } => is_temporary_error(*error),
            Self::Closed { status, .. } => matches!(status, 1001 | 1005 | 1006 | 1011..=1014 | 3008),
            Self::Dropped => true,
        }
    }

    /// Whether the conversation has come to its end: we have closed, or the peer has with 1000.
    pub fn is_finished(&self) -> bool {
        let Self::Closed { status, by: Some(by), error } = self else { return false };
        match by {
            Initiator::Local => {
                matches!(error, None | Some(ProtocolError::TimedOut(Timeout::ClosingHandshake)))
            }
            Initiator::Peer => *status == 1000,
        }
    }
}

impl fmt::Display for Interruption<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Closed { error: Some(error), .. } => write!(f, "the connection failed: {error}"),
            Self::Closed { status, .. } => write!(f, "the connection was closed with status {status}"),
            Self::Dropped => f.write_str("the connection was dropped"),
        }
    }
}

impl ConnectError {
    /// Whether the same may succeed a while later: the server or the way to it failed, and not what was asked for.
    ///
    /// | | |
    /// |---|---|
    /// | an invalid URL, request or proxy variable; no TLS | no |
    /// | the host was not found or not reached, or a time was up | yes |
    /// | TLS | only if the connection failed: a certificate that is not trusted stays so |
    /// | the answer of the server or of the proxy | yes with 408, 429, 5xx; no with others, and with a redirect |
    /// | the handshake | only if the connection failed: a server that breaks a rule will again |
    /// | SOCKS5 | yes if it could not reach the server; no if it does not let us |
    ///
    /// A name that is misspelt is not told from one that cannot be looked up now. So an attempt that goes on for ever is
    /// better limited by [`Backoff::with_max_elapsed`](crate::Backoff::with_max_elapsed) where others write the URL.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::TimedOut(_) | Self::Resolve(_) | Self::Connect(_) => true,
            Self::Tls(error) => is_transport(error),
            Self::Rejected(response) => is_temporary_answer(response),
            Self::Handshake(error) => match error {
                Error::Io(error) => is_transport(error),
                Error::Protocol(error) => is_temporary_error(*error),
                Error::Opening(OpeningError::TimedOut(_) | OpeningError::Entropy) => true,
                _ => false,
            },
            Self::Proxy(error) => match error {
                ProxyError::Unreachable(_) => true,
                ProxyError::Tls(error) | ProxyError::Failed(error) => is_transport(error),
                ProxyError::Rejected(response) => is_temporary_answer(response),
                ProxyError::Socks5(rejection) => matches!(
                    rejection,
                    Socks5Rejection::GeneralFailure
                        | Socks5Rejection::NetworkUnreachable
                        | Socks5Rejection::HostUnreachable
                        | Socks5Rejection::ConnectionRefused
                        | Socks5Rejection::TtlExpired
                ),
                ProxyError::Request(_) => false,
            },
            _ => false,
        }
    }

    /// How long the server or the proxy asks to wait ([`Response::retry_after`]), if it does. At most ten minutes, so that
    /// a mistake there keeps nobody away for days. Add it to the wait of the [`Backoff`](crate::Backoff), so that not all
    /// clients come back in the same second.
    pub fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        let response = match self {
            Self::Rejected(response) | Self::Proxy(ProxyError::Rejected(response)) => response,
            _ => return None,
        };
        response.retry_after(now).map(|asked| asked.min(LONGEST_RETRY_AFTER))
    }
}

fn is_temporary_answer(response: &Response) -> bool {
    matches!(response.status(), 408 | 429 | 500..)
}

const fn is_temporary_error(error: ProtocolError) -> bool {
    matches!(error, ProtocolError::UnexpectedEof | ProtocolError::TimedOut(_))
}

/// Whether this is of the connection below. What a TLS library finds wrong is of another kind.
fn is_transport(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::UnexpectedEof
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::ConnectionRefused
            | Kind::BrokenPipe
            | Kind::NotConnected
            | Kind::TimedOut
            | Kind::NetworkDown
            | Kind::NetworkUnreachable
            | Kind::HostUnreachable
    )
}

#[cfg(test)]
mod tests;
