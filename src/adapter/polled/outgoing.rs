//! The sending direction on transports that are polled.
//
// Owns: waiting for room, and writing what is queued.
// Must not know: the protocol.

use alloc::boxed::Box;
use core::future::{poll_fn, Future};
use core::pin::Pin;
use core::task::{ready, Context, Poll};
use std::io;

use super::PollTransport;
#[cfg(doc)]
use super::WebSocket;
use crate::adapter::{thread_pool, Error};
use crate::close::CloseFrame;
use crate::endpoint::{Compressing, Fed, FeedError, Outbound, LONG_PAYLOAD};
use crate::message::{Message, OwnedMessage, Prepared};
use crate::payload::{AsPayload, ControlPayload, Payload};
use crate::role::{Role, Server};
use crate::time::{Timestamp, Wake};

/// A message, and the sending direction to answer it.
pub type Incoming<'w, S, R> = (Message<'w>, Outgoing<'w, S, R>);

/// The sending direction of a [`WebSocket`].
pub struct Outgoing<'w, S, R> {
    pub(super) link: &'w mut Link<S>,
    pub(super) outbound: &'w mut Outbound<R>,
}

pub(super) struct Link<S> {
    pub(super) stream: S,
    /// Whether it was written to since it was flushed.
    pub(super) unflushed: bool,
    /// The transport has only one timer, and two tasks may wait for it, so it is always set to the earlier time.
    alarm: Option<Timestamp>,
    /// The message that was given to the `Sink`, while it is being compressed.
    started: Option<Box<(OwnedMessage, Compressing)>>,
}

/// Queues a message, once it is awaited: see [`Outgoing::feed`].
// An `async fn` would hold the payload twice.
#[must_use = "nothing is queued before it is awaited"]
pub struct Feed<'o, 'w, M, S, R> {
    outgoing: &'o mut Outgoing<'w, S, R>,
    message: M,
    compressing: Compressing,
}

// The message is not pinned with it.
impl<M, S, R> Unpin for Feed<'_, '_, M, S, R> {}

impl<M: AsPayload, S: PollTransport, R: Role> Future for Feed<'_, '_, M, S, R> {
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { outgoing, message, compressing } = self.get_mut();
        outgoing.poll_feed(cx, message.as_payload(), true, compressing)
    }
}

impl<'w, S: PollTransport, R: Role> Outgoing<'w, S, R> {
    /// Sends a message and everything queued before it.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the connection does not allow it, [`Error::Io`] if the transport failed.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits for room, or while the message is compressed, nothing was queued; dropped later, the
    /// message is queued whole and is written by the next operation. A frame is never cut.
    pub async fn send(&mut self, message: impl AsPayload) -> Result<(), Error> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Queues a message, to be written with others before the next wait for input or by [`flush`](Self::flush). Waits
    /// only while the queue is full, and for turns of others while a long message is compressed.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the connection does not allow it; [`Error::Io`] if the transport failed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped, the message was not queued.
    pub fn feed<'o, M: AsPayload>(&'o mut self, message: M) -> Feed<'o, 'w, M, S, R> {
        Feed { outgoing: self, message, compressing: Compressing::new() }
    }

    /// Sends a fragment of a message, the last if `fin`: a message of any size in constant memory.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the connection does not allow it; [`Error::Io`] if the transport failed.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits for room, or while the fragment is compressed, nothing was queued; dropped later, the
    /// fragment is queued whole and is written by the next operation. A frame is never cut.
    pub async fn send_fragment(&mut self, fragment: impl AsPayload, fin: bool) -> Result<(), Error> {
        let payload = fragment.as_payload();
        let mut compressing = Compressing::new();
        poll_fn(|cx| self.poll_feed(cx, payload, fin, &mut compressing)).await?;
        self.flush().await
    }

    /// Sends a Ping.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the connection does not allow it; [`Error::Io`] if the transport failed.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits for room, nothing was queued; dropped later, the Ping is queued and is written by the
    /// next operation.
    pub async fn ping(&mut self, payload: ControlPayload<'_>) -> Result<(), Error> {
        poll_fn(|cx| self.poll_ping(cx, payload)).await?;
        self.flush().await
    }

    /// Sends a Close. Messages can still come. Where the connection is closing already, only what is queued is written.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the connection does not allow it; [`Error::Io`] if the transport failed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the Close is queued at the first poll, once.
    pub async fn start_close<'c>(&mut self, frame: impl Into<CloseFrame<'c>>) -> Result<(), Error> {
        self.finish_started()?;
        self.outbound.close(frame.into())?;
        self.flush().await
    }

    /// Writes everything that is queued.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the transport failed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what was not written stays queued.
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Writes until at most `bytes` wait: the low watermark below which a producer goes on. The bound of the queue is
    /// the high one.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the transport failed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what was not written stays queued.
    pub async fn drain_to(&mut self, bytes: usize) -> Result<(), Error> {
        poll_fn(|cx| self.poll_drain_to(cx, bytes)).await
    }

    /// The queue: what can be done without waiting. Nothing of it is written before the next wait for input, or a
    /// [`flush`](Self::flush): so a queue that is full does not prove that the peer is slow.
    pub fn queue(&mut self) -> &mut Outbound<R> {
        self.outbound
    }

    /// Once there is room. Others have their turn while a long message is compressed.
    pub(super) fn poll_feed(
        &mut self,
        cx: &mut Context<'_>,
        payload: Payload<'_>,
        fin: bool,
        compressing: &mut Compressing,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_started(cx))?;
        self.poll_queue(cx, payload, fin, compressing)
    }

    fn poll_queue(
        &mut self,
        cx: &mut Context<'_>,
        payload: Payload<'_>,
        fin: bool,
        compressing: &mut Compressing,
    ) -> Poll<Result<(), Error>> {
        loop {
            self.acquire();
            let Self { link, outbound } = self;
            let fed = outbound.feed_in_turns(payload, fin, compressing, |slices| link.write_both(cx, slices));
            match fed {
                Ok(Fed::Queued) => return Poll::Ready(Ok(())),
                Ok(Fed::Compressing) => {
                    self.link.stream.wake_later(cx);
                    return Poll::Pending;
                }
                Err(FeedError::Full { .. }) => ready!(self.poll_write(cx))?,
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    /// The `Sink` found room for it before it knew the length.
    pub(super) fn start_send(&mut self, message: OwnedMessage) -> Result<(), Error> {
        self.finish_started()?;
        let mut compressing = Compressing::new();
        if self.outbound.has_room(0) {
            compressing = compressing.with_promised_room();
        }
        if self.outbound.feed_in_turns(&message, true, &mut compressing, |_| 0)? == Fed::Compressing {
            self.link.started = Some(Box::new((message, compressing)));
        }
        Ok(())
    }

    /// Compresses more of the message of the `Sink`. Ready once that is queued.
    pub(super) fn poll_started(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.link.started.is_none() {
            return Poll::Ready(Ok(()));
        }
        let queued = self.advance_started(cx);
        if queued.is_ready() {
            self.link.started = None;
        }
        queued
    }

    /// Does the same while receiving. If it fails, the next call that sends or flushes reports the error.
    pub(super) fn advance_started(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Some(mut started) = self.link.started.take() else { return Poll::Ready(Ok(())) };
        let (message, compressing) = &mut *started;
        let queued = self.poll_queue(cx, message.as_payload(), true, compressing);
        if !matches!(queued, Poll::Ready(Ok(()))) {
            self.link.started = Some(started);
        }
        queued
    }

    /// In one step: the caller queues something at once, which must not be sent before that message.
    pub(super) fn finish_started(&mut self) -> Result<(), Error> {
        if let Some(mut started) = self.link.started.take() {
            let (message, compressing) = &mut *started;
            while self.outbound.feed_in_turns(&*message, true, compressing, |_| 0)? == Fed::Compressing {}
        }
        Ok(())
    }

    pub(super) fn poll_ping(
        &mut self,
        cx: &mut Context<'_>,
        payload: ControlPayload<'_>,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx, crate::MAX_CONTROL_FRAME_LEN))?;
        self.outbound.ping(payload)?;
        if let Some(now) = self.link.stream.now() {
            self.outbound.pinged(now);
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>, len: usize) -> Poll<Result<(), Error>> {
        ready!(self.poll_started(cx))?;
        while !self.outbound.has_room(len) {
            ready!(self.poll_write(cx))?;
        }
        self.acquire();
        Poll::Ready(Ok(()))
    }

    pub(super) fn acquire(&mut self) {
        if self.outbound.wants_buffer() {
            thread_pool::with(|pool| self.outbound.acquire(pool));
        }
    }

    pub(super) fn poll_drain_to(&mut self, cx: &mut Context<'_>, bytes: usize) -> Poll<Result<(), Error>> {
        ready!(self.poll_started(cx))?;
        while self.outbound.output().len() > bytes {
            ready!(self.poll_write(cx))?;
        }
        Poll::Ready(self.outbound.written().map_err(Error::from))
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.poll_started(cx))?;
        while !self.outbound.output().is_empty() {
            ready!(self.poll_write(cx))?;
        }
        thread_pool::with(|pool| self.outbound.release(pool));
        self.outbound.written()?;
        let Poll::Ready(flushed) = self.link.poll_flush(cx) else {
            ready!(self.poll_deadlines(cx))?;
            return self.poll_flush(cx);
        };
        Poll::Ready(flushed.map_err(Error::from))
    }

    /// Writes once of what waits, or waits for the transport as long as the deadlines allow.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if let Poll::Ready(written) = self.poll_write_once(cx) {
                return Poll::Ready(written.map_err(Error::from));
            }
            ready!(self.poll_deadlines(cx))?;
            if self.outbound.output().is_empty() {
                return Poll::Ready(Ok(())); // the connection has ended
            }
        }
    }

    /// Nothing is read during the wait.
    fn poll_deadlines(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let now = ready!(self.link.poll_due(cx, self.outbound.poll_timeout()));
        Poll::Ready(self.outbound.handle_timeout(now).map_err(Error::from))
    }

    pub(super) fn poll_write_once(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let count = ready!(self.link.stream.poll_write(cx, self.outbound.output()))?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.outbound.wrote(count);
        self.link.unflushed = true;
        Poll::Ready(Ok(()))
    }

    /// As far as the transport lets us.
    pub(super) fn poll_fail(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.link.started = None; // no message is sent any more
        if ready!(self.poll_flush(cx)).is_ok() {
            while self.link.stream.poll_shutdown(cx).is_pending() {
                let passed = ready!(self.poll_deadlines(cx));
                if passed.is_err() || self.outbound.closed().is_some() {
                    break;
                }
            }
        }
        self.outbound.write_ended();
        self.outbound.take_failure();
        Poll::Ready(())
    }
}

impl<S: PollTransport> Outgoing<'_, S, Server> {
    /// For a message that was encoded once, for many connections.
    pub(super) fn poll_feed_prepared(
        &mut self,
        cx: &mut Context<'_>,
        message: &Prepared,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx, message.frame().len()))?;
        let Self { link, outbound } = self;
        let fed = if message.frame().len() < LONG_PAYLOAD {
            outbound.feed_prepared(message)
        } else {
            outbound.feed_prepared_through(message, |slices| link.write_both(cx, slices))
        };
        Poll::Ready(fed.map_err(Error::from))
    }

    /// Writes it as well, and what is queued before it. Once it is `fed`, only what is left is written.
    pub(super) fn poll_send_prepared(
        &mut self,
        cx: &mut Context<'_>,
        message: &Prepared,
        fed: &mut bool,
    ) -> Poll<Result<(), Error>> {
        if !*fed {
            if self.outbound.output().is_empty() {
                self.acquire();
                let Self { link, outbound } = self;
                outbound.feed_prepared_through(message, |[_, frame]| link.write(cx, frame))?;
            } else {
                ready!(self.poll_feed_prepared(cx, message))?;
            }
            *fed = true;
        }
        self.poll_flush(cx)
    }
}

impl<S> Link<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self { stream, unflushed: false, alarm: None, started: None }
    }
}

impl<S: PollTransport> Link<S> {
    /// As far as there is a clock. What time it is then.
    pub(super) fn poll_due(&mut self, cx: &mut Context<'_>, wake: Wake) -> Poll<Timestamp> {
        loop {
            let until = match wake {
                Wake::Never => return Poll::Pending,
                Wake::Now => return self.stream.now().map_or(Poll::Pending, Poll::Ready),
                Wake::At(until) => until,
            };
            let alarm = self.alarm.map_or(until, |alarm| alarm.min(until));
            self.alarm = Some(alarm);
            ready!(self.stream.poll_sleep(cx, alarm));
            self.alarm = None;
            match self.stream.now() {
                Some(now) if now >= until || alarm == until => return Poll::Ready(now.max(until)),
                Some(_) => {}
                None => return Poll::Pending,
            }
        }
    }

    /// Where the transport takes nothing, the next write tells why.
    pub(super) fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> usize {
        let written = self.stream.poll_write(cx, bytes);
        self.wrote(written)
    }

    /// If the transport takes both in one operation: otherwise it is better to copy them together.
    fn write_both(&mut self, cx: &mut Context<'_>, [first, second]: [&[u8]; 2]) -> usize {
        if !self.stream.is_write_vectored() {
            return 0;
        }
        let written = self.stream.poll_write_both(cx, first, second);
        self.wrote(written)
    }

    /// Writes out what the transport buffers itself.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unflushed {
            ready!(self.stream.poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn wrote(&mut self, written: Poll<io::Result<usize>>) -> usize {
        match written {
            Poll::Ready(Ok(count)) => {
                self.unflushed = true;
                count
            }
            Poll::Ready(Err(_)) | Poll::Pending => 0,
        }
    }
}

debug_states!([S, R] Outgoing<'_, S, R>, |this| { unflushed: this.link.unflushed, outbound: this.outbound });

debug_states!([M, S, R] Feed<'_, '_, M, S, R>, |this| { outgoing: this.outgoing, compressing: this.compressing });
