//! Compressed messages that end in ways that RFC 7692 does not allow: what is tolerated, and what is always
//! refused.

use crate::common;
use crate::compressed;

use common::codec::{self, echoes, Cuts, WHOLE};
use common::streams::{cut, ByHand, Zlib, FIXED};
use common::{frame, BOTH, KEY as MASK};
use compressed::{params, peer, receive, receive_pieces, text, ALL};
use sockless::deflate::{Inflater, Params};
use sockless::message::OwnedMessage;
use sockless::{Config, Limits, MessageKind, ProtocolError, Side, Tolerance, Tolerances};

type Error = ProtocolError;

const THREE: [Tolerance; 3] =
    [Tolerance::FinishedDeflate, Tolerance::KeptDeflateTail, Tolerance::EmptyDeflate];
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];
const HELLO: [u8; 7] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
/// As the second message: it refers to the first.
const HELLO_AGAIN: [u8; 5] = [0xF2, 0x00, 0x11, 0x00, 0x00];

fn tolerant(tolerances: &[Tolerance]) -> Limits {
    let set = tolerances.iter().fold(Tolerances::NONE, |set, one| set.with(*one));
    Limits::DEFAULT.with_tolerances(set)
}

/// The messages as frames to `side`, in fragments of `size`; no octets make one empty frame.
fn frames(side: Side, messages: &[&[u8]], size: usize) -> Vec<u8> {
    let key = (side == Side::Server).then_some(MASK);
    let mut wire = Vec::new();
    for message in messages {
        let mut first = 0x42;
        let mut rest = *message;
        loop {
            let (fragment, after) = rest.split_at(rest.len().min(size));
            rest = after;
            wire.extend(frame(if rest.is_empty() { first | 0x80 } else { first }, key, fragment));
            if rest.is_empty() {
                break;
            }
            first = 0;
        }
    }
    wire
}

/// What the messages inflate to, the same over every cut, by the codec and by endpoints of either role.
fn outcome(limits: Limits, params: Params, messages: &[&[u8]]) -> (Vec<Vec<u8>>, Option<Error>) {
    let run = |input: usize, room: usize| {
        let mut inflater = Inflater::new(&params, Side::Server, limits);
        let mut got = Vec::new();
        for message in messages {
            let (input, room) = ([input], [room]);
            let cuts = Cuts { input: &input, room: &room };
            match codec::inflate(&mut inflater, MessageKind::Binary, message, cuts) {
                Ok(octets) => got.push(octets),
                Err(error) => return (got, Some(error)),
            }
        }
        (got, None)
    };
    let whole = run(usize::MAX, 1 << 18);
    for input in [1, 2, 3, 7, 100, usize::MAX] {
        for room in [1, 5, 600, 1 << 18] {
            assert_eq!(run(input, room), whole, "{messages:02x?}: by {input} into {room}");
        }
    }
    let owned: Vec<_> = whole.0.iter().cloned().map(OwnedMessage::from).collect();
    let config = Config::new().with_limits(limits);
    for side in BOTH {
        for (size, chunk) in [(usize::MAX, usize::MAX), (usize::MAX, 1), (1, 1), (1, 100), (3, 5), (100, 7)] {
            let wire = frames(side, messages, size);
            let got = receive(&mut peer(side, params, ALL, config), &wire, chunk);
            assert_eq!(got, (owned.clone(), whole.1), "{messages:02x?}: {side:?}, {size}, {chunk}");
            let (got, _, error) = receive_pieces(&mut peer(side, params, ALL, config), &wire, chunk);
            assert_eq!((got, error), (owned.clone(), whole.1), "{messages:02x?}: {side:?}, {size}, {chunk}");
        }
    }
    whole
}

/// Accepted with this tolerance alone and with all three. Refused with none, and with the two others.
fn only_with(one: Tolerance, params: Params, messages: &[&[u8]], expected: &[&[u8]]) {
    let expected: Vec<_> = expected.iter().map(|octets| octets.to_vec()).collect();
    for with in [&[one][..], &THREE] {
        assert_eq!(outcome(tolerant(with), params, messages), (expected.clone(), None), "{messages:02x?}");
    }
    let others: Vec<_> = THREE.into_iter().filter(|other| *other != one).collect();
    for without in [&[][..], &others] {
        let error = outcome(tolerant(without), params, messages).1;
        assert_eq!(error, Some(Error::InvalidCompressedData), "{messages:02x?} with {without:?}");
    }
    assert!(!Limits::DEFAULT.tolerances.contains(one), "off by default");
}

/// Broken with any tolerance.
fn never(params: Params, messages: &[&[u8]]) {
    for with in [&[][..], &THREE[..1], &THREE[1..2], &THREE[2..], &THREE] {
        let error = outcome(tolerant(with), params, messages).1;
        assert_eq!(error, Some(Error::InvalidCompressedData), "{messages:02x?} with {with:?}");
    }
}

fn with_and_without_takeover() -> [Params; 2] {
    [Params::DEFAULT, params(false, false, 15)]
}

#[test]
fn a_finished_stream_ends_a_message_where_that_is_tolerated() {
    let one = Tolerance::FinishedDeflate;
    let long = echoes(3, 3000);
    let zlib = |level, octets: &[u8]| Zlib::new(level, 8, 15).finish(octets);
    for params in with_and_without_takeover() {
        let hello: [&[u8]; 1] = [b"Hello"];
        only_with(one, params, &[&[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]], &hello);
        only_with(one, params, &[&ByHand::new().stored_block(true, b"Hello").bytes()], &hello);
        for level in [0, 1, 6, 9] {
            only_with(one, params, &[&zlib(level, &long)], &[&long]);
            if level > 0 {
                only_with(one, params, &[&zlib(level, b"")], &[b""]);
            }
        }
        // Several streams in one message, and several messages in a row.
        let two = [zlib(6, &long), zlib(1, b"Hello")].concat();
        only_with(one, params, &[&two], &[&[&long[..], b"Hello"].concat()]);
        let (a, b) = (zlib(6, &long), zlib(6, b"Hello"));
        only_with(one, params, &[&a, &b, &HELLO, &a], &[&long, b"Hello", b"Hello", &long]);
    }
    // The window is kept.
    let finished = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
    only_with(one, Params::DEFAULT, &[&finished, &HELLO_AGAIN], &[b"Hello", b"Hello"]);
    only_with(one, Params::DEFAULT, &[&finished, &finished, &HELLO_AGAIN], &[b"Hello", b"Hello", b"Hello"]);
}

#[test]
fn what_stands_behind_a_finished_stream_is_part_of_the_message() {
    let finished = Zlib::new(6, 8, 15).finish(b"Hello, Hello, Hello");
    for params in with_and_without_takeover() {
        for behind in [&b"\xFF"[..], b"\x00\x00", b"\x05\x00", b"\x04\x05\x06\x07", b"\x07", b"Hello"] {
            never(params, &[&[&finished[..], behind].concat()]);
        }
        for len in 1..finished.len() {
            never(params, &[&finished[..len]]);
        }
        // RFC 7692 section 7.2.3.4: right in any case.
        for with in [&[][..], &THREE] {
            let proper = [&finished[..], &[0x00]].concat();
            assert_eq!(
                outcome(tolerant(with), params, &[&proper]),
                (vec![b"Hello, Hello, Hello".to_vec()], None)
            );
        }
    }
}

#[test]
fn a_tail_that_was_kept_is_tolerated() {
    let one = Tolerance::KeptDeflateTail;
    let long = echoes(4, 3000);
    for params in with_and_without_takeover() {
        only_with(one, params, &[&[&HELLO[..], &TAIL].concat()], &[b"Hello"]);
        for level in [0, 1, 6, 9] {
            let kept = Zlib::new(level, 8, 15).sync(&long);
            assert!(kept.ends_with(&TAIL));
            only_with(one, params, &[&kept], &[&long]);
            only_with(one, params, &[&kept, cut(&kept), &kept], &[&long, &long, &long]);
        }
        only_with(one, params, &[&[0x00, 0x00, 0x00, 0xFF, 0xFF]], &[b""]);
        let hello = [&HELLO[..], &TAIL].concat();
        for behind in [&b"\x00\x00"[..], b"\xFF", b"\x00\x00\xFF", b"\x01\x00"] {
            never(params, &[&[&hello[..], behind].concat()]);
        }
        for len in HELLO.len() + 1..hello.len() {
            never(params, &[&hello[..len]]);
        }
        // The tail alone, or after a message that was cut off.
        never(params, &[&TAIL]);
        never(
            params,
            &[&[&ByHand::new().block(false, FIXED).literals(b"Hello!!!").bytes()[..], &TAIL].concat()],
        );
        never(params, &[&[&[0x00, 0x09, 0x00, 0xF6, 0xFF, 1, 2, 3][..], &TAIL].concat()]);
    }
    let mut takeover = Zlib::new(6, 8, 15);
    let (a, b) = (takeover.sync(&long), takeover.sync(&long));
    assert!(b.len() < 100, "it refers to the first");
    only_with(one, Params::DEFAULT, &[&a, &b], &[&long, &long]);
}

#[test]
fn a_compressed_message_of_no_octets_is_tolerated_as_an_empty_one() {
    let one = Tolerance::EmptyDeflate;
    for params in with_and_without_takeover() {
        only_with(one, params, &[b""], &[b""]);
        only_with(one, params, &[&HELLO, b"", b"", &HELLO], &[b"Hello", b"", b"", b"Hello"]);
    }
    only_with(one, Params::DEFAULT, &[&HELLO, b"", &HELLO_AGAIN], &[b"Hello", b"", b"Hello"]);
    // As it was found, and in empty fragments.
    let config = Config::new().with_limits(tolerant(&[one]));
    for wire in [&b"\xC1\x00"[..], b"\x41\x00\x80\x00", b"\x41\x00\x00\x00\x80\x00"] {
        for chunk in [1, 100] {
            let got = receive(&mut peer(Side::Client, Params::DEFAULT, ALL, config), wire, chunk);
            assert_eq!(got, (vec![text("")], None));
        }
    }
}

#[test]
fn limits_and_the_check_of_text_hold_with_all_of_them() {
    let all = tolerant(&THREE);
    let long = vec![b'x'; 100_000];
    let run = |limits: Limits, kind, payload: &[u8]| {
        let mut inflater = Inflater::new(&Params::DEFAULT, Side::Client, limits);
        codec::inflate(&mut inflater, kind, payload, WHOLE).err()
    };
    let mut zlib = Zlib::new(6, 8, 15);
    let (kept, mut bomb) = (zlib.sync(&long), zlib.sync(&vec![0; 16 << 20]));
    let finished = Zlib::new(6, 8, 15).finish(&long);
    for payload in [&kept[..], &finished, cut(&kept)] {
        assert_eq!(run(all.with_max_message_size(100_000), MessageKind::Binary, payload), None);
        let short = all.with_max_message_size(99_999);
        assert_eq!(run(short, MessageKind::Binary, payload), Some(Error::MessageTooBig));
    }
    bomb.splice(0..0, kept);
    assert_eq!(run(all, MessageKind::Binary, &bomb), Some(Error::ExpansionTooBig));
    for octets in [&b"no text \xFF"[..], b"cut \xE2\x82"] {
        for payload in [Zlib::new(6, 8, 15).finish(octets), Zlib::new(6, 8, 15).sync(octets)] {
            assert_eq!(run(all, MessageKind::Text, &payload), Some(Error::InvalidUtf8));
        }
    }
    // Fragments are counted, and so are frames.
    let finished = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
    for side in BOTH {
        let wire = frames(side, &[&finished], 2);
        for (limits, error) in [
            (all.with_max_fragments(4), None),
            (all.with_max_fragments(3), Some(Error::TooManyFragments)),
            (all.with_max_frame_size(1), Some(Error::FrameTooBig)),
        ] {
            let config = Config::new().with_limits(limits);
            assert_eq!(receive(&mut peer(side, Params::DEFAULT, ALL, config), &wire, 3).1, error);
        }
    }
}
