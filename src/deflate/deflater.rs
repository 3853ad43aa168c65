//! Compresses messages (RFC 7692 sections 6.1 and 7.2.1).
//
// Owns: the window that was agreed on, and where a message ends.
// Must not know: frames.

use core::fmt;

use zlib_rs::DeflateFlush;

use super::context::{CodecKey, DeflateContext, LONG_STREAM};
use super::params::{Params, WindowBits};
use super::pool::Pool;
use super::tuning::Tuning;
use crate::error::SendError;
use crate::role::Side;

/// Compresses the messages of one sender.
///
/// Its context ([`Tuning`] tells how large) is made at the first message. It is kept between messages if context
/// takeover was agreed on, otherwise given back to the [`Pool`], if there is one.
pub struct Deflater {
    context: Option<DeflateContext>,
    pool: Option<Pool>,
    takeover: bool,
    codec_key: CodecKey,
    stage: FlushStage,
    dirty: bool,
    /// What ends a flush, as far as it was not written yet.
    staged: Staged,
}

/// What follows the octets that are given to a [`Deflater`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a message goes on in a fragment, in the next, or ends")]
pub enum Flush {
    /// More octets of the same fragment. Some may stay in the compressor.
    None,
    /// The next fragment of the message. All octets so far are written, up to a whole octet.
    Fragment,
    /// The next message. All octets so far are written, without the tail (section 7.2.1).
    Message,
}

/// What one call of [`Deflater::deflate`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deflated {
    /// How many octets were written.
    pub written: usize,
    /// Whether all input was taken and the flush is complete. If not, call again with more room.
    pub done: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FlushStage {
    Body,
    /// This can be repeated without adding octets; the marker of a flush cannot.
    Block,
    /// Then the flush is complete.
    Drain,
}

/// The end of the last block, and an empty stored block.
#[derive(Clone, Copy, Default)]
struct Staged {
    octets: [u8; 16],
    start: usize,
    end: usize,
}

/// What [`Flush::Message`] leaves out.
const TAIL: usize = 4;

impl Deflater {
    /// A compressor for the messages that `sender` sends under these parameters.
    pub fn new(params: &Params, sender: Side, tuning: Tuning) -> Self {
        // zlib has no window of 256 octets. With one of 512 it refers back at most 512 - 262 octets, so the window is
        // never exceeded.
        let window_bits = params.window_bits(sender).get().max(WindowBits::MIN.get().saturating_add(1));
        Self {
            context: None,
            pool: None,
            takeover: params.context_takeover(sender),
            codec_key: CodecKey {
                window_bits,
                level: tuning.level.min(9),
                memory_level: tuning.memory_level.clamp(1, 9),
            },
            stage: FlushStage::Body,
            dirty: false,
            staged: Staged::default(),
        }
    }

    /// Sets a pool to take contexts from, and to give them back to.
    #[must_use]
    pub fn with_pool(mut self, pool: Pool) -> Self {
        self.pool = Some(pool);
        self
    }

    /// Compresses `input` into `out`, and shortens `input` by what was taken. Call it until it is done, each time with
    /// the same `flush`. Any length of `out` works.
    ///
    /// # Errors
    ///
    /// [`SendError::CompressionFailed`], a defect of the codec. The next message begins with an empty window.
    pub fn deflate(
        &mut self,
        input: &mut &[u8],
        flush: Flush,
        out: &mut [u8],
    ) -> Result<Deflated, SendError> {
        let result = self.fill(input, flush, out);
        match result {
            Err(_) => self.reset(),
            Ok(Deflated { done: true, .. }) if flush == Flush::Message => self.end_message(),
            Ok(_) => {}
        }
        result
    }

    /// The most octets that `len` octets of one message can become, compressed in one call with a flush.
    pub const fn bound(len: usize) -> usize {
        // The worst case: literals of nine bits, in blocks of the smallest buffers, and a flush.
        len.saturating_add(len >> 3).saturating_add(len >> 5).saturating_add(64)
    }

    /// Forgets all messages. Use it if compressed octets were not sent.
    pub fn reset(&mut self) {
        // Inside a block, zlib-rs 0.6.8 does not forget that it is open, nor where its output was.
        if self.dirty {
            self.context = None;
        }
        if let Some(context) = &mut self.context {
            context.codec.reset();
        }
        self.stage = FlushStage::Body;
        self.dirty = false;
        self.staged = Staged::default();
    }

    /// Whether the next message may refer to earlier ones.
    pub const fn takes_context_over(&self) -> bool {
        self.takeover
    }

    pub(crate) const fn keeps_context(&self) -> bool {
        self.takeover && self.context.is_some()
    }

    pub(crate) fn restart(&mut self) {
        // A new context and a reset cost much: one that was just reset is kept.
        let used = |context: &DeflateContext| context.codec.total_in() > 0;
        if self.dirty || self.stage != FlushStage::Body || self.context.as_ref().is_some_and(used) {
            self.context = None;
            self.reset();
        }
    }

    /// Frees the memory of a context that remembers nothing.
    pub fn release(&mut self) {
        if !self.takeover && !self.dirty && self.stage == FlushStage::Body {
            self.context = None;
        }
    }

    fn fill(&mut self, input: &mut &[u8], flush: Flush, out: &mut [u8]) -> Result<Deflated, SendError> {
        let mut written = 0_usize;
        loop {
            let room = out.get_mut(written..).unwrap_or(&mut []);
            match self.stage {
                FlushStage::Body if !self.dirty && flush != Flush::None && input.is_empty() => {
                    // There is nothing to flush, but an empty message needs one octet (section 7.2.3.6).
                    self.staged = Staged::of(if flush == Flush::Message { &[0x00] } else { &[] });
                    self.stage = FlushStage::Drain;
                }
                FlushStage::Body
                    if !self.dirty && flush != Flush::None && room.len() >= Self::bound(input.len()) =>
                {
                    // The result cannot fill the room, so the flush is complete.
                    let (len, _) = self.step(input, room, DeflateFlush::SyncFlush)?;
                    self.dirty = false;
                    let cut = if flush == Flush::Message { TAIL } else { 0 };
                    written = written.saturating_add(len.saturating_sub(cut));
                    return Ok(Deflated { written, done: true });
                }
                FlushStage::Body => {
                    if !input.is_empty() {
                        let (len, full) = self.step(input, room, DeflateFlush::NoFlush)?;
                        written = written.saturating_add(len);
                        if full {
                            return Ok(Deflated { written, done: false });
                        }
                    }
                    if flush == Flush::None {
                        return Ok(Deflated { written, done: true });
                    }
                    self.stage = FlushStage::Block;
                }
                FlushStage::Block => {
                    let (len, full) = self.step(&mut &[][..], room, DeflateFlush::Block)?;
                    written = written.saturating_add(len);
                    if full {
                        return Ok(Deflated { written, done: false });
                    }
                    let mut octets = [0; 16];
                    let (len, full) = self.step(&mut &[][..], &mut octets, DeflateFlush::SyncFlush)?;
                    let cut = if flush == Flush::Message { TAIL } else { 0 };
                    let end = len.checked_sub(cut).filter(|_| !full).ok_or(SendError::CompressionFailed)?;
                    self.dirty = false;
                    self.staged = Staged { octets, start: 0, end };
                    self.stage = FlushStage::Drain;
                }
                FlushStage::Drain => {
                    written = written.saturating_add(self.staged.drain(room));
                    if self.staged.is_empty() {
                        self.stage = FlushStage::Body;
                        return Ok(Deflated { written, done: true });
                    }
                    return Ok(Deflated { written, done: false });
                }
            }
        }
    }

    fn step(
        &mut self,
        input: &mut &[u8],
        room: &mut [u8],
        flush: DeflateFlush,
    ) -> Result<(usize, bool), SendError> {
        let (pool, codec_key) = (&self.pool, self.codec_key);
        let context = self.context.get_or_insert_with(|| {
            pool.as_ref()
                .and_then(|pool| pool.take_deflater(codec_key))
                .unwrap_or_else(|| DeflateContext::new(codec_key))
        });
        if room.is_empty() {
            return Ok((0, true));
        }
        let codec = &mut context.codec;
        let (before_in, before_out) = (codec.total_in(), codec.total_out());
        codec.compress(input, room, flush).map_err(|_| SendError::CompressionFailed)?;
        let taken = |now: u64, before: u64| usize::try_from(now.saturating_sub(before)).unwrap_or(usize::MAX);
        let consumed = taken(codec.total_in(), before_in);
        let produced = taken(codec.total_out(), before_out);
        if consumed > 0 {
            self.dirty = true;
        }
        *input = input.get(consumed..).unwrap_or(&[]);
        Ok((produced, produced == room.len()))
    }

    fn end_message(&mut self) {
        let Some(context) = &mut self.context else { return };
        // The codec has counters of 32 bits.
        if !self.takeover || context.codec.total_in().max(context.codec.total_out()) > LONG_STREAM {
            context.codec.reset();
        }
        if self.takeover {
            return;
        }
        if let Some(pool) = &self.pool {
            if let Some(context) = self.context.take() {
                pool.put_deflater(context);
            }
        }
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater")
            .field("holds_context", &self.context.is_some())
            .field("takeover", &self.takeover)
            .field("codec_key", &self.codec_key)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

impl Staged {
    fn of(octets: &[u8]) -> Self {
        let mut staged = Self::default();
        if let Some(slot) = staged.octets.get_mut(..octets.len()) {
            slot.copy_from_slice(octets);
            staged.end = octets.len();
        }
        staged
    }

    fn drain(&mut self, room: &mut [u8]) -> usize {
        let staged = self.octets.get(self.start..self.end).unwrap_or(&[]);
        let len = staged.len().min(room.len());
        if let (Some(slot), Some(octets)) = (room.get_mut(..len), staged.get(..len)) {
            slot.copy_from_slice(octets);
        }
        self.start = self.start.saturating_add(len);
        len
    }

    const fn is_empty(&self) -> bool {
        self.start >= self.end
    }
}

debug_states!([] Staged, |this| { held: this.end.saturating_sub(this.start) });
