//! Decompresses messages (RFC 7692 sections 6.2 and 7.2.2).
//
// Owns: the limits on the inflated octets, the end of a message, and its UTF-8.
// Must not know: frames.

use alloc::vec::Vec;
use core::fmt;

use zlib_rs::InflateFlush;

use super::context::InflateContext;
use super::history::History;
use super::params::Params;
use super::pool::Pool;
use crate::error::ProtocolError;
use crate::event::Piece;
use crate::frame::MessageKind;
use crate::limits::Limits;
use crate::role::Side;
use crate::tolerance::Tolerance;
use crate::utf8::{whole_text, Utf8Check};

/// What the sender removes from the end of a message (section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// How much of a message's end is inflated together with the tail.
const SHORT: usize = 492;

/// The tail and the zeros after it.
const BEHIND: usize = 20;

/// With less room than this the codec is slow.
const ROOMY: usize = 512;

/// How much of the beginning of a message is kept, of a watched sender: usually more than the codes of a block.
const FRONT: usize = 128;

/// This much shows whether a message refers to earlier ones.
const BEGIN: usize = 8;

/// [`Limits::max_expansion`] does not apply to them.
const FREE_EXPANSION: u64 = 1 << 20;

/// Decompresses the messages of one sender, in memory that does not depend on their length.
///
/// Its context, about 48 KB and a history of at most the sender's window, is made at the first message. It is kept
/// between messages if the sender takes its context over, otherwise given back to the [`Pool`], if there is one.
///
/// A client that was told not to take its context over may not have understood. So its messages are remembered until
/// one shows what the client does.
pub struct Inflater {
    context: Option<InflateContext>,
    pool: Option<Pool>,
    takeover: bool,
    window: usize,
    limits: Limits,
    message: MessageState,
    text: Utf8Check,
    failed: Option<ProtocolError>,
    /// Whether a message may refer to earlier ones, as agreed on or not.
    remembers: bool,
    /// Whether something is tolerated, or the sender is watched.
    careful: bool,
    /// Whether messages may end otherwise than in RFC 7692.
    tolerant: bool,
    /// Whether the sender was told to begin with an empty window, and might not.
    watched: bool,
    watch: Watch,
    /// Its last octets, between messages, if it is watched.
    past: History,
    /// The first compressed octets of the message, if it is watched.
    front: Vec<u8>,
}

/// Whether a sender does as it was told. Some clients do not know the parameter, and RFC 7692 section 7.2.2 allows the
/// receiver to keep a window anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    /// It does, or it was not told to.
    AsAgreed,
    /// Its messages are remembered until one shows it.
    Unknown,
    /// A message referred to an earlier one.
    Ignored,
}

#[derive(Clone, Copy, Default)]
struct MessageState {
    /// Whether some of it was received.
    begun: bool,
    compressed: u64,
    inflated: u64,
    /// How many of the octets that the caller has are in the history.
    remembered: usize,
    /// Compressed octets at the end of the last block with BFINAL.
    finished: u64,
    /// The last compressed octets, if they matter.
    tail: [u8; 4],
}

/// The octets before the fault were inflated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Broken {
    /// How many octets this call wrote.
    pub(crate) written: usize,
    pub(crate) error: ProtocolError,
}

/// What one call of [`Inflater::inflate`] did.
#[derive(Clone, Copy, Debug)]
pub struct Inflated<'o> {
    piece: Piece<'o>,
    status: InflateStatus,
}

/// What an [`Inflater`] waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a caller must know all of them")]
pub enum InflateStatus {
    /// More of the message: all octets that were given are inflated.
    NeedInput,
    /// Room: call again with the remaining input and another buffer.
    OutputFull,
    /// The next message: this one is complete.
    MessageEnd,
}

impl Inflater {
    /// A decompressor for the messages that `sender` sends under these parameters.
    pub fn new(params: &Params, sender: Side, limits: Limits) -> Self {
        let takeover = params.context_takeover(sender);
        let window = params.window_bits(sender).window_size();
        let tolerant = [Tolerance::FinishedDeflate, Tolerance::KeptDeflateTail, Tolerance::EmptyDeflate];
        let tolerant = tolerant.into_iter().any(|one| limits.tolerances.contains(one));
        let watched = !takeover && sender == Side::Client;
        let mut past = History::new();
        past.resize(window);
        Self {
            context: None,
            pool: None,
            takeover,
            window,
            limits,
            message: MessageState::default(),
            text: Utf8Check::new(),
            failed: None,
            remembers: takeover || watched,
            careful: tolerant || watched,
            tolerant,
            watched,
            watch: if watched { Watch::Unknown } else { Watch::AsAgreed },
            past,
            front: Vec::new(),
        }
    }

    /// Sets a pool to take contexts from, and to give them back to.
    #[must_use]
    pub fn with_pool(mut self, pool: Pool) -> Self {
        self.pool = Some(pool);
        self
    }

    /// Inflates the next octets of a message into `out`, and shortens `input` by what was taken. `last` means that the
    /// message ends with `input`; then call it until [`InflateStatus::MessageEnd`].
    ///
    /// The UTF-8 of text is checked as it comes. A DEFLATE block with BFINAL does not end the message (section
    /// 7.2.3.4), unless [`Tolerance::FinishedDeflate`] lets it.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::InvalidCompressedData`], [`ProtocolError::MessageTooBig`],
    /// [`ProtocolError::ExpansionTooBig`] or [`ProtocolError::InvalidUtf8`], now and in all later calls. Fail
    /// the connection with it.
    pub fn inflate<'o>(
        &mut self,
        kind: MessageKind,
        input: &mut &[u8],
        last: bool,
        out: &'o mut [u8],
    ) -> Result<Inflated<'o>, ProtocolError> {
        let (written, status) = match self.inflate_behind(input, last, out, 0) {
            Ok(inflated) => inflated,
            Err(Broken { written, error }) => {
                // What is wrong with the text before that place comes first.
                let octets = out.get(..written).unwrap_or(&[]);
                if kind == MessageKind::Text && self.checks_text() && self.text.push(octets).is_err() {
                    return Err(self.fail(ProtocolError::InvalidUtf8));
                }
                return Err(error);
            }
        };
        if status != InflateStatus::MessageEnd {
            self.remember(out.get(..written).unwrap_or(&[]));
        }
        let octets = out.get(..written).unwrap_or(&[]);
        if kind == MessageKind::Binary {
            return Ok(Inflated { piece: Piece::Bytes(octets), status });
        }
        if !self.checks_text() {
            let piece = whole_text(octets).map_or(Piece::Bytes(octets), Piece::Str);
            return Ok(Inflated { piece, status });
        }
        let ends = status == InflateStatus::MessageEnd;
        match self.text.push_str(octets) {
            Ok(text) if !ends || self.text.is_complete() => {
                Ok(Inflated { piece: text.map_or(Piece::Bytes(octets), Piece::Str), status })
            }
            _ => Err(self.fail(ProtocolError::InvalidUtf8)),
        }
    }

    /// Does not check text. The first `filled` octets of `out` hold all of the message since it was last
    /// [remembered](Self::remember).
    pub(crate) fn inflate_behind(
        &mut self,
        input: &mut &[u8],
        last: bool,
        out: &mut [u8],
        filled: usize,
    ) -> Result<(usize, InflateStatus), Broken> {
        if let Some(error) = self.failed {
            return Err(Broken { written: 0, error });
        }
        let result = self.fill(input, last, out, filled);
        match result {
            Err(Broken { error, .. }) => {
                self.fail(error);
            }
            Ok((_, InflateStatus::MessageEnd)) => self.end_message(),
            Ok(_) => {}
        }
        result
    }

    /// Octets that the caller will not keep. Later ones may refer to them.
    pub(crate) fn remember(&mut self, octets: &[u8]) {
        let from = core::mem::take(&mut self.message.remembered);
        if let Some(context) = &mut self.context {
            context.history.push(octets.get(from..).unwrap_or(&[]));
        }
    }

    /// Whether a message was begun and is not complete.
    pub const fn is_mid_message(&self) -> bool {
        self.message.begun
    }

    /// Whether text must be valid UTF-8.
    pub(crate) const fn checks_text(&self) -> bool {
        !self.limits.tolerances.contains(Tolerance::InvalidText)
    }

    pub(crate) fn keeps_context(&self) -> bool {
        (self.takeover && self.context.is_some()) || !self.past.is_empty()
    }

    pub(crate) fn restart(&mut self) {
        if self.takeover || self.message.begun {
            self.context = None;
        }
        self.message = MessageState::default();
        self.text = Utf8Check::new();
        self.failed = None;
        if self.watched {
            self.watch = Watch::Unknown;
            (self.remembers, self.careful) = (true, true);
            self.past.resize(self.window);
        }
    }

    /// Frees the memory of a context that remembers nothing.
    pub fn release(&mut self) {
        if !self.takeover && !self.message.begun {
            self.context = None;
            self.front = Vec::new();
            self.past.shrink();
        }
    }

    fn fill(
        &mut self,
        input: &mut &[u8],
        last: bool,
        out: &mut [u8],
        filled: usize,
    ) -> Result<(usize, InflateStatus), Broken> {
        if self.careful {
            self.fill_carefully(input, last, out, filled)
        } else {
            self.fill_strictly(input, last, out, filled)
        }
    }

    fn fill_strictly(
        &mut self,
        input: &mut &[u8],
        last: bool,
        out: &mut [u8],
        filled: usize,
    ) -> Result<(usize, InflateStatus), Broken> {
        let whole = last && !self.message.begun;
        if whole && input.len() <= SHORT && out.len().saturating_sub(filled) >= ROOMY {
            self.fill_short(input, out, filled)
        } else {
            self.fill_from(None, input, last, out, filled)
        }
    }

    /// For a sender that is watched or tolerated.
    fn fill_carefully(
        &mut self,
        input: &mut &[u8],
        last: bool,
        out: &mut [u8],
        filled: usize,
    ) -> Result<(usize, InflateStatus), Broken> {
        if !self.message.begun && self.watch != Watch::AsAgreed {
            self.recall().map_err(|error| Broken { written: 0, error })?;
        }
        let given = *input;
        let result = if self.tolerant {
            self.fill_from(None, input, false, out, filled)
        } else {
            self.fill_strictly(input, last, out, filled)
        };
        let (written, mut status) = result?;
        let consumed = given.get(..given.len().saturating_sub(input.len())).unwrap_or(given);
        if self.watch == Watch::Unknown {
            let room = FRONT.saturating_sub(self.front.len());
            self.front.extend_from_slice(consumed.get(..room).unwrap_or(consumed));
        }
        if self.tolerant {
            self.message.keep_tail(consumed);
            if last && status == InflateStatus::NeedInput {
                self.finish_tolerantly().map_err(|error| Broken { written, error })?;
                if let (true, Some(context)) = (self.remembers, &mut self.context) {
                    let end = filled.saturating_add(written);
                    context.history.push(out.get(self.message.remembered..end).unwrap_or(&[]));
                }
                status = InflateStatus::MessageEnd;
            }
        }
        if status == InflateStatus::MessageEnd && self.watch != Watch::AsAgreed {
            // What a message ends with was not counted.
            let more = if self.tolerant { 0 } else { written };
            self.part(usize::try_from(self.message.inflated).unwrap_or(usize::MAX).saturating_add(more));
        }
        Ok((written, status))
    }

    /// It ends as it must, or in a way that is tolerated.
    fn finish_tolerantly(&mut self) -> Result<(), ProtocolError> {
        let Self { context: Some(context), message, limits, .. } = self else { return Ok(()) };
        let tolerances = limits.tolerances;
        let ends = match message.compressed {
            0 => tolerances.contains(Tolerance::EmptyDeflate),
            compressed => message.finished == compressed && tolerances.contains(Tolerance::FinishedDeflate),
        };
        if ends {
            Ok(())
        } else if message.tail == TAIL && tolerances.contains(Tolerance::KeptDeflateTail) {
            // The message has its own tail.
            context.finish(&[0x00, 0x00, 0x00, 0xFF, 0xFF, 0x00])
        } else {
            context.finish_message()
        }
    }

    /// Gives back the history that a message of a watched sender may refer to.
    fn recall(&mut self) -> Result<(), ProtocolError> {
        let context = match &mut self.context {
            Some(context) => context,
            none @ None => obtain(none, self.pool.as_ref(), self.window),
        };
        core::mem::swap(&mut context.history, &mut self.past);
        self.front.clear();
        if context.history.is_empty() {
            return Ok(());
        }
        context.restart()
    }

    /// After a message of a watched sender: decides what it shows, and what to remember. The codec is not in use.
    ///
    /// If the sender begins with an empty window, no message refers to anything before its beginning. If it does not,
    /// its compressor refers to what stood shortly before. Either usually shows in the first octets of the second
    /// message.
    fn part(&mut self, len: usize) {
        let Some(context) = &mut self.context else { return };
        if self.watch == Watch::Unknown {
            context.codec.reset(false);
            let mut begin = [0; BEGIN];
            let step = context.step(&self.front, &mut begin, InflateFlush::NoFlush);
            if step.broken {
                self.watch = Watch::Ignored;
                self.front = Vec::new();
            } else if step.produced == BEGIN && context.history.held_before(&begin, len) {
                self.watch = Watch::AsAgreed;
                self.front = Vec::new();
                (self.remembers, self.careful) = (false, self.tolerant);
            }
        }
        core::mem::swap(&mut context.history, &mut self.past);
        if self.watch == Watch::AsAgreed {
            self.past = History::new();
        }
    }

    /// Inflates a whole message with its tail. The codec is slow for the last 15 octets.
    fn fill_short(
        &mut self,
        input: &mut &[u8],
        out: &mut [u8],
        filled: usize,
    ) -> Result<(usize, InflateStatus), Broken> {
        let message = *input;
        let mut tailed = [0; SHORT + BEHIND];
        if let Some((payload, behind)) = tailed.split_at_mut_checked(input.len()) {
            payload.copy_from_slice(input);
            if let Some(slot) = behind.first_chunk_mut() {
                *slot = TAIL;
            }
        }
        let len = input.len().saturating_add(BEHIND);
        let result = self.fill_from(tailed.get(..len), input, true, out, filled);
        // After BFINAL the tail was left out already.
        if result.is_err() && self.message.remembered == 0 {
            *input = message;
            return self.fill_again(input, out, filled);
        }
        result
    }

    /// Again without the tail, if the message is broken: what that added is not part of its text.
    fn fill_again(
        &mut self,
        input: &mut &[u8],
        out: &mut [u8],
        filled: usize,
    ) -> Result<(usize, InflateStatus), Broken> {
        self.message = MessageState::default();
        if let Some(context) = &mut self.context {
            context.restart().map_err(|error| Broken { written: 0, error })?;
        }
        self.fill_from(None, input, true, out, filled)
    }

    /// `tailed` may hold the same octets, followed by the tail and zeros.
    fn fill_from(
        &mut self,
        mut tailed: Option<&[u8]>,
        input: &mut &[u8],
        last: bool,
        out: &mut [u8],
        filled: usize,
    ) -> Result<(usize, InflateStatus), Broken> {
        let Self { context, message, .. } = self;
        let context = match context {
            Some(context) => context,
            none @ None => obtain(none, self.pool.as_ref(), self.window),
        };
        message.begun = true;
        let mut end = filled;
        let status = loop {
            let written = end.saturating_sub(filled);
            let broken = |error| Broken { written, error };
            let inflated = message.inflated.saturating_add(written as u64);
            let by_expansion = message.allowance(&self.limits).saturating_sub(inflated);
            // One octet more shows that a limit is exceeded.
            let allowed = by_expansion.max(1).min(self.limits.max_message_size.saturating_sub(inflated));
            let allowed = usize::try_from(allowed).unwrap_or(usize::MAX).saturating_add(end).min(out.len());
            let room = out.get_mut(end..allowed).unwrap_or(&mut []);
            let room_len = room.len();
            let (step, stopped) = match tailed {
                _ if room_len == 0 => {
                    if end >= out.len() {
                        break InflateStatus::OutputFull;
                    }
                    let step = context.step(input, &mut [0; 1], InflateFlush::NoFlush);
                    if step.produced > 0 {
                        return Err(broken(ProtocolError::MessageTooBig));
                    }
                    (step, true)
                }
                None => {
                    let step = context.step(input, room, InflateFlush::NoFlush);
                    let stopped = step.produced < room_len;
                    (step, stopped)
                }
                Some(tailed) => {
                    let from = tailed.len().saturating_sub(input.len().saturating_add(BEHIND));
                    let step = context.step(tailed.get(from..).unwrap_or(&[]), room, InflateFlush::Block);
                    match step.consumed.checked_sub(input.len()) {
                        // At the end of a block or of the room.
                        None | Some(0) => {}
                        // The tail ended a block, and nothing else.
                        Some(4) if step.produced == 0 && !step.broken => {
                            *input = &[];
                            break InflateStatus::MessageEnd;
                        }
                        Some(_) => return Err(broken(ProtocolError::InvalidCompressedData)),
                    }
                    (step, false)
                }
            };
            end = end.saturating_add(step.produced);
            let stopped = stopped && !step.stream_end;
            message.compressed = message.compressed.saturating_add(step.consumed as u64);
            if by_expansion == 0
                && inflated.saturating_add(step.produced as u64) > message.allowance(&self.limits)
            {
                return Err(broken(ProtocolError::ExpansionTooBig));
            }
            let written = end.saturating_sub(filled);
            let broken = |error| Broken { written, error };
            if step.broken {
                return Err(broken(ProtocolError::InvalidCompressedData));
            }
            if stopped && last && step.consumed == input.len() {
                *input = &[];
                context.finish_message().map_err(broken)?;
                break InflateStatus::MessageEnd;
            }
            *input = input.get(step.consumed..).unwrap_or(&[]);
            if step.stream_end {
                context.history.push(out.get(message.remembered..end).unwrap_or(&[]));
                message.remembered = end;
                message.finished = message.compressed;
                context.restart().map_err(broken)?;
                // The history has changed.
                tailed = None;
            } else if stopped {
                if !input.is_empty() {
                    // Nothing is used up, and the codec does not go on.
                    return Err(broken(ProtocolError::InvalidCompressedData));
                }
                break InflateStatus::NeedInput;
            }
        };
        let written = end.saturating_sub(filled);
        if status != InflateStatus::MessageEnd {
            message.inflated = message.inflated.saturating_add(written as u64);
        } else if self.remembers {
            context.history.push(out.get(message.remembered..end).unwrap_or(&[]));
        }
        Ok((written, status))
    }

    fn fail(&mut self, error: ProtocolError) -> ProtocolError {
        self.failed = Some(error);
        self.context = None;
        self.past = History::new();
        self.front = Vec::new();
        error
    }

    fn end_message(&mut self) {
        self.message = MessageState::default();
        if self.takeover {
            if let Some(context) = &mut self.context {
                context.begin_anew();
            }
            return;
        }
        if let Some(context) = &mut self.context {
            context.clear();
        }
        if let Some(pool) = &self.pool {
            pool.put_inflater(&mut self.context);
            // Otherwise it is freed.
            self.context = None;
        }
    }
}

fn obtain<'s>(
    slot: &'s mut Option<InflateContext>,
    pool: Option<&Pool>,
    window: usize,
) -> &'s mut InflateContext {
    if let Some(pool) = pool {
        pool.take_inflater(slot);
    }
    let context = slot.get_or_insert_with(InflateContext::new);
    context.history.resize(window);
    context
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("holds_context", &self.context.is_some())
            .field("takeover", &self.takeover)
            .field("window", &self.window)
            .field("limits", &self.limits)
            .field("compressed", &self.message.compressed)
            .field("inflated", &self.message.inflated)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

impl<'o> Inflated<'o> {
    /// The inflated octets. May be empty.
    pub const fn as_bytes(&self) -> &'o [u8] {
        self.piece.as_bytes()
    }

    /// The text, if this is a piece of text that begins and ends between characters.
    pub const fn as_str(&self) -> Option<&'o str> {
        self.piece.as_str()
    }

    /// What the inflater waits for.
    pub const fn status(&self) -> InflateStatus {
        self.status
    }
}

impl MessageState {
    /// Each compressed octet adds its share when it is taken, however the input is cut.
    const fn allowance(&self, limits: &Limits) -> u64 {
        self.compressed.saturating_mul(limits.max_expansion as u64).saturating_add(FREE_EXPANSION)
    }

    fn keep_tail(&mut self, octets: &[u8]) {
        let from = octets.len().saturating_sub(self.tail.len());
        for octet in octets.get(from..).unwrap_or(&[]) {
            let [_, rest @ ..] = self.tail;
            let [a, b, c] = rest;
            self.tail = [a, b, c, *octet];
        }
    }
}
