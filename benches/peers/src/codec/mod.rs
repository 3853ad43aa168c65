//! The engines in memory, without sockets.

use crate::Result;

/// What is measured.
#[derive(clap::Args)]
pub struct Options {}

/// Measures, and prints a table.
pub fn run(_options: &Options) -> Result {
    Err("not written yet".into())
}
