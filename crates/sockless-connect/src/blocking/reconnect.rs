//! One connection after the other, on blocking sockets.
//
// Owns: the order of connecting, waiting and asking whether to go on.
// Must not know: how long to wait, or what is worth another attempt.

use std::thread::sleep;
use std::time::Instant;

use sockless::Timestamp;

use super::Socket;
use crate::reconnect::{common, Course};
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

common! {
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
}

impl Reconnect {
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
        if !self.goes_on()? {
            return Ok(None);
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
}
