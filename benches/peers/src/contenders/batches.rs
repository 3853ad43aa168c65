//! Answering all messages that are ready before one flush.

use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};

use crate::Result;

/// Messages before a flush, at most.
pub const MOST: usize = 64;

/// Echoes what `answer` lets through: up to `most` ready messages, then a flush.
pub async fn echo<W, T, U, E>(mut socket: W, most: usize, answer: impl Fn(T) -> Option<U>) -> Result
where
    W: Stream<Item = T> + Sink<U, Error = E> + Unpin,
    E: std::error::Error + Send + Sync + 'static,
{
    while let Some(message) = socket.next().await {
        let mut next = Some(message);
        for _ in 0..most {
            let Some(message) = next else { break };
            if let Some(reply) = answer(message) {
                socket.feed(reply).await?;
            }
            next = match socket.next().now_or_never() {
                Some(None) => return Ok(()),
                Some(message) => message,
                None => None,
            };
        }
        if let Some(reply) = next.and_then(&answer) {
            socket.feed(reply).await?;
        }
        socket.flush().await?;
    }
    Ok(())
}
