//! Fragmented messages: RFC 6455 sections 5.4 and 6.

use crate::common;

use common::*;
use proptest::prelude::*;
use sockless::frame::Rsv;
use sockless::{
    Config, ControlPayload, Event, Initiator, Input, Limits, Mailbox, MessageKind, Payload, ProtocolError,
    Reader, SendError, Side, TransportAction,
};

#[test]
fn req_6455_5_4_2_req_6455_6_1_3_req_6455_6_1_4_req_6455_6_1_5_a_stream_of_fragments_is_sent() {
    for side in BOTH {
        for (payloads, first) in [
            (["one", "two", "three"].map(Payload::text), TEXT_PART),
            ([&b"one"[..], b"", b"\xFF"].map(Payload::binary), BINARY_PART),
        ] {
            let mut conn = connection(side, Config::new());
            let [a, b, c] = payloads;
            let wire = [encode(&mut conn, a, false), encode(&mut conn, b, false), encode(&mut conn, c, true)]
                .concat();
            let octets = payloads.map(|payload| payload.as_bytes().to_vec());
            let [a, b, c] = octets;
            assert_eq!(sent_by(side, &wire), [(first, a), (MORE, b), (END, c)]);
            // The next message starts from the beginning.
            let next = encode(&mut conn, "next", true);
            assert_eq!(sent_by(side, &next), [(TEXT, b"next".to_vec())]);
        }
    }
}

#[test]
fn req_6455_5_4_3_req_6455_5_4_8_control_frames_between_fragments_are_handled_at_once() {
    for side in BOTH {
        let mut conn = connection(side, Config::new());
        let begun = part(MessageKind::Text, true, "Hel", false);
        assert_eq!(feed(&mut conn, &to(side, TEXT_PART, b"Hel")), std::slice::from_ref(&begun));
        assert_eq!(feed(&mut conn, &to(side, PING, b"?")), [Seen::Ping(b"?".to_vec())]);
        assert_eq!(owed(&mut conn), [(PONG, b"?".to_vec())], "before the message ends");
        let ended = part(MessageKind::Text, false, "lo", true);
        assert_eq!(feed(&mut conn, &to(side, END, b"lo")), std::slice::from_ref(&ended));

        let wire = all_to(side, &[(TEXT_PART, b"Hel"), (PING, b"?"), (PONG, b"!"), (END, b"lo")]);
        let expected = [begun, Seen::Ping(b"?".to_vec()), Seen::Pong(b"!".to_vec()), ended];
        assert_eq!(see_all(side, &wire), expected);
    }
}

#[test]
fn req_6455_5_4_4_req_6455_5_5_2_a_fragmented_control_frame_fails_with_1002() {
    for first in [0x08, 0x09, 0x0A] {
        for payload in [&b""[..], b"\x03\xE8"] {
            both_fail(&[(first, payload)], ProtocolError::FragmentedControl, 1002);
            both_fail(&[(TEXT_PART, b"Hel"), (first, payload)], ProtocolError::FragmentedControl, 1002);
        }
    }
}

#[test]
fn req_6455_5_4_5_fragments_keep_their_order() {
    for side in BOTH {
        let mut conn = connection(side, Config::new());
        let mut peer = connection(other(side), Config::new());
        let mut seen = Vec::new();
        // Each fragment is flushed alone, with other frames in between.
        for i in 0..20 {
            let mut wire = encode(&mut conn, &[i; 3], i == 19);
            let mut out = [0; 131];
            let len = conn.writer().ping(ControlPayload::EMPTY, &mut out).unwrap();
            wire.extend_from_slice(&out[..len]);
            seen.extend(feed(&mut peer, &wire));
        }
        seen.retain(|seen| *seen != Seen::Ping(vec![]));
        let expected: Vec<u8> = (0..20).flat_map(|i| [i; 3]).collect();
        assert_eq!(joined(seen), [binary(&expected)]);
    }
}

#[test]
fn req_6455_5_4_6_messages_are_not_interleaved() {
    // Received.
    for first in [TEXT_PART, BINARY_PART] {
        for second in [TEXT, BINARY, TEXT_PART, BINARY_PART] {
            let error = ProtocolError::ExpectedContinuation;
            both_fail(&[(first, b"Hel"), (second, b"lo")], error, 1002);
            both_fail(&[(first, b""), (MORE, b""), (PING, b""), (second, b"")], error, 1002);
        }
    }
    // Sending: a second message of the other kind is refused. Of the same kind there can be none, only
    // continuations.
    for side in BOTH {
        let mut conn = connection(side, Config::new());
        let mut wire = encode(&mut conn, "Hel", false);
        let refused = Err(SendError::MessageInProgress);
        assert_eq!(conn.writer().encode(b"other".into(), true, &mut [0; 64]), refused);
        assert_eq!(conn.writer().begin(MessageKind::Binary, true, 5).map(|_| 0), refused);
        wire.extend(encode(&mut conn, "lo", true));
        assert_eq!(sent_by(side, &wire), [(TEXT_PART, b"Hel".to_vec()), (END, b"lo".to_vec())]);
        encode(&mut conn, b"other", true);
    }
}

#[test]
fn req_6455_5_4_7_a_continuation_without_a_message_fails_with_1002() {
    let error = ProtocolError::UnexpectedContinuation;
    for first in [MORE, END] {
        for payload in [&b""[..], b"payload"] {
            both_fail(&[(first, payload)], error, 1002);
            both_fail(&[(TEXT, b"whole"), (first, payload)], error, 1002);
            both_fail(&[(TEXT_PART, b"a"), (END, b"b"), (first, payload)], error, 1002);
            both_fail(&[(PING, b""), (first, payload)], error, 1002);
        }
    }
}

#[test]
fn req_6455_5_4_9_fragments_may_be_empty() {
    let cases: [(Frames<'_>, &str); 7] = [
        (&[(TEXT, b"")], ""),
        (&[(TEXT_PART, b""), (END, b"Hello")], "Hello"),
        (&[(TEXT_PART, b"Hel"), (MORE, b""), (END, b"lo")], "Hello"),
        (&[(TEXT_PART, b"Hello"), (END, b"")], "Hello"),
        (&[(TEXT_PART, b""), (END, b"")], ""),
        (&[(TEXT_PART, b""), (MORE, b""), (MORE, b""), (END, b"")], ""),
        (&[(TEXT_PART, b""), (MORE, b"Hello"), (MORE, b""), (END, b"")], "Hello"),
    ];
    for (frames, expected) in cases {
        for side in BOTH {
            // One message, that begins once and ends once.
            assert_eq!(see_all(side, &all_to(side, frames)), [text(expected)], "{frames:?}");
        }
    }
}

#[test]
fn req_6455_5_4_10_whole_and_fragmented_messages_are_the_same() {
    for side in BOTH {
        let whole = see_all(side, &to(side, TEXT, b"Hello"));
        let fragmented = see_all(side, &all_to(side, &[(TEXT_PART, b"Hel"), (END, b"lo")]));
        assert_eq!(whole, fragmented);
    }
}

#[test]
fn req_6455_5_4_13_req_6455_6_2_3_every_piece_has_the_kind_of_the_first_fragment() {
    for (first, expected) in [(TEXT_PART, MessageKind::Text), (BINARY_PART, MessageKind::Binary)] {
        for side in BOTH {
            let wire = all_to(side, &[(first, b"a"), (PING, b""), (MORE, b"bc"), (END, b"d")]);
            let mut conn = connection(side, Config::new());
            let kinds: Vec<_> = wire
                .chunks(1)
                .flat_map(|byte| feed(&mut conn, byte))
                .filter_map(|seen| match seen {
                    Seen::Data { kind, .. } => Some(kind),
                    _ => None,
                })
                .collect();
            assert_eq!(kinds, [expected; 4]);
        }
    }
}

#[test]
fn req_6455_6_2_4_a_new_message_begins_after_the_last_frame() {
    for side in BOTH {
        let frames: [(u8, &[u8]); 4] = [(TEXT_PART, b"one"), (END, b""), (BINARY, b"two"), (TEXT, b"three")];
        assert_eq!(see_all(side, &all_to(side, &frames)), [text("one"), binary(b"two"), text("three")]);
    }
}

/// What an extension allows arrives marked, uncut and unchecked; what it makes of it is its own.
#[test]
fn req_6455_6_2_5_an_extension_gets_its_data_before_anything_else_looks_at_it() {
    let mut reader = Reader::new(Side::Server, Limits::DEFAULT).with_allowed_rsv(Rsv::RSV1);
    let mut bytes = [to(Side::Server, 0x41, b"\xC3"), to(Side::Server, END, b"\x28")].concat();
    let (mut input, mut mailbox) = (Input::new(&mut bytes), Mailbox::new());
    for (octets, last) in [(b"\xC3", false), (b"\x28", true)] {
        let Ok(Some(Event::Data(data))) = reader.next(&mut input, &mut mailbox) else { panic!() };
        assert_eq!((data.rsv(), data.as_bytes(), data.is_last()), (Rsv::RSV1, &octets[..], last));
        assert_eq!((data.as_str(), Payload::forward(&data)), (None, None));
    }
}

proptest! {
    #[test]
    fn req_6455_5_4_14_fragment_boundaries_carry_no_meaning(
        message in ".{0,60}",
        cuts in prop::collection::vec(0_usize..20, 0..12),
    ) {
        for (kind, begin) in [(MessageKind::Text, TEXT_PART), (MessageKind::Binary, BINARY_PART)] {
            for side in BOTH {
                let (mut wire, mut rest, mut first) = (Vec::new(), message.as_bytes(), begin);
                for cut in &cuts {
                    let (piece, after) = rest.split_at((*cut).min(rest.len()));
                    wire.extend(to(side, first, piece));
                    (rest, first) = (after, MORE);
                }
                wire.extend(to(side, first | 0x80, rest));
                prop_assert_eq!(see_all(side, &wire), [part(kind, true, &message, true)]);
            }
        }
    }
}

#[test]
fn req_t_frag_1_a_close_amid_a_message_is_answered_and_drops_it() {
    for side in BOTH {
        let frames: [(u8, &[u8]); 3] = [(TEXT_PART, b"Hel"), (CLOSE, &close_body(1000, b"")), (END, b"lo")];
        let (mut conn, seen) = receive(side, Config::new(), &all_to(side, &frames));
        let begun = part(MessageKind::Text, true, "Hel", false);
        assert_eq!(seen, [begun, Seen::Close(Some(1000), String::new())], "the message never ends");
        assert!(!conn.reader().is_mid_message());
        assert_eq!(owed(&mut conn), [(CLOSE, close_body(1000, b""))]);
        assert_eq!(conn.eof(), Ok(()));
        assert_eq!(conn.transport(), TransportAction::Close);
        assert_eq!(ending(&conn), (1000, true, Some(Initiator::Peer), None));
    }
}

#[test]
fn req_t_frag_2_endless_empty_fragments_meet_a_limit_of_their_own() {
    let mut limits = Limits::DEFAULT;
    assert_eq!(limits.max_fragments, 131_072, "finite by default");
    limits.max_fragments = 3;
    let config = Config::new().with_limits(limits);
    for side in BOTH {
        let mut frames: Vec<(u8, &[u8])> = vec![(TEXT_PART, b""), (MORE, b""), (MORE, b"")];
        assert_eq!(receive(side, config, &all_to(side, &frames)).1, []);
        frames.push((MORE, b""));
        fails(side, config, &all_to(side, &frames), ProtocolError::TooManyFragments, 1008);
    }
}
