//! What an endpoint and its adapter tell each other.
//
// Owns: the steps that an adapter takes, and what it says of its transport.
// Must not know: how a step is chosen.

use crate::frame::MessageKind;

/// What an adapter does next.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "an adapter must know every action")]
pub enum Action {
    /// A message, or a piece of one, is ready: take it with [`Endpoint::message`](super::Endpoint::message) or
    /// [`Endpoint::piece`](super::Endpoint::piece).
    Take(Ready),
    /// Write [`Endpoint::output`](super::Endpoint::output) and report it with
    /// [`Endpoint::wrote`](super::Endpoint::wrote). If the transport would make us wait, go on with
    /// [`WriteSide::Blocked`]; if the answer to that is to write, wait.
    Write,
    /// End the writing direction of the transport, then call
    /// [`Endpoint::write_ended`](super::Endpoint::write_ended). Waiting is as for `Write`.
    ShutdownWrite,
    /// Read into [`Endpoint::space`](super::Endpoint::space) and report it with
    /// [`Endpoint::filled`](super::Endpoint::filled), or [`Endpoint::eof`](super::Endpoint::eof).
    Read,
    /// There is more to do, but this connection has had its share of the time. Let other connections have their
    /// turn, look whether a [deadline](super::Endpoint::poll_timeout) has passed, and then poll again. Who serves
    /// only one connection polls again at once.
    Yield,
    /// Drop the transport; [`Endpoint::closed`](super::Endpoint::closed) tells how the connection ended.
    Close,
}

/// Whether the transport takes output now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it does or it does not")]
pub enum WriteSide {
    /// It may.
    Ready,
    /// It would make us wait: read meanwhile.
    Blocked,
}

/// What is ready to be taken: a message, or a piece of one. Hand it to [`Endpoint::message`](super::Endpoint::message)
/// or [`Endpoint::piece`](super::Endpoint::piece), or to the functions of [`Inbound`](super::Inbound) with these names.
///
/// It says where the message stands, and borrows nothing. Nothing changes until it is taken: if it is dropped, the
/// next poll gives it again. Once anything was taken, all that was ready before is out of date: `None` comes of it.
///
/// Use it with the endpoint that gave it. Another one cannot always tell, and may take other bytes that it has read for
/// the message. Nothing panics.
#[derive(Debug, PartialEq, Eq)]
pub struct Ready {
    /// How much was taken before it.
    pub(super) number: u32,
    pub(super) place: Place,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Unread in the read buffer, still masked: a message in one frame. The lengths are wider than they need be: what
    /// fits one register is packed into it, and unpacked again. Row `endpoint_echoes` pays for that.
    Short { kind: MessageKind, header_len: usize, len: usize },
    /// Elsewhere, which the receiving direction knows.
    Long,
}
