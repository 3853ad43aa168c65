//! How a connection ends: the closing handshake's state and what to do with the transport (RFC 6455 section
//! 7).
//
// Owns: what both halves' facts mean together.
// Must not know: the halves themselves, or any transport.

use crate::close::CloseCode;
use crate::error::ProtocolError;
use crate::role::Side;

/// The state of a connection whose opening handshake is complete, by the RFC's names (section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 6455 section 7.1 names these states")]
pub enum ReadyState {
    /// Messages may be sent.
    Open,
    /// A Close was sent or came, or the connection failed (section 7.1.3).
    Closing,
    /// The transport has ended (section 7.1.4).
    Closed,
}

/// What to do with the transport, once everything that the engine wants sent was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "an adapter must know every instruction")]
pub enum TransportAction {
    /// Go on reading and writing.
    Open,
    /// Flush, end the writing direction, then read to the end of the stream and close. The server ends first,
    /// and so does who failed the connection (section 7.1.1).
    ShutdownWrite,
    /// Flush, then read to the end of the stream and close: the client waits for the server to end (section
    /// 7.1.1).
    AwaitEof,
    /// Flush what can be flushed without waiting, and close.
    Close,
}

/// How the connection ended: the one terminal event, true on every path (sections 7.1.4 to 7.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// The code of the Close that came; 1005 if it had none; 1006 if none came. The last two never cross the
    /// wire.
    pub status: u16,
    /// Whether the closing handshake was complete when the transport ended.
    pub clean: bool,
    /// Who began: sent its Close first or, without one, failed or dropped the connection. `None` if the
    /// transport just ended.
    pub by: Option<Initiator>,
    /// Why the connection failed, if it did.
    pub error: Option<ProtocolError>,
}

/// Who began the closing handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Initiator {
    /// This endpoint.
    Local,
    /// The peer.
    Peer,
}

/// Reported where a Close had no code (section 7.1.5).
const NO_STATUS_RECEIVED: u16 = 1005;
/// Reported where no Close came (section 7.1.5).
const ABNORMAL_CLOSURE: u16 = 1006;

/// What both halves know about the end of their connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) side: Side,
    /// The Close that came.
    pub(crate) received: Option<Option<CloseCode>>,
    /// Whether a Close was sent.
    pub(crate) sent: bool,
    /// Whether a Close was sent or is owed.
    pub(crate) owed: bool,
    /// Whether the Close that was sent came before the one received, or this endpoint dropped the transport.
    pub(crate) local_first: bool,
    /// Why the connection failed.
    pub(crate) failure: Option<ProtocolError>,
    /// Whether a frame was begun that can no longer be completed.
    pub(crate) frame_abandoned: bool,
    /// Whether the transport ended, or is to be dropped.
    pub(crate) ended: bool,
}

impl Ending {
    pub(crate) const fn ready_state(&self) -> ReadyState {
        if self.ended {
            ReadyState::Closed
        } else if self.received.is_some() || self.owed || self.failure.is_some() {
            ReadyState::Closing
        } else {
            ReadyState::Open
        }
    }

    pub(crate) const fn transport(&self) -> TransportAction {
        if self.ended {
            return TransportAction::Close;
        }
        if self.failure.is_some() {
            return if self.frame_abandoned {
                TransportAction::Close
            } else {
                TransportAction::ShutdownWrite
            };
        }
        match (self.received, self.owed, self.side) {
            (Some(_), true, Side::Server) => TransportAction::ShutdownWrite,
            (Some(_), true, Side::Client) => TransportAction::AwaitEof,
            _ => TransportAction::Open,
        }
    }

    pub(crate) fn closed(&self) -> Option<Closed> {
        if !self.ended {
            return None;
        }
        let status = match self.received {
            Some(Some(code)) => code.value(),
            Some(None) => NO_STATUS_RECEIVED,
            None => ABNORMAL_CLOSURE,
        };
        let by = match (self.received, self.failure) {
            (Some(_), _) if self.local_first => Some(Initiator::Local),
            (Some(_), _) => Some(Initiator::Peer),
            (None, Some(ProtocolError::UnexpectedEof)) if self.sent || self.local_first => {
                Some(Initiator::Local)
            }
            (None, Some(ProtocolError::UnexpectedEof) | None) => None,
            (None, Some(_)) => Some(Initiator::Local),
        };
        Some(Closed {
            status,
            clean: self.received.is_some() && self.sent && self.failure.is_none(),
            by,
            error: self.failure,
        })
    }
}
