//! Tests of handlers without a network: a router is asked in memory. Needs the feature `test`.
//!
//! [`connect`] gives a request for a WebSocket to a router, as HTTP/1.1 would, and returns a client's WebSocket on a pipe in memory.
//! All layers, extractors and handlers of the router run as in the server.
//!
//! ```
//! use axum::{response::Response, routing::any, Router};
//! use sockless_axum::{handshake::OriginPolicy, test, ClientConfig, ServerConfig, WebSocketUpgrade};
//!
//! static CONFIG: ServerConfig = ServerConfig::new(OriginPolicy::SameHost);
//!
//! async fn hello(ws: WebSocketUpgrade) -> Response {
//!     ws.on_upgrade(&CONFIG, async |mut socket| socket.send("Hello").await)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let app = Router::new().route("/hello", any(hello));
//! let mut client = test::connect(app.clone(), "ws://localhost/hello", &ClientConfig::new()).await?;
//! let message = client.recv().await?.expect("a message");
//! assert_eq!(message.as_text(), Some("Hello"));
//!
//! let foreign = ClientConfig::new().with_origin("https://other.example");
//! let refused = test::connect(app.clone(), "ws://localhost/hello", &foreign).await.unwrap_err();
//! assert_eq!(refused.status(), Some(axum::http::StatusCode::FORBIDDEN));
//! # #[cfg(feature = "http2")]
//! test::connect_http2(app, "ws://localhost/hello", &ClientConfig::new()).await?; // a `get` route would answer 405
//! # Ok(())
//! # }
//! ```
//!
//! For a request of your own, put a [`TestUpgrade`] into its extensions and give it to `tower`'s `oneshot`.
//
// Owns: a client's request and the answer to it, where no HTTP carries them.
// Must not know: the rules of the handshake.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;

use axum_core::body::Body;
use axum_core::response::Response;
use http::{Request, StatusCode, Version};
use sockless::handshake::client::{ClientProgress, ClientRequest};
use sockless::handshake::{encode_nonce, Bootstrap, HandshakeError, Headers, Key, ParsedRequest};
use sockless::tokio::{ClientSocket, Tokio};
use sockless::{ClientConfig, OpeningError};
use sockless_hyper::TestUpgrade;
use tokio::io::DuplexStream;
use tower_service::Service;

/// A client's WebSocket on a pipe in memory, which holds 64 KiB in each direction.
pub type TestSocket = ClientSocket<DuplexStream>;

/// Asks this router, or any other service of axum, for a WebSocket as a client of HTTP/1.1 does.
///
/// # Errors
///
/// [`TestError`] if the router does not open it, or the request or the config is invalid.
///
/// # Cancel safety
///
/// Not cancel safe: dropped, the request is dropped with it.
pub async fn connect<'c, S>(
    router: S,
    request: impl TryInto<ClientRequest<'c>, Error: Into<OpeningError>>,
    config: &ClientConfig,
) -> Result<TestSocket, TestError>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible>,
{
    // The router does not see that it was not drawn at random.
    open(router, request, config, Some(encode_nonce(*b"sockless-axum 01"))).await
}

/// Asks it as a client of HTTP/2 does, by an extended CONNECT (RFC 8441).
///
/// # Errors
///
/// Those of [`connect`].
///
/// # Cancel safety
///
/// Not cancel safe: dropped, the request is dropped with it.
#[cfg(feature = "http2")]
pub async fn connect_http2<'c, S>(
    router: S,
    request: impl TryInto<ClientRequest<'c>, Error: Into<OpeningError>>,
    config: &ClientConfig,
) -> Result<TestSocket, TestError>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible>,
{
    open(router, request, config, None).await
}

async fn open<'c, S>(
    mut router: S,
    request: impl TryInto<ClientRequest<'c>, Error: Into<OpeningError>>,
    config: &ClientConfig,
    key: Option<Key>,
) -> Result<TestSocket, TestError>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible>,
{
    let request = request.try_into().map_err(Into::<OpeningError>::into)?;
    let request = config.complete(request).map_err(OpeningError::from)?;
    let (stream, peer) = TestUpgrade::pair();
    let mut written = vec![0; 16 << 10];
    let mut asked = None;
    for _ in 0..2 {
        match request.to_parsed(key.as_ref(), &mut written) {
            Ok(parsed) => {
                asked = http_request(&parsed);
                break;
            }
            Err(short) => written.resize(short.required, 0),
        }
    }
    let mut asked = asked.ok_or(OpeningError::Handshake(HandshakeError::InvalidTarget))?;
    asked.extensions_mut().insert(stream);
    let Ok(()) = poll_fn(|cx| router.poll_ready(cx)).await;
    let Ok(response) = router.call(asked).await;
    let fields = response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let fields = Vec::from_iter(fields);
    let status = response.status().as_u16();
    let judged = request.judge(key.as_ref(), status, Headers::parsed(&fields), &config.head_limits);
    let ClientProgress::Accepted(accepted) = judged.map_err(OpeningError::from)? else {
        drop(fields);
        return Err(TestError::Refused(Box::new(response)));
    };
    let agreed = accepted.negotiated();
    let socket = ClientSocket::with_endpoint(Tokio::new(peer), config.endpoint(agreed, &[]));
    let socket = socket.with_negotiated(agreed);
    Ok(match accepted.subprotocol() {
        Some(name) => socket.with_subprotocol(name),
        None => socket,
    })
}

/// As hyper gives it to a service. Nothing if `http` cannot express it.
fn http_request(parsed: &ParsedRequest<'_>) -> Option<Request<Body>> {
    let mut request = Request::builder().method(parsed.method);
    for (name, value) in parsed.headers.iter() {
        request = request.header(name, value);
    }
    let request = match parsed.bootstrap {
        Bootstrap::ExtendedConnect { scheme, protocol: _ } => {
            #[cfg(feature = "http2")]
            let request = request.extension(hyper::ext::Protocol::from_static("websocket"));
            let authority = parsed.authority.unwrap_or_default();
            request.version(Version::HTTP_2).uri(format!(
                "{}://{authority}{}",
                scheme.unwrap_or("http"),
                parsed.target
            ))
        }
        Bootstrap::Upgrade { .. } => request.version(Version::HTTP_11).uri(parsed.target),
    };
    request.body(Body::empty()).ok()
}

/// Why a router opened no WebSocket.
#[derive(Debug)]
#[non_exhaustive]
pub enum TestError {
    /// It answered with this response, which refuses.
    Refused(Box<Response>),
    /// The request or the config is invalid, or the answer breaks a rule.
    Opening(OpeningError),
}

impl TestError {
    /// The status of the response that refuses.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused(response) => Some(response.status()),
            Self::Opening(_) => None,
        }
    }
}

impl From<OpeningError> for TestError {
    fn from(error: OpeningError) -> Self {
        Self::Opening(error)
    }
}

impl fmt::Display for TestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(response) => write!(f, "the router answered with status {}", response.status()),
            Self::Opening(error) => error.fmt(f),
        }
    }
}

// `Display` prints what it is made of.
impl std::error::Error for TestError {}
