//! One connection after the other, on blocking sockets.
//
// Owns: the order of connecting, waiting and asking whether to go on.
// Must not know: how long to wait, or what is worth another attempt.

use std::fmt;
use std::thread::sleep;
use std::time::Instant;

use sockless::Timestamp;

use super::Socket;
use crate::reconnect::Course;
use crate::{Backoff, Connect, ConnectError, Interruption, Response};

/// Connections to one server, one after the other: when one is lost, the next is made, after a wait.
///
/// [`Backoff`] says how long the waits are. If a server asks for a longer one (`Retry-After`, RFC 9110 section 10.2.3),
/// it is given up to ten minutes, and the wait comes on top, so that not all clients come back in the same second.
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use sockless_connect::Connect;
///
/// let mut feed = Connect::new("wss://example.com/prices").reconnecting_blocking();
/// while let Some((socket, _response)) = feed.next()? {
///     while let Ok(Some(message)) = socket.recv() {
///         println!("{}", message.as_text().unwrap_or("(bytes)"));
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct Reconnect {
    connect: Connect,
    course: Course,
    began: Instant,
    socket: Option<Socket>,
}

impl Connect {
    /// Connects again whenever the connection is lost, on blocking sockets. The first attempt is made at once.
    pub fn reconnecting_blocking(self) -> Reconnect {
        Reconnect { connect: self, course: Course::new(), began: Instant::now(), socket: None }
    }
}

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

    /// From the next attempt on, connects with these settings: with another token, for example, where the server did not
    /// take the one before.
    ///
    /// ```no_run
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use sockless_connect::{Connect, ConnectError};
    /// # fn token() -> Result<String, std::io::Error> { Ok(String::new()) }
    ///
    /// let server = Connect::new("wss://example.com/prices");
    /// let mut feed = server.clone().with_bearer(token()?).reconnecting_blocking();
    /// loop {
    ///     match feed.next() {
    ///         Ok(Some((socket, _response))) => while let Ok(Some(_message)) = socket.recv() {},
    ///         Ok(None) => return Ok(()),
    ///         Err(ConnectError::Rejected(response)) if response.status() == 401 => {
    ///             feed.set_connect(server.clone().with_bearer(token()?));
    ///         }
    ///         Err(error) => return Err(error.into()),
    ///     }
    /// }
    /// # }
    /// ```
    pub fn set_connect(&mut self, connect: Connect) {
        self.connect = connect;
    }

    /// The next connection, and the answer that opened it. The one before is dropped first, even if it is still open.
    ///
    /// Waits as long as it must, and tries as often as it must. `None` if the conversation has come to its end
    /// ([`Interruption::is_finished`]), unless [`with_retry_if`](Self::with_retry_if) says to go on.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] of the last attempt, if another one is not worth it, or if the [`Backoff`] gives up.
    /// [`ConnectError::Closed`] if the connection itself ended so. Whoever calls this again goes on all the same, after a
    /// wait.
    #[expect(
        clippy::should_implement_trait,
        reason = "what it returns borrows this, and `?` is to be usable"
    )]
    pub fn next(&mut self) -> Result<Option<(&mut Socket, Response)>, ConnectError> {
        if let Some(mut socket) = self.socket.take() {
            let (closed, failure) = (socket.closed(), socket.endpoint().failure());
            let now = self.now();
            if !self.course.goes_on_after_end(now, closed, socket.received_close(), failure)? {
                return Ok(None);
            }
        }
        let (socket, response) = loop {
            sleep(self.course.not_before.since(self.now()));
            match self.connect.connect_blocking() {
                Ok(opened) => break opened,
                Err(error) => {
                    if !self.course.goes_on_after(self.now(), &Interruption::Failed(&error)) {
                        return Err(error);
                    }
                }
            }
        };
        self.course.backoff.opened(self.now());
        Ok(Some((self.socket.insert(socket), response)))
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_duration(self.began.elapsed())
    }
}

impl fmt::Debug for Reconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnect")
            .field("connect", &self.connect)
            .field("backoff", &self.course.backoff)
            .field("is_open", &self.socket.is_some())
            .finish_non_exhaustive()
    }
}
