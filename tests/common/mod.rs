//! What the tests share: an encoder and a parser of frames that owe nothing to the crate, both roles in one
//! type, and runs of the engine over every way to cut its input.
#![allow(dead_code, reason = "each test crate uses its own part of this module")]

pub mod codec;
pub mod counting;
pub mod inflate;
pub mod streams;

use sockless::{
    AnyRole, Closed, Config, Connection, Entropy, EntropyError, Event, Initiator, Input, MessageKind,
    ProtocolError, ReadyState, SendError, Side, TransportAction, MAX_CONTROL_FRAME_LEN,
};

/// Both roles, for tables.
pub const BOTH: [Side; 2] = [Side::Server, Side::Client];

/// First bytes of frames.
pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;
pub const TEXT_PART: u8 = 0x01;
pub const BINARY_PART: u8 = 0x02;
pub const MORE: u8 = 0x00;
pub const END: u8 = 0x80;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8A;

/// The masking key of the examples in RFC 6455 section 5.7.
pub const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A source of masking keys that all differ and are the same in every run.
#[derive(Clone, Debug)]
pub struct Keys(pub u32);

impl Entropy for Keys {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), EntropyError> {
        for octet in dest {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *octet = (self.0 >> 24) as u8;
        }
        Ok(())
    }
}

/// A connection whose role is chosen at run time.
pub type Conn = Connection<AnyRole<Keys>>;

pub fn connection(side: Side, config: Config) -> Conn {
    let role = match side {
        Side::Server => AnyRole::Server,
        Side::Client => AnyRole::Client(Keys(1)),
    };
    Connection::new(role, config)
}

pub fn other(side: Side) -> Side {
    match side {
        Side::Server => Side::Client,
        Side::Client => Side::Server,
    }
}

/// A frame, byte for byte by RFC 6455 section 5.2, with the shortest length.
pub fn frame(first: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mut out = header(first, key, payload.len() as u64);
    match key {
        None => out.extend_from_slice(payload),
        Some(key) => out.extend(payload.iter().enumerate().map(|(i, octet)| octet ^ key[i % 4])),
    }
    out
}

/// The header alone, announcing `len` octets.
pub fn header(first: u8, key: Option<[u8; 4]>, len: u64) -> Vec<u8> {
    let mask = if key.is_some() { 0x80 } else { 0 };
    let mut out = vec![first];
    if len <= 125 {
        out.push(mask | len as u8);
    } else if len <= 0xFFFF {
        out.push(mask | 126);
        out.extend_from_slice(&(len as u16).to_be_bytes());
    } else {
        out.push(mask | 127);
        out.extend_from_slice(&len.to_be_bytes());
    }
    out.extend_from_slice(key.as_ref().map_or(&[], |key| &key[..]));
    out
}

/// The key with which the peer of `side` masks, if it does.
pub fn key_to(side: Side) -> Option<[u8; 4]> {
    match side {
        Side::Server => Some(KEY),
        Side::Client => None,
    }
}

/// A frame as the peer of `side` has to send it.
pub fn to(side: Side, first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, key_to(side), payload)
}

/// First bytes and payloads.
pub type Frames<'a> = &'a [(u8, &'a [u8])];

/// Several frames in a row, as the peer of `side` has to send them.
pub fn all_to(side: Side, frames: Frames<'_>) -> Vec<u8> {
    frames.iter().flat_map(|(first, payload)| to(side, *first, payload)).collect()
}

/// A code and a reason, as the body of a Close frame.
pub fn close_body(code: u16, reason: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason].concat()
}

/// One frame on the wire, its payload unmasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    pub first: u8,
    pub key: Option<[u8; 4]>,
    pub header_len: usize,
    pub payload: Vec<u8>,
}

/// Splits bytes into whole frames. Every length must be in its shortest form.
pub fn parse(mut bytes: &[u8]) -> Vec<Wire> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (first, second) = (bytes[0], bytes[1]);
        let (len, mut at) = match second & 0x7F {
            126 => {
                let len = u64::from(u16::from_be_bytes(bytes[2..4].try_into().unwrap()));
                assert!(len > 125, "length {len} in 16 bits");
                (len, 4)
            }
            127 => {
                let len = u64::from_be_bytes(bytes[2..10].try_into().unwrap());
                assert!(len > 0xFFFF, "length {len} in 64 bits");
                (len, 10)
            }
            len => (u64::from(len), 2),
        };
        let key = (second & 0x80 != 0).then(|| {
            at += 4;
            bytes[at - 4..at].try_into().unwrap()
        });
        let end = at + usize::try_from(len).unwrap();
        let mut payload = bytes[at..end].to_vec();
        if let Some(key) = key {
            for (i, octet) in payload.iter_mut().enumerate() {
                let key: [u8; 4] = key;
                *octet ^= key[i % 4];
            }
        }
        frames.push(Wire { first, key, header_len: at, payload });
        bytes = &bytes[end..];
    }
    frames
}

/// What `side` wrote, as first byte and payload. Masks are as its role demands, reserved bits are 0.
pub fn sent_by(side: Side, bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    parse(bytes)
        .into_iter()
        .map(|wire| {
            assert_eq!(wire.key.is_some(), side == Side::Client, "masking of a {side:?}");
            assert_eq!(wire.first & 0x70, 0, "reserved bits");
            (wire.first, wire.payload)
        })
        .collect()
}

/// What the engine reported, on the heap.
#[derive(Clone, PartialEq, Eq)]
pub enum Seen {
    Data { kind: MessageKind, first: bool, last: bool, octets: Vec<u8> },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Fail(ProtocolError),
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Data { kind, first, last, octets } => {
                let ends = (if *first { "[" } else { ".." }, if *last { "]" } else { ".." });
                write!(f, "{kind:?}{}{}{}", ends.0, octets.escape_ascii(), ends.1)
            }
            Self::Ping(octets) => write!(f, "Ping({})", octets.escape_ascii()),
            Self::Pong(octets) => write!(f, "Pong({})", octets.escape_ascii()),
            Self::Close(code, reason) => write!(f, "Close({code:?} {reason:?})"),
            Self::Fail(error) => write!(f, "Fail({error:?})"),
        }
    }
}

/// A whole text message.
pub fn text(text: &str) -> Seen {
    part(MessageKind::Text, true, text, true)
}

/// A whole binary message.
pub fn binary(octets: &[u8]) -> Seen {
    part(MessageKind::Binary, true, octets, true)
}

/// A piece of a message; `first` and `last` say whether the message begins and ends here.
pub fn part(kind: MessageKind, first: bool, octets: impl AsRef<[u8]>, last: bool) -> Seen {
    Seen::Data { kind, first, last, octets: octets.as_ref().to_vec() }
}

/// Gives all of `bytes` to `conn`, going on after an error as a careless caller would.
pub fn feed(conn: &mut Conn, bytes: &[u8]) -> Vec<Seen> {
    let mut buffer = bytes.to_vec();
    let mut input = Input::new(&mut buffer);
    let mut seen = Vec::new();
    loop {
        match conn.recv(&mut input) {
            Ok(Some(event)) => seen.push(see(conn, &event)),
            Ok(None) => {
                assert_eq!((input.remaining(), input.consumed()), (0, bytes.len()), "None: all was consumed");
                return seen;
            }
            Err(error) => {
                assert_eq!(conn.reader().failure(), Some(error));
                seen.push(Seen::Fail(error));
            }
        }
    }
}

fn see(conn: &Conn, event: &Event<'_>) -> Seen {
    let control = || conn.reader().control_payload().to_vec();
    match *event {
        Event::Data(data) => {
            if let Some(text) = data.as_str() {
                assert_eq!((text.as_bytes(), data.kind()), (data.as_bytes(), MessageKind::Text));
            }
            Seen::Data {
                kind: data.kind(),
                first: data.is_first(),
                last: data.is_last(),
                octets: data.as_bytes().to_vec(),
            }
        }
        Event::Ping => Seen::Ping(control()),
        Event::Pong => Seen::Pong(control()),
        Event::Close(code) => {
            assert_eq!(conn.reader().received_close(), Some(code));
            Seen::Close(code.map(u16::from), conn.reader().close_reason().to_owned())
        }
        other => panic!("an event that the tests do not know: {other:?}"),
    }
}

/// Everything that `conn` owes, written through the smallest buffer that is promised to be enough.
pub fn transmit(conn: &mut Conn) -> Vec<u8> {
    let mut out = Vec::new();
    let mut buffer = [0; MAX_CONTROL_FRAME_LEN];
    while conn.wants_transmit() {
        let count = conn.poll_transmit(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        out.extend_from_slice(&buffer[..count]);
    }
    assert_eq!(conn.poll_transmit(&mut buffer), Ok(0));
    out
}

/// Everything that `conn` owes, as first byte and payload of its frames.
pub fn owed(conn: &mut Conn) -> Vec<(u8, Vec<u8>)> {
    let bytes = transmit(conn);
    sent_by(conn.writer().side(), &bytes)
}

/// Joins the neighbouring pieces of each message: where they were cut carries no meaning.
pub fn joined(seen: Vec<Seen>) -> Vec<Seen> {
    let mut out: Vec<Seen> = Vec::new();
    for next in seen {
        if let (
            Some(Seen::Data { octets, last: end @ false, .. }),
            Seen::Data { first: false, last, octets: more, .. },
        ) = (out.last_mut(), &next)
        {
            octets.extend_from_slice(more);
            *end = *last;
            continue;
        }
        out.push(next);
    }
    out
}

/// The ways to cut `bytes` that every receiving test goes through: whole, single bytes, and in two at each
/// place (at some, if there are many).
pub fn cuts(bytes: &[u8]) -> Vec<Vec<&[u8]>> {
    let step = (bytes.len() / 200).max(1);
    let mut cuts = vec![vec![bytes], bytes.chunks(1).collect()];
    cuts.extend((1..bytes.len()).step_by(step).map(|at| vec![&bytes[..at], &bytes[at..]]));
    cuts
}

/// Receives `bytes`, which are valid, over every cut. Returns the connection of the last run and what it
/// reported.
pub fn receive(side: Side, config: Config, bytes: &[u8]) -> (Conn, Vec<Seen>) {
    let mut result: Option<(Conn, Vec<Seen>)> = None;
    for cut in cuts(bytes) {
        let mut conn = connection(side, config);
        let seen = joined(cut.iter().flat_map(|piece| feed(&mut conn, piece)).collect());
        if let Some((_, before)) = &result {
            assert_eq!(&seen, before, "{side:?}, cut {cut:02x?}");
        }
        result = Some((conn, seen));
    }
    result.unwrap()
}

/// Receives `bytes` with the default limits, and returns what was reported.
pub fn see_all(side: Side, bytes: &[u8]) -> Vec<Seen> {
    receive(side, Config::new(), bytes).1
}

/// "fail N": over every cut, `bytes` fail the connection with `error`, which is reported once. The Close with
/// `code` is written once, what follows is discarded, nothing can be sent, and the end is reported correctly.
/// Returns what was received before.
pub fn fails(side: Side, config: Config, bytes: &[u8], error: ProtocolError, code: u16) -> Vec<Seen> {
    let mut before = Vec::new();
    for cut in cuts(bytes) {
        let mut conn = connection(side, config);
        let context = format!("{side:?}, {error:?}, cut {cut:02x?}");
        let mut seen: Vec<Seen> = cut.iter().flat_map(|piece| feed(&mut conn, piece)).collect();
        assert_eq!(seen.pop(), Some(Seen::Fail(error)), "{context}, after {seen:?}");
        assert!(!seen.iter().any(|seen| matches!(seen, Seen::Fail(_))), "{context}: reported once");

        let mut after = all_to(side, &[(END, b""), (TEXT, b"late"), (PING, b"late")]);
        after.extend(to(side, CLOSE, &close_body(1000, b"")));
        assert_eq!(feed(&mut conn, &after), [], "{context}: what follows is swallowed");
        assert_eq!(
            (conn.ready_state(), conn.transport()),
            (ReadyState::Closing, TransportAction::ShutdownWrite)
        );

        let owes: Vec<_> = owed(&mut conn).into_iter().filter(|(first, _)| *first != PONG).collect();
        assert_eq!(owes, [(CLOSE, close_body(code, b""))], "{context}");
        assert_eq!(feed(&mut conn, &after), []);
        assert_eq!(owed(&mut conn), [], "{context}: one Close");
        let refused = conn.writer().encode("late".into(), true, &mut [0; 64]);
        assert_eq!(refused, Err(SendError::Closed), "{context}");
        assert_eq!(
            (conn.ready_state(), conn.transport()),
            (ReadyState::Closing, TransportAction::ShutdownWrite)
        );

        assert_eq!(conn.eof(), Ok(()), "{context}: the failure was reported already");
        assert_eq!((conn.ready_state(), conn.transport()), (ReadyState::Closed, TransportAction::Close));
        assert_eq!(ending(&conn), (1006, false, Some(Initiator::Local), Some(error)), "{context}");
        before = seen;
    }
    before
}

/// Like [`fails`], in both roles, for frames that are well formed but wrong in what they say.
pub fn both_fail(frames: Frames<'_>, error: ProtocolError, code: u16) {
    for side in BOTH {
        fails(side, Config::new(), &all_to(side, frames), error, code);
    }
}

/// The terminal report: status, whether it was clean, who began, and why it failed.
pub fn ending(conn: &Conn) -> (u16, bool, Option<Initiator>, Option<ProtocolError>) {
    let Closed { status, clean, by, error, .. } = conn.closed().expect("the connection has ended");
    (status, clean, by, error)
}

/// Encodes into a fresh buffer of exactly the size that is announced.
pub fn encode<'p>(conn: &mut Conn, payload: impl Into<sockless::Payload<'p>>, fin: bool) -> Vec<u8> {
    let payload = payload.into();
    let mut out = vec![0; conn.writer().encoded_len(payload.as_bytes().len())];
    assert_eq!(conn.writer().encode(payload, fin, &mut out), Ok(out.len()));
    out
}

/// Sends a Close. Returns its bytes, after those of a Pong that was owed.
pub fn close(conn: &mut Conn, frame: sockless::CloseFrame<'_>) -> Vec<u8> {
    let mut out = [0; 2 * MAX_CONTROL_FRAME_LEN];
    let count = conn.writer().close(frame, &mut out).unwrap();
    out[..count].to_vec()
}

/// A Close with a code that is known to be valid.
pub fn code(code: u16) -> sockless::CloseFrame<'static> {
    sockless::CloseCode::new(code).unwrap().into()
}
