//! The sending direction in a buffer that the caller lends.
//
// Owns: what waits to be written, and the order of replies and frames in it.
// Must not know: what is received.

use embedded_io::ErrorKind;

use super::Error;
use crate::close::CloseFrame;
use crate::error::{ProtocolError, SendError};
use crate::frame::{FrameHeader, MessageKind};
use crate::payload::{ControlPayload, Payload};
use crate::role::Role;
use crate::send_half::SendHalf;

/// The write buffer, and which part of it waits for the transport.
pub(in crate::adapter) struct FixedWriteQueue<'b> {
    bytes: &'b mut [u8],
    start: usize,
    end: usize,
    unflushed: bool,
    ended: bool,
    /// Whether what waited was dropped at the end.
    dropped: bool,
}

impl<'b> FixedWriteQueue<'b> {
    pub(in crate::adapter) fn new(bytes: &'b mut [u8]) -> Self {
        Self { bytes, start: 0, end: 0, unflushed: false, ended: false, dropped: false }
    }

    /// What waits.
    pub(in crate::adapter) fn bytes(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or(&[])
    }

    fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    /// Whether anything can still be written.
    fn check(&self) -> Result<(), SendError> {
        if self.ended {
            return Err(SendError::Closed);
        }
        Ok(())
    }

    /// What the transport needs next, if it needs anything.
    pub(super) fn pending(&self) -> Option<Pending> {
        if self.ended {
            None
        } else if !self.is_empty() {
            Some(Pending::Write)
        } else if self.unflushed {
            Some(Pending::Flush)
        } else {
            None
        }
    }

    /// Lets `write` write behind what waits, and answers with what it does.
    pub(super) fn fill<E>(&mut self, write: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Result<usize, E> {
        if self.is_empty() {
            self.start = 0;
            self.end = 0;
        }
        let written = write(self.bytes.get_mut(self.end..).unwrap_or(&mut []))?;
        self.end = self.end.saturating_add(written).min(self.bytes.len());
        Ok(written)
    }

    /// Nothing more can be written.
    pub(super) fn end(&mut self) {
        self.dropped |= !self.ended && (!self.is_empty() || self.unflushed);
        self.ended = true;
        self.start = 0;
        self.end = 0;
    }

    /// Whether the end came before everything was written.
    pub(super) fn is_cut_off(&self) -> bool {
        self.ended && (self.dropped || !self.is_empty())
    }

    /// What writing [`bytes`](Self::bytes) came to.
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

    /// What flushing came to.
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

    /// What is left of an error in writing: one that can be tried again. Others end the writing direction.
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
}

/// What the transport needs to get everything out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::adapter) enum Pending {
    /// Write [`FixedOutbound::output`] and report it with [`FixedOutbound::written`].
    Write,
    /// Flush and report it with [`FixedOutbound::flushed`].
    Flush,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::adapter) enum Queued {
    /// It waits for the transport, whole.
    Whole,
    /// Its header does; its payload goes through [`FixedOutbound::payload`].
    Header,
    /// Nothing of it does: write first, then try again.
    NoRoom,
}

/// The sending direction of a [`Driver`](super::Driver).
pub(in crate::adapter) struct FixedOutbound<'e, 'b, R> {
    pub(super) send_half: &'e mut SendHalf<R>,
    pub(super) write_queue: &'e mut FixedWriteQueue<'b>,
    pub(super) failure: &'e mut Option<ProtocolError>,
}

impl<R: Role> FixedOutbound<'_, '_, R> {
    /// A message, or a fragment of one. If it does not fit an empty buffer, only its header is queued.
    pub(in crate::adapter) fn feed(&mut self, payload: Payload<'_>, fin: bool) -> Result<Queued, SendError> {
        self.write_queue.check()?;
        match self.write_queue.fill(|out| self.send_half.writer.encode(payload, fin, out)) {
            Err(SendError::BufferTooSmall(_)) if self.write_queue.is_empty() && !payload.is_deflated() => {
                self.begin(payload.kind(), fin, payload.as_bytes().len() as u64)
            }
            result => self.whole(result),
        }
    }

    /// The header of a frame whose payload follows.
    pub(in crate::adapter) fn begin(
        &mut self,
        kind: MessageKind,
        fin: bool,
        len: u64,
    ) -> Result<Queued, SendError> {
        self.write_queue.check()?;
        // Before the writer commits itself to the frame.
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

    /// As much as there is room for of the payload of the frame begun last. How many octets that was; 0 if
    /// something must be written first.
    pub(in crate::adapter) fn payload(&mut self, octets: &[u8]) -> Result<usize, SendError> {
        self.write_queue.check()?;
        self.write_queue.fill(|out| {
            let count = octets.len().min(out.len());
            self.send_half.writer.mask_copy(octets.get(..count).unwrap_or(&[]), out)
        })
    }

    /// Octets of the payload of the frame begun last that are still to come.
    pub(in crate::adapter) fn frame_remaining(&self) -> u64 {
        self.send_half.writer.frame_remaining()
    }

    /// A Ping.
    pub(in crate::adapter) fn ping(&mut self, payload: ControlPayload<'_>) -> Result<Queued, SendError> {
        self.write_queue.check()?;
        let result = self.write_queue.fill(|out| self.send_half.writer.ping(payload, out));
        self.whole(result)
    }

    /// A Pong that nobody asked for.
    pub(in crate::adapter) fn pong(&mut self, payload: ControlPayload<'_>) -> Result<Queued, SendError> {
        self.write_queue.check()?;
        let result = self.write_queue.fill(|out| self.send_half.writer.pong(payload, out));
        self.whole(result)
    }

    /// The Close that starts the closing handshake.
    pub(in crate::adapter) fn close(&mut self, frame: CloseFrame<'_>) -> Result<Queued, SendError> {
        self.write_queue.check()?;
        // The Pong that goes first is queued alone, so that an empty buffer always has room.
        self.queue_owed()?;
        let result = self.write_queue.fill(|out| self.send_half.writer.close(frame, out));
        self.whole(result)
    }

    /// What the transport needs next to get everything out, also what is owed to the peer.
    pub(in crate::adapter) fn pending(&mut self) -> Result<Option<Pending>, SendError> {
        let owed = self.queue_owed();
        match self.write_queue.pending() {
            None => owed.map(|()| None),
            // What was queued before goes out whatever became of the rest.
            some => Ok(some),
        }
    }

    /// The bytes to write.
    pub(in crate::adapter) fn output(&self) -> &[u8] {
        self.write_queue.bytes()
    }

    /// What writing them came to.
    pub(in crate::adapter) fn written<E: embedded_io::Error>(
        &mut self,
        result: Result<usize, E>,
    ) -> Result<(), Error<E>> {
        self.write_queue.written(result)
    }

    /// What flushing came to.
    pub(in crate::adapter) fn flushed<E: embedded_io::Error>(
        &mut self,
        result: Result<(), E>,
    ) -> Result<(), Error<E>> {
        self.write_queue.flushed(result)
    }

    /// What writing came to that tells the peer of a failure: only a time-out is left of an error.
    pub(in crate::adapter) fn told<E: embedded_io::Error>(
        &mut self,
        result: Result<(), Error<E>>,
    ) -> Result<(), Error<E>> {
        self.write_queue.unless_lost(result)
    }

    /// A failure that taking a message met is now reported: the peer was told, or cannot be.
    pub(in crate::adapter) fn reported(&mut self) {
        *self.failure = None;
    }

    /// The reader has met this; it is kept until the peer was told of it.
    pub(super) fn failed(&mut self, error: ProtocolError) {
        self.send_half.failed(error);
        self.failure.get_or_insert(error);
    }

    /// Queues what is owed to the peer, as far as there is room.
    pub(super) fn queue_owed(&mut self) -> Result<(), SendError> {
        if self.write_queue.ended {
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

debug_states!([] FixedWriteQueue<'_>, |this| { queued: this.end.saturating_sub(this.start), capacity: this.bytes.len(), unflushed: this.unflushed, ended: this.ended, dropped: this.dropped });

debug_states!([R] FixedOutbound<'_, '_, R>, |this| { send_half: this.send_half, write_queue: this.write_queue, failure: this.failure });
