//! The opening handshake (RFC 6455 section 4) over HTTP/1.1, for both roles.
//!
//! For transports of your own: the adapters do all of this. It takes and gives bytes, in storage that you lend.
//!
//! - [`server`] reads a request, and writes the 101 that accepts it, or a refusal.
//! - [`client`] writes the request, and checks the answer.
//!
//! A client behind a proxy first asks it for a tunnel, with [`proxy`](crate::proxy).
//!
//! Where an HTTP library reads and writes the heads, a [`ParsedRequest`] takes the place of bytes: a client
//! [makes](client::ClientRequest::to_parsed) it, a server [judges](server::Request::from_parsed) it and answers with
//! [fields](server::Accept::fields), which the client [judges](client::ClientRequest::judge). That is also how HTTP/2 and
//! HTTP/3 open a WebSocket (RFC 8441, RFC 9220).
//
// Owns: what both roles share of it.
// Must not know: frames or sockets. It works without an allocator.

pub(crate) mod basic;
mod body;
mod byte_class;
pub mod client;
mod deflate;
mod error;
mod fields;
mod head;
mod head_index;
pub(crate) mod head_writer;
mod http1;
mod key;
#[cfg_attr(
    not(any(all(feature = "std", feature = "rng"), feature = "embedded-io", feature = "embedded-io-async")),
    allow(dead_code, reason = "only the configs of adapters keep lists")
)]
pub(crate) mod lists;
mod origin;
mod parsed;
pub(crate) mod response;
mod rules;
mod scheme;
pub mod server;
mod uri;
#[cfg(feature = "alloc")]
mod uri_buf;

#[cfg(feature = "alloc")]
pub use basic::basic_authorization;
pub use body::{BodyError, BodyReader};
pub use deflate::parse_deflate_answer;
pub use error::HandshakeError;
pub use fields::{Extension, Extensions, Parameter, Parameters, Tokens};
pub use head_writer::ComposeError;
pub use http1::Headers;
pub use key::{accept_value, encode_nonce, AcceptValue, Key};
pub use origin::OriginPolicy;
pub use parsed::{Bootstrap, ParsedRequest};
pub use uri::{Uri, UriError};
#[cfg(feature = "alloc")]
pub use uri_buf::UriBuf;

use core::fmt;

use crate::tolerance::Tolerances;

/// Shows no more than the beginning of a text, because a peer may send any length.
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

/// What an opening handshake agreed on, as far as the engine needs it. The subprotocol changes no frame:
/// [`Accept`](server::Accept) and [`Accepted`](client::Accepted) give its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Negotiated {
    /// What was agreed on for permessage-deflate (RFC 7692). Without it no message may be compressed.
    pub deflate: Option<crate::deflate::Params>,
}

/// Limits on the head of a request or a response. Its total length is limited by the storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeadLimits {
    /// Longest request line or status line, in bytes. RFC 9112 section 3 asks for at least 8000. Default: 8192.
    pub max_start_line: usize,
    /// Most header fields. Default: 128.
    pub max_fields: usize,
    /// Longest header line, in bytes, without its CRLF. Default: no limit but the storage.
    pub max_field: usize,
    /// Whether to refuse a `Sec-WebSocket-Key` whose last character has unused bits that are not 0 (RFC 4648 section
    /// 3.5). Default: no; the key is hashed as it was received.
    pub strict_key: bool,
    /// Which deviations from the RFCs are tolerated in heads. Default: [`Tolerances::DEFAULT`].
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

    /// How many bytes of storage the adapters use for a head: 16 KiB.
    pub const STORAGE: usize = 16 << 10;

    /// Sets the longest start line, in bytes.
    #[must_use]
    pub const fn with_max_start_line(mut self, bytes: usize) -> Self {
        self.max_start_line = bytes;
        self
    }

    /// Sets the most header fields.
    #[must_use]
    pub const fn with_max_fields(mut self, fields: usize) -> Self {
        self.max_fields = fields;
        self
    }

    /// Sets the longest header line, in bytes.
    #[must_use]
    pub const fn with_max_field(mut self, bytes: usize) -> Self {
        self.max_field = bytes;
        self
    }

    /// Sets whether keys are checked strictly.
    #[must_use]
    pub const fn with_strict_key(mut self, strict: bool) -> Self {
        self.strict_key = strict;
        self
    }

    /// Sets which deviations from the RFCs are tolerated.
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
