//! How much one connection may do before other connections have their turn.
//!
//! Costs are in units of about a tenth of a microsecond. So a turn takes a few milliseconds at most, whatever
//! the peer sends. The costs need not be exact, but no kind of work may be free.
//
// Owns: what each kind of work costs, and the budget.
// Must not know: the other connections, or how they get their turn.

/// The remainder of a turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// Units that are left. Negative if the last work cost more.
    left: i32,
}

/// The units of a turn.
const BUDGET: i32 = 16 << 10;
/// A message is returned to the application, which will do something with it.
const MESSAGE: i32 = 8;
/// A Pong is queued, or a frame is checked.
#[cfg(feature = "alloc")]
pub(crate) const FRAME: u32 = 2;
/// A compressed message begins or ends.
#[cfg(feature = "alloc")]
pub(crate) const CODEC: u32 = 32;
/// A read, of any length.
const READ: u32 = 16;
/// How many octets are read for one unit.
const READ_OCTETS: usize = 256;
/// How many octets are inflated for one unit.
#[cfg(feature = "alloc")]
const INFLATED_OCTETS: usize = 32;
/// How many octets are compressed for one unit.
#[cfg(feature = "alloc")]
const COMPRESSED_OCTETS: usize = 16;

impl Turn {
    pub(crate) const NEW: Self = Self { left: BUDGET };

    /// Whether it is the turn of others.
    pub(crate) const fn is_over(self) -> bool {
        self.left <= 0
    }

    /// Spends units.
    pub(crate) fn spend(&mut self, units: u32) {
        self.left = self.left.saturating_sub(i32::try_from(units).unwrap_or(i32::MAX));
    }

    /// A message was returned to the application. The turn was not over, or only just.
    pub(crate) fn delivered(&mut self) {
        // It cannot wrap, because nothing is returned long after the end of a turn. So each message costs one
        // instruction.
        self.left = self.left.wrapping_sub(MESSAGE);
    }

    /// Octets were read.
    pub(crate) fn read(&mut self, octets: usize) {
        self.spend(units(octets, READ_OCTETS).saturating_add(READ));
    }

    /// Octets were inflated.
    #[cfg(feature = "alloc")]
    pub(crate) fn inflated(&mut self, octets: usize) {
        self.spend(units(octets, INFLATED_OCTETS));
    }

    /// How many octets may still be inflated in this turn.
    #[cfg(feature = "alloc")]
    pub(crate) fn inflates(self) -> usize {
        usize::try_from(self.left).unwrap_or(0).saturating_mul(INFLATED_OCTETS)
    }
}

/// How many units it costs to compress so many octets.
#[cfg(feature = "alloc")]
pub(crate) fn compressed(octets: usize) -> u32 {
    units(octets, COMPRESSED_OCTETS).saturating_add(CODEC)
}

/// How many units so many octets cost.
fn units(octets: usize, octets_of_one: usize) -> u32 {
    u32::try_from(octets.checked_div(octets_of_one).unwrap_or(octets)).unwrap_or(u32::MAX)
}
