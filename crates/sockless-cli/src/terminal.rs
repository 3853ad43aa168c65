//! What people read: on standard error, and with colours where a terminal shows them.

use std::fmt::Display;
use std::io::{self, Write as _};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

use crate::failure::Failure;
use crate::printable::Printable;

pub const BAD: Style = AnsiColor::Red.on_default().bold();
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Writes a line to standard error, escaped. Where nobody reads that any more, nothing is done.
pub fn say(line: impl Display) {
    write(&format!("{}\n", Printable(line)));
}

/// Says what went wrong.
pub fn fail(failure: &Failure) {
    marked(BAD, "error", failure);
}

/// Says what the user should know before it goes on.
pub fn warn(line: impl Display) {
    marked(WARNING, "warning", line);
}

fn marked(style: Style, mark: &str, line: impl Display) {
    let style = if has_colours(&io::stderr()) { style } else { Style::new() };
    write(&format!("{style}{mark}:{style:#} {}\n", Printable(line)));
}

/// In one piece, so that lines of several tasks do not mix.
fn write(line: &str) {
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Whether escape sequences are wanted there: on a terminal, unless `NO_COLOR` or `TERM` says otherwise.
pub fn has_colours(stream: &impl anstream::stream::RawStream) -> bool {
    AutoStream::choice(stream) != ColorChoice::Never
}
