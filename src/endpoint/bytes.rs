//! Helpers for ranges of bytes in a buffer.
//
// Owns: moving a range, and what stands for one that is out of bounds.
// Must not know: what stands in them.

use core::ops::Range;

/// Moves the bytes in `from` to begin at `to`, which is not behind them. Nothing if they stand there already, or if there
/// is no such range.
// One function for all callers, so that the compiler sees that no bound can be missed.
#[inline(never)]
pub(super) fn move_down(buf: &mut [u8], from: Range<usize>, to: usize) {
    if to < from.start && from.start <= from.end && from.end <= buf.len() {
        buf.copy_within(from, to);
    }
}

/// An empty slice for a range that is out of bounds, which none is. It is a call so that the compiler makes a branch
/// that is never taken: that costs less than a choice between two slices.
#[cold]
#[inline(never)]
pub(super) fn empty_mut() -> &'static mut [u8] {
    &mut []
}
