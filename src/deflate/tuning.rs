//! How much effort and memory compression may take.
//
// Owns: the settings of the sending direction.
// Must not know: the codec.

/// How much effort and memory compression may take.
///
/// A compressor takes about 130 KB, four times its window, and 2^(`memory_level` + 9) bytes: docs/compression.md has a
/// table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tuning {
    /// Effort, from 0 (none) to 9 (the most). Larger values count as 9. Level 1 takes about a sixth of the time
    /// of level 6, and its results are about a third longer. Default: 1.
    pub level: u8,
    /// Memory of the compressor beside its window, from 1 (little) to 9 (the most). Default: 8.
    pub memory_level: u8,
    /// Shorter messages, in octets, are not compressed, unless their payload says otherwise. If no context is kept, nor
    /// is one that would not become shorter. With 0 every message is sent compressed; some peers need that. Default:
    /// 128.
    pub threshold: usize,
}

impl Tuning {
    /// The defaults.
    pub const DEFAULT: Self = Self { level: 1, memory_level: 8, threshold: 128 };

    /// Sets the effort.
    #[must_use]
    pub const fn with_level(mut self, level: u8) -> Self {
        self.level = level;
        self
    }

    /// Sets the memory.
    #[must_use]
    pub const fn with_memory_level(mut self, level: u8) -> Self {
        self.memory_level = level;
        self
    }

    /// Sets the threshold, in octets.
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
