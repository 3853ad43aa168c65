//! The clock of blocking transports, and the time limits of their reads and writes.
//
// Owns: the clock, and how long a read or a write may take.
// Must not know: which timers there are.

use std::io;
use std::time::{Duration, Instant};

use super::BlockingTransport;
use crate::time::{Timestamp, Wake};

/// It starts when it is first asked.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    began: Option<Instant>,
    /// How long a read may take now.
    read_limit: Option<Duration>,
    /// Whether writes are limited.
    limits_writes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limited {
    /// We do not limit it.
    Not,
    /// After that, look at the time again.
    Until(Timestamp),
    /// A timer must be handled first.
    Passed(Timestamp),
}

/// Shorter limits are set exactly.
const EXACT: Duration = Duration::from_millis(200);
/// How long a write may take before we look at the time.
const WRITE_LIMIT: Duration = Duration::from_millis(100);

impl Clock {
    pub(super) const fn new() -> Self {
        Self { began: None, read_limit: None, limits_writes: false }
    }

    pub(super) fn now(&mut self) -> Timestamp {
        let began = self.began.get_or_insert_with(Instant::now);
        Timestamp::from_duration(began.elapsed())
    }

    /// If the transport cannot limit its reads, no timer runs.
    ///
    /// A limit is kept while it is short enough, and a new one is half of what is allowed: most reads need no system
    /// call.
    pub(super) fn limit_read(
        &mut self,
        stream: &mut impl BlockingTransport,
        wake: Wake,
    ) -> io::Result<Limited> {
        if wake == Wake::Never {
            if self.read_limit.take().is_some() {
                stream.limit_read(None)?;
            }
            return Ok(Limited::Not);
        }
        let now = self.now();
        let until = match wake {
            Wake::At(until) if until > now => until,
            _ => return Ok(Limited::Passed(now)),
        };
        let left = until.since(now);
        if self.read_limit.is_some_and(|limit| limit <= left && limit >= part(left, 8)) {
            return Ok(Limited::Until(until));
        }
        let limit = if left <= EXACT { left } else { part(left, 2) };
        match stream.limit_read(Some(limit)) {
            Ok(()) => {
                self.read_limit = Some(limit);
                Ok(Limited::Until(until))
            }
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(Limited::Not),
            Err(error) => Err(error),
        }
    }

    /// A waiting write can look at the timers then. Returns whether writes are limited. If they cannot be, no timer
    /// runs.
    pub(super) fn limit_writes(&mut self, stream: &mut impl BlockingTransport) -> io::Result<bool> {
        if !self.limits_writes {
            match stream.limit_write(Some(WRITE_LIMIT)) {
                Ok(()) => self.limits_writes = true,
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.limits_writes)
    }

    /// Whether our own limit made an operation fail ([`was_limited`]).
    pub(super) fn was_limited(&mut self, called: Timestamp, limit: Option<Duration>) -> bool {
        limit.is_some_and(|limit| was_limited(self.now().since(called), limit))
    }

    pub(super) const fn read_limit(&self) -> Option<Duration> {
        self.read_limit
    }

    pub(super) fn write_limit(&self) -> Option<Duration> {
        self.limits_writes.then_some(WRITE_LIMIT)
    }
}

fn part(of: Duration, parts: u32) -> Duration {
    of.checked_div(parts).unwrap_or(of)
}

/// Whether our own limit made an operation fail after this time. If it failed long before, the transport does not
/// block, or has a shorter limit: calling again would be a busy loop.
pub(super) fn was_limited(after: Duration, limit: Duration) -> bool {
    // A model checker has no time.
    cfg!(shuttle) || after >= part(limit, 2)
}
