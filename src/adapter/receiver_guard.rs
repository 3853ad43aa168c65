//! Tells the sending half of a connection that the receiving one is gone.
//
// Owns: when that is told.
// Must not know: what follows from it.

use alloc::sync::Arc;

/// What two halves share.
pub(super) trait Halves {
    fn receiver_left(&self);
}

/// It tells the sending half when it is dropped.
pub(super) struct ReceiverGuard<H: Halves>(Option<Arc<H>>);

impl<H: Halves> ReceiverGuard<H> {
    pub(super) fn new(halves: &Arc<H>) -> Self {
        Self(Some(Arc::clone(halves)))
    }

    /// The halves are one again.
    pub(super) fn disarm(mut self) {
        self.0 = None;
    }
}

impl<H: Halves> Drop for ReceiverGuard<H> {
    fn drop(&mut self) {
        if let Some(halves) = &self.0 {
            halves.receiver_left();
        }
    }
}
