//! The codec of permessage-deflate: the examples of RFC 7692 section 7.2.3, the contexts that may or must be
//! kept, and that everything that was compressed can be inflated.

use crate::common;

use common::codec::*;
use common::inflate::{Reference, TAIL};
use common::streams::{ByHand, FIXED};
use common::BOTH;
use sockless::deflate::{Deflater, Flush, Inflater, Offer, Params, Tuning};
use sockless::{Limits, MessageKind, ProtocolError, Side};

/// The examples, named as in `requirements.md`.
const D1: [u8; 7] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
const D2: [u8; 5] = [0xF2, 0x00, 0x11, 0x00, 0x00];
const D3: [u8; 11] = [0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00];
const D4: [u8; 8] = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00];
const D5: [u8; 13] = [0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00];
const D6: [u8; 1] = [0x00];
/// All that are "Hello".
const HELLOS: [&[u8]; 4] = [&D1, &D3, &D4, &D5];

/// The level at which the examples were made, and other encoders make them.
const SIX: Tuning = Tuning::DEFAULT.with_level(6);

fn deflater(params: &Params, sender: Side) -> Deflater {
    Deflater::new(params, sender, SIX)
}

fn inflater(params: &Params, sender: Side) -> Inflater {
    Inflater::new(params, sender, Limits::DEFAULT)
}

/// For data that no particular sender made, with the largest window and the context kept.
fn any_inflater() -> Inflater {
    inflater(&Params::DEFAULT, Side::Client)
}

/// Every way to cut into pieces of one size, and some of several sizes.
fn all_cuts() -> Vec<Cuts<'static>> {
    const SIZES: [&[usize]; 19] = [
        &[1],
        &[2],
        &[3],
        &[4],
        &[5],
        &[6],
        &[7],
        &[8],
        &[9],
        &[10],
        &[11],
        &[12],
        &[13],
        &[14],
        &[15],
        &[16],
        &[1, 16, 3],
        &[5, 1, 1],
        &[4096],
    ];
    SIZES.iter().flat_map(|input| SIZES.map(|room| Cuts { input, room })).collect()
}

#[test]
fn req_7692_7_2_3_1_req_7692_7_2_2_1_req_7692_7_2_1_2_the_examples_inflate_in_any_pieces() {
    for cuts in all_cuts() {
        for kind in [MessageKind::Text, MessageKind::Binary] {
            for payload in HELLOS {
                let got = inflate(&mut any_inflater(), kind, payload, cuts);
                assert_eq!(got.as_deref(), Ok(&b"Hello"[..]), "{payload:02x?}, {cuts:?}");
            }
            assert_eq!(inflate(&mut any_inflater(), kind, &D6, cuts).as_deref(), Ok(&b""[..]));
        }
    }
}

#[test]
fn req_7692_7_2_1_1_req_7692_7_2_3_1_hello_deflates_to_the_example_in_any_pieces() {
    for (sender, takeover) in BOTH.into_iter().zip([true, false]) {
        for level in 1..=9 {
            for cuts in all_cuts() {
                let tuning = Tuning::DEFAULT.with_level(level);
                let mut deflater = Deflater::new(&agreed(sender, takeover, 15), sender, tuning);
                let got = deflate(&mut deflater, b"Hello", Flush::Message, cuts);
                assert_eq!(got, D1, "level {level}, {cuts:?}");
            }
        }
    }
}

#[test]
fn req_7692_7_2_3_1_the_stored_example_is_level_0() {
    let mut deflater = Deflater::new(&Params::DEFAULT, Side::Server, Tuning::DEFAULT.with_level(0));
    assert_eq!(message(&mut deflater, b"Hello"), D3);
}

#[test]
fn req_t_pmd_2_the_stored_example_has_eleven_octets() {
    assert_eq!(D3.len(), 11);
    assert_eq!(binary(&mut any_inflater(), &D3).as_deref(), Ok(&b"Hello"[..]));
    assert_eq!(binary(&mut any_inflater(), &D3[..7]), Err(ProtocolError::InvalidCompressedData));
}

#[test]
fn req_7692_7_2_1_4_a_fragment_that_is_not_the_last_keeps_its_tail() {
    for cuts in all_cuts() {
        let mut deflater = deflater(&Params::DEFAULT, Side::Client);
        let first = deflate(&mut deflater, b"He", Flush::Fragment, cuts);
        assert_eq!(first, D5[..8], "{cuts:?}");
        let second = deflate(&mut deflater, b"llo", Flush::Message, cuts);
        let got = Reference::new(32_768).message(&[&first[..], &second].concat());
        assert_eq!(got.as_deref(), Ok(&b"Hello"[..]));
        assert_eq!(second, D5[8..], "{cuts:?}");
    }
}

#[test]
fn req_7692_7_2_3_6_1_an_empty_message_is_one_zero_octet() {
    for sender in BOTH {
        for takeover in [false, true] {
            for cuts in all_cuts() {
                let params = agreed(sender, takeover, 15);
                let (mut out, mut back) = (deflater(&params, sender), inflater(&params, sender));
                for text in ["", "", "Hello", "", "Hello", "", ""] {
                    let payload = deflate(&mut out, text.as_bytes(), Flush::Message, cuts);
                    assert_eq!(payload == D6, text.is_empty(), "{payload:02x?}");
                    let got = inflate(&mut back, MessageKind::Text, &payload, cuts);
                    assert_eq!(got.as_deref(), Ok(text.as_bytes()));
                }
            }
        }
    }
}

#[test]
fn req_7692_7_2_3_6_1_an_empty_last_fragment_is_one_zero_octet() {
    for cuts in all_cuts() {
        let mut deflater = deflater(&Params::DEFAULT, Side::Server);
        let first = deflate(&mut deflater, b"Hello", Flush::Fragment, cuts);
        assert_eq!(first, [&D1[..], &TAIL].concat());
        assert_eq!(deflate(&mut deflater, b"", Flush::Fragment, cuts), [0_u8; 0], "nothing to flush");
        assert_eq!(deflate(&mut deflater, b"", Flush::Message, cuts), D6);
        let payload = [&first[..], &D6].concat();
        assert_eq!(binary(&mut any_inflater(), &payload).as_deref(), Ok(&b"Hello"[..]));
    }
}

/// Flushes messages with little room and with plenty: there is never an empty block but that of the tail, and
/// unless zlib itself lets the room decide how it matches, all octets are the same.
fn little_room(levels: &[u8], memory_level: u8, same: bool) {
    let texts =
        [b"".to_vec(), b"Hello".to_vec(), echoes(1, 700), noise(2, 300), echoes(3, 20_000), noise(4, 20_000)];
    for level in levels {
        let tuning = Tuning::DEFAULT.with_level(*level).with_memory_level(memory_level);
        let new = || Deflater::new(&Params::DEFAULT, Side::Server, tuning);
        let mut plenty = new();
        let expected = texts.each_ref().map(|text| message(&mut plenty, text));
        for room in 1..=16 {
            let (mut little, mut reference) = (new(), Reference::new(32_768));
            for (at, (text, expected)) in texts.iter().zip(&expected).enumerate() {
                let what = format!("level {level}, room {room}, {} octets", text.len());
                let got = deflate(&mut little, text, Flush::Message, Cuts { room: &[room], ..WHOLE });
                assert!(reference.message(&got).as_ref() == Ok(text), "{what}");
                assert_eq!(reference.empty_blocks, at + 1, "{what}");
                assert!(!same || got == *expected, "{what}");
            }
        }
    }
}

#[test]
fn req_t_pmd_7_with_little_room_the_same_octets_come_out() {
    little_room(&[1, 2, 3, 4, 5, 6, 7, 8, 9], 8, true);
}

#[test]
fn req_t_pmd_7_a_full_buffer_adds_no_block_to_what_is_flushed() {
    // Stored blocks are as long as there is room for, and at levels 5 and 6 a block that ends breaks off a match.
    little_room(&[0, 5, 6], 1, false);
    little_room(&[0], 8, false);
}

#[test]
fn a_flush_may_come_after_all_its_octets() {
    for cuts in all_cuts() {
        let mut deflater = deflater(&Params::DEFAULT, Side::Client);
        let mut fragment = deflate(&mut deflater, b"He", Flush::None, cuts);
        fragment.extend(deflate(&mut deflater, b"", Flush::Fragment, cuts));
        assert_eq!(fragment, D5[..8], "{cuts:?}");
        let mut last = deflate(&mut deflater, b"llo", Flush::None, cuts);
        last.extend(deflate(&mut deflater, b"", Flush::None, cuts));
        last.extend(deflate(&mut deflater, b"", Flush::Message, cuts));
        assert_eq!(last, D5[8..], "{cuts:?}");
    }
    // The end of a message need not come with octets either.
    for payload in HELLOS {
        let (mut inflater, mut text) = (any_inflater(), Vec::new());
        for part in [(payload, false), (&[], false), (&[], true)] {
            inflate_part(&mut inflater, MessageKind::Text, part, WHOLE, &mut text).unwrap();
        }
        assert_eq!(text, b"Hello");
    }
}

#[test]
fn no_room_is_no_error_and_no_progress() {
    let mut deflater = deflater(&Params::DEFAULT, Side::Server);
    let (mut input, mut payload) = (&b"Hello"[..], Vec::new());
    for room in [0, 0, 1, 0, 3, 0, 0, 7, 0] {
        let mut out = [0; 7];
        let step = deflater.deflate(&mut input, Flush::Message, &mut out[..room]).unwrap();
        payload.extend_from_slice(&out[..step.written]);
        if step.done {
            break;
        }
    }
    assert_eq!(payload, D1);

    let (mut inflater, mut input, mut text) = (any_inflater(), &D1[..], Vec::new());
    for room in [0, 0, 1, 0, 3, 0, 0, 7] {
        let mut out = [0; 7];
        let step = inflater.inflate(MessageKind::Text, &mut input, true, &mut out[..room]).unwrap();
        text.extend_from_slice(step.as_bytes());
    }
    assert_eq!(text, b"Hello");
}

#[test]
fn req_7692_7_2_1_6_req_7692_7_2_1_9_req_7692_7_2_2_2_without_takeover_each_message_stands_alone() {
    for sender in BOTH {
        let params = agreed(sender, false, 15);
        let (mut out, mut back) = (deflater(&params, sender), inflater(&params, sender));
        for _ in 0..3 {
            assert_eq!(message(&mut out, b"Hello"), D1);
            assert_eq!(binary(&mut back, &D1).as_deref(), Ok(&b"Hello"[..]));
        }
        // A client may not know the parameter, so a server keeps what may be needed (section 7.2.2).
        let expected = match sender {
            Side::Client => Ok(b"Hello".to_vec()),
            Side::Server => Err(ProtocolError::InvalidCompressedData),
        };
        assert_eq!(binary(&mut back, &D2), expected);
    }
}

#[test]
fn req_7692_7_2_1_7_req_7692_7_2_1_10_req_7692_7_2_2_3_with_takeover_a_message_refers_to_the_last() {
    for sender in BOTH {
        let params = agreed(sender, true, 15);
        let (mut out, mut back) = (deflater(&params, sender), inflater(&params, sender));
        // The third is one copy of the second: length 5, distance 5.
        for expected in [&D1[..], &D2, &[0x02, 0x13, 0x00, 0x00]] {
            assert_eq!(message(&mut out, b"Hello"), expected);
            assert_eq!(binary(&mut back, expected).as_deref(), Ok(&b"Hello"[..]));
        }
        for first in HELLOS {
            let mut back = inflater(&params, sender);
            assert_eq!(binary(&mut back, first).as_deref(), Ok(&b"Hello"[..]));
            assert_eq!(binary(&mut back, &D2).as_deref(), Ok(&b"Hello"[..]), "after {first:02x?}");
        }
    }
}

#[test]
fn req_7692_7_2_1_8_req_7692_7_2_2_4_a_hint_that_was_not_agreed_on_binds_nobody() {
    let mut offer = Offer::DEFAULT;
    offer.client_no_context_takeover = true;
    let answer = Params::DEFAULT;
    assert!(offer.admits(&answer));
    let (mut out, mut back) = (deflater(&answer, Side::Client), inflater(&answer, Side::Client));
    for expected in [&D1[..], &D2] {
        assert_eq!(message(&mut out, b"Hello"), expected);
        assert_eq!(binary(&mut back, expected).as_deref(), Ok(&b"Hello"[..]));
    }
}

#[test]
fn req_t_pmd_8_what_was_not_sent_leaves_no_trace() {
    for sender in BOTH {
        let params = agreed(sender, true, 15);
        let (mut out, mut back) = (deflater(&params, sender), inflater(&params, sender));
        let mut send = |out: &mut Deflater, text: &[u8]| {
            let payload = message(out, text);
            assert_eq!(binary(&mut back, &payload).as_deref(), Ok(text));
            payload
        };
        assert_eq!(send(&mut out, b"Hello"), D1);
        // Neither end's context sees a message that is sent uncompressed.
        assert_eq!(send(&mut out, b"Hello"), D2);
        for lost in [Flush::None, Flush::Fragment, Flush::Message] {
            deflate(&mut out, &echoes(5, 9000), lost, WHOLE);
            out.reset();
            assert_eq!(send(&mut out, b"Hello"), D1, "it refers to nothing, {lost:?} before");
            assert_eq!(send(&mut out, b"Hello"), D2);
            let step = out.deflate(&mut &noise(6, 900)[..], Flush::Message, &mut [0; 10]).unwrap();
            assert!(!step.done);
            out.reset();
            assert_eq!(send(&mut out, b"Hello"), D1);
        }
    }
}

#[test]
fn req_7692_7_2_1_3_req_7692_7_2_2_3_blocks_with_bfinal_end_nothing() {
    let shapes: [(&str, Vec<u8>); 8] = [
        ("the first block", ByHand::new().fixed_block(true, b"Hello").pad().flush()),
        ("the second block", ByHand::new().fixed_block(false, b"He").fixed_block(true, b"llo").pad().flush()),
        ("two blocks", ByHand::new().fixed_block(true, b"He").pad().fixed_block(true, b"llo").pad().flush()),
        ("the first of two", ByHand::new().fixed_block(true, b"He").pad().fixed_block(false, b"llo").flush()),
        ("stored", ByHand::new().stored_block(true, b"Hel").stored_block(true, b"lo").flush()),
        (
            "empty ones",
            ByHand::new()
                .stored_block(true, b"")
                .fixed_block(true, b"")
                .pad()
                .fixed_block(false, b"Hello")
                .flush(),
        ),
        ("the block of the tail", ByHand::new().fixed_block(false, b"Hello").block(true, 0).bytes()),
        ("both", ByHand::new().fixed_block(true, b"Hello").pad().block(true, 0).bytes()),
    ];
    assert_eq!(shapes[0].1, D4);
    for (what, payload) in &shapes {
        assert_eq!(Reference::new(8).message(payload).as_deref(), Ok(&b"Hello"[..]), "{what}");
        for cuts in all_cuts() {
            let mut inflater = any_inflater();
            for (payload, repeat) in [(&payload[..], 2), (&D2, 2), (payload, 1), (&D2, 1)] {
                for _ in 0..repeat {
                    let got = inflate(&mut inflater, MessageKind::Text, payload, cuts);
                    assert_eq!(got.as_deref(), Ok(&b"Hello"[..]), "{what}, {cuts:?}");
                }
            }
        }
    }
}

#[test]
fn req_7692_7_2_1_3_a_block_refers_back_over_one_with_bfinal() {
    // 'Hello ' in a final block, then its copy from a distance of 6 in the same message.
    let copied = ByHand::new().fixed_block(true, b"Hello ").pad().block(true, FIXED);
    let copied = copied.fixed(260).code(4, 5).number(1, 1).fixed(256).pad().flush();
    for cuts in all_cuts() {
        let got = inflate(&mut any_inflater(), MessageKind::Text, &copied, cuts);
        assert_eq!(got.as_deref(), Ok(&b"Hello Hello "[..]), "{cuts:?}");
    }
}

#[test]
fn req_7692_7_2_2_3_the_whole_window_outlives_bfinal() {
    for bits in 8..=15 {
        let window = 1_usize << bits;
        let params = agreed(Side::Server, true, bits);
        // The last octet of a window is the largest distance of the code 2 * bits - 1.
        let copy = ByHand::new().block(false, FIXED);
        let copy = copy.copy(2 * u32::from(bits) - 1, (window / 4 - 1) as u32, u32::from(bits) - 2);
        let copy = copy.fixed(256).flush();
        for before in [0, 1, window / 2, window - 1, window, window + 1, 3 * window + 7] {
            let all = noise(before as u32, before + window);
            let (first, second) = all.split_at(before);
            let mut history = ByHand::new();
            for part in first.chunks(60_000).chain(second.chunks(60_000)) {
                history = history.stored_block(true, part);
            }
            for room in [1, 3, 1000, 1 << 18] {
                let mut back = inflater(&params, Side::Server);
                let cuts = Cuts { room: &[room], ..WHOLE };
                let got = inflate(&mut back, MessageKind::Binary, &history.clone().flush(), cuts);
                assert!(got == Ok(all.clone()), "{bits} bits, {before} before, room {room}");
                assert_eq!(
                    binary(&mut back, &copy).as_deref(),
                    Ok(&second[..3]),
                    "{bits} bits, {before} before"
                );
            }
        }
    }
}

#[test]
fn req_7692_7_2_2_6_req_7692_7_2_2_5_a_distance_of_the_whole_window_inflates() {
    for sender in BOTH {
        for bits in 8..=15_u8 {
            let window = 1_usize << bits;
            let octets = noise(7, window);
            let copy = ByHand::new().block(false, FIXED);
            let copy = copy.copy(2 * u32::from(bits) - 1, (window / 4 - 1) as u32, u32::from(bits) - 2);
            let both = ByHand::new().stored_block(false, &octets).flush();
            let copy = copy.fixed(256).flush();
            let mut back = inflater(&agreed(sender, true, bits), sender);
            assert_eq!(binary(&mut back, &both), Ok(octets.clone()));
            assert_eq!(binary(&mut back, &copy).as_deref(), Ok(&octets[..3]));
            // Where nothing was agreed, the window is 32,768 octets.
            let mut back = inflater(&Params::DEFAULT, sender);
            assert_eq!(binary(&mut back, &both), Ok(octets.clone()));
            assert_eq!(binary(&mut back, &copy).as_deref(), Ok(&octets[..3]));
        }
    }
}
