//! The adapters `embedded_io` and `embedded_io_async`. They differ only in `async` and `.await`.
//
// Owns: the source of both, as macros.
// Must not know: which of the two it is used for.

// Nothing but a macro makes a function `async` in one place and not in another. The arguments are the differences:
//
//     socket!([] [] [] embedded_io);
//     socket!([async] [.await] ["\n# Cancel safety\n"] embedded_io_async);
//
// `$async` stands before each function that waits, and `$await` after each call of one. `$cancel_safety` is a heading in
// the documentation, in `$(` and `)?` with what it is the heading of: both are left out where nothing is given. `$io` is
// the crate with the traits `Read` and `Write`. The module that uses a macro has its own `yield_now`.
//
// rustfmt and some lints of clippy do not look into macros. tests/house/layering.rs looks for panics there.

#[cfg(feature = "handshake")]
mod opening;
mod socket;

#[cfg(feature = "handshake")]
pub(super) use opening::opening;
pub(super) use socket::socket;
