//! Runs a loop with wider vector instructions than the compilation target guarantees.
//
// Owns: choosing the instructions at run time.
// Must not know: what the loops do.

/// A loop over octets that wide vectors make faster.
pub(super) trait Kernel {
    /// The loop, in blocks of `BLOCK` octets and twice `HALF`, with vectors that should be aligned to `ALIGN` octets.
    ///
    /// Must always be inlined: only then is it compiled for the wider vectors.
    fn run<const ALIGN: usize, const BLOCK: usize, const HALF: usize>(self, vectors: impl Lanes);

    /// The loop with the vectors that the compiler chooses, not inlined: the choice is made before registers are saved.
    fn run_compiled(self);
}

pub(super) trait Lanes: Copy {
    /// XORs a block, a multiple of 4, with a little-endian word, repeated. `twice` holds the word twice.
    fn xor<const N: usize>(self, block: [u8; N], twice: u64) -> [u8; N];
}

// `pulp::Arch` uses AVX-512 as soon as any other crate enables that, for loops that were never measured with it.
#[inline(always)]
pub(super) fn run(work: impl Kernel) {
    #[cfg(all(feature = "simd-avx512", target_arch = "x86_64"))]
    if let Some(v4) = pulp::x86::V4::try_new() {
        return v4.vectorize(InV4 { work, v4 });
    }
    #[cfg(all(feature = "simd-masking", target_arch = "x86_64"))]
    if let Some(v3) = pulp::x86::V3::try_new() {
        return v3.vectorize(InV3 { work });
    }
    work.run_compiled();
}

#[inline(always)]
pub(super) fn run_compiled(work: impl Kernel) {
    // Without vectors, blocks are kept on the stack.
    work.run::<16, 128, 64>(Compiled);
}

#[derive(Clone, Copy)]
pub(super) struct Compiled;

impl Lanes for Compiled {
    #[inline(always)]
    fn xor<const N: usize>(self, mut block: [u8; N], twice: u64) -> [u8; N] {
        let mut lanes = block.chunks_exact_mut(8);
        for lane in lanes.by_ref() {
            if let Ok(lane) = <&mut [u8; 8]>::try_from(lane) {
                *lane = (u64::from_le_bytes(*lane) ^ twice).to_le_bytes();
            }
        }
        if let Some(lane) = lanes.into_remainder().first_chunk_mut::<4>() {
            *lane = (u32::from_le_bytes(*lane) ^ twice as u32).to_le_bytes();
        }
        block
    }
}

#[cfg(all(feature = "simd-masking", target_arch = "x86_64"))]
struct InV3<W> {
    work: W,
}

#[cfg(all(feature = "simd-masking", target_arch = "x86_64"))]
impl<W: Kernel> pulp::NullaryFnOnce for InV3<W> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.work.run::<32, 256, 128>(Compiled);
    }
}

#[cfg(all(feature = "simd-avx512", target_arch = "x86_64"))]
struct InV4<W> {
    work: W,
    v4: pulp::x86::V4,
}

#[cfg(all(feature = "simd-avx512", target_arch = "x86_64"))]
impl<W: Kernel> pulp::NullaryFnOnce for InV4<W> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.work.run::<64, 256, 128>(self.v4);
    }
}

/// Written with intrinsics: auto-vectorisation produces gathers and scatters here.
#[cfg(all(feature = "simd-avx512", target_arch = "x86_64"))]
impl Lanes for pulp::x86::V4 {
    #[inline(always)]
    fn xor<const N: usize>(self, mut block: [u8; N], twice: u64) -> [u8; N] {
        let words = self.splat_u64x8(twice);
        let mut lanes = block.chunks_exact_mut(64);
        for lane in lanes.by_ref() {
            if let Ok(lane) = <&mut [u8; 64]>::try_from(lane) {
                *lane = pulp::cast(self.xor_u64x8(pulp::cast(*lane), words));
            }
        }
        if let Some(lane) = lanes.into_remainder().first_chunk_mut::<32>() {
            *lane = Compiled.xor(*lane, twice);
        }
        block
    }
}
