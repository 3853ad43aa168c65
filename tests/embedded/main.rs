//! The adapters in lent buffers: `embedded-io` and `embedded-io-async`.

#[macro_use]
#[path = "../common/watchdog.rs"]
mod watchdog;
#[path = "../common/mod.rs"]
mod common;

mod adapters;
mod pair;
mod script;
