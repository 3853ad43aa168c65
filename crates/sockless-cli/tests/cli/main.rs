//! The program `sockless`, against servers and clients on this machine.

#[macro_use]
#[path = "../../../../tests/common/watchdog.rs"]
mod watchdog;

mod bench;
mod captures;
mod certificates;
mod connect;
mod ends;
mod inspect;
mod listen;
mod live;
mod support;
mod terminal;
