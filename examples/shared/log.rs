//! Lines for people. A log that cannot be written ends no program, and text of a peer cannot steer a terminal
//! or look like a line of ours.

use std::fmt::{self, Display, Write as _};
use std::io::{self, Write as _};

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

/// The text with escapes, such as `\u{1b}`, for what has no look of its own: control characters, and those
/// that turn the direction of the text around them.
pub struct Printable<T>(pub T);

impl<T: Display> Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| match c {
            _ if c.is_control() => write!(self.0, "{}", c.escape_default()),
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                write!(self.0, "{}", c.escape_unicode())
            }
            _ => self.0.write_char(c),
        })
    }
}
