//! The buffers that the connections of one thread share.
//
// Owns: one pool for each thread.
// Must not know: what is in the buffers.

use core::cell::RefCell;

use crate::endpoint::BufferPool;

std::thread_local! {
    static POOL: RefCell<BufferPool> = const { RefCell::new(BufferPool::new()) };
}

/// A thread that is ending has no pool; connections allocate their own buffers then.
pub(crate) fn with(work: impl FnOnce(&mut BufferPool)) {
    let _ = POOL.try_with(|pool| {
        if let Ok(mut pool) = pool.try_borrow_mut() {
            work(&mut pool);
        }
    });
}
