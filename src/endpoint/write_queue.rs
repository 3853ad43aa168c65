//! Bytes that wait to be written, within a bound.
//
// Owns: the queue and its cap.
// Must not know: what the bytes mean, or how they are written.

use alloc::vec::Vec;
use core::fmt;

use super::buffer_pool::{keep_larger, BufferPool};
use super::bytes::{empty_mut, move_down};
use crate::error::SendError;
use crate::frame::{copy, FrameHeader};

/// Data beyond the cap is refused. Closes and Pongs are small and few, and never are.
pub(crate) struct WriteQueue {
    /// What waits stands in `written..end`.
    buf: Vec<u8>,
    written: usize,
    end: usize,
    cap: usize,
    /// Whether the storage goes to a pool.
    pooled: bool,
}

/// Storage up to this size is kept when the queue runs empty.
const KEPT: usize = 64 << 10;
/// Their headers have 2 or 4 bytes.
const SHORT: usize = 0xFFFF;
/// Storage begins with this size.
const LEAST: usize = 512;

impl WriteQueue {
    pub(crate) const fn new(cap: usize) -> Self {
        Self { buf: Vec::new(), written: 0, end: 0, cap, pooled: false }
    }

    pub(crate) fn queued(&self) -> usize {
        self.end.saturating_sub(self.written)
    }

    /// Bytes that may wait.
    pub(crate) const fn cap(&self) -> usize {
        self.cap
    }

    /// One frame always fits an empty queue.
    pub(crate) fn admit(&self, len: usize) -> Result<(), FeedError> {
        let queued = self.queued();
        if queued > 0 && queued.saturating_add(len) > self.cap {
            return Err(FeedError::Full { queued, cap: self.cap });
        }
        Ok(())
    }

    /// What is owed waits in its slots while the queue is at its cap.
    pub(crate) fn has_room(&self) -> bool {
        self.queued() < self.cap.max(1)
    }

    /// Space behind what waits, of at least `len` bytes.
    pub(crate) fn room(&mut self, len: usize) -> &mut [u8] {
        if self.buf.len().saturating_sub(self.end) < len {
            self.enlarge(len);
        }
        self.buf.get_mut(self.end..).unwrap_or(&mut [])
    }

    /// They wait now.
    pub(crate) fn filled(&mut self, len: usize) {
        self.end = self.end.saturating_add(len).min(self.buf.len());
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        // What is in memory does not wrap.
        let until = self.end.wrapping_add(bytes.len());
        match self.buf.get_mut(self.end..until) {
            Some(slot) => {
                copy(bytes, slot);
                self.end = until;
            }
            None => self.push_slowly(bytes),
        }
    }

    fn push_slowly(&mut self, bytes: &[u8]) {
        if let Some(slot) = self.room(bytes.len()).get_mut(..bytes.len()) {
            slot.copy_from_slice(bytes);
        }
        self.filled(bytes.len());
    }

    /// Space for a whole frame with a short payload; `None` if it is not short, or more room is to be made or asked
    /// for.
    pub(crate) fn room_for_short(&mut self, len: usize) -> Option<&mut [u8]> {
        if len > SHORT {
            return None;
        }
        // No sum of these wraps.
        let until = self.end.wrapping_add(len).wrapping_add(FrameHeader::MAX_LEN);
        if until.wrapping_sub(self.written) > self.cap {
            return None;
        }
        self.buf.get_mut(self.end..until)
    }

    /// They are there, and wait now.
    pub(crate) fn filled_short(&mut self, len: usize) {
        self.end = self.end.wrapping_add(len);
    }

    /// What was appended since [`queued`](Self::queued) returned that.
    #[cfg(feature = "deflate")]
    pub(crate) fn since(&mut self, queued: usize) -> &mut [u8] {
        self.buf.get_mut(self.written.saturating_add(queued)..self.end).unwrap_or(&mut [])
    }

    /// Forgets what was appended since then.
    #[cfg(feature = "deflate")]
    pub(crate) fn truncate(&mut self, queued: usize) {
        self.end = self.written.saturating_add(queued).min(self.end);
    }

    /// For a header that is not known yet.
    #[cfg(feature = "deflate")]
    pub(crate) fn open_gap(&mut self) {
        self.push(&[0; FrameHeader::MAX_LEN]);
    }

    /// What follows goes right behind it.
    #[cfg(feature = "deflate")]
    pub(crate) fn close_gap(&mut self, queued: usize, header: &[u8]) {
        let surplus = FrameHeader::MAX_LEN.saturating_sub(header.len());
        let len = self.since(queued).len().saturating_sub(surplus);
        let frame = self.since(queued);
        let (payload, end) = (FrameHeader::MAX_LEN, frame.len());
        move_down(frame, payload..end, header.len());
        if let Some(slot) = frame.get_mut(..header.len()) {
            slot.copy_from_slice(header);
        }
        self.truncate(queued.saturating_add(len));
    }

    #[cfg(feature = "deflate")]
    pub(crate) fn grow(&mut self, len: usize) -> &mut [u8] {
        self.room(len);
        // Making room may move what waits.
        let from = self.end;
        self.filled(len);
        self.buf.get_mut(from..self.end).unwrap_or(&mut [])
    }

    #[cfg(feature = "deflate")]
    pub(crate) fn take_back(&mut self, len: usize) {
        self.end = self.end.saturating_sub(len).max(self.written);
    }

    /// The bytes that wait, in order.
    pub(crate) fn bytes(&self) -> &[u8] {
        // It is there: a branch takes less than a choice.
        self.buf.get(..self.end).and_then(|bytes| bytes.get(self.written..)).unwrap_or_else(|| empty_mut())
    }

    pub(crate) fn wrote(&mut self, count: usize) {
        // Never more than what was queued.
        if count < self.end.wrapping_sub(self.written) {
            self.wrote_part(count);
            return;
        }
        self.written = 0;
        self.end = 0;
        if self.buf.len() > KEPT && !self.pooled {
            self.buf = Vec::new();
        }
    }

    /// Not all.
    fn wrote_part(&mut self, count: usize) {
        self.written = self.written.saturating_add(count);
        if self.written >= KEPT && self.written >= self.queued() {
            // A queue that never runs empty must not keep what was written; what moves is less than what went.
            self.compact();
        }
    }

    pub(crate) fn restart(&mut self) {
        self.written = 0;
        self.end = 0;
    }

    pub(crate) fn is_bare(&self) -> bool {
        self.buf.is_empty()
    }

    pub(crate) fn is_large(&self) -> bool {
        self.buf.len() > KEPT
    }

    pub(crate) fn acquire(&mut self, pool: &mut BufferPool) {
        if self.buf.is_empty() {
            core::mem::swap(&mut self.buf, &mut pool.output);
            self.pooled = true;
        }
    }

    /// If nothing waits.
    pub(crate) fn release(&mut self, pool: &mut BufferPool) {
        if self.queued() == 0 && !self.buf.is_empty() {
            keep_larger(&mut pool.output, self.take_storage());
        }
    }

    pub(crate) fn take_storage(&mut self) -> Vec<u8> {
        (self.written, self.end, self.pooled) = (0, 0, false);
        core::mem::take(&mut self.buf)
    }

    fn compact(&mut self) {
        move_down(&mut self.buf, self.written..self.end, 0);
        self.end = self.queued();
        self.written = 0;
    }

    /// In time that is in proportion to what is appended.
    fn enlarge(&mut self, len: usize) {
        if self.written >= self.queued() {
            self.compact();
        }
        let needed = self.end.saturating_add(len);
        if needed > self.buf.len() {
            self.buf.resize(needed.max(self.buf.len().saturating_mul(2)).max(LEAST), 0);
        }
    }
}

/// Why a message was not queued. Nothing of it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FeedError {
    /// Write the queue out first. If the transport takes nothing of it for too long, the peer does not read: drop it.
    Full {
        /// Bytes that wait.
        queued: usize,
        /// Bytes that may wait.
        cap: usize,
    },
    /// The protocol or the environment does not allow the message now.
    Send(SendError),
}

impl fmt::Display for FeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { queued, cap } => write!(f, "{queued} of at most {cap} bytes are queued already"),
            Self::Send(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for FeedError {}

impl From<SendError> for FeedError {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}

debug_states!([] WriteQueue, |this| { queued: this.end.saturating_sub(this.written), cap: this.cap });
