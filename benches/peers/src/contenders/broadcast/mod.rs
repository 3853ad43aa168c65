//! Servers that tell everybody what one says, as they are built with tokio: one task a connection, which
//! hears a channel. The payload is shared, whatever of the frame the library can share is encoded once.

mod fastwebsockets;
mod sockless;
mod tokio_tungstenite;

use std::net::TcpListener;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::Result;

/// Messages that a connection may be behind.
const RING: usize = 16;

/// A server that tells everybody what one says.
pub struct Broadcaster {
    /// What it is called in tables.
    pub name: &'static str,
    /// What is shared.
    pub how: &'static str,
    /// Serves until it is killed.
    pub serve: fn(TcpListener) -> Result,
}

/// All of them, ours first.
pub const ALL: &[Broadcaster] = &[
    Broadcaster {
        name: "sockless on tokio",
        how: "a `Prepared` frame, encoded once",
        serve: sockless::serve,
    },
    Broadcaster {
        name: "tokio-tungstenite",
        how: "the payload, as `Bytes`; each connection encodes a frame",
        serve: tokio_tungstenite::serve,
    },
    Broadcaster {
        name: "fastwebsockets",
        how: "the payload, as `Bytes`; each connection encodes a frame",
        serve: fastwebsockets::serve,
    },
];

/// The one of this name.
pub fn named(name: &str) -> Result<&'static Broadcaster> {
    ALL.iter().find(|broadcaster| broadcaster.name == name).ok_or_else(|| format!("no {name}").into())
}

/// The next message. Nobody is ever so far behind that he misses one.
async fn hear<T: Clone>(channel: &mut Receiver<T>) -> Result<T> {
    match channel.recv().await {
        Ok(message) => Ok(message),
        Err(RecvError::Lagged(_)) => Err("too slow".into()),
        Err(RecvError::Closed) => Err("over".into()),
    }
}
