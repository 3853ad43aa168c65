//! The buffers that the connections of one thread share.
//!
//! Owns: one set a thread. Must not know: what stands in them.

use core::cell::RefCell;

use crate::message::Spare;

std::thread_local! {
    static SPARE: RefCell<Spare> = const { RefCell::new(Spare::new()) };
}

/// Lends this thread's buffers. A thread that is ending has none: connections make their own then.
#[inline]
pub(crate) fn with(work: impl FnOnce(&mut Spare)) {
    let _ = SPARE.try_with(|spare| {
        if let Ok(mut spare) = spare.try_borrow_mut() {
            work(&mut spare);
        }
    });
}
