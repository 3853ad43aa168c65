//! What a client sets before it connects.
//
// Owns: the settings.
// Must not know: what is made of them.

use std::fmt;
#[cfg(feature = "tokio")]
use std::future::Future;
use std::io;

use sockless::blocking::BlockingTransport;
use sockless::handshake::UriBuf;
use sockless::ClientConfig;
#[cfg(feature = "tokio")]
use tokio::io::{AsyncRead, AsyncWrite};

use crate::layer::Layer;
#[cfg(feature = "tokio")]
use crate::Stream;
#[cfg(feature = "rustls")]
use crate::Tls;
use crate::{blocking, proxy::ProxyChoice, Gate, Proxies, Proxy};

/// A server, and how to connect to it.
///
/// It borrows nothing: keep it, clone it, move it into tasks. It connects as often as it is asked to.
///
/// `Debug` shows no credentials: neither the path and the query of the URL, nor the values of fields.
///
/// ```no_run
/// # #[cfg(feature = "tokio")] mod example {
/// use std::time::Duration;
/// use sockless_connect::{ClientConfig, Connect, ConnectError, Socket, Timeouts};
///
/// async fn feed(token: &str) -> Result<Socket, ConnectError> {
///     let mut times = Timeouts::CLIENT;
///     times.opening = Some(Duration::from_secs(10));
///     let server = Connect::new("wss://example.com/feed")
///         .with_bearer(token)
///         .with_field("User-Agent", "feed/1.0")
///         .with_subprotocol("prices.v2")
///         .with_config(ClientConfig::new().with_timeouts(times).with_max_message_size(1 << 20));
///     let (socket, _response) = server.connect().await?;
///     Ok(socket)
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct Connect {
    pub(crate) url: String,
    pub(crate) takes_url_credentials: bool,
    pub(crate) config: ClientConfig,
    pub(crate) offers_deflate: bool,
    pub(crate) authorization: Option<Authorization>,
    pub(crate) cookies: Vec<(String, String)>,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) origin: Option<String>,
    pub(crate) redirects: u8,
    pub(crate) layer: Option<Layer>,
    pub(crate) proxy: ProxyChoice,
    pub(crate) gate: Option<Gate>,
}

/// Whom the server is asked to let in.
#[derive(Clone)]
pub(crate) enum Authorization {
    Bearer(String),
    Basic { user: String, password: String },
}

impl Connect {
    /// To the server of this URL, with the defaults. It is read as browsers read it
    /// ([`UriBuf`]), so `https:` is `wss:`, and `http:` is `ws:`. An invalid one is an
    /// error of [`connect`](Self::connect).
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            takes_url_credentials: false,
            config: ClientConfig::new(),
            offers_deflate: cfg!(feature = "deflate"),
            authorization: None,
            cookies: Vec::new(),
            fields: Vec::new(),
            subprotocols: Vec::new(),
            origin: None,
            redirects: 0,
            layer: None,
            proxy: ProxyChoice::None,
            gate: None,
        }
    }

    /// Sets limits, times, buffers and how messages are compressed. Another call replaces them.
    ///
    /// [`Timeouts::opening`](sockless::Timeouts::opening) is the time for all of connecting, from looking up the host
    /// to the server's answer. Default: 30 s.
    #[must_use]
    pub fn with_config(mut self, config: ClientConfig) -> Self {
        self.config = config;
        self
    }

    /// Offers no compression. Without this, what browsers offer is offered, or what the
    /// [config](Self::with_config) says.
    #[must_use]
    pub const fn without_deflate(mut self) -> Self {
        self.offers_deflate = false;
        self
    }

    /// Adds a header field to the request.
    #[must_use]
    pub fn with_field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// Adds a cookie. All cookies go into one field, as RFC 6265 section 5.4 has it.
    #[must_use]
    pub fn with_cookie(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.cookies.push((name.into(), value.into()));
        self
    }

    /// Sends this token in the field `Authorization` (RFC 6750 section 2.1), in place of other credentials. An empty one, or
    /// one with white space, is an error of [`connect`](Self::connect).
    #[must_use]
    pub fn with_bearer(mut self, token: impl Into<String>) -> Self {
        self.authorization = Some(Authorization::Bearer(token.into()));
        self
    }

    /// Sends this name and password in the field `Authorization` (RFC 7617), in place of other credentials. They can be
    /// read by everyone on the way unless the URL is `wss:`.
    #[must_use]
    pub fn with_basic(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.authorization = Some(Authorization::Basic { user: user.into(), password: password.into() });
        self
    }

    /// Sends the name and password that stand in the URL as [`with_basic`](Self::with_basic) does, unless other
    /// credentials are set. Without this such a URL is an error, since whoever wrote the URL chose them.
    #[must_use]
    pub const fn with_url_credentials(mut self) -> Self {
        self.takes_url_credentials = true;
        self
    }

    /// Offers a subprotocol, after the others: the server chooses one, and is told what is preferred by the order.
    /// [`subprotocol`](sockless::polled::WebSocket::subprotocol) tells which it chose.
    #[must_use]
    pub fn with_subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Sets the page that asks, as browsers do: `https://example.com`. Servers that check it may demand it.
    #[must_use]
    pub fn with_origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Follows so many redirects in a row. Without this none is followed: a redirect is a
    /// [`ConnectError::Rejected`](crate::ConnectError::Rejected), and [`Response::location`](crate::Response::location)
    /// says where it points to.
    ///
    /// A redirect from `wss:` to `ws:` is never followed. Once the scheme, the host or the port changes, no credentials,
    /// no cookies and no header fields are sent any more, neither those of [`with_field`](Self::with_field) nor those of
    /// the [config](Self::with_config): each may be a key. Subprotocols and the origin are. Cookies that a redirect sets
    /// are not sent.
    #[must_use]
    pub const fn with_redirects(mut self, most: u8) -> Self {
        self.redirects = most;
        self
    }

    /// Connects through this proxy, to servers of `ws:` and of `wss:`. Without this no proxy is used, whatever the
    /// environment says.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = ProxyChoice::This(Box::new(proxy));
        self
    }

    /// Connects through the proxy that environment variables such as `HTTPS_PROXY` and `NO_PROXY` ask for, if they do.
    /// They are read here, once, and [`Proxies`] says how. If they cannot be read, it is an error of
    /// [`connect`](Self::connect).
    #[must_use]
    pub fn with_proxy_from_environment(self) -> Self {
        self.with_proxies(Proxies::from_environment())
    }

    /// Connects through one of these proxies, if one is for the server. A server that it is redirected to may have
    /// another one.
    #[must_use]
    pub fn with_proxies(mut self, proxies: Proxies) -> Self {
        self.proxy = ProxyChoice::Of(proxies);
        self
    }

    /// Waits at this gate until no other connection to the same address is being opened (RFC 6455 section 4.1). The wait
    /// is part of the opening time: if that is up, the stage is [`Connecting`](crate::Stage::Connecting). Without this
    /// nothing waits for another connection.
    #[must_use]
    pub fn with_gate(mut self, gate: Gate) -> Self {
        self.gate = Some(gate);
        self
    }

    /// Sets how TLS is done for `wss:`. [`Tls`] says what it is without this.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.layer = Some(Layer::Tls(tls));
        self
    }

    /// Uses this config of rustls 0.23 for `wss:`, as it is. Offer `http/1.1` there by ALPN, and nothing else.
    ///
    /// This is the only place where a type of rustls is seen. It goes when rustls has another version: prefer
    /// [`with_tls`](Self::with_tls).
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn with_rustls_0_23(mut self, config: std::sync::Arc<rustls::ClientConfig>) -> Self {
        self.layer = Some(Layer::Rustls(config));
        self
    }

    /// Sets TLS up for `wss:` on tokio with another library. `wrap` is given the connection and the name of the host. It is part
    /// of the opening time.
    ///
    /// With tokio-rustls, for example. With `tokio-native-tls` the last line is
    /// `connector.connect(&host, stream).await.map_err(std::io::Error::other)`.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use sockless_connect::Connect;
    /// use tokio_rustls::{rustls, TlsConnector};
    ///
    /// fn server(config: Arc<rustls::ClientConfig>) -> Connect {
    ///     let connector = TlsConnector::from(config);
    ///     Connect::new("wss://example.com/").with_tls_by(move |stream, host| {
    ///         let connector = connector.clone();
    ///         async move {
    ///             let name = host.try_into().map_err(std::io::Error::other)?;
    ///             connector.connect(name, stream).await
    ///         }
    ///     })
    /// }
    /// ```
    #[cfg(feature = "tokio")]
    #[must_use]
    pub fn with_tls_by<S, F>(mut self, wrap: impl Fn(Stream, String) -> F + Send + Sync + 'static) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        F: Future<Output = io::Result<S>> + Send + 'static,
    {
        self.layer = Some(Layer::on_tokio(wrap));
        self
    }

    /// Sets TLS up for `wss:` on blocking sockets with another library. `wrap` is given the connection and the name of the
    /// host. It is part of the opening time: reads and writes of the connection fail with
    /// [`TimedOut`](io::ErrorKind::TimedOut) when that is up.
    ///
    /// What it returns must be able to limit its reads and writes, by passing that on to the connection. This takes the
    /// place of [`with_tls_by`](Self::with_tls_by), and the other way round.
    #[must_use]
    pub fn with_tls_by_blocking<S: BlockingTransport + Send + 'static>(
        mut self,
        wrap: impl Fn(blocking::Stream, String) -> io::Result<S> + Send + Sync + 'static,
    ) -> Self {
        self.layer = Some(Layer::blocking(wrap));
        self
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("url", &UriBuf::parse_with_credentials(&self.url))
            .field("takes_url_credentials", &self.takes_url_credentials)
            .field("config", &self.config)
            .field("offers_deflate", &self.offers_deflate)
            .field("has_authorization", &self.authorization.is_some())
            .field("cookies", &self.cookies.len())
            .field("fields", &self.fields.len())
            .field("subprotocols", &self.subprotocols.len())
            .field("has_origin", &self.origin.is_some())
            .field("redirects", &self.redirects)
            .finish_non_exhaustive()
    }
}
