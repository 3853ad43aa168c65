//! tokio-tungstenite: a message whose payload is shared.

use std::net::TcpListener;

use futures_util::{SinkExt, StreamExt};
use tokio::sync::broadcast::Sender;
use tokio_tungstenite::accept_async;

use super::{RING, hear};
use crate::Result;
use crate::contenders::runtime;

pub fn serve(listener: TcpListener) -> Result {
    let sender = Sender::new(RING);
    runtime::serve(listener, move |stream| {
        let sender = sender.clone();
        async move {
            let mut heard = sender.subscribe();
            let mut socket = accept_async(stream).await?;
            loop {
                tokio::select! {
                    // What is heard goes out before anything else is read, as where another task reads.
                    biased;
                    message = hear(&mut heard) => socket.send(message?).await?,
                    message = socket.next() => match message {
                        Some(message) => drop(sender.send(message?)),
                        None => return Ok(()),
                    },
                }
            }
        }
    })
}
