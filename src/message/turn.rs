//! How much one connection may do before others have their turn.
//!
//! Costs are in units of about a tenth of a microsecond, so that a turn takes a few milliseconds at most,
//! whatever the peer sends. They need not be exact: they see to it that no kind of work is free.
//
// Owns: what each kind of work costs, and the budget.
// Must not know: who the others are, or how they get their turn.

/// What is left of a turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// Units. What was spent last may have been more than there were.
    left: i32,
}

/// Units of a turn.
const BUDGET: i32 = 16 << 10;
/// A message is handed out, which somebody does something with.
const MESSAGE: i32 = 8;
/// A Pong is queued, or a frame is looked at.
#[cfg(feature = "alloc")]
pub(crate) const FRAME: u32 = 2;
/// A compressed message begins or ends.
#[cfg(feature = "alloc")]
pub(crate) const CODEC: u32 = 32;
/// A read, however little it brings.
const READ: u32 = 16;
/// Octets that are read for one unit.
const READ_OCTETS: usize = 256;
/// Octets that are inflated for one unit.
#[cfg(feature = "alloc")]
const INFLATED_OCTETS: usize = 32;
/// Octets that are compressed for one unit.
#[cfg(feature = "alloc")]
const COMPRESSED_OCTETS: usize = 16;

impl Turn {
    pub(crate) const NEW: Self = Self { left: BUDGET };

    /// Whether others should have their turn.
    #[inline(always)]
    pub(crate) const fn is_over(self) -> bool {
        self.left <= 0
    }

    /// So many units were spent.
    #[inline]
    pub(crate) fn spend(&mut self, units: u32) {
        self.left = self.left.saturating_sub(i32::try_from(units).unwrap_or(i32::MAX));
    }

    /// A message was handed out, in a turn that was not over, or had just become so.
    #[inline(always)]
    pub(crate) fn delivered(&mut self) {
        // It cannot wrap: nothing is handed out far beyond the end. So each message costs one instruction.
        self.left = self.left.wrapping_sub(MESSAGE);
    }

    /// So many octets were read.
    #[inline]
    pub(crate) fn read(&mut self, octets: usize) {
        self.spend(units(octets, READ_OCTETS).saturating_add(READ));
    }

    /// So many octets were inflated.
    #[cfg(feature = "alloc")]
    pub(crate) fn inflated(&mut self, octets: usize) {
        self.spend(units(octets, INFLATED_OCTETS));
    }

    /// Octets that may be inflated in this turn.
    #[cfg(feature = "alloc")]
    pub(crate) fn inflates(self) -> usize {
        usize::try_from(self.left).unwrap_or(0).saturating_mul(INFLATED_OCTETS)
    }
}

/// Units for so many octets that were compressed.
#[cfg(feature = "alloc")]
pub(crate) fn compressed(octets: usize) -> u32 {
    units(octets, COMPRESSED_OCTETS).saturating_add(CODEC)
}

/// Units for so many octets.
#[inline]
fn units(octets: usize, octets_of_one: usize) -> u32 {
    u32::try_from(octets.checked_div(octets_of_one).unwrap_or(octets)).unwrap_or(u32::MAX)
}
