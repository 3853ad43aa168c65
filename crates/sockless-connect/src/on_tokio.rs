//! Connecting on tokio.
//
// Owns: how one waits there.
// Must not know: what is done, and in which order.

mod reconnect;

use std::future::{poll_fn, Future};
use std::io;
use std::net::SocketAddr;
use std::pin::{pin, Pin};
#[cfg(feature = "rustls")]
use std::sync::Arc;
use std::task::{ready, Poll};
use std::time::Instant;

#[cfg(feature = "rustls")]
use rustls::pki_types::ServerName;
use sockless::handshake::UriBuf;
use sockless::tokio::{client_with, ClientSocket};
use sockless::{Client, ClientConfig, Error, SystemEntropy};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout_at, Instant as TokioInstant};
#[cfg(feature = "rustls")]
use tokio_rustls::TlsConnector;

use crate::gate::Turn;
use crate::layer::Layer;
use crate::net::{literal, look_up, Net};
use crate::open::failed;
use crate::staggered::Attempts;
use crate::{Connect, ConnectError, Response, Stage, Stream};

pub use reconnect::Reconnect;

/// A WebSocket that was connected. Its methods are those of [`polled::WebSocket`](sockless::polled::WebSocket).
pub type Socket = ClientSocket<Stream>;

/// The receiving half of a [`Socket`] that was split. Its methods are those of
/// [`polled::Receiver`](sockless::polled::Receiver).
pub type Receiver = sockless::tokio::Receiver<Stream, Client<SystemEntropy>>;

/// The sending half of a [`Socket`] that was split. Its methods are those of
/// [`polled::Sender`](sockless::polled::Sender).
pub type Sender = sockless::tokio::Sender<Stream, Client<SystemEntropy>>;

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
        Box::pin(self.dial::<Tokio>()).await
    }

    /// Connects, through the proxy and through TLS, but asks nothing of the server. All of it is done within
    /// [`Timeouts::opening`](sockless::Timeouts::opening).
    ///
    /// For proxies and test tools, which write a request of their own.
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: dropped, the connection is dropped with it.
    pub async fn stream(&self) -> Result<Stream, ConnectError> {
        let uri = self.uri()?;
        Box::pin(self.reach::<Tokio>(&uri, self.until::<Tokio>(), &mut Vec::new())).await
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
        let (uri, config) = self.request()?;
        let opened = client_with(stream, &uri, &config, Response::of_accepted).await;
        opened.map_err(|error| failed(error, &uri))
    }
}

/// Sockets of tokio.
struct Tokio;

impl Net for Tokio {
    type Stream = Stream;
    type Socket = Socket;

    fn now() -> Instant {
        TokioInstant::now().into_std()
    }

    async fn in_time<T>(
        until: Option<Instant>,
        stage: Stage,
        operation: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        match until {
            Some(until) => {
                timeout_at(until.into(), operation).await.unwrap_or(Err(ConnectError::TimedOut(stage)))
            }
            None => operation.await,
        }
    }

    async fn resolve(host: (&str, u16), _: Option<Instant>) -> io::Result<Vec<SocketAddr>> {
        if let Some(addresses) = literal(host) {
            return Ok(addresses);
        }
        let (sender, receiver) = oneshot::channel();
        look_up(host, move |addresses| {
            // Nobody may wait for it any more.
            let _ = sender.send(addresses);
        })?;
        receiver.await.map_err(io::Error::other)?
    }

    async fn wait_for(turn: &Turn, _: Option<Instant>) -> io::Result<()> {
        poll_fn(|cx| turn.poll(cx)).await;
        Ok(())
    }

    async fn connect(addresses: Vec<SocketAddr>, _: Option<Instant>) -> io::Result<Stream> {
        let stream = first_of(addresses, TcpStream::connect).await?;
        stream.set_nodelay(true)?;
        Ok(Stream::tcp(stream))
    }

    fn takes(layer: &Layer) -> bool {
        !matches!(layer, Layer::Blocking(_))
    }

    async fn wrap(stream: Stream, layer: Layer, host: &str) -> io::Result<Stream> {
        match layer {
            #[cfg(feature = "rustls")]
            Layer::Tls(tls) => with_rustls(tls.client_config_in_background().await?, stream, host).await,
            #[cfg(feature = "rustls")]
            Layer::Rustls(config) => with_rustls(config, stream, host).await,
            Layer::Tokio(wrap) => wrap(stream, host.into()).await,
            Layer::Blocking(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    async fn read(stream: &mut Stream, buf: &mut [u8]) -> io::Result<usize> {
        let mut space = ReadBuf::new(buf);
        poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut space)).await?;
        Ok(space.filled().len())
    }

    async fn read_until(stream: &mut Stream, buf: &mut [u8], until: Option<Instant>) -> io::Result<usize> {
        match until {
            Some(until) => timeout_at(until.into(), Self::read(stream, buf)).await?,
            None => Self::read(stream, buf).await,
        }
    }

    async fn write(stream: &mut Stream, mut octets: &[u8]) -> io::Result<()> {
        let writing = poll_fn(|cx| {
            while !octets.is_empty() {
                let written = ready!(Pin::new(&mut *stream).poll_write(cx, octets))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                octets = octets.get(written..).unwrap_or(&[]);
            }
            Pin::new(&mut *stream).poll_flush(cx)
        });
        writing.await
    }

    async fn open(stream: Stream, uri: &UriBuf, config: &ClientConfig) -> Result<(Socket, Response), Error> {
        client_with(stream, uri, config, Response::of_accepted).await
    }
}

#[cfg(feature = "rustls")]
async fn with_rustls(config: Arc<rustls::ClientConfig>, stream: Stream, host: &str) -> io::Result<Stream> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(config).connect(name, stream).await.map(Stream::tls)
}

/// The connection to the first of these addresses that answers.
///
/// # Errors
///
/// The first error, if all fail.
async fn first_of<T, F: Future<Output = io::Result<T>>>(
    addresses: impl IntoIterator<Item = SocketAddr>,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<T> {
    let mut plan = Attempts::new(addresses);
    let mut attempts: Vec<Pin<Box<F>>> = Vec::new();
    loop {
        let turn = plan.next()?;
        attempts.extend(turn.begin.map(|address| Box::pin(connect(address))));
        let mut wait = pin!(turn.wait.map(sleep));
        let event = poll_fn(|cx| {
            for (at, attempt) in attempts.iter_mut().enumerate() {
                if let Poll::Ready(result) = attempt.as_mut().poll(cx) {
                    return Poll::Ready(Some((at, result)));
                }
            }
            match wait.as_mut().as_pin_mut() {
                Some(wait) => wait.poll(cx).map(|()| None),
                None => Poll::Pending,
            }
        });
        match event.await {
            Some((_, Ok(connection))) => return Ok(connection),
            Some((at, Err(error))) => {
                drop(attempts.swap_remove(at));
                plan.failed(error);
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests;
