//! The traits of `futures-io`, as smol and others have them: anything that is [`AsyncRead`] and
//! [`AsyncWrite`].
//!
//! Owns: the terms of `futures-io`, which know no clock. Must not know: the protocol.
//!
//! A clock comes with [`FuturesIo::with_timer`]; without one no timer runs, not even that of the opening
//! handshake.

use alloc::boxed::Box;
use core::future::Future;
use core::ops::Deref;
use core::pin::Pin;
use core::task::{ready, Context, Poll};
use core::time::Duration;
use std::io::{self, IoSlice};
use std::time::Instant;

use futures_io::{AsyncRead, AsyncWrite};

use super::polled::{self, PollTransport};
#[cfg(all(feature = "handshake", feature = "rng"))]
use super::{Accepted, Error, Refusal, ServerOptions, Settings};
#[cfg(all(feature = "handshake", feature = "rng"))]
use crate::entropy::SystemEntropy;
#[cfg(all(feature = "handshake", feature = "rng"))]
use crate::handshake::{client::ClientRequest, server::Request};
#[cfg(all(feature = "handshake", feature = "rng"))]
use crate::role::{Client, Server};
use crate::time::Timestamp;

/// A WebSocket on a transport of `futures-io`.
pub type WebSocket<S, R> = polled::WebSocket<FuturesIo<S>, R>;

/// What waits for an instant, as [`FuturesIo::with_timer`] takes it.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// A transport of `futures-io`, and a clock if it was given one.
pub struct FuturesIo<S> {
    stream: S,
    timer: Option<Timer>,
}

struct Timer {
    began: Instant,
    sleep_until: fn(Instant) -> Sleep,
    sleep: Option<(Timestamp, Sleep)>,
}

impl<S> FuturesIo<S> {
    /// This transport, without a clock.
    pub const fn new(stream: S) -> Self {
        Self { stream, timer: None }
    }

    /// With the runtime's timer, such as `|at| Box::pin(async move { async_io::Timer::at(at).await; })`.
    #[must_use]
    pub fn with_timer(mut self, sleep_until: fn(Instant) -> Sleep) -> Self {
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
            // A time that the clock cannot express never comes.
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

/// Accepts a WebSocket. See [`polled::accept`].
///
/// # Errors
///
/// As [`polled::accept`].
///
/// # Cancel safety
///
/// Not cancel safe: dropped, the transport is dropped with it.
#[cfg(all(feature = "handshake", feature = "rng"))]
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    options: &ServerOptions<'_>,
) -> Result<WebSocket<S, Server>, Error> {
    Box::pin(polled::serve_only(FuturesIo::new(stream), options, |_| Ok(()))).await
}

/// As [`accept`], where the application looks at the request and may refuse it.
///
/// # Errors
///
/// As [`accept`].
///
/// # Cancel safety
///
/// Not cancel safe: dropped, the transport is dropped with it.
#[cfg(all(feature = "handshake", feature = "rng"))]
pub async fn accept_with<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    options: &ServerOptions<'_>,
    decide: impl FnOnce(&Request<'_>) -> Result<(), Refusal>,
) -> Result<WebSocket<S, Server>, Error> {
    Box::pin(polled::serve_only(FuturesIo::new(stream), options, decide)).await
}

/// As [`accept_with`], where a plain HTTP request is handed back, so that one port can serve both.
///
/// # Errors
///
/// As [`accept`].
///
/// # Cancel safety
///
/// Not cancel safe: dropped, the transport is dropped with it.
#[cfg(all(feature = "handshake", feature = "rng"))]
pub async fn accept_or_http<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    options: &ServerOptions<'_>,
    decide: impl FnOnce(&Request<'_>) -> Result<(), Refusal>,
) -> Result<Accepted<WebSocket<S, Server>, S>, Error> {
    let (opened, _) = Box::pin(polled::open(FuturesIo::new(stream), options, decide)).await?;
    Ok(opened.map_stream(FuturesIo::into_inner))
}

/// Opens a WebSocket on a transport that is connected already, with TLS if the URI asks for it.
///
/// # Errors
///
/// As [`polled::connect`].
///
/// # Cancel safety
///
/// Not cancel safe: dropped, the transport is dropped with it.
#[cfg(all(feature = "handshake", feature = "rng"))]
pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    request: ClientRequest<'_>,
    settings: &Settings,
) -> Result<WebSocket<S, Client<SystemEntropy>>, Error> {
    Box::pin(polled::open_client(FuturesIo::new(stream), request, settings)).await
}

debug_states!([S] FuturesIo<S>, |this| { has_timer: this.timer.is_some() });
