//! What the receiving half leaves for the sending one: the newest Pong that is owed, the Pong that came, and the end.
//
// Owns: the slots between a reader and a writer, in bounded memory.
// Must not know: how replies are written, or what the end leads to.

use crate::connection::close_state::CloseEvent;
use crate::connection::round_trip::digest;

/// The slots in which a [`Reader`](crate::Reader) leaves what a [`SendHalf`](crate::SendHalf) or a
/// [`Writer`](crate::Writer) has to know: the Pong that is owed, that a Pong came, and how the receiving direction ended.
///
/// The next Ping replaces a Pong that was not sent (RFC 6455 section 5.5.3). Where the halves live on two tasks, this
/// value goes from one to the other.
#[derive(Clone, Copy)]
pub struct Mailbox {
    pong: [u8; 125],
    pong_len: u8,
    /// Stands for the payload of the Pong that came last.
    answer: Option<u8>,
    /// How the receiving direction ended.
    end: Option<CloseEvent>,
}

const NO_PONG: u8 = u8::MAX;

impl Mailbox {
    /// Nothing is left.
    pub const fn new() -> Self {
        Self { pong: [0; 125], pong_len: NO_PONG, answer: None, end: None }
    }

    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.pong_len == NO_PONG && self.end.is_none() && self.answer.is_none()
    }

    /// Moves what is in `from` to here.
    pub fn merge(&mut self, from: &mut Self) {
        if let Some(payload) = from.pong() {
            self.set_pong(payload);
        }
        if let Some(end) = from.take_end() {
            self.set_end(end);
        }
        from.clear_pong();
        self.answer = from.take_answer().or(self.answer);
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

    /// A Pong came.
    pub(crate) fn set_answer(&mut self, payload: &[u8]) {
        self.answer = Some(digest(payload));
    }

    /// The [`digest`] of the Pong that came last, once.
    pub(crate) fn take_answer(&mut self) -> Option<u8> {
        self.answer.take()
    }

    pub(crate) const fn has_end(&self) -> bool {
        self.end.is_some()
    }

    /// The end, once.
    pub(crate) fn take_end(&mut self) -> Option<CloseEvent> {
        self.end.take()
    }

    pub(crate) fn set_end(&mut self, end: CloseEvent) {
        self.end.get_or_insert(end);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }
}

impl Default for Mailbox {
    fn default() -> Self {
        Self::new()
    }
}

debug_states!([] Mailbox, |this| { pong: this.pong_len, end: this.end });
