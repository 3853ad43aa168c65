//! The header of a frame, judged rule by rule (RFC 6455 sections 5.2 and 5.4).
//
// Owns: which header is wrong, as early as its octets tell, and what a right one begins.
// Must not know: payloads.

use super::fast::ShortFrame;
use super::{Reader, State, Taken};
use crate::error::ProtocolError;
use crate::frame::{FrameHeader, LengthForm, Masker, MaskingKey, MessageKind, Opcode, Rsv};
use crate::input::Input;
use crate::role::Side;
use crate::tolerance::Tolerance;
use crate::utf8::Utf8Check;

impl Reader {
    /// Reads a header; `false` if its end has not come.
    #[inline]
    pub(super) fn header(&mut self, input: &mut Input<'_>) -> Result<bool, ProtocolError> {
        if let Some(short) = self.short_message(input.rest()) {
            self.begin_short(short);
            input.take(short.header_len);
            return Ok(true);
        }
        if self.state != State::Header {
            if let Some(fragment) = self.short_fragment(input.rest()) {
                self.add_fragment(&fragment);
                self.fin = fragment.last;
                self.set_frame_remaining(fragment.frame.len as u64);
                self.masker = Masker::new(fragment.frame.key);
                self.state = State::Data;
                input.take(fragment.frame.header_len);
                return Ok(true);
            }
            if let Some((header, len)) = FrameHeader::decode(input.rest()) {
                if let Some(&[first, second]) = input.rest().first_chunk::<2>() {
                    self.judge_first(first)?;
                    self.judge_second(first, second)?;
                }
                self.begin_frame(header)?;
                input.take(len);
                return Ok(true);
            }
        }
        self.collect_header(input)
    }

    /// Takes an octet of a header that came alone, if nothing is to be told of it: it is not the last, or what
    /// it ends is the header of a short message. `false`, and nothing is taken, if it is not that.
    #[inline(never)]
    pub(super) fn take_header_octet(&mut self, rest: &[u8]) -> bool {
        let &[octet] = rest else { return false };
        let have = match self.state {
            State::Between | State::Amid => 0,
            State::Header => usize::from(self.kept_len),
            _ => return false,
        };
        let Some(slot) = self.kept.get_mut(have) else { return false };
        *slot = octet;
        let count = have.saturating_add(1);
        let [first, second, ..] = self.kept;
        if count > 1 && count == FrameHeader::len_from([first, second]) {
            return self.begin_kept(count);
        }
        if self.judge_front(have, count).is_err() {
            return false;
        }
        self.kept_len = count as u8;
        self.state = State::Header;
        true
    }

    /// Enters the payload of a short message that is not empty, whose header was kept.
    #[inline(always)]
    fn begin_kept(&mut self, count: usize) -> bool {
        let header = self.kept.get(..count).and_then(|header| self.short_frame(self.side, header));
        match header.and_then(ShortFrame::message) {
            Some(short) if self.message.is_none() && short.len > 0 => {
                self.kept_len = 0;
                self.begin_short(short);
                true
            }
            _ => false,
        }
    }

    /// Reads a header that came in pieces; `false` if its end has not come.
    #[inline(never)]
    pub(super) fn collect_header(&mut self, input: &mut Input<'_>) -> Result<bool, ProtocolError> {
        if input.remaining() == 0 {
            return Ok(false);
        }
        if self.state != State::Header {
            self.kept_len = 0;
        }
        let have = usize::from(self.kept_len);
        if let Some(spare) = self.kept.get_mut(have..FrameHeader::MAX_LEN) {
            for (slot, octet) in spare.iter_mut().zip(input.rest()) {
                *slot = *octet;
            }
        }
        let count = have.saturating_add(input.remaining()).min(FrameHeader::MAX_LEN);
        let [first, second, ..] = self.kept;
        if count < 2 || count < FrameHeader::len_from([first, second]) {
            input.take_all();
            self.state = State::Header;
            self.kept_len = count as u8;
            self.judge_front(have, count)?;
            return Ok(false);
        }
        self.kept_len = 0;
        // It is read where it stands: octets that were written one by one are slow to copy as one.
        let front = self.kept.get(..count).unwrap_or(&self.kept);
        let len = match self.short_frame(self.side, front).and_then(ShortFrame::message) {
            Some(short) if self.message.is_none() => {
                self.begin_short(short);
                short.header_len
            }
            _ => {
                let Some((header, len)) = FrameHeader::decode(front) else { return Ok(false) };
                self.judge_front(have, len)?;
                self.begin_frame(header)?;
                len
            }
        };
        input.take(len.saturating_sub(have));
        Ok(true)
    }

    /// Judges the octets of a kept header from `have` to `count`, so that nonsense is refused before anything
    /// behind it is awaited. The same header is refused for the same reason, however it comes.
    #[inline]
    fn judge_front(&self, have: usize, count: usize) -> Result<(), ProtocolError> {
        if self.begins_short(count) {
            return Ok(());
        }
        self.judge_front_by_rules(have, count)
    }

    /// As [`judge_front`](Self::judge_front), rule by rule.
    #[inline(never)]
    fn judge_front_by_rules(&self, have: usize, count: usize) -> Result<(), ProtocolError> {
        let [first, second, ..] = self.kept;
        if have < 1 && count >= 1 {
            self.judge_first(first)?;
        }
        if have < 2 && count >= 2 {
            self.judge_second(first, second)?;
        }
        let len_end = FrameHeader::len_from([first, second & !MASKED]);
        // Before the second octet came, the end of the length is not known.
        if count >= 2 && have < len_end && count >= len_end {
            self.judge_kept_len(len_end)?;
        }
        Ok(())
    }

    /// Judges the length of a kept header, of which nothing behind it may have come.
    fn judge_kept_len(&self, len_end: usize) -> Result<(), ProtocolError> {
        let mut unmasked = [0; FrameHeader::MAX_LEN];
        for (slot, octet) in unmasked.iter_mut().zip(self.kept.iter().take(len_end)) {
            *slot = *octet;
        }
        let [_, second, ..] = &mut unmasked;
        *second &= !MASKED;
        match FrameHeader::decode(&unmasked) {
            Some((header, _)) => self.judge_len(&header),
            None => Ok(()),
        }
    }

    /// Everything that the first octet decides.
    #[inline]
    fn judge_first(&self, first: u8) -> Result<(), ProtocolError> {
        let rsv = Rsv::from_first_byte(first);
        let opcode = Opcode::from_low_bits(first);
        if opcode.is_reserved() {
            return Err(ProtocolError::ReservedOpcode);
        }
        // An extension's bits belong to the first frame of a message (RFC 7692 section 6.1).
        let begins_message = opcode == Opcode::TEXT || opcode == Opcode::BINARY;
        let allowed = if begins_message { self.allowed_rsv } else { Rsv::NONE };
        if !allowed.contains(rsv) {
            return Err(ProtocolError::ReservedBits);
        }
        if opcode.is_control() {
            return if FrameHeader::is_last(first) { Ok(()) } else { Err(ProtocolError::FragmentedControl) };
        }
        if begins_message {
            if self.message.is_some() {
                return Err(ProtocolError::ExpectedContinuation);
            }
            let accepted =
                if opcode == Opcode::TEXT { self.limits.accept_text } else { self.limits.accept_binary };
            if !accepted {
                return Err(ProtocolError::UnsupportedData);
            }
        } else if self.message.is_none() {
            return Err(ProtocolError::UnexpectedContinuation);
        }
        let fragments = if begins_message { 0 } else { self.fragments };
        if fragments >= self.limits.max_fragments {
            return Err(ProtocolError::TooManyFragments);
        }
        Ok(())
    }

    /// Everything that the second octet decides, but for a length that stands in it.
    #[inline]
    fn judge_second(&self, first: u8, second: u8) -> Result<(), ProtocolError> {
        let tolerances = self.limits.tolerances;
        match (self.side, second & MASKED != 0) {
            (Side::Server, false) if !tolerances.contains(Tolerance::UnmaskedByClient) => {
                return Err(ProtocolError::MissingMask);
            }
            (Side::Client, true) if !tolerances.contains(Tolerance::MaskedByServer) => {
                return Err(ProtocolError::UnexpectedMask);
            }
            _ => {}
        }
        if Opcode::from_low_bits(first).is_control() && second & !MASKED > 125 {
            return Err(ProtocolError::OversizedControl);
        }
        Ok(())
    }

    /// Judges the length (sections 5.2 and 10.4).
    #[inline]
    fn judge_len(&self, header: &FrameHeader) -> Result<(), ProtocolError> {
        let len = header.payload_len;
        if header.length_form != LengthForm::Bits7 {
            if header.length_form != LengthForm::minimal(len) {
                return Err(ProtocolError::NonMinimalLength);
            }
            if len > u64::MAX >> 1 {
                return Err(ProtocolError::LengthOverflow);
            }
        }
        if header.opcode.is_control() {
            return Ok(());
        }
        if len > self.limits.max_frame_size {
            return Err(ProtocolError::FrameTooBig);
        }
        let (before, rsv) = match header.opcode {
            Opcode::CONTINUATION => (self.message_len, self.message_rsv),
            _ => (0, header.rsv),
        };
        // A compressed message is as long as what it inflates to, which is counted there.
        if before.saturating_add(len) > self.limits.max_message_size && !rsv.contains(Rsv::RSV1) {
            return Err(ProtocolError::MessageTooBig);
        }
        Ok(())
    }

    /// Judges the length and enters the payload.
    #[inline]
    fn begin_frame(&mut self, header: FrameHeader) -> Result<(), ProtocolError> {
        self.judge_len(&header)?;
        let len = header.payload_len;
        if header.opcode.is_control() {
            self.kept_len = 0;
            if self.message.is_none() {
                self.number = self.number.wrapping_add(1);
            }
            self.state = State::Control { opcode: header.opcode, len: len as u8 };
        } else {
            if header.opcode != Opcode::CONTINUATION {
                self.message =
                    Some(if header.opcode == Opcode::TEXT { MessageKind::Text } else { MessageKind::Binary });
                self.message_rsv = header.rsv;
                self.taken = Taken::Nothing;
                self.message_len = 0;
                self.fragments = 0;
                self.number = self.number.wrapping_add(1);
                self.text = Utf8Check::new();
            }
            self.message_len = self.message_len.saturating_add(len);
            self.fragments = self.fragments.saturating_add(1);
            self.state = State::Data;
            self.fin = header.fin;
            self.set_frame_remaining(len);
        }
        // Each frame goes by its own mask bit, where that is tolerated: zeros change nothing.
        if self.side == Side::Server || header.masking_key.is_some() {
            self.masker = Masker::new(header.masking_key.unwrap_or(MaskingKey([0; 4])));
        }
        self.masked_by_server = self.side == Side::Client && header.masking_key.is_some();
        Ok(())
    }
}

/// In the second octet: whether the payload is masked.
const MASKED: u8 = 0x80;
