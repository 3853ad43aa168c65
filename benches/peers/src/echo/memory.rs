//! What an idle connection costs in memory, in the server's process.

use std::io::{Read, Write};

use super::results::Memory;
use crate::Result;
use crate::client::{client_frame, open, server_frame};
use crate::contenders::Contender;
use crate::server::Server;

/// Opens so many connections, and sends one small message over each.
pub fn measure(contender: &Contender, connections: usize) -> Result<Memory> {
    let server = Server::start(contender.name)?;
    // What the first connection costs the process is not that of a connection.
    let mut streams = vec![open(server.address)?];
    exchange(&mut streams)?;
    let before = server.resident()?;
    for _ in 0..connections {
        streams.push(open(server.address)?);
    }
    let opened = server.resident()?;
    exchange(&mut streams)?;
    let echoed = server.resident()?;
    let each = |resident: u64| resident.saturating_sub(before) as f64 / connections as f64;
    Ok(Memory {
        name: contender.name.into(),
        ours: contender.is_ours(),
        connections,
        opened: each(opened),
        echoed: each(echoed),
    })
}

/// A message of 20 octets over each, and back.
fn exchange(streams: &mut [std::net::TcpStream]) -> Result {
    let frame = client_frame(0x82, &[b'm'; 20]);
    let expected = server_frame(0x82, &[b'm'; 20]);
    for stream in streams {
        stream.write_all(&frame)?;
        let mut echo = vec![0; expected.len()];
        stream.read_exact(&mut echo)?;
        if echo != expected {
            return Err("an echo is not what was sent".into());
        }
    }
    Ok(())
}
