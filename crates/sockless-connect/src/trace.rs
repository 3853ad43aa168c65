//! What is told through the crate `tracing` of a connection that was not made.
//
// Owns: the event, and that nothing in it is what others sent.
// Must not know: when something happens.

use std::fmt::Display;

use tracing::{event, Level};

use crate::{ConnectError, ProxyError, Stage};

/// Of the handshake with the server, the engine tells.
pub(crate) fn failed(error: &ConnectError) {
    let stage = match error.stage() {
        None | Some(Stage::Handshake) => return,
        Some(stage) => stage,
    };
    let kind;
    let error: &dyn Display = match error {
        // The text may be the peer's: the names in a certificate, for example.
        ConnectError::Resolve(error)
        | ConnectError::Connect(error)
        | ConnectError::Tls(error)
        | ConnectError::Proxy(
            ProxyError::Unreachable(error) | ProxyError::Tls(error) | ProxyError::Failed(error),
        ) => {
            kind = error.kind();
            &kind
        }
        error => error,
    };
    event!(target: "sockless", Level::INFO, role = "client", %stage, %error, "failed");
}
