//! One JSON object a line.

use std::io::{stdout, Write as _};
use std::process::exit;

use serde_json::{json, Value};
use sockless::TransportAction;

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
            line(&escaped(&event.to_string()));
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
            line(&json!({ "send": hex::encode(bytes) }).to_string());
        }
    }

    /// What to do with the transport at the end.
    pub fn transport(&mut self, transport: TransportAction) {
        self.transport = Some(match transport {
            TransportAction::Open => "open",
            TransportAction::ShutdownWrite => "shutdown_write",
            TransportAction::AwaitEof => "await_eof",
            TransportAction::Close => "close",
        });
    }

    /// Writes the last line; whether the peer behaved.
    pub fn finish(&self) -> bool {
        line(&json!({ "transport": self.transport.unwrap_or("open") }).to_string());
        !self.failed
    }
}

/// Writes a line. Where nobody reads any more, as behind `| head -1`, this is the end.
pub fn line(text: &str) {
    if writeln!(stdout(), "{text}").is_err() {
        exit(0);
    }
}

/// JSON in which the peer's text cannot steer a terminal: what JSON leaves as it is of controls and of marks that
/// turn the direction of text is escaped as well.
pub fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        let steers = c.is_control()
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}');
        if steers {
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    text
}
