//! Collecting the head of a request or a response, from any split of the input.
//!
//! Owns: where the head ends. Must not know: what its lines mean.

use super::error::HandshakeError;
use super::http1::check_request_line;
use super::outline::Outline;
use super::scan::skip_text;
use super::HeadLimits;

/// A head that is coming: a start line, header lines, and a blank line.
///
/// Every byte is looked at once, however the input is cut. Never a byte past the blank line is taken.
pub(crate) struct Head<'s> {
    storage: &'s mut [u8],
    /// How many bytes came.
    len: usize,
    /// Where the line begins that is coming.
    line_start: usize,
    /// How much of it is known to be text.
    text: usize,
    blank_lines: u8,
    limits: HeadLimits,
    check_start_line: fn(&[u8]) -> Result<(), HandshakeError>,
    outline: Outline,
    /// What the first header line that is wrong breaks; said when the head is complete.
    defect: Option<HandshakeError>,
    complete: bool,
}

/// Blank lines that are ignored before a start line (RFC 9112 section 2.2 asks for one at least).
const MAX_BLANK_LINES: u8 = 4;

/// Bytes that are copied at a time, since those behind the head are copied in vain. Most heads are shorter.
const MAX_BLOCK: usize = 2048;

impl<'s> Head<'s> {
    pub(crate) fn new(storage: &'s mut [u8], limits: &HeadLimits) -> Self {
        Self {
            storage,
            len: 0,
            line_start: 0,
            text: 0,
            blank_lines: 0,
            limits: *limits,
            check_start_line: |_| Ok(()),
            outline: Outline::new(),
            defect: None,
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
        let mut taken = 0_usize;
        while !self.complete && taken < input.len() {
            taken = taken.saturating_add(self.fill(input.get(taken..).unwrap_or(&[]))?);
            if self.judge()? {
                // What stands behind a blank line is not taken, or not yet.
                taken = taken.saturating_sub(self.len.saturating_sub(self.line_start));
                self.end_at_blank_line()?;
            }
        }
        Ok((taken, self.complete))
    }

    /// The whole head, blank line included, once it is complete.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.storage.get(..self.len).unwrap_or(&[])
    }

    /// Its outline, which has no more than the header lines before the first that is wrong.
    pub(crate) const fn outline(&self) -> &Outline {
        &self.outline
    }

    /// Whether its header lines are right.
    pub(crate) fn check_fields(&self) -> Result<(), HandshakeError> {
        self.defect.map_or(Ok(()), Err)
    }

    pub(crate) const fn limits(&self) -> &HeadLimits {
        &self.limits
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
        (self.len, self.line_start) = (0, 0);
        self.outline = Outline::new();
        self.defect = None;
        self.complete = false;
    }

    /// Copies a block, or as much as there is room for, and something at least. Returns how much.
    fn fill(&mut self, input: &[u8]) -> Result<usize, HandshakeError> {
        let spare = self.storage.get_mut(self.len..).unwrap_or(&mut []);
        let (fits, _) = input.split_at_checked(spare.len().min(MAX_BLOCK)).unwrap_or((input, &[]));
        match spare.get_mut(..fits.len()) {
            Some(spare) if !spare.is_empty() => spare.copy_from_slice(fits),
            _ => return Err(HandshakeError::HeadTooLarge),
        }
        self.len = self.len.saturating_add(fits.len());
        Ok(fits.len())
    }

    /// Judges what came, line by line. Returns whether it has gone past a blank line; it stops there.
    fn judge(&mut self) -> Result<bool, HandshakeError> {
        if self.outline.is_empty() {
            let is_blank = self.judge_start_line()?;
            if is_blank || self.outline.is_empty() {
                return Ok(is_blank);
            }
        }
        self.judge_fields()
    }

    /// Judges the start line, if it came. Returns whether a blank line came in its place.
    fn judge_start_line(&mut self) -> Result<bool, HandshakeError> {
        let rest = self.storage.get(self.line_start..self.len).unwrap_or(&[]);
        let end = skip_text(rest.get(self.text..).unwrap_or(&[]));
        let text = rest.len().wrapping_sub(end.len());
        let wrong = (HandshakeError::MalformedStartLine, HandshakeError::TargetTooLong);
        let Some(after) = after_line(text, end, self.limits.max_start_line, wrong)? else {
            self.text = text;
            return Ok(false);
        };
        (self.line_start, self.text) = (self.len.wrapping_sub(after.len()), 0);
        if text == 0 {
            return Ok(true);
        }
        (self.check_start_line)(rest.get(..text).unwrap_or(&[]))?;
        self.outline.begin_fields(self.line_start);
        Ok(false)
    }

    /// Judges the header lines that came. Returns whether the blank line behind them did.
    fn judge_fields(&mut self) -> Result<bool, HandshakeError> {
        let mut rest = self.storage.get(self.line_start..self.len).unwrap_or(&[]);
        let mut unread = rest.get(self.text..).unwrap_or(&[]);
        loop {
            let end = skip_text(unread);
            let text = rest.len().wrapping_sub(end.len());
            let wrong = (HandshakeError::MalformedHeader, HandshakeError::FieldTooLong);
            let at = self.len.wrapping_sub(rest.len());
            let Some(after) = after_line(text, end, self.limits.max_field, wrong)? else {
                (self.line_start, self.text) = (at, text);
                return Ok(false);
            };
            if text == 0 {
                (self.line_start, self.text) = (self.len.wrapping_sub(after.len()), 0);
                return Ok(true);
            }
            if self.defect.is_none() {
                let line = rest.get(..text).unwrap_or(&[]);
                self.defect = self.outline.add_line(line, at, &self.limits).err();
            }
            (rest, unread) = (after, after);
        }
    }

    /// A blank line ends a head that has a start line.
    fn end_at_blank_line(&mut self) -> Result<(), HandshakeError> {
        self.len = self.line_start;
        self.complete = !self.outline.is_empty();
        if !self.complete {
            // RFC 9112 section 2.2: before a start line it is ignored, within reason.
            self.blank_lines = self.blank_lines.saturating_add(1);
            if self.blank_lines > MAX_BLANK_LINES {
                return Err(HandshakeError::MalformedStartLine);
            }
            (self.len, self.line_start) = (0, 0);
        }
        Ok(())
    }
}

/// What comes after a line of so many bytes of text, behind which this stands; `None` if its end did not come.
/// The first byte that is wrong decides, however the input is cut.
#[inline(always)]
fn after_line(
    text: usize,
    end: &[u8],
    max_line: usize,
    (malformed, too_long): (HandshakeError, HandshakeError),
) -> Result<Option<&[u8]>, HandshakeError> {
    if let [b'\r', b'\n', after @ ..] = end {
        return if text > max_line { Err(too_long) } else { Ok(Some(after)) };
    }
    let judged = text.wrapping_add(end.len().min(if let [b'\r', ..] = end { 2 } else { 1 }));
    match end {
        _ if judged > max_line.saturating_add(2) => Err(too_long),
        [] | [b'\r'] => Ok(None),
        // What can never be HTTP is refused before its end is awaited, such as a TLS handshake on this port:
        // control bytes, and a CR before anything but LF. A bare LF is a way to smuggle.
        _ => Err(malformed),
    }
}

debug_states!([] Head<'_>, |this| { len: this.len, capacity: this.storage.len(), defect: this.defect, complete: this.complete });
