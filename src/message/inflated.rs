//! How far inflating has come.
//
// Owns: what one step of it reports, with the codec or without.
// Must not know: what is inflated.

/// What inflating came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inflated {
    /// Something can be taken.
    Ready,
    /// More has to come first.
    NeedsMore,
    /// There is more to inflate in another turn.
    Paused,
}
