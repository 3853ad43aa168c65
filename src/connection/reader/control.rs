//! Control frames (RFC 6455 section 5.5): Close, Ping and Pong.
//
// Owns: their payload, and what it obliges us to answer.
// Must not know: data frames.

use super::{Next, Reader, State};
use crate::close::CloseCode;
use crate::connection::close_state::CloseEvent;
use crate::connection::mailbox::Mailbox;
use crate::error::ProtocolError;
use crate::frame::Opcode;
use crate::input::Input;

impl Reader {
    /// `false` if its end has not come.
    pub(super) fn collect_control(&mut self, len: u8, input: &mut Input<'_>) -> bool {
        let have = usize::from(self.kept_len);
        let piece = input.take(usize::from(len).saturating_sub(have));
        if let Some(slot) = self.kept.get_mut(have..).and_then(|spare| spare.get_mut(..piece.len())) {
            slot.copy_from_slice(piece);
            if self.masked {
                self.masker.apply(slot);
            }
            self.kept_len = self.kept_len.saturating_add(piece.len() as u8);
        }
        self.kept_len >= len
    }

    pub(super) fn control(&mut self, opcode: Opcode, mailbox: &mut Mailbox) -> Result<Next, ProtocolError> {
        self.state = if self.message.is_some() { State::Amid } else { State::Between };
        match opcode {
            Opcode::PING => {
                mailbox.set_pong(self.control_payload());
                Ok(Next::Ping)
            }
            Opcode::PONG => {
                mailbox.set_answer(self.control_payload());
                Ok(Next::Pong)
            }
            _ => {
                let code = close_body(self.control_payload())?;
                // The message in progress is dropped (section 5.4).
                self.message = None;
                self.state = State::Closed(code);
                mailbox.set_end(CloseEvent::PeerClose(code));
                Ok(Next::Close(code))
            }
        }
    }
}

/// Sections 5.5.1 and 7.4.
fn close_body(body: &[u8]) -> Result<Option<CloseCode>, ProtocolError> {
    match body.split_first_chunk::<2>() {
        None if body.is_empty() => Ok(None),
        None => Err(ProtocolError::InvalidClosePayload),
        Some((code, reason)) => {
            let code = u16::from_be_bytes(*code);
            let code = CloseCode::new(code).ok_or(ProtocolError::InvalidCloseCode(code))?;
            core::str::from_utf8(reason).map_err(|_| ProtocolError::InvalidCloseReason)?;
            Ok(Some(code))
        }
    }
}
