//! What the reader reports to the caller.
//
// Owns: the events of one connection.
// Must not know: how bytes are turned into events.

use crate::close::CloseCode;
use crate::frame::{MessageKind, Rsv};

/// One thing that the peer did.
///
/// [`Reader::control_payload`](crate::Reader::control_payload) has the payload of the last control frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'b> {
    /// A piece of a message: all that came.
    Data(Data<'b>),
    /// A Ping. Its Pong is owed already (RFC 6455 section 5.5.2).
    Ping,
    /// A Pong, asked for or not (section 5.5.3).
    Pong,
    /// A Close. Its answer is owed already, and nothing follows (section 5.5.1). `None` if it had no code (1005).
    Close(Option<CloseCode>),
}

/// A piece of a message, unmasked and checked. It borrows from the buffer that was read into.
///
/// Where a message is cut has no meaning (RFC 6455 section 5.4). One that came in one read is one piece, with
/// [`is_first`](Self::is_first) and [`is_last`](Self::is_last).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<'b> {
    pub(crate) piece: Piece<'b>,
    pub(crate) kind: MessageKind,
    pub(crate) rsv: Rsv,
    pub(crate) first: bool,
    pub(crate) last: bool,
    pub(crate) frame_remaining: u64,
}

#[derive(Clone, Copy)]
pub(crate) enum Piece<'b> {
    /// Text that begins and ends between characters.
    Str(&'b str),
    /// A short ASCII text, already checked. Building a `&str` without `unsafe` would check it again.
    Short(&'b [u8]),
    /// Binary data, or text that begins or ends in the middle of a character.
    Bytes(&'b [u8]),
}

impl<'b> Piece<'b> {
    pub(crate) const fn as_bytes(&self) -> &'b [u8] {
        match self {
            Self::Str(text) => text.as_bytes(),
            Self::Short(bytes) | Self::Bytes(bytes) => bytes,
        }
    }

    pub(crate) const fn as_str(&self) -> Option<&'b str> {
        match self {
            Self::Str(text) => Some(text),
            Self::Short(bytes) => match core::str::from_utf8(bytes) {
                Ok(text) => Some(text),
                Err(_) => None,
            },
            Self::Bytes(_) => None,
        }
    }

    pub(crate) const fn is_str(&self) -> bool {
        !matches!(self, Self::Bytes(_))
    }
}

impl PartialEq for Piece<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.is_str(), self.as_bytes()) == (other.is_str(), other.as_bytes())
    }
}

impl Eq for Piece<'_> {}

impl<'b> Data<'b> {
    /// Whether the message is text or binary.
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Whether this is the beginning of the message.
    pub const fn is_first(&self) -> bool {
        self.first
    }

    /// Whether this is the end of the message. The last piece may be empty.
    pub const fn is_last(&self) -> bool {
        self.last
    }

    /// The reserved bits of the message's first frame. With RSV1 the piece is compressed, and not checked.
    pub const fn rsv(&self) -> Rsv {
        self.rsv
    }

    /// How many octets of the frame are missing. A hint for the next read.
    pub const fn frame_remaining(&self) -> u64 {
        self.frame_remaining
    }

    /// The octets.
    pub const fn as_bytes(&self) -> &'b [u8] {
        self.piece.as_bytes()
    }

    /// The text, if the piece begins and ends between characters. One of up to 255 octets may be checked a second time.
    pub const fn as_str(&self) -> Option<&'b str> {
        self.piece.as_str()
    }

    /// Text that may begin or end in the middle of a character.
    pub(crate) fn is_cut(&self) -> bool {
        self.kind == MessageKind::Text && !self.piece.is_str()
    }
}

/// How much came of a message or a frame that has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the caller makes it, and must not forget a fact")]
pub struct MessageProgress {
    /// It differs from that of the message before.
    pub number: u32,
    /// How many of its octets were received.
    pub octets: u64,
}

impl core::fmt::Debug for Piece<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Str(text) => write!(f, "Str({} octets)", text.len()),
            Self::Short(octets) => write!(f, "Short({} octets)", octets.len()),
            Self::Bytes(octets) => write!(f, "Bytes({} octets)", octets.len()),
        }
    }
}
