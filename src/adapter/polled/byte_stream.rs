//! A WebSocket as a stream of bytes.
//
// Owns: reading of binary messages and writing them, as the traits of runtimes poll for it.
// Must not know: any one of these traits.

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

/// A WebSocket as a stream of bytes: [`WebSocket::into_io`] makes it. It has the traits `AsyncRead` and `AsyncWrite` of
/// tokio with the feature `tokio`, and those of `futures-io` with the feature `futures-io`.
///
/// The bytes are those of binary messages, one after the other; where one message ends and the next begins carries no
/// meaning.
///
/// - A write sends at most 32 KiB as one message, at once as far as the transport takes it. To flush waits until it has
///   taken all.
/// - To shut down sends a Close with 1000. Read until the end then: that ends the closing handshake. A WebSocket
///   cannot be closed in one direction only, and most peers send nothing more once a Close has come.
/// - The stream ends with the peer's Close, if that has 1000 or no code. After any other end, reading fails.
/// - A text message is an error, `InvalidData`, and the peer is told by a Close with 1003.
///
/// Reading and writing may be two tasks, as with `tokio::io::split`, and both can be dropped while they wait: nothing is
/// lost or sent twice. Timers and answers to Pings run while it is read from.
///
/// # Examples
///
/// A tunnel to a TCP server, for whoever connects by WebSocket:
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
            // Text that is not UTF-8 has failed the connection, which the next read reports.
            let Ok(Some(piece)) = receiver.inbound().piece(ready) else { continue };
            match rest.put(piece, buf) {
                Ok(put) => count = put,
                Err(error) => {
                    sender.queue_close(CloseCode::UNSUPPORTED_DATA);
                    // Writes it, if nothing else is to be taken first.
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
        // What fails now fails again.
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
