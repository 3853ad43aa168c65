//! How a polled transport is read from, and written to meanwhile.
//!
//! Owns: doing what the endpoint asks for, until it can hand something out. Must not know: why it asks.

use core::task::{ready, Context, Poll};

use super::{Outgoing, PollTransport};
use crate::adapter::{spare, Error};
use crate::error::ProtocolError;
use crate::message::{Action, Inbound, Outbound, WriteSide};
use crate::role::Role;
use crate::time::Wake;

/// [`Inbound::poll`] or [`Inbound::poll_piece`].
pub(super) type PollInbound<R> =
    fn(&mut Inbound, &mut Outbound<R>, WriteSide) -> Result<Action, ProtocolError>;

/// Does what the endpoint asks for until something can be taken (`true`) or the connection has ended
/// (`false`). What is pending wakes `cx`, and `write_cx` where it is a write.
pub(super) fn drive<S: PollTransport, R: Role>(
    inbound: &mut Inbound,
    outgoing: &mut Outgoing<'_, S, R>,
    cx: &mut Context<'_>,
    write_cx: &mut Context<'_>,
    poll: PollInbound<R>,
) -> Poll<Result<bool, Error>> {
    let mut write = WriteSide::Ready;
    loop {
        match poll(inbound, outgoing.outbound, write)? {
            Action::Take => return Poll::Ready(Ok(true)),
            Action::Close => return Poll::Ready(Ok(false)),
            Action::Write => match outgoing.poll_write(write_cx) {
                Poll::Ready(Ok(())) => {}
                // The peer does not read any more; what it sent before tells why.
                Poll::Ready(Err(_)) => outgoing.outbound.write_ended(),
                Poll::Pending if write == WriteSide::Blocked => return Poll::Pending,
                Poll::Pending => write = WriteSide::Blocked,
            },
            Action::ShutdownWrite => match outgoing.stream.poll_shutdown(write_cx) {
                // A transport that has ended is as good.
                Poll::Ready(_) => outgoing.outbound.write_ended(),
                Poll::Pending if write == WriteSide::Blocked => return Poll::Pending,
                Poll::Pending => write = WriteSide::Blocked,
            },
            Action::Read => {
                // A write that waits must not be disturbed: a flush may take its wake-up. Whether the
                // transport's own buffer is written out or not, there is nothing to do but read.
                if write == WriteSide::Ready {
                    let _ = outgoing.poll_transport_flush(write_cx);
                }
                spare::with(|spare| inbound.lend(spare));
                match outgoing.stream.poll_read(cx, inbound.space()) {
                    Poll::Ready(Ok(0)) => inbound.eof(outgoing.outbound),
                    Poll::Ready(Ok(count)) => inbound.filled(count),
                    Poll::Ready(Err(error)) => {
                        if inbound.lost(outgoing.outbound) {
                            return Poll::Ready(Err(error.into()));
                        }
                    }
                    Poll::Pending => {
                        if poll_timers(inbound, outgoing, cx).is_pending() {
                            spare::with(|spare| {
                                inbound.give_back(spare);
                                outgoing.outbound.give_back(spare);
                            });
                            return Poll::Pending;
                        }
                        write = WriteSide::Ready;
                    }
                }
            }
        }
    }
}

/// Moves the timers, and waits for the next. Ready if it has passed.
fn poll_timers<S: PollTransport, R: Role>(
    inbound: &mut Inbound,
    outgoing: &mut Outgoing<'_, S, R>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    match inbound.poll_timeout(outgoing.outbound) {
        Wake::Never => return Poll::Pending,
        // The clock is not asked on the way to a wait that goes on.
        Wake::At(until) => ready!(outgoing.stream.poll_sleep(cx, until)),
        Wake::Now => {}
    }
    let Some(now) = outgoing.stream.now() else { return Poll::Pending };
    inbound.handle_timeout(outgoing.outbound, now);
    Poll::Ready(())
}
