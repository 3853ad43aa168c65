//! Handlers behind axum: in memory, over HTTP/1.1 as bytes, over HTTP/2, and at the end of a server; and the example
//! `axum_echo` as a process.

#[macro_use]
#[path = "../../../../tests/common/watchdog.rs"]
mod watchdog;

mod common;
mod echo;
mod ending;
mod memory;
mod wire;
