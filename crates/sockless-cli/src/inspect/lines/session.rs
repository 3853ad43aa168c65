//! The frames of one connection.

use serde_json::json;
use sockless::deflate::{InflateStatus, Inflater};
use sockless::frame::Rsv;
use sockless::{
    AnyRole, Config, Connection, Data, EntropyError, Event, Input, MessageKind, ProtocolError, Role as _,
    TransportAction,
};

use super::output::Output;
use super::{Agreed, Role};

type Key = fn(&mut [u8]) -> Result<(), EntropyError>;

/// One connection, and the message that is coming.
pub struct Session {
    connection: Connection<AnyRole<Key>>,
    inflater: Option<Inflater>,
    message: Vec<u8>,
}

impl Session {
    /// After the opening handshake.
    pub fn new(role: Role, config: Config, agreed: Agreed) -> Self {
        // A client that anybody can foresee: for reading captures, never for the wire.
        let zero: Key = |dest| {
            dest.fill(0);
            Ok(())
        };
        let role = match role {
            Role::Server => AnyRole::Server,
            Role::Client => AnyRole::Client(zero),
        };
        let peer = role.side().peer();
        let mut connection = Connection::new(role, config);
        let inflater = agreed.map(|params| Inflater::new(&params, peer, config.limits));
        if inflater.is_some() {
            connection = connection.with_allowed_rsv(Rsv::RSV1);
        }
        Self { connection, inflater, message: Vec::new() }
    }

    /// Explains one chunk.
    pub fn receive(&mut self, mut chunk: Vec<u8>, output: &mut Output) {
        let mut input = Input::new(&mut chunk);
        loop {
            match self.connection.recv(&mut input) {
                Ok(None) => break,
                Ok(Some(Event::Data(data))) => {
                    if let Err(error) = self.data(&data, output) {
                        self.connection.fail(error);
                        fail(error, output);
                    }
                }
                Ok(Some(event)) => self.explain(event, output),
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
    pub fn transport(&self) -> TransportAction {
        self.connection.transport()
    }

    /// Collects a piece of a message, inflated if it is compressed.
    fn data(&mut self, data: &Data<'_>, output: &mut Output) -> Result<(), ProtocolError> {
        inflate(self.inflater.as_mut(), data, |octets| self.message.extend_from_slice(octets))?;
        if data.is_last() {
            let kind = match data.kind() {
                MessageKind::Text => "text",
                MessageKind::Binary => "binary",
            };
            output.event(json!({ "event": "message", "kind": kind, "hex": hex::encode(&self.message) }));
            self.message.clear();
        }
        Ok(())
    }

    fn explain(&self, event: Event<'_>, output: &mut Output) {
        let reader = self.connection.reader();
        let payload = reader.control_payload();
        match event {
            Event::Ping => output.event(json!({ "event": "ping", "hex": hex::encode(payload) })),
            Event::Pong => output.event(json!({ "event": "pong", "hex": hex::encode(payload) })),
            Event::Close(code) => output.event(json!({
                "event": "close",
                "code": code.map(u16::from),
                "reason": reader.close_reason(),
            })),
            other => output.event(json!({ "event": "other", "debug": format!("{other:?}") })),
        }
    }

    fn transmit(&mut self, output: &mut Output) {
        let mut frames = [0; 512];
        while let Ok(len @ 1..) = self.connection.poll_transmit(&mut frames) {
            output.send(frames.get(..len).unwrap_or(&[]));
        }
    }
}

fn fail(error: ProtocolError, output: &mut Output) {
    output.error(&format!("{error:?}"), error.close_code().map(u16::from), None);
}

/// Gives the octets of a piece of a message to `take`, inflated if it is compressed.
pub fn inflate(
    inflater: Option<&mut Inflater>,
    data: &Data<'_>,
    mut take: impl FnMut(&[u8]),
) -> Result<(), ProtocolError> {
    match inflater {
        Some(inflater) if data.rsv().contains(Rsv::RSV1) => {
            let (mut input, mut out) = (data.as_bytes(), [0; 4096]);
            loop {
                let inflated = inflater.inflate(data.kind(), &mut input, data.is_last(), &mut out)?;
                take(inflated.as_bytes());
                if inflated.status() != InflateStatus::OutputFull {
                    return Ok(());
                }
            }
        }
        _ => take(data.as_bytes()),
    }
    Ok(())
}
