//! Helpers for ranges of bytes in a buffer.
//
// Owns: moving a range, and what stands for one that is out of bounds.
// Must not know: what stands in them.

use core::ops::Range;

/// `to` is not behind `from`. Nothing happens if the bytes stand there, or there is no such range.
// So the compiler sees that no bound can be missed.
#[inline(never)]
pub(super) fn move_down(buf: &mut [u8], from: Range<usize>, to: usize) {
    if to < from.start && from.start <= from.end && from.end <= buf.len() {
        buf.copy_within(from, to);
    }
}

/// For a range that is out of bounds, which none is. A branch that is never taken costs less than a choice between
/// slices.
#[cold]
#[inline(never)]
pub(super) fn empty_mut() -> &'static mut [u8] {
    &mut []
}
