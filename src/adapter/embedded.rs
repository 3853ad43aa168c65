//! The adapters `embedded_io` and `embedded_io_async`, which differ only in `async` and `.await`.
//
// Owns: the source of both, as macros.
// Must not know: which of the two it becomes.

// A macro, because no other means of the language makes a function `async` in one place and not in another. What
// differs is given as arguments:
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
// The module that a macro is used in has a `yield_now` of its own: how other tasks have their turn.
//
// Neither rustfmt nor all lints of clippy look into a macro. For panics a test does, in tests/house/layering.rs.

#[cfg(feature = "handshake")]
mod opening;
mod socket;

#[cfg(feature = "handshake")]
pub(super) use opening::opening;
pub(super) use socket::socket;
