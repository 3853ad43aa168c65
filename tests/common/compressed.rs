//! What the tests of endpoints with permessage-deflate share: both sides of a connection, carried without a
//! transport.
#![allow(dead_code, reason = "each test crate uses its own part of this module")]

use sockless::deflate::{Params, Pool, Tuning, WindowBits};
use sockless::endpoint::{Action, Buffers, Endpoint, Ready, WriteSide};
use sockless::message::OwnedMessage;
use sockless::{
    AnyRole, Client, Config, EntropyError, MessageKind, Payload, ProtocolError, ReadyState, Role, Server,
    Side,
};

pub type Key = fn(&mut [u8]) -> Result<(), EntropyError>;

pub const KEY: Key = |dest| {
    dest.fill(0x5A);
    Ok(())
};

/// Compresses everything.
pub const ALL: Tuning = Tuning::DEFAULT.with_threshold(0).with_level(6);

/// A server and a client that agreed on these parameters.
pub struct Pair {
    pub server: Endpoint<Server>,
    pub client: Endpoint<Client<Key>>,
}

impl Pair {
    pub fn new(params: Params) -> Self {
        Self::with(params, ALL, Config::new(), None)
    }

    pub fn with(params: Params, tuning: Tuning, config: Config, pool: Option<&Pool>) -> Self {
        let server = Endpoint::new(Server, config, Buffers::DEFAULT, &[]).with_deflate(&params, tuning, pool);
        let client = Endpoint::new(Client::new(KEY), config, Buffers::DEFAULT, &[]);
        Self { server, client: client.with_deflate(&params, tuning, pool) }
    }

    /// Carries the client's output to the server, in reads of at most `chunk`. Returns what the server
    /// received.
    pub fn up(&mut self, chunk: usize) -> (Vec<OwnedMessage>, Option<ProtocolError>) {
        let bytes = drain(&mut self.client);
        receive(&mut self.server, &bytes, chunk)
    }

    pub fn down(&mut self, chunk: usize) -> (Vec<OwnedMessage>, Option<ProtocolError>) {
        let bytes = drain(&mut self.server);
        receive(&mut self.client, &bytes, chunk)
    }
}

pub fn drain<R: Role>(endpoint: &mut Endpoint<R>) -> Vec<u8> {
    let bytes = endpoint.output().to_vec();
    endpoint.wrote(bytes.len());
    bytes
}

/// What `poll` or `poll_piece` says is ready.
pub fn expect_ready(polled: Result<Action, ProtocolError>) -> Ready {
    match polled {
        Ok(Action::Take(ready)) => ready,
        other => panic!("{other:?}"),
    }
}

/// Gives `rest`, in chunks, until something is ready.
pub fn next<R: Role>(
    endpoint: &mut Endpoint<R>,
    poll: fn(&mut Endpoint<R>, WriteSide) -> Result<Action, ProtocolError>,
    rest: &mut &[u8],
    chunk: usize,
) -> Ready {
    loop {
        match poll(endpoint, WriteSide::Blocked) {
            Ok(Action::Read) => give(endpoint, rest, chunk),
            other => return expect_ready(other),
        }
    }
}

pub fn give<R: Role>(endpoint: &mut Endpoint<R>, rest: &mut &[u8], chunk: usize) {
    let space = endpoint.space();
    let count = rest.len().min(chunk).min(space.len());
    space[..count].copy_from_slice(&rest[..count]);
    *rest = &rest[count..];
    endpoint.filled(count);
}

pub fn receive<R: Role>(
    endpoint: &mut Endpoint<R>,
    mut rest: &[u8],
    chunk: usize,
) -> (Vec<OwnedMessage>, Option<ProtocolError>) {
    let mut messages = Vec::new();
    let mut failed = None;
    loop {
        match endpoint.poll(WriteSide::Blocked) {
            Ok(Action::Take(ready)) => match endpoint.message(ready) {
                Ok(message) => messages.push(message.unwrap().into()),
                Err(error) => failed = Some(error),
            },
            Ok(Action::Read) if rest.is_empty() => break,
            // After a failure, more was received than is discarded.
            Ok(Action::Close) => break,
            Ok(Action::Read) => give(endpoint, &mut rest, chunk),
            Ok(Action::Yield) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => failed = Some(error),
        }
    }
    (messages, failed.or_else(|| failure(endpoint)))
}

/// A failure is reported after its Close went out.
fn failure<R: Role>(endpoint: &mut Endpoint<R>) -> Option<ProtocolError> {
    if endpoint.ready_state() == ReadyState::Open {
        return None;
    }
    drain(endpoint);
    if let Ok(Action::ShutdownWrite) = endpoint.poll(WriteSide::Ready) {
        endpoint.write_ended();
    }
    endpoint.poll(WriteSide::Ready).err()
}

/// As `receive`, in pieces: kinds, octets, and the largest piece.
pub fn receive_pieces<R: Role>(
    endpoint: &mut Endpoint<R>,
    mut rest: &[u8],
    chunk: usize,
) -> (Vec<OwnedMessage>, usize, Option<ProtocolError>) {
    let (mut messages, mut message, mut largest, mut failed) = (Vec::new(), Vec::new(), 0, None);
    loop {
        match endpoint.poll_piece(WriteSide::Blocked) {
            Ok(Action::Take(ready)) => match endpoint.piece(ready) {
                Ok(piece) => {
                    let piece = piece.unwrap();
                    assert_eq!(piece.is_first(), message.is_empty() && piece.is_first());
                    if let Some(text) = piece.as_str() {
                        assert_eq!(text.as_bytes(), piece.as_bytes());
                    }
                    largest = largest.max(piece.as_bytes().len());
                    message.extend_from_slice(piece.as_bytes());
                    if piece.is_last() {
                        let octets = core::mem::take(&mut message);
                        messages.push(match piece.kind() {
                            MessageKind::Text => String::from_utf8(octets).unwrap().into(),
                            MessageKind::Binary => octets.into(),
                        });
                    }
                }
                Err(error) => failed = Some(error),
            },
            Ok(Action::Read) if rest.is_empty() => break,
            // After a failure, more was received than is discarded.
            Ok(Action::Close) => break,
            Ok(Action::Read) => give(endpoint, &mut rest, chunk),
            Ok(Action::Yield) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => failed = Some(error),
        }
    }
    (messages, largest, failed.or_else(|| failure(endpoint)))
}

pub fn params(server_takeover: bool, client_takeover: bool, bits: u8) -> Params {
    let mut params = Params::DEFAULT;
    params.server_no_context_takeover = !server_takeover;
    params.client_no_context_takeover = !client_takeover;
    params.server_max_window_bits = WindowBits::new(bits);
    params.client_max_window_bits = WindowBits::new(bits);
    params
}

pub fn text(text: &str) -> OwnedMessage {
    text.into()
}

pub fn from_hex(digits: &str) -> Vec<u8> {
    hex::decode(digits.replace(' ', "")).unwrap()
}

/// Octets that no compressor makes shorter.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// An endpoint of a side that is chosen at run time.
pub type Peer = Endpoint<AnyRole<Key>>;

pub fn peer(side: Side, params: Params, tuning: Tuning, config: Config) -> Peer {
    let role = match side {
        Side::Server => AnyRole::Server,
        Side::Client => AnyRole::Client(KEY),
    };
    Endpoint::new(role, config, Buffers::DEFAULT, &[]).with_deflate(&params, tuning, None)
}

pub fn owned(payload: Payload<'_>) -> OwnedMessage {
    match payload.kind() {
        MessageKind::Text => String::from_utf8(payload.as_bytes().to_vec()).unwrap().into(),
        MessageKind::Binary => payload.as_bytes().to_vec().into(),
    }
}
