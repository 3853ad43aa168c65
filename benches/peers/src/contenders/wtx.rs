//! wtx. Text is checked while it is received.

use std::net::TcpListener;

use wtx::collection::Vector;
use wtx::web_socket::{OpCode, WebSocketAcceptor, WebSocketPayloadOrigin};

use super::runtime;
use crate::Result;

pub fn serve(listener: TcpListener) -> Result {
    runtime::serve(listener, |stream| async {
        let mut socket = WebSocketAcceptor::default().accept(stream).await?;
        let mut joined = Vector::new();
        let (mut common, mut reader, mut writer) = socket.split_mut();
        loop {
            let mut frame =
                reader.read_frame(&mut joined, &mut common, WebSocketPayloadOrigin::Adaptive).await?;
            match frame.op_code() {
                OpCode::Close => return Ok(()),
                OpCode::Binary | OpCode::Text => writer.write_frame(&mut common, &mut frame).await?,
                _ => {}
            }
        }
    })
}
