//! What is where in a head: its start line, its header lines, and the fields that a handshake knows.
//!
//! Owns: noting it line by line, once. Must not know: what any value may be, or how a head comes in.

use super::error::HandshakeError;
use super::http1::{check_request_line, is_same_token, is_tchar, is_text, split_field, trim, Headers, Lines};
use super::HeadLimits;

/// A field that a handshake knows.
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

    /// The field of this name, which is a token.
    fn of(name: &[u8]) -> Option<Self> {
        // Length and first letter leave one that it may be.
        let known = match (name.len(), name.first()?.to_ascii_lowercase()) {
            (4, b'h') => Self::Host,
            (6, b'o') => Self::Origin,
            (6, b'e') => Self::Expect,
            (7, b'u') => Self::Upgrade,
            (10, b'c') => Self::Connection,
            (14, b'c') => Self::ContentLength,
            (17, b's') => Self::Key,
            (17, b't') => Self::TransferEncoding,
            (20, b's') => Self::Accept,
            (21, b's') => Self::Version,
            (22, b's') => Self::Subprotocol,
            (24, b's') => Self::Extensions,
            _ => return None,
        };
        is_same_token(name, known.as_str()).then_some(known)
    }
}

/// The outline of a head. It borrows nothing, so that it can grow with a head that is coming.
#[derive(Clone, Debug)]
pub(crate) struct Outline {
    /// Where the header lines begin; 0 while there is no start line.
    start: usize,
    /// How many header lines there are.
    lines: u32,
    places: [Place; Name::COUNT],
    /// A bit for each name, by its number.
    repeated: u16,
}

/// Where the value of the first field of a name stands, outer whitespace included; 0 if there is none. In 32
/// bits, since whoever waits for a handshake keeps them.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: u32,
    end: u32,
}

impl Outline {
    pub(crate) const fn new() -> Self {
        Self { start: 0, lines: 0, places: [Place { start: 0, end: 0 }; Name::COUNT], repeated: 0 }
    }

    /// Judges the lines of a complete head of a request, blank line included.
    pub(crate) fn of_request(head: &[u8], limits: &HeadLimits) -> Result<Self, HandshakeError> {
        let mut lines = Lines::of(head);
        let line = lines.next().ok_or(HandshakeError::MalformedStartLine)?;
        let mut at = head.len().saturating_sub(lines.rest().len());
        // A head that is cut off at the end of a line must not lose that line: it lacks the blank one.
        let fields = match lines.rest().strip_suffix(b"\r\n") {
            Some(fields) if fields.is_empty() || fields.ends_with(b"\r\n") => fields,
            _ => return Err(HandshakeError::MalformedHeader),
        };
        if line.len() > limits.max_start_line {
            return Err(HandshakeError::TargetTooLong);
        }
        check_request_line(line)?;
        let mut outline = Self::new();
        outline.begin_fields(at);
        for line in Lines::of(fields) {
            outline.add_line(line, at, limits)?;
            if !is_text(line) {
                return Err(HandshakeError::MalformedHeader);
            }
            at = at.saturating_add(line.len()).saturating_add(2);
        }
        Ok(outline)
    }

    /// Whether the start line is still to come.
    pub(crate) const fn is_empty(&self) -> bool {
        self.start == 0
    }

    /// The start line is over, and the header lines begin here.
    pub(crate) fn begin_fields(&mut self, at: usize) {
        self.start = at;
    }

    /// Takes the next header line, which begins here. Its bytes are judged apart ([`is_text`]).
    pub(crate) fn add_line(
        &mut self,
        line: &[u8],
        at: usize,
        limits: &HeadLimits,
    ) -> Result<(), HandshakeError> {
        self.lines = self.lines.saturating_add(1);
        if self.lines as usize > limits.max_fields {
            return Err(HandshakeError::TooManyFields);
        }
        if line.len() > limits.max_field {
            return Err(HandshakeError::FieldTooLong);
        }
        // RFC 9112 section 5.1: nothing stands between the name, a token, and the colon.
        let end = line.iter().position(|&byte| !is_tchar(byte)).unwrap_or(0);
        let (name, value) = match line.split_at_checked(end) {
            Some((name, [b':', value @ ..])) if !name.is_empty() => (name, value),
            _ => return Err(HandshakeError::MalformedHeader),
        };
        let Some(known) = Name::of(name) else { return Ok(()) };
        match self.places.get_mut(known as usize) {
            Some(place) if place.start == 0 => {
                let end = at.saturating_add(line.len());
                let start = end.saturating_sub(value.len());
                let place_of = |at: usize| u32::try_from(at).map_err(|_| HandshakeError::HeadTooLarge);
                *place = Place { start: place_of(start)?, end: place_of(end)? };
            }
            _ => self.repeated |= known.bit(),
        }
        Ok(())
    }

    /// The start line of the head that was outlined.
    pub(crate) fn start_line<'h>(&self, head: &'h [u8]) -> &'h [u8] {
        head.get(..self.start.saturating_sub(2)).unwrap_or(&[])
    }

    /// Its header lines.
    pub(crate) fn headers<'h>(&self, head: &'h [u8]) -> Headers<'h> {
        Headers::of(head.get(self.start..head.len().saturating_sub(2)).unwrap_or(&[]))
    }

    /// Its fields of this name.
    pub(crate) fn field<'h>(&self, name: Name, head: &'h [u8]) -> Field<'h> {
        let Some(place) = self.places.get(name as usize).filter(|place| place.start != 0) else {
            return Field { name, first: None, more: &[] };
        };
        let (start, end) = (place.start as usize, place.end as usize);
        let is_repeated = self.repeated & name.bit() != 0;
        let more = if is_repeated { end.saturating_add(2)..head.len().saturating_sub(2) } else { 0..0 };
        Field { name, first: head.get(start..end).map(trim), more: head.get(more).unwrap_or(&[]) }
    }
}

/// All fields of one name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'h> {
    name: Name,
    first: Option<&'h [u8]>,
    /// The lines among which there are more of this name; none if it is not repeated.
    more: &'h [u8],
}

impl<'h> Field<'h> {
    /// Whether there is one.
    pub(crate) const fn is_present(&self) -> bool {
        self.first.is_some()
    }

    /// The value of a field that may stand once.
    pub(crate) const fn single(&self, repeated: HandshakeError) -> Result<Option<&'h [u8]>, HandshakeError> {
        if self.more.is_empty() {
            Ok(self.first)
        } else {
            Err(repeated)
        }
    }

    /// All values, in order.
    pub(crate) fn values(&self) -> Values<'h> {
        Values { name: self.name, first: self.first, more: Lines::of(self.more) }
    }
}

/// See [`Field::values`].
#[derive(Clone, Debug)]
pub(crate) struct Values<'h> {
    name: Name,
    first: Option<&'h [u8]>,
    more: Lines<'h>,
}

impl<'h> Iterator for Values<'h> {
    type Item = &'h [u8];

    fn next(&mut self) -> Option<&'h [u8]> {
        self.first.take().or_else(|| {
            let same = |(name, _): &(&str, _)| is_same_token(name.as_bytes(), self.name.as_str());
            Some(self.more.by_ref().filter_map(split_field).find(same)?.1)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Name::*;

    const ALL: [Name; Name::COUNT] = [
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
    ];

    #[test]
    fn a_known_name_is_found_in_any_case_and_no_other_token_is_taken_for_it() {
        for (at, known) in ALL.into_iter().enumerate() {
            assert_eq!(known as usize, at);
            let name = known.as_str().as_bytes();
            for spelled in [name.to_vec(), name.to_ascii_lowercase(), name.to_ascii_uppercase()] {
                assert_eq!(Name::of(&spelled), Some(known));
            }
            for at in 0..name.len() {
                for byte in (0..=255).filter(|&byte| is_tchar(byte)) {
                    let mut other = name.to_vec();
                    other[at] = byte;
                    let same = byte.eq_ignore_ascii_case(&name[at]);
                    assert_eq!(Name::of(&other), same.then_some(known), "{}", other.escape_ascii());
                }
            }
            assert_eq!(Name::of(&name[1..]), None);
            assert_eq!(Name::of(&name[..name.len() - 1]), None);
        }
        assert_eq!(Name::of(b""), None);
    }
}
