//! How large the next read is, and which buffer it goes to.
//
// Owns: that decision, which depends on numbers alone.
// Must not know: the bytes, or where buffers come from.

use super::buffer_pool::MAX_POOLED;
use crate::frame::FrameHeader;

/// Of a message in one frame, and of the next.
const HEADERS: usize = FrameHeader::MAX_LEN << 1;
/// Where a read brings less than it asked for, a runtime knows that no more came. So it asks for one byte more.
const ONE_MORE: usize = 1;
/// Bytes of a large message that are read at a time: most of them stay in the processor's second cache.
const BLOCK: usize = 512 << 10;

/// What earlier frames and messages say about the next ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadSizes {
    /// Bytes of a standard buffer.
    pub(super) standard: usize,
    /// Where reads into a standard buffer end: one byte after the last multiple of the last incomplete frame that fits.
    /// The beginning of another would have to be moved.
    pub(super) frames_end: usize,
    /// Bytes of the last large message with its headers. 0 where no large buffer is in use that came from a pool, or
    /// can go there.
    pub(super) expected: usize,
}

impl ReadSizes {
    pub(super) fn new(standard: usize) -> Self {
        let standard = standard.max(1);
        Self { standard, frames_end: standard, expected: 0 }
    }

    pub(super) fn expect_frames(&mut self, bytes: usize) {
        // What comes of a short one costs less to move than a smaller read.
        let is_short = bytes <= self.standard >> 4;
        let part = if is_short { None } else { self.standard.checked_rem(bytes) };
        self.frames_end = match self.standard.saturating_sub(part.unwrap_or(0)) {
            0 => self.standard,
            frames => self.standard.min(frames.saturating_add(ONE_MORE)),
        };
    }

    /// 0 if this one was not large, or too large for its buffer to be kept.
    pub(super) fn expect_message(&mut self, payload: usize) {
        let bytes = payload.saturating_add(HEADERS);
        self.expected = if self.standard < bytes && bytes <= MAX_POOLED { bytes } else { 0 };
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) sizes: ReadSizes,
    /// Bytes of the buffer in use: 0 if there is none.
    pub(super) len: usize,
    /// Bytes in it that are needed.
    pub(super) held: usize,
    /// Where the bytes that were read end.
    pub(super) end: usize,
    /// As far as its header tells.
    pub(super) announced: u64,
    /// Not block by block.
    pub(super) at_once: bool,
    /// Whether there is a pool now.
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
    /// One of the pool with at least `best` bytes, or one with `size`.
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

/// A large message is read to its place, and only payload of further fragments is moved down over their headers. A
/// buffer grows with what came, at most fourfold at a time.
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
    /// Nothing that was read is needed any more.
    fn choose_empty(&mut self) -> ReadInto {
        let ReadSizes { standard, expected, .. } = &mut self.sizes;
        if 0 < self.end && self.end < *expected >> 1 {
            // It stays until there is a pool to give it to.
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

    /// Something is needed of what was read.
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
        // What was announced and has not come is no reason to make a large buffer.
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

    /// In a large buffer a read ends with the frame, or the header of the next: its payload would have to be moved.
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
        // A small rest is not worth a read of its own.
        if wanted <= BLOCK + (BLOCK >> 2) || (self.at_once && self.held == 0) {
            wanted
        } else {
            BLOCK
        }
    }
}

// What is decided here shows outside only as the length of a read and as memory.
#[cfg(test)]
mod tests;
