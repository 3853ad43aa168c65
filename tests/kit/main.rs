//! The suite for adapters, `sockless_conformance`, over every adapter.

#[macro_use]
#[path = "../common/watchdog.rs"]
mod watchdog;

mod adapters;
mod lent_buffers;
mod outsider;
mod wires;
