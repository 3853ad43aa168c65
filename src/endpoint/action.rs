//! What an endpoint and its adapter tell each other.
//
// Owns: the steps that an adapter takes, and what it says about its transport.
// Must not know: how a step is chosen.

use crate::frame::MessageKind;

/// What an adapter must do next.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "an adapter must know every action")]
pub enum Action {
    /// A message, or a piece of one, is ready: take it with [`Endpoint::message`](super::Endpoint::message) or
    /// [`Endpoint::piece`](super::Endpoint::piece).
    Take(Ready),
    /// Write [`Endpoint::output`](super::Endpoint::output), and report the number of bytes to
    /// [`Endpoint::wrote`](super::Endpoint::wrote). If the transport would block, poll again with
    /// [`WriteSide::Blocked`]; if the answer is the same, wait for the transport.
    Write,
    /// End the writing direction of the transport, then call [`Endpoint::write_ended`](super::Endpoint::write_ended).
    /// If the transport would block, do as for `Write`.
    ShutdownWrite,
    /// Read into [`Endpoint::space`](super::Endpoint::space), and report the number of bytes to
    /// [`Endpoint::filled`](super::Endpoint::filled), or the end of the stream to
    /// [`Endpoint::eof`](super::Endpoint::eof).
    Read,
    /// This connection has had its share of the time. Let others work, check whether a
    /// [timer](super::Endpoint::poll_timeout) has run out, and poll again.
    Yield,
    /// Drop the transport. [`Endpoint::closed`](super::Endpoint::closed) tells how the connection ended.
    Close,
}

/// Whether the transport can be written to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it does or it does not")]
pub enum WriteSide {
    /// It can, as far as is known.
    Ready,
    /// It would block. Read meanwhile.
    Blocked,
}

/// What is ready to be taken: a message, or a piece of one. Hand it to [`Endpoint::message`](super::Endpoint::message)
/// or [`Endpoint::piece`](super::Endpoint::piece), or to the functions of [`Inbound`](super::Inbound) with these names.
///
/// It borrows nothing. If it is dropped, the next poll returns it again. Once something was taken, each earlier value
/// is out of date, and gives `None`. Another endpoint may return other bytes for it, but nothing panics.
#[derive(Debug, PartialEq, Eq)]
pub struct Ready {
    /// How much was taken before this became ready.
    pub(super) number: u32,
    pub(super) place: Place,
}

/// Where the message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Unread in the read buffer, still masked: a message in one frame. The compiler packs smaller lengths into a
    /// register and unpacks them again (bench: endpoint_echoes).
    Short { kind: MessageKind, header_len: usize, len: usize },
    /// The receiving direction knows where.
    Long,
}
