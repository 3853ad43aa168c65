//! Passes on the package `proptest`: see the dev-dependencies of the root package.

pub use proptest::*;
