//! Messages to compressed octets (RFC 7692 sections 6.1 and 7.2.1).
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
/// The context, of which [`Tuning`] tells the bytes, is made at the first message. It is kept between
/// messages where context takeover was agreed on; otherwise it goes back to the [`Pool`], if there is one.
pub struct Deflater {
    context: Option<DeflateContext>,
    pool: Option<Pool>,
    takeover: bool,
    codec_key: CodecKey,
    stage: Stage,
    /// Whether the codec was given octets since it was flushed.
    dirty: bool,
    /// The end of a flush, as far as it has not gone out.
    staged: Staged,
}

/// What follows the octets that are given to a [`Deflater`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a message goes on in a fragment, in the next, or ends")]
pub enum Flush {
    /// More octets of the same fragment; they may stay in the compressor.
    None,
    /// The next fragment of the message: what was given comes out, up to an octet's end.
    Fragment,
    /// The next message: what was given comes out, without the tail (section 7.2.1).
    Message,
}

/// What one call of [`Deflater::deflate`] gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deflated {
    /// Octets that were written.
    pub written: usize,
    /// Whether all input was taken and the flush is complete; if not, call again with more room.
    pub done: bool,
}

/// How far a flush has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Taking input.
    Body,
    /// Ending the block: this may be repeated without a trace, unlike the marker of a flush.
    Block,
    /// Handing out what is staged, which ends this flush.
    Drain,
}

/// What ends a flush: the end of the last block, and an empty stored block.
#[derive(Clone, Copy, Default)]
struct Staged {
    octets: [u8; 16],
    start: usize,
    end: usize,
}

/// What [`Flush::Message`] leaves out.
const TAIL: usize = 4;

impl Deflater {
    /// For the messages that `sender` compresses under these parameters.
    pub fn new(params: &Params, sender: Side, tuning: Tuning) -> Self {
        // zlib has no window of 256 octets. With one of 512 it reaches back at most 512 - 262 = 250: it keeps
        // that much for what comes next.
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
            stage: Stage::Body,
            dirty: false,
            staged: Staged::default(),
        }
    }

    /// With a pool to take contexts from and give them back to.
    #[must_use]
    pub fn with_pool(mut self, pool: Pool) -> Self {
        self.pool = Some(pool);
        self
    }

    /// Compresses `input` into `out`, and takes what it has used off `input`. Call until it is done, each
    /// time with the same `flush`. Any length of `out` makes progress, and none changes the meaning of what
    /// comes out.
    ///
    /// # Errors
    ///
    /// [`SendError::CompressionFailed`], which is a defect of the codec. The next message begins with an
    /// empty window.
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

    /// How many octets the largest result for `len` octets of one message can have, given with
    /// [`Flush::Message`] or [`Flush::Fragment`] at once.
    pub const fn bound(len: usize) -> usize {
        // Literals of nine bits in fixed codes, in blocks of the smallest buffers, and a flush.
        len.saturating_add(len >> 3).saturating_add(len >> 5).saturating_add(64)
    }

    /// Forgets all earlier messages, and the one in progress: what comes next refers to nothing before it.
    /// For where compressed octets were not sent.
    pub fn reset(&mut self) {
        // Amid a block, zlib-rs 0.6.8 forgets neither that one is open nor where its output stood.
        if self.dirty {
            self.context = None;
        }
        if let Some(context) = &mut self.context {
            context.codec.reset();
        }
        self.stage = Stage::Body;
        self.dirty = false;
        self.staged = Staged::default();
    }

    /// Whether what comes next may refer to earlier messages.
    pub const fn takes_context_over(&self) -> bool {
        self.takeover
    }

    /// Whether a context is kept between messages, which remembers earlier ones.
    pub(crate) const fn keeps_context(&self) -> bool {
        self.takeover && self.context.is_some()
    }

    /// Goes on for another connection.
    pub(crate) fn restart(&mut self) {
        // Making another is dear, and so is a reset: one that has just had it stays.
        let used = |context: &DeflateContext| context.codec.total_in() > 0;
        if self.dirty || self.stage != Stage::Body || self.context.as_ref().is_some_and(used) {
            self.context = None;
            self.reset();
        }
    }

    /// Gives back the memory of a context that holds nothing.
    pub fn release(&mut self) {
        if !self.takeover && !self.dirty && self.stage == Stage::Body {
            self.context = None;
        }
    }

    fn fill(&mut self, input: &mut &[u8], flush: Flush, out: &mut [u8]) -> Result<Deflated, SendError> {
        let mut written = 0_usize;
        loop {
            let room = out.get_mut(written..).unwrap_or(&mut []);
            match self.stage {
                Stage::Body if !self.dirty && flush != Flush::None && input.is_empty() => {
                    // Nothing to flush, where zlib would write nothing: a message needs its octet (section
                    // 7.2.3.6).
                    self.staged = Staged::of(if flush == Flush::Message { &[0x00] } else { &[] });
                    self.stage = Stage::Drain;
                }
                Stage::Body
                    if !self.dirty && flush != Flush::None && room.len() >= Self::bound(input.len()) =>
                {
                    // All at once. It cannot fill the room, so the flush is complete.
                    let (len, _) = self.step(input, room, DeflateFlush::SyncFlush)?;
                    self.dirty = false;
                    let cut = if flush == Flush::Message { TAIL } else { 0 };
                    written = written.saturating_add(len.saturating_sub(cut));
                    return Ok(Deflated { written, done: true });
                }
                Stage::Body => {
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
                    self.stage = Stage::Block;
                }
                Stage::Block => {
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
                    self.stage = Stage::Drain;
                }
                Stage::Drain => {
                    written = written.saturating_add(self.staged.drain(room));
                    if self.staged.is_empty() {
                        self.stage = Stage::Body;
                        return Ok(Deflated { written, done: true });
                    }
                    return Ok(Deflated { written, done: false });
                }
            }
        }
    }

    /// One call of the codec: how much came out, and whether the room was used up.
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
        // The codec has counters of 32 bits; what comes next may always begin with an empty window.
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
