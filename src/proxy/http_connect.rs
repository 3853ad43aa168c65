//! A tunnel through an HTTP proxy (RFC 9110 section 9.3.6).
//
// Owns: the CONNECT request, and judging the answer.
// Must not know: which proxy to ask, or what goes through the tunnel.

use core::fmt;

use crate::error::BufferTooSmall;
use crate::handshake::client::Rejected;
use crate::handshake::head_writer::{check_value, compose};
use crate::handshake::response::ResponseReader;
use crate::handshake::{ComposeError, HandshakeError, HeadLimits, Uri};

/// Asks a proxy for a tunnel to the host and port of a URI.
///
/// `Debug` does not show the credentials.
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

/// How far the request for a tunnel has come.
#[derive(Debug)]
#[non_exhaustive]
pub enum TunnelProgress<'h> {
    /// The head is not complete.
    NeedMore,
    /// The tunnel is open. Next comes TLS or the opening handshake, and the bytes that were not taken belong to
    /// it.
    Open,
    /// The proxy refused, such as with 407 and a challenge in `Proxy-Authenticate`.
    Rejected(Rejected<'h>),
}

impl<'c> Tunnel<'c> {
    /// Begins to ask. `storage` holds the head of the answer: its length is the longest head that is accepted.
    pub fn new(uri: Uri<'c>, storage: &'c mut [u8], limits: HeadLimits) -> Self {
        Self { uri, authorization: None, response: ResponseReader::new(300, storage, &limits) }
    }

    /// Sets `Proxy-Authorization`. It is sent to the proxy only.
    ///
    /// # Errors
    ///
    /// [`ComposeError::InvalidValue`].
    pub fn with_authorization(mut self, value: &'c str) -> Result<Self, ComposeError> {
        check_value(value)?;
        self.authorization = Some(value);
        Ok(self)
    }

    /// Writes the request into `out`. Returns its length. The port is always written, even the default one.
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

    /// Takes received bytes. Returns how many it took. It takes nothing after the blank line.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] if the answer breaks a rule. Close the transport. Later calls return the same error.
    pub fn recv(&mut self, input: &[u8]) -> Result<(usize, TunnelProgress<'_>), HandshakeError> {
        let (taken, progress) = self.response.recv(input, |response| match response.status {
            // `Content-Length` and `Transfer-Encoding` have no meaning in a 2xx to CONNECT.
            200..=299 => Ok(TunnelProgress::Open),
            300.. => Ok(TunnelProgress::Rejected(Rejected::new(response))),
            _ => Err(HandshakeError::InvalidProxyResponse),
        })?;
        Ok((taken, progress.unwrap_or(TunnelProgress::NeedMore)))
    }

    /// A refusal whose head is not complete, with the fields that were received so far. Use it when you stop
    /// waiting, because the transport ended or time is up. `None` before the status line.
    pub fn rejected(&self) -> Option<Rejected<'_>> {
        self.response.refusal().map(Rejected::new)
    }

    /// Call this when the transport has ended.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::UnexpectedEof`] if the head is not complete; after a failure, that failure.
    pub fn eof(&self) -> Result<(), HandshakeError> {
        self.response.eof()
    }
}
