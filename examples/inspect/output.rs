//! One JSON object a line.

use serde_json::{json, Value};
use sockless::Transport;

/// What was written so far, as far as it matters at the end.
#[derive(Default)]
pub struct Output {
    failed: bool,
    transport: Option<&'static str>,
}

impl Output {
    /// Something happened. Nothing happens after an error.
    pub fn event(&mut self, event: Value) {
        if !self.failed {
            println!("{event}");
        }
    }

    /// The connection or its handshake failed.
    pub fn error(&mut self, name: &str, close_code: Option<u16>, http_status: Option<u16>) {
        self.event(json!({
            "event": "error", "name": name, "close_code": close_code, "http_status": http_status,
        }));
        self.failed = true;
    }

    /// The engine wants these bytes written.
    pub fn send(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            println!("{}", json!({ "send": hex::encode(bytes) }));
        }
    }

    /// What to do with the transport at the end.
    pub fn transport(&mut self, transport: Transport) {
        self.transport = Some(match transport {
            Transport::Open => "open",
            Transport::ShutdownWrite => "shutdown_write",
            Transport::AwaitEof => "await_eof",
            Transport::Close => "close",
        });
    }

    /// Writes the last line; whether the peer behaved.
    pub fn finish(&self) -> bool {
        println!("{}", json!({ "transport": self.transport.unwrap_or("open") }));
        !self.failed
    }
}
