//! Adapters: connections on real transports.
//
// Owns: reading and writing.
// Must not know: the protocol.
// If two adapters would need the same decision, it belongs below them.

#[cfg(all(feature = "std", feature = "handshake"))]
mod agreed;
#[cfg(all(
    feature = "handshake",
    any(all(feature = "std", feature = "rng"), feature = "embedded-io", feature = "embedded-io-async")
))]
mod answer;
#[cfg(feature = "std")]
pub mod blocking;
#[cfg(feature = "std")]
mod byte_stream;
#[cfg(all(
    feature = "handshake",
    any(all(feature = "std", feature = "rng"), feature = "embedded-io", feature = "embedded-io-async")
))]
mod config;
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
#[cfg(all(
    feature = "handshake",
    any(all(feature = "std", feature = "rng"), feature = "embedded-io", feature = "embedded-io-async")
))]
mod opening_error;
#[cfg(all(feature = "std", feature = "handshake", feature = "rng"))]
mod opening_functions;
#[cfg(any(feature = "futures-io", feature = "tokio"))]
pub mod polled;
#[cfg(feature = "std")]
mod receiver_guard;
#[cfg(feature = "std")]
mod socket_methods;
#[cfg(feature = "std")]
mod sync;
#[cfg(feature = "std")]
mod thread_pool;
#[cfg(feature = "tokio")]
pub mod tokio;
#[cfg(feature = "tracing")]
mod trace;

#[cfg(all(
    feature = "handshake",
    any(all(feature = "std", feature = "rng"), feature = "embedded-io", feature = "embedded-io-async")
))]
pub use answer::Answer;
#[cfg(all(
    feature = "handshake",
    any(all(feature = "std", feature = "rng"), feature = "embedded-io", feature = "embedded-io-async")
))]
pub use config::{ClientConfig, ServerConfig};
#[cfg(feature = "std")]
pub use connections::Connections;
#[cfg(feature = "std")]
pub use error::{Error, ReuniteError};
#[cfg(all(feature = "std", feature = "handshake", feature = "rng"))]
pub use opening::{Opened, Refusal};
#[cfg(all(
    feature = "handshake",
    any(all(feature = "std", feature = "rng"), feature = "embedded-io", feature = "embedded-io-async")
))]
pub use opening_error::{ConnectStage, OpeningError, Rejection};
