//! One connection after the other, on tokio.
//
// Owns: the order of connecting, waiting and asking whether to go on.
// Must not know: how long to wait, or what is worth another attempt.

use std::future::Future;
use std::pin::Pin;

use sockless::Timestamp;
use tokio::time::{sleep, Instant};

use crate::reconnect::{common, Course};
use crate::{Backoff, Connect, ConnectError, Interruption, Response, Socket};

/// Connections to one server, one after the other: when one is lost, the next is made, after a wait.
///
/// [`Backoff`] says how long the waits are. If a server asks for a longer one (`Retry-After`, RFC 9110 section 10.2.3),
/// it is given up to ten minutes, and the wait comes on top, so that not all clients come back in the same second.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use sockless_connect::Connect;
///
/// let mut feed = Connect::new("wss://example.com/prices").reconnecting().with_retry_if(|why| {
///     eprintln!("{why}");
///     why.is_temporary()
/// });
/// while let Some((socket, _response)) = feed.next().await? {
///     if socket.send("{\"subscribe\":\"EURUSD\"}").await.is_err() {
///         continue;
///     }
///     while let Ok(Some(message)) = socket.recv().await {
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
    attempt: Option<Attempt>,
    socket: Option<Socket>,
}

type Attempt = Pin<Box<dyn Future<Output = Result<(Socket, Response), ConnectError>> + Send>>;

impl Connect {
    /// Connects again whenever the connection is lost. The first attempt is made at once.
    pub fn reconnecting(self) -> Reconnect {
        Reconnect { connect: self, course: Course::new(), began: Instant::now(), attempt: None, socket: None }
    }
}

common! {
    /// From the next attempt on, connects with these settings: with another token, for example, where the server did not
    /// take the one before.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use sockless_connect::{Connect, ConnectError};
    /// # async fn token() -> Result<String, std::io::Error> { Ok(String::new()) }
    ///
    /// let server = Connect::new("wss://example.com/prices");
    /// let mut feed = server.clone().with_bearer(token().await?).reconnecting();
    /// loop {
    ///     match feed.next().await {
    ///         Ok(Some((socket, _response))) => while let Ok(Some(_message)) = socket.recv().await {},
    ///         Ok(None) => return Ok(()),
    ///         Err(ConnectError::Rejected(response)) if response.status() == 401 => {
    ///             feed.set_connect(server.clone().with_bearer(token().await?));
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
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: an attempt or a wait that was begun goes on with the next call. But while no call waits for it,
    /// the attempt does not go on, while its time does.
    pub async fn next(&mut self) -> Result<Option<(&mut Socket, Response)>, ConnectError> {
        if !self.goes_on()? {
            return Ok(None);
        }
        let (socket, response) = loop {
            let wait = self.course.not_before.since(self.now());
            if !wait.is_zero() {
                sleep(wait).await;
            }
            let attempt = self.attempt.get_or_insert_with(|| {
                let connect = self.connect.clone();
                Box::pin(async move { connect.connect().await })
            });
            let result = attempt.as_mut().await;
            self.attempt = None;
            match result {
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
