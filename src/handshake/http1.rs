//! Strict parsing of the lines of HTTP/1.1 messages (RFC 9112 sections 2 to 5).
//
// Owns: start lines, header lines, and which bytes they may hold.
// Must not know: the meaning of any field.

use core::fmt;

use memchr::memchr;

use super::byte_class::{is_raw_target_byte, is_target_byte, is_tchar, is_text, split_where};
use super::error::HandshakeError;
use super::scheme::{has_paths, split_scheme};
use super::{Brief, HeadLimits};
use crate::tolerance::{Tolerance, Tolerances};

/// The header fields of a head.
///
/// `Debug` shows only how many there are, because values may be credentials.
#[derive(Clone, Copy)]
pub struct Headers<'h>(Source<'h>);

#[derive(Clone, Copy)]
enum Source<'h> {
    /// Checked lines, each with its CRLF.
    Lines(&'h [u8]),
    /// Fields of a head that was read elsewhere.
    Parsed(&'h [(&'h str, &'h [u8])]),
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Headers").field("fields", &self.iter().count()).finish()
    }
}

impl<'h> Headers<'h> {
    /// All fields in order: the name as it came, and the value without outer whitespace.
    pub fn iter(&self) -> impl Iterator<Item = (&'h str, &'h [u8])> + Clone + 'h {
        let mut rest = *self;
        core::iter::from_fn(move || rest.next())
    }

    /// The value of the first field with this name, without case.
    pub fn get(&self, name: &str) -> Option<&'h [u8]> {
        self.iter().find(|(candidate, _)| candidate.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The values of all fields with this name, in order, without case.
    pub fn get_all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'h [u8]> + Clone + 'n
    where
        'h: 'n,
    {
        self.iter().filter(move |(candidate, _)| candidate.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// From lines that were checked, each with its CRLF.
    pub(crate) const fn of(lines: &'h [u8]) -> Self {
        Self(Source::Lines(lines))
    }

    /// The fields of a head that an HTTP library has read, each with its name and its value. They are checked when the
    /// head is judged.
    pub const fn parsed(fields: &'h [(&'h str, &'h [u8])]) -> Self {
        Self(Source::Parsed(fields))
    }

    pub(crate) const fn is_empty(&self) -> bool {
        matches!(self.0, Source::Lines([]) | Source::Parsed([]))
    }

    /// Takes the first field.
    pub(crate) fn next(&mut self) -> Option<(&'h str, &'h [u8])> {
        match &mut self.0 {
            Source::Lines(rest) => {
                let mut lines = Lines::of(rest);
                let field = lines.find_map(split_field);
                *rest = lines.rest();
                field
            }
            Source::Parsed(rest) => {
                let ((name, value), others) = rest.split_first()?;
                *rest = others;
                Some((name, trim(value)))
            }
        }
    }

    /// Checks fields that were read elsewhere, as lines are checked.
    pub(crate) fn check(&self, limits: &HeadLimits) -> Result<(), HandshakeError> {
        let Source::Parsed(parsed) = self.0 else { return Ok(()) };
        if parsed.len() > limits.max_fields {
            return Err(HandshakeError::TooManyFields);
        }
        for (name, value) in parsed {
            if name.len().saturating_add(value.len()).saturating_add(1) > limits.max_field {
                return Err(HandshakeError::FieldTooLong);
            }
            if !is_token(name.as_bytes()) || !is_text(value) {
                return Err(HandshakeError::MalformedHeader);
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HttpVersion {
    pub(crate) major: u8,
    pub(crate) minor: u8,
}

impl HttpVersion {
    /// RFC 6455 section 4.2.1.
    pub(crate) const fn is_at_least_1_1(self) -> bool {
        self.major == 1 && self.minor >= 1
    }
}

/// Any version 1.x. Returns the target.
pub(crate) fn check_request_line(line: &[u8], tolerances: Tolerances) -> Result<&[u8], HandshakeError> {
    let malformed = HandshakeError::MalformedStartLine;
    let (method, rest) = split_where(line, |byte| !is_tchar(byte));
    let rest = rest.strip_prefix(b" ").ok_or(malformed)?;
    let (target, version) = split_after_target(rest, tolerances);
    let version = version.strip_prefix(b" ").and_then(http_version).ok_or(malformed)?;
    if method.is_empty() || target.is_empty() {
        return Err(malformed);
    }
    if version.major != 1 {
        return Err(HandshakeError::UnsupportedHttpVersion);
    }
    // Raw targets, if tolerated, must be UTF-8.
    if tolerances.contains(Tolerance::RawTargets) && core::str::from_utf8(target).is_err() {
        return Err(malformed);
    }
    Ok(target)
}

/// The target at the front, and what follows it.
pub(crate) fn split_after_target(bytes: &[u8], tolerances: Tolerances) -> (&[u8], &[u8]) {
    match tolerances.contains(Tolerance::RawTargets) {
        false => split_where(bytes, |byte| !is_target_byte(byte)),
        true => split_where(bytes, |byte| !is_raw_target_byte(byte)),
    }
}

/// Where the path is missing: an absolute URI may have a query and no path, and asks for `/` (RFC 9112 section 3.2.1).
pub(crate) fn missing_path(target: &[u8], line: &[u8]) -> Option<usize> {
    if target.starts_with(b"/") {
        return None;
    }
    let (scheme, rest) = split_scheme(target)?;
    let query = split_where(rest, |byte| matches!(byte, b'/' | b'?')).1;
    // A space and the version follow the target.
    (has_paths(scheme) && query.starts_with(b"?"))
        .then(|| line.len().saturating_sub(query.len()).saturating_sub(9))
}

/// The method, the target, and the minor version of HTTP/1.
pub(crate) fn judged_request_line(line: &[u8]) -> Result<(Text<'_>, Text<'_>, u8), HandshakeError> {
    let malformed = HandshakeError::MalformedStartLine;
    let (rest, version) = line.split_last_chunk::<8>().ok_or(malformed)?;
    let version = http_version(version).ok_or(malformed)?;
    let (method, target) = split_where(rest, |byte| byte == b' ');
    let [b' ', target @ .., b' '] = target else { return Err(malformed) };
    Ok((Text(method), Text(target), version.minor))
}

/// The version and the status of a line without its CRLF.
pub(crate) fn status_line(line: &[u8]) -> Result<(HttpVersion, u16), HandshakeError> {
    let malformed = HandshakeError::MalformedStartLine;
    let (version, rest) = line.split_first_chunk::<8>().ok_or(malformed)?;
    let version = http_version(version).ok_or(malformed)?;
    // A status above 599 is still an answer (RFC 9110 section 15).
    let (&[b' ', a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'], phrase) =
        rest.split_first_chunk::<4>().ok_or(malformed)?
    else {
        return Err(malformed);
    };
    // The phrase is ignored (RFC 9112 section 4). The space before it may be missing.
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

/// Lines that end in CRLF, without it. A CR elsewhere stays, and the check of the bytes refuses it.
#[derive(Clone)]
pub(crate) struct Lines<'h> {
    rest: &'h [u8],
}

impl<'h> Lines<'h> {
    pub(crate) const fn of(bytes: &'h [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What follows.
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

/// Of a checked line.
pub(crate) fn split_field(line: &[u8]) -> Option<(&str, &[u8])> {
    // A bare LF may be tolerated.
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let (name, value) = line.split_at_checked(memchr(b':', line)?)?;
    Some((core::str::from_utf8(name).ok()?, trim(value.get(1..)?)))
}

/// Checked bytes, ASCII or UTF-8. They become `str` only on demand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text<'h>(pub(crate) &'h [u8]);

impl<'h> Text<'h> {
    pub(crate) const fn as_str(self) -> &'h str {
        match core::str::from_utf8(self.0) {
            Ok(text) => text,
            Err(_) => "",
        }
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Brief(self.as_str()).fmt(f)
    }
}

pub(crate) fn token(bytes: &[u8]) -> Option<&str> {
    core::str::from_utf8(bytes).ok().filter(|_| is_token(bytes))
}

pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_tchar(byte))
}

/// Compared without case. `token` must consist of letters and `-`, at most 24.
pub(crate) fn is_same_token(bytes: &[u8], token: &str) -> bool {
    let token = token.as_bytes();
    if bytes.len() != token.len() {
        return false;
    }
    // Upper and lower case of a letter differ in one bit. `-` must match exactly.
    const LETTER: u64 = u64::from_ne_bytes([0x40; 8]);
    let differ = |a: u64, b: u64| (a ^ b) & !((b & LETTER) >> 1);
    let ([a, b, c], [x, y, z]) = (words(bytes), words(token));
    differ(a, x) | differ(b, y) | differ(c, z) == 0
}

/// Up to 24 bytes as three words, which may overlap.
fn words(bytes: &[u8]) -> [u64; 3] {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let second = bytes.get(8..).and_then(|rest| rest.first_chunk()).unwrap_or(last);
        return [first, second, last].map(|word| u64::from_ne_bytes(*word));
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return [u32::from_ne_bytes(*first).into(), u32::from_ne_bytes(*last).into(), 0];
    }
    [0, 1, 2].map(|at| bytes.get(at).copied().unwrap_or(0).into())
}

pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

debug_states!([] Lines<'_>, |this| { rest: this.rest.len() });
