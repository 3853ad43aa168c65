//! Copies payloads that are not masked into a frame.
//
// Owns: copying few octets without a function call.
// Must not know: frames, or what the target is.

/// If it has `N` to twice `N` octets, its first and its last `N` are copied, which may overlap: faster than a call.
#[inline(always)]
pub(crate) fn copy(from: &[u8], to: &mut [u8]) {
    match from.len() {
        8..=16 => copy_ends::<8>(from, to),
        17..=32 => copy_ends::<16>(from, to),
        33..=64 => copy_ends::<32>(from, to),
        _ => to.copy_from_slice(from),
    }
}

#[inline(always)]
fn copy_ends<const N: usize>(from: &[u8], to: &mut [u8]) {
    if let (Some(slot), Some(first)) = (to.first_chunk_mut::<N>(), from.first_chunk()) {
        *slot = *first;
    }
    if let (Some(slot), Some(last)) = (to.last_chunk_mut::<N>(), from.last_chunk()) {
        *slot = *last;
    }
}
