//! The opening handshake on transports that are polled.
//
// Owns: reading and writing it.
// Must not know: its rules.

use alloc::boxed::Box;
use core::future::{poll_fn, Future};
use core::pin::pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;

use super::{PollTransport, WebSocket};
use crate::adapter::agreed::Agreed;
use crate::adapter::opening::{
    ask, client_handshake, cut_off, parting_time, request, serve, too_late, until_end, ClientStep, Plain,
    Refused, Unanswered, LATE, MAX_DRAINED, SHORT_PARTING,
};
use crate::adapter::opening_functions::{opening_functions, opening_steps};
use crate::adapter::{Answer, ClientConfig, Connections, Error, Opened, Refusal, ServerConfig};
use crate::entropy::SystemEntropy;
use crate::handshake::client::{Accepted, ClientRequest};
use crate::handshake::server::{Request, ServerHandshake};
use crate::role::{Client, Server};
use crate::time::Timestamp;

/// Bytes of a read, at most: most heads are shorter.
const READ: usize = 4096;

opening_functions! {
    [async] [.await] ["# Cancel safety"] polled
    /// Where the transport has a clock, [`Timeouts::opening`](crate::Timeouts::opening) bounds the whole; a client
    /// that is too slow is answered with 408. A refusal may take what is left of that time, but a second at least, and
    /// 5 s if none is set.
    S: [PollTransport], pending: PendingRequest<S>, server: WebSocket<S, Server>,
    client: WebSocket<S, Client<SystemEntropy>>,
    wrap: core::convert::identity, unwrap: core::convert::identity, boxed: Box::pin,
}

// In a box, so that the task which goes on with the socket is small: each function between holds a transport as well.

opening_steps! {
    [async] [.await] ["# Cancel safety"]
    transport: PollTransport, timed: TimedTransport, instant: Timestamp, read: READ, boxed: Box::pin, end: [],
}

impl<S: PollTransport> PendingRequest<S> {
    /// Waits for `decision`, as long as the opening time lasts; then the client gets a 503. Without this a future that
    /// never ends keeps the connection.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] if the time was up.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: dropped, the transport is dropped with it.
    pub async fn wait_for<T>(mut self, decision: impl Future<Output = T>) -> Result<(Self, T), Error> {
        let mut decision = pin!(decision);
        let mut timed = TimedTransport::until(&mut self.stream, self.until);
        match timed.poll(|_, cx| decision.as_mut().poll(cx).map(Ok)).await {
            Ok(decided) => Ok((self, decided)),
            Err(_) => Err(timed.refuse(too_late(503)).await),
        }
    }
}

struct TimedTransport<'s, S> {
    stream: &'s mut S,
    until: Option<Timestamp>,
}

impl<'s, S: PollTransport> TimedTransport<'s, S> {
    fn new(stream: &'s mut S, limit: Option<Duration>) -> Self {
        let until = limit.and_then(|limit| Some(stream.now()?.after(limit)));
        Self::until(stream, until)
    }

    fn until(stream: &'s mut S, until: Option<Timestamp>) -> Self {
        Self { stream, until }
    }

    /// Within the time that is left.
    async fn poll<T>(
        &mut self,
        mut operation: impl FnMut(&mut S, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Result<T, Error> {
        poll_fn(|cx| {
            if let Poll::Ready(result) = operation(self.stream, cx) {
                return Poll::Ready(result.map_err(Error::from));
            }
            match self.until {
                Some(until) => self.stream.poll_sleep(cx, until).map(|()| Err(LATE.into())),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Reads once. An empty slice is the end of the transport.
    async fn read<'b>(&mut self, buf: &'b mut [u8]) -> Result<&'b [u8], Error> {
        let count = self.poll(|stream, cx| stream.poll_read(cx, buf)).await?;
        Ok(buf.get(..count).unwrap_or(&[]))
    }

    async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            match self.poll(|stream, cx| stream.poll_write(cx, bytes)).await? {
                0 => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                count => bytes = bytes.get(count..).unwrap_or(&[]),
            }
        }
        self.poll(|stream, cx| stream.poll_flush(cx)).await
    }

    fn left(&mut self) -> Option<Duration> {
        Some(self.until?.since(self.stream.now()?))
    }

    /// Bounds what is still done by the time that a refusal may take.
    fn part(&mut self, at_least: Duration) {
        if let Some(now) = self.stream.now() {
            self.until = Some(now.after(parting_time(self.left(), at_least)));
        }
    }

    /// Writes a refusal, ends the writing direction, and reads on, within bounds: a reset for what the client is still
    /// sending must not overtake the refusal.
    ///
    /// What goes wrong meanwhile is no news: the client was refused.
    async fn refuse(&mut self, refused: Refused) -> Error {
        self.part(SHORT_PARTING);
        if self.write(&refused.response).await.is_err() {
            return refused.error;
        }
        // A transport that has ended is as good.
        let _ = self.poll(|stream, cx| stream.poll_shutdown(cx)).await;
        let mut buf = alloc::vec![0; READ];
        let mut left = MAX_DRAINED;
        while let (Ok(read @ [_, ..]), 1..) = (self.read(&mut buf).await, left) {
            left = left.saturating_sub(read.len());
        }
        refused.error
    }
}
