//! What is owed to the peer: the newest Pong and the first Close.
//
// Owns: the two slots between a reader and a writer, in bounded memory.
// Must not know: how replies are written, nor whether the writer has sent a Close already.

use crate::close::CloseCode;
use crate::error::ProtocolError;

/// The two slots that carry replies from a [`Reader`](crate::Reader) to a [`Writer`](crate::Writer).
///
/// A Pong that was not sent when the next Ping came is replaced, as RFC 6455 section 5.5.3 allows; it can
/// never displace a Close. Where reader and writer live on two tasks, this value is the mailbox between them.
#[derive(Clone, Copy)]
pub struct Mailbox {
    pong: [u8; 125],
    pong_len: u8,
    close: Option<CloseReply>,
}

/// A Close that is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseReply {
    /// The answer to the peer's Close echoes its code (section 5.5.1).
    Echo(Option<CloseCode>),
    /// The connection failed; the code of the error is sent, if the peer can still be told (section 7.1.7).
    Failure(ProtocolError),
}

const NO_PONG: u8 = u8::MAX;

impl Mailbox {
    /// Nothing is owed.
    pub const fn new() -> Self {
        Self { pong: [0; 125], pong_len: NO_PONG, close: None }
    }

    /// Whether nothing is owed.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.pong_len == NO_PONG && self.close.is_none()
    }

    /// Moves what `from` owes to here.
    pub fn merge(&mut self, from: &mut Self) {
        if let Some(payload) = from.pong() {
            self.set_pong(payload);
        }
        if let Some(close) = from.close {
            self.set_close(close);
        }
        from.clear();
    }

    pub(crate) const fn pong_is_due(&self) -> bool {
        self.pong_len != NO_PONG
    }

    pub(crate) fn pong(&self) -> Option<&[u8]> {
        self.pong.get(..usize::from(self.pong_len))
    }

    pub(crate) fn clear_pong(&mut self) {
        self.pong_len = NO_PONG;
    }

    pub(crate) fn set_pong(&mut self, payload: &[u8]) {
        if let Some(slot) = self.pong.get_mut(..payload.len()) {
            slot.copy_from_slice(payload);
            self.pong_len = payload.len() as u8;
        }
    }

    pub(crate) const fn close(&self) -> Option<CloseReply> {
        self.close
    }

    /// Nothing is owed any more.
    pub(crate) fn clear(&mut self) {
        self.clear_pong();
        self.clear_close();
    }

    pub(crate) fn clear_close(&mut self) {
        self.close = None;
    }

    pub(crate) fn set_close(&mut self, close: CloseReply) {
        self.close.get_or_insert(close);
    }
}

impl Default for Mailbox {
    fn default() -> Self {
        Self::new()
    }
}

debug_states!([] Mailbox, |this| { pong: this.pong_len, close: this.close });
