//! The smallest client: it says hello, and prints the answer. `cargo run --example hello_client`
use sockless::{blocking, ClientConfig, CloseCode};

fn main() -> Result<(), sockless::Error> {
    let mut socket = blocking::connect("ws://127.0.0.1:9001/", &ClientConfig::new())?;
    socket.send("Hello")?;
    if let Some(message) = socket.recv()? {
        println!("{}", message.as_text().unwrap_or("(bytes)"));
    }
    socket.close(CloseCode::NORMAL)?;
    Ok(())
}
