//! The server's side of the opening handshake (RFC 6455 section 4.2).
//!
//! Give received bytes to a [`ServerHandshake`], [accept](Request::accept) the [`Request`] that it returns or refuse it
//! with a [`Reject`], and send what these write.
//!
//! ```
//! use sockless::handshake::server::{ServerHandshake, ServerProgress, Reject};
//! use sockless::handshake::OriginPolicy;
//!
//! /// Writes the answer to what was received into `out`. Returns its length, 0 if more must be read.
//! fn answer(
//!     handshake: &mut ServerHandshake<'_>,
//!     received: &[u8],
//!     out: &mut [u8],
//! ) -> Result<usize, sockless::handshake::ComposeError> {
//!     let error = match handshake.recv(received) {
//!         // Bytes that were not taken are the client's first frames.
//!         Ok((_taken, ServerProgress::Request(request))) => match request.accept(OriginPolicy::SameHost) {
//!             Ok(accept) => return Ok(accept.write(out)?.0),
//!             Err(error) => error,
//!         },
//!         Ok((_, ServerProgress::Http(_))) => return Reject::for_plain_http().write(out),
//!         Ok(_) => return Ok(0),
//!         Err(error) => error,
//!     };
//!     Reject::for_error(error).map_or(Ok(0), |reject| reject.write(out))
//! }
//! ```
//
// Owns: judging requests, accepting and rejecting them.
// Must not know: frames, sockets, clocks.

use core::fmt;

use super::deflate::{self, parse_answer, parse_offer};
use super::error::HandshakeError;
use super::fields::{check_own_value as check_extensions, iter_value, Extensions, Tokens};
use super::head::RequestHead;
use super::head_index::{Fields, HeadIndex, Name};
use super::head_writer::{
    check_value, compose, compose_fields, upgrade, AddedFields, ComposeError, HeadWriter,
};
use super::http1::{self, Headers, Text};
use super::key::{self, AcceptValue};
use super::lists::{FieldSet, Names};
use super::rules::{body, host, split_target, version};
use super::scheme::is_one_of;
use super::{Bootstrap, Brief, HeadLimits, Negotiated, OriginPolicy, ParsedRequest};
use crate::deflate::{Offer, Policy};
use crate::tolerance::Tolerance;

/// The opening handshake of one server, in storage that the caller lends.
#[derive(Debug)]
pub struct ServerHandshake<'s> {
    head: RequestHead<'s>,
    failed: Option<HandshakeError>,
}

/// How far a server's handshake has come.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServerProgress<'h> {
    /// The head is not complete.
    NeedMore,
    /// A valid request to open a WebSocket.
    Request(Request<'h>),
    /// A well-formed HTTP request that does not ask for a WebSocket. If you serve nothing else, answer with
    /// [`Reject::for_plain_http`].
    Http(PlainRequest<'h>),
}

impl<'s> ServerHandshake<'s> {
    /// Begins a handshake. The length of `storage` is the longest head that is accepted: [`HeadLimits::STORAGE`] is
    /// sensible.
    pub fn new(storage: &'s mut [u8], limits: HeadLimits) -> Self {
        Self { head: RequestHead::new(storage, &limits), failed: None }
    }

    /// Takes received bytes. Returns how many it took. Those after the blank line are frames.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] if the request breaks a rule. Answer with [`Reject::for_error`] and close the transport.
    /// Later calls return the same error.
    pub fn recv(&mut self, input: &[u8]) -> Result<(usize, ServerProgress<'_>), HandshakeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let Self { head, failed } = self;
        let result = head.recv(input).and_then(|(taken, complete)| {
            if !complete {
                return Ok((taken, ServerProgress::NeedMore));
            }
            head.check_fields()?;
            Ok((taken, Request::of_head(head.bytes(), head.head_index(), head.limits())?))
        });
        *failed = result.as_ref().err().copied();
        result
    }

    /// Call this when the transport has ended.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::UnexpectedEof`] if the head is not complete; after a failure, that failure.
    pub fn eof(&self) -> Result<(), HandshakeError> {
        match self.failed {
            Some(error) => Err(error),
            None if self.head.is_complete() => Ok(()),
            None => Err(HandshakeError::UnexpectedEof),
        }
    }

    /// Gives the storage back for another connection.
    pub fn into_storage(self) -> &'s mut [u8] {
        self.head.into_storage()
    }
}

/// A valid request to open a WebSocket (RFC 6455 section 4.2.1).
///
/// `Debug` shows neither header fields nor the query.
#[derive(Clone, Copy)]
pub struct Request<'h> {
    head: &'h [u8],
    target: Text<'h>,
    host: Text<'h>,
    origin: Option<Text<'h>>,
    /// Borrowed from the head. An extended CONNECT has none.
    key: Option<&'h [u8; 24]>,
    subprotocols: Tokens<'h>,
    extensions: Extensions<'h>,
    headers: Headers<'h>,
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("path_len", &self.path().len())
            .field("host", &self.host)
            .field("origin", &self.origin)
            .field("subprotocols", &self.subprotocols)
            .field("extensions", &self.extensions)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

/// The path and the query of a target.
fn parts_of(target: &str) -> (&str, Option<&str>) {
    target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)))
}

impl<'h> Request<'h> {
    /// Checks a complete head that was read elsewhere, such as by an HTTP server. Bytes behind its blank line are not
    /// looked at.
    ///
    /// An absolute target with a query and no path is refused, because nothing can be inserted. [`ServerHandshake`]
    /// inserts the path.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] if the request breaks a rule.
    pub fn parse(bytes: &'h [u8], limits: &HeadLimits) -> Result<ServerProgress<'h>, HandshakeError> {
        let (head, head_index) = HeadIndex::of_request(bytes, limits)?;
        Self::of_head(head, &head_index, limits)
    }

    fn of_head(
        head: &'h [u8],
        head_index: &HeadIndex,
        limits: &HeadLimits,
    ) -> Result<ServerProgress<'h>, HandshakeError> {
        let (method, target, minor) = http1::judged_request_line(head_index.start_line(head))?;
        Self::judge(
            Bootstrap::Upgrade { minor },
            method,
            target,
            None,
            &Fields::new(head, head_index),
            limits,
        )
    }

    /// Judges a request that an HTTP library has read, by the rules for bytes.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] if the request breaks a rule.
    pub fn from_parsed(
        request: &ParsedRequest<'h>,
        limits: &HeadLimits,
    ) -> Result<ServerProgress<'h>, HandshakeError> {
        let ParsedRequest { bootstrap, method, target, authority, headers } = *request;
        let (method, target) = (Text(method.as_bytes()), Text(target.as_bytes()));
        // The limit is for a whole start line: these, two spaces and the version.
        if method.0.len().saturating_add(target.0.len()).saturating_add(10) > limits.max_start_line {
            return Err(HandshakeError::TargetTooLong);
        }
        let (legal, rest) = http1::split_after_target(target.0, limits.tolerances);
        if !http1::is_token(method.0) || legal.is_empty() || !rest.is_empty() {
            return Err(HandshakeError::MalformedStartLine);
        }
        let (authority, fields) = (authority.map(str::as_bytes), Fields::parsed(headers, limits)?);
        Self::judge(bootstrap, method, target, authority, &fields, limits)
    }

    fn judge(
        bootstrap: Bootstrap<'_>,
        method: Text<'h>,
        target: Text<'h>,
        authority: Option<&'h [u8]>,
        fields: &Fields<'h, '_>,
        limits: &HeadLimits,
    ) -> Result<ServerProgress<'h>, HandshakeError> {
        let Fields { head, headers, .. } = *fields;
        let upgrade = fields.named(Name::Upgrade);
        let (asks, minor, needs_host) = match bootstrap {
            Bootstrap::Upgrade { minor } => {
                let asks = match Tokens::contain(upgrade, "websocket", HandshakeError::MalformedHeader) {
                    Ok(asks) => asks,
                    // `Upgrade` may also hold what is not a token, such as `HTTP/2.0`.
                    Err(HandshakeError::ListTooLong) => return Err(HandshakeError::ListTooLong),
                    Err(_) => upgrade
                        .values()
                        .flat_map(|value| value.split(|&byte| byte == b','))
                        .any(|name| http1::trim(name).eq_ignore_ascii_case(b"websocket")),
                };
                (asks, minor, minor != 0)
            }
            // RFC 9113 section 8.2.2.
            _ if upgrade.is_present() || fields.named(Name::Connection).is_present() => {
                return Err(HandshakeError::MalformedHeader);
            }
            Bootstrap::ExtendedConnect { protocol, .. } => match protocol {
                // RFC 8441 section 4: on a CONNECT.
                Some(_) if method.0 != b"CONNECT" => return Err(HandshakeError::MalformedStartLine),
                // RFC 9110 section 7.8: without case.
                Some(name) if !name.eq_ignore_ascii_case("websocket") => {
                    return Err(HandshakeError::UnsupportedProtocol);
                }
                protocol => (protocol.is_some(), 0, authority.is_none()),
            },
        };
        body(&fields.named(Name::ContentLength), &fields.named(Name::TransferEncoding), asks)?;
        let host = |authority| host(&fields.named(Name::Host), authority, needs_host);
        if !asks {
            host(authority)?;
            let (method, target) = (method.as_str(), target.as_str());
            return Ok(ServerProgress::Http(PlainRequest { head, method, target, minor, headers }));
        }
        let upgrades = match bootstrap {
            // RFC 9110 section 7.8: HTTP/1.0 has no upgrade.
            Bootstrap::Upgrade { minor: 0 } => return Err(HandshakeError::UnsupportedHttpVersion),
            Bootstrap::Upgrade { .. } if method.0 != b"GET" => return Err(HandshakeError::MethodNotAllowed),
            Bootstrap::Upgrade { .. } => true,
            // RFC 8441 sections 4 and 5.
            Bootstrap::ExtendedConnect { scheme: Some(scheme), .. }
                if is_one_of(scheme.as_bytes(), [b"http", b"https"]) =>
            {
                false
            }
            Bootstrap::ExtendedConnect { .. } => return Err(HandshakeError::InvalidTarget),
        };
        let (target, written) = split_target(target.0, limits.tolerances);
        let target = Text(target.ok_or(HandshakeError::InvalidTarget)?);
        let host = host(authority.or(written))?;
        let invalid = HandshakeError::InvalidConnection;
        if upgrades && !Tokens::contain(fields.named(Name::Connection), "upgrade", invalid)? {
            return Err(invalid);
        }
        if fields.named(Name::Expect).is_present() {
            return Err(HandshakeError::ExpectationFailed);
        }
        version(&fields.named(Name::Version))?;
        let key = if upgrades {
            let key = fields.named(Name::Key).single(HandshakeError::InvalidKey)?;
            Some(key.and_then(|key| key::check(key, limits.strict_key)).ok_or(HandshakeError::InvalidKey)?)
        } else {
            None
        };
        let origin = match fields.named(Name::Origin).single(HandshakeError::InvalidOrigin)? {
            Some(origin) if !origin.is_ascii() => return Err(HandshakeError::InvalidOrigin),
            origin => origin.map(Text),
        };
        // RFC 7936: with case.
        let names = fields.named(Name::Subprotocol);
        let subprotocols = Tokens::of(names, HandshakeError::InvalidSubprotocols)?;
        if names.is_present() {
            let tolerates_empty = limits.tolerances.contains(Tolerance::EmptyLists);
            if !tolerates_empty && !subprotocols.are_in_each_line() || !subprotocols.are_unique() {
                return Err(HandshakeError::InvalidSubprotocols);
            }
        }
        let extensions = Extensions::of(fields.named(Name::Extensions), limits.tolerances)?;
        Ok(ServerProgress::Request(Request {
            head,
            target,
            host,
            origin,
            key,
            subprotocols,
            extensions,
            headers,
        }))
    }

    /// The resource: path and query.
    pub const fn target(&self) -> &'h str {
        self.target.as_str()
    }

    /// The target without its query.
    pub fn path(&self) -> &'h str {
        parts_of(self.target()).0
    }

    /// What follows the first `?` of the target.
    pub fn query(&self) -> Option<&'h str> {
        parts_of(self.target()).1
    }

    /// Host and port as the client wrote them.
    pub const fn host(&self) -> &'h str {
        self.host.as_str()
    }

    /// The web page that asks, if a browser sent the request. Other clients can send any value (section 10.1).
    pub const fn origin(&self) -> Option<&'h str> {
        match self.origin {
            Some(origin) => Some(origin.as_str()),
            None => None,
        }
    }

    /// The subprotocols on offer, the preferred first.
    pub const fn subprotocols(&self) -> Tokens<'h> {
        self.subprotocols
    }

    /// The extensions on offer, the preferred first.
    pub const fn extensions(&self) -> Extensions<'h> {
        self.extensions
    }

    /// All header fields.
    pub const fn headers(&self) -> Headers<'h> {
        self.headers
    }

    /// The whole head as it was received; nothing if it was read elsewhere.
    pub const fn head(&self) -> &'h [u8] {
        self.head
    }

    /// Accepts the request, if the origin policy allows it (section 10.2).
    ///
    /// # Errors
    ///
    /// [`HandshakeError::OriginRefused`]; its status is 403.
    pub fn accept(&self, policy: OriginPolicy<'_>) -> Result<Accept<'h, '_>, HandshakeError> {
        if !policy.accepts_bytes(self.origin.map(|origin| origin.0), self.host.0) {
            return Err(HandshakeError::OriginRefused);
        }
        Ok(Accept {
            request: self,
            subprotocol: None,
            session: Negotiated::default(),
            extensions: None,
            fields: AddedFields::new(),
        })
    }
}

/// A well-formed HTTP request that does not ask for a WebSocket.
#[derive(Clone, Copy)]
pub struct PlainRequest<'h> {
    head: &'h [u8],
    method: &'h str,
    target: &'h str,
    minor: u8,
    headers: Headers<'h>,
}

impl fmt::Debug for PlainRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainRequest")
            .field("method", &Brief(self.method))
            .field("path_len", &self.path().len())
            .field("minor", &self.minor)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

impl<'h> PlainRequest<'h> {
    /// The method.
    pub const fn method(&self) -> &'h str {
        self.method
    }

    /// The request target. If an absolute URI had a query and no path, `/` was inserted.
    pub const fn target(&self) -> &'h str {
        self.target
    }

    /// The target without its query.
    pub fn path(&self) -> &'h str {
        parts_of(self.target).0
    }

    /// What follows the first `?` of the target.
    pub fn query(&self) -> Option<&'h str> {
        parts_of(self.target).1
    }

    /// The minor version of HTTP/1. 0 for HTTP/2 and HTTP/3.
    pub const fn minor_version(&self) -> u8 {
        self.minor
    }

    /// All header fields.
    pub const fn headers(&self) -> Headers<'h> {
        self.headers
    }

    /// The whole head, for an HTTP server, unless it was read elsewhere. Hand it the bytes behind it too.
    pub const fn head(&self) -> &'h [u8] {
        self.head
    }
}

/// The response that opens the WebSocket (section 4.2.2).
///
/// `Debug` does not show the values of added fields.
#[derive(Clone, Copy)]
pub struct Accept<'h, 'r> {
    request: &'r Request<'h>,
    /// As the client spells it.
    subprotocol: Option<&'h str>,
    session: Negotiated,
    extensions: Option<&'r str>,
    pub(crate) fields: AddedFields<'r>,
}

impl fmt::Debug for Accept<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept")
            .field("request", &self.request)
            .field("session", &self.session)
            .field("has_extensions", &self.extensions.is_some())
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

impl<'h, 'r> Accept<'h, 'r> {
    /// Chooses the client's first subprotocol that is in `supported`, or none. Names are compared with case.
    #[must_use]
    pub fn with_supported_subprotocols(mut self, supported: &[&str]) -> Self {
        self.choose_subprotocol(Names::Lent(supported));
        self
    }

    pub(crate) fn choose_subprotocol(&mut self, supported: Names<'_>) {
        let mut offers = self.request.subprotocols.iter();
        self.subprotocol = offers.find(|offered| supported.iter().any(|name| name == *offered));
    }

    ///
    /// # Errors
    ///
    /// [`ComposeError::UnofferedSubprotocol`] if the client does not offer it.
    pub fn with_subprotocol(mut self, name: &str) -> Result<Self, ComposeError> {
        self.choose_subprotocol(Names::Lent(&[name]));
        self.subprotocol.map(|_| self).ok_or(ComposeError::UnofferedSubprotocol)
    }

    /// Accepts the client's first valid offer of permessage-deflate that the policy accepts, or none (RFC 7692 sections
    /// 5 and 7).
    ///
    /// No other extension can be combined with it. So this removes what [`with_extensions`](Self::with_extensions) set,
    /// even if no offer is accepted, and a later `with_extensions` removes this.
    #[must_use]
    pub fn with_deflate(mut self, policy: &Policy) -> Self {
        self.extensions = None;
        self.session.deflate = self.deflate_offers().find_map(|offer| policy.answer(&offer));
        self
    }

    /// Answers with these extensions, in the order in which they apply. This removes what
    /// [`with_deflate`](Self::with_deflate) set.
    ///
    /// `permessage-deflate` may only stand alone, with parameters that fit an offer (RFC 7692 section 5.1).
    /// [`Negotiated::deflate`] is set then.
    ///
    /// # Errors
    ///
    /// [`ComposeError::InvalidExtensions`], or [`ComposeError::UnofferedExtension`] if the client does not offer one.
    pub fn with_extensions(mut self, value: &'r str) -> Result<Self, ComposeError> {
        check_value(value)?;
        check_extensions(value.as_bytes()).map_err(|_| ComposeError::InvalidExtensions)?;
        let mut agreed = None;
        for (at, chosen) in iter_value(value.as_bytes()).enumerate() {
            if iter_value(value.as_bytes()).take(at).any(|earlier| earlier.name() == chosen.name()) {
                return Err(ComposeError::InvalidExtensions);
            }
            if !self.request.extensions.iter().any(|offer| offer.name() == chosen.name()) {
                return Err(ComposeError::UnofferedExtension);
            }
            if chosen.name() == deflate::NAME {
                let answer = parse_answer(&chosen).ok_or(ComposeError::InvalidExtensions)?;
                let admitted = self.deflate_offers().any(|offer| offer.admits(&answer));
                if !admitted || iter_value(value.as_bytes()).nth(1).is_some() {
                    return Err(ComposeError::InvalidExtensions);
                }
                agreed = Some(answer);
            }
        }
        self.extensions = Some(value);
        self.session.deflate = agreed;
        Ok(self)
    }

    fn deflate_offers(&self) -> impl Iterator<Item = Offer> + 'h {
        self.request.extensions.iter().filter_map(|offer| parse_offer(&offer))
    }

    /// Adds header fields, such as cookies. Up to four calls add up.
    ///
    /// # Errors
    ///
    /// [`ComposeError`] if a field is invalid, or is one that the handshake writes itself.
    pub fn with_fields(mut self, fields: &'r [(&'r str, &'r str)]) -> Result<Self, ComposeError> {
        self.fields.add(FieldSet::Lent(fields))?;
        Ok(self)
    }

    /// The subprotocol chosen.
    pub const fn chosen_subprotocol(&self) -> Option<&'h str> {
        self.subprotocol
    }

    /// What is agreed on.
    pub const fn negotiated(&self) -> Negotiated {
        self.session
    }

    /// The status: 101, and 200 for an extended CONNECT (RFC 8441 section 5).
    pub const fn status(&self) -> u16 {
        match self.request.key {
            Some(_) => 101,
            None => 200,
        }
    }

    /// The header fields of the response, for an HTTP library that writes it. They are put into `out`. Their names are in
    /// lower case.
    ///
    /// # Errors
    ///
    /// [`ComposeError::BufferTooSmall`].
    pub fn fields<'o>(&self, out: &'o mut [u8]) -> Result<Headers<'o>, ComposeError> {
        let accept = self.request.key.map(AcceptValue::of);
        Ok(compose_fields(out, |head| self.write_fields(head, &accept, UPGRADE))?)
    }

    /// Writes the response of HTTP/1.1 into `out`. Returns its length, and what was agreed on. Frames may follow at
    /// once.
    ///
    /// # Errors
    ///
    /// [`ComposeError::BufferTooSmall`], and `out` holds nothing of use.
    pub fn write(&self, out: &mut [u8]) -> Result<(usize, Negotiated), ComposeError> {
        let accept = self.request.key.map(AcceptValue::of);
        let written = compose(out, |head| {
            if accept.is_none() {
                head.text("HTTP/1.1 200 OK\r\n");
            }
            self.write_fields(head, &accept, SWITCHING_PROTOCOLS);
            head.text("\r\n");
        })?;
        Ok((written, self.session))
    }

    /// `upgrade` stands before the accept value.
    fn write_fields(&self, head: &mut HeadWriter<'_>, accept: &Option<AcceptValue>, upgrade: &str) {
        if let Some(accept) = accept {
            head.text(upgrade).bytes(accept.as_bytes()).text("\r\n");
        }
        if let Some(name) = self.subprotocol {
            head.field(Name::Subprotocol.as_str(), name);
        }
        match (self.extensions, &self.session.deflate) {
            (Some(extensions), _) => {
                head.field(Name::Extensions.as_str(), extensions);
            }
            (None, Some(answer)) => {
                head.text(Name::Extensions.as_str()).text(": ");
                deflate::write_answer(head, answer);
                head.text("\r\n");
            }
            (None, None) => {}
        }
        head.fields(&self.fields);
    }
}

/// Up to the value of `Sec-WebSocket-Accept`.
const SWITCHING_PROTOCOLS: &str =
    concat!("HTTP/1.1 101 Switching Protocols\r\n", upgrade!(), "Sec-WebSocket-Accept: ");
const UPGRADE: &str = concat!(upgrade!(), "Sec-WebSocket-Accept: ");

/// A refusal (sections 4.2.2 and 4.4): a whole HTTP response.
///
/// `Debug` shows neither the values of added fields nor the body.
#[derive(Clone, Copy)]
pub struct Reject<'r> {
    status: u16,
    pub(crate) fields: AddedFields<'r>,
    body: &'r [u8],
    keep_alive: bool,
    /// The error behind it: some need a header line.
    error: Option<HandshakeError>,
}

const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";

impl<'r> Reject<'r> {
    /// With a status of 300 to 599. A 426 also says which version is spoken.
    ///
    /// # Errors
    ///
    /// [`ComposeError::InvalidStatus`].
    pub const fn new(status: u16) -> Result<Self, ComposeError> {
        match status {
            300..=599 => {
                Ok(Self { status, fields: AddedFields::new(), body: b"", keep_alive: false, error: None })
            }
            _ => Err(ComposeError::InvalidStatus),
        }
    }

    /// For an error. `None` if no answer can be sent.
    pub fn for_error(error: HandshakeError) -> Option<Self> {
        Some(Self { error: Some(error), ..Self::new(error.status()?).ok()? })
    }

    /// A 426 for a request that does not ask for a WebSocket, where nothing else is served.
    pub const fn for_plain_http() -> Self {
        Self { status: 426, fields: AddedFields::new(), body: b"", keep_alive: false, error: None }
    }

    /// Adds header fields, such as `Location`, `WWW-Authenticate`, or `Date` (this crate has no clock). Up to four
    /// calls add up.
    ///
    /// # Errors
    ///
    /// [`ComposeError`] if a field is invalid, or is one that the response has itself.
    pub fn with_fields(mut self, fields: &'r [(&'r str, &'r str)]) -> Result<Self, ComposeError> {
        self.fields.add(FieldSet::Lent(fields))?;
        Ok(self)
    }

    /// Sets a body. Say what it is with a `Content-Type`.
    #[must_use]
    pub const fn with_body(mut self, body: &'r [u8]) -> Self {
        self.body = body;
        self
    }

    /// Keeps the connection open for another request. Not after a malformed one.
    #[must_use]
    pub const fn with_keep_alive(mut self) -> Self {
        self.keep_alive = true;
        self
    }

    /// The status.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The body.
    pub const fn body(&self) -> &'r [u8] {
        self.body
    }

    /// For HTTP/2 and HTTP/3, which have neither `Upgrade` nor `Connection`: a 426 becomes a 400 that says which version
    /// is spoken.
    #[must_use]
    pub const fn without_upgrade(mut self) -> Self {
        if self.status == 426 {
            (self.status, self.error) = (400, Some(HandshakeError::InvalidVersion));
        }
        self.with_keep_alive()
    }

    /// The header fields of the response, for an HTTP library that writes it. They are put into `out`. Their names are in
    /// lower case, and `Content-Length` is left out.
    ///
    /// # Errors
    ///
    /// [`ComposeError::MissingAuthenticate`] or [`ComposeError::BufferTooSmall`].
    pub fn fields<'o>(&self, out: &'o mut [u8]) -> Result<Headers<'o>, ComposeError> {
        self.check()?;
        Ok(compose_fields(out, |head| self.write_fields(head, None))?)
    }

    /// Writes the response into `out`. Returns its length.
    ///
    /// # Errors
    ///
    /// [`ComposeError::MissingAuthenticate`] or [`ComposeError::BufferTooSmall`], and `out` holds nothing of use.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, ComposeError> {
        self.check()?;
        let written = compose(out, |head| {
            // RFC 9112 section 4.
            head.text("HTTP/1.1 ").number(usize::from(self.status)).text(" ").text(phrase(self.status));
            head.text("\r\n");
            self.write_fields(head, Some(self.body.len()));
            head.text("\r\n").bytes(self.body);
        })?;
        Ok(written)
    }

    fn check(&self) -> Result<(), ComposeError> {
        let has = |wanted: &str| self.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
        match self.status == 401 && !has("WWW-Authenticate") {
            true => Err(ComposeError::MissingAuthenticate),
            false => Ok(()),
        }
    }

    fn write_fields(&self, head: &mut HeadWriter<'_>, body_len: Option<usize>) {
        if self.status == 426 {
            // RFC 9110 section 7.8, RFC 6455 section 4.4.
            head.text("Upgrade: websocket\r\n");
            head.field("Connection", if self.keep_alive { "Upgrade" } else { "Upgrade, close" });
            head.text(VERSION);
        } else if !self.keep_alive {
            head.text("Connection: close\r\n");
        }
        head.text(match self.error {
            // RFC 9110 section 15.5.6.
            Some(HandshakeError::MethodNotAllowed) => "Allow: GET\r\n",
            // RFC 6455 section 4.4. A 426 always says it.
            Some(HandshakeError::InvalidVersion) => VERSION,
            _ => "",
        });
        if let Some(len) = body_len {
            head.text("Content-Length: ").number(len).text("\r\n");
        }
        head.fields(&self.fields);
    }
}

impl fmt::Debug for Reject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reject")
            .field("status", &self.status)
            .field("fields", &self.fields)
            .field("body_len", &self.body.len())
            .field("keep_alive", &self.keep_alive)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Reject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, phrase(self.status))
    }
}

const fn phrase(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
