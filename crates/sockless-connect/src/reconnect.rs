//! Whether and when to connect again.
//
// Owns: what both kinds of `Reconnect` decide.
// Must not know: how one waits or connects.

use std::time::{Duration, SystemTime};

use sockless::{CloseCode, CloseFrame, Closed, Entropy, Initiator, ProtocolError, SystemEntropy, Timestamp};

use crate::{Backoff, ConnectError, Interruption};

/// How connections to one server follow each other.
pub(crate) struct Course {
    pub(crate) backoff: Backoff,
    pub(crate) retry_if: Option<Box<RetryIf>>,
    /// The next attempt is not made before this time.
    pub(crate) not_before: Timestamp,
    /// Whether somebody has taken the connection out.
    pub(crate) is_taken: bool,
    entropy: SystemEntropy,
}

type RetryIf = dyn Fn(&Interruption<'_>) -> bool + Send + Sync;

impl Course {
    pub(crate) fn new() -> Self {
        Self {
            backoff: Backoff::new(),
            retry_if: None,
            not_before: Timestamp::from_micros(0),
            is_taken: false,
            entropy: SystemEntropy::new(),
        }
    }

    /// Whether to go on after this. Sets the wait in any case.
    pub(crate) fn goes_on_after(&mut self, now: Timestamp, interruption: &Interruption<'_>) -> bool {
        let mut random = [0; 4];
        // Without a random number the wait is the longest: that is worse for nobody but us.
        let random = self.entropy.fill(&mut random).map_or(u32::MAX, |()| u32::from_ne_bytes(random));
        let wait = self.backoff.failed(now, random);
        let asked = match interruption {
            Interruption::Failed(error) => error.retry_after(SystemTime::now()).unwrap_or_default(),
            _ => Duration::ZERO,
        };
        self.not_before = now.after(wait.unwrap_or(self.backoff.longest()).saturating_add(asked));
        let is_worth_it = match &self.retry_if {
            Some(retry_if) => retry_if(interruption),
            None => interruption.is_temporary(),
        };
        is_worth_it && wait.is_some()
    }

    /// The same where there was a connection, of which this is known. `Ok(false)` if the conversation has come to its end.
    ///
    /// Whoever reads no further after an error does not wait until the connection has ended: then it is not closed.
    pub(crate) fn goes_on_after_end(
        &mut self,
        now: Timestamp,
        closed: Option<Closed>,
        received: Option<CloseFrame<'_>>,
        failure: Option<ProtocolError>,
    ) -> Result<bool, ConnectError> {
        let (status, by, error) = match (closed, received, failure) {
            (Some(Closed { status, by, error, .. }), ..) => (status, by, error),
            (None, Some(close), _) => {
                (close.code().map_or(1005, CloseCode::value), Some(Initiator::Peer), None)
            }
            (None, None, Some(error)) => (1006, Some(Initiator::Local), Some(error)),
            (None, None, None) => {
                self.goes_on_after(now, &Interruption::Dropped);
                return Ok(true);
            }
        };
        let interruption = Interruption::Closed { status, by, error };
        if self.goes_on_after(now, &interruption) {
            Ok(true)
        } else if interruption.is_finished() {
            Ok(false)
        } else {
            Err(ConnectError::Closed { status, error })
        }
    }
}

/// What is the same in both kinds of `Reconnect`. The documentation of `set_connect` is given, as its example is not.
macro_rules! common {
    ($(#[$set_connect:meta])*) => {
        impl Reconnect {
            /// Sets how long to wait, and when to give up.
            #[must_use]
            pub fn with_backoff(mut self, backoff: Backoff) -> Self {
                self.course.backoff = backoff;
                self
            }

            /// Decides whether another attempt is worth it, in place of [`Interruption::is_temporary`]. This is called for
            /// everything that keeps the connection from being there, so it is the place to log that as well.
            #[must_use]
            pub fn with_retry_if(
                mut self,
                retry_if: impl Fn(&Interruption<'_>) -> bool + Send + Sync + 'static,
            ) -> Self {
                self.course.retry_if = Some(Box::new(retry_if));
                self
            }

            $(#[$set_connect])*
            pub fn set_connect(&mut self, connect: Connect) {
                self.connect = connect;
            }

            /// Takes the connection out, to split it into halves for example. Give it back with
            /// [`put_back`](Self::put_back) once it has ended, so that the next call of [`next`](Self::next) knows how.
            /// Otherwise that makes another connection in any case, after a wait.
            ///
            /// `None` if there is none, or if it is out already.
            pub fn take_socket(&mut self) -> Option<Socket> {
                let socket = self.socket.take();
                self.course.is_taken |= socket.is_some();
                socket
            }

            /// Gives the connection back that was taken out.
            pub fn put_back(&mut self, socket: Socket) {
                self.socket = Some(socket);
            }

            /// Whether to go on after the connection that there was, if any.
            fn goes_on(&mut self) -> Result<bool, ConnectError> {
                let now = self.now();
                let is_taken = std::mem::take(&mut self.course.is_taken);
                let Some(mut socket) = self.socket.take() else {
                    return match is_taken {
                        true => self.course.goes_on_after_end(now, None, None, None),
                        false => Ok(true),
                    };
                };
                let (closed, failure) = (socket.closed(), socket.endpoint().failure());
                self.course.goes_on_after_end(now, closed, socket.received_close(), failure)
            }

            fn now(&self) -> Timestamp {
                Timestamp::from_duration(self.began.elapsed())
            }
        }

        impl std::fmt::Debug for Reconnect {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct("Reconnect")
                    .field("connect", &self.connect)
                    .field("backoff", &self.course.backoff)
                    .field("is_open", &self.socket.is_some())
                    .finish_non_exhaustive()
            }
        }
    };
}

pub(crate) use common;
