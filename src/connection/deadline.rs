//! Every timer of a connection, as data (RFC 6455 sections 5.5.2 and 7.1.1 leave them to the endpoints).
//
// Owns: which deadlines run and when the next one passes.
// Must not know: a clock, frames, or what a passed deadline does to the connection.

use core::num::NonZeroU64;
use core::time::Duration;

use crate::connection::round_trip::{RoundTrip, Untold};
use crate::error::Timeout;
use crate::event::MessageProgress;
use crate::time::{micros, Timestamp, Wake};

/// The timers of a connection. `None` means without end.
///
/// The adapters that have a clock use [`SERVER`](Self::SERVER) and [`CLIENT`](Self::CLIENT). To change one, set the field:
/// `config.timeouts.opening = Some(Duration::from_secs(3))`.
///
/// A peer that does not read gets as much time as a peer that does not answer: `ping_interval` and `pong` together, or
/// `idle` if that is less. The time starts again each time that the transport takes some output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// For the opening handshake to be complete.
    pub opening: Option<Duration>,
    /// After how long a silence a keep-alive Ping is sent (RFC 6455 section 5.5.2).
    ///
    /// The adapters ask the clock when a Pong comes, but not at each read: a peer that is heard from gets Pings too.
    pub ping_interval: Option<Duration>,
    /// For a sign of life after a keep-alive Ping. Anything that comes is one, and so is output that the transport
    /// takes after it took none. The time starts when the transport takes the Ping.
    pub pong: Option<Duration>,
    /// For anything to come at all.
    pub idle: Option<Duration>,
    /// For anything to come while a message that was begun has not ended.
    pub stalled_fragment: Option<Duration>,
    /// The least speed of a message, in octets a second, on an average over `stalled_fragment`. It keeps a peer that sends
    /// one octet a minute from holding a message open without end. Default in the sets below:
    /// [`DEFAULT_MESSAGE_RATE`](Self::DEFAULT_MESSAGE_RATE). 0, or no `stalled_fragment`, turns it off.
    pub message_rate: u32,
    /// For the peer to answer a Close and for the transport to end.
    pub closing: Option<Duration>,
}

impl Timeouts {
    /// 240 octets a second: the slowest mobile links are many times faster.
    pub const DEFAULT_MESSAGE_RATE: u32 = 240;

    /// No timer at all.
    pub const NONE: Self = Self {
        opening: None,
        ping_interval: None,
        pong: None,
        idle: None,
        stalled_fragment: None,
        message_rate: 0,
        closing: None,
    };

    /// 10 s for the opening handshake, a Ping after 30 s of silence and 20 s for a sign of life, 60 s for a stalled
    /// message, 240 octets a second for one that is not, 5 s for the closing handshake.
    pub const SERVER: Self = Self {
        opening: Some(Duration::from_secs(10)),
        ping_interval: Some(Duration::from_secs(30)),
        pong: Some(Duration::from_secs(20)),
        idle: None,
        stalled_fragment: Some(Duration::from_secs(60)),
        message_rate: Self::DEFAULT_MESSAGE_RATE,
        closing: Some(Duration::from_secs(5)),
    };

    /// As for servers, but 30 s for the opening handshake. Clients send Pings too: a network that forgets a connection tells
    /// nobody.
    pub const CLIENT: Self = Self { opening: Some(Duration::from_secs(30)), ..Self::SERVER };

    pub(crate) const fn any(&self) -> bool {
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
    /// How much came of a message or a frame that has not ended.
    pub message: Option<MessageProgress>,
    /// A Close was sent or came, or the connection failed.
    pub closing: bool,
    /// What became of the output that was queued last.
    pub output: Output,
    /// Whether the caller waits for the transport to take output, and does not read. Then only the deadlines of output
    /// and of the closing handshake run.
    pub only_writes: bool,
}

impl Progress {
    /// The opening handshake is not complete.
    pub const OPENING: Self =
        Self { open: false, message: None, closing: false, output: Output::Unknown, only_writes: false };
}

/// What became of the output that was queued last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the transport took it or not, if that is known")]
pub enum Output {
    /// The caller does not say. A keep-alive Ping counts as taken when it is asked for, and output has no deadline.
    #[default]
    Unknown,
    /// The transport took all of it.
    Taken,
    /// Not all of it was offered to the transport yet.
    Queued,
    /// The transport did not take all of it when it was asked last.
    Waits,
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

/// What each timer asks for.
const ACTIONS: [TimeoutAction; 8] = [
    TimeoutAction::Fail(Timeout::OpeningHandshake),
    TimeoutAction::Fail(Timeout::ClosingHandshake),
    TimeoutAction::Fail(Timeout::BlockedOutput),
    TimeoutAction::Fail(Timeout::StalledFragment),
    TimeoutAction::Fail(Timeout::SlowMessage),
    TimeoutAction::Fail(Timeout::Idle),
    TimeoutAction::Fail(Timeout::Pong),
    TimeoutAction::SendPing,
];

/// The timers of one connection.
///
/// Reading and writing do not ask for the time. They note that something [came](Self::received), or that the transport
/// [took](Self::wrote) something, and the next [`handle_timeout`](Self::handle_timeout) moves the deadlines.
///
/// So a deadline of silence can pass late, by up to its own length; it never passes early. Call `handle_timeout` after
/// each read to make it exact. Pings are never late.
#[derive(Clone, Debug)]
pub struct Deadlines {
    lengths: Lengths,
    /// Whether any of them can run.
    any: bool,
    waits_for: WaitsFor,
    /// Since when.
    since: Option<Timestamp>,
    heard: Option<Timestamp>,
    /// From when the interval to the next Ping counts, or the wait for the Pong.
    pinged: Option<Timestamp>,
    /// Since when the transport takes nothing of what waits.
    blocked: Option<Timestamp>,
    /// When its rate was last looked at.
    rated: Option<Rated>,
    ping: Ping,
    received: bool,
    /// The transport took something.
    wrote: bool,
    pub(crate) round_trip: RoundTrip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WaitsFor {
    /// The opening one.
    Opening,
    /// A deadline may have asked for it.
    Closing,
    /// No deadline runs any more.
    Over,
}

/// Where the last keep-alive Ping is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ping {
    /// Answered, or there was none.
    Done,
    /// The transport took it, or is offered it next.
    Sent,
    /// It, or what follows it, waits for the transport.
    Waits,
}

#[derive(Clone, Copy, Debug)]
struct Rated {
    at: Timestamp,
    message: MessageProgress,
}

/// What the deadlines of an open connection count from, between messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signs {
    pub(crate) heard: Option<Timestamp>,
    pub(crate) pinged: Option<Timestamp>,
    /// Whether a Pong is waited for.
    pub(crate) awaits_pong: bool,
    /// Whether anything came since.
    pub(crate) received: bool,
    pub(crate) round_trip: RoundTrip,
}

/// [`Timeouts`] in half the space: whole microseconds, at least one.
#[derive(Clone, Copy, Debug)]
struct Lengths {
    opening: Option<NonZeroU64>,
    ping_interval: Option<NonZeroU64>,
    pong: Option<NonZeroU64>,
    idle: Option<NonZeroU64>,
    stalled_fragment: Option<NonZeroU64>,
    closing: Option<NonZeroU64>,
    message_rate: u32,
}

impl Deadlines {
    /// None of them runs before the first [`handle_timeout`](Self::handle_timeout).
    pub const fn new(timeouts: Timeouts) -> Self {
        Self {
            lengths: Lengths::new(&timeouts),
            any: timeouts.any(),
            waits_for: WaitsFor::Opening,
            since: None,
            heard: None,
            pinged: None,
            blocked: None,
            rated: None,
            ping: Ping::Done,
            received: false,
            wrote: false,
            round_trip: RoundTrip { sent: None, latency: None, digest: 0, untold: Untold::Nothing },
        }
    }

    /// Something came from the peer.
    pub fn received(&mut self) {
        self.received = true;
    }

    /// The transport took output.
    pub fn wrote(&mut self) {
        self.wrote = true;
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self, progress: Progress) -> Wake {
        match self.round_trip.untold {
            // Its Ping was timed, so there is a clock.
            Untold::Pong => return Wake::Now,
            Untold::Ping if self.any => return Wake::Now,
            _ if !self.any => return Wake::Never,
            _ => {}
        }
        self.candidates(progress).into_iter().flatten().fold(Wake::Never, Wake::sooner)
    }

    /// Which of them passes next: what [`handle_timeout`](Self::handle_timeout) is to ask for once
    /// [`poll_timeout`](Self::poll_timeout) is due. `None` if none runs. For logs and tools.
    #[must_use]
    pub fn next_timer(&self, progress: Progress) -> Option<TimeoutAction> {
        let mut next = (Wake::Never, None);
        for (wake, action) in self.timers(progress) {
            let sooner = next.0.sooner(wake);
            if sooner != next.0 {
                next = (sooner, Some(action));
            }
        }
        next.1
    }

    /// Moves the deadlines to `now`. Spurious calls are harmless.
    ///
    /// After a deadline has failed the connection, only that of the closing handshake runs.
    #[must_use]
    pub fn handle_timeout(&mut self, now: Timestamp, progress: Progress) -> Option<TimeoutAction> {
        self.round_trip.tell(now);
        if self.waits_for == WaitsFor::Over {
            return None;
        }
        self.arm(now, progress);
        for (wake, action) in self.timers(progress) {
            if !matches!(wake, Wake::At(at) if at <= now) {
                continue;
            }
            match action {
                TimeoutAction::Fail(Timeout::SlowMessage) if self.keeps_rate(now, progress) => continue,
                TimeoutAction::Fail(timeout) => {
                    self.waits_for = match timeout {
                        Timeout::OpeningHandshake | Timeout::ClosingHandshake => WaitsFor::Over,
                        _ => WaitsFor::Closing,
                    };
                    self.since = Some(now);
                }
                TimeoutAction::SendPing => {
                    self.ping = Ping::Sent;
                    self.pinged = Some(now);
                    self.round_trip.ping(&[]);
                    self.round_trip.tell(now);
                }
            }
            return Some(action);
        }
        None
    }

    #[cfg(feature = "alloc")]
    pub(crate) fn timeouts(&self) -> Timeouts {
        self.lengths.timeouts()
    }

    pub(crate) fn is_untold(&self) -> bool {
        self.ping == Ping::Waits || self.round_trip.untold != Untold::Nothing
    }

    pub(crate) const fn signs(&self) -> Signs {
        let awaits_pong = matches!(self.ping, Ping::Sent);
        // Output that was refused and then taken is a sign of life.
        let received = self.received || (self.wrote && self.blocked.is_some());
        let Self { heard, pinged, round_trip, .. } = *self;
        Signs { heard, pinged, awaits_pong, received, round_trip }
    }

    pub(crate) fn unpark(&mut self, signs: Signs) {
        self.waits_for = WaitsFor::Opening;
        self.since = None;
        self.heard = signs.heard;
        self.pinged = signs.pinged;
        self.blocked = None;
        self.rated = None;
        self.ping = if signs.awaits_pong { Ping::Sent } else { Ping::Done };
        self.received = signs.received;
        self.wrote = false;
        self.round_trip = signs.round_trip;
    }

    fn arm(&mut self, now: Timestamp, progress: Progress) {
        if progress.closing && self.waits_for == WaitsFor::Opening {
            self.waits_for = WaitsFor::Closing;
            self.since = Some(now);
        }
        self.since.get_or_insert(now);
        if progress.open {
            self.arm_output(now, progress.output);
            self.arm_silence(now);
            if let (Some(message), None) = (progress.message, self.rated_of(progress)) {
                self.rated = Some(Rated { at: now, message });
            }
        }
    }

    fn arm_output(&mut self, now: Timestamp, output: Output) {
        if core::mem::take(&mut self.wrote) && self.blocked.take().is_some() {
            // The peer made room: it lives.
            self.received = true;
        }
        if output != Output::Waits {
            self.blocked = None;
        } else if self.blocked.is_none() {
            self.blocked = Some(now);
        }
        // From when the transport took the Ping.
        match (self.ping, output) {
            (Ping::Sent, Output::Waits) => self.ping = Ping::Waits,
            (Ping::Waits, Output::Taken) => {
                self.ping = Ping::Sent;
                self.pinged = Some(now);
                if self.round_trip.awaits_pong() {
                    self.round_trip.sent = Some(now);
                }
            }
            _ => {}
        }
    }

    fn arm_silence(&mut self, now: Timestamp) {
        let length = match self.ping {
            Ping::Done => self.lengths.ping_interval,
            Ping::Waits => None,
            Ping::Sent => self.lengths.pong.or(self.lengths.ping_interval),
        };
        if core::mem::take(&mut self.received) {
            // It may be known too late when something came. The next Ping is not late for it.
            let is_late = matches!(wake(self.pinged, length), Some(Wake::At(due)) if due <= now);
            if !is_late {
                self.pinged = Some(now);
            }
            self.ping = Ping::Done;
            self.heard = Some(now);
        }
        self.heard.get_or_insert(now);
        self.pinged.get_or_insert(now);
    }

    /// Whether the message in progress came fast enough since that was last looked at.
    fn keeps_rate(&mut self, now: Timestamp, progress: Progress) -> bool {
        let (Some(rated), Some(message)) = (self.rated_of(progress), progress.message) else { return true };
        self.rated = Some(Rated { at: now, message });
        let octets = message.octets.saturating_sub(rated.message.octets);
        let micros = now.as_micros().saturating_sub(rated.at.as_micros());
        octets.saturating_mul(1_000_000) >= micros.saturating_mul(self.lengths.message_rate.into())
    }

    /// How far it was then.
    fn rated_of(&self, progress: Progress) -> Option<Rated> {
        let number = progress.message?.number;
        self.rated.filter(|rated| rated.message.number == number)
    }

    /// Those that run. Where two pass at the same time, the first of them counts.
    fn timers(&self, progress: Progress) -> impl Iterator<Item = (Wake, TimeoutAction)> {
        let named = self.candidates(progress).into_iter().zip(ACTIONS);
        named.filter_map(|(wake, action)| Some((wake?, action)))
    }

    /// In the order of [`ACTIONS`].
    fn candidates(&self, progress: Progress) -> [Option<Wake>; 8] {
        let mut wakes = [None; 8];
        let [opening, closing, blocked, stalled, slow, idle, pong, ping] = &mut wakes;
        let t = &self.lengths;
        match self.waits_for {
            WaitsFor::Over => return wakes,
            WaitsFor::Closing => {
                *closing = wake(self.since, t.closing);
                return wakes;
            }
            WaitsFor::Opening if progress.closing => {
                *closing = wake(None, t.closing);
                return wakes;
            }
            WaitsFor::Opening if !progress.open => {
                *opening = wake(self.since, t.opening);
                return wakes;
            }
            WaitsFor::Opening => {}
        }
        if progress.output == Output::Waits {
            // From when it took something: whoever reads a little now and then is not given twice as long.
            *blocked = wake(self.blocked.filter(|_| !self.wrote), t.blocked());
        }
        if progress.only_writes {
            return wakes;
        }
        if progress.message.is_some() {
            *stalled = wake(self.heard, t.stalled_fragment);
            // At the latest when the deadline above passes.
            if let (Some(rated), true) = (self.rated_of(progress), t.message_rate > 0) {
                *slow = wake(Some(rated.at), t.stalled_fragment);
            }
        }
        [*idle, *pong, *ping] = match (self.ping, progress.output) {
            // The transport took it.
            (Ping::Waits, Output::Taken) => [wake(self.heard, t.idle), t.pong.map(|_| Wake::Now), None],
            (Ping::Waits, _) => [wake(self.heard, t.idle), None, None],
            _ => self.signs().candidates(t),
        };
        wakes
    }
}

impl Signs {
    /// As [`Deadlines::poll_timeout`].
    pub(crate) fn poll_timeout(&self, timeouts: &Timeouts) -> Wake {
        self.candidates(&Lengths::new(timeouts)).into_iter().flatten().fold(Wake::Never, Wake::sooner)
    }

    /// Idle, pong, ping.
    fn candidates(&self, t: &Lengths) -> [Option<Wake>; 3] {
        let idle = wake(self.heard, t.idle);
        if self.awaits_pong && t.pong.is_some() {
            [idle, wake(self.pinged, t.pong), None]
        } else {
            [idle, None, wake(self.pinged, t.ping_interval)]
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
            message_rate: timeouts.message_rate,
        }
    }

    /// As long as a peer may be silent.
    const fn blocked(&self) -> Option<NonZeroU64> {
        let silence = match (self.ping_interval, self.pong) {
            (Some(ping), Some(pong)) => Some(ping.saturating_add(pong.get())),
            _ => None,
        };
        match (silence, self.idle) {
            (Some(silence), Some(idle)) if silence.get() < idle.get() => Some(silence),
            (silence, None) => silence,
            (_, idle) => idle,
        }
    }

    #[cfg(feature = "alloc")]
    fn timeouts(&self) -> Timeouts {
        let timeout = |length: Option<NonZeroU64>| length.map(|micros| Duration::from_micros(micros.get()));
        Timeouts {
            opening: timeout(self.opening),
            ping_interval: timeout(self.ping_interval),
            pong: timeout(self.pong),
            idle: timeout(self.idle),
            stalled_fragment: timeout(self.stalled_fragment),
            closing: timeout(self.closing),
            message_rate: self.message_rate,
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

/// When a timer of this length fires; it must be armed first if it does not run.
fn wake(since: Option<Timestamp>, length: Option<NonZeroU64>) -> Option<Wake> {
    let length = length?.get();
    Some(since.map_or(Wake::Now, |since| Wake::At(since.after_micros(length))))
}
