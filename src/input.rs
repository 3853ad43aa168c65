//! Received bytes that are being consumed.
//
// Owns: how many of them were consumed.
// Must not know: what the bytes mean.

/// A cursor over received bytes.
///
/// The engine consumes them from the front. Payload is unmasked in place. The pieces in events borrow from the
/// buffer, not from this cursor or the engine.
pub struct Input<'b> {
    rest: &'b mut [u8],
    len: usize,
}

impl<'b> Input<'b> {
    /// A cursor at the front of `bytes`.
    #[inline]
    pub fn new(bytes: &'b mut [u8]) -> Self {
        Self { len: bytes.len(), rest: bytes }
    }

    /// How many bytes were consumed so far.
    #[inline]
    pub fn consumed(&self) -> usize {
        // The remainder is a part of the input, so this cannot underflow.
        self.len.wrapping_sub(self.rest.len())
    }

    /// How many bytes are left.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The bytes that were not consumed.
    #[inline]
    pub fn into_rest(self) -> &'b mut [u8] {
        self.rest
    }

    #[inline]
    pub(crate) fn rest(&self) -> &[u8] {
        self.rest
    }

    /// Consumes and returns `count` bytes, or all if there are fewer.
    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> &'b mut [u8] {
        let rest = core::mem::take(&mut self.rest);
        let count = count.min(rest.len());
        match rest.split_at_mut_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                taken
            }
            None => &mut [],
        }
    }

    /// Consumes the next `skip` bytes and the `count` bytes after them, and returns the latter. If there are
    /// not enough, `None`, and nothing is consumed.
    #[inline]
    pub(crate) fn take_after(&mut self, skip: usize, count: usize) -> Option<&'b mut [u8]> {
        let end = skip.saturating_add(count);
        if end > self.rest.len() {
            return None;
        }
        self.take(end).get_mut(skip..)
    }

    /// Puts back the end of what was taken, if it was not consumed after all.
    #[inline]
    pub(crate) fn put_back(&mut self, rest: &'b mut [u8]) {
        self.rest = rest;
    }

    /// Consumes and returns all remaining bytes.
    #[inline]
    pub(crate) fn take_all(&mut self) -> &'b mut [u8] {
        core::mem::take(&mut self.rest)
    }
}

debug_states!([] Input<'_>, |this| { len: this.len, rest: this.rest.len() });
