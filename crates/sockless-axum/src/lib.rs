//! WebSockets of [`sockless`] in axum 0.8, over HTTP/1.1 and HTTP/2.
//!
//! [`WebSocketUpgrade`] is an extractor, as axum's own of that name. Its [`Socket`] is the one of [`sockless`]; its methods are on
//! the page of [`polled::WebSocket`](sockless::polled::WebSocket).
//!
//! ```no_run
//! use axum::{response::Response, routing::any, Router};
//! use sockless_axum::{handshake::OriginPolicy, Error, ServerConfig, Socket, WebSocketUpgrade};
//!
//! static CONFIG: ServerConfig = ServerConfig::new(OriginPolicy::SameHost).with_max_message_size(64 << 10);
//!
//! async fn echo(ws: WebSocketUpgrade) -> Response {
//!     ws.on_upgrade(&CONFIG, talk)
//! }
//!
//! async fn talk(mut socket: Socket) -> Result<(), Error> {
//!     while let Some((message, mut outgoing)) = socket.recv_with().await? {
//!         outgoing.feed(message).await?;
//!     }
//!     Ok(())
//! }
//!
//! # async fn run() -> std::io::Result<()> {
//! let app = Router::new().route("/echo", any(echo)); // `any`: over HTTP/2 the method is CONNECT
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! axum::serve(listener, app).await
//! # }
//! ```
//!
//! - Which web pages may connect is a choice that each config makes ([`OriginPolicy`](handshake::OriginPolicy)).
//! - Timers run: for keep-alive, slow clients and closing ([`Timeouts::SERVER`]).
//! - Compression is a line in the config: `with_deflate(Policy::DEFAULT)`.
//! - [`Sockets`] closes all WebSockets when the server ends, and says how many there may be.
//! - [`test`](mod@test) asks a router in memory.
//!
//! # Features
//!
//! - `http2` (default): WebSockets over HTTP/2. axum has a feature of that name too, which must be on.
//! - `deflate` (default): compression.
//! - `test`: the module [`test`](mod@test).
//! - `bytes`, `json`: messages from and to `Bytes`, and values of `serde`.
//! - `tracing`: a span for each connection, with events. What a peer sent is in none of them.
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

mod rejection;
mod sockets;
#[cfg(feature = "test")]
pub mod test;
mod upgrade;

pub use rejection::WebSocketUpgradeRejection;
pub use sockets::Sockets;
pub use sockless;
#[cfg(feature = "deflate")]
pub use sockless::deflate::Policy;
pub use sockless::message::{OwnedMessage, Prepared};
pub use sockless::{
    handshake, ClientConfig, CloseCode, CloseFrame, Closed, Error, Initiator, Limits, Message, OpeningError,
    ProtocolError, SendError, ServerConfig, Timeouts,
};
pub use sockless_hyper::{Socket, Stream, TestUpgrade};
pub use upgrade::WebSocketUpgrade;

// The programs in the README compile.
#[cfg(all(doctest, feature = "test"))]
#[doc = include_str!("../README.md")]
struct Readme;
