//! What an endpoint takes from a peer (RFC 6455 section 10.4).
//!
//! Owns: the bounds of one connection's input. Must not know: who enforces them.

use crate::tolerance::Tolerances;

/// Bounds on what a peer may send. All are checked at the frame header, before any memory is spent; those of
/// what a compressed message inflates to, while it is inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Octets of the largest frame. Default: 64 MiB.
    pub max_frame_size: u64,
    /// Octets of the largest message, summed over its fragments; where it is compressed, inflated. Default:
    /// 64 MiB.
    pub max_message_size: u64,
    /// Frames of one message, empty ones included. Default: 131,072.
    pub max_fragments: u32,
    /// How many octets each compressed octet of a message may inflate to, on the average of what came of it;
    /// the first 64 KiB of a message are free. DEFLATE itself ends at about 1032. Default: 65,535, which is
    /// no bound.
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
        max_expansion: u16::MAX,
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
