//! A source of masking keys and nonces for those who have an operating system.
//!
//! Owns: a cryptographic generator and its seed. Must not know: what the bytes are for.

use chacha20::rand_core::{Rng, SeedableRng};
use chacha20::ChaCha8Rng;

use crate::error::EntropyError;
use crate::role::Entropy;

/// ChaCha8, seeded once by the operating system: unpredictable (RFC 6455 section 10.3), a few nanoseconds a
/// key, no system call for a frame.
///
/// The seed is drawn at the first use, so that making one cannot fail.
#[derive(Default)]
pub struct SystemEntropy {
    generator: Option<ChaCha8Rng>,
}

impl SystemEntropy {
    /// Not seeded yet.
    pub const fn new() -> Self {
        Self { generator: None }
    }
}

impl Entropy for SystemEntropy {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), EntropyError> {
        let generator = match &mut self.generator {
            Some(generator) => generator,
            none => {
                let mut seed = [0; 32];
                getrandom::fill(&mut seed).map_err(|_| EntropyError)?;
                none.insert(ChaCha8Rng::from_seed(seed))
            }
        };
        generator.fill_bytes(dest);
        Ok(())
    }
}

impl core::fmt::Debug for SystemEntropy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The state would tell every key to come.
        f.write_str("SystemEntropy")
    }
}
