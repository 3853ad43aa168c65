//! The time of blocking transports, which is that of their reads.
//
// Owns: the clock, and how long a read may take.
// Must not know: which timers there are.

use std::io;
use std::time::{Duration, Instant};

use super::BlockingTransport;
use crate::time::{Timestamp, Wake};

/// A clock that begins when it is first asked.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    began: Option<Instant>,
    /// How long a read may take now.
    read_limit: Option<Duration>,
    /// Whether writes are limited.
    limits_writes: bool,
}

/// How the next read is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limited {
    /// Not by us.
    Not,
    /// Until then, or for less: the time is looked at again after that.
    Until(Timestamp),
    /// A timer is to be moved first.
    Passed(Timestamp),
}

/// Limits below this are set exactly.
const EXACT: Duration = Duration::from_millis(200);
/// How long a write may take before it looks at the time and goes on waiting.
const WRITE_LIMIT: Duration = Duration::from_millis(100);

impl Clock {
    pub(super) const fn new() -> Self {
        Self { began: None, read_limit: None, limits_writes: false }
    }

    pub(super) fn now(&mut self) -> Timestamp {
        let began = self.began.get_or_insert_with(Instant::now);
        Timestamp::from_duration(began.elapsed())
    }

    /// Limits the next read to what the timers allow. A transport that has no limits runs no timers.
    ///
    /// A limit stands for as long as it is short enough, and is half of what is allowed, so that most reads
    /// need no system call to set one.
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

    /// Limits all writes from now on, so that one that waits can look at the timers. Whether they are limited:
    /// a transport that has no limits runs no timers.
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

    /// As [`was_limited`], of an operation that was called at `called`.
    pub(super) fn was_limited(&mut self, called: Timestamp, limit: Option<Duration>) -> bool {
        limit.is_some_and(|limit| was_limited(self.now().since(called), limit))
    }

    /// How long a read may take now, if that is limited.
    pub(super) const fn read_limit(&self) -> Option<Duration> {
        self.read_limit
    }

    /// How long a write may take now, if that is limited.
    pub(super) fn write_limit(&self) -> Option<Duration> {
        self.limits_writes.then_some(WRITE_LIMIT)
    }
}

/// One of so many equal parts.
fn part(of: Duration, parts: u32) -> Duration {
    of.checked_div(parts).unwrap_or(of)
}

/// Whether an operation that gave up after this time did so because of a limit of ours. One that gives up long
/// before does not block at all, or has a shorter limit of its owner's: to call it again would be a busy wait.
pub(super) fn was_limited(after: Duration, limit: Duration) -> bool {
    // A model checker tries every order of events, and knows no time.
    cfg!(shuttle) || after >= part(limit, 2)
}
