//! Checks UTF-8 in pieces of any size (RFC 6455 section 8.1, RFC 3629).
//
// Owns: which octets may follow in an incomplete character.
// Must not know: frames or messages.

/// Checks one text of any length, piece by piece. It fails at the first octet that cannot stand there.
///
/// # Examples
///
/// ```
/// let mut check = sockless::Utf8Check::new();
/// assert_eq!(check.push(&[b'a', 0xE2, 0x82]), Ok(()));
/// assert!(!check.is_complete());
/// assert_eq!(check.push(&[0xAC]), Ok(()));
/// assert!(check.is_complete());
/// assert!(check.push(&[0xF4, 0x90]).is_err()); // above U+10FFFF, whatever follows
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Utf8Check {
    /// What the incomplete character lacks. 0 between characters.
    lacking: u8,
    /// The range of the next octet (RFC 3629 section 4). Empty once the text is invalid.
    least: u8,
    most: u8,
}

/// Such a piece is checked octet by octet: all other ways take longer to begin.
const FEW: usize = 7;

/// What `simdutf8` checks at once. It leaves shorter texts to the standard library.
#[cfg(feature = "simd-utf8")]
const BLOCK: usize = 64;

/// The text has an octet that is not valid UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidUtf8;

impl core::fmt::Display for InvalidUtf8 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("text is not UTF-8")
    }
}

impl core::error::Error for InvalidUtf8 {}

impl Utf8Check {
    /// At the beginning of a text.
    pub const fn new() -> Self {
        Self { lacking: 0, least: 0, most: 0 }
    }

    /// Checks the next piece. After an error the text stays invalid.
    ///
    /// # Errors
    ///
    /// [`InvalidUtf8`] at the first octet that cannot stand there.
    #[inline]
    pub fn push(&mut self, piece: &[u8]) -> Result<(), InvalidUtf8> {
        match self.push_few(piece) {
            Some(result) => result.map(|_| ()),
            None => self.push_str(piece).map(|_| ()),
        }
    }

    /// Whether the text may end here.
    #[inline]
    pub const fn is_complete(&self) -> bool {
        self.lacking == 0
    }

    /// Returns whether the piece begins and ends between characters. `None` if there are too many octets to check.
    #[inline]
    pub(crate) fn push_few(&mut self, piece: &[u8]) -> Option<Result<bool, InvalidUtf8>> {
        if piece.len() > FEW {
            return None;
        }
        let begins = self.is_complete();
        for &octet in piece {
            if let Err(error) = self.step(octet) {
                return Some(Err(error));
            }
        }
        Some(Ok(begins && self.is_complete()))
    }

    /// Returns the piece as text if it begins and ends between characters.
    #[inline]
    pub(crate) fn push_str<'b>(&mut self, piece: &'b [u8]) -> Result<Option<&'b str>, InvalidUtf8> {
        let rest = if self.is_complete() { piece } else { self.finish_character(piece)? };
        let (whole, cut) = split_at_cut(rest);
        let Ok(text) = whole_text(whole) else { return Err(self.fail()) };
        if cut.is_empty() {
            return Ok((rest.len() == piece.len()).then_some(text));
        }
        self.begin_character(cut)?;
        Ok(None)
    }

    #[cold]
    fn begin_character(&mut self, octets: &[u8]) -> Result<(), InvalidUtf8> {
        octets.iter().try_for_each(|octet| self.step(*octet))
    }

    /// Returns the remainder of `piece`.
    #[cold]
    fn finish_character<'b>(&mut self, piece: &'b [u8]) -> Result<&'b [u8], InvalidUtf8> {
        let mut rest = piece;
        while let (Some((&octet, after)), false) = (rest.split_first(), self.is_complete()) {
            self.step(octet)?;
            rest = after;
        }
        Ok(rest)
    }

    /// RFC 3629 section 4.
    #[inline(always)]
    fn step(&mut self, octet: u8) -> Result<(), InvalidUtf8> {
        if self.lacking > 0 {
            if !(self.least..=self.most).contains(&octet) {
                return Err(self.fail());
            }
            self.lacking = self.lacking.wrapping_sub(1);
            (self.least, self.most) = (0x80, 0xBF);
            return Ok(());
        }
        (self.lacking, self.least, self.most) = match octet {
            0x00..=0x7F => return Ok(()),
            0xC2..=0xDF => (1, 0x80, 0xBF),
            0xE0 => (2, 0xA0, 0xBF),
            0xED => (2, 0x80, 0x9F),
            0xE1..=0xEF => (2, 0x80, 0xBF),
            0xF0 => (3, 0x90, 0xBF),
            0xF1..=0xF3 => (3, 0x80, 0xBF),
            0xF4 => (3, 0x80, 0x8F),
            _ => return Err(self.fail()),
        };
        Ok(())
    }

    /// No octet can follow.
    #[cold]
    fn fail(&mut self) -> InvalidUtf8 {
        *self = Self { lacking: 1, least: u8::MAX, most: 0 };
        InvalidUtf8
    }
}

#[inline]
pub(crate) fn whole_text(octets: &[u8]) -> Result<&str, InvalidUtf8> {
    #[cfg(feature = "simd-utf8")]
    if octets.len() >= BLOCK {
        return simdutf8::basic::from_utf8(octets).map_err(|_| InvalidUtf8);
    }
    core::str::from_utf8(octets).map_err(|_| InvalidUtf8)
}

/// With the feature `simd-utf8` a short text is checked faster, in a block filled up with zeros: then the result is
/// `Ok(None)`.
#[inline]
pub(crate) fn check_whole(octets: &[u8]) -> Result<Option<&str>, InvalidUtf8> {
    #[cfg(feature = "simd-utf8")]
    {
        let mut block = [0; BLOCK];
        if let Some(front) = block.get_mut(..octets.len()) {
            front.copy_from_slice(octets);
            return match simdutf8::basic::from_utf8(&block) {
                Ok(_) => Ok(None),
                Err(_) => Err(InvalidUtf8),
            };
        }
    }
    whole_text(octets).map(Some)
}

/// ASCII of fewer than 256 octets, as most short texts are, is checked much faster.
#[inline]
pub(crate) fn is_short_ascii(octets: &[u8]) -> bool {
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    if octets.len() > 255 {
        return false;
    }
    // The last eight octets may overlap the blocks.
    match octets.last_chunk::<8>() {
        Some(&last) => {
            let mut all = u64::from_le_bytes(last);
            for block in octets.chunks_exact(8) {
                if let Ok(block) = <&[u8; 8]>::try_from(block) {
                    all |= u64::from_le_bytes(*block);
                }
            }
            all & HIGH_BITS == 0
        }
        None => octets.iter().fold(0, |all, octet| all | octet) < 0x80,
    }
}

/// Up to three octets at the end still have to be checked.
fn split_at_cut(octets: &[u8]) -> (&[u8], &[u8]) {
    if octets.last().map_or(true, |last| *last < 0x80) {
        return (octets, &[]);
    }
    for have in 1..=3 {
        let Some((whole, cut)) = octets.len().checked_sub(have).and_then(|at| octets.split_at_checked(at))
        else {
            break;
        };
        let wanted = match cut.first() {
            Some(0x80..=0xBF) => continue,
            Some(0xC2..=0xDF) => 2,
            Some(0xE0..=0xEF) => 3,
            Some(0xF0..=0xF4) => 4,
            _ => 0,
        };
        if have < wanted {
            return (whole, cut);
        }
        break;
    }
    (octets, &[])
}
