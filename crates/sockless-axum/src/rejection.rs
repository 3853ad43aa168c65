//! Why a request becomes no WebSocket, as axum wants it.
//
// Owns: that a refusal is a rejection.
// Must not know: which requests are refused, or how.

use std::fmt;

use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use sockless::OpeningError;
use sockless_hyper::Refusal;

/// Why a request becomes no WebSocket. As a response it has the status for that, the header fields that belong to it, and a body
/// of plain text that says what was wrong, and repeats nothing of the request.
///
/// | Status | Why |
/// |---|---|
/// | 400 | the request breaks a rule of RFC 6455, RFC 8441 or HTTP |
/// | 403 | the config does not allow the page that asks |
/// | 405 | it asks by another method than GET (HTTP/1.1) or CONNECT (HTTP/2) |
/// | 426 | it asks for no WebSocket, or for another version of it; or the connection cannot be upgraded |
/// | 500 | the answer that the program wants to give is invalid |
/// | 501 | it asks for another protocol by an extended CONNECT |
/// | 503 | the set of [`Sockets`](crate::Sockets) is full, or ends |
/// | 505 | it asks over HTTP/1.0, as some proxies do |
#[derive(Clone, Debug)]
pub struct WebSocketUpgradeRejection(Refusal);

impl WebSocketUpgradeRejection {
    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        self.0.status()
    }

    /// The body of the response.
    pub fn body_text(&self) -> String {
        String::from_utf8_lossy(self.0.body()).into_owned()
    }

    /// What was wrong.
    pub fn reason(&self) -> &OpeningError {
        self.0.reason()
    }

    /// Whether the request is well-formed and asks for no WebSocket, or came in a way in which none can be opened.
    pub fn is_plain_http(&self) -> bool {
        matches!(self.reason(), OpeningError::NotWebSocket)
    }
}

impl From<Refusal> for WebSocketUpgradeRejection {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for WebSocketUpgradeRejection {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl fmt::Display for WebSocketUpgradeRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// `Display` prints what it is made of.
impl std::error::Error for WebSocketUpgradeRejection {}
