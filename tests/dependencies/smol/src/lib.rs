//! Passes on the package `smol`: see the dev-dependencies of the root package.

pub use smol::*;
