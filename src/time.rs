//! Time as data: the engine has no clock.
//
// Owns: points in time and when to wake.
// Must not know: any clock.

use core::num::NonZeroU64;
use core::time::Duration;

/// A point in time: microseconds since a moment that the caller picks, once for a connection, from a clock
/// that never runs backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(NonZeroU64);

impl Timestamp {
    /// So many microseconds after the caller's moment.
    pub const fn from_micros(micros: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(micros))
    }

    /// So long after the caller's moment.
    pub fn from_duration(since: Duration) -> Self {
        Self::from_micros(micros(since))
    }

    /// Microseconds after the caller's moment.
    pub const fn as_micros(self) -> u64 {
        self.0.get().saturating_sub(1)
    }

    /// How long after `earlier` this is; nothing if it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.as_micros().saturating_sub(earlier.as_micros()))
    }

    /// Later by `duration`; the end of time if it does not fit.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        self.after_micros(micros(duration))
    }

    /// As [`after`](Self::after), in microseconds.
    pub(crate) const fn after_micros(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

/// Whole microseconds.
pub(crate) const fn micros(duration: Duration) -> u64 {
    // As `as_micros`, but without 128 bits.
    let sub = duration.subsec_micros() as u64;
    duration.as_secs().saturating_mul(1_000_000).saturating_add(sub)
}

/// When the caller must call `handle_timeout`, if nothing else happens before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no fourth way to wait")]
pub enum Wake {
    /// At once: a timer has to be armed, and only the caller knows the time.
    Now,
    /// At this time, or later.
    At(Timestamp),
    /// Not at all: the caller needs no clock.
    Never,
}

impl Wake {
    /// Whichever comes first.
    #[must_use]
    pub fn sooner(self, other: Self) -> Self {
        match (self, other) {
            (Self::Now, _) | (_, Self::Now) => Self::Now,
            (Self::Never, wake) | (wake, Self::Never) => wake,
            (Self::At(one), Self::At(another)) => Self::At(one.min(another)),
        }
    }

    /// Whether the time has come.
    #[must_use]
    pub fn is_due(self, now: Timestamp) -> bool {
        match self {
            Self::Now => true,
            Self::At(at) => at <= now,
            Self::Never => false,
        }
    }
}
