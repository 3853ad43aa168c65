//! permessage-deflate (RFC 7692): messages that are compressed one by one.
//!
//! Owns: what can be negotiated (always there, without an allocator). Must not know: header fields, frames,
//! connections.

mod params;

pub use params::{ClientWindow, Offer, Params, Policy, WindowBits};
