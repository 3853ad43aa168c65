//! Rules for single parts of a request (RFC 6455 section 4.2.1, RFC 9112 sections 3 and 6).
//
// Owns: checking each of them.
// Must not know: what the whole request means, or how it is answered.

use super::byte_class::{is_name_byte, split_where};
use super::error::HandshakeError;
use super::head_index::Field;
use super::http1::{is_token, trim, Text};
use super::scheme::{is_one_of, split_scheme};
use crate::tolerance::{Tolerance, Tolerances};

/// The resource, and the authority of an http(s) URI (section 4.2.1).
pub(crate) fn split_target(target: &[u8], tolerances: Tolerances) -> (Option<&[u8]>, Option<&[u8]>) {
    if target.starts_with(b"/") {
        return (Some(target), None);
    }
    let Some((scheme, rest)) = split_scheme(target) else { return (None, None) };
    let known = is_one_of(scheme, [b"http", b"https"])
        || tolerances.contains(Tolerance::WebSocketTargets) && is_one_of(scheme, [b"ws", b"wss"]);
    let (authority, resource) = split_where(rest, |byte| matches!(byte, b'/' | b'?'));
    if !known || !is_host(authority) {
        return (None, None);
    }
    match resource {
        [] => (Some(b"/"), Some(authority)),
        // A query without a path: nothing could be borrowed. Only in heads that were read elsewhere.
        [b'?', ..] => (None, None),
        _ => (Some(resource), Some(authority)),
    }
}

/// RFC 9112 section 3.2: exactly one valid `Host`. HTTP/1.0 did not need it, nor does a request with `:authority`
/// (RFC 9113 section 8.3.1). An authority is used instead (RFC 9112 section 3.2.2).
pub(crate) fn host<'h>(
    field: &Field<'h>,
    authority: Option<&'h [u8]>,
    is_needed: bool,
) -> Result<Text<'h>, HandshakeError> {
    let invalid = HandshakeError::InvalidHost;
    let host = field.single(invalid)?;
    if host.is_none() && is_needed || !host.map_or(true, is_host) || !authority.map_or(true, is_host) {
        return Err(invalid);
    }
    Ok(Text(authority.or(host).unwrap_or(b"")))
}

/// RFC 3986, optionally with a port, without user information.
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

fn is_port(digits: &[u8]) -> bool {
    let digits = core::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'));
    digits.is_some_and(|digits| digits.parse::<u16>().is_ok())
}

/// RFC 9112 section 6: a body could be taken for frames, or be used to smuggle a request.
pub(crate) fn body(
    content_length: &Field<'_>,
    transfer_encoding: &Field<'_>,
    asks_for_websocket: bool,
) -> Result<(), HandshakeError> {
    if !content_length.is_present() && !transfer_encoding.is_present() {
        return Ok(());
    }
    let mut lengths = content_length.values().flat_map(|value| value.split(|&byte| byte == b',')).map(trim);
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
    if transfer_encoding.is_present() {
        let codings =
            transfer_encoding.values().flat_map(|value| value.split(|&byte| byte == b',')).map(trim);
        let chunked_last = codings.last().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"));
        if asks_for_websocket || first.is_some() || !chunked_last {
            return Err(HandshakeError::UnexpectedBody);
        }
    }
    Ok(())
}

/// Sections 4.2.2 and 11.3.5: exactly one field, with the value 13.
pub(crate) fn version(field: &Field<'_>) -> Result<(), HandshakeError> {
    match field.single(HandshakeError::InvalidVersion)? {
        Some(b"13") => Ok(()),
        Some(value) if !is_token(value) => Err(HandshakeError::InvalidVersion),
        // The answer says which version we speak.
        Some(_) | None => Err(HandshakeError::UnsupportedVersion),
    }
}
