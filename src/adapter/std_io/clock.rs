//! The time of blocking transports, which is that of their reads.
//!
//! Owns: the clock, and how long a read may take. Must not know: which timers there are.

use std::io;
use std::time::Instant;

use super::Stream;
use crate::time::{Timestamp, Wake};

/// A clock that begins when it is first asked.
#[derive(Debug)]
pub(super) struct Clock {
    began: Option<Instant>,
    /// Whether the last read was limited.
    limited: bool,
}

/// How the next read is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limited {
    /// Not by us.
    Not,
    /// Until then.
    Until(Timestamp),
    /// A timer is to be moved first.
    Passed(Timestamp),
}

impl Clock {
    pub(super) const fn new() -> Self {
        Self { began: None, limited: false }
    }

    pub(super) fn now(&mut self) -> Timestamp {
        let began = self.began.get_or_insert_with(Instant::now);
        Timestamp::from_duration(began.elapsed())
    }

    /// Limits the next read to what the timers allow. A transport that has no limits runs no timers.
    pub(super) fn limit_read(&mut self, stream: &mut impl Stream, wake: Wake) -> io::Result<Limited> {
        if wake == Wake::Never {
            if core::mem::replace(&mut self.limited, false) {
                stream.limit_read(None)?;
            }
            return Ok(Limited::Not);
        }
        let now = self.now();
        let until = match wake {
            Wake::At(until) if until > now => until,
            _ => return Ok(Limited::Passed(now)),
        };
        match stream.limit_read(Some(until.since(now))) {
            Ok(()) => {
                self.limited = true;
                Ok(Limited::Until(until))
            }
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(Limited::Not),
            Err(error) => Err(error),
        }
    }
}
