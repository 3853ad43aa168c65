//! A message that is compressed over several turns.
//
// Owns: what whoever feeds it keeps between the turns.
// Must not know: how it is compressed, or what is queued.

#[cfg(feature = "deflate")]
use alloc::boxed::Box;
#[cfg(feature = "deflate")]
use alloc::vec::Vec;

/// How far the compression of one message has come: see [`Outbound::feed_in_turns`](super::Outbound::feed_in_turns).
///
/// It can be dropped at any time: nothing is queued before all of the message is compressed.
#[derive(Default)]
pub struct Compressing {
    // In each task that sends, mostly empty.
    #[cfg(feature = "deflate")]
    pub(super) work: Option<Box<CompressedAhead>>,
    /// Whether the message is queued however full the queue is.
    pub(super) promised: bool,
}

#[cfg(feature = "deflate")]
pub(super) struct CompressedAhead {
    pub(super) number: u32,
    /// Octets that were taken in.
    pub(super) taken: usize,
    /// What came of them.
    pub(super) octets: Vec<u8>,
}

/// What came of a message that was fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a message that is still being compressed is to be fed again"]
#[expect(clippy::exhaustive_enums, reason = "it is queued, or it is not")]
pub enum Fed {
    /// It is queued.
    Queued,
    /// It is still being compressed. Let others have their turn; then feed it again.
    Compressing,
}

impl Compressing {
    /// Of which nothing is done.
    pub const fn new() -> Self {
        Self {
            #[cfg(feature = "deflate")]
            work: None,
            promised: false,
        }
    }

    /// For a message that was promised room before its length was known, as a `Sink` does: it is queued however full the
    /// queue is.
    ///
    /// Promise room to one message at a time, after [`Outbound::has_room`](super::Outbound::has_room) for 0 octets.
    #[must_use]
    pub const fn with_promised_room(mut self) -> Self {
        self.promised = true;
        self
    }
}

debug_states!([] Compressing, |this| { promised: this.promised });
