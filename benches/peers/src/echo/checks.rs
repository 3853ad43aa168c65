//! What each server does with what RFC 6455 forbids: sent, and recorded. Who checks less has less to do.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::results::Checks;
use crate::Result;
use crate::client::{client_frame, masked, open};
use crate::contenders::Contender;
use crate::server::Server;

/// How long a server is given to react.
const REACTION: Duration = Duration::from_millis(250);

/// What is forbidden, where RFC 6455 says so, and the octets.
fn offences() -> Vec<(&'static str, Vec<u8>)> {
    let mut unminimal = vec![0x82, 0xfe, 0, 5, 0x37, 0xfa, 0x21, 0x3d];
    unminimal.extend(masked(b"Hello"));
    let mut unminimal_64 = vec![0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 126, 0x37, 0xfa, 0x21, 0x3d];
    unminimal_64.extend(masked(&[b'x'; 126]));
    vec![
        ("not masked (5.1)", b"\x82\x05Hello".to_vec()),
        ("mask bit not set, key there (5.1)", b"\x82\x05\0\0\0\0Hello".to_vec()),
        ("5 octets, length in 16 bits (5.2)", unminimal),
        ("126 octets, length in 64 bits (5.2)", unminimal_64),
        ("text not UTF-8 (8.1)", client_frame(0x81, b"abc\xff")),
        ("RSV1 without an extension (5.2)", client_frame(0xc2, b"Hello")),
        ("RSV2 (5.2)", client_frame(0xa2, b"Hello")),
        ("reserved opcode 3 (5.2)", client_frame(0x83, b"Hello")),
        ("reserved opcode 11 (5.2)", client_frame(0x8b, b"Hello")),
        ("Ping with 126 octets (5.5)", client_frame(0x89, &[b'p'; 126])),
        ("Ping in fragments (5.5)", client_frame(0x09, b"p")),
        ("continuation of nothing (5.4)", client_frame(0x80, b"Hello")),
        ("message amid a message (5.4)", [client_frame(0x02, b"a"), client_frame(0x82, b"b")].concat()),
        ("Close with 1005 (7.4.1)", client_frame(0x88, &1005_u16.to_be_bytes())),
        ("Close with 1 octet (5.5.1)", client_frame(0x88, b"\x03")),
        ("Close, reason not UTF-8 (5.5.1)", client_frame(0x88, b"\x03\xe8\xff")),
    ]
}

/// Commits every offence, each on a connection of its own.
pub fn measure(contender: &Contender) -> Result<Checks> {
    let server = Server::start(contender.name)?;
    let mut outcomes = Vec::new();
    for (offence, octets) in offences() {
        let mut stream = open(server.address)?;
        stream.write_all(&octets)?;
        let mut outcome = reaction(&mut stream)?;
        if outcome == NOTHING {
            // Does it still work, as if nothing had been?
            // A server that has ended the connection by now refuses this, which the reaction shows.
            let _ = stream.write_all(&client_frame(0x82, b"still there"));
            outcome = match reaction(&mut stream)?.as_str() {
                "echoed" => "ignored".into(),
                other => other.into(),
            };
        }
        outcomes.push((offence.into(), outcome));
    }
    Ok(Checks {
        name: contender.name.into(),
        library: contender.library.into(),
        ours: contender.is_ours(),
        outcomes,
    })
}

const NOTHING: &str = "no reaction";

/// What comes next: a Close with its code, an echo, the end.
fn reaction(stream: &mut TcpStream) -> Result<String> {
    stream.set_read_timeout(Some(REACTION))?;
    let mut header = [0; 2];
    match stream.read_exact(&mut header) {
        Ok(()) => {}
        Err(error) => return Ok(ended(error.kind())),
    }
    let len = usize::from(header[1] & 0x7f);
    let mut payload = vec![0; if len == 126 { 2 } else { len }];
    if let Err(error) = stream.read_exact(&mut payload) {
        return Ok(ended(error.kind()));
    }
    Ok(match (header[0] & 0x0f, payload.as_slice()) {
        (8, [high, low, ..]) => format!("Close {}", u16::from_be_bytes([*high, *low])),
        (8, _) => "Close without a code".into(),
        (10, _) => "Pong".into(),
        _ => "echoed".into(),
    })
}

fn ended(kind: ErrorKind) -> String {
    match kind {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => NOTHING.into(),
        _ => "ended".into(),
    }
}
