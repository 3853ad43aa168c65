//! How much effort and memory compression may take.
//
// Owns: the dials of the sending direction.
// Must not know: the codec.

/// How messages are compressed.
///
/// A compressor takes about 130 KB, four times its window, and a buffer of 2^(`memory_level` + 9) bytes; the
/// table of docs/compression.md has the measured bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tuning {
    /// Effort, 0 (none) to 9 (the most); others count as 9. Level 1 takes about a sixth of the time of level
    /// 6, and leaves about a third more octets. Default: 1.
    pub level: u8,
    /// Memory of the compressor beside its window, 1 (little) to 9 (the most). Default: 8.
    pub memory_level: u8,
    /// Octets below which a message is sent as it is, unless its payload says otherwise. Where no context is kept,
    /// a message that does not become shorter is sent as it is, too. With 0 every message is sent compressed,
    /// which some peers need. Default: 128.
    pub threshold: usize,
}

impl Tuning {
    /// The defaults.
    pub const DEFAULT: Self = Self { level: 1, memory_level: 8, threshold: 128 };

    /// With another effort.
    #[must_use]
    pub const fn with_level(mut self, level: u8) -> Self {
        self.level = level;
        self
    }

    /// With more or less memory.
    #[must_use]
    pub const fn with_memory_level(mut self, level: u8) -> Self {
        self.memory_level = level;
        self
    }

    /// With another threshold.
    #[must_use]
    pub const fn with_threshold(mut self, octets: usize) -> Self {
        self.threshold = octets;
        self
    }
}

impl Default for Tuning {
    fn default() -> Self {
        Self::DEFAULT
    }
}
