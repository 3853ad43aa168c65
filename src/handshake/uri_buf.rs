//! URIs as people write them, turned into valid ones (WHATWG URL, RFC 3986 section 5).
//
// Owns: percent-encoding, relative references, and credentials.
// Must not know: names, addresses, or TLS.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use super::basic::write_basic;
use super::byte_class::{is_name_byte, is_target_byte};
use super::uri::{Uri, UriError};

/// A `ws:` or `wss:` URI that owns its text, and accepts what a browser accepts (the WHATWG URL standard).
///
/// [`Uri`] accepts only what RFC 3986 allows. This type encodes what must be encoded (spaces, braces, characters beyond
/// ASCII, backslashes, a lone `%`), resolves `.` and `..`, writes the host in lower case, and reads `http:` and
/// `https:` as `ws:` and `wss:`. It refuses a host name beyond ASCII, which must be given in Punycode, a host with `"`,
/// `` ` ``, `{` or `}`, port 0, and a fragment.
///
/// `Display` and `Debug` do not show credentials.
///
/// # Examples
///
/// ```
/// use sockless::handshake::UriBuf;
///
/// let uri: UriBuf = "https://Stream.Example/ws/{symbol}?q=\"a b\"".parse()?;
/// assert_eq!(uri.to_string(), "wss://stream.example/ws/%7Bsymbol%7D?q=%22a%20b%22");
/// # Ok::<(), sockless::handshake::UriError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct UriBuf {
    secure: bool,
    host: String,
    port: u16,
    path: String,
    query: Option<String>,
    /// User name and password, decoded, with a colon between them.
    credentials: Option<Vec<u8>>,
}

impl UriBuf {
    /// Parses a text.
    ///
    /// # Errors
    ///
    /// [`UriError`]. A user name or password is an error too: see
    /// [`parse_with_credentials`](Self::parse_with_credentials).
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let uri = Self::parse_with_credentials(text)?;
        match uri.credentials {
            Some(_) => Err(UriError::UserInfo),
            None => Ok(uri),
        }
    }

    /// Parses a text that may have a user name and password before the host, for
    /// [`basic_authorization`](Self::basic_authorization). Do not use this for texts of others: a link could bring
    /// credentials with it.
    ///
    /// # Errors
    ///
    /// [`UriError`]. [`UriError::UserInfo`] if the user name has a colon, or one of them a control character (RFC
    /// 7617).
    pub fn parse_with_credentials(text: &str) -> Result<Self, UriError> {
        let text = cleaned(text);
        let (secure, rest) = split_scheme(&text)?.ok_or(UriError::Scheme)?;
        let (rest, None) = split_at_char(rest, '#') else { return Err(UriError::Fragment) };
        Self::with_authority(secure, rest)
    }

    /// Resolves a reference, such as the `Location` of a redirect, as browsers and RFC 3986 section 5.2 do. The result
    /// has no fragment.
    ///
    /// Credentials are kept only if the reference has no authority, so they never reach another host. Take no other
    /// credentials or cookies to another host either. You may also refuse a redirect from `wss:` to `ws:`.
    ///
    /// # Errors
    ///
    /// [`UriError`]. [`UriError::UserInfo`] if the reference has credentials.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sockless::handshake::UriBuf;
    /// let asked: UriBuf = "wss://a.example/chat/room?x".parse()?;
    /// assert_eq!(asked.join("../v2/room")?.to_string(), "wss://a.example/v2/room");
    /// assert_eq!(asked.join("https://b.example")?.to_string(), "wss://b.example/");
    /// # Ok::<(), sockless::handshake::UriError>(())
    /// ```
    pub fn join(&self, reference: &str) -> Result<Self, UriError> {
        let text = cleaned(reference);
        let (rest, scheme) = match split_scheme(&text)? {
            Some((secure, rest)) => (rest, Some(secure)),
            None => (text.as_str(), None),
        };
        let (rest, _) = split_at_char(rest, '#');
        let secure = scheme.unwrap_or(self.secure);
        let mut starts = rest.bytes();
        let slashes = (starts.next().is_some_and(is_slash), starts.next().is_some_and(is_slash));
        let joined = if secure != self.secure || slashes == (true, true) {
            Self::with_authority(secure, rest)?
        } else {
            return Ok(self.with_reference(rest, slashes.0));
        };
        match joined.credentials {
            Some(_) => Err(UriError::UserInfo),
            None => Ok(joined),
        }
    }

    /// Replaces path and query by this resource as it is, for one that is encoded already.
    ///
    /// # Errors
    ///
    /// [`UriError::Resource`] if it begins with neither `/` nor `?`, or holds what a request target must not:
    /// spaces, control characters, characters beyond ASCII, `"`, `<`, `>`, `#`.
    pub fn with_resource(mut self, resource: &str) -> Result<Self, UriError> {
        let uri = self.as_uri().with_resource(resource)?;
        let (path, query) = (uri.path().into(), uri.query().map(String::from));
        (self.path, self.query) = (path, query);
        Ok(self)
    }

    /// The borrowed [`Uri`], for a request.
    pub fn as_uri(&self) -> Uri<'_> {
        Uri::of_parts(self.secure, &self.host, self.port, &self.path, self.query.as_deref())
    }

    /// The value for an `Authorization` field, if there were credentials: scheme Basic (RFC 7617), in UTF-8. They are
    /// sent in the clear, so use TLS.
    ///
    /// ```
    /// # use sockless::handshake::UriBuf;
    /// let uri = UriBuf::parse_with_credentials("wss://aladdin:open%20sesame@h/")?;
    /// assert_eq!(uri.basic_authorization().unwrap(), "Basic YWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    /// # Ok::<(), sockless::handshake::UriError>(())
    /// ```
    pub fn basic_authorization(&self) -> Option<String> {
        let credentials = self.credentials.as_deref()?;
        let mut value = String::new();
        write_basic(credentials.iter().copied(), |text| value.push_str(text));
        Some(value)
    }

    fn with_authority(secure: bool, rest: &str) -> Result<Self, UriError> {
        let rest = rest.trim_start_matches(['/', '\\']);
        let end = rest.find(['/', '\\', '?']).unwrap_or(rest.len());
        let (authority, resource) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let (user_info, host) = match authority.rsplit_once('@') {
            Some((user_info, host)) => (user_info, host),
            None => ("", authority),
        };
        let (host, port) = split_port(host);
        let host = parse_host(host)?;
        let port = match port {
            "" if secure => 443,
            "" => 80,
            _ => parse_port(port)?,
        };
        let (path, query) = split_at_char(resource, '?');
        let mut segments = Vec::new();
        add_segments(&mut segments, path);
        Ok(Self {
            secure,
            host,
            port,
            path: path_of(&segments),
            query: query.map(|query| encoded(query, is_encoded_in_query)),
            credentials: parse_credentials(user_info)?,
        })
    }

    fn with_reference(&self, rest: &str, is_whole_path: bool) -> Self {
        let (path, query) = split_at_char(rest, '?');
        let query = query.map(|query| encoded(query, is_encoded_in_query));
        let (path, query) = match path {
            "" if query.is_none() => (self.path.clone(), self.query.clone()),
            "" => (self.path.clone(), query),
            _ => {
                let mut segments = Vec::new();
                if !is_whole_path {
                    add_segments(&mut segments, &self.path);
                    segments.pop();
                }
                add_segments(&mut segments, path);
                (path_of(&segments), query)
            }
        };
        Self { path, query, ..self.clone() }
    }
}

impl FromStr for UriBuf {
    type Err = UriError;

    /// Parses a text as browsers do ([`parse`](Self::parse)).
    fn from_str(text: &str) -> Result<Self, UriError> {
        Self::parse(text)
    }
}

impl Uri<'_> {
    /// The same as [`UriBuf::join`].
    ///
    /// # Errors
    ///
    /// [`UriError`]. [`UriError::UserInfo`] if the reference has credentials.
    pub fn join(&self, reference: &str) -> Result<UriBuf, UriError> {
        UriBuf::from(*self).join(reference)
    }
}

impl From<Uri<'_>> for UriBuf {
    /// The same URI, as it was written.
    fn from(uri: Uri<'_>) -> Self {
        Self {
            secure: uri.is_secure(),
            host: uri.host().into(),
            port: uri.port(),
            path: uri.path().into(),
            query: uri.query().map(String::from),
            credentials: None,
        }
    }
}

impl fmt::Display for UriBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_uri().fmt(f)
    }
}

impl fmt::Debug for UriBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UriBuf")
            .field("uri", &self.as_uri())
            .field("has_credentials", &self.credentials.is_some())
            .finish()
    }
}

/// Removes spaces and control characters around, and line breaks and tabs inside.
fn cleaned(text: &str) -> String {
    let text = text.trim_matches(|c: char| c <= ' ');
    text.chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect()
}

fn split_scheme(text: &str) -> Result<Option<(bool, &str)>, UriError> {
    let Some((scheme, rest)) = text.split_once(':') else { return Ok(None) };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    let is = |known: [&str; 2]| known.iter().any(|known| known.eq_ignore_ascii_case(scheme));
    match () {
        () if !is_scheme => Ok(None),
        () if is(["ws", "http"]) => Ok(Some((false, rest))),
        () if is(["wss", "https"]) => Ok(Some((true, rest))),
        () => Err(UriError::Scheme),
    }
}

fn split_at_char(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((front, back)) => (front, Some(back)),
        None => (text, None),
    }
}

const fn is_slash(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\')
}

/// Colons in an IPv6 address are part of the host.
fn split_port(host: &str) -> (&str, &str) {
    let address = host.starts_with('[').then(|| host.find(']')).flatten().unwrap_or(0);
    let colon = host.get(address..).and_then(|rest| rest.find(':')).map(|at| at.saturating_add(address));
    let parts = colon.and_then(|at| host.split_at_checked(at));
    parts.map_or((host, ""), |(host, port)| (host, port.get(1..).unwrap_or("")))
}

fn parse_port(port: &str) -> Result<u16, UriError> {
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(UriError::Port);
    }
    match port.trim_start_matches('0').parse() {
        Ok(port) => Ok(port),
        Err(_) => Err(UriError::Port),
    }
}

/// A name in lower case, or an address in its canonical form.
fn parse_host(text: &str) -> Result<String, UriError> {
    if let Some(rest) = text.strip_prefix('[') {
        let address = rest.strip_suffix(']').and_then(|address| address.parse::<Ipv6Addr>().ok());
        return Ok(written_ipv6(address.ok_or(UriError::Host)?));
    }
    let mut host = String::from_utf8(decoded(text)).map_err(|_| UriError::Host)?;
    host.make_ascii_lowercase();
    if host.is_empty() || !host.bytes().all(|byte| is_name_byte(byte) && byte != b'%') {
        return Err(UriError::Host);
    }
    match ends_in_number(&host) {
        true => Ok(alloc::format!("{}", parse_ipv4(&host).ok_or(UriError::Host)?)),
        false => Ok(host),
    }
}

/// In brackets, the longest run of zeros left out (RFC 5952), and no part written as IPv4.
fn written_ipv6(address: Ipv6Addr) -> String {
    let pieces = address.segments();
    let run_at = |at: usize| pieces.iter().skip(at).take_while(|piece| **piece == 0).count();
    // The first of the longest runs.
    let longest = (0..pieces.len()).rev().max_by_key(|at| run_at(*at)).unwrap_or(0);
    let run = run_at(longest);
    let hidden = if run > 1 { longest..longest.saturating_add(run) } else { 0..0 };
    let mut text = String::from("[");
    for (at, piece) in pieces.iter().enumerate() {
        if hidden.contains(&at) {
            if at == hidden.start {
                text.push_str("::");
            }
            continue;
        }
        if !text.ends_with(['[', ':']) {
            text.push(':');
        }
        text.push_str(&alloc::format!("{piece:x}"));
    }
    text.push(']');
    text
}

fn parts_of(host: &str) -> Vec<&str> {
    let without_dot = host.strip_suffix('.').filter(|rest| !rest.is_empty());
    without_dot.unwrap_or(host).split('.').collect()
}

/// Then the host must be an IPv4 address.
fn ends_in_number(host: &str) -> bool {
    parts_of(host).last().is_some_and(|last| {
        let digits = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
        let hexadecimal = last.strip_prefix("0x");
        digits || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    })
}

/// One to four numbers, each decimal, octal or hexadecimal. The last one fills the remaining octets.
fn parse_ipv4(host: &str) -> Option<Ipv4Addr> {
    let parts = parts_of(host);
    let (last, front) = parts.split_last()?;
    let mut shift = 32_u32;
    let mut address = 0_u32;
    for part in front {
        shift = shift.checked_sub(8).filter(|shift| *shift > 0)?;
        let number = u32::from(u8::try_from(parse_number(part)?).ok()?);
        address |= number.checked_shl(shift)?;
    }
    let last = parse_number(last)?;
    let fits = last.checked_shr(shift).unwrap_or(0) == 0;
    fits.then(|| u32::try_from(last).ok()).flatten().map(|last| Ipv4Addr::from(address | last))
}

fn parse_number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x") {
        Some("") => return Some(0),
        Some(digits) => (digits, 16),
        None => match text.strip_prefix('0').filter(|rest| !rest.is_empty()) {
            Some(digits) => (digits, 8),
            None => (text, 10),
        },
    };
    if digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

/// User name, colon and password, decoded. `None` if both are empty.
fn parse_credentials(user_info: &str) -> Result<Option<Vec<u8>>, UriError> {
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    if user.is_empty() && password.is_empty() {
        return Ok(None);
    }
    let (mut credentials, password) = (decoded(user), decoded(password));
    let bad = credentials.contains(&b':') || credentials.iter().chain(&password).any(u8::is_ascii_control);
    if bad {
        return Err(UriError::UserInfo);
    }
    credentials.push(b':');
    credentials.extend_from_slice(&password);
    Ok(Some(credentials))
}

/// Resolves `.` and `..`, also in percent-encoded form (RFC 3986 section 5.2.4).
fn add_segments(segments: &mut Vec<String>, path: &str) {
    let path = path.strip_prefix(['/', '\\']).unwrap_or(path);
    let mut rest = Some(path);
    while let Some(path) = rest {
        let (segment, after) = match path.split_once(['/', '\\']) {
            Some((segment, after)) => (segment, Some(after)),
            None => (path, None),
        };
        rest = after;
        let is = |dots: &[&str]| dots.iter().any(|dots| dots.eq_ignore_ascii_case(segment));
        let up = is(&["..", ".%2e", "%2e.", "%2e%2e"]);
        if up {
            segments.pop();
        }
        if up || is(&[".", "%2e"]) {
            if rest.is_none() {
                segments.push(String::new());
            }
            continue;
        }
        segments.push(encoded(segment, is_encoded_in_path));
    }
}

fn path_of(segments: &[String]) -> String {
    let mut path = String::new();
    for segment in segments {
        path.push('/');
        path.push_str(segment);
    }
    path
}

/// The path percent-encode set of the URL standard, without `#` and `?`, which end a path.
fn is_encoded_in_path(byte: u8) -> bool {
    !is_target_byte(byte) || matches!(byte, b'^' | b'`' | b'{' | b'}')
}

/// The special-query percent-encode set of the URL standard.
fn is_encoded_in_query(byte: u8) -> bool {
    !is_target_byte(byte) || byte == b'\''
}

fn encoded(text: &str, is_encoded: fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_encoded(byte) {
            out.push_str(&alloc::format!("%{byte:02X}"));
        } else {
            out.push(char::from(byte));
        }
    }
    out
}

/// A `%` without two hexadecimal digits is kept.
fn decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        let octet = match rest {
            [b'%', a, b, ..] => hex_digit(*a).zip(hex_digit(*b)),
            _ => None,
        };
        match octet {
            Some((high, low)) => {
                out.push(high << 4 | low);
                rest = after.get(2..).unwrap_or(&[]);
            }
            None => {
                out.push(*byte);
                rest = after;
            }
        }
    }
    out
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
