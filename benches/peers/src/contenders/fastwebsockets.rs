//! fastwebsockets. Text is checked by its `FragmentCollector`.

use std::net::TcpListener;

use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};

use super::runtime;
use crate::Result;

pub fn serve(listener: TcpListener) -> Result {
    runtime::serve(listener, |stream| async {
        // Its own upgrade goes through hyper and boxes the stream; without, it is faster.
        let stream = runtime::open(stream).await?;
        let mut socket = FragmentCollector::new(WebSocket::after_handshake(stream, Role::Server));
        loop {
            let frame = socket.read_frame().await?;
            match frame.opcode {
                OpCode::Close => return Ok(()),
                OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
                _ => {}
            }
        }
    })
}
