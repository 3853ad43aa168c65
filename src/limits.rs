//! What an endpoint takes from a peer (RFC 6455 section 10.4).
//
// Owns: the bounds of one connection's input.
// Must not know: who enforces them.

use crate::tolerance::Tolerances;

/// Bounds on what a peer may send. All are checked at the frame header, before any memory is spent; those of
/// what a compressed message inflates to, while it is inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Octets of the largest frame. Default: 64 MiB, as for messages: most peers send a message in one frame.
    pub max_frame_size: u64,
    /// Octets of the largest message, summed over its fragments; where it is compressed, inflated.
    ///
    /// Default: 64 MiB. What is larger is seldom meant to be one message, and other libraries refuse it as well
    /// (tungstenite and Jetty have the same order of magnitude, ws 100 MiB). It is also what a peer can make a
    /// server hold in memory with one connection: with many connections choose less.
    pub max_message_size: u64,
    /// Frames of one message, empty ones included.
    ///
    /// Default: 131,072, so that the largest message may come in fragments of 512 octets. Empty fragments cost
    /// their sender almost nothing; without a bound a message of them has no end.
    pub max_fragments: u32,
    /// How many octets the compressed octets of a message may inflate to, on the average up to each octet;
    /// the first MiB of what comes out is free. DEFLATE itself ends at about 1032.
    ///
    /// Default: 200. So every message of up to 1 MiB passes, whatever is in it, and larger ones as long as
    /// they say something. What 16 MiB come to, by zlib at levels 1, 6 and 9:
    ///
    /// | content | level 1 | 6 | 9 |
    /// |---|---|---|---|
    /// | base64 | 1 | 1 | 1 |
    /// | JSON, records of different values | 8 | 11 | 11 |
    /// | CSV log | 8 | 10 | 11 |
    /// | HTML, a long table | 17 | 17 | 17 |
    /// | bitmap, white with some text | 26 | 28 | 29 |
    /// | JSON, indented, mostly spaces | 50 | 52 | 53 |
    /// | one line of text, repeated | 159 | 343 | 343 |
    /// | JSON, one record repeated | 147 | 343 | 343 |
    /// | HTML, empty cells repeated | 229 | 294 | 294 |
    /// | JSON, rows of zeros | 160 | 352 | 452 |
    /// | zeros, spaces, a blank bitmap | 229 | 1029 | 1029 |
    ///
    /// More than 1 MiB of one thing repeated cannot be told from an attack that makes 64 MiB out of 64 kB, and
    /// is refused with 1009. If your peers send such messages, turn the bound off:
    /// `with_max_expansion(u16::MAX)`; [`max_message_size`](Self::max_message_size) still holds.
    pub max_expansion: u16,
    /// Whether text messages are taken; if not, they fail the connection with 1003. Default: yes.
    pub accept_text: bool,
    /// Whether binary messages are taken; if not, they fail the connection with 1003. Default: yes.
    pub accept_binary: bool,
    /// Departures from the RFCs that are put up with, of those that are about frames and messages. Default:
    /// [`Tolerances::DEFAULT`].
    pub tolerances: Tolerances,
}

impl Limits {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        max_frame_size: 64 << 20,
        max_message_size: 64 << 20,
        max_fragments: 1 << 17,
        max_expansion: 200,
        accept_text: true,
        accept_binary: true,
        tolerances: Tolerances::DEFAULT,
    };

    /// With another bound for messages.
    #[must_use]
    pub const fn with_max_message_size(mut self, octets: u64) -> Self {
        self.max_message_size = octets;
        self
    }

    /// With another bound for frames.
    #[must_use]
    pub const fn with_max_frame_size(mut self, octets: u64) -> Self {
        self.max_frame_size = octets;
        self
    }

    /// With another bound for the fragments of a message.
    #[must_use]
    pub const fn with_max_fragments(mut self, frames: u32) -> Self {
        self.max_fragments = frames;
        self
    }

    /// With a bound on what compressed messages expand to.
    #[must_use]
    pub const fn with_max_expansion(mut self, ratio: u16) -> Self {
        self.max_expansion = ratio;
        self
    }

    /// With other departures from the RFCs that are put up with.
    #[must_use]
    pub const fn with_tolerances(mut self, tolerances: Tolerances) -> Self {
        self.tolerances = tolerances;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
