//! Passes on the package `clap`: see the dev-dependencies of the root package.

pub use clap::*;
