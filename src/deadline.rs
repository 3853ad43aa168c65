//! Every timer of a connection, as data (RFC 6455 sections 5.5.2 and 7.1.1 leave them to the endpoints).
//!
//! Owns: which deadlines run and when the next one passes. Must not know: a clock, frames, or what a passed
//! deadline does to the connection.

use core::num::NonZeroU64;
use core::time::Duration;

use crate::error::Timeout;
use crate::time::{micros, Timestamp, Wake};

/// How long an endpoint waits for what. `None` is for ever; all are `None` unless asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// For the opening handshake to be complete.
    pub opening: Option<Duration>,
    /// Without receiving anything, until a keep-alive Ping is sent.
    pub ping_interval: Option<Duration>,
    /// For anything to come after a keep-alive Ping.
    pub pong: Option<Duration>,
    /// For anything to come at all.
    pub idle: Option<Duration>,
    /// For anything to come while a message that was begun has not ended.
    pub stalled_fragment: Option<Duration>,
    /// For the peer to answer a Close and for the transport to end.
    pub closing: Option<Duration>,
}

impl Timeouts {
    /// No timer at all.
    pub const NONE: Self = Self {
        opening: None,
        ping_interval: None,
        pong: None,
        idle: None,
        stalled_fragment: None,
        closing: None,
    };

    /// For servers: 10 s for the opening handshake, a Ping after 30 s of silence and 20 s for a sign of life,
    /// 60 s for a stalled message, 5 s for the closing handshake.
    pub const SERVER: Self = Self {
        opening: Some(Duration::from_secs(10)),
        ping_interval: Some(Duration::from_secs(30)),
        pong: Some(Duration::from_secs(20)),
        idle: None,
        stalled_fragment: Some(Duration::from_secs(60)),
        closing: Some(Duration::from_secs(5)),
    };

    /// For clients: 30 s for the opening handshake, 5 s for the closing handshake; keeping alive is left to
    /// the server.
    pub const CLIENT: Self = Self {
        opening: Some(Duration::from_secs(30)),
        ping_interval: None,
        pong: None,
        idle: None,
        stalled_fragment: None,
        closing: Some(Duration::from_secs(5)),
    };
}

impl Timeouts {
    const fn any(&self) -> bool {
        self.opening.is_some()
            || self.ping_interval.is_some()
            || self.pong.is_some()
            || self.idle.is_some()
            || self.stalled_fragment.is_some()
            || self.closing.is_some()
    }
}

/// What the deadlines have to know of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the caller makes it, and must not forget a fact")]
pub struct Progress {
    /// The opening handshake is complete.
    pub open: bool,
    /// A message or a frame was begun and its end has not come.
    pub mid_message: bool,
    /// A Close was sent or came, or the connection failed.
    pub closing: bool,
}

/// What a passed deadline asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeoutAction {
    /// Send a keep-alive Ping.
    SendPing,
    /// Fail the connection.
    Fail(Timeout),
}

/// The timers of one connection.
///
/// The data path never asks for the time: it only notes that something [came](Self::received), and the next
/// [`handle_timeout`](Self::handle_timeout) moves the deadlines. A deadline therefore passes up to its own
/// length late, never early; calling `handle_timeout` after a read makes it exact.
#[derive(Clone, Debug)]
pub struct Deadlines {
    lengths: Lengths,
    /// Whether any of them can run.
    any: bool,
    /// Since when the opening handshake or, at the end, the closing one has been waited for.
    since: Option<Timestamp>,
    heard: Option<Timestamp>,
    pinged: Option<Timestamp>,
    received: bool,
    /// A Close was sent or came, or the connection failed; a deadline may have asked for that.
    ending: bool,
    /// None runs any more.
    over: bool,
}

/// What the deadlines of an open connection count from, where no message is in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signs {
    pub(crate) heard: Option<Timestamp>,
    pub(crate) pinged: Option<Timestamp>,
    /// Whether anything came since.
    pub(crate) received: bool,
}

/// [`Timeouts`] in half the space: whole microseconds, at least one, so that a deadline just armed is never
/// already past.
#[derive(Clone, Copy, Debug)]
struct Lengths {
    opening: Option<NonZeroU64>,
    ping_interval: Option<NonZeroU64>,
    pong: Option<NonZeroU64>,
    idle: Option<NonZeroU64>,
    stalled_fragment: Option<NonZeroU64>,
    closing: Option<NonZeroU64>,
}

impl Deadlines {
    /// None of them runs before the first [`handle_timeout`](Self::handle_timeout).
    pub const fn new(timeouts: Timeouts) -> Self {
        Self {
            lengths: Lengths::new(&timeouts),
            any: timeouts.any(),
            since: None,
            heard: None,
            pinged: None,
            received: false,
            ending: false,
            over: false,
        }
    }

    /// Something came from the peer.
    #[inline]
    pub fn received(&mut self) {
        self.received = true;
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    #[inline]
    pub fn poll_timeout(&self, progress: Progress) -> Wake {
        if !self.any {
            return Wake::Never;
        }
        self.soonest(progress)
    }

    fn soonest(&self, progress: Progress) -> Wake {
        self.candidates(progress).into_iter().flatten().fold(Wake::Never, sooner)
    }

    /// Moves the deadlines to `now`. Spurious calls are harmless.
    ///
    /// Once a deadline asked to fail the connection, only that of the closing handshake runs on: a peer that
    /// is gone does not end the transport either.
    #[must_use]
    pub fn handle_timeout(&mut self, now: Timestamp, progress: Progress) -> Option<TimeoutAction> {
        if self.over {
            return None;
        }
        self.arm(now, progress);
        let overdue = |wake| matches!(wake, Some(Wake::At(at)) if at <= now);
        let [opening, closing, stalled, idle, pong, ping] = self.candidates(progress);
        let failures = [
            (opening, Timeout::OpeningHandshake),
            (closing, Timeout::ClosingHandshake),
            (stalled, Timeout::StalledFragment),
            (idle, Timeout::Idle),
            (pong, Timeout::Pong),
        ];
        for (wake, timeout) in failures {
            if overdue(wake) {
                self.over = matches!(timeout, Timeout::OpeningHandshake | Timeout::ClosingHandshake);
                self.ending = true;
                self.since = Some(now);
                return Some(TimeoutAction::Fail(timeout));
            }
        }
        if overdue(ping) {
            self.pinged = Some(now);
            return Some(TimeoutAction::SendPing);
        }
        None
    }

    /// How long is waited for what.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    pub(crate) fn timeouts(&self) -> Timeouts {
        self.lengths.timeouts()
    }

    /// What those of an open connection count from.
    pub(crate) const fn signs(&self) -> Signs {
        Signs { heard: self.heard, pinged: self.pinged, received: self.received }
    }

    /// Goes on as those of an open connection.
    pub(crate) fn resume(&mut self, signs: Signs) {
        self.since = None;
        self.heard = signs.heard;
        self.pinged = signs.pinged;
        self.received = signs.received;
        self.ending = false;
        self.over = false;
    }

    fn arm(&mut self, now: Timestamp, progress: Progress) {
        if progress.closing && !self.ending {
            self.ending = true;
            self.since = Some(now);
        }
        self.since.get_or_insert(now);
        if progress.open && (self.received || self.heard.is_none()) {
            self.received = false;
            self.heard = Some(now);
            self.pinged = None;
        }
    }

    /// Opening, closing, stalled fragment, idle, pong, ping: each `None` where it does not run.
    fn candidates(&self, progress: Progress) -> [Option<Wake>; 6] {
        if self.over {
            return [None; 6];
        }
        let t = &self.lengths;
        if progress.closing || self.ending {
            let since = if self.ending { self.since } else { None };
            return [None, wake(since, t.closing), None, None, None, None];
        }
        if !progress.open {
            return [wake(self.since, t.opening), None, None, None, None, None];
        }
        let stalled = if progress.mid_message { wake(self.heard, t.stalled_fragment) } else { None };
        let [idle, pong, ping] = self.signs().candidates(t);
        [None, None, stalled, idle, pong, ping]
    }
}

impl Signs {
    /// As [`Deadlines::poll_timeout`] of an open connection.
    pub(crate) fn poll_timeout(&self, timeouts: &Timeouts) -> Wake {
        self.candidates(&Lengths::new(timeouts)).into_iter().flatten().fold(Wake::Never, sooner)
    }

    /// Idle, pong, ping.
    fn candidates(&self, t: &Lengths) -> [Option<Wake>; 3] {
        let idle = wake(self.heard, t.idle);
        match (self.pinged, t.pong) {
            (Some(_), Some(_)) => [idle, wake(self.pinged, t.pong), None],
            (Some(_), None) => [idle, None, wake(self.pinged, t.ping_interval)],
            (None, _) => [idle, None, wake(self.heard, t.ping_interval)],
        }
    }
}

impl Lengths {
    const fn new(timeouts: &Timeouts) -> Self {
        Self {
            opening: length(timeouts.opening),
            ping_interval: length(timeouts.ping_interval),
            pong: length(timeouts.pong),
            idle: length(timeouts.idle),
            stalled_fragment: length(timeouts.stalled_fragment),
            closing: length(timeouts.closing),
        }
    }

    /// Timeouts of these lengths.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    fn timeouts(&self) -> Timeouts {
        let timeout = |length: Option<NonZeroU64>| length.map(|micros| Duration::from_micros(micros.get()));
        Timeouts {
            opening: timeout(self.opening),
            ping_interval: timeout(self.ping_interval),
            pong: timeout(self.pong),
            idle: timeout(self.idle),
            stalled_fragment: timeout(self.stalled_fragment),
            closing: timeout(self.closing),
        }
    }
}

const fn length(timeout: Option<Duration>) -> Option<NonZeroU64> {
    match timeout {
        None => None,
        Some(timeout) => match NonZeroU64::new(micros(timeout)) {
            None => Some(NonZeroU64::MIN),
            length => length,
        },
    }
}

/// When a timer of this length fires that runs since then; it must be armed first if it does not run yet.
fn wake(since: Option<Timestamp>, length: Option<NonZeroU64>) -> Option<Wake> {
    let length = length?.get();
    Some(since.map_or(Wake::Now, |since| Wake::At(since.after_micros(length))))
}

fn sooner(a: Wake, b: Wake) -> Wake {
    match (a, b) {
        (Wake::Now, _) | (_, Wake::Now) => Wake::Now,
        (Wake::Never, other) | (other, Wake::Never) => other,
        (Wake::At(a), Wake::At(b)) => Wake::At(a.min(b)),
    }
}
