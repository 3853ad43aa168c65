//! Lines for people. A log that cannot be written ends no program, and text of a peer cannot steer a terminal
//! or look like a line of ours.

use std::fmt::Display;
use std::io::{self, Write as _};

pub use printable::Printable;

#[path = "../../crates/sockless-cli/src/printable.rs"]
mod printable;

/// Writes a line to standard error. Where nobody reads that any more, nothing is done.
pub fn log(line: impl Display) {
    // In one piece, so that lines of several threads do not mix.
    let _ = io::stderr().write_all(format!("{}\n", Printable(line)).as_bytes());
}

/// Says on standard output where a server listens. It serves as well where nobody reads that.
#[allow(dead_code, reason = "clients do not listen")]
pub fn announce(address: io::Result<impl Display>) -> io::Result<()> {
    let _ = writeln!(io::stdout(), "listening on {}", address?);
    Ok(())
}
