//! Text: RFC 6455 sections 5.6 and 8.1, and RFC 3629.

use crate::common;

use common::*;
use proptest::prelude::*;
use sockless::{
    Config, Event, Input, InvalidUtf8, MessageKind, Payload, ProtocolError, SendError, Side, Utf8Check,
};

/// Each is invalid within a text, at the last octet given: its prefix could still become valid.
const OVERLONG: [&[u8]; 6] = [b"\xC0", b"\xC1", b"\xE0\x80", b"\xE0\x9F", b"\xF0\x80", b"\xF0\x8F"];
const SURROGATES: [&[u8]; 3] = [b"\xED\xA0", b"\xED\xB0", b"\xED\xBF"];
const TOO_LARGE: [&[u8]; 9] =
    [b"\xF4\x90", b"\xF5", b"\xF6", b"\xF7", b"\xF8", b"\xFB", b"\xFC", b"\xFE", b"\xFF"];
const MISPLACED: [&[u8]; 6] = [b"\x80", b"\xBF", b"\xC2A", b"\xE2\x82A", b"\xF0\x9F\x92A", b"\xE2\xE2"];
/// Each lacks its end.
const TRUNCATED: [&[u8]; 6] = [b"\xC2", b"\xE2", b"\xE2\x82", b"\xF0", b"\xF0\x9F", b"\xF0\x9F\x92"];

const INVALID: ProtocolError = ProtocolError::InvalidUtf8;

/// Fails text with `bad` at its front, middle and end, whole and fragmented at every octet, with 1007.
fn fails_in_every_place(bad: &[u8]) {
    for (before, after) in [("", ""), ("a", ""), ("", "zzzzzzzzz"), ("κόσμε 😀", "after it")] {
        let message = [before.as_bytes(), bad, after.as_bytes()].concat();
        both_fail(&[(TEXT, &message)], INVALID, 1007);
        for at in 0..=message.len() {
            let (first, second) = message.split_at(at);
            both_fail(&[(TEXT_PART, first), (PING, b"?"), (END, second)], INVALID, 1007);
        }
    }
}

#[test]
fn req_6455_5_6_1_opcode_1_is_text_and_2_is_binary() {
    for side in BOTH {
        let wire = all_to(side, &[(TEXT, "µ".as_bytes()), (BINARY, "µ".as_bytes())]);
        assert_eq!(see_all(side, &wire), [text("µ"), binary("µ".as_bytes())]);
    }
}

#[test]
fn req_6455_5_6_2_fragments_may_split_characters() {
    for side in BOTH {
        for message in ["€", "a€b", "😀", "é😀€"] {
            let octets = message.as_bytes();
            let mut singly: Vec<(u8, &[u8])> = octets.chunks(1).map(|octet| (MORE, octet)).collect();
            singly[0].0 = TEXT_PART;
            singly.push((END, b""));
            assert_eq!(see_all(side, &all_to(side, &singly)), [text(message)]);
            for at in 0..=octets.len() {
                let (first, second) = octets.split_at(at);
                let wire = all_to(side, &[(TEXT_PART, first), (MORE, b""), (END, second)]);
                assert_eq!(see_all(side, &wire), [text(message)], "cut at {at}");
            }
        }
    }
}

#[test]
fn req_6455_8_1_1_req_3629_3_1_req_3629_3_2_overlong_forms_fail_with_1007() {
    let whole: [&[u8]; 6] = [
        b"\xC0\x80",
        b"\xC1\xBF",
        b"\xE0\x80\x80",
        b"\xE0\x9F\xBF",
        b"\xF0\x80\x80\x80",
        b"\xF0\x8F\xBF\xBF",
    ];
    OVERLONG.into_iter().chain(whole).for_each(fails_in_every_place);
}

#[test]
fn req_6455_8_1_1_req_3629_3_1_req_3629_3_3_surrogates_fail_with_1007() {
    let whole: [&[u8]; 5] =
        [b"\xED\xA0\x80", b"\xED\xAF\xBF", b"\xED\xB0\x80", b"\xED\xBF\xBF", b"\xED\xA1\x8C\xED\xBE\xB4"];
    SURROGATES.into_iter().chain(whole).for_each(fails_in_every_place);
}

#[test]
fn req_6455_8_1_1_req_3629_3_1_req_3629_3_4_nothing_is_above_10ffff() {
    let whole: [&[u8]; 4] =
        [b"\xF4\x90\x80\x80", b"\xF5\x80\x80\x80", b"\xF8\x88\x80\x80\x80", b"\xFC\x84\x80\x80\x80\x80"];
    TOO_LARGE.into_iter().chain(whole).for_each(fails_in_every_place);
}

#[test]
fn req_6455_8_1_1_req_3629_3_1_req_3629_3_5_lone_and_missing_octets_fail_with_1007() {
    MISPLACED.into_iter().chain(TRUNCATED).for_each(fails_in_every_place);
}

#[test]
fn req_3629_3_6_the_boundaries_of_every_range_are_text() {
    let all: String =
        [0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD, 0xFFFE, 0xFFFF, 0x1_0000, 0x1_FFFE, 0x10_FFFF]
            .map(|scalar| char::from_u32(scalar).unwrap())
            .iter()
            .collect();
    for side in BOTH {
        assert_eq!(see_all(side, &to(side, TEXT, all.as_bytes())), [text(&all)]);
        for character in all.chars().map(String::from) {
            assert_eq!(see_all(side, &to(side, TEXT, character.as_bytes())), [text(&character)]);
        }
    }
}

#[test]
fn req_3629_6_1_a_byte_order_mark_is_data() {
    for side in BOTH {
        let seen = see_all(side, &to(side, TEXT, b"\xEF\xBB\xBFA"));
        assert_eq!(seen, [part(MessageKind::Text, true, b"\xEF\xBB\xBFA", true)]);
    }
}

#[test]
fn req_t_utf8_1_text_fails_at_the_octet_that_decides_and_not_before() {
    for bad in OVERLONG.into_iter().chain(SURROGATES).chain(TOO_LARGE).chain(MISPLACED) {
        for side in BOTH {
            // In a fragment that is not the last, of a frame whose end has not come.
            let mut wire = header(TEXT_PART, key_to(side), 100);
            let key = key_to(side).unwrap_or([0; 4]);
            wire.extend(bad.iter().enumerate().map(|(i, octet)| octet ^ key[i % 4]));
            let (before, decisive) = wire.split_at(wire.len() - 1);
            let mut conn = connection(side, Config::new());
            let early: Vec<_> = before.chunks(1).flat_map(|byte| feed(&mut conn, byte)).collect();
            assert!(!early.contains(&Seen::Fail(INVALID)), "{bad:02x?}: too early");
            assert_eq!(feed(&mut conn, decisive), [Seen::Fail(INVALID)], "{bad:02x?}: too late");
            fails(side, Config::new(), &wire, INVALID, 1007);
        }
    }
}

#[test]
fn req_t_utf8_2_an_incomplete_character_at_the_end_of_a_message_fails_with_1007() {
    for bad in TRUNCATED {
        both_fail(&[(TEXT, bad)], INVALID, 1007);
        both_fail(&[(TEXT_PART, bad), (END, b"")], INVALID, 1007);
        both_fail(&[(TEXT_PART, b"ok"), (MORE, bad), (MORE, b""), (END, b"")], INVALID, 1007);
        // The end of a fragment, or of what was received so far, decides nothing.
        for side in BOTH {
            let seen = see_all(side, &to(side, TEXT_PART, bad));
            assert_eq!(seen, [part(MessageKind::Text, true, bad, false)]);
        }
    }
    // An incomplete character does not leak into the next message.
    for side in BOTH {
        let wire = all_to(side, &[(TEXT_PART, b"\xC2"), (END, b"\x80"), (TEXT, b"ok")]);
        assert_eq!(see_all(side, &wire), [text("\u{80}"), text("ok")]);
    }
}

#[test]
fn req_t_utf8_5_binary_is_never_checked() {
    for side in BOTH {
        for bad in OVERLONG.into_iter().chain(SURROGATES).chain(TOO_LARGE).chain(MISPLACED).chain(TRUNCATED) {
            assert_eq!(see_all(side, &to(side, BINARY, bad)), [binary(bad)]);
            let wire = all_to(side, &[(BINARY_PART, b""), (END, bad)]);
            assert_eq!(see_all(side, &wire), [binary(bad)]);
        }
    }
}

/// `&str` is text by type. Raw octets are checked where they are masked, at the octet that decides.
#[test]
fn req_t_utf8_4_raw_octets_sent_as_text_are_checked() {
    for bad in OVERLONG.into_iter().chain(SURROGATES).chain(TOO_LARGE).chain(MISPLACED) {
        for side in BOTH {
            let mut conn = connection(side, Config::new());
            conn.writer().begin(MessageKind::Text, false, 100).unwrap();
            let (before, decisive) = bad.split_at(bad.len() - 1);
            conn.writer().mask(&mut before.to_vec()).unwrap();
            let mut piece = decisive.to_vec();
            assert_eq!(conn.writer().mask(&mut piece), Err(SendError::InvalidUtf8), "{bad:02x?}");
            assert_eq!(piece, decisive, "unchanged");
            let mut out = [0xEE; 100];
            assert_eq!(conn.writer().mask_copy(decisive, &mut out), Err(SendError::InvalidUtf8));
            assert_eq!(out, [0xEE; 100]);
            assert_eq!(conn.writer().frame_remaining(), 100 - before.len() as u64);
        }
    }
    for bad in TRUNCATED {
        let mut conn = connection(Side::Client, Config::new());
        conn.writer().begin(MessageKind::Text, true, bad.len() as u64).unwrap();
        assert_eq!(conn.writer().mask(&mut bad.to_vec()), Err(SendError::InvalidUtf8), "{bad:02x?}");
        // Inside a message it is fine, and the next fragment goes on where it ended.
        let mut conn = connection(Side::Client, Config::new());
        conn.writer().begin(MessageKind::Text, false, bad.len() as u64).unwrap();
        assert_eq!(conn.writer().mask(&mut bad.to_vec()), Ok(()));
        conn.writer().begin(MessageKind::Text, true, 1).unwrap();
        assert_eq!(conn.writer().mask(&mut [b'A']), Err(SendError::InvalidUtf8));
    }
}

/// A character that a masked fragment leaves open cannot be passed over by ending the message another way.
#[test]
fn req_t_utf8_4_an_open_character_must_be_finished_by_whatever_comes_next() {
    for side in BOTH {
        let open = || {
            let mut conn = connection(side, Config::new());
            conn.writer().begin(MessageKind::Text, false, 2).unwrap();
            conn.writer().mask(&mut [0xE2, 0x82]).unwrap();
            conn
        };
        let refused = Err(SendError::InvalidUtf8);
        assert_eq!(open().writer().encode("A".into(), true, &mut [0; 64]), refused, "another character");
        assert_eq!(open().writer().encode("A".into(), false, &mut [0; 64]), refused);
        assert_eq!(open().writer().encode("".into(), true, &mut [0; 64]), refused, "an empty end");
        assert_eq!(open().writer().begin(MessageKind::Text, true, 0).map(|_| 0), refused, "an empty end");
        // An empty fragment in between is fine, and so is the octet that was missing.
        let mut conn = open();
        encode(&mut conn, "", false);
        conn.writer().begin(MessageKind::Text, false, 0).unwrap();
        conn.writer().begin(MessageKind::Text, true, 1).unwrap();
        conn.writer().mask(&mut [0xAC]).unwrap();
        encode(&mut conn, "next", true);
    }
}

/// Octets masked after fragments that were text by type are checked as well, from the beginning of a
/// character.
#[test]
fn req_t_utf8_4_raw_octets_after_fragments_of_str_are_checked() {
    for side in BOTH {
        let mut conn = connection(side, Config::new());
        // An earlier message must not be remembered.
        conn.writer().begin(MessageKind::Text, false, 1).unwrap();
        conn.writer().mask(&mut [0xC2]).unwrap();
        conn.writer().begin(MessageKind::Text, true, 1).unwrap();
        conn.writer().mask(&mut [0x80]).unwrap();

        encode(&mut conn, "text ", false);
        conn.writer().begin(MessageKind::Text, true, 2).unwrap();
        assert_eq!(conn.writer().mask(&mut [0xFF]), Err(SendError::InvalidUtf8));
        assert_eq!(conn.writer().mask(&mut [0xC2]), Ok(()));
        assert_eq!(conn.writer().mask(&mut [0x80]), Ok(()));
    }
}

/// A proxy passes pieces on unchanged, even if they split characters.
#[test]
fn pieces_of_text_are_forwarded_as_they_came() {
    let message = "a€😀z";
    for cut in 1..message.len() {
        let (first, second) = message.as_bytes().split_at(cut);
        let mut from = connection(Side::Server, Config::new());
        let mut onward = connection(Side::Client, Config::new());
        let mut wire = Vec::new();
        for mut piece in [to(Side::Server, TEXT_PART, first), to(Side::Server, END, second)] {
            let mut input = Input::new(&mut piece);
            while let Some(event) = from.recv(&mut input).unwrap() {
                let Event::Data(data) = event else { panic!() };
                wire.extend(encode(&mut onward, Payload::forward(&data).unwrap(), data.is_last()));
            }
        }
        assert_eq!(see_all(Side::Server, &wire), [text(message)]);
    }
}

#[test]
fn as_str_is_given_where_a_piece_is_cut_between_characters() {
    let mut conn = connection(Side::Client, Config::new());
    let mut pieces = Vec::new();
    for mut piece in [
        to(Side::Client, TEXT_PART, b"ab\xE2"),
        to(Side::Client, MORE, b"\x82\xACc"),
        to(Side::Client, END, b"de"),
    ] {
        let mut input = Input::new(&mut piece);
        let Ok(Some(Event::Data(data))) = conn.recv(&mut input) else { panic!() };
        pieces.push(data.as_str().map(str::to_owned));
    }
    assert_eq!(pieces, [None, None, Some("de".to_owned())]);
}

#[test]
fn a_check_that_failed_stays_failed() {
    for bad in OVERLONG.into_iter().chain(SURROGATES).chain(TOO_LARGE).chain(MISPLACED) {
        for cut in 0..bad.len() {
            let mut check = Utf8Check::new();
            let result = check.push(&bad[..cut]).and_then(|()| check.push(&bad[cut..]));
            assert!(result.is_err(), "{bad:02x?}");
            assert!(
                check.push(b"A").is_err() && check.push("€".as_bytes()).is_err(),
                "{bad:02x?}, cut at {cut}"
            );
            assert!(!check.is_complete());
        }
    }
}

/// What the standard library says of a whole text: how much could still become valid, and whether it may end
/// there.
fn oracle(octets: &[u8]) -> Result<bool, InvalidUtf8> {
    match std::str::from_utf8(octets) {
        Ok(_) => Ok(true),
        Err(error) if error.error_len().is_none() => Ok(false),
        Err(_) => Err(Utf8Check::new().push(b"\xFF").unwrap_err()),
    }
}

#[test]
fn the_check_agrees_with_the_standard_library_on_every_text_of_two_octets_and_many_of_four() {
    let interesting =
        [0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC2, 0xE0, 0xED, 0xF0, 0xF4, 0xF5, 0xFF];
    for first in 0..=u8::MAX {
        for second in 0..=u8::MAX {
            let mut check = Utf8Check::new();
            let singly =
                check.push(&[first]).and_then(|()| check.push(&[second])).map(|()| check.is_complete());
            assert_eq!(singly, oracle(&[first, second]));
            if !interesting.contains(&first) {
                continue;
            }
            for third in interesting {
                for fourth in interesting {
                    let octets = [first, second, third, fourth];
                    for cut in 0..=4 {
                        let mut check = Utf8Check::new();
                        let (head, tail) = octets.split_at(cut);
                        let result =
                            check.push(head).and_then(|()| check.push(tail)).map(|()| check.is_complete());
                        assert_eq!(result, oracle(&octets), "{octets:02x?} cut at {cut}");
                    }
                }
            }
        }
    }
}

/// Every octet after every beginning of a character, checked together with what was received before.
fn goes_on(check: Utf8Check, begun: &mut Vec<u8>) {
    for octet in 0..=u8::MAX {
        begun.push(octet);
        let mut check = check;
        let result = check.push(&[octet]).map(|()| check.is_complete());
        assert_eq!(result, oracle(begun), "{begun:02x?}");
        if begun.len() < 4 {
            // The same after a text that is checked in another way.
            let long = [b"many octets: ".as_slice(), begun].concat();
            let mut check = Utf8Check::new();
            assert_eq!(check.push(&long).map(|()| check.is_complete()), result, "{begun:02x?}");
        }
        if result == Ok(false) {
            goes_on(check, begun);
        }
        begun.pop();
    }
}

#[test]
fn req_t_utf8_1_every_octet_is_judged_after_every_beginning_of_a_character() {
    goes_on(Utf8Check::new(), &mut Vec::new());
}

/// What reads of `len` octets bring of a message: its pieces, up to the failure if it fails.
fn in_reads_of(len: usize, octets: &[u8]) -> (Vec<(usize, bool)>, Result<(), ProtocolError>) {
    let mut wire = to(Side::Server, TEXT, octets);
    let mut conn = connection(Side::Server, Config::new());
    let (mut pieces, mut at) = (Vec::new(), 0);
    for read in wire.chunks_mut(len) {
        let mut input = Input::new(read);
        while input.remaining() > 0 {
            match conn.recv(&mut input) {
                Ok(Some(Event::Data(data))) => {
                    assert_eq!(data.as_bytes(), &octets[at..at + data.as_bytes().len()]);
                    assert!(data.as_str().map_or(true, |text| text.as_bytes() == data.as_bytes()));
                    at += data.as_bytes().len();
                    pieces.push((at, data.as_str().is_some()));
                }
                Ok(None) => {}
                Ok(Some(other)) => panic!("{other:?}"),
                Err(error) => return (pieces, Err(error)),
            }
        }
    }
    (pieces, Ok(()))
}

/// Pieces of a few octets are checked in another way than longer ones.
#[test]
fn req_t_utf8_1_reads_of_any_length_bring_the_same_text_and_fail_at_the_same_octet() {
    let text: String = "Zażółć, いろは €😀\u{10FFFF}\u{D7FF} and only ASCII at the end".into();
    for len in 1..=40 {
        let (pieces, result) = in_reads_of(len, text.as_bytes());
        assert_eq!((result, pieces.last().map(|(end, _)| *end)), (Ok(()), Some(text.len())));
        let mut begin = 0;
        for (end, is_str) in pieces {
            let expected = text.is_char_boundary(begin) && text.is_char_boundary(end);
            assert_eq!(is_str, expected, "{begin} to {end} in reads of {len}");
            begin = end;
        }
        for at in 0..text.len() {
            for octet in [b'a', 0x80, 0xC2, 0xE2, 0xFF] {
                let mut octets = text.clone().into_bytes();
                octets[at] = octet;
                let (pieces, result) = in_reads_of(len, &octets);
                let came = pieces.last().map_or(0, |(end, _)| *end);
                let fails = oracle(&octets) != Ok(true);
                assert_eq!(result, if fails { Err(INVALID) } else { Ok(()) }, "{octet:02x} at {at} in {len}");
                // The index of the first octet that no text can have there, or of the one that ends the message
                // too early.
                let decides = (1..octets.len()).find(|end| oracle(&octets[..*end]).is_err());
                let decides = decides.unwrap_or(octets.len()) - 1;
                let failed_at = came..came + len;
                assert!(!fails || failed_at.contains(&decides), "{octet:02x} at {at} in reads of {len}");
            }
        }
    }
}

/// The result of `octets` as one whole text message in one read.
fn whole_message(octets: &[u8]) -> Result<(), ProtocolError> {
    let mut wire = to(Side::Server, TEXT, octets);
    let mut conn = connection(Side::Server, Config::new());
    match conn.recv(&mut Input::new(&mut wire))? {
        Some(Event::Data(data)) => {
            assert!(data.is_first() && data.is_last());
            assert_eq!(data.as_bytes(), octets);
            assert_eq!(data.as_str().map(str::as_bytes), Some(octets));
            Ok(())
        }
        other => panic!("{other:?}"),
    }
}

/// The loops differ by length, and vectors begin anywhere: at every length and place, with any features.
#[test]
fn req_t_utf8_1_one_octet_or_character_is_judged_at_every_place_of_texts_of_every_length() {
    let parts: [&[u8]; 12] = [
        b"\x80",
        b"\xC2",
        b"\xFF",
        b"\xC0\x80",
        b"\xED\xA0\x80",
        b"\xF4\x90\x80\x80",
        b"\xE2\x82",
        b"\xF0\x9F\x98",
        "\u{7FF}".as_bytes(),
        "€".as_bytes(),
        "😀".as_bytes(),
        b"~",
    ];
    for len in (0..=132).chain([190, 191, 192, 193, 250, 255, 256, 257, 300]) {
        for part in parts.into_iter().filter(|part| part.len() <= len) {
            // Near the ends of blocks, and wherever a short text has a place.
            let places = 0..=len - part.len();
            for at in places.filter(|at| len < 80 || at % 16 < 2 || at % 16 > 12 || at + 6 > len) {
                let mut octets = vec![b'a'; len];
                octets[at..at + part.len()].copy_from_slice(part);
                let (whole, check) = (oracle(&octets), Utf8Check::new().push(&octets));
                assert_eq!(check, whole.map(|_| ()), "{part:02x?} at {at} of {len}");
                let expected = if whole == Ok(true) { Ok(()) } else { Err(INVALID) };
                assert_eq!(whole_message(&octets), expected, "{part:02x?} at {at} of {len}");
            }
        }
    }
}

/// A cut inside a character is no error wherever it falls, and the rest is judged from there.
#[test]
fn req_t_utf8_1_long_texts_may_be_cut_anywhere() {
    let text: String = "abcé€😀\u{10FFFF}\u{D7FF}".chars().cycle().take(160).collect();
    let octets = text.as_bytes();
    for cut in 0..=octets.len() {
        let (head, tail) = octets.split_at(cut);
        let mut check = Utf8Check::new();
        assert_eq!((check.push(head), check.is_complete()), (Ok(()), text.is_char_boundary(cut)), "{cut}");
        assert_eq!((check.push(tail), check.is_complete()), (Ok(()), true), "{cut}");
        // Something else where a character should go on, or end.
        for octet in [b'a', 0x80, 0xC2, 0xFF] {
            let mut check = Utf8Check::new();
            let broken = [&[octet], tail].concat();
            let result = check.push(head).and_then(|()| check.push(&broken)).map(|()| check.is_complete());
            assert_eq!(result, oracle(&[head, &broken].concat()), "{octet:02x} at {cut}");
        }
    }
}

proptest! {
    #[test]
    fn whole_messages_agree_with_the_standard_library(
        mut octets in "[ -~]{0,90}([a-zé€😀]{0,80}|[ -~]{0,300})".prop_map(String::into_bytes),
        broken in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        if let Some((at, octet)) = broken {
            if !octets.is_empty() {
                let at = at.index(octets.len());
                octets[at] = octet;
            }
        }
        let expected = if oracle(&octets) == Ok(true) { Ok(()) } else { Err(INVALID) };
        prop_assert_eq!(whole_message(&octets), expected);
    }

    #[test]
    fn the_check_agrees_with_the_standard_library_on_any_pieces(
        mut octets in "[a-zé€😀]{0,24}([ -~é]{0,200})?".prop_map(String::into_bytes),
        broken in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        cuts in prop::collection::vec(prop_oneof![3 => 0_usize..6, 1 => 60_usize..100], 0..20),
    ) {
        if let Some((at, octet)) = broken {
            if !octets.is_empty() {
                let at = at.index(octets.len());
                octets[at] = octet;
            }
        }
        let mut check = Utf8Check::new();
        let (mut at, mut result) = (0, Ok(()));
        for cut in cuts.into_iter().chain([octets.len()]) {
            let end = (at + cut).min(octets.len());
            result = result.and_then(|()| check.push(&octets[at..end]));
            // Fail fast: never later than the octet that decides, never before.
            prop_assert_eq!(result.is_err(), oracle(&octets[..end]).is_err());
            at = end;
        }
        prop_assert_eq!(result.map(|()| check.is_complete()), oracle(&octets));
    }
}
