//! WebSocket without the socket: RFC 6455 and RFC 7692 as a pure `no_std` state machine.
//!
//! Servers and clients for tokio, for every other asynchronous runtime, for plain threads and for firmware. Below them
//! all is one engine: received bytes in, events out; messages in, bytes out. It uses no socket, clock, source of
//! randomness or allocator, so it works with any transport, and can be tested with bytes alone. It is strict, its
//! memory is limited, and no input makes it panic.
//!
//! # A client
//!
//! ```no_run
//! # #[cfg(all(feature = "std", feature = "handshake", feature = "rng"))] mod example {
//! use sockless::{blocking, ClientConfig, CloseCode};
//!
//! fn hello() -> Result<(), sockless::Error> {
//!     let mut socket = blocking::connect("ws://127.0.0.1:9001/", &ClientConfig::new())?;
//!     socket.send("Hello")?;
//!     if let Some(message) = socket.recv()? {
//!         println!("{}", message.as_text().unwrap_or("(bytes)"));
//!     }
//!     socket.close(CloseCode::NORMAL)?;
//!     Ok(())
//! }
//! # }
//! ```
//!
//! # A server on tokio
//!
//! ```no_run
//! # #[cfg(feature = "tokio")] mod example {
//! use sockless::{tokio::accept, Error, ServerConfig};
//! use sockless::handshake::OriginPolicy;
//!
//! async fn echo(stream: tokio::net::TcpStream) -> Result<(), Error> {
//!     let config = ServerConfig::new(OriginPolicy::SameHost); // a choice without a default
//!     let mut socket = accept(stream, &config).await?;
//!     while let Some((message, mut outgoing)) = socket.recv_with().await? {
//!         outgoing.feed(message).await?; // written before the next wait for input
//!     }
//!     Ok(())
//! }
//! # }
//! ```
//!
//! # Where to begin
//!
//! | You write | Use |
//! |---|---|
//! | an application | an adapter: `tokio`, `futures_io`, `blocking`, `embedded_io`, `embedded_io_async` |
//! | a client that goes through a proxy | `proxy`: asks for a tunnel by HTTP's CONNECT or SOCKS5 |
//! | an adapter for another transport, with an allocator | `endpoint`: whole messages and limited buffers, without a socket |
//! | a runtime or firmware of your own | [`Connection`], or [`Reader`] and [`Writer`]: the protocol, without buffers or an allocator |
//! | a proxy, a test tool, another engine | [`frame`], [`CloseCode`], [`Utf8Check`], `handshake`: the wire format, valid or not |
//!
//! # The engine without adapter, allocator or clock
//!
//! ```
//! use sockless::{Config, Connection, Event, Input, Payload, ProtocolError, Server, TransportAction};
//!
//! /// Answers what one read brought.
//! fn echo(
//!     connection: &mut Connection<Server>,
//!     received: &mut [u8],
//!     mut write: impl FnMut(&[u8]),
//! ) -> Result<TransportAction, ProtocolError> {
//!     let mut input = Input::new(received);
//!     let result = loop {
//!         match connection.recv(&mut input) {
//!             Ok(Some(Event::Data(data))) => {
//!                 let Some(payload) = Payload::forward(&data) else { continue };
//!                 if let Ok(frame) = connection.writer().frame(payload, data.is_last()) {
//!                     frame.as_slices().into_iter().for_each(&mut write);
//!                 }
//!             }
//!             Ok(Some(_)) => {} // a Ping or a Close: its answer is queued
//!             Ok(None) => break Ok(()),
//!             Err(error) => break Err(error), // the Close that tells the peer is queued
//!         }
//!     };
//!     let mut owed = [0; sockless::MAX_CONTROL_FRAME_LEN];
//!     while let Ok(len @ 1..) = connection.poll_transmit(&mut owed) {
//!         write(&owed[..len]);
//!     }
//!     result.map(|()| connection.transport())
//! }
//!
//! let mut connection = Connection::new(Server, Config::new());
//! let mut written = Vec::new();
//! let mut received = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; // RFC 6455 section 5.7
//! let next = echo(&mut connection, &mut received, |bytes| written.extend_from_slice(bytes));
//! assert_eq!((written.as_slice(), next), (&b"\x81\x05Hello"[..], Ok(TransportAction::Open)));
//! ```
//!
//! - Replies that we owe the peer wait in two slots ([`Mailbox`]): the newest Pong and the first Close. So none is
//!   lost, and they cannot pile up. The page of [`SendHalf`] has a table of how a connection ends.
//! - Roles are types. A [`Server`] has no source of randomness; a [`Client`] cannot send an unmasked frame.
//! - [`ProtocolError`] is what the peer did wrong, with its close code. [`SendError`] and [`BufferTooSmall`] are what
//!   the caller did.
//!
//! docs/choices.md says what is done where the RFCs leave a choice.
//!
//! # Logging
//!
//! `Debug` prints states and lengths, in one line of less than a kilobyte: no octet of a message, of a buffer, of a
//! header value or of a path, and nothing of the transport. So `{socket:?}` may go into a log. Errors say what was
//! wrong, not what was sent.
//!
//! # Memory
//!
//! What a connection keeps, in bytes on a 64-bit target. A test checks each number.
//!
//! | state | bytes |
//! |---|---|
//! | [`Reader`] | 208 |
//! | [`Writer<Server>`](Writer) | 168 |
//! | [`Deadlines`] | 136 |
//! | [`SendHalf<Server>`](SendHalf): a writer and its deadlines | 304 |
//! | [`Connection<Server>`](Connection) | 512 |
//! | [`Parked`]: a connection that waits | 32 |
//! | [`Event`], [`Data`] | 40 |
//! | [`Mailbox`] | 132 |
//! | [`Utf8Check`] | 3 |
//! | [`Masker`](frame::Masker) | 4 |
//!
//! A connection between two messages that owes nothing can be reduced to its [`Parked`]. One [`Connection`] or
//! `Endpoint` can serve many of them in turn.
//!
//! Messages are received into a buffer of 64 KiB (unless set otherwise), and borrow from it. One that fits is received
//! and sent without an allocation. docs/compression.md has a table of what compression takes.
//!
//! # Features
//!
//! - `std` (default): the blocking adapter. Implies `alloc`.
//! - `handshake` (default): the opening handshake, and tunnels through proxies, without an allocator.
//! - `rng` (default): `SystemEntropy`, seeded by the operating system. Without it, implement [`Entropy`].
//! - `tokio`: the tokio adapter, with `Stream` and `Sink`.
//! - `futures-io`: the adapter for every other asynchronous runtime, such as smol.
//! - `deflate`: compression by permessage-deflate (RFC 7692). Implies `std`. Its negotiation is part of `handshake`.
//! - `embedded-io`, `embedded-io-async`: adapters without an allocator (docs/firmware.md).
//! - `simd-utf8` (default), `simd-masking`, `simd-avx512`, `simd-sha1`: text is checked, payloads are masked, and the
//!   key of an opening handshake is hashed with the vector instructions that the processor is found to have. The first
//!   two imply `std`.
//! - `bytes`: sends `Bytes` and `BytesMut`, and makes `Bytes` of messages.
//! - `json`: `Message::json` and `OwnedMessage::from_json`, with `serde_json`.
//! - `tracing`: the span `websocket` for each connection that was opened here, and events with the target `sockless`: `opened`,
//!   `refused`, `failed`, `closed`. None holds what a peer sent. The span is a child of the one in which it was opened.
//! - `alloc`: whole messages and queues without `std`.
//!
//! Without any feature the engine needs no allocator and no other crate. docs/features.md says what each feature needs.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs, missing_debug_implementations, unreachable_pub, unused_must_use)]
// No input may cause a panic: everything that could panic is refused by name.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

/// Implements `Debug` for a type that holds octets of a peer or a secret: it prints the listed states and nothing else.
/// Logs must not contain what others sent, and a buffer may hold what another connection received.
macro_rules! debug_states {
    ([$($generic:ident),*] $type:ty, |$this:ident| { $($state:ident: $value:expr),* $(,)? }) => {
        impl<$($generic),*> core::fmt::Debug for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let $this = self;
                let path = stringify!($type);
                let name = path.split('<').next().unwrap_or(path).trim_end();
                f.debug_struct(name)$(.field(stringify!($state), &$value))*.finish_non_exhaustive()
            }
        }
    };
}

#[cfg(any(feature = "std", feature = "embedded-io", feature = "embedded-io-async"))]
mod adapter;
mod close;
mod connection;
pub mod deflate;
#[cfg(feature = "alloc")]
pub mod endpoint;
#[cfg(feature = "rng")]
mod entropy;
mod error;
mod event;
pub mod frame;
#[cfg(feature = "handshake")]
pub mod handshake;
mod input;
mod limits;
pub mod message;
mod payload;
#[cfg(feature = "handshake")]
pub mod proxy;
mod role;
mod time;
mod tolerance;
mod utf8;

#[cfg(any(feature = "std", feature = "embedded-io", feature = "embedded-io-async"))]
pub use adapter::*;
pub use close::{CloseCode, CloseFrame, CloseReason};
pub use connection::closing::{Closed, Initiator, ReadyState, TransportAction};
pub use connection::deadline::{Deadlines, Output, Progress, TimeoutAction, Timeouts};
pub use connection::mailbox::Mailbox;
pub use connection::parked::Parked;
pub use connection::reader::Reader;
pub use connection::send_half::SendHalf;
pub use connection::writer::{Frame, Writer, MAX_CONTROL_FRAME_LEN};
pub use connection::{Config, Connection};
#[cfg(feature = "rng")]
pub use entropy::SystemEntropy;
pub use error::{BufferTooSmall, EntropyError, ProtocolError, SendError, Timeout};
pub use event::{Data, Event, MessageProgress};
pub use frame::MessageKind;
pub use input::Input;
pub use limits::Limits;
pub use message::Message;
pub use payload::{AsPayload, ControlPayload, Payload};
pub use role::{AnyRole, Client, Entropy, Role, Server, Side};
pub use time::{Timestamp, Wake};
pub use tolerance::{Tolerance, Tolerances, UnknownTolerance};
pub use utf8::{InvalidUtf8, Utf8Check};

// The programs in the README compile.
#[cfg(all(doctest, feature = "std", feature = "handshake", feature = "rng"))]
#[doc = include_str!("../README.md")]
struct Readme;
