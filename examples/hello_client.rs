//! The smallest client: it says hello, and prints the answer. `cargo run --example hello_client`
use sockless::handshake::{client::ClientRequest, Uri};
use sockless::{blocking, CloseCode, Settings};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let request = ClientRequest::new(Uri::parse("ws://127.0.0.1:9001/")?);
    let mut socket = blocking::connect(request, &Settings::DEFAULT)?;
    socket.send("Hello")?;
    if let Some(message) = socket.recv()? {
        println!("{}", message.as_text().unwrap_or("(bytes)"));
    }
    socket.close(CloseCode::NORMAL)?;
    Ok(())
}
