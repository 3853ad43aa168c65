//! WebSockets on tokio, over anything that is [`AsyncRead`] and [`AsyncWrite`]. Needs the feature `tokio`.
//!
//! [`accept`] and [`connect`] open a WebSocket. Its methods are on the page of [`polled::WebSocket`]:
//! [`recv`](polled::WebSocket::recv), [`send`](polled::WebSocket::send), [`close`](polled::WebSocket::close),
//! [`into_split`](polled::WebSocket::into_split) for two tasks. It is a `Stream` and a `Sink` as well. Timers run by
//! tokio's clock.
//!
//! # A server
//!
//! A task for each connection. `select!` may wait for `recv` and the news of a channel: what it drops loses nothing. A
//! client that does not read holds up its own task alone, until its timers end that; the example `broadcast` drops it
//! at once.
//!
//! ```no_run
//! use sockless::{handshake::OriginPolicy, message::Prepared, tokio::accept, Error, ServerConfig};
//! use tokio::{net::TcpListener, select, sync::broadcast};
//!
//! async fn chat(listener: TcpListener) -> Result<(), Error> {
//!     let room = broadcast::Sender::new(64);
//!     loop {
//!         let (stream, _) = listener.accept().await?;
//!         tokio::spawn(talk(stream, room.clone()));
//!     }
//! }
//!
//! async fn talk(stream: tokio::net::TcpStream, room: broadcast::Sender<Prepared>) -> Result<(), Error> {
//!     let mut news = room.subscribe();
//!     let mut socket = accept(stream, &ServerConfig::new(OriginPolicy::SameHost)).await?;
//!     loop {
//!         select! {
//!             message = socket.recv() => match message? {
//!                 Some(message) => drop(room.send(Prepared::new(message))),
//!                 None => return Ok(()), // it was closed
//!             },
//!             said = news.recv() => match said {
//!                 Ok(message) => socket.send_prepared(&message).await?,
//!                 Err(_) => return Ok(()), // too slow: it missed 64 messages
//!             },
//!         }
//!     }
//! }
//! ```
//!
//! # A client
//!
//! ```no_run
//! use sockless::{tokio::connect, ClientConfig, CloseCode, Error};
//!
//! async fn ask(url: &str, question: &str) -> Result<Option<String>, Error> {
//!     let mut socket = connect(url, &ClientConfig::new()).await?;
//!     socket.send(question).await?;
//!     let answer = socket.recv().await?.and_then(|message| message.as_text().map(String::from));
//!     socket.close(CloseCode::NORMAL).await?;
//!     Ok(answer)
//! }
//! ```
//
// Owns: the terms of tokio.
// Must not know: the protocol.

use alloc::boxed::Box;
use core::future::Future as _;
use core::ops::Deref;
use core::pin::{pin, Pin};
use core::task::{ready, Context, Poll};
use std::io::{self, IoSlice};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::net::{lookup_host, TcpStream};
use ::tokio::task::yield_now;
use ::tokio::time::timeout_at;
use ::tokio::time::{sleep_until, Instant, Sleep};

use super::opening::share;
use super::opening_functions::opening_functions;
use super::polled::{self, PollTransport};
use super::{ClientConfig, ConnectStage, Error, OpeningError};
use crate::entropy::SystemEntropy;
use crate::handshake::client::ClientRequest;
use crate::role::{Client, Role, Server};
use crate::time::Timestamp;

/// A WebSocket on a tokio transport. Its methods are those of [`polled::WebSocket`].
pub type WebSocket<S, R> = polled::WebSocket<Tokio<S>, R>;

/// A server's WebSocket, on TCP unless said otherwise. Its methods are those of [`polled::WebSocket`].
pub type ServerSocket<S = TcpStream> = WebSocket<S, Server>;

/// A client's WebSocket, on TCP unless said otherwise. Its methods are those of [`polled::WebSocket`].
pub type ClientSocket<S = TcpStream> = WebSocket<S, Client<SystemEntropy>>;

/// The sending half of a [`WebSocket`].
pub type Sender<S, R> = polled::Sender<Tokio<S>, R>;

/// The receiving half of a [`WebSocket`].
pub type Receiver<S, R> = polled::Receiver<Tokio<S>, R>;

/// A tokio transport with tokio's clock.
pub struct Tokio<S> {
    stream: S,
    began: Option<Instant>,
    sleep: Option<(Timestamp, Pin<Box<Sleep>>)>,
}

impl<S> Tokio<S> {
    /// This transport.
    pub const fn new(stream: S) -> Self {
        Self { stream, began: None, sleep: None }
    }

    /// The transport itself.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S> Deref for Tokio<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> PollTransport for Tokio<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut space = ReadBuf::new(buf);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut space))?;
        Poll::Ready(Ok(space.filled().len()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_both(
        &mut self,
        cx: &mut Context<'_>,
        first: &[u8],
        second: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, &[IoSlice::new(first), IoSlice::new(second)])
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn now(&mut self) -> Option<Timestamp> {
        let now = Instant::now();
        Some(Timestamp::from_duration(now.duration_since(*self.began.get_or_insert(now))))
    }

    fn poll_sleep(&mut self, cx: &mut Context<'_>, until: Timestamp) -> Poll<()> {
        if self.sleep.as_ref().map(|(at, _)| *at) != Some(until) {
            let began = *self.began.get_or_insert_with(Instant::now);
            // The clock cannot express it.
            let Some(at) = began.checked_add(core::time::Duration::from_micros(until.as_micros())) else {
                return Poll::Pending;
            };
            self.sleep = Some((until, Box::pin(sleep_until(at))));
        }
        let Some((_, sleep)) = &mut self.sleep else { return Poll::Pending };
        ready!(sleep.as_mut().poll(cx));
        self.sleep = None;
        Poll::Ready(())
    }

    fn wake_later(&mut self, cx: &mut Context<'_>) {
        // Tokio looks which other tasks are ready before it wakes a task that yields.
        let _ = pin!(yield_now()).poll(cx);
    }
}

impl<S: PollTransport + Unpin, R: Role + Unpin> AsyncRead for polled::ByteStream<S, R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let count = ready!(self.get_mut().poll_read_bytes(cx, buf.initialize_unfilled()))?;
        buf.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: PollTransport + Unpin, R: Role + Unpin> AsyncWrite for polled::ByteStream<S, R> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_bytes(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_flush_bytes(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_close_bytes(cx)
    }
}

opening_functions! {
    [async] [.await] ["# Cancel safety"] polled
    /// [`Timeouts::opening`](crate::Timeouts::opening) bounds the whole; a client that is too slow is answered with
    /// 408.
    S: [AsyncRead + AsyncWrite + Unpin], pending: polled::PendingRequest<Tokio<S>>, server: ServerSocket<S>,
    client: ClientSocket<S>,
    wrap: Tokio::new, unwrap: Tokio::into_inner, boxed: Box::pin,
}

/// Connects over TCP and opens a WebSocket. Addresses are tried one after the other.
///
/// [`Timeouts::opening`](crate::Timeouts::opening) bounds all of it: looking up the host, connecting, and the
/// handshake. Each address has its share of the time that is left.
///
/// # Errors
///
/// [`Error::Opening`], with the server's answer if that was no 101; [`Error::Protocol`] if the server was too slow;
/// [`Error::Io`] if the transport failed, or no address could be reached; [`OpeningError::TimedOut`] if the time was
/// up before the handshake; [`OpeningError::TlsRequired`] for a `wss:` URI, which is never opened in clear: the
/// package `sockless-connect` does TLS, or give a stream with TLS to [`client`].
///
/// # Cancel safety
///
/// Not cancel safe: dropped, the transport is dropped with it.
///
/// # Examples
///
/// A client that stays connected. It waits longer after each attempt that fails (RFC 6455 section 7.2.3), and gives up
/// where the next would fail as well:
///
/// ```no_run
/// use std::time::Duration;
/// use sockless::{tokio::connect, ClientConfig, Error, OpeningError};
///
/// async fn listen(url: &str, mut heard: impl FnMut(&str)) -> Result<(), Error> {
///     let config = ClientConfig::new();
///     let mut pause = Duration::from_millis(500);
///     loop {
///         match connect(url, &config).await {
///             Ok(mut socket) => {
///                 pause = Duration::from_millis(500);
///                 while let Ok(Some(message)) = socket.recv().await {
///                     heard(message.as_text().unwrap_or_default());
///                 }
///             }
///             Err(Error::Opening(OpeningError::TimedOut(_))) => {}
///             Err(Error::Opening(OpeningError::Rejected(answer))) if matches!(answer.status(), 429 | 500..) => {}
///             Err(error @ Error::Opening(_)) => return Err(error),
///             Err(_) => {} // the network, or the server, is not there
///         }
///         tokio::time::sleep(pause).await;
///         pause = (pause * 2).min(Duration::from_secs(30));
///     }
/// }
/// ```
pub async fn connect<'c>(
    request: impl TryInto<ClientRequest<'c>, Error: Into<OpeningError>>,
    config: &ClientConfig,
) -> Result<ClientSocket, Error> {
    let request = request.try_into().map_err(Into::<OpeningError>::into)?;
    if request.uri().is_secure() {
        return Err(OpeningError::TlsRequired.into());
    }
    // The clock cannot express it.
    let limit = config.timeouts.opening;
    let until = limit.and_then(|limit| Instant::now().checked_add(limit));
    let stream = Box::pin(connected(request.uri().address(), until)).await?;
    stream.set_nodelay(true)?;
    let left = until.map(|until| until.saturating_duration_since(Instant::now()));
    let opened = polled::open_client(Tokio::new(stream), request, config, left, |_| ());
    Ok(Box::pin(opened).await?.0)
}

async fn connected(address: (&str, u16), until: Option<Instant>) -> Result<TcpStream, Error> {
    let addresses = in_time(until, ConnectStage::Resolving, lookup_host(address)).await?;
    let addresses = alloc::vec::Vec::from_iter(addresses);
    let mut failed = Error::from(io::Error::from(io::ErrorKind::AddrNotAvailable));
    for (at, address) in addresses.iter().enumerate() {
        let until = until.and_then(|until| {
            let now = Instant::now();
            let left = until.saturating_duration_since(now);
            now.checked_add(share(left, addresses.len().saturating_sub(at)))
        });
        match in_time(until, ConnectStage::Connecting, TcpStream::connect(*address)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Not past the time.
async fn in_time<T>(
    until: Option<Instant>,
    stage: ConnectStage,
    operation: impl core::future::Future<Output = io::Result<T>>,
) -> Result<T, Error> {
    match until {
        Some(until) => match timeout_at(until, operation).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(OpeningError::TimedOut(stage).into()),
        },
        None => Ok(operation.await?),
    }
}

debug_states!([S] Tokio<S>, |this| { has_clock: this.began.is_some(), sleeps: this.sleep.is_some() });
