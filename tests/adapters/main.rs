//! The adapters once a connection is open, on scripted transports.

#[global_allocator]
static ALLOCATOR: common::counting::Counting = common::counting::Counting;

#[macro_use]
#[path = "../common/watchdog.rs"]
mod watchdog;
#[path = "../common/mod.rs"]
mod common;

mod blocked_senders;
mod byte_stream;
mod compressed_sends;
mod conversation;
mod faults;
mod latency;
mod long_answers;
mod parked_polled;
mod sendable;
mod split_halves;
mod std_adapter;
mod tokio_adapter;
