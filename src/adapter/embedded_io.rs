//! Blocking transports of firmware: anything that is [`Read`] and [`Write`] of `embedded-io`.
//!
//! No allocator: the caller lends two buffers, through which messages of any length pass in pieces. No
//! thread: one task reads and writes, and what is owed to the peer is written before each wait for input.
//!
//! ```
//! # #[cfg(feature = "handshake")] mod example {
//! use embedded_io::{Read, Write};
//! use sockless::embedded_io::{accept, Buffers, Error, ServerOptions};
//! use sockless::{handshake::OriginPolicy, Event, Payload};
//!
//! /// Echoes messages of any length.
//! fn serve<S: Read + Write>(
//!     stream: &mut S, // kept, to be ended
//!     head: &mut [u8],
//!     buffers: Buffers<'_>,
//! ) -> Result<(), Error<S::Error>> {
//!     let options = ServerOptions::new(OriginPolicy::SameHost); // a choice without a default
//!     let mut socket = accept(stream, &options, head, buffers)?;
//!     while let Some((event, mut outgoing)) = socket.recv_with()? {
//!         let Event::Data(data) = event else { continue };
//!         let Some(payload) = Payload::forward(&data) else { continue };
//!         outgoing.feed_fragment(payload, data.is_last())?; // written before the next wait for input
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
//! There is no clock here. A transport with a time limit of its own reports
//! [`TimedOut`](embedded_io::ErrorKind::TimedOut); then is the time to tell the connection [what time it
//! is](WebSocket::handle_timeout). Nothing is lost: call the operation again if it was to receive, to flush
//! or to close. If it was [`feed`](Outgoing::feed), nothing was queued where
//! [`frame_remaining`](Outgoing::frame_remaining) is 0; otherwise so many octets of the message are missing,
//! to be given to [`feed_payload`](Outgoing::feed_payload). [`send`](WebSocket::send) and
//! [`ping`](WebSocket::ping) do not tell whether all was queued already: who must know feeds, then flushes.
//! An opening handshake cannot be resumed.
//
// Owns: blocking reads and writes.
// Must not know: the protocol.

super::embedded::socket!([] [] [] embedded_io);

/// There are no other tasks.
#[cfg(feature = "embedded-io-async")]
const fn yield_now() {}
