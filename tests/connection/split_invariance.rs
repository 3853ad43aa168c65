//! How input is cut has no meaning: the same bytes in any chunks give the same events, the same error and the
//! same replies.

use crate::common;

use common::*;
use proptest::prelude::*;
use proptest::sample::Index;
use sockless::frame::Rsv;
use sockless::{Config, Event, Input, Limits, MessageKind, ProtocolError, Side};

/// What one run shows, data pieces joined.
#[derive(Debug)]
struct Outcome {
    seen: Vec<Seen>,
    error: Option<ProtocolError>,
    replies: Vec<(u8, Vec<u8>)>,
    mid_message: bool,
    frame_remaining: u64,
}

/// Gives `bytes` in chunks of these sizes, over and over.
fn run(side: Side, config: Config, bytes: &[u8], sizes: &[usize]) -> Outcome {
    let mut conn = connection(side, config);
    let (mut seen, mut rest) = (Vec::new(), bytes);
    for size in sizes.iter().cycle() {
        let (chunk, after) = rest.split_at((*size).min(rest.len()));
        seen.extend(feed(&mut conn, chunk));
        if after.is_empty() {
            break;
        }
        rest = after;
    }
    let error = match seen.last() {
        Some(Seen::Fail(error)) => Some(*error),
        _ => None,
    };
    seen.retain(|seen| !matches!(seen, Seen::Fail(_)));
    let mid_message = conn.reader().is_mid_message();
    let frame_remaining = conn.reader().frame_remaining();
    Outcome { seen: joined(seen), error, replies: owed(&mut conn), mid_message, frame_remaining }
}

/// Text is delivered up to the piece that holds an error. So only the number of octets before it may differ.
fn assert_prefix(long: &[Seen], short: &[Seen]) {
    let Some((last, before)) = short.split_last() else { return };
    assert!(long.len() >= short.len(), "{long:?} is shorter than {short:?}");
    assert_eq!(&long[..before.len()], before);
    match (&long[before.len()], last) {
        (
            Seen::Data { kind: kind_long, first: first_long, octets: long, .. },
            Seen::Data { kind, first, last: false, octets },
        ) => {
            assert_eq!((kind_long, first_long), (kind, first));
            assert!(long.starts_with(octets));
        }
        (long, short) => assert_eq!(long, short),
    }
}

fn octets(seen: &[Seen]) -> usize {
    seen.iter().map(|seen| if let Seen::Data { octets, .. } = seen { octets.len() } else { 0 }).sum()
}

fn assert_same(side: Side, config: Config, bytes: &[u8], sizes: &[usize]) {
    let singly = run(side, config, bytes, &[1]);
    for other in [run(side, config, bytes, &[usize::MAX]), run(side, config, bytes, sizes)] {
        assert_eq!(other.error, singly.error, "{other:?} and {singly:?}");
        assert_eq!(other.replies, singly.replies);
        assert_eq!((other.mid_message, other.frame_remaining), (singly.mid_message, singly.frame_remaining));
        if singly.error == Some(ProtocolError::InvalidUtf8) {
            assert!(octets(&other.seen) <= octets(&singly.seen), "single octets go furthest");
            assert_prefix(&singly.seen, &other.seen);
        } else {
            assert_eq!(other.seen, singly.seen);
        }
    }
}

/// Valid frames of a conversation, with their masking keys.
fn valid_frames() -> impl Strategy<Value = Vec<(u8, [u8; 4], Vec<u8>)>> {
    let bytes = |max| prop::collection::vec(any::<u8>(), 0..max);
    let string = "[a-zé€😀]{0,40}".prop_map(String::into_bytes);
    let data = (prop_oneof![string, bytes(300)], prop::collection::vec(any::<Index>(), 0..4));
    let control = prop_oneof![
        3 => bytes(126).prop_map(|octets| (PING, octets)),
        3 => bytes(126).prop_map(|octets| (PONG, octets)),
        1 => Just((CLOSE, close_body(1000, "bye é".as_bytes()))),
        1 => Just((CLOSE, vec![])),
    ];
    let message = (data, prop::collection::vec(control, 0..3)).prop_map(|((payload, cuts), controls)| {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
        cuts.sort_unstable();
        let kind = if std::str::from_utf8(&payload).is_ok() { TEXT_PART } else { BINARY_PART };
        let (mut frames, mut controls, mut from, mut first) = (vec![], controls.into_iter(), 0, kind);
        for cut in cuts {
            frames.push((first, payload[from..cut].to_vec()));
            frames.extend(controls.next());
            (from, first) = (cut, MORE);
        }
        frames.push((first | END, payload[from..].to_vec()));
        frames.extend(controls);
        frames
    });
    prop::collection::vec((message, any::<[[u8; 4]; 8]>()), 0..5).prop_map(|messages| {
        messages
            .into_iter()
            .flat_map(|(frames, keys)| {
                frames.into_iter().zip(keys).map(|((first, payload), key)| (first, key, payload))
            })
            .collect()
    })
}

fn wire(side: Side, frames: &[(u8, [u8; 4], Vec<u8>)]) -> Vec<u8> {
    let key = |key| (side == Side::Server).then_some(key);
    frames.iter().flat_map(|(first, mask, payload)| frame(*first, key(*mask), payload)).collect()
}

/// One change to a stream: an octet changed, taken out or put in, or its end cut off.
fn mutate(bytes: &mut Vec<u8>, at: Index, how: u8, octet: u8) {
    if bytes.is_empty() {
        return;
    }
    let at = at.index(bytes.len());
    match how % 4 {
        0 => bytes[at] ^= octet,
        1 => drop(bytes.remove(at)),
        2 => bytes.insert(at, octet),
        _ => bytes.truncate(at),
    }
}

fn limits() -> impl Strategy<Value = Config> {
    let tight = (0_u64..300, 0_u64..400, 0_u32..6, any::<[bool; 2]>()).prop_map(
        |(max_frame_size, max_message_size, max_fragments, [accept_text, accept_binary])| {
            let mut limits = Limits::DEFAULT;
            limits.max_frame_size = max_frame_size;
            limits.max_message_size = max_message_size;
            limits.max_fragments = max_fragments;
            limits.accept_text = accept_text;
            limits.accept_binary = accept_binary;
            Config::new().with_limits(limits)
        },
    );
    prop_oneof![3 => Just(Config::new()), 1 => tight]
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1_usize..4, 1_usize..40, 1_usize..500], 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn valid_streams(frames in valid_frames(), sizes in sizes(), config in limits()) {
        for side in BOTH {
            let bytes = wire(side, &frames);
            assert_same(side, config, &bytes, &sizes);
            if config == Config::new() {
                prop_assert_eq!(run(side, config, &bytes, &sizes).error, None);
            }
        }
    }

    #[test]
    fn mutated_streams(
        frames in valid_frames(),
        mutations in prop::collection::vec((any::<Index>(), any::<u8>(), 1_u8..), 1..4),
        sizes in sizes(),
        config in limits(),
    ) {
        for side in BOTH {
            let mut bytes = wire(side, &frames);
            for (at, how, octet) in &mutations {
                mutate(&mut bytes, *at, *how, *octet);
            }
            assert_same(side, config, &bytes, &sizes);
        }
    }

    #[test]
    fn noise(bytes in prop::collection::vec(any::<u8>(), 0..300), sizes in sizes(), config in limits()) {
        for side in BOTH {
            assert_same(side, config, &bytes, &sizes);
        }
    }

    /// Random bytes that form a valid header, so that what follows is reached.
    #[test]
    fn noise_after_a_plausible_header(
        first in prop::sample::select(vec![TEXT, BINARY, TEXT_PART, BINARY_PART, PING, PONG, CLOSE]),
        len in 0_u64..140,
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        sizes in sizes(),
    ) {
        for side in BOTH {
            let mut wire = header(first, key_to(side), len);
            wire.extend_from_slice(&bytes);
            assert_same(side, Config::new(), &wire, &sizes);
        }
    }
}

/// Frames of every kind, and fragments that are empty, short and longer than 125 octets, cut inside a character.
fn conversation() -> Vec<(u8, Vec<u8>)> {
    let long: Vec<u8> = (0..=255).collect();
    vec![
        (TEXT_PART, b"a\xE2\x82".to_vec()),
        (PING, b"amid".to_vec()),
        (MORE, vec![]),
        (MORE, b"\xAC".to_vec()),
        (END, b"\xF0\x9F\xA6\x80".to_vec()),
        (BINARY, vec![]),
        (BINARY, vec![0xFF]),
        (BINARY_PART, vec![]),
        (MORE, long[..126].to_vec()),
        (PONG, vec![]),
        (END, vec![]),
        (TEXT, "é€".into()),
        (CLOSE, close_body(1001, b"away")),
    ]
}

/// Input that is cut at any two places gives the same as the whole: so each state meets each piece.
#[test]
fn a_conversation_cut_at_any_two_places() {
    for side in BOTH {
        let frames =
            conversation().into_iter().map(|(first, payload)| (first, KEY, payload)).collect::<Vec<_>>();
        let bytes = wire(side, &frames);
        let whole = run(side, Config::new(), &bytes, &[usize::MAX]);
        assert_eq!((whole.error, whole.mid_message, whole.seen.len()), (None, false, 10), "{whole:?}");
        for first in 1..bytes.len() {
            for second in (first + 1..bytes.len()).step_by(3) {
                let cut = run(side, Config::new(), &bytes, &[first, second - first, usize::MAX]);
                assert_eq!((&cut.seen, &cut.replies), (&whole.seen, &whole.replies), "{first}, {second}");
            }
        }
    }
}

/// A message, whether it is text, whether it has RSV1, where it is cut into fragments, and their masking key.
type Sent = (String, bool, bool, Vec<Index>, [u8; 4]);

fn messages() -> impl Strategy<Value = Vec<Sent>> {
    let message = (
        "[a-zé€😀]{0,60}",
        any::<bool>(),
        any::<bool>(),
        prop::collection::vec(any::<Index>(), 0..4),
        any::<[u8; 4]>(),
    );
    prop::collection::vec(message, 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// What a piece tells of itself, wherever it was cut: whether it is the first and the last of its message,
    /// its reserved bits, how much of its frame is to come, and whether it is text that can be cast.
    #[test]
    fn pieces_tell_what_they_are(messages in messages(), sizes in sizes()) {
        for side in BOTH {
            let mut bytes = vec![];
            for (text, is_text, compressed, cuts, key) in &messages {
                let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
                cuts.sort_unstable();
                cuts.push(text.len());
                let (mut from, last) = (0, cuts.len() - 1);
                for (at, cut) in cuts.into_iter().enumerate() {
                    let kind = if *is_text { TEXT_PART } else { BINARY_PART } | if *compressed { 0x40 } else { 0 };
                    let first = if at == 0 { kind } else { MORE } | if at == last { END } else { 0 };
                    bytes.extend(frame(first, (side == Side::Server).then_some(*key), &text.as_bytes()[from..cut]));
                    from = cut;
                }
            }
            let mut conn = connection(side, Config::new()).with_allowed_rsv(Rsv::RSV1);
            let (mut expected, mut done) = (messages.iter(), 0);
            let mut message = expected.next();
            let mut chunks = sizes.iter().cycle();
            let mut rest = bytes.as_mut_slice();
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at_mut((*chunks.next().unwrap()).min(rest.len()));
                rest = after;
                let mut input = Input::new(chunk);
                while let Some(event) = conn.recv(&mut input).unwrap() {
                    let Event::Data(data) = event else { panic!("{event:?}") };
                    let (text, is_text, compressed, ..) = message.expect("a message was sent");
                    let end = done + data.as_bytes().len();
                    prop_assert_eq!(data.as_bytes(), &text.as_bytes()[done..end]);
                    prop_assert_eq!(data.kind() == MessageKind::Text, *is_text);
                    prop_assert_eq!(data.rsv() == Rsv::RSV1, *compressed);
                    prop_assert_eq!(data.is_first(), done == 0);
                    prop_assert_eq!(data.frame_remaining(), conn.reader().frame_remaining());
                    let castable = *is_text && !*compressed;
                    let castable = castable && text.is_char_boundary(done) && text.is_char_boundary(end);
                    prop_assert_eq!(data.as_str(), castable.then(|| &text[done..end]));
                    prop_assert_eq!(conn.reader().is_mid_message(), !data.is_last());
                    done = end;
                    if data.is_last() {
                        prop_assert_eq!(end, text.len());
                        (message, done) = (expected.next(), 0);
                    }
                }
                prop_assert_eq!(input.remaining(), 0);
            }
            prop_assert!(message.is_none(), "all were received");
        }
    }
}
