//! Which proxy to go through.
//
// Owns: the settings of a proxy, and how they are written in one URL.
// Must not know: how a proxy is asked.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use sockless::handshake::{UriBuf, UriError};

#[cfg(feature = "rustls")]
use crate::Tls;
use crate::{Proxies, ProxyVariableError};

/// A proxy, through which a tunnel to the server is opened. What is sent there over TLS, the proxy cannot read.
///
/// | URL | |
/// |---|---|
/// | `http://host:port` | HTTP's CONNECT (RFC 9110 section 9.3.6). Default port: 80 |
/// | `https://host:port` | the same, over TLS to the proxy. Default port: 443 |
/// | `socks5h://host:port` | SOCKS5 (RFC 1928). The proxy looks the server's name up. Default port: 1080 |
/// | `socks5://host:port` | the same, but the name is looked up here |
/// | `host:port` | as `http://host:port` |
///
/// A user name and a password may stand before the host, as in `http://user:password@host:port`. A `%` there is written
/// as `%25`.
///
/// `Debug` shows no credentials.
#[derive(Clone)]
pub struct Proxy {
    pub(crate) kind: ProxyKind,
    /// Its host and port. The scheme means nothing.
    pub(crate) address: UriBuf,
    pub(crate) credentials: Option<(String, String)>,
    pub(crate) fields: Vec<(String, String)>,
    #[cfg(feature = "rustls")]
    pub(crate) tls: Option<Tls>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyKind {
    Http,
    Https,
    /// Names are looked up here.
    Socks5,
    /// Names are looked up by the proxy.
    Socks5h,
}

/// Where the proxy comes from.
#[derive(Clone)]
pub(crate) enum ProxyChoice {
    None,
    This(Box<Proxy>),
    Of(Proxies),
}

impl ProxyChoice {
    /// The proxy for the server of this URL.
    pub(crate) fn proxy_for(&self, url: &UriBuf) -> Result<Option<Cow<'_, Proxy>>, ProxyVariableError> {
        Ok(match self {
            Self::None => None,
            Self::This(proxy) => Some(Cow::Borrowed(proxy)),
            Self::Of(proxies) => proxies.proxy_for(url)?.map(Cow::Owned),
        })
    }
}

impl Proxy {
    /// Reads the URL of a proxy.
    ///
    /// # Errors
    ///
    /// [`ProxyUrlError`].
    pub fn new(url: &str) -> Result<Self, ProxyUrlError> {
        let url = url.trim();
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let (kind, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (ProxyKind::Http, 80),
            "https" => (ProxyKind::Https, 443),
            "socks5" => (ProxyKind::Socks5, 1080),
            "socks5h" => (ProxyKind::Socks5h, 1080),
            "socks4" | "socks4a" => return Err(ProxyUrlError::Socks4),
            _ => return Err(ProxyUrlError::Scheme),
        };
        let (credentials, host) = match rest.rsplit_once('@') {
            Some((user_info, host)) => {
                (Some(credentials(user_info).ok_or(ProxyUrlError::Credentials)?), host)
            }
            None => (None, rest),
        };
        let host = host.strip_suffix('/').unwrap_or(host);
        if host.contains(['/', '?', '#', '\\']) {
            return Err(ProxyUrlError::Path);
        }
        // Behind an IPv6 address in its brackets.
        let has_port = host.rsplit(']').next().is_some_and(|rest| rest.contains(':'));
        let address = match has_port {
            true => UriBuf::parse(&format!("ws://{host}")),
            false => UriBuf::parse(&format!("ws://{host}:{default_port}")),
        };
        let address = address.map_err(|error| match error {
            UriError::Port => ProxyUrlError::Port,
            _ => ProxyUrlError::Host,
        })?;
        Ok(Self {
            kind,
            address,
            credentials,
            fields: Vec::new(),
            #[cfg(feature = "rustls")]
            tls: None,
        })
    }

    /// Sets the user name and the password, in place of those in the URL.
    #[must_use]
    pub fn with_credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Some((user.into(), password.into()));
        self
    }

    /// Adds a header field to the request that an HTTP proxy reads, such as `Proxy-Authorization` with a token. SOCKS5 has
    /// none.
    #[must_use]
    pub fn with_field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// Sets how TLS is done to an `https:` proxy. What a server behind it is trusted by has nothing to do with it.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }
}

impl FromStr for Proxy {
    type Err = ProxyUrlError;

    fn from_str(url: &str) -> Result<Self, ProxyUrlError> {
        Self::new(url)
    }
}

/// User name and password of a URL, decoded.
fn credentials(user_info: &str) -> Option<(String, String)> {
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    Some((decoded(user)?, decoded(password)?))
}

/// The text without its percent-encoding. `None` if that is malformed or no UTF-8.
fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut octets = Vec::from(parts.next()?);
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        octets.push(u8::from_str_radix(digits, 16).ok()?);
        octets.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(octets).ok()
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("kind", &self.kind)
            .field("address", &self.address.as_uri().address())
            .field("has_credentials", &self.credentials.is_some())
            .field("fields", &self.fields.len())
            .finish_non_exhaustive()
    }
}

/// Why a text is not the URL of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyUrlError {
    /// The scheme is another than `http`, `https`, `socks5` and `socks5h`.
    Scheme,
    /// The scheme asks for SOCKS4, which is not there.
    Socks4,
    /// The user name or the password has a `%` that begins no percent-encoding, or is not UTF-8.
    Credentials,
    /// The host is missing or invalid.
    Host,
    /// The port is invalid.
    Port,
    /// More than a slash follows the host and the port.
    Path,
}

impl fmt::Display for ProxyUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the scheme of a proxy is http, https, socks5 or socks5h",
            Self::Socks4 => "SOCKS4 is not supported, but socks5 and socks5h are",
            Self::Credentials => {
                "the user name or the password of the proxy is invalid; a % in it is written as %25"
            }
            Self::Host => "the host of the proxy is missing or invalid",
            Self::Port => "the port of the proxy is invalid",
            Self::Path => "more than a host and a port is given for the proxy",
        })
    }
}

impl std::error::Error for ProxyUrlError {}

#[cfg(test)]
mod tests;
