//! WebSockets on smol and other runtimes that have the traits of `futures-io`, over anything that is [`AsyncRead`] and
//! [`AsyncWrite`]. Needs the feature `futures-io`. The methods are on the page of [`polled::WebSocket`].
//!
//! These traits have no clock, so **without [`FuturesIo::with_timer`] no timer runs**: not that of the opening
//! handshake, no keep-alive, none for a peer that does not read. The functions of this module take a bare transport,
//! for those that have a time limit of their own. With the runtime's timer, here smol's, every timer runs:
//!
//! ```no_run
//! use smol::{net::TcpStream, Timer};
//! use sockless::{futures_io::FuturesIo, polled, Error, ServerConfig};
//! use sockless::handshake::OriginPolicy;
//!
//! async fn echo(stream: TcpStream) -> Result<(), Error> {
//!     let config = ServerConfig::new(OriginPolicy::SameHost);
//!     let mut socket = polled::accept(FuturesIo::new(stream).with_timer(Timer::at), &config).await?;
//!     while let Some((message, mut outgoing)) = socket.recv_with().await? {
//!         outgoing.feed(message).await?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! A client connects by itself:
//!
//! ```no_run
//! use smol::{net::TcpStream, Timer};
//! use sockless::{futures_io::FuturesIo, polled, ClientConfig, Error};
//! use sockless::handshake::{client::ClientRequest, Uri};
//!
//! async fn tell(url: &str, what: &str) -> Result<(), Error> {
//!     let uri = Uri::parse(url)?;
//!     let stream = FuturesIo::new(TcpStream::connect(uri.address()).await?).with_timer(Timer::at);
//!     let mut socket = polled::client(stream, ClientRequest::new(uri), &ClientConfig::new()).await?;
//!     socket.send(what).await
//! }
//! ```
//
// Owns: the terms of `futures-io`, which know no clock.
// Must not know: the protocol.

use alloc::boxed::Box;
use core::future::Future;
use core::ops::Deref;
use core::pin::Pin;
use core::task::{ready, Context, Poll};
use core::time::Duration;
use std::io::{self, IoSlice};
use std::time::Instant;

use futures_io::{AsyncRead, AsyncWrite};

use super::opening_functions::opening_functions;
use super::polled::{self, PollTransport};
use crate::entropy::SystemEntropy;
use crate::role::{Client, Role, Server};
use crate::time::Timestamp;

/// A WebSocket on a transport of `futures-io`.
pub type WebSocket<S, R> = polled::WebSocket<FuturesIo<S>, R>;

/// A server's WebSocket.
pub type ServerSocket<S> = WebSocket<S, Server>;

/// A client's WebSocket.
pub type ClientSocket<S> = WebSocket<S, Client<SystemEntropy>>;

/// The sending half of a [`WebSocket`].
pub type Sender<S, R> = polled::Sender<FuturesIo<S>, R>;

/// The receiving half of a [`WebSocket`].
pub type Receiver<S, R> = polled::Receiver<FuturesIo<S>, R>;

/// What waits for an instant.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// A transport of `futures-io`, and a clock if it was given one.
pub struct FuturesIo<S> {
    stream: S,
    timer: Option<Timer>,
}

struct Timer {
    began: Instant,
    // A function of the runtime takes no memory.
    sleep_until: Box<dyn Fn(Instant) -> Sleep + Send + Sync>,
    sleep: Option<(Timestamp, Sleep)>,
}

impl<S> FuturesIo<S> {
    /// Without a clock: no timer runs.
    pub const fn new(stream: S) -> Self {
        Self { stream, timer: None }
    }

    /// With what waits for an instant, such as `smol::Timer::at`.
    #[must_use]
    pub fn with_timer<T: Future + Send + Sync + 'static>(
        mut self,
        sleep_until: impl Fn(Instant) -> T + Send + Sync + 'static,
    ) -> Self {
        let sleep_until = Box::new(move |at| -> Sleep {
            let sleep = sleep_until(at);
            Box::pin(async move {
                sleep.await;
            })
        });
        self.timer = Some(Timer { began: Instant::now(), sleep_until, sleep: None });
        self
    }

    /// The transport itself.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S> Deref for FuturesIo<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> PollTransport for FuturesIo<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn is_write_vectored(&self) -> bool {
        true // which nobody can ask
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
        Pin::new(&mut self.stream).poll_close(cx)
    }

    fn now(&mut self) -> Option<Timestamp> {
        let timer = self.timer.as_ref()?;
        Some(Timestamp::from_duration(timer.began.elapsed()))
    }

    fn poll_sleep(&mut self, cx: &mut Context<'_>, until: Timestamp) -> Poll<()> {
        let Some(timer) = &mut self.timer else { return Poll::Pending };
        if timer.sleep.as_ref().map(|(at, _)| *at) != Some(until) {
            // The clock cannot express it.
            let Some(at) = timer.began.checked_add(Duration::from_micros(until.as_micros())) else {
                return Poll::Pending;
            };
            timer.sleep = Some((until, (timer.sleep_until)(at)));
        }
        let Some((_, sleep)) = &mut timer.sleep else { return Poll::Pending };
        ready!(sleep.as_mut().poll(cx));
        timer.sleep = None;
        Poll::Ready(())
    }
}

impl<S: PollTransport + Unpin, R: Role + Unpin> AsyncRead for polled::ByteStream<S, R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_read_bytes(cx, buf)
    }
}

impl<S: PollTransport + Unpin, R: Role + Unpin> AsyncWrite for polled::ByteStream<S, R> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_bytes(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_flush_bytes(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_close_bytes(cx)
    }
}

opening_functions! {
    [async] [.await] ["# Cancel safety"] polled
    /// There is no clock, so no timer runs: see [the module](self).
    S: [AsyncRead + AsyncWrite + Unpin], pending: polled::PendingRequest<FuturesIo<S>>, server: ServerSocket<S>,
    client: ClientSocket<S>,
    wrap: FuturesIo::new, unwrap: FuturesIo::into_inner, boxed: Box::pin,
}

debug_states!([S] FuturesIo<S>, |this| { has_timer: this.timer.is_some() });
