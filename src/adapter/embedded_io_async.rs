//! WebSocket for firmware with asynchronous transports: anything that is [`Read`] and [`Write`] of `embedded-io-async`.
//!
//! It needs no allocator. The caller lends two buffers, and messages of any length pass through them in pieces. Replies
//! that are owed are written before each wait for input.
//!
//! A server:
//!
//! ```
//! # #[cfg(feature = "handshake")] mod example {
//! use embedded_io_async::{Read, Write};
//! use sockless::embedded_io_async::{accept, Error, FixedBuffers, ServerConfig};
//! use sockless::{handshake::OriginPolicy, Event, Payload};
//!
//! /// Echoes messages of any length.
//! async fn serve<S: Read + Write>(
//!     stream: &mut S, // kept, to be closed at the end
//!     head: &mut [u8],
//!     buffers: FixedBuffers<'_>,
//! ) -> Result<(), Error<S::Error>> {
//!     let config = ServerConfig::new(OriginPolicy::SameHost); // there is no default
//!     let mut socket = accept(stream, &config, head, buffers).await?;
//!     while let Some((event, mut outgoing)) = socket.recv_with().await? {
//!         let Event::Data(data) = event else { continue };
//!         let Some(payload) = Payload::forward(&data) else { continue };
//!         outgoing.feed_fragment(payload, data.is_last()).await?; // written before the next wait
//!     }
//!     Ok(())
//! }
//! # }
//! ```
//!
//! A client:
//!
//! ```
//! # #[cfg(feature = "handshake")] mod example {
//! use embedded_io_async::{Read, Write};
//! use sockless::embedded_io_async::{client, ClientConfig, Error, FixedBuffers};
//! use sockless::{CloseCode, Entropy};
//!
//! /// Sends one message, and closes.
//! async fn report<S: Read + Write>(
//!     stream: &mut S, // connected already
//!     entropy: impl Entropy,
//!     head: &mut [u8],
//!     buffers: FixedBuffers<'_>,
//! ) -> Result<(), Error<S::Error>> {
//!     let (url, config) = ("ws://example.com/sensor", ClientConfig::new());
//!     let mut socket = client(stream, url, entropy, &config, head, buffers).await?;
//!     socket.send("21 degrees").await?;
//!     socket.close(CloseCode::NORMAL).await?;
//!     Ok(())
//! }
//! # }
//! ```
//!
//! [`WebSocket`] says what to do at the end of a connection.
//!
//! # Time
//!
//! There is no clock here. Wait for [`recv`](WebSocket::recv) and, at the same time, for a timer at
//! [`poll_timeout`](WebSocket::poll_timeout). If that rings first, drop the future of `recv` (nothing is lost), call
//! [`handle_timeout`](WebSocket::handle_timeout), and then `recv` again.
//
// Owns: awaiting reads and writes.
// Must not know: the protocol.

use core::future::poll_fn;
use core::task::Poll;

super::embedded::socket!([async] [.await] ["\n# Cancel safety\n"] embedded_io_async);

async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if core::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
