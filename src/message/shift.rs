//! Bytes that move towards the front of their buffer.
//!
//! Owns: that one operation. Must not know: what moves.

use core::ops::Range;

/// Moves the bytes in `from` to begin at `to`, which is not behind them; nothing if there is no such range.
// One function for all callers, so that the compiler sees that no bound can be missed.
#[inline(never)]
pub(super) fn shift(buf: &mut [u8], from: Range<usize>, to: usize) {
    if to <= from.start && from.start <= from.end && from.end <= buf.len() {
        buf.copy_within(from, to);
    }
}
