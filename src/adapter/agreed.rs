//! What the opening handshake agreed on, as a socket with an allocator keeps it.
//
// Owns: the name of the subprotocol.
// Must not know: how it was agreed on.

use alloc::boxed::Box;

#[cfg(feature = "rng")]
use crate::handshake::client::Accepted;
use crate::handshake::Negotiated;
#[cfg(feature = "rng")]
use crate::role::Side;

#[derive(Default)]
pub(super) struct Agreed {
    pub(super) negotiated: Negotiated,
    pub(super) subprotocol: Option<Box<str>>,
    #[cfg(feature = "tracing")]
    pub(super) trace: super::trace::Trace,
}

impl Agreed {
    #[cfg(feature = "rng")]
    pub(super) fn of(accepted: &Accepted<'_>) -> Self {
        Self::new(Side::Client, accepted.negotiated(), accepted.subprotocol())
    }

    #[cfg(feature = "rng")]
    pub(super) fn new(_side: Side, negotiated: Negotiated, subprotocol: Option<&str>) -> Self {
        Self {
            negotiated,
            subprotocol: subprotocol.map(Box::from),
            #[cfg(feature = "tracing")]
            trace: super::trace::Trace::opened(_side, subprotocol, negotiated.deflate.is_some()),
        }
    }

    pub(super) fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }
}
