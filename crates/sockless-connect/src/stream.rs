//! The byte stream below a socket that was connected.
//
// Owns: what kind of stream it is.
// Must not know: WebSocket.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(feature = "rustls")]
use tokio_rustls::client::TlsStream;

/// The byte stream of a [`Socket`](crate::Socket): TCP, perhaps under TLS, or another stream that was plugged in.
pub struct Stream(Kind);

enum Kind {
    Tcp(TcpStream),
    #[cfg(feature = "rustls")]
    Tls(Box<TlsStream<Stream>>),
    Other(Box<dyn Duplex>),
}

/// What a stream that is plugged in must be.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

impl Stream {
    pub(crate) const fn tcp(stream: TcpStream) -> Self {
        Self(Kind::Tcp(stream))
    }

    #[cfg(feature = "rustls")]
    pub(crate) fn tls(stream: TlsStream<Self>) -> Self {
        Self(Kind::Tls(Box::new(stream)))
    }

    pub(crate) fn other(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(Kind::Other(Box::new(stream)))
    }

    /// The TCP connection at the bottom, for its addresses and its options. Do not read or write there: another layer
    /// may be above it. `None` for a stream that another library made.
    pub fn tcp_stream(&self) -> Option<&TcpStream> {
        match &self.0 {
            Kind::Tcp(stream) => Some(stream),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => stream.get_ref().0.tcp_stream(),
            Kind::Other(_) => None,
        }
    }
}

/// Does the operation on the stream, whatever kind it is.
macro_rules! each {
    ($this:expr, $stream:ident => $operation:expr) => {
        match &mut $this.0 {
            Kind::Tcp($stream) => $operation,
            #[cfg(feature = "rustls")]
            Kind::Tls($stream) => $operation,
            Kind::Other($stream) => $operation,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Kind::Tcp(stream) => stream.is_write_vectored(),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => stream.is_write_vectored(),
            Kind::Other(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Tcp(_) => "Stream(tcp)",
            #[cfg(feature = "rustls")]
            Kind::Tls(_) => "Stream(tls)",
            Kind::Other(_) => "Stream(other)",
        })
    }
}
