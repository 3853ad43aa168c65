//! Parts of a buffer that are told by where they stand.
//
// Owns: moving one, and what there is where none can be.
// Must not know: what stands in them.

use core::ops::Range;

/// Moves the bytes in `from` to begin at `to`, which is not behind them; nothing if there is no such range.
// One function for all callers, so that the compiler sees that no bound can be missed.
#[inline(never)]
pub(super) fn move_down(buf: &mut [u8], from: Range<usize>, to: usize) {
    if to <= from.start && from.start <= from.end && from.end <= buf.len() {
        buf.copy_within(from, to);
    }
}

/// What stands where a range is not one, which cannot be. A branch that is never taken costs less than a choice
/// between two slices.
#[cold]
#[inline(never)]
pub(super) fn empty_mut() -> &'static mut [u8] {
    &mut []
}
