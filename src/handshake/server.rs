//! The server's side of the opening handshake (RFC 6455 section 4.2).
//!
//! Owns: judging requests, accepting and rejecting them. Must not know: frames, sockets, clocks.

use core::fmt;

use super::compose::{check_field, check_value, compose, ComposeError, HeadWriter};
use super::error::HandshakeError;
use super::fields::{check_own_value as check_extensions, iter_value, Extensions, Tokens};
use super::head::Head;
use super::http1::{self, token, Headers};
use super::key::Key;
use super::{HeadLimits, OriginPolicy, Session};

/// Reads one request from any split of the input, in storage that the caller lends.
#[derive(Debug)]
pub struct Handshake<'s> {
    head: Head<'s>,
    limits: HeadLimits,
    failed: Option<HandshakeError>,
}

/// What a server's handshake has come to.
#[derive(Debug)]
#[non_exhaustive]
pub enum Progress<'h> {
    /// The head is not complete.
    NeedMore,
    /// A request to open a WebSocket, valid in every respect.
    Request(Request<'h>),
    /// A well-formed HTTP request that does not ask for a WebSocket, for whoever serves HTTP on this port.
    /// Without one, answer 426 ([`Reject::for_plain_http`]).
    Http(PlainRequest<'h>),
}

impl<'s> Handshake<'s> {
    /// Heads may be as long as `storage`; [`HeadLimits::STORAGE`] is a sensible size.
    pub fn new(storage: &'s mut [u8], limits: HeadLimits) -> Self {
        Self { head: Head::new(storage, &limits), limits, failed: None }
    }

    /// Takes received bytes. Returns how many it took: never one past the blank line, so that what is left
    /// are frames.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`]: the request breaks a rule. Answer with [`Reject::for_error`] and end the
    /// transport. Later calls return the same error.
    pub fn recv(&mut self, input: &[u8]) -> Result<(usize, Progress<'_>), HandshakeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let (taken, complete) = match self.head.recv(input) {
            Ok(result) => result,
            Err(error) => {
                self.failed = Some(error);
                return Err(error);
            }
        };
        if !complete {
            return Ok((taken, Progress::NeedMore));
        }
        match Request::parse(self.head.bytes(), &self.limits) {
            Ok(progress) => Ok((taken, progress)),
            Err(error) => {
                self.failed = Some(error);
                Err(error)
            }
        }
    }

    /// The transport ended.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::UnexpectedEof`] if the head is not complete; the failure if there was one.
    pub fn eof(&self) -> Result<(), HandshakeError> {
        match self.failed {
            Some(error) => Err(error),
            None if self.head.is_complete() => Ok(()),
            None => Err(HandshakeError::UnexpectedEof),
        }
    }
}

/// A request to open a WebSocket, valid by RFC 6455 section 4.2.1.
#[derive(Clone, Copy, Debug)]
pub struct Request<'h> {
    head: &'h [u8],
    target: &'h str,
    host: &'h str,
    origin: Option<&'h str>,
    key: Key,
    subprotocols: Tokens<'h>,
    extensions: Extensions<'h>,
    headers: Headers<'h>,
}

impl<'h> Request<'h> {
    /// Judges a complete head, blank line included, such as another HTTP server has read.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`], as [`Handshake::recv`].
    pub fn parse(head: &'h [u8], limits: &HeadLimits) -> Result<Progress<'h>, HandshakeError> {
        let (line, headers) = http1::request(head, limits.max_fields)?;
        if line.version.major != 1 {
            return Err(HandshakeError::UnsupportedHttpVersion);
        }
        let (target, authority) = split_target(line.target);
        let plain = PlainRequest {
            head,
            method: line.method,
            target: line.target,
            minor: line.version.minor,
            headers,
        };
        // RFC 9110 section 7.8: Upgrade is ignored in HTTP/1.0.
        let upgrade = Tokens::check(headers, "Upgrade", HandshakeError::MalformedHeader);
        let asks = match upgrade {
            Ok(upgrade) => upgrade.contains_ignore_case("websocket"),
            // `Upgrade` may hold what is no token, such as `HTTP/2.0`: look for ours among the others.
            Err(HandshakeError::ListTooLong) => return Err(HandshakeError::ListTooLong),
            Err(_) => headers
                .get_all("Upgrade")
                .flat_map(|value| value.split(|&byte| byte == b','))
                .any(|name| http1::trim(name).eq_ignore_ascii_case(b"websocket")),
        };
        body(headers, asks)?;
        if !asks {
            host(headers, line.version.minor)?;
            return Ok(Progress::Http(plain));
        }
        if !line.version.is_at_least_1_1() {
            return Err(HandshakeError::UnsupportedHttpVersion);
        }
        if line.method != "GET" {
            return Err(HandshakeError::MethodNotAllowed);
        }
        let target = target.ok_or(HandshakeError::InvalidTarget)?;
        let host = host(headers, line.version.minor)?;
        let connection = Tokens::check(headers, "Connection", HandshakeError::InvalidConnection)?;
        if !connection.contains_ignore_case("upgrade") {
            return Err(HandshakeError::InvalidConnection);
        }
        if headers.get("Expect").is_some() {
            return Err(HandshakeError::ExpectationFailed);
        }
        version(headers)?;
        let key = single(headers, "Sec-WebSocket-Key", HandshakeError::InvalidKey)?
            .and_then(|key| Key::parse(key, limits.strict_key))
            .ok_or(HandshakeError::InvalidKey)?;
        let origin = match single(headers, "Origin", HandshakeError::InvalidOrigin)? {
            Some(origin) => Some(core::str::from_utf8(origin).map_err(|_| HandshakeError::InvalidOrigin)?),
            None => None,
        };
        let subprotocols =
            Tokens::check(headers, "Sec-WebSocket-Protocol", HandshakeError::InvalidSubprotocols)?;
        for (at, name) in subprotocols.iter().enumerate() {
            // Names are compared with case (RFC 7936), and must be unique. The list is bounded.
            if subprotocols.iter().take(at).any(|earlier| earlier == name) {
                return Err(HandshakeError::InvalidSubprotocols);
            }
        }
        let extensions = Extensions::check(headers)?;
        Ok(Progress::Request(Request {
            head,
            target,
            // RFC 9112 section 3.2.2: the authority of an absolute target goes before Host.
            host: authority.unwrap_or(host),
            origin,
            key,
            subprotocols,
            extensions,
            headers,
        }))
    }

    /// The resource: path and query.
    pub const fn target(&self) -> &'h str {
        self.target
    }

    /// Host and port that the request is for.
    pub const fn host(&self) -> &'h str {
        self.host
    }

    /// The page that asks, if a browser does. Anybody can say anything here: it authenticates nobody (section
    /// 10.1).
    pub const fn origin(&self) -> Option<&'h str> {
        self.origin
    }

    /// The subprotocols that the client offers, the preferred first.
    pub const fn subprotocols(&self) -> Tokens<'h> {
        self.subprotocols
    }

    /// The extensions that the client offers, the preferred first.
    pub const fn extensions(&self) -> Extensions<'h> {
        self.extensions
    }

    /// All header fields.
    pub const fn headers(&self) -> Headers<'h> {
        self.headers
    }

    /// The whole head as it came.
    pub const fn head(&self) -> &'h [u8] {
        self.head
    }

    /// Accepts the request, if the origin policy does. The policy has no default: choosing one is the
    /// server's duty (section 10.2).
    ///
    /// # Errors
    ///
    /// [`HandshakeError::OriginRefused`], status 403.
    pub fn accept(&self, policy: OriginPolicy<'_>) -> Result<Accept<'h, '_>, HandshakeError> {
        if !policy.accepts(self.origin, self.host) {
            return Err(HandshakeError::OriginRefused);
        }
        Ok(Accept {
            request: *self,
            subprotocol: None,
            session: Session::default(),
            extensions: None,
            fields: &[],
        })
    }
}

/// A well-formed HTTP request that does not ask for a WebSocket.
#[derive(Clone, Copy, Debug)]
pub struct PlainRequest<'h> {
    head: &'h [u8],
    method: &'h str,
    target: &'h str,
    minor: u8,
    headers: Headers<'h>,
}

impl<'h> PlainRequest<'h> {
    /// The method.
    pub const fn method(&self) -> &'h str {
        self.method
    }

    /// The request target as it came.
    pub const fn target(&self) -> &'h str {
        self.target
    }

    /// The minor version of HTTP/1.
    pub const fn minor_version(&self) -> u8 {
        self.minor
    }

    /// All header fields.
    pub const fn headers(&self) -> Headers<'h> {
        self.headers
    }

    /// The whole head as it came, to be handed to an HTTP server together with the bytes after it.
    pub const fn head(&self) -> &'h [u8] {
        self.head
    }
}

/// A 101 in the making (section 4.2.2).
#[derive(Clone, Copy, Debug)]
pub struct Accept<'h, 'r> {
    request: Request<'h>,
    subprotocol: Option<&'r str>,
    session: Session,
    extensions: Option<&'r str>,
    fields: &'r [(&'r str, &'r str)],
}

impl<'h, 'r> Accept<'h, 'r> {
    /// Chooses the first of the client's subprotocols that is in `supported`, or none. Names are compared
    /// with case.
    #[must_use]
    pub fn choose_subprotocol(mut self, supported: &[&'r str]) -> Self {
        for offered in self.request.subprotocols.iter() {
            if let Some(at) = supported.iter().position(|candidate| *candidate == offered) {
                self.subprotocol = supported.get(at).copied();
                self.session.subprotocol = u16::try_from(at).ok();
                break;
            }
        }
        self
    }

    /// Chooses this subprotocol; its place in the session is its place in the client's list.
    ///
    /// # Errors
    ///
    /// [`ComposeError::UnofferedSubprotocol`] if the client does not offer it; the empty string is never
    /// offered.
    pub fn subprotocol(mut self, name: &'r str) -> Result<Self, ComposeError> {
        let at = self
            .request
            .subprotocols
            .iter()
            .position(|offered| offered == name)
            .ok_or(ComposeError::UnofferedSubprotocol)?;
        self.subprotocol = Some(name);
        self.session.subprotocol = u16::try_from(at).ok();
        Ok(self)
    }

    /// Answers with these extensions, in the order in which they apply.
    ///
    /// # Errors
    ///
    /// [`ComposeError::InvalidExtensions`], or [`ComposeError::UnofferedExtension`] if the client does not
    /// offer one of that name.
    pub fn extensions(mut self, value: &'r str) -> Result<Self, ComposeError> {
        check_value(value)?;
        check_extensions(value.as_bytes()).map_err(|_| ComposeError::InvalidExtensions)?;
        for (at, chosen) in iter_value(value.as_bytes()).enumerate() {
            // The list is our caller's, and short.
            if iter_value(value.as_bytes()).take(at).any(|earlier| earlier.name() == chosen.name()) {
                return Err(ComposeError::InvalidExtensions);
            }
            if !self.request.extensions.iter().any(|offer| offer.name() == chosen.name()) {
                return Err(ComposeError::UnofferedExtension);
            }
        }
        self.extensions = Some(value);
        Ok(self)
    }

    /// Adds header fields, such as cookies.
    ///
    /// # Errors
    ///
    /// [`ComposeError`] if one is invalid or belongs to the handshake.
    pub fn fields(mut self, fields: &'r [(&'r str, &'r str)]) -> Result<Self, ComposeError> {
        for (name, value) in fields {
            check_field(name, value)?;
        }
        self.fields = fields;
        Ok(self)
    }

    /// The subprotocol chosen.
    pub const fn chosen_subprotocol(&self) -> Option<&'r str> {
        self.subprotocol
    }

    /// Writes the response. Frames may follow it at once.
    ///
    /// # Errors
    ///
    /// [`ComposeError::BufferTooSmall`]; nothing was written.
    pub fn write(&self, out: &mut [u8]) -> Result<(usize, Session), ComposeError> {
        let accept = self.request.key.accept_value();
        let written = compose(out, |head| {
            head.text("HTTP/1.1 101 Switching Protocols\r\n")
                .text("Upgrade: websocket\r\nConnection: Upgrade\r\n")
                .field("Sec-WebSocket-Accept", accept.as_str());
            if let Some(name) = self.subprotocol {
                head.field("Sec-WebSocket-Protocol", name);
            }
            if let Some(extensions) = self.extensions {
                head.field(Extensions::NAME, extensions);
            }
            write_fields(head, self.fields);
            head.text("\r\n");
        })?;
        Ok((written, self.session))
    }
}

/// A refusal in the making: a whole HTTP response (sections 4.2.2 and 4.4).
#[derive(Clone, Copy, Debug)]
pub struct Reject<'r> {
    status: u16,
    fields: &'r [(&'r str, &'r str)],
    body: &'r [u8],
    keep_alive: bool,
    allow: bool,
}

impl<'r> Reject<'r> {
    /// With a status of 300 to 599. A 426 says which version of WebSocket is spoken.
    ///
    /// # Errors
    ///
    /// [`ComposeError::InvalidStatus`].
    pub const fn new(status: u16) -> Result<Self, ComposeError> {
        match status {
            300..=599 => Ok(Self { status, fields: &[], body: b"", keep_alive: false, allow: false }),
            _ => Err(ComposeError::InvalidStatus),
        }
    }

    /// The refusal that an error calls for; `None` where there is nobody to answer.
    pub fn for_error(error: HandshakeError) -> Option<Self> {
        let mut reject = Self::new(error.status()?).ok()?;
        // RFC 9110 section 15.5.6.
        reject.allow = error == HandshakeError::MethodNotAllowed;
        Some(reject)
    }

    /// The refusal of a request that does not ask for a WebSocket, where nothing else is served: 426.
    pub const fn for_plain_http() -> Self {
        Self { status: 426, fields: &[], body: b"", keep_alive: false, allow: false }
    }

    /// Adds header fields, such as `Location`, `WWW-Authenticate`, or `Date`, which the engine has no clock
    /// for.
    ///
    /// # Errors
    ///
    /// [`ComposeError`] if one is invalid or belongs to the response itself.
    pub fn fields(mut self, fields: &'r [(&'r str, &'r str)]) -> Result<Self, ComposeError> {
        for (name, value) in fields {
            check_field(name, value)?;
        }
        self.fields = fields;
        Ok(self)
    }

    /// With a body; say what it is by a `Content-Type`.
    #[must_use]
    pub const fn body(mut self, body: &'r [u8]) -> Self {
        self.body = body;
        self
    }

    /// Keeps the HTTP connection open for another request. Not after a malformed one.
    #[must_use]
    pub const fn keep_alive(mut self) -> Self {
        self.keep_alive = true;
        self
    }

    /// The status.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Writes the response.
    ///
    /// # Errors
    ///
    /// [`ComposeError::MissingAuthenticate`] or [`ComposeError::BufferTooSmall`]; nothing was written.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, ComposeError> {
        let has = |wanted: &str| self.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
        if self.status == 401 && !has("WWW-Authenticate") {
            return Err(ComposeError::MissingAuthenticate);
        }
        let written = compose(out, |head| {
            // RFC 9112 section 4: the space stands even where there is no phrase.
            head.text("HTTP/1.1 ").number(usize::from(self.status)).text(" ").text(phrase(self.status));
            head.text("\r\n");
            if self.status == 426 {
                // RFC 9110 section 7.8, and the versions that are understood (RFC 6455 section 4.4).
                head.text("Upgrade: websocket\r\n");
                head.field("Connection", if self.keep_alive { "Upgrade" } else { "Upgrade, close" });
                head.text("Sec-WebSocket-Version: 13\r\n");
            } else if !self.keep_alive {
                head.text("Connection: close\r\n");
            }
            if self.allow {
                head.text("Allow: GET\r\n");
            }
            head.text("Content-Length: ").number(self.body.len()).text("\r\n");
            write_fields(head, self.fields);
            head.text("\r\n").bytes(self.body);
        })?;
        Ok(written)
    }
}

impl fmt::Display for Reject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, phrase(self.status))
    }
}

fn write_fields(head: &mut HeadWriter<'_>, fields: &[(&str, &str)]) {
    for (name, value) in fields {
        head.field(name, value);
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
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

/// The resource of a target in origin-form or of an http(s) URI, and the latter's authority (section 4.2.1).
fn split_target(target: &str) -> (Option<&str>, Option<&str>) {
    if target.starts_with('/') {
        return (Some(target), None);
    }
    let Some((scheme, rest)) = target.split_once("://") else { return (None, None) };
    let known = ["http", "https", "ws", "wss"].iter().any(|known| known.eq_ignore_ascii_case(scheme));
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (Some(authority), Some(resource)) = (rest.get(..at), rest.get(at..)) else { return (None, None) };
    if !known || !is_host(authority.as_bytes()) {
        return (None, None);
    }
    match resource {
        "" => (Some("/"), Some(authority)),
        // A query without a path names no resource that could be borrowed from here.
        _ if resource.starts_with('?') => (None, None),
        _ => (Some(resource), Some(authority)),
    }
}

/// The value of a field that may stand once.
fn single<'h>(
    headers: Headers<'h>,
    name: &'static str,
    repeated: HandshakeError,
) -> Result<Option<&'h [u8]>, HandshakeError> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(repeated),
    }
}

/// RFC 9112 section 3.2: one valid Host, which HTTP/1.0 did not need.
fn host(headers: Headers<'_>, minor: u8) -> Result<&str, HandshakeError> {
    let invalid = HandshakeError::InvalidHost;
    match single(headers, "Host", invalid)? {
        None if minor == 0 => Ok(""),
        None => Err(invalid),
        Some(host) if is_host(host) => core::str::from_utf8(host).map_err(|_| invalid),
        Some(_) => Err(invalid),
    }
}

/// A host of RFC 3986, and perhaps a port. No userinfo.
fn is_host(host: &[u8]) -> bool {
    let (host, rest) = match host {
        [b'[', inner @ ..] => match inner.iter().position(|&byte| byte == b']') {
            Some(at) => {
                let address = inner.get(..at).unwrap_or(&[]);
                let legal = |&byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
                if address.is_empty() || !address.iter().all(legal) {
                    return false;
                }
                (address, inner.get(at.saturating_add(1)..).unwrap_or(&[]))
            }
            None => return false,
        },
        _ => {
            let at = host.iter().position(|&byte| byte == b':').unwrap_or(host.len());
            host.split_at_checked(at).unwrap_or((host, &[]))
        }
    };
    let legal = |&byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')')
            || matches!(byte, b'*' | b'+' | b',' | b';' | b'=' | b':')
    };
    let port = match rest {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    !host.is_empty() && host.iter().all(legal) && port
}

/// RFC 9112 section 6 and the way in which requests are smuggled: nothing of a body may be taken for frames.
fn body(headers: Headers<'_>, asks_for_websocket: bool) -> Result<(), HandshakeError> {
    let mut lengths = headers
        .get_all("Content-Length")
        .flat_map(|value| value.split(|&byte| byte == b','))
        .map(http1::trim);
    let first = lengths.next();
    if let Some(first) = first {
        let digits = !first.is_empty() && first.iter().all(u8::is_ascii_digit);
        if !digits || lengths.any(|other| other != first) {
            return Err(HandshakeError::UnexpectedBody);
        }
        if asks_for_websocket && first.iter().any(|&digit| digit != b'0') {
            return Err(HandshakeError::UnexpectedBody);
        }
    }
    let mut codings = headers
        .get_all("Transfer-Encoding")
        .flat_map(|value| value.split(|&byte| byte == b','))
        .map(http1::trim)
        .peekable();
    if codings.peek().is_some() {
        let chunked_last = codings.last().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"));
        if asks_for_websocket || first.is_some() || !chunked_last {
            return Err(HandshakeError::UnexpectedBody);
        }
    }
    Ok(())
}

/// Sections 4.2.2 and 11.3.5: one field that says 13.
fn version(headers: Headers<'_>) -> Result<(), HandshakeError> {
    match single(headers, "Sec-WebSocket-Version", HandshakeError::InvalidVersion)? {
        Some(b"13") => Ok(()),
        Some(value) if token(value).is_none() => Err(HandshakeError::InvalidVersion),
        // Another version, or none: say which one is understood.
        Some(_) | None => Err(HandshakeError::UnsupportedVersion),
    }
}
