//! Masking (RFC 6455 section 5.3): octet i of the payload is XORed with octet i mod 4 of the masking key.
//
// Owns: the transformation, resumable at any octet.
// Must not know: where keys come from or who must mask.

use super::simd::{self, Lanes};

/// The four octets that mask a client's frame. All zero is legal.
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "RFC 6455 section 5.3: four octets of any value")]
pub struct MaskingKey(pub [u8; 4]);

impl core::fmt::Debug for MaskingKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self([a, b, c, d]) = self;
        write!(f, "MaskingKey({a:02x}{b:02x}{c:02x}{d:02x})")
    }
}

impl MaskingKey {
    /// Masks a whole payload while copying it to a slice of the same length.
    #[inline(always)]
    pub(crate) fn copy(self, from: &[u8], to: &mut [u8]) {
        let Self(key) = self;
        copy(from, to, u32::from_le_bytes(key));
    }
}

/// Masks or unmasks one payload, in pieces of any size.
#[derive(Clone, Copy, Debug)]
pub struct Masker {
    // The key as a little-endian word, rotated so that its lowest octet belongs to the next octet of payload.
    word: u32,
}

impl Masker {
    /// For the first octet of a payload.
    #[inline]
    pub const fn new(MaskingKey(key): MaskingKey) -> Self {
        Self { word: u32::from_le_bytes(key) }
    }

    /// Masks or unmasks the next piece of the payload in place.
    #[inline]
    pub fn apply(&mut self, piece: &mut [u8]) {
        apply(piece, self.word);
        self.word = turned(self.word, piece.len());
    }

    /// Only the code for a few octets is inlined.
    // bench: server_receives/binary_125_by_7
    #[inline(always)]
    pub(crate) fn apply_few(&mut self, piece: &mut [u8]) {
        let word = self.word;
        if let [octet] = piece {
            *octet ^= word as u8;
            self.word = turned(word, 1);
            return;
        }
        match piece.len() {
            4..=7 => apply_ends::<4>(piece, word),
            _ => apply_any(piece, word),
        }
        self.word = turned(word, piece.len());
    }

    /// Masks or unmasks as many octets as the shorter of the two holds. Returns their number.
    #[inline]
    pub fn copy(&mut self, from: &[u8], to: &mut [u8]) -> usize {
        let len = from.len().min(to.len());
        if let (Some(from), Some(to)) = (from.get(..len), to.get_mut(..len)) {
            copy(from, to, self.word);
        }
        self.word = turned(self.word, len);
        len
    }
}

/// If it has `N` to twice `N` octets, its first and its last `N` are masked, which may overlap.
#[inline]
fn apply(piece: &mut [u8], word: u32) {
    match piece.len() {
        0..=3 => apply_octets(piece, word),
        4..=7 => apply_ends::<4>(piece, word),
        8..=16 => apply_ends::<8>(piece, word),
        17..=32 => apply_ends::<16>(piece, word),
        33..=64 => apply_ends::<32>(piece, word),
        65..=128 => apply_ends::<64>(piece, word),
        _ => apply_blocks(piece, twice(word)),
    }
}

#[inline(always)]
fn copy(from: &[u8], to: &mut [u8], word: u32) {
    match from.len() {
        0..=3 => copy_octets(from, to, word),
        4..=7 => copy_ends::<4>(from, to, word),
        8..=16 => copy_ends::<8>(from, to, word),
        17..=32 => copy_ends::<16>(from, to, word),
        33..=64 => copy_ends::<32>(from, to, word),
        65..=128 => copy_ends::<64>(from, to, word),
        _ => copy_blocks(from, to, twice(word)),
    }
}

/// The same as [`apply`], but never inlined.
#[inline(never)]
fn apply_any(piece: &mut [u8], word: u32) {
    apply(piece, word);
}

/// At most four.
#[inline]
fn apply_octets(piece: &mut [u8], word: u32) {
    for (octet, key) in piece.iter_mut().zip(word.to_le_bytes()) {
        *octet ^= key;
    }
}

#[inline]
fn copy_octets(from: &[u8], to: &mut [u8], word: u32) {
    for ((target, source), key) in to.iter_mut().zip(from).zip(word.to_le_bytes()) {
        *target = source ^ key;
    }
}

/// The first and the last `N`.
#[inline]
fn apply_ends<const N: usize>(piece: &mut [u8], word: u32) {
    let (start, end) = ends::<N>(word, piece.len());
    let (Some(&first), Some(&last)) = (piece.first_chunk::<N>(), piece.last_chunk::<N>()) else { return };
    if let Some(slot) = piece.first_chunk_mut() {
        *slot = masked(first, start);
    }
    if let Some(slot) = piece.last_chunk_mut() {
        *slot = masked(last, end);
    }
}

#[inline]
fn copy_ends<const N: usize>(from: &[u8], to: &mut [u8], word: u32) {
    let (start, end) = ends::<N>(word, from.len());
    if let (Some(slot), Some(first)) = (to.first_chunk_mut::<N>(), from.first_chunk()) {
        *slot = masked(*first, start);
    }
    if let (Some(slot), Some(last)) = (to.last_chunk_mut::<N>(), from.last_chunk()) {
        *slot = masked(*last, end);
    }
}

#[cfg_attr(feature = "simd-masking", inline(never))]
fn apply_blocks(piece: &mut [u8], twice: u64) {
    simd::run(ApplyBlocks { piece, twice });
}

#[cfg_attr(feature = "simd-masking", inline(never))]
fn copy_blocks(from: &[u8], to: &mut [u8], twice: u64) {
    simd::run(CopyBlocks { from, to, twice });
}

#[inline(never)]
fn apply_compiled(piece: &mut [u8], twice: u64) {
    simd::run_compiled(ApplyBlocks { piece, twice });
}

#[inline(never)]
fn copy_compiled(from: &[u8], to: &mut [u8], twice: u64) {
    simd::run_compiled(CopyBlocks { from, to, twice });
}

/// At least half a block. Vectors that cross a cache line are slow, so the blocks begin at the first aligned octet,
/// after some that are masked with the first block. The last half block may overlap too. Both ends are read before
/// anything is written.
struct ApplyBlocks<'p> {
    piece: &'p mut [u8],
    twice: u64,
}

impl simd::Kernel for ApplyBlocks<'_> {
    #[inline(always)]
    fn run<const ALIGN: usize, const BLOCK: usize, const HALF: usize>(self, vectors: impl Lanes) {
        let Self { piece, twice } = self;
        let (first, last) = (piece.first_chunk::<ALIGN>(), piece.last_chunk::<HALF>());
        let (Some(&first), Some(&last)) = (first, last) else { return };
        let before = octets_before::<ALIGN>(piece);
        let (inner, end) = (turned_twice(twice, before), turned_twice(twice, piece.len()));
        let aligned = piece.get_mut(before..).unwrap_or(&mut []);
        let mut blocks = aligned.chunks_exact_mut(BLOCK);
        for block in blocks.by_ref() {
            if let Ok(block) = <&mut [u8; BLOCK]>::try_from(block) {
                *block = vectors.xor(*block, inner);
            }
        }
        if let Some(half) = blocks.into_remainder().first_chunk_mut::<HALF>() {
            *half = vectors.xor(*half, inner);
        }
        if let Some(slot) = piece.first_chunk_mut() {
            *slot = vectors.xor(first, twice);
        }
        if let Some(slot) = piece.last_chunk_mut() {
            *slot = vectors.xor(last, end);
        }
    }

    #[inline(always)]
    fn run_compiled(self) {
        apply_compiled(self.piece, self.twice);
    }
}

/// Aligned where it writes.
struct CopyBlocks<'p> {
    from: &'p [u8],
    to: &'p mut [u8],
    twice: u64,
}

impl simd::Kernel for CopyBlocks<'_> {
    #[inline(always)]
    fn run<const ALIGN: usize, const BLOCK: usize, const HALF: usize>(self, vectors: impl Lanes) {
        let Self { from, to, twice } = self;
        let Some(to) = to.get_mut(..from.len()) else { return };
        if let (Some(slot), Some(first)) = (to.first_chunk_mut::<ALIGN>(), from.first_chunk()) {
            *slot = vectors.xor(*first, twice);
        }
        let before = octets_before::<ALIGN>(to);
        let inner = turned_twice(twice, before);
        let (targets, sources) = (to.get_mut(before..).unwrap_or(&mut []), from.get(before..).unwrap_or(&[]));
        for (target, source) in targets.chunks_exact_mut(BLOCK).zip(sources.chunks_exact(BLOCK)) {
            if let (Ok(target), Ok(source)) =
                (<&mut [u8; BLOCK]>::try_from(target), <&[u8; BLOCK]>::try_from(source))
            {
                *target = vectors.xor(*source, inner);
            }
        }
        let halves =
            (targets.chunks_exact_mut(BLOCK).into_remainder(), sources.chunks_exact(BLOCK).remainder());
        if let (Some(target), Some(source)) = (halves.0.first_chunk_mut::<HALF>(), halves.1.first_chunk()) {
            *target = vectors.xor(*source, inner);
        }
        if let (Some(slot), Some(last)) = (to.last_chunk_mut::<HALF>(), from.last_chunk()) {
            *slot = vectors.xor(*last, turned_twice(twice, from.len()));
        }
    }

    #[inline(always)]
    fn run_compiled(self) {
        copy_compiled(self.from, self.to, self.twice);
    }
}

/// `ALIGN` is a power of two.
#[inline(always)]
fn octets_before<const ALIGN: usize>(octets: &[u8]) -> usize {
    (octets.as_ptr() as usize).wrapping_neg() & const { ALIGN.wrapping_sub(1) }
}

/// `N` is a multiple of 4.
#[inline(always)]
fn masked<const N: usize>(block: [u8; N], twice: u64) -> [u8; N] {
    simd::Compiled.xor(block, twice)
}

/// The key twice: for the first `N` and for the last `N`.
#[inline(always)]
const fn ends<const N: usize>(word: u32, octets: usize) -> (u64, u64) {
    if N == 4 {
        return (word as u64, turned(word, octets) as u64); // once is enough
    }
    (twice(word), turned_twice(twice(word), octets))
}

#[inline(always)]
const fn twice(word: u32) -> u64 {
    (word as u64) | ((word as u64) << 32)
}

/// For what follows after `octets` octets.
#[inline]
const fn turned(word: u32, octets: usize) -> u32 {
    word.rotate_right(((octets & 3) << 3) as u32)
}

#[inline(always)]
const fn turned_twice(twice: u64, octets: usize) -> u64 {
    twice.rotate_right((octets as u32) << 3)
}
