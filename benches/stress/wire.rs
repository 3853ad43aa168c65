//! What peers send, as octets: frames, requests, and a blocking connection that can be told to stop.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use sockless::deflate::{Deflater, Flush, Params, Tuning};
use sockless::Side;

/// How long an operation waits before it looks whether it is to stop.
const PATIENCE: Duration = Duration::from_millis(100);

/// A frame of a client. Its masking key is zero, so that the payload is as it stands.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..=125 => frame.push(0x80 | len as u8),
        len @ 126..=0xFFFF => {
            frame.push(0x80 | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// As often as about 64 KiB hold.
pub fn repeated(octets: &[u8]) -> Vec<u8> {
    octets.repeat((64 << 10) / octets.len() + 1)
}

/// The payload of a compressed message.
pub fn deflated(mut message: &[u8]) -> Vec<u8> {
    let mut deflater = Deflater::new(&Params::DEFAULT, Side::Client, Tuning::DEFAULT.with_level(9));
    let mut out = vec![0; Deflater::bound(message.len())];
    let done = deflater.deflate(&mut message, Flush::Message, &mut out).expect("it compresses");
    assert!(done.done);
    out.truncate(done.written);
    out
}

/// A request for a WebSocket.
pub fn request(compressed: bool) -> String {
    let extensions = if compressed { "Sec-WebSocket-Extensions: permessage-deflate\r\n" } else { "" };
    format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{extensions}\r\n"
    )
}

/// A connection on which nothing has been said.
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// The head of the answer to these octets.
pub fn ask(stream: &mut TcpStream, octets: &[u8]) -> io::Result<String> {
    stream.write_all(octets)?;
    let mut head = Vec::new();
    let mut octet = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut octet)?;
        head.push(octet[0]);
    }
    String::from_utf8(head).map_err(io::Error::other)
}

/// A connection that is open.
pub fn open(address: SocketAddr, compressed: bool) -> io::Result<TcpStream> {
    let mut stream = connect(address)?;
    let head = ask(&mut stream, request(compressed).as_bytes())?;
    if head.starts_with("HTTP/1.1 101 ") {
        Ok(stream)
    } else {
        Err(io::Error::other(head))
    }
}

/// Writes everything, unless it is to stop first.
pub fn write_unless(stream: &mut TcpStream, mut octets: &[u8], stops: impl Fn() -> bool) -> io::Result<()> {
    while !octets.is_empty() {
        if stops() {
            return Err(ErrorKind::Interrupted.into());
        }
        match stream.write(octets) {
            Ok(count) => octets = &octets[count..],
            Err(error) if would_wait(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads until the end.
pub fn read_until_end(mut stream: TcpStream) {
    let mut scratch = vec![0; 256 << 10];
    let _ = stream.set_read_timeout(None);
    while matches!(stream.read(&mut scratch), Ok(1..)) {}
    let _ = stream.shutdown(Shutdown::Both);
}

pub fn would_wait(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
