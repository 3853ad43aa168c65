//! A source of random bytes for masking keys and nonces, seeded by the operating system.
//
// Owns: a cryptographic generator and its seed.
// Must not know: what the bytes are for.

use chacha20::rand_core::{Rng, SeedableRng};
use chacha20::ChaCha8Rng;

use crate::error::EntropyError;
use crate::role::Entropy;

/// ChaCha8, seeded once by the operating system. It is unpredictable (RFC 6455 section 10.3), takes one or two
/// nanoseconds for each key, and makes no system call for a frame.
///
/// The seed is drawn at the first use, so creating one cannot fail. Each seed gives 56 keys and the next seed, so
/// earlier keys cannot be computed from the state.
pub struct SystemEntropy {
    /// The seed stands before them.
    words: [[u8; WORD]; WORDS],
    next: usize,
}

/// Length of a masking key in octets.
const WORD: usize = 4;
/// It makes four blocks of 64 octets at once.
const WORDS: usize = 64;
const SEED: usize = 8;
/// The value of `next` before there is a seed.
const UNSEEDED: usize = usize::MAX;

impl SystemEntropy {
    /// A generator that is not seeded yet.
    pub const fn new() -> Self {
        Self { words: [[0; WORD]; WORDS], next: UNSEEDED }
    }

    /// It is erased here.
    fn word(&mut self) -> Option<[u8; WORD]> {
        let word = self.words.get_mut(self.next)?;
        self.next = self.next.wrapping_add(1);
        Some(core::mem::take(word))
    }

    /// With a new seed.
    fn refill(&mut self) -> Result<(), EntropyError> {
        let mut seed = [0; WORD * SEED];
        if self.next == UNSEEDED {
            getrandom::fill(&mut seed).map_err(|_| EntropyError)?;
        } else {
            for (octet, kept) in seed.iter_mut().zip(self.words.as_flattened()) {
                *octet = *kept;
            }
        }
        ChaCha8Rng::from_seed(seed).fill_bytes(self.words.as_flattened_mut());
        self.next = SEED;
        Ok(())
    }

    fn fill_slowly(&mut self, dest: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in dest.chunks_mut(WORD) {
            if self.words.get(self.next).is_none() {
                self.refill()?;
            }
            let word = self.word().ok_or(EntropyError)?;
            for (octet, drawn) in chunk.iter_mut().zip(word) {
                *octet = drawn;
            }
        }
        Ok(())
    }
}

impl Default for SystemEntropy {
    fn default() -> Self {
        Self::new()
    }
}

impl Entropy for SystemEntropy {
    // Inlined, so that a key stays in a register (bench: a client's 16 octets beside other libraries).
    #[inline]
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), EntropyError> {
        if let Ok(key) = <&mut [u8; WORD]>::try_from(&mut *dest) {
            if let Some(word) = self.word() {
                *key = word;
                return Ok(());
            }
        }
        self.fill_slowly(dest)
    }
}

impl core::fmt::Debug for SystemEntropy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The state would reveal all keys to come.
        f.write_str("SystemEntropy")
    }
}

#[cfg(test)]
mod tests;
