//! WebSocket over one stream of HTTP/2 (RFC 8441), on the crate `h2`: server and client.
//!
//! An HTTP/2 connection carries many streams, and a WebSocket takes one of them: the stream is what the TCP connection is
//! elsewhere. It begins with an extended CONNECT instead of an upgrade. Messages, masking, compression, timers and closing are
//! those of [`sockless`], and so is the socket: [`polled::WebSocket`](sockless::polled::WebSocket) has its methods.
//!
//! Programs that use hyper do not need this crate. It is for those that use `h2` itself.
//!
//! # A server
//!
//! ```no_run
//! use sockless::{handshake::OriginPolicy, ServerConfig};
//!
//! static CONFIG: ServerConfig = ServerConfig::new(OriginPolicy::SameHost);
//!
//! async fn serve(stream: tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
//!     let mut connection = sockless_h2::server_builder(100).handshake(stream).await?;
//!     while let Some(stream) = connection.accept().await {
//!         let (request, mut respond) = stream?;
//!         if sockless_h2::is_extended_connect(&request) {
//!             tokio::spawn(async move {
//!                 let mut socket = sockless_h2::accept(request, respond, &CONFIG)?;
//!                 while let Ok(Some((message, mut outgoing))) = socket.recv_with().await {
//!                     let _ = outgoing.feed(message).await; // receiving tells what is wrong
//!                 }
//!                 Ok::<_, sockless_h2::Error>(())
//!             });
//!         } else {
//!             respond.send_response(http::Response::new(()), true)?; // a page, perhaps
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # A client
//!
//! ```no_run
//! use sockless::{ClientConfig, CloseCode};
//!
//! async fn hello(stream: tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
//!     let (send, connection) = sockless_h2::client_builder(100).handshake(stream).await?;
//!     tokio::spawn(connection);
//!     let config = ClientConfig::new();
//!     let (mut socket, _response) = sockless_h2::connect(&send, "ws://localhost/chat", &config).await?;
//!     socket.send("Hello").await?;
//!     socket.close(CloseCode::NORMAL).await?;
//!     Ok(())
//! }
//! ```
//!
//! With TLS, the stream is one of a TLS library that has agreed on `h2` by ALPN, and the URI is `wss:`.
//!
//! [`H2Stream`] says how a stream ends and what flow control does; [`server_builder`] says which windows keep one stream from
//! stopping the others.
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

mod builders;
mod client;
mod error;
mod head;
mod server;
mod stream;

pub use builders::{client_builder, server_builder, STREAM_WINDOW};
pub use client::{connect, SETTINGS_TIME};
pub use error::{Error, StreamError};
pub use server::{accept, accept_with, is_extended_connect, refuse};
pub use stream::H2Stream;
pub use {bytes, h2, http};

/// A server's WebSocket on a stream of HTTP/2.
pub type ServerSocket = sockless::tokio::ServerSocket<H2Stream>;

/// A client's WebSocket on a stream of HTTP/2.
pub type ClientSocket = sockless::tokio::ClientSocket<H2Stream>;
