//! Collecting the head of a request or a response, from any split of the input.
//!
//! Owns: where the head ends. Must not know: what its lines mean.

use memchr::memchr;

use super::error::HandshakeError;
use super::http1::{check_request_line, is_text};
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
    max_field: usize,
    check_start_line: fn(&[u8]) -> Result<(), HandshakeError>,
    complete: bool,
}

/// Blank lines that are ignored before a start line (RFC 9112 section 2.2 asks for one at least).
const MAX_BLANK_LINES: u8 = 4;

impl<'s> Head<'s> {
    pub(crate) fn new(storage: &'s mut [u8], limits: &HeadLimits) -> Self {
        Self {
            storage,
            len: 0,
            line_start: 0,
            blank_lines: 0,
            max_start_line: limits.max_start_line,
            max_field: limits.max_field,
            check_start_line: |_| Ok(()),
            complete: false,
        }
    }

    /// Of a request: its first line is judged as soon as it ends, so that a peer that speaks something else,
    /// such as a mail or shell client that waits to be greeted, is refused and not waited for.
    pub(crate) fn of_request(storage: &'s mut [u8], limits: &HeadLimits) -> Self {
        Self { check_start_line: check_request_line, ..Self::new(storage, limits) }
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

    /// The storage, for another head.
    pub(crate) fn into_storage(self) -> &'s mut [u8] {
        self.storage
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
        let (max_line, line_too_long) = if in_start_line {
            (self.max_start_line, HandshakeError::TargetTooLong)
        } else {
            (self.max_field, HandshakeError::FieldTooLong)
        };
        let (mut room, mut too_long) = (self.storage.len(), HandshakeError::HeadTooLarge);
        let line_room = self.line_start.saturating_add(max_line).saturating_add(2);
        if line_room < room {
            (room, too_long) = (line_room, line_too_long);
        }
        // The first byte that is wrong decides, however the input is cut.
        let (fits, over) = piece.split_at_checked(room.saturating_sub(self.len)).unwrap_or((piece, &[]));
        // What can never be HTTP is refused before its end is awaited, such as a TLS handshake on this port:
        // control bytes, and a CR before anything but LF.
        let after_cr = self.storage.get(self.line_start..self.len).unwrap_or(&[]).last() == Some(&b'\r');
        let text = match fits {
            [b'\n'] | [] => fits.get(..0),
            _ if after_cr => None,
            [text @ .., b'\r', b'\n'] | [text @ .., b'\r' | b'\n'] | text => Some(text),
        };
        if !text.is_some_and(is_text) {
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
            [line @ .., b'\r', b'\n'] => {
                if in_start_line {
                    (self.check_start_line)(line)?;
                }
                self.line_start = self.len;
            }
            _ if in_start_line => return Err(HandshakeError::MalformedStartLine),
            _ => return Err(HandshakeError::MalformedHeader),
        }
        Ok(())
    }
}
