//! Status codes: RFC 6455 section 7.4 and their registry.

use crate::common;

use common::*;
use sockless::{CloseCode, CloseFrame, CloseReason, Config, Limits, ProtocolError, SendError, Side};

/// What may cross the wire, written as the RFC and the registry do.
fn may_cross(code: u16) -> bool {
    let defined = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011];
    let registered_later = [1012, 1013, 1014];
    defined.contains(&code) || registered_later.contains(&code) || (3000..5000).contains(&code)
}

/// Received by both roles over every cut, echoed, and sent by `senders`.
fn works(code: u16, senders: &[Side]) {
    for side in BOTH {
        let (mut conn, seen) = receive(side, Config::new(), &to(side, CLOSE, &close_body(code, b"why")));
        assert_eq!(seen, [Seen::Close(Some(code), "why".to_owned())]);
        assert_eq!(owed(&mut conn), [(CLOSE, close_body(code, b""))]);
        conn.eof().unwrap();
        assert_eq!(conn.closed().unwrap().status, code);
    }
    for side in senders {
        let frame = CloseFrame::new(CloseCode::new(code).unwrap(), CloseReason::new("why").unwrap());
        let wire = close(&mut connection(*side, Config::new()), frame);
        assert_eq!(sent_by(*side, &wire), [(CLOSE, close_body(code, b"why"))]);
    }
}

/// The types cannot express it, so it is never sent. When received, it fails with 1002, whatever follows it.
fn never_crosses(codes: &[u16]) {
    for code in codes {
        assert_eq!(CloseCode::new(*code), None);
        for reason in [&b""[..], b"reason", b"\xFF"] {
            let error = ProtocolError::InvalidCloseCode(*code);
            both_fail(&[(CLOSE, &close_body(*code, reason))], error, 1002);
            let said = format!("a Close frame has the code {code}, which must not cross the wire");
            assert_eq!(error.to_string(), said);
        }
    }
}

#[test]
fn req_6455_7_4_1_1_the_defined_codes_are_sent_and_received() {
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011] {
        works(code, &BOTH);
    }
    works(1010, &[Side::Client]);
}

#[test]
fn req_6455_7_4_1_2_req_iana_cc_1015_codes_that_only_report_locally_never_cross_the_wire() {
    never_crosses(&[1005, 1006, 1015]);
}

#[test]
fn req_6455_7_4_1_3_code_1004_is_reserved() {
    never_crosses(&[1004]);
}

#[test]
fn req_6455_7_4_1_4_a_kind_of_data_that_is_not_accepted_fails_with_1003() {
    let mut text_only = Limits::DEFAULT;
    text_only.accept_binary = false;
    let mut binary_only = Limits::DEFAULT;
    binary_only.accept_text = false;
    for side in BOTH {
        let error = ProtocolError::UnsupportedData;
        for (limits, refused, taken, message) in [
            (text_only, [BINARY, BINARY_PART], TEXT, text("ok")),
            (binary_only, [TEXT, TEXT_PART], BINARY, binary(b"ok")),
        ] {
            let config = Config::new().with_limits(limits);
            for first in refused {
                fails(side, config, &to(side, first, b"ok"), error, 1003);
                // At the header, before any payload.
                fails(side, config, &header(first, key_to(side), 5), error, 1003);
            }
            assert_eq!(receive(side, config, &to(side, taken, b"ok")).1, [message]);
        }
    }
}

#[test]
fn req_6455_7_4_1_5_data_that_does_not_match_its_type_fails_with_1007() {
    both_fail(&[(TEXT, b"\xFF")], ProtocolError::InvalidUtf8, 1007);
    both_fail(&[(CLOSE, &close_body(1000, b"\xFF"))], ProtocolError::InvalidCloseReason, 1007);
}

#[test]
fn req_6455_7_4_1_6_policy_is_1008_too_big_is_1009_and_the_application_has_1011() {
    let limits = Limits::DEFAULT.with_max_message_size(3).with_max_fragments(2);
    let config = Config::new().with_limits(limits);
    for side in BOTH {
        fails(side, config, &to(side, TEXT, b"four"), ProtocolError::MessageTooBig, 1009);
        let flood = all_to(side, &[(TEXT_PART, b""), (MORE, b""), (MORE, b"")]);
        fails(side, config, &flood, ProtocolError::TooManyFragments, 1008);
        let wire = close(&mut connection(side, config), CloseCode::INTERNAL_ERROR.into());
        assert_eq!(sent_by(side, &wire), [(CLOSE, close_body(1011, b""))]);
    }
}

/// A client's handshake fails if an extension is missing. This is the code that it sends.
#[test]
fn req_6455_7_4_1_7_only_clients_send_1010_with_the_extensions_as_reason() {
    let reason = CloseReason::new("permessage-deflate").unwrap();
    let frame = CloseFrame::new(CloseCode::MANDATORY_EXTENSION, reason);
    let wire = close(&mut connection(Side::Client, Config::new()), frame);
    assert_eq!(sent_by(Side::Client, &wire), [(CLOSE, close_body(1010, b"permessage-deflate"))]);

    let mut server = connection(Side::Server, Config::new());
    assert_eq!(server.writer().close(frame, &mut [0; 131]), Err(SendError::CloseCodeNotForServers));
    assert!(server.writer().is_open());
    close(&mut server, code(1000));
}

#[test]
fn req_6455_7_4_2_1_codes_below_1000_are_not_used() {
    never_crosses(&[0, 1, 999]);
}

#[test]
fn req_6455_7_4_2_2_undefined_codes_of_the_protocol_are_not_accepted() {
    never_crosses(&[1016, 1100, 2000, 2999]);
}

#[test]
fn req_6455_7_4_2_3_codes_of_libraries_work() {
    works(3000, &BOTH);
    works(3999, &BOTH);
}

#[test]
fn req_6455_7_4_2_4_private_codes_work() {
    works(4000, &BOTH);
    works(4999, &BOTH);
}

#[test]
fn req_t_close_1_codes_above_4999_are_undefined() {
    never_crosses(&[5000, 65_535]);
}

#[test]
fn req_t_close_2_the_reply_to_an_invalid_close_never_echoes_it() {
    // `fails` asserts the exact body of the reply.
    both_fail(&[(CLOSE, &close_body(1006, b""))], ProtocolError::InvalidCloseCode(1006), 1002);
    both_fail(&[(CLOSE, &close_body(1000, b"\xC3\x28"))], ProtocolError::InvalidCloseReason, 1007);
}

#[test]
fn req_iana_cc_1012_req_iana_cc_1013_req_iana_cc_1014_req_t_cc_1_codes_registered_later_work() {
    for code in [1012, 1013, 1014] {
        works(code, &BOTH);
    }
    never_crosses(&[1016]);
    let named = [CloseCode::SERVICE_RESTART, CloseCode::TRY_AGAIN_LATER, CloseCode::BAD_GATEWAY];
    assert_eq!(named.map(CloseCode::value), [1012, 1013, 1014]);
}

#[test]
fn req_iana_cc_3000_req_iana_cc_3001_req_iana_cc_3003_req_iana_cc_3008_registered_codes_work() {
    for code in [3000, 3001, 3002, 3003, 3004, 3007, 3008, 3999] {
        works(code, &BOTH);
    }
    let named = [CloseCode::UNAUTHORIZED, CloseCode::FORBIDDEN];
    assert_eq!(named.map(|code| format!("{code:?}")), ["3000 UNAUTHORIZED", "3003 FORBIDDEN"]);
    assert_eq!(format!("{:?}", CloseCode::new(3001).unwrap()), "3001", "accepted, without a name");
}

#[test]
fn every_code_there_is_may_cross_or_fails() {
    for value in 0..=u16::MAX {
        assert_eq!(CloseCode::new(value).map(u16::from), may_cross(value).then_some(value));
        for side in BOTH {
            let mut conn = connection(side, Config::new());
            let seen = feed(&mut conn, &to(side, CLOSE, &close_body(value, b"")));
            let (event, reply) = if may_cross(value) {
                (Seen::Close(Some(value), String::new()), value)
            } else {
                (Seen::Fail(ProtocolError::InvalidCloseCode(value)), 1002)
            };
            assert_eq!(seen, [event]);
            assert_eq!(owed(&mut conn), [(CLOSE, close_body(reply, b""))]);
        }
    }
}

#[test]
fn req_whatwg_4_applications_choose_1000_or_3000_to_4999_and_short_reasons() {
    for value in 0..=u16::MAX {
        let allowed = value == 1000 || (3000..=4999).contains(&value);
        assert_eq!(CloseCode::application(value).map(u16::from), allowed.then_some(value));
    }
    assert!(CloseReason::new(&"é".repeat(61)).is_some(), "122 octets");
    assert!(CloseReason::new(&"é".repeat(62)).is_none(), "124 octets, though 62 characters");
    for len in 0..200 {
        let text = "é".repeat(len);
        let cut = CloseReason::truncated(&text).as_str();
        assert_eq!(cut.chars().count(), len.min(61));
    }
}
