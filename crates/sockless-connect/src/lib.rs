//! One line to any WebSocket server, for clients of [`sockless`].
//!
//! ```no_run
//! # #[cfg(feature = "tokio")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let (mut socket, response) = sockless_connect::connect("wss://example.com/feed").await?;
//! println!("{:?}", response.field("Server"));
//! while let Some(message) = socket.recv().await? {
//!     println!("{}", message.as_text().unwrap_or("(bytes)"));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`connect`] looks the host up, connects to the address that answers first, sets up TLS for `wss:`, and opens the
//! WebSocket. It offers compression, as browsers do. All of it is done within one opening time, and the error says how
//! far it came ([`Stage`]). [`Connect`] has everything that can be set: header fields, cookies, credentials,
//! subprotocols, limits, times, certificates, a proxy.
//!
//! The socket is the one of [`sockless`]: [`polled::WebSocket`](sockless::polled::WebSocket) has its methods. What a
//! client needs of that crate is here as well, so that one dependency is enough.
//!
//! # Without a runtime
//!
//! Everything is there on blocking sockets as well, with the same settings and the same errors: [`blocking::connect`] and
//! [`Connect::connect_blocking`]. The socket is [`blocking::WebSocket`](sockless::blocking::WebSocket) there.
//!
//! ```no_run
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let (mut socket, _response) = sockless_connect::blocking::connect("wss://example.com/feed")?;
//! while let Some(message) = socket.recv()? {
//!     println!("{}", message.as_text().unwrap_or("(bytes)"));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! - `tokio` (default): connecting on tokio. [`blocking`] needs no feature.
//! - `deflate` (default): compression.
//! - `bytes`, `json`: messages from and to `Bytes`, and values of `serde` (`message.json()`, `OwnedMessage::from_json`).
//! - `tracing`: a span for each connection, with events: opened, refused, failed, closed. What a peer sent is in none of them.
//! - `rustls`: `wss:` by rustls. `ring` (default) or `aws-lc-rs` is the cryptography that it uses. Without either, it
//!   uses what the program has installed as rustls' default.
//! - `platform-verifier` (default): certificates are checked as the operating system would.
//! - `webpki-roots`: Mozilla's list of authorities, for where the system has none.
//!
//! No type of a TLS library is in the way: [`Stream`] is opaque. Another library is plugged in with
//! [`Connect::with_tls_by`], and a stream of any other kind with [`Connect::client`]. On blocking sockets these are
//! [`Connect::with_tls_by_blocking`] and [`Connect::client_blocking`].
#![forbid(unsafe_code)]
#![deny(missing_docs, missing_debug_implementations, unreachable_pub, unused_must_use)]
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

mod backoff;
pub mod blocking;
mod challenge;
mod config;
mod error;
mod gate;
mod layer;
mod net;
#[cfg(feature = "tokio")]
mod on_tokio;
mod open;
mod proxies;
mod proxy;
mod reconnect;
mod request;
mod response;
mod retry;
mod staggered;
#[cfg(feature = "tokio")]
mod stream;
#[cfg(feature = "rustls")]
mod tls;
#[cfg(feature = "tracing")]
mod trace;
mod tunnel;

pub use backoff::Backoff;
pub use challenge::Challenge;
pub use config::Connect;
pub use error::{ConnectError, ProxyError, Stage};
pub use gate::Gate;
#[cfg(feature = "tokio")]
pub use on_tokio::{connect, Receiver, Reconnect, Sender, Socket};
pub use proxies::{Proxies, ProxyVariableError};
pub use proxy::{Proxy, ProxyUrlError};
pub use response::Response;
pub use retry::Interruption;
pub use sockless;
pub use sockless::deflate::Offer;
pub use sockless::endpoint::Buffers;
pub use sockless::handshake::{UriBuf, UriError};
pub use sockless::message::{OwnedMessage, Prepared};
pub use sockless::{
    ClientConfig, CloseCode, CloseFrame, Closed, ControlPayload, Error, Initiator, Limits, Message, Payload,
    ProtocolError, SendError, Timeouts, Timestamp,
};
#[cfg(feature = "tokio")]
pub use stream::Stream;
#[cfg(feature = "rustls")]
pub use tls::Tls;

// The programs in the README compile.
#[cfg(all(doctest, feature = "tokio", feature = "rustls"))]
#[doc = include_str!("../README.md")]
struct Readme;
