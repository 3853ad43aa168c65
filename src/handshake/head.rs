//! Collecting the head of a request or a response, from any split of the input.
//
// Owns: where lines and the head end, and which lines are put up with.
// Must not know: what its fields mean.

use core::fmt;

use super::byte_class::skip_text;
use super::error::HandshakeError;
use super::head_index::{names_judged_field, HeadIndex};
use super::http1::{check_request_line, missing_path, status_line, HttpVersion};
use super::HeadLimits;
use crate::tolerance::{Tolerance, Tolerances};

/// A head that is coming: a start line, header lines, and a blank line.
///
/// Every byte is looked at once, however the input is cut. Never a byte past the blank line is taken. What it
/// holds at the end are lines by the letter, even where others came: those of a response that are put up with
/// are joined or left out before anybody reads them.
pub(crate) struct Head<'s, const IS_REQUEST: bool> {
    storage: &'s mut [u8],
    /// How many bytes came, less those that were left out.
    len: usize,
    /// How many bytes were left out. They count as if they took storage.
    left_out: usize,
    /// Where the line begins that is coming.
    line_start: usize,
    /// How much of it was looked at.
    text: usize,
    /// Whether that has a byte which no line may have, and which is put up with.
    is_spoilt: bool,
    blank_lines: u8,
    limits: HeadLimits,
    /// The lowest status that refuses what was asked for.
    refused_from: u16,
    /// What the status line says, once it came.
    status: Option<(HttpVersion, u16)>,
    lenience: Lenience,
    head_index: HeadIndex,
    /// What the first header line that is wrong breaks; said when the head is complete.
    defect: Option<HandshakeError>,
    complete: bool,
    is_truncated: bool,
}

/// The head of a request. By the letter: what two servers read differently is smuggled past one of them.
pub(crate) type RequestHead<'s> = Head<'s, true>;

/// The head of a response.
pub(crate) type ResponseHead<'s> = Head<'s, false>;

/// What is put up with in the lines of one head.
#[derive(Clone, Copy, Debug)]
struct Lenience {
    bare_lf: bool,
    folded: bool,
    invalid: bool,
    /// Whether the head refuses. No frame will be read then, and whatever its lines are must not hide why.
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

/// Blank lines that are ignored before a start line (RFC 9112 section 2.2 asks for one at least).
const MAX_BLANK_LINES: u8 = 4;

/// Bytes that are copied at a time, since those behind the head are copied in vain. Most heads are shorter.
const MAX_BLOCK: usize = 2048;

/// How every status line begins.
const PROTOCOL: &[u8] = b"HTTP/";

impl<'s> RequestHead<'s> {
    pub(crate) fn new(storage: &'s mut [u8], limits: &HeadLimits) -> Self {
        Self::empty(u16::MAX, storage, limits)
    }
}

impl<'s> ResponseHead<'s> {
    /// A status of `refused_from` or above refuses what was asked for.
    pub(crate) fn new(refused_from: u16, storage: &'s mut [u8], limits: &HeadLimits) -> Self {
        Self::empty(refused_from, storage, limits)
    }

    /// What the status line says, once it came.
    pub(crate) const fn status(&self) -> Option<(HttpVersion, u16)> {
        self.status
    }

    /// Whether its status line came, and refuses.
    pub(crate) const fn is_refusal(&self) -> bool {
        self.lenience.refusal
    }

    /// Whether this is a refusal that found no more storage.
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

    /// Its index, which has no more than the header lines before the first that is wrong.
    pub(crate) const fn head_index(&self) -> &HeadIndex {
        &self.head_index
    }

    /// Whether its header lines are right.
    pub(crate) fn check_fields(&self) -> Result<(), HandshakeError> {
        self.defect.map_or(Ok(()), Err)
    }

    pub(crate) const fn limits(&self) -> &HeadLimits {
        &self.limits
    }

    /// Whether the blank line came, or a refusal found no more storage.
    pub(crate) const fn is_complete(&self) -> bool {
        self.complete
    }

    /// The storage, for another head.
    pub(crate) fn into_storage(self) -> &'s mut [u8] {
        self.storage
    }

    /// Copies a block, or as much as there is room for, and something at least. Returns how much.
    fn fill(&mut self, input: &[u8]) -> Result<usize, HandshakeError> {
        // A request line may get its path (RFC 9112 section 3.2.2), which is one byte.
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

    /// Judges what came, line by line. Returns whether it has gone past a blank line; it stops there.
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

    /// Judges the start line, if it came. Returns whether a blank line came in its place.
    ///
    /// A peer that speaks something else, such as a mail or shell service that greets or waits to be greeted,
    /// is refused by its first line, and not waited for.
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
            // Another major version has another syntax, whatever this looks like (RFC 9112 section 2.3).
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

    /// Gives the target of the request line its path, in the byte that was kept free for it.
    fn insert_path(&mut self, at: usize) {
        if let Some(moved) = self.storage.get_mut(at..=self.len) {
            // By hand: `rotate_right` is large, and its own check could panic.
            let mut before = b'/';
            moved.iter_mut().for_each(|byte| core::mem::swap(byte, &mut before));
            self.len = self.len.saturating_add(1);
            self.line_start = self.line_start.saturating_add(1);
        }
    }

    /// Judges the header lines of a request that came. Returns whether the blank line behind them did.
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

    /// Judges the header lines of a response that came: lines that go on in the next one are joined, and those
    /// that are put up with are left out. Returns whether the blank line behind them came.
    fn judge_response_fields(&mut self) -> Result<bool, HandshakeError> {
        // Bytes before the line that is judged which are left out. What stands behind is moved once.
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
                    // RFC 9112 section 5.2: such a line break is read as spaces.
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

    /// How many bytes end the line of a response whose text ends here; 0 if it goes on, although not as text.
    /// `None` if that is not known yet.
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
            // CR and NUL end a line for some, and a text for others: no line may hold them.
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

    /// Takes a header line of a response, of this many bytes, before which so many are left out. Returns
    /// whether it stays.
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

    /// A blank line ends a head that has a start line.
    fn end_at_blank_line(&mut self) -> Result<(), HandshakeError> {
        self.len = self.line_start;
        self.complete = !self.head_index.is_empty();
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

impl<const IS_REQUEST: bool> fmt::Debug for Head<'_, IS_REQUEST> {
    /// Without a byte of it: there are credentials among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("len", &self.len)
            .field("storage", &self.storage.len())
            .field("complete", &self.complete)
            .finish_non_exhaustive()
    }
}

/// How many bytes end the status line that is this and what follows; `None` if its end did not come. One is
/// a bare LF, which only the status can excuse.
fn status_line_ending(line: &[u8], end: &[u8], max: usize) -> Result<Option<usize>, HandshakeError> {
    let other = line.iter().zip(PROTOCOL).position(|(came, wanted)| came != wanted);
    match end {
        // The first byte that is wrong decides.
        _ if other.is_some_and(|at| at <= max.saturating_add(2)) => Err(HandshakeError::MalformedStartLine),
        [b'\n', ..] if line.len() > max => Err(HandshakeError::StatusLineTooLong),
        [b'\n', ..] => Ok(Some(1)),
        _ => {
            let wrong = (HandshakeError::MalformedStartLine, HandshakeError::StatusLineTooLong);
            Ok(after_line(line.len(), end, max, wrong)?.map(|_| 2))
        }
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
