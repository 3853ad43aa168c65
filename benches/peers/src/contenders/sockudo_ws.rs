//! sockudo-ws. Text is checked while it is received; its timers are off.

use std::net::TcpListener;

use futures_util::{SinkExt, StreamExt};
use sockudo_ws::handshake::server_handshake;
use sockudo_ws::{Config, Message, WebSocketStream};
use tokio::net::TcpStream;

use super::{batches, runtime};
use crate::Result;

async fn accept(mut stream: TcpStream) -> Result<WebSocketStream<TcpStream>> {
    let opened = server_handshake(&mut stream).await?;
    let mut config = Config::default();
    (config.auto_ping, config.idle_timeout) = (false, 0);
    let role = sockudo_ws::Role::Server;
    Ok(WebSocketStream::from_raw_with_leftover(stream, role, config, opened.leftover))
}

fn is_data(message: &Message) -> bool {
    matches!(message, Message::Text(_) | Message::Binary(_))
}

pub fn plain(listener: TcpListener) -> Result {
    runtime::serve(listener, |stream| async {
        let mut socket = accept(stream).await?;
        while let Some(message) = socket.next().await {
            let message = message?;
            if is_data(&message) {
                socket.send(message).await?;
            }
        }
        Ok(())
    })
}

/// Faster than `forward`, which needs a lock between the halves.
pub fn batches(listener: TcpListener) -> Result {
    runtime::serve(listener, |stream| async {
        // After an error the stream ends.
        batches::echo(accept(stream).await?, batches::MOST, |message| message.ok().filter(is_data)).await
    })
}
