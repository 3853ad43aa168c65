//! What a hostile or broken peer compresses: corrupt data, invalid distances, bombs, text that is not UTF-8.

use crate::common;

use common::codec::*;
use common::inflate::Reference;
use common::streams::{corrupt, cut, ByHand, Zlib, FIXED};
use common::BOTH;
use proptest::prelude::*;
use sockless::deflate::{Deflater, Flush, InflateStatus, Inflater, Params, Pool, Tuning};
use sockless::{CloseCode, Limits, MessageKind, ProtocolError, Side};

const HELLO: [u8; 7] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
/// As the second message (RFC 7692 section 7.2.3.2): it refers to the first.
const HELLO_AGAIN: [u8; 5] = [0xF2, 0x00, 0x11, 0x00, 0x00];

fn any_inflater() -> Inflater {
    Inflater::new(&Params::DEFAULT, Side::Client, Limits::DEFAULT)
}

fn with_limits(limits: Limits) -> Inflater {
    Inflater::new(&Params::DEFAULT, Side::Client, limits)
}

/// Inflates until the end or the error. What was returned before counts.
fn run(inflater: &mut Inflater, payload: &[u8], cuts: Cuts<'_>) -> (Vec<u8>, Result<(), ProtocolError>) {
    let mut out = Vec::new();
    let result = inflate_part(inflater, MessageKind::Binary, (payload, true), cuts, &mut out);
    (out, result)
}

/// After a failure nothing is inflated any more, and the error stays.
fn assert_failed(inflater: &mut Inflater, error: ProtocolError) {
    for payload in [&HELLO[..], &[], &[0x00], &HELLO_AGAIN] {
        for last in [false, true] {
            for kind in [MessageKind::Text, MessageKind::Binary] {
                let (mut input, mut out) = (payload, [0xEE; 16]);
                let result = inflater.inflate(kind, &mut input, last, &mut out);
                assert_eq!(result.err(), Some(error));
                assert_eq!((input, out), (payload, [0xEE; 16]), "nothing is touched");
            }
        }
    }
}

#[test]
fn req_t_pmd_5_corrupt_data_fails_with_1007_in_any_pieces() {
    let invalid = ProtocolError::InvalidCompressedData;
    assert_eq!(invalid.close_code(), Some(CloseCode::INVALID_DATA));
    for (what, payload) in corrupt() {
        for size in (1..=payload.len()).chain([usize::MAX]) {
            for room in [1, 2, 3, 5, 1000] {
                for before in [&[][..], &[&HELLO[..]], &[&HELLO, &HELLO_AGAIN]] {
                    // What refers to no octet at all would find some.
                    if !before.is_empty() && what.contains("distance") && what.contains("first octet") {
                        continue;
                    }
                    let mut inflater = any_inflater();
                    for payload in before {
                        binary(&mut inflater, payload).unwrap();
                    }
                    let (_, result) = run(&mut inflater, &payload, Cuts { input: &[size], room: &[room] });
                    assert_eq!(result, Err(invalid), "{what}, pieces of {size}, room {room}");
                    assert_failed(&mut inflater, invalid);
                }
            }
        }
    }
}

#[test]
fn req_t_pmd_5_corrupt_data_fails_in_any_two_pieces_and_not_later_than_with_its_last_octet() {
    for (what, payload) in corrupt() {
        for at in 0..=payload.len() {
            let mut inflater = any_inflater();
            let (first, second) = payload.split_at(at);
            let mut out = Vec::new();
            let result = inflate_part(&mut inflater, MessageKind::Binary, (first, false), WHOLE, &mut out)
                .and_then(|()| {
                    inflate_part(&mut inflater, MessageKind::Binary, (second, true), WHOLE, &mut out)
                });
            assert_eq!(result, Err(ProtocolError::InvalidCompressedData), "{what}, cut at {at}");
        }
    }
}

#[test]
fn req_t_pmd_5_a_message_that_is_cut_short_fails_as_the_reference_does() {
    let text = echoes(3, 3000);
    let payloads = [
        ("the first example", HELLO.to_vec()),
        ("a stored block", ByHand::new().stored_block(false, &text[..200]).flush()),
        ("a final block", ByHand::new().fixed_block(true, &text[..200]).pad().flush()),
        ("two final blocks", ByHand::new().stored_block(true, b"He").fixed_block(true, b"llo").pad().flush()),
        ("fixed codes", cut(&Zlib::new(1, 8, 15).sync(&text[..300])).to_vec()),
        ("dynamic codes", cut(&Zlib::new(9, 8, 15).sync(&text)).to_vec()),
    ];
    for (what, payload) in &payloads {
        let mut failures = 0;
        for len in 0..payload.len() {
            let expected = Reference::new(32_768).message(&payload[..len]);
            for cuts in [WHOLE, Cuts { input: &[1], room: &[1, 3] }] {
                let (got, result) = run(&mut any_inflater(), &payload[..len], cuts);
                match &expected {
                    Ok(octets) => assert_eq!((&got, result), (octets, Ok(())), "{what}, {len} octets"),
                    Err(_) => {
                        assert_eq!(result, Err(ProtocolError::InvalidCompressedData), "{what}, {len} octets");
                        failures += 1;
                    }
                }
            }
        }
        assert!(failures >= payload.len(), "{what}: {failures} of {}", 2 * payload.len());
    }
}

#[test]
fn req_t_pmd_6_a_payload_of_no_octets_is_invalid() {
    for before in [0, 1, 2] {
        for room in [1, 100] {
            let mut inflater = any_inflater();
            for payload in [HELLO, HELLO].iter().take(before) {
                binary(&mut inflater, payload).unwrap();
            }
            let (got, result) = run(&mut inflater, &[], Cuts { room: &[room], ..WHOLE });
            assert_eq!((&got[..], result), (&[][..], Err(ProtocolError::InvalidCompressedData)));
            assert_failed(&mut inflater, ProtocolError::InvalidCompressedData);
        }
    }
    // Nor in fragments that are all empty.
    let (mut inflater, mut out) = (any_inflater(), [0; 9]);
    for _ in 0..3 {
        let step = inflater.inflate(MessageKind::Text, &mut &[][..], false, &mut out).unwrap();
        assert_eq!((step.as_bytes(), step.status()), (&[][..], InflateStatus::NeedInput));
    }
    let end = inflater.inflate(MessageKind::Text, &mut &[][..], true, &mut out);
    assert_eq!(end.err(), Some(ProtocolError::InvalidCompressedData));
}

#[test]
fn req_t_pmd_4_a_distance_beyond_the_history_is_invalid() {
    let pool = Pool::new(4);
    for sender in BOTH {
        let inflaters: [(&str, Inflater); 4] = [
            ("a new stream", Inflater::new(&agreed(sender, true, 15), sender, Limits::DEFAULT)),
            ("after other messages", {
                let mut inflater = Inflater::new(&agreed(sender, false, 15), sender, Limits::DEFAULT);
                // Two messages that begin alike and refer to nothing show that a client begins each with an
                // empty window.
                let payload = ByHand::new().fixed_block(false, b"Hello, all").flush();
                binary(&mut inflater, &payload).unwrap();
                binary(&mut inflater, &payload).unwrap();
                inflater
            }),
            ("after another connection", {
                let new = || Inflater::new(&agreed(sender, false, 15), sender, Limits::DEFAULT);
                let mut other = new().with_pool(pool.clone());
                binary(&mut other, &HELLO).unwrap();
                assert_eq!(pool.idle().0, 1);
                new().with_pool(pool.clone())
            }),
            ("after another connection that keeps its context", {
                let new = |takeover| Inflater::new(&agreed(sender, takeover, 15), sender, Limits::DEFAULT);
                let mut other = new(false).with_pool(pool.clone());
                let payload =
                    ByHand::new().fixed_block(true, b"Hello").pad().fixed_block(true, b"").pad().flush();
                binary(&mut other, &payload).unwrap();
                assert_eq!(pool.idle().0, 1);
                new(true).with_pool(pool.clone())
            }),
        ];
        for (what, mut inflater) in inflaters {
            let (got, result) = run(&mut inflater, &HELLO_AGAIN, WHOLE);
            assert_eq!(result, Err(ProtocolError::InvalidCompressedData), "{what}");
            assert!(b"H".starts_with(&got[..]), "{what}: nothing of what was there before: {got:?}");
            assert_failed(&mut inflater, ProtocolError::InvalidCompressedData);
        }
    }
    assert_eq!(pool.idle().0, 0, "what failed does not come back");
}

#[test]
fn req_t_pmd_4_a_distance_beyond_the_history_is_invalid_after_bfinal_too() {
    // Six octets were there before, the copy begins seven back.
    let payload = ByHand::new().fixed_block(true, b"Hello ").pad().block(false, FIXED).copy(5, 0, 1);
    let payload = payload.fixed(256).flush();
    for cuts in [WHOLE, Cuts { input: &[1], room: &[1] }] {
        let (got, result) = run(&mut any_inflater(), &payload, cuts);
        assert_eq!((&got[..], result), (&b"Hello "[..got.len()], Err(ProtocolError::InvalidCompressedData)));
    }
    // With a window of 256 octets, older octets are forgotten after a final block.
    let params = agreed(Side::Server, true, 8);
    let mut inflater = Inflater::new(&params, Side::Server, Limits::DEFAULT);
    let payload = ByHand::new().stored_block(true, &noise(1, 300)).block(false, FIXED).copy(16, 0, 7);
    let (_, result) = run(&mut inflater, &payload.fixed(256).flush(), WHOLE);
    assert_eq!(result, Err(ProtocolError::InvalidCompressedData));
}

/// Zeros in about a thousandth of their octets.
fn bomb(len: usize) -> Vec<u8> {
    let flushed = Zlib::new(9, 8, 15).sync(&vec![0; len]);
    assert!(flushed.len() < len / 900);
    cut(&flushed).to_vec()
}

#[test]
fn req_t_pmd_3_a_bomb_stops_at_the_limit() {
    let payload = bomb(10 << 20);
    let limit = 64 << 10;
    for (input, room) in [(usize::MAX, 1 << 18), (1, 1000), (16, 1 << 18), (usize::MAX, 1), (300, 1 << 16)] {
        let mut inflater = with_limits(Limits::DEFAULT.with_max_message_size(limit as u64));
        let (got, result) = run(&mut inflater, &payload, Cuts { input: &[input], room: &[room] });
        assert_eq!(result, Err(ProtocolError::MessageTooBig), "pieces of {input}, room {room}");
        assert!(got.len() <= limit, "{} octets were handed out", got.len());
        assert_failed(&mut inflater, ProtocolError::MessageTooBig);
    }
    let too_big = ProtocolError::MessageTooBig;
    assert_eq!(too_big.close_code(), Some(CloseCode::MESSAGE_TOO_BIG));
}

#[test]
fn req_t_pmd_3_the_limit_itself_passes_and_one_octet_more_does_not() {
    let texts = [noise(1, 1000), echoes(2, 1000), vec![0; 1000]];
    for limit in [0, 1, 2, 257, 258, 259, 999, 1000] {
        for text in &texts {
            for cuts in [WHOLE, Cuts { input: &[1], room: &[1] }, Cuts { input: &[7], room: &[limit.max(1)] }]
            {
                let mut zlib = Zlib::new(6, 8, 15);
                let fits = zlib.sync(&text[..limit]);
                let fits = if limit == 0 { &[0x00][..] } else { cut(&fits) };
                let mut inflater = with_limits(Limits::DEFAULT.with_max_message_size(limit as u64));
                // Each message counts for itself, and a final block is no message.
                for _ in 0..3 {
                    let (got, result) = run(&mut inflater, fits, cuts);
                    assert_eq!((&got[..], result), (&text[..limit], Ok(())), "limit {limit}, {cuts:?}");
                }
                let mut twice = Zlib::new(6, 8, 15).finish(&text[..limit]);
                twice.extend_from_slice(cut(&Zlib::new(6, 8, 15).sync(b"!")));
                let (got, result) = run(&mut inflater, &twice, cuts);
                assert_eq!(result, Err(ProtocolError::MessageTooBig), "limit {limit}, {cuts:?}");
                assert!(text.starts_with(&got[..]) && got.len() <= limit);
            }
        }
    }
}

#[test]
fn req_t_pmd_3_the_limit_holds_over_fragments() {
    let mut deflater = Deflater::new(&Params::DEFAULT, Side::Client, Tuning::DEFAULT);
    let mut inflater = with_limits(Limits::DEFAULT.with_max_message_size(1000));
    let mut out = Vec::new();
    for (at, expected) in [(0, Ok(())), (1, Ok(())), (2, Ok(())), (3, Err(ProtocolError::MessageTooBig))] {
        let part = deflate(&mut deflater, &noise(at, 300), Flush::Fragment, WHOLE);
        let got = inflate_part(&mut inflater, MessageKind::Binary, (&part, false), WHOLE, &mut out);
        assert_eq!(got, expected, "fragment {at}");
    }
    assert!(out.len() <= 1000);
}

#[test]
fn req_t_pmd_3_an_expansion_beyond_the_bound_fails_early() {
    let payload = bomb(10 << 20);
    for ratio in [1, 20, 500] {
        for (input, room) in [(usize::MAX, 1 << 18), (1, 1000), (16, 1 << 18)] {
            let mut inflater = with_limits(Limits::DEFAULT.with_max_expansion(ratio));
            let (got, result) = run(&mut inflater, &payload, Cuts { input: &[input], room: &[room] });
            assert_eq!(result, Err(ProtocolError::ExpansionTooBig), "{ratio}");
            assert!(got.len() <= (1 << 20) + usize::from(ratio) * payload.len());
            assert_failed(&mut inflater, ProtocolError::ExpansionTooBig);
        }
    }
    let too_big = ProtocolError::ExpansionTooBig;
    assert_eq!(too_big.close_code(), Some(CloseCode::MESSAGE_TOO_BIG));
    // The lower of both bounds is the one that is met.
    let limits = Limits::DEFAULT.with_max_expansion(20).with_max_message_size(1 << 16);
    assert_eq!(run(&mut with_limits(limits), &payload, WHOLE).1, Err(ProtocolError::MessageTooBig));
    let limits = Limits::DEFAULT.with_max_expansion(1).with_max_message_size(4 << 20);
    assert_eq!(run(&mut with_limits(limits), &payload, WHOLE).1, Err(ProtocolError::ExpansionTooBig));
}

#[test]
fn the_bound_on_expansion_leaves_honest_messages_alone() {
    let mut inflater = with_limits(Limits::DEFAULT.with_max_expansion(20));
    let mut zlib = Zlib::new(9, 8, 15);
    for cuts in [WHOLE, Cuts { input: &[100], room: &[1000] }] {
        // Short messages may expand as they like; each counts for itself.
        for _ in 0..3 {
            let zeros = vec![0; 1 << 20];
            assert_eq!(run(&mut inflater, cut(&zlib.sync(&zeros)), cuts), (zeros, Ok(())));
        }
        let text = include_bytes!("../requirements.md");
        let (got, result) = run(&mut inflater, cut(&zlib.sync(text)), cuts);
        assert!(got == text && result.is_ok(), "{result:?}");
    }
    let mut unbounded = with_limits(Limits::DEFAULT.with_max_expansion(u16::MAX));
    let (got, result) = run(&mut unbounded, &bomb(10 << 20), WHOLE);
    assert_eq!((got.len(), result), (10 << 20, Ok(())));
}

/// Octets that no text has.
const BAD_TEXTS: [&[u8]; 8] = [
    b"Hello\xFF",
    b"\x80",
    b"\xC0\x80",
    b"caf\xC3\x28",
    b"\xED\xA0\x80",
    b"\xF4\x90\x80\x80",
    b"\xE2\x82\xE2",
    b"\xF5",
];

#[test]
fn req_t_utf8_3_the_text_is_checked_inflated_before_the_message_ends() {
    for bad in BAD_TEXTS {
        for cuts in [WHOLE, Cuts { input: &[1], room: &[1] }, Cuts { input: &[3], room: &[2, 5] }] {
            let mut deflater = Deflater::new(&Params::DEFAULT, Side::Client, Tuning::DEFAULT);
            let good = deflate(&mut deflater, "grüße ".as_bytes(), Flush::Fragment, WHOLE);
            let part = deflate(&mut deflater, bad, Flush::Fragment, WHOLE);
            let (mut inflater, mut out) = (any_inflater(), Vec::new());
            let text = MessageKind::Text;
            assert_eq!(inflate_part(&mut inflater, text, (&good, false), cuts, &mut out), Ok(()));
            let result = inflate_part(&mut inflater, text, (&part, false), cuts, &mut out);
            assert_eq!(result, Err(ProtocolError::InvalidUtf8), "{bad:02x?}, {cuts:?}");
            assert!(out.starts_with("grüße ".as_bytes()));
            assert_failed(&mut inflater, ProtocolError::InvalidUtf8);

            // The same octets are a good binary message.
            let (mut inflater, mut out) = (any_inflater(), Vec::new());
            let rest = deflate(&mut deflater, b"", Flush::Message, WHOLE);
            let payload = [good, part, rest].concat();
            let result = inflate_part(&mut inflater, MessageKind::Binary, (&payload, true), cuts, &mut out);
            assert_eq!((result, &out[..]), (Ok(()), &["grüße ".as_bytes(), bad].concat()[..]));
        }
    }
    assert_eq!(ProtocolError::InvalidUtf8.close_code(), Some(CloseCode::INVALID_DATA));
}

#[test]
fn req_t_utf8_3_a_text_ends_after_a_character_and_messages_and_fragments_may_cut_one() {
    for cut_off in [&b"a\xE2\x82"[..], b"\xF0\x9F\x98", b"\xC3"] {
        for cuts in [WHOLE, Cuts { input: &[1], room: &[1] }] {
            let mut deflater = Deflater::new(&Params::DEFAULT, Side::Client, Tuning::DEFAULT);
            let payload = message(&mut deflater, cut_off);
            let got = inflate(&mut any_inflater(), MessageKind::Text, &payload, cuts);
            assert_eq!(got, Err(ProtocolError::InvalidUtf8), "{cut_off:02x?}");
        }
    }
    let text = "€ 😀 ü";
    for at in 0..=text.len() {
        for cuts in [WHOLE, Cuts { input: &[1], room: &[1] }] {
            let mut deflater = Deflater::new(&Params::DEFAULT, Side::Client, Tuning::DEFAULT);
            let (first, second) = text.as_bytes().split_at(at);
            let (mut inflater, mut out) = (any_inflater(), Vec::new());
            for (part, flush) in [(first, Flush::Fragment), (second, Flush::Message)] {
                let payload = deflate(&mut deflater, part, flush, cuts);
                let last = flush == Flush::Message;
                inflate_part(&mut inflater, MessageKind::Text, (&payload, last), cuts, &mut out).unwrap();
            }
            assert_eq!(out, text.as_bytes());
        }
    }
}

#[test]
fn req_t_utf8_3_compressed_octets_are_not_text_and_need_not_be() {
    // The first two octets of the example are no UTF-8.
    let got = inflate(&mut any_inflater(), MessageKind::Text, &HELLO, Cuts { input: &[1], room: &[1] });
    assert_eq!(got.as_deref(), Ok(&b"Hello"[..]));
}

/// Where zlib accepts what the reference does not.
fn is_only_strict(error: &str) -> bool {
    ["a code is incomplete", "a length of 258 as symbol 284"].contains(&error)
}

/// Good payloads of all sorts, to be damaged.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let by_zlib = (octets(6000), 0..=9_u8, any::<bool>()).prop_map(|(text, level, end)| {
        let mut zlib = Zlib::new(level, 8, 15);
        let mut payload = if end { zlib.finish(&text) } else { zlib.sync(&text) };
        if end {
            payload.extend_from_slice(&HELLO);
        } else if payload.is_empty() {
            payload.push(0x00);
        } else {
            payload = cut(&payload).to_vec();
        }
        payload
    });
    let noise = (any::<u32>(), 0..200_usize).prop_map(|(seed, len)| noise(seed, len));
    let by_hand = prop::collection::vec((any::<bool>(), 0..3_u8, octets(5001)), 0..4).prop_map(|blocks| {
        let mut stream = ByHand::new();
        for (last, sort, octets) in blocks {
            let octets = &octets[..octets.len().min(50)];
            stream = match sort {
                0 => stream.stored_block(last, octets),
                1 => stream.fixed_block(last, octets),
                _ => stream.block(last, FIXED).literals(octets).copy(3, 0, 0).fixed(256),
            };
            if last {
                stream = stream.pad();
            }
        }
        stream.flush()
    });
    prop_oneof![4 => by_zlib, 1 => noise, 2 => by_hand]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn req_t_pmd_5_damaged_payloads_inflate_as_the_reference_says(
        payloads in prop::collection::vec(payload(), 1..4),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        truncate in prop::option::of(any::<prop::sample::Index>()),
        (input, room) in (sizes(), sizes()),
    ) {
        let (mut inflater, mut reference) = (any_inflater(), Reference::new(32_768));
        let count = payloads.len();
        for (at, mut payload) in payloads.into_iter().enumerate() {
            if at + 1 == count && !payload.is_empty() {
                for (index, mask) in &flips {
                    let at = index.index(payload.len());
                    payload[at] ^= mask;
                }
                if let Some(index) = &truncate {
                    payload.truncate(index.index(payload.len() + 1));
                }
            }
            let expected = reference.message(&payload);
            let cuts = Cuts { input: &input, room: &room };
            let (got, result) = run(&mut inflater, &payload, cuts);
            match expected {
                Ok(octets) => {
                    prop_assert_eq!(result, Ok(()));
                    prop_assert!(got == octets);
                }
                Err(error) if is_only_strict(&error) => return Ok(()),
                Err(error) => {
                    let invalid = Err(ProtocolError::InvalidCompressedData);
                    prop_assert_eq!(result, invalid, "{}", error);
                    return Ok(());
                }
            }
        }
    }
}
