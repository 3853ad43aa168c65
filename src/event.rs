//! What the reader reports.
//
// Owns: the events of one connection.
// Must not know: how bytes become events.

use crate::close::CloseCode;
use crate::frame::{MessageKind, Rsv};

/// One thing that the peer did.
///
/// Events are small. The payload of the control frame that was reported last stands in
/// [`Reader::control_payload`](crate::Reader::control_payload).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'b> {
    /// A piece of a message, as long as what came of it.
    Data(Data<'b>),
    /// A Ping; its Pong is already owed (RFC 6455 section 5.5.2).
    Ping,
    /// A Pong, asked for or not (section 5.5.3).
    Pong,
    /// A Close; its reply is already owed, and nothing follows (section 5.5.1). The code is `None` where the
    /// frame had no body, which section 7.1.5 reports as 1005.
    Close(Option<CloseCode>),
}

/// A piece of a text or binary message, borrowed from the buffer it was received in, unmasked and checked.
///
/// A message that came whole in one read is one piece with [`is_first`](Self::is_first) and
/// [`is_last`](Self::is_last). Where pieces are cut carries no meaning (RFC 6455 section 5.4).
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
    /// The same, of few octets: that is told sooner without making a `str`, which takes `unsafe` or a second
    /// look.
    Short(&'b [u8]),
    /// Binary data, or text that a character's middle begins or ends.
    Bytes(&'b [u8]),
}

impl<'b> Piece<'b> {
    #[inline]
    pub(crate) const fn as_bytes(&self) -> &'b [u8] {
        match self {
            Self::Str(text) => text.as_bytes(),
            Self::Short(bytes) | Self::Bytes(bytes) => bytes,
        }
    }

    #[inline]
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

    /// Whether [`as_str`](Self::as_str) has something to give.
    #[inline]
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
    /// Text or binary; a continuation has the kind of its message.
    #[inline]
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Whether the message begins here.
    #[inline]
    pub const fn is_first(&self) -> bool {
        self.first
    }

    /// Whether the message ends here. The last piece may be empty.
    #[inline]
    pub const fn is_last(&self) -> bool {
        self.last
    }

    /// The reserved bits of the message's first frame. With RSV1 the piece is compressed and, if text, not
    /// checked.
    #[inline]
    pub const fn rsv(&self) -> Rsv {
        self.rsv
    }

    /// How many octets of the frame are still to come: a hint for reading.
    #[inline]
    pub const fn frame_remaining(&self) -> u64 {
        self.frame_remaining
    }

    /// The octets.
    #[inline]
    pub const fn as_bytes(&self) -> &'b [u8] {
        self.piece.as_bytes()
    }

    /// The text, where the piece begins and ends between characters. It was checked already; of a
    /// short one, up to 255 octets, the cast may take a second look, and costs nothing otherwise.
    #[inline]
    pub const fn as_str(&self) -> Option<&'b str> {
        self.piece.as_str()
    }

    /// Whether it is text that begins or ends inside a character, or may.
    #[inline]
    pub(crate) fn is_cut(&self) -> bool {
        self.kind == MessageKind::Text && !self.piece.is_str()
    }
}

/// How much came of a message that is in progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the caller makes it, and must not forget a fact")]
pub struct MessageProgress {
    /// Another number than the message before it had.
    pub number: u32,
    /// Octets of it that came.
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
