//! WebSocket for firmware with blocking transports: anything that is [`Read`] and [`Write`] of `embedded-io`.
//!
//! It needs no allocator and no threads. The caller lends two buffers, and messages of any length pass through them in
//! pieces. Replies that are owed are written before each wait for input.
//!
//! A server:
//!
//! ```
//! # #[cfg(feature = "handshake")] mod example {
//! use embedded_io::{Read, Write};
//! use sockless::embedded_io::{accept, Error, FixedBuffers, ServerConfig};
//! use sockless::{handshake::OriginPolicy, Event, Payload};
//!
//! /// Echoes messages of any length.
//! fn serve<S: Read + Write>(
//!     stream: &mut S, // kept, to be closed at the end
//!     head: &mut [u8],
//!     buffers: FixedBuffers<'_>,
//! ) -> Result<(), Error<S::Error>> {
//!     let config = ServerConfig::new(OriginPolicy::SameHost); // there is no default
//!     let mut socket = accept(stream, &config, head, buffers)?;
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
//! A client:
//!
//! ```
//! # #[cfg(feature = "handshake")] mod example {
//! use embedded_io::{Read, Write};
//! use sockless::embedded_io::{client, ClientConfig, Error, FixedBuffers};
//! use sockless::{CloseCode, Entropy};
//!
//! /// Sends one message, and closes.
//! fn report<S: Read + Write>(
//!     stream: &mut S, // connected already
//!     entropy: impl Entropy,
//!     head: &mut [u8],
//!     buffers: FixedBuffers<'_>,
//! ) -> Result<(), Error<S::Error>> {
//!     let (url, config) = ("ws://example.com/sensor", ClientConfig::new());
//!     let mut socket = client(stream, url, entropy, &config, head, buffers)?;
//!     socket.send("21 degrees")?;
//!     socket.close(CloseCode::NORMAL)?;
//!     Ok(())
//! }
//! # }
//! ```
//!
//! [`WebSocket`] says what to do at the end of a connection.
//!
//! # Time
//!
//! There is no clock here. A transport with a time limit reports [`TimedOut`](embedded_io::ErrorKind::TimedOut). Then
//! call [`handle_timeout`](WebSocket::handle_timeout), and go on:
//!
//! - Receiving, flushing and closing: call the operation again. Nothing is lost.
//! - [`feed`](Outgoing::feed): [`frame_remaining`](Outgoing::frame_remaining) octets are missing, to be given to
//!   [`feed_payload`](Outgoing::feed_payload); if 0, nothing was queued.
//! - [`send`](WebSocket::send) and [`ping`](WebSocket::ping) do not tell whether everything was queued. If you must
//!   know, feed first, then flush.
//! - An opening handshake cannot be resumed.
//
// Owns: blocking reads and writes.
// Must not know: the protocol.

super::embedded::socket!([] [] [] embedded_io);

#[cfg(feature = "embedded-io-async")]
const fn yield_now() {}
