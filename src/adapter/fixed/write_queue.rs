//! The sending direction, in a buffer that the caller lends.
//
// Owns: what waits to be written, and the order of replies and frames.
// Must not know: what is received.

use embedded_io::ErrorKind;

use super::Error;
#[cfg(feature = "handshake")]
use super::FixedBuffers;
use crate::close::CloseFrame;
use crate::connection::send_half::SendHalf;
#[cfg(feature = "handshake")]
use crate::error::BufferTooSmall;
use crate::error::SendError;
use crate::frame::{FrameHeader, MessageKind};
use crate::payload::{ControlPayload, Payload};
use crate::role::Role;

pub(in crate::adapter) struct FixedWriteQueue<'b> {
    bytes: &'b mut [u8],
    start: usize,
    end: usize,
    unflushed: bool,
}

impl<'b> FixedWriteQueue<'b> {
    pub(in crate::adapter) fn new(bytes: &'b mut [u8]) -> Self {
        Self { bytes, start: 0, end: 0, unflushed: false }
    }

    /// Once nothing waits.
    #[cfg(feature = "handshake")]
    pub(super) fn into_buffer(self) -> &'b mut [u8] {
        self.bytes
    }

    pub(in crate::adapter) fn bytes(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or(&[])
    }

    fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    pub(super) fn pending(&self) -> Option<Pending> {
        if !self.is_empty() {
            Some(Pending::Write)
        } else if self.unflushed {
            Some(Pending::Flush)
        } else {
            None
        }
    }

    /// Calls `write` with the space behind what waits. It returns how many bytes it wrote.
    pub(super) fn fill<E>(&mut self, write: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Result<usize, E> {
        if self.is_empty() {
            self.start = 0;
            self.end = 0;
        }
        let written = write(self.bytes.get_mut(self.end..).unwrap_or(&mut []))?;
        self.end = self.end.saturating_add(written).min(self.bytes.len());
        Ok(written)
    }

    /// Copies a text into the end of the buffer. Fails if the rest would be too short.
    #[cfg(feature = "handshake")]
    pub(super) fn keep(&mut self, text: &str) -> Result<&'b str, BufferTooSmall> {
        let left = self.bytes.len().checked_sub(text.len()).filter(|left| *left >= FixedBuffers::MIN_WRITE);
        let required = text.len().saturating_add(FixedBuffers::MIN_WRITE);
        let left = left.ok_or(BufferTooSmall::new(required))?;
        let (bytes, kept) = core::mem::take(&mut self.bytes).split_at_mut_checked(left).unwrap_or_default();
        self.bytes = bytes;
        kept.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
        Ok(core::str::from_utf8(kept).unwrap_or_default())
    }

    fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
        self.unflushed = false;
    }

    pub(super) fn written<E: embedded_io::Error>(
        &mut self,
        result: Result<usize, E>,
    ) -> Result<(), Error<E>> {
        match result {
            Ok(0) => Err(Error::WriteZero),
            Ok(count) => {
                self.start = self.start.saturating_add(count).min(self.end);
                self.unflushed = true;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(Error::Io(error)),
        }
    }

    pub(super) fn flushed<E: embedded_io::Error>(&mut self, result: Result<(), E>) -> Result<(), Error<E>> {
        match result {
            Ok(()) => {
                self.unflushed = false;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(Error::Io(error)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::adapter) enum Pending {
    /// Write [`FixedOutbound::output`], and report the result to [`FixedOutbound::written`].
    Write,
    /// Flush, and report the result to [`FixedOutbound::flushed`].
    Flush,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::adapter) enum Queued {
    /// The whole frame waits to be written.
    Whole,
    /// Its payload must be given to [`FixedOutbound::payload`].
    Header,
    /// Write first, then try again.
    NoRoom,
}

/// The sending direction of a [`Driver`](super::Driver).
pub(in crate::adapter) struct FixedOutbound<'e, 'b, R> {
    pub(super) send_half: &'e mut SendHalf<R>,
    pub(super) write_queue: &'e mut FixedWriteQueue<'b>,
}

impl<R: Role> FixedOutbound<'_, '_, R> {
    /// If it does not fit an empty buffer, only its header is queued.
    pub(in crate::adapter) fn feed(&mut self, payload: Payload<'_>, fin: bool) -> Result<Queued, SendError> {
        self.check()?;
        match self.write_queue.fill(|out| self.send_half.writer.encode(payload, fin, out)) {
            Err(SendError::BufferTooSmall(_)) if self.write_queue.is_empty() && !payload.is_deflated() => {
                self.begin(payload.kind(), fin, payload.as_bytes().len() as u64)
            }
            result => self.whole(result),
        }
    }

    /// Its payload follows.
    pub(in crate::adapter) fn begin(
        &mut self,
        kind: MessageKind,
        fin: bool,
        len: u64,
    ) -> Result<Queued, SendError> {
        self.check()?;
        // Before the writer begins the frame.
        if self.write_queue.bytes.len().saturating_sub(self.write_queue.end) < FrameHeader::MAX_LEN
            && !self.write_queue.is_empty()
        {
            return Ok(Queued::NoRoom);
        }
        let header = self.send_half.writer.begin(kind, fin, len)?;
        let header = header.as_bytes();
        let copy = |out: &mut [u8]| match out.get_mut(..header.len()) {
            Some(slot) => {
                slot.copy_from_slice(header);
                Ok(header.len())
            }
            None => Ok(0),
        };
        self.write_queue.fill(copy).map(|_| Queued::Header)
    }

    /// As much as fits. Returns how many octets. 0 if something must be written first.
    pub(in crate::adapter) fn payload(&mut self, octets: &[u8]) -> Result<usize, SendError> {
        self.check()?;
        self.write_queue.fill(|out| {
            let count = octets.len().min(out.len());
            self.send_half.writer.mask_copy(octets.get(..count).unwrap_or(&[]), out)
        })
    }

    pub(in crate::adapter) fn frame_remaining(&self) -> u64 {
        self.send_half.writer.frame_remaining()
    }

    pub(in crate::adapter) fn ping(&mut self, payload: ControlPayload<'_>) -> Result<Queued, SendError> {
        self.check()?;
        let result = self.write_queue.fill(|out| self.send_half.writer.ping(payload, out));
        self.whole(result)
    }

    pub(in crate::adapter) fn pong(&mut self, payload: ControlPayload<'_>) -> Result<Queued, SendError> {
        self.check()?;
        let result = self.write_queue.fill(|out| self.send_half.writer.pong(payload, out));
        self.whole(result)
    }

    pub(in crate::adapter) fn close(&mut self, frame: CloseFrame<'_>) -> Result<Queued, SendError> {
        self.check()?;
        // The Pong that goes first is queued by itself.
        self.queue_owed()?;
        let result = self.write_queue.fill(|out| self.send_half.writer.close(frame, out));
        self.whole(result)
    }

    /// Including what is owed.
    pub(in crate::adapter) fn pending(&mut self) -> Result<Option<Pending>, SendError> {
        if self.has_ended() {
            return Ok(None);
        }
        let owed = self.queue_owed();
        match self.write_queue.pending() {
            None => owed.map(|()| None),
            // What was queued before is written in any case.
            some => Ok(some),
        }
    }

    pub(in crate::adapter) fn output(&self) -> &[u8] {
        self.write_queue.bytes()
    }

    pub(in crate::adapter) fn written<E: embedded_io::Error>(
        &mut self,
        result: Result<usize, E>,
    ) -> Result<(), Error<E>> {
        self.write_queue.written(result)
    }

    pub(in crate::adapter) fn flushed<E: embedded_io::Error>(
        &mut self,
        result: Result<(), E>,
    ) -> Result<(), Error<E>> {
        self.write_queue.flushed(result)
    }

    /// Only a time-out is returned as an error.
    pub(in crate::adapter) fn told<E: embedded_io::Error>(
        &mut self,
        result: Result<(), Error<E>>,
    ) -> Result<(), Error<E>> {
        self.unless_lost(result)
    }

    /// The peer was told, or cannot be.
    pub(in crate::adapter) fn reported(&mut self) {
        self.send_half.writer.close_state.take_failure();
    }

    /// Returns only errors after which writing can be tried again. Others end the writing direction.
    pub(super) fn unless_lost<E: embedded_io::Error>(
        &mut self,
        result: Result<(), Error<E>>,
    ) -> Result<(), Error<E>> {
        match result {
            Err(Error::Io(error)) if error.kind() == ErrorKind::TimedOut => Err(Error::Io(error)),
            Err(_) => {
                self.end();
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    pub(super) fn end(&mut self) {
        self.send_half.write_ended(self.write_queue.pending().is_none());
        self.write_queue.clear();
    }

    fn has_ended(&self) -> bool {
        self.send_half.writer.close_state.write_ended()
    }

    fn check(&self) -> Result<(), SendError> {
        if self.has_ended() {
            return Err(SendError::Closed);
        }
        Ok(())
    }

    /// If there is room.
    pub(super) fn queue_owed(&mut self) -> Result<(), SendError> {
        if self.has_ended() {
            return Ok(());
        }
        while self.send_half.writer.wants_transmit()
            && self.write_queue.fill(|out| self.send_half.writer.poll_transmit(out))? > 0
        {}
        Ok(())
    }

    fn whole(&self, result: Result<usize, SendError>) -> Result<Queued, SendError> {
        match result {
            Ok(_) => Ok(Queued::Whole),
            Err(SendError::BufferTooSmall(_)) if !self.write_queue.is_empty() => Ok(Queued::NoRoom),
            Err(error) => Err(error),
        }
    }
}

debug_states!([] FixedWriteQueue<'_>, |this| { queued: this.end.saturating_sub(this.start), capacity: this.bytes.len(), unflushed: this.unflushed });

debug_states!([R] FixedOutbound<'_, '_, R>, |this| { send_half: this.send_half, write_queue: this.write_queue });
