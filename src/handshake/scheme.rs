//! The schemes of URIs (RFC 3986 section 3.1).
//
// Owns: splitting off a scheme, and whether URIs of that scheme have paths.
// Must not know: requests, or which schemes are accepted.

use super::byte_class::split_where;

/// Whether an empty path means `/` (RFC 9110 section 4.2.3, RFC 6455 section 3).
pub(crate) fn has_paths(scheme: &[u8]) -> bool {
    is_one_of(scheme, [b"http", b"https"]) || is_one_of(scheme, [b"ws", b"wss"])
}

pub(crate) fn is_one_of(scheme: &[u8], schemes: [&[u8]; 2]) -> bool {
    schemes.iter().any(|known| known.eq_ignore_ascii_case(scheme))
}

/// What stands before and after the first `://`. `None` if other text follows the first `:`.
pub(crate) fn split_scheme(uri: &[u8]) -> Option<(&[u8], &[u8])> {
    let (scheme, rest) = split_where(uri, |byte| byte == b':');
    Some((scheme, rest.strip_prefix(b"://")?))
}
