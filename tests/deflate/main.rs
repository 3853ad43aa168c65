//! permessage-deflate: the codec, its memory, and endpoints that use it.

#[global_allocator]
static ALLOCATOR: common::counting::Counting = common::counting::Counting;

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/compressed.rs"]
mod compressed;
#[path = "../common/opening/mod.rs"]
mod opening;

mod codec;
mod contexts;
mod endpoint_deflate;
mod error_order;
mod hostile;
mod ignored_takeover;
mod memory;
mod misuse;
mod reference;
mod regressions_deflate;
mod roundtrip;
mod tolerated_deflate;
