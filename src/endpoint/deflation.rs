//! The messages that go out compressed.
//
// Owns: which ones do, and their octets on the way into the write queue.
// Must not know: how they are compressed.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::compressing::{CompressedAhead, Compressing};
use super::write_queue::WriteQueue;
use crate::connection::writer::Writer;
use crate::deflate::{Deflater, Flush, WindowBits};
use crate::error::SendError;
use crate::frame::{EncodedHeader, FrameHeader, Masker};
use crate::payload::Payload;
use crate::role::Role;

/// What an endpoint compresses.
pub(super) struct Deflation {
    deflater: Deflater,
    threshold: usize,
    window: WindowBits,
    /// The last message that was compressed ahead.
    number: u32,
    /// Whether the window holds a part of it, of which nothing was queued.
    ahead: bool,
}

/// Compressed octets come out in steps of at most this.
const STEP: usize = 16 << 10;
/// Octets that are compressed ahead in one turn.
const PIECE: usize = 256 << 10;

impl Deflation {
    pub(super) const fn new(deflater: Deflater, threshold: usize, window: WindowBits) -> Self {
        Self { deflater, threshold, window, number: 0, ahead: false }
    }

    /// As far as this side is concerned.
    pub(super) fn wants<R: Role>(&self, writer: &Writer<R>, payload: &Payload<'_>, fin: bool) -> bool {
        if payload.is_deflated() || !writer.compresses() {
            return false;
        }
        // Before the window is touched. How long a message in fragments will be is not known.
        writer
            .message_is_deflated()
            .or(payload.compression())
            .unwrap_or(!fin || payload.as_bytes().len() >= self.threshold)
    }

    /// Queues a frame with the payload compressed, or as it is if that is shorter and nothing speaks against it.
    pub(super) fn append<R: Role>(
        &mut self,
        writer: &mut Writer<R>,
        write_queue: &mut WriteQueue,
        payload: Payload<'_>,
        fin: bool,
    ) -> Result<(), SendError> {
        self.forget_ahead();
        let queued = write_queue.queued();
        let whole = fin && writer.message_is_deflated().is_none();
        write_queue.open_gap();
        let mut input = payload.as_bytes();
        let result = self.compress(write_queue, &mut input, end(fin)).and_then(|len| {
            if whole && self.is_not_shorter(len, payload) {
                write_queue.truncate(queued);
                let header = writer.begin_whole(payload, fin, None)?;
                write_queue.push(header.encode().as_bytes());
                write_queue.push(payload.as_bytes());
                return Ok(header);
            }
            let header = writer.begin_whole(payload, fin, Some(len))?;
            write_queue.close_gap(queued, header.encode().as_bytes());
            Ok(header)
        });
        match result {
            Ok(header) => {
                mask(&header, write_queue.since(queued.saturating_add(header.encode().as_bytes().len())));
                Ok(())
            }
            Err(error) => {
                // The peer will not see what the window holds.
                write_queue.truncate(queued);
                self.deflater.reset();
                Err(error)
            }
        }
    }

    pub(super) fn takes_turns<R: Role>(&self, writer: &Writer<R>, payload: &Payload<'_>, fin: bool) -> bool {
        payload.as_bytes().len() > PIECE && self.wants(writer, payload, fin)
    }

    /// Compresses as much as one turn allows. Returns how many octets of the payload that was, and whether they were
    /// the last.
    pub(super) fn advance(
        &mut self,
        payload: &Payload<'_>,
        fin: bool,
        compressing: &mut Compressing,
    ) -> Result<(usize, bool), SendError> {
        let begun = compressing.work.take().filter(|work| self.ahead && work.number == self.number);
        let work = compressing.work.insert(match begun {
            Some(work) => work,
            None => self.begin(),
        });
        let left = payload.as_bytes().get(work.taken..).unwrap_or(&[]);
        let mut piece = left.get(..PIECE).unwrap_or(left);
        let (len, last) = (piece.len(), piece.len() == left.len());
        self.compress(&mut work.octets, &mut piece, if last { end(fin) } else { Flush::None })?;
        work.taken = work.taken.saturating_add(len);
        Ok((len, last))
    }

    /// Begins the frame of a payload that [`advance`](Self::advance) has compressed.
    pub(super) fn begin_ahead<R: Role>(
        &mut self,
        writer: &mut Writer<R>,
        payload: Payload<'_>,
        fin: bool,
        compressing: &mut Compressing,
    ) -> Result<(EncodedHeader, Vec<u8>), SendError> {
        let mut octets = compressing.work.take().map(|work| work.octets).unwrap_or_default();
        let whole = fin && writer.message_is_deflated().is_none();
        let header = if whole && self.is_not_shorter(octets.len(), payload) {
            octets.clear();
            octets.extend_from_slice(payload.as_bytes());
            writer.begin_whole(payload, fin, None)
        } else {
            writer.begin_whole(payload, fin, Some(octets.len()))
        };
        match header {
            Ok(header) => {
                self.ahead = false;
                mask(&header, &mut octets);
                Ok((header.encode(), octets))
            }
            Err(error) => {
                self.forget_ahead();
                Err(error)
            }
        }
    }

    fn begin(&mut self) -> Box<CompressedAhead> {
        self.forget_ahead();
        self.ahead = true;
        self.number = self.number.wrapping_add(1);
        Box::new(CompressedAhead { number: self.number, taken: 0, octets: Vec::new() })
    }

    /// The message will not be sent: the next one must not refer to it.
    fn forget_ahead(&mut self) {
        if core::mem::take(&mut self.ahead) {
            self.deflater.reset();
        }
    }

    /// Whether to send a whole message uncompressed, because compression has not made it shorter. Where a window is
    /// kept between messages, the peer's must see it as well. With a threshold of 0 every message is sent compressed.
    fn is_not_shorter(&self, len: usize, payload: Payload<'_>) -> bool {
        self.threshold > 0 && !self.deflater.takes_context_over() && len >= payload.as_bytes().len()
    }

    /// Whether a message compressed elsewhere, with an empty window of `window`, may be passed on.
    pub(super) fn admits<R: Role>(&self, writer: &Writer<R>, window: WindowBits) -> bool {
        writer.compresses() && window <= self.window
    }

    /// A message was passed on: it is in the peer's window, and not in ours.
    pub(super) fn passed(&mut self) {
        self.ahead = false;
        self.deflater.reset();
    }

    pub(super) fn is_idle(&self) -> bool {
        !self.ahead && !self.deflater.keeps_context()
    }

    pub(super) fn restart(&mut self) {
        self.ahead = false;
        self.deflater.restart();
    }

    /// Frees a context that holds nothing.
    pub(super) fn release_context(&mut self) {
        self.deflater.release();
    }

    /// How many octets came of it.
    fn compress(
        &mut self,
        out: &mut impl Growing,
        input: &mut &[u8],
        flush: Flush,
    ) -> Result<usize, SendError> {
        let most = Deflater::bound(input.len());
        let mut len = 0_usize;
        loop {
            let room = out.grow(most.saturating_sub(len).clamp(64, STEP));
            let spare = room.len();
            let deflated = self.deflater.deflate(input, flush, room)?;
            out.take_back(spare.saturating_sub(deflated.written));
            len = len.saturating_add(deflated.written);
            if deflated.done {
                return Ok(len);
            }
        }
    }
}

/// If the header has a key.
fn mask(header: &FrameHeader, octets: &mut [u8]) {
    if let Some(key) = header.masking_key {
        Masker::new(key).apply(octets);
    }
}

/// What follows the last octets of a frame.
const fn end(fin: bool) -> Flush {
    if fin {
        Flush::Message
    } else {
        Flush::Fragment
    }
}

/// Where compressed octets go.
trait Growing {
    /// Appends `len` octets to be written over.
    fn grow(&mut self, len: usize) -> &mut [u8];
    /// Takes the last `len` octets back.
    fn take_back(&mut self, len: usize);
}

impl Growing for WriteQueue {
    fn grow(&mut self, len: usize) -> &mut [u8] {
        self.grow(len)
    }

    fn take_back(&mut self, len: usize) {
        self.take_back(len);
    }
}

impl Growing for Vec<u8> {
    fn grow(&mut self, len: usize) -> &mut [u8] {
        let from = self.len();
        self.resize(from.saturating_add(len), 0);
        self.get_mut(from..).unwrap_or(&mut [])
    }

    fn take_back(&mut self, len: usize) {
        self.truncate(self.len().saturating_sub(len));
    }
}

debug_states!([] Deflation, |this| { threshold: this.threshold, window: this.window, ahead: this.ahead });
