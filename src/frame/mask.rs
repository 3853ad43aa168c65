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
        let word = self.twice();
        // The last eight octets are taken before the blocks overlap them, so that no octet is left over.
        match piece.last_chunk::<8>().copied() {
            Some(last) => {
                let last = (u64::from_le_bytes(last) ^ turned(word, piece.len())).to_le_bytes();
                for block in piece.chunks_exact_mut(8) {
                    if let Ok(block) = <&mut [u8; 8]>::try_from(block) {
                        *block = (u64::from_le_bytes(*block) ^ word).to_le_bytes();
                    }
                }
                if let Some(slot) = piece.last_chunk_mut::<8>() {
                    *slot = last;
                }
            }
            None => {
                for (octet, key) in piece.iter_mut().zip(word.to_le_bytes()) {
                    *octet ^= key;
                }
            }
        }
        self.rotate(piece.len());
    }

    /// Transforms the next piece of the payload from `from` into `to`, leaving `from` as it is.
    ///
    /// As many octets as the shorter of the two holds; returns how many.
    #[inline]
    pub fn copy(&mut self, from: &[u8], to: &mut [u8]) -> usize {
        let count = from.len().min(to.len());
        let (Some(from), Some(to)) = (from.get(..count), to.get_mut(..count)) else { return 0 };
        let word = self.twice();
        for (target, source) in to.chunks_exact_mut(8).zip(from.chunks_exact(8)) {
            if let (Ok(target), Ok(source)) = (<&mut [u8; 8]>::try_from(target), <&[u8; 8]>::try_from(source))
            {
                *target = (u64::from_le_bytes(*source) ^ word).to_le_bytes();
            }
        }
        match (to.last_chunk_mut::<8>(), from.last_chunk::<8>()) {
            (Some(target), Some(source)) => {
                *target = (u64::from_le_bytes(*source) ^ turned(word, count)).to_le_bytes();
            }
            _ => {
                for ((target, source), key) in to.iter_mut().zip(from).zip(word.to_le_bytes()) {
                    *target = source ^ key;
                }
            }
        }
        self.rotate(count);
        count
    }

    /// The key, twice.
    #[inline]
    fn twice(&self) -> u64 {
        u64::from(self.word) | (u64::from(self.word) << 32)
    }

    #[inline]
    fn rotate(&mut self, octets: usize) {
        self.word = self.word.rotate_right(((octets & 3) << 3) as u32);
    }
}

/// The key, twice, for the last eight of so many octets.
#[inline]
const fn turned(word: u64, octets: usize) -> u64 {
    word.rotate_right(((octets & 3) << 3) as u32)
}
