//! What our own caller can do wrong with a compressor and a decompressor: it gets an error or nothing, and no panic.

use proptest::prelude::*;
use sockless::deflate::{Deflater, Flush, InflateStatus, Inflater, Params, Pool, Tuning, WindowBits};
use sockless::{Limits, MessageKind, ProtocolError, Side};

const HELLO: &[u8] = b"\xF2\x48\xCD\xC9\xC9\x07\x00";

fn params(takeover: bool, bits: u8) -> Params {
    let mut params = Params::DEFAULT;
    params.server_no_context_takeover = !takeover;
    params.server_max_window_bits = WindowBits::new(bits);
    params
}

fn deflater(params: &Params) -> Deflater {
    Deflater::new(params, Side::Server, Tuning::DEFAULT)
}

fn inflater(params: &Params) -> Inflater {
    Inflater::new(params, Side::Server, Limits::DEFAULT)
}

/// A whole message, with room enough.
fn message(deflater: &mut Deflater, octets: &[u8]) -> Vec<u8> {
    let mut out = vec![0; Deflater::bound(octets.len())];
    let mut rest = octets;
    let deflated = deflater.deflate(&mut rest, Flush::Message, &mut out).unwrap();
    assert!(deflated.done && rest.is_empty());
    out.truncate(deflated.written);
    out
}

/// What a decompressor makes of a whole payload.
fn whole(inflater: &mut Inflater, payload: &[u8]) -> Result<Vec<u8>, ProtocolError> {
    let (mut rest, mut out) = (payload, vec![0; 100_000]);
    let inflated = inflater.inflate(MessageKind::Binary, &mut rest, true, &mut out)?;
    assert_eq!(inflated.status(), InflateStatus::MessageEnd);
    Ok(inflated.as_bytes().to_vec())
}

#[test]
fn without_room_nothing_happens() {
    for flush in [Flush::None, Flush::Fragment, Flush::Message] {
        let mut deflater = deflater(&Params::DEFAULT);
        let mut rest = &b"Hello"[..];
        for _ in 0..3 {
            let deflated = deflater.deflate(&mut rest, flush, &mut []).unwrap();
            assert_eq!((deflated.written, deflated.done, rest.len()), (0, false, 5));
        }
        assert_eq!(message(&mut deflater, rest), HELLO);
    }
    let mut inflater = inflater(&Params::DEFAULT);
    let mut rest = HELLO;
    for _ in 0..3 {
        let inflated = inflater.inflate(MessageKind::Text, &mut rest, true, &mut []).unwrap();
        let status = (inflated.as_bytes(), inflated.status());
        assert_eq!((status, rest.len()), ((&b""[..], InflateStatus::OutputFull), HELLO.len()));
    }
    assert_eq!(whole(&mut inflater, rest).as_deref(), Ok(&b"Hello"[..]));
}

#[test]
fn an_error_stays_and_gives_nothing() {
    for bad in [&b"\x07"[..], b"", b"\xF2\x00\x11\x00\x00", b"\x00\x01\x00\x00\x00"] {
        let mut inflater = inflater(&Params::DEFAULT);
        assert_eq!(whole(&mut inflater, bad), Err(ProtocolError::InvalidCompressedData));
        for (payload, last) in [(HELLO, true), (b"", true), (HELLO, false), (bad, true)] {
            let (mut rest, mut out) = (payload, [0xEE; 100]);
            for room in [100, 0] {
                let again = inflater.inflate(MessageKind::Binary, &mut rest, last, &mut out[..room]);
                assert_eq!(again.map(|_| ()), Err(ProtocolError::InvalidCompressedData));
            }
            assert_eq!((rest, out), (payload, [0xEE; 100]));
            inflater.release();
        }
    }
}

#[test]
fn what_is_out_of_range_counts_as_the_nearest() {
    for (level, memory_level) in [(0, 0), (10, 10), (255, 255), (0, 255), (255, 0)] {
        let tuning = Tuning::DEFAULT.with_level(level).with_memory_level(memory_level);
        let nearest = Tuning::DEFAULT.with_level(level.min(9)).with_memory_level(memory_level.clamp(1, 9));
        let octets = b"nearest, nearest, nearest".repeat(500);
        let [got, expected] = [tuning, nearest]
            .map(|tuning| message(&mut Deflater::new(&Params::DEFAULT, Side::Server, tuning), &octets));
        assert_eq!(got, expected);
        assert_eq!(whole(&mut inflater(&Params::DEFAULT), &got).as_ref(), Ok(&octets));
    }
    assert_eq!(Deflater::bound(usize::MAX), usize::MAX);
    for len in [0, 1, usize::MAX / 2, usize::MAX - 1] {
        assert!(Deflater::bound(len) > len);
    }
}

/// A pool is for contexts that are not kept; with others, or of no size, it does no harm.
#[test]
fn a_pool_that_is_of_no_use_does_no_harm() {
    let pools = [Pool::new(0), Pool::new(1), Pool::default()];
    for pool in &pools {
        let mut ends: Vec<_> = (8..=15)
            .flat_map(|bits| [params(true, bits), params(false, bits)])
            .map(|params| {
                let deflater = deflater(&params).with_pool(pool.clone()).with_pool(pools[1].clone());
                (deflater, inflater(&params).with_pool(pools[1].clone()).with_pool(pool.clone()))
            })
            .collect();
        for n in 0..5 {
            for (deflater, inflater) in &mut ends {
                let octets = format!("message {n}, ").repeat(40 * n);
                let payload = message(deflater, octets.as_bytes());
                assert_eq!(whole(inflater, &payload).as_deref(), Ok(octets.as_bytes()));
                deflater.release();
                inflater.release();
            }
        }
    }
}

/// What an encoder that is given up in the middle of a message leaves unwritten must not come out later.
#[test]
fn a_reset_amid_a_message_leaves_nothing_of_it() {
    // Seven bits of noise an octet: the codec has much to hand out, and does not store it.
    let octets: Vec<u8> = (0..60_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 25) as u8).collect();
    for level in 0..=9 {
        for memory_level in [1, 8] {
            for (flush, room) in [
                (Flush::None, 0),
                (Flush::None, 1),
                (Flush::Fragment, 100),
                (Flush::Message, 1000),
                (Flush::Message, 30_000),
            ] {
                let tuning = Tuning::DEFAULT.with_level(level).with_memory_level(memory_level);
                let fresh = || Deflater::new(&Params::DEFAULT, Side::Server, tuning);
                let mut deflater = fresh();
                deflater.deflate(&mut &octets[..], flush, &mut vec![0; room]).unwrap();
                deflater.reset();
                let payload = message(&mut deflater, &octets);
                assert!(payload == message(&mut fresh(), &octets), "{tuning:?}, {flush:?} into {room}");
                assert_eq!(whole(&mut inflater(&Params::DEFAULT), &payload).as_ref(), Ok(&octets));
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Call {
    /// Octets, flush, room.
    Deflate(Vec<u8>, Flush, usize),
    Reset,
    Release,
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        prop::collection::vec(any::<u8>(), 0..100),
        (any::<u8>(), 0_usize..5000).prop_map(|(octet, len)| vec![octet; len]),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let flush = prop_oneof![Just(Flush::None), Just(Flush::Fragment), Just(Flush::Message)];
    let room = prop_oneof![0_usize..20, Just(10_000_usize)];
    prop_oneof![
        10 => (octets(), flush, room).prop_map(|(octets, flush, room)| Call::Deflate(octets, flush, room)),
        1 => Just(Call::Reset),
        1 => Just(Call::Release),
    ]
}

proptest! {
    /// Flushes change in the middle of a flush, input is taken back, contexts are released: nothing panics, and
    /// after a reset it is as new.
    #[test]
    fn a_compressor_outlives_any_calls(
        calls in prop::collection::vec(call(), 0..30),
        takeover: bool,
        bits in 8_u8..=15,
        pooled: bool,
    ) {
        let params = params(takeover, bits);
        let mut deflater = deflater(&params);
        if pooled {
            deflater = deflater.with_pool(Pool::new(1));
        }
        let mut out = vec![0xEE; 10_001];
        let mut complete = true;
        for call in &calls {
            match call {
                Call::Deflate(octets, flush, room) => {
                    let mut rest = &octets[..];
                    let deflated = deflater.deflate(&mut rest, *flush, &mut out[..*room]).unwrap();
                    prop_assert!(deflated.written <= *room && octets.ends_with(rest));
                    // What is added in the middle of a flush may have to be given again.
                    prop_assert!(!deflated.done || rest.is_empty() || !complete);
                    complete = deflated.done;
                    prop_assert_eq!(out[*room], 0xEE);
                    out[..*room].fill(0xEE);
                }
                Call::Reset => {
                    deflater.reset();
                    complete = true;
                }
                Call::Release => deflater.release(),
            }
        }
        deflater.reset();
        let mut fresh = self::deflater(&params);
        for octets in [&b"as new, as new"[..], b"", b"as new, as new"] {
            prop_assert_eq!(message(&mut deflater, octets), message(&mut fresh, octets));
        }
    }

    /// Kinds change in the middle of a message, its end is announced and taken back, input is anything.
    #[test]
    fn a_decompressor_outlives_any_calls(
        calls in prop::collection::vec((octets(), any::<bool>(), any::<bool>(), 0_usize..300, 0_u8..3), 0..30),
        takeover: bool,
        bits in 8_u8..=15,
        pooled: bool,
    ) {
        let params = params(takeover, bits);
        let (mut deflater, mut inflater) = (deflater(&params), inflater(&params));
        if pooled {
            inflater = inflater.with_pool(Pool::new(1));
        }
        let mut failed = None;
        for (octets, text, last, room, what) in &calls {
            let payload = match what {
                0 => octets.clone(),
                1 => message(&mut deflater, octets),
                _ => {
                    inflater.release();
                    HELLO.to_vec()
                }
            };
            let kind = if *text { MessageKind::Text } else { MessageKind::Binary };
            let (mut rest, mut out) = (&payload[..], [0xEE; 300]);
            match inflater.inflate(kind, &mut rest, *last, &mut out[..*room]) {
                Ok(inflated) => {
                    prop_assert_eq!(failed, None);
                    prop_assert!(inflated.as_bytes().len() <= *room);
                    prop_assert!(*last || inflated.status() != InflateStatus::MessageEnd);
                    prop_assert!(payload.ends_with(rest));
                }
                Err(error) => {
                    prop_assert!(failed.is_none() || failed == Some(error));
                    failed = Some(error);
                }
            }
            prop_assert!(out[*room..].iter().all(|octet| *octet == 0xEE));
        }
    }
}
