//! tokio-tungstenite. Text is checked while it is received.

use std::net::TcpListener;

use futures_util::{SinkExt, StreamExt, TryStreamExt, future};
use tokio_tungstenite::accept_async;

use super::runtime;
use crate::Result;

pub fn plain(listener: TcpListener) -> Result {
    runtime::serve(listener, |stream| async {
        let mut socket = accept_async(stream).await?;
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
        let (sink, stream) = accept_async(stream).await?.split();
        let messages = stream.try_filter(|message| future::ready(message.is_text() || message.is_binary()));
        Ok(messages.forward(sink).await?)
    })
}
