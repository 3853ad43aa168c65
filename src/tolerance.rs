//! Departures from the RFCs that peers of the field make, each with a name (RFC 9413 is about their price).
//
// Owns: the names, and which are on by default.
// Must not know: who judges by them.

use core::fmt;
use core::str::FromStr;

/// One thing that a peer does against the RFCs, and that can be put up with.
///
/// Each is for one thing. Whatever is tolerated, the rest stays strict: no other field is forged by it, every
/// limit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tolerance {
    /// A header line of a response that is no field is passed over: one without a colon, with a space in its
    /// name or behind it, or with a control character in its value. Scripts print warnings into heads, and
    /// firewalls add fields of their own making. Never where the name could be `Connection`, `Upgrade` or
    /// `Sec-WebSocket-...`, and never with NUL or a bare CR in it, which end a line or a text for some.
    InvalidResponseFields,
    /// A header field of a response goes on in the next line, which begins with a space; the line break is
    /// read as spaces, as RFC 9112 section 5.2 demands of a user agent. What is joined is one value, and is
    /// judged as such. On by default: every browser does so.
    FoldedResponseFields,
    /// Lines of a response's head end in LF alone, as home-made servers send them. Each line may.
    BareLfInResponses,
    /// `Sec-WebSocket-Protocol` or `Sec-WebSocket-Extensions` without an element is read as no such field, in
    /// requests and in responses. Small boards send the field whether or not they have something to say.
    /// Without this a line of either field without an element is malformed, as it is by their grammar (RFC
    /// 6455 sections 4.3 and 9.1) and for the servers that most clients meet.
    EmptyLists,
    /// The target of a request holds characters that are no part of a URI as they stand: those beyond ASCII,
    /// in UTF-8, and `"`, `<`, `>`. Clients forget to encode them. Who writes a target into a page or a log has
    /// to escape it then.
    RawTargets,
    /// The target of a request is a whole `ws:` or `wss:` URI, where HTTP knows `http:` and `https:` only.
    WebSocketTargets,
    /// A compressed message is a DEFLATE stream that was finished, and ends with that (RFC 7692 section 7.2.1
    /// wants it flushed).
    FinishedDeflate,
    /// A compressed message still has the tail 00 00 FF FF, which RFC 7692 section 7.2.1 wants removed.
    KeptDeflateTail,
    /// A compressed message has no octets at all; it is read as an empty one (RFC 7692 section 7.2.3.6 wants
    /// one octet).
    EmptyDeflate,
    /// A server masks its frames, against RFC 6455 section 5.1.
    MaskedByServer,
    /// A client does not mask its frames, against RFC 6455 section 5.1. Masks keep scripts in browsers from
    /// writing what a proxy between would take for a request: this is for closed networks.
    UnmaskedByClient,
    /// Text messages are not checked to be UTF-8. One that is none is handed out as
    /// [`Message::Binary`](crate::Message::Binary), since text is a `str`; pieces keep their kind, and have a
    /// `str` where they are one. The reason of a Close is checked as ever.
    InvalidText,
}

impl Tolerance {
    /// All that there are.
    pub const ALL: [Self; 12] = [
        Self::InvalidResponseFields,
        Self::FoldedResponseFields,
        Self::BareLfInResponses,
        Self::EmptyLists,
        Self::RawTargets,
        Self::WebSocketTargets,
        Self::FinishedDeflate,
        Self::KeptDeflateTail,
        Self::EmptyDeflate,
        Self::MaskedByServer,
        Self::UnmaskedByClient,
        Self::InvalidText,
    ];

    /// Its name, as tools take it on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidResponseFields => "invalid-response-fields",
            Self::FoldedResponseFields => "folded-response-fields",
            Self::BareLfInResponses => "bare-lf-in-responses",
            Self::EmptyLists => "empty-lists",
            Self::RawTargets => "raw-targets",
            Self::WebSocketTargets => "websocket-targets",
            Self::FinishedDeflate => "finished-deflate",
            Self::KeptDeflateTail => "kept-deflate-tail",
            Self::EmptyDeflate => "empty-deflate",
            Self::MaskedByServer => "masked-by-server",
            Self::UnmaskedByClient => "unmasked-by-client",
            Self::InvalidText => "invalid-text",
        }
    }

    /// What it puts up with, in one line.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::InvalidResponseFields => "response lines that are no header fields are passed over",
            Self::FoldedResponseFields => "response fields may go on in the next line",
            Self::BareLfInResponses => "lines of a response may end in LF alone",
            Self::EmptyLists => "empty lists of subprotocols or extensions are no lists",
            Self::RawTargets => "request targets may hold non-ASCII characters, quotes, < and >",
            Self::WebSocketTargets => "request targets may be ws: and wss: URIs",
            Self::FinishedDeflate => "compressed messages may be finished DEFLATE streams",
            Self::KeptDeflateTail => "compressed messages may keep their tail 00 00 FF FF",
            Self::EmptyDeflate => "compressed messages may have no octets",
            Self::MaskedByServer => "servers may mask their frames",
            Self::UnmaskedByClient => "clients may leave their frames unmasked",
            Self::InvalidText => "text may be no UTF-8",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no tolerance of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownTolerance;

impl fmt::Display for UnknownTolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no tolerance of this name")
    }
}

impl core::error::Error for UnknownTolerance {}

impl FromStr for Tolerance {
    type Err = UnknownTolerance;

    /// The one of this [name](Self::name).
    fn from_str(name: &str) -> Result<Self, UnknownTolerance> {
        Self::ALL.into_iter().find(|tolerance| tolerance.name() == name).ok_or(UnknownTolerance)
    }
}

/// The departures from the RFCs that are put up with.
///
/// # Examples
///
/// ```
/// use sockless::{Limits, Tolerance, Tolerances};
///
/// let tolerances = Tolerances::DEFAULT.with(Tolerance::MaskedByServer);
/// assert!(tolerances.contains(Tolerance::MaskedByServer));
/// assert!(!tolerances.contains(Tolerance::UnmaskedByClient), "each is for one thing");
/// let limits = Limits::DEFAULT.with_tolerances(tolerances);
/// # assert_eq!(limits.tolerances, tolerances);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tolerances(u16);

impl Tolerances {
    /// None: by the letter.
    pub const NONE: Self = Self(0);

    /// Those that every browser has, and where strictness protects nobody:
    /// [`Tolerance::FoldedResponseFields`]. RFC 9112 section 5.2 demands that one of user agents, and what is
    /// joined is the same value for everybody. The others are off: RFCs forbid them, or other readers of the
    /// same octets see something else in them.
    pub const DEFAULT: Self = Self::NONE.with(Tolerance::FoldedResponseFields);

    /// With this one.
    #[must_use]
    pub const fn with(self, tolerance: Tolerance) -> Self {
        Self(self.0 | tolerance.bit())
    }

    /// Without this one.
    #[must_use]
    pub const fn without(self, tolerance: Tolerance) -> Self {
        Self(self.0 & !tolerance.bit())
    }

    /// Whether this one is put up with.
    #[inline]
    pub const fn contains(self, tolerance: Tolerance) -> bool {
        self.0 & tolerance.bit() != 0
    }
}

impl Default for Tolerances {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Debug for Tolerances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Tolerance::ALL.into_iter().filter(|one| self.contains(*one))).finish()
    }
}
