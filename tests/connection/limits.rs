//! Limits on what a peer may send: RFC 6455 section 10.4.

use crate::common;

use std::time::{Duration, Instant};

use common::*;
use proptest::prelude::*;
use sockless::{Config, Limits, ProtocolError, Side};

const FRAME: ProtocolError = ProtocolError::FrameTooBig;
const MESSAGE: ProtocolError = ProtocolError::MessageTooBig;

fn limited(change: impl FnOnce(&mut Limits)) -> Config {
    let mut limits = Limits::DEFAULT;
    change(&mut limits);
    Config::new().with_limits(limits)
}

#[test]
fn req_6455_10_4_2_each_limit_passes_what_it_says_and_not_one_more() {
    for side in BOTH {
        for max in [0, 1, 5, 125, 126, 300] {
            let full = vec![b'x'; max];
            let frame_limit = limited(|limits| limits.max_frame_size = max as u64);
            let message_limit = limited(|limits| limits.max_message_size = max as u64);
            for (config, error) in [(frame_limit, FRAME), (message_limit, MESSAGE)] {
                for first in [TEXT, BINARY] {
                    for len in [max.saturating_sub(1), max] {
                        let (_, seen) = receive(side, config, &to(side, first, &full[..len]));
                        assert!(matches!(&seen[..], [Seen::Data { octets, .. }] if octets.len() == len));
                    }
                    // At the header: no octet of the payload is waited for.
                    let wire = header(first, key_to(side), max as u64 + 1);
                    assert_eq!(fails(side, config, &wire, error, 1009), []);
                }
            }
        }
    }
}

#[test]
fn req_6455_10_4_2_the_limit_of_a_message_is_the_sum_over_its_fragments() {
    let config = limited(|limits| limits.max_message_size = 10);
    for side in BOTH {
        let exact: [(u8, &[u8]); 5] =
            [(TEXT_PART, b"1234"), (MORE, b"567"), (PING, b"?"), (MORE, b""), (END, b"890")];
        let (_, seen) = receive(side, config, &all_to(side, &exact));
        assert_eq!(seen.last(), Some(&part(sockless::MessageKind::Text, false, "890", true)));

        let mut wire = all_to(side, &exact[..4]);
        wire.extend(header(END, key_to(side), 4));
        fails(side, config, &wire, MESSAGE, 1009);
        // Each message has the whole limit, and so has each frame.
        let twice = all_to(side, &exact).repeat(2);
        assert_eq!(receive(side, config, &twice).1.len(), 6);
    }
}

#[test]
fn req_6455_10_4_2_the_limit_of_a_frame_holds_for_each_fragment() {
    let config = limited(|limits| limits.max_frame_size = 4);
    for side in BOTH {
        let wire = all_to(side, &[(BINARY_PART, b"1234"), (MORE, b"5678"), (END, b"90ab")]);
        assert_eq!(receive(side, config, &wire).1, [binary(b"1234567890ab")]);
        let mut wire = to(side, BINARY_PART, b"1234");
        wire.extend(header(END, key_to(side), 5));
        fails(side, config, &wire, FRAME, 1009);
        // Control frames have the limit of the RFC alone.
        let ping = to(side, PING, &[7; 125]);
        assert_eq!(receive(side, config, &ping).1, [Seen::Ping(vec![7; 125])]);
    }
}

#[test]
fn req_6455_10_4_2_the_limit_of_fragments_counts_every_frame_of_a_message() {
    let config = limited(|limits| limits.max_fragments = 3);
    for side in BOTH {
        let exact: [(u8, &[u8]); 5] = [(TEXT_PART, b"a"), (PING, b""), (MORE, b""), (PONG, b""), (END, b"b")];
        let twice = all_to(side, &exact).repeat(2);
        assert_eq!(receive(side, config, &twice).1.len(), 8);
        let over = all_to(side, &[(TEXT_PART, b"a"), (MORE, b""), (MORE, b""), (END, b"b")]);
        fails(side, config, &over, ProtocolError::TooManyFragments, 1008);
        let singles = to(side, TEXT, b"one").repeat(10);
        assert_eq!(receive(side, config, &singles).1.len(), 10);
    }
}

#[test]
fn req_6455_10_4_2_the_defaults_are_finite() {
    let limits = Limits::default();
    let mebibytes_64 = 64 * 1024 * 1024;
    assert_eq!(limits, Limits::DEFAULT);
    assert_eq!((limits.max_frame_size, limits.max_message_size), (mebibytes_64, mebibytes_64));
    assert_eq!(limits.max_fragments, 1 << 17);
    for side in BOTH {
        let over = header(BINARY, key_to(side), mebibytes_64 + 1);
        fails(side, Config::default(), &over, FRAME, 1009);
        let exact = header(BINARY, key_to(side), mebibytes_64);
        let (conn, seen) = receive(side, Config::default(), &exact);
        assert_eq!((seen, conn.reader().frame_remaining()), (vec![], mebibytes_64));
    }
}

#[test]
fn req_t_lim_1_lengths_beyond_32_bits_do_not_wrap() {
    for len in [1 << 32, (1 << 32) + 5, 0x1_0001_0000, u64::from(u32::MAX), i64::MAX as u64] {
        for side in BOTH {
            let wire = header(BINARY, key_to(side), len);
            fails(side, Config::new(), &wire, FRAME, 1009);
            // The same if they are allowed: the payload never ends.
            let unlimited = limited(|limits| {
                limits.max_frame_size = u64::MAX;
                limits.max_message_size = u64::MAX;
            });
            let (mut conn, _) = receive(side, unlimited, &wire);
            let zeros = vec![0; 70_000];
            feed(&mut conn, &zeros);
            assert_eq!(conn.reader().frame_remaining(), len - 70_000);
        }
    }
}

#[test]
fn req_t_lim_1_the_sum_of_a_message_does_not_wrap() {
    let largest = i64::MAX as u64;
    for side in BOTH {
        for max in [10, largest, u64::MAX >> 1] {
            let config = limited(|limits| {
                limits.max_frame_size = u64::MAX;
                limits.max_message_size = max;
            });
            let mut wire = to(side, BINARY_PART, b"1");
            wire.extend(header(MORE, key_to(side), largest));
            fails(side, config, &wire, MESSAGE, 1009);
        }
    }
}

/// How long the engine takes for one fragmented text message of `len` octets, given in single bytes.
fn byte_by_byte(side: Side, len: usize) -> Duration {
    let mut bytes = Vec::new();
    for i in 0..len / 3 {
        bytes.extend(to(side, if i == 0 { TEXT_PART } else { MORE }, "€".as_bytes()));
    }
    let config = limited(|limits| limits.max_fragments = u32::MAX);
    let times = (0..3).map(|_| {
        let mut conn = connection(side, config);
        let mut bytes = bytes.clone();
        let started = Instant::now();
        for byte in bytes.chunks_mut(1) {
            let mut input = sockless::Input::new(byte);
            while conn.recv(&mut input).unwrap().is_some() {}
        }
        started.elapsed()
    });
    times.min().unwrap()
}

/// Work that grew with the square of the input would make it 64 times; the bound leaves room for a busy
/// machine.
#[test]
fn req_t_lim_2_eight_times_the_input_is_about_eight_times_the_work() {
    for side in BOTH {
        let ratios = (0..5).map(|_| {
            let small = byte_by_byte(side, 24 << 10);
            byte_by_byte(side, 8 * (24 << 10)).as_secs_f64() / small.as_secs_f64()
        });
        let best = ratios.fold(f64::INFINITY, f64::min);
        assert!(best < 20.0, "{best} times the work");
    }
}

proptest! {
    #[test]
    fn no_message_gets_past_its_limits(
        sizes in prop::collection::vec(0_usize..40, 1..12),
        max_frame in 0_u64..40,
        max_message in 0_u64..200,
        max_fragments in 0_u32..12,
    ) {
        let config = limited(|limits| {
            limits.max_frame_size = max_frame;
            limits.max_message_size = max_message;
            limits.max_fragments = max_fragments;
        });
        for side in BOTH {
            let mut conn = connection(side, config);
            let (mut sum, mut result) = (0, None);
            for (i, size) in sizes.iter().enumerate() {
                sum += *size as u64;
                let fits = *size as u64 <= max_frame && sum <= max_message && (i as u32) < max_fragments;
                let first = if i == 0 { BINARY_PART } else { MORE };
                result = feed(&mut conn, &to(side, first, &vec![0; *size])).pop();
                prop_assert_eq!(matches!(result, Some(Seen::Fail(_))), !fits);
                if !fits {
                    break;
                }
            }
            let ended = matches!(result, Some(Seen::Data { last: true, .. }));
            prop_assert!(!ended, "no fragment was the last");
        }
    }
}

/// What the documentation says of messages that are compressed, in short.
#[test]
fn by_default_a_bomb_is_refused_and_what_says_something_is_not() {
    use common::codec;
    use common::streams::{cut, Zlib};
    use sockless::deflate::{Inflater, Params};
    use sockless::MessageKind;

    assert_eq!(Limits::DEFAULT.max_expansion, 200);
    let inflated = |octets: &[u8], level| {
        let payload = cut(&Zlib::new(level, 8, 15).sync(octets)).to_vec();
        let mut inflater = Inflater::new(&Params::DEFAULT, Side::Client, Limits::DEFAULT);
        codec::inflate(&mut inflater, MessageKind::Binary, &payload, codec::WHOLE).map(|got| got == octets)
    };
    let rows = |row: &dyn Fn(usize) -> String, len: usize| {
        let mut all = String::new();
        (0..)
            .take_while(|n| {
                all.push_str(&row(*n));
                all.len() < len
            })
            .count();
        all.into_bytes()
    };
    for level in [1, 6, 9] {
        for len in [64 << 10, 1 << 20, 16 << 20] {
            let json =
                |n| format!("{{\n        \"id\": {n},\n        \"parent\": null,\n        \"x\": 0\n}},\n");
            assert_eq!(inflated(&rows(&json, len), level), Ok(true), "JSON, level {level}, {len}");
            let html =
                |n| format!("  <tr class=\"row\"><td><a href=\"/{n}\">{n}</a></td><td>&nbsp;</td></tr>\n");
            assert_eq!(inflated(&rows(&html, len), level), Ok(true), "HTML, level {level}, {len}");
            let csv = |n| format!("{n},0,0,0,0,0,0,0,0,0,0\n");
            assert_eq!(inflated(&rows(&csv, len), level), Ok(true), "CSV, level {level}, {len}");
            let small = len <= 1 << 20;
            for one in [b"\0", b" ", b"\xFF"] {
                // The codec's level 1 takes more octets for a run, and comes to less than 200.
                let passes = small || level == 1;
                let expected = if passes { Ok(true) } else { Err(ProtocolError::ExpansionTooBig) };
                assert_eq!(inflated(&one.repeat(len), level), expected, "{one:?}, level {level}, {len}");
            }
        }
    }
}
