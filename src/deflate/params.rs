//! What is negotiated for permessage-deflate (RFC 7692 section 7.1).
//
// Owns: the four parameters, and which answer fits an offer.
// Must not know: how they are written in a header field.

use crate::role::Side;

/// The base-2 logarithm of a window: 8 to 15, for 256 to 32,768 octets (RFC 7692 section 7.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(u8);

impl WindowBits {
    /// 256 octets.
    pub const MIN: Self = Self(8);
    /// 32,768 octets, which is the default.
    pub const MAX: Self = Self(15);

    /// `None` if `bits` is not 8 to 15.
    pub const fn new(bits: u8) -> Option<Self> {
        match bits {
            8..=15 => Some(Self(bits)),
            _ => None,
        }
    }

    /// The base-2 logarithm.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The size of the window in octets.
    pub const fn window_size(self) -> usize {
        1 << self.0
    }
}

/// What both sides agreed on: the parameters of the server's answer (section 5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Params {
    /// Whether the server compresses each message with an empty window (section 7.1.1.1).
    pub server_no_context_takeover: bool,
    /// Whether the client compresses each message with an empty window (section 7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The largest window that the server compresses with, if the answer names it (section 7.1.2.1).
    pub server_max_window_bits: Option<WindowBits>,
    /// The largest window that the client compresses with, if the answer names it (section 7.1.2.2).
    pub client_max_window_bits: Option<WindowBits>,
}

impl Params {
    /// Both sides keep their context, in windows of 32,768 octets.
    pub const DEFAULT: Self = Self {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        server_max_window_bits: None,
        client_max_window_bits: None,
    };

    /// The largest window that this side compresses with.
    pub fn window_bits(&self, sender: Side) -> WindowBits {
        let agreed = match sender {
            Side::Server => self.server_max_window_bits,
            Side::Client => self.client_max_window_bits,
        };
        agreed.unwrap_or(WindowBits::MAX)
    }

    /// Whether a message of this side may refer to its earlier ones.
    pub const fn context_takeover(&self, sender: Side) -> bool {
        match sender {
            Side::Server => !self.server_no_context_takeover,
            Side::Client => !self.client_no_context_takeover,
        }
    }
}

/// One offer of a client: an element of its `Sec-WebSocket-Extensions` (section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offer {
    /// Demands that the server compresses each message with an empty window (section 7.1.1.1).
    pub server_no_context_takeover: bool,
    /// Tells that the client will compress each message with an empty window (section 7.1.1.2).
    pub client_no_context_takeover: bool,
    /// Demands that the server's window is at most this large (section 7.1.2.1).
    pub server_max_window_bits: Option<WindowBits>,
    /// Whether the server may limit the client's window (section 7.1.2.2).
    pub client_max_window_bits: ClientWindow,
}

/// What a client offers for its own window (section 7.1.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 7692 section 7.1.2.2 knows three forms")]
pub enum ClientWindow {
    /// Nothing. The server must not limit it.
    Unnamed,
    /// `client_max_window_bits`: the server may choose any limit.
    Any,
    /// `client_max_window_bits=N`: the server may choose this limit or a smaller one.
    AtMost(WindowBits),
}

impl Offer {
    /// What browsers offer: the server may choose everything.
    pub const DEFAULT: Self = Self {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        server_max_window_bits: None,
        client_max_window_bits: ClientWindow::Any,
    };

    /// Whether an answer with these parameters accepts this offer (sections 5.1 and 7.1).
    pub fn admits(&self, answer: &Params) -> bool {
        let server_takeover = answer.server_no_context_takeover || !self.server_no_context_takeover;
        let server_window = match self.server_max_window_bits {
            None => true,
            Some(most) => answer.server_max_window_bits.is_some_and(|chosen| chosen <= most),
        };
        let client_window = match (answer.client_max_window_bits, self.client_max_window_bits) {
            (None, _) | (Some(_), ClientWindow::Any) => true,
            (Some(_), ClientWindow::Unnamed) => false,
            (Some(chosen), ClientWindow::AtMost(most)) => chosen <= most,
        };
        server_takeover && server_window && client_window
    }
}

impl Default for Offer {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What a server accepts, and what it asks for.
///
/// A context costs memory as long as its connection lives: docs/compression.md has a table. By default none is kept.
///
/// A client that is told to begin with an empty window may not know how. That does no harm: see `Inflater` (section
/// 7.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// Whether the server compresses each message with an empty window, even if the client did not ask. Default: yes.
    pub server_no_context_takeover: bool,
    /// Whether the client is told to compress each message with an empty window. Default: yes.
    pub client_no_context_takeover: bool,
    /// The largest window that the server compresses with. Default: 15.
    pub server_max_window_bits: WindowBits,
    /// The largest window that the client may use, if it lets the server choose. Default: 15.
    pub client_max_window_bits: WindowBits,
    /// Offers that demand a smaller window of the server are declined. Default: 8, so none is.
    pub min_server_window_bits: WindowBits,
}

impl Policy {
    /// No context is kept between messages.
    pub const DEFAULT: Self = Self {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        server_max_window_bits: WindowBits::MAX,
        client_max_window_bits: WindowBits::MAX,
        min_server_window_bits: WindowBits::MIN,
    };

    /// Contexts are kept unless the client asks otherwise: shorter messages for more memory.
    pub const TAKEOVER: Self =
        Self { server_no_context_takeover: false, client_no_context_takeover: false, ..Self::DEFAULT };

    /// The answer to this offer. `None` declines it.
    pub fn answer(&self, offer: &Offer) -> Option<Params> {
        let demanded = offer.server_max_window_bits.unwrap_or(WindowBits::MAX);
        if demanded < self.min_server_window_bits {
            return None;
        }
        let server = demanded.min(self.server_max_window_bits);
        let named = offer.server_max_window_bits.is_some() || server < WindowBits::MAX;
        let client = match offer.client_max_window_bits {
            ClientWindow::Unnamed => None,
            ClientWindow::Any => Some(self.client_max_window_bits).filter(|window| *window < WindowBits::MAX),
            ClientWindow::AtMost(most) => Some(most.min(self.client_max_window_bits)),
        };
        Some(Params {
            server_no_context_takeover: self.server_no_context_takeover || offer.server_no_context_takeover,
            // Accepting this costs us nothing.
            client_no_context_takeover: self.client_no_context_takeover || offer.client_no_context_takeover,
            server_max_window_bits: named.then_some(server),
            client_max_window_bits: client,
        })
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::DEFAULT
    }
}
