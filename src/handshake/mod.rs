//! The opening handshake (RFC 6455 section 4) over HTTP/1.1, both roles, in storage that the caller owns.
//
// Owns: what both roles share of it.
// Must not know: frames, sockets, or an allocator.

mod body;
mod byte_class;
pub mod client;
mod deflate;
mod error;
mod fields;
mod head;
mod head_index;
mod head_writer;
mod http1;
mod key;
mod origin;
pub mod proxy;
mod response;
mod rules;
mod scheme;
pub mod server;
mod uri;
#[cfg(feature = "alloc")]
mod uri_buf;

pub use body::{BodyError, BodyReader};
pub use deflate::parse_deflate_answer;
pub use error::HandshakeError;
pub use fields::{Extension, Extensions, Parameter, Parameters, Tokens};
pub use head_writer::ComposeError;
pub use http1::Headers;
pub use key::{accept_value, encode_nonce, AcceptValue, Key};
pub use origin::OriginPolicy;
pub use uri::{Uri, UriError};
#[cfg(feature = "alloc")]
pub use uri_buf::UriBuf;

use core::fmt;

use crate::tolerance::Tolerances;

/// A text as it is shown for debugging: no more than its beginning, since a peer may make it any length.
struct Brief<'t>(&'t str);

impl fmt::Debug for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 40;
        let end = self.0.char_indices().nth(SHOWN).map_or(self.0.len(), |(at, _)| at);
        let (shown, hidden) = self.0.split_at_checked(end).unwrap_or((self.0, ""));
        shown.fmt(f)?;
        match hidden.len() {
            0 => Ok(()),
            octets => write!(f, "+{octets}"),
        }
    }
}

/// What an opening handshake agreed on: all that the frame engine needs. It borrows nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Negotiated {
    /// The subprotocol, as its place in the list that this endpoint supports or offered.
    pub subprotocol: Option<u16>,
    /// What was agreed on for permessage-deflate (RFC 7692), if it was. Without it no message may be
    /// compressed, whatever was offered (RFC 6455 section 9.1).
    pub deflate: Option<crate::deflate::Params>,
}

/// Bounds on the head of a request or a response. The bound on its bytes is the storage given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeadLimits {
    /// Bytes of the request line or status line. RFC 9112 section 3 asks for 8000 at least. Default: 8192.
    pub max_start_line: usize,
    /// Header fields. Default: 128.
    pub max_fields: usize,
    /// Bytes of one header line, without its CRLF. Default: whatever the head has room for.
    pub max_field: usize,
    /// Whether a `Sec-WebSocket-Key` whose last character has bits that encode nothing is refused (RFC 4648
    /// section 3.5 lets a decoder choose). Default: no; it is hashed as it came.
    pub strict_key: bool,
    /// Departures from the RFCs that are put up with, of those that are about heads. Default:
    /// [`Tolerances::DEFAULT`].
    pub tolerances: Tolerances,
}

impl HeadLimits {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        max_start_line: 8192,
        max_fields: 128,
        max_field: usize::MAX,
        strict_key: false,
        tolerances: Tolerances::DEFAULT,
    };

    /// Bytes of storage for a head that an adapter gives: 16 KiB.
    pub const STORAGE: usize = 16 << 10;

    /// With another bound for the start line.
    #[must_use]
    pub const fn with_max_start_line(mut self, bytes: usize) -> Self {
        self.max_start_line = bytes;
        self
    }

    /// With another bound for the header fields.
    #[must_use]
    pub const fn with_max_fields(mut self, fields: usize) -> Self {
        self.max_fields = fields;
        self
    }

    /// With another bound for each header line.
    #[must_use]
    pub const fn with_max_field(mut self, bytes: usize) -> Self {
        self.max_field = bytes;
        self
    }

    /// With keys judged strictly, or not.
    #[must_use]
    pub const fn with_strict_key(mut self, strict: bool) -> Self {
        self.strict_key = strict;
        self
    }

    /// With other departures from the RFCs that are put up with.
    #[must_use]
    pub const fn with_tolerances(mut self, tolerances: Tolerances) -> Self {
        self.tolerances = tolerances;
        self
    }
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
