//! What an endpoint accepts from a peer (RFC 6455 section 10.4).
//
// Owns: the limits for one connection's input.
// Must not know: who enforces them.

use crate::tolerance::Tolerances;

/// Limits for what a peer may send, checked at the frame header, before any memory is used, or while a message is
/// inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Longest frame in octets. Default: 64 MiB, as most peers send a message in one frame.
    pub max_frame_size: u64,
    /// Longest message in octets, inflated if it was compressed.
    ///
    /// Default: 64 MiB, about as in other libraries. A peer can make a server hold that much memory with one
    /// connection, so set less if there are many.
    pub max_message_size: u64,
    /// Most frames of one message, empty ones included.
    ///
    /// Default: 131,072, so the longest message may come in fragments of 512 octets. Empty ones cost the sender almost
    /// nothing.
    pub max_fragments: u32,
    /// Most octets that one compressed octet of a message may inflate to, on average. The first MiB that comes out is
    /// not counted. DEFLATE itself cannot exceed about 1032.
    ///
    /// Default: 200. So every message of up to 1 MiB is accepted, and longer ones unless they repeat the same thing:
    /// JSON, CSV and HTML of different values shrink to a tenth or twentieth, indented JSON to a fiftieth, repeated
    /// records and lines to a 150th to 450th, zeros to a 1029th (docs/compression.md has a table). More than 1 MiB of
    /// such looks like an attack, and is refused with 1009. `with_max_expansion(u16::MAX)` turns the limit off.
    /// [`max_message_size`](Self::max_message_size) still applies.
    pub max_expansion: u16,
    /// Whether text messages are accepted; else they fail the connection with 1003. Default: yes.
    pub accept_text: bool,
    /// Whether binary messages are accepted; else they fail the connection with 1003. Default: yes.
    pub accept_binary: bool,
    /// Which deviations from the RFCs are tolerated in frames and messages. Default: [`Tolerances::DEFAULT`].
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
