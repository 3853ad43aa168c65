//! A program without the standard library that really calls `sockless`.
//!
//! It has its own entry point, panic handler and allocator. Anything in the graph that pulled in `std` would bring a second
//! panic handler, and the link would fail.
#![no_std]
#![no_main]

#[cfg(feature = "control_std")]
extern crate std;

#[cfg(any(feature = "embedded-io", feature = "embedded-io-async"))]
mod adapters;
mod calls;

use core::hint::black_box;

extern "C" {
    fn _exit(status: i32) -> !;
}

// The stack is aligned as the ABI asks before any Rust code runs.
core::arch::global_asm!(".globl _start", "_start:", "and rsp, -16", "call probe_main", "ud2");

#[no_mangle]
extern "C" fn probe_main() -> ! {
    // The optimiser must not know the input, or it would run the library at compile time.
    let status = if calls::all(black_box(&calls::INPUT), black_box(0)) { 0 } else { 1 };
    #[cfg(feature = "control_panic")]
    let status = status + i32::from(calls::INPUT[black_box(usize::MAX)]);
    // SAFETY: `_exit` takes any status and does not return.
    unsafe { _exit(status) }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: as above.
    unsafe { _exit(101) }
}

/// `core` is built to unwind and refers to these two; with `panic = "abort"` nothing calls them.
#[no_mangle]
extern "C" fn rust_eh_personality() {}
#[no_mangle]
extern "C" fn _Unwind_Resume() {}

/// Hands out a fixed store from front to back and takes nothing back.
#[cfg(feature = "alloc")]
mod heap {
    use core::alloc::{GlobalAlloc, Layout};
    use core::cell::UnsafeCell;
    use core::ptr::null_mut;
    use core::sync::atomic::{AtomicUsize, Ordering};

    const SIZE: usize = 1 << 16;

    struct Bump {
        store: UnsafeCell<[u8; SIZE]>,
        used: AtomicUsize,
    }

    #[global_allocator]
    static HEAP: Bump = Bump { store: UnsafeCell::new([0; SIZE]), used: AtomicUsize::new(0) };

    // SAFETY: the store is only reached through `alloc`, which hands out each byte once.
    unsafe impl Sync for Bump {}

    // SAFETY: blocks are disjoint, inside the store, and aligned as asked.
    unsafe impl GlobalAlloc for Bump {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let base = self.store.get().cast::<u8>();
            let used = self.used.load(Ordering::Relaxed);
            let start = used + base.wrapping_add(used).align_offset(layout.align());
            let end = start.saturating_add(layout.size());
            if end > SIZE {
                return null_mut();
            }
            self.used.store(end, Ordering::Relaxed);
            base.wrapping_add(start)
        }

        unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
    }
}
