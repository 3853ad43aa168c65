//! yawc. Text is checked because it is asked to.

use std::net::TcpListener;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use yawc::frame::{Frame, OpCode};
use yawc::{Options, Role, WebSocket};

use super::{batches, runtime};
use crate::Result;

/// Its own upgrade goes through hyper and boxes the stream; without, it is faster.
async fn accept(stream: TcpStream) -> Result<WebSocket<TcpStream>> {
    let stream = runtime::open(stream).await?;
    let options = Options::default().with_utf8().with_limits(64 << 20, 64 << 20);
    Ok(WebSocket::from_stream(stream, Role::Server, options)?)
}

fn answer(frame: Frame) -> Option<Frame> {
    matches!(frame.opcode(), OpCode::Text | OpCode::Binary).then_some(frame)
}

pub fn plain(listener: TcpListener) -> Result {
    runtime::serve(listener, |stream| async {
        let mut socket = accept(stream).await?;
        while let Some(frame) = socket.next().await {
            if let Some(frame) = answer(frame) {
                socket.send(frame).await?;
            }
        }
        Ok(())
    })
}

pub fn batches(listener: TcpListener) -> Result {
    runtime::serve(listener, |stream| async {
        batches::echo(accept(stream).await?, batches::MOST, answer).await
    })
}
