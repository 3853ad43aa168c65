//! The WebSocket of all asynchronous runtimes: [`WebSocket`] has its methods, whatever the runtime.
//!
//! [`tokio`](crate::tokio) and [`futures_io`](crate::futures_io) give it their streams. For another runtime, or a
//! transport of your own, implement [`PollTransport`].
//
// Owns: polling, and which task is woken.
// Must not know: the protocol, or any one runtime.

mod byte_stream;
mod endpoint_slot;
mod opening;
mod outgoing;
mod reading;
mod split;

pub use byte_stream::ByteStream;
pub use opening::{
    accept, accept_buffered, accept_or_http, accept_with, client, client_with, receive, receive_buffered,
    PendingRequest,
};
pub(in crate::adapter) use opening::{open, open_client, receive_request};
pub use outgoing::{Feed, Incoming, Outgoing};
pub use split::{Receiver, Sender};

use alloc::boxed::Box;
use alloc::string::String;
use core::future::{poll_fn, Future};
use core::pin::Pin;
use core::task::{ready, Context, Poll};
use core::time::Duration;
use std::io;

use futures_core::Stream;
use futures_sink::Sink;

use self::endpoint_slot::EndpointSlot;
use self::outgoing::Link;
use self::reading::{drive, Receive, Received};
use super::agreed::Agreed;
use super::connections::Member;
use super::socket_methods::socket_methods;
use super::{Connections, Error};
use crate::close::{CloseCode, CloseFrame};
use crate::connection::closing::{Closed, ReadyState};
use crate::connection::Config;
use crate::endpoint::{Buffers, Endpoint, Inbound, Ready};
use crate::error::SendError;
use crate::event::Data;
use crate::message::{Message, OwnedMessage, Prepared};
use crate::payload::{AsPayload, ControlPayload};
use crate::role::{Role, Server};
use crate::time::Timestamp;

/// A byte stream that is polled, with a clock if it has one: what a runtime's adapter implements.
///
/// Each operation that is pending wakes the task of its last poll; reading, writing and sleeping may be polled by two
/// tasks ([`WebSocket::into_split`]).
///
/// # Examples
///
/// A socket of a runtime that says when to go on, here smol's. Without [`now`](Self::now) and
/// [`poll_sleep`](Self::poll_sleep) no timer runs.
///
/// ```no_run
/// use std::io::{self, Read, Write};
/// use std::net::{Shutdown, TcpStream};
/// use std::task::{ready, Context, Poll};
/// use sockless::polled::{self, PollTransport};
///
/// struct Socket(smol::Async<TcpStream>);
///
/// impl PollTransport for Socket {
///     fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
///         loop {
///             match self.0.get_ref().read(buf) {
///                 Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.0.poll_readable(cx))?,
///                 read => return Poll::Ready(read),
///             }
///         }
///     }
///
///     fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
///         loop {
///             match self.0.get_ref().write(buf) {
///                 Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.0.poll_writable(cx))?,
///                 written => return Poll::Ready(written),
///             }
///         }
///     }
///
///     fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
///         Poll::Ready(Ok(())) // nothing is buffered here
///     }
///
///     fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
///         Poll::Ready(self.0.get_ref().shutdown(Shutdown::Write))
///     }
/// }
///
/// # async fn open(stream: TcpStream) -> Result<(), sockless::Error> {
/// # let options = sockless::ServerConfig::new(sockless::handshake::OriginPolicy::Any);
/// let mut socket = polled::accept(Socket(smol::Async::new(stream)?), &options).await?;
/// # socket.send("Hello").await
/// # }
/// ```
pub trait PollTransport {
    /// Reads into `buf`; 0 is the end of the stream.
    ///
    /// # Errors
    ///
    /// Those of the transport.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes what the transport takes.
    ///
    /// # Errors
    ///
    /// Those of the transport.
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;

    /// Whether [`poll_write_both`](Self::poll_write_both) is better than copying the two together.
    fn is_write_vectored(&self) -> bool {
        false
    }

    /// Writes what the transport takes of both, in one operation.
    ///
    /// # Errors
    ///
    /// Those of the transport.
    fn poll_write_both(
        &mut self,
        cx: &mut Context<'_>,
        first: &[u8],
        second: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write(cx, if first.is_empty() { second } else { first })
    }

    /// Writes out what the transport buffers itself.
    ///
    /// # Errors
    ///
    /// Those of the transport.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the writing direction: the peer reads the end of the stream. For TLS, sends `close_notify`.
    ///
    /// # Errors
    ///
    /// Those of the transport.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// The time, from a clock that never runs backwards; `None` where there is no clock, and no timer runs.
    fn now(&mut self) -> Option<Timestamp> {
        None
    }

    /// Waits until this time. Only the time of the last call counts.
    fn poll_sleep(&mut self, cx: &mut Context<'_>, until: Timestamp) -> Poll<()> {
        let _ = (cx, until);
        Poll::Pending
    }

    /// Wakes the task that has more to do, but returns `Pending`, since it has had its share of the time.
    ///
    /// By default at once. That is right for runtimes which put a task that was woken behind all others.
    fn wake_later(&mut self, cx: &mut Context<'_>) {
        cx.waker().wake_by_ref();
    }
}

/// A WebSocket on a transport that is polled.
///
/// As a [`Stream`] and [`Sink`] it gives and takes [`OwnedMessage`]s; its own methods lend and borrow instead. Use it
/// from one task: the transport has one waker for each direction, and receiving writes what is owed.
///
/// While a server's that does not compress waits, it keeps about a hundred bytes and the transport. Buffers and an
/// endpoint are those of the thread.
pub struct WebSocket<S, R> {
    // So a future that holds a socket is small.
    parts: Box<Parts<S, R>>,
}

struct Parts<S, R> {
    link: Link<S>,
    agreed: Agreed,
    endpoint: EndpointSlot<R>,
    member: Option<Box<Member>>,
}

impl<S: PollTransport, R: Role> WebSocket<S, R> {
    /// After the opening handshake. `received` are the bytes that were read together with its end.
    pub fn new(stream: S, role: R, config: Config, buffers: Buffers, received: &[u8]) -> Self
    where
        R: 'static,
    {
        Self::with_endpoint(stream, Endpoint::new(role, config, buffers, received))
    }

    /// With an endpoint that knows what was agreed on.
    pub fn with_endpoint(stream: S, endpoint: Endpoint<R>) -> Self
    where
        R: 'static,
    {
        let parts = Parts {
            link: Link::new(stream),
            agreed: Agreed::default(),
            endpoint: EndpointSlot::new(endpoint),
            member: None,
        };
        Self { parts: Box::new(parts) }
    }

    /// With what the opening handshake agreed on.
    #[must_use]
    pub fn with_negotiated(mut self, negotiated: crate::handshake::Negotiated) -> Self {
        self.parts.agreed.negotiated = negotiated;
        self
    }

    /// With this subprotocol, which the opening handshake agreed on.
    #[must_use]
    pub fn with_subprotocol(mut self, name: impl Into<String>) -> Self {
        self.parts.agreed.subprotocol = Some(name.into().into());
        self
    }

    /// With what the opening handshake agreed on.
    fn with_agreed(mut self, agreed: Agreed) -> Self {
        self.parts.agreed = agreed;
        self
    }

    /// As one of these connections, which are closed together.
    #[must_use]
    pub fn with_connections(self, connections: &Connections) -> Self {
        self.with_member(Some(connections.enter()))
    }

    fn with_member(mut self, member: Option<Member>) -> Self {
        self.parts.member = member.map(Box::new);
        self
    }

    /// The subprotocol that the opening handshake agreed on, if it did.
    pub fn subprotocol(&self) -> Option<&str> {
        self.parts.agreed.subprotocol()
    }

    /// What the opening handshake agreed on beside it.
    pub fn negotiated(&self) -> crate::handshake::Negotiated {
        self.parts.agreed.negotiated
    }

    socket_methods! {
        [async] [.await] ["# Cancel safety"]
        /// Queues a message, to be written with others before the next wait for input or by [`flush`](Self::flush).
        /// Waits only while the queue is full, and for turns of others while a long message is compressed. A payload of
        /// 64 KiB or more that goes out as it is, is written at once as far as the transport takes it; the rest is
        /// queued.
    }

    /// The next message and the sending direction, so that an answer can be queued or sent while the message is
    /// still borrowed: no copy between the two. `None` once the connection has ended.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`], once, after the peer was told; [`Error::Io`] if the transport failed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped at any await, nothing received or queued is lost.
    pub fn recv_with(&mut self) -> impl Future<Output = Result<Option<Incoming<'_, S, R>>, Error>> + '_ {
        Receive::<_, _, _, true>::new(self, Inbound::message)
    }

    /// The sending direction.
    pub fn outgoing(&mut self) -> Outgoing<'_, S, R> {
        let Parts { link, endpoint, .. } = &mut *self.parts;
        Outgoing { link, outbound: endpoint.awake().outbound() }
    }

    /// How long the last Pong took that answered a Ping, also of keep-alive; `None` before. Too long where nobody
    /// receives. The peer can make it too short ([`Outbound::latency`](crate::endpoint::Outbound::latency)).
    pub fn latency(&self) -> Option<Duration> {
        match self.parts.endpoint.get() {
            Some(endpoint) => endpoint.latency(),
            None => self.parts.endpoint.park()?.latency(),
        }
    }

    /// Whether a Ping was sent whose Pong has not come.
    pub fn awaits_pong(&self) -> bool {
        match self.parts.endpoint.get() {
            Some(endpoint) => endpoint.awaits_pong(),
            None => self.parts.endpoint.park().is_some_and(|parked| parked.awaits_pong()),
        }
    }

    /// The transport.
    pub fn get_ref(&self) -> &S {
        &self.parts.link.stream
    }

    /// The transport. What was received and not taken, or queued and not written, is lost.
    pub fn into_inner(self) -> S {
        self.parts.link.stream
    }

    /// The engine, for what this adapter does not cover. It is there until nothing comes again.
    pub fn endpoint(&mut self) -> &mut Endpoint<R> {
        self.parts.endpoint.awake()
    }

    fn recv_piece_with(&mut self) -> impl Future<Output = Received<'_, Data<'_>, S, R>> + '_ {
        Receive::<_, _, _, false>::new(self, Inbound::piece)
    }

    fn awake(&self) -> Option<&Endpoint<R>> {
        self.parts.endpoint.get()
    }

    /// Whether the operation that failed may be called again.
    const fn is_passing(_: &io::Error) -> bool {
        false
    }

    /// Does what is to be done until something is ready, or the connection has ended (`None`). `WHOLE` if messages are
    /// wanted, not pieces.
    // By itself: what it needs is not set up for each message of one read.
    fn poll_ready<const WHOLE: bool>(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Ready>, Error>> {
        let Parts { link, endpoint, member, .. } = &mut *self.parts;
        if let Some(order) = member.as_mut().and_then(|member| member.poll(cx)) {
            let (inbound, outbound) = endpoint.awake().split_mut();
            order.obey(inbound, outbound)?;
        }
        let mut parked = endpoint.park();
        let (inbound, outbound) = endpoint.awake().split_mut();
        let mut write = Context::from_waker(cx.waker());
        let mut outgoing = Outgoing { link, outbound };
        let _ = outgoing.advance_started(&mut write);
        let came = drive::<S, R, WHOLE>(inbound, &mut outgoing, &mut parked, cx, &mut write);
        if came.is_pending() {
            endpoint.settle(parked);
        }
        #[cfg(feature = "tracing")]
        if let Poll::Ready(came) = &came {
            self.parts.agreed.trace.came(came, || self.closed());
        }
        came
    }
}

impl<S: PollTransport> WebSocket<S, Server> {
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
        let mut outgoing = self.outgoing();
        poll_fn(|cx| outgoing.poll_feed_prepared(cx, message)).await
    }

    /// Sends a message that was encoded once for many connections, and everything queued before it. If nothing is, it
    /// is written from where it stands.
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
        poll_fn(|cx| self.poll_send_prepared(cx, message, &mut fed)).await
    }

    fn poll_send_prepared(
        &mut self,
        cx: &mut Context<'_>,
        message: &Prepared,
        fed: &mut bool,
    ) -> Poll<Result<(), Error>> {
        let Parts { link, endpoint, .. } = &mut *self.parts;
        let Some(frame) = endpoint.park().and_then(|parked| message.frame_for_parked(&parked)) else {
            return self.outgoing().poll_send_prepared(cx, message, fed);
        };
        if !*fed {
            let written = link.write(cx, frame);
            if written < frame.len() {
                let mut outgoing = self.outgoing();
                outgoing.acquire();
                outgoing.outbound.feed_prepared_through(message, |_| written)?;
                *fed = true;
                return outgoing.poll_flush(cx);
            }
            *fed = true;
        }
        match link.poll_flush(cx) {
            Poll::Ready(flushed) => Poll::Ready(flushed.map_err(Error::from)),
            // It waits, and a wait has an end.
            Poll::Pending => self.outgoing().poll_flush(cx),
        }
    }
}

impl<S: PollTransport, R: Role> Stream for WebSocket<S, R> {
    type Item = Result<OwnedMessage, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let found = this.parts.endpoint.get_mut().and_then(Endpoint::ready);
        let came = match found {
            Some(_) => found,
            None => ready!(this.poll_ready::<true>(cx))?,
        };
        let Some(ready) = came else { return Poll::Ready(None) };
        let (inbound, outbound) = this.parts.endpoint.awake().split_mut();
        match inbound.message(ready) {
            Ok(message) => Poll::Ready(message.map(|message| Ok(message.into()))),
            Err(error) => {
                outbound.fail(error);
                outbound.take_failure();
                #[cfg(feature = "tracing")]
                this.parts.agreed.trace.failed(&error);
                // Written as far as the transport takes it at once, and by the next poll otherwise.
                let _ = this.outgoing().poll_flush(cx);
                Poll::Ready(Some(Err(error.into())))
            }
        }
    }
}

impl<S: PollTransport, R: Role> Sink<OwnedMessage> for WebSocket<S, R> {
    type Error = Error;

    /// Ready once the queue is below its bound.
    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().outgoing().poll_room(cx, 0)
    }

    fn start_send(self: Pin<&mut Self>, message: OwnedMessage) -> Result<(), Error> {
        self.get_mut().outgoing().start_send(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().outgoing().poll_flush(cx)
    }

    /// Sends a Close with 1000 if none was sent; the stream ends once the peer's has come.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut outgoing = self.get_mut().outgoing();
        ready!(outgoing.poll_started(cx))?;
        if outgoing.outbound.ready_state() == ReadyState::Open {
            outgoing.outbound.close(CloseCode::NORMAL.into())?;
        }
        outgoing.poll_flush(cx)
    }
}

debug_states!([S, R] WebSocket<S, R>, |this| { unflushed: this.parts.link.unflushed, endpoint: this.parts.endpoint });
