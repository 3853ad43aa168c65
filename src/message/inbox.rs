//! The buffer that a transport is read into, which is also where messages are assembled.
//!
//! Owns: which bytes of the buffer are an assembled message, which are unread, and when to grow. Must not
//! know: what the bytes mean.

use alloc::vec::Vec;

use crate::input::Input;

/// One buffer with three regions: `message`, joined payload; `unread`, as received; and spare space.
///
/// A large message is read straight to its place behind what already came and is never moved; only payload of
/// further fragments is moved down over the headers between them. Capacity grows with what arrived, never
/// with what was announced.
#[derive(Debug)]
pub(crate) struct Inbox {
    buf: Vec<u8>,
    message: Region,
    unread: Region,
    capacity: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Region {
    start: usize,
    end: usize,
}

impl Region {
    const fn is_empty(self) -> bool {
        self.start == self.end
    }
}

impl Inbox {
    /// A buffer of `capacity` bytes, made when it is first needed, that begins with bytes received already.
    pub(crate) fn new(capacity: usize, received: &[u8]) -> Self {
        let mut inbox = Self {
            buf: Vec::new(),
            message: Region::default(),
            unread: Region::default(),
            capacity: capacity.max(1),
        };
        if !received.is_empty() {
            inbox.buf.extend_from_slice(received);
            inbox.unread.end = received.len();
        }
        inbox
    }

    /// Bytes of a read.
    #[cfg(feature = "deflate")]
    pub(crate) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Space to read into, never empty.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.is_empty() {
            self.message = Region::default();
            self.unread = Region::default();
            if self.buf.len() != self.capacity {
                // Nothing is at stake here: return to the plain size after a large message.
                self.buf = alloc::vec![0; self.capacity];
            }
        }
        if self.is_short() {
            self.compact();
        }
        if self.is_short() {
            let len = self.buf.len().saturating_mul(2).max(self.capacity);
            self.buf.resize(len, 0);
        }
        self.buf.get_mut(self.unread.end..).unwrap_or(&mut [])
    }

    /// `count` bytes were read into the space.
    pub(crate) fn filled(&mut self, count: usize) {
        self.unread.end = self.unread.end.saturating_add(count).min(self.buf.len());
    }

    /// The bytes that were read and not consumed.
    pub(crate) fn unread(&mut self) -> &mut [u8] {
        self.buf.get_mut(self.unread.start..self.unread.end).unwrap_or(&mut [])
    }

    /// Lends the unread bytes to `read` and consumes what it took; what it returns may borrow from them.
    pub(crate) fn take<'i, T>(&'i mut self, read: impl FnOnce(&mut Input<'i>) -> T) -> T {
        let Self { buf, unread, .. } = self;
        let mut input = Input::new(buf.get_mut(unread.start..unread.end).unwrap_or(&mut []));
        let taken = read(&mut input);
        unread.start = unread.start.saturating_add(input.consumed()).min(unread.end);
        taken
    }

    /// The next `count` unread bytes are done with.
    pub(crate) fn consume(&mut self, count: usize) {
        self.unread.start = self.unread.start.saturating_add(count).min(self.unread.end);
    }

    /// The next `count` unread bytes are the next piece of the message.
    pub(crate) fn join(&mut self, count: usize) {
        let from = self.unread.start;
        self.consume(count);
        let to = self.unread.start;
        if self.message.is_empty() {
            self.message = Region { start: from, end: to };
        } else if self.message.end == from {
            self.message.end = to;
        } else if from <= to && to <= self.buf.len() && self.message.end <= from {
            self.buf.copy_within(from..to, self.message.end);
            self.message.end = self.message.end.saturating_add(count);
        }
    }

    /// The message as far as it was joined.
    pub(crate) fn message(&self) -> &[u8] {
        self.buf.get(self.message.start..self.message.end).unwrap_or(&[])
    }

    /// The first `count` octets of the message are done with.
    #[cfg(feature = "deflate")]
    pub(crate) fn consume_message(&mut self, count: usize) {
        self.message.start = self.message.start.saturating_add(count).min(self.message.end);
    }

    /// The message is done with.
    pub(crate) fn clear_message(&mut self) {
        self.message = Region::default();
    }

    /// Whether nothing in the buffer is needed.
    pub(crate) const fn is_empty(&self) -> bool {
        self.message.is_empty() && self.unread.is_empty()
    }

    /// Gives the buffer back if nothing in it is needed.
    pub(crate) fn release(&mut self) {
        if self.is_empty() {
            self.buf = Vec::new();
            self.message = Region::default();
            self.unread = Region::default();
        }
    }

    /// Whether a read into the spare space would be a small one.
    fn is_short(&self) -> bool {
        self.buf.len().saturating_sub(self.unread.end) <= self.capacity >> 2
    }

    /// Moves message and unread bytes to the front.
    fn compact(&mut self) {
        let Region { start, end } = self.message;
        if start <= end && end <= self.buf.len() {
            self.buf.copy_within(start..end, 0);
        }
        self.message = Region { start: 0, end: end.saturating_sub(start) };
        let Region { start, end } = self.unread;
        if start <= end && end <= self.buf.len() && self.message.end <= start {
            self.buf.copy_within(start..end, self.message.end);
            let len = end.saturating_sub(start);
            self.unread = Region { start: self.message.end, end: self.message.end.saturating_add(len) };
        }
    }
}
