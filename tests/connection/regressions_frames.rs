//! Defects of other WebSocket libraries in frames and closing, each as the test that would have caught it.
//! The name says whose it was; most also break a requirement that another file shows.

use crate::common;

use std::time::Duration;

use common::counting::allocations;
use common::*;
use sockless::frame::Rsv;
use sockless::{
    CloseCode, CloseFrame, CloseReason, Config, ControlPayload, Event, Initiator, Input, Limits, Mailbox,
    MessageKind, Payload, ProtocolError, Reader, SendError, Server, Side, Timeout, Timeouts, Timestamp,
    Writer,
};

fn limited(limits: Limits) -> Config {
    Config::new().with_limits(limits)
}

const NO_LIMIT: Limits = Limits::DEFAULT
    .with_max_frame_size(u64::MAX)
    .with_max_message_size(u64::MAX)
    .with_max_fragments(u32::MAX);

// Lengths and limits.

#[test]
fn rustsec_2022_0035_rust_websocket_reserved_the_announced_length() {
    for side in BOTH {
        let mut conn = connection(side, limited(NO_LIMIT));
        let mut wire = header(BINARY, key_to(side), i64::MAX as u64);
        let (count, event) = allocations(|| conn.recv(&mut Input::new(&mut wire)).unwrap().is_some());
        assert_eq!((count, event), (0, false));
        assert_eq!(conn.eof(), Err(ProtocolError::UnexpectedEof));
    }
}

/// undici (CVE-2026-1528), swift-nio (CVE-2026-43678), nats-server (CVE-2026-27889), websocketz: lengths that
/// overflow, trap or wrap. The first three are no lengths at all.
#[test]
fn cve_2026_1528_cve_2026_43678_cve_2026_27889_64_bit_lengths_neither_trap_nor_wrap() {
    for side in BOTH {
        for limits in [Limits::DEFAULT, NO_LIMIT] {
            for len in [u64::MAX, 1 << 63, u64::MAX - 13] {
                let wire = header(BINARY, key_to(side), len);
                fails(side, limited(limits), &wire, ProtocolError::LengthOverflow, 1002);
            }
        }
        let largest = header(BINARY, key_to(side), (1 << 63) - 1);
        fails(side, Config::new(), &largest, ProtocolError::FrameTooBig, 1009);
        let (conn, _) = receive(side, limited(NO_LIMIT), &largest);
        assert_eq!(conn.reader().frame_remaining(), (1 << 63) - 1);
    }
}

#[test]
fn cve_2020_27813_gorilla_added_up_a_message_until_its_limit_overflowed() {
    for side in BOTH {
        for max in [(1 << 63) - 1, u64::from(u32::MAX), 5] {
            let config = limited(NO_LIMIT.with_max_message_size(max));
            let mut wire = to(side, BINARY_PART, b"x");
            wire.extend(header(END, key_to(side), (1 << 63) - 1));
            fails(side, config, &wire, ProtocolError::MessageTooBig, 1009);
        }
    }
}

/// tokio-websockets, web-socket, embedded-websocket and tungstenite before 0.30 cut the length to the size of
/// a pointer before they looked at the limit.
#[test]
fn tokio_websockets_took_0x1_0001_0000_for_65536_on_32_bits() {
    for side in BOTH {
        for len in [0x1_0001_0000, 1 << 32, (1 << 32) + 1] {
            let config = limited(NO_LIMIT.with_max_frame_size(65_536));
            fails(side, config, &header(BINARY, key_to(side), len), ProtocolError::FrameTooBig, 1009);
        }
    }
}

/// fastwebsockets and yawc refused a message of exactly the limit.
#[test]
fn fastwebsockets_was_off_by_one_at_exactly_the_limit() {
    for side in BOTH {
        let config = limited(Limits::DEFAULT.with_max_message_size(10).with_max_frame_size(10));
        assert_eq!(receive(side, config, &to(side, BINARY, &[1; 10])).1, [binary(&[1; 10])]);
        let halves = all_to(side, &[(BINARY_PART, &[1; 5]), (END, &[1; 5])]);
        assert_eq!(receive(side, config, &halves).1, [binary(&[1; 10])]);
        fails(side, config, &to(side, BINARY, &[1; 11]), ProtocolError::FrameTooBig, 1009);
        let over = all_to(side, &[(BINARY_PART, &[1; 5]), (END, &[1; 6])]);
        fails(side, config, &over, ProtocolError::MessageTooBig, 1009);
    }
}

/// fastwebsockets 0.10 (fixed by its #140) and python-websockets #1602: the limit held for each fragment, not
/// for the message.
#[test]
fn fastwebsockets_140_continuations_bypassed_the_limit() {
    for side in BOTH {
        let config = limited(Limits::DEFAULT.with_max_message_size(10));
        let wire = all_to(side, &[(TEXT_PART, b"12345"), (MORE, b"67890"), (MORE, b""), (END, b"!")]);
        let before = fails(side, config, &wire, ProtocolError::MessageTooBig, 1009);
        assert_eq!(octets(&before), 10);
    }
}

/// shiguredo_websocket and actix-http looked at the limit once the whole frame had come.
#[test]
fn actix_http_checked_the_limit_only_on_complete_frames() {
    for side in BOTH {
        let wire = header(TEXT, key_to(side), (64 << 20) + 1);
        fails(side, Config::new(), &wire, ProtocolError::FrameTooBig, 1009);
    }
}

/// intent #495: too large a message ended the connection without a word.
#[test]
fn intent_495_no_1009_was_sent() {
    for side in BOTH {
        let config = limited(Limits::DEFAULT.with_max_message_size(3));
        fails(side, config, &to(side, TEXT, b"four"), ProtocolError::MessageTooBig, 1009);
    }
}

/// ws (CVE-2026-48779 and its #2331) kept an object for each fragment of one octet; actix-extras #651 for
/// each empty one.
#[test]
fn cve_2026_48779_fragments_of_little_or_nothing_cost_nothing_and_are_capped() {
    for side in BOTH {
        for payload in [&b""[..], b"x"] {
            let mut conn = connection(side, Config::new());
            feed(&mut conn, &to(side, BINARY_PART, payload));
            let mut wire = to(side, MORE, payload);
            let (count, fragments) = allocations(|| {
                for fragments in 1_u32.. {
                    let mut frame = [0; 16];
                    let frame = &mut frame[..wire.len()];
                    frame.copy_from_slice(&wire);
                    let mut input = Input::new(frame);
                    loop {
                        match conn.recv(&mut input) {
                            Ok(Some(_)) => {}
                            Ok(None) => break,
                            Err(error) => {
                                assert_eq!(error, ProtocolError::TooManyFragments);
                                return fragments;
                            }
                        }
                    }
                }
                unreachable!("a cap is met")
            });
            wire.clear();
            assert_eq!((count, fragments), (0, Limits::DEFAULT.max_fragments));
            assert_eq!(owed(&mut conn), [(CLOSE, close_body(1008, b""))]);
        }
    }
}

/// Tomcat (CVE-2020-13935) looped for ever on an invalid length: every call consumes, reports, or asks for
/// more.
#[test]
fn cve_2020_13935_tomcat_made_no_progress() {
    for side in BOTH {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let mut bytes =
                    [first, second, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0];
                let mut conn = connection(side, Config::new());
                let mut input = Input::new(&mut bytes);
                let done = (0..20).any(|_| matches!(conn.recv(&mut input), Ok(None)));
                assert!(done && input.remaining() == 0, "{first:02x} {second:02x}");
            }
        }
    }
}

// Frames that must be refused.

/// fastwebsockets and embedded-websocket took unmasked frames as a server, yawc took masked ones as a client.
#[test]
fn fastwebsockets_yawc_role_and_mask_matrix() {
    for (side, key, works) in [
        (Side::Server, Some(KEY), true),
        (Side::Client, None, true),
        (Side::Server, None, false),
        (Side::Client, Some(KEY), false),
        (Side::Client, Some([0; 4]), false),
    ] {
        for first in [TEXT, BINARY, PING, PONG, CLOSE, TEXT_PART] {
            let wire = frame(first, key, b"");
            if works {
                let (conn, seen) = receive(side, Config::new(), &wire);
                assert_eq!((seen.len(), conn.reader().failure()), (usize::from(first != TEXT_PART), None));
            } else {
                let error = match side {
                    Side::Server => ProtocolError::MissingMask,
                    Side::Client => ProtocolError::UnexpectedMask,
                };
                fails(side, Config::new(), &wire, error, 1002);
            }
        }
    }
}

/// fastwebsockets took Pongs and Closes of any length, yawc all but Pings.
#[test]
fn fastwebsockets_took_a_close_of_126_octets() {
    for first in [CLOSE, PONG, PING] {
        both_fail(&[(first, &close_body(1000, &[b'x'; 124]))], ProtocolError::OversizedControl, 1002);
    }
}

#[test]
fn embedded_websocket_checked_neither_rsv_nor_fin_of_control_frames() {
    both_fail(&[(0xC9, b"")], ProtocolError::ReservedBits, 1002);
    both_fail(&[(0x09, b"")], ProtocolError::FragmentedControl, 1002);
}

/// Old drafts framed text between 00 and FF, or with lengths of seven bits a byte (websocket-driver,
/// CVE-2026-54466).
#[test]
fn cve_2026_54466_frames_of_drafts_are_refused() {
    for bytes in [&b"\x00Hello\xFF"[..], b"\xFF\x00", b"\x80\xFF\xFF\x01"] {
        for side in BOTH {
            let (_, seen) = receive(side, Config::new(), bytes);
            assert!(matches!(seen[..], [Seen::Fail(_)]), "{seen:?}");
        }
    }
}

/// sockudo-ws #29: RSV1 was taken on continuations, where it has no meaning.
#[test]
fn sockudo_29_rsv1_on_a_continuation() {
    let mut reader = Reader::new(Side::Client, Limits::DEFAULT).with_allowed_rsv(Rsv::RSV1);
    let mut bytes = all_to(Side::Client, &[(0x41, b"x"), (0xC0, b"y")]);
    let (mut input, mut mailbox) = (Input::new(&mut bytes), Mailbox::new());
    assert!(matches!(reader.next(&mut input, &mut mailbox), Ok(Some(Event::Data(_)))));
    assert_eq!(reader.next(&mut input, &mut mailbox), Err(ProtocolError::ReservedBits));
}

/// libwebsockets #1470: a Pong between compressed fragments was taken for their payload.
#[test]
fn libwebsockets_1470_control_frames_between_compressed_fragments() {
    for (control, event) in [(PING, Event::Ping), (PONG, Event::Pong)] {
        let mut reader = Reader::new(Side::Server, Limits::DEFAULT).with_allowed_rsv(Rsv::RSV1);
        let mut bytes = all_to(Side::Server, &[(0x42, b"comp"), (control, b"plain"), (END, b"ressed")]);
        let (mut input, mut mailbox) = (Input::new(&mut bytes), Mailbox::new());
        let mut next = || reader.next(&mut input, &mut mailbox).unwrap().unwrap();
        assert!(matches!(next(), Event::Data(data) if data.rsv() == Rsv::RSV1 && data.as_bytes() == b"comp"));
        assert_eq!(next(), event);
        assert!(
            matches!(next(), Event::Data(data) if data.rsv() == Rsv::RSV1 && data.as_bytes() == b"ressed")
        );
        assert_eq!(reader.control_payload(), b"plain");
    }
}

// Text.

/// tungstenite checked text at the end of its frame, so that garbage was waited for to its end.
#[test]
fn tungstenite_text_fails_before_its_frame_ends() {
    for side in BOTH {
        let mut wire = header(TEXT, key_to(side), 1000);
        let key = key_to(side).unwrap_or([0; 4]);
        wire.extend([0xCE ^ key[0], 0xBA ^ key[1], 0xF4 ^ key[2], 0x90 ^ key[3]]);
        fails(side, Config::new(), &wire, ProtocolError::InvalidUtf8, 1007);
    }
}

/// sockudo-ws #28: a vectorised check refused valid text at some alignments.
#[test]
fn sockudo_28_valid_text_was_refused() {
    for character in ["\u{7FF}", "\u{800}", "\u{FFFF}", "\u{10000}", "\u{10FFFF}"] {
        for before in 0..70 {
            let message = "a".repeat(before) + &character.repeat(20) + &"b".repeat(before);
            let mut conn = connection(Side::Server, Config::new());
            assert_eq!(feed(&mut conn, &to(Side::Server, TEXT, message.as_bytes())), [text(&message)]);
        }
    }
}

// Bytes that get lost or touched.

/// sockudo-ws #36: messages in front of a bad frame were dropped with it.
#[test]
fn sockudo_36_messages_before_a_bad_frame_are_delivered() {
    for side in BOTH {
        let wire = all_to(side, &[(TEXT, b"one"), (BINARY, b"two"), (0x83, b"bad"), (TEXT, b"never")]);
        let before = fails(side, Config::new(), &wire, ProtocolError::ReservedOpcode, 1002);
        assert_eq!(joined(before), [text("one"), binary(b"two")]);
        let mut conn = connection(side, Config::new());
        let error = Seen::Fail(ProtocolError::ReservedOpcode);
        assert_eq!(feed(&mut conn, &wire), [text("one"), binary(b"two"), error]);
    }
}

/// fastwebsockets #113: a header read in part was forgotten when the read was cancelled. Here the engine
/// remembers it.
#[test]
fn fastwebsockets_113_a_header_in_pieces_is_not_lost() {
    for side in BOTH {
        let payload = vec![9; 70_000];
        let wire = to(side, BINARY, &payload);
        for cut in 1..15 {
            let mut conn = connection(side, Config::new());
            let mut seen = feed(&mut conn, &wire[..cut]);
            assert_eq!(feed(&mut conn, b""), []);
            seen.extend(feed(&mut conn, &wire[cut..]));
            assert_eq!(joined(seen), [binary(&payload)]);
        }
    }
}

/// uWebSockets #1650: working in place on one frame overwrote the header of the next.
#[test]
fn uwebsockets_1650_the_bytes_after_a_frame_stay_as_they_are() {
    for len in 0..40 {
        let payload = vec![b'p'; len];
        let next = to(Side::Server, TEXT, b"the next frame");
        let mut bytes = [to(Side::Server, BINARY, &payload), next.clone()].concat();
        let mut conn = connection(Side::Server, Config::new());
        let mut input = Input::new(&mut bytes);
        assert!(matches!(conn.recv(&mut input), Ok(Some(Event::Data(data))) if data.as_bytes() == payload));
        assert_eq!(input.into_rest(), next);
    }
}

/// sockudo-ws #26 and #109: splitting lost a frame in progress, and the reason of a Close.
#[test]
fn sockudo_26_109_splitting_loses_nothing() {
    for side in BOTH {
        let wire = [
            to(side, TEXT_PART, "spl€".as_bytes()),
            to(side, END, "it".as_bytes()),
            to(side, PING, b"?"),
            to(side, CLOSE, &close_body(4000, "a reason".as_bytes())),
        ]
        .concat();
        for cut in 0..wire.len() - 16 {
            let mut conn = connection(side, Config::new());
            let mut message: Vec<u8> = Vec::new();
            for seen in feed(&mut conn, &wire[..cut]) {
                if let Seen::Data { octets, .. } = seen {
                    message.extend(octets);
                }
            }
            let (mut reader, mut send_half) = conn.split();
            let mut bytes = wire[cut..].to_vec();
            let (mut input, mut mailbox, mut closed) = (Input::new(&mut bytes), Mailbox::new(), None);
            while let Some(event) = reader.next(&mut input, &mut mailbox).unwrap() {
                match event {
                    Event::Data(data) => message.extend_from_slice(data.as_bytes()),
                    Event::Close(code) => closed = code,
                    _ => {}
                }
            }
            assert_eq!((&message[..], closed), ("spl€it".as_bytes(), CloseCode::new(4000)));
            assert_eq!(reader.close_reason(), "a reason");
            // What is owed reaches the writer through the mailbox.
            send_half.accept(&mut mailbox);
            assert!(mailbox.is_empty());
            let mut out = [0; 262];
            let len = send_half.writer().poll_transmit(&mut out).unwrap();
            let sent = sent_by(side, &out[..len]);
            assert_eq!(sent, [(PONG, b"?".to_vec()), (CLOSE, close_body(4000, b""))]);
        }
    }
}

// Replies.

/// tokio-websockets queued a Pong for every Ping while writes were blocked; RUSTSEC-2020-0043 (ws-rs)
/// everything.
#[test]
fn tokio_websockets_queued_pongs_without_limit() {
    for side in BOTH {
        let mut conn = connection(side, Config::new());
        let pings = to(side, PING, &[1; 125]).repeat(1000);
        let mut read = pings.clone();
        let (count, ()) = allocations(|| {
            for _ in 0..100 {
                read.copy_from_slice(&pings);
                let mut input = Input::new(&mut read);
                while conn.recv(&mut input).unwrap().is_some() {}
            }
        });
        assert_eq!(count, 0);
        assert_eq!(owed(&mut conn), [(PONG, vec![1; 125])]);
    }
}

/// uWebSockets #1876: under back-pressure Pongs were dropped. Here the newest stays owed until it is written.
#[test]
fn uwebsockets_1876_a_pong_survives_back_pressure() {
    for side in BOTH {
        let mut conn = connection(side, Config::new());
        feed(&mut conn, &to(side, PING, b"?"));
        for room in 0..conn.writer().encoded_len(1) {
            assert_eq!(conn.poll_transmit(&mut vec![0; room]), Ok(0));
        }
        assert_eq!(owed(&mut conn), [(PONG, b"?".to_vec())]);
    }
}

// Closing.

/// deno #21642 and sockudo-ws #101: two Closes were sent.
#[test]
fn sockudo_101_there_is_never_a_second_close() {
    for side in BOTH {
        // Ours, then everything that could cause another.
        let mut conn = connection(side, Config::new());
        close(&mut conn, code(1000));
        assert_eq!(conn.writer().close(code(1001), &mut [0; 64]), Err(SendError::Closed));
        feed(&mut conn, &to(side, CLOSE, &close_body(1000, b"")));
        feed(&mut conn, &to(side, CLOSE, &close_body(1000, b"")));
        feed(&mut conn, &to(side, 0x83, b""));
        assert_eq!(owed(&mut conn), []);
        // The answer that is owed is the only one, and so is that of a failure.
        for first in [to(side, CLOSE, &close_body(1000, b"")), to(side, 0x83, b"")] {
            let mut conn = connection(side, Config::new());
            feed(&mut conn, &first);
            assert_eq!(conn.writer().close(code(1001), &mut [0; 64]), Err(SendError::Closed));
            assert_eq!(owed(&mut conn).len(), 1);
            assert_eq!(conn.writer().close(code(1001), &mut [0; 64]), Err(SendError::Closed));
            feed(&mut conn, &first);
            assert_eq!(owed(&mut conn), []);
        }
    }
}

/// deno #21642, the other half: a connection whose peer had closed never ended.
#[test]
fn deno_21642_after_both_closes_the_transport_is_told_to_end() {
    for side in BOTH {
        let (mut conn, _) = receive(side, Config::new(), &to(side, CLOSE, &close_body(1000, b"")));
        transmit(&mut conn);
        assert_ne!(conn.transport(), sockless::TransportAction::Open);
    }
}

/// Data was sent after the Close, or taken after the peer's.
#[test]
fn no_data_is_sent_after_a_close_or_delivered_after_the_peers() {
    for side in BOTH {
        let mut conn = connection(side, Config::new());
        close(&mut conn, code(1000));
        assert_eq!(conn.writer().encode("late".into(), true, &mut [0; 64]), Err(SendError::Closed));
        let wire = all_to(side, &[(CLOSE, &close_body(1000, b"")), (TEXT, b"late")]);
        assert_eq!(feed(&mut conn, &wire), [Seen::Close(Some(1000), String::new())]);
    }
}

/// tungstenite: errors of protocol and capacity ended the connection without a Close.
#[test]
fn tungstenite_errors_sent_no_close() {
    both_fail(&[(0x83, b"")], ProtocolError::ReservedOpcode, 1002);
    both_fail(&[(TEXT, b"\xFF")], ProtocolError::InvalidUtf8, 1007);
    for side in BOTH {
        let wire = header(TEXT, key_to(side), 1 << 40);
        fails(side, Config::new(), &wire, ProtocolError::FrameTooBig, 1009);
    }
}

/// tungstenite #372 and axum-server #182: the end of the transport after both Closes was reported as a reset.
#[test]
fn tungstenite_372_eof_after_both_closes_is_clean() {
    for side in BOTH {
        let mut conn = connection(side, Config::new());
        close(&mut conn, code(1000));
        feed(&mut conn, &to(side, CLOSE, &close_body(1000, b"")));
        assert_eq!(conn.eof(), Ok(()));
        assert_eq!(ending(&conn), (1000, true, Some(Initiator::Local), None));
    }
}

/// The reason of a Close survives everything that comes after it.
#[test]
fn sockudo_109_the_reason_of_a_close_is_kept() {
    for side in BOTH {
        let (mut conn, _) =
            receive(side, Config::new(), &to(side, CLOSE, &close_body(4000, "gründe".as_bytes())));
        feed(&mut conn, &all_to(side, &[(PING, b"other"), (CLOSE, &close_body(1000, b"other"))]));
        transmit(&mut conn);
        conn.eof().unwrap();
        conn.abort();
        assert_eq!((conn.reader().close_reason(), conn.closed().unwrap().status), ("gründe", 4000));
    }
}

/// ws (CVE-2026-45736): the body of a Close held memory that was never written.
#[test]
fn cve_2026_45736_a_close_holds_its_own_octets_and_no_others() {
    for side in BOTH {
        let mut conn = connection(side, Config::new());
        feed(&mut conn, &to(side, PING, &[b'S'; 125]));
        transmit(&mut conn);
        let frame = CloseFrame::new(CloseCode::NORMAL, CloseReason::new("x").unwrap());
        let mut out = [0xEE; 64];
        let len = conn.writer().close(frame, &mut out).unwrap();
        assert_eq!(sent_by(side, &out[..len]), [(CLOSE, close_body(1000, b"x"))]);
        assert_eq!(out[len..], vec![0xEE; 64 - len], "nothing beyond is touched");
    }
}

/// bun #30722 and #35030: a Ping of 126 octets and a reason of 124 went out.
#[test]
fn bun_30722_what_may_not_be_sent_cannot_be_said() {
    assert_eq!(ControlPayload::new(&[0; 126]), None);
    assert_eq!(CloseReason::new(&"x".repeat(124)), None);
    assert_eq!(CloseReason::truncated(&"é".repeat(62)).as_str(), "é".repeat(61), "cut between characters");
    assert!([0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000]
        .map(CloseCode::new)
        .iter()
        .all(Option::is_none));
    // A second message inside one, or a frame inside one.
    let mut writer = Writer::new(Server);
    writer.begin(MessageKind::Text, false, 1).unwrap();
    assert_eq!(writer.encode(Payload::text("x"), true, &mut [0; 64]), Err(SendError::FrameInProgress));
    writer.mask(&mut [b'x']).unwrap();
    assert_eq!(writer.encode(Payload::binary(b"x"), true, &mut [0; 64]), Err(SendError::MessageInProgress));
    assert_eq!(writer.mask(&mut [b'x']), Err(SendError::PayloadTooLong));
}

// Deadlines.

/// sockudo-ws #91: the deadline for a Pong and the one for idleness took each other's place. The earlier one
/// fires.
#[test]
fn sockudo_91_idle_and_pong_deadlines_are_two() {
    for (idle, pong, fired, after) in
        [(60, 20, Timeout::Pong, 50), (40, 20, Timeout::Idle, 40), (50, 20, Timeout::Idle, 50)]
    {
        for side in BOTH {
            let mut timeouts = Timeouts::NONE;
            timeouts.ping_interval = Some(Duration::from_secs(30));
            timeouts.pong = Some(Duration::from_secs(pong));
            timeouts.idle = Some(Duration::from_secs(idle));
            let mut conn = connection(side, Config::new().with_timeouts(timeouts));
            let failed = (0..100).find_map(|second| {
                let now = Timestamp::from_duration(Duration::from_secs(second));
                conn.handle_timeout(now).err().map(|error| (second, error))
            });
            assert_eq!(failed, Some((after, ProtocolError::TimedOut(fired))));
        }
    }
}

/// dusty #77 and Beast #758: a connection whose peer had vanished stayed open for ever. With the presets it
/// does not.
#[test]
fn beast_758_a_dead_peer_is_let_go_with_the_presets() {
    let mut conn = connection(Side::Server, Config::new().with_timeouts(Timeouts::SERVER));
    for second in 0..60 {
        let _ = conn.handle_timeout(Timestamp::from_duration(Duration::from_secs(second)));
        transmit(&mut conn);
    }
    assert_eq!(conn.transport(), sockless::TransportAction::Close);
    let error = Some(ProtocolError::TimedOut(Timeout::Pong));
    assert_eq!(ending(&conn), (1006, false, Some(Initiator::Local), error));
}

fn octets(seen: &[Seen]) -> usize {
    seen.iter().map(|seen| if let Seen::Data { octets, .. } = seen { octets.len() } else { 0 }).sum()
}
