//! The measured workloads: through the public API, in memory, for the clock and for the instruction counter.

pub mod broadcast;
pub mod codec;
pub mod echo;
pub mod handshake;
pub mod payload;
pub mod receive;
pub mod send;

use sockless::{Entropy, EntropyError};

/// A workload: the same work in each run.
pub trait Workload {
    /// What one run uses up or changes.
    type State;

    /// How many frames, messages or handshakes a run has.
    fn count(&self) -> usize;

    /// How many octets of payload or of heads a run has.
    fn as_bytes(&self) -> usize;

    /// Prepares a run. Not measured.
    fn ready(&self) -> Self::State;

    /// The run. Measured.
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

/// Masking keys that cost little and are the same in each run. For measurements only.
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
