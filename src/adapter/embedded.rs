//! The adapters `embedded_io` and `embedded_io_async`. They differ only in `async` and `.await`.
//
// Owns: the source of both, as macros.
// Must not know: which of the two it is used for.

// These are macros, because nothing else in the language makes a function `async` in one place and not in
// another. The arguments are the differences:
//
//     socket!([] [] [] embedded_io);
//     socket!([async] [.await] ["\n# Cancel safety\n"] embedded_io_async);
//
// 1. `$async` stands before each function that waits.
// 2. `$await` stands after each call of such a function.
// 3. `$cancel_safety` is a heading in the documentation. It stands in `$(` and `)?`, with what it is the heading of.
//    Both are left out where nothing is given: a function that blocks cannot be dropped half-way.
// 4. `$io` is the crate with the traits `Read` and `Write`.
//
// The module that uses a macro has its own `yield_now`, which lets other tasks run.
//
// rustfmt and some lints of clippy do not look into macros. A test in tests/house/layering.rs looks for panics
// there.

#[cfg(feature = "handshake")]
mod opening;
mod socket;

#[cfg(feature = "handshake")]
pub(super) use opening::opening;
pub(super) use socket::socket;
