//! WebSockets of [`sockless`] in servers of [`hyper`] 1, by HTTP/1.1 and HTTP/2.
//!
//! [`upgrade`] is one line in a service. It judges the request by the rules of the engine, gives the response, and a
//! future of the [`Socket`]. The same line serves the `Upgrade` of HTTP/1.1 (RFC 6455) and the extended CONNECT of HTTP/2
//! (RFC 8441).
//!
//! ```no_run
//! use http_body_util::Full;
//! use hyper::{body::{Bytes, Incoming}, Request, Response};
//! use sockless::ServerConfig;
//!
//! fn serve(mut request: Request<Incoming>, config: &ServerConfig) -> Response<Full<Bytes>> {
//!     match sockless_hyper::upgrade(&mut request, config) {
//!         Ok((response, opening)) => {
//!             tokio::spawn(async move {
//!                 let mut socket = opening.await?;
//!                 socket.send("Hello").await
//!             });
//!             response.map(|()| Full::default())
//!         }
//!         Err(refusal) => refusal.into_response(),
//!     }
//! }
//! ```
//!
//! - [`receive`] is the first of two steps, for an application that decides about the request: it shows path, fields,
//!   origin and subprotocols, and can be kept while the application waits for something. Then [`Opening::accept`] adds
//!   fields to the answer and chooses the subprotocol.
//! - [`Refusal`] is the response to every other request, with the status of the engine and a text that says why.
//! - [`TestUpgrade`] takes the place of the connection, so that a handler is tested without a network.
//! - The [`Socket`] is the one of [`sockless::tokio`]; its methods are those of
//!   [`polled::WebSocket`](sockless::polled::WebSocket).
//!
//! # What the server must do
//!
//! - Serve connections with upgrades: `with_upgrades` of hyper, `serve_connection_with_upgrades` of hyper-util.
//! - For HTTP/2, call `enable_connect_protocol` on the builder. Browsers use it as soon as they see it.
//! - For HTTP/2, keep the window of a stream much smaller than that of the connection: `initial_stream_window_size(64 <<
//!   10)` and `initial_connection_window_size(8 << 20)`, say. Otherwise one socket that does not read what comes holds up
//!   all others of its connection.
//!
//! # Features
//!
//! - `http2` (default): extended CONNECT.
//! - `deflate` (default): compression.
//! - `bytes`, `json`: messages from and to `Bytes`, and values of `serde`.
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

mod opening;
mod refusal;
mod transport;
mod upgrade;

pub use opening::{receive, receive_with, upgrade, Opening};
pub use refusal::Refusal;
pub use sockless;
pub use transport::{Stream, TestUpgrade};
pub use upgrade::Upgrade;

/// A server's WebSocket behind hyper. Its methods are those of [`polled::WebSocket`](sockless::polled::WebSocket).
pub type Socket = sockless::tokio::ServerSocket<Stream>;

// The programs in the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
