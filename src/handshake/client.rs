//! The client's side of the opening handshake (RFC 6455 section 4.1).
//!
//! Say what you ask for in a [`ClientRequest`]. Send what the [`ClientHandshake`] writes, and give it what comes back.
//!
//! ```
//! use sockless::handshake::client::{ClientRequest, ClientHandshake, ClientProgress};
//! use sockless::handshake::{HeadLimits, Uri};
//!
//! let request = ClientRequest::new(Uri::parse("ws://example.com/chat")?);
//! let nonce = *b"the sample nonce"; // of RFC 6455 section 1.3; a real one is unpredictable
//! let mut storage = [0; HeadLimits::STORAGE];
//! let mut handshake = ClientHandshake::new(request, nonce, &mut storage, HeadLimits::DEFAULT);
//! let mut out = [0; 512];
//! let len = handshake.write_request(&mut out)?;
//! assert!(out[..len].starts_with(b"GET /chat HTTP/1.1\r\nHost: example.com\r\n")); // to be sent
//!
//! let received = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
//!     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x02hi";
//! match handshake.recv(received)? {
//!     (taken, ClientProgress::Accepted(_)) => assert_eq!(&received[taken..], b"\x81\x02hi"), // a first frame
//!     (_, ClientProgress::Rejected(rejected)) => panic!("status {}", rejected.status()),
//!     _ => panic!("read more, and call `recv` again"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is left to the caller
//!
//! - Connecting. RFC 6455 section 4.1 allows one connection at a time to be opening to an IP address (6455-4.1-2), or
//!   to a host name behind a proxy (6455-4.1-3), and wants a limit on all (6455-4.1-4). RFC 8305 tries addresses of
//!   both families (8305-1).
//! - Connecting again. After an abnormal closure, wait first: a random time of up to five seconds (6455-7.2.3-1), and
//!   longer after each further failure, up to a limit (6455-7.2.3-2).
//! - Redirects. If you follow one, do not take credentials or cookies to another origin (T-CLI-1).
//! - Extensions. Private names must be registered by whoever offers them (6455-9.1-4).
//
// Owns: the request, and judging the response.
// Must not know: frames, sockets, names, TLS, or where nonces come from.

use core::fmt;

use super::deflate::{self, parse_answer, parse_offer};
use super::error::HandshakeError;
use super::fields::{check_own_value as check_extensions, iter_value, Extension, Extensions, Tokens};
use super::head_index::{Fields, Name};
use super::head_writer::{check_value, compose, lower_names, upgrade, AddedFields, ComposeError, HeadWriter};
use super::http1::{self, token, Headers, HttpVersion, Text};
use super::key::{encode_nonce, Key};
use super::lists::{FieldSet, Names};
use super::response::{Response, ResponseReader};
use super::uri::{Uri, UriError};
use super::{Bootstrap, Brief, HeadLimits, Negotiated, ParsedRequest};
use crate::deflate::{Offer, Params};
use crate::error::BufferTooSmall;
use crate::tolerance::Tolerance;

/// What a client asks for. Each part is checked when it is set.
///
/// `Debug` does not show what may be credentials: the query, the subprotocols, and the values of added fields.
#[derive(Clone, Copy)]
pub struct ClientRequest<'c> {
    uri: Uri<'c>,
    subprotocols: Names<'c>,
    origin: Option<&'c str>,
    deflate: &'c [Offer],
    extensions: Option<&'c str>,
    fields: AddedFields<'c>,
    require_subprotocol: bool,
    absolute_form: bool,
}

impl<'c> ClientRequest<'c> {
    /// A request for this URI, without anything optional.
    pub const fn new(uri: Uri<'c>) -> Self {
        Self {
            uri,
            subprotocols: Names::Lent(&[]),
            origin: None,
            deflate: &[],
            extensions: None,
            fields: AddedFields::new(),
            require_subprotocol: false,
            absolute_form: false,
        }
    }

    /// Offers subprotocols, the preferred first.
    ///
    /// # Errors
    ///
    /// [`ComposeError::InvalidSubprotocol`] if a name is not a token or stands twice. Case counts.
    pub fn with_subprotocols(self, names: &'c [&'c str]) -> Result<Self, ComposeError> {
        self.with_names(Names::Lent(names))
    }

    fn with_names(mut self, names: Names<'c>) -> Result<Self, ComposeError> {
        for (at, name) in names.iter().enumerate() {
            if token(name.as_bytes()).is_none() || names.iter().take(at).any(|earlier| earlier == name) {
                return Err(ComposeError::InvalidSubprotocol);
            }
        }
        self.subprotocols = names;
        Ok(self)
    }

    /// Sets `Origin`: the page that asks, in ASCII. Browsers must send it.
    ///
    /// # Errors
    ///
    /// [`ComposeError::InvalidValue`], or [`ComposeError::ReservedField`] if `Origin` was added as a field.
    pub fn with_origin(mut self, origin: &'c str) -> Result<Self, ComposeError> {
        check_value(origin)?;
        if origin.is_empty() || !origin.is_ascii() {
            return Err(ComposeError::InvalidValue);
        }
        check_origins(self.fields.iter(), true)?;
        self.origin = Some(origin);
        Ok(self)
    }

    /// Offers permessage-deflate, the preferred parameters first (RFC 7692 section 5). These offers stand before
    /// [`with_extensions`](Self::with_extensions).
    ///
    /// [`Negotiated::deflate`] tells whether the server accepted. The handshake fails if the answer fits no offer, or
    /// accepts another extension as well, which might use the same reserved bit.
    ///
    /// Offer only what can be decoded: compressed messages may follow the answer at once.
    #[must_use]
    pub const fn with_deflate(mut self, offers: &'c [Offer]) -> Self {
        self.deflate = offers;
        self
    }

    /// Offers extensions, the preferred first.
    ///
    /// `permessage-deflate` in it is an offer like those of [`with_deflate`](Self::with_deflate). An invalid one is
    /// sent as it is, and then any valid answer is accepted.
    ///
    /// # Errors
    ///
    /// [`ComposeError::InvalidExtensions`] or [`ComposeError::InvalidValue`].
    pub fn with_extensions(mut self, value: &'c str) -> Result<Self, ComposeError> {
        check_value(value)?;
        check_extensions(value.as_bytes()).map_err(|_| ComposeError::InvalidExtensions)?;
        self.extensions = Some(value);
        Ok(self)
    }

    /// Adds header fields, such as cookies or credentials. Up to four calls add up.
    ///
    /// `Proxy-Authorization` is only allowed after [`with_absolute_form`](Self::with_absolute_form). Through a tunnel
    /// it would reach the server.
    ///
    /// # Errors
    ///
    /// [`ComposeError`] if a field is invalid, or is one that the handshake writes itself.
    pub fn with_fields(self, fields: &'c [(&'c str, &'c str)]) -> Result<Self, ComposeError> {
        self.with_field_set(FieldSet::Lent(fields))
    }

    fn with_field_set(mut self, fields: FieldSet<'c>) -> Result<Self, ComposeError> {
        let is_for_proxy = |(name, _): (&str, _)| name.eq_ignore_ascii_case("Proxy-Authorization");
        if !self.absolute_form && fields.iter().any(is_for_proxy) {
            return Err(ComposeError::ReservedField);
        }
        check_origins(self.fields.iter().chain(fields.iter()), self.origin.is_some())?;
        self.fields.add(fields)?;
        Ok(self)
    }

    /// Whether the handshake fails if the server chooses no subprotocol. Browsers demand that; RFC 6455 does not.
    #[must_use]
    pub const fn with_required_subprotocol(mut self, require: bool) -> Self {
        self.require_subprotocol = require;
        self
    }

    /// Whether the request target is the whole URI, `http://...`. Some plain proxies need it (section 4.1).
    #[must_use]
    pub const fn with_absolute_form(mut self, absolute: bool) -> Self {
        self.absolute_form = absolute;
        self
    }

    /// Fills in subprotocols and offers of compression where it has none, and adds header fields in any case.
    #[cfg(any(
        all(feature = "std", feature = "rng"),
        feature = "embedded-io",
        feature = "embedded-io-async"
    ))]
    pub(crate) fn with_defaults(
        mut self,
        subprotocols: Names<'c>,
        fields: FieldSet<'c>,
        deflate: &'c [Offer],
    ) -> Result<Self, ComposeError> {
        if self.subprotocols.iter().next().is_none() {
            self = self.with_names(subprotocols)?;
        }
        if self.deflate.is_empty() && self.extensions.is_none() {
            self.deflate = deflate;
        }
        self.with_field_set(fields)
    }

    /// The URI.
    pub const fn uri(&self) -> &Uri<'c> {
        &self.uri
    }

    fn write(&self, key: &Key, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        compose(out, |head| {
            head.text("GET ");
            self.write_target(head, self.absolute_form);
            head.text(" HTTP/1.1\r\n");
            self.write_fields(head, Some(key));
            head.text("\r\n");
        })
    }

    fn write_target(&self, head: &mut HeadWriter<'_>, absolute_form: bool) {
        if absolute_form {
            head.text(self.scheme()).text("://");
            write_host(head, &self.uri);
        }
        head.text(if self.uri.path().is_empty() { "/" } else { self.uri.path() });
        if let Some(query) = self.uri.query() {
            head.text("?").text(query);
        }
    }

    const fn scheme(&self) -> &'static str {
        if self.uri.is_secure() {
            "https"
        } else {
            "http"
        }
    }

    fn write_fields(&self, head: &mut HeadWriter<'_>, key: Option<&Key>) {
        if let Some(key) = key {
            head.text("Host: ");
            write_host(head, &self.uri);
            head.text("\r\n").text(upgrade!()).field(Name::Key.as_str(), key.as_str());
        }
        head.text("Sec-WebSocket-Version: 13\r\n");
        if let Some(origin) = self.origin {
            head.field("Origin", origin);
        }
        let mut names = self.subprotocols.iter();
        if let Some(first) = names.next() {
            head.text("Sec-WebSocket-Protocol: ").text(first);
            for name in names {
                head.text(", ").text(name);
            }
            head.text("\r\n");
        }
        self.write_extensions(head);
        head.fields(&self.fields);
    }

    /// The request in its parts, for an HTTP library that sends it. They are put into `out`. Names of fields are in lower
    /// case.
    ///
    /// With a key it is a GET of HTTP/1.1. Without one it is an extended CONNECT of HTTP/2 or HTTP/3 (RFC 8441, RFC 9220),
    /// which may be sent once the server has set `SETTINGS_ENABLE_CONNECT_PROTOCOL` to 1 (8441-3-3). Through a proxy it
    /// needs a tunnel too (8441-7-1).
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`].
    pub fn to_parsed<'o>(
        &self,
        key: Option<&Key>,
        out: &'o mut [u8],
    ) -> Result<ParsedRequest<'o>, BufferTooSmall> {
        let (mut authority_end, mut target_end) = (0, 0);
        let len = compose(out, |head| {
            write_host(head, &self.uri);
            authority_end = head.len;
            self.write_target(head, self.absolute_form && key.is_some());
            target_end = head.len;
            self.write_fields(head, key);
        })?;
        let written = out.get_mut(..len).unwrap_or_default();
        let (texts, lines) = written.split_at_mut_checked(target_end).unwrap_or_default();
        let headers = lower_names(lines);
        let (authority, target) = texts.split_at_checked(authority_end).unwrap_or_default();
        let (authority, target) = (Text(authority).as_str(), Text(target).as_str());
        let (bootstrap, method, authority) = match key {
            Some(_) => (Bootstrap::Upgrade { minor: 1 }, "GET", None),
            None => {
                let (protocol, scheme) = (Some("websocket"), Some(self.scheme()));
                (Bootstrap::ExtendedConnect { protocol, scheme }, "CONNECT", Some(authority))
            }
        };
        Ok(ParsedRequest { bootstrap, method, target, authority, headers })
    }

    /// Judges a response that an HTTP library has read, by the rules for bytes. Without a key it answers an extended
    /// CONNECT. An interim response gives [`ClientProgress::NeedMore`].
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] if the response breaks a rule.
    pub fn judge<'h>(
        &self,
        key: Option<&Key>,
        status: u16,
        headers: Headers<'h>,
        limits: &HeadLimits,
    ) -> Result<ClientProgress<'h>, HandshakeError> {
        if status < 200 && status != 101 {
            return Ok(ClientProgress::NeedMore);
        }
        let (fields, version) = (Fields::parsed(headers, limits)?, HttpVersion { major: 1, minor: 1 });
        let (is_truncated, tolerances) = (false, limits.tolerances);
        let response = Response { fields, version, status, is_truncated, tolerances };
        judge(response, self, key)
    }

    fn write_extensions(&self, head: &mut HeadWriter<'_>) {
        if self.deflate.is_empty() && self.extensions.is_none() {
            return;
        }
        head.text(Name::Extensions.as_str());
        let mut separator = ": ";
        for offer in self.deflate {
            head.text(separator);
            deflate::write_offer(head, offer);
            separator = ", ";
        }
        if let Some(extensions) = self.extensions {
            head.text(separator).text(extensions);
        }
        head.text("\r\n");
    }

    fn raw_extensions(&self) -> impl Iterator<Item = Extension<'c>> {
        iter_value(self.extensions.unwrap_or("").as_bytes())
    }

    fn offers_extension(&self, name: &str) -> bool {
        let typed = name == deflate::NAME && !self.deflate.is_empty();
        typed || self.raw_extensions().any(|offer| offer.name() == name)
    }

    /// An offer that is invalid fits every answer.
    fn admits(&self, answer: &Params) -> bool {
        self.deflate.iter().any(|offer| offer.admits(answer))
            || self
                .raw_extensions()
                .filter(|offer| offer.name() == deflate::NAME)
                .any(|offer| parse_offer(&offer).map_or(true, |offer| offer.admits(answer)))
    }
}

impl<'c> From<Uri<'c>> for ClientRequest<'c> {
    fn from(uri: Uri<'c>) -> Self {
        Self::new(uri)
    }
}

impl<'c> TryFrom<&'c str> for ClientRequest<'c> {
    type Error = UriError;

    /// Parses the URI.
    fn try_from(uri: &'c str) -> Result<Self, UriError> {
        Uri::parse(uri).map(Self::new)
    }
}

#[cfg(feature = "alloc")]
impl<'c> TryFrom<&'c alloc::string::String> for ClientRequest<'c> {
    type Error = UriError;

    /// Parses the URI.
    fn try_from(uri: &'c alloc::string::String) -> Result<Self, UriError> {
        Uri::parse(uri).map(Self::new)
    }
}

#[cfg(feature = "alloc")]
impl<'c> From<&'c super::UriBuf> for ClientRequest<'c> {
    fn from(uri: &'c super::UriBuf) -> Self {
        Self::new(uri.as_uri())
    }
}

impl fmt::Debug for ClientRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRequest")
            .field("uri", &self.uri)
            .field("subprotocols", &self.subprotocols.iter().count())
            .field("origin", &self.origin.map(Brief))
            .field("deflate", &self.deflate.len())
            .field("has_extensions", &self.extensions.is_some())
            .field("fields", &self.fields)
            .field("require_subprotocol", &self.require_subprotocol)
            .field("absolute_form", &self.absolute_form)
            .finish()
    }
}

fn check_origins<'f>(
    fields: impl Iterator<Item = (&'f str, &'f str)>,
    given: bool,
) -> Result<(), ComposeError> {
    let among = fields.filter(|(name, _)| name.eq_ignore_ascii_case("Origin")).count();
    if among > usize::from(!given) {
        return Err(ComposeError::ReservedField);
    }
    Ok(())
}

fn write_host(head: &mut HeadWriter<'_>, uri: &Uri<'_>) {
    head.text(uri.host());
    if !uri.is_default_port() {
        head.text(":").number(usize::from(uri.port()));
    }
}

/// The opening handshake of one client, in storage that the caller lends.
#[derive(Debug)]
pub struct ClientHandshake<'c> {
    request: ClientRequest<'c>,
    key: Key,
    response: ResponseReader<'c>,
}

/// How far a client's handshake has come.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientProgress<'h> {
    /// The head is not complete.
    NeedMore,
    /// The WebSocket is open.
    Accepted(Accepted<'h>),
    /// The server answered with something else than 101. Redirects and challenges are left to the caller. The body, if
    /// there is one, begins with the bytes that were not taken: read it with [`BodyReader`](super::BodyReader).
    Rejected(Rejected<'h>),
}

impl<'c> ClientHandshake<'c> {
    /// Begins a handshake. `nonce` must be 16 unpredictable bytes, new for each connection and each retry:
    /// [`Entropy::fill`](crate::Entropy::fill) of `SystemEntropy` gives them. The length of `storage` is the longest head
    /// that is accepted.
    pub fn new(
        request: ClientRequest<'c>,
        nonce: [u8; 16],
        storage: &'c mut [u8],
        limits: HeadLimits,
    ) -> Self {
        let response = ResponseReader::new(200, storage, &limits);
        Self { request, key: encode_nonce(nonce), response }
    }

    /// Writes the request into `out`. Returns its length. Send nothing else before the response came.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`], and `out` holds nothing of use.
    pub fn write_request(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        self.request.write(&self.key, out)
    }

    /// Fails if permessage-deflate is offered. For adapters without a codec (RFC 7692 section 5).
    ///
    /// # Errors
    ///
    /// [`ComposeError::NoCodec`].
    #[cfg(any(
        all(feature = "std", feature = "rng"),
        feature = "embedded-io",
        feature = "embedded-io-async"
    ))]
    pub(crate) fn check_without_codec(&self) -> Result<(), ComposeError> {
        match self.request.offers_extension(deflate::NAME) {
            true => Err(ComposeError::NoCodec),
            false => Ok(()),
        }
    }

    /// Takes received bytes. Returns how many it took. Those after the blank line are frames, or the body of a
    /// rejection.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] if the response breaks a rule. Close the transport. Later calls return the same error.
    pub fn recv(&mut self, input: &[u8]) -> Result<(usize, ClientProgress<'_>), HandshakeError> {
        let Self { request, key, response } = self;
        let (taken, progress) = response.recv(input, |response| judge(response, request, Some(key)))?;
        Ok((taken, progress.unwrap_or(ClientProgress::NeedMore)))
    }

    /// A rejection whose head is not complete, with the fields received so far, for when you stop waiting. `None`
    /// before the status line.
    pub fn rejected(&self) -> Option<Rejected<'_>> {
        self.response.refusal().map(Rejected::new)
    }

    /// Call this when the transport has ended. [`rejected`](Self::rejected) may still tell the answer.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::UnexpectedEof`] if the head is not complete; after a failure, that failure.
    pub fn eof(&self) -> Result<(), HandshakeError> {
        self.response.eof()
    }
}

fn judge<'h>(
    response: Response<'h>,
    request: &ClientRequest<'_>,
    key: Option<&Key>,
) -> Result<ClientProgress<'h>, HandshakeError> {
    let connection = response.fields.named(Name::Connection);
    match key {
        Some(_) if response.status != 101 => return Ok(ClientProgress::Rejected(Rejected::new(response))),
        Some(key) => {
            if !response.version.is_at_least_1_1() {
                return Err(HandshakeError::UnsupportedHttpVersion);
            }
            let once = |name, error| response.fields.named(name).single(error)?.ok_or(error);
            if !once(Name::Upgrade, HandshakeError::InvalidUpgrade)?.eq_ignore_ascii_case(b"websocket") {
                return Err(HandshakeError::InvalidUpgrade);
            }
            if !Tokens::contain(connection, "upgrade", HandshakeError::InvalidConnection)? {
                return Err(HandshakeError::InvalidConnection);
            }
            if once(Name::Accept, HandshakeError::InvalidAccept)? != key.accept_value().as_bytes() {
                return Err(HandshakeError::InvalidAccept);
            }
        }
        // RFC 9113 section 8.6.
        None if response.status == 101 => return Err(HandshakeError::MalformedStartLine),
        // RFC 8441 section 5: any 2xx.
        None if response.status >= 300 => return Ok(ClientProgress::Rejected(Rejected::new(response))),
        // RFC 9113 section 8.2.2.
        None if connection.is_present() || response.fields.named(Name::Upgrade).is_present() => {
            return Err(HandshakeError::MalformedHeader);
        }
        None => {}
    }
    let mut session = Negotiated::default();
    let unoffered = HandshakeError::UnofferedSubprotocol;
    let tolerates_empty = response.tolerances.contains(Tolerance::EmptyLists);
    let chosen = response.fields.named(Name::Subprotocol).single(unoffered)?;
    let subprotocol = match chosen.filter(|name| !(tolerates_empty && name.is_empty())) {
        None if request.require_subprotocol && request.subprotocols.iter().next().is_some() => {
            return Err(HandshakeError::SubprotocolRequired);
        }
        None => None,
        Some(name) => {
            let name = token(name).filter(|name| request.subprotocols.iter().any(|offered| offered == *name));
            Some(name.ok_or(unoffered)?)
        }
    };
    // In a response, too, several lines are one list (erratum 3433).
    let extensions = Extensions::of(response.fields.named(Name::Extensions), response.tolerances)?;
    for (at, extension) in extensions.iter().enumerate() {
        let repeated = extensions.iter().take(at).any(|earlier| earlier.name() == extension.name());
        if repeated || !request.offers_extension(extension.name()) {
            return Err(HandshakeError::UnofferedExtension);
        }
        if extension.name() == deflate::NAME {
            let answer = parse_answer(&extension).filter(|answer| request.admits(answer));
            session.deflate = Some(answer.ok_or(HandshakeError::InvalidExtensionParameters)?);
        }
    }
    // RFC 7692 section 5.
    if session.deflate.is_some() && extensions.iter().nth(1).is_some() {
        return Err(HandshakeError::ConflictingExtensions);
    }
    Ok(ClientProgress::Accepted(Accepted {
        session,
        subprotocol,
        extensions,
        headers: response.fields.headers,
    }))
}

/// A response that opened the WebSocket.
#[derive(Clone, Copy)]
pub struct Accepted<'h> {
    session: Negotiated,
    subprotocol: Option<&'h str>,
    extensions: Extensions<'h>,
    headers: Headers<'h>,
}

impl fmt::Debug for Accepted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted")
            .field("session", &self.session)
            .field("extensions", &self.extensions)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

impl<'h> Accepted<'h> {
    /// What was agreed on.
    pub const fn negotiated(&self) -> Negotiated {
        self.session
    }

    /// The subprotocol in use.
    pub const fn subprotocol(&self) -> Option<&'h str> {
        self.subprotocol
    }

    /// The extensions in use, in the order in which they apply.
    pub const fn extensions(&self) -> Extensions<'h> {
        self.extensions
    }

    /// All header fields, such as each `Set-Cookie`.
    pub const fn headers(&self) -> Headers<'h> {
        self.headers
    }
}

/// A response that did not open the WebSocket.
///
/// After its status line it cannot fail any more, whatever [`Tolerances`](crate::Tolerances) say. Lines that are not
/// header fields or exceed a limit of [`HeadLimits`] are left out, a bare LF ends a line, and folded lines are joined.
#[derive(Clone, Copy)]
pub struct Rejected<'h> {
    head: &'h [u8],
    status: u16,
    headers: Headers<'h>,
    is_truncated: bool,
}

impl fmt::Debug for Rejected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("is_truncated", &self.is_truncated)
            .finish_non_exhaustive()
    }
}

impl<'h> Rejected<'h> {
    pub(crate) fn new(response: Response<'h>) -> Self {
        let Response { fields, status, is_truncated, .. } = response;
        Self { head: fields.head, status, headers: fields.headers, is_truncated }
    }

    /// The status, 200 or above. Above 599 it is invalid; treat it as a 5xx (RFC 9110 section 15).
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// All header fields, such as `Location` or `WWW-Authenticate`.
    pub const fn headers(&self) -> Headers<'h> {
        self.headers
    }

    /// The versions that the server speaks (section 4.4).
    pub fn versions(&self) -> impl Iterator<Item = &'h str> + Clone + 'h {
        self.headers
            .get_all(Name::Version.as_str())
            .flat_map(|value| value.split(|&byte| byte == b','))
            .filter_map(|version| token(http1::trim(version)))
    }

    /// Whether the head did not fit the storage. Then fields may be missing, and what was not taken is the rest of the
    /// head.
    pub const fn is_truncated(&self) -> bool {
        self.is_truncated
    }

    /// The head without the lines that were left out. A line break inside a field is replaced by spaces.
    pub const fn head(&self) -> &'h [u8] {
        self.head
    }
}
