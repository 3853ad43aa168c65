//! permessage-deflate (RFC 7692): each message is compressed by itself.
//!
//! With an adapter or an `Endpoint` you only choose a [`Policy`] (server) or an [`Offer`] (client) for the opening
//! handshake. Whoever works with frames uses the codec, with the [`Params`] that were agreed on:
//!
//! ```
//! # #[cfg(feature = "deflate")] {
//! use sockless::deflate::{Deflater, Flush, Inflater, Params, Tuning};
//! use sockless::{Limits, MessageKind, Side};
//!
//! let agreed = Params::DEFAULT;
//! let mut deflater = Deflater::new(&agreed, Side::Client, Tuning::DEFAULT);
//! let mut buffer = [0; Deflater::bound(5)];
//! let mut message = &b"Hello"[..];
//! let deflated = deflater.deflate(&mut message, Flush::Message, &mut buffer)?;
//! assert!(deflated.done);
//!
//! let mut inflater = Inflater::new(&agreed, Side::Client, Limits::DEFAULT);
//! let mut compressed = &buffer[..deflated.written];
//! let mut out = [0; 64];
//! let inflated = inflater.inflate(MessageKind::Text, &mut compressed, true, &mut out)?;
//! assert_eq!(inflated.as_str(), Some("Hello"));
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Security
//!
//! Do not compress a secret together with data that an attacker can choose: the length of the result tells something
//! about it (RFC 7692 section 8; 7692-8-1). Use [`Payload::with_compression`](crate::Payload::with_compression).
//
// Owns: what can be negotiated (always there, without an allocator), and the codec (feature `deflate`).
// Must not know: header fields, frames, connections.

#[cfg(feature = "deflate")]
mod context;
#[cfg(feature = "deflate")]
mod deflater;
#[cfg(feature = "deflate")]
mod history;
#[cfg(feature = "deflate")]
mod inflater;
mod params;
#[cfg(feature = "deflate")]
mod pool;
#[cfg(feature = "deflate")]
mod tuning;

#[cfg(feature = "deflate")]
pub use deflater::{Deflated, Deflater, Flush};
#[cfg(feature = "deflate")]
pub(crate) use inflater::Broken;
#[cfg(feature = "deflate")]
pub use inflater::{InflateStatus, Inflated, Inflater};
pub use params::{ClientWindow, Offer, Params, Policy, WindowBits};
#[cfg(feature = "deflate")]
pub use pool::Pool;
#[cfg(feature = "deflate")]
pub use tuning::Tuning;
