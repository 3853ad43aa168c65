//! How large the next read is, and which buffer it goes to.
//
// Owns: that decision, which depends on numbers alone.
// Must not know: the bytes, or where buffers come from.

use super::buffer_pool::MAX_POOLED;
use crate::frame::FrameHeader;

/// The header of a message that is one frame, and that of the next.
const HEADERS: usize = FrameHeader::MAX_LEN << 1;
/// A read asks for one byte more than the frame has: where it brings less than it asked for, a runtime knows that no
/// more came.
const ONE_MORE: usize = 1;
/// Bytes of a large message that are read at a time: most of them are still in the processor's second cache when they
/// are worked through.
const BLOCK: usize = 512 << 10;

/// What earlier frames and messages of a connection say about the next ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadSizes {
    /// Bytes of a standard buffer.
    pub(super) standard: usize,
    /// Where reads into a standard buffer end. If the last incomplete frame had `n` bytes, that is one byte after the
    /// last multiple of `n` that fits: the beginning of a frame that does not fit would have to be moved.
    pub(super) frames_end: usize,
    /// Bytes of the last message with its headers, if that was large; at most `standard` if it was not. 0 where no
    /// large buffer is in use that came from a pool, or can go there.
    pub(super) expected: usize,
}

impl ReadSizes {
    pub(super) fn new(standard: usize) -> Self {
        let standard = standard.max(1);
        Self { standard, frames_end: standard, expected: 0 }
    }

    /// The end of a frame of so many bytes, with its header, has not come.
    pub(super) fn expect_frames(&mut self, bytes: usize) {
        // What comes of a short one costs less to move than a smaller read would.
        let is_short = bytes <= self.standard >> 4;
        let part = if is_short { None } else { self.standard.checked_rem(bytes) };
        self.frames_end = match self.standard.saturating_sub(part.unwrap_or(0)) {
            0 => self.standard,
            frames => self.standard.min(frames.saturating_add(ONE_MORE)),
        };
    }

    /// The next message may be as large as this one: 0 if that was not large, or too large for its buffer to be kept.
    pub(super) fn expect_message(&mut self, payload: usize) {
        let bytes = payload.saturating_add(HEADERS);
        self.expected = if self.standard < bytes && bytes <= MAX_POOLED { bytes } else { 0 };
    }
}

/// All that a plan depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) sizes: ReadSizes,
    /// Bytes of the buffer in use: 0 if there is none.
    pub(super) len: usize,
    /// Bytes in it that are needed.
    pub(super) held: usize,
    /// Where the bytes that were read end.
    pub(super) end: usize,
    /// Bytes of a frame that have still to come, as far as its header tells.
    pub(super) announced: u64,
    /// Whether a message as large as the last one is read at once, not block by block.
    pub(super) at_once: bool,
    /// Whether there is a pool now, to take a buffer from and to give one to.
    pub(super) pooled: bool,
}

/// The buffer for the next read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadInto {
    /// The one in use, behind what was read.
    Same,
    /// The one in use, after what is needed was moved to its front.
    Front,
    /// One of the standard size.
    Standard,
    /// One of the pool that has at least `best` bytes; if there is none, one that has `size`.
    Large { best: usize, size: usize },
}

/// What to do for the next read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) buffer: ReadInto,
    /// Bytes of the read, at most.
    pub(super) bytes: usize,
    pub(super) sizes: ReadSizes,
}

/// Plans the next read. A large message is read to its place behind what already came of it, and only payload of
/// further fragments is moved down over the headers between them. A buffer grows with what came, at most fourfold at
/// a time.
pub(super) fn plan(facts: &Facts) -> Plan {
    let mut next = *facts;
    if facts.pooled && facts.sizes.expected <= facts.sizes.standard {
        next.sizes.expected = 0;
    }
    let buffer = if next.held == 0 { next.choose_empty() } else { next.choose() };
    (next.len, next.end) = match buffer {
        ReadInto::Same => (next.len, next.end),
        ReadInto::Front => (next.len, next.held),
        ReadInto::Standard => (next.sizes.standard, next.held),
        ReadInto::Large { size, .. } => (size, next.held),
    };
    let bytes = next.space_end().saturating_sub(next.end).min(next.reach());
    Plan { buffer, bytes, sizes: next.sizes }
}

impl Facts {
    /// The buffer, where nothing that was read is needed any more.
    fn choose_empty(&mut self) -> ReadInto {
        let ReadSizes { standard, expected, .. } = &mut self.sizes;
        if 0 < self.end && self.end < *expected >> 1 {
            // A small message came. The large buffer stays until there is a pool to give it to.
            *expected = (*expected).min(*standard);
        }
        if self.len == *standard || (0 < *expected && *expected <= self.len) {
            ReadInto::Front
        } else if self.pooled && *expected > *standard {
            ReadInto::Large { best: *expected, size: *standard }
        } else {
            ReadInto::Standard
        }
    }

    /// The buffer, where something is needed of what was read.
    fn choose(&mut self) -> ReadInto {
        let (standard, len, held) = (self.sizes.standard, self.len, self.held);
        let (little, space) = (standard >> 2, self.space_end().saturating_sub(self.end));
        // The end of a large frame is worth a small read.
        let brings_end = 0 < self.announced && self.announced <= space as u64 && held > little;
        if space > little || brings_end {
            return ReadInto::Same;
        }
        if held <= len >> 1 && len >= standard {
            return ReadInto::Front;
        }
        if held <= little {
            return ReadInto::Standard;
        }
        // For all that was announced; but what was announced and has not come is no reason to make a large buffer.
        let payload = held.saturating_add(usize::try_from(self.announced).unwrap_or(usize::MAX));
        let least = len.saturating_mul(2).max(standard);
        let most = held.saturating_mul(4).saturating_add(standard).max(least);
        let wanted = payload.saturating_add(HEADERS).max(least);
        if self.pooled || self.sizes.expected > 0 {
            self.sizes.expect_message(payload);
        }
        ReadInto::Large { best: wanted, size: wanted.min(most) }
    }

    /// Where the space for the read ends.
    fn space_end(&self) -> usize {
        let (end, len, frames_end) = (self.end, self.len, self.sizes.frames_end);
        if len != self.sizes.standard {
            return len;
        }
        let frame_end = end.saturating_add(usize::try_from(self.announced).unwrap_or(usize::MAX));
        if self.announced > 0 && frame_end <= len {
            frames_end.max(frame_end.saturating_add(ONE_MORE)).min(len)
        } else if self.announced == 0 && end < frames_end && self.held <= len >> 1 {
            frames_end
        } else {
            len
        }
    }

    /// Bytes of a read, at most, however much space there is. In a large buffer a read ends with the frame, or the
    /// header of the next: what stood there of the next payload would have to be moved.
    fn reach(&self) -> usize {
        let ReadSizes { standard, expected, .. } = self.sizes;
        if self.len <= standard {
            return self.len;
        }
        let wanted = if self.announced > (standard >> 2) as u64 {
            usize::try_from(self.announced).unwrap_or(usize::MAX).saturating_add(FrameHeader::MAX_LEN)
        } else if self.end == 0 {
            expected.max(standard)
        } else {
            standard
        };
        // A block takes a small rest with it: that is not worth a read of its own.
        if wanted <= BLOCK + (BLOCK >> 2) || (self.at_once && self.held == 0) {
            wanted
        } else {
            BLOCK
        }
    }
}

// What is decided here shows outside only as the length of a read and as memory.
#[cfg(test)]
mod tests {
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
        let new = Facts {
            sizes: sizes(0),
            len: 64 * K,
            held: 0,
            end: 0,
            announced: 0,
            at_once: false,
            pooled: false,
        };
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
}
