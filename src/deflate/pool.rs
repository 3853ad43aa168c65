//! Pool of idle compression contexts.
//
// Owns: keeping some for the next message.
// Must not know: which connection used them. They come back empty.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::context::{CodecKey, DeflateContext, InflateContext};

/// Contexts that connections share where no context takeover was agreed on.
///
/// A clone is the same pool. A context is in use only while a message is inflated or compressed, so about one for each
/// thread is enough. The pool holds as many as were in use at once, up to its limit.
#[derive(Clone)]
pub struct Pool(Arc<Mutex<PoolInner>>);

struct PoolInner {
    inflaters: Vec<InflateContext>,
    deflaters: Vec<DeflateContext>,
    most: usize,
}

impl Pool {
    /// A pool that keeps at most `most` contexts for each direction.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Mutex::new(PoolInner { inflaters: Vec::new(), deflaters: Vec::new(), most })))
    }

    /// How many contexts it holds now: for inflating, and for compressing.
    pub fn idle(&self) -> (usize, usize) {
        let shelves = self.shelves();
        (shelves.inflaters.len(), shelves.deflaters.len())
    }

    /// By reference, because contexts are large to move.
    pub(super) fn take_inflater(&self, slot: &mut Option<InflateContext>) {
        *slot = self.shelves().inflaters.pop();
    }

    /// If the pool has room.
    pub(super) fn put_inflater(&self, slot: &mut Option<InflateContext>) {
        let mut shelves = self.shelves();
        if shelves.inflaters.len() < shelves.most {
            shelves.inflaters.extend(slot.take());
        }
    }

    pub(super) fn take_deflater(&self, codec_key: CodecKey) -> Option<DeflateContext> {
        let mut shelves = self.shelves();
        let at = shelves.deflaters.iter().rposition(|context| context.codec_key() == codec_key)?;
        Some(shelves.deflaters.swap_remove(at))
    }

    pub(super) fn put_deflater(&self, context: DeflateContext) {
        let mut shelves = self.shelves();
        if shelves.most == 0 {
            return;
        }
        if shelves.deflaters.len() >= shelves.most {
            // So that parameters which nobody uses do not fill the pool.
            shelves.deflaters.remove(0);
        }
        shelves.deflaters.push(context);
    }

    fn shelves(&self) -> MutexGuard<'_, PoolInner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Pool {
    /// A pool of at most 16 contexts for each direction.
    fn default() -> Self {
        Self::new(16)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (inflaters, deflaters) = self.idle();
        f.debug_struct("Pool")
            .field("inflaters", &inflaters)
            .field("deflaters", &deflaters)
            .finish_non_exhaustive()
    }
}
