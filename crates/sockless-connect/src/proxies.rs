//! Which proxy the environment asks for.
//
// Owns: the names of the variables, their order, and which servers are excepted.
// Must not know: how a proxy is asked.

use std::ffi::OsString;
use std::net::IpAddr;
use std::{env, fmt};

use sockless::handshake::UriBuf;

use crate::{Proxy, ProxyUrlError};

/// The proxies that environment variables ask for, as curl reads them.
///
/// | Server | Variables; the first that is set and not empty |
/// |---|---|
/// | `wss:` | `wss_proxy`, `WSS_PROXY`, `https_proxy`, `HTTPS_PROXY`, `all_proxy`, `ALL_PROXY` |
/// | `ws:` | `ws_proxy`, `WS_PROXY`, `http_proxy`, `all_proxy`, `ALL_PROXY` |
/// | excepted | `no_proxy`, `NO_PROXY` |
///
/// `HTTP_PROXY` is not read: where a program is started for an HTTP request (CGI), whoever sends the request sets that
/// variable by a field `Proxy` ("httpoxy"). For the systems on which the case of a name means nothing, `http_proxy` is
/// not read either while `REQUEST_METHOD` is set.
///
/// A value is the URL of a [`Proxy`]. `no_proxy` is a list with commas or spaces:
///
/// | Entry | Servers that are connected to without a proxy |
/// |---|---|
/// | `*`, alone in the list | all |
/// | `example.com`, `.example.com` | `example.com`, and every name that ends with `.example.com` |
/// | `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]` | those with this address in the URL |
/// | `192.0.2.0/24`, `2001:db8::/32` | those with an address of this network in the URL |
/// | any of these and `:8080`, an IPv6 address in brackets | those of them with this port |
///
/// Case means nothing, nor does a dot at the end of a name. No name is looked up for this. `localhost` is like any other
/// name.
///
/// In a few cases this does what was meant where curl does nothing: curl knows no ports and no brackets in `no_proxy`,
/// and `/0` is no network to it. And an HTTP proxy without a port has port 80 here, but 1080 in curl.
///
/// `Debug` shows which variables are set, but not their values.
#[derive(Clone, Default)]
pub struct Proxies {
    set: Vec<(&'static str, OsString)>,
}

const SECURE: [&str; 6] = ["wss_proxy", "WSS_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const PLAIN: [&str; 5] = ["ws_proxy", "WS_PROXY", HTTP, "all_proxy", "ALL_PROXY"];
const EXCEPTED: [&str; 2] = ["no_proxy", "NO_PROXY"];
const HTTP: &str = "http_proxy";
const CGI: &str = "REQUEST_METHOD";

impl Proxies {
    /// What the variables of this process say now. A later change of them changes nothing.
    pub fn from_environment() -> Self {
        Self::from_variables(|name| env::var_os(name))
    }

    /// The same of other variables: of a file of settings, for example.
    pub fn from_variables(value: impl Fn(&str) -> Option<OsString>) -> Self {
        let is_cgi = value(CGI).is_some();
        let names = SECURE.into_iter().chain(PLAIN).chain(EXCEPTED).filter(|name| !(is_cgi && *name == HTTP));
        let set = names.filter_map(|name| value(name).map(|value| (name, value)));
        Self { set: set.filter(|(_, value)| !value.is_empty()).collect() }
    }

    /// The proxy for the server of this URL. `None` if it is to be connected to without one.
    ///
    /// # Errors
    ///
    /// [`ProxyVariableError`] if the variable for this server, or the list of those that are excepted, cannot be read.
    pub fn proxy_for(&self, url: &UriBuf) -> Result<Option<Proxy>, ProxyVariableError> {
        let uri = url.as_uri();
        let names = if uri.is_secure() { &SECURE[..] } else { &PLAIN[..] };
        let Some((name, value)) = self.first(names)? else { return Ok(None) };
        let (host, port) = uri.address();
        if self.first(&EXCEPTED)?.is_some_and(|(_, list)| is_excepted(list, host, port)) {
            return Ok(None);
        }
        Proxy::new(value).map(Some).map_err(|error| ProxyVariableError { name, problem: Problem::Url(error) })
    }

    /// Name and value of the first of these that is set.
    fn first(&self, names: &[&str]) -> Result<Option<(&'static str, &str)>, ProxyVariableError> {
        let mut set = names.iter().filter_map(|name| self.set.iter().find(|(set, _)| set == name));
        let Some((name, value)) = set.next() else { return Ok(None) };
        match value.to_str() {
            Some(value) => Ok(Some((name, value))),
            None => Err(ProxyVariableError { name, problem: Problem::NoText }),
        }
    }
}

/// Whether this list has the server in it.
fn is_excepted(list: &str, host: &str, port: u16) -> bool {
    list.trim() == "*" || list.split([',', ' ', '\t']).any(|entry| has_server(entry, host, port))
}

/// Whether this entry of the list means the server.
fn has_server(entry: &str, host: &str, port: u16) -> bool {
    let (name, only_port) = match entry.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, "")) => (address, None),
            Some((address, rest)) => (address, rest.strip_prefix(':').or(Some(""))),
            None => return false,
        },
        None => match entry.split_once(':') {
            // With another colon it is an IPv6 address.
            Some((name, port)) if !port.contains(':') => (name, Some(port)),
            _ => (entry, None),
        },
    };
    if only_port.is_some_and(|only| only.parse() != Ok(port)) {
        return false;
    }
    match host.parse() {
        Ok(address) => is_in_network(address, name),
        Err(_) => is_in_domain(host.strip_suffix('.').unwrap_or(host), name),
    }
}

/// Whether the address is this one, or in this network (RFC 4632 section 3.1).
fn is_in_network(address: IpAddr, network: &str) -> bool {
    let (first, prefix) = match network.split_once('/') {
        Some((first, prefix)) => match prefix.parse::<u32>() {
            Ok(prefix) => (first, Some(prefix)),
            Err(_) => return false,
        },
        None => (network, None),
    };
    let (address, first, bits): (u128, u128, u32) = match (address, first.parse()) {
        (IpAddr::V4(address), Ok(IpAddr::V4(first))) => {
            (address.to_bits().into(), first.to_bits().into(), 32)
        }
        (IpAddr::V6(address), Ok(IpAddr::V6(first))) => (address.to_bits(), first.to_bits(), 128),
        _ => return false,
    };
    let free = bits.checked_sub(prefix.unwrap_or(bits));
    free.is_some_and(|free| (address ^ first).checked_shr(free).unwrap_or(0) == 0)
}

/// Whether the host is this one, or below it.
fn is_in_domain(host: &str, domain: &str) -> bool {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let domain = domain.strip_prefix('.').unwrap_or(domain);
    let parts = host.len().checked_sub(domain.len()).and_then(|at| host.split_at_checked(at));
    parts.is_some_and(|(before, end)| {
        end.eq_ignore_ascii_case(domain) && (before.is_empty() || before.ends_with('.'))
    })
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxies")?;
        f.debug_set().entries(self.set.iter().map(|(name, _)| name)).finish()
    }
}

/// A variable of the environment says no proxy that can be used. Without this error a server would be connected to
/// directly, against what was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyVariableError {
    name: &'static str,
    problem: Problem,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    NoText,
    Url(ProxyUrlError),
}

impl ProxyVariableError {
    /// The name of the variable.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl fmt::Display for ProxyVariableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the environment variable {} cannot be used: ", self.name)?;
        match self.problem {
            Problem::NoText => f.write_str("it is not text"),
            Problem::Url(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ProxyVariableError {}

#[cfg(test)]
mod tests;
