//! One stream of HTTP/2 as a transport.
//
// Owns: flow control, and what the end of a stream is in terms of a transport.
// Must not know: WebSocket.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{ready, Context, Poll};

use bytes::{Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error::StreamError;

/// Octets that one write hands to `h2`, at most: it keeps a copy of them until they are sent.
const MAX_WRITE: usize = 64 << 10;

/// One stream of HTTP/2, after its heads were exchanged: octets both ways, as over TCP (RFC 8441 section 5).
///
/// # Flow control
///
/// The peer may send as much as the stream's window allows. Octets open the window again once they are *read* here, not when
/// they arrive: if nobody reads, the peer stops, and no more than one window is in memory. Writing waits until the peer's
/// window has room, for the stream and for its connection.
///
/// # How a stream ends
///
/// | HTTP/2 | here |
/// |---|---|
/// | END_STREAM of the peer | reading gives the end of the stream |
/// | `poll_shutdown` | END_STREAM is sent; reading goes on |
/// | RST_STREAM with CANCEL | [`ConnectionReset`](io::ErrorKind::ConnectionReset): what a reset is over TCP |
/// | RST_STREAM with NO_ERROR | the end of the stream for reading, [`BrokenPipe`](io::ErrorKind::BrokenPipe) for writing |
/// | RST_STREAM with REFUSED_STREAM | [`ConnectionRefused`](io::ErrorKind::ConnectionRefused): nothing was looked at, so try again |
/// | RST_STREAM with another code | `ConnectionReset` |
/// | GOAWAY that ends this stream too | [`ConnectionAborted`](io::ErrorKind::ConnectionAborted) |
/// | a fault of the peer that `h2` found | [`InvalidData`](io::ErrorKind::InvalidData) |
/// | the connection failed | its own error |
/// | dropped before `poll_shutdown` | RST_STREAM with CANCEL is sent, and what waits to be sent is forgotten |
/// | dropped after it | what waits is sent; if the peer has not ended its direction, RST_STREAM follows |
///
/// [`StreamError`] inside of the error has the code.
pub struct H2Stream {
    send: SendStream<Bytes>,
    recv: RecvStream,
    /// Received and not read. It is still counted by the window.
    unread: Bytes,
    /// END_STREAM was sent.
    ended: bool,
}

impl H2Stream {
    /// A stream whose heads were exchanged.
    pub fn new(send: SendStream<Bytes>, recv: RecvStream) -> Self {
        Self { send, recv, unread: Bytes::new(), ended: false }
    }

    /// Its number.
    pub fn stream_id(&self) -> h2::StreamId {
        self.send.stream_id()
    }

    /// Resets the stream with another code than CANCEL. What waits to be sent is forgotten.
    pub fn reset(&mut self, reason: Reason) {
        self.ended = true;
        self.send.send_reset(reason);
    }

    /// How much of `len` octets may be sent now, 1 at least.
    fn poll_room(&mut self, cx: &mut Context<'_>, len: usize) -> Poll<io::Result<usize>> {
        if self.ended {
            return Poll::Ready(Err(StreamError::closed()));
        }
        let wanted = len.min(MAX_WRITE);
        self.send.reserve_capacity(wanted);
        loop {
            match self.send.capacity() {
                0 => match ready!(self.send.poll_capacity(cx)) {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Poll::Ready(Err(StreamError::of(error))),
                    None => return Poll::Ready(Err(self.why_closed(cx))),
                },
                room => return Poll::Ready(Ok(room.min(wanted))),
            }
        }
    }

    fn put(&mut self, cx: &mut Context<'_>, data: Bytes, end: bool) -> io::Result<usize> {
        let count = data.len();
        match self.send.send_data(data, end) {
            Ok(()) => Ok(count),
            Err(_) => Err(self.why_closed(cx)),
        }
    }

    /// The stream takes nothing any more.
    fn why_closed(&mut self, cx: &mut Context<'_>) -> io::Error {
        match self.send.poll_reset(cx) {
            Poll::Ready(Ok(reason)) => StreamError::reset(reason),
            Poll::Ready(Err(error)) => StreamError::of(error),
            Poll::Pending => StreamError::closed(),
        }
    }
}

impl AsyncRead for H2Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.unread.is_empty() {
            this.unread = match ready!(this.recv.poll_data(cx)) {
                Some(Ok(data)) => data,
                None => return Poll::Ready(Ok(())),
                // RFC 9113 section 8.1: the peer has said all it has to say.
                Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) && error.is_reset() => {
                    return Poll::Ready(Ok(()));
                }
                Some(Err(error)) => return Poll::Ready(Err(StreamError::of(error))),
            };
        }
        let count = this.unread.len().min(buf.remaining());
        buf.put_slice(&this.unread.split_to(count));
        // It fails only where the stream has gone, and then nobody waits for room.
        let _ = this.recv.flow_control().release_capacity(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for H2Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let len = bufs.iter().fold(0_usize, |len, buf| len.saturating_add(buf.len()));
        if len == 0 {
            return Poll::Ready(Ok(0));
        }
        let mut room = ready!(this.poll_room(cx, len))?;
        let mut data = BytesMut::with_capacity(room);
        for buf in bufs {
            let part = buf.get(..room).unwrap_or(buf);
            data.extend_from_slice(part);
            room = room.saturating_sub(part.len());
        }
        Poll::Ready(this.put(cx, data.freeze(), false))
    }

    /// What is written is copied in any case.
    fn is_write_vectored(&self) -> bool {
        true
    }

    /// The task of the connection sends what was written.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(Ok(()));
        }
        this.ended = true;
        // An empty frame needs no room in the window (RFC 9113 section 6.9.1).
        Poll::Ready(this.put(cx, Bytes::new(), true).map(drop))
    }
}

impl Drop for H2Stream {
    fn drop(&mut self) {
        if !self.ended {
            self.send.send_reset(Reason::CANCEL);
        }
    }
}

impl fmt::Debug for H2Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("H2Stream")
            .field("stream_id", &self.stream_id().as_u32())
            .field("unread", &self.unread.len())
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
