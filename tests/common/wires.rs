//! The kit's wire on the traits of the runtimes.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use embedded_io as embedded;
use embedded_io::ErrorKind;
use futures_io as futures;
use sockless::adapter::kit::Wire;
use tokio::io as tokio_io;

/// The wire on the traits of tokio.
pub struct TokioWire(pub Wire);

impl tokio_io::AsyncRead for TokioWire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut tokio_io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_read(cx, buf.initialize_unfilled()).map_ok(|count| buf.advance(count))
    }
}

impl tokio_io::AsyncWrite for TokioWire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown(cx)
    }
}

/// The wire on the traits of futures-io.
pub struct FuturesWire(pub Wire);

impl futures::AsyncRead for FuturesWire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, buf)
    }
}

impl futures::AsyncWrite for FuturesWire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown(cx)
    }
}

/// The wire on the traits of embedded-io.
pub struct EmbeddedWire(pub Wire);

/// The wire's errors, in the terms of embedded-io.
#[derive(Debug)]
pub struct WireError(pub io::ErrorKind);

impl std::fmt::Display for WireError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for WireError {}

impl embedded::Error for WireError {
    fn kind(&self) -> ErrorKind {
        match self.0 {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ErrorKind::TimedOut,
            io::ErrorKind::Interrupted => ErrorKind::Interrupted,
            io::ErrorKind::ConnectionReset => ErrorKind::ConnectionReset,
            io::ErrorKind::BrokenPipe => ErrorKind::BrokenPipe,
            _ => ErrorKind::Other,
        }
    }
}

impl embedded::ErrorType for EmbeddedWire {
    type Error = WireError;
}

impl embedded::Read for EmbeddedWire {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, WireError> {
        io::Read::read(&mut self.0, buf).map_err(|error| WireError(error.kind()))
    }
}

impl embedded::Write for EmbeddedWire {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, WireError> {
        io::Write::write(&mut self.0, bytes).map_err(|error| WireError(error.kind()))
    }

    fn flush(&mut self) -> Result<(), WireError> {
        io::Write::flush(&mut self.0).map_err(|error| WireError(error.kind()))
    }
}

/// The same on those of embedded-io-async.
pub struct EmbeddedAsyncWire(pub Wire);

impl embedded::ErrorType for EmbeddedAsyncWire {
    type Error = WireError;
}

impl embedded_io_async::Read for EmbeddedAsyncWire {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, WireError> {
        poll_fn(|cx| self.0.poll_read(cx, buf)).await.map_err(|error| WireError(error.kind()))
    }
}

impl embedded_io_async::Write for EmbeddedAsyncWire {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, WireError> {
        poll_fn(|cx| self.0.poll_write(cx, bytes)).await.map_err(|error| WireError(error.kind()))
    }

    async fn flush(&mut self) -> Result<(), WireError> {
        poll_fn(|cx| self.0.poll_flush(cx)).await.map_err(|error| WireError(error.kind()))
    }
}
