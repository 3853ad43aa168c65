//! `ws:` and `wss:` URIs (RFC 6455 section 3, RFC 3986).
//
// Owns: the parts of a URI, and how they are written in a request.
// Must not know: names, addresses, or TLS.

use core::fmt;

use super::byte_class::{is_name_byte, is_target_byte};
use super::scheme::split_scheme;
use super::Brief;

/// A parsed `ws:` or `wss:` URI. It borrows its parts.
///
/// `Debug` does not show the query, which may hold credentials.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Uri<'u> {
    secure: bool,
    host: &'u str,
    port: u16,
    path: &'u str,
    query: Option<&'u str>,
}

/// Why a text is not a valid `ws:` or `wss:` URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UriError {
    /// The scheme is neither `ws` nor `wss`, or `//` is missing.
    Scheme,
    /// There is a user name or password: use a header field instead (RFC 9110 section 4.2.4). Or they cannot be sent in
    /// one.
    UserInfo,
    /// The host is missing or invalid. Write other scripts in Punycode (`xn--...`, section 11.1).
    Host,
    /// The port is not a number from 1 to 65,535.
    Port,
    /// The path or the query holds a byte that must be percent-encoded, or is wrongly encoded.
    Resource,
    /// There is a fragment. Write `#` as `%23` (section 3).
    Fragment,
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the scheme is neither ws nor wss",
            Self::UserInfo => "the URI holds a user name",
            Self::Host => {
                "the host is missing or invalid; names beyond ASCII are given in Punycode, as xn--..."
            }
            Self::Port => "the port is invalid",
            Self::Resource => "the path or query holds a byte that must be percent-encoded",
            Self::Fragment => "the URI has a fragment",
        })
    }
}

impl core::error::Error for UriError {}

impl<'u> Uri<'u> {
    /// Parses a URI.
    ///
    /// An empty port is the default one. Port 0 is refused. An empty query is kept: `ws://h/p?` asks for `/p?`.
    ///
    /// # Errors
    ///
    /// [`UriError`].
    pub fn parse(text: &'u str) -> Result<Self, UriError> {
        let (scheme, rest) = split_scheme(text.as_bytes()).ok_or(UriError::Scheme)?;
        let secure = match scheme {
            _ if scheme.eq_ignore_ascii_case(b"ws") => false,
            _ if scheme.eq_ignore_ascii_case(b"wss") => true,
            _ => return Err(UriError::Scheme),
        };
        let rest = text.get(text.len().saturating_sub(rest.len())..).unwrap_or("");
        if rest.contains('#') {
            return Err(UriError::Fragment);
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, resource) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(UriError::UserInfo);
        }
        let (host, port) = split_authority(authority)?;
        let (path, query) = split_resource(resource);
        check_resource(path.as_bytes())?;
        check_resource(query.unwrap_or("").as_bytes())?;
        let port = port.unwrap_or(if secure { 443 } else { 80 });
        Ok(Self { secure, host, port, path, query })
    }

    #[cfg(feature = "alloc")]
    pub(super) const fn of_parts(
        secure: bool,
        host: &'u str,
        port: u16,
        path: &'u str,
        query: Option<&'u str>,
    ) -> Self {
        Self { secure, host, port, path, query }
    }

    /// Replaces path and query by this resource as it is, for one that is encoded already.
    ///
    /// # Errors
    ///
    /// [`UriError::Resource`] if it begins with neither `/` nor `?`, or holds what a request target must not: spaces,
    /// control characters, characters beyond ASCII, `"`, `<`, `>`, `#`.
    pub fn with_resource(mut self, resource: &'u str) -> Result<Self, UriError> {
        if !resource.starts_with(['/', '?']) || !resource.bytes().all(is_target_byte) {
            return Err(UriError::Resource);
        }
        (self.path, self.query) = split_resource(resource);
        Ok(self)
    }

    /// Whether the connection must be over TLS (`wss`).
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host as written. An IPv6 address keeps its brackets.
    pub const fn host(&self) -> &'u str {
        self.host
    }

    /// Host and port in the form that sockets take: an IPv6 address without its brackets.
    pub fn address(&self) -> (&'u str, u16) {
        let bare = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        (bare.unwrap_or(self.host), self.port)
    }

    /// The port. If none was written, 80 or 443.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether the port is the default of the scheme.
    pub const fn is_default_port(&self) -> bool {
        self.port == if self.secure { 443 } else { 80 }
    }

    /// The path as written. It may be empty.
    pub const fn path(&self) -> &'u str {
        self.path
    }

    /// The query as written, without its question mark.
    pub const fn query(&self) -> Option<&'u str> {
        self.query
    }

    /// The resource name (section 3): `/` for an empty path, and the query with its question mark.
    pub fn resource_name(&self) -> impl fmt::Display + 'u {
        Joined([
            if self.path.is_empty() { "/" } else { self.path },
            if self.query.is_some() { "?" } else { "" },
            self.query.unwrap_or(""),
        ])
    }
}

impl fmt::Display for Uri<'_> {
    /// The whole URI, always with a path, and with the port if it is not the default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.secure { "wss" } else { "ws" }, self.host)?;
        if !self.is_default_port() {
            write!(f, ":{}", self.port)?;
        }
        self.resource_name().fmt(f)
    }
}

impl fmt::Debug for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uri")
            .field("secure", &self.secure)
            .field("host", &Brief(self.host))
            .field("port", &self.port)
            // Some services let in whoever knows the path.
            .field("path_len", &self.path.len())
            .field("query_len", &self.query.map(str::len))
            .finish()
    }
}

fn split_resource(resource: &str) -> (&str, Option<&str>) {
    match resource.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (resource, None),
    }
}

struct Joined<'u>([&'u str; 3]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| f.write_str(part))
    }
}

fn split_authority(authority: &str) -> Result<(&str, Option<u16>), UriError> {
    let (host, port) = if authority.starts_with('[') {
        let end = authority.find(']').ok_or(UriError::Host)?.saturating_add(1);
        let (host, rest) = authority.split_at_checked(end).ok_or(UriError::Host)?;
        let address = host.get(1..end.saturating_sub(1)).unwrap_or("");
        address.parse::<core::net::Ipv6Addr>().map_err(|_| UriError::Host)?;
        match rest.strip_prefix(':') {
            Some(port) => (host, port),
            None if rest.is_empty() => (host, ""),
            None => return Err(UriError::Host),
        }
    } else {
        let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
        if host.is_empty() || !host.bytes().all(is_name_byte) || !percent_encoding_is_valid(host.as_bytes()) {
            return Err(UriError::Host);
        }
        (host, port)
    };
    if port.is_empty() {
        return Ok((host, None));
    }
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(UriError::Port);
    }
    match port.parse::<u16>() {
        Ok(0) | Err(_) => Err(UriError::Port),
        Ok(port) => Ok((host, Some(port))),
    }
}

fn check_resource(bytes: &[u8]) -> Result<(), UriError> {
    if bytes.iter().all(|&byte| is_resource_byte(byte)) && percent_encoding_is_valid(bytes) {
        Ok(())
    } else {
        Err(UriError::Resource)
    }
}

fn percent_encoding_is_valid(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(b'%', rest) {
        match rest.get(at.saturating_add(1)..) {
            Some([a, b, after @ ..]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => rest = after,
            _ => return false,
        }
    }
    true
}

/// A pchar, `/` or `?` (RFC 3986 sections 3.3 and 3.4).
fn is_resource_byte(byte: u8) -> bool {
    is_name_byte(byte) || matches!(byte, b':' | b'@' | b'/' | b'?')
}
