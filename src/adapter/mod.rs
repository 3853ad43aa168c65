//! Adapters: connections on real transports.
//!
//! # What an application decides
//!
//! Dialling is left to the application, which knows its addresses: RFC 6455 section 4.1 lets one connection
//! at a time be opening to an address (6455-4.1-2), or to a host name where a proxy hides the address
//! (6455-4.1-3), and wants the number of those that are opening bounded (6455-4.1-4); RFC 8305 staggers
//! addresses of both families (8305-1). `connect` tries one address after the other; `client` takes a transport
//! however it was made.
//!
//! After an abnormal closure a client waits before it connects again, at first a random time of up to five
//! seconds (6455-7.2.3-1), then longer each time, up to a bound (6455-7.2.3-2).
//
// Owns: reading and writing.
// Must not know: the protocol.
// An adapter asks what to do next, does it, and reports; if two adapters would need the same decision, it
// belongs below them. For those with an allocator that is `message::Endpoint`; for those in buffers that the
// caller lends, a driver of their own.

#[cfg(feature = "std")]
pub mod blocking;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "std")]
mod connections;
#[cfg(any(feature = "embedded-io", feature = "embedded-io-async"))]
mod embedded;
#[cfg(feature = "embedded-io")]
pub mod embedded_io;
#[cfg(feature = "embedded-io-async")]
pub mod embedded_io_async;
#[cfg(feature = "std")]
mod error;
#[cfg(any(feature = "embedded-io", feature = "embedded-io-async"))]
mod fixed;
#[cfg(feature = "futures-io")]
pub mod futures_io;
#[cfg(feature = "std")]
mod last_close;
#[cfg(all(feature = "std", feature = "handshake", feature = "rng"))]
mod opening;
#[cfg(all(feature = "std", feature = "handshake", feature = "rng"))]
mod opening_error;
#[cfg(any(feature = "futures-io", feature = "tokio"))]
pub mod polled;
#[cfg(feature = "std")]
mod sync;
#[cfg(feature = "std")]
mod thread_pool;
#[cfg(feature = "tokio")]
pub mod tokio;

#[cfg(feature = "std")]
pub use connections::Connections;
#[cfg(feature = "std")]
pub use error::{Error, ReuniteError};
#[cfg(all(feature = "deflate", feature = "handshake", feature = "rng"))]
pub use opening::ServerDeflate;
#[cfg(all(feature = "std", feature = "handshake", feature = "rng"))]
pub use opening::{Accepted, Answer, Refusal, ServerOptions, Settings};
#[cfg(all(feature = "std", feature = "handshake", feature = "rng"))]
pub use opening_error::{ConnectStage, OpeningError, Rejection};
