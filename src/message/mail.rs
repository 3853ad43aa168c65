//! What the receiving direction has to tell the sending one.
//!
//! Owns: the form of the news, and keeping it until somebody reads it. Must not know: how it gets there.

use crate::close::CloseCode;
use crate::error::ProtocolError;
use crate::replies::Replies;

/// Whoever hears what was received: the sending direction itself, or a [`Letter`] to it.
pub(crate) trait Mail {
    /// Where what is owed to the peer goes.
    fn replies(&mut self) -> &mut Replies;
    /// Something came.
    fn heard(&mut self);
    /// The peer's Close came; its answer is among the replies.
    fn close_came(&mut self, code: Option<CloseCode>);
    /// The connection has failed; its Close is among the replies.
    fn failed(&mut self, error: ProtocolError);
}
