//! Text that cannot steer a terminal or look like a line of ours.

use std::fmt::{self, Display, Write as _};

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
