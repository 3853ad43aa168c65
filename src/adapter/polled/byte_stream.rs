//! A WebSocket as a stream of bytes.
//
// Owns: what is polled to read and to write it.
// Must not know: any one runtime's traits.

use core::pin::Pin;
use core::task::{ready, Context, Poll};
use std::io;

use futures_sink::Sink;

use super::split::{Receiver, Sender};
use super::{PollTransport, WebSocket};
use crate::adapter::byte_stream::{chunk, end, Rest};
use crate::close::CloseCode;
use crate::connection::closing::Closed;
use crate::endpoint::Compressing;
use crate::role::Role;

/// A WebSocket as a stream of bytes, by [`WebSocket::into_io`]: with the traits `AsyncRead` and `AsyncWrite` of tokio and of
/// `futures-io`, where these features are on.
///
/// - Binary messages carry the bytes; where one ends and the next begins carries no meaning.
/// - A write sends one message of at most 32 KiB, at once as far as the transport takes it.
/// - To shut down sends a Close with 1000. Then read to the end, which ends the closing handshake. A Close ends both
///   directions: most peers send nothing after it.
/// - The end is the peer's Close with 1000 or without a code. After any other end, reading fails.
/// - A text message is an error, `InvalidData`, and is answered with 1003.
///
/// One task may read and another write, as with `tokio::io::split`. Whoever reads keeps the timers and answers Pings.
///
/// # Cancel safety
///
/// Cancel safe: a read or a write that is dropped while it waits has taken or sent nothing.
///
/// # Examples
///
/// ```no_run
/// # #[cfg(feature = "tokio")] mod example {
/// use tokio::{io::copy_bidirectional, net::TcpStream};
///
/// async fn tunnel(socket: sockless::tokio::ServerSocket) -> std::io::Result<()> {
///     let mut inner = TcpStream::connect("127.0.0.1:5432").await?;
///     copy_bidirectional(&mut socket.into_io(), &mut inner).await?;
///     Ok(())
/// }
/// # }
/// ```
pub struct ByteStream<S, R> {
    receiver: Receiver<S, R>,
    sender: Sender<S, R>,
    rest: Rest,
}

impl<S: PollTransport, R: Role> WebSocket<S, R> {
    /// Binary messages as a stream of bytes.
    pub fn into_io(self) -> ByteStream<S, R> {
        let (receiver, sender) = self.into_split();
        ByteStream { receiver, sender, rest: Rest::default() }
    }
}

impl<S: PollTransport + Unpin, R: Role + Unpin> ByteStream<S, R> {
    /// How the connection ended: `None` until it did.
    pub fn closed(&self) -> Option<Closed> {
        self.sender.closed()
    }

    pub(in crate::adapter) fn poll_read_bytes(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Self { receiver, sender, rest } = self;
        let mut count = rest.take(buf);
        while count == 0 && !buf.is_empty() {
            let Some(ready) = ready!(receiver.poll_ready::<false>(cx))? else {
                return Poll::Ready(end(receiver.closed()));
            };
            // Invalid text: the next read reports it.
            let Ok(Some(piece)) = receiver.inbound().piece(ready) else { continue };
            match rest.put(piece, buf) {
                Ok(put) => count = put,
                Err(error) => {
                    let _ = sender.queue_close(CloseCode::UNSUPPORTED_DATA.into());
                    // Writes it.
                    let _ = receiver.poll_ready::<false>(cx);
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(Ok(count))
    }

    pub(in crate::adapter) fn poll_write_bytes(
        &mut self,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let message = chunk(buf);
        let mut compressing = Compressing::new();
        ready!(self.sender.poll_with(cx, |outgoing, cx| outgoing.poll_feed(
            cx,
            message,
            true,
            &mut compressing
        )))?;
        // The next call reports what fails.
        let _ = self.sender.poll_written(cx, 0);
        Poll::Ready(Ok(message.as_bytes().len()))
    }

    pub(in crate::adapter) fn poll_flush_bytes(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sender.poll_written(cx, 0).map_err(Into::into)
    }

    pub(in crate::adapter) fn poll_close_bytes(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.sender).poll_close(cx).map_err(Into::into)
    }
}

debug_states!([S, R] ByteStream<S, R>, |this| { receiver: this.receiver, rest: this.rest });
