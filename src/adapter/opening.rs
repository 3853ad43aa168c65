//! The opening handshake with the buffers that it needs: what the adapters share of it.
//
// Owns: turning received bytes into an answer to write.
// Must not know: any transport.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::agreed::Agreed;
use super::error::Error;
use super::opening_error::{OpeningError, RejectedResponse};
#[cfg(feature = "tracing")]
use super::trace;
use super::{Answer, ClientConfig, Connections, ServerConfig};
use crate::endpoint::Endpoint;
use crate::entropy::SystemEntropy;
use crate::error::{ProtocolError, Timeout};
use crate::handshake::client::{self, ClientRequest};
use crate::handshake::lists::FieldList;
use crate::handshake::server::{Accept, Reject, Request, ServerHandshake, ServerProgress};
use crate::handshake::{BodyReader, ComposeError, HandshakeError, HeadLimits, Negotiated};
use crate::role::{Client, Entropy, Server, Side};

/// What a client on a port that serves HTTP and WebSocket wanted.
///
/// `Debug` shows how many bytes were read, not which: they may hold credentials.
///
/// A page at `/` and a WebSocket for everything that asks for one:
///
/// ```no_run
/// use std::{io::Write, net::TcpStream};
/// use sockless::handshake::{server::{ServerProgress, Request}, OriginPolicy};
/// use sockless::{blocking, Opened, Error, ServerConfig};
///
/// fn serve(stream: TcpStream) -> Result<(), Error> {
///     let config = ServerConfig::new(OriginPolicy::SameHost);
///     match blocking::accept_or_http(stream, &config, |_| Ok(()))? {
///         Opened::WebSocket(mut socket) => socket.send("Hello"),
///         Opened::Http { mut stream, received } => {
///             let Ok(ServerProgress::Http(request)) = Request::parse(&received, &config.head_limits) else {
///                 return Ok(()); // it was one when it was handed back
///             };
///             let (status, body) = match request.path() {
///                 "/" => ("200 OK", "<!doctype html><title>Hello</title>"),
///                 _ => ("404 Not Found", ""),
///             };
///             write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
///             Ok(())
///         }
///     }
/// }
/// ```
#[expect(clippy::exhaustive_enums, reason = "a request asks for a WebSocket or it does not")]
pub enum Opened<W, S> {
    /// A WebSocket, which is open; of `receive_buffered` the request for one.
    WebSocket(W),
    /// HTTP: the transport, and the bytes that were read from it, for
    /// [`Request::parse`](crate::handshake::server::Request::parse): the whole head, and perhaps more.
    ///
    /// After the answer, `accept_buffered` takes the transport for the next request.
    Http {
        /// The transport; nothing was written to it.
        stream: S,
        /// What was read.
        received: Vec<u8>,
    },
}

impl<W, S> Opened<W, S> {
    /// Where plain HTTP was refused.
    pub(super) fn websocket(self) -> Result<W, Error> {
        match self {
            Self::WebSocket(socket) => Ok(socket),
            Self::Http { .. } => Err(OpeningError::NotWebSocket.into()),
        }
    }

    /// With what `map` makes of the transport of plain HTTP.
    pub fn map_stream<T>(self, map: impl FnOnce(S) -> T) -> Opened<W, T> {
        match self {
            Self::WebSocket(socket) => Opened::WebSocket(socket),
            Self::Http { stream, received } => Opened::Http { stream: map(stream), received },
        }
    }
}

/// An application's refusal of a valid request, such as 404 for a resource that is not there.
///
/// `Debug` shows neither the values of fields nor the body.
#[derive(Clone, PartialEq, Eq)]
pub struct Refusal {
    status: u16,
    fields: FieldList<'static>,
    body: Vec<u8>,
}

impl Refusal {
    /// With a status of 300 to 599. A 401 needs a `WWW-Authenticate` field.
    pub const fn new(status: u16) -> Self {
        Self { status, fields: FieldList::EMPTY, body: Vec::new() }
    }

    /// With one more header field.
    #[must_use]
    pub fn with_field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.owned.push((name.into(), value.into()));
        self
    }

    /// With a body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    fn response(&self) -> Result<Vec<u8>, ComposeError> {
        let mut reject = Reject::new(self.status)?.with_body(&self.body);
        reject.fields.add(self.fields.fields())?;
        written(|out| reject.write(out))
    }
}

/// The share of one address, where so many are left.
pub(super) fn share(left: Duration, addresses: usize) -> Duration {
    left.checked_div(u32::try_from(addresses).unwrap_or(u32::MAX)).unwrap_or(left)
}

/// Bytes that are read after a refusal, at most.
pub(super) const MAX_DRAINED: usize = 1 << 20;

/// For a refusal and what comes after it, without an opening time.
const PARTING: Duration = Duration::from_secs(5);

/// The least for it, also where the opening time is up.
pub(super) const SHORT_PARTING: Duration = Duration::from_secs(1);

/// How long a refusal may take, where so much of the opening time is left.
pub(super) fn parting_time(left: Option<Duration>, at_least: Duration) -> Duration {
    left.map_or(PARTING, |left| left.max(at_least))
}

/// RFC 9112 section 9.5 for a client that is too slow, RFC 9110 section 15.6.4 for a decision that is.
pub(super) fn too_late(status: u16) -> Refused {
    let response = Reject::new(status).and_then(|reject| written(|out| reject.write(out)));
    Refused::new(Some(status), response.unwrap_or_default(), LATE)
}

pub(super) const LATE: ProtocolError = ProtocolError::TimedOut(Timeout::OpeningHandshake);

/// What becomes of a plain HTTP request.
#[derive(Clone, Copy)]
pub(super) enum Plain {
    /// It is handed back, with its transport.
    HandedBack,
    /// It is answered with 426.
    Refused,
}

pub(super) fn until_end(read: &[u8]) -> Result<&[u8], Error> {
    match read {
        [] => Err(OpeningError::Handshake(HandshakeError::UnexpectedEof).into()),
        read => Ok(read),
    }
}

/// A refusal to write, if there is one, and what the application is told.
pub(super) struct Refused {
    pub(super) response: Vec<u8>,
    pub(super) error: Error,
}

impl Refused {
    fn new<E: core::error::Error + Into<Error>>(_status: Option<u16>, response: Vec<u8>, error: E) -> Self {
        #[cfg(feature = "tracing")]
        trace::refused(Side::Server, _status, &error);
        Self { response, error: error.into() }
    }
}

impl From<OpeningError> for Refused {
    fn from(error: OpeningError) -> Self {
        let reject = error.answer();
        let response = reject.as_ref().and_then(|reject| written(|out| reject.write(out)).ok());
        Self::new(reject.map(|reject| reject.status()), response.unwrap_or_default(), error)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal.response() {
            Ok(response) => Self::new(Some(refusal.status), response, OpeningError::Refused(refusal.status)),
            Err(error) => OpeningError::from(error).into(),
        }
    }
}

/// A valid request for a WebSocket, of a page that may ask for one.
pub(super) struct Unanswered {
    /// The head and what came after it.
    received: Vec<u8>,
    limits: HeadLimits,
}

impl Unanswered {
    /// It was judged before: this borrows its parts.
    pub(super) fn request(&self) -> Result<Request<'_>, OpeningError> {
        match Request::parse(&self.received, &self.limits)? {
            ServerProgress::Request(request) => Ok(request),
            _ => Err(OpeningError::NotWebSocket),
        }
    }

    /// The response to write, and the connection that is open then. So much of the opening time is left.
    pub(super) fn accept(
        &self,
        config: &ServerConfig,
        answer: &Answer<'_>,
        left: Option<Duration>,
    ) -> Result<(Vec<u8>, Endpoint<Server>, Agreed), Refused> {
        if left.is_some_and(|left| left.is_zero()) {
            return Err(too_late(503));
        }
        Ok(self.judged(config, answer)?)
    }

    fn judged(
        &self,
        config: &ServerConfig,
        answer: &Answer<'_>,
    ) -> Result<(Vec<u8>, Endpoint<Server>, Agreed), OpeningError> {
        let request = self.request()?;
        let accept = config.complete(config.accept(&request)?, answer)?;
        let response = written(|out| Ok(accept.write(out)?.0))?;
        let agreed = Agreed::new(Side::Server, accept.negotiated(), accept.chosen_subprotocol());
        let frames = self.received.get(request.head().len()..).unwrap_or(&[]);
        Ok((response, config.endpoint(agreed.negotiated, frames), agreed))
    }

    pub(super) fn len(&self) -> usize {
        self.received.len()
    }
}

/// The request, or what was received of another; `None` if more must be read.
pub(super) fn serve(
    handshake: &mut ServerHandshake<'_>,
    input: &[u8],
    config: &ServerConfig,
    plain: Plain,
) -> Result<Option<Result<Unanswered, Vec<u8>>>, Refused> {
    let (taken, progress) = handshake.recv(input).map_err(OpeningError::from)?;
    let (head, asks) = match &progress {
        ServerProgress::NeedMore => return Ok(None),
        ServerProgress::Request(request) => {
            config.accept(request).map_err(OpeningError::from)?;
            (request.head(), true)
        }
        ServerProgress::Http(request) if matches!(plain, Plain::HandedBack) => (request.head(), false),
        ServerProgress::Http(_) => return Err(OpeningError::NotWebSocket.into()),
    };
    let received = [head, input.get(taken..).unwrap_or(&[])].concat();
    Ok(Some(if asks { Ok(Unanswered { received, limits: config.head_limits }) } else { Err(received) }))
}

pub(super) enum ClientStep<'h> {
    /// Read more.
    NeedMore,
    /// The WebSocket is open. So many bytes of the input belonged to the response.
    Open { accepted: client::Accepted<'h>, taken: usize },
    /// The server answered otherwise: read on while [`RefusalReader::needs_more`].
    Rejected(RefusalReader),
}

pub(super) struct RefusalReader {
    response: Box<RejectedResponse>,
    body: Option<BodyReader>,
}

impl RefusalReader {
    fn new(rejected: &client::Rejected<'_>, received: &[u8], config: &ClientConfig) -> Self {
        let (status, headers) = (rejected.status(), rejected.headers());
        let response = RejectedResponse {
            status,
            fields: headers.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            body: Vec::new(),
            complete: false,
        };
        let body = BodyReader::new("GET", status, headers, config.max_rejection_body as u64).ok();
        // What follows a head that was too large is the rest of it.
        let body = body.filter(|_| !rejected.is_truncated());
        let mut this = Self { response: Box::new(response), body };
        this.received(received);
        this
    }

    pub(super) fn needs_more(&self) -> bool {
        self.body.as_ref().is_some_and(|body| !body.is_over())
    }

    /// How long to wait for more, where so much of the time is left.
    pub(super) fn limit(&self, left: Option<Duration>) -> Option<Duration> {
        let idle = self.body.as_ref().and_then(BodyReader::idle_limit);
        left.into_iter().chain(idle).min()
    }

    /// Nothing is the end of the transport.
    pub(super) fn read(&mut self, received: &[u8]) {
        if received.is_empty() {
            // That it is not complete says as much.
            let _ = self.body.as_mut().map(BodyReader::eof);
        }
        self.received(received);
    }

    fn received(&mut self, mut received: &[u8]) {
        let Some(body) = &mut self.body else { return };
        while !received.is_empty() && !body.is_over() {
            let Ok((taken, piece)) = body.recv(received) else { return };
            self.response.body.extend_from_slice(piece);
            received = received.get(taken..).unwrap_or(&[]);
        }
    }

    pub(super) fn into_error(mut self) -> OpeningError {
        self.response.complete = self.body.is_some_and(|body| body.is_complete());
        let (_status, error) = (self.response.status, OpeningError::Rejected(self.response.into()));
        #[cfg(feature = "tracing")]
        trace::refused(Side::Client, Some(_status), &error);
        error
    }
}

pub(super) fn request(handshake: &client::ClientHandshake<'_>) -> Result<Vec<u8>, OpeningError> {
    if cfg!(not(feature = "deflate")) {
        handshake.check_without_codec()?;
    }
    Ok(written(|out| Ok(handshake.write_request(out)?))?)
}

pub(super) fn ask<'h>(
    handshake: &'h mut client::ClientHandshake<'_>,
    input: &[u8],
    config: &ClientConfig,
) -> Result<ClientStep<'h>, OpeningError> {
    let progress = handshake.recv(input);
    #[cfg(feature = "tracing")]
    if let Err(error) = &progress {
        trace::refused(Side::Client, None, error);
    }
    match progress? {
        (_, client::ClientProgress::NeedMore) => Ok(ClientStep::NeedMore),
        (taken, client::ClientProgress::Accepted(accepted)) => Ok(ClientStep::Open { accepted, taken }),
        (taken, client::ClientProgress::Rejected(rejected)) => {
            let rest = input.get(taken..).unwrap_or(&[]);
            Ok(ClientStep::Rejected(RefusalReader::new(&rejected, rest, config)))
        }
    }
}

/// The head is not whole: this error, unless the server's refusal is known.
pub(super) fn cut_off(handshake: &client::ClientHandshake<'_>, error: Error, config: &ClientConfig) -> Error {
    let Some(rejected) = handshake.rejected() else {
        #[cfg(feature = "tracing")]
        trace::lost(&error);
        return error;
    };
    RefusalReader { body: None, ..RefusalReader::new(&rejected, &[], config) }.into_error().into()
}

pub(super) fn client_handshake<'c>(
    request: ClientRequest<'c>,
    storage: &'c mut [u8],
    config: &'c ClientConfig,
) -> Result<client::ClientHandshake<'c>, OpeningError> {
    let mut nonce = [0; 16];
    SystemEntropy::new().fill(&mut nonce).map_err(|_| OpeningError::Entropy)?;
    Ok(client::ClientHandshake::new(config.complete(request)?, nonce, storage, config.head_limits))
}

impl ServerConfig {
    /// Accepts the request if the page that asks has one of the origins, where an HTTP library reads and writes the heads.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::OriginRefused`]; its status is 403.
    pub fn accept<'h, 'r>(&self, request: &'r Request<'h>) -> Result<Accept<'h, 'r>, HandshakeError> {
        request.accept(self.policy_for(request.origin()))
    }

    /// This response with what the config and the application say: header fields, the subprotocol, and compression.
    ///
    /// # Errors
    ///
    /// [`ComposeError`] if a field is invalid, or is one that the handshake writes itself, or if a subprotocol was not
    /// offered.
    pub fn complete<'h, 'r>(
        &'r self,
        mut accept: Accept<'h, 'r>,
        answer: &'r Answer<'r>,
    ) -> Result<Accept<'h, 'r>, ComposeError> {
        answer.apply(self, &mut accept)?;
        #[cfg(feature = "deflate")]
        if let Some(policy) = answer.policy(self) {
            accept = accept.with_deflate(&policy);
        }
        Ok(accept)
    }

    /// The endpoint of a connection that was opened. `received` are bytes that came after the request.
    pub fn endpoint(&self, agreed: Negotiated, received: &[u8]) -> Endpoint<Server> {
        let endpoint = Endpoint::new(Server, self.engine(), self.buffers, received);
        #[cfg(feature = "deflate")]
        if let Some(params) = &agreed.deflate {
            return endpoint.with_deflate(params, self.tuning, Some(self.pool()));
        }
        let _ = agreed;
        endpoint
    }

    /// The connections that each WebSocket enters.
    pub const fn connections(&self) -> Option<&Connections> {
        self.connections.as_ref()
    }
}

impl ClientConfig {
    /// The endpoint of a connection that was opened. `received` are bytes that came after the response.
    pub fn endpoint(&self, agreed: Negotiated, received: &[u8]) -> Endpoint<Client<SystemEntropy>> {
        let role = Client::new(SystemEntropy::new());
        let endpoint = Endpoint::new(role, self.engine(), self.buffers, received);
        #[cfg(feature = "deflate")]
        if let Some(params) = &agreed.deflate {
            return endpoint.with_deflate(params, self.tuning, None);
        }
        let _ = agreed;
        endpoint
    }
}

/// In a buffer that is large enough.
fn written(mut write: impl FnMut(&mut [u8]) -> Result<usize, ComposeError>) -> Result<Vec<u8>, ComposeError> {
    let mut out = Vec::new();
    loop {
        match write(&mut out) {
            Ok(len) => {
                out.truncate(len);
                return Ok(out);
            }
            Err(ComposeError::BufferTooSmall(short)) => out.resize(short.required, 0),
            Err(error) => return Err(error),
        }
    }
}

impl<W, S> core::fmt::Debug for Opened<W, S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::WebSocket(_) => f.write_str("WebSocket(..)"),
            Self::Http { received, .. } => write!(f, "Http {{ received: {}, .. }}", received.len()),
        }
    }
}

debug_states!([] Refusal, |this| { status: this.status, fields: this.fields.owned.len(), body: this.body.len() });
