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
            if !known(name, value, Headers { lines: rest.rest }) {
                token(name).ok_or(malformed)?;
            }
            if !is_field_value(value) {
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

/// The parts of a request line (RFC 9112 section 3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestLine<'h> {
    pub(crate) method: &'h str,
    pub(crate) target: &'h str,
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
    let mut parts = line.split(|&byte| byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(malformed);
    };
    let method = token(method).ok_or(malformed)?;
    if target.is_empty() || !target.iter().all(|&byte| is_target_byte(byte)) {
        return Err(malformed);
    }
    let target = core::str::from_utf8(target).map_err(|_| malformed)?;
    let version = http_version(version).ok_or(malformed)?;
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
    if !matches!(phrase, [] | [b' ', ..]) || !is_field_value(phrase) {
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

/// The bytes as a token (RFC 9110 section 5.6.2).
pub(crate) fn token(bytes: &[u8]) -> Option<&str> {
    if bytes.is_empty() || !bytes.iter().all(|&byte| is_tchar(byte)) {
        return None;
    }
    core::str::from_utf8(bytes).ok()
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

/// RFC 9110 section 5.6.2.
pub(crate) const fn is_tchar(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
}

/// Whether a value, or a line without its end, holds nothing but visible bytes, SP, HTAB and obs-text (RFC
/// 9110 section 5.5). There is no branch, so that a compiler can judge many bytes at a time.
pub(crate) fn is_field_value(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |legal, &byte| legal & ((byte >= b' ') | (byte == b'\t')) & (byte != 0x7F))
}

/// Visible ASCII less what neither RFC 3986 nor browsers let stand in a target: `#` would begin a fragment.
pub(crate) const fn is_target_byte(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'#' | b'<' | b'>')
}
