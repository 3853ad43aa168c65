//! Waiting and time: every wait has an end, and no connection delays the others.

#[macro_use]
#[path = "../common/watchdog.rs"]
mod watchdog;
#[path = "../common/mod.rs"]
mod common;

mod connections;
mod every_wait;
mod split_threads;
mod turns;
