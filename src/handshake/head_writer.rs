//! Writes heads, so that no value can add a line to them (RFC 9112 sections 2.2 and 5).
//
// Owns: the bytes of a head in a caller's buffer, and refusing what would inject another line.
// Must not know: which fields a handshake needs.

use core::fmt;

use super::byte_class::is_text;
use super::http1::{token, Headers};
use super::lists::FieldSet;
use super::Brief;
use crate::error::BufferTooSmall;

/// The caller of this crate asked for an invalid head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ComposeError {
    /// A field's name is not a token.
    InvalidName,
    /// A field's value holds a control byte, or has outer whitespace.
    InvalidValue,
    /// The handshake writes this field itself, or the field must not be part of a handshake.
    ReservedField,
    /// Header fields were added in more than four calls.
    TooManySets,
    /// A subprotocol is not a token, or stands twice in a list.
    InvalidSubprotocol,
    /// The subprotocol is not one that the client offers.
    UnofferedSubprotocol,
    /// The value is not a list of extensions.
    InvalidExtensions,
    /// The client offers no extension of this name.
    UnofferedExtension,
    /// Compression is offered, but there is no codec: the feature `deflate` is off, or the adapter has none.
    NoCodec,
    /// The status does not reject a handshake. Valid are 300 to 599.
    InvalidStatus,
    /// A 401 needs a `WWW-Authenticate` (RFC 9110 section 15.5.2).
    MissingAuthenticate,
    /// The buffer is too small.
    BufferTooSmall(BufferTooSmall),
}

impl fmt::Display for ComposeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidName => "a header name is not a token",
            Self::InvalidValue => "a header value holds a byte that it must not",
            Self::ReservedField => "a header belongs to the handshake itself",
            Self::TooManySets => "header fields were added in more than four calls",
            Self::InvalidSubprotocol => "a subprotocol is not a token, or repeated",
            Self::UnofferedSubprotocol => "the subprotocol was not offered",
            Self::InvalidExtensions => "the value is not a list of extensions",
            Self::UnofferedExtension => "the extension was not offered",
            Self::NoCodec => "compression is offered, and there is no codec",
            Self::InvalidStatus => "the status does not reject a handshake",
            Self::MissingAuthenticate => "a 401 needs WWW-Authenticate",
            Self::BufferTooSmall(error) => return error.fmt(f),
        })
    }
}

impl core::error::Error for ComposeError {}

impl From<BufferTooSmall> for ComposeError {
    fn from(error: BufferTooSmall) -> Self {
        Self::BufferTooSmall(error)
    }
}

/// Those that a handshake writes itself, or that must not be part of one.
const RESERVED: [&str; 12] = [
    "Host",
    "Upgrade",
    "Connection",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
    "Content-Length",
    "Transfer-Encoding",
    "Expect",
    "Trailer",
];

/// How many calls may add fields. There is no allocator for more, and the sets are passed by value.
const MAX_SETS: usize = 4;

/// Header fields that a caller added: several sets in order.
#[derive(Clone, Copy)]
pub(crate) struct AddedFields<'f> {
    /// Unused sets are empty.
    sets: [FieldSet<'f>; MAX_SETS],
}

impl<'f> AddedFields<'f> {
    pub(crate) const fn new() -> Self {
        Self { sets: [FieldSet::Lent(&[]); MAX_SETS] }
    }

    pub(crate) fn add(&mut self, set: FieldSet<'f>) -> Result<(), ComposeError> {
        if set.is_empty() {
            return Ok(());
        }
        for (name, value) in set.iter() {
            check_field(name, value)?;
        }
        *self.sets.iter_mut().find(|free| free.is_empty()).ok_or(ComposeError::TooManySets)? = set;
        Ok(())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'f str, &'f str)> + '_ {
        self.sets.iter().take_while(|set| !set.is_empty()).flat_map(FieldSet::iter)
    }
}

impl fmt::Debug for AddedFields<'_> {
    /// Only the names: values may be credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().take(8).map(|(name, _)| Brief(name))).finish()
    }
}

fn check_field(name: &str, value: &str) -> Result<(), ComposeError> {
    token(name.as_bytes()).ok_or(ComposeError::InvalidName)?;
    check_value(value)?;
    if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
        return Err(ComposeError::ReservedField);
    }
    Ok(())
}

pub(crate) fn check_value(value: &str) -> Result<(), ComposeError> {
    let bytes = value.as_bytes();
    if is_text(bytes) && super::http1::trim(bytes).len() == bytes.len() {
        Ok(())
    } else {
        Err(ComposeError::InvalidValue)
    }
}

/// Writes a head, as far as there is room, and measures its length.
pub(crate) struct HeadWriter<'o> {
    out: &'o mut [u8],
    pub(crate) len: usize,
}

/// If `out` is too small, this tells how long it has to be.
pub(crate) fn compose(
    out: &mut [u8],
    parts: impl FnOnce(&mut HeadWriter<'_>),
) -> Result<usize, BufferTooSmall> {
    let room = out.len();
    let mut head = HeadWriter { out, len: 0 };
    parts(&mut head);
    if head.len > room {
        return Err(BufferTooSmall::new(head.len));
    }
    Ok(head.len)
}

/// Fields alone.
pub(crate) fn compose_fields<'o>(
    out: &'o mut [u8],
    parts: impl FnOnce(&mut HeadWriter<'_>),
) -> Result<Headers<'o>, BufferTooSmall> {
    let len = compose(out, parts)?;
    Ok(lower_names(out.get_mut(..len).unwrap_or_default()))
}

/// As HTTP/2 wants the names of fields (RFC 9113 section 8.2.1).
pub(crate) fn lower_names(lines: &mut [u8]) -> Headers<'_> {
    for line in lines.split_mut(|&byte| byte == b'\n') {
        let name = line.iter().take_while(|&&byte| byte != b':').count();
        line.get_mut(..name).unwrap_or_default().make_ascii_lowercase();
    }
    Headers::of(lines)
}

/// What asks for an upgrade, and what answers that (RFC 6455 sections 4.1 and 4.2.2).
macro_rules! upgrade {
    () => {
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
    };
}

pub(crate) use upgrade;

impl HeadWriter<'_> {
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        // In two steps, so that the copy has no panic.
        if let Some(slot) = self.out.get_mut(self.len..).and_then(|spare| spare.get_mut(..bytes.len())) {
            slot.copy_from_slice(bytes);
        }
        self.len = self.len.saturating_add(bytes.len());
        self
    }

    pub(crate) fn number(&mut self, number: usize) -> &mut Self {
        let mut digits = [0_u8; 20];
        let mut rest = number;
        let mut used = 0_usize;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' | (rest % 10) as u8;
            rest /= 10;
            used = used.saturating_add(1);
            if rest == 0 {
                break;
            }
        }
        let (_, used) = digits.split_at_checked(digits.len().saturating_sub(used)).unwrap_or((&[], &[]));
        self.bytes(used)
    }

    pub(crate) fn fields(&mut self, fields: &AddedFields<'_>) -> &mut Self {
        for set in fields.sets.iter().take_while(|set| !set.is_empty()) {
            for (name, value) in set.iter() {
                self.field(name, value);
            }
        }
        self
    }

    pub(crate) fn field(&mut self, name: &str, value: &str) -> &mut Self {
        self.text(name).text(": ").text(value).text("\r\n")
    }
}

debug_states!([] HeadWriter<'_>, |this| { len: this.len });
