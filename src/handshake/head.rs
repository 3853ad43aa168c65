//! Collecting the head of a request or a response, from any split of the input.
//!
//! Owns: where the head ends. Must not know: what its lines mean.

use memchr::memchr;

use super::error::HandshakeError;
use super::HeadLimits;

/// A head that is coming: a start line, header lines, and a blank line.
///
/// Every byte is looked at once, however the input is cut. Never a byte past the blank line is taken.
#[derive(Debug)]
pub(crate) struct Head<'s> {
    storage: &'s mut [u8],
    len: usize,
    line_start: usize,
    blank_lines: u8,
    max_start_line: usize,
    complete: bool,
}

/// Blank lines that are ignored before a start line (RFC 9112 section 2.2 asks for one at least).
const MAX_BLANK_LINES: u8 = 4;

impl<'s> Head<'s> {
    pub(crate) fn new(storage: &'s mut [u8], limits: &HeadLimits) -> Self {
        let max_start_line = limits.max_start_line;
        Self { storage, len: 0, line_start: 0, blank_lines: 0, max_start_line, complete: false }
    }

    /// Takes bytes up to the blank line. Returns how many, and whether the head is complete.
    pub(crate) fn recv(&mut self, input: &[u8]) -> Result<(usize, bool), HandshakeError> {
        let mut rest = input;
        while !self.complete && !rest.is_empty() {
            let end = memchr(b'\n', rest).map_or(rest.len(), |at| at.saturating_add(1));
            let (piece, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            self.append(piece)?;
            rest = after;
            if piece.last() == Some(&b'\n') {
                self.end_line()?;
            }
        }
        Ok((input.len().saturating_sub(rest.len()), self.complete))
    }

    /// The whole head, blank line included, once it is complete.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.storage.get(..self.len).unwrap_or(&[])
    }

    /// Whether the blank line came.
    pub(crate) const fn is_complete(&self) -> bool {
        self.complete
    }

    /// Forgets a complete head, to collect the next one.
    pub(crate) fn restart(&mut self) {
        self.len = 0;
        self.line_start = 0;
        self.complete = false;
    }

    fn append(&mut self, piece: &[u8]) -> Result<(), HandshakeError> {
        let in_start_line = self.line_start == 0;
        let malformed =
            if in_start_line { HandshakeError::MalformedStartLine } else { HandshakeError::MalformedHeader };
        let (mut room, mut too_long) = (self.storage.len(), HandshakeError::HeadTooLarge);
        let line_room = self.max_start_line.saturating_add(2);
        if in_start_line && line_room < room {
            (room, too_long) = (line_room, HandshakeError::TargetTooLong);
        }
        // The first byte that is wrong decides, however the input is cut.
        let (fits, over) = piece.split_at_checked(room.saturating_sub(self.len)).unwrap_or((piece, &[]));
        // What can never be HTTP is refused before its end is awaited, such as a TLS handshake on this port.
        if fits.iter().any(|&byte| byte < b' ' && !matches!(byte, b'\t' | b'\r' | b'\n') || byte == 0x7F) {
            return Err(malformed);
        }
        if !over.is_empty() {
            return Err(too_long);
        }
        // In two steps, so that the lengths are seen to be equal and the copy holds no panic.
        let spare = self.storage.get_mut(self.len..).and_then(|spare| spare.get_mut(..fits.len()));
        spare.ok_or(too_long)?.copy_from_slice(fits);
        self.len = self.len.saturating_add(fits.len());
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), HandshakeError> {
        let line = self.storage.get(self.line_start..self.len).unwrap_or(&[]);
        let in_start_line = self.line_start == 0;
        match line {
            // RFC 9112 section 2.2: blank lines before a start line are ignored, within reason.
            b"\r\n" if in_start_line => {
                self.len = 0;
                self.blank_lines = self.blank_lines.saturating_add(1);
                if self.blank_lines > MAX_BLANK_LINES {
                    return Err(HandshakeError::MalformedStartLine);
                }
            }
            b"\r\n" => self.complete = true,
            // A bare LF is a way to smuggle: it never ends a line here.
            [.., b'\r', b'\n'] => self.line_start = self.len,
            _ if in_start_line => return Err(HandshakeError::MalformedStartLine),
            _ => return Err(HandshakeError::MalformedHeader),
        }
        Ok(())
    }
}
