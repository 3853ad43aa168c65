//! Connecting on tokio.
//
// Owns: the stages, one after the other, and the time that they have together.
// Must not know: the rules of the opening handshake.

use std::future::Future;

use sockless::handshake::UriBuf;
use sockless::tokio::{client_with, ClientSocket};
use sockless::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{lookup_host, TcpStream};
use tokio::time::{timeout_at, Instant};

use crate::layer::Layer;
use crate::request::Credentials;
use crate::staggered::{first_of, interleaved};
use crate::tunnel::through;
use crate::{Connect, ConnectError, Response, Stage, Stream};

/// A WebSocket that was connected. Its methods are those of [`polled::WebSocket`](sockless::polled::WebSocket).
pub type Socket = ClientSocket<Stream>;

/// Connects to this URL: `ws:`, or `wss:` with TLS. Returns the WebSocket, and the answer that opened it.
///
/// [`Connect`] says what else can be set.
///
/// # Errors
///
/// [`ConnectError`].
///
/// # Cancel safety
///
/// Not cancel safe: dropped, the connection is dropped with it.
pub async fn connect(url: &str) -> Result<(Socket, Response), ConnectError> {
    Connect::new(url).connect().await
}

impl Connect {
    /// Connects. Returns the WebSocket, and the answer that opened it.
    ///
    /// All of it is done within [`Timeouts::opening`](sockless::Timeouts::opening). If the host has several addresses,
    /// the next one is tried after 250 ms, or when one has failed, and the first that answers is taken (RFC 8305).
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: dropped, the connection is dropped with it.
    pub async fn connect(&self) -> Result<(Socket, Response), ConnectError> {
        Box::pin(self.dial()).await
    }

    /// Opens the WebSocket on a stream that is connected already, through TLS if the URL is `wss:`. The opening time
    /// begins here, and it is the server's answer alone that it limits.
    ///
    /// For what this crate does not connect to: a Unix socket, a tunnel, a stream in memory.
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: dropped, the stream is dropped with it.
    pub async fn client<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> Result<(ClientSocket<S>, Response), ConnectError> {
        let uri = self.uri()?;
        let config = self.engine_config(&uri, Some(&self.credentials(&uri)?))?;
        ask(stream, &uri, &config).await
    }

    /// Connects to the URL, and to where it redirects to.
    async fn dial(&self) -> Result<(Socket, Response), ConnectError> {
        let mut uri = self.uri()?;
        let mut credentials = Some(self.credentials(&uri)?);
        // A time that the clock cannot express never comes.
        let limit = self.config.timeouts.opening;
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut followed = 0;
        loop {
            let result = self.dial_once(&uri, credentials.as_ref(), until).await;
            let Err(ConnectError::Rejected(response)) = result else { return result };
            let (was, next) = match response.location() {
                Some(next) => (uri.as_uri(), next.as_uri()),
                None => return Err(ConnectError::Rejected(response)),
            };
            if self.redirects == 0 || was.is_secure() && !next.is_secure() {
                return Err(ConnectError::Rejected(response));
            }
            if followed == self.redirects {
                return Err(ConnectError::TooManyRedirects(response));
            }
            followed = followed.saturating_add(1);
            if (was.is_secure(), was.address()) != (next.is_secure(), next.address()) {
                credentials = None;
            }
            uri = next.into();
        }
    }

    /// Connects to this URL alone.
    async fn dial_once(
        &self,
        uri: &UriBuf,
        credentials: Option<&Credentials>,
        until: Option<Instant>,
    ) -> Result<(Socket, Response), ConnectError> {
        let (host, port) = uri.as_uri().address();
        let mut config = self.engine_config(uri, credentials)?;
        let layer = match uri.as_uri().is_secure() {
            true => Some(self.layer.clone().or_else(Layer::of_process).ok_or(ConnectError::TlsUnavailable)?),
            false => None,
        };
        let mut stream = match self.proxy.proxy_for(uri)? {
            Some(proxy) => in_time(until, Stage::Proxy, through(&proxy, uri.as_uri())).await?,
            None => {
                let resolving = async { lookup_host((host, port)).await.map_err(ConnectError::Resolve) };
                let addresses = in_time(until, Stage::Resolving, resolving).await?;
                let connecting = async {
                    let stream = first_of(interleaved(addresses), TcpStream::connect).await?;
                    // A small message is not to wait for another.
                    stream.set_nodelay(true)?;
                    Ok(Stream::tcp(stream))
                };
                let connecting = async { connecting.await.map_err(ConnectError::Connect) };
                in_time(until, Stage::Connecting, connecting).await?
            }
        };
        if let Some(layer) = layer {
            let wrapping = async { layer.wrap(stream, host).await.map_err(ConnectError::Tls) };
            stream = in_time(until, Stage::Tls, wrapping).await?;
        }
        config.timeouts.opening = until.map(|until| until.saturating_duration_since(Instant::now()));
        ask(stream, uri, &config).await
    }
}

/// The opening handshake.
async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    uri: &UriBuf,
    config: &ClientConfig,
) -> Result<(ClientSocket<S>, Response), ConnectError> {
    client_with(stream, uri, config, Response::of_accepted).await.map_err(|error| match error.into() {
        ConnectError::Rejected(response) => ConnectError::Rejected(response.at(uri)),
        error => error,
    })
}

/// Does this, but not past the time.
async fn in_time<T>(
    until: Option<Instant>,
    stage: Stage,
    operation: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    match until {
        Some(until) => timeout_at(until, operation).await.unwrap_or(Err(ConnectError::TimedOut(stage))),
        None => operation.await,
    }
}
