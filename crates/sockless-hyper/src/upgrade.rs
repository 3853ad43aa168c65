//! A WebSocket whose response is on its way.
//
// Owns: waiting until hyper hands the connection over.
// Must not know: how the request was judged.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{ready, Context, Poll};

use sockless::handshake::Negotiated;
use sockless::{Error, ProtocolError, ServerConfig, Timeout};
use tokio::time::{sleep, Sleep};

use crate::transport::Pending;
use crate::Socket;

/// A server's WebSocket that is being opened: await it for the [`Socket`], in a task of its own.
///
/// It is ready once hyper has written the response, so awaiting it before the response is returned waits in vain. Nothing
/// is spawned. It waits at most for [`Timeouts::opening`](sockless::Timeouts::opening), counted from the first poll; with
/// a time set, the first poll must be on tokio.
///
/// If another response than the accepted one is sent, drop this: over HTTP/1.1 hyper does not tell what was sent, so it waits
/// until that time is up, or opens a socket on a connection that has ended.
///
/// # Errors
///
/// [`Error::Io`] if the connection ended before the response was written, or is not served with upgrades;
/// [`Error::Protocol`] if the time was up.
///
/// # Cancel safety
///
/// Dropped, the connection is dropped with it.
#[must_use = "it opens nothing unless it is awaited"]
pub struct Upgrade {
    pending: Pending,
    config: ServerConfig,
    subprotocol: Option<String>,
    agreed: Negotiated,
    limit: Option<Pin<Box<Sleep>>>,
}

impl Upgrade {
    pub(crate) fn new(
        pending: Pending,
        config: &ServerConfig,
        subprotocol: Option<String>,
        agreed: Negotiated,
    ) -> Self {
        Self { pending, config: config.clone(), subprotocol, agreed, limit: None }
    }

    /// The subprotocol that is agreed on, if there is one.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// What is agreed on beside it.
    pub fn negotiated(&self) -> Negotiated {
        self.agreed
    }
}

impl Future for Upgrade {
    type Output = Result<Socket, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Poll::Ready(stream) = this.pending.poll(cx) else {
            let Some(limit) = this.config.timeouts.opening else { return Poll::Pending };
            ready!(this.limit.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx));
            return Poll::Ready(Err(ProtocolError::TimedOut(Timeout::OpeningHandshake).into()));
        };
        let stream = sockless::tokio::Tokio::new(stream?);
        let mut socket = Socket::with_endpoint(stream, this.config.endpoint(this.agreed, &[]));
        socket = socket.with_negotiated(this.agreed);
        if let Some(name) = this.subprotocol.take() {
            socket = socket.with_subprotocol(name);
        }
        if let Some(connections) = this.config.connections() {
            socket = socket.with_connections(connections);
        }
        Poll::Ready(Ok(socket))
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade")
            .field("agreed", &self.agreed)
            .field("has_subprotocol", &self.subprotocol.is_some())
            .finish_non_exhaustive()
    }
}
