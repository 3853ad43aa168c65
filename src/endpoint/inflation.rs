//! The compressed message that is coming.
//
// Owns: what was inflated of it, until that is taken.
// Must not know: frames, or how it was compressed.

use alloc::vec::Vec;

use super::buffer_pool::{keep_larger, BufferPool};
use super::inflation_progress::InflationProgress;
use super::read_buffer::ReadBuffer;
use crate::deflate::{Broken, InflateStatus, Inflater};
use crate::error::ProtocolError;
use crate::event::{Data, Piece};
use crate::frame::{MessageKind, Rsv};
use crate::message::Message;
use crate::utf8::{whole_text, Utf8Check};

/// From the octets that stand in the read buffer.
pub(super) struct Inflation {
    inflater: Inflater,
    /// What was inflated stands at its front.
    out: Vec<u8>,
    filled: usize,
    /// How much of a text was checked.
    checked: usize,
    text: Utf8Check,
    kind: MessageKind,
    /// Whether text may be none.
    unchecked: bool,
    state: InflationState,
    /// Compressed octets of the message that were inflated.
    consumed: usize,
    /// Whether no piece of the message was taken.
    first: bool,
    /// Octets of a piece.
    piece: usize,
    /// Octets of the largest message.
    most: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InflationState {
    Idle,
    /// What came is inflated, and more is to come.
    Hungry,
    /// What came stands in the read buffer as far as it is not inflated, and more is to come.
    Open,
    /// All of it came.
    Last,
    /// All of it is inflated.
    Done,
}

/// One message of 64 KiB, and the octet past it that shows that it ends.
const KEPT: usize = (64 << 10) + 64;

/// How many times as large as what was inflated the room may be.
const GROWTH: usize = 4;

impl Inflation {
    pub(super) fn new(inflater: Inflater, piece: usize, most: u64) -> Self {
        let unchecked = !inflater.checks_text();
        Self {
            inflater,
            out: Vec::new(),
            filled: 0,
            checked: 0,
            text: Utf8Check::new(),
            kind: MessageKind::Binary,
            unchecked,
            state: InflationState::Idle,
            consumed: 0,
            first: true,
            piece: piece.max(1),
            most,
        }
    }

    pub(super) fn is_active(&self) -> bool {
        self.state != InflationState::Idle
    }

    pub(super) fn is_done(&self) -> bool {
        self.state == InflationState::Done
    }

    pub(super) fn push(&mut self, kind: MessageKind, last: bool) {
        self.kind = kind;
        self.state = if last { InflationState::Last } else { InflationState::Open };
    }

    pub(super) const fn inflated(&self) -> usize {
        self.filled
    }

    /// All of a message if `whole`, otherwise a piece, but no more than `most` octets.
    pub(super) fn run(
        &mut self,
        read_buffer: &mut ReadBuffer,
        whole: bool,
        most: usize,
    ) -> Result<InflationProgress, ProtocolError> {
        let until = self.filled.saturating_add(most.max(1));
        while !matches!(self.state, InflationState::Done | InflationState::Idle) {
            if self.state == InflationState::Hungry {
                return Ok(if !whole && self.filled > 0 {
                    InflationProgress::Ready
                } else {
                    InflationProgress::NeedsMore
                });
            }
            if self.filled >= until {
                return Ok(InflationProgress::Paused);
            }
            let mut input = read_buffer.message();
            let before = input.len();
            if self.filled == self.out.len() {
                if !whole && self.filled >= self.piece {
                    return Ok(InflationProgress::Ready);
                }
                self.check()?;
                self.grow(before);
            } else if whole && self.expected(before).saturating_sub(self.out.len() >> 3) > self.out.len() {
                // Faster than with a stop where the room ends.
                self.grow(before);
            }
            let last = self.state == InflationState::Last;
            let room = self.out.len().min(until);
            let room = self.out.get_mut(..room).unwrap_or(&mut []);
            let inflated = self.inflater.inflate_behind(&mut input, last, room, self.filled);
            let (written, status) = match inflated {
                Ok(inflated) => inflated,
                Err(Broken { written, error }) => {
                    // What is wrong with the text before that place comes first.
                    self.filled = self.filled.saturating_add(written);
                    self.check()?;
                    return Err(error);
                }
            };
            let consumed = before.saturating_sub(input.len());
            read_buffer.consume_message(consumed);
            self.consumed = self.consumed.saturating_add(consumed);
            self.filled = self.filled.saturating_add(written);
            match status {
                InflateStatus::MessageEnd => self.state = InflationState::Done,
                InflateStatus::NeedInput => {
                    self.check()?;
                    self.state = InflationState::Hungry;
                }
                InflateStatus::OutputFull => {}
            }
        }
        Ok(InflationProgress::Ready)
    }

    pub(super) fn message(&mut self) -> Result<Message<'_>, ProtocolError> {
        if self.checked > 0 {
            self.check()?;
            if !self.text.is_complete() {
                return Err(ProtocolError::InvalidUtf8);
            }
        }
        let octets = self.out.get(..self.filled).unwrap_or(&[]);
        match self.kind {
            MessageKind::Binary => Ok(Message::Binary(octets)),
            MessageKind::Text => match whole_text(octets) {
                Ok(text) => Ok(Message::Text(text)),
                Err(_) if self.unchecked => Ok(Message::Binary(octets)),
                Err(_) => Err(ProtocolError::InvalidUtf8),
            },
        }
    }

    pub(super) fn piece(&mut self) -> Result<Data<'_>, ProtocolError> {
        let last = self.is_done();
        let octets = self.out.get(..self.filled).unwrap_or(&[]);
        let mut piece = Piece::Bytes(octets);
        if self.kind == MessageKind::Text && self.unchecked {
            piece = whole_text(octets).map_or(piece, Piece::Str);
        } else if self.kind == MessageKind::Text {
            let text = match self.checked {
                0 => self.text.push_str(octets),
                checked => self.text.push(octets.get(checked..).unwrap_or(&[])).map(|()| None),
            };
            self.checked = self.filled;
            match text {
                Ok(Some(text)) if !last || self.text.is_complete() => piece = Piece::Str(text),
                Ok(None) if !last || self.text.is_complete() => {}
                Ok(_) | Err(_) => {
                    self.state = InflationState::Done;
                    return Err(ProtocolError::InvalidUtf8);
                }
            }
        }
        let first = core::mem::replace(&mut self.first, false);
        Ok(Data { piece, kind: self.kind, rsv: Rsv::NONE, first, last, frame_remaining: 0 })
    }

    /// It is checked all the same.
    pub(super) fn pass_over(&mut self) -> Result<(), ProtocolError> {
        self.check()?;
        if self.is_done() && !self.text.is_complete() {
            return Err(ProtocolError::InvalidUtf8);
        }
        self.clear_message();
        Ok(())
    }

    pub(super) fn clear_message(&mut self) {
        if self.state != InflationState::Done {
            self.inflater.remember(self.out.get(..self.filled).unwrap_or(&[]));
        }
        self.filled = 0;
        self.checked = 0;
        if self.state == InflationState::Done {
            self.state = InflationState::Idle;
            self.consumed = 0;
            self.first = true;
            self.text = Utf8Check::new();
            if self.out.len() > KEPT {
                self.out = Vec::new();
            }
        }
    }

    pub(super) fn acquire(&mut self, pool: &mut BufferPool) {
        if self.out.is_empty() {
            core::mem::swap(&mut self.out, &mut pool.inflated);
        }
    }

    pub(super) fn release(&mut self, pool: &mut BufferPool) {
        if self.state == InflationState::Idle {
            keep_larger(&mut pool.inflated, core::mem::take(&mut self.out));
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        !self.is_active() && !self.inflater.keeps_context()
    }

    /// The next message is of another connection.
    pub(super) fn restart(&mut self) {
        self.state = InflationState::Done;
        self.clear_message();
        self.inflater.restart();
    }

    /// Frees a context that holds nothing.
    pub(super) fn release_context(&mut self) {
        if self.state == InflationState::Idle {
            self.inflater.release();
        }
    }

    /// Text fails as soon as it can.
    fn check(&mut self) -> Result<(), ProtocolError> {
        if self.kind == MessageKind::Text && !self.unchecked {
            let fresh = self.out.get(self.checked..self.filled).unwrap_or(&[]);
            self.text.push(fresh).map_err(|_| ProtocolError::InvalidUtf8)?;
            self.checked = self.filled;
        }
        Ok(())
    }

    /// If it goes on as it began, with `rest` octets more.
    fn expected(&self, rest: usize) -> usize {
        let ahead = self.filled.saturating_mul(rest).checked_div(self.consumed).unwrap_or(0);
        self.filled.saturating_add(ahead)
    }

    /// More room for `rest` compressed octets: what they are expected to need, never many times what was inflated, nor
    /// much more than the largest message, of which one octet past it shows an excess.
    fn grow(&mut self, rest: usize) {
        let most = usize::try_from(self.most).unwrap_or(usize::MAX).saturating_add(1).max(self.piece);
        let largest = self.filled.saturating_mul(GROWTH);
        let expected = self.expected(rest);
        let spared =
            expected.saturating_add(expected >> 3).max(self.out.len().saturating_mul(2)).min(largest);
        let kept = self.out.len() < KEPT && expected.saturating_sub(expected >> 2) < KEPT;
        let len = if kept { spared.min(KEPT) } else { spared };
        let len = len.clamp(self.piece, most).max(self.filled.saturating_add(1));
        if len > self.out.len() {
            self.out.resize(len, 0);
        }
    }
}

debug_states!([] Inflation, |this| { filled: this.filled, kind: this.kind, state: this.state });
