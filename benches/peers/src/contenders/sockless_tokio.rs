//! Ours, on tokio.

use std::net::TcpListener;

use sockless::ServerConfig;
use sockless::handshake::OriginPolicy;
use sockless::tokio::accept;

use super::runtime;
use crate::Result;

/// One for all connections: what a task names in passing it keeps. Without timers, which the others have not.
static OPTIONS: ServerConfig = ServerConfig::new(OriginPolicy::Any).without_timeouts();

pub fn serve(listener: TcpListener) -> Result {
    runtime::serve(listener, |stream| async {
        let mut socket = accept(stream, &OPTIONS).await?;
        loop {
            // Not `while let`: that holds what it matched as long as the body waits.
            let Some((message, mut outgoing)) = socket.recv_with().await? else { return Ok(()) };
            // Written before the next wait for input.
            outgoing.feed(message).await?;
        }
    })
}
