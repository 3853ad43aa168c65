//! The decoder that the tests of the codec are judged by, judged itself: by the examples of RFC 7692, by data made
//! bit by bit, and by zlib.

use crate::common;

use common::inflate::{Reference, TAIL};
use common::streams::{corrupt, cut, ByHand, Zlib, FIXED};
use proptest::prelude::*;

/// RFC 7692 section 7.2.3.
const HELLO: [u8; 7] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
const HELLO_AGAIN: [u8; 5] = [0xF2, 0x00, 0x11, 0x00, 0x00];
const HELLO_STORED: [u8; 11] = [0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00];
const HELLO_FINAL: [u8; 8] = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00];
const HELLO_IN_TWO: [u8; 13] = [0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00];

fn reference() -> Reference {
    Reference::new(32_768)
}

/// What a new decoder makes of one message.
fn alone(payload: &[u8]) -> Result<Vec<u8>, String> {
    reference().message(payload)
}

#[test]
fn the_examples_of_rfc_7692_section_7_2_3_are_hello() {
    for payload in [&HELLO[..], &HELLO_STORED, &HELLO_FINAL, &HELLO_IN_TWO] {
        assert_eq!(alone(payload).as_deref(), Ok(&b"Hello"[..]), "{payload:02x?}");
    }
    assert_eq!(alone(&[0x00]).as_deref(), Ok(&b""[..]));
}

#[test]
fn a_second_message_refers_to_the_first_and_only_with_its_history() {
    for first in [&HELLO[..], &HELLO_STORED, &HELLO_FINAL, &HELLO_IN_TWO] {
        let mut reference = reference();
        assert_eq!(reference.message(first).as_deref(), Ok(&b"Hello"[..]));
        assert_eq!(reference.message(&HELLO_AGAIN).as_deref(), Ok(&b"Hello"[..]), "after {first:02x?}");
        assert_eq!(reference.max_distance, 5);
        reference.forget();
        assert!(reference.message(&HELLO_AGAIN).is_err());
    }
    assert_eq!(alone(&HELLO_AGAIN), Err("distance 5 after 1 octets".to_owned()));
}

#[test]
fn a_message_goes_on_after_a_final_block() {
    let two = ByHand::new().fixed_block(true, b"He").pad().stored_block(true, b"llo").flush();
    assert_eq!(alone(&two).as_deref(), Ok(&b"Hello"[..]));
    let second = ByHand::new().fixed_block(false, b"He").fixed_block(true, b"llo").pad().flush();
    assert_eq!(alone(&second).as_deref(), Ok(&b"Hello"[..]));
}

#[test]
fn distances_end_at_the_window() {
    for bits in 8..=15 {
        let window = 1_usize << bits;
        let octets: Vec<u8> = (0..=window).map(|at| (at % 251) as u8).collect();
        // The last octet of each power of two is the largest of the code 2 * bits - 1.
        let code = 2 * bits as u32 - 1;
        let at = |distance: usize| {
            let least = 3 * (window / 4) + 1;
            let copied =
                ByHand::new().block(false, FIXED).copy(code, (distance - least) as u32, bits as u32 - 2);
            (ByHand::new().stored_block(false, &octets[1..]).flush(), copied.fixed(256).flush())
        };
        let (filler, copy) = at(window);
        let mut reference = Reference::new(window);
        assert_eq!(reference.message(&filler).as_deref(), Ok(&octets[1..]));
        assert_eq!(reference.message(&copy).as_deref(), Ok(&octets[1..4]));
        assert_eq!(reference.max_distance, window);

        let mut smaller = Reference::new(window - 1);
        smaller.message(&filler).unwrap();
        assert!(smaller.message(&copy).is_err());
    }
}

#[test]
fn what_is_corrupt_is_refused_for_its_own_reason() {
    let refusals: Vec<String> =
        corrupt().iter().map(|(what, payload)| alone(payload).expect_err(what)).collect();
    let expected = [
        "a reserved block type",
        "a reserved block type",
        "LEN is 0005, NLEN fffb",
        "the input ends inside a block",
        "symbol 286",
        "symbol 287",
        "distance code 30",
        "distance code 31",
        "distance 6 after 5 octets",
        "distance 1 after 0 octets",
        "288 literal and length codes, 1 distance codes",
        "a code is over-subscribed",
        "a code is incomplete",
        "a code is incomplete",
        "there is no length to repeat",
        "a repetition runs over the end",
        "a code is over-subscribed",
        "a code is incomplete",
        "a block that cannot end",
        "a code is over-subscribed",
        "a code is incomplete",
    ];
    assert_eq!(refusals, expected);
}

#[test]
fn the_tail_ends_a_block_or_the_message_is_cut_short() {
    assert!(alone(&[]).is_err(), "the tail alone is no block");
    assert!(alone(&HELLO[..6]).is_err());
    assert!(alone(&HELLO_FINAL[..7]).is_err());
    assert!(alone(&HELLO_STORED[..10]).is_err());
    let open = ByHand::new().block(false, FIXED).literals(b"Hello").bytes();
    assert!(alone(&open).is_err());
    let stored = ByHand::new().block(false, 0).pad().number(2, 16).number(0xFFFD, 16).bytes();
    assert!(alone(&stored).is_err(), "two octets of the tail are data, and two are left");
    let data = ByHand::new().block(false, 0).pad().number(4, 16).number(0xFFFB, 16).bytes();
    assert!(alone(&data).unwrap_err().starts_with("the tail ends another block"));
}

#[test]
fn a_single_distance_code_of_one_bit_is_enough() {
    // 'a', the end and the length 3 have codes of 2 bits, as has 258; the distance 1 is the bit 0.
    let mut lengths = [0; 286];
    (lengths[97], lengths[256], lengths[257], lengths[285]) = (2, 2, 2, 2);
    let start = || ByHand::new().dynamic(false, &lengths, &[1]).code(0, 2);
    assert_eq!(alone(&start().code(2, 2).code(0, 1).code(1, 2).flush()).as_deref(), Ok(&b"aaaa"[..]));
    assert_eq!(alone(&start().code(3, 2).code(0, 1).code(1, 2).flush()), Ok(vec![b'a'; 259]));
    let other = start().code(2, 2).code(1, 1).code(1, 2).flush();
    assert_eq!(alone(&other), Err("bits that are no code".to_owned()));
}

/// Messages of all sorts: text, repetitions near and far, noise, nothing.
fn messages() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let noise = prop::collection::vec(any::<u8>(), 0..3000);
    let few = prop::collection::vec(97_u8..101, 0..5000);
    let far =
        (prop::collection::vec(any::<u8>(), 1..600), 1_usize..60).prop_map(|(piece, n)| piece.repeat(n));
    prop::collection::vec(prop_oneof![noise, few, far, Just(Vec::new())], 1..6)
}

proptest! {
    #[test]
    fn zlib_s_streams_are_read_back_at_every_setting(
        messages in messages(),
        level in 0_u8..=9,
        memory_level in 1_u8..=9,
        window_bits in 9_u8..=15,
        keep in any::<bool>(),
    ) {
        let mut zlib = Zlib::new(level, memory_level, window_bits);
        let mut reference = Reference::new(1 << window_bits);
        for message in &messages {
            let flushed = zlib.sync(message);
            // If nothing was added after a flush, no octet is written (RFC 7692 section 7.2.3.6).
            let payload = if flushed.is_empty() { &[0x00][..] } else { cut(&flushed) };
            prop_assert_eq!(reference.message(payload), Ok(message.clone()));
            if !keep {
                zlib.forget();
                reference.forget();
            }
        }
    }
}

#[test]
fn every_type_of_block_was_seen() {
    let text = include_bytes!("../requirements.md");
    let mut total = [0; 3];
    for level in 0..=9 {
        let mut reference = reference();
        let payload = Zlib::new(level, 8, 15).sync(text);
        assert_eq!(reference.message(cut(&payload)).as_deref(), Ok(&text[..]));
        for (sum, count) in total.iter_mut().zip(reference.blocks) {
            *sum += count;
        }
    }
    let fixed = Zlib::new(6, 8, 15).sync(b"Hello");
    let mut reference = reference();
    reference.message(cut(&fixed)).unwrap();
    assert_eq!(reference.blocks, [1, 1, 0]);
    assert!(total[0] >= 10 && total[2] >= 5, "{total:?}");
    assert_eq!(fixed, [&HELLO[..], &TAIL].concat());
}
