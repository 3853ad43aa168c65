//! Contexts that nobody uses just now.
//
// Owns: keeping some for the next message.
// Must not know: whose they were; they come back empty.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::context::{CodecKey, DeflateContext, InflateContext};

/// Contexts shared by connections that keep none between messages: what no context takeover is negotiated
/// for.
///
/// Cloning shares the pool. It holds as many contexts as were ever in use at once, up to its bound; a context
/// is in use while a message is inflated or compressed, so about one a thread is enough.
#[derive(Clone)]
pub struct Pool(Arc<Mutex<PoolInner>>);

struct PoolInner {
    inflaters: Vec<InflateContext>,
    deflaters: Vec<DeflateContext>,
    most: usize,
}

impl Pool {
    /// A pool that keeps at most so many contexts of either direction.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Mutex::new(PoolInner { inflaters: Vec::new(), deflaters: Vec::new(), most })))
    }

    /// How many contexts it holds: for inflating, and for compressing.
    pub fn idle(&self) -> (usize, usize) {
        let shelves = self.shelves();
        (shelves.inflaters.len(), shelves.deflaters.len())
    }

    /// Into a slot that is empty: contexts are large to move.
    pub(super) fn take_inflater(&self, slot: &mut Option<InflateContext>) {
        *slot = self.shelves().inflaters.pop();
    }

    /// Out of its slot, if there is room on the shelf.
    pub(super) fn put_inflater(&self, slot: &mut Option<InflateContext>) {
        let mut shelves = self.shelves();
        if shelves.inflaters.len() < shelves.most {
            shelves.inflaters.extend(slot.take());
        }
    }

    /// One that was made for the same settings.
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
            // The oldest goes: settings that nobody uses any more must not fill the shelf.
            shelves.deflaters.remove(0);
        }
        shelves.deflaters.push(context);
    }

    fn shelves(&self) -> MutexGuard<'_, PoolInner> {
        // Nothing here is left half done by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Pool {
    /// A pool of at most 16 contexts of either direction.
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
