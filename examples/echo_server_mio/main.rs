//! An echo server on one thread, as a readiness loop of its own: epoll or kqueue, by mio, and nothing else.
//! `cargo run --release --example echo_server_mio -- --listen 127.0.0.1:9001`.
//!
//! The engine brings the protocol and the deadlines; here are only sockets, a slab of connections, and the
//! order in which they have their turns. A connection that waits is its socket and a few octets: it wakes up
//! in the endpoint, and on the buffers, that all of them share.

use std::io;
use std::net::ToSocketAddrs;

use clap::Parser;
use compression::Compression;
use event_loop::{Loop, HEADS};
use mio::net::TcpListener;
use sockless::handshake::HeadLimits;

#[path = "../shared/compression.rs"]
mod compression;
mod connection;
mod event_loop;
#[path = "../shared/log.rs"]
mod log;
#[path = "../shared/opening.rs"]
mod opening;
#[path = "../shared/signals.rs"]
mod signals;

#[derive(Parser)]
#[command(about = "Echoes every WebSocket message, on one thread")]
struct Options {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9001")]
    listen: String,
    #[command(flatten)]
    compression: Compression,
}

pub fn main() -> io::Result<()> {
    let options = Options::parse();
    let address = options.listen.to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let listener = TcpListener::bind(address)?;
    log::announce(listener.local_addr())?;
    let mut heads = vec![0; HEADS * HeadLimits::STORAGE];
    let (policy, tuning) = (options.compression.policy(), options.compression.tuning());
    let serving = Loop::new(listener, policy, tuning, &mut heads)?;
    let waker = serving.stopper()?;
    signals::on_signal(move || {
        // It can only fail where the loop is gone.
        let _ = waker.wake();
    })?;
    serving.run()
}
