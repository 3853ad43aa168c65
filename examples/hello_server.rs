//! The smallest server: it sends back what it receives. `cargo run --example hello_server`, and then `hello_client`.
use sockless::{blocking, handshake::OriginPolicy, Error, ServerConfig};
use std::{io, net, thread, time::Duration};

fn main() -> io::Result<()> {
    for stream in net::TcpListener::bind("127.0.0.1:9001")?.incoming() {
        if stream.and_then(|stream| thread::Builder::new().spawn(|| echo(stream))).is_err() {
            thread::sleep(Duration::from_millis(50)); // too many connections are open
        }
    }
    Ok(())
}

fn echo(stream: net::TcpStream) -> Result<(), Error> {
    let mut socket = blocking::accept(stream, &ServerConfig::new(OriginPolicy::SameHost))?;
    while let Some((message, mut outgoing)) = socket.recv_with()? {
        outgoing.send(message)?;
    }
    Ok(())
}
