//! The buffers that the connections of one thread share.
//!
//! Owns: one set a thread. Must not know: what stands in them.

use core::cell::Cell;

use crate::message::Spare;

std::thread_local! {
    static SPARE: Cell<Spare> = const { Cell::new(Spare::new()) };
}

/// Lends this thread's buffers. A thread that is ending has none: connections make their own then.
pub(super) fn with<T>(work: impl FnOnce(&mut Spare) -> T) -> T {
    let mut spare = SPARE.try_with(Cell::take).unwrap_or_default();
    let result = work(&mut spare);
    let _ = SPARE.try_with(|slot| slot.set(spare));
    result
}
