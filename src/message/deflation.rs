//! The messages that go out compressed.
//!
//! Owns: which ones do, and their octets on the way into the outbox. Must not know: how they are compressed.

use super::outbox::Outbox;
use crate::deflate::{Deflater, Flush, WindowBits};
use crate::error::SendError;
use crate::payload::Payload;
use crate::role::Role;
use crate::writer::Writer;

/// What an endpoint compresses.
pub(super) struct Deflation {
    deflater: Deflater,
    threshold: usize,
    window: WindowBits,
}

/// Compressed octets come out in steps of at most this.
const STEP: usize = 16 << 10;

impl Deflation {
    pub(super) const fn new(deflater: Deflater, threshold: usize, window: WindowBits) -> Self {
        Self { deflater, threshold, window }
    }

    /// Whether this payload is to be compressed, as far as this side is concerned.
    pub(super) fn wants<R: Role>(&self, writer: &Writer<R>, payload: &Payload<'_>, fin: bool) -> bool {
        if payload.is_deflated() || !writer.compresses() {
            return false;
        }
        // Decided before the window is touched. How long a message in fragments will be is not known.
        writer
            .message_is_deflated()
            .or(payload.compression())
            .unwrap_or(!fin || payload.octets().len() >= self.threshold)
    }

    /// Queues a frame with the payload compressed, or as it is if that is shorter and nothing speaks against
    /// it.
    pub(super) fn append<R: Role>(
        &mut self,
        writer: &mut Writer<R>,
        outbox: &mut Outbox,
        payload: Payload<'_>,
        fin: bool,
    ) -> Result<(), SendError> {
        let queued = outbox.queued();
        let whole = fin && writer.message_is_deflated().is_none();
        let result = self.compress(outbox, payload, fin).and_then(|len| {
            // An empty window is forgotten anyway, so that nothing but the octets is lost.
            if whole && !self.deflater.takes_context_over() && len >= payload.octets().len() {
                outbox.truncate(queued);
                let header = writer.begin_whole(payload, fin)?;
                outbox.push(header.as_bytes());
                outbox.push(payload.octets());
                return Ok(header);
            }
            let header = writer.begin_deflated(payload, fin, len)?;
            outbox.close_gap(queued, header.as_bytes());
            Ok(header)
        });
        match result {
            Ok(header) => {
                writer.mask_whole(outbox.since(queued.saturating_add(header.as_bytes().len())));
                Ok(())
            }
            Err(error) => {
                // The peer will not see what the window holds now.
                outbox.truncate(queued);
                self.deflater.reset();
                Err(error)
            }
        }
    }

    /// Whether a message that was compressed elsewhere, with an empty window of `window`, may be passed on.
    pub(super) fn admits<R: Role>(&self, writer: &Writer<R>, window: WindowBits) -> bool {
        writer.compresses() && window <= self.window
    }

    /// A compressed message was passed on: it is in the peer's window, and not in ours.
    pub(super) fn passed(&mut self) {
        self.deflater.reset();
    }

    /// Whether nothing of earlier messages is remembered.
    pub(super) fn is_at_rest(&self) -> bool {
        !self.deflater.keeps_context()
    }

    /// Goes on at the beginning of another connection.
    pub(super) fn restart(&mut self) {
        self.deflater.restart();
    }

    /// Gives back what an idle connection does not need.
    pub(super) fn release(&mut self) {
        self.deflater.release();
    }

    /// Compresses behind a gap for the longest header; how many octets.
    fn compress(&mut self, outbox: &mut Outbox, payload: Payload<'_>, fin: bool) -> Result<usize, SendError> {
        outbox.open_gap();
        let flush = if fin { Flush::Message } else { Flush::Fragment };
        let mut input = payload.octets();
        // What was taken in may still be on its way out.
        let most = Deflater::bound(input.len());
        let mut len = 0_usize;
        loop {
            let room = outbox.grow(most.saturating_sub(len).clamp(64, STEP));
            let spare = room.len();
            let deflated = self.deflater.deflate(&mut input, flush, room)?;
            outbox.shrink(spare.saturating_sub(deflated.written));
            len = len.saturating_add(deflated.written);
            if deflated.done {
                return Ok(len);
            }
        }
    }
}

debug_states!([] Deflation, |this| { threshold: this.threshold, window: this.window });
