//! Tells the sending half of a connection that the receiving one is gone.
//
// Owns: when that is told.
// Must not know: what follows from it.

use alloc::sync::Arc;

/// What two halves share, where the sending one hears that nobody reads any more.
pub(super) trait Halves {
    /// The receiving half is gone.
    fn receiver_left(&self);
}

/// Is dropped with the receiving half, and tells the other one.
pub(super) struct ReceiverGuard<H: Halves>(Option<Arc<H>>);

impl<H: Halves> ReceiverGuard<H> {
    pub(super) fn new(halves: &Arc<H>) -> Self {
        Self(Some(Arc::clone(halves)))
    }

    /// Tells nothing: the halves are one again.
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
