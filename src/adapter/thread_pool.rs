//! The buffers that the connections of one thread share.
//
// Owns: one set a thread.
// Must not know: what stands in them.

use core::cell::RefCell;

use crate::message::BufferPool;

std::thread_local! {
    static SPARE: RefCell<BufferPool> = const { RefCell::new(BufferPool::new()) };
}

/// Lends this thread's buffers. A thread that is ending has none: connections make their own then.
#[inline]
pub(crate) fn with(work: impl FnOnce(&mut BufferPool)) {
    let _ = SPARE.try_with(|pool| {
        if let Ok(mut pool) = pool.try_borrow_mut() {
            work(&mut pool);
        }
    });
}
