//! How long the answer to a Ping takes (RFC 6455 section 5.5.3).
//
// Owns: which Pong answers the Ping that was sent last, and the time between the two.
// Must not know: a clock, who sent the Ping, or when the next one is due.

use core::num::NonZeroU32;
use core::time::Duration;

use crate::time::Timestamp;

/// The Ping that was sent last, and the time that the Pong before took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RoundTrip {
    /// When the Ping was sent, until its Pong has come.
    pub(crate) sent: Option<Timestamp>,
    /// In microseconds.
    pub(crate) latency: Option<NonZeroU32>,
    /// Of the payload of that Ping: see [`digest`].
    pub(crate) digest: u8,
    pub(crate) untold: Untold,
}

/// What happened and waits for the time of it. Only the caller has a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Untold {
    #[default]
    Nothing,
    Ping,
    Pong,
}

impl RoundTrip {
    /// A Ping with this payload is sent.
    pub(crate) fn ping(&mut self, payload: &[u8]) {
        (self.sent, self.digest, self.untold) = (None, digest(payload), Untold::Ping);
    }

    /// A Pong came, with a payload of this digest.
    pub(crate) fn pong(&mut self, digest: u8) {
        if self.digest == digest && self.awaits_pong() {
            // One whose Ping has no time yet was answered without being timed.
            self.untold = if self.sent.is_some() { Untold::Pong } else { Untold::Nothing };
        }
    }

    /// The time.
    pub(crate) fn tell(&mut self, now: Timestamp) {
        match core::mem::take(&mut self.untold) {
            Untold::Nothing => {}
            Untold::Ping => self.sent = Some(now),
            Untold::Pong => {
                let micros = self.sent.take().map_or(0, |sent| now.since(sent).as_micros());
                self.latency = NonZeroU32::new(u32::try_from(micros).unwrap_or(u32::MAX).max(1));
            }
        }
    }

    /// Whether a Ping was sent whose Pong has not come.
    pub(crate) fn awaits_pong(&self) -> bool {
        self.untold == Untold::Ping || (self.sent.is_some() && self.untold == Untold::Nothing)
    }

    /// How long the Pong took that came last.
    pub(crate) fn latency(&self) -> Option<Duration> {
        self.latency.map(|micros| Duration::from_micros(micros.get().into()))
    }
}

/// One octet that stands for a payload. An idle connection has no room for the payload itself; payloads that count
/// upwards have different ones, one after the other.
pub(crate) fn digest(payload: &[u8]) -> u8 {
    payload.iter().fold(payload.len() as u8, |digest, octet| digest.rotate_left(3) ^ octet)
}
