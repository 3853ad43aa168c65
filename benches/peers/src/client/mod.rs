//! A minimal WebSocket client that measures a server, so that its own cost is small.

pub mod load;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::{Result, pacing};

/// The masking key of every frame. A real client picks a new one for each; a server cannot tell.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Nothing may take longer than this.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Connects, and opens a WebSocket.
pub fn open(address: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    pacing::off(&stream)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // In one piece: wtx refuses a request that arrives in two.
    stream.write_all(request(address).as_bytes())?;
    let mut response = Vec::new();
    let mut buffer = [0; 1024];
    while !response.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer)? {
            0 => return Err("ended amid the opening handshake".into()),
            count => response.extend_from_slice(&buffer[..count]),
        }
    }
    let response = String::from_utf8_lossy(&response);
    // RFC 6455 section 1.3 has the answer to this key.
    if response.starts_with("HTTP/1.1 101 ") && response.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") {
        return Ok(stream);
    }
    Err(format!("not a WebSocket: {response}").into())
}

/// The client's opening handshake.
pub fn request(address: SocketAddr) -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// A frame as a server sends it: `first` is its first octet.
pub fn server_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(first, 0, payload.len());
    frame.extend_from_slice(payload);
    frame
}

/// A frame as a client sends it: masked.
pub fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(first, 0x80, payload.len());
    frame.extend_from_slice(&KEY);
    frame.extend(masked(payload));
    frame
}

/// The payload, masked.
pub fn masked(payload: &[u8]) -> impl Iterator<Item = u8> {
    payload.iter().zip(KEY.iter().cycle()).map(|(octet, key)| octet ^ key)
}

fn header(first: u8, mask: u8, len: usize) -> Vec<u8> {
    match len {
        0..126 => vec![first, mask | len as u8],
        126..0x10000 => [&[first, mask | 126], (len as u16).to_be_bytes().as_slice()].concat(),
        _ => [&[first, mask | 127], (len as u64).to_be_bytes().as_slice()].concat(),
    }
}
