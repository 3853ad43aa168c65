//! Masking keys for libraries whose caller must provide them: from the same generator as ours, so that all pay
//! the same.

use sockless::{Entropy, SystemEntropy};

/// Unpredictable octets.
#[derive(Debug, Default)]
pub struct Keys(SystemEntropy);

impl Keys {
    /// One masking key.
    #[inline]
    pub fn next(&mut self) -> [u8; 4] {
        let mut key = [0; 4];
        self.0.fill(&mut key).expect("the system has entropy");
        key
    }
}

impl rand_core::RngCore for Keys {
    fn next_u32(&mut self) -> u32 {
        u32::from_ne_bytes(self.next())
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_u32(self)
    }

    #[inline]
    fn fill_bytes(&mut self, dest: &mut [u8]) {
        self.0.fill(dest).expect("the system has entropy");
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}
