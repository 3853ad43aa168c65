//! tokio-websockets. Text is checked while it is received.

use std::net::TcpListener;

use futures_util::{SinkExt, StreamExt, TryStreamExt, future};
use tokio_websockets::{Config, ServerBuilder};

use super::runtime;
use crate::Result;

/// Messages are sent in one frame, as all others do.
fn builder() -> ServerBuilder {
    ServerBuilder::new().config(Config::default().frame_size(usize::MAX))
}

pub fn plain(listener: TcpListener) -> Result {
    runtime::serve(listener, |stream| async {
        let (_, mut socket) = builder().accept(stream).await?;
        while let Some(message) = socket.next().await {
            let message = message?;
            if message.is_text() || message.is_binary() {
                socket.send(message).await?;
            }
        }
        Ok(())
    })
}

pub fn forward(listener: TcpListener) -> Result {
    runtime::serve(listener, |stream| async {
        let (sink, stream) = builder().accept(stream).await?.1.split();
        let messages = stream.try_filter(|message| future::ready(message.is_text() || message.is_binary()));
        Ok(messages.forward(sink).await?)
    })
}
