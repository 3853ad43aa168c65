//! Requests that an HTTP library has read, or is to send.
//
// Owns: their form, which is the same for HTTP/1.1, HTTP/2 and HTTP/3.
// Must not know: any rule.

use core::fmt;

use super::http1::Headers;
use super::Brief;

/// How a request asks for a WebSocket.
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "HTTP/1 has one way, and what came after it has the other")]
pub enum Bootstrap<'h> {
    /// With a GET of HTTP/1.1 and its `Upgrade` (RFC 6455).
    Upgrade {
        /// The minor version of HTTP/1.
        minor: u8,
    },
    /// With an extended CONNECT of HTTP/2 or HTTP/3 (RFC 8441, RFC 9220). The stream takes the place of the TCP
    /// connection: no tunnel is opened to anywhere else (8441-4-3).
    ExtendedConnect {
        /// `:protocol`. A request without it asks for no WebSocket.
        protocol: Option<&'h str>,
        /// `:scheme`: `https` for `wss:`, `http` for `ws:`.
        scheme: Option<&'h str>,
    },
}

/// A request that a server's HTTP library has read, or that a client's is to send.
///
/// `Debug` shows neither header fields nor the query.
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a request has these parts in every version of HTTP")]
pub struct ParsedRequest<'h> {
    /// How it asks for a WebSocket.
    pub bootstrap: Bootstrap<'h>,
    /// The method.
    pub method: &'h str,
    /// The request target: for HTTP/2 and HTTP/3 `:path`.
    pub target: &'h str,
    /// `:authority`, or that of an absolute target where `target` is only the rest of it. It counts instead of `Host`.
    pub authority: Option<&'h str>,
    /// The header fields, without pseudo-header fields such as `:path`.
    pub headers: Headers<'h>,
}

impl fmt::Debug for Bootstrap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upgrade { minor } => write!(f, "Upgrade(HTTP/1.{minor})"),
            Self::ExtendedConnect { protocol, .. } => {
                f.debug_tuple("ExtendedConnect").field(&protocol.map(Brief)).finish()
            }
        }
    }
}

impl fmt::Debug for ParsedRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParsedRequest")
            .field("bootstrap", &self.bootstrap)
            .field("method", &Brief(self.method))
            .field("authority", &self.authority.map(Brief))
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}
