//! Masking (RFC 6455 section 5.3): octet i of the payload is XORed with octet i mod 4 of the masking key.
//!
//! Owns: the transformation, resumable at any octet. Must not know: where keys come from or who must mask.

use super::wide::{self, Vectors};

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
        apply(piece, self.word);
        self.word = turned(self.word, piece.len());
    }

    /// As [`apply`](Self::apply), where a few octets are likely: only what those need is compiled in.
    #[inline(always)]
    pub(crate) fn apply_short(&mut self, piece: &mut [u8]) {
        let word = self.word;
        match piece {
            [octet] => {
                *octet ^= word as u8;
                self.word = turned(word, 1);
            }
            [_, _, _, _] | [_, _, _, _, _] | [_, _, _, _, _, _] | [_, _, _, _, _, _, _] => {
                apply_ends::<4>(piece, word);
                self.word = turned(word, piece.len());
            }
            _ => self.apply_long(piece),
        }
    }

    #[inline(never)]
    fn apply_long(&mut self, piece: &mut [u8]) {
        self.apply(piece);
    }

    /// Transforms the next piece of the payload from `from` into `to`, leaving `from` as it is.
    ///
    /// As many octets as the shorter of the two holds; returns how many.
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

/// Transforms a piece where it stands. One of `N` to twice `N` octets is its two ends, which may overlap, so
/// that no octet is left over.
#[inline]
fn apply(piece: &mut [u8], word: u32) {
    match piece.len() {
        0..=3 => apply_octets(piece, word),
        4..=7 => apply_ends::<4>(piece, word),
        8..=16 => apply_ends::<8>(piece, word),
        17..=32 => apply_ends::<16>(piece, word),
        33..=64 => apply_ends::<32>(piece, word),
        65..=128 => apply_ends::<64>(piece, word),
        _ => apply_blocks(piece, word),
    }
}

/// As [`apply`], from one place to another of the same length.
#[inline]
fn copy(from: &[u8], to: &mut [u8], word: u32) {
    match from.len() {
        0..=3 => copy_octets(from, to, word),
        4..=7 => copy_ends::<4>(from, to, word),
        8..=16 => copy_ends::<8>(from, to, word),
        17..=32 => copy_ends::<16>(from, to, word),
        33..=64 => copy_ends::<32>(from, to, word),
        65..=128 => copy_ends::<64>(from, to, word),
        _ => copy_blocks(from, to, word),
    }
}

/// Transforms at most four octets where they stand.
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

/// Transforms the first and the last `N` octets where they stand.
#[inline]
fn apply_ends<const N: usize>(piece: &mut [u8], word: u32) {
    let end = turned(word, piece.len());
    let (Some(&first), Some(&last)) = (piece.first_chunk::<N>(), piece.last_chunk::<N>()) else { return };
    if let Some(slot) = piece.first_chunk_mut() {
        *slot = masked(first, word);
    }
    if let Some(slot) = piece.last_chunk_mut() {
        *slot = masked(last, end);
    }
}

#[inline]
fn copy_ends<const N: usize>(from: &[u8], to: &mut [u8], word: u32) {
    if let (Some(slot), Some(first)) = (to.first_chunk_mut::<N>(), from.first_chunk()) {
        *slot = masked(*first, word);
    }
    if let (Some(slot), Some(last)) = (to.last_chunk_mut::<N>(), from.last_chunk()) {
        *slot = masked(*last, turned(word, from.len()));
    }
}

/// Octets of a block of a long piece.
const BLOCK: usize = 128;

/// Transforms a long piece where it stands.
#[inline(never)]
fn apply_blocks(piece: &mut [u8], word: u32) {
    wide::run(ApplyBlocks { piece, word });
}

#[inline(never)]
fn copy_blocks(from: &[u8], to: &mut [u8], word: u32) {
    wide::run(CopyBlocks { from, to, word });
}

/// Transforms a piece of at least one block where it stands: its blocks from the first aligned octet on, as
/// vectors that lie in two lines of the cache are slow; the octets before, with some of the first block; and
/// the last block, which overlaps the others. These two are taken before anything is written.
struct ApplyBlocks<'p> {
    piece: &'p mut [u8],
    word: u32,
}

impl wide::Work for ApplyBlocks<'_> {
    #[inline(always)]
    fn run<const ALIGN: usize>(self, vectors: impl Vectors) {
        let Self { piece, word } = self;
        let (first, last) = (piece.first_chunk::<ALIGN>(), piece.last_chunk::<BLOCK>());
        let (Some(&first), Some(&last)) = (first, last) else { return };
        let before = octets_before::<ALIGN>(piece);
        let end = turned(word, piece.len());
        let blocks = piece.get_mut(before..).unwrap_or(&mut []).chunks_exact_mut(BLOCK);
        let inner = turned(word, before);
        for block in blocks {
            if let Ok(block) = <&mut [u8; BLOCK]>::try_from(block) {
                *block = vectors.xor(*block, inner);
            }
        }
        if let Some(slot) = piece.first_chunk_mut() {
            *slot = vectors.xor(first, word);
        }
        if let Some(slot) = piece.last_chunk_mut() {
            *slot = vectors.xor(last, end);
        }
    }
}

/// The same from one place to another, aligned where it writes.
struct CopyBlocks<'p> {
    from: &'p [u8],
    to: &'p mut [u8],
    word: u32,
}

impl wide::Work for CopyBlocks<'_> {
    #[inline(always)]
    fn run<const ALIGN: usize>(self, vectors: impl Vectors) {
        let Self { from, to, word } = self;
        let Some(to) = to.get_mut(..from.len()) else { return };
        let before = octets_before::<ALIGN>(to);
        if let (Some(slot), Some(first)) = (to.first_chunk_mut::<ALIGN>(), from.first_chunk()) {
            *slot = vectors.xor(*first, word);
        }
        let targets = to.get_mut(before..).unwrap_or(&mut []).chunks_exact_mut(BLOCK);
        let sources = from.get(before..).unwrap_or(&[]).chunks_exact(BLOCK);
        let inner = turned(word, before);
        for (target, source) in targets.zip(sources) {
            if let (Ok(target), Ok(source)) =
                (<&mut [u8; BLOCK]>::try_from(target), <&[u8; BLOCK]>::try_from(source))
            {
                *target = vectors.xor(*source, inner);
            }
        }
        if let (Some(slot), Some(last)) = (to.last_chunk_mut::<BLOCK>(), from.last_chunk()) {
            *slot = vectors.xor(*last, turned(word, from.len()));
        }
    }
}

/// Octets before the first one at a multiple of `ALIGN`, a power of two.
#[inline(always)]
fn octets_before<const ALIGN: usize>(octets: &[u8]) -> usize {
    (octets.as_ptr() as usize).wrapping_neg() & const { ALIGN.wrapping_sub(1) }
}

/// A block of the payload, transformed. `N` is a multiple of 4.
#[inline(always)]
fn masked<const N: usize>(block: [u8; N], word: u32) -> [u8; N] {
    wide::Compiled.xor(block, word)
}

/// The key, for what follows so many octets, and for the last octets of so many.
#[inline]
const fn turned(word: u32, octets: usize) -> u32 {
    word.rotate_right(((octets & 3) << 3) as u32)
}
