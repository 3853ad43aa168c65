//! Asynchronous transports of firmware: anything that is [`Read`] and [`Write`] of `embedded-io-async`.
//!
//! No allocator: the caller lends two buffers, through which messages of any length pass in pieces. One
//! task reads and writes, and what is owed to the peer is written before each wait for input.
//!
//! ```
//! # #[cfg(feature = "handshake")] mod example {
//! use embedded_io_async::{Read, Write};
//! use sockless::embedded_io_async::{accept, Buffers, Error, ServerOptions};
//! use sockless::{handshake::OriginPolicy, Event, Payload};
//!
//! /// Echoes messages of any length.
//! async fn serve<S: Read + Write>(
//!     stream: &mut S, // kept, to be ended
//!     head: &mut [u8],
//!     buffers: Buffers<'_>,
//! ) -> Result<(), Error<S::Error>> {
//!     let options = ServerOptions::new(OriginPolicy::SameHost); // a choice without a default
//!     let mut socket = accept(stream, &options, head, buffers).await?;
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
//! What is to be done at the end of a connection stands at [`WebSocket`].
//!
//! # Time
//!
//! There is no clock here. Race [`recv`](WebSocket::recv) with a timer for
//! [`poll_timeout`](WebSocket::poll_timeout); when the timer wins, tell the connection [what time it
//! is](WebSocket::handle_timeout) and call `recv` again. Nothing is lost by dropping it.
//
// Owns: awaiting reads and writes.
// Must not know: the protocol.

use core::future::poll_fn;
use core::task::Poll;

super::embedded::socket!([async] [.await] ["\n# Cancel safety\n"] embedded_io_async);

/// Lets other tasks have their turn.
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
