//! fastwebsockets: a payload that is shared. Its reading is not cancel safe, so a task of its own reads.

use std::net::TcpListener;

use bytes::Bytes;
use fastwebsockets::{Frame, OpCode, Payload, Role, WebSocketError, after_handshake_split};
use tokio::sync::broadcast::Sender;

use super::{RING, hear};
use crate::Result;
use crate::contenders::runtime;

pub fn serve(listener: TcpListener) -> Result {
    let sender = Sender::<Bytes>::new(RING);
    runtime::serve(listener, move |stream| {
        let sender = sender.clone();
        async move {
            let mut heard = sender.subscribe();
            let (read, write) = runtime::open(stream).await?.into_split();
            let (mut read, mut write) = after_handshake_split(read, write, Role::Server);
            tokio::spawn(async move {
                // Nobody pings here.
                let mut send = |_: Frame<'_>| async { Ok::<_, WebSocketError>(()) };
                while let Ok(frame) = read.read_frame(&mut send).await {
                    match frame.opcode {
                        OpCode::Binary => drop(sender.send(Bytes::copy_from_slice(&frame.payload))),
                        _ => break,
                    }
                }
            });
            loop {
                let message = hear(&mut heard).await?;
                write.write_frame(Frame::binary(Payload::Borrowed(&message))).await?;
            }
        }
    })
}
