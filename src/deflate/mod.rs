//! permessage-deflate (RFC 7692): messages that are compressed one by one.
//!
//! Compressing what an attacker can choose next to a secret lets the attacker measure the secret (RFC 7692
//! section 8; 7692-8-1): send such messages uncompressed, by
//! [`Payload::with_compression`](crate::Payload::with_compression).
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
