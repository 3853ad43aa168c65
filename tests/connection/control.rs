//! Ping and Pong: RFC 6455 section 5.5. Close has a file of its own.

use crate::common;

use common::*;
use sockless::{
    CloseReason, Config, ControlPayload, MessageKind, ProtocolError, SendError, Timestamp,
    MAX_CONTROL_FRAME_LEN,
};

const LONGEST: [u8; 125] = [0xA5; 125];

#[test]
fn req_6455_5_5_1_control_payloads_have_at_most_125_octets() {
    for side in BOTH {
        for first in [PING, PONG, CLOSE] {
            // Before any octet of the payload: the header alone fails.
            for len in [126, 127, 0xFFFF, 0x1_0000] {
                let wire = header(first, key_to(side), len);
                fails(side, Config::new(), &wire, ProtocolError::OversizedControl, 1002);
                fails(side, Config::new(), &wire[..2], ProtocolError::OversizedControl, 1002);
            }
        }
        let wire = all_to(side, &[(PING, &LONGEST), (PONG, &LONGEST)]);
        assert_eq!(see_all(side, &wire), [Seen::Ping(LONGEST.to_vec()), Seen::Pong(LONGEST.to_vec())]);
    }
    // What is longer cannot be expressed.
    assert_eq!(ControlPayload::new(&[0; 126]), None);
    assert!(ControlPayload::new(&LONGEST).is_some());
    assert_eq!(CloseReason::new(&"x".repeat(124)), None);
}

#[test]
fn req_6455_5_5_2_1_a_ping_may_carry_data() {
    for side in BOTH {
        for payload in [&b""[..], b"data", &LONGEST] {
            let mut out = [0; MAX_CONTROL_FRAME_LEN];
            let mut conn = connection(side, Config::new());
            let len = conn.writer().ping(ControlPayload::new(payload).unwrap(), &mut out).unwrap();
            assert_eq!(see_all(other(side), &out[..len]), [Seen::Ping(payload.to_vec())]);
        }
    }
}

#[test]
fn req_6455_5_5_2_2_req_6455_5_5_3_1_req_6455_6_2_2_a_ping_is_answered_with_its_own_data() {
    for side in BOTH {
        for payload in [&b""[..], b"Hello", b"\0\xFF\0\x80not text", &LONGEST] {
            let (mut conn, seen) = receive(side, Config::new(), &to(side, PING, payload));
            assert_eq!(seen, [Seen::Ping(payload.to_vec())]);
            assert_eq!(owed(&mut conn), [(PONG, payload.to_vec())]);
            assert_eq!(owed(&mut conn), [], "once");
        }
    }
}

#[test]
fn req_6455_5_5_2_3_a_pong_goes_before_data_and_between_fragments() {
    for side in BOTH {
        let mut conn = connection(side, Config::new());
        let mut wire = encode(&mut conn, "Hel", false);
        feed(&mut conn, &to(side, PING, b"now"));
        assert!(conn.wants_transmit());
        wire.extend(transmit(&mut conn));
        wire.extend(encode(&mut conn, "lo", true));
        let expected = [(TEXT_PART, b"Hel".to_vec()), (PONG, b"now".to_vec()), (END, b"lo".to_vec())];
        assert_eq!(sent_by(side, &wire), expected);
    }
}

/// No frame can stand inside another: the Pong waits until the current frame is complete.
#[test]
fn a_reply_waits_for_the_end_of_a_begun_frame_and_no_longer() {
    for side in BOTH {
        let mut conn = connection(side, Config::new());
        let begun = conn.writer().begin(MessageKind::Binary, false, 4).unwrap();
        feed(&mut conn, &to(side, PING, b"?"));
        let mut wire = begun.as_bytes().to_vec();
        for _ in 0..2 {
            assert!(conn.wants_transmit());
            assert_eq!(conn.poll_transmit(&mut [0; 131]), Ok(0));
            let refused = Err(SendError::FrameInProgress);
            assert_eq!(conn.writer().ping(ControlPayload::EMPTY, &mut [0; 131]), refused);
            assert_eq!(conn.writer().encode(b"x".into(), true, &mut [0; 131]), refused);
            assert_eq!(conn.writer().close(code(1000), &mut [0; 131]), refused);
            let mut piece = *b"xy";
            conn.writer().mask(&mut piece).unwrap();
            wire.extend_from_slice(&piece);
        }
        wire.extend(transmit(&mut conn));
        assert_eq!(sent_by(side, &wire), [(BINARY_PART, b"xyxy".to_vec()), (PONG, b"?".to_vec())]);
    }
}

#[test]
fn req_6455_5_5_2_4_a_ping_is_allowed_any_time_while_open() {
    for side in BOTH {
        let mut out = [0; MAX_CONTROL_FRAME_LEN];
        let mut ping = |conn: &mut Conn| conn.writer().ping(ControlPayload::EMPTY, &mut out);
        let mut conn = connection(side, Config::new());
        assert!(ping(&mut conn).is_ok());
        encode(&mut conn, "Hel", false);
        assert!(ping(&mut conn).is_ok(), "amid a message");
        // The RFC would allow it up to the peer's Close; this engine sends none after its own.
        close(&mut conn, code(1000));
        assert_eq!(ping(&mut conn), Err(SendError::Closed));
    }
}

#[test]
fn req_6455_5_5_3_2_of_unanswered_pings_the_last_is_answered() {
    for side in BOTH {
        let mut conn = connection(side, Config::new());
        for i in 0..1000_u16 {
            assert_eq!(feed(&mut conn, &to(side, PING, &i.to_be_bytes())).len(), 1);
        }
        assert_eq!(owed(&mut conn), [(PONG, 999_u16.to_be_bytes().to_vec())]);
    }
}

#[test]
fn req_6455_5_5_3_3_an_unsolicited_pong_is_reported_and_not_answered() {
    for side in BOTH {
        for payload in [&b""[..], b"unasked"] {
            let (mut conn, seen) = receive(side, Config::new(), &to(side, PONG, payload));
            assert_eq!(seen, [Seen::Pong(payload.to_vec())]);
            assert!(!conn.wants_transmit());
            assert_eq!(owed(&mut conn), []);
        }
        let mut out = [0; MAX_CONTROL_FRAME_LEN];
        let mut conn = connection(side, Config::new());
        let len = conn.writer().pong(ControlPayload::new(b"alive").unwrap(), &mut out).unwrap();
        assert_eq!(sent_by(side, &out[..len]), [(PONG, b"alive".to_vec())]);
    }
}

/// Decided: a Ping that comes between our Close and the peer's is answered, since only a received Close frees
/// from it.
#[test]
fn req_t_ctrl_1_a_ping_between_our_close_and_the_peers_is_answered() {
    for side in BOTH {
        let mut conn = connection(side, Config::new());
        close(&mut conn, code(1000));
        feed(&mut conn, &to(side, PING, b"late"));
        assert_eq!(owed(&mut conn), [(PONG, b"late".to_vec())]);
        // Not after the peer's Close.
        feed(&mut conn, &all_to(side, &[(PING, b"later"), (CLOSE, &close_body(1000, b""))]));
        assert_eq!(owed(&mut conn), []);
    }
}

/// Every Ping and Pong is an event, so an application can count them. At most one Pong is owed.
#[test]
fn req_t_ctrl_2_floods_are_counted_by_the_caller_and_cost_one_slot() {
    for side in BOTH {
        let mut conn = connection(side, Config::new());
        let flood = all_to(side, &[(PING, b"x"), (PONG, b"y")]).repeat(10_000);
        let seen = feed(&mut conn, &flood);
        assert_eq!(seen.iter().filter(|seen| matches!(seen, Seen::Ping(_))).count(), 10_000);
        assert_eq!(seen.iter().filter(|seen| matches!(seen, Seen::Pong(_))).count(), 10_000);
        assert_eq!(owed(&mut conn), [(PONG, b"x".to_vec())]);
    }
}

#[test]
fn req_whatwg_5_keep_alive_is_the_callers_and_off_by_default() {
    for side in BOTH {
        let mut conn = connection(side, Config::new());
        assert_eq!(conn.poll_timeout(), sockless::Wake::Never);
        assert_eq!(conn.handle_timeout(Timestamp::from_micros(u64::MAX)), Ok(()));
        assert_eq!(owed(&mut conn), []);
        conn.writer().keep_alive();
        conn.writer().keep_alive();
        assert_eq!(owed(&mut conn), [(PING, vec![])]);
    }
}

/// A Ping that was due before our Close must not follow it, even if other things are still answered.
#[test]
fn a_keep_alive_ping_never_follows_our_close() {
    for side in BOTH {
        let mut conn = connection(side, Config::new());
        conn.writer().keep_alive();
        close(&mut conn, code(1000));
        assert_eq!(owed(&mut conn), []);
        feed(&mut conn, &to(side, PING, b"late"));
        assert_eq!(owed(&mut conn), [(PONG, b"late".to_vec())]);
    }
}

#[test]
fn what_is_owed_comes_in_whole_frames_as_the_buffer_allows() {
    for side in BOTH {
        let mut conn = connection(side, Config::new());
        conn.writer().keep_alive();
        feed(&mut conn, &all_to(side, &[(PING, &LONGEST), (CLOSE, &close_body(4000, b""))]));
        let needed = conn.writer().encoded_len(125);
        let mut out = [0; MAX_CONTROL_FRAME_LEN];
        for len in 0..needed {
            assert_eq!(
                conn.poll_transmit(&mut out[..len]),
                Ok(0),
                "the order is kept: no Close before the Pong"
            );
        }
        assert_eq!(conn.poll_transmit(&mut out[..needed]), Ok(needed));
        assert_eq!(sent_by(side, &out[..needed]), [(PONG, LONGEST.to_vec())]);
        assert_eq!(owed(&mut conn), [(CLOSE, close_body(4000, b""))]);
    }
}
