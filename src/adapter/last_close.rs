//! The peer's Close, for the half of a connection that did not read it.
//
// Owns: a copy of it.
// Must not know: the halves, or what a Close means.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;

use crate::close::{CloseCode, CloseFrame, CloseReason};

/// The Close that the receiving half has read. It stands beside what both halves share.
pub(super) struct LastClose {
    code: Option<CloseCode>,
    reason: Box<str>,
}

impl LastClose {
    /// Keeps the Close that came, if it is not kept yet. Whether it is new.
    pub(super) fn keep(kept: &mut Option<Self>, came: Option<CloseFrame<'_>>) -> bool {
        match (came, &kept) {
            (Some(came), None) => {
                *kept = Some(Self { code: came.code(), reason: came.reason().into() });
                true
            }
            _ => false,
        }
    }

    /// The Close, with its reason in storage of the half that asks: what is shared is locked no longer than for
    /// this.
    pub(super) fn copy<'r>(&self, reason: &'r mut String) -> CloseFrame<'r> {
        self.reason.as_ref().clone_into(reason);
        match self.code {
            Some(code) => CloseFrame::new(code, CloseReason::truncated(reason)),
            None => CloseFrame::EMPTY,
        }
    }
}
