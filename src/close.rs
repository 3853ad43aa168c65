//! Close frames: the status codes and reasons that may be sent (RFC 6455 sections 5.5.1 and 7.4).
//
// Owns: which codes and reasons are valid.
// Must not know: the closing handshake.

use core::fmt;
use core::num::NonZeroU16;

/// A status code that may be sent in a Close frame (RFC 6455 section 7.4 and its registry): not 1005, 1006 and 1015,
/// which are only reported locally.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(NonZeroU16);

macro_rules! codes {
    ($($(#[$doc:meta])+ $name:ident = $value:literal;)+) => {
        impl CloseCode {
            $($(#[$doc])+ pub const $name: Self = match NonZeroU16::new($value) {
                Some(code) => Self(code),
                None => Self(NonZeroU16::MIN),
            };)+
        }

        impl fmt::Debug for CloseCode {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {
                    $(Self::$name => write!(f, concat!($value, " ", stringify!($name))),)+
                    Self(code) => write!(f, "{code}"),
                }
            }
        }
    };
}

codes! {
    /// 1000: the connection has done what it was for.
    NORMAL = 1000;
    /// 1001: the endpoint is going away, such as a server going down or a browser leaving the page.
    GOING_AWAY = 1001;
    /// 1002: the peer broke the protocol.
    PROTOCOL_ERROR = 1002;
    /// 1003: data of a type that the endpoint cannot accept was received.
    UNSUPPORTED_DATA = 1003;
    /// 1007: data was received that does not fit the type of its message, such as text that is not UTF-8.
    INVALID_DATA = 1007;
    /// 1008: a message breaks the endpoint's policy.
    POLICY_VIOLATION = 1008;
    /// 1009: a message is too big to process.
    MESSAGE_TOO_BIG = 1009;
    /// 1010: the server did not negotiate an extension that the client needs. Only clients send it.
    MANDATORY_EXTENSION = 1010;
    /// 1011: an unexpected condition prevents the endpoint from fulfilling the request.
    INTERNAL_ERROR = 1011;
    /// 1012: the service restarts (registered later than the RFC).
    SERVICE_RESTART = 1012;
    /// 1013: try again later (registered later than the RFC).
    TRY_AGAIN_LATER = 1013;
    /// 1014: a gateway got an invalid response from its upstream (registered later than the RFC).
    BAD_GATEWAY = 1014;
    /// 3000: the endpoint must be authorized (registered by name).
    UNAUTHORIZED = 3000;
    /// 3003: the endpoint is authorized but lacks the permission (registered by name).
    FORBIDDEN = 3003;
}

impl CloseCode {
    /// Any code that may be sent: 1000 to 1003, 1007 to 1014, 3000 to 4999 (section 7.4.2). `None` for others.
    pub const fn new(code: u16) -> Option<Self> {
        match (code, NonZeroU16::new(code)) {
            (1000..=1003 | 1007..=1014 | 3000..=4999, Some(code)) => Some(Self(code)),
            _ => None,
        }
    }

    /// A code that an application may choose: 1000, or 3000 to 4999. `None` for others.
    pub const fn application(code: u16) -> Option<Self> {
        match code {
            1000 | 3000..=4999 => Self::new(code),
            _ => None,
        }
    }

    /// The number.
    pub const fn value(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.value()
    }
}

/// The text in a Close frame: at most 123 octets of UTF-8 (RFC 6455 section 5.5.1).
///
/// It is for logs. Do not show it to end users, and do not trust what a peer has sent (6455-5.5.1-4).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct CloseReason<'a>(&'a str);

impl<'a> CloseReason<'a> {
    /// The longest reason in octets.
    pub const MAX_LEN: usize = 123;

    /// `None` if it is longer than [`MAX_LEN`](Self::MAX_LEN) octets.
    pub const fn new(text: &'a str) -> Option<Self> {
        if text.len() <= Self::MAX_LEN {
            Some(Self(text))
        } else {
            None
        }
    }

    /// As much of `text` as fits, without splitting a character.
    pub fn truncated(text: &'a str) -> Self {
        let mut end = text.len().min(Self::MAX_LEN);
        while !text.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        Self(text.get(..end).unwrap_or(""))
    }

    /// The text.
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

/// The body of a Close frame: empty, or a code and a reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    code: Option<CloseCode>,
    reason: CloseReason<'a>,
}

impl<'a> CloseFrame<'a> {
    /// Without a body (section 5.5.1); the peer reports 1005.
    pub const EMPTY: CloseFrame<'static> = CloseFrame { code: None, reason: CloseReason("") };

    /// With a code and no reason.
    pub const fn code_only(code: CloseCode) -> CloseFrame<'static> {
        CloseFrame { code: Some(code), reason: CloseReason("") }
    }

    /// With a code and a reason.
    pub const fn new(code: CloseCode, reason: CloseReason<'a>) -> Self {
        Self { code: Some(code), reason }
    }

    /// The code. `None` if the body is empty.
    pub const fn code(&self) -> Option<CloseCode> {
        self.code
    }

    /// The reason. Empty if there is none.
    pub const fn reason(&self) -> &'a str {
        self.reason.0
    }
}

impl From<CloseCode> for CloseFrame<'static> {
    fn from(code: CloseCode) -> Self {
        CloseFrame::code_only(code)
    }
}

impl<'a, T: AsRef<str> + ?Sized> From<(CloseCode, &'a T)> for CloseFrame<'a> {
    /// If the reason is too long, its end is left out ([`CloseReason::truncated`]).
    fn from((code, reason): (CloseCode, &'a T)) -> Self {
        Self::new(code, CloseReason::truncated(reason.as_ref()))
    }
}

impl core::fmt::Debug for CloseReason<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "CloseReason({} octets)", self.0.len())
    }
}
