//! Two endpoints that have agreed on permessage-deflate, and the wire between them.

use std::rc::Rc;

use sockless::deflate::{Params, Pool, Tuning, WindowBits};
use sockless::endpoint::{Buffers, Endpoint};
use sockless::message::Prepared;
use sockless::{
    Client, CloseCode, CloseFrame, Config, ControlPayload, EntropyError, Limits, MessageKind, Payload,
    ProtocolError, ReadyState, Role, Server, Side,
};

use super::end::{End, Unit};
use super::plain::Plain;
use super::script::{Cuts, Script};

type Key = fn(&mut [u8]) -> Result<(), EntropyError>;

/// The masking key of all frames.
pub const KEY: [u8; 4] = [0x5A, 0xA5, 0x3C, 0xC3];

const ENTROPY: Key = |dest| {
    dest.copy_from_slice(&KEY);
    Ok(())
};

/// A conversation of two ends. Four bytes choose the parameters, then come the actions.
///
/// Everything arrives, in order. If a bit of the wire was flipped, an end fails at most once, and says so in one Close.
/// The result does not depend on how messages are taken, how the wire is cut, whether the two share their buffers, or
/// whether they are parked.
pub fn endpoint(data: &[u8]) {
    let [flags, windows, tuning, buffers, script @ ..] = data else { return };
    let mut params = Params::DEFAULT;
    params.server_no_context_takeover = flags & 1 == 0;
    params.client_no_context_takeover = flags & 2 == 0;
    params.server_max_window_bits = WindowBits::new(8 + (windows & 7));
    params.client_max_window_bits = WindowBits::new(8 + (windows >> 3 & 7));
    let limits = match flags >> 4 & 3 {
        0 => Limits::DEFAULT.with_max_message_size(1000),
        1 => Limits::DEFAULT.with_max_fragments(3),
        _ => Limits::DEFAULT,
    };
    let read = [16 << 10, 1, 7, 200][usize::from(buffers & 3)];
    let queue = [1 << 20, 1, 300, 5000][usize::from(buffers >> 2 & 3)];
    let setup = Setup {
        params,
        config: Config::new().with_limits(limits),
        tuning: Tuning::DEFAULT
            .with_level(tuning % 10)
            .with_memory_level(1 + tuning / 10 % 9)
            .with_threshold([0, 20, 128, 1000][usize::from(flags >> 6)]),
        buffers: Buffers::DEFAULT.with_read(read).with_max_queued(queue),
        pool: (flags & 4 != 0).then(|| Pool::new(1)),
        seed: buffers >> 4,
    };
    let unit = if flags & 8 == 0 { Unit::Message } else { Unit::Piece };
    let mut pair = setup.pair(unit);
    if windows & 64 != 0 {
        let spare = Rc::default();
        pair.server.spare = Some(Rc::clone(&spare));
        pair.client.spare = Some(spare);
    }
    pair.server.rests = windows & 128 != 0;
    pair.client.rests = windows & 128 != 0;
    pair.act(Script(script));
    pair.end();
    pair.check(&params, limits == Limits::DEFAULT);
    for unit in [Unit::Message, Unit::Piece] {
        for seed in 0..2 {
            let fresh = setup.pair(unit);
            replay(&pair.server, fresh.server, seed);
            replay(&pair.client, fresh.client, seed);
        }
    }
}

struct Setup {
    params: Params,
    config: Config,
    tuning: Tuning,
    buffers: Buffers,
    pool: Option<Pool>,
    seed: u8,
}

impl Setup {
    fn pair(&self, unit: Unit) -> Pair {
        Pair {
            server: End::new(self.endpoint(Server), unit),
            client: End::new(self.endpoint(Client::new(ENTROPY)), unit),
            flips: Vec::new(),
            flipped: false,
            tuning: self.tuning,
            cuts: Cuts::new(self.seed),
        }
    }

    fn endpoint<R: Role>(&self, role: R) -> Endpoint<R> {
        let endpoint = Endpoint::new(role, self.config, self.buffers, &[]);
        endpoint.with_deflate(&self.params, self.tuning, self.pool.as_ref())
    }
}

struct Pair {
    server: End<Server>,
    client: End<Client<Key>>,
    /// The bits of the wire to flip: whether in the server's output, which octet, and which bit.
    flips: Vec<(bool, usize, u8)>,
    flipped: bool,
    tuning: Tuning,
    cuts: Cuts,
}

impl Pair {
    fn act(&mut self, mut script: Script<'_>) {
        let mut said = Vec::new();
        // So that an input does not take too long.
        while !script.is_empty() && said.len() < 50_000 {
            let choice = script.number();
            let server = choice & 16 == 0;
            match choice & 15 {
                op @ 0..=5 => {
                    let octets = script.content(&mut said);
                    let text = String::from_utf8_lossy(&octets);
                    let kind = if choice & 128 == 0 { MessageKind::Text } else { MessageKind::Binary };
                    let payload = match kind {
                        MessageKind::Text => Payload::text(&text),
                        MessageKind::Binary => Payload::binary(&octets),
                    };
                    let payload = match choice >> 5 & 3 {
                        0 => payload.with_compression(false),
                        1 => payload.with_compression(true),
                        _ => payload,
                    };
                    match op {
                        5 => self.prepare(payload, 8 + (script.number() & 7)),
                        _ if server => self.server.feed(payload, op < 2, op != 2 && op != 3),
                        _ => self.client.feed(payload, op < 2, op != 2 && op != 3),
                    }
                }
                6 => {
                    let payload =
                        ControlPayload::new(script.octets(usize::from(choice >> 5))).expect("it is short");
                    // It may be refused, and nobody waits for it.
                    let _ = match server {
                        true => self.server.endpoint.outbound().ping(payload),
                        false => self.client.endpoint.outbound().pong(payload),
                    };
                }
                7 => {
                    let frame = if choice & 32 == 0 { CloseFrame::EMPTY } else { CloseCode::NORMAL.into() };
                    let _ = match server {
                        true => self.server.endpoint.outbound().close(frame),
                        false => self.client.endpoint.outbound().close(frame),
                    };
                }
                8 => {
                    let written = if server { self.server.sent.len() } else { self.client.sent.len() };
                    let octet = written + usize::from(script.number());
                    self.flips.push((server, octet, 1 << (choice >> 5)));
                }
                9 => {
                    self.server.endpoint.shrink();
                    self.client.endpoint.shrink();
                }
                // In the middle of a message, what was taken of it would be lost.
                10 if server && self.server.taking.is_none() => self.server.unit = other(self.server.unit),
                10 if self.client.taking.is_none() => self.client.unit = other(self.client.unit),
                _ => {
                    let most = usize::from(script.number()) << (choice >> 5);
                    self.carry();
                    match server {
                        true => self.server.turn(most, &mut self.cuts),
                        false => self.client.turn(most, &mut self.cuts),
                    };
                }
            }
        }
    }

    fn prepare(&mut self, payload: Payload<'_>, window: u8) {
        let window = WindowBits::new(window).expect("it is 8 to 15");
        let prepared = Prepared::deflated(payload, window, self.tuning).expect("the codec has no defect");
        match self.server.endpoint.outbound().feed_prepared(&prepared) {
            Ok(()) => {
                assert!(self.server.feeding.is_none());
                let message = match payload.kind() {
                    MessageKind::Text => String::from_utf8_lossy(payload.as_bytes()).into_owned().into(),
                    MessageKind::Binary => payload.as_bytes().to_vec().into(),
                };
                self.server.fed.push(message);
            }
            Err(error) => {
                // It cannot be part of any message.
                let other = self.server.feeding.as_ref().map(|(kind, _)| other_kind(*kind));
                self.server.refused(error, other.unwrap_or(payload.kind()));
            }
        }
    }
}

impl Pair {
    /// What was written is put on the wire, which may change it.
    fn carry(&mut self) {
        let flips = &self.flips;
        let mut carry = |server, sent: &[u8], wire: &mut Vec<u8>| {
            let from = wire.len();
            wire.extend_from_slice(&sent[from..]);
            for (_, octet, bit) in flips.iter().filter(|(side, octet, _)| *side == server && *octet >= from) {
                if let Some(octet) = wire.get_mut(*octet) {
                    *octet ^= bit;
                    self.flipped = true;
                }
            }
        };
        carry(true, &self.server.sent, &mut self.client.wire);
        carry(false, &self.client.sent, &mut self.server.wire);
        self.client.peer_ended |= self.server.ended;
        self.server.peer_ended |= self.client.ended;
    }

    fn settle(&mut self) {
        loop {
            self.carry();
            let server = self.server.turn(usize::MAX, &mut self.cuts);
            let client = self.client.turn(usize::MAX, &mut self.cuts);
            if !server && !client {
                return;
            }
        }
    }

    fn end(&mut self) {
        self.settle();
        if self.client.endpoint.ready_state() == ReadyState::Open {
            self.client.endpoint.outbound().close(CloseFrame::EMPTY).expect("it is open");
            self.settle();
        }
        if !self.server.done || !self.client.done {
            assert!(self.flipped, "an end waits for nothing");
            // A flipped length waits for octets that nobody sends.
            self.server.peer_ended = true;
            self.client.peer_ended = true;
            self.settle();
        }
        assert!(self.server.done && self.client.done);
    }

    fn check(&self, params: &Params, unlimited: bool) {
        settled(&self.server);
        settled(&self.client);
        keeps_window(&self.server, params, Side::Server);
        keeps_window(&self.client, params, Side::Client);
        if self.flipped {
            return;
        }
        arrived(&self.server, &self.client, unlimited);
        arrived(&self.client, &self.server, unlimited);
    }
}

/// The end failed at most once, and sent at most one Close, which says why.
fn settled<R: Role>(end: &End<R>) {
    let closed = end.endpoint.closed().expect("it is done");
    assert!(end.failures.len() <= 1, "{:?}", end.failures);
    let failure = end.failures.first().copied();
    assert_eq!(closed.error, failure);
    let frames = end.frames();
    let closes: Vec<_> = frames.iter().filter(|(first, _)| first & 0x0F == 8).collect();
    assert!(closes.len() <= 1, "{closes:?}");
    // Pings are answered until the peer's Close is received (RFC 6455 section 5.5.2).
    let after = frames.iter().skip_while(|(first, _)| first & 0x0F != 8).skip(1);
    assert!(after.clone().all(|(first, _)| *first == 0x8A), "{frames:?}");
    if closed.clean {
        assert_eq!(closes.len(), 1);
    }
    if let Some(code) = failure.and_then(ProtocolError::close_code) {
        // It may have sent one before.
        let codes: [&[u8]; 3] = [&code.value().to_be_bytes(), &CloseCode::NORMAL.value().to_be_bytes(), &[]];
        assert_eq!(closes.len(), 1, "{failure:?}");
        assert!(codes.contains(&&closes[0].1[..]), "{failure:?} {:x?}", closes[0].1);
    }
}

/// What it sent with RSV1 can be read with the window that was agreed on.
fn keeps_window<R: Role>(end: &End<R>, params: &Params, side: Side) {
    let (mut plain, mut deflated) = (Plain::default(), false);
    for (first, mut payload) in end.frames() {
        match first & 0x0F {
            0 => assert_eq!(first & 0x70, 0),
            1 | 2 => {
                deflated = first & 0x40 != 0;
                if !params.context_takeover(side) {
                    plain.octets.clear();
                }
            }
            _ => {
                assert_eq!(first & 0xF0, 0x80);
                continue;
            }
        }
        if deflated {
            if first & 0x80 != 0 {
                payload.extend_from_slice(&[0x00, 0x00, 0xFF, 0xFF]);
            }
            plain.read(&payload);
        }
    }
    assert!(plain.farthest <= params.window_bits(side).window_size());
}

/// What one end has queued, the other end has received, unless its limits refused it.
fn arrived<R: Role, S: Role>(from: &End<R>, to: &End<S>, unlimited: bool) {
    let fed = &from.fed[..to.taken.len().min(from.fed.len())];
    assert!(fed == to.taken);
    if unlimited {
        assert_eq!(from.fed.len(), to.taken.len());
        assert_eq!(to.failures, []);
        assert!(to.endpoint.closed().is_some_and(|closed| closed.clean));
    }
    if let (true, Some((kind, octets))) = (unlimited, &to.taking) {
        assert!(from
            .feeding
            .as_ref()
            .is_some_and(|feeding| feeding.0 == *kind && feeding.1.starts_with(octets)));
    }
}

/// Another end gets the same results from what one has read.
fn replay<R: Role>(one: &End<R>, mut other: End<R>, seed: u8) {
    other.wire = one.wire[..one.read].to_vec();
    let mut cuts = Cuts::new(seed);
    while other.turn(usize::MAX, &mut cuts) {}
    assert!(one.taken == other.taken);
    let failed = |end: &End<R>| end.failures.iter().any(|error| *error != ProtocolError::UnexpectedEof);
    assert_eq!(failed(one), failed(&other), "{:?} {:?}", one.failures, other.failures);
}

const fn other(unit: Unit) -> Unit {
    match unit {
        Unit::Message => Unit::Piece,
        Unit::Piece => Unit::Message,
    }
}

const fn other_kind(kind: MessageKind) -> MessageKind {
    match kind {
        MessageKind::Text => MessageKind::Binary,
        MessageKind::Binary => MessageKind::Text,
    }
}
