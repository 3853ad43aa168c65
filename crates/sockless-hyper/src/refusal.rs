//! The answer to a request that does not become a WebSocket.
//
// Owns: how it is made of what the engine says.
// Must not know: which requests are refused.

use std::fmt;

use http::header::{HeaderMap, HeaderName, HeaderValue, CONTENT_TYPE};
use http::StatusCode;
use sockless::handshake::server::Reject;
use sockless::handshake::{ComposeError, Headers};
use sockless::OpeningError;

/// Why a request does not become a WebSocket, and the response that says so: status, fields, and a body of plain text.
///
/// It is an error, so `?` works with it. [`into_response`](Self::into_response) makes the response for hyper.
///
/// `Debug` shows neither the values of fields nor the body.
#[derive(Clone)]
pub struct Refusal(Box<Parts>);

#[derive(Clone)]
struct Parts {
    status: StatusCode,
    fields: HeaderMap,
    body: Vec<u8>,
    reason: OpeningError,
}

impl Refusal {
    /// The refusal of an application, such as 404 for a resource that is not there. A status below 300 or above 599
    /// becomes a 500.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let status = StatusCode::from_u16(status).ok().filter(|status| (300..600).contains(&status.as_u16()));
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (fields, body, reason) = (HeaderMap::new(), body.into(), OpeningError::Refused(status.as_u16()));
        Self(Box::new(Parts { status, fields, body, reason }))
    }

    /// With one more header field, such as `WWW-Authenticate` or `Content-Type`. One that is invalid is left out.
    #[must_use]
    pub fn with_field(mut self, name: &str, value: &str) -> Self {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value.as_bytes()))
        {
            self.0.fields.append(name, value);
        }
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The header fields.
    pub fn fields(&self) -> &HeaderMap {
        &self.0.fields
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.0.body
    }

    /// Why it is refused.
    pub fn reason(&self) -> &OpeningError {
        &self.0.reason
    }

    /// The response, with any body that can be made of octets: `Vec<u8>`, `http_body_util::Full<Bytes>`, axum's `Body`.
    pub fn into_response<B: From<Vec<u8>>>(self) -> http::Response<B> {
        let Parts { status, fields, body, .. } = *self.0;
        let mut response = http::Response::new(body.into());
        *response.status_mut() = status;
        *response.headers_mut() = fields;
        response
    }

    /// What the engine answers. `upgrades` unless HTTP has no `Upgrade`; `hint` is said after the reason.
    pub(crate) fn of(reason: OpeningError, upgrades: bool, hint: &str) -> Self {
        let reject = match &reason {
            OpeningError::Handshake(error) => Reject::for_error(*error),
            OpeningError::NotWebSocket => Some(Reject::for_plain_http()),
            _ => None,
        };
        // The text says what was wrong, not what was sent. That of our own faults is not for a client.
        let mut body = match &reject {
            Some(_) => reason.to_string(),
            None => "the server cannot answer this request".to_owned(),
        };
        if !hint.is_empty() {
            body.push_str(": ");
            body.push_str(hint);
        }
        body.push('\n');
        let mut refusal = Self::new(500, body).with_field(CONTENT_TYPE.as_str(), "text/plain; charset=utf-8");
        if let Some(reject) = reject {
            // Where the request ended, hyper knows: the connection is good for another one.
            let reject = if upgrades { reject.with_keep_alive() } else { reject.without_upgrade() };
            refusal.0.status = StatusCode::from_u16(reject.status()).unwrap_or(refusal.0.status);
            if let Ok(fields) = composed(|out| reject.fields(out).map(map_of)) {
                refusal.0.fields.extend(fields);
            }
        }
        refusal.0.reason = reason;
        refusal
    }
}

/// What the engine writes into a buffer that is large enough.
pub(crate) fn composed<T>(
    mut write: impl FnMut(&mut [u8]) -> Result<T, ComposeError>,
) -> Result<T, ComposeError> {
    let mut out = vec![0; 512];
    loop {
        match write(&mut out) {
            Err(ComposeError::BufferTooSmall(short)) if short.required > out.len() => {
                out.resize(short.required, 0);
            }
            result => return result,
        }
    }
}

/// Fields that the engine wrote are valid in HTTP.
pub(crate) fn map_of(headers: Headers<'_>) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers.iter() {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value))
        {
            map.append(name, value);
        }
    }
    map
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("status", &self.0.status.as_u16())
            .field("fields", &self.0.fields.len())
            .field("body", &self.0.body.len())
            .field("reason", &self.0.reason)
            .finish()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.reason.fmt(f)
    }
}

// `Display` prints what it is made of.
impl std::error::Error for Refusal {}
