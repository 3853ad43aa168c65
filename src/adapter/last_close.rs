//! The peer's Close, for the half of a connection that did not receive it.
//
// Owns: a copy of the Close.
// Must not know: the halves, or what a Close means.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;

use crate::close::{CloseCode, CloseFrame, CloseReason};

/// Stored beside what both halves share.
pub(super) struct LastClose {
    code: Option<CloseCode>,
    reason: Box<str>,
}

impl LastClose {
    /// Unless one is stored. Returns whether it is new.
    pub(super) fn keep(kept: &mut Option<Self>, came: Option<CloseFrame<'_>>) -> bool {
        match (came, &kept) {
            (Some(came), None) => {
                *kept = Some(Self { code: came.code(), reason: came.reason().into() });
                true
            }
            _ => false,
        }
    }

    /// The reason is copied into the caller's storage, so that the lock is held only for the copy.
    pub(super) fn copy<'r>(&self, reason: &'r mut String) -> CloseFrame<'r> {
        self.reason.as_ref().clone_into(reason);
        match self.code {
            Some(code) => CloseFrame::new(code, CloseReason::truncated(reason)),
            None => CloseFrame::EMPTY,
        }
    }
}
