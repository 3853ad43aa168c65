//! UTF-8 checked as it comes, in pieces of any size (RFC 6455 section 8.1, RFC 3629).
//!
//! Owns: the up to three octets of a character whose end has not come. Must not know: frames or messages.

/// Checks one text of any length, piece by piece, and fails at the first octet that no text could hold there.
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
    carry: [u8; 4],
    len: u8,
}

/// The text holds an octet that is not UTF-8.
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
        Self { carry: [0; 4], len: 0 }
    }

    /// Takes the next piece. After an error the text stays invalid, whatever follows.
    ///
    /// # Errors
    ///
    /// [`InvalidUtf8`] as soon as what came cannot begin any text.
    #[inline]
    pub fn push(&mut self, piece: &[u8]) -> Result<(), InvalidUtf8> {
        self.push_str(piece).map(|_| ())
    }

    /// Whether the text may end here: no character is incomplete.
    #[inline]
    pub const fn is_complete(&self) -> bool {
        self.len == 0
    }

    /// As [`push`](Self::push); gives the piece back as text if it begins and ends between characters.
    #[inline]
    pub(crate) fn push_str<'b>(&mut self, piece: &'b [u8]) -> Result<Option<&'b str>, InvalidUtf8> {
        let rest = if self.len == 0 { piece } else { self.finish_character(piece)? };
        let (whole, cut) = split_at_cut(rest);
        let Ok(text) = whole_text(whole) else { return Err(self.fail()) };
        if cut.is_empty() {
            return Ok((rest.len() == piece.len()).then_some(text));
        }
        self.begin_character(cut)?;
        Ok(None)
    }

    /// Keeps the first octets of a character, if they can begin one.
    #[cold]
    fn begin_character(&mut self, octets: &[u8]) -> Result<(), InvalidUtf8> {
        match core::str::from_utf8(octets) {
            Err(error) if error.error_len().is_none() => {
                self.len = 0;
                for &octet in octets {
                    self.carry(octet);
                }
                Ok(())
            }
            _ => Err(self.fail()),
        }
    }

    /// Makes sure that the text stays invalid: what is carried can never be finished.
    #[cold]
    fn fail(&mut self) -> InvalidUtf8 {
        self.len = 0;
        self.carry(0xFF);
        InvalidUtf8
    }

    /// Feeds the incomplete character until it is whole; returns what is left of `piece`.
    #[cold]
    fn finish_character<'b>(&mut self, piece: &'b [u8]) -> Result<&'b [u8], InvalidUtf8> {
        let mut rest = piece;
        while let Some((&octet, after)) = rest.split_first() {
            rest = after;
            self.carry(octet);
            let character = self.carry.get(..usize::from(self.len)).unwrap_or(&[]);
            match core::str::from_utf8(character) {
                Ok(_) => {
                    self.len = 0;
                    break;
                }
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(InvalidUtf8),
            }
        }
        Ok(rest)
    }

    fn carry(&mut self, octet: u8) {
        if let Some(slot) = self.carry.get_mut(usize::from(self.len)) {
            *slot = octet;
            self.len = self.len.saturating_add(1);
        }
    }
}

/// The octets as text, where they are a whole text.
#[inline]
pub(crate) fn whole_text(octets: &[u8]) -> Result<&str, InvalidUtf8> {
    #[cfg(feature = "simd-utf8")]
    if octets.len() >= 64 {
        return simdutf8::basic::from_utf8(octets).map_err(|_| InvalidUtf8);
    }
    core::str::from_utf8(octets).map_err(|_| InvalidUtf8)
}

/// Whether it is less than 256 octets of ASCII, which most short texts are. This is told much sooner than
/// what is UTF-8.
#[inline]
pub(crate) fn is_short_ascii(octets: &[u8]) -> bool {
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    if octets.len() > 255 {
        return false;
    }
    // The last eight octets overlap the blocks, so that none is left over.
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

/// Cuts off a character at the end that lacks octets, by what its first one says: up to three octets, which
/// are to be judged.
#[inline]
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
