//! Reads from a polled transport, and writes to it meanwhile.
//
// Owns: doing what the endpoint asks for, until something is ready.
// Must not know: why it asks.

use core::future::Future;
use core::pin::Pin;
use core::task::{ready, Context, Poll};

use super::{Outgoing, Parts, PollTransport, WebSocket};
use crate::adapter::{thread_pool, Error};
use crate::connection::parked::Parked;
use crate::endpoint::{Action, Directions, Endpoint, Inbound, Ready, WriteSide};
use crate::error::ProtocolError;
use crate::role::Role;

/// As an `async fn` this would be several times as large, and every waiting task holds one.
pub(super) struct Receive<'w, S, R, T, const WHOLE: bool> {
    socket: Option<&'w mut WebSocket<S, R>>,
    /// The message was invalid, and the Close is being written.
    failing: Option<(Outgoing<'w, S, R>, ProtocolError)>,
    /// [`Inbound::message`] or [`Inbound::piece`].
    take: T,
}

pub(super) type Received<'w, T, S, R> = Result<Option<(T, Outgoing<'w, S, R>)>, Error>;

impl<'w, S, R, T, const WHOLE: bool> Receive<'w, S, R, T, WHOLE> {
    pub(super) fn new(socket: &'w mut WebSocket<S, R>, take: T) -> Self {
        Self { socket: Some(socket), failing: None, take }
    }

    fn poll_fail<X>(&mut self, cx: &mut Context<'_>) -> Poll<Result<X, Error>>
    where
        S: PollTransport,
        R: Role,
    {
        match &mut self.failing {
            Some((outgoing, error)) => outgoing.poll_fail(cx).map(|()| Err(Error::from(*error))),
            None => Poll::Pending,
        }
    }
}

impl<'w, S, R, T, X, const WHOLE: bool> Future for Receive<'w, S, R, T, WHOLE>
where
    S: PollTransport,
    R: Role,
    T: Fn(&'w mut Inbound, Ready) -> Result<Option<X>, ProtocolError> + Unpin,
{
    type Output = Received<'w, X, S, R>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(socket) = &mut this.socket else { return this.poll_fail(cx) };
        let found = socket.parts.endpoint.get_mut().and_then(Endpoint::ready);
        let came = if found.is_some() { found } else { ready!(socket.poll_ready::<WHOLE>(cx))? };
        let (Some(ready), Some(socket)) = (came, this.socket.take()) else { return Poll::Ready(Ok(None)) };
        let parts = &mut *socket.parts;
        let Parts { link, endpoint, .. } = parts;
        let (inbound, outbound) = endpoint.awake().split_mut();
        let outgoing = Outgoing { link, outbound };
        match (this.take)(inbound, ready) {
            Ok(taken) => Poll::Ready(Ok(taken.map(|taken| (taken, outgoing)))),
            Err(error) => {
                outgoing.outbound.fail(error);
                #[cfg(feature = "tracing")]
                parts.agreed.trace.failed(&error);
                this.failing = Some((outgoing, error));
                this.poll_fail(cx)
            }
        }
    }
}

/// Does what the endpoint asks for until something is ready, or the connection has ended (`None`). Wakes `cx`, or
/// `write_cx` for a write. `WHOLE` if messages are wanted, not pieces.
///
/// `parked` is `Some` if the endpoint is known to be idle: then there is nothing to do but read.
pub(super) fn drive<S: PollTransport, R: Role, const WHOLE: bool>(
    inbound: &mut Inbound,
    outgoing: &mut Outgoing<'_, S, R>,
    parked: &mut Option<Parked>,
    cx: &mut Context<'_>,
    write_cx: &mut Context<'_>,
) -> Poll<Result<Option<Ready>, Error>> {
    let mut write = WriteSide::Ready;
    loop {
        let action = match parked {
            Some(_) => Action::Read,
            None if WHOLE => Directions::new(inbound, outgoing.outbound).poll(write)?,
            None => Directions::new(inbound, outgoing.outbound).poll_piece(write)?,
        };
        match action {
            Action::Take(ready) => return Poll::Ready(Ok(Some(ready))),
            Action::Close => return Poll::Ready(Ok(None)),
            Action::Write => match outgoing.poll_write_once(write_cx) {
                Poll::Ready(Ok(())) => *parked = Directions::new(inbound, outgoing.outbound).park(),
                // What the peer sent before tells why.
                Poll::Ready(Err(_)) => outgoing.outbound.write_ended(),
                Poll::Pending if write == WriteSide::Blocked => {
                    ready!(poll_deadlines(inbound, outgoing, write_cx));
                    write = WriteSide::Ready;
                }
                Poll::Pending => write = WriteSide::Blocked,
            },
            Action::ShutdownWrite => match outgoing.link.stream.poll_shutdown(write_cx) {
                // A closed transport has the same effect.
                Poll::Ready(_) => outgoing.outbound.write_ended(),
                Poll::Pending if write == WriteSide::Blocked => {
                    ready!(poll_deadlines(inbound, outgoing, write_cx));
                    write = WriteSide::Ready;
                }
                Poll::Pending => write = WriteSide::Blocked,
            },
            Action::Read => {
                // A flush may take over the wake-up of a pending write. There is nothing to do but read.
                if write == WriteSide::Ready {
                    let _ = outgoing.link.poll_flush(write_cx);
                }
                if inbound.wants_buffer() {
                    thread_pool::with(|pool| inbound.acquire(pool));
                }
                match outgoing.link.stream.poll_read(cx, inbound.space()) {
                    Poll::Ready(Ok(0)) => Directions::new(inbound, outgoing.outbound).eof(),
                    Poll::Ready(Ok(count)) => {
                        inbound.filled(count);
                        outgoing.outbound.did_read();
                    }
                    Poll::Ready(Err(error)) => {
                        if Directions::new(inbound, outgoing.outbound).lost() {
                            return Poll::Ready(Err(error.into()));
                        }
                    }
                    Poll::Pending => {
                        if poll_deadlines(inbound, outgoing, write_cx).is_pending() {
                            return Poll::Pending;
                        }
                        write = WriteSide::Ready;
                    }
                }
                *parked = None;
            }
            Action::Yield => {
                // A peer that always sends more must not stop the timers.
                let _ = poll_deadlines(inbound, outgoing, write_cx);
                outgoing.link.stream.wake_later(cx);
                return Poll::Pending;
            }
        }
    }
}

fn poll_deadlines<S: PollTransport, R: Role>(
    inbound: &mut Inbound,
    outgoing: &mut Outgoing<'_, S, R>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let now = ready!(outgoing.link.poll_due(cx, Directions::new(inbound, outgoing.outbound).poll_timeout()));
    Directions::new(inbound, outgoing.outbound).handle_timeout(now);
    Poll::Ready(())
}
