//! With all messages, parameters, settings and pieces: what was compressed can be inflated, and stays in its
//! window.

use crate::common;

use common::codec::*;
use common::inflate::Reference;
use common::streams::{cut, Zlib};
use common::BOTH;
use proptest::prelude::*;
use sockless::deflate::{Deflater, Flush, Inflater, Pool, Tuning};
use sockless::{Limits, MessageKind, Side};

fn side() -> impl Strategy<Value = Side> {
    prop::sample::select(&BOTH[..])
}

fn tuning() -> impl Strategy<Value = Tuning> {
    let levels = (0..=9_u8, 1..=9_u8);
    levels.prop_map(|(level, memory)| Tuning::DEFAULT.with_level(level).with_memory_level(memory))
}

/// Messages as fragments.
fn messages(most: usize) -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
    let message = prop_oneof![
        4 => octets(most).prop_map(|whole| vec![whole]),
        1 => prop::collection::vec(octets(6000), 1..4),
    ];
    prop::collection::vec(message, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn req_7692_7_2_1_11_req_7692_7_2_1_12_req_7692_7_2_1_5_messages_come_back_and_no_distance_leaves_the_window(
        (sender, takeover, bits, tuning) in (side(), any::<bool>(), 8..=15_u8, tuning()),
        messages in messages(100_000),
        cuts in [(sizes(), sizes()), (sizes(), sizes())],
    ) {
        let params = agreed(sender, takeover, bits);
        let cuts = cuts.each_ref().map(|(input, room)| Cuts { input, room });
        let mut out = Deflater::new(&params, sender, tuning);
        let mut back = Inflater::new(&params, sender, Limits::DEFAULT);
        let mut reference = Reference::new(1 << bits);
        for fragments in &messages {
            let (mut payload, mut got) = (Vec::new(), Vec::new());
            for (at, fragment) in fragments.iter().enumerate() {
                let last = at + 1 == fragments.len();
                let flush = if last { Flush::Message } else { Flush::Fragment };
                let part = deflate(&mut out, fragment, flush, cuts[0]);
                let kind = MessageKind::Binary;
                let result = inflate_part(&mut back, kind, (&part, last), cuts[1], &mut got);
                prop_assert_eq!(result, Ok(()));
                payload.extend_from_slice(&part);
                // The end of a fragment is the end of an octet: all that was given has come out.
                prop_assert_eq!(got.len(), fragments[..=at].iter().map(Vec::len).sum::<usize>());
            }
            let message = fragments.concat();
            prop_assert!(got == message);
            prop_assert!(reference.message(&payload).as_ref() == Ok(&message));
            if !takeover {
                reference.forget();
            }
        }
    }

    #[test]
    fn texts_come_back_as_text(
        (sender, takeover, bits, tuning) in (side(), any::<bool>(), 8..=15_u8, tuning()),
        texts in prop::collection::vec("[a-e €😀\u{0}]{0,60}|(ab€)*|\\PC{0,40}", 1..6),
        cuts in [(sizes(), sizes()), (sizes(), sizes())],
    ) {
        let params = agreed(sender, takeover, bits);
        let cuts = cuts.each_ref().map(|(input, room)| Cuts { input, room });
        let mut out = Deflater::new(&params, sender, tuning);
        let mut back = Inflater::new(&params, sender, Limits::DEFAULT);
        for text in &texts {
            let payload = deflate(&mut out, text.as_bytes(), Flush::Message, cuts[0]);
            let got = inflate(&mut back, MessageKind::Text, &payload, cuts[1]);
            prop_assert_eq!(got.as_deref(), Ok(text.as_bytes()));
        }
    }

    #[test]
    fn what_zlib_flushed_inflates(
        (level, memory_level, bits) in (0..=9_u8, 1..=9_u8, 9..=15_u8),
        (sender, takeover) in (side(), any::<bool>()),
        messages in prop::collection::vec(octets(100_000), 1..4),
        (input, room) in (sizes(), sizes()),
    ) {
        let mut zlib = Zlib::new(level, memory_level, bits);
        let params = agreed(sender, takeover, bits);
        let mut back = Inflater::new(&params, sender, Limits::DEFAULT);
        for message in &messages {
            let flushed = zlib.sync(message);
            let payload = if flushed.is_empty() { &[0x00][..] } else { cut(&flushed) };
            let cuts = Cuts { input: &input, room: &room };
            let got = inflate(&mut back, MessageKind::Binary, payload, cuts);
            prop_assert!(got.as_ref() == Ok(message));
            if !takeover {
                zlib.forget();
            }
        }
    }

    #[test]
    fn req_7692_7_2_1_3_what_zlib_finished_inflates_and_the_next_message_refers_to_it(
        (level, bits) in (0..=9_u8, 9..=15_u8),
        parts in prop::collection::vec(octets(60_000), 1..4),
        (input, room) in (sizes(), sizes()),
    ) {
        // One message of several streams, each ended by BFINAL, and after it one that copies its last octets.
        let mut payload = Vec::new();
        for part in &parts {
            payload.extend(Zlib::new(level, 8, bits).finish(part));
        }
        payload.push(0x00);
        let message = parts.concat();
        let params = agreed(Side::Client, true, bits);
        let mut back = Inflater::new(&params, Side::Client, Limits::DEFAULT);
        let cuts = Cuts { input: &input, room: &room };
        let got = inflate(&mut back, MessageKind::Binary, &payload, cuts);
        prop_assert!(got.as_ref() == Ok(&message));

        let mut reference = Reference::new(1 << bits);
        prop_assert!(reference.message(&payload).as_ref() == Ok(&message));
        let mut zlib = Zlib::new(6, 8, bits);
        zlib.sync(&message);
        let again = &message[message.len().saturating_sub(200)..];
        let flushed = zlib.sync(again);
        let payload = if flushed.is_empty() { &[0x00][..] } else { cut(&flushed) };
        prop_assert_eq!(reference.message(payload), Ok(again.to_vec()));
        prop_assert_eq!(binary(&mut back, payload), Ok(again.to_vec()));
    }

    #[test]
    fn with_plenty_of_room_the_octets_are_those_of_zlib(
        (sender, takeover, bits) in (side(), any::<bool>(), 9..=15_u8),
        (level, memory_level) in (0..=9_u8, 1..=9_u8),
        messages in prop::collection::vec(octets(100_000), 1..4),
    ) {
        let tuning = Tuning::DEFAULT.with_level(level).with_memory_level(memory_level);
        let mut out = Deflater::new(&agreed(sender, takeover, bits), sender, tuning);
        let mut zlib = Zlib::new(level, memory_level, bits);
        for message in &messages {
            let got = self::message(&mut out, message);
            let flushed = zlib.sync(message);
            let expected = if flushed.is_empty() { &[0x00][..] } else { cut(&flushed) };
            prop_assert!(got == expected, "{} octets", message.len());
            if !takeover {
                zlib.forget();
            }
        }
    }

    #[test]
    fn nothing_is_longer_than_the_bound(
        (sender, takeover, bits, tuning) in (side(), any::<bool>(), 8..=15_u8, tuning()),
        messages in prop::collection::vec(octets(40_000), 1..4),
        few in prop::option::of(1..200_u8),
    ) {
        let mut out = Deflater::new(&agreed(sender, takeover, bits), sender, tuning);
        for message in &messages {
            // Octets above 143 have the longest fixed codes.
            let message: Vec<u8> = match few {
                None => message.clone(),
                Some(few) => message.iter().map(|octet| 255 - octet % few.min(111)).collect(),
            };
            let mut rest = &message[..];
            let mut room = vec![0; Deflater::bound(message.len())];
            let step = out.deflate(&mut rest, Flush::Fragment, &mut room).unwrap();
            prop_assert!(step.done && rest.is_empty());
        }
    }
}

/// Texts that tempt a compressor to look back just as far as it must not: repetitions with every period about
/// `edge`, and a mixture.
fn temptations(edge: usize) -> Vec<Vec<u8>> {
    let mut texts = vec![echoes(1, 5 * edge), noise(2, edge + 1).repeat(3)];
    // Every period from well inside to outside the window; far from the edge in larger steps.
    let near = (edge - 12..=edge + 12).chain((edge / 2..edge * 2).step_by(edge / 16 + 1));
    texts.extend(near.map(|period| noise(period as u32, period).repeat(3)));
    texts
}

/// The largest distance in the temptations for a window of `edge`, under these parameters and settings.
fn largest_distance(sender: Side, bits: u8, tuning: Tuning, edge: usize, room: usize) -> usize {
    let params = agreed(sender, true, bits);
    let mut out = Deflater::new(&params, sender, tuning);
    let mut reference = Reference::new(1 << bits);
    for (at, text) in temptations(edge).iter().enumerate() {
        let cuts = Cuts { input: &[700, 1, 4000], room: &[room] };
        let payload = deflate(&mut out, text, Flush::Message, cuts);
        let got = reference.message(&payload);
        assert!(got.as_ref() == Ok(text), "{sender:?}, {bits} bits, {tuning:?}, text {at}: {:?}", got.err());
    }
    reference.max_distance
}

#[test]
fn req_t_pmd_1_req_7692_7_2_1_11_req_7692_7_2_1_12_a_window_of_256_octets_is_kept_at_every_setting() {
    let settings = (0..=9).flat_map(|level| (1..=9).map(move |memory| (level, memory)));
    for ((level, memory_level), sender) in settings.zip(BOTH.into_iter().cycle()) {
        let tuning = Tuning::DEFAULT.with_level(level).with_memory_level(memory_level);
        let room = if memory_level % 4 == 1 { 7 } else { 1 << 18 };
        let used = largest_distance(sender, 8, tuning, 256, room);
        // It is used, too.
        assert!(level == 0 || (200..=256).contains(&used), "{used} at {tuning:?}");
    }
    // The same texts reach further in the next larger window.
    assert!(largest_distance(Side::Server, 10, Tuning::DEFAULT, 256, 1 << 18) > 256);
}

#[test]
fn req_7692_7_2_1_11_req_7692_7_2_1_12_larger_windows_are_kept_at_every_level() {
    for (bits, sender) in (9..=12).zip(BOTH.into_iter().cycle()) {
        for level in [1, 2, 3, 4, 6, 9] {
            let tuning = Tuning::DEFAULT.with_level(level).with_memory_level(9);
            let window = 1_usize << bits;
            let used = largest_distance(sender, bits, tuning, window, 1 << 18);
            assert!(used > window / 4, "{used} with {bits} bits at level {level}");
        }
    }
}

#[test]
fn req_7692_7_2_1_11_req_7692_7_2_1_12_windows_are_kept_where_senders_share_a_pool() {
    let pool = Pool::new(3);
    let text = [noise(1, 300).repeat(2), noise(2, 3000).repeat(2), noise(3, 20_000).repeat(2)].concat();
    for round in 0..3 {
        for bits in [15, 8, 12, 9, 15, 8] {
            let params = agreed(Side::Server, false, bits);
            let mut out = Deflater::new(&params, Side::Server, Tuning::DEFAULT.with_level(1 + round));
            out = out.with_pool(pool.clone());
            let mut back = Inflater::new(&params, Side::Server, Limits::DEFAULT).with_pool(pool.clone());
            for _ in 0..2 {
                let payload = message(&mut out, &text);
                assert!(Reference::new(1 << bits).message(&payload).as_ref() == Ok(&text), "{bits} bits");
                assert!(binary(&mut back, &payload).as_ref() == Ok(&text));
            }
            assert!(pool.idle().1 <= 3);
        }
    }
}

#[test]
fn req_7692_7_2_1_5_the_largest_window_is_kept() {
    let mut out = Deflater::new(&agreed(Side::Server, true, 15), Side::Server, Tuning::DEFAULT.with_level(6));
    let mut reference = Reference::new(32_768);
    for period in [32_000, 32_505, 32_506, 32_507, 32_767, 32_768, 32_769, 40_000] {
        let text = noise(period, period as usize).repeat(3);
        let payload = message(&mut out, &text);
        assert!(reference.message(&payload) == Ok(text), "period {period}");
    }
    assert!(reference.max_distance > 32_000, "{}", reference.max_distance);
}

#[test]
fn req_t_pmd_1_windows_of_256_octets_work_in_both_directions() {
    for sender in BOTH {
        let params = agreed(sender, true, 8);
        let mut out = Deflater::new(&params, sender, Tuning::DEFAULT);
        let mut back = Inflater::new(&params, sender, Limits::DEFAULT);
        for text in temptations(256) {
            let payload = message(&mut out, &text);
            assert_eq!(binary(&mut back, &payload), Ok(text));
        }
    }
}
