//! The message layer: endpoints with their buffers, driven without a transport.

#[global_allocator]
static ALLOCATOR: common::counting::Counting = common::counting::Counting;

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/compressed.rs"]
mod compressed;

mod actions;
mod conversions;
mod latency;
mod messages;
mod parked_endpoint;
mod reads;
mod ready;
mod shared_buffers;
