//! tokio-tungstenite. Text is checked while it is received.

use std::net::TcpListener;

use futures_util::{SinkExt, StreamExt, TryStreamExt, future};
use tokio_tungstenite::{accept_async, accept_async_with_config};
use tungstenite::protocol::{Message, WebSocketConfig};

use super::{batches, runtime};
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

/// With buffers of 16 instead of 128 KiB: faster for small messages on many connections, slower for large ones.
pub fn small_buffers(listener: TcpListener) -> Result {
    runtime::serve(listener, |stream| async {
        let config = WebSocketConfig::default().read_buffer_size(16 << 10).write_buffer_size(16 << 10);
        let socket = accept_async_with_config(stream, Some(config)).await?;
        // After an error the stream ends.
        let data = |message: &Message| message.is_text() || message.is_binary();
        batches::echo(socket, batches::MOST, |message| message.ok().filter(data)).await
    })
}
