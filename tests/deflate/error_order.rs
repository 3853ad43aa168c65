//! The first wrong octet decides which error is reported, however the input is cut. If text is invalid before
//! the compressed data breaks or a limit is exceeded, the text is the error.

use crate::common;
use crate::compressed;

use common::codec::{self, echoes, noise, sizes, Cuts, WHOLE};
use common::streams::{cut, ByHand, Zlib, FIXED};
use common::{frame, BOTH, KEY as MASK};
use compressed::{peer, receive, receive_pieces, ALL};
use proptest::prelude::*;
use proptest::sample::Index;
use sockless::deflate::{Inflater, Params};
use sockless::{Config, Limits, MessageKind, ProtocolError, Side};

type Error = ProtocolError;

fn cuts(input: usize, room: usize) -> Cuts<'static> {
    // They live as long as the program, which is short.
    Cuts { input: vec![input].leak(), room: vec![room].leak() }
}

/// What the codec alone says of the messages, cut like this.
fn inflated(
    limits: Limits,
    kind: MessageKind,
    messages: &[Vec<u8>],
    cuts: Cuts<'_>,
) -> (usize, Option<Error>) {
    let mut inflater = Inflater::new(&Params::DEFAULT, Side::Client, limits);
    for (at, message) in messages.iter().enumerate() {
        if let Err(error) = codec::inflate(&mut inflater, kind, message, cuts) {
            return (at, Some(error));
        }
    }
    (messages.len(), None)
}

/// The messages as frames to `side`, in fragments of these sizes.
fn frames(side: Side, kind: MessageKind, messages: &[Vec<u8>], sizes: &[usize]) -> Vec<u8> {
    let key = (side == Side::Server).then_some(MASK);
    let mut wire = Vec::new();
    for message in messages {
        let mut first = 0x40 | if kind == MessageKind::Text { 1 } else { 2 };
        let mut rest = &message[..];
        for size in sizes.iter().cycle() {
            let (fragment, after) = rest.split_at(rest.len().min(*size));
            rest = after;
            wire.extend(frame(if rest.is_empty() { first | 0x80 } else { first }, key, fragment));
            first = 0;
            if rest.is_empty() {
                break;
            }
        }
    }
    wire
}

/// What an endpoint says of them, whole and in pieces, in reads of these sizes: always the same, which is returned.
fn received(
    limits: Limits,
    kind: MessageKind,
    messages: &[Vec<u8>],
    sizes: &[usize],
    chunks: &[usize],
) -> Vec<(usize, Option<Error>)> {
    let config = Config::new().with_limits(limits);
    let mut all = Vec::new();
    for side in BOTH {
        let wire = frames(side, kind, messages, sizes);
        for chunk in chunks {
            let (whole, error) = receive(&mut peer(side, Params::DEFAULT, ALL, config), &wire, *chunk);
            all.push((whole.len(), error));
            let (whole, _, error) =
                receive_pieces(&mut peer(side, Params::DEFAULT, ALL, config), &wire, *chunk);
            all.push((whole.len(), error));
        }
    }
    all
}

/// The same error over many cuts of one text message.
fn check(what: &str, limits: Limits, payload: &[u8], expected: Option<Error>) {
    let messages = [payload.to_vec()];
    let want = (usize::from(expected.is_none()), expected);
    let long = payload.len() > 300;
    let lens =
        if long { vec![1, 491, 16_384, usize::MAX] } else { vec![1, 2, 3, 5, 8, 13, 40, 100, usize::MAX] };
    for input in &lens {
        let rooms = if long { [1 << 18, 4096, 511] } else { [512, 1, 3] };
        for room in rooms {
            let got = inflated(limits, MessageKind::Text, &messages, cuts(*input, room));
            assert_eq!(got, want, "{what}: by {input} into {room}");
        }
        let sizes = [(*input).min(1 << 20)];
        for got in
            received(limits, MessageKind::Text, &messages, &sizes, &[if long { 999 } else { 1 }, usize::MAX])
        {
            assert_eq!(got, want, "{what}: in fragments of {input}");
        }
    }
}

#[test]
fn text_that_is_wrong_before_the_data_breaks_is_told_first() {
    let strict = Limits::DEFAULT;
    // "J" and a fixed code of 0xFF that is complete, then nothing that could be a block.
    let found = [0x4A, 0xFC, 0x0F, 0x00, 0x00, 0x00, 0xFF, 0xFF];
    check("as it was found", strict, &found, Some(Error::InvalidUtf8));
    let hello = |octets: &[u8]| ByHand::new().block(false, FIXED).literals(b"Hello").literals(octets);
    for (wrong, what) in [(&b"\xFF"[..], "no text"), (b"\xC3(", "a character that breaks off")] {
        check(what, strict, &hello(wrong).fixed(256).flush(), Some(Error::InvalidUtf8));
        for (broken, how) in [
            (hello(wrong).fixed(286).fixed(256).flush(), "then no symbol"),
            (hello(wrong).copy(30, 0, 0).fixed(256).flush(), "then no distance"),
            (hello(wrong).copy(20, 0, 9).fixed(256).flush(), "then a distance too far"),
            (hello(wrong).fixed(256).block(false, 3).flush(), "then no block"),
            (hello(wrong).bytes(), "then nothing"),
        ] {
            check(&format!("{what}, {how}"), strict, &broken, Some(Error::InvalidUtf8));
        }
    }
    for (broken, how) in [
        (hello(b"").fixed(286).literals(b"\xFF").fixed(256).flush(), "no symbol, then no text"),
        (hello(b"").copy(30, 0, 0).literals(b"\xFF").fixed(256).flush(), "no distance, then no text"),
        (hello(b"\xC3").fixed(286).fixed(256).flush(), "a character that may go on, then no symbol"),
        (hello(b"\xC3").bytes(), "a character that may go on, then nothing"),
        (hello(b"").bytes(), "nothing"),
    ] {
        check(how, strict, &broken, Some(Error::InvalidCompressedData));
    }
    check(
        "a character that does not go on",
        strict,
        &hello(b"\xC3").fixed(256).flush(),
        Some(Error::InvalidUtf8),
    );
    check("a text", strict, &hello("é".as_bytes()).fixed(256).flush(), None);
}

/// If a message is cut short, the tail may complete it to octets that are not part of its text.
#[test]
fn what_the_tail_adds_to_a_message_that_was_cut_short_is_not_its_text() {
    let mut zlib = Zlib::new(6, 8, 15);
    let text: Vec<u8> = "Grüße aus Ærøskøbing, 12 °C – ".repeat(9).into_bytes();
    let payload = cut(&zlib.sync(&text)).to_vec();
    for len in (1..payload.len()).step_by(3) {
        check(&format!("{len} octets"), Limits::DEFAULT, &payload[..len], Some(Error::InvalidCompressedData));
    }
}

#[test]
fn text_that_is_wrong_before_a_limit_is_told_first() {
    let mut text = vec![b'x'; 300_000];
    let deflated = |text: &[u8]| cut(&Zlib::new(6, 8, 15).sync(text)).to_vec();
    let size = Limits::DEFAULT.with_max_message_size(200_000).with_max_expansion(u16::MAX);
    check("too long", size, &deflated(&text), Some(Error::MessageTooBig));
    text[199_999] = 0xFF;
    check("no text, then too long", size, &deflated(&text), Some(Error::InvalidUtf8));
    text[199_999] = b'x';
    text[200_000] = 0xFF;
    check("too long, then no text", size, &deflated(&text), Some(Error::MessageTooBig));
}

/// The expansion of an octet is compared with what was received before it, not with what is in the buffer.
#[test]
fn what_comes_behind_an_expansion_does_not_make_up_for_it() {
    let limits = Limits::DEFAULT.with_max_expansion(20).with_max_fragments(u32::MAX);
    let long = vec![b'x'; 3 << 20];
    let noise: Vec<u8> = noise(7, 200_000).iter().map(|octet| octet & 0x7F).collect();
    let deflated = |text: &[u8]| cut(&Zlib::new(6, 8, 15).sync(text)).to_vec();
    let ends_well = deflated(&[&long[..], &noise].concat());
    assert!(ends_well.len() * 20 > long.len() + noise.len(), "on the average it is within the bound");
    check("a run, then noise", limits, &ends_well, Some(Error::ExpansionTooBig));
    let begins_well = deflated(&[&noise[..], &long].concat()); // what was not used up is not lost
    let messages = [begins_well];
    for (input, room) in [(1, 4096), (491, 1 << 18), (usize::MAX, 1 << 18)] {
        assert_eq!(inflated(limits, MessageKind::Text, &messages, cuts(input, room)), (1, None));
    }
    let mut wrong = [&long[..], &noise].concat();
    wrong[60_000] = 0x80;
    check("no text, then a run", limits, &deflated(&wrong), Some(Error::InvalidUtf8));
}

/// Texts, most of them good, compressed by all sorts of means.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        3 => "[a-zé€😀 ]{0,300}".prop_map(String::into_bytes),
        2 => (any::<u32>(), 0..3000_usize).prop_map(|(seed, len)| {
            echoes(seed, len).into_iter().map(|octet| octet & 0x7F).collect()
        }),
        1 => (0..200_000_usize).prop_map(|len| vec![b'z'; len]),
        1 => (any::<u32>(), 0..400_usize).prop_map(|(seed, len)| noise(seed, len)),
    ];
    let bad = prop::collection::vec((any::<Index>(), any::<u8>()), 0..2);
    (text, bad, 0..=9_u8, any::<bool>()).prop_map(|(mut text, bad, level, end)| {
        for (index, octet) in bad {
            if !text.is_empty() {
                let at = index.index(text.len());
                text[at] = octet;
            }
        }
        let mut zlib = Zlib::new(level, 8, 15);
        if end {
            return [&zlib.finish(&text)[..], &[0x00]].concat();
        }
        match zlib.sync(&text) {
            payload if payload.is_empty() => vec![0x00],
            payload => cut(&payload).to_vec(),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_cut_of_corrupted_messages_changes_which_error_is_reported(
        payloads in prop::collection::vec(payload(), 1..3),
        damage in prop::collection::vec((any::<Index>(), any::<u8>(), 0..3_u8), 0..3),
        text in prop::bool::weighted(0.8),
        expansion in prop::sample::select(vec![1_u16, 2, 20, 200, u16::MAX]),
        most in prop::sample::select(vec![50_u64, 1000, 100_000, 64 << 20]),
        (input, room) in (sizes(), sizes()),
        (fragments, chunk) in (sizes(), 1..2000_usize),
    ) {
        let kind = if text { MessageKind::Text } else { MessageKind::Binary };
        let mut payloads = payloads;
        let last = payloads.last_mut().unwrap();
        for (index, octet, how) in damage {
            let at = index.index(last.len() + 1);
            match how {
                0 => last.truncate(at.max(1)),
                1 => last.insert(at, octet),
                _ => *last.get_mut(at.saturating_sub(1)).unwrap() ^= octet,
            }
        }
        let limits = Limits::DEFAULT.with_max_expansion(expansion).with_max_message_size(most);
        let whole = inflated(limits, kind, &payloads, WHOLE);
        let inputs = [&[1_usize][..], &[usize::MAX], &input];
        for input in inputs {
            for room in [&[1 << 18][..], &[511], &room] {
                prop_assert_eq!(inflated(limits, kind, &payloads, Cuts { input, room }), whole);
            }
        }
        for sizes in [&[1 << 20][..], &fragments] {
            for got in received(limits, kind, &payloads, sizes, &[chunk, usize::MAX]) {
                prop_assert_eq!(got, whole);
            }
        }
    }
}
