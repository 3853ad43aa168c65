//! The result of inflating.
//
// Owns: what one step reports, with the codec or without.
// Must not know: what is inflated.

/// The result of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InflationProgress {
    /// Something is ready to be taken.
    Ready,
    /// More must be received first.
    NeedsMore,
    /// In another turn.
    Paused,
}
