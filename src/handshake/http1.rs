//! Heads of HTTP/1.1 messages, strictly (RFC 9112 sections 2 to 5).
//!
//! Owns: start lines and header lines. Must not know: what any field means.

use memchr::memchr;

use super::error::HandshakeError;
use super::HeadLimits;

/// The header fields of a head that was checked: names and values, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'h> {
    lines: &'h [u8],
}

impl<'h> Headers<'h> {
    /// Every field in order: its name as it came, and its value without outer whitespace.
    pub fn iter(&self) -> impl Iterator<Item = (&'h str, &'h [u8])> + Clone + 'h {
        Lines { rest: self.lines }.filter_map(split_field)
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

    /// Judges every line once, so that iterating cannot fail. Each is shown to `known`: its name, its value
    /// and the lines after it; whether the name is one that is known, and so a token.
    fn check(
        lines: &'h [u8],
        max_fields: usize,
        max_field: usize,
        mut known: impl FnMut(&'h [u8], &'h [u8], Headers<'h>) -> bool,
    ) -> Result<Self, HandshakeError> {
        let malformed = HandshakeError::MalformedHeader;
        let mut fields = 0_usize;
        let mut rest = Lines { rest: lines };
        while let Some(line) = rest.next() {
            fields = fields.saturating_add(1);
            if fields > max_fields {
                return Err(HandshakeError::TooManyFields);
            }
            if line.len() > max_field {
                return Err(HandshakeError::FieldTooLong);
            }
            let (name, value) = split_line(line).ok_or(malformed)?;
            let is_known = known(name, value, Headers { lines: rest.rest });
            if !is_known && !is_token(name) || !is_text(value) {
                return Err(malformed);
            }
        }
        Ok(Self { lines })
    }
}

/// All fields of one name. Lines are looked through again only where the name is repeated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'h> {
    name: &'static str,
    first: Option<&'h [u8]>,
    repeated: bool,
    after: Headers<'h>,
}

impl<'h> Field<'h> {
    /// Of this name, not yet seen.
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, first: None, repeated: false, after: Headers { lines: &[] } }
    }

    /// Of this name, in a head that was checked.
    pub(crate) fn find(headers: Headers<'h>, name: &'static str) -> Self {
        let mut field = Self::new(name);
        let mut rest = Lines { rest: headers.lines };
        while let Some(line) = rest.next() {
            if let Some((name, value)) = split_line(line) {
                field.note(name, value, Headers { lines: rest.rest });
            }
        }
        field
    }

    /// Takes note of a line, if it is of this name, compared without case.
    pub(crate) fn note(&mut self, name: &[u8], value: &'h [u8], after: Headers<'h>) -> bool {
        let same = name.eq_ignore_ascii_case(self.name.as_bytes());
        if same && self.first.is_some() {
            self.repeated = true;
        } else if same {
            (self.first, self.after) = (Some(value), after);
        }
        same
    }

    /// Whether there is one.
    pub(crate) const fn is_present(&self) -> bool {
        self.first.is_some()
    }

    /// The value of a field that may stand once.
    pub(crate) const fn single(&self, repeated: HandshakeError) -> Result<Option<&'h [u8]>, HandshakeError> {
        if self.repeated {
            Err(repeated)
        } else {
            Ok(self.first)
        }
    }

    /// All values, in order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &'h [u8]> + Clone + 'h {
        let more = if self.repeated { self.after } else { Headers { lines: &[] } };
        self.first.into_iter().chain(more.get_all(self.name))
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

/// Parses a complete request head, blank line included. Each field is shown to `known`, as to
/// [`Headers::check`].
pub(crate) fn request<'h>(
    head: &'h [u8],
    limits: &HeadLimits,
    known: impl FnMut(&'h [u8], &'h [u8], Headers<'h>) -> bool,
) -> Result<(RequestLine<'h>, Headers<'h>), HandshakeError> {
    let (line, fields) = start_line(head)?;
    if line.len() > limits.max_start_line {
        return Err(HandshakeError::TargetTooLong);
    }
    Ok((request_line(line)?, Headers::check(fields, limits.max_fields, limits.max_field, known)?))
}

/// Judges a request line, without its CRLF.
pub(crate) fn check_request_line(line: &[u8]) -> Result<(), HandshakeError> {
    request_line(line).map(|_| ())
}

/// Parses a request line, without its CRLF, of any version 1.
fn request_line(line: &[u8]) -> Result<RequestLine<'_>, HandshakeError> {
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

/// Parses a complete response head, blank line included: its status and its fields.
pub(crate) fn response(
    head: &[u8],
    max_fields: usize,
) -> Result<(HttpVersion, u16, Headers<'_>), HandshakeError> {
    let (line, fields) = start_line(head)?;
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
    // The length of each was bounded when the head was collected.
    Ok((version, status, Headers::check(fields, max_fields, usize::MAX, |_, _, _| false)?))
}

/// The start line without its CRLF, and the header lines without the blank line.
fn start_line(head: &[u8]) -> Result<(&[u8], &[u8]), HandshakeError> {
    let mut lines = Lines { rest: head };
    let line = lines.next().ok_or(HandshakeError::MalformedStartLine)?;
    match lines.rest.strip_suffix(b"\r\n") {
        // A head that is cut off at the end of a line must not lose that line: it lacks the blank one.
        Some(fields) if fields.is_empty() || fields.ends_with(b"\r\n") => Ok((line, fields)),
        _ => Err(HandshakeError::MalformedHeader),
    }
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
struct Lines<'h> {
    rest: &'h [u8],
}

impl<'h> Iterator for Lines<'h> {
    type Item = &'h [u8];

    fn next(&mut self) -> Option<&'h [u8]> {
        let (line, rest) = self.rest.split_at_checked(memchr(b'\n', self.rest)?.saturating_add(1))?;
        self.rest = rest;
        Some(line.strip_suffix(b"\r\n").unwrap_or(line))
    }
}

/// What stands before and after the colon of a header line.
fn split_line(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = line.split_at_checked(memchr(b':', line)?)?;
    Some((name, trim(value.get(1..)?)))
}

/// Name and value of a header line that was checked.
fn split_field(line: &[u8]) -> Option<(&str, &[u8])> {
    let (name, value) = split_line(line)?;
    Some((core::str::from_utf8(name).ok()?, value))
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
