//! One frame: its header, its length, its mask, its text, and what a reader and a writer do with it.

#[global_allocator]
static ALLOCATOR: common::counting::Counting = common::counting::Counting;

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/compressed.rs"]
mod compressed;

mod entropy;
mod frames;
mod header_faults;
mod lengths;
mod masking;
mod rfc6455_vectors;
mod roundtrip;
mod tolerated_frames;
mod utf8;
