//! Bytes just received, being consumed.
//
// Owns: how much of one read was used.
// Must not know: what the bytes mean.

/// A cursor over bytes just received.
///
/// It shrinks from the front as the engine consumes them. Payload is unmasked where it stands, and the pieces
/// that events lend live as long as the buffer, not as long as the cursor or the engine.
pub struct Input<'b> {
    rest: &'b mut [u8],
    len: usize,
}

impl<'b> Input<'b> {
    /// At the front of `bytes`.
    #[inline]
    pub fn new(bytes: &'b mut [u8]) -> Self {
        Self { len: bytes.len(), rest: bytes }
    }

    /// How many bytes were consumed so far.
    #[inline]
    pub fn consumed(&self) -> usize {
        // What is left is a part of what was given.
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

    /// Consumes `count` bytes, or all that are left if they are fewer.
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

    /// Consumes the next `skip` bytes and the `count` after them, and gives those; `None`, and nothing is
    /// consumed, if they are not all there.
    #[inline]
    pub(crate) fn take_after(&mut self, skip: usize, count: usize) -> Option<&'b mut [u8]> {
        let end = skip.saturating_add(count);
        if end > self.rest.len() {
            return None;
        }
        self.take(end).get_mut(skip..)
    }

    /// Gives back what was taken and is not consumed: the end of what was left.
    #[inline]
    pub(crate) fn put_back(&mut self, rest: &'b mut [u8]) {
        self.rest = rest;
    }

    /// Consumes all bytes that are left.
    #[inline]
    pub(crate) fn take_all(&mut self) -> &'b mut [u8] {
        core::mem::take(&mut self.rest)
    }
}

debug_states!([] Input<'_>, |this| { len: this.len, rest: this.rest.len() });
