//! The extractor.
//
// Owns: how a handler takes a request for a WebSocket, and what runs once it is open.
// Must not know: the rules for requests, or what an answer consists of.

use std::fmt;
use std::future::Future;

use axum_core::body::Body;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;
use http::StatusCode;
use sockless::{Answer, Error, ServerConfig};
use sockless_hyper::{Opening, Refusal, Socket};

use crate::rejection::WebSocketUpgradeRejection;
use crate::sockets::Sockets;

/// Takes a request that asks for a WebSocket, over HTTP/1.1 or HTTP/2.
///
/// The request has been judged by all rules but one when a handler sees it: which web pages may connect is what the config of
/// [`on_upgrade`](Self::on_upgrade) says. A request that breaks a rule, or asks for something else, is a
/// [`WebSocketUpgradeRejection`].
///
/// - `WebSocketUpgrade` as an argument answers such a request with the right status before the handler is called.
/// - `Result<WebSocketUpgrade, WebSocketUpgradeRejection>` leaves that to the handler.
/// - `Option<WebSocketUpgrade>` is `None` where no WebSocket is asked for, or a layer or an old proxy has left no way to open one:
///   one route serves a page and its WebSocket.
///
/// # The route
///
/// It must be `any(handler)`, not `get(handler)`: over HTTP/2 the method is CONNECT (RFC 8441), and axum then answers 405 before
/// this crate sees the request. Browsers use HTTP/2 for WebSockets by themselves as soon as a server offers it.
///
/// # The answer
///
/// The handler sees the request before it is answered, may wait for anything meanwhile, and refuses it with any other response.
/// Header fields for the answer are added as everywhere in axum: `([(SET_COOKIE, "seen=1")], ws.on_upgrade(…))`.
///
/// ```
/// use axum::{extract::State, http::StatusCode, response::{IntoResponse, Response}, routing::any, Router};
/// use sockless_axum::{handshake::OriginPolicy, Error, ServerConfig, Socket, WebSocketUpgrade};
///
/// static CONFIG: ServerConfig = ServerConfig::new(OriginPolicy::SameHost).with_max_message_size(64 << 10);
///
/// async fn greet(State(name): State<&'static str>, ws: WebSocketUpgrade) -> Response {
///     if ws.subprotocols().any(|offered| offered == "chat.v0") {
///         return (StatusCode::GONE, "chat.v0 is no more").into_response();
///     }
///     ws.on_upgrade(&CONFIG, move |socket| talk(socket, name))
/// }
///
/// async fn talk(mut socket: Socket, name: &'static str) -> Result<(), Error> {
///     socket.send(name).await?;
///     while let Some((message, mut outgoing)) = socket.recv_with().await? {
///         outgoing.feed(message).await?;
///     }
///     Ok(())
/// }
///
/// let app: Router = Router::new().route("/greet", any(greet)).with_state("Alice");
/// ```
#[must_use = "a request that is not answered is refused"]
pub struct WebSocketUpgrade {
    opening: Opening,
    answer: Answer<'static>,
    sockets: Option<Sockets>,
    failed: Option<Failed>,
}

type Failed = Box<dyn FnOnce(Error) + Send>;

impl WebSocketUpgrade {
    /// The subprotocols that the client offers, the preferred first. Pages cannot set header fields, so some put a token here.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.opening.subprotocols()
    }

    /// Chooses this subprotocol, whatever the config says. If the client does not offer it, the request is refused with 500.
    pub fn with_subprotocol(mut self, name: impl Into<String>) -> Self {
        self.answer = self.answer.with_subprotocol(name.into());
        self
    }

    /// Chooses no subprotocol, whatever the config says.
    pub fn without_subprotocol(mut self) -> Self {
        self.answer = self.answer.without_subprotocol();
        self
    }

    /// Lets the WebSocket enter this set, so that it is closed when the server ends. It counts in place of the
    /// [connections](ServerConfig::with_connections) of the config. If the set is full or ends, the request is refused with 503.
    pub fn with_sockets(mut self, sockets: &Sockets) -> Self {
        self.sockets = Some(sockets.clone());
        self
    }

    /// Calls this if the connection was lost before the answer had been written. The handler is not called then.
    pub fn on_failed_upgrade(mut self, failed: impl FnOnce(Error) + Send + 'static) -> Self {
        self.failed = Some(Box::new(failed));
        self
    }

    /// Accepts the request, and calls `handler` with the WebSocket in a task of its own.
    ///
    /// What the handler returns is dropped, so it may use `?`. What the socket does itself is told through `tracing`, with the
    /// feature of that name. The socket is dropped at the end: close it before if the client shall get a Close.
    ///
    /// If the config does not allow the page that asks, the response is a 403. If its fields or subprotocol are invalid, or
    /// this is not called on tokio, it is a 500.
    pub fn on_upgrade<F, Fut>(self, config: &ServerConfig, handler: F) -> Response
    where
        F: FnOnce(Socket) -> Fut + Send + 'static,
        Fut: Future + Send + 'static,
    {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        match self.accept(config, handler) {
            Ok((response, served)) => {
                drop(runtime.spawn(served));
                response
            }
            Err(rejection) => rejection.into_response(),
        }
    }

    /// Accepts the request, and leaves it to the caller where the second part runs: it waits until the answer has been written,
    /// calls the handler, and ends with it. Return the response meanwhile: nothing is opened before.
    ///
    /// Timers are tokio's, so it must run where these are.
    ///
    /// ```
    /// use axum::{extract::State, response::Response};
    /// use sockless_axum::{handshake::OriginPolicy, ServerConfig, WebSocketUpgrade, WebSocketUpgradeRejection};
    /// use std::sync::{Arc, Mutex};
    /// use tokio::task::JoinSet;
    ///
    /// static CONFIG: ServerConfig = ServerConfig::new(OriginPolicy::SameHost);
    ///
    /// async fn hello(
    ///     State(tasks): State<Arc<Mutex<JoinSet<()>>>>,
    ///     ws: WebSocketUpgrade,
    /// ) -> Result<Response, WebSocketUpgradeRejection> {
    ///     let (response, served) = ws.accept(&CONFIG, async |mut socket| socket.send("Hello").await)?;
    ///     tasks.lock().expect("nothing panics").spawn(served);
    ///     Ok(response)
    /// }
    /// # let _: axum::routing::MethodRouter<Arc<Mutex<JoinSet<()>>>> = axum::routing::any(hello);
    /// ```
    ///
    /// # Errors
    ///
    /// [`WebSocketUpgradeRejection`] if the config does not allow the page that asks, its fields or the subprotocol are invalid,
    /// or the set of sockets takes no more.
    pub fn accept<F, Fut>(
        self,
        config: &ServerConfig,
        handler: F,
    ) -> Result<(Response, impl Future<Output = ()> + use<F, Fut>), WebSocketUpgradeRejection>
    where
        F: FnOnce(Socket) -> Fut,
        Fut: Future,
    {
        let Self { opening, answer, sockets, failed } = self;
        let member = match sockets.map(|sockets| sockets.enter()) {
            Some(None) => return Err(Refusal::new(503, "the server takes no more WebSockets now\n").into()),
            member => member.flatten(),
        };
        let (response, upgrade) = opening.accept(config, &answer)?;
        let connections = member.as_ref().map(|member| member.connections().clone());
        // In a box, which is as large as the handler needs. A future that waits for another one has room for it twice.
        let served = Box::pin(async move {
            match upgrade.await {
                Ok(socket) => {
                    let socket = match connections {
                        Some(connections) => socket.with_connections(&connections),
                        None => socket,
                    };
                    handler(socket).await;
                }
                Err(error) => {
                    if let Some(failed) = failed {
                        failed(error);
                    }
                }
            }
        });
        let served = async move {
            match member {
                Some(member) => member.run(served).await,
                None => served.await,
            }
        };
        Ok((response.map(|()| Body::empty()), served))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = WebSocketUpgradeRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let empty = http::Request::new(()).into_parts().0;
        let mut request = http::Request::from_parts(std::mem::replace(parts, empty), ());
        let opening = sockless_hyper::receive(&mut request);
        *parts = request.into_parts().0;
        Ok(Self { opening: opening?, answer: Answer::new(), sockets: None, failed: None })
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for WebSocketUpgrade {
    type Rejection = WebSocketUpgradeRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Self::Rejection> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(upgrade) => Ok(Some(upgrade)),
            Err(rejection) if rejection.is_plain_http() => Ok(None),
            Err(rejection) => Err(rejection),
        }
    }
}

impl fmt::Debug for WebSocketUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade")
            .field("opening", &self.opening)
            .field("answer", &self.answer)
            .field("sockets", &self.sockets)
            .finish_non_exhaustive()
    }
}
