//! Rules of the whole crate, most of them about its source: layers, documentation, requirements, what is
//! printed.

#[macro_use]
#[path = "../common/watchdog.rs"]
mod watchdog;
#[path = "../common/mod.rs"]
mod common;

mod closing_table;
mod debug_output;
mod documentation;
mod error_chains;
mod layering;
mod programs;
mod requirements;
mod standstill;
