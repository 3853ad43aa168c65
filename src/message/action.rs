//! What an endpoint and its adapter tell each other.
//
// Owns: the steps that an adapter takes, and what it says of its transport.
// Must not know: how a step is chosen.

/// What an adapter does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "an adapter must know every action")]
pub enum Action {
    /// A message, or a piece of one, is ready: take it with [`Endpoint::message`](super::Endpoint::message) or
    /// [`Endpoint::piece`](super::Endpoint::piece).
    Take,
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
