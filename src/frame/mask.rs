//! Masking (RFC 6455 section 5.3): octet i of the payload is XORed with octet i mod 4 of the masking key.
//!
//! Owns: the transformation, resumable at any octet. Must not know: where keys come from or who must mask.

/// The four octets that mask a client's frame. Zero is legal.
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "RFC 6455 section 5.3: four octets of any value")]
pub struct MaskingKey(pub [u8; 4]);

impl core::fmt::Debug for MaskingKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self([a, b, c, d]) = self;
        write!(f, "MaskingKey({a:02x}{b:02x}{c:02x}{d:02x})")
    }
}

/// Masks or unmasks one payload, in as many pieces as it comes in. The same operation does both.
#[derive(Clone, Copy, Debug)]
pub struct Masker {
    // The key as a little-endian word, rotated so that its lowest octet meets the next octet of payload.
    word: u32,
}

impl Masker {
    /// At the first octet of a payload.
    #[inline]
    pub const fn new(MaskingKey(key): MaskingKey) -> Self {
        Self { word: u32::from_le_bytes(key) }
    }

    /// Transforms the next `piece` of the payload where it stands.
    #[inline]
    pub fn apply(&mut self, piece: &mut [u8]) {
        let word = u64::from(self.word) | (u64::from(self.word) << 32);
        let mut blocks = piece.chunks_exact_mut(8);
        for block in &mut blocks {
            if let Ok(block) = <&mut [u8; 8]>::try_from(block) {
                *block = (u64::from_le_bytes(*block) ^ word).to_le_bytes();
            }
        }
        let tail = blocks.into_remainder();
        let advance = tail.len();
        for (octet, key) in tail.iter_mut().zip(word.to_le_bytes()) {
            *octet ^= key;
        }
        self.rotate(advance);
    }

    /// Transforms the next piece of the payload from `from` into `to`, leaving `from` as it is.
    ///
    /// As many octets as the shorter of the two holds; returns how many.
    #[inline]
    pub fn copy(&mut self, from: &[u8], to: &mut [u8]) -> usize {
        let count = from.len().min(to.len());
        let (Some(from), Some(to)) = (from.get(..count), to.get_mut(..count)) else { return 0 };
        let word = u64::from(self.word) | (u64::from(self.word) << 32);
        let mut targets = to.chunks_exact_mut(8);
        let mut sources = from.chunks_exact(8);
        for (target, source) in (&mut targets).zip(&mut sources) {
            if let (Ok(target), Ok(source)) = (<&mut [u8; 8]>::try_from(target), <&[u8; 8]>::try_from(source))
            {
                *target = (u64::from_le_bytes(*source) ^ word).to_le_bytes();
            }
        }
        let tail = targets.into_remainder();
        let advance = tail.len();
        for ((target, source), key) in tail.iter_mut().zip(sources.remainder()).zip(word.to_le_bytes()) {
            *target = source ^ key;
        }
        self.rotate(advance);
        count
    }

    #[inline]
    fn rotate(&mut self, octets: usize) {
        self.word = self.word.rotate_right(((octets & 3) << 3) as u32);
    }
}
