//! A parked connection: the small state of one that waits for the peer's next message.
//
// Owns: what such a connection keeps.
// Must not know: where it is kept, or who wakes it.

use core::num::NonZeroU32;
use core::time::Duration;

use crate::connection::deadline::{Signs, Timeouts};
use crate::connection::round_trip::{RoundTrip, Untold};
use crate::frame::Rsv;
use crate::time::{Timestamp, Wake};

/// A parked connection: open, between two messages in both directions, and owing nothing, as most are for most of their
/// time.
///
/// A server with a million connections keeps a `Parked` for each, and one [`Connection`](crate::Connection) (or
/// `endpoint::Endpoint`, with its buffers) for each thread, which [unparks](crate::Connection::unpark) those that have
/// something to do. The peer cannot see any difference. Do not unpark two copies.
///
/// # Examples
///
/// ```
/// use sockless::{Config, Connection, Input, Parked, Server, Timeouts, Timestamp, Wake};
///
/// let timeouts = Timeouts::SERVER;
/// let mut awake = Connection::new(Server, Config::new().with_timeouts(timeouts));
/// let mut parked = vec![Parked::new(); 1000];
///
/// // Something is to be read from number 7: a Ping.
/// awake.unpark(parked[7]);
/// let mut received = *b"\x89\x80\0\0\0\0";
/// let mut input = Input::new(&mut received);
/// while awake.recv(&mut input).expect("a Ping is right").is_some() {}
/// assert_eq!(awake.park(), None, "it owes a Pong");
/// let mut out = [0; 16];
/// assert_eq!(awake.poll_transmit(&mut out), Ok(2));
/// awake.handle_timeout(Timestamp::from_micros(0)).expect("nothing is due");
/// parked[7] = awake.park().expect("all is done");
///
/// // When to wake it, if nothing comes: for a keep-alive Ping.
/// assert_eq!(parked[7].poll_timeout(&timeouts), Wake::At(Timestamp::from_micros(30_000_000)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parked {
    heard: Option<Timestamp>,
    pinged: Option<Timestamp>,
    // The fields of `RoundTrip`, which would take more room in one.
    sent: Option<Timestamp>,
    latency: Option<NonZeroU32>,
    digest: u8,
    awaits_pong: bool,
    received: bool,
    allowed_rsv: Rsv,
}

impl Parked {
    /// A connection before its first byte after the opening handshake.
    pub const fn new() -> Self {
        Self {
            heard: None,
            pinged: None,
            sent: None,
            latency: None,
            digest: 0,
            awaits_pong: false,
            received: false,
            allowed_rsv: Rsv::NONE,
        }
    }

    /// Sets the reserved bits that an extension uses. See
    /// [`Connection::with_allowed_rsv`](crate::Connection::with_allowed_rsv).
    #[must_use]
    pub const fn with_allowed_rsv(mut self, rsv: Rsv) -> Self {
        self.allowed_rsv = rsv;
        self
    }

    /// When to unpark the connection and to call `handle_timeout`, unless something is received first. `timeouts` must
    /// be those of the connection.
    #[must_use]
    pub fn poll_timeout(&self, timeouts: &Timeouts) -> Wake {
        self.signs().poll_timeout(timeouts)
    }

    /// How long the Pong took that answered a Ping last. See [`SendHalf::latency`](crate::SendHalf::latency).
    pub fn latency(&self) -> Option<Duration> {
        self.signs().round_trip.latency()
    }

    /// Whether a Ping was sent whose Pong has not come.
    pub const fn awaits_pong(&self) -> bool {
        self.sent.is_some()
    }

    pub(crate) const fn from_parts(signs: Signs, allowed_rsv: Rsv) -> Self {
        let Signs { heard, pinged, awaits_pong, received, round_trip } = signs;
        let RoundTrip { sent, latency, digest, .. } = round_trip;
        Self { heard, pinged, sent, latency, digest, awaits_pong, received, allowed_rsv }
    }

    pub(crate) const fn signs(&self) -> Signs {
        let Self { heard, pinged, sent, latency, digest, awaits_pong, received, .. } = *self;
        let round_trip = RoundTrip { sent, latency, digest, untold: Untold::Nothing };
        Signs { heard, pinged, awaits_pong, received, round_trip }
    }

    pub(crate) const fn allowed_rsv(&self) -> Rsv {
        self.allowed_rsv
    }
}

impl Default for Parked {
    fn default() -> Self {
        Self::new()
    }
}
