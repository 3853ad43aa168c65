//! Ours, on tokio.

use std::net::TcpListener;

use sockless::adapter::ServerOptions;
use sockless::adapter::tokio::accept;
use sockless::handshake::OriginPolicy;

use super::runtime;
use crate::Result;

pub fn serve(listener: TcpListener) -> Result {
    runtime::serve(listener, |stream| async {
        let mut socket = accept(stream, &ServerOptions::new(OriginPolicy::Any)).await?;
        // Written before the next wait for input.
        while let Some((message, mut outgoing)) = socket.recv_with().await? {
            outgoing.feed(message).await?;
        }
        Ok(())
    })
}
