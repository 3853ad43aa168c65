//! The opening handshake over the adapters, dialling included.

#[macro_use]
#[path = "../common/watchdog.rs"]
mod watchdog;

mod accepted;
mod answer;
mod compression;
mod config;
mod dial;
mod loopback;
mod nonces;
mod rejection;
mod time;
mod traced;
mod two_steps;
