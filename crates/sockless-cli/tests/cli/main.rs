//! The program `sockless`, against servers and clients on this machine.

#[macro_use]
#[path = "../../../../tests/common/watchdog.rs"]
mod watchdog;

mod certificates;
mod connect;
mod ends;
mod listen;
mod support;
mod terminal;
