//! A tunnel through an HTTP proxy (RFC 9110 section 9.3.6).
//
// Owns: the CONNECT request, and judging the answer.
// Must not know: what goes through the tunnel, or SOCKS.

use crate::error::BufferTooSmall;
use crate::handshake::basic::{check_basic, pair, write_basic};
use crate::handshake::client::Rejected;
use crate::handshake::head_writer::{check_value, compose, AddedFields};
use crate::handshake::lists::FieldSet;
use crate::handshake::response::ResponseReader;
use crate::handshake::{ComposeError, HandshakeError, HeadLimits, Uri};

const AUTHORIZATION: &str = "Proxy-Authorization";

/// Asks an HTTP proxy for a tunnel to the host and port of a URI.
///
/// `Debug` shows neither the credentials nor the values of added fields.
pub struct HttpConnect<'c> {
    uri: Uri<'c>,
    authorization: Option<Authorization<'c>>,
    fields: AddedFields<'c>,
    response: ResponseReader<'c>,
}

debug_states!([] HttpConnect<'_>, |this| {
    uri: this.uri,
    has_authorization: this.authorization.is_some(),
    fields: this.fields,
    response: this.response,
});

enum Authorization<'c> {
    Value(&'c str),
    Basic { username: &'c str, password: &'c str },
}

/// How far the request for a tunnel has come.
#[derive(Debug)]
#[non_exhaustive]
pub enum HttpConnectProgress<'h> {
    /// The head is not complete.
    NeedMore,
    /// The tunnel is open. The bytes that were not taken belong to it.
    Open,
    /// The proxy refused, such as with 407 and a challenge in `Proxy-Authenticate`. The body, if there is one, begins
    /// with the bytes that were not taken: read it with [`BodyReader`](crate::handshake::BodyReader) and the method
    /// `CONNECT`.
    Rejected(Rejected<'h>),
}

impl<'c> HttpConnect<'c> {
    /// Begins to ask. The length of `storage` is the longest head that is accepted.
    pub fn new(uri: Uri<'c>, storage: &'c mut [u8], limits: HeadLimits) -> Self {
        let response = ResponseReader::new(300, storage, &limits);
        Self { uri, authorization: None, fields: AddedFields::new(), response }
    }

    /// Sets `Proxy-Authorization`, such as `Bearer` and a token. It is sent to the proxy only.
    ///
    /// # Errors
    ///
    /// [`ComposeError::InvalidValue`].
    pub fn with_authorization(mut self, value: &'c str) -> Result<Self, ComposeError> {
        check_value(value)?;
        self.authorization = Some(Authorization::Value(value));
        Ok(self)
    }

    /// Sets `Proxy-Authorization` to a user name and a password: scheme Basic (RFC 7617), in UTF-8. They are sent in
    /// the clear, so use TLS.
    ///
    /// # Errors
    ///
    /// [`ComposeError::InvalidValue`] if the user name has a colon, or one of them a control character.
    pub fn with_basic_authorization(
        mut self,
        username: &'c str,
        password: &'c str,
    ) -> Result<Self, ComposeError> {
        check_basic(username, password)?;
        self.authorization = Some(Authorization::Basic { username, password });
        Ok(self)
    }

    /// Adds header fields, such as `User-Agent`. Only the proxy sees them. Up to four calls add up.
    ///
    /// # Errors
    ///
    /// [`ComposeError`] if a field is invalid, is written anyway, has no meaning here, or is `Proxy-Authorization`
    /// ([`with_authorization`](Self::with_authorization)).
    pub fn with_fields(mut self, fields: &'c [(&'c str, &'c str)]) -> Result<Self, ComposeError> {
        if fields.iter().any(|(name, _)| name.eq_ignore_ascii_case(AUTHORIZATION)) {
            return Err(ComposeError::ReservedField);
        }
        self.fields.add(FieldSet::Lent(fields))?;
        Ok(self)
    }

    /// Writes the request into `out`. Returns its length. The port is always written.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`], and `out` holds nothing of use.
    pub fn write_request(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let port = usize::from(self.uri.port());
        compose(out, |head| {
            head.text("CONNECT ").text(self.uri.host()).text(":").number(port).text(" HTTP/1.1\r\n");
            head.text("Host: ").text(self.uri.host()).text(":").number(port).text("\r\n");
            match self.authorization {
                None => {}
                Some(Authorization::Value(value)) => {
                    head.field(AUTHORIZATION, value);
                }
                Some(Authorization::Basic { username, password }) => {
                    head.text(AUTHORIZATION).text(": ");
                    write_basic(pair(username, password), |text| {
                        head.text(text);
                    });
                    head.text("\r\n");
                }
            }
            head.fields(&self.fields).text("\r\n");
        })
    }

    /// Takes received bytes. Returns how many it took. It takes nothing after the blank line.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] if the response breaks a rule. Close the transport. Later calls return the same error.
    pub fn recv(&mut self, input: &[u8]) -> Result<(usize, HttpConnectProgress<'_>), HandshakeError> {
        let (taken, progress) = self.response.recv(input, |response| match response.status {
            // `Content-Length` and `Transfer-Encoding` have no meaning in a 2xx to CONNECT.
            200..=299 => Ok(HttpConnectProgress::Open),
            300.. => Ok(HttpConnectProgress::Rejected(Rejected::new(response))),
            _ => Err(HandshakeError::InvalidProxyResponse),
        })?;
        Ok((taken, progress.unwrap_or(HttpConnectProgress::NeedMore)))
    }

    /// A rejection whose head is not complete, with the fields received so far, for when you stop waiting. `None`
    /// before the status line.
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
