//! Why the program does not end with success, and the exit status for it.

use std::fmt;
use std::io;
use std::process::ExitCode;

use sockless::OpeningError;
use sockless_connect::{Closed, ConnectError, Error, ProtocolError};

/// Shown below the help.
pub const EXIT_CODES: &str = "\
Exit status:
  0  the connection was closed in order, with the code 1000, 1001 or none
  1  something else failed, such as reading standard input
  2  the arguments are wrong
  3  the host was not found, or could not be reached
  4  the proxy did not open the way
  5  TLS could not be set up: the certificate is not trusted, for example
  6  the server refused: it answered with another status than 101
  7  the peer broke the protocol, or a limit of ours
  8  the peer closed with another code
  9  a time limit was up
  10 the connection was lost";

/// What the exit status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Other = 1,
    Usage = 2,
    Unreachable = 3,
    Proxy = 4,
    Tls = 5,
    Refused = 6,
    Protocol = 7,
    ClosedOtherwise = 8,
    TimedOut = 9,
    Lost = 10,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why the program does not end with success.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    message: String,
}

impl Failure {
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string() }
    }

    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// What the end of a connection means: nothing, if it was in order.
    pub fn of_end(closed: Option<Closed>, reason: &str) -> Result<(), Self> {
        let Some(closed) = closed else { return Err(Self::new(Exit::Lost, "the connection was lost")) };
        match closed.error {
            Some(error) => Err(error.into()),
            None if !closed.clean => {
                Err(Self::new(Exit::Lost, "the connection ended without a closing handshake"))
            }
            None if matches!(closed.status, 1000 | 1001 | 1005) => Ok(()),
            None => {
                let colon = if reason.is_empty() { "" } else { ": " };
                let message = format!("the peer closed with {}{colon}{reason}", closed.status);
                Err(Self::new(Exit::ClosedOtherwise, message))
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let exit = match &error {
            ConnectError::InvalidUrl(_)
            | ConnectError::InvalidRequest(_)
            | ConnectError::ProxyVariable(_)
            | ConnectError::TlsUnavailable => Exit::Usage,
            ConnectError::TimedOut(_) => Exit::TimedOut,
            ConnectError::Resolve(_) | ConnectError::Connect(_) => Exit::Unreachable,
            ConnectError::Proxy(_) => Exit::Proxy,
            ConnectError::Tls(_) => Exit::Tls,
            ConnectError::Rejected(_) | ConnectError::TooManyRedirects(_) => Exit::Refused,
            ConnectError::Handshake(error) => exit_of(error),
            _ => Exit::Other,
        };
        Self::new(exit, error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(exit_of(&error), error)
    }
}

impl From<ProtocolError> for Failure {
    fn from(error: ProtocolError) -> Self {
        Error::from(error).into()
    }
}

impl From<io::Error> for Failure {
    /// Of standard input or output, or of a file.
    fn from(error: io::Error) -> Self {
        Self::new(Exit::Other, error)
    }
}

fn exit_of(error: &Error) -> Exit {
    match error {
        Error::Protocol(ProtocolError::TimedOut(_)) => Exit::TimedOut,
        Error::Protocol(ProtocolError::UnexpectedEof) | Error::Io(_) => Exit::Lost,
        Error::Opening(OpeningError::Refused(_)) => Exit::Refused,
        Error::Protocol(_) | Error::Opening(_) => Exit::Protocol,
        _ => Exit::Other,
    }
}
