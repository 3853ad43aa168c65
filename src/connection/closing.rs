//! What is told of the end of a connection (RFC 6455 section 7).
//
// Owns: these values.
// Must not know: what decides them.

use crate::error::ProtocolError;

/// The state of a connection, by the RFC's names (section 7.1).
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

/// What to do with the transport, once everything that is owed was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "an adapter must know every instruction")]
pub enum TransportAction {
    /// Go on reading and writing.
    Open,
    /// Flush, end the writing direction, then read to the end of the stream and close (section 7.1.1).
    ShutdownWrite,
    /// Flush, then read to the end of the stream and close: a client waits for the server to end (section 7.1.1).
    AwaitEof,
    /// Flush what can be flushed without waiting, and close.
    Close,
}

/// How the connection ended (sections 7.1.4 to 7.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// The code of the Close that came; 1005 if it had none; 1006 if none came.
    pub status: u16,
    /// Whether the closing handshake was complete when the transport ended.
    pub clean: bool,
    /// Who sent its Close first or, without one, failed or dropped the connection. `None` if the transport just ended.
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
