//! The frames of one connection.

use serde_json::json;
use sockless::{
    AnyRole, Config, Connection, EntropyError, Event, Input, MessageKind, ProtocolError, Transport,
};

use crate::output::Output;
use crate::Role;

type Key = fn(&mut [u8]) -> Result<(), EntropyError>;

/// One connection, and the message that is coming.
pub struct Session {
    connection: Connection<AnyRole<Key>>,
    message: Vec<u8>,
}

impl Session {
    /// After the opening handshake.
    pub fn new(role: Role, config: Config) -> Self {
        // A client that anybody can foresee: for reading captures, never for the wire.
        let zero: Key = |dest| {
            dest.fill(0);
            Ok(())
        };
        let role = match role {
            Role::Server => AnyRole::Server,
            Role::Client => AnyRole::Client(zero),
        };
        Self { connection: Connection::new(role, config), message: Vec::new() }
    }

    /// Explains one chunk.
    pub fn receive(&mut self, mut chunk: Vec<u8>, output: &mut Output) {
        let mut input = Input::new(&mut chunk);
        loop {
            match self.connection.recv(&mut input) {
                Ok(None) => break,
                Ok(Some(event)) => Self::explain(&self.connection, event, &mut self.message, output),
                Err(error) => fail(error, output),
            }
            self.transmit(output);
        }
    }

    /// The peer ended the stream.
    pub fn eof(&mut self, output: &mut Output) {
        if let Err(error) = self.connection.eof() {
            fail(error, output);
        }
        self.transmit(output);
    }

    /// What to do with the transport.
    pub fn transport(&self) -> Transport {
        self.connection.transport()
    }

    fn explain(
        connection: &Connection<AnyRole<Key>>,
        event: Event<'_>,
        message: &mut Vec<u8>,
        output: &mut Output,
    ) {
        let payload = connection.reader().control_payload();
        match event {
            Event::Data(data) => {
                message.extend_from_slice(data.bytes());
                if data.is_last() {
                    let kind = match data.kind() {
                        MessageKind::Text => "text",
                        MessageKind::Binary => "binary",
                    };
                    output.event(json!({ "event": "message", "kind": kind, "hex": hex::encode(&message) }));
                    message.clear();
                }
            }
            Event::Ping => output.event(json!({ "event": "ping", "hex": hex::encode(payload) })),
            Event::Pong => output.event(json!({ "event": "pong", "hex": hex::encode(payload) })),
            Event::Close(code) => output.event(json!({
                "event": "close",
                "code": code.map(u16::from),
                "reason": connection.reader().close_reason(),
            })),
            other => output.event(json!({ "event": "other", "debug": format!("{other:?}") })),
        }
    }

    fn transmit(&mut self, output: &mut Output) {
        let mut frames = [0; 512];
        while let Ok(len @ 1..) = self.connection.poll_transmit(&mut frames) {
            output.send(&frames[..len]);
        }
    }
}

fn fail(error: ProtocolError, output: &mut Output) {
    output.error(&format!("{error:?}"), error.close_code().map(u16::from), None);
}
