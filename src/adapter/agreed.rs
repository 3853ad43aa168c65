//! What the opening handshake agreed on, as a socket with an allocator keeps it.
//
// Owns: the name of the subprotocol.
// Must not know: how it was agreed on.

use alloc::boxed::Box;

#[cfg(feature = "rng")]
use crate::handshake::client::Accepted;
use crate::handshake::Negotiated;

#[derive(Default)]
pub(super) struct Agreed {
    pub(super) negotiated: Negotiated,
    pub(super) subprotocol: Option<Box<str>>,
}

impl Agreed {
    #[cfg(feature = "rng")]
    pub(super) fn of(accepted: &Accepted<'_>) -> Self {
        Self { negotiated: accepted.negotiated(), subprotocol: accepted.subprotocol().map(Box::from) }
    }

    pub(super) fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }
}
