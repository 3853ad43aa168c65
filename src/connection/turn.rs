//! How much one connection may do before other connections have their turn.
//!
//! Units are about a tenth of a microsecond, so a turn takes a few milliseconds at most. Costs need not be exact, but
//! no kind of work may be free.
//
// Owns: what each kind of work costs, and the budget.
// Must not know: the other connections, or how they get their turn.

#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// Negative if the last work cost more.
    left: i32,
}

const BUDGET: i32 = 16 << 10;
/// The application will do something with it.
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

    pub(crate) const fn is_over(self) -> bool {
        self.left <= 0
    }

    pub(crate) fn spend(&mut self, units: u32) {
        self.left = self.left.saturating_sub(i32::try_from(units).unwrap_or(i32::MAX));
    }

    /// The turn was not over, or only just.
    pub(crate) fn delivered(&mut self) {
        // It cannot wrap: nothing is returned long after the end of a turn.
        self.left = self.left.wrapping_sub(MESSAGE);
    }

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

#[cfg(feature = "alloc")]
pub(crate) fn compressed(octets: usize) -> u32 {
    units(octets, COMPRESSED_OCTETS).saturating_add(CODEC)
}

fn units(octets: usize, octets_of_one: usize) -> u32 {
    u32::try_from(octets.checked_div(octets_of_one).unwrap_or(octets)).unwrap_or(u32::MAX)
}
