//! What an endpoint accepts from a peer (RFC 6455 section 10.4).
//
// Owns: the limits for one connection's input.
// Must not know: who enforces them.

use crate::tolerance::Tolerances;

/// Limits for what a peer may send. All are checked at the frame header, before any memory is used. The limits
/// for what a compressed message inflates to are checked while it is inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Longest frame in octets. Default: 64 MiB, as for messages, because most peers send a message in one
    /// frame.
    pub max_frame_size: u64,
    /// Longest message in octets: the sum of its fragments, and inflated if it was compressed.
    ///
    /// Default: 64 MiB. Larger messages are seldom meant, and other libraries refuse them too (tungstenite and
    /// Jetty at about the same size, ws at 100 MiB). A peer can make a server hold that much memory with one
    /// connection, so set less if there are many connections.
    pub max_message_size: u64,
    /// Most frames of one message, empty ones included.
    ///
    /// Default: 131,072, so the longest message may come in fragments of 512 octets. Empty fragments cost the
    /// sender almost nothing; without a limit, a message of empty fragments could go on for ever.
    pub max_fragments: u32,
    /// Most octets that one compressed octet of a message may inflate to, on average. The first MiB that comes
    /// out is not counted. DEFLATE itself cannot exceed about 1032.
    ///
    /// Default: 200. So every message of up to 1 MiB is accepted, whatever it holds, and longer ones unless
    /// they repeat the same thing. The table shows how far 16 MiB of different content shrink, by zlib at
    /// levels 1, 6 and 9:
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
    /// More than 1 MiB of one thing repeated looks like an attack that makes 64 MiB out of 64 kB, and is
    /// refused with 1009. If your peers send such messages, turn the limit off with
    /// `with_max_expansion(u16::MAX)`. [`max_message_size`](Self::max_message_size) still applies.
    pub max_expansion: u16,
    /// Whether text messages are accepted. If not, they fail the connection with 1003. Default: yes.
    pub accept_text: bool,
    /// Whether binary messages are accepted. If not, they fail the connection with 1003. Default: yes.
    pub accept_binary: bool,
    /// Which deviations from the RFCs are tolerated, of those that concern frames and messages. Default:
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

    /// Sets the longest message, in octets.
    #[must_use]
    pub const fn with_max_message_size(mut self, octets: u64) -> Self {
        self.max_message_size = octets;
        self
    }

    /// Sets the longest frame, in octets.
    #[must_use]
    pub const fn with_max_frame_size(mut self, octets: u64) -> Self {
        self.max_frame_size = octets;
        self
    }

    /// Sets the most fragments of a message.
    #[must_use]
    pub const fn with_max_fragments(mut self, frames: u32) -> Self {
        self.max_fragments = frames;
        self
    }

    /// Sets how far compressed messages may expand.
    #[must_use]
    pub const fn with_max_expansion(mut self, ratio: u16) -> Self {
        self.max_expansion = ratio;
        self
    }

    /// Sets which deviations from the RFCs are tolerated.
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
