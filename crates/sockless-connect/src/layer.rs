//! What is between TCP and WebSocket for `wss:`.
//
// Owns: which library sets TLS up.
// Must not know: what that library is told.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

#[cfg(feature = "rustls")]
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
#[cfg(feature = "rustls")]
use tokio_rustls::TlsConnector;

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
    Custom(Arc<Wrap>),
}

/// Sets TLS up on a stream, for a host of this name.
type Wrap = dyn Fn(Stream, String) -> Wrapping + Send + Sync;
type Wrapping = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

impl Layer {
    /// Of what another library does.
    pub(crate) fn custom<S, F>(wrap: impl Fn(Stream, String) -> F + Send + Sync + 'static) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        F: Future<Output = io::Result<S>> + Send + 'static,
    {
        Self::Custom(Arc::new(move |stream, host| {
            let wrapped = wrap(stream, host);
            Box::pin(async move { wrapped.await.map(Stream::other) })
        }))
    }

    /// As all connections do it that set nothing else. `None` if there is no TLS in this program.
    pub(crate) fn of_process() -> Option<Self> {
        #[cfg(feature = "rustls")]
        return Some(Self::Tls(Tls::of_process().clone()));
        #[cfg(not(feature = "rustls"))]
        None
    }

    /// Sets TLS up.
    pub(crate) async fn wrap(self, stream: Stream, host: &str) -> io::Result<Stream> {
        match self {
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => with_rustls(tls.client_config().await?, stream, host).await,
            #[cfg(feature = "rustls")]
            Self::Rustls(config) => with_rustls(config, stream, host).await,
            Self::Custom(wrap) => wrap(stream, host.into()).await,
        }
    }
}

#[cfg(feature = "rustls")]
async fn with_rustls(config: Arc<rustls::ClientConfig>, stream: Stream, host: &str) -> io::Result<Stream> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(config).connect(name, stream).await.map(Stream::tls)
}
