//! Hostile and broken peers: RFC 6455 sections 7.1.7 and 10.

use crate::common;

use common::counting::allocations;
use common::*;
use sockless::{
    Config, Connection, Initiator, Input, Limits, ProtocolError, ReadyState, Timeout, Timeouts, Timestamp,
    TransportAction, MAX_CONTROL_FRAME_LEN,
};

/// Gives `bytes` to `conn` and drops the events; nothing of the test itself allocates.
fn swallow(conn: &mut Conn, bytes: &mut [u8]) -> Result<(), ProtocolError> {
    let mut input = Input::new(bytes);
    while conn.recv(&mut input)?.is_some() {}
    Ok(())
}

fn unlimited() -> Config {
    let limits = Limits::DEFAULT.with_max_frame_size(u64::MAX).with_max_message_size(u64::MAX);
    Config::new().with_limits(limits.with_max_fragments(u32::MAX))
}

#[test]
fn req_6455_10_4_1_a_header_that_announces_2_63_minus_1_octets_costs_nothing() {
    let huge = i64::MAX as u64;
    for side in BOTH {
        for first in [TEXT, BINARY, TEXT_PART, BINARY_PART] {
            let mut wire = header(first, key_to(side), huge);
            let mut conn = connection(side, Config::new());
            let (count, result) = allocations(|| swallow(&mut conn, &mut wire));
            assert_eq!((count, result), (0, Err(ProtocolError::FrameTooBig)));
            fails(side, Config::new(), &header(first, key_to(side), huge), ProtocolError::FrameTooBig, 1009);
        }
        // Even where there is no limit nothing is set aside for it.
        for first in [BINARY, BINARY_PART] {
            let mut wire = header(first, key_to(side), huge);
            let mut conn = connection(side, unlimited());
            let (count, result) = allocations(|| {
                swallow(&mut conn, &mut wire)?;
                (0..100).try_for_each(|_| swallow(&mut conn, &mut [0; 4096]))
            });
            assert_eq!((count, result), (0, Ok(())));
            assert_eq!(conn.reader().frame_remaining(), huge - 100 * 4096);
            assert_eq!(conn.eof(), Err(ProtocolError::UnexpectedEof));
        }
    }
}

/// A million times `frame`, after `begin`, in reads of 64 KiB.
fn flood(config: Config, begin: (u8, &[u8]), frame: (u8, &[u8])) {
    for side in BOTH {
        let mut conn = connection(side, config);
        feed(&mut conn, &to(side, begin.0, begin.1));
        let one = to(side, frame.0, frame.1);
        let original = one.repeat((64 << 10) / one.len());
        let mut read = original.clone();
        let (count, ()) = allocations(|| {
            for _ in 0..(1 << 20) / (original.len() / one.len()) {
                read.copy_from_slice(&original);
                swallow(&mut conn, &mut read).unwrap();
            }
        });
        assert_eq!(count, 0, "{side:?}");
        assert_eq!(conn.ready_state(), ReadyState::Open);
        let owes = if frame.0 == PING { vec![(PONG, frame.1.to_vec())] } else { vec![] };
        assert_eq!(owed(&mut conn), owes);
    }
}

#[test]
fn a_million_fragments_of_one_octet_need_no_memory() {
    flood(unlimited(), (TEXT_PART, b""), (MORE, b"x"));
    flood(unlimited(), (BINARY_PART, b""), (MORE, b"x"));
}

#[test]
fn a_million_empty_fragments_need_no_memory() {
    flood(unlimited(), (TEXT_PART, b""), (MORE, b""));
}

#[test]
fn a_million_pings_and_pongs_need_no_memory() {
    flood(Config::new(), (PONG, b""), (PING, b"flood"));
    flood(Config::new(), (PONG, b""), (PING, &[7; 125]));
    flood(Config::new(), (PONG, b""), (PONG, b"flood"));
}

#[test]
fn a_million_messages_need_no_memory() {
    flood(Config::new(), (PONG, b""), (TEXT, b""));
    flood(Config::new(), (PONG, b""), (BINARY, b"x"));
}

/// Every error that input can cause: its cause in both roles, and its code.
#[test]
fn req_6455_7_1_7_3_req_6455_10_7_3_every_protocol_error_sends_its_close_once_and_swallows_the_rest() {
    let config = {
        let mut limits =
            Limits::DEFAULT.with_max_frame_size(8).with_max_message_size(10).with_max_fragments(3);
        limits.accept_binary = false;
        Config::new().with_limits(limits)
    };
    let body = |code: u16, reason| close_body(code, reason);
    let cases: [(Frames<'_>, ProtocolError, u16); 15] = [
        (&[(0xD1, b"")], ProtocolError::ReservedBits, 1002),
        (&[(0x83, b"")], ProtocolError::ReservedOpcode, 1002),
        (&[(0x09, b"")], ProtocolError::FragmentedControl, 1002),
        (&[(PING, &[0; 126])], ProtocolError::OversizedControl, 1002),
        (&[(END, b"")], ProtocolError::UnexpectedContinuation, 1002),
        (&[(TEXT_PART, b""), (TEXT, b"")], ProtocolError::ExpectedContinuation, 1002),
        (&[(CLOSE, b"\x03")], ProtocolError::InvalidClosePayload, 1002),
        (&[(CLOSE, &body(1005, b""))], ProtocolError::InvalidCloseCode(1005), 1002),
        (&[(TEXT, b"\x80")], ProtocolError::InvalidUtf8, 1007),
        (&[(TEXT_PART, b"\xC3"), (END, b"")], ProtocolError::InvalidUtf8, 1007),
        (&[(CLOSE, &body(1000, b"\x80"))], ProtocolError::InvalidCloseReason, 1007),
        (&[(TEXT, b"123456789")], ProtocolError::FrameTooBig, 1009),
        (&[(TEXT_PART, b"12345678"), (END, b"901")], ProtocolError::MessageTooBig, 1009),
        (&[(TEXT_PART, b""), (MORE, b""), (MORE, b""), (END, b"")], ProtocolError::TooManyFragments, 1008),
        (&[(BINARY, b"")], ProtocolError::UnsupportedData, 1003),
    ];
    for side in BOTH {
        for (frames, error, code) in cases {
            fails(side, config, &all_to(side, frames), error, code);
        }
        let mask = if key_to(side).is_some() { 0x80 } else { 0 };
        let overlong = [vec![TEXT, mask | 126, 0, 5], key_to(side).map_or(vec![], Vec::from)].concat();
        fails(side, config, &overlong, ProtocolError::NonMinimalLength, 1002);
        fails(side, config, &header(TEXT, key_to(side), u64::MAX), ProtocolError::LengthOverflow, 1002);
        let (wrong, error) = match key_to(side) {
            Some(_) => (None, ProtocolError::MissingMask),
            None => (Some(KEY), ProtocolError::UnexpectedMask),
        };
        fails(side, config, &frame(TEXT, wrong, b"Hello"), error, 1002);
    }
}

/// A conversation as the peer of `side` sends it, to the end.
fn conversation(side: sockless::Side) -> Vec<u8> {
    let long = [b'z'; 200];
    let mut wire = all_to(
        side,
        &[
            (TEXT, "grüße".as_bytes()),
            (PING, b"are you there?"),
            (TEXT_PART, "frag€".as_bytes()),
            (PONG, b""),
            (MORE, b""),
            (END, "ment 😀".as_bytes()),
            (BINARY, &long),
        ],
    );
    wire.extend(to(side, CLOSE, &close_body(1001, "bye é".as_bytes())));
    wire
}

/// The transport ends at every byte: one truthful end is reported, and 1006 never crosses the wire.
#[test]
fn req_6455_7_1_5_3_a_peer_that_vanishes_anywhere_is_reported_once_as_1006() {
    for side in BOTH {
        let whole = conversation(side);
        for len in 0..=whole.len() {
            let mut conn = connection(side, Config::new());
            let seen = feed(&mut conn, &whole[..len]);
            assert!(!seen.iter().any(|seen| matches!(seen, Seen::Fail(_))));
            assert_eq!(conn.closed(), None);
            let mut sent = if len % 2 == 0 { owed(&mut conn) } else { vec![] };
            let complete = len == whole.len();
            let error = ProtocolError::UnexpectedEof;
            assert_eq!(conn.eof(), if complete { Ok(()) } else { Err(error) }, "after {len} bytes");
            sent.extend(owed(&mut conn));
            let end = if complete {
                (1001, true, Some(Initiator::Peer), None)
            } else {
                (1006, false, None, Some(error))
            };
            assert_eq!(ending(&conn), end);
            assert_eq!((conn.eof(), ending(&conn)), (Ok(()), end), "once, and it stays");
            assert_eq!(conn.transport(), TransportAction::Close);
            let closes: Vec<_> = sent.into_iter().filter(|(first, _)| *first == CLOSE).collect();
            let answer = (CLOSE, close_body(1001, b""));
            assert_eq!(closes, if complete { vec![answer] } else { vec![] });
        }
    }
}

/// A small generator (xorshift), so that each run is the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// Drives one connection over `bytes`, and checks what must be true for any input.
fn endure(side: sockless::Side, config: Config, bytes: &mut [u8], random: &mut Random) {
    let mut conn = connection(side, config);
    let (mut failures, mut rest, mut now) = (0, bytes, 0);
    let mut out = [0; 4 * MAX_CONTROL_FRAME_LEN];
    let mut sent = Vec::new();
    while !rest.is_empty() {
        let size = (1 + random.below(60)).min(rest.len());
        let (chunk, after) = rest.split_at_mut(size);
        rest = after;
        let mut input = Input::new(chunk);
        // Each call consumes, reports, or ends the chunk: a step budget.
        for step in 0.. {
            assert!(step <= 2 * size + 2, "no progress");
            match conn.recv(&mut input) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    failures += 1;
                    assert!(error.close_code().is_some());
                }
            }
        }
        assert_eq!(input.remaining(), 0);
        now += random.next() % 5000;
        failures += usize::from(conn.handle_timeout(Timestamp::from_micros(now)).is_err());
        if random.below(3) == 0 {
            let len = conn.poll_transmit(&mut out).unwrap();
            sent.extend_from_slice(&out[..len]);
        }
    }
    sent.extend(transmit(&mut conn));
    failures += usize::from(conn.eof().is_err());
    assert!(failures <= 1, "reported once");
    let clean = conn.closed().unwrap().clean;
    assert_eq!(clean, failures == 0, "an end is clean or has one reason");
    let closes = sent_by(side, &sent).into_iter().filter(|(first, _)| *first == CLOSE).count();
    assert!(closes <= 1, "one Close");
}

/// Runs with overflow checks on, as every debug build.
#[test]
fn req_6455_10_7_1_a_hundred_thousand_mutated_streams_are_endured() {
    let mut random = Random(0x5EED_0BAD_F00D_CAFE);
    let mut timeouts = Timeouts::NONE;
    timeouts.idle = Some(std::time::Duration::from_millis(20));
    timeouts.ping_interval = Some(std::time::Duration::from_millis(5));
    let tight = Limits::DEFAULT.with_max_frame_size(150).with_max_message_size(160).with_max_fragments(3);
    let configs =
        [Config::new(), Config::new().with_limits(tight), Config::new().with_timeouts(timeouts), unlimited()];
    let valid = BOTH.map(conversation);
    for round in 0..100_000 {
        let which = round % 2;
        let mut bytes = valid[which].clone();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            match random.below(8) {
                0..=3 => bytes[at] ^= 1 << random.below(8),
                4 => bytes[at] = random.next() as u8,
                5 => bytes.insert(at, random.next() as u8),
                6 => bytes.truncate(at.max(1)),
                _ => {
                    let end = (at + random.below(9)).min(bytes.len());
                    bytes[at..end].iter_mut().for_each(|octet| *octet = 0xFF);
                }
            }
        }
        endure(BOTH[which], configs[round / 2 % configs.len()], &mut bytes, &mut random);
    }
}

/// The same without a conversation to begin with.
#[test]
fn req_6455_10_7_1_noise_is_endured() {
    let mut random = Random(0xD1CE_D1CE_D1CE_D1CE);
    for round in 0..20_000 {
        let mut bytes: Vec<u8> = (0..random.below(100)).map(|_| random.next() as u8).collect();
        // Every other begins as frames do, so that it gets further than the first byte.
        if round % 4 < 2 && bytes.len() > 1 {
            bytes[0] &= 0x8A;
            bytes[1] = bytes[1] & 0x7F | if round % 2 == 0 { 0x80 } else { 0 };
        }
        endure(BOTH[round % 2], Config::new(), &mut bytes, &mut random);
    }
}

#[test]
fn failures_without_a_close_are_those_where_none_can_arrive() {
    let silent = [
        ProtocolError::UnexpectedEof,
        ProtocolError::TimedOut(Timeout::OpeningHandshake),
        ProtocolError::TimedOut(Timeout::ClosingHandshake),
    ];
    assert!(silent.iter().all(|error| error.close_code().is_none()));
    for side in BOTH {
        let mut conn = connection(side, Config::new());
        assert_eq!(conn.eof(), Err(silent[0]));
        assert_eq!(owed(&mut conn), []);
    }
    // Bytes of another protocol: a TLS hello, a request, drafts of this one.
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00Hello\xFF",
        b"\xFF\x00",
        b"\x80\x05",
    ] {
        for side in BOTH {
            let mut conn: Connection<_> = connection(side, Config::new());
            let seen = feed(&mut conn, bytes);
            assert!(matches!(seen[..], [Seen::Fail(_)]), "{seen:?}");
            assert_eq!(owed(&mut conn), [(CLOSE, close_body(1002, b""))]);
        }
    }
}
