//! The byte stream below a socket: what hyper hands over, or a stream that was given instead.
//
// Owns: reading and writing it in tokio's terms.
// Must not know: WebSocket, or how the stream came about.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{ready, Context, Poll};

use hyper::rt::{Read, Write};
use hyper::upgrade::{OnUpgrade, Upgraded};
use tokio::io::{duplex, AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// The byte stream of a [`Socket`](crate::Socket): a TCP connection, a stream of HTTP/2, or one that was given.
///
/// What follows the end of the request, and what HTTP has read of it already, comes out first.
pub struct Stream(Kind);

enum Kind {
    Upgraded {
        io: Upgraded,
        /// Octets of one write.
        most: usize,
    },
    Given(Box<dyn Duplex>),
}

/// What a stream that is given must be.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// Octets of one write to a stream of HTTP/2: hyper copies each write whole, whatever its length, and keeps up to three
/// of them when the peer's window is closed.
const MOST_AT_ONCE: usize = 64 << 10;

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Kind::Upgraded { io, .. } => {
                let mut space = hyper::rt::ReadBuf::new(buf.initialize_unfilled());
                ready!(Pin::new(io).poll_read(cx, space.unfilled()))?;
                let count = space.filled().len();
                buf.advance(count);
                Poll::Ready(Ok(()))
            }
            Kind::Given(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Kind::Upgraded { io, most } => Pin::new(io).poll_write(cx, buf.get(..*most).unwrap_or(buf)),
            Kind::Given(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Kind::Upgraded { io, most: usize::MAX } => Pin::new(io).poll_write_vectored(cx, bufs),
            Kind::Upgraded { .. } => {
                let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
                self.poll_write(cx, first)
            }
            Kind::Given(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Kind::Upgraded { io, .. } => io.is_write_vectored(),
            Kind::Given(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Kind::Upgraded { io, .. } => Pin::new(io).poll_flush(cx),
            Kind::Given(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Kind::Upgraded { io, .. } => Pin::new(io).poll_shutdown(cx),
            Kind::Given(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Upgraded { most: usize::MAX, .. } => "Stream(HTTP/1.1)",
            Kind::Upgraded { .. } => "Stream(HTTP/2)",
            Kind::Given(_) => "Stream(given)",
        })
    }
}

/// A stream that takes the place of the connection, put into the extensions of a request: so a handler is tested without
/// a network.
///
/// A request that carries one opens its WebSocket there, not where it came from. All else is as it is behind hyper: the
/// request is judged by the same rules.
///
/// ```
/// use sockless::handshake::OriginPolicy;
/// use sockless::ServerConfig;
/// use sockless_hyper::{upgrade, TestUpgrade};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (stream, peer) = TestUpgrade::pair();
/// let mut request = http::Request::get("/chat")
///     .header("host", "example.com")
///     .header("connection", "Upgrade")
///     .header("upgrade", "websocket")
///     .header("sec-websocket-version", "13")
///     .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
///     .extension(stream)
///     .body(())?;
/// let (response, opening) = upgrade(&mut request, &ServerConfig::new(OriginPolicy::SameHost))?;
/// assert_eq!(response.status(), 101);
/// opening.await?.send("Hello").await?;
/// # use tokio::io::AsyncReadExt;
/// # let mut peer = peer;
/// let mut received = [0; 7];
/// peer.read_exact(&mut received).await?;
/// assert_eq!(&received, b"\x81\x05Hello");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TestUpgrade(Arc<Mutex<Option<Box<dyn Duplex>>>>);

impl TestUpgrade {
    /// With this stream.
    pub fn new(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(stream)))))
    }

    /// With one end of a pipe that holds 64 KiB, and its other end for the client.
    pub fn pair() -> (Self, DuplexStream) {
        let (ours, theirs) = duplex(64 << 10);
        (Self::new(ours), theirs)
    }
}

impl fmt::Debug for TestUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TestUpgrade(..)")
    }
}

/// Where the stream of a WebSocket will come from.
pub(crate) enum Pending {
    Hyper { on_upgrade: OnUpgrade, most: usize },
    Given(Option<Box<dyn Duplex>>),
}

impl Pending {
    /// Takes it out of the extensions of a request or a response, once.
    pub(crate) fn take(extensions: &mut http::Extensions, version: http::Version) -> Option<Self> {
        if let Some(TestUpgrade(given)) = extensions.remove() {
            let stream = given.lock().unwrap_or_else(PoisonError::into_inner).take()?;
            return Some(Self::Given(Some(stream)));
        }
        let most = if version < http::Version::HTTP_2 { usize::MAX } else { MOST_AT_ONCE };
        Some(Self::Hyper { on_upgrade: extensions.remove()?, most })
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        match self {
            Self::Hyper { on_upgrade, most } => {
                let io = ready!(Pin::new(on_upgrade).poll(cx)).map_err(io_error)?;
                Poll::Ready(Ok(Stream(Kind::Upgraded { io, most: *most })))
            }
            Self::Given(stream) => {
                let stream = stream.take().ok_or(io::ErrorKind::NotConnected)?;
                Poll::Ready(Ok(Stream(Kind::Given(stream))))
            }
        }
    }
}

fn io_error(error: hyper::Error) -> io::Error {
    // The connection ended before the answer was written.
    let kind = if error.is_canceled() { io::ErrorKind::ConnectionAborted } else { io::ErrorKind::Other };
    io::Error::new(kind, error)
}
