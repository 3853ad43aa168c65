//! How long the answer to a Ping takes (RFC 6455 section 5.5.3).
//
// Owns: which Pong answers the last Ping, and the time between the two.
// Must not know: a clock, or when a Ping is due.

use core::num::NonZeroU32;
use core::time::Duration;

use crate::time::Timestamp;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RoundTrip {
    /// When the last Ping was sent, until its Pong has come.
    pub(crate) sent: Option<Timestamp>,
    /// Microseconds.
    pub(crate) latency: Option<NonZeroU32>,
    /// Of the payload of that Ping.
    pub(crate) digest: u8,
    pub(crate) untold: Untold,
}

/// What happened at a time that was not told yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Untold {
    #[default]
    Nothing,
    Ping,
    Pong,
}

impl RoundTrip {
    pub(crate) fn ping(&mut self, payload: &[u8]) {
        (self.sent, self.digest, self.untold) = (None, digest(payload), Untold::Ping);
    }

    pub(crate) fn pong(&mut self, digest: u8) {
        if self.digest == digest && self.awaits_pong() {
            // Without a clock the Ping has no time.
            self.untold = if self.sent.is_some() { Untold::Pong } else { Untold::Nothing };
        }
    }

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

    pub(crate) fn awaits_pong(&self) -> bool {
        self.untold == Untold::Ping || (self.sent.is_some() && self.untold == Untold::Nothing)
    }

    pub(crate) fn latency(&self) -> Option<Duration> {
        self.latency.map(|micros| Duration::from_micros(micros.get().into()))
    }
}

/// Stands for a payload, for which an idle connection has no room. It differs for payloads that count upwards.
pub(crate) fn digest(payload: &[u8]) -> u8 {
    payload.iter().fold(payload.len() as u8, |digest, octet| digest.rotate_left(3) ^ octet)
}
