//! Deviations from the RFCs that some peers need. RFC 9413 describes what tolerating them costs.
//
// Owns: their names, and which are on by default.
// Must not know: where they are checked.

use core::fmt;
use core::str::FromStr;

/// One deviation from the RFCs that can be tolerated.
///
/// All else stays strict: no other field can be forged by it, and all limits apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tolerance {
    /// Ignore header lines of a response that are not header fields: without a colon, with a space in or after the
    /// name, or with a control character in the value. Some scripts print warnings into heads, and some firewalls add
    /// broken fields. A line is not ignored if its name could be `Connection`, `Upgrade` or `Sec-WebSocket-...`, or if
    /// it holds NUL or a bare CR.
    InvalidResponseFields,
    /// Accept a header field of a response that goes on in the next line. The line break is replaced by spaces (RFC
    /// 9112 section 5.2). On by default, because every browser does so.
    FoldedResponseFields,
    /// Accept lines in the head of a response that end in LF alone. Some home-made servers send them.
    BareLfInResponses,
    /// Treat `Sec-WebSocket-Protocol` or `Sec-WebSocket-Extensions` without any element as missing, against RFC 6455
    /// sections 4.3 and 9.1. Some small boards always send the field.
    EmptyLists,
    /// Accept characters in a request target that should have been percent-encoded: those beyond ASCII, in UTF-8, and
    /// `"`, `<`, `>`. Escape a target that you write into a page or a log.
    RawTargets,
    /// Accept a whole `ws:` or `wss:` URI as the target of a request. HTTP allows only `http:` and `https:`.
    WebSocketTargets,
    /// Accept a compressed message that is a finished DEFLATE stream, against RFC 7692 section 7.2.1.
    FinishedDeflate,
    /// Accept a compressed message that still has the tail 00 00 FF FF, against RFC 7692 section 7.2.1.
    KeptDeflateTail,
    /// Read a compressed message without any octet as an empty one, against RFC 7692 section 7.2.3.6.
    EmptyDeflate,
    /// Accept masked frames from a server, against RFC 6455 section 5.1.
    MaskedByServer,
    /// Accept frames from a client that are not masked, against RFC 6455 section 5.1. For closed networks only: masking
    /// keeps scripts from writing bytes that a proxy would take for a request.
    UnmaskedByClient,
    /// Do not check that text messages are UTF-8. One that is not is returned as
    /// [`Message::Binary`](crate::Message::Binary). Pieces keep their kind. The reason of a Close is still checked.
    InvalidText,
}

impl Tolerance {
    /// All tolerances.
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

    /// The name on the command line of tools.
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

    /// What is tolerated, in one line.
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

/// No tolerance has this name.
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

    /// By its [name](Tolerance::name).
    fn from_str(name: &str) -> Result<Self, UnknownTolerance> {
        Self::ALL.into_iter().find(|tolerance| tolerance.name() == name).ok_or(UnknownTolerance)
    }
}

/// A set of tolerated deviations from the RFCs.
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
    /// Nothing is tolerated.
    pub const NONE: Self = Self(0);

    /// What every browser tolerates, and where strictness protects nobody: [`Tolerance::FoldedResponseFields`]. With each
    /// of the others, other readers could understand the same octets differently, or the RFCs forbid it.
    pub const DEFAULT: Self = Self::NONE.with(Tolerance::FoldedResponseFields);

    /// Adds this one.
    #[must_use]
    pub const fn with(self, tolerance: Tolerance) -> Self {
        Self(self.0 | tolerance.bit())
    }

    /// Removes this one.
    #[must_use]
    pub const fn without(self, tolerance: Tolerance) -> Self {
        Self(self.0 & !tolerance.bit())
    }

    /// Whether this one is tolerated.
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
