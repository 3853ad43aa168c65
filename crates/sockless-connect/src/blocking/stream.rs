//! The byte stream below a blocking socket that was connected.
//
// Owns: what kind of stream it is, and the time of its reads and writes until the WebSocket is open.
// Must not know: WebSocket.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
#[cfg(feature = "rustls")]
use std::sync::Arc;
use std::time::{Duration, Instant};

use sockless::blocking::{BlockingTransport, CloneTransport};

#[cfg(feature = "rustls")]
use super::tls::TlsStream;

/// The byte stream of a [`Socket`](super::Socket): TCP, perhaps under TLS, or another stream that was plugged in.
///
/// A read over TLS fails with [`Interrupted`](io::ErrorKind::Interrupted) when only a part of a record came. Call it again, as
/// [`read_exact`](Read::read_exact) and the like do.
pub struct Stream(Kind);

enum Kind {
    Tcp(Tcp),
    #[cfg(feature = "rustls")]
    Tls(Box<TlsStream>),
    Other(Box<dyn BlockingTransport + Send>),
}

impl Stream {
    pub(super) const fn tcp(stream: TcpStream) -> Self {
        Self(Kind::Tcp(Tcp { stream, until: None }))
    }

    /// Until it is limited otherwise, no read and no write takes longer than to this time.
    pub(super) fn end_at(&mut self, until: Option<Instant>) {
        match &mut self.0 {
            Kind::Tcp(tcp) => tcp.until = until,
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => stream.below.end_at(until),
            Kind::Other(_) => {}
        }
    }

    /// Sets TLS up on this stream.
    #[cfg(feature = "rustls")]
    pub(super) fn tls(config: Arc<rustls::ClientConfig>, below: Self, host: &str) -> io::Result<Self> {
        Ok(Self(Kind::Tls(Box::new(TlsStream::connect(config, below, host)?))))
    }

    pub(crate) fn other(stream: impl BlockingTransport + Send + 'static) -> Self {
        Self(Kind::Other(Box::new(stream)))
    }

    /// The TCP connection at the bottom, for its addresses and its options. Do not read or write there: another layer
    /// may be above it. Its time limits are set by the WebSocket. `None` for a stream that another library made.
    pub fn tcp_stream(&self) -> Option<&TcpStream> {
        match &self.0 {
            Kind::Tcp(tcp) => Some(&tcp.stream),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => stream.below.tcp_stream(),
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

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        each!(self, stream => stream.read(buf))
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        each!(self, stream => stream.write(buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        each!(self, stream => stream.write_vectored(bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        each!(self, stream => stream.flush())
    }
}

impl BlockingTransport for Stream {
    fn shutdown_write(&mut self) -> io::Result<()> {
        each!(self, stream => stream.shutdown_write())
    }

    fn limit_read(&mut self, limit: Option<Duration>) -> io::Result<()> {
        each!(self, stream => stream.limit_read(limit))
    }

    fn limit_write(&mut self, limit: Option<Duration>) -> io::Result<()> {
        each!(self, stream => stream.limit_write(limit))
    }
}

impl CloneTransport for Stream {
    fn try_clone(&self) -> io::Result<Self> {
        match &self.0 {
            Kind::Tcp(tcp) => Ok(Self::tcp(tcp.stream.try_clone()?)),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => Ok(Self(Kind::Tls(Box::new(stream.try_clone()?)))),
            Kind::Other(_) => Err(io::ErrorKind::Unsupported.into()),
        }
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

/// TCP, of which each read and write ends at a time until it is limited otherwise.
struct Tcp {
    stream: TcpStream,
    until: Option<Instant>,
}

impl Tcp {
    /// Does this, but not past the time.
    fn in_time<T>(
        &self,
        limit: fn(&TcpStream, Option<Duration>) -> io::Result<()>,
        mut operation: impl FnMut(&TcpStream) -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            if let Some(until) = self.until {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                limit(&self.stream, Some(left))?;
            }
            match operation(&self.stream) {
                // A limit may pass a little before the time.
                Err(error) if self.until.is_some() && is_transient(&error) => {}
                result => return result,
            }
        }
    }

    /// Takes the time away, and with it the limits that it has set.
    fn lift(&mut self) -> io::Result<()> {
        if self.until.take().is_some() {
            self.stream.set_read_timeout(None)?;
            self.stream.set_write_timeout(None)?;
        }
        Ok(())
    }
}

/// Whether the operation may be called again.
fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

impl Read for Tcp {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.in_time(TcpStream::set_read_timeout, |mut stream| stream.read(buf))
    }
}

impl Write for Tcp {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.in_time(TcpStream::set_write_timeout, |mut stream| stream.write(buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.in_time(TcpStream::set_write_timeout, |mut stream| stream.write_vectored(bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlockingTransport for Tcp {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.stream.shutdown_write()
    }

    fn limit_read(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.lift()?;
        self.stream.limit_read(limit)
    }

    fn limit_write(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.lift()?;
        self.stream.limit_write(limit)
    }
}
