//! Masking: RFC 6455 sections 5.1, 5.3 and 10.3.

use crate::common;

use std::cell::{Cell, RefCell};

use common::*;
use proptest::prelude::*;
use sockless::frame::{Masker, MaskingKey};
use sockless::{
    Client, CloseFrame, Config, ControlPayload, EntropyError, MessageKind, ProtocolError, SendError, Side,
    Writer, MAX_CONTROL_FRAME_LEN,
};

/// Every way in which an endpoint can write a frame, one of each, in one conversation.
fn everything_sent_by(side: Side) -> Vec<u8> {
    let mut conn = connection(side, Config::new());
    let mut wire = encode(&mut conn, "whole", true);
    wire.extend(encode(&mut conn, b"", true));
    wire.extend(encode(&mut conn, "frag", false));
    wire.extend(encode(&mut conn, "ment", true));

    let begun = conn.writer().begin(MessageKind::Binary, true, 8).unwrap();
    wire.extend_from_slice(begun.as_bytes());
    let mut piece = *b"mask";
    conn.writer().mask(&mut piece).unwrap();
    wire.extend_from_slice(&piece);
    assert_eq!(conn.writer().mask_copy(b"copy", &mut piece), Ok(4));
    wire.extend_from_slice(&piece);

    let mut out = [0; MAX_CONTROL_FRAME_LEN];
    let len = conn.writer().ping(ControlPayload::new(b"ping").unwrap(), &mut out).unwrap();
    wire.extend_from_slice(&out[..len]);
    let len = conn.writer().pong(ControlPayload::EMPTY, &mut out).unwrap();
    wire.extend_from_slice(&out[..len]);
    conn.writer().keep_alive();
    feed(&mut conn, &to(side, PING, b"answer me"));
    wire.extend(transmit(&mut conn));
    wire.extend(close(&mut conn, code(1000)));
    wire
}

const EVERYTHING: [(u8, &[u8]); 10] = [
    (TEXT, b"whole"),
    (BINARY, b""),
    (TEXT_PART, b"frag"),
    (END, b"ment"),
    (BINARY, b"maskcopy"),
    (PING, b"ping"),
    (PONG, b""),
    (PONG, b"answer me"),
    (PING, b""),
    (CLOSE, &[0x03, 0xE8]),
];

fn assert_everything(side: Side) -> Vec<Wire> {
    let wire = everything_sent_by(side);
    let expected = EVERYTHING.map(|(first, payload)| (first, payload.to_vec()));
    // `sent_by` checks that each frame is masked, or that none is.
    assert_eq!(sent_by(side, &wire), expected);
    parse(&wire)
}

#[test]
fn req_6455_5_1_1_req_6455_5_3_1_req_6455_6_1_6_req_6455_5_5_1_5_a_client_masks_every_frame() {
    let frames = assert_everything(Side::Client);
    assert!(frames.iter().all(|frame| frame.key.is_some()));
}

#[test]
fn req_6455_5_1_4_a_server_never_masks() {
    let frames = assert_everything(Side::Server);
    assert!(frames.iter().all(|frame| frame.key.is_none()));
}

#[test]
fn req_6455_5_1_2_req_6455_5_1_3_a_server_fails_on_an_unmasked_frame_with_1002() {
    for (first, payload) in EVERYTHING {
        let wire = match first {
            END => [to(Side::Server, TEXT_PART, b""), frame(END, None, payload)].concat(),
            _ => frame(first, None, payload),
        };
        fails(Side::Server, Config::new(), &wire, ProtocolError::MissingMask, 1002);
    }
}

#[test]
fn req_6455_5_1_5_req_6455_5_1_6_a_client_fails_on_a_masked_frame_with_1002() {
    for (first, payload) in EVERYTHING {
        for key in [KEY, [0; 4]] {
            let wire = match first {
                END => [to(Side::Client, TEXT_PART, b""), frame(END, Some(key), payload)].concat(),
                _ => frame(first, Some(key), payload),
            };
            fails(Side::Client, Config::new(), &wire, ProtocolError::UnexpectedMask, 1002);
        }
    }
}

#[test]
fn req_6455_5_3_2_every_frame_draws_a_fresh_key() {
    let script = RefCell::new([[1, 1, 1, 1], [2, 2, 2, 2], [3, 3, 3, 3]].into_iter());
    let entropy = |dest: &mut [u8]| {
        dest.copy_from_slice(&script.borrow_mut().next().ok_or(EntropyError)?);
        Ok(())
    };
    let mut writer = Writer::new(Client::new(entropy));
    let mut out = [0; 64];
    let mut at = 0;
    at += writer.encode("a".into(), false, &mut out[at..]).unwrap();
    at += writer.ping(ControlPayload::EMPTY, &mut out[at..]).unwrap();
    at += writer.encode("b".into(), true, &mut out[at..]).unwrap();
    let keys: Vec<_> = parse(&out[..at]).into_iter().map(|frame| frame.key.unwrap()[0]).collect();
    assert_eq!(keys, [1, 2, 3]);
    // The fourth read fails: nothing is sent, and nothing is sent under an old key.
    assert_eq!(writer.encode("c".into(), true, &mut out), Err(SendError::Entropy(EntropyError)));
}

/// No method takes a key, and no key is drawn before there is a payload to mask.
#[test]
fn req_6455_10_3_1_the_key_is_drawn_after_the_payload_was_handed_over() {
    let reads = Cell::new(0);
    let entropy = |dest: &mut [u8]| {
        reads.set(reads.get() + 1);
        dest.fill(reads.get());
        Ok(())
    };
    let mut writer = Writer::new(Client::new(entropy));
    assert_eq!(reads.get(), 0, "none ahead of time");
    let mut out = [0; 64];
    for expected in 1..4 {
        let len = writer.encode(b"\0\0\0\0".into(), true, &mut out).unwrap();
        assert_eq!((reads.get(), parse(&out[..len])[0].key), (expected, Some([expected; 4])));
    }
    assert!(writer.encode(b"does not fit".into(), true, &mut out[..3]).is_err());
    assert_eq!(reads.get(), 3, "a refused payload draws no key that could be waited for");
}

fn byte_loop(key: [u8; 4], payload: &[u8]) -> Vec<u8> {
    payload.iter().enumerate().map(|(i, octet)| octet ^ key[i % 4]).collect()
}

/// Every length at which a kernel begins or ends, and where wide vectors do.
fn lengths() -> impl Iterator<Item = usize> {
    (0..=580).chain(636..=644).chain(764..=772).chain([1023, 1024, 1025, 4095, 4096, 4103, 16384])
}

/// At every octet of the key and every alignment of a vector, with any features.
#[test]
fn req_6455_5_3_4_every_kernel_equals_the_byte_loop() {
    const GUARD: u8 = 0xA5;
    let payload: Vec<u8> = (0..16384_usize).map(|i| (i * 31 + i / 256) as u8).collect();
    for len in lengths() {
        let payload = &payload[..len];
        for phase in 0..4 {
            let key = [0x37, 0xFA, 0x21, 0x3D];
            let mut turned = key;
            turned.rotate_left(phase);
            let (expected, follows) = (byte_loop(turned, payload), turned[len % 4]);
            let at_phase = || {
                let mut masker = Masker::new(MaskingKey(key));
                masker.apply(&mut vec![0; phase]);
                masker
            };
            for alignment in [0, 1, 2, 3, 4, 6, 7, 8, 15, 16, 31, 32, 47, 63] {
                let place = alignment..alignment + len;
                let around = |out: &[u8]| {
                    assert!(out[..place.start].iter().chain(&out[place.end..]).all(|octet| *octet == GUARD));
                };
                let mut out = vec![GUARD; len + 64];
                out[place.clone()].copy_from_slice(payload);
                let mut masker = at_phase();
                masker.apply(&mut out[place.clone()]);
                assert_eq!(out[place.clone()], expected, "{len} octets in place, phase {phase}");
                around(&out);
                let mut next = [0];
                masker.apply(&mut next);
                assert_eq!(next, [follows], "what follows {len} octets in place");

                let mut out = vec![GUARD; len + 64];
                let mut masker = at_phase();
                assert_eq!(masker.copy(payload, &mut out[place.clone()]), len);
                assert_eq!(out[place.clone()], expected, "{len} octets copied, phase {phase}");
                around(&out);
                masker.copy(&[0], &mut next);
                assert_eq!(next, [follows], "what follows {len} octets copied");
            }
        }
    }
}

/// Through both ends of a connection, in every form of a length, whole and cut in two.
#[test]
fn req_6455_5_3_4_a_masked_message_of_any_length_arrives_as_it_was() {
    let payload: Vec<u8> = (0..70_000_usize).map(|i| (i * 13 + i / 251) as u8).collect();
    for len in lengths().chain([65_534, 65_535, 65_536, 70_000]) {
        let payload = &payload[..len];
        let mut wire = encode(&mut connection(Side::Client, Config::new()), payload, true);
        assert_eq!(sent_by(Side::Client, &wire), [(BINARY, payload.to_vec())]);
        assert_eq!(feed(&mut connection(Side::Server, Config::new()), &wire), [binary(payload)]);
        for cut in [1, 2, 5, 6, 7, 8, 9, wire.len() / 2, wire.len() - 1] {
            if cut < wire.len() {
                let mut conn = connection(Side::Server, Config::new());
                let (first, second) = wire.split_at_mut(cut);
                let seen = [feed(&mut conn, first), feed(&mut conn, second)].concat();
                assert_eq!(joined(seen), [binary(payload)], "{len} octets, cut at {cut}");
            }
        }
    }
}

proptest! {
    #[test]
    fn req_6455_5_3_4_masking_in_any_pieces_equals_the_byte_loop(
        key: [u8; 4],
        payload in prop::collection::vec(any::<u8>(), 0..2000),
        cuts in prop::collection::vec(prop_oneof![0_usize..20, 100_usize..900], 0..40),
        offset in 0_usize..16,
    ) {
        let expected = byte_loop(key, &payload);
        // At any alignment.
        let mut in_place = vec![0; offset];
        in_place.extend_from_slice(&payload);
        let in_place = &mut in_place[offset..];
        let mut copied = vec![0; payload.len()];
        let (mut masker, mut copier) = (Masker::new(MaskingKey(key)), Masker::new(MaskingKey(key)));
        let mut at = 0;
        for cut in cuts.into_iter().chain([payload.len()]) {
            let end = (at + cut).min(payload.len());
            masker.apply(&mut in_place[at..end]);
            prop_assert_eq!(copier.copy(&payload[at..end], &mut copied[at..end]), end - at);
            at = end;
        }
        prop_assert_eq!(&*in_place, &expected[..]);
        prop_assert_eq!(&copied, &expected);
        // Twice is nothing.
        Masker::new(MaskingKey(key)).apply(in_place);
        prop_assert_eq!(&*in_place, &payload[..]);
    }

    #[test]
    fn copying_stops_at_the_shorter_of_both_and_goes_on_from_there(
        key: [u8; 4],
        payload in prop::collection::vec(any::<u8>(), 0..64),
        room in 0_usize..64,
    ) {
        let mut out = vec![0; room];
        let mut masker = Masker::new(MaskingKey(key));
        let first = masker.copy(&payload, &mut out);
        prop_assert_eq!(first, room.min(payload.len()));
        let mut rest = vec![0; payload.len() - first];
        masker.copy(&payload[first..], &mut rest);
        out.truncate(first);
        out.extend(rest);
        prop_assert_eq!(out, byte_loop(key, &payload));
    }
}

#[test]
fn req_6455_6_2_6_the_server_removes_the_masking() {
    let masked = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58];
    assert_eq!(see_all(Side::Server, &masked), [text("Hello")]);
    // Of every frame with its own key, control frames too.
    let wire = [
        frame(TEXT_PART, Some([1, 2, 3, 4]), b"abc"),
        frame(PING, Some([9, 8, 7, 6]), b"ping"),
        frame(END, Some([0xFF; 4]), b"def"),
        frame(CLOSE, Some([5, 5, 5, 0]), &close_body(1001, b"bye")),
    ]
    .concat();
    let expected = [
        part(MessageKind::Text, true, "abc", false),
        Seen::Ping(b"ping".to_vec()),
        part(MessageKind::Text, false, "def", true),
        Seen::Close(Some(1001), "bye".to_owned()),
    ];
    assert_eq!(see_all(Side::Server, &wire), expected);
}

#[test]
fn req_t_mask_1_a_zero_key_is_legal_and_is_still_a_mask() {
    assert_eq!(see_all(Side::Server, &frame(TEXT, Some([0; 4]), b"Hello")), [text("Hello")]);
    let zero = |dest: &mut [u8]| {
        dest.fill(0);
        Ok(())
    };
    let mut out = [0; 16];
    let len = Writer::new(Client::new(zero)).encode("Hello".into(), true, &mut out).unwrap();
    assert_eq!(out[..len], frame(TEXT, Some([0; 4]), b"Hello"));
}

#[test]
fn req_t_mask_2_a_shared_payload_is_left_as_it_is() {
    let shared = *b"a payload that somebody else reads as well";
    let mut conn = connection(Side::Client, Config::new());
    let wire = encode(&mut conn, &shared, true);
    assert_eq!(sent_by(Side::Client, &wire), [(BINARY, shared.to_vec())]);
    assert_ne!(wire[6..], shared, "masked on the wire");

    conn.writer().begin(MessageKind::Binary, true, shared.len() as u64).unwrap();
    let mut out = [0; 64];
    assert_eq!(conn.writer().mask_copy(&shared, &mut out), Ok(shared.len()));
    assert_ne!(out[..shared.len()], shared);
    assert_eq!(shared, *b"a payload that somebody else reads as well");
}

#[test]
fn without_a_key_nothing_is_sent_and_nothing_is_forgotten() {
    let works = Cell::new(false);
    let entropy = |dest: &mut [u8]| {
        dest.fill(1);
        works.get().then_some(()).ok_or(EntropyError)
    };
    let refused = Err(SendError::Entropy(EntropyError));
    let mut conn = sockless::Connection::new(Client::new(entropy), Config::new());
    let mut ping = to(Side::Client, PING, b"?");
    assert_eq!(conn.recv(&mut sockless::Input::new(&mut ping)), Ok(Some(sockless::Event::Ping)));

    let mut out = [0; 256];
    assert_eq!(conn.writer().encode("text".into(), false, &mut out), refused);
    assert_eq!(conn.writer().ping(ControlPayload::EMPTY, &mut out), refused);
    assert_eq!(conn.writer().close(CloseFrame::EMPTY, &mut out), refused);
    assert!(conn.writer().begin(MessageKind::Text, true, 4).is_err());
    assert_eq!(conn.poll_transmit(&mut out), Err(EntropyError));
    assert!(conn.wants_transmit() && conn.writer().is_open());

    works.set(true);
    let pong = conn.poll_transmit(&mut out).unwrap();
    assert_eq!(sent_by(Side::Client, &out[..pong]), [(PONG, b"?".to_vec())]);
    let text = conn.writer().encode("text".into(), true, &mut out).unwrap();
    assert_eq!(sent_by(Side::Client, &out[..text]), [(TEXT, b"text".to_vec())]);
}

#[test]
fn without_a_key_a_fragment_is_not_sent_and_no_other_key_is_asked_for() {
    let (works, draws) = (Cell::new(true), Cell::new(0));
    let entropy = |dest: &mut [u8]| {
        draws.set(draws.get() + 1);
        dest.fill(1);
        works.get().then_some(()).ok_or(EntropyError)
    };
    let mut writer = sockless::Writer::new(Client::new(entropy));
    let mut out = [0; 256];
    let first = writer.encode("fra".into(), false, &mut out).unwrap();
    assert_eq!(sent_by(Side::Client, &out[..first]), [(TEXT_PART, b"fra".to_vec())]);
    works.set(false);
    assert_eq!(writer.encode("g".into(), true, &mut out), Err(SendError::Entropy(EntropyError)));
    assert_eq!(draws.get(), 2);
    works.set(true);
    let last = writer.encode("ment".into(), true, &mut out).unwrap();
    assert_eq!(sent_by(Side::Client, &out[..last]), [(END, b"ment".to_vec())]);
    assert_eq!(draws.get(), 3);
}
