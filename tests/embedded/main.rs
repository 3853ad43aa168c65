//! The adapters in lent buffers: `embedded-io` and `embedded-io-async`.

#[macro_use]
#[path = "../common/watchdog.rs"]
mod watchdog;
#[path = "../common/mod.rs"]
mod common;

#[allow(
    clippy::result_large_err,
    reason = "a refusal lends what it says, and there is no allocator for a box"
)]
mod adapters;
mod pair;
mod script;
