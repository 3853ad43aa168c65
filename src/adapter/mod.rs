//! Adapters: [`Endpoint`](crate::message::Endpoint)s on real transports.
//!
//! Owns: reading and writing. Must not know: the protocol. An adapter asks the endpoint what to do next, does it, and
//! reports; if two adapters would need the same decision, it belongs into the endpoint.

mod error;
#[cfg(all(feature = "handshake", feature = "rng"))]
mod opening;
#[cfg(feature = "std")]
pub mod std_io;
#[cfg(feature = "tokio")]
pub mod tokio;

pub use error::Error;
#[cfg(all(feature = "handshake", feature = "rng"))]
pub use opening::{OpeningError, Refusal, Rejection, ServerOptions, Settings};
