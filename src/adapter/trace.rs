//! What is told of a connection through the crate `tracing`.
//
// Owns: the span and the events, and that nothing in them is what others sent.
// Must not know: when something happens.

use alloc::boxed::Box;
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use tracing::{event, span, Level, Span};

use super::Error;
use crate::connection::closing::{Closed, Initiator};
use crate::role::Side;

/// The span, which ends with the socket, if somebody listens; and whether its end was told.
#[derive(Default)]
pub(super) struct Trace(Option<Box<(Span, AtomicBool)>>);

impl Trace {
    pub(super) fn opened(side: Side, subprotocol: Option<&str>, compression: bool) -> Self {
        let span = span!(target: "sockless", Level::INFO, "websocket", role = name(side));
        event!(target: "sockless", parent: &span, Level::DEBUG, subprotocol, compression, "opened");
        Self((!span.is_disabled()).then(|| Box::new((span, AtomicBool::new(false)))))
    }

    pub(super) fn came<T>(&self, came: &Result<Option<T>, Error>, closed: impl FnOnce() -> Option<Closed>) {
        match came {
            Ok(Some(_)) => return,
            Ok(None) => {}
            Err(error) => self.failed(&Plain(error)),
        }
        let (Some(told), Some(Closed { status, clean, by, .. })) = (&self.0, closed()) else { return };
        let (span, ended) = &**told;
        if !ended.swap(true, Ordering::Relaxed) {
            let by = by.map(|by| match by {
                Initiator::Local => "us",
                Initiator::Peer => "peer",
            });
            event!(target: "sockless", parent: span, Level::DEBUG, code = status, by, clean, "closed");
        }
    }

    pub(super) fn failed(&self, error: &dyn fmt::Display) {
        if let Some(told) = &self.0 {
            event!(target: "sockless", parent: &told.0, Level::INFO, %error, "failed");
        }
    }
}

/// While a client opened.
pub(super) fn lost(error: &Error) {
    event!(target: "sockless", Level::INFO, role = name(Side::Client), error = %Plain(error), "failed");
}

pub(super) fn refused(side: Side, status: Option<u16>, reason: &dyn fmt::Display) {
    event!(target: "sockless", Level::INFO, role = name(side), status, reason = %reason, "refused");
}

struct Plain<'e>(&'e Error);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            // Its text is the transport's, which may say anything.
            Error::Io(error) => error.kind().fmt(f),
            error => error.fmt(f),
        }
    }
}

const fn name(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
    }
}
