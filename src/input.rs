//! Received bytes that are being consumed.
//
// Owns: how many of them were consumed.
// Must not know: what the bytes mean.

/// A cursor over received bytes.
///
/// The engine consumes them from the front, and unmasks payload in place. Events borrow from the buffer.
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
        // It cannot underflow.
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

    /// All if there are fewer.
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

    /// The `count` bytes after the next `skip`. If there are not enough, nothing is consumed.
    #[inline]
    pub(crate) fn take_after(&mut self, skip: usize, count: usize) -> Option<&'b mut [u8]> {
        let end = skip.saturating_add(count);
        if end > self.rest.len() {
            return None;
        }
        self.take(end).get_mut(skip..)
    }

    /// What was taken and not consumed after all.
    #[inline]
    pub(crate) fn put_back(&mut self, rest: &'b mut [u8]) {
        self.rest = rest;
    }

    #[inline]
    pub(crate) fn take_all(&mut self) -> &'b mut [u8] {
        core::mem::take(&mut self.rest)
    }
}

debug_states!([] Input<'_>, |this| { len: this.len, rest: this.rest.len() });
