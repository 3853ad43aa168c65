//! Tests of what `read_size` keeps to itself.

use super::{plan, Facts, Plan, ReadInto, ReadSizes};
use proptest::prelude::*;
use ReadInto::{Front, Large, Same, Standard};

const K: usize = 1 << 10;
const M: usize = 1 << 20;

fn sizes(expected: usize) -> ReadSizes {
    ReadSizes { expected, ..ReadSizes::new(64 * K) }
}

#[test]
fn the_next_read() {
    // A standard buffer with nothing in it.
    let new =
        Facts { sizes: sizes(0), len: 64 * K, held: 0, end: 0, announced: 0, at_once: false, pooled: false };
    let shared = Facts { pooled: true, ..new };
    let mut frames = sizes(0);
    frames.expect_frames(20_000);
    let full = Facts { held: 64 * K, end: 64 * K, ..new };
    // A large buffer, in which the last message was one of 900 KiB.
    let large = Facts { sizes: sizes(900 * K), len: M, end: 900 * K, ..new };

    #[rustfmt::skip]
    let table = [
        // Nothing is held.
        ("no buffer",                Facts { len: 0, ..new },                      Standard, 64 * K, 0),
        ("all was consumed",         Facts { end: 50 * K, ..new },                 Front, 64 * K, 0),
        ("frames of one length",     Facts { sizes: frames, ..new },               Front, 60_001, 0),
        // Little is held.
        ("there is much space",      Facts { held: 10, end: 9 * K, ..new },        Same, 55 * K, 0),
        ("there is little space",    Facts { held: 10, end: 60 * K, ..new },       Front, 64 * K - 10, 0),
        ("storage of its own",       Facts { len: 10, held: 10, end: 10, ..new },  Standard, 64 * K - 10, 0),
        // Much is held.
        ("the end of a frame",       Facts { held: 60 * K, end: 60 * K, announced: 9, ..new }, Same, 4 * K, 0),
        ("nothing is announced",     full,                                         Large { best: 128 * K, size: 128 * K }, 64 * K, 0),
        ("what is announced",        Facts { announced: 9 << 20, ..full },         Large { best: 9 * M + 64 * K + 28, size: 320 * K }, 256 * K, 0),
        ("more than there can be",   Facts { announced: u64::MAX, ..full },        Large { best: usize::MAX, size: 320 * K }, 256 * K, 0),
        ("the message is kept in mind", Facts { announced: 1 << 20, pooled: true, ..full }, Large { best: M + 64 * K + 28, size: 320 * K }, 256 * K, M + 64 * K + 28),
        ("it is too large for that", Facts { announced: 9 << 20, pooled: true, ..full }, Large { best: 9 * M + 64 * K + 28, size: 320 * K }, 256 * K, 0),
        // After a large message.
        ("block by block",           large,                                        Front, 512 * K, 900 * K),
        ("at once",                  Facts { at_once: true, ..large },             Front, 900 * K, 900 * K),
        ("not much more than a block", Facts { sizes: sizes(600 * K), ..large },   Front, 600 * K, 600 * K),
        ("the buffer went",          Facts { sizes: sizes(900 * K), len: 0, ..shared }, Large { best: 900 * K, size: 64 * K }, 64 * K, 900 * K),
        ("and there is no pool",     Facts { sizes: sizes(900 * K), len: 0, ..new }, Standard, 64 * K, 900 * K),
        ("no pool gave it",          Facts { sizes: sizes(0), ..large },           Standard, 64 * K, 0),
        ("a small one came",         Facts { end: 100, ..large },                  Front, 64 * K, 64 * K),
        ("and there is a pool now",  Facts { sizes: sizes(64 * K), len: M, ..shared }, Standard, 64 * K, 0),
        // In a large one.
        ("its end",                  Facts { held: 50 * K, end: 50 * K, announced: 100 << 10, ..large }, Same, 100 * K + 14, 900 * K),
        ("its next block",           Facts { held: 50 * K, end: 50 * K, announced: 900 << 10, ..large }, Same, 512 * K, 900 * K),
        ("between its fragments",    Facts { held: 50 * K, end: 50 * K, ..large }, Same, 64 * K, 900 * K),
    ];
    for (what, facts, buffer, bytes, expected) in table {
        let sizes = ReadSizes { expected, ..facts.sizes };
        assert_eq!(plan(&facts), Plan { buffer, bytes, sizes }, "{what}");
    }
}

#[test]
fn reads_end_behind_the_last_frame_that_fits() {
    for (bytes, frames_end) in
        [(0, 64 * K), (4 * K, 64 * K), (20_000, 60_001), (40_000, 40_001), (64 * K, 64 * K), (M, 64 * K)]
    {
        let mut sizes = sizes(0);
        sizes.expect_frames(bytes);
        assert_eq!(sizes.frames_end, frames_end, "{bytes}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn a_plan_can_be_carried_out_and_is_the_last_before_the_read(
        (standard, frame, expected) in (0..3000_usize, 0..5000_usize, 0..9000_usize),
        (len, end, held) in (prop_oneof![Just(None), (0..9000_usize).prop_map(Some)], 0..9000_usize, 0..9000_usize),
        announced in prop_oneof![Just(0), 1..9000_u64, any::<u64>()],
        (at_once, pooled) in any::<(bool, bool)>(),
    ) {
        let mut sizes = ReadSizes::new(standard);
        sizes.expect_frames(frame);
        sizes.expected = expected;
        let len = len.unwrap_or(sizes.standard);
        let (end, held) = (end.min(len), held.min(end).min(len));
        let facts = Facts { sizes, len, held, end, announced, at_once, pooled };
        let Plan { buffer, bytes, sizes } = plan(&facts);
        let (len, end) = match buffer {
            Same => (len, end),
            Front => (len, held),
            Standard => (sizes.standard, held),
            Large { best, size } => {
                prop_assert!(size <= best && size <= (4 * held + sizes.standard).max(2 * len));
                (size, held)
            }
        };
        prop_assert!(0 < bytes && end + bytes <= len, "{bytes} behind {end} in {len}");
        let next = plan(&Facts { sizes, len, end, pooled: false, ..facts });
        prop_assert!(matches!(next.buffer, Same | Front), "{next:?}");
        prop_assert_eq!(next.bytes, bytes);
    }
}
