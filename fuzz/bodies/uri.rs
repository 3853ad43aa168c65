//! URIs as people write them, and references to others.

use sockless::handshake::client::{ClientHandshake, ClientRequest};
use sockless::handshake::server::{self, ServerProgress};
use sockless::handshake::{HeadLimits, Uri, UriBuf, UriError};

/// A text and a reference. The first byte says where one ends.
///
/// Whatever is accepted is one request, and means the same when it is printed and read again. Credentials reach
/// no other host, and are never printed.
pub fn uri(data: &[u8]) {
    let [at, text @ ..] = data else { return };
    let text = String::from_utf8_lossy(text);
    let at = (0..=text.len().min(usize::from(*at))).rev().find(|at| text.is_char_boundary(*at));
    let (text, reference) = text.split_at(at.unwrap_or(0));
    if let Ok(uri) = Uri::parse(text) {
        // What RFC 3986 allows is sent as it was written.
        one_request(uri);
        assert_eq!(UriBuf::from(uri).to_string(), uri.to_string());
    }
    let Ok(uri) = UriBuf::parse_with_credentials(text) else {
        assert!(UriBuf::parse(text).is_err());
        return;
    };
    assert_eq!(UriBuf::parse(text).is_ok(), uri.basic_authorization().is_none());
    settled(&uri);
    let Ok(joined) = uri.join(reference) else { return };
    settled(&joined);
    if joined.as_uri().address() != uri.as_uri().address()
        || joined.as_uri().is_secure() != uri.as_uri().is_secure()
    {
        assert_eq!(joined.basic_authorization(), None);
    }
}

/// Printed and read again it is the same, and every other way to read it leads to the same place.
fn settled(uri: &UriBuf) {
    let text = uri.to_string();
    let again = UriBuf::parse(&text).expect("it was taken before");
    assert_eq!(again.to_string(), text);
    assert_eq!(again.basic_authorization(), None);
    one_request(uri.as_uri());
    match Uri::parse(&text) {
        Ok(strict) => assert_eq!(strict, uri.as_uri()),
        // Browsers leave some octets unchanged that RFC 3986 would have encoded, such as `|` and a lone `%`.
        Err(error) => assert_eq!(error, UriError::Resource),
    }
    if let Some(value) = uri.basic_authorization() {
        assert!(value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '));
    }
}

/// A server reads exactly one request from what is sent for it.
fn one_request(uri: Uri<'_>) {
    let mut storage = [0; 1024];
    let client = ClientHandshake::new(ClientRequest::new(uri), [0; 16], &mut storage, HeadLimits::DEFAULT);
    let mut out = vec![0; 2048];
    // The texts of the fuzzer are short, but encoding makes them longer.
    let Ok(len) = client.write_request(&mut out) else { return };
    let mut storage = [0; 4096];
    let mut handshake = server::ServerHandshake::new(&mut storage, HeadLimits::DEFAULT);
    match handshake.recv(&out[..len]) {
        Ok((taken, ServerProgress::Request(request))) => {
            assert_eq!(taken, len);
            assert_eq!(request.target(), uri.resource_name().to_string());
            assert_eq!(request.headers().iter().count(), 5);
        }
        other => panic!("{other:?}"),
    }
}
