//! The buffers that endpoints share.
//
// Owns: buffers that no endpoint needs at the moment.
// Must not know: what stands in them, or who asks.

use alloc::vec::Vec;

/// Bytes of all large buffers that are kept, and of one for output.
pub(super) const MAX_POOLED: usize = 4 << 20;

/// Buffers for endpoints that work one at a time, such as those of one thread: a connection that waits has none.
///
/// Call [`Endpoint::acquire`](super::Endpoint::acquire) before each read, and before a message is queued where none was
/// read; and [`Endpoint::release`](super::Endpoint::release) when the endpoint waits. An endpoint that never acquires
/// any makes its own, anew for each large message. Endpoints that share should have one size of a read
/// ([`Buffers`](super::Buffers)). Large buffers are kept up to 4 MiB together, and so is one of output.
pub struct BufferPool {
    /// To read into, of the standard size.
    standard: Vec<u8>,
    /// To read into, larger ones.
    large: [Vec<u8>; 3],
    /// To write from.
    pub(super) output: Vec<u8>,
    /// To inflate into.
    pub(super) inflated: Vec<u8>,
}

impl BufferPool {
    /// No buffers yet.
    pub const fn new() -> Self {
        let large = [const { Vec::new() }; 3];
        Self { standard: Vec::new(), large, output: Vec::new(), inflated: Vec::new() }
    }

    /// A buffer of `size` bytes, if that is the `standard` size; else one of as many or more.
    pub(super) fn take(&mut self, size: usize, standard: usize) -> Vec<u8> {
        if size != standard {
            self.take_large(size).unwrap_or_else(|| alloc::vec![0; size])
        } else if self.standard.len() == standard {
            core::mem::take(&mut self.standard)
        } else {
            alloc::vec![0; standard]
        }
    }

    /// The smallest with `size` bytes.
    pub(super) fn take_large(&mut self, size: usize) -> Option<Vec<u8>> {
        let fits = self.large.iter_mut().filter(|buf| buf.len() >= size);
        fits.min_by_key(|buf| buf.len()).map(core::mem::take)
    }

    /// At least of the `standard` size. A large one may take the place of a smaller one.
    pub(super) fn keep(&mut self, buf: Vec<u8>, standard: usize) {
        if buf.len() == standard {
            self.standard = buf;
        } else if buf.len() > standard {
            let kept = self.large.iter().fold(buf.len(), |sum, buf| sum.saturating_add(buf.len()));
            if let Some(slot) = self.large.iter_mut().min_by_key(|slot| slot.len()) {
                if slot.len() < buf.len() && kept.saturating_sub(slot.len()) <= MAX_POOLED {
                    *slot = buf;
                }
            }
        }
    }
}

pub(super) fn keep_larger(kept: &mut Vec<u8>, buf: Vec<u8>) {
    if kept.len() < buf.len() && buf.len() <= MAX_POOLED {
        *kept = buf;
    }
}

impl Default for BufferPool {
    fn default() -> Self {
        Self::new()
    }
}

debug_states!([] BufferPool, |this| {
    standard: this.standard.len(),
    output: this.output.len(),
    inflated: this.inflated.len(),
});
