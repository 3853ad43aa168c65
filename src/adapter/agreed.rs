//! What the opening handshake agreed on, as a socket with an allocator keeps it.
//
// Owns: the name of the subprotocol.
// Must not know: how it was agreed on.

use alloc::boxed::Box;

use crate::handshake::Negotiated;

/// What a socket tells of its opening handshake.
#[derive(Default)]
pub(super) struct Agreed {
    pub(super) negotiated: Negotiated,
    pub(super) subprotocol: Option<Box<str>>,
}

impl Agreed {
    pub(super) fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }
}
