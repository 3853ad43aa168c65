//! WebSocket without the socket: RFC 6455 and RFC 7692 as a pure `no_std` state machine.
//!
//! The engine takes bytes and gives events; it takes messages and gives bytes. It touches no socket, clock,
//! source of randomness or allocator, so the same engine drives any transport, and every behaviour can be
//! tested by bytes in and events out. It is strict, bounded, and panics on no input.
//!
//! # Three layers to enter at
//!
//! | layer | for | gives |
//! |---|---|---|
//! | [`frame`], [`CloseCode`], [`Utf8Check`], `handshake` | proxies, test tools, other engines | the wire format: build and read any frame, also an invalid one; the opening handshake in the caller's storage |
//! | [`Connection`], or [`Reader`] and [`Writer`] | runtimes, firmware | the protocol: events in, bytes out, no allocator |
//! | [`message`] and `adapter` | applications | whole messages, bounded queues, sockets |
//!
//! # A server on tokio
//!
//! ```no_run
//! # #[cfg(feature = "tokio")] mod example {
//! use sockless::{tokio::accept, Error, ServerOptions};
//! use sockless::handshake::OriginPolicy;
//!
//! async fn echo(stream: tokio::net::TcpStream) -> Result<(), Error> {
//!     let options = ServerOptions::new(OriginPolicy::SameHost); // a choice without a default
//!     let mut socket = accept(stream, &options).await?;
//!     while let Some((message, mut outgoing)) = socket.recv_with().await? {
//!         outgoing.feed(message).await?; // written before the next wait for input
//!     }
//!     Ok(())
//! }
//! # }
//! ```
//!
//! # The same without adapter, allocator or clock
//!
//! ```
//! use sockless::{Config, Connection, Event, Input, Payload, ProtocolError, Server, TransportAction};
//!
//! /// Answers what one read brought; `write` is the transport's.
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
//!             Ok(Some(_)) => {} // what it obliges us to answer is queued
//!             Ok(None) => break Ok(()),
//!             Err(error) => break Err(error), // so is the Close that tells the peer
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
//! # Architecture
//!
//! ```text
//! adapter                             std, tokio, futures-io, embedded-io: read, write, report
//!   -> handshake                      opens; knows nothing of frames
//!   -> message                        whole messages, buffers, the order of reading and writing
//!     -> connection, send_half        both halves, closing handshake, deadlines; parked: one that waits
//!       -> reader, writer             the two halves; mailbox: two slots from one to the other
//!         -> frame, close, utf8, ...  the wire format and values
//! deflate                             compression: its terms, used by handshake; its codec, by message
//! ```
//!
//! An arrow means "uses"; a test refuses any other. What the peer's frames oblige us to answer goes
//! into two bounded slots ([`Mailbox`]): the newest Pong and the first Close, so that neither can be lost or
//! pile up. Roles are types: a [`Server`] has no source of randomness, a [`Client`] cannot send an unmasked
//! frame. Misuse by our own caller ([`SendError`], [`BufferTooSmall`]) is another type than misbehaviour of
//! the peer ([`ProtocolError`]), which knows its close code.
//!
//! # Decisions where the RFCs leave one
//!
//! - Strict: lengths are minimal, reserved bits zero, masks where they must be, HTTP lines end in CRLF. What is
//!   put up with has a name each ([`Tolerance`]). The head of a refusal need not be right: no frame follows it.
//! - The first octet that is wrong decides which error is reported, however the input was cut. A header is
//!   refused at that octet; text that is wrong before compressed data breaks, or a limit is passed, is first.
//! - After our Close, data that still comes is delivered and Pings are answered, until the peer's Close;
//!   after that, or a failure, everything is swallowed, up to 1 MiB; then the transport is to be dropped.
//! - A Close is answered with its code, an empty one with an empty one. A Close amid a fragmented message is
//!   a normal end.
//! - Too much is 1009; too many fragments are 1008; bad text is 1007; everything else that the peer breaks is
//!   1002.
//! - A compressed message that is cut off, an empty payload included, is invalid: 1007. A DEFLATE block with
//!   BFINAL ends nothing, and the context is kept over it; [`Tolerance::FinishedDeflate`],
//!   [`KeptDeflateTail`](Tolerance::KeptDeflateTail) and [`EmptyDeflate`](Tolerance::EmptyDeflate) take
//!   messages that end otherwise. Limits are for what messages inflate to, and for how much that expands.
//! - A client that was told to begin anew with each compressed message may not have understood: a server
//!   remembers what came until a message shows it (RFC 7692 section 7.2.2 lets it keep its window).
//! - Where 8 bits were agreed on for a window, the compressor has one of 9, in which it reaches back 250
//!   octets at most. The inflater takes what a window of 15 allows, whatever was agreed on.
//! - permessage-deflate stands alone: nothing vouches for a combination with another extension.
//! - A server after both Closes, and whoever failed the connection, ends its direction and reads to the end
//!   of the stream; a client after both waits for the server.
//!
//! # Logging
//!
//! `Debug` prints states and lengths, in one line of less than a kilobyte: no octet of a message, of a buffer, of a
//! header value or of a path, and nothing of the transport. So `{socket:?}` may go into a log; who wants to see a
//! message prints what it holds. Errors say what was wrong, not what was sent.
//!
//! # Memory
//!
//! What a connection keeps, in bytes on a 64-bit target; a test holds each number.
//!
//! | state | bytes |
//! |---|---|
//! | [`Reader`] | 216 |
//! | [`Writer<Server>`](Writer) | 152 |
//! | [`Deadlines`] | 120 |
//! | [`Connection<Server>`](Connection) | 504 |
//! | [`Parked`]: a connection that waits | 24 |
//! | [`Event`], [`Data`] | 40 |
//! | [`Mailbox`] | 130 |
//! | [`Utf8Check`] | 3 |
//! | [`Masker`](frame::Masker) | 4 |
//!
//! A connection that is between messages and owes nothing need be no more than its [`Parked`]; one
//! [`Connection`] or `Endpoint` goes on with one after the other.
//!
//! Whole messages live in the buffer that they were read into (64 KiB unless set); those that fit are
//! received and sent without an allocation. docs/compression.md has a table of what compression costs.
//!
//! # Features
//!
//! - `std` (default): the blocking adapter. Implies `alloc`.
//! - `handshake` (default): the opening handshake, without an allocator; uses `sha1_smol`, `base64`,
//!   `memchr`.
//! - `rng` (default): `SystemEntropy`, a ChaCha8 generator that the system seeds. Without it, bring an
//!   [`Entropy`].
//! - `tokio`: the tokio adapter, with `Stream` and `Sink`.
//! - `deflate`: compression, permessage-deflate (RFC 7692), with `zlib-rs`. Implies `std`. Negotiating it is
//!   part of `handshake`, and its values of the core.
//! - `embedded-io`, `embedded-io-async`: adapters without an allocator, in buffers that the caller lends. The
//!   page docs/firmware.md says what they take on a Cortex-M4.
//! - `simd-utf8` (default): text checked by vector instructions that are found at run time, with `simdutf8`: 2 to 5 times
//!   as fast from 64 octets on. Implies `std`.
//! - `simd-masking`: payloads of 129 octets and more masked by AVX2 where it is found at run time, on x86-64,
//!   with `pulp`: up to twice as fast. Implies `std`.
//! - `simd-avx512`: the same by AVX-512 where that is found. It needs Rust 1.89. Implies `simd-masking`.
//! - `simd-sha1`: the hash in the opening handshake by the instructions for it that x86-64 and AArch64 may have,
//!   found at run time, with `sha1`: twice as fast. Implies `handshake`.
//! - `conformance`: a test-suite for adapters, for those who write one.
//! - `alloc`: whole messages and queues without `std`.
//!
//! With none of them the engine needs no allocator and no other crate.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs, missing_debug_implementations, unreachable_pub, unused_must_use)]
// Nothing panics on any input: the constructs that could are refused by name.
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

/// `Debug` for a type that holds octets of a peer or a secret: the states that are listed, and nothing else. What people
/// log must not hold what others sent, and buffers may hold what another connection received.
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
mod closing;
mod connection;
mod deadline;
pub mod deflate;
#[cfg(feature = "rng")]
mod entropy;
mod error;
mod event;
pub mod frame;
#[cfg(feature = "handshake")]
pub mod handshake;
mod input;
mod limits;
mod mailbox;
pub mod message;
mod parked;
mod payload;
mod reader;
mod role;
mod send_half;
mod time;
mod tolerance;
mod utf8;
mod writer;

#[cfg(any(feature = "std", feature = "embedded-io", feature = "embedded-io-async"))]
pub use adapter::*;
pub use close::{CloseCode, CloseFrame, CloseReason};
pub use closing::{Closed, Initiator, ReadyState, TransportAction};
pub use connection::{Config, Connection};
pub use deadline::{Deadlines, Output, Progress, TimeoutAction, Timeouts};
#[cfg(feature = "rng")]
pub use entropy::SystemEntropy;
pub use error::{BufferTooSmall, EntropyError, ProtocolError, SendError, Timeout};
pub use event::{Data, Event, MessageProgress};
pub use frame::MessageKind;
pub use input::Input;
pub use limits::Limits;
pub use mailbox::Mailbox;
pub use message::Message;
pub use parked::Parked;
pub use payload::{AsPayload, ControlPayload, Payload};
pub use reader::Reader;
pub use role::{AnyRole, Client, Entropy, Role, Server, Side};
pub use time::{Timestamp, Wake};
pub use tolerance::{Tolerance, Tolerances, UnknownTolerance};
pub use utf8::{InvalidUtf8, Utf8Check};
pub use writer::{Frame, Writer, MAX_CONTROL_FRAME_LEN};

// The programs in the README compile.
#[cfg(all(doctest, feature = "std", feature = "handshake", feature = "rng"))]
#[doc = include_str!("../README.md")]
struct Readme;
