//! Bytes that wait to be written, within a bound.
//!
//! Owns: the queue and its cap. Must not know: what the bytes mean, or how they are written.

use alloc::vec::Vec;
use core::fmt;

use crate::error::SendError;
#[cfg(feature = "deflate")]
use crate::frame::FrameHeader;

/// Output that the transport has not taken yet.
///
/// Data beyond the cap is refused; Closes and Pongs are small and few, and are never refused for it.
#[derive(Debug)]
pub(crate) struct Outbox {
    buf: Vec<u8>,
    written: usize,
    cap: usize,
    ended: bool,
    /// Whether the storage is not this queue's own.
    lent: bool,
    /// Whether bytes were dropped at the end.
    dropped: bool,
}

/// Storage of its own up to this size is kept when the queue runs empty.
const KEPT: usize = 64 << 10;
/// Spare storage up to this size is kept.
const MOST_SPARE: usize = 4 << 20;

impl Outbox {
    pub(crate) const fn new(cap: usize) -> Self {
        Self { buf: Vec::new(), written: 0, cap, ended: false, lent: false, dropped: false }
    }

    /// Bytes that wait.
    pub(crate) fn queued(&self) -> usize {
        self.buf.len().saturating_sub(self.written)
    }

    /// Whether a frame of `len` bytes may be queued. One frame always fits an empty queue.
    pub(crate) fn admit(&self, len: usize) -> Result<(), FeedError> {
        let queued = self.queued();
        if queued > 0 && queued.saturating_add(len) > self.cap {
            return Err(FeedError::Full { queued, cap: self.cap });
        }
        Ok(())
    }

    /// Whether what is owed to the peer may be queued: it waits in its slots while the queue is at its cap.
    pub(crate) fn has_room(&self) -> bool {
        self.queued() < self.cap.max(1)
    }

    /// Appends bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    /// The bytes from `queued` on: those appended since [`queued`](Self::queued) returned that.
    pub(crate) fn since(&mut self, queued: usize) -> &mut [u8] {
        self.buf.get_mut(self.written.saturating_add(queued)..).unwrap_or(&mut [])
    }

    /// Forgets the bytes from `queued` on.
    #[cfg(feature = "deflate")]
    pub(crate) fn truncate(&mut self, queued: usize) {
        self.buf.truncate(self.written.saturating_add(queued));
    }

    /// Leaves room for a header that is not known yet.
    #[cfg(feature = "deflate")]
    pub(crate) fn open_gap(&mut self) {
        self.buf.extend_from_slice(&[0; FrameHeader::MAX_LEN]);
    }

    /// Puts the header into the gap at `queued`, and what follows right behind it.
    #[cfg(feature = "deflate")]
    pub(crate) fn close_gap(&mut self, queued: usize, header: &[u8]) {
        let surplus = FrameHeader::MAX_LEN.saturating_sub(header.len());
        let len = self.since(queued).len().saturating_sub(surplus);
        let frame = self.since(queued);
        let payload = FrameHeader::MAX_LEN.min(frame.len());
        frame.copy_within(payload.., header.len().min(payload));
        if let Some(slot) = frame.get_mut(..header.len()) {
            slot.copy_from_slice(header);
        }
        self.truncate(queued.saturating_add(len));
    }

    /// Appends `len` bytes to be written over.
    #[cfg(feature = "deflate")]
    pub(crate) fn grow(&mut self, len: usize) -> &mut [u8] {
        let from = self.buf.len();
        self.buf.resize(from.saturating_add(len), 0);
        self.buf.get_mut(from..).unwrap_or(&mut [])
    }

    /// Takes the last `len` bytes back.
    #[cfg(feature = "deflate")]
    pub(crate) fn shrink(&mut self, len: usize) {
        self.buf.truncate(self.buf.len().saturating_sub(len));
    }

    /// The bytes that wait, in order.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buf.get(self.written..).unwrap_or(&[])
    }

    /// The transport took `count` bytes.
    pub(crate) fn wrote(&mut self, count: usize) {
        self.written = self.written.saturating_add(count).min(self.buf.len());
        if self.written == self.buf.len() {
            self.written = 0;
            if self.buf.capacity() > KEPT && !self.lent {
                self.buf = Vec::new();
            } else {
                self.buf.clear();
            }
        } else if self.written >= KEPT && self.written >= self.queued() {
            // A queue that never runs empty must not keep what was written; what moves is less than what
            // went.
            self.buf.drain(..self.written);
            self.written = 0;
        }
    }

    /// The writing direction was ended.
    pub(crate) fn end(&mut self) {
        self.ended = true;
        self.dropped |= self.queued() > 0;
        self.lent = false;
        self.buf = Vec::new();
        self.written = 0;
    }

    /// Whether the writing direction was ended.
    pub(crate) const fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether the writing direction was ended before everything was written.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.ended && (self.dropped || self.queued() > 0)
    }

    /// Whether there is no storage here.
    pub(crate) fn is_bare(&self) -> bool {
        self.buf.capacity() == 0
    }

    /// Takes the spare storage if there is none here.
    pub(crate) fn lend(&mut self, spare: &mut Vec<u8>) {
        if self.is_bare() {
            core::mem::swap(&mut self.buf, spare);
            self.lent = true;
        }
    }

    /// Gives the storage to `spare` if nothing waits.
    pub(crate) fn give_back(&mut self, spare: &mut Vec<u8>) {
        if self.queued() == 0 && self.buf.capacity() > 0 {
            let storage = core::mem::take(&mut self.buf);
            self.lent = false;
            if (spare.capacity().saturating_add(1)..=MOST_SPARE).contains(&storage.capacity()) {
                *spare = storage;
            }
        }
    }

    /// Frees the storage if nothing waits.
    pub(crate) fn release(&mut self) {
        if self.queued() == 0 {
            self.lent = false;
            self.buf = Vec::new();
            self.written = 0;
        }
    }
}

/// Why a message was not queued. Nothing of it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FeedError {
    /// The peer does not read fast enough: write the queue out first, or drop the peer.
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

/// A message that was not queued, given back with the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a pair with names")]
pub struct Refused<M> {
    /// The message.
    pub message: M,
    /// Why it was refused.
    pub error: FeedError,
}

impl<M> fmt::Display for Refused<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<M: fmt::Debug> core::error::Error for Refused<M> {}
