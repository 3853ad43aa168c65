//! Loops compiled for wider vectors than the target vouches for.
//!
//! Owns: the choice of vectors, at run time. Must not know: what the loops do.

/// A loop over octets that gains by wide vectors.
pub(super) trait Work {
    /// Must be inlined always, or it is not compiled anew.
    fn run(self);
}

/// Runs `work` over so many octets, in the widest vectors that this processor has where that gains more than
/// it costs to ask.
#[inline(always)]
pub(super) fn run(work: impl Work, octets: usize) {
    #[cfg(all(feature = "simd-masking", target_arch = "x86_64"))]
    if octets >= 512 {
        return pulp::Arch::new().dispatch(Dispatched(work));
    }
    let _ = octets;
    work.run();
}

#[cfg(all(feature = "simd-masking", target_arch = "x86_64"))]
struct Dispatched<W>(W);

#[cfg(all(feature = "simd-masking", target_arch = "x86_64"))]
impl<W: Work> pulp::NullaryFnOnce for Dispatched<W> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.0.run();
    }
}
