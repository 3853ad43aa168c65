//! The two directions of a WebSocket on two tasks.
//!
//! The halves share the transport and the sending direction: both are locked for the time of one poll, never over an
//! await. Whichever half is polled next writes what is owed, and a write that is pending wakes both.
//
// Owns: the lock between the halves, and whom the transport wakes.
// Must not know: the protocol.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::future::{poll_fn, Future};
use core::pin::Pin;
use core::task::{ready, Context, Poll, Waker};
use core::time::Duration;
use std::sync::PoisonError;
use std::task::Wake;

use futures_core::Stream;
use futures_sink::Sink;

use super::{drive, EndpointSlot, Link, Outgoing, Parts, PollTransport, WebSocket};
use crate::adapter::agreed::Agreed;
use crate::adapter::connections::Member;
use crate::adapter::last_close::LastClose;
use crate::adapter::receiver_guard::{Halves, ReceiverGuard};
use crate::adapter::socket_methods::{receiver_methods, sender_methods};
use crate::adapter::sync::{Mutex, MutexGuard};
use crate::adapter::{thread_pool, Error, ReuniteError};
use crate::close::{CloseCode, CloseFrame};
use crate::connection::closing::{Closed, ReadyState};
use crate::endpoint::{Compressing, Endpoint, Inbound, Outbound, Ready};
use crate::error::{ProtocolError, SendError};
use crate::event::Data;
use crate::message::{Message, OwnedMessage, Prepared};
use crate::payload::{AsPayload, ControlPayload, Payload};
use crate::role::{Role, Server};

/// The receiving half of a [`WebSocket`], for a task of its own. It answers Pings, and drives the closing handshake and
/// the timers.
pub struct Receiver<S, R> {
    inbound: Inbound,
    shared: Arc<TaskHalves<S, R>>,
    left: ReceiverGuard<TaskHalves<S, R>>,
    member: Option<Box<Member>>,
    agreed: Agreed,
}

/// The sending half of a [`WebSocket`], for a task of its own.
pub struct Sender<S, R> {
    shared: Arc<TaskHalves<S, R>>,
    /// The peer's reason, once it was asked for.
    reason: String,
}

/// What [`Receiver::reunite`] gives back.
type NotHalves<S, R> = ReuniteError<Receiver<S, R>, Sender<S, R>>;

struct TaskHalves<S, R> {
    both: Mutex<LockedLink<S, R>>,
    wakers: Arc<Wakers>,
}

impl<S, R> Halves for TaskHalves<S, R> {
    fn receiver_left(&self) {
        let over = {
            let both = &mut *self.lock();
            both.deaf = true;
            both.over()
        };
        drop(over);
        wake(&self.wakers.sender);
    }
}

struct LockedLink<S, R> {
    link: Option<Link<S>>,
    outbound: Outbound<R>,
    /// The peer's Close, once it came.
    close: Option<LastClose>,
    /// Nobody reads any more.
    deaf: bool,
}

/// Both tasks, since either may go on with it.
#[derive(Default)]
struct Wakers {
    receiver: Mutex<Option<Waker>>,
    sender: Mutex<Option<Waker>>,
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        wake(&self.receiver);
        wake(&self.sender);
    }
}

/// It stays: a task that waits for two things is woken for either.
fn wake(slot: &Mutex<Option<Waker>>) {
    let waker = lock(slot).clone();
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn wait(slot: &Mutex<Option<Waker>>, cx: &Context<'_>) {
    let mut slot = lock(slot);
    match &mut *slot {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *slot = Some(cx.waker().clone()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each poll is whole or did not happen.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: PollTransport, R: Role> WebSocket<S, R> {
    /// The two halves, for two tasks or threads. [`Receiver::reunite`] puts them together again.
    pub fn into_split(self) -> (Receiver<S, R>, Sender<S, R>) {
        let parts = *self.parts;
        let (inbound, outbound) = parts.endpoint.into_awake().into_split();
        let both = LockedLink { link: Some(parts.link), outbound, close: None, deaf: false };
        let shared = Arc::new(TaskHalves { both: Mutex::new(both), wakers: Arc::default() });
        let receiver = Receiver {
            inbound,
            left: ReceiverGuard::new(&shared),
            shared: Arc::clone(&shared),
            member: parts.member,
            agreed: parts.agreed,
        };
        (receiver, Sender { shared, reason: String::new() })
    }
}

impl<S: PollTransport, R: Role> Receiver<S, R> {
    /// The next message; `None` once the connection has ended, of which [`closed`](Self::closed) tells how.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`], once, after the peer was told; [`Error::Io`] if the transport failed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped at any await, nothing received or queued is lost.
    pub async fn recv(&mut self) -> Result<Option<Message<'_>>, Error> {
        let came = poll_fn(|cx| self.poll_ready::<true>(cx)).await?;
        let Some(ready) = came else { return Ok(None) };
        let Self { inbound, shared, .. } = self;
        match inbound.message(ready) {
            Ok(message) => Ok(message),
            Err(error) => {
                shared.fail(error).await;
                #[cfg(feature = "tracing")]
                self.agreed.trace.failed(&error);
                Err(error.into())
            }
        }
    }

    /// The next piece of a message, for messages of any size in constant memory.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`], once, after the peer was told; [`Error::Io`] if the transport failed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped at any await, nothing received or queued is lost.
    pub async fn recv_piece(&mut self) -> Result<Option<Data<'_>>, Error> {
        let came = poll_fn(|cx| self.poll_ready::<false>(cx)).await?;
        let Some(ready) = came else { return Ok(None) };
        let Self { inbound, shared, .. } = self;
        match inbound.piece(ready) {
            Ok(piece) => Ok(piece),
            Err(error) => {
                shared.fail(error).await;
                #[cfg(feature = "tracing")]
                self.agreed.trace.failed(&error);
                Err(error.into())
            }
        }
    }

    receiver_methods!();

    /// The subprotocol that the opening handshake agreed on, if it did.
    pub fn subprotocol(&self) -> Option<&str> {
        self.agreed.subprotocol()
    }

    /// What the opening handshake agreed on beside it.
    pub const fn negotiated(&self) -> crate::handshake::Negotiated {
        self.agreed.negotiated
    }

    /// The WebSocket whose halves these are.
    ///
    /// # Errors
    ///
    /// [`ReuniteError`] with both, if they are not halves of one.
    pub fn reunite(self, sender: Sender<S, R>) -> Result<WebSocket<S, R>, Box<NotHalves<S, R>>>
    where
        R: 'static,
    {
        if !Arc::ptr_eq(&self.shared, &sender.shared) {
            return Err(Box::new(ReuniteError(self, sender)));
        }
        drop(sender);
        let Self { inbound, shared, left, member, agreed } = self;
        left.disarm();
        // There are only these two halves, and the transport is there while the receiving one is.
        let strangers = match Arc::try_unwrap(shared) {
            Ok(TaskHalves { both, wakers }) => {
                let both = both.into_inner().unwrap_or_else(PoisonError::into_inner);
                match both {
                    LockedLink { link: Some(link), outbound, .. } => {
                        let parts = Parts {
                            link,
                            agreed,
                            endpoint: EndpointSlot::new(Endpoint::from_split(inbound, outbound)),
                            member,
                        };
                        return Ok(WebSocket { parts: Box::new(parts) });
                    }
                    both @ LockedLink { link: None, .. } => {
                        Arc::new(TaskHalves { both: Mutex::new(both), wakers })
                    }
                }
            }
            Err(shared) => shared,
        };
        let receiver = Self {
            inbound,
            shared: Arc::clone(&strangers),
            left: ReceiverGuard::new(&strangers),
            member,
            agreed,
        };
        Err(Box::new(ReuniteError(receiver, Sender { shared: strangers, reason: String::new() })))
    }

    pub(super) fn inbound(&mut self) -> &mut Inbound {
        &mut self.inbound
    }

    pub(super) fn poll_ready<const WHOLE: bool>(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Ready>, Error>> {
        let Self { inbound, shared, member, .. } = self;
        wait(&shared.wakers.receiver, cx);
        if let Some(order) = member.as_mut().and_then(|member| member.poll(cx)) {
            order.obey(inbound, &mut shared.lock().outbound)?;
            wake(&shared.wakers.sender);
        }
        let write_waker = Waker::from(Arc::clone(&shared.wakers));
        let closes;
        let came = {
            let both = &mut *shared.lock();
            let LockedLink { link: Some(link), outbound, close, .. } = both else {
                return Poll::Ready(Ok(None));
            };
            let mut outgoing = Outgoing { link, outbound };
            let mut write = Context::from_waker(&write_waker);
            let _ = outgoing.advance_started(&mut write);
            let came = drive::<S, R, WHOLE>(inbound, &mut outgoing, &mut None, cx, &mut write);
            if came.is_pending() {
                thread_pool::with(|pool| {
                    inbound.release(pool);
                    outgoing.outbound.release(pool);
                });
            }
            closes = LastClose::keep(close, inbound.received_close());
            came
        };
        #[cfg(feature = "tracing")]
        if let Poll::Ready(came) = &came {
            self.agreed.trace.came(came, || self.closed());
        }
        let shared = &self.shared;
        if closes || matches!(came, Poll::Ready(Ok(None) | Err(_))) {
            // The sender may wait for what does not come any more.
            wake(&shared.wakers.sender);
        }
        came
    }
}

impl<S: PollTransport, R: Role> Sender<S, R> {
    sender_methods! {
        [async] [.await] ["# Cancel safety"]
        /// Queues a message, to be written by [`flush`](Self::flush), or when the receiving half is polled next. Waits
        /// only while the queue is full, and for turns of others while a long message is compressed. A long payload is
        /// written at once, as by [`WebSocket::feed`].
    }

    /// Waits for the end of the connection, for which the receiving half has to be polled. How it ended; `None` if that
    /// half was dropped before: nobody reads any more. The transport is dropped once the connection has ended and the
    /// receiving half is gone.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: call it again to go on waiting.
    pub async fn ended(&mut self) -> Option<Closed> {
        poll_fn(|cx| {
            wait(&self.shared.wakers.sender, cx);
            let both = self.shared.lock();
            match both.outbound.closed() {
                None if !both.deaf => Poll::Pending,
                closed => Poll::Ready(closed),
            }
        })
        .await
    }

    /// Writes until at most `bytes` wait: the low watermark below which a producer goes on. The bound of the queue is
    /// the high one.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the transport failed; [`Error::Protocol`] if the peer took nothing for longer than a deadline
    /// allows, or the connection failed for another reason before all was written; [`Error::Send`] if it ended before.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what was not written stays queued.
    pub async fn drain_to(&mut self, bytes: usize) -> Result<(), Error> {
        poll_fn(|cx| self.poll_written(cx, bytes)).await
    }

    /// Bytes that wait for the transport.
    pub fn queued(&self) -> usize {
        self.shared.lock().outbound.queued()
    }

    async fn queue(&mut self, payload: Payload<'_>, fin: bool) -> Result<(), Error> {
        let mut compressing = Compressing::new();
        poll_fn(|cx| {
            self.poll_with(cx, |outgoing, cx| outgoing.poll_feed(cx, payload, fin, &mut compressing))
        })
        .await
    }

    async fn queue_ping(&mut self, payload: ControlPayload<'_>) -> Result<(), Error> {
        poll_fn(|cx| self.poll_with(cx, |outgoing, cx| outgoing.poll_ping(cx, payload))).await
    }

    /// The next poll writes it.
    pub(super) fn queue_close(&self, frame: CloseFrame<'_>) -> Result<(), Error> {
        {
            let both = &mut *self.shared.lock();
            if let Some(mut outgoing) = both.outgoing() {
                outgoing.finish_started()?;
            }
            both.outbound.close(frame)?;
        }
        wake(&self.shared.wakers.receiver);
        Ok(())
    }

    fn write_all(&mut self) -> impl Future<Output = Result<(), Error>> + '_ {
        poll_fn(|cx| self.poll_written(cx, 0))
    }

    /// The context wakes both halves.
    pub(super) fn poll_with<T>(
        &self,
        cx: &mut Context<'_>,
        operation: impl FnOnce(&mut Outgoing<'_, S, R>, &mut Context<'_>) -> Poll<Result<T, Error>>,
    ) -> Poll<Result<T, Error>> {
        wait(&self.shared.wakers.sender, cx);
        let write_waker = Waker::from(Arc::clone(&self.shared.wakers));
        let (polled, over) = {
            let both = &mut *self.shared.lock();
            match both.outgoing() {
                Some(mut outgoing) => {
                    let polled = operation(&mut outgoing, &mut Context::from_waker(&write_waker));
                    (polled, both.over())
                }
                None => (Poll::Ready(Err(SendError::Closed.into())), None),
            }
        };
        drop(over);
        if let Poll::Ready(Err(Error::Protocol(_))) = polled {
            // The receiving half has to hear of it.
            wake(&self.shared.wakers.receiver);
        }
        polled
    }

    /// A success if that was written before the end.
    pub(super) fn poll_written(&self, cx: &mut Context<'_>, bytes: usize) -> Poll<Result<(), Error>> {
        if let LockedLink { link: None, outbound, .. } = &*self.shared.lock() {
            return Poll::Ready(outbound.written().map_err(Error::from));
        }
        self.poll_with(cx, |outgoing, cx| match bytes {
            0 => outgoing.poll_flush(cx),
            bytes => outgoing.poll_drain_to(cx, bytes),
        })
    }
}

impl<S: PollTransport> Sender<S, Server> {
    /// Queues a message that was encoded once for many connections.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the connection does not allow it; [`Error::Io`] if the transport failed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped, the message was not queued.
    pub async fn feed_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
        poll_fn(|cx| self.poll_with(cx, |outgoing, cx| outgoing.poll_feed_prepared(cx, message))).await
    }

    /// Sends a message that was encoded once for many connections. See [`WebSocket::send_prepared`].
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the connection does not allow it; [`Error::Io`] if the transport failed.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits for room, or while the message is compressed, nothing was queued; dropped later, the
    /// message is queued whole and is written by the next operation. A frame is never cut.
    pub async fn send_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
        let mut fed = false;
        poll_fn(|cx| self.poll_with(cx, |outgoing, cx| outgoing.poll_send_prepared(cx, message, &mut fed)))
            .await
    }
}

impl<S: PollTransport, R: Role> TaskHalves<S, R> {
    /// As far as the transport lets us.
    async fn fail(&self, error: ProtocolError) {
        self.lock().outbound.fail(error);
        poll_fn(|cx| {
            wait(&self.wakers.receiver, cx);
            let write_waker = Waker::from(Arc::clone(&self.wakers));
            match self.lock().outgoing() {
                Some(mut outgoing) => outgoing.poll_fail(&mut Context::from_waker(&write_waker)),
                None => Poll::Ready(()),
            }
        })
        .await;
        wake(&self.wakers.sender);
    }
}

impl<S: PollTransport + Unpin, R: Role + Unpin> Stream for Receiver<S, R> {
    type Item = Result<OwnedMessage, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let came = ready!(this.poll_ready::<true>(cx))?;
        let Some(ready) = came else { return Poll::Ready(None) };
        let write_waker = Waker::from(Arc::clone(&this.shared.wakers));
        let both = &mut *this.shared.lock();
        match this.inbound.message(ready) {
            Ok(message) => Poll::Ready(message.map(|message| Ok(message.into()))),
            Err(error) => {
                // Written as far as the transport takes it at once, and by the next poll otherwise.
                #[cfg(feature = "tracing")]
                this.agreed.trace.failed(&error);
                both.outbound.fail(error);
                both.outbound.take_failure();
                if let Some(mut outgoing) = both.outgoing() {
                    let _ = outgoing.poll_flush(&mut Context::from_waker(&write_waker));
                }
                Poll::Ready(Some(Err(error.into())))
            }
        }
    }
}

impl<S: PollTransport + Unpin, R: Role + Unpin> Sink<OwnedMessage> for Sender<S, R> {
    type Error = Error;

    /// Ready once the queue is below its bound.
    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_with(cx, |outgoing, cx| outgoing.poll_room(cx, 0))
    }

    fn start_send(self: Pin<&mut Self>, message: OwnedMessage) -> Result<(), Error> {
        match self.shared.lock().outgoing() {
            Some(mut outgoing) => outgoing.start_send(message),
            None => Err(SendError::Closed.into()),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_written(cx, 0)
    }

    /// Sends a Close with 1000 if none was sent; the receiving half ends once the peer's has come.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.shared.lock().outbound.ready_state() == ReadyState::Closed {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_with(cx, |outgoing, cx| outgoing.poll_started(cx)))?;
        self.shared.lock().outbound.close(CloseCode::NORMAL.into())?;
        wake(&self.shared.wakers.receiver);
        self.poll_written(cx, 0)
    }
}

impl<S, R> TaskHalves<S, R> {
    fn lock(&self) -> MutexGuard<'_, LockedLink<S, R>> {
        lock(&self.both)
    }
}

impl<S, R> LockedLink<S, R> {
    /// To be dropped outside of the lock, if nobody needs it any more.
    fn over(&mut self) -> Option<Link<S>> {
        if self.deaf && self.outbound.has_ended() {
            self.link.take()
        } else {
            None
        }
    }

    fn outgoing(&mut self) -> Option<Outgoing<'_, S, R>> {
        let Self { link, outbound, .. } = self;
        Some(Outgoing { link: link.as_mut()?, outbound })
    }
}

debug_states!([S, R] Receiver<S, R>, |this| { inbound: this.inbound });

debug_states!([S, R] Sender<S, R>, |_this| {});
