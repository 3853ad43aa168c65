//! A parked connection: what is left of one that waits for the peer's next message.
//
// Owns: what such a connection keeps.
// Must not know: where it is kept meanwhile, or who wakes it.

use crate::deadline::{Signs, Timeouts};
use crate::frame::Rsv;
use crate::time::{Timestamp, Wake};

/// A parked connection: between messages in both directions, owing nothing, open. RFC 6455 has no word for
/// it, though it is how most connections spend their time.
///
/// A server of a million connections keeps a `Parked` for each, and one [`Connection`](crate::Connection) for
/// each thread (or one `message::Endpoint`, with its buffers), which [unparks](crate::Connection::unpark) one
/// after the other. Nothing that the peer can see depends on it.
///
/// Whoever keeps it sees to it that a connection goes on in one place only.
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
    awaits_pong: bool,
    received: bool,
    allowed_rsv: Rsv,
}

impl Parked {
    /// At the first byte after the opening handshake.
    pub const fn new() -> Self {
        Self { heard: None, pinged: None, awaits_pong: false, received: false, allowed_rsv: Rsv::NONE }
    }

    /// The same, where an extension was negotiated. See
    /// [`Connection::with_allowed_rsv`](crate::Connection::with_allowed_rsv).
    #[must_use]
    pub const fn with_allowed_rsv(mut self, rsv: Rsv) -> Self {
        self.allowed_rsv = rsv;
        self
    }

    /// When to unpark the connection and to call `handle_timeout`, if nothing comes before: what the
    /// connection itself would say, whose timeouts these are.
    #[must_use]
    pub fn poll_timeout(&self, timeouts: &Timeouts) -> Wake {
        self.signs().poll_timeout(timeouts)
    }

    pub(crate) const fn from_parts(signs: Signs, allowed_rsv: Rsv) -> Self {
        let Signs { heard, pinged, awaits_pong, received } = signs;
        Self { heard, pinged, awaits_pong, received, allowed_rsv }
    }

    pub(crate) const fn signs(&self) -> Signs {
        let Self { heard, pinged, awaits_pong, received, .. } = *self;
        Signs { heard, pinged, awaits_pong, received }
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
