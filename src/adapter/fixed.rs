//! A [`Connection`](crate::Connection) in buffers that the caller lends, for adapters without an allocator.
//
// Owns: buffers, errors, and the order of the work.
// Must not know: any one transport.

mod driver;
mod error;
#[cfg(feature = "handshake")]
mod opening;
mod write_queue;

pub(super) use driver::{Driver, DriverAction, DriverReady};
pub use error::Error;
#[cfg(feature = "handshake")]
pub(super) use opening::{client_handshake, cut_off, nonce, FixedAgreed, Opening, OpeningStep};
pub(super) use write_queue::{FixedOutbound, Pending, Queued};

use crate::error::BufferTooSmall;
use crate::input::Input;
use crate::MAX_CONTROL_FRAME_LEN;

/// The buffers of one connection.
///
/// Any length works, because payload passes through both in pieces. If the read buffer holds a usual message, it need
/// not be joined. If the write buffer holds a usual frame, fewer writes are needed.
pub struct FixedBuffers<'b> {
    pub(super) read: FixedReadBuffer<'b>,
    pub(super) write: &'b mut [u8],
}

impl<'b> FixedBuffers<'b> {
    /// The shortest write buffer: it holds one control frame, and the answers to most opening handshakes. It must be
    /// longer by the name of a subprotocol that is agreed on.
    pub const MIN_WRITE: usize = MAX_CONTROL_FRAME_LEN;

    /// Lends these two buffers.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if `read` is empty or `write` is shorter than [`MIN_WRITE`](Self::MIN_WRITE).
    pub fn new(read: &'b mut [u8], write: &'b mut [u8]) -> Result<Self, BufferTooSmall> {
        if read.is_empty() {
            return Err(BufferTooSmall::new(1));
        }
        if write.len() < Self::MIN_WRITE {
            return Err(BufferTooSmall::new(Self::MIN_WRITE));
        }
        Ok(Self { read: FixedReadBuffer { bytes: read, start: 0, end: 0 }, write })
    }

    /// The first `count` bytes of the read buffer came already, after an opening handshake that was done elsewhere.
    #[must_use]
    pub fn with_received(mut self, count: usize) -> Self {
        self.read.filled(count);
        self
    }
}

pub(super) struct FixedReadBuffer<'b> {
    bytes: &'b mut [u8],
    start: usize,
    end: usize,
}

impl FixedReadBuffer<'_> {
    #[cfg(feature = "handshake")]
    pub(super) fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or(&[])
    }

    #[cfg(feature = "handshake")]
    pub(super) fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
    }

    pub(super) fn take<'a, T>(&'a mut self, take: impl FnOnce(&mut Input<'a>) -> T) -> T {
        let mut input = Input::new(self.bytes.get_mut(self.start..self.end).unwrap_or(&mut []));
        let taken = take(&mut input);
        self.start = self.start.saturating_add(input.consumed());
        taken
    }

    /// All bytes must have been consumed.
    pub(super) fn space(&mut self) -> &mut [u8] {
        self.bytes
    }

    pub(super) fn filled(&mut self, count: usize) {
        self.start = 0;
        self.end = count.min(self.bytes.len());
    }
}

debug_states!([] FixedBuffers<'_>, |this| { read: this.read, write: this.write.len() });

debug_states!([] FixedReadBuffer<'_>, |this| { held: this.end.saturating_sub(this.start), capacity: this.bytes.len() });
