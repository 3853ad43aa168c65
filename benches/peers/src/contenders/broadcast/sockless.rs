//! Ours: a frame that all connections copy from.

use std::net::TcpListener;

use sockless::adapter::ServerOptions;
use sockless::adapter::tokio::accept;
use sockless::handshake::OriginPolicy;
use sockless::message::Prepared;
use tokio::sync::broadcast::Sender;

use super::{RING, hear};
use crate::Result;
use crate::contenders::runtime;

pub fn serve(listener: TcpListener) -> Result {
    let sender = Sender::new(RING);
    runtime::serve(listener, move |stream| {
        let sender = sender.clone();
        async move {
            let mut heard = sender.subscribe();
            let mut socket = accept(stream, &ServerOptions::new(OriginPolicy::Any)).await?;
            loop {
                // Both are cancel safe.
                tokio::select! {
                    message = socket.recv() => match message? {
                        Some(message) => drop(sender.send(Prepared::new(message))),
                        None => return Ok(()),
                    },
                    // Written before the next wait for input.
                    message = hear(&mut heard) => socket.feed_prepared(&message?).await?,
                }
            }
        }
    })
}
