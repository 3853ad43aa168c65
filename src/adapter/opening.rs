//! The opening handshake with the buffers that it needs: what the adapters share of it.
//
// Owns: options, and turning received bytes into an answer to write.
// Must not know: any transport.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::agreed::Agreed;
use super::error::Error;
use super::opening_error::{OpeningError, Rejection};
use super::Connections;
use crate::connection::Config;
use crate::deadline::Timeouts;
#[cfg(feature = "deflate")]
use crate::deflate::{Policy, Pool, Tuning};
use crate::entropy::SystemEntropy;
use crate::error::{ProtocolError, Timeout};
use crate::handshake::client::{self, ClientRequest};
use crate::handshake::server::{PlainRequest, Reject, Request, ServerHandshake, ServerProgress};
use crate::handshake::{BodyReader, ComposeError, HandshakeError, HeadLimits, Negotiated, OriginPolicy};
use crate::limits::Limits;
use crate::message::{Buffers, Endpoint};
use crate::role::{Client, Entropy, Server};
use crate::tolerance::Tolerances;

/// What both roles can set.
///
/// Timers run unless [`without_timeouts`](Self::without_timeouts) turns them off, wherever the transport has a
/// clock: on `std`, on tokio, and on `futures-io` with a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Limits and timers of the connection. Where it names no timer, as `Config::new()` does not, those of the
    /// role run: [`Timeouts::SERVER`] for a server, [`Timeouts::CLIENT`] for a client.
    pub config: Config,
    /// How much it buffers.
    pub buffers: Buffers,
    /// Bounds on the head of the opening handshake.
    pub head_limits: HeadLimits,
    /// Bytes of the largest head; only for the time of the handshake. Default: 16 KiB.
    pub head_size: usize,
    /// Bytes that a client keeps of the body of a response that refuses. Default: 64 KiB.
    pub max_rejection_body: usize,
    /// How messages are compressed, where that is agreed on.
    #[cfg(feature = "deflate")]
    pub tuning: Tuning,
    /// No timer runs, not even those of the role.
    untimed: bool,
}

impl Settings {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        config: Config::new(),
        buffers: Buffers::DEFAULT,
        head_limits: HeadLimits::DEFAULT,
        head_size: HeadLimits::STORAGE,
        max_rejection_body: 64 << 10,
        #[cfg(feature = "deflate")]
        tuning: Tuning::DEFAULT,
        untimed: false,
    };

    /// With other limits and timers at once. Where it names no timer, those of the role run.
    #[must_use]
    pub const fn with_config(mut self, config: Config) -> Self {
        self.config = config;
        self.untimed = false;
        self
    }

    /// With other limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// With other timers.
    #[must_use]
    pub const fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.config.timeouts = timeouts;
        self.untimed = !timeouts.any();
        self
    }

    /// Without timers: a peer that is silent, or that does not read, is waited for without end.
    #[must_use]
    pub const fn without_timeouts(mut self) -> Self {
        self.config.timeouts = Timeouts::NONE;
        self.untimed = true;
        self
    }

    /// With other departures from the RFCs that are put up with, in heads and in frames.
    #[must_use]
    pub const fn with_tolerances(mut self, tolerances: Tolerances) -> Self {
        self.head_limits.tolerances = tolerances;
        self.config.limits.tolerances = tolerances;
        self
    }

    /// With other buffers.
    #[must_use]
    pub const fn with_buffers(mut self, buffers: Buffers) -> Self {
        self.buffers = buffers;
        self
    }

    /// With other bounds on heads.
    #[must_use]
    pub const fn with_head(mut self, limits: HeadLimits, size: usize) -> Self {
        self.head_limits = limits;
        self.head_size = size;
        self
    }

    /// With another bound on the body of a response that refuses; 0 where nobody looks at it.
    #[must_use]
    pub const fn with_max_rejection_body(mut self, bytes: usize) -> Self {
        self.max_rejection_body = bytes;
        self
    }

    /// With another way of compressing.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn with_tuning(mut self, tuning: Tuning) -> Self {
        self.tuning = tuning;
        self
    }

    /// The settings of a connection, where these timers run unless others were named.
    fn config_of(&self, role: Timeouts) -> Config {
        if self.untimed || self.config.timeouts != Timeouts::NONE {
            return self.config;
        }
        self.config.with_timeouts(role)
    }

    /// Those of a server.
    pub(super) fn server_config(&self) -> Config {
        self.config_of(Timeouts::SERVER)
    }

    /// Those of a client.
    pub(super) fn client_config(&self) -> Config {
        self.config_of(Timeouts::CLIENT)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How a server answers requests to open a WebSocket.
///
/// Printed for debugging, it does not show the values of header fields.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct ServerOptions<'o> {
    /// Which web pages may connect: a choice without a default.
    pub origin: OriginPolicy<'o>,
    /// The subprotocols that are spoken. The first of the client's list that is among them is chosen.
    pub subprotocols: &'o [&'o str],
    /// Header fields to add to the answer.
    pub fields: &'o [(&'o str, &'o str)],
    /// Limits, timers, buffers.
    pub settings: Settings,
    /// The connections that are closed together when the server ends, which each WebSocket enters. Default: none.
    pub connections: Option<&'o Connections>,
    /// Which offers of permessage-deflate are accepted. Default: none.
    #[cfg(feature = "deflate")]
    pub deflate: Option<ServerDeflate<'o>>,
}

/// How a server compresses (RFC 7692).
#[cfg(feature = "deflate")]
#[derive(Clone, Copy, Debug)]
pub struct ServerDeflate<'o> {
    /// What is accepted.
    pub policy: Policy,
    /// Where connections that keep no context between messages have theirs from: one pool for all connections
    /// of the server.
    pub pool: &'o Pool,
}

impl<'o> ServerOptions<'o> {
    /// With this origin policy and the defaults: no subprotocol, no compression, the timers of
    /// [`Timeouts::SERVER`].
    pub const fn new(origin: OriginPolicy<'o>) -> Self {
        Self {
            origin,
            subprotocols: &[],
            fields: &[],
            settings: Settings::DEFAULT,
            connections: None,
            #[cfg(feature = "deflate")]
            deflate: None,
        }
    }

    /// With permessage-deflate for clients whose offer the policy answers.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn with_deflate(mut self, policy: Policy, pool: &'o Pool) -> Self {
        self.deflate = Some(ServerDeflate { policy, pool });
        self
    }

    /// With these subprotocols.
    #[must_use]
    pub const fn with_subprotocols(mut self, names: &'o [&'o str]) -> Self {
        self.subprotocols = names;
        self
    }

    /// With the connections that each WebSocket enters, so that all can be closed together.
    #[must_use]
    pub const fn with_connections(mut self, connections: &'o Connections) -> Self {
        self.connections = Some(connections);
        self
    }

    /// With header fields to add to the answer.
    #[must_use]
    pub const fn with_fields(mut self, fields: &'o [(&'o str, &'o str)]) -> Self {
        self.fields = fields;
        self
    }

    /// With other settings, all at once.
    #[must_use]
    pub const fn with_settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// With other limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.settings = self.settings.with_limits(limits);
        self
    }

    /// With other timers than [`Timeouts::SERVER`].
    #[must_use]
    pub const fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.settings = self.settings.with_timeouts(timeouts);
        self
    }

    /// Without timers, as [`Settings::without_timeouts`].
    #[must_use]
    pub const fn without_timeouts(mut self) -> Self {
        self.settings = self.settings.without_timeouts();
        self
    }

    /// With other departures from the RFCs that are put up with, as [`Settings::with_tolerances`].
    #[must_use]
    pub const fn with_tolerances(mut self, tolerances: Tolerances) -> Self {
        self.settings = self.settings.with_tolerances(tolerances);
        self
    }

    /// With other buffers.
    #[must_use]
    pub const fn with_buffers(mut self, buffers: Buffers) -> Self {
        self.settings = self.settings.with_buffers(buffers);
        self
    }
}

/// What a client on a port that serves HTTP and WebSocket wanted.
///
/// Printed for debugging, it shows how many bytes were read, not which: they may hold credentials.
#[non_exhaustive]
pub enum Opened<W, S> {
    /// A WebSocket, which is open.
    WebSocket(W),
    /// HTTP: the transport, and the bytes that were read from it, head first.
    ///
    /// Whoever answers the request and keeps the connection gives it back for the next one, with what was read
    /// of that already: `accept_buffered`.
    Http {
        /// The transport; nothing was written to it.
        stream: S,
        /// What was read.
        received: Vec<u8>,
    },
}

impl<W, S> Opened<W, S> {
    /// The same, with what `map` makes of the transport of plain HTTP.
    pub fn map_stream<T>(self, map: impl FnOnce(S) -> T) -> Opened<W, T> {
        match self {
            Self::WebSocket(socket) => Opened::WebSocket(socket),
            Self::Http { stream, received } => Opened::Http { stream: map(stream), received },
        }
    }
}

/// What an application adds to the answer that opens a WebSocket, after it has seen the request.
///
/// `()` is the answer that adds nothing, so that a decision may be `Ok(())`. What is invalid here is our mistake:
/// the client gets a 500, and the handshake ends with [`OpeningError::Compose`].
///
/// Printed for debugging, it shows no values of fields.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Answer {
    fields: Vec<(String, String)>,
    subprotocol: Choice,
}

/// Which subprotocol is spoken.
#[derive(Clone, Default, PartialEq, Eq)]
enum Choice {
    /// The one that the options choose.
    #[default]
    OfOptions,
    None,
    This(String),
}

impl Answer {
    /// As the options say.
    pub const fn new() -> Self {
        Self { fields: Vec::new(), subprotocol: Choice::OfOptions }
    }

    /// With one more header field, such as `Set-Cookie`. It stands behind those of the options.
    #[must_use]
    pub fn with_field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// With this subprotocol, which must be one that the client offers, whatever the options say.
    #[must_use]
    pub fn with_subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocol = Choice::This(name.into());
        self
    }

    /// Without a subprotocol, whatever the options say.
    #[must_use]
    pub fn without_subprotocol(mut self) -> Self {
        self.subprotocol = Choice::None;
        self
    }
}

impl From<()> for Answer {
    fn from((): ()) -> Self {
        Self::new()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subprotocol = match &self.subprotocol {
            Choice::OfOptions => "that of the options",
            Choice::None => "none",
            Choice::This(_) => "another",
        };
        f.debug_struct("Answer")
            .field("fields", &self.fields.len())
            .field("subprotocol", &subprotocol)
            .finish()
    }
}

/// An application's refusal of a valid request, such as 404 for a resource that is not there.
///
/// Printed for debugging, it shows neither the values of fields nor the body.
#[derive(Clone, PartialEq, Eq)]
pub struct Refusal {
    status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Refusal {
    /// With a status of 300 to 599.
    pub const fn new(status: u16) -> Self {
        Self { status, fields: Vec::new(), body: Vec::new() }
    }

    /// With one more header field.
    #[must_use]
    pub fn with_field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// With a body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

/// The time for one address where so many are left: the others may answer where it does not.
pub(super) fn share(left: Duration, addresses: usize) -> Duration {
    left.checked_div(u32::try_from(addresses).unwrap_or(u32::MAX)).unwrap_or(left)
}

/// Bytes that are read after a refusal, at most.
pub(super) const MAX_DRAINED: usize = 1 << 20;

/// For a refusal and what comes after it, where no opening time is set.
const PARTING: Duration = Duration::from_secs(5);

/// What a server has for it at least, also where the opening time is up.
pub(super) const SHORT_PARTING: Duration = Duration::from_secs(1);

/// How long a refusal may take, where so much of the opening time is left, if there is one.
pub(super) fn parting_time(left: Option<Duration>, at_least: Duration) -> Duration {
    left.map_or(PARTING, |left| left.max(at_least))
}

/// The refusal of a request that did not come in time (RFC 9112 section 9.5).
pub(super) fn too_late() -> Vec<u8> {
    Reject::new(408)
        .map_err(OpeningError::from)
        .and_then(|reject| written(|out| reject.write(out)))
        .unwrap_or_default()
}

/// What is reported of an opening handshake whose time is up.
pub(super) const LATE: ProtocolError = ProtocolError::TimedOut(Timeout::OpeningHandshake);

/// What becomes of a plain HTTP request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// It is handed back, with its transport.
    HandedBack,
    /// It is answered with 426.
    Refused,
}

/// What was read, unless that is the end.
pub(super) fn until_end(read: &[u8]) -> Result<&[u8], Error> {
    match read {
        [] => Err(OpeningError::Handshake(HandshakeError::UnexpectedEof).into()),
        read => Ok(read),
    }
}

/// What a server does with what it read.
pub(super) enum ServerStep {
    /// Read more.
    NeedMore,
    /// Write `response`, and the WebSocket is open. So many bytes of the input belonged to the request.
    Open { response: Vec<u8>, agreed: Agreed, taken: usize },
    /// Hand the head on, or write `response`.
    Http { head: Vec<u8>, response: Vec<u8>, taken: usize },
    /// Write `response`, if there is one, and end.
    Refused { response: Vec<u8>, error: OpeningError },
}

/// Gives what was read to a server's handshake. Whoever decides about the request is asked once it is there.
pub(super) fn serve<A: Into<Answer>>(
    handshake: &mut ServerHandshake<'_>,
    input: &[u8],
    options: &ServerOptions<'_>,
    decide: &mut Option<impl FnOnce(&Request<'_>) -> Result<A, Refusal>>,
) -> ServerStep {
    let result = match handshake.recv(input) {
        Ok((_, ServerProgress::NeedMore)) => return ServerStep::NeedMore,
        Ok((taken, ServerProgress::Http(request))) => return plain(&request, taken),
        Ok((taken, ServerProgress::Request(request))) => answer(&request, taken, options, decide),
        Err(error) => Err(error.into()),
    };
    result.unwrap_or_else(|error| {
        let response = match &error {
            OpeningError::Handshake(error) => Reject::for_error(*error),
            // Our own options are at fault.
            _ => Reject::new(500).ok(),
        };
        let response = response.and_then(|reject| written(|out| reject.write(out)).ok());
        ServerStep::Refused { response: response.unwrap_or_default(), error }
    })
}

fn plain(request: &PlainRequest<'_>, taken: usize) -> ServerStep {
    let response = written(|out| Reject::for_plain_http().write(out)).unwrap_or_default();
    ServerStep::Http { head: request.head().into(), response, taken }
}

fn answer<A: Into<Answer>>(
    request: &Request<'_>,
    taken: usize,
    options: &ServerOptions<'_>,
    decide: &mut Option<impl FnOnce(&Request<'_>) -> Result<A, Refusal>>,
) -> Result<ServerStep, OpeningError> {
    let accept = request.accept(options.origin)?;
    let answer = match decide.take().map(|decide| decide(request)).transpose() {
        Ok(answer) => answer.map_or_else(Answer::new, Into::into),
        Err(refusal) => {
            let fields = borrowed(&refusal.fields);
            let reject = Reject::new(refusal.status)?.with_fields(&fields)?.with_body(&refusal.body);
            let response = written(|out| reject.write(out))?;
            return Ok(ServerStep::Refused { response, error: OpeningError::Refused(refusal.status) });
        }
    };
    let mut fields = borrowed(&answer.fields);
    fields.splice(..0, options.fields.iter().copied());
    let accept = accept.with_fields(&fields)?;
    let accept = match &answer.subprotocol {
        Choice::OfOptions => accept.with_supported_subprotocols(options.subprotocols),
        Choice::None => accept,
        Choice::This(name) => accept.with_subprotocol(name)?,
    };
    #[cfg(feature = "deflate")]
    let accept = match &options.deflate {
        Some(deflate) => accept.with_deflate(&deflate.policy),
        None => accept,
    };
    let mut negotiated = Negotiated::default();
    let response = written(|out| {
        let (len, agreed) = accept.write(out)?;
        negotiated = agreed;
        Ok(len)
    })?;
    let agreed = Agreed { negotiated, subprotocol: accept.chosen_subprotocol().map(Box::from) };
    Ok(ServerStep::Open { response, agreed, taken })
}

fn borrowed(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// What a client does with what it read.
pub(super) enum ClientStep {
    /// Read more.
    NeedMore,
    /// The WebSocket is open. So many bytes of the input belonged to the response.
    Open { agreed: Agreed, taken: usize },
    /// The server answered otherwise: read on while [`RefusalReader::needs_more`].
    Rejected(RefusalReader),
}

/// A response that is no 101, whose body is being read.
pub(super) struct RefusalReader {
    rejection: Box<Rejection>,
    /// None if nothing says where the body ends.
    body: Option<BodyReader>,
}

impl RefusalReader {
    fn new(rejected: &client::Rejected<'_>, received: &[u8], settings: &Settings) -> Self {
        let (status, headers) = (rejected.status(), rejected.headers());
        let rejection = Rejection {
            status,
            fields: headers.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            body: Vec::new(),
            complete: false,
        };
        let body = BodyReader::new("GET", status, headers, settings.max_rejection_body as u64).ok();
        // What follows a head that was too large is the rest of it.
        let body = body.filter(|_| !rejected.is_truncated());
        let mut this = Self { rejection: Box::new(rejection), body };
        this.received(received);
        this
    }

    /// Whether the body is not over.
    pub(super) fn needs_more(&self) -> bool {
        self.body.as_ref().is_some_and(|body| !body.is_over())
    }

    /// Takes what was read; nothing is the end of the transport.
    pub(super) fn read(&mut self, received: &[u8]) {
        if received.is_empty() {
            // That it is not complete says as much as the error.
            let _ = self.body.as_mut().map(BodyReader::eof);
        }
        self.received(received);
    }

    fn received(&mut self, mut received: &[u8]) {
        let Some(body) = &mut self.body else { return };
        while !received.is_empty() && !body.is_over() {
            let Ok((taken, piece)) = body.recv(received) else { return };
            self.rejection.body.extend_from_slice(piece);
            received = received.get(taken..).unwrap_or(&[]);
        }
    }

    /// What is reported of it, with what came.
    pub(super) fn into_error(mut self) -> OpeningError {
        self.rejection.complete = self.body.is_some_and(|body| body.is_complete());
        OpeningError::Rejected(self.rejection)
    }
}

/// The request of a client's handshake.
pub(super) fn request(handshake: &client::ClientHandshake<'_>) -> Result<Vec<u8>, OpeningError> {
    if cfg!(not(feature = "deflate")) {
        handshake.check_without_codec()?;
    }
    written(|out| Ok(handshake.write_request(out)?))
}

/// Gives what was read to a client's handshake.
pub(super) fn ask(
    handshake: &mut client::ClientHandshake<'_>,
    input: &[u8],
    settings: &Settings,
) -> Result<ClientStep, OpeningError> {
    match handshake.recv(input)? {
        (_, client::ClientProgress::NeedMore) => Ok(ClientStep::NeedMore),
        (taken, client::ClientProgress::Accepted(accepted)) => {
            let subprotocol = accepted.subprotocol().map(Box::from);
            let agreed = Agreed { negotiated: accepted.negotiated(), subprotocol };
            Ok(ClientStep::Open { agreed, taken })
        }
        (taken, client::ClientProgress::Rejected(rejected)) => {
            let rest = input.get(taken..).unwrap_or(&[]);
            Ok(ClientStep::Rejected(RefusalReader::new(&rejected, rest, settings)))
        }
    }
}

/// What ends a client's handshake before its head is whole: this error, unless the server's refusal is known by
/// then.
pub(super) fn cut_off(handshake: &client::ClientHandshake<'_>, error: Error, settings: &Settings) -> Error {
    let Some(rejected) = handshake.rejected() else { return error };
    // No body begins before the head is over.
    RefusalReader { body: None, ..RefusalReader::new(&rejected, &[], settings) }.into_error().into()
}

/// A handshake for this request with a fresh nonce.
pub(super) fn client_handshake<'c>(
    request: ClientRequest<'c>,
    storage: &'c mut [u8],
    settings: &Settings,
) -> Result<client::ClientHandshake<'c>, OpeningError> {
    let mut nonce = [0; 16];
    SystemEntropy::new().fill(&mut nonce).map_err(|_| OpeningError::Entropy)?;
    Ok(client::ClientHandshake::new(request, nonce, storage, settings.head_limits))
}

/// The endpoint of a server that has answered. `received` is what came after the request.
pub(super) fn server_endpoint(
    agreed: &Agreed,
    options: &ServerOptions<'_>,
    received: &[u8],
) -> Endpoint<Server> {
    let settings = &options.settings;
    let endpoint = Endpoint::new(Server, settings.server_config(), settings.buffers, received);
    #[cfg(feature = "deflate")]
    if let Some(params) = &agreed.negotiated.deflate {
        let pool = options.deflate.as_ref().map(|deflate| deflate.pool);
        return endpoint.with_deflate(params, settings.tuning, pool);
    }
    let _ = agreed;
    endpoint
}

/// The endpoint of a client that was accepted. `received` is what came after the response.
pub(super) fn client_endpoint(
    agreed: &Agreed,
    settings: &Settings,
    received: &[u8],
) -> Endpoint<Client<SystemEntropy>> {
    let role = Client::new(SystemEntropy::new());
    let endpoint = Endpoint::new(role, settings.client_config(), settings.buffers, received);
    #[cfg(feature = "deflate")]
    if let Some(params) = &agreed.negotiated.deflate {
        return endpoint.with_deflate(params, settings.tuning, None);
    }
    let _ = agreed;
    endpoint
}

/// What `write` writes, in a buffer that is large enough.
fn written(mut write: impl FnMut(&mut [u8]) -> Result<usize, ComposeError>) -> Result<Vec<u8>, OpeningError> {
    let mut out = Vec::new();
    loop {
        match write(&mut out) {
            Ok(len) => {
                out.truncate(len);
                return Ok(out);
            }
            Err(ComposeError::BufferTooSmall(short)) => out.resize(short.required, 0),
            Err(error) => return Err(error.into()),
        }
    }
}

debug_states!([] ServerOptions<'_>, |this| { origin: this.origin, subprotocols: this.subprotocols.len(), fields: this.fields.len() });

impl<W, S> core::fmt::Debug for Opened<W, S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::WebSocket(_) => f.write_str("WebSocket(..)"),
            Self::Http { received, .. } => write!(f, "Http {{ received: {}, .. }}", received.len()),
        }
    }
}

debug_states!([] Refusal, |this| { status: this.status, fields: this.fields.len(), body: this.body.len() });
