//! Errors that more than one layer reports.
//!
//! Owns: what misuse by our own caller looks like. Must not know: sockets, adapters, or the opening handshake, whose
//! errors live beside it.

use core::fmt;

/// The buffer that the caller gave cannot hold the output.
///
/// Nothing was written and no state changed: call again with at least [`required`](Self::required) bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BufferTooSmall {
    /// How many bytes the output needs.
    pub required: usize,
}

impl BufferTooSmall {
    pub(crate) const fn new(required: usize) -> Self {
        Self { required }
    }
}

impl fmt::Display for BufferTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the output buffer needs at least {} bytes", self.required)
    }
}

impl core::error::Error for BufferTooSmall {}
