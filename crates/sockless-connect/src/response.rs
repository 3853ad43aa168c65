//! What a server answers to the request for a WebSocket.
//
// Owns: the fields of an answer, each as it came.
// Must not know: what they mean.

use std::fmt;
use std::time::{Duration, SystemTime};

use sockless::handshake::client::{Accepted, Rejected};
use sockless::handshake::{BodyReader, UriBuf};
use sockless::Rejection;

use crate::challenge::{challenges, Challenge};

/// A server's answer: the 101 that opened the WebSocket, or another one that refused it.
///
/// Printed for debugging, it shows neither the values of fields nor the body: they may be credentials.
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use sockless_connect::{Connect, ConnectError};
///
/// let response = match Connect::new("wss://example.com/feed").connect_blocking() {
///     Ok((_socket, response)) => response,
///     Err(ConnectError::Rejected(response)) => response,
///     Err(error) => return Err(error.into()),
/// };
/// println!("{} {:?}", response.status(), response.field("Server"));
/// for cookie in response.fields_named("Set-Cookie") {
///     println!("{}", String::from_utf8_lossy(cookie));
/// }
/// for challenge in response.challenges() {
///     println!("log in by {}, {:?}", challenge.scheme(), challenge.parameter("realm"));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// In a box, since whatever fails in connecting may hold it.
    parts: Box<Parts>,
}

#[derive(Clone, Default, PartialEq, Eq)]
struct Parts {
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    is_complete: bool,
    location: Option<UriBuf>,
}

impl Response {
    fn of(parts: Parts) -> Self {
        Self { parts: Box::new(parts) }
    }

    /// The answer that opens a WebSocket.
    pub(crate) fn of_accepted(accepted: &Accepted<'_>) -> Self {
        let fields = accepted.headers().iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self::of(Parts { status: 101, fields, is_complete: true, ..Parts::default() })
    }

    /// The status: 101 if the WebSocket is open, else from 200. Above 599 it is invalid, and to be treated as a 5xx
    /// (RFC 9110 section 15).
    pub fn status(&self) -> u16 {
        self.parts.status
    }

    /// All header fields in the order in which they came. A name that came twice is there twice.
    pub fn fields(&self) -> &[(String, Vec<u8>)] {
        &self.parts.fields
    }

    /// The value of the first field with this name, in any case, if it is text.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields_named(name).next().and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The value of each field with this name, in any case. Each `Set-Cookie` is one of them.
    pub fn fields_named<'r, 'n>(&'r self, name: &'n str) -> impl Iterator<Item = &'r [u8]> + use<'r, 'n> {
        let named = self.parts.fields.iter().filter(move |(given, _)| given.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_slice())
    }

    /// Where a redirect points to: a status of 301, 302, 303, 307 or 308 with a `Location`, as a whole URL. `None` if it
    /// is invalid, has a user name, or is no URL that a WebSocket can have (RFC 9110 section 10.2.2).
    pub fn location(&self) -> Option<&UriBuf> {
        self.parts.location.as_ref()
    }

    /// The same, as the answer of this URL.
    pub(crate) fn at(mut self, uri: &UriBuf) -> Self {
        if matches!(self.parts.status, 301..=303 | 307 | 308) {
            self.parts.location = self.field("Location").and_then(|reference| uri.join(reference).ok());
        }
        self
    }

    /// What would let us in: of a 401 to the server (`WWW-Authenticate`), of a 407 to the proxy (`Proxy-Authenticate`).
    /// Empty for any other status.
    pub fn challenges(&self) -> Vec<Challenge> {
        let name = match self.parts.status {
            401 => "WWW-Authenticate",
            407 => "Proxy-Authenticate",
            _ => return Vec::new(),
        };
        challenges(self.fields_named(name).filter_map(|value| std::str::from_utf8(value).ok()))
    }

    /// How long to wait before asking again: the field `Retry-After`, as seconds or as a date (RFC 9110 section 10.2.3).
    /// Zero for a date that is past. It is the server's wish, and may be years.
    pub fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        let value = self.field("Retry-After")?.trim();
        if !value.is_empty() && value.bytes().all(|digit| digit.is_ascii_digit()) {
            return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
        }
        let date = httpdate::parse_http_date(value).ok()?;
        Some(date.duration_since(now).unwrap_or_default())
    }

    /// The body of a refusal, without chunks, up to
    /// [`max_rejection_body`](sockless::ClientConfig::max_rejection_body).
    pub fn body(&self) -> &[u8] {
        &self.parts.body
    }

    /// Whether [`body`](Self::body) is the whole body. It is not if it is longer than the bound, if the time was up or
    /// the connection ended before, or if nothing says where it ends.
    pub fn is_complete(&self) -> bool {
        self.parts.is_complete
    }
}

/// A proxy's refusal, of which the body is being read.
pub(crate) struct ProxyRefusal {
    parts: Parts,
    /// None if nothing says where the body ends.
    reader: Option<BodyReader>,
}

impl ProxyRefusal {
    /// Of this head, of which nothing more comes.
    pub(crate) fn without_body(rejected: &Rejected<'_>) -> Self {
        let fields = rejected.headers().iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { parts: Parts { status: rejected.status(), fields, ..Parts::default() }, reader: None }
    }

    /// Of this head. So many bytes of the body are kept.
    pub(crate) fn new(rejected: &Rejected<'_>, body: usize) -> Self {
        let reader = BodyReader::new("CONNECT", rejected.status(), rejected.headers(), body as u64).ok();
        // What follows a head that was too large is the rest of it.
        let reader = reader.filter(|_| !rejected.is_truncated());
        Self { reader, ..Self::without_body(rejected) }
    }

    /// Whether the body is not over.
    pub(crate) fn needs_more(&self) -> bool {
        self.reader.as_ref().is_some_and(|reader| !reader.is_over())
    }

    /// How long to wait for more, whatever time is left.
    pub(crate) fn idle_limit(&self) -> Option<Duration> {
        self.reader.as_ref()?.idle_limit()
    }

    /// Takes what was read; nothing is the end of the connection.
    pub(crate) fn read(&mut self, received: &[u8]) {
        if received.is_empty() {
            // That it is not complete says as much as the error.
            let _ = self.reader.as_mut().map(BodyReader::eof);
        }
        self.received(received);
    }

    /// Takes what is there.
    pub(crate) fn received(&mut self, mut received: &[u8]) {
        let Some(reader) = &mut self.reader else { return };
        while !received.is_empty() && !reader.is_over() {
            let Ok((taken, piece)) = reader.recv(received) else { return };
            self.parts.body.extend_from_slice(piece);
            received = received.get(taken..).unwrap_or(&[]);
        }
    }

    pub(crate) fn into_response(self) -> Response {
        let is_complete = self.reader.is_some_and(|reader| reader.is_complete());
        Response::of(Parts { is_complete, ..self.parts })
    }
}

impl From<Rejection> for Response {
    fn from(rejection: Rejection) -> Self {
        Self::of(Parts {
            status: rejection.status(),
            fields: rejection.fields().to_vec(),
            body: rejection.body().to_vec(),
            is_complete: rejection.is_complete(),
            location: None,
        })
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.parts.status)
            .field("fields", &self.parts.fields.len())
            .field("body_len", &self.parts.body.len())
            .finish_non_exhaustive()
    }
}
