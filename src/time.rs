//! Time as values. The engine has no clock.
//
// Owns: points in time, and when to wake.
// Must not know: any clock.

use core::num::NonZeroU64;
use core::time::Duration;

/// A point in time, in microseconds since a moment that the caller chooses for the whole connection. The clock must
/// never run backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(NonZeroU64);

impl Timestamp {
    /// So many microseconds after the chosen moment.
    pub const fn from_micros(micros: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(micros))
    }

    /// This long after the chosen moment.
    pub fn from_duration(since: Duration) -> Self {
        Self::from_micros(micros(since))
    }

    /// Microseconds after the chosen moment.
    pub const fn as_micros(self) -> u64 {
        self.0.get().saturating_sub(1)
    }

    /// The time from `earlier` to this. Zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.as_micros().saturating_sub(earlier.as_micros()))
    }

    /// This time plus `duration`, or the latest possible time.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        self.after_micros(micros(duration))
    }

    pub(crate) const fn after_micros(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

/// At most the largest `u64`.
pub(crate) const fn micros(duration: Duration) -> u64 {
    // `Duration::as_micros` would calculate with 128 bits.
    let sub = duration.subsec_micros() as u64;
    duration.as_secs().saturating_mul(1_000_000).saturating_add(sub)
}

/// When the caller must call `handle_timeout`, unless something else happens first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no fourth way to wait")]
pub enum Wake {
    /// At once: a timer must be started.
    Now,
    /// At this time or later.
    At(Timestamp),
    /// No timer runs, so no clock is needed.
    Never,
}

impl Wake {
    /// The earlier of the two.
    #[must_use]
    pub fn sooner(self, other: Self) -> Self {
        match (self, other) {
            (Self::Now, _) | (_, Self::Now) => Self::Now,
            (Self::Never, wake) | (wake, Self::Never) => wake,
            (Self::At(one), Self::At(another)) => Self::At(one.min(another)),
        }
    }

    /// Whether it is time to wake at `now`.
    #[must_use]
    pub fn is_due(self, now: Timestamp) -> bool {
        match self {
            Self::Now => true,
            Self::At(at) => at <= now,
            Self::Never => false,
        }
    }
}
