//! The buffer that a transport is read into, which is also where messages are assembled.
//
// Owns: which bytes of the buffer are an assembled message, and which are unread.
// Must not know: what the bytes mean, or how large a buffer should be.
//
//     0 .. message .. unread .. space for the next read .. buf.len()
//
// - `message.start <= message.end <= unread.start <= unread.end <= buf.len()`.
// - `message` is payload that was joined. `unread` is what was read and not consumed.
// - `acquire`, `space`, `release` and `join` may move bytes, and keep their order.

use alloc::vec::Vec;
use core::ops::Range;

use super::buffer_pool::BufferPool;
use super::bytes::{empty_mut, move_down};
use super::read_size::{plan, Facts, Plan, ReadInto, ReadSizes};
use crate::input::Input;

pub(crate) struct ReadBuffer {
    buf: Vec<u8>,
    message: Range<usize>,
    unread: Range<usize>,
    sizes: ReadSizes,
}

impl ReadBuffer {
    /// Made when it is first needed. It begins with bytes received already.
    pub(crate) fn new(standard: usize, received: &[u8]) -> Self {
        let (buf, unread) = (received.to_vec(), 0..received.len());
        Self { buf, message: 0..0, unread, sizes: ReadSizes::new(standard) }
    }

    /// Bytes of a standard buffer.
    pub(crate) const fn capacity(&self) -> usize {
        self.sizes.standard
    }

    /// Whether there is much space in a standard buffer. What is announced does not matter then.
    pub(crate) fn has_space(&mut self) -> bool {
        if self.buf.len() != self.sizes.standard {
            return false;
        }
        if self.is_empty() {
            self.clear();
            return true;
        }
        self.unread.end.wrapping_add(self.sizes.standard >> 2) < self.sizes.frames_end
    }

    pub(crate) fn plain_space(&mut self) -> &mut [u8] {
        self.buf.get_mut(self.unread.end..self.sizes.frames_end).unwrap_or_else(|| empty_mut())
    }

    /// Its end has not come.
    pub(crate) fn expect_frames(&mut self, bytes: usize) {
        self.sizes.expect_frames(bytes);
    }

    /// Never empty. `announced` bytes of a frame have still to come. A large message is read `at_once` or block by
    /// block.
    pub(crate) fn space(&mut self, announced: u64, at_once: bool) -> &mut [u8] {
        let plan = plan(&self.facts(announced, at_once, false));
        self.prepare(&plan, &mut BufferPool::new());
        let (from, len) = (self.unread.end, self.buf.len());
        self.buf.get_mut(from..len.min(from.saturating_add(plan.bytes))).unwrap_or(&mut [])
    }

    pub(crate) fn acquire(&mut self, announced: u64, pool: &mut BufferPool) {
        let plan = plan(&self.facts(announced, false, true));
        self.prepare(&plan, pool);
    }

    /// If nothing stands in the buffer, or little, which moves to storage of its own.
    pub(crate) fn release(&mut self, pool: &mut BufferPool) {
        let (held, len, standard) = (self.held(), self.buf.len(), self.sizes.standard);
        let next = if held <= standard >> 2 && held < len {
            alloc::vec![0; held]
        } else if held <= standard && standard < len {
            pool.take(standard, standard)
        } else {
            return;
        };
        self.move_to(next, pool);
    }

    pub(crate) fn is_large(&self) -> bool {
        self.buf.len() > self.sizes.standard
    }

    /// `count` bytes were read into the space.
    pub(crate) fn filled(&mut self, count: usize) {
        self.unread.end = self.unread.end.saturating_add(count).min(self.buf.len());
    }

    /// The bytes that were read and not consumed.
    pub(crate) fn unread(&mut self) -> &mut [u8] {
        self.buf.get_mut(self.unread.start..self.unread.end).unwrap_or_else(|| empty_mut())
    }

    pub(crate) fn unread_len(&self) -> usize {
        self.unread.len()
    }

    /// Lends the unread bytes to `read` and consumes what it took.
    pub(crate) fn take<'i, T>(&'i mut self, read: impl FnOnce(&mut Input<'i>) -> T) -> T {
        let Self { buf, unread, .. } = self;
        let mut input = Input::new(buf.get_mut(unread.start..unread.end).unwrap_or(&mut []));
        let taken = read(&mut input);
        unread.start = unread.start.saturating_add(input.consumed()).min(unread.end);
        taken
    }

    /// Consumes the next `count` unread bytes.
    pub(crate) fn take_front(&mut self, count: usize) -> &mut [u8] {
        let from = self.unread.start;
        let to = from.wrapping_add(count);
        self.unread.start = to.min(self.unread.end);
        self.buf.get_mut(from..to).unwrap_or_else(|| empty_mut())
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.unread.start = self.unread.start.saturating_add(count).min(self.unread.end);
    }

    /// They are the next piece of the message.
    pub(crate) fn join(&mut self, count: usize) {
        let from = self.unread.start;
        self.consume(count);
        let piece = from..self.unread.start;
        if self.message.is_empty() {
            self.message = piece;
        } else {
            let end = self.message.end;
            self.message.end = end.saturating_add(piece.len());
            move_down(&mut self.buf, piece, end);
        }
    }

    /// As far as it was joined.
    pub(crate) fn message(&self) -> &[u8] {
        self.buf.get(self.message.start..self.message.end).unwrap_or(&[])
    }

    #[cfg(feature = "deflate")]
    pub(crate) fn consume_message(&mut self, count: usize) {
        self.message.start = self.message.start.saturating_add(count).min(self.message.end);
    }

    pub(crate) fn clear_message(&mut self) {
        if self.sizes.expected > 0 && !self.message.is_empty() {
            self.sizes.expect_message(self.message.len());
        }
        self.message = 0..0;
    }

    pub(crate) fn restart(&mut self) {
        self.clear();
        self.sizes.frames_end = self.sizes.standard;
    }

    fn clear(&mut self) {
        (self.message, self.unread) = (0..0, 0..0);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.message.is_empty() && self.unread.is_empty()
    }

    fn held(&self) -> usize {
        self.message.len().saturating_add(self.unread.len())
    }

    fn facts(&self, announced: u64, at_once: bool, pooled: bool) -> Facts {
        let (len, held, end) = (self.buf.len(), self.held(), self.unread.end);
        Facts { sizes: self.sizes, len, held, end, announced, at_once, pooled }
    }

    fn prepare(&mut self, plan: &Plan, pool: &mut BufferPool) {
        self.sizes = plan.sizes;
        let standard = self.sizes.standard;
        let next = match plan.buffer {
            ReadInto::Same => return,
            ReadInto::Front => return self.compact(),
            ReadInto::Standard => pool.take(standard, standard),
            ReadInto::Large { best, size } => {
                pool.take_large(best).unwrap_or_else(|| pool.take(size, standard))
            }
        };
        self.move_to(next, pool);
    }

    fn compact(&mut self) {
        let mut end = 0_usize;
        for part in [&mut self.message, &mut self.unread] {
            let start = end;
            end = end.saturating_add(part.len());
            move_down(&mut self.buf, core::mem::replace(part, start..end), start);
        }
    }

    /// Goes on in another buffer, with what is needed, and gives the old one to `pool`.
    fn move_to(&mut self, mut next: Vec<u8>, pool: &mut BufferPool) {
        let mut end = 0_usize;
        for part in [&mut self.message, &mut self.unread] {
            let start = end;
            let bytes = self.buf.get(part.clone()).unwrap_or(&[]);
            end = start.saturating_add(bytes.len());
            if let Some(slot) = next.get_mut(start..end) {
                slot.copy_from_slice(bytes);
            }
            *part = start..end;
        }
        pool.keep(core::mem::replace(&mut self.buf, next), self.sizes.standard);
    }
}

debug_states!([] ReadBuffer, |this| { message: this.message, unread: this.unread, capacity: this.buf.len() });

// The buffer is not public, and what an endpoint does with it reaches only a part of what it can do.
#[cfg(test)]
mod tests;
