//! What is between TCP and WebSocket for `wss:`.
//
// Owns: which library sets TLS up.
// Must not know: what that library is told.

#[cfg(feature = "tokio")]
use std::future::Future;
use std::io;
#[cfg(feature = "tokio")]
use std::pin::Pin;
use std::sync::Arc;

use sockless::blocking::BlockingTransport;
#[cfg(feature = "tokio")]
use tokio::io::{AsyncRead, AsyncWrite};

use crate::blocking;
#[cfg(feature = "tokio")]
use crate::Stream;
#[cfg(feature = "rustls")]
use crate::Tls;

/// How TLS is set up, where a connection does not do it as all others.
#[derive(Clone)]
pub(crate) enum Layer {
    #[cfg(feature = "rustls")]
    Tls(Tls),
    #[cfg(feature = "rustls")]
    Rustls(Arc<rustls::ClientConfig>),
    /// By another library, on tokio.
    #[cfg(feature = "tokio")]
    Tokio(Arc<Wrap>),
    /// By another library, on blocking sockets.
    Blocking(Arc<WrapBlocking>),
}

/// Sets TLS up on a stream, for a host of this name.
#[cfg(feature = "tokio")]
type Wrap = dyn Fn(Stream, String) -> Wrapping + Send + Sync;
#[cfg(feature = "tokio")]
type Wrapping = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;
type WrapBlocking = dyn Fn(blocking::Stream, String) -> io::Result<blocking::Stream> + Send + Sync;

impl Layer {
    /// Of what another library does on tokio.
    #[cfg(feature = "tokio")]
    pub(crate) fn on_tokio<S, F>(wrap: impl Fn(Stream, String) -> F + Send + Sync + 'static) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        F: Future<Output = io::Result<S>> + Send + 'static,
    {
        Self::Tokio(Arc::new(move |stream, host| {
            let wrapped = wrap(stream, host);
            Box::pin(async move { wrapped.await.map(Stream::other) })
        }))
    }

    /// Of what another library does on blocking sockets.
    pub(crate) fn blocking<S: BlockingTransport + Send + 'static>(
        wrap: impl Fn(blocking::Stream, String) -> io::Result<S> + Send + Sync + 'static,
    ) -> Self {
        Self::Blocking(Arc::new(move |stream, host| wrap(stream, host).map(blocking::Stream::other)))
    }

    /// As all connections do it that set nothing else. `None` if there is no TLS in this program.
    pub(crate) fn of_process() -> Option<Self> {
        #[cfg(feature = "rustls")]
        return Some(Self::Tls(Tls::of_process().clone()));
        #[cfg(not(feature = "rustls"))]
        None
    }
}
