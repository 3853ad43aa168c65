//! A tunnel through an HTTP proxy (RFC 6455 section 4.1, RFC 9110 section 9.3.6), the client's side.
//!
//! Which proxy to use is decided before. A proxy auto-configuration script is asked with the `ws:` or `wss:` URI
//! itself (6455-4.1-7). Where the server speaks HTTP/2 (RFC 8441 section 7), the tunnel comes first as well.
//
// Owns: the CONNECT request, and judging the answer.
// Must not know: which proxy to ask, or what goes through the tunnel.

use core::fmt;

use super::client::Rejected;
use super::error::HandshakeError;
use super::head_writer::{check_value, compose, ComposeError};
use super::response::ResponseReader;
use super::uri::Uri;
use super::HeadLimits;
use crate::error::BufferTooSmall;

/// Asks a proxy for a tunnel to the host and port of a URI.
///
/// Printed for debugging, it does not show the credentials.
pub struct Tunnel<'c> {
    uri: Uri<'c>,
    authorization: Option<&'c str>,
    response: ResponseReader<'c>,
}

impl fmt::Debug for Tunnel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel")
            .field("uri", &self.uri)
            .field("has_authorization", &self.authorization.is_some())
            .field("response", &self.response)
            .finish()
    }
}

/// What the request for a tunnel has come to.
#[derive(Debug)]
#[non_exhaustive]
pub enum TunnelProgress<'h> {
    /// The head is not complete.
    NeedMore,
    /// The tunnel is open: TLS or the opening handshake comes next, and the bytes not taken belong to it.
    Open,
    /// The proxy refused, such as with 407 and a challenge in `Proxy-Authenticate`.
    Rejected(Rejected<'h>),
}

impl<'c> Tunnel<'c> {
    /// Response heads may be as long as `storage`.
    pub fn new(uri: Uri<'c>, storage: &'c mut [u8], limits: HeadLimits) -> Self {
        Self { uri, authorization: None, response: ResponseReader::new(300, storage, &limits) }
    }

    /// With a value for `Proxy-Authorization`. It goes to the proxy alone.
    ///
    /// # Errors
    ///
    /// [`ComposeError::InvalidValue`].
    pub fn authorization(mut self, value: &'c str) -> Result<Self, ComposeError> {
        check_value(value)?;
        self.authorization = Some(value);
        Ok(self)
    }

    /// Writes the request. The port is always named, also the default one.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing was written.
    pub fn write_request(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let port = usize::from(self.uri.port());
        compose(out, |head| {
            head.text("CONNECT ").text(self.uri.host()).text(":").number(port).text(" HTTP/1.1\r\n");
            head.text("Host: ").text(self.uri.host()).text(":").number(port).text("\r\n");
            if let Some(authorization) = self.authorization {
                head.field("Proxy-Authorization", authorization);
            }
            head.text("\r\n");
        })
    }

    /// Takes received bytes. Returns how many it took: never one past the blank line.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`]: the answer breaks a rule. End the transport. Later calls return the same error.
    pub fn recv(&mut self, input: &[u8]) -> Result<(usize, TunnelProgress<'_>), HandshakeError> {
        let (taken, progress) = self.response.recv(input, |response| match response.status {
            // Content-Length and Transfer-Encoding of a 2xx mean nothing here.
            200..=299 => Ok(TunnelProgress::Open),
            300.. => Ok(TunnelProgress::Rejected(Rejected::new(response))),
            _ => Err(HandshakeError::InvalidProxyResponse),
        })?;
        Ok((taken, progress.unwrap_or(TunnelProgress::NeedMore)))
    }

    /// The refusal whose head is not complete, as [`client::Handshake::rejected`](super::client::Handshake::rejected).
    pub fn rejected(&self) -> Option<Rejected<'_>> {
        self.response.refusal().map(Rejected::new)
    }

    /// The transport ended.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::UnexpectedEof`] if the head is not complete; after a failure, that failure.
    pub fn eof(&self) -> Result<(), HandshakeError> {
        self.response.eof()
    }
}
