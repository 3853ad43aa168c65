//! Collects the head of a request or a response, however the input is cut.
//
// Owns: where lines and the head end, and which wrong lines are tolerated.
// Must not know: what its fields mean.

use core::fmt;

use super::byte_class::skip_text;
use super::error::HandshakeError;
use super::head_index::{names_judged_field, HeadIndex};
use super::http1::{check_request_line, missing_path, status_line, HttpVersion};
use super::HeadLimits;
use crate::tolerance::{Tolerance, Tolerances};

/// A head that is being received: a start line, header lines, and a blank line.
///
/// Each byte is checked once. No byte after the blank line is taken. The complete head of a response holds only lines
/// that follow the RFC: what is tolerated is joined or left out.
pub(crate) struct Head<'s, const IS_REQUEST: bool> {
    storage: &'s mut [u8],
    /// How many bytes are in the storage.
    len: usize,
    /// They count towards the limit as well.
    left_out: usize,
    /// Where the current line begins.
    line_start: usize,
    /// How many bytes of it were checked.
    text: usize,
    /// Whether it has a tolerated byte that no line may have.
    is_spoilt: bool,
    blank_lines: u8,
    limits: HeadLimits,
    /// From this status on, a response is a refusal.
    refused_from: u16,
    /// The version and status, once the status line was received.
    status: Option<(HttpVersion, u16)>,
    lenience: Lenience,
    head_index: HeadIndex,
    /// The first wrong header line, reported when the head is complete.
    defect: Option<HandshakeError>,
    complete: bool,
    is_truncated: bool,
}

/// Nothing is tolerated here: what two servers read differently can be used to smuggle requests.
pub(crate) type RequestHead<'s> = Head<'s, true>;

pub(crate) type ResponseHead<'s> = Head<'s, false>;

/// What is tolerated in the lines of one head.
#[derive(Clone, Copy, Debug)]
struct Lenience {
    bare_lf: bool,
    folded: bool,
    invalid: bool,
    /// Whether the response is a refusal. No frames follow it, so no wrong line may hide the reason.
    refusal: bool,
}

impl Lenience {
    const REFUSAL: Self = Self { bare_lf: true, folded: true, invalid: true, refusal: true };

    const fn of(tolerances: Tolerances) -> Self {
        Self {
            bare_lf: tolerances.contains(Tolerance::BareLfInResponses),
            folded: tolerances.contains(Tolerance::FoldedResponseFields),
            invalid: tolerances.contains(Tolerance::InvalidResponseFields),
            refusal: false,
        }
    }
}

/// How many blank lines are ignored before a start line. RFC 9112 section 2.2 asks for at least one.
const MAX_BLANK_LINES: u8 = 4;

/// Bytes after the head are copied needlessly, so a large read is not copied at once.
const MAX_BLOCK: usize = 2048;

/// The beginning of every status line.
const PROTOCOL: &[u8] = b"HTTP/";

impl<'s> RequestHead<'s> {
    pub(crate) fn new(storage: &'s mut [u8], limits: &HeadLimits) -> Self {
        Self::empty(u16::MAX, storage, limits)
    }
}

impl<'s> ResponseHead<'s> {
    /// A status of `refused_from` or above is a refusal.
    pub(crate) fn new(refused_from: u16, storage: &'s mut [u8], limits: &HeadLimits) -> Self {
        Self::empty(refused_from, storage, limits)
    }

    pub(crate) const fn status(&self) -> Option<(HttpVersion, u16)> {
        self.status
    }

    pub(crate) const fn is_refusal(&self) -> bool {
        self.lenience.refusal
    }

    /// Whether this is a refusal that did not fit the storage.
    pub(crate) const fn is_truncated(&self) -> bool {
        self.is_truncated
    }

    /// Forgets a complete head, to collect the next one.
    pub(crate) fn restart(&mut self) {
        (self.len, self.left_out, self.line_start) = (0, 0, 0);
        self.lenience = Lenience::of(self.limits.tolerances);
        self.head_index = HeadIndex::new();
        (self.status, self.defect, self.complete) = (None, None, false);
    }
}

impl<'s, const IS_REQUEST: bool> Head<'s, IS_REQUEST> {
    fn empty(refused_from: u16, storage: &'s mut [u8], limits: &HeadLimits) -> Self {
        Self {
            storage,
            len: 0,
            left_out: 0,
            line_start: 0,
            text: 0,
            is_spoilt: false,
            blank_lines: 0,
            limits: *limits,
            refused_from,
            status: None,
            lenience: Lenience::of(limits.tolerances),
            head_index: HeadIndex::new(),
            defect: None,
            complete: false,
            is_truncated: false,
        }
    }

    /// Takes bytes up to the blank line. Returns how many, and whether the head is complete.
    pub(crate) fn recv(&mut self, input: &[u8]) -> Result<(usize, bool), HandshakeError> {
        let mut taken = 0_usize;
        while !self.complete && taken < input.len() {
            match self.fill(input.get(taken..).unwrap_or(&[])) {
                Ok(filled) => taken = taken.saturating_add(filled),
                Err(_) if !IS_REQUEST && self.lenience.refusal => {
                    (self.complete, self.is_truncated) = (true, true);
                    break;
                }
                Err(error) => return Err(error),
            }
            if self.judge()? {
                // Bytes after a blank line are not taken, or not yet.
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

    /// Up to the first wrong line.
    pub(crate) const fn head_index(&self) -> &HeadIndex {
        &self.head_index
    }

    /// Fails if a header line is wrong.
    pub(crate) fn check_fields(&self) -> Result<(), HandshakeError> {
        self.defect.map_or(Ok(()), Err)
    }

    pub(crate) const fn limits(&self) -> &HeadLimits {
        &self.limits
    }

    /// Whether the blank line was received, or a refusal filled the storage.
    pub(crate) const fn is_complete(&self) -> bool {
        self.complete
    }

    pub(crate) fn into_storage(self) -> &'s mut [u8] {
        self.storage
    }

    /// Copies one block, or as much as fits. Returns how much.
    fn fill(&mut self, input: &[u8]) -> Result<usize, HandshakeError> {
        // One byte for a path that may be missing in the request line (RFC 9112 section 3.2.2).
        let kept_free = usize::from(IS_REQUEST && self.head_index.is_empty());
        let end = self.storage.len().saturating_sub(self.left_out).saturating_sub(kept_free);
        let spare = self.storage.get_mut(self.len..end).unwrap_or(&mut []);
        let (fits, _) = input.split_at_checked(spare.len().min(MAX_BLOCK)).unwrap_or((input, &[]));
        match spare.get_mut(..fits.len()) {
            Some(spare) if !spare.is_empty() => spare.copy_from_slice(fits),
            _ => return Err(HandshakeError::HeadTooLarge),
        }
        self.len = self.len.saturating_add(fits.len());
        Ok(fits.len())
    }

    /// Checks line by line. Stops after a blank line, and returns whether there was one.
    fn judge(&mut self) -> Result<bool, HandshakeError> {
        if self.head_index.is_empty() {
            let is_blank = self.judge_start_line()?;
            if is_blank || self.head_index.is_empty() {
                return Ok(is_blank);
            }
        }
        match IS_REQUEST {
            true => self.judge_fields(),
            false => self.judge_response_fields(),
        }
    }

    /// Returns whether there was a blank line in its place.
    ///
    /// A peer that speaks another protocol is refused at its first line: it may wait for us.
    fn judge_start_line(&mut self) -> Result<bool, HandshakeError> {
        let rest = self.storage.get(self.line_start..self.len).unwrap_or(&[]);
        let end = skip_text(rest.get(self.text..).unwrap_or(&[]));
        let text = rest.len().wrapping_sub(end.len());
        let line = rest.get(..text).unwrap_or(&[]);
        let max = self.limits.max_start_line;
        let ending = match IS_REQUEST {
            true => {
                let wrong = (HandshakeError::MalformedStartLine, HandshakeError::TargetTooLong);
                after_line(text, end, max, wrong)?.map(|_| 2)
            }
            false => status_line_ending(line, end, max)?,
        };
        let Some(ending) = ending else {
            self.text = text;
            return Ok(false);
        };
        let fields_start = self.line_start.saturating_add(text).saturating_add(ending);
        if text == 0 {
            if ending == 1 && !self.lenience.bare_lf {
                return Err(HandshakeError::MalformedStartLine);
            }
            (self.line_start, self.text) = (fields_start, 0);
            return Ok(true);
        }
        if IS_REQUEST {
            let target = check_request_line(line, self.limits.tolerances)?;
            let missing = missing_path(target, line).map(|at| self.line_start.saturating_add(at));
            (self.line_start, self.text) = (fields_start, 0);
            if let Some(at) = missing {
                self.insert_path(at);
            }
        } else {
            let (version, status) = status_line(line)?;
            // Another major version may have another syntax (RFC 9112 section 2.3).
            if version.major != 1 {
                return Err(HandshakeError::UnsupportedHttpVersion);
            }
            if status >= self.refused_from {
                self.lenience = Lenience::REFUSAL;
            }
            if ending == 1 && !self.lenience.bare_lf {
                return Err(HandshakeError::MalformedStartLine);
            }
            self.status = Some((version, status));
            (self.line_start, self.text) = (fields_start, 0);
        }
        self.head_index.begin_fields(self.line_start);
        Ok(false)
    }

    fn insert_path(&mut self, at: usize) {
        if let Some(moved) = self.storage.get_mut(at..=self.len) {
            // Written by hand: `rotate_right` is large, and its own check could panic.
            let mut before = b'/';
            moved.iter_mut().for_each(|byte| core::mem::swap(byte, &mut before));
            self.len = self.len.saturating_add(1);
            self.line_start = self.line_start.saturating_add(1);
        }
    }

    /// Returns whether the blank line came.
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
                self.head_index.end_fields(at);
                return Ok(true);
            }
            if self.defect.is_none() {
                let line = rest.get(..text).unwrap_or(&[]);
                self.defect = self.head_index.add_line(line, at, &self.limits).err();
            }
            (rest, unread) = (after, after);
        }
    }

    /// The same for a response, whose folded lines are joined, and tolerated lines left out.
    fn judge_response_fields(&mut self) -> Result<bool, HandshakeError> {
        // How many bytes before the current line are left out. What follows is moved only once.
        let mut gap = 0_usize;
        let is_blank = loop {
            let rest = self.storage.get(self.line_start..self.len).unwrap_or(&[]);
            let end = skip_text(rest.get(self.text..).unwrap_or(&[]));
            let text = rest.len().wrapping_sub(end.len());
            self.text = text;
            let Some(ending) = self.line_ending(text, end)? else { break false };
            let next = self.line_start.saturating_add(text).saturating_add(ending);
            if ending == 0 {
                (self.is_spoilt, self.text) = (true, text.saturating_add(1));
                continue;
            }
            if text == 0 {
                break true;
            }
            if self.lenience.folded {
                match end.get(ending) {
                    None => break false,
                    // RFC 9112 section 5.2: a line break inside a field is replaced by spaces.
                    Some(b' ' | b'\t') => {
                        let line_break = next.saturating_sub(ending)..next;
                        self.storage.get_mut(line_break).unwrap_or(&mut []).fill(b' ');
                        self.text = text.saturating_add(ending);
                        continue;
                    }
                    Some(_) => {}
                }
            }
            let line = self.line_start..next;
            if self.take_line(text, gap) {
                self.storage.copy_within(line.clone(), line.start.saturating_sub(gap));
            } else {
                gap = gap.saturating_add(line.len());
            }
            (self.line_start, self.text) = (next, 0);
        };
        if gap != 0 {
            let kept = self.line_start.saturating_sub(gap);
            self.storage.copy_within(self.line_start..self.len, kept);
            (self.line_start, self.len) = (kept, self.len.saturating_sub(gap));
            self.left_out = self.left_out.saturating_add(gap);
        }
        self.head_index.end_fields(self.line_start);
        if is_blank {
            let end = self.storage.get(self.line_start..self.len).unwrap_or(&[]);
            let ending = if end.starts_with(b"\r") { 2 } else { 1 };
            (self.line_start, self.text) = (self.line_start.saturating_add(ending), 0);
        }
        Ok(is_blank)
    }

    /// The length of the line end. 0 if the line goes on after a wrong byte, `None` if that is not known yet.
    fn line_ending(&self, text: usize, end: &[u8]) -> Result<Option<usize>, HandshakeError> {
        let max = self.limits.max_field;
        let wrong = (HandshakeError::MalformedHeader, HandshakeError::FieldTooLong);
        match end {
            [] | [b'\r'] if self.lenience.refusal => Ok(None),
            [b'\r', b'\n', ..] if self.lenience.refusal => Ok(Some(2)),
            [b'\n', ..] if self.lenience.refusal => Ok(Some(1)),
            _ if self.lenience.refusal => Ok(Some(0)),
            [b'\n', ..] if self.lenience.bare_lf && text > max => Err(HandshakeError::FieldTooLong),
            [b'\n', ..] if self.lenience.bare_lf => Ok(Some(1)),
            // Some readers end a line at CR, or a text at NUL.
            [byte, ..]
                if self.lenience.invalid
                    && !matches!(byte, b'\r' | b'\n' | b'\0')
                    && text <= max.saturating_add(1) =>
            {
                Ok(Some(0))
            }
            _ => Ok(after_line(text, end, max, wrong)?.map(|_| 2)),
        }
    }

    /// `text` is the length of the line, `gap` is how many bytes before it are left out. Returns whether the line is
    /// kept.
    fn take_line(&mut self, text: usize, gap: usize) -> bool {
        let is_spoilt = core::mem::take(&mut self.is_spoilt);
        if self.defect.is_some() {
            return true;
        }
        let line = self.storage.get(self.line_start..self.line_start.saturating_add(text)).unwrap_or(&[]);
        let at = self.line_start.saturating_sub(gap);
        let added = if is_spoilt {
            self.head_index.count_line(line, &self.limits).and(Err(HandshakeError::MalformedHeader))
        } else {
            self.head_index.add_line(line, at, &self.limits)
        };
        match added {
            Ok(()) => true,
            Err(_) if self.lenience.refusal => false,
            Err(HandshakeError::MalformedHeader) if self.lenience.invalid && !names_judged_field(line) => {
                false
            }
            Err(error) => {
                self.defect = Some(error);
                true
            }
        }
    }

    /// A blank line ends the head if there was a start line.
    fn end_at_blank_line(&mut self) -> Result<(), HandshakeError> {
        self.len = self.line_start;
        self.complete = !self.head_index.is_empty();
        if !self.complete {
            // RFC 9112 section 2.2.
            self.blank_lines = self.blank_lines.saturating_add(1);
            if self.blank_lines > MAX_BLANK_LINES {
                return Err(HandshakeError::MalformedStartLine);
            }
            (self.len, self.line_start) = (0, 0);
        }
        Ok(())
    }
}

impl<const IS_REQUEST: bool> fmt::Debug for Head<'_, IS_REQUEST> {
    /// Shows no byte of the head, which may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("len", &self.len)
            .field("storage", &self.storage.len())
            .field("complete", &self.complete)
            .finish_non_exhaustive()
    }
}

/// The length of the line end, `None` before it came. 1 is a bare LF, which only the status can make acceptable.
fn status_line_ending(line: &[u8], end: &[u8], max: usize) -> Result<Option<usize>, HandshakeError> {
    let other = line.iter().zip(PROTOCOL).position(|(came, wanted)| came != wanted);
    match end {
        // The first wrong byte decides.
        _ if other.is_some_and(|at| at <= max.saturating_add(2)) => Err(HandshakeError::MalformedStartLine),
        [b'\n', ..] if line.len() > max => Err(HandshakeError::StatusLineTooLong),
        [b'\n', ..] => Ok(Some(1)),
        _ => {
            let wrong = (HandshakeError::MalformedStartLine, HandshakeError::StatusLineTooLong);
            Ok(after_line(line.len(), end, max, wrong)?.map(|_| 2))
        }
    }
}

/// What follows a line of this length, `None` before that came. The first wrong byte decides, however the input is cut.
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
        // Refuse at once what can never be HTTP, such as a TLS handshake. A bare LF could be used to smuggle requests.
        _ => Err(malformed),
    }
}
