//! The header of a frame, checked in the order of its octets (RFC 6455 sections 5.2 and 5.4).
//
// Owns: which header is wrong, as early as its octets tell, and what a right one begins.
// Must not know: payloads.

use super::{Reader, State};
use crate::error::ProtocolError;
use crate::frame::{FrameHeader, Masker, MaskingKey, MessageKind, Opcode, Rsv};
use crate::input::Input;
use crate::role::Side;
use crate::tolerance::Tolerance;
use crate::utf8::Utf8Check;

pub(super) enum Checked {
    /// With this many octets more can be checked.
    Needs(#[cfg_attr(not(feature = "alloc"), expect(dead_code, reason = "only buffers ask for it"))] usize),
    /// The header is whole.
    Whole(CheckedHeader),
}

pub(super) struct CheckedHeader {
    pub(super) header_len: usize,
    pub(super) payload_len: u64,
    first: u8,
    key: Option<MaskingKey>,
    /// Octets of its message so far.
    message_len: u64,
}

impl Reader {
    /// `false` if the end of the header has not come. If it is wrong, nothing is consumed.
    // bench: server_receives/fragments_8x128
    #[inline(always)]
    pub(super) fn header(&mut self, input: &mut Input<'_>) -> Result<bool, ProtocolError> {
        let have = if self.state == State::Header { usize::from(self.kept_len) } else { 0 };
        let octets = if have == 0 {
            input.rest()
        } else {
            let count = self.keep_header(have, input.rest());
            self.kept.get(..count).unwrap_or(&[])
        };
        match self.check(octets)? {
            Checked::Whole(header) => {
                input.take(header.header_len.saturating_sub(have));
                self.enter(&header);
                Ok(true)
            }
            Checked::Needs(_) => {
                let count = self.keep_header(have, input.take_all());
                if count > 0 {
                    self.kept_len = count as u8;
                    self.state = State::Header;
                }
                Ok(false)
            }
        }
    }

    /// Returns how many there are now.
    #[inline(never)]
    fn keep_header(&mut self, have: usize, octets: &[u8]) -> usize {
        let mut count = have;
        if let Some(spare) = self.kept.get_mut(have..FrameHeader::MAX_LEN) {
            for (slot, octet) in spare.iter_mut().zip(octets) {
                *slot = *octet;
                count = count.saturating_add(1);
            }
        }
        count
    }

    /// The first octet that is wrong decides which error is reported, as soon as it has come.
    #[inline(always)]
    pub(super) fn check(&self, octets: &[u8]) -> Result<Checked, ProtocolError> {
        let Some((&first, rest)) = octets.split_first() else {
            return Ok(Checked::Needs(1));
        };
        let (limits, rsv) = (&self.limits, Rsv::from_first_byte(first));
        let opcode = Opcode::from_low_bits(first);
        // Of the message before.
        let (before, message_rsv) = match opcode {
            // RFC 7692 section 6.1.
            Opcode::TEXT | Opcode::BINARY => {
                let accepted = if opcode == Opcode::TEXT { limits.accept_text } else { limits.accept_binary };
                if !self.allowed_rsv.contains(rsv) {
                    return Err(ProtocolError::ReservedBits);
                } else if self.message.is_some() {
                    return Err(ProtocolError::ExpectedContinuation);
                } else if !accepted {
                    return Err(ProtocolError::UnsupportedData);
                } else if limits.max_fragments == 0 {
                    return Err(ProtocolError::TooManyFragments);
                }
                (0, rsv)
            }
            Opcode::CONTINUATION => {
                if rsv != Rsv::NONE {
                    return Err(ProtocolError::ReservedBits);
                } else if self.message.is_none() {
                    return Err(ProtocolError::UnexpectedContinuation);
                } else if self.fragments >= limits.max_fragments {
                    return Err(ProtocolError::TooManyFragments);
                }
                (self.message_len, self.message_rsv)
            }
            Opcode::CLOSE | Opcode::PING | Opcode::PONG => {
                if rsv != Rsv::NONE {
                    return Err(ProtocolError::ReservedBits);
                } else if !FrameHeader::is_last(first) {
                    return Err(ProtocolError::FragmentedControl);
                }
                (0, rsv)
            }
            _ => return Err(ProtocolError::ReservedOpcode),
        };

        let Some((&second, rest)) = rest.split_first() else {
            return Ok(Checked::Needs(2));
        };
        let masked = second & MASKED != 0;
        match self.side {
            Side::Server if !masked && !limits.tolerances.contains(Tolerance::UnmaskedByClient) => {
                return Err(ProtocolError::MissingMask);
            }
            Side::Client if masked && !limits.tolerances.contains(Tolerance::MaskedByServer) => {
                return Err(ProtocolError::UnexpectedMask);
            }
            _ => {}
        }
        let (payload_len, rest) = match second & !MASKED {
            len @ 0..=125 => (u64::from(len), rest),
            _ if opcode.is_control() => return Err(ProtocolError::OversizedControl),
            126 => {
                let Some((len, rest)) = rest.split_first_chunk() else {
                    return Ok(Checked::Needs(4));
                };
                let len = u16::from_be_bytes(*len);
                if len <= 125 {
                    return Err(ProtocolError::NonMinimalLength);
                }
                (u64::from(len), rest)
            }
            _ => {
                let Some((len, rest)) = rest.split_first_chunk() else {
                    return Ok(Checked::Needs(10));
                };
                let len = u64::from_be_bytes(*len);
                if len <= 0xFFFF {
                    return Err(ProtocolError::NonMinimalLength);
                } else if len > u64::MAX >> 1 {
                    return Err(ProtocolError::LengthOverflow);
                }
                (len, rest)
            }
        };
        let message_len = before.saturating_add(payload_len);
        if !opcode.is_control() {
            if payload_len > limits.max_frame_size {
                return Err(ProtocolError::FrameTooBig);
            } else if message_len > limits.max_message_size && !message_rsv.contains(Rsv::RSV1) {
                // A compressed message is as long as what it inflates to.
                return Err(ProtocolError::MessageTooBig);
            }
        }

        let (key, rest) = if masked {
            let Some((key, rest)) = rest.split_first_chunk() else {
                return Ok(Checked::Needs(FrameHeader::len_from([first, second])));
            };
            (Some(MaskingKey(*key)), rest)
        } else {
            (None, rest)
        };
        let header_len = octets.len().wrapping_sub(rest.len());
        Ok(Checked::Whole(CheckedHeader { header_len, payload_len, first, key, message_len }))
    }

    #[inline(always)]
    fn enter(&mut self, header: &CheckedHeader) {
        self.masked = header.key.is_some();
        if let Some(key) = header.key {
            self.masker = Masker::new(key);
        }
        if self.state == State::Header {
            self.kept_len = 0;
        }
        let opcode = Opcode::from_low_bits(header.first);
        if opcode.is_control() {
            self.kept_len = 0;
            if self.message.is_none() {
                self.number = self.number.wrapping_add(1);
            }
            self.state = State::Control { opcode, len: header.payload_len as u8 };
            return;
        }
        if opcode != Opcode::CONTINUATION {
            self.message = Some(if opcode == Opcode::TEXT { MessageKind::Text } else { MessageKind::Binary });
            self.message_rsv = Rsv::from_first_byte(header.first);
            self.reported = false;
            self.fragments = 0;
            self.number = self.number.wrapping_add(1);
            self.text = Utf8Check::new();
        }
        self.message_len = header.message_len;
        // It was below a limit.
        self.fragments = self.fragments.wrapping_add(1);
        self.fin = FrameHeader::is_last(header.first);
        self.frame_remaining = header.payload_len;
        self.state = State::Data;
    }
}

/// In the second octet: whether the payload is masked.
const MASKED: u8 = 0x80;
