//! The index of a head: where its header lines are, and where the fields are that a handshake needs.
//
// Owns: the index, which grows line by line.
// Must not know: which values are valid, or how a head is received.

use super::byte_class::{is_tchar, is_text, split_where, token_len};
use super::error::HandshakeError;
use super::http1::{check_request_line, is_same_token, trim, Headers, Lines};
use super::HeadLimits;

/// A field that a handshake needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Host,
    Upgrade,
    Connection,
    Expect,
    ContentLength,
    TransferEncoding,
    Origin,
    Key,
    Version,
    Accept,
    Subprotocol,
    Extensions,
}

impl Name {
    const COUNT: usize = 12;

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "Host",
            Self::Upgrade => "Upgrade",
            Self::Connection => "Connection",
            Self::Expect => "Expect",
            Self::ContentLength => "Content-Length",
            Self::TransferEncoding => "Transfer-Encoding",
            Self::Origin => "Origin",
            Self::Key => "Sec-WebSocket-Key",
            Self::Version => "Sec-WebSocket-Version",
            Self::Accept => "Sec-WebSocket-Accept",
            Self::Subprotocol => "Sec-WebSocket-Protocol",
            Self::Extensions => "Sec-WebSocket-Extensions",
        }
    }

    const fn bit(self) -> u16 {
        1_u16.wrapping_shl(self as u32)
    }

    /// The known field that this line holds.
    #[inline(always)]
    fn of(line: &[u8]) -> Option<Self> {
        // One or two letters leave only one candidate.
        let letter = |at: usize| line.get(at).map_or(0, u8::to_ascii_lowercase);
        let known = match letter(0) {
            b'h' => Self::Host,
            b'u' => Self::Upgrade,
            b'e' => Self::Expect,
            b't' => Self::TransferEncoding,
            b'o' => Self::Origin,
            b'c' => match letter(3) {
                b'n' => Self::Connection,
                b't' => Self::ContentLength,
                _ => return None,
            },
            b's' => match letter("Sec-WebSocket-".len()) {
                b'k' => Self::Key,
                b'v' => Self::Version,
                b'a' => Self::Accept,
                b'p' => Self::Subprotocol,
                b'e' => Self::Extensions,
                _ => return None,
            },
            _ => return None,
        };
        let (name, rest) = line.split_at_checked(known.as_str().len())?;
        (matches!(rest, [b':', ..]) && is_same_token(name, known.as_str())).then_some(known)
    }
}

/// It borrows nothing, so it can grow while the head is being received.
#[derive(Clone, Debug)]
pub(crate) struct HeadIndex {
    /// 0 before the start line is complete.
    start: usize,
    /// Where the lines end that came so far.
    end: usize,
    /// How many header lines there are.
    lines: u32,
    places: [Span; Name::COUNT],
    /// One bit for each name.
    repeated: u16,
}

/// Where a value is, with its outer whitespace. 0 if there is no such field. 32 bits, because each connection keeps
/// these.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

impl HeadIndex {
    pub(crate) const fn new() -> Self {
        Self { start: 0, end: 0, lines: 0, places: [Span { start: 0, end: 0 }; Name::COUNT], repeated: 0 }
    }

    /// Checks the lines of the request head at the front of these bytes. Returns the head, with its blank line.
    pub(crate) fn of_request<'h>(
        bytes: &'h [u8],
        limits: &HeadLimits,
    ) -> Result<(&'h [u8], Self), HandshakeError> {
        let mut lines = Lines::of(bytes);
        let line = lines.next().ok_or(HandshakeError::MalformedStartLine)?;
        if line.len() > limits.max_start_line {
            return Err(HandshakeError::TargetTooLong);
        }
        check_request_line(line, limits.tolerances)?;
        let mut at = bytes.len().saturating_sub(lines.rest().len());
        let mut head_index = Self::new();
        head_index.begin_fields(at);
        for line in lines {
            if line.is_empty() {
                head_index.end_fields(at);
                let head = bytes.get(..at.saturating_add(2)).unwrap_or(bytes);
                return Ok((head, head_index));
            }
            head_index.add_line(line, at, limits)?;
            if !is_text(line) {
                return Err(HandshakeError::MalformedHeader);
            }
            at = at.saturating_add(line.len()).saturating_add(2);
        }
        Err(HandshakeError::MalformedHeader) // the blank line is not there
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.start == 0
    }

    /// The start line is complete.
    pub(crate) fn begin_fields(&mut self, at: usize) {
        (self.start, self.end) = (at, at);
    }

    pub(crate) fn end_fields(&mut self, at: usize) {
        self.end = at;
    }

    pub(crate) fn count_line(&mut self, line: &[u8], limits: &HeadLimits) -> Result<(), HandshakeError> {
        self.lines = self.lines.saturating_add(1);
        if self.lines as usize > limits.max_fields {
            return Err(HandshakeError::TooManyFields);
        }
        if line.len() > limits.max_field {
            return Err(HandshakeError::FieldTooLong);
        }
        Ok(())
    }

    /// Adds the line at `at`. Whether its bytes are text is checked elsewhere ([`is_text`]).
    #[inline(always)]
    pub(crate) fn add_line(
        &mut self,
        line: &[u8],
        at: usize,
        limits: &HeadLimits,
    ) -> Result<(), HandshakeError> {
        self.count_line(line, limits)?;
        let Some(known) = Name::of(line) else {
            // RFC 9112 section 5.1: nothing stands between the name and the colon.
            return match line.split_at_checked(token_len(line)) {
                Some(([_, ..], [b':', ..])) => Ok(()),
                _ => Err(HandshakeError::MalformedHeader),
            };
        };
        match self.places.get_mut(known as usize) {
            Some(place) if place.start == 0 => {
                let start = at.saturating_add(known.as_str().len()).saturating_add(1);
                let end = at.saturating_add(line.len());
                let place_of = |at: usize| u32::try_from(at).map_err(|_| HandshakeError::HeadTooLarge);
                *place = Span { start: place_of(start)?, end: place_of(end)? };
            }
            _ => self.repeated |= known.bit(),
        }
        Ok(())
    }

    pub(crate) fn start_line<'h>(&self, head: &'h [u8]) -> &'h [u8] {
        let line = head.get(..self.start).unwrap_or(&[]);
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    pub(crate) fn headers<'h>(&self, head: &'h [u8]) -> Headers<'h> {
        Headers::of(head.get(self.start..self.end).unwrap_or(&[]))
    }
}

/// The fields of a head.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'h, 'i> {
    /// Empty if it was read elsewhere.
    pub(crate) head: &'h [u8],
    pub(crate) headers: Headers<'h>,
    /// `None` if it was read elsewhere.
    pub(crate) head_index: Option<&'i HeadIndex>,
}

impl<'h, 'i> Fields<'h, 'i> {
    pub(crate) fn new(head: &'h [u8], head_index: &'i HeadIndex) -> Self {
        Self { head, headers: head_index.headers(head), head_index: Some(head_index) }
    }

    /// Checks fields that were read elsewhere, as lines are checked.
    pub(crate) fn parsed(headers: Headers<'h>, limits: &HeadLimits) -> Result<Self, HandshakeError> {
        headers.check(limits)?;
        Ok(Self { head: &[], headers, head_index: None })
    }

    /// Those with this name.
    #[inline(always)]
    pub(crate) fn named(&self, name: Name) -> Field<'h> {
        let Some(head_index) = self.head_index else { return Field::among(self.headers, name) };
        let Some(place) = head_index.places.get(name as usize).filter(|place| place.start != 0) else {
            return Field { name, first: None, more: Headers::of(&[]) };
        };
        let is_repeated = head_index.repeated & name.bit() != 0;
        let more = if is_repeated { place.behind(self.head, head_index.end) } else { &[] };
        Field { name, first: Some(place.value(self.head)), more: Headers::of(more) }
    }
}

impl Span {
    fn value<'h>(&self, head: &'h [u8]) -> &'h [u8] {
        trim(head.get(self.start as usize..self.end as usize).unwrap_or(&[]))
    }

    /// The end of its line, and the lines that follow.
    fn behind<'h>(&self, head: &'h [u8], end: usize) -> &'h [u8] {
        head.get(self.end as usize..end).unwrap_or(&[])
    }
}

/// Whether others might read a line that is not a valid field as one that decides whether the WebSocket is open. They
/// might skip bytes that cannot be part of a name.
pub(crate) fn names_judged_field(line: &[u8]) -> bool {
    let name = split_where(line, |byte| byte == b':').0;
    let mut letters =
        name.iter().copied().filter(|&byte| is_tchar(byte)).map(|byte| byte.to_ascii_lowercase());
    let is = |judged: &str| letters.clone().eq(judged.bytes());
    is("connection") || is("upgrade") || "sec-websocket-".bytes().all(|byte| letters.next() == Some(byte))
}

/// All fields with one name.
#[derive(Clone, Copy)]
pub(crate) struct Field<'h> {
    name: Name,
    first: Option<&'h [u8]>,
    /// Among these are more fields of this name.
    more: Headers<'h>,
}

impl<'h> Field<'h> {
    fn among(headers: Headers<'h>, name: Name) -> Self {
        let mut values = Values { name, first: None, more: headers };
        let first = values.next();
        let more = if values.clone().next().is_some() { values.more } else { Headers::of(&[]) };
        Self { name, first, more }
    }

    /// Whether there is such a field.
    #[inline]
    pub(crate) const fn is_present(&self) -> bool {
        self.first.is_some()
    }

    /// The value, if the field is not repeated.
    #[inline]
    pub(crate) const fn only(&self) -> Option<&'h [u8]> {
        if self.more.is_empty() {
            self.first
        } else {
            None
        }
    }

    /// For a field that must not be repeated.
    #[inline]
    pub(crate) const fn single(&self, repeated: HandshakeError) -> Result<Option<&'h [u8]>, HandshakeError> {
        if self.more.is_empty() {
            Ok(self.first)
        } else {
            Err(repeated)
        }
    }

    /// All values, in order.
    pub(crate) fn values(&self) -> Values<'h> {
        Values { name: self.name, first: self.first, more: self.more }
    }
}

#[derive(Clone)]
pub(crate) struct Values<'h> {
    name: Name,
    first: Option<&'h [u8]>,
    more: Headers<'h>,
}

impl<'h> Iterator for Values<'h> {
    type Item = &'h [u8];

    fn next(&mut self) -> Option<&'h [u8]> {
        self.first.take().or_else(|| {
            while let Some((name, value)) = self.more.next() {
                if is_same_token(name.as_bytes(), self.name.as_str()) {
                    return Some(value);
                }
            }
            None
        })
    }
}

#[cfg(test)]
mod tests;

debug_states!([] Field<'_>, |this| { name: this.name, first: this.first.map(<[u8]>::len) });

debug_states!([] Values<'_>, |this| { name: this.name, first: this.first.map(<[u8]>::len) });

debug_states!([] Fields<'_, '_>, |this| { head: this.head.len(), headers: this.headers });
