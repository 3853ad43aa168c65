//! Frames as such: RFC 6455 sections 5.1 and 5.2, and the registry of opcodes.

use crate::common;

use common::*;
use sockless::frame::{FrameHeader, LengthForm, MaskingKey, Opcode, Rsv};
use sockless::{Config, Event, Input, Mailbox, MessageKind, Payload, ProtocolError, Reader, Side, Writer};
use sockless::{Limits, Server};

#[test]
fn req_6455_5_2_1_req_6455_5_4_1_fin_marks_the_last_fragment_and_the_first_may_be_the_last() {
    for side in BOTH {
        assert_eq!(see_all(side, &to(side, TEXT, b"Hello")), [text("Hello")]);
        let begun = see_all(side, &to(side, TEXT_PART, b"Hel"));
        assert_eq!(begun, [part(MessageKind::Text, true, "Hel", false)]);
        let both = all_to(side, &[(TEXT_PART, b"Hel"), (END, b"lo")]);
        assert_eq!(see_all(side, &both), [text("Hello")]);
    }
}

#[test]
fn req_6455_5_2_2_req_6455_5_2_10_reserved_bits_are_never_sent_and_no_extension_data_is() {
    for side in BOTH {
        let mut conn = connection(side, Config::new());
        let mut wire = encode(&mut conn, "text", false);
        wire.extend(encode(&mut conn, "", true));
        wire.extend(encode(&mut conn, b"binary", true));
        feed(&mut conn, &to(side, PING, b"ping"));
        wire.extend(close(&mut conn, code(1000)));
        // `sent_by` looks at the reserved bits; the payloads are the application's and nothing else.
        let payloads: Vec<_> = sent_by(side, &wire).into_iter().map(|(_, payload)| payload).collect();
        assert_eq!(payloads, [&b"text"[..], b"", b"binary", b"ping", &close_body(1000, b"")]);
    }
}

#[test]
fn req_6455_5_2_3_reserved_bits_without_an_extension_fail_with_1002() {
    for rsv in 1..8 {
        for first in [TEXT, BINARY, TEXT_PART, CLOSE, PING, PONG] {
            both_fail(&[(first | rsv << 4, b"")], ProtocolError::ReservedBits, 1002);
        }
        both_fail(&[(TEXT_PART, b"a"), (END | rsv << 4, b"b")], ProtocolError::ReservedBits, 1002);
    }
    // The first byte's bits as RFC 6455 draws them.
    both_fail(&[(0xC1, b"Hello")], ProtocolError::ReservedBits, 1002);
    both_fail(&[(0xA1, b"Hello")], ProtocolError::ReservedBits, 1002);
    both_fail(&[(0x91, b"Hello")], ProtocolError::ReservedBits, 1002);
}

/// What a reader that allows RSV1 makes of `frames`, sent to a client.
fn with_rsv1(frames: Frames<'_>) -> Result<Vec<(Rsv, Vec<u8>)>, ProtocolError> {
    let mut reader = Reader::new(Side::Client, Limits::DEFAULT).with_allowed_rsv(Rsv::RSV1);
    let mut bytes = all_to(Side::Client, frames);
    let (mut input, mut mailbox) = (Input::new(&mut bytes), Mailbox::new());
    let mut pieces = Vec::new();
    while let Some(event) = reader.next(&mut input, &mut mailbox)? {
        if let Event::Data(data) = event {
            pieces.push((data.rsv(), data.as_bytes().to_vec()));
        }
    }
    Ok(pieces)
}

#[test]
fn req_iana_hdr_1_rsv1_is_taken_where_an_extension_was_negotiated_and_only_on_first_frames() {
    let taken = with_rsv1(&[(0x41, b"x"), (END, b"y"), (0xC2, b"z"), (TEXT, b"plain")]).unwrap();
    let plain = Rsv::NONE;
    let expected = [(Rsv::RSV1, &b"x"[..]), (Rsv::RSV1, b"y"), (Rsv::RSV1, b"z"), (plain, b"plain")]
        .map(|(r, o)| (r, o.to_vec()));
    assert_eq!(taken, expected);

    let refused: [Frames<'_>; 7] = [
        &[(0xA1, b"")],
        &[(0x91, b"")],
        &[(0xE1, b"")],
        &[(0xC8, b"")],
        &[(0xC9, b"")],
        &[(0xCA, b"")],
        &[(0x41, b"x"), (0xC0, b"y")],
    ];
    for frames in refused {
        assert_eq!(with_rsv1(frames), Err(ProtocolError::ReservedBits), "{frames:02x?}");
    }
}

/// Half of T-UTF8-3; the other half is the extension's, whose output is the text.
#[test]
fn compressed_octets_are_not_checked_as_text() {
    let taken = with_rsv1(&[(0xC1, b"\xFF\xFE")]).unwrap();
    assert_eq!(taken, [(Rsv::RSV1, b"\xFF\xFE".to_vec())]);
    assert_eq!(with_rsv1(&[(TEXT, b"\xFF\xFE")]), Err(ProtocolError::InvalidUtf8));
}

#[test]
fn req_6455_5_2_4_req_iana_op_1_unknown_opcodes_fail_with_1002() {
    let assigned = [0x0, 0x1, 0x2, 0x8, 0x9, 0xA];
    for opcode in (0..16).filter(|opcode| !assigned.contains(opcode)) {
        assert!(Opcode::from_low_bits(opcode).is_reserved());
        for payload in [&b""[..], b"payload"] {
            for fin in [0x00, 0x80] {
                both_fail(&[(fin | opcode, payload)], ProtocolError::ReservedOpcode, 1002);
                let inside = [(TEXT_PART, &b"Hel"[..]), (fin | opcode, payload)];
                both_fail(&inside, ProtocolError::ReservedOpcode, 1002);
            }
        }
    }
    assert!(assigned.iter().all(|opcode| !Opcode::from_low_bits(*opcode).is_reserved()));
    for control in 8..16 {
        assert!(
            Opcode::from_low_bits(control).is_control() && !Opcode::from_low_bits(control - 8).is_control()
        );
    }
}

#[test]
fn req_6455_5_2_5_every_form_of_length_makes_a_round_trip() {
    for len in [0, 1, 125, 126, 127, 128, 65_534, 65_535, 65_536, 65_537] {
        let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();
        for side in BOTH {
            let wire = encode(&mut connection(side, Config::new()), &payload[..], true);
            // The header of an independent encoder, in network order.
            let form = header(BINARY, key_to(other(side)), len);
            assert_eq!(wire.len(), form.len() + payload.len());
            assert_eq!(wire[..form.len().min(2)], form[..2]);
            let seen = joined(feed(&mut connection(other(side), Config::new()), &wire));
            assert_eq!(seen, [binary(&payload)], "{len} octets sent by a {side:?}");
        }
    }
}

#[test]
fn req_6455_5_2_6_a_length_with_its_top_bit_set_fails_with_1002_at_the_header() {
    for len in [1 << 63, (1 << 63) + 1, u64::MAX] {
        for side in BOTH {
            for first in [BINARY, TEXT, TEXT_PART] {
                let wire = header(first, key_to(side), len);
                fails(side, Config::new(), &wire, ProtocolError::LengthOverflow, 1002);
            }
        }
    }
}

#[test]
fn req_6455_5_2_7_lengths_have_their_shortest_form_both_ways() {
    // Sent: `parse` refuses any other form.
    for len in [0, 125, 126, 65_535, 65_536] {
        for side in BOTH {
            let wire = encode(&mut connection(side, Config::new()), &vec![0; len][..], true);
            assert_eq!(sent_by(side, &wire).len(), 1);
        }
        let begun = Writer::new(Server).begin(MessageKind::Binary, true, len as u64).unwrap();
        assert_eq!(begun.as_bytes(), header(BINARY, None, len as u64));
    }
    // Received.
    for (form, len) in [
        (LengthForm::Bits16, 0),
        (LengthForm::Bits16, 5),
        (LengthForm::Bits16, 125),
        (LengthForm::Bits64, 0),
        (LengthForm::Bits64, 125),
        (LengthForm::Bits64, 126),
        (LengthForm::Bits64, 0xFFFF),
    ] {
        for side in BOTH {
            for opcode in [Opcode::TEXT, Opcode::BINARY] {
                let key = key_to(side).map(MaskingKey);
                let long = FrameHeader { length_form: form, ..FrameHeader::new(true, opcode, len, key) };
                let wire = long.encode();
                fails(side, Config::new(), wire.as_bytes(), ProtocolError::NonMinimalLength, 1002);
            }
        }
    }
}

#[test]
fn req_6455_5_2_8_req_6455_5_2_9_the_mask_bit_adds_a_key_that_the_length_does_not_count() {
    // Length of the payload, of an unmasked header, of a masked one.
    for (len, plain, masked) in [(0, 2, 6), (125, 2, 6), (126, 4, 8), (65_535, 4, 8), (65_536, 10, 14)] {
        for (side, expected) in [(Side::Server, plain), (Side::Client, masked)] {
            let mut conn = connection(side, Config::new());
            let wire = encode(&mut conn, &vec![7; len][..], true);
            let parsed = parse(&wire);
            assert_eq!((parsed[0].header_len, parsed[0].payload.len()), (expected, len));
            assert_eq!(FrameHeader::len_from([wire[0], wire[1]]), expected);
            let (decoded, used) = FrameHeader::decode(&wire).unwrap();
            assert_eq!((used, decoded.payload_len), (expected, len as u64));
        }
    }
}

#[test]
fn a_header_is_decoded_from_no_byte_less_than_it_has() {
    for len in [0, 125, 126, 65_535, 65_536, u64::MAX] {
        for key in [None, Some(KEY)] {
            let bytes = header(BINARY, key, len);
            for short in 0..bytes.len() {
                assert_eq!(FrameHeader::decode(&bytes[..short]), None);
            }
            let (header, used) = FrameHeader::decode(&bytes).unwrap();
            assert_eq!((header.payload_len, used), (len, bytes.len()));
            assert_eq!(header.masking_key, key.map(MaskingKey));
        }
    }
}

#[test]
fn a_length_that_does_not_fit_its_form_is_written_in_one_that_does() {
    for (form, len) in [
        (LengthForm::Bits7, 126),
        (LengthForm::Bits7, 65_535),
        (LengthForm::Bits7, 65_536),
        (LengthForm::Bits16, 65_536),
        (LengthForm::Bits16, u64::MAX),
    ] {
        let long = FrameHeader { length_form: form, ..FrameHeader::new(true, Opcode::BINARY, len, None) };
        assert_eq!(long.encode().as_bytes(), header(BINARY, None, len));
    }
}

/// An intermediary must pass on unchanged what it does not understand. The wire layer can express all of it.
#[test]
fn req_6455_5_4_11_req_6455_5_4_12_the_wire_layer_forwards_any_header_unchanged() {
    for first in 0..=u8::MAX {
        for second in 0..=u8::MAX {
            let tail = [0x80, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B];
            let bytes = [&[first, second][..], &tail].concat();
            let (header, used) = FrameHeader::decode(&bytes).unwrap();
            assert_eq!(header.encode().as_bytes(), &bytes[..used]);
            assert_eq!(used, FrameHeader::len_from([first, second]));
        }
    }
    // Overlong lengths too.
    let overlong = [0x89, 0x7F, 0, 0, 0, 0, 0, 0, 0, 5];
    let (header, _) = FrameHeader::decode(&overlong).unwrap();
    assert_eq!(header.encode().as_bytes(), overlong);
}

#[test]
fn req_6455_6_1_2_data_is_sent_in_a_frame() {
    let mut out = [0; 7];
    let mut conn = connection(Side::Server, Config::new());
    assert_eq!(conn.writer().encode(Payload::text("Hello"), true, &mut out), Ok(7));
    assert_eq!(out, [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F]);
}

#[test]
fn req_6455_6_2_1_input_is_parsed_as_frames_whatever_they_are() {
    for side in BOTH {
        let long = [b'x'; 300];
        let wire = all_to(
            side,
            &[(TEXT, b"a"), (PING, b"b"), (BINARY, &long), (PONG, b""), (TEXT_PART, b"c"), (END, b"d")],
        );
        let expected = [text("a"), Seen::Ping(b"b".to_vec()), binary(&long), Seen::Pong(vec![]), text("cd")];
        assert_eq!(see_all(side, &wire), expected);
    }
}

#[test]
fn req_6455_2_1_1_frames_may_be_coalesced_and_keep_their_order() {
    for side in BOTH {
        let mut conn = connection(side, Config::new());
        let mut out = [0; 64];
        let mut len = 0;
        for message in ["one", "two", "three"] {
            len += conn.writer().encode(message.into(), true, &mut out[len..]).unwrap();
        }
        let seen = see_all(other(side), &out[..len]);
        assert_eq!(seen, [text("one"), text("two"), text("three")]);
    }
}

#[test]
fn req_6455_4_2_2_35_a_server_may_send_at_once() {
    let wire = encode(&mut connection(Side::Server, Config::new()), "welcome", true);
    assert_eq!(see_all(Side::Client, &wire), [text("welcome")]);
}

/// The handshake says how far it read. What is left of the same read is for the engine, unchanged.
#[test]
fn req_6455_4_2_2_36_req_6455_4_1_60_frames_glued_to_the_opening_handshake_are_not_lost() {
    for side in BOTH {
        let head = b"... the end of a head\r\n\r\n";
        let mut read = [&head[..], &to(side, TEXT, b"Hello")].concat();
        let mut conn = connection(side, Config::new());
        let mut rest = Input::new(&mut read[head.len()..]);
        let Ok(Some(Event::Data(data))) = conn.recv(&mut rest) else { panic!("no message") };
        assert_eq!(data.as_str(), Some("Hello"));
        assert_eq!(conn.recv(&mut rest), Ok(None));
    }
}

#[test]
fn too_small_a_buffer_changes_nothing_and_is_told_what_is_needed() {
    for side in BOTH {
        for payload in [&b""[..], b"five!", &[7; 126]] {
            let mut conn = connection(side, Config::new());
            let required = conn.writer().encoded_len(payload.len());
            for len in 0..required {
                let mut out = vec![0xEE; len];
                let refused = conn.writer().encode(payload.into(), true, &mut out);
                let Err(sockless::SendError::BufferTooSmall(error)) = refused else { panic!("{refused:?}") };
                assert_eq!(error.required, required);
                assert!(out.iter().all(|octet| *octet == 0xEE), "out is unchanged");
            }
            let wire = encode(&mut conn, payload, true);
            // The key of the first frame: none was drawn before.
            assert_eq!(wire, encode(&mut connection(side, Config::new()), payload, true));
        }
    }
}
