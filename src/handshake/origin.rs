//! Which web pages may connect (RFC 6455 sections 4.2.2 and 10.2).
//
// Owns: comparing an origin with a policy.
// Must not know: the rest of the request.

use super::scheme::split_scheme;

/// Every server has to choose: otherwise any page that a user visits could act in their name.
///
/// An origin is what a browser says of the page. Other clients may send any, so it authenticates nobody (6455-10.1-1).
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginPolicy<'p> {
    /// Web pages (`http:` or `https:`) with the host and port of the request, and clients that send no origin.
    SameHost,
    /// Web pages with one of these origins, such as `https://example.com`, and clients that send no origin.
    List(&'p [&'p str]),
    /// Any web page. For services that are public, or that authenticate each message.
    Any,
    /// No web page: only clients that send no origin. Browsers always send one.
    NonBrowser,
}

impl OriginPolicy<'_> {
    /// Whether a request to this host and port is accepted.
    pub fn accepts(&self, origin: Option<&str>, host: &str) -> bool {
        self.accepts_bytes(origin.map(str::as_bytes), host.as_bytes())
    }

    pub(super) fn accepts_bytes(&self, origin: Option<&[u8]>, host: &[u8]) -> bool {
        let Some(origin) = origin else { return true };
        match self {
            Self::Any => true,
            Self::NonBrowser => false,
            Self::List(origins) => {
                origins.iter().any(|candidate| candidate.as_bytes().eq_ignore_ascii_case(origin))
            }
            Self::SameHost => same_host(origin, host),
        }
    }
}

fn same_host(origin: &[u8], host: &[u8]) -> bool {
    let Some((scheme, authority)) = split_scheme(origin) else { return false };
    // `app://localhost` is no web page.
    let default: &[u8] = match scheme {
        _ if scheme.eq_ignore_ascii_case(b"https") => b"443",
        _ if scheme.eq_ignore_ascii_case(b"http") => b"80",
        _ => return false,
    };
    // Usually they are spelled alike.
    if authority == host && !matches!(host, [] | [b':', ..]) {
        return true;
    }
    let (origin_host, origin_port) = split_port(authority);
    let (host, port) = split_port(host);
    // Only the transport knows whether a request without a port came over TLS. The scheme of the page decides.
    origin_host.eq_ignore_ascii_case(host)
        && origin_port.unwrap_or(default) == port.unwrap_or(default)
        && !host.is_empty()
}

/// An IPv6 address keeps its brackets.
fn split_port(authority: &[u8]) -> (&[u8], Option<&[u8]>) {
    let colon = authority.iter().rposition(|&byte| byte == b':');
    match colon.and_then(|at| authority.split_at_checked(at)) {
        Some((host, [b':', port @ ..])) if port.iter().all(u8::is_ascii_digit) => {
            (host, Some(port).filter(|port| !port.is_empty()))
        }
        _ => (authority, None),
    }
}

impl core::fmt::Debug for OriginPolicy<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::SameHost => f.write_str("SameHost"),
            Self::List(origins) => write!(f, "List({})", origins.len()),
            Self::Any => f.write_str("Any"),
            Self::NonBrowser => f.write_str("NonBrowser"),
        }
    }
}
