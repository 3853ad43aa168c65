//! Ours: a frame that all connections write from where it stands.

use std::net::TcpListener;

use sockless::ServerConfig;
use sockless::handshake::OriginPolicy;
use sockless::message::Prepared;
use sockless::tokio::accept;
use tokio::sync::broadcast::Sender;

use super::{RING, hear};
use crate::Result;
use crate::contenders::runtime;

/// One for all connections: what a task names in passing it keeps. Without timers, which the others have not.
static OPTIONS: ServerConfig = ServerConfig::new(OriginPolicy::Any).without_timeouts();

pub fn serve(listener: TcpListener) -> Result {
    let sender = Sender::new(RING);
    runtime::serve(listener, move |stream| {
        let sender = sender.clone();
        async move {
            let mut heard = sender.subscribe();
            let mut socket = accept(stream, &OPTIONS).await?;
            loop {
                // Both are cancel safe.
                tokio::select! {
                    // What is heard goes out before anything else is read, as where another task reads.
                    biased;
                    message = hear(&mut heard) => socket.send_prepared(&message?).await?,
                    message = socket.recv() => match message? {
                        Some(message) => drop(sender.send(Prepared::new(message))),
                        None => return Ok(()),
                    },
                }
            }
        }
    })
}
