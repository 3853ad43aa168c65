//! How long to wait before another attempt (RFC 6455 section 7.2.3).
//
// Owns: the waits, and when to give up.
// Must not know: any clock or random source, or what is attempted.

use std::time::Duration;

use sockless::Timestamp;

/// How long to wait before the next attempt to connect: truncated exponential back-off with full jitter.
///
/// Each wait is a random time from zero to a limit. The limit is 5 s at first, doubles with each attempt that fails, and
/// ends at 60 s. It starts at 5 s again once a connection has stayed open for as long as the longest limit, not as soon as
/// one is open: a server that accepts everybody and fails a second later would be asked in a tight loop otherwise.
///
/// Why these numbers: the first is what RFC 6455 section 7.2.3 suggests. When a server with ten thousand clients is
/// started again, they come back over 5 s and not in the same instant, which would stop it again. And when it comes back
/// after an hour, every client is there within a minute, and nobody has to be told to try again.
///
/// This is a value: it has no clock and no random source. [`Reconnect`](crate::blocking::Reconnect) drives it, and another
/// loop can do the same with [`opened`](Self::opened) and [`failed`](Self::failed).
///
/// ```
/// use std::time::Duration;
/// use sockless_connect::{Backoff, Timestamp};
///
/// let mut backoff = Backoff::new();
/// let now = Timestamp::from_micros(0);
/// // The largest random number gives the longest wait.
/// let waits: Vec<_> = (0..6).filter_map(|_| backoff.failed(now, u32::MAX)).collect();
/// assert_eq!(waits, [5, 10, 20, 40, 60, 60].map(Duration::from_secs));
/// ```
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    max_attempts: Option<u32>,
    max_elapsed: Option<Duration>,
    /// Attempts that failed since the last connection that was good, and when the first of them did.
    failed: u32,
    since: Option<Timestamp>,
    /// Since when there is a connection.
    opened: Option<Timestamp>,
}

impl Backoff {
    /// With the limits that [`Backoff`] tells of, and without an end.
    pub const fn new() -> Self {
        Self {
            first: Duration::from_secs(5),
            longest: Duration::from_secs(60),
            max_attempts: None,
            max_elapsed: None,
            failed: 0,
            since: None,
            opened: None,
        }
    }

    /// Sets the limit of the first wait. Default: 5 s.
    #[must_use]
    pub const fn with_first_delay(mut self, limit: Duration) -> Self {
        self.first = limit;
        self
    }

    /// Sets the limit of all waits. A connection that has been open for so long was good: after it the first limit is
    /// taken again. Default: 60 s.
    #[must_use]
    pub const fn with_longest_delay(mut self, limit: Duration) -> Self {
        self.longest = limit;
        self
    }

    /// Gives up when so many attempts in a row have failed. A connection that was lost too soon counts as one. Default:
    /// never.
    #[must_use]
    pub const fn with_max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// Gives up when the next attempt would be later than this after the first failure in a row. Default: never.
    #[must_use]
    pub const fn with_max_elapsed(mut self, limit: Duration) -> Self {
        self.max_elapsed = Some(limit);
        self
    }

    /// A connection was opened at this time.
    pub fn opened(&mut self, now: Timestamp) {
        self.opened = Some(now);
    }

    /// At this time an attempt has failed, or the connection was lost. Returns how long to wait, with a random number in
    /// which all values are as likely. `None` to give up; the next failure then is the first one again.
    pub fn failed(&mut self, now: Timestamp, random: u32) -> Option<Duration> {
        if self.opened.take().is_some_and(|opened| now.since(opened) >= self.longest) {
            self.failed = 0;
            self.since = None;
        }
        let limit = self.first.saturating_mul(1_u32.checked_shl(self.failed).unwrap_or(u32::MAX));
        let wait = limit.min(self.longest).saturating_mul(random).checked_div(u32::MAX).unwrap_or_default();
        self.failed = self.failed.saturating_add(1);
        let since = *self.since.get_or_insert(now);
        let has_attempts = self.max_attempts.is_none_or(|most| self.failed < most);
        let has_time = self.max_elapsed.is_none_or(|limit| now.after(wait).since(since) <= limit);
        if !(has_attempts && has_time) {
            self.failed = 0;
            self.since = None;
            return None;
        }
        Some(wait)
    }

    /// The limit of all waits.
    pub(crate) const fn longest(&self) -> Duration {
        self.longest
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
