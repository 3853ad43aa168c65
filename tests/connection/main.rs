//! What a connection does, as the engine alone: control frames, fragments, closing, time, limits, any split of the input.

#[global_allocator]
static ALLOCATOR: common::counting::Counting = common::counting::Counting;

#[macro_use]
#[path = "../common/watchdog.rs"]
mod watchdog;
#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod close_codes;
mod closing;
mod control;
mod deadlines;
mod fragmentation;
mod halves;
mod limits;
mod no_alloc;
mod pair;
mod parked;
mod regressions_frames;
mod sizes;
mod split_invariance;
mod state_table;
mod writer_stages;
