//! What is measured: workloads through the public API, in memory, for the clock and for the counter of
//! instructions alike.

pub mod broadcast;
pub mod codec;
pub mod echo;
pub mod handshake;
pub mod payload;
pub mod receive;
pub mod send;

use sockless::{Entropy, EntropyError};

/// The same work each time.
pub trait Workload {
    /// What one run uses up, or changes.
    type State;

    /// Frames, messages or handshakes of a run.
    fn count(&self) -> usize;

    /// Octets of payload, or of heads, of a run.
    fn as_bytes(&self) -> usize;

    /// What is not measured: makes everything ready for a run.
    fn ready(&self) -> Self::State;

    /// What is measured.
    fn run(&self, state: &mut Self::State);

    /// Panics if the run did not do what it should have.
    fn check(&self, state: &mut Self::State);
}

/// Runs a workload once and checks what it did.
pub fn checked<W: Workload>(workload: W) -> W {
    let mut state = workload.ready();
    workload.run(&mut state);
    workload.check(&mut state);
    workload
}

/// Masking keys that cost little and are the same each time: for measurements only.
#[derive(Clone, Copy, Debug)]
pub struct Keys(u32);

impl Keys {
    /// From the beginning.
    pub const fn new() -> Self {
        Self(1)
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::new()
    }
}

impl Entropy for Keys {
    #[inline]
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in dest.chunks_mut(4) {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            chunk.copy_from_slice(&self.0.to_be_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}
