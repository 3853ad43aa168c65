//! The rules that single parts of a request must keep (RFC 6455 section 4.2.1, RFC 9112 sections 3 and 6).
//!
//! Owns: the fields that a server knows, and judging each. Must not know: what a request comes to, or
//! answers.

use super::error::HandshakeError;
use super::fields::Extensions;
use super::http1::{is_name_byte, is_token, split_where, text, trim, Field, Headers};

/// The fields that matter to a server's handshake, found in one pass over the head.
#[derive(Debug)]
pub(crate) struct Known<'h> {
    pub(crate) host: Field<'h>,
    pub(crate) upgrade: Field<'h>,
    pub(crate) connection: Field<'h>,
    pub(crate) expect: Field<'h>,
    pub(crate) content_length: Field<'h>,
    pub(crate) transfer_encoding: Field<'h>,
    pub(crate) origin: Field<'h>,
    pub(crate) key: Field<'h>,
    pub(crate) version: Field<'h>,
    pub(crate) subprotocols: Field<'h>,
    pub(crate) extensions: Field<'h>,
}

impl<'h> Known<'h> {
    pub(crate) const fn new() -> Self {
        Self {
            host: Field::new("Host"),
            upgrade: Field::new("Upgrade"),
            connection: Field::new("Connection"),
            expect: Field::new("Expect"),
            content_length: Field::new("Content-Length"),
            transfer_encoding: Field::new("Transfer-Encoding"),
            origin: Field::new("Origin"),
            key: Field::new("Sec-WebSocket-Key"),
            version: Field::new("Sec-WebSocket-Version"),
            subprotocols: Field::new("Sec-WebSocket-Protocol"),
            extensions: Field::new(Extensions::NAME),
        }
    }

    /// Takes note of a field if it is one of these.
    pub(crate) fn note(&mut self, name: &[u8], value: &'h [u8], after: Headers<'h>) -> bool {
        // The length of a name leaves one or two that it may be.
        match name.len() {
            4 => self.host.note(name, value, after),
            6 => self.origin.note(name, value, after) || self.expect.note(name, value, after),
            7 => self.upgrade.note(name, value, after),
            10 => self.connection.note(name, value, after),
            14 => self.content_length.note(name, value, after),
            17 => self.key.note(name, value, after) || self.transfer_encoding.note(name, value, after),
            21 => self.version.note(name, value, after),
            22 => self.subprotocols.note(name, value, after),
            24 => self.extensions.note(name, value, after),
            _ => false,
        }
    }
}

/// The resource of a target in origin-form or of an http(s) URI, and the latter's authority (section 4.2.1).
pub(crate) fn split_target(target: &str) -> (Option<&str>, Option<&str>) {
    if target.starts_with('/') {
        return (Some(target), None);
    }
    let Some((scheme, rest)) = split_scheme(target) else { return (None, None) };
    let known = ["http", "https"].iter().any(|known| known.eq_ignore_ascii_case(scheme));
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (Some(authority), Some(resource)) = (rest.get(..at), rest.get(at..)) else { return (None, None) };
    if !known || !is_host(authority.as_bytes()) {
        return (None, None);
    }
    match resource {
        "" => (Some("/"), Some(authority)),
        // A query without a path names no resource that could be borrowed from here.
        _ if resource.starts_with('?') => (None, None),
        _ => (Some(resource), Some(authority)),
    }
}

/// What stands before and after the first `:` of a URI, if `//` follows it. The searchers of `core` for
/// strings would be half a KiB more of code, with panics in them.
pub(crate) fn split_scheme(uri: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = uri.split_at_checked(uri.bytes().position(|byte| byte == b':')?)?;
    Some((scheme, rest.strip_prefix("://")?))
}

/// RFC 9112 section 3.2: one valid Host, which HTTP/1.0 did not need.
pub(crate) fn host<'h>(field: &Field<'h>, minor: u8) -> Result<&'h str, HandshakeError> {
    let invalid = HandshakeError::InvalidHost;
    match field.single(invalid)? {
        None if minor == 0 => Ok(""),
        None => Err(invalid),
        Some(host) if is_host(host) => Ok(text(host)),
        Some(_) => Err(invalid),
    }
}

/// A host of RFC 3986, and perhaps a port. No userinfo.
fn is_host(host: &[u8]) -> bool {
    let (name, port) = match host {
        [b'[', inner @ ..] => {
            let legal = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
            let (address, rest) = split_where(inner, |byte| !legal(byte));
            let [b']', port @ ..] = rest else { return false };
            (address, port)
        }
        _ => split_where(host, |byte| !is_name_byte(byte)),
    };
    let port = match port {
        [] | [b':'] => true,
        [b':', digits @ ..] => is_port(digits),
        _ => false,
    };
    !name.is_empty() && port
}

/// 16 bits in decimal.
fn is_port(digits: &[u8]) -> bool {
    let digits = core::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'));
    digits.is_some_and(|digits| digits.parse::<u16>().is_ok())
}

/// RFC 9112 section 6 and the way in which requests are smuggled: nothing of a body may be taken for frames.
pub(crate) fn body(known: &Known<'_>, asks_for_websocket: bool) -> Result<(), HandshakeError> {
    let mut lengths =
        known.content_length.values().flat_map(|value| value.split(|&byte| byte == b',')).map(trim);
    let first = lengths.next();
    if let Some(first) = first {
        let digits = !first.is_empty() && first.iter().all(u8::is_ascii_digit);
        if !digits || lengths.any(|other| other != first) {
            return Err(HandshakeError::UnexpectedBody);
        }
        if asks_for_websocket && first.iter().any(|&digit| digit != b'0') {
            return Err(HandshakeError::UnexpectedBody);
        }
    }
    if known.transfer_encoding.is_present() {
        let codings =
            known.transfer_encoding.values().flat_map(|value| value.split(|&byte| byte == b',')).map(trim);
        let chunked_last = codings.last().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"));
        if asks_for_websocket || first.is_some() || !chunked_last {
            return Err(HandshakeError::UnexpectedBody);
        }
    }
    Ok(())
}

/// Sections 4.2.2 and 11.3.5: one field that says 13.
pub(crate) fn version(field: &Field<'_>) -> Result<(), HandshakeError> {
    match field.single(HandshakeError::InvalidVersion)? {
        Some(b"13") => Ok(()),
        Some(value) if !is_token(value) => Err(HandshakeError::InvalidVersion),
        // Another version, or none: say which one is understood.
        Some(_) | None => Err(HandshakeError::UnsupportedVersion),
    }
}
