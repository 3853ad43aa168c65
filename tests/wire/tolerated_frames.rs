//! Masks that are against the rule, and text that is not UTF-8: what is tolerated, and what is always refused.

use crate::common;
use crate::compressed;

use common::streams::{cut, Zlib};
use common::*;
use compressed::{peer, ALL};
use proptest::prelude::*;
use sockless::deflate::Params;
use sockless::endpoint::{Action, WriteSide};
use sockless::message::{OwnedMessage, SliceAssembler};
use sockless::{
    Config, Event, Input, Limits, Message, MessageKind, ProtocolError, Side, Tolerance, Tolerances,
};

fn tolerant(one: Tolerance) -> Limits {
    Limits::DEFAULT.with_tolerances(Tolerances::NONE.with(one))
}

fn config(one: Tolerance) -> Config {
    Config::new().with_limits(tolerant(one))
}

/// What `side` can tolerate, and the error if it does not.
fn of_masks(side: Side) -> (Tolerance, ProtocolError) {
    match side {
        Side::Server => (Tolerance::UnmaskedByClient, ProtocolError::MissingMask),
        Side::Client => (Tolerance::MaskedByServer, ProtocolError::UnexpectedMask),
    }
}

/// Frames of a conversation: first octets and payloads.
fn conversation() -> Vec<(u8, Vec<u8>)> {
    let long: Vec<u8> = (0..70_000_u32).map(|n| (n * 7 % 251) as u8).collect();
    let text = "Grüße, ".repeat(50).into_bytes();
    vec![
        (TEXT, b"Hello".to_vec()),
        (PING, b"a".to_vec()),
        (BINARY, vec![]),
        (BINARY, vec![9; 125]),
        (BINARY, long[..126].to_vec()),
        (TEXT_PART, text[..100].to_vec()),
        (PONG, vec![1; 125]),
        (MORE, text[100..207].to_vec()),
        (PING, vec![]),
        (END, text[207..].to_vec()),
        (BINARY, long),
        (BINARY_PART, b"x".to_vec()),
        (MORE, vec![3; 300]),
        (END, vec![]),
        (TEXT, "é".repeat(200).into_bytes()),
        (CLOSE, close_body(1000, "tschüß".as_bytes())),
    ]
}

/// The conversation with a masking key where `masked` says so, by turns.
fn wire(masked: &[bool], frames: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mask = masked.iter().cycle();
    let frames = frames.iter().zip(mask).zip(0_u32..);
    frames
        .flat_map(|(((first, payload), masked), n)| {
            frame(*first, masked.then(|| (n * 0x01_23_45).to_le_bytes()), payload)
        })
        .collect()
}

#[test]
fn each_frame_goes_by_its_own_mask_bit_where_that_is_tolerated() {
    for side in BOTH {
        let (tolerance, error) = of_masks(side);
        let frames = conversation();
        let proper: Vec<_> = frames.iter().flat_map(|(first, payload)| to(side, *first, payload)).collect();
        let expected = receive(side, Config::new(), &proper).1;
        assert_eq!(expected.len(), 14);
        for masked in
            [&[true][..], &[false], &[true, false], &[false, true, true], &[true, true, false, false]]
        {
            let bytes = wire(masked, &frames);
            let (mut conn, seen) = receive(side, config(tolerance), &bytes);
            assert_eq!(seen, expected, "{side:?}, {masked:?}");
            // Our own frames are as they must be.
            owed(&mut conn);
        }
        // Off by default, and the one for the other side does not help.
        let wrong = wire(&[side == Side::Client], &frames);
        for config in [Config::new(), config(of_masks(other(side)).0), config(Tolerance::InvalidText)] {
            assert_eq!(fails(side, config, &wrong, error, 1002), []);
        }
    }
}

#[test]
fn limits_and_rules_hold_whatever_is_masked() {
    for side in BOTH {
        let (tolerance, _) = of_masks(side);
        let limits =
            tolerant(tolerance).with_max_frame_size(200).with_max_message_size(300).with_max_fragments(3);
        let config = Config::new().with_limits(limits);
        for key in [None, Some(KEY)] {
            let part = frame(BINARY_PART, key, &[1; 200]);
            let cases: [(Vec<u8>, ProtocolError, u16); 9] = [
                (header(BINARY, key, 201), ProtocolError::FrameTooBig, 1009),
                ([part.clone(), header(END, key, 101)].concat(), ProtocolError::MessageTooBig, 1009),
                (
                    [part, frame(MORE, key, b"").repeat(2), frame(END, key, b"")].concat(),
                    ProtocolError::TooManyFragments,
                    1008,
                ),
                (frame(TEXT, key, b"no text \xFF"), ProtocolError::InvalidUtf8, 1007),
                (frame(0x83, key, b""), ProtocolError::ReservedOpcode, 1002),
                (frame(0xC1, key, b""), ProtocolError::ReservedBits, 1002),
                (frame(PING, key, &[0; 126]), ProtocolError::OversizedControl, 1002),
                (frame(CLOSE, key, &close_body(1006, b"")), ProtocolError::InvalidCloseCode(1006), 1002),
                (frame(CLOSE, key, &close_body(1000, b"\xFF")), ProtocolError::InvalidCloseReason, 1007),
            ];
            for (bytes, error, code) in cases {
                fails(side, config, &bytes, error, code);
            }
        }
    }
}

/// Text that is not UTF-8, in several frames, with a text and octets after it.
const NO_TEXT: [&[u8]; 6] =
    [b"\xFF", b"caf\xE9", b"\xC3\x28", b"Hello \xE2\x82", b"\xED\xA0\x80", b"\x80\x80\x80\x80"];

/// The frames of a message in fragments of `size`.
fn fragments(side: Side, first: u8, payload: &[u8], size: usize) -> Vec<u8> {
    let count = payload.len().div_ceil(size).max(1);
    (0..count)
        .flat_map(|n| {
            let end = if n + 1 == count { 0x80 } else { 0 };
            let piece = payload.chunks(size).nth(n).unwrap_or(&[]);
            to(side, end | if n == 0 { first & 0x7F } else { 0 }, piece)
        })
        .collect()
}

/// What comes in pieces, as octets.
fn pieces_of(endpoint: &mut compressed::Peer, mut rest: &[u8], chunk: usize) -> Vec<Vec<u8>> {
    let (mut messages, mut message) = (Vec::new(), Vec::new());
    loop {
        match endpoint.poll_piece(WriteSide::Blocked) {
            Ok(Action::Take(ready)) => {
                let piece = endpoint.piece(ready).unwrap().unwrap();
                message.extend_from_slice(piece.as_bytes());
                if piece.is_last() {
                    messages.push(std::mem::take(&mut message));
                }
            }
            Ok(Action::Read) if rest.is_empty() => return messages,
            Ok(Action::Read) => compressed::give(endpoint, &mut rest, chunk),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn text_that_is_none_comes_as_octets_where_that_is_tolerated() {
    let tolerance = Tolerance::InvalidText;
    let long = [&"é".repeat(2000).into_bytes()[..], b"\xFF", &b"x".repeat(1000)].concat();
    for side in BOTH {
        for octets in NO_TEXT.into_iter().chain([&long[..]]) {
            for size in [1, 3, usize::MAX >> 1] {
                if size < 3 && octets.len() > 100 {
                    continue;
                }
                let size = if octets.len() > 100 { size.max(999) } else { size };
                let mut bytes = fragments(side, TEXT, octets, size);
                bytes.extend(to(side, TEXT, "gültig".as_bytes()));
                bytes.extend(to(side, BINARY, b"\xFF"));
                let (_, seen) = receive(side, config(tolerance), &bytes);
                let expected = [part(MessageKind::Text, true, octets, true), text("gültig"), binary(b"\xFF")];
                assert!(seen == expected, "{octets:02x?}");
                fails(side, Config::new(), &bytes, ProtocolError::InvalidUtf8, 1007);

                let want =
                    [OwnedMessage::from(octets.to_vec()), "gültig".into(), OwnedMessage::from(vec![0xFF])];
                let deflated = |first: u8, octets: &[u8]| {
                    let payload = cut(&Zlib::new(6, 8, 15).sync(octets)).to_vec();
                    fragments(side, first | 0x40, &payload, size)
                };
                let mut compressed = deflated(TEXT, octets);
                compressed.extend(deflated(TEXT, "gültig".as_bytes()));
                compressed.extend(deflated(BINARY, b"\xFF"));
                for bytes in [&bytes, &compressed] {
                    for chunk in [1, 10, usize::MAX] {
                        if chunk < 10 && octets.len() > 100 {
                            continue;
                        }
                        let mut endpoint = peer(side, Params::DEFAULT, ALL, config(tolerance));
                        let (got, failed) = compressed::receive(&mut endpoint, bytes, chunk);
                        assert_eq!(failed, None);
                        assert!(got == want, "{octets:02x?} by {chunk}");
                        let mut strict = peer(side, Params::DEFAULT, ALL, Config::new());
                        let (_, failed) = compressed::receive(&mut strict, bytes, chunk);
                        assert_eq!(failed, Some(ProtocolError::InvalidUtf8));
                        let mut pieces = peer(side, Params::DEFAULT, ALL, config(tolerance));
                        assert_eq!(
                            pieces_of(&mut pieces, bytes, chunk),
                            [octets, "gültig".as_bytes(), b"\xFF"]
                        );
                    }
                }
            }
        }
    }
}

/// Without an allocator, whole or joined.
#[test]
fn text_that_is_none_is_joined_in_storage_of_the_caller() {
    for octets in NO_TEXT {
        for size in [1, 2, 100] {
            let mut bytes = fragments(Side::Client, TEXT, octets, size);
            let mut conn = connection(Side::Client, config(Tolerance::InvalidText));
            let mut storage = [0; 100];
            let mut assembler = SliceAssembler::new(&mut storage);
            let mut input = Input::new(&mut bytes);
            let mut got = Vec::new();
            while let Some(event) = conn.recv(&mut input).unwrap() {
                let Event::Data(data) = event else { panic!("{event:?}") };
                assert_eq!(data.kind(), MessageKind::Text);
                match assembler.push(data).unwrap() {
                    Some(Message::Binary(octets)) => got.push(octets.to_vec()),
                    Some(other) => panic!("{other:?}"),
                    None => {}
                }
            }
            assert_eq!(got, [octets]);
        }
    }
}

#[test]
fn limits_and_rules_hold_whatever_text_is() {
    let limits = tolerant(Tolerance::InvalidText).with_max_frame_size(20).with_max_message_size(30);
    let config = Config::new().with_limits(limits.with_max_fragments(3));
    for side in BOTH {
        fails(side, config, &header(TEXT, key_to(side), 21), ProtocolError::FrameTooBig, 1009);
        let parts = all_to(side, &[(TEXT_PART, &[0xFF; 20]), (END, &[0xFF; 11])]);
        fails(side, config, &parts, ProtocolError::MessageTooBig, 1009);
        let many = all_to(side, &[(TEXT_PART, b"\xFF"), (MORE, b""), (MORE, b""), (END, b"")]);
        fails(side, config, &many, ProtocolError::TooManyFragments, 1008);
        let reason = close_body(1000, b"\xFF");
        fails(side, config, &to(side, CLOSE, &reason), ProtocolError::InvalidCloseReason, 1007);
        fails(
            side,
            config,
            &all_to(side, &[(TEXT_PART, b"\xFF"), (TEXT, b"")]),
            ProtocolError::ExpectedContinuation,
            1002,
        );
    }
}

proptest! {
    #[test]
    fn any_mixture_of_masks_is_read_over_any_cut(
        masked in prop::collection::vec(any::<bool>(), 1..20),
        sizes in prop::collection::vec(1..300_usize, 1..5),
        server in any::<bool>(),
    ) {
        let side = if server { Side::Server } else { Side::Client };
        let mut frames = conversation();
        frames.retain(|(_, payload)| payload.len() < 1000);
        let proper: Vec<_> = frames.iter().flat_map(|(first, payload)| to(side, *first, payload)).collect();
        let expected = joined(feed(&mut connection(side, Config::new()), &proper));
        let bytes = wire(&masked, &frames);
        let mut conn = connection(side, config(of_masks(side).0));
        let (mut rest, mut seen) = (&bytes[..], Vec::new());
        for size in sizes.iter().cycle() {
            let (chunk, after) = rest.split_at(rest.len().min(*size));
            seen.extend(feed(&mut conn, chunk));
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(joined(seen), expected);
    }
}
