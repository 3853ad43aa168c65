//! A request for a WebSocket that hyper has read: judging it, and the answer.
//
// Owns: hyper's requests and responses in the engine's terms, for HTTP/1.1 and HTTP/2.
// Must not know: the rules of the handshake, or how the stream is read.

use std::fmt;

use http::header::{HeaderMap, HOST, ORIGIN};
use http::{Method, StatusCode, Uri, Version};
use sockless::handshake::server::{Request, ServerProgress};
use sockless::handshake::{Bootstrap, HandshakeError, HeadLimits, Headers, ParsedRequest};
use sockless::{Answer, OpeningError, ServerConfig};

use crate::refusal::{composed, map_of};
use crate::transport::Pending;
use crate::{Refusal, Upgrade};

/// Opens a WebSocket on this request, if it asks for one and the config allows it: by the `Upgrade` of HTTP/1.1 (RFC
/// 6455) or the extended CONNECT of HTTP/2 (RFC 8441).
///
/// Send the response, and let a task of its own wait for the [`Upgrade`]: it is ready once the response is written.
///
/// # Errors
///
/// [`Refusal`], whose [`into_response`](Refusal::into_response) is the answer that the client is owed.
///
/// # Examples
///
/// ```no_run
/// use http_body_util::Full;
/// use hyper::{body::{Bytes, Incoming}, Request, Response};
/// use sockless::{Error, ServerConfig};
/// use sockless_hyper::{upgrade, Upgrade};
///
/// async fn echo(opening: Upgrade) -> Result<(), Error> {
///     let mut socket = opening.await?;
///     while let Some((message, mut outgoing)) = socket.recv_with().await? {
///         outgoing.feed(message).await?;
///     }
///     Ok(())
/// }
///
/// fn serve(mut request: Request<Incoming>, config: &ServerConfig) -> Response<Full<Bytes>> {
///     match upgrade(&mut request, config) {
///         Ok((response, opening)) => {
///             tokio::spawn(echo(opening));
///             response.map(|()| Full::default())
///         }
///         Err(refusal) => refusal.into_response(),
///     }
/// }
/// ```
pub fn upgrade<B>(
    request: &mut http::Request<B>,
    config: &ServerConfig,
) -> Result<(http::Response<()>, Upgrade), Refusal> {
    receive_with(request, &config.head_limits)?.accept(config, &Answer::new())
}

/// The first of two steps: judges the request, and shows it. Then [`Opening::accept`] opens the WebSocket. Any other
/// response may be sent instead.
///
/// What is needed of the request is taken out of it, or copied. So the [`Opening`] can be kept while the application
/// asks a database, say.
///
/// # Errors
///
/// [`Refusal`] if the request asks for no WebSocket, breaks a rule, or came in a way in which none can be opened.
pub fn receive<B>(request: &mut http::Request<B>) -> Result<Opening, Refusal> {
    receive_with(request, &HeadLimits::DEFAULT)
}

/// Does the same within these limits. [`Opening::accept`] does not look at those of the config again.
///
/// # Errors
///
/// Those of [`receive`].
pub fn receive_with<B>(request: &mut http::Request<B>, limits: &HeadLimits) -> Result<Opening, Refusal> {
    let version = request.version();
    // It can be had only once, and a request that is refused has no use for it.
    let pending = Pending::take(request.extensions_mut(), version);
    let head = Head::of(request);
    let subprotocols =
        head.judged(limits, |request| Ok(request.subprotocols().iter().map(Box::from).collect()))?;
    let Some(pending) = pending else {
        return Err(head.refusal(OpeningError::NotWebSocket, NO_UPGRADE));
    };
    Ok(Opening { head, pending, limits: *limits, subprotocols })
}

/// What hyper does not give behind a server that serves connections without upgrades, or after a layer has taken it.
const NO_UPGRADE: &str =
    "this server cannot upgrade the connection. The proxy must speak HTTP/1.1 to it and pass \
    `Upgrade` and `Connection` on, and the connection must be served with upgrades";
const OLD_HTTP: &str = "the proxy must speak HTTP/1.1 to this server (for nginx: proxy_http_version 1.1)";
const PLAIN: &str =
    "this resource is a WebSocket. If the client asked for one, a proxy did not: the proxy must speak \
    HTTP/1.1 to this server and pass `Upgrade` and `Connection` on";

/// A valid request for a WebSocket, which is neither accepted nor refused yet.
///
/// `Debug` shows neither header fields nor the query.
pub struct Opening {
    head: Head,
    pending: Pending,
    limits: HeadLimits,
    subprotocols: Box<[Box<str>]>,
}

impl Opening {
    /// The target without its query.
    pub fn path(&self) -> &str {
        self.head.target.split('?').next().unwrap_or_default()
    }

    /// What follows the first `?` of the target.
    pub fn query(&self) -> Option<&str> {
        self.head.target.split_once('?').map(|(_, query)| query)
    }

    /// Host and port as the client wrote them: `:authority`, or `Host`.
    pub fn host(&self) -> &str {
        let written = || self.head.headers.get(HOST).and_then(|host| host.to_str().ok());
        self.head.authority.as_deref().or_else(written).unwrap_or_default()
    }

    /// The web page that asks, if a browser sent the request. Other clients can send any value (RFC 6455 section 10.1).
    /// [`accept`](Self::accept) holds it against the origins of the config.
    pub fn origin(&self) -> Option<&str> {
        self.head.headers.get(ORIGIN).and_then(|origin| origin.to_str().ok())
    }

    /// The subprotocols on offer, the preferred first.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.subprotocols.iter().map(|name| &**name)
    }

    /// The header fields.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The version of HTTP.
    pub fn version(&self) -> Version {
        self.head.version
    }

    /// Opens the WebSocket, as the config and the [`Answer`] say: header fields, the subprotocol, compression. Send the
    /// response, and let a task of its own wait for the [`Upgrade`].
    ///
    /// For a client that shall not have compression there is `Answer::without_deflate`. Another config may be given for
    /// each request as well.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: 403 if the page that asks has none of the origins of the config; 500 if the answer is invalid.
    pub fn accept(
        self,
        config: &ServerConfig,
        answer: &Answer<'_>,
    ) -> Result<(http::Response<()>, Upgrade), Refusal> {
        let Self { head, pending, limits, .. } = self;
        let (response, subprotocol, agreed) = head.judged(&limits, |request| {
            let accept = config.complete(config.accept(request)?, answer)?;
            let mut response = http::Response::new(());
            *response.status_mut() = StatusCode::from_u16(accept.status()).unwrap_or_default();
            *response.headers_mut() = composed(|out| accept.fields(out).map(map_of))?;
            Ok((response, accept.chosen_subprotocol().map(String::from), accept.negotiated()))
        })?;
        Ok((response, Upgrade::new(pending, config, subprotocol, agreed)))
    }

    /// The refusal of an application, such as 404 for a resource that is not there, as [`Refusal::new`] makes it.
    pub fn refuse(self, status: u16, body: impl Into<Vec<u8>>) -> Refusal {
        Refusal::new(status, body)
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening")
            .field("version", &self.head.version)
            .field("path_len", &self.path().len())
            .field("subprotocols", &self.subprotocols.len())
            .field("headers", &self.head.headers.len())
            .finish_non_exhaustive()
    }
}

/// What a request is judged by. Values of fields are shared with the request.
struct Head {
    version: Version,
    method: Method,
    target: String,
    authority: Option<String>,
    scheme: Option<String>,
    protocol: Option<String>,
    headers: HeaderMap,
}

impl Head {
    fn of<B>(request: &http::Request<B>) -> Self {
        let uri = request.uri();
        Self {
            version: request.version(),
            method: request.method().clone(),
            target: target(uri),
            authority: uri.authority().map(|authority| authority.as_str().to_owned()),
            scheme: uri.scheme_str().map(String::from),
            protocol: protocol(request.extensions()),
            headers: request.headers().clone(),
        }
    }

    fn upgrades(&self) -> bool {
        self.version < Version::HTTP_2
    }

    /// What `look` makes of the request, if it is a valid one for a WebSocket.
    fn judged<T>(
        &self,
        limits: &HeadLimits,
        look: impl FnOnce(&Request<'_>) -> Result<T, OpeningError>,
    ) -> Result<T, Refusal> {
        let bootstrap = match self.version {
            _ if !self.upgrades() => Bootstrap::ExtendedConnect {
                protocol: self.protocol.as_deref(),
                scheme: self.scheme.as_deref(),
            },
            Version::HTTP_11 => Bootstrap::Upgrade { minor: 1 },
            _ => Bootstrap::Upgrade { minor: 0 },
        };
        let fields =
            Vec::from_iter(self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
        let request = ParsedRequest {
            bootstrap,
            method: self.method.as_str(),
            target: &self.target,
            authority: self.authority.as_deref(),
            headers: Headers::parsed(&fields),
        };
        let looked = match Request::from_parsed(&request, limits) {
            Ok(ServerProgress::Request(request)) => look(&request),
            Ok(_) => Err(OpeningError::NotWebSocket),
            Err(error) => Err(error.into()),
        };
        looked.map_err(|reason| {
            let hint = match &reason {
                OpeningError::NotWebSocket if self.upgrades() => PLAIN,
                OpeningError::Handshake(HandshakeError::UnsupportedHttpVersion) => OLD_HTTP,
                _ => "",
            };
            self.refusal(reason, hint)
        })
    }

    fn refusal(&self, reason: OpeningError, hint: &str) -> Refusal {
        Refusal::of(reason, self.upgrades(), hint)
    }
}

/// Path and query. Of an absolute target without a path, `/`.
fn target(uri: &Uri) -> String {
    match (uri.path(), uri.query()) {
        (path, None) => path.to_owned(),
        (path, Some(query)) => format!("{path}?{query}"),
    }
}

#[cfg(feature = "http2")]
fn protocol(extensions: &http::Extensions) -> Option<String> {
    extensions.get::<hyper::ext::Protocol>().map(|protocol| protocol.as_str().to_owned())
}

#[cfg(not(feature = "http2"))]
fn protocol(_: &http::Extensions) -> Option<String> {
    None
}
