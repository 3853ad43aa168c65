//! The echo servers that are compared, one module a library.
//!
//! All echo text and binary messages of at least a mebibyte, uncompressed, on one thread, on sockets with
//! TCP_NODELAY, and end a connection that fails. None keeps timers.

mod batches;
mod fastwebsockets;
mod runtime;
mod sockless_mio;
mod sockless_tokio;
mod sockudo_ws;
mod tokio_tungstenite;
mod tokio_websockets;
mod uwebsockets;
mod wtx;
mod yawc;

pub mod broadcast;

use std::net::TcpListener;

use crate::Result;

/// An echo server.
pub struct Contender {
    /// What it is called in tables.
    pub name: &'static str,
    /// The package in `Cargo.lock`, or what else it is built of.
    pub library: &'static str,
    /// How the library is used.
    pub how: &'static str,
    /// Serves until it is killed.
    pub serve: fn(TcpListener) -> Result,
}

impl Contender {
    /// Whether it is what this repository is about.
    pub fn is_ours(&self) -> bool {
        self.library == "sockless"
    }

    /// Whether it can be run here.
    pub fn is_here(&self) -> bool {
        self.name != uwebsockets::NAME || uwebsockets::built().is_some()
    }
}

/// All of them, ours first.
pub const ALL: &[Contender] = &[
    Contender {
        name: "sockless on tokio",
        library: "sockless",
        how: "`recv_with`, `feed` the borrowed message",
        serve: sockless_tokio::serve,
    },
    Contender {
        name: "sockless on mio",
        library: "sockless",
        how: "an `Endpoint` in a readiness loop, as in `examples/echo_server_mio`",
        serve: sockless_mio::serve,
    },
    Contender {
        name: "tokio-tungstenite",
        library: "tokio-tungstenite",
        how: "`next`, `send`",
        serve: tokio_tungstenite::plain,
    },
    Contender {
        name: "tokio-tungstenite, forward",
        library: "tokio-tungstenite",
        how: "`split`, `forward`",
        serve: tokio_tungstenite::forward,
    },
    Contender {
        name: "tokio-tungstenite, 16 KiB, batches",
        library: "tokio-tungstenite",
        how: "buffers of 16 KiB; `next`, `feed` of up to 64 ready messages, then `flush`",
        serve: tokio_tungstenite::small_buffers,
    },
    Contender {
        name: "fastwebsockets",
        library: "fastwebsockets",
        how: "`FragmentCollector`: `read_frame`, `write_frame`",
        serve: fastwebsockets::serve,
    },
    Contender {
        name: "tokio-websockets",
        library: "tokio-websockets",
        how: "`next`, `send`",
        serve: tokio_websockets::plain,
    },
    Contender {
        name: "tokio-websockets, forward",
        library: "tokio-websockets",
        how: "`split`, `forward`",
        serve: tokio_websockets::forward,
    },
    Contender { name: "yawc", library: "yawc", how: "`next`, `send`", serve: yawc::plain },
    Contender {
        name: "yawc, batches",
        library: "yawc",
        how: "`next`, `feed` of up to 64 ready messages, then `flush`",
        serve: yawc::batches,
    },
    Contender {
        name: "wtx",
        library: "wtx",
        how: "`read_frame`, `write_frame` of the lent payload",
        serve: wtx::serve,
    },
    Contender { name: "sockudo-ws", library: "sockudo-ws", how: "`next`, `send`", serve: sockudo_ws::plain },
    Contender {
        name: "sockudo-ws, batches",
        library: "sockudo-ws",
        how: "`next`, `feed` of up to 64 ready messages, then `flush`",
        serve: sockudo_ws::batches,
    },
    Contender {
        name: uwebsockets::NAME,
        library: "uWebSockets",
        how: "`ws->send` in the message handler; C++",
        serve: uwebsockets::serve,
    },
];

/// The contender of this name.
pub fn named(name: &str) -> Result<&'static Contender> {
    ALL.iter().find(|contender| contender.name == name).ok_or_else(|| format!("no contender {name}").into())
}

pub use uwebsockets::{build as build_uwebsockets, version as uwebsockets_version};

/// Whether this one tells itself where it listens.
pub fn announces_itself(name: &str) -> bool {
    name == uwebsockets::NAME
}
