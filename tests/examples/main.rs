//! The examples that others build upon.

#[global_allocator]
static ALLOCATOR: common::counting::Counting = common::counting::Counting;

#[macro_use]
#[path = "../common/watchdog.rs"]
mod watchdog;
#[path = "../common/mod.rs"]
mod common;

mod broadcasting;
mod demo;
mod inspect;
mod process;
mod servers;
