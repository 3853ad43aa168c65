//! Heads in the types of `http`, and in those of the handshake.
//
// Owns: the way from one to the other.
// Must not know: any rule of the handshake.

use bytes::Bytes;
use h2::ext::Protocol;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri};
use sockless::handshake::{Bootstrap, ComposeError, Headers, ParsedRequest};

use crate::error::Error;

/// Name and value of each field.
pub(crate) fn fields(headers: &HeaderMap) -> Vec<(&str, &[u8])> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}

pub(crate) fn parsed<'h>(parts: &'h Parts, fields: &'h [(&'h str, &'h [u8])]) -> ParsedRequest<'h> {
    ParsedRequest {
        bootstrap: Bootstrap::ExtendedConnect {
            protocol: parts.extensions.get::<Protocol>().map(Protocol::as_str),
            scheme: parts.uri.scheme_str(),
        },
        method: parts.method.as_str(),
        target: parts.uri.path_and_query().map_or("", |target| target.as_str()),
        authority: parts.uri.authority().map(|authority| authority.as_str()),
        headers: Headers::parsed(fields),
    }
}

/// What a client sends.
pub(crate) fn request(parsed: &ParsedRequest<'_>) -> Result<Request<()>, Error> {
    let mut uri = Uri::builder().path_and_query(parsed.target);
    if let Some(authority) = parsed.authority {
        uri = uri.authority(authority);
    }
    let mut request = Request::new(());
    if let Bootstrap::ExtendedConnect { protocol, scheme } = parsed.bootstrap {
        if let Some(protocol) = protocol {
            request.extensions_mut().insert(Protocol::from(protocol));
        }
        uri = uri.scheme(scheme.unwrap_or_default());
    }
    *request.method_mut() = parsed.method.parse().map_err(http::Error::from)?;
    *request.uri_mut() = uri.build()?;
    *request.headers_mut() = header_map(parsed.headers)?;
    Ok(request)
}

/// What a server sends.
pub(crate) fn response<B>(status: u16, headers: Headers<'_>, body: B) -> Result<Response<B>, Error> {
    let mut response = Response::new(body);
    *response.status_mut() = status.try_into().map_err(http::Error::from)?;
    *response.headers_mut() = header_map(headers)?;
    Ok(response)
}

fn header_map(headers: Headers<'_>) -> Result<HeaderMap, Error> {
    let mut map = HeaderMap::new();
    for (name, value) in headers.iter() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(http::Error::from)?;
        let value = HeaderValue::from_bytes(value).map_err(http::Error::from)?;
        map.append(name, value);
    }
    Ok(map)
}

/// In room that is large enough.
pub(crate) fn in_room<T>(
    mut write: impl FnMut(&mut [u8]) -> Result<Result<T, Error>, ComposeError>,
) -> Result<T, Error> {
    let mut room = Vec::new();
    loop {
        match write(&mut room) {
            Ok(written) => return written,
            Err(ComposeError::BufferTooSmall(short)) => room.resize(short.required, 0),
            Err(error) => return Err(error.into()),
        }
    }
}

/// No body.
pub(crate) const NOTHING: Bytes = Bytes::new();
