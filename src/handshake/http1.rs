//! Lines of HTTP/1.1 messages, strictly (RFC 9112 sections 2 to 5).
//!
//! Owns: start lines, header lines, and which bytes may stand where. Must not know: what any field means.

use memchr::memchr;

use super::error::HandshakeError;

/// The header fields of a head that was checked: names and values, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'h> {
    lines: &'h [u8],
}

impl<'h> Headers<'h> {
    /// Every field in order: its name as it came, and its value without outer whitespace.
    pub fn iter(&self) -> impl Iterator<Item = (&'h str, &'h [u8])> + Clone + 'h {
        Lines::of(self.lines).filter_map(split_field)
    }

    /// The value of the first field of this name, compared without case.
    pub fn get(&self, name: &str) -> Option<&'h [u8]> {
        self.iter().find(|(candidate, _)| candidate.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The values of all fields of this name, in order.
    pub fn get_all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'h [u8]> + Clone + 'n
    where
        'h: 'n,
    {
        self.iter().filter(move |(candidate, _)| candidate.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Of lines that were judged, each with its CRLF.
    pub(crate) const fn of(lines: &'h [u8]) -> Self {
        Self { lines }
    }
}

/// The parts of a request line (RFC 9112 section 3). Method and target are ASCII.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestLine<'h> {
    pub(crate) method: &'h [u8],
    pub(crate) target: &'h [u8],
    pub(crate) version: HttpVersion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HttpVersion {
    pub(crate) major: u8,
    pub(crate) minor: u8,
}

impl HttpVersion {
    /// 1.1 or a higher minor version (RFC 6455 section 4.2.1).
    pub(crate) const fn is_at_least_1_1(self) -> bool {
        self.major == 1 && self.minor >= 1
    }
}

/// Judges a request line, without its CRLF.
pub(crate) fn check_request_line(line: &[u8]) -> Result<(), HandshakeError> {
    request_line(line).map(|_| ())
}

/// Parses a request line, without its CRLF, of any version 1.
pub(crate) fn request_line(line: &[u8]) -> Result<RequestLine<'_>, HandshakeError> {
    let malformed = HandshakeError::MalformedStartLine;
    let (method, rest) = split_where(line, |byte| !is_tchar(byte));
    let (target, version) =
        split_where(rest.strip_prefix(b" ").ok_or(malformed)?, |byte| !is_target_byte(byte));
    let version = version.strip_prefix(b" ").and_then(http_version).ok_or(malformed)?;
    if method.is_empty() || target.is_empty() {
        return Err(malformed);
    }
    if version.major != 1 {
        return Err(HandshakeError::UnsupportedHttpVersion);
    }
    Ok(RequestLine { method, target, version })
}

/// Parses a status line, without its CRLF: the version and the status.
pub(crate) fn status_line(line: &[u8]) -> Result<(HttpVersion, u16), HandshakeError> {
    let malformed = HandshakeError::MalformedStartLine;
    let (version, rest) = line.split_first_chunk::<8>().ok_or(malformed)?;
    let version = http_version(version).ok_or(malformed)?;
    // Above 599 it is invalid, but still an answer: a client treats it as a 5xx (RFC 9110 section 15).
    let (&[b' ', a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'], phrase) =
        rest.split_first_chunk::<4>().ok_or(malformed)?
    else {
        return Err(malformed);
    };
    // The phrase is ignored (RFC 9112 section 4), but must be text; the space before it may be missing.
    if !matches!(phrase, [] | [b' ', ..]) || !is_text(phrase) {
        return Err(malformed);
    }
    let status = [a, b, c]
        .iter()
        .fold(0_u16, |sum, digit| sum.saturating_mul(10).saturating_add(u16::from(digit & 0x0F)));
    Ok((version, status))
}

fn http_version(bytes: &[u8]) -> Option<HttpVersion> {
    match bytes {
        [b'H', b'T', b'T', b'P', b'/', major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9'] => {
            Some(HttpVersion { major: major & 0x0F, minor: minor & 0x0F })
        }
        _ => None,
    }
}

/// Lines that end in CRLF, given without it. A CR elsewhere stays in the line, where it is no legal byte.
#[derive(Clone, Debug)]
pub(crate) struct Lines<'h> {
    rest: &'h [u8],
}

impl<'h> Lines<'h> {
    pub(crate) const fn of(bytes: &'h [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What follows the lines that were given.
    pub(crate) const fn rest(&self) -> &'h [u8] {
        self.rest
    }
}

impl<'h> Iterator for Lines<'h> {
    type Item = &'h [u8];

    fn next(&mut self) -> Option<&'h [u8]> {
        let (line, rest) = self.rest.split_at_checked(memchr(b'\n', self.rest)?.saturating_add(1))?;
        self.rest = rest;
        Some(line.strip_suffix(b"\r\n").unwrap_or(line))
    }
}

/// Name and value of a header line that was judged.
pub(crate) fn split_field(line: &[u8]) -> Option<(&str, &[u8])> {
    let (name, value) = line.split_at_checked(memchr(b':', line)?)?;
    Some((core::str::from_utf8(name).ok()?, trim(value.get(1..)?)))
}

/// Bytes that were found to be ASCII.
pub(crate) fn text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap_or("")
}

/// The bytes as a token (RFC 9110 section 5.6.2).
pub(crate) fn token(bytes: &[u8]) -> Option<&str> {
    core::str::from_utf8(bytes).ok().filter(|_| is_token(bytes))
}

/// Whether the bytes are a token (RFC 9110 section 5.6.2).
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_tchar(byte))
}

/// Whether a token is this one, which has letters and `-` alone, compared without case.
pub(crate) fn is_same_token(token: &[u8], known: &str) -> bool {
    // No other byte that may stand in a token differs from these by no more than the bit of the case.
    let differ = token.iter().zip(known.as_bytes()).fold(0, |differ, (a, b)| differ | (a ^ b));
    token.len() == known.len() && differ & !0x20 == 0
}

/// Without outer SP and HTAB (RFC 9110 section 5.6.3).
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// What stands before the first byte that ends it, and from there on.
pub(crate) fn split_where(bytes: &[u8], ends: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|&byte| ends(byte)).unwrap_or(bytes.len());
    bytes.split_at_checked(end).unwrap_or((bytes, &[]))
}

/// A byte of a token (RFC 9110 section 5.6.2).
pub(crate) fn is_tchar(byte: u8) -> bool {
    class(byte) & TCHAR != 0
}

/// A byte of a target: visible ASCII less what neither RFC 3986 nor browsers let stand there; `#` would begin
/// a fragment.
pub(crate) fn is_target_byte(byte: u8) -> bool {
    class(byte) & TARGET != 0
}

/// A byte of a registered name (RFC 3986 section 3.2.2).
pub(crate) fn is_name_byte(byte: u8) -> bool {
    class(byte) & NAME != 0
}

const TCHAR: u8 = 1;
const TARGET: u8 = 2;
const NAME: u8 = 4;

/// What a byte may be part of. By a table, since most of a head is gone through byte by byte.
fn class(byte: u8) -> u8 {
    #[expect(clippy::indexing_slicing, reason = "the compiler evaluates it")]
    const CLASSES: [u8; 256] = {
        let mut classes = [0; 256];
        let mut byte = 0_u8;
        while byte < 0x80 {
            classes[byte as usize] = match byte {
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => TCHAR | TARGET | NAME,
                b'!' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' => TCHAR | TARGET | NAME,
                b'^' | b'`' | b'|' => TCHAR | TARGET,
                b'(' | b')' | b',' | b';' | b'=' => TARGET | NAME,
                b'#' => TCHAR,
                b'/' | b':' | b'?' | b'@' | b'[' | b'\\' | b']' | b'{' | b'}' => TARGET,
                _ => 0,
            };
            byte += 1;
        }
        classes
    };
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}

/// Whether a value, or a line without its end, is text.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    text_len(bytes) == bytes.len()
}

/// How many bytes at the front are text: visible bytes, SP, HTAB and obs-text (RFC 9110 section 5.5).
pub(crate) fn text_len(bytes: &[u8]) -> usize {
    let mut rest = skip_plain(bytes);
    while let [b'\t', after @ ..] = rest {
        rest = skip_plain(after);
    }
    bytes.len().wrapping_sub(rest.len())
}

/// What begins with the first control byte or DEL. Eight bytes are looked at at a time.
fn skip_plain(bytes: &[u8]) -> &[u8] {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const DEL: u64 = u64::from_ne_bytes([0x7F; 8]);
    const SPACE: u64 = u64::from_ne_bytes([b' '; 8]);
    const TOP: u64 = u64::from_ne_bytes([0x80; 8]);
    let mut rest = bytes;
    while let Some((word, after)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*word);
        // The top bit of a byte is set where it borrows: it is below SP or, of those that are DEL, below 1. A
        // borrow may spoil the bytes above, but the first that is found is right.
        let borrows = word.wrapping_sub(SPACE) | (word ^ DEL).wrapping_sub(ONES);
        let found = borrows & !word & TOP;
        if found != 0 {
            return rest.get((found.trailing_zeros() / 8) as usize..).unwrap_or(&[]);
        }
        rest = after;
    }
    split_where(rest, |byte| byte < b' ' || byte == 0x7F).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_ends_at_the_first_control_byte_wherever_it_stands() {
        for byte in 0..=255_u8 {
            let is_text = byte == b'\t' || byte >= b' ' && byte != 0x7F;
            for at in 0..20 {
                // What stands before and behind must not matter: not the bytes from which a borrow may come.
                for others in [b'a', b' ', b'\t', 0x80, 0xFF] {
                    let mut bytes = [others; 20];
                    bytes[at] = byte;
                    assert_eq!(text_len(&bytes), if is_text { 20 } else { at }, "{byte:#x} {others:#x}");
                    bytes[19] = 0x7F;
                    assert_eq!(
                        text_len(&bytes),
                        if is_text { 19 } else { at }.min(19),
                        "{byte:#x} {others:#x}"
                    );
                }
            }
        }
        assert_eq!(text_len(b""), 0);
    }

    #[test]
    fn the_table_says_what_the_rfcs_say() {
        for byte in 0..=255_u8 {
            let letter_or_digit = byte.is_ascii_alphanumeric();
            // RFC 9110 section 5.6.2.
            assert_eq!(is_tchar(byte), letter_or_digit || b"!#$%&'*+-.^_`|~".contains(&byte), "{byte:#x}");
            // RFC 3986 section 3.2.2: unreserved, sub-delims, and what percent-encoding takes.
            let name = letter_or_digit || b"-._~!$&'()*+,;=%".contains(&byte);
            assert_eq!(is_name_byte(byte), name, "{byte:#x}");
            let target = byte.is_ascii_graphic() && !b"\"#<>".contains(&byte);
            assert_eq!(is_target_byte(byte), target, "{byte:#x}");
        }
    }
}
