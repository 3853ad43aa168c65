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
        match core::str::from_utf8(rest) {
            Ok(text) if rest.len() == piece.len() => Ok(Some(text)),
            Ok(_) => Ok(None),
            Err(error) if error.error_len().is_none() => {
                let tail = rest.get(error.valid_up_to()..).unwrap_or(&[]);
                self.len = 0;
                for &octet in tail {
                    self.carry(octet);
                }
                Ok(None)
            }
            Err(_) => {
                // No character begins with this octet: what is carried can never be finished.
                self.len = 0;
                self.carry(0xFF);
                Err(InvalidUtf8)
            }
        }
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
