//! How a polled transport is read from, and written to meanwhile.
//
// Owns: doing what the endpoint asks for, until it can hand something out.
// Must not know: why it asks.

use core::convert::Infallible;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{ready, Context, Poll};

use super::{Outgoing, Parts, PollTransport, WebSocket};
use crate::adapter::{thread_pool, Error};
use crate::error::ProtocolError;
use crate::event::Data;
use crate::message::{Action, Directions, Inbound, Message, WriteSide};
use crate::parked::Parked;
use crate::reader::ShortMessage;
use crate::role::{Role, Side};

/// What is received: whole messages or pieces.
pub(super) trait Unit {
    type Taken<'i>;

    /// One that was read already, is whole and short, and comes next.
    type Found;

    /// Finds that, if it is there, so that it is taken at once.
    fn find(side: Side, inbound: &mut Inbound) -> Option<Self::Found>;

    /// The one that was found.
    fn take_found(found: Self::Found, inbound: &mut Inbound) -> Result<Self::Taken<'_>, ProtocolError>;

    /// What to do next towards one, where none was found.
    fn poll<R: Role>(directions: &mut Directions<'_, R>, write: WriteSide) -> Result<Action, ProtocolError>;

    /// The one that was announced.
    fn take(inbound: &mut Inbound) -> Result<Option<Self::Taken<'_>>, ProtocolError>;
}

/// Messages.
pub(super) enum Whole {}

/// Pieces of messages.
pub(super) enum Part {}

impl Unit for Whole {
    type Taken<'i> = Message<'i>;
    type Found = ShortMessage;

    #[inline(always)]
    fn find(side: Side, inbound: &mut Inbound) -> Option<ShortMessage> {
        inbound.find_short(side)
    }

    #[inline(always)]
    fn take_found(found: ShortMessage, inbound: &mut Inbound) -> Result<Message<'_>, ProtocolError> {
        inbound.take_short(found)
    }

    #[inline]
    fn poll<R: Role>(directions: &mut Directions<'_, R>, write: WriteSide) -> Result<Action, ProtocolError> {
        directions.poll_on(write)
    }

    #[inline]
    fn take(inbound: &mut Inbound) -> Result<Option<Message<'_>>, ProtocolError> {
        inbound.message()
    }
}

impl Unit for Part {
    type Taken<'i> = Data<'i>;
    /// A piece is announced first.
    type Found = Infallible;

    #[inline(always)]
    fn find(_: Side, _: &mut Inbound) -> Option<Infallible> {
        None
    }

    #[inline(always)]
    fn take_found(found: Infallible, _: &mut Inbound) -> Result<Data<'_>, ProtocolError> {
        match found {}
    }

    #[inline]
    fn poll<R: Role>(directions: &mut Directions<'_, R>, write: WriteSide) -> Result<Action, ProtocolError> {
        directions.poll_piece(write)
    }

    #[inline]
    fn take(inbound: &mut Inbound) -> Result<Option<Data<'_>>, ProtocolError> {
        inbound.piece()
    }
}

/// What driving came to.
pub(super) enum Came<F> {
    /// One that was found, and must be taken at once.
    Found(F),
    /// One that is announced.
    Announced,
    /// The end of the connection.
    End,
}

impl<F> Came<F> {
    /// What came, if it is not the end.
    #[inline(always)]
    pub(super) fn take<U: Unit<Found = F>>(
        self,
        inbound: &mut Inbound,
    ) -> Result<Option<U::Taken<'_>>, ProtocolError> {
        match self {
            Self::Found(found) => U::take_found(found, inbound).map(Some),
            Self::Announced => U::take(inbound),
            Self::End => Ok(None),
        }
    }
}

/// Receives one, with the sending direction.
///
/// It is in each task that waits: as an `async fn` it would be several times as large.
pub(super) struct Receive<'w, S, R, U> {
    /// Until something came.
    socket: Option<&'w mut WebSocket<S, R>>,
    /// What came is wrong, which the peer is told.
    failing: Option<(Outgoing<'w, S, R>, ProtocolError)>,
    unit: PhantomData<fn() -> U>,
}

impl<'w, S, R, U> Receive<'w, S, R, U> {
    #[inline]
    pub(super) fn new(socket: &'w mut WebSocket<S, R>) -> Self {
        Self { socket: Some(socket), failing: None, unit: PhantomData }
    }
}

impl<'w, S: PollTransport, R: Role, U: Unit> Receive<'w, S, R, U> {
    /// What was read already, if that is all there is to do.
    #[inline(always)]
    fn find(&mut self) -> Option<(&'w mut WebSocket<S, R>, U::Found)> {
        let (inbound, outbound) = self.socket.as_mut()?.parts.endpoint.get_mut()?.split_mut();
        let found = U::find(outbound.side(), inbound)?;
        Some((self.socket.take()?, found))
    }

    /// As [`poll`](Future::poll), where nothing was found.
    // By itself: where it is not inlined, what it needs is not set up for each message of one read.
    fn poll_long(&mut self, cx: &mut Context<'_>) -> Poll<<Self as Future>::Output> {
        let Some(socket) = self.socket.take() else { return self.poll_fail(cx) };
        match socket.poll_take::<U>(cx) {
            Poll::Ready(Ok(came)) => self.give(socket, came, cx),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                self.socket = Some(socket);
                Poll::Pending
            }
        }
    }

    /// Hands out what came.
    #[inline(always)]
    fn give(
        &mut self,
        socket: &'w mut WebSocket<S, R>,
        came: Came<U::Found>,
        cx: &mut Context<'_>,
    ) -> Poll<<Self as Future>::Output> {
        let Parts { link, endpoint, .. } = &mut *socket.parts;
        let (inbound, outbound) = endpoint.awake().split_mut();
        let outgoing = Outgoing { link, outbound };
        match came.take::<U>(inbound) {
            Ok(taken) => Poll::Ready(Ok(taken.map(|taken| (taken, outgoing)))),
            Err(error) => {
                outgoing.outbound.fail(error);
                self.failing = Some((outgoing, error));
                self.poll_fail(cx)
            }
        }
    }

    /// Tells the peer what is wrong.
    #[cold]
    fn poll_fail(&mut self, cx: &mut Context<'_>) -> Poll<<Self as Future>::Output> {
        match &mut self.failing {
            Some((outgoing, error)) => outgoing.poll_fail(cx).map(|()| Err(Error::from(*error))),
            None => Poll::Pending,
        }
    }
}

impl<'w, S: PollTransport, R: Role, U: Unit> Future for Receive<'w, S, R, U> {
    type Output = Result<Option<(U::Taken<'w>, Outgoing<'w, S, R>)>, Error>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        match this.find() {
            Some((socket, found)) => this.give(socket, Came::Found(found), cx),
            None => this.poll_long(cx),
        }
    }
}

/// Does what the endpoint asks for until something can be taken or the connection has ended, where nothing was
/// [found](Unit::find). What is pending wakes `cx`, and `write_cx` where it is a write.
///
/// An endpoint of which `parked` says what is to be kept has nothing to do but to read. At a wait this says so
/// again, if it is known.
pub(super) fn drive<S: PollTransport, R: Role, U: Unit>(
    inbound: &mut Inbound,
    outgoing: &mut Outgoing<'_, S, R>,
    parked: &mut Option<Parked>,
    cx: &mut Context<'_>,
    write_cx: &mut Context<'_>,
) -> Poll<Result<Came<U::Found>, Error>> {
    let mut write = WriteSide::Ready;
    loop {
        let action = match parked {
            Some(_) => Action::Read,
            None => U::poll(&mut Directions::new(inbound, outgoing.outbound), write)?,
        };
        match action {
            Action::Take => return Poll::Ready(Ok(Came::Announced)),
            Action::Close => return Poll::Ready(Ok(Came::End)),
            Action::Write => match outgoing.poll_write_once(write_cx) {
                // That was all, mostly.
                Poll::Ready(Ok(())) => *parked = Directions::new(inbound, outgoing.outbound).park(),
                // The peer does not read any more; what it sent before tells why.
                Poll::Ready(Err(_)) => outgoing.outbound.write_ended(),
                Poll::Pending if write == WriteSide::Blocked => {
                    ready!(poll_deadlines(inbound, outgoing, write_cx));
                    write = WriteSide::Ready;
                }
                Poll::Pending => write = WriteSide::Blocked,
            },
            Action::ShutdownWrite => match outgoing.link.stream.poll_shutdown(write_cx) {
                // A transport that has ended is as good.
                Poll::Ready(_) => outgoing.outbound.write_ended(),
                Poll::Pending if write == WriteSide::Blocked => {
                    ready!(poll_deadlines(inbound, outgoing, write_cx));
                    write = WriteSide::Ready;
                }
                Poll::Pending => write = WriteSide::Blocked,
            },
            Action::Read => {
                // A write that waits must not be disturbed: a flush may take its wake-up. Whether the
                // transport's own buffer is written out or not, there is nothing to do but read.
                if write == WriteSide::Ready {
                    let _ = outgoing.link.poll_flush(write_cx);
                }
                let space = match inbound.plain_space() {
                    Some(space) => space,
                    None => {
                        thread_pool::with(|pool| inbound.acquire(pool));
                        inbound.space()
                    }
                };
                match outgoing.link.stream.poll_read(cx, space) {
                    Poll::Ready(Ok(0)) => Directions::new(inbound, outgoing.outbound).eof(),
                    Poll::Ready(Ok(count)) => {
                        inbound.filled(count);
                        outgoing.outbound.did_read();
                        if let Some(found) = U::find(outgoing.outbound.side(), inbound) {
                            return Poll::Ready(Ok(Came::Found(found)));
                        }
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
                // A peer that always has more to send does not keep the deadlines from passing.
                let _ = poll_deadlines(inbound, outgoing, write_cx);
                outgoing.link.stream.wake_later(cx);
                return Poll::Pending;
            }
        }
    }
}

/// Waits for the next deadline, and tells the time once it has passed.
fn poll_deadlines<S: PollTransport, R: Role>(
    inbound: &mut Inbound,
    outgoing: &mut Outgoing<'_, S, R>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let now = ready!(outgoing.link.poll_due(cx, Directions::new(inbound, outgoing.outbound).poll_timeout()));
    Directions::new(inbound, outgoing.outbound).handle_timeout(now);
    Poll::Ready(())
}
