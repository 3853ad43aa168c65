//! Every fact that decides how a connection ends, and what changes them (RFC 6455 section 7).
//
// Owns: the closing handshake, who began it, and what both mean for the transport.
// Must not know: frames, buffers, time, or where the facts come from. The reader may be on another task: it has its own.

use crate::close::CloseCode;
use crate::connection::closing::{Closed, Initiator, ReadyState, TransportAction};
use crate::error::ProtocolError;
use crate::role::Side;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseEvent {
    /// Our Close was written, with this code.
    LocalClose(Option<CloseCode>),
    /// The peer's Close came, with this code.
    PeerClose(Option<CloseCode>),
    /// The connection has failed (section 7.1.7).
    Fail(ProtocolError),
    /// The transport ended: no byte will come.
    Eof,
    /// This endpoint drops the transport.
    Abort,
    /// The transport is to be dropped, whatever waits: the peer was given time enough.
    GiveUp,
    /// The writing direction ended: all was written before, or not.
    WriteEnded { complete: bool },
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct CloseState {
    phase: Phase,
    /// Who took the connection out of [`Phase::Open`].
    by: Option<Initiator>,
    transport: Transport,
    writing: Writing,
    /// Whether the failure is still to be reported.
    unreported: bool,
}

/// How far the closing handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No Close was sent or came, and nothing failed.
    Open,
    /// Our Close was sent, with this code.
    CloseSent(Option<CloseCode>),
    /// The peer's Close came, with this code. The answer is owed.
    CloseReceived(Option<CloseCode>),
    /// Both were.
    BothClosed { sent: Option<CloseCode>, received: Option<CloseCode> },
    /// It came and is never answered.
    Unanswered(Option<CloseCode>),
    /// The Close that tells the peer why is owed.
    Failing(ProtocolError),
    /// Nothing more is owed. Our Close was sent, with this code, or never is.
    Failed { error: ProtocolError, sent: Option<Option<CloseCode>> },
}

/// What became of the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Open,
    Ended,
    /// It is to be dropped, with what still waits for it.
    GivenUp,
}

/// What became of the transport's writing direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    Open,
    Ended,
    /// It ended before all was written.
    CutOff,
}

/// Reported where a Close had no code (section 7.1.5).
const NO_STATUS_RECEIVED: u16 = 1005;
/// Reported where no Close came (section 7.1.5).
const ABNORMAL_CLOSURE: u16 = 1006;

impl Phase {
    /// The transition table.
    const fn after(self, event: CloseEvent) -> Self {
        use CloseEvent::{Abort, Eof, Fail, LocalClose, PeerClose};
        const EOF: ProtocolError = ProtocolError::UnexpectedEof;

        match (self, event) {
            (Self::Open, LocalClose(sent)) => Self::CloseSent(sent),
            (Self::Open, PeerClose(received)) => Self::CloseReceived(received),
            // Some failures have no code that could be sent (section 7.4.1).
            (Self::Open, Fail(error)) if error.close_code().is_some() => Self::Failing(error),
            (Self::Open, Fail(error)) => Self::Failed { error, sent: None },
            (Self::Open, Eof | Abort) => Self::Failed { error: EOF, sent: None },

            (Self::CloseSent(sent), PeerClose(received)) => Self::BothClosed { sent, received },
            (Self::CloseSent(sent), Fail(error)) => Self::Failed { error, sent: Some(sent) },
            (Self::CloseSent(sent), Eof | Abort) => Self::Failed { error: EOF, sent: Some(sent) },

            // The peer may have ended its direction only.
            (Self::CloseReceived(received), LocalClose(sent)) => Self::BothClosed { sent, received },
            (Self::CloseReceived(received), Abort) => Self::Unanswered(received),

            (Self::Failing(error), LocalClose(sent)) => Self::Failed { error, sent: Some(sent) },
            (Self::Failing(error), Abort) => Self::Failed { error, sent: None },

            // The first Close of the peer or the first failure counts, and ours is sent once.
            (phase, _) => phase,
        }
    }
}

impl CloseState {
    pub(crate) const OPEN: Self = Self {
        phase: Phase::Open,
        by: None,
        transport: Transport::Open,
        writing: Writing::Open,
        unreported: false,
    };

    /// Returns the failure, if the connection has failed by it.
    pub(crate) fn on(&mut self, event: CloseEvent) -> Option<ProtocolError> {
        let before = self.failure();
        if self.is_open() {
            self.by = match event {
                CloseEvent::PeerClose(_) => Some(Initiator::Peer),
                CloseEvent::Fail(ProtocolError::UnexpectedEof) | CloseEvent::Eof => None,
                CloseEvent::LocalClose(_) | CloseEvent::Fail(_) | CloseEvent::Abort => Some(Initiator::Local),
                CloseEvent::GiveUp | CloseEvent::WriteEnded { .. } => self.by,
            };
        }
        self.phase = self.phase.after(event);
        match event {
            CloseEvent::Eof | CloseEvent::Abort if self.transport == Transport::Open => {
                self.transport = Transport::Ended;
            }
            CloseEvent::GiveUp => self.transport = Transport::GivenUp,
            CloseEvent::WriteEnded { complete: false } => self.writing = Writing::CutOff,
            CloseEvent::WriteEnded { complete: true } if self.writing == Writing::Open => {
                self.writing = Writing::Ended;
            }
            _ => {}
        }
        let news = self.failure().filter(|_| before.is_none())?;
        // Whoever drops the transport knows.
        self.unreported = event != CloseEvent::Abort;
        Some(news)
    }

    /// Whether data may still be sent.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Not once both Closes were sent, or our last word was (section 5.5.2).
    pub(crate) const fn allows_pongs(&self) -> bool {
        match self.phase {
            Phase::Open | Phase::CloseSent(_) | Phase::CloseReceived(_) | Phase::Failing(_) => true,
            Phase::BothClosed { .. } | Phase::Unanswered(_) | Phase::Failed { .. } => false,
        }
    }

    /// The code of the Close that is owed: an answer echoes that of the peer (section 5.5.1).
    pub(crate) const fn owed(&self) -> Option<Option<CloseCode>> {
        match self.phase {
            Phase::CloseReceived(code) => Some(code),
            Phase::Failing(error) => Some(error.close_code()),
            _ => None,
        }
    }

    /// The code of the Close that was sent.
    pub(crate) const fn sent(&self) -> Option<Option<CloseCode>> {
        match self.phase {
            Phase::CloseSent(sent) | Phase::BothClosed { sent, .. } => Some(sent),
            Phase::Failed { sent, .. } => sent,
            _ => None,
        }
    }

    /// The code of the Close that came.
    pub(crate) const fn received(&self) -> Option<Option<CloseCode>> {
        match self.phase {
            Phase::CloseReceived(received)
            | Phase::BothClosed { received, .. }
            | Phase::Unanswered(received) => Some(received),
            _ => None,
        }
    }

    pub(crate) const fn failure(&self) -> Option<ProtocolError> {
        match self.phase {
            Phase::Failing(error) | Phase::Failed { error, .. } => Some(error),
            _ => None,
        }
    }

    /// The failure, once.
    #[cfg(any(feature = "alloc", feature = "embedded-io", feature = "embedded-io-async"))]
    pub(crate) fn take_failure(&mut self) -> Option<ProtocolError> {
        let unreported = core::mem::take(&mut self.unreported);
        self.failure().filter(|_| unreported)
    }

    pub(crate) const fn has_ended(&self) -> bool {
        !matches!(self.transport, Transport::Open)
    }

    /// Whether the transport is to be dropped, with what still waits for it.
    pub(crate) const fn gave_up(&self) -> bool {
        matches!(self.transport, Transport::GivenUp)
    }

    /// Whether nothing more can be written.
    #[cfg(any(feature = "alloc", feature = "embedded-io", feature = "embedded-io-async"))]
    pub(crate) const fn write_ended(&self) -> bool {
        !matches!(self.writing, Writing::Open)
    }

    /// Whether nothing more can be written, and not all was.
    pub(crate) const fn is_cut_off(&self) -> bool {
        matches!(self.writing, Writing::CutOff)
    }

    pub(crate) const fn ready_state(&self) -> ReadyState {
        if self.has_ended() {
            ReadyState::Closed
        } else if self.is_open() {
            ReadyState::Open
        } else {
            ReadyState::Closing
        }
    }

    /// `mid_frame` if the payload of a frame that was begun is not complete.
    pub(crate) const fn transport(&self, side: Side, mid_frame: bool) -> TransportAction {
        if self.has_ended() {
            return TransportAction::Close;
        }
        match (self.phase, side) {
            (Phase::Open | Phase::CloseSent(_), _) => TransportAction::Open,
            // No Close can follow half a frame.
            (Phase::Failing(_) | Phase::Failed { .. }, _) if mid_frame => TransportAction::Close,
            (Phase::Failing(_) | Phase::Failed { .. }, _) | (_, Side::Server) => {
                TransportAction::ShutdownWrite
            }
            (_, Side::Client) => TransportAction::AwaitEof,
        }
    }

    pub(crate) const fn closed(&self) -> Option<Closed> {
        if !self.has_ended() {
            return None;
        }
        let status = match self.received() {
            Some(Some(code)) => code.value(),
            Some(None) => NO_STATUS_RECEIVED,
            None => ABNORMAL_CLOSURE,
        };
        // A Close is the last that is written.
        let clean = matches!(self.phase, Phase::BothClosed { .. }) && !self.is_cut_off();
        Some(Closed { status, clean, by: self.by, error: self.failure() })
    }
}
