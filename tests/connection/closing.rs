//! The closing handshake, failures and the end of the transport: RFC 6455 sections 5.5.1, 6.1 and 7.

use crate::common;

use common::*;
use sockless::{
    CloseCode, CloseFrame, CloseReason, Config, ControlPayload, Event, Initiator, Input, Limits, Mailbox,
    MessageKind, Payload, ProtocolError, Reader, ReadyState, SendError, Side, Timeout, Timeouts, Timestamp,
    TransportAction, Wake, MAX_CONTROL_FRAME_LEN,
};

const LOCAL: Option<Initiator> = Some(Initiator::Local);
const PEER: Option<Initiator> = Some(Initiator::Peer);

fn open(side: Side) -> Conn {
    connection(side, Config::new())
}

/// A connection that received `close`.
fn closed_by_peer(side: Side, body: &[u8]) -> Conn {
    receive(side, Config::new(), &to(side, CLOSE, body)).0
}

/// What the transport is to do once both Closes were exchanged (section 7.1.1).
fn after_both(side: Side) -> TransportAction {
    match side {
        Side::Server => TransportAction::ShutdownWrite,
        Side::Client => TransportAction::AwaitEof,
    }
}

/// Every way to send something.
fn assert_nothing_can_be_sent(conn: &mut Conn) {
    let mut out = [0; MAX_CONTROL_FRAME_LEN];
    let refused = Err(SendError::Closed);
    let writer = conn.writer();
    assert!(!writer.is_open());
    assert_eq!(writer.encode("late".into(), true, &mut out), refused);
    assert_eq!(writer.encode(b"late".into(), false, &mut out), refused);
    assert_eq!(writer.begin(MessageKind::Text, true, 4).map(|_| 0), refused);
    assert_eq!(writer.ping(ControlPayload::EMPTY, &mut out), refused);
    assert_eq!(writer.pong(ControlPayload::EMPTY, &mut out), refused);
    assert_eq!(writer.close(CloseFrame::EMPTY, &mut out), refused);
    assert_eq!(writer.encode(Payload::binary(&[0; 1000]), true, &mut out), refused, "not: too small");
}

#[test]
fn req_6455_5_5_1_1_req_6455_7_1_5_2_a_close_without_a_body_is_1005_here_and_empty_in_return() {
    for side in BOTH {
        let mut conn = closed_by_peer(side, b"");
        assert_eq!(conn.reader().received_close(), Some(None));
        assert_eq!(owed(&mut conn), [(CLOSE, vec![])]);
        assert_eq!(conn.eof(), Ok(()));
        assert_eq!(ending(&conn), (1005, true, PEER, None));
    }
}

#[test]
fn req_6455_5_5_1_2_a_body_of_one_octet_fails_with_1002() {
    for octet in [0x00, 0x03, 0xFF] {
        both_fail(&[(CLOSE, &[octet])], ProtocolError::InvalidClosePayload, 1002);
    }
}

#[test]
fn req_6455_5_5_1_3_req_6455_7_1_6_1_a_reason_of_up_to_123_octets_is_kept() {
    let longest = format!("{}é", "x".repeat(121));
    for reason in ["", "bye", "grüße 😀", &longest] {
        for side in BOTH {
            let conn = closed_by_peer(side, &close_body(1000, reason.as_bytes()));
            assert_eq!(conn.reader().close_reason(), reason);
            // Sent by us, it arrives the same.
            let frame = CloseFrame::new(CloseCode::NORMAL, CloseReason::new(reason).unwrap());
            let wire = close(&mut open(side), frame);
            let seen = see_all(other(side), &wire);
            assert_eq!(seen, [Seen::Close(Some(1000), reason.to_owned())]);
        }
    }
    assert_eq!(CloseReason::new(&format!("{longest}x")), None, "124 octets cannot be expressed");
    assert_eq!(CloseReason::truncated(&format!("x{longest}")).as_str(), "x".repeat(122), "é does not fit");
}

#[test]
fn req_6455_8_1_2_a_reason_that_is_not_text_fails_with_1007() {
    for reason in [&b"\xFF\xFF"[..], b"ok\xC0\x80", b"\xED\xA0\x80", b"cut \xE2\x82"] {
        both_fail(&[(CLOSE, &close_body(1000, reason))], ProtocolError::InvalidCloseReason, 1007);
    }
}

#[test]
fn req_6455_5_1_7_data_may_be_sent_until_our_close() {
    for side in BOTH {
        let mut conn = open(side);
        encode(&mut conn, "a", true);
        feed(&mut conn, &to(side, TEXT, b"b"));
        encode(&mut conn, "c", true);
        close(&mut conn, code(1000));
        assert_nothing_can_be_sent(&mut conn);
    }
}

/// Before the opening handshake there is no `Connection`, so CONNECTING cannot send by type.
#[test]
fn req_6455_6_1_1_data_is_sent_only_while_open() {
    for side in BOTH {
        let mut closing = open(side);
        close(&mut closing, code(1000));
        assert_nothing_can_be_sent(&mut closing);

        let mut answering = closed_by_peer(side, &close_body(1000, b""));
        assert_nothing_can_be_sent(&mut answering);
        transmit(&mut answering);
        assert_nothing_can_be_sent(&mut answering);
        answering.eof().unwrap();
        assert_nothing_can_be_sent(&mut answering);

        let mut lost = open(side);
        assert_eq!(lost.eof(), Err(ProtocolError::UnexpectedEof));
        assert_nothing_can_be_sent(&mut lost);

        let mut aborted = open(side);
        aborted.abort();
        assert_nothing_can_be_sent(&mut aborted);
    }
}

/// A message in progress ends unfinished; a frame that was begun has to be completed first, or the transport
/// dropped.
#[test]
fn req_6455_5_5_1_6_no_data_frame_follows_our_close() {
    for side in BOTH {
        let mut conn = open(side);
        let mut wire = encode(&mut conn, "unfinished", false);
        wire.extend(close(&mut conn, code(1001)));
        assert_nothing_can_be_sent(&mut conn);
        assert!(transmit(&mut conn).is_empty());
        let expected = [(TEXT_PART, b"unfinished".to_vec()), (CLOSE, close_body(1001, b""))];
        assert_eq!(sent_by(side, &wire), expected);

        let mut conn = open(side);
        conn.writer().begin(MessageKind::Binary, true, 1).unwrap();
        assert_eq!(conn.writer().close(code(1000), &mut [0; 131]), Err(SendError::FrameInProgress));
        conn.writer().mask(&mut [0]).unwrap();
        close(&mut conn, code(1000));
    }
}

#[test]
fn req_6455_5_5_1_7_req_6455_5_5_1_9_a_close_is_answered_in_the_next_output_exactly_once() {
    for side in BOTH {
        let mut conn = closed_by_peer(side, &close_body(1000, b"done"));
        assert!(conn.wants_transmit());
        assert_eq!(owed(&mut conn), [(CLOSE, close_body(1000, b""))]);
        assert_eq!(owed(&mut conn), []);
        feed(&mut conn, &to(side, CLOSE, &close_body(1000, b"")));
        assert_eq!(owed(&mut conn), []);
    }
}

#[test]
fn req_6455_5_5_1_8_the_answer_echoes_the_code() {
    for side in BOTH {
        for code in [1000, 1001, 1011, 3000, 4000] {
            let mut conn = closed_by_peer(side, &close_body(code, b"a reason is not echoed"));
            assert_eq!(owed(&mut conn), [(CLOSE, close_body(code, b""))]);
            assert_eq!(conn.writer().sent_close(), Some(CloseCode::new(code)));
        }
        assert_eq!(owed(&mut closed_by_peer(side, b"")), [(CLOSE, vec![])]);
    }
}

/// Decided: the answer is due at once, even where a message of ours is unfinished.
#[test]
fn req_6455_5_5_1_10_our_unfinished_message_does_not_delay_the_answer() {
    for side in BOTH {
        let mut conn = open(side);
        encode(&mut conn, "unfinished", false);
        feed(&mut conn, &to(side, CLOSE, &close_body(1000, b"")));
        assert_eq!(conn.writer().encode("end".into(), true, &mut [0; 64]), Err(SendError::Closed));
        assert_eq!(owed(&mut conn), [(CLOSE, close_body(1000, b""))]);
        // But a frame that was begun is completed first: its header has announced its length.
        let mut conn = open(side);
        conn.writer().begin(MessageKind::Text, true, 2).unwrap();
        feed(&mut conn, &to(side, CLOSE, &close_body(1000, b"")));
        assert_eq!(conn.poll_transmit(&mut [0; 131]), Ok(0));
        conn.writer().mask(&mut [b'o', b'k']).unwrap();
        assert_eq!(owed(&mut conn), [(CLOSE, close_body(1000, b""))]);
    }
}

#[test]
fn req_6455_5_5_1_11_req_6455_7_1_2_2_after_both_closes_the_transport_is_to_end() {
    for side in BOTH {
        let mut peer_first = closed_by_peer(side, &close_body(1000, b""));
        transmit(&mut peer_first);
        let mut we_first = open(side);
        close(&mut we_first, code(1000));
        assert_eq!(we_first.transport(), TransportAction::Open, "the peer's Close has not come");
        feed(&mut we_first, &to(side, CLOSE, &close_body(1000, b"")));
        for (mut conn, by) in [(peer_first, PEER), (we_first, LOCAL)] {
            assert_eq!((conn.transport(), conn.ready_state()), (after_both(side), ReadyState::Closing));
            assert_eq!(conn.closed(), None, "not before the transport's end");
            assert_eq!(conn.eof(), Ok(()));
            assert_eq!((conn.transport(), conn.ready_state()), (TransportAction::Close, ReadyState::Closed));
            assert_eq!(ending(&conn), (1000, true, by, None));
        }
    }
}

#[test]
fn req_6455_5_5_1_12_req_6455_7_1_1_3_the_server_ends_first_and_the_client_waits() {
    let mut server = closed_by_peer(Side::Server, &close_body(1000, b""));
    transmit(&mut server);
    assert_eq!(server.transport(), TransportAction::ShutdownWrite);
    let mut client = closed_by_peer(Side::Client, &close_body(1000, b""));
    transmit(&mut client);
    assert_eq!(client.transport(), TransportAction::AwaitEof);
}

#[test]
fn req_6455_5_5_1_14_req_6455_7_1_5_1_closes_may_cross() {
    for side in BOTH {
        let mut conn = open(side);
        close(&mut conn, code(4001));
        let seen = feed(&mut conn, &to(side, CLOSE, &close_body(4002, b"peer")));
        assert_eq!(seen, [Seen::Close(Some(4002), "peer".to_owned())]);
        assert_eq!(owed(&mut conn), [], "no third Close");
        assert_eq!(conn.transport(), after_both(side));
        assert_eq!(conn.writer().sent_close(), Some(CloseCode::new(4001)));
        assert_eq!(conn.eof(), Ok(()));
        assert_eq!(ending(&conn), (4002, true, LOCAL, None), "the code is the received one");
    }
}

#[test]
fn req_6455_5_5_1_15_nothing_is_processed_after_a_close() {
    for side in BOTH {
        let after: [(u8, &[u8]); 5] = [
            (CLOSE, &close_body(1000, b"")),
            (TEXT, b"late"),
            (PING, b"late"),
            (CLOSE, b"\0"),
            (0xFF, b"junk"),
        ];
        let (mut conn, seen) = receive(side, Config::new(), &all_to(side, &after));
        assert_eq!(seen, [Seen::Close(Some(1000), String::new())]);
        assert_eq!(owed(&mut conn), [(CLOSE, close_body(1000, b""))], "no Pong");
        assert_eq!(conn.eof(), Ok(()));
        assert_eq!(ending(&conn), (1000, true, PEER, None));
    }
}

/// Decided: between our Close and the peer's, data that was on its way is delivered.
#[test]
fn data_on_its_way_is_delivered_after_our_close() {
    for side in BOTH {
        let mut conn = open(side);
        close(&mut conn, code(1000));
        assert_eq!(feed(&mut conn, &to(side, TEXT, b"on its way")), [text("on its way")]);
    }
}

#[test]
fn req_6455_7_1_2_1_req_6455_7_4_1_the_closing_handshake_begins_with_any_valid_close() {
    let bye = CloseFrame::new(CloseCode::NORMAL, CloseReason::new("bye").unwrap());
    let cases = [
        (CloseFrame::EMPTY, &b"\x88\x00"[..]),
        (code(4000), b"\x88\x02\x0F\xA0"),
        (bye, b"\x88\x05\x03\xE8bye"),
    ];
    for (frame, bytes) in cases {
        assert_eq!(close(&mut open(Side::Server), frame), bytes);
        assert_eq!(parse(&close(&mut open(Side::Client), frame))[0].payload, bytes[2..]);
    }
}

#[test]
fn req_6455_7_3_1_a_server_may_close_at_any_time() {
    let mut conn = open(Side::Server);
    encode(&mut conn, "amid a message", false);
    feed(&mut conn, &to(Side::Server, TEXT_PART, b"of both"));
    let wire = close(&mut conn, code(1001));
    assert_eq!(sent_by(Side::Server, &wire), [(CLOSE, close_body(1001, b""))]);
}

/// An owed Pong is written before the Close. Only answers may follow a Close.
#[test]
fn a_pong_that_is_owed_precedes_our_close_or_nothing_is_written() {
    for side in BOTH {
        let mut conn = open(side);
        feed(&mut conn, &to(side, PING, b"first"));
        let required = conn.writer().encoded_len(5) + conn.writer().encoded_len(2);
        let mut out = vec![0; required];
        for len in 0..required {
            let Err(SendError::BufferTooSmall(error)) = conn.writer().close(code(1000), &mut out[..len])
            else {
                panic!("{len} of {required} bytes were enough")
            };
            assert_eq!((error.required, conn.ready_state()), (required, ReadyState::Open));
        }
        assert_eq!(conn.writer().close(code(1000), &mut out), Ok(required));
        assert_eq!(sent_by(side, &out), [(PONG, b"first".to_vec()), (CLOSE, close_body(1000, b""))]);
        assert_eq!(owed(&mut conn), []);
    }
}

#[test]
fn a_pong_stays_owed_if_the_close_after_it_finds_no_key() {
    let keys = std::cell::Cell::new(1);
    let entropy = |dest: &mut [u8]| {
        dest.fill(7);
        keys.set(keys.get() - 1);
        if keys.get() < 0 {
            Err(sockless::EntropyError)
        } else {
            Ok(())
        }
    };
    let mut conn = sockless::Connection::new(sockless::Client::new(entropy), Config::new());
    let mut ping = to(Side::Client, PING, b"?");
    conn.recv(&mut sockless::Input::new(&mut ping)).unwrap();
    let mut out = [0; 131];
    let refused = conn.writer().close(code(1000), &mut out);
    assert_eq!(refused, Err(SendError::Entropy(sockless::EntropyError)));
    keys.set(2);
    let len = conn.writer().close(code(1000), &mut out).unwrap();
    assert_eq!(sent_by(Side::Client, &out[..len]), [(PONG, b"?".to_vec()), (CLOSE, close_body(1000, b""))]);
}

#[test]
fn req_6455_7_1_3_1_from_the_first_close_on_the_state_is_closing() {
    for side in BOTH {
        let mut conn = open(side);
        assert_eq!(conn.ready_state(), ReadyState::Open);
        close(&mut conn, code(1000));
        assert_eq!(conn.ready_state(), ReadyState::Closing);
        let mut conn = closed_by_peer(side, b"");
        assert_eq!(conn.ready_state(), ReadyState::Closing, "before the answer is written");
        transmit(&mut conn);
        assert_eq!(conn.ready_state(), ReadyState::Closing);
    }
}

#[test]
fn req_6455_7_1_4_1_closed_is_clean_only_after_the_closing_handshake() {
    for side in BOTH {
        let mut before = open(side);
        assert_eq!(before.eof(), Err(ProtocolError::UnexpectedEof));
        assert_eq!(ending(&before), (1006, false, None, Some(ProtocolError::UnexpectedEof)));

        let mut amid = open(side);
        close(&mut amid, code(1000));
        assert_eq!(amid.eof(), Err(ProtocolError::UnexpectedEof));
        assert_eq!(ending(&amid), (1006, false, LOCAL, Some(ProtocolError::UnexpectedEof)));

        // The peer ends its direction right after its Close: it can still get the answer.
        let mut unanswered = closed_by_peer(side, &close_body(1000, b""));
        assert_eq!(unanswered.eof(), Ok(()));
        assert_eq!(ending(&unanswered), (1000, false, PEER, None), "our Close was not written");
        assert_eq!(owed(&mut unanswered), [(CLOSE, close_body(1000, b""))]);
        assert_eq!(ending(&unanswered), (1000, true, PEER, None));
        for conn in [before, amid, unanswered] {
            assert_eq!((conn.ready_state(), conn.transport()), (ReadyState::Closed, TransportAction::Close));
        }
    }
}

#[test]
fn req_6455_7_1_5_3_req_6455_7_2_1_2_a_lost_transport_is_1006_here_and_on_no_wire() {
    for side in BOTH {
        for arrived in
            [to(side, TEXT_PART, b"Hel"), to(side, TEXT, b"Hello")[..3].to_vec(), vec![], vec![PING]]
        {
            let mut conn = open(side);
            feed(&mut conn, &arrived);
            assert_eq!(conn.eof(), Err(ProtocolError::UnexpectedEof));
            assert_eq!(conn.eof(), Ok(()), "once");
            assert_eq!(owed(&mut conn), [], "nobody is left to tell");
            assert_eq!(ending(&conn), (1006, false, None, Some(ProtocolError::UnexpectedEof)));
            assert_eq!(feed(&mut conn, &to(side, TEXT, b"ghost")), []);
        }
    }
    assert_eq!(ProtocolError::UnexpectedEof.close_code(), None);
}

/// A Pong is not owed to a peer that is gone.
#[test]
fn nothing_is_owed_after_the_transport_was_lost() {
    for side in BOTH {
        let mut conn = open(side);
        conn.writer().keep_alive();
        feed(&mut conn, &to(side, PING, b"?"));
        assert_eq!(conn.eof(), Err(ProtocolError::UnexpectedEof));
        assert!(!conn.wants_transmit());
        assert_eq!(owed(&mut conn), []);
    }
}

#[test]
fn req_6455_7_1_7_1_req_6455_7_2_1_1_req_6455_7_1_7_2_a_failure_closes_and_is_reported() {
    // `fails` checks the error, the Close with its code, and what to do with the transport.
    for side in BOTH {
        let wire = to(side, END, b"");
        fails(side, Config::new(), &wire, ProtocolError::UnexpectedContinuation, 1002);
    }
}

#[test]
fn req_6455_7_1_7_3_a_failure_says_why_and_the_writer_knows_what_it_said() {
    both_fail(&[(TEXT, b"\xFF")], ProtocolError::InvalidUtf8, 1007);
    for side in BOTH {
        let mut conn = open(side);
        feed(&mut conn, &to(side, TEXT, b"\xFF"));
        assert_eq!(conn.writer().sent_close(), None);
        transmit(&mut conn);
        assert_eq!(conn.writer().sent_close(), Some(Some(CloseCode::INVALID_DATA)));
    }
}

/// Where a frame of ours is cut off, no Close can follow: the transport is dropped.
#[test]
fn req_6455_7_1_7_4_no_close_is_sent_where_the_peer_could_not_read_it() {
    for side in BOTH {
        let mut conn = open(side);
        conn.writer().begin(MessageKind::Binary, true, 10).unwrap();
        feed(&mut conn, &to(side, 0xFF, b""));
        assert_eq!(conn.transport(), TransportAction::Close);
        assert_eq!(conn.poll_transmit(&mut [0; 131]), Ok(0));
        // Unless the frame is completed after all.
        conn.writer().mask(&mut [0; 10]).unwrap();
        assert_eq!(conn.transport(), TransportAction::ShutdownWrite);
        assert_eq!(owed(&mut conn), [(CLOSE, close_body(1002, b""))]);
        // Nor is one sent after ours.
        let mut conn = open(side);
        close(&mut conn, code(1000));
        assert_eq!(feed(&mut conn, &to(side, 0xFF, b"")), [Seen::Fail(ProtocolError::ReservedOpcode)]);
        assert_eq!(owed(&mut conn), []);
        assert_eq!(conn.transport(), TransportAction::ShutdownWrite);
        conn.eof().unwrap();
        assert_eq!(ending(&conn), (1006, false, LOCAL, Some(ProtocolError::ReservedOpcode)));
    }
}

#[test]
fn req_6455_7_1_7_5_after_a_failure_nothing_is_processed_not_even_a_close() {
    for side in BOTH {
        let frames: [(u8, &[u8]); 4] =
            [(0x83, b"bad"), (TEXT, b"good"), (PING, b"?"), (CLOSE, &close_body(1000, b""))];
        let before =
            fails(side, Config::new(), &all_to(side, &frames[..1]), ProtocolError::ReservedOpcode, 1002);
        assert_eq!(before, []);
        let mut conn = open(side);
        assert_eq!(feed(&mut conn, &all_to(side, &frames)), [Seen::Fail(ProtocolError::ReservedOpcode)]);
        assert_eq!(conn.reader().received_close(), None);
        assert_eq!(conn.reader().close_reason(), "");
        assert_eq!(owed(&mut conn), [(CLOSE, close_body(1002, b""))], "no Pong");
    }
}

#[test]
fn req_6455_7_1_7_6_no_timer_runs_that_was_not_asked_for() {
    assert_eq!((Timeouts::default(), Config::default()), (Timeouts::NONE, Config::new()));
    for side in BOTH {
        for prepare in [|_: &mut Conn| {}, |conn: &mut Conn| drop(close(conn, code(1000)))] {
            let mut conn = open(side);
            prepare(&mut conn);
            let state = conn.ready_state();
            for micros in [0, 1, u64::MAX] {
                assert_eq!(conn.handle_timeout(Timestamp::from_micros(micros)), Ok(()));
                assert_eq!((conn.poll_timeout(), conn.ready_state()), (Wake::Never, state));
            }
        }
    }
}

#[test]
fn req_6455_7_1_1_2_req_6455_7_2_2_1_req_6455_10_7_2_a_connection_can_be_dropped_by_any_means() {
    for side in BOTH {
        let mut conn = open(side);
        feed(&mut conn, &all_to(side, &[(PING, b"?"), (TEXT_PART, b"Hel")]));
        conn.writer().keep_alive();
        conn.abort();
        assert_eq!((conn.ready_state(), conn.transport()), (ReadyState::Closed, TransportAction::Close));
        assert_eq!(owed(&mut conn), [], "nothing more is sent");
        assert_eq!(feed(&mut conn, &to(side, PING, b"?")), [], "or reported");
        assert_eq!(conn.eof(), Ok(()));
        assert_eq!(conn.poll_timeout(), Wake::Never);
        let (status, clean, by, _) = ending(&conn);
        assert_eq!((status, clean, by), (1006, false, LOCAL), "it was us");
    }
}

/// Giving up the wait for the peer's end of the transport does not undo the handshake.
#[test]
fn dropping_the_transport_after_both_closes_is_clean() {
    for side in BOTH {
        let mut we_first = open(side);
        close(&mut we_first, code(1000));
        feed(&mut we_first, &to(side, CLOSE, &close_body(1000, b"")));
        let mut peer_first = closed_by_peer(side, &close_body(1000, b""));
        transmit(&mut peer_first);
        for (mut conn, by) in [(we_first, LOCAL), (peer_first, PEER)] {
            conn.abort();
            assert_eq!(ending(&conn), (1000, true, by, None));
        }
        // Before our answer was written it is not.
        let mut unanswered = closed_by_peer(side, &close_body(1000, b""));
        unanswered.abort();
        assert_eq!(owed(&mut unanswered), []);
        assert_eq!(ending(&unanswered), (1000, false, PEER, None));
        // After ours alone neither.
        let mut alone = open(side);
        close(&mut alone, code(1000));
        alone.abort();
        let (status, clean, by, _) = ending(&alone);
        assert_eq!((status, clean, by), (1006, false, LOCAL));
    }
}

/// If the halves live apart, what arrives late through the mailbox changes nothing.
#[test]
fn nothing_follows_a_failure_that_the_writer_was_told() {
    for side in BOTH {
        let pong = || {
            let (mut reader, mut mailbox) = (Reader::new(side, Limits::DEFAULT), Mailbox::new());
            let mut bytes = to(side, PING, b"?");
            assert_eq!(reader.next(&mut Input::new(&mut bytes), &mut mailbox), Ok(Some(Event::Ping)));
            mailbox
        };
        let aloud = ProtocolError::TimedOut(Timeout::Idle);
        let silent = ProtocolError::TimedOut(Timeout::OpeningHandshake);
        for (error, said) in [(aloud, vec![(CLOSE, close_body(1008, b""))]), (silent, vec![])] {
            let mut conn = open(side);
            let (mut reader, mut mailbox) = (Reader::new(side, Limits::DEFAULT), Mailbox::new());
            reader.fail(error, &mut mailbox);
            conn.writer().accept(&mut mailbox);
            assert_eq!(owed(&mut conn), said);
            assert!(!conn.wants_transmit());
            conn.writer().accept(&mut pong());
            conn.writer().keep_alive();
            assert_eq!(owed(&mut conn), []);
            assert_nothing_can_be_sent(&mut conn);
        }
    }
}

/// The first Close that is owed stays; a later one cannot take its place.
#[test]
fn the_mailbox_keeps_the_first_close() {
    for side in BOTH {
        let (mut conn, _) = receive(side, Config::new(), &to(side, CLOSE, &close_body(4000, b"")));
        let (mut reader, mut mailbox) = (Reader::new(side, Limits::DEFAULT), Mailbox::new());
        reader.fail(ProtocolError::TimedOut(Timeout::Idle), &mut mailbox);
        conn.writer().accept(&mut mailbox);
        assert_eq!(owed(&mut conn), [(CLOSE, close_body(4000, b""))]);
        assert_eq!(owed(&mut conn), []);
    }
}

/// The end of the transport right after both Closes is no error (how TLS reports it is the adapter's).
#[test]
fn the_end_after_both_closes_is_no_error() {
    for side in BOTH {
        let mut conn = closed_by_peer(side, &close_body(1000, b""));
        transmit(&mut conn);
        assert_eq!((conn.eof(), conn.eof()), (Ok(()), Ok(())));
        assert_eq!(ending(&conn), (1000, true, PEER, None));
    }
}
