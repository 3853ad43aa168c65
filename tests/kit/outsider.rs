//! An adapter as somebody outside of this crate writes it, over tokio's traits: from public items alone, with what ours
//! has for speed. Messages are lent where they were read, buffers are shared by all connections of a thread, and so is
//! the endpoint of one that is idle. A long message is written from where it stands, and reading goes on while the
//! transport takes no output.

use crate::wires;

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{ready, Context, Poll};

use sockless::endpoint::{
    Action, BufferPool, Buffers, Compressing, Directions, Endpoint, Fed, Outbound, Ready, WriteSide,
};
use sockless::message::Message;
use sockless::{AsPayload, Closed, Config, Error, Parked, Server};
use sockless_conformance::{self as conformance, interrupted, run_tasks, Outcome, Wire};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wires::TokioWire;

thread_local! {
    static POOL: RefCell<BufferPool> = const { RefCell::new(BufferPool::new()) };
    /// What the last connection that became idle has left. All of them have the same settings.
    static LEFT: RefCell<Option<Box<Endpoint<Server>>>> = const { RefCell::new(None) };
}

struct Socket<S> {
    stream: S,
    /// `None` while the connection is idle: then `parked` is all of it.
    endpoint: Option<Box<Endpoint<Server>>>,
    parked: Parked,
    unflushed: bool,
}

/// The endpoint of a connection. An idle one goes on in another's.
fn awake(endpoint: &mut Option<Box<Endpoint<Server>>>, parked: Parked) -> &mut Endpoint<Server> {
    endpoint.get_or_insert_with(|| {
        let left = LEFT.take();
        let mut endpoint =
            left.unwrap_or_else(|| Box::new(Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[])));
        endpoint.unpark(parked);
        endpoint
    })
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    fn new(stream: S) -> Self {
        Self { stream, endpoint: None, parked: Parked::new(), unflushed: false }
    }

    /// The next message, and what answers it.
    async fn recv(&mut self) -> Result<Option<(Message<'_>, Answering<'_, S>)>, Error> {
        let Some(ready) = poll_fn(|cx| self.poll_message(cx)).await? else { return Ok(None) };
        let Self { stream, endpoint, parked, unflushed } = self;
        let (inbound, outbound) = awake(endpoint, *parked).split_mut();
        match inbound.message(ready) {
            Ok(message) => Ok(message.map(|message| (message, Answering { stream, outbound, unflushed }))),
            Err(error) => {
                outbound.fail(error);
                outbound.take_failure(); // it is reported here
                Err(error.into())
            }
        }
    }

    /// Works until a message is there or the connection has ended. Meanwhile the connection keeps no more than it needs.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Ready>, Error>> {
        let came = self.poll_ready(cx);
        if came.is_ready() {
            return came;
        }
        if let Some(mut endpoint) = self.endpoint.take() {
            match endpoint.park() {
                Some(parked) => {
                    self.parked = parked;
                    if endpoint.has_large_buffer() {
                        POOL.with_borrow_mut(|pool| endpoint.release(pool));
                    }
                    LEFT.set(Some(endpoint));
                }
                None => {
                    POOL.with_borrow_mut(|pool| endpoint.release(pool));
                    self.endpoint = Some(endpoint);
                }
            }
        }
        came
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Ready>, Error>> {
        let Self { stream, endpoint, parked, unflushed } = self;
        let (inbound, outbound) = awake(endpoint, *parked).split_mut();
        let mut write = WriteSide::Ready;
        loop {
            match Directions::new(inbound, outbound).poll(write)? {
                Action::Take(ready) => return Poll::Ready(Ok(Some(ready))),
                Action::Close => return Poll::Ready(Ok(None)),
                Action::Yield => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                action @ (Action::Write | Action::ShutdownWrite) => {
                    let written = match action {
                        Action::Write => Pin::new(&mut *stream).poll_write(cx, outbound.output()),
                        _ => Pin::new(&mut *stream).poll_shutdown(cx).map_ok(|()| 0),
                    };
                    match written {
                        Poll::Ready(Ok(count @ 1..)) => {
                            *unflushed = true;
                            outbound.wrote(count);
                        }
                        Poll::Ready(_) => outbound.write_ended(), // reading tells how the connection ends
                        Poll::Pending if write == WriteSide::Blocked => return Poll::Pending,
                        Poll::Pending => write = WriteSide::Blocked,
                    }
                }
                Action::Read => {
                    // Where a write waits already, it is the write that has to be woken. And a flush that waits must
                    // not hold up what comes.
                    if *unflushed && write == WriteSide::Ready {
                        *unflushed = Pin::new(&mut *stream).poll_flush(cx).is_pending();
                    }
                    POOL.with_borrow_mut(|pool| inbound.acquire(pool));
                    let mut space = ReadBuf::new(inbound.space());
                    let read = match Pin::new(&mut *stream).poll_read(cx, &mut space) {
                        Poll::Ready(read) => read.map(|()| space.filled().len()),
                        Poll::Pending => return Poll::Pending,
                    };
                    match read {
                        Ok(0) => Directions::new(inbound, outbound).eof(),
                        Ok(count) => {
                            inbound.filled(count);
                            outbound.did_read();
                        }
                        Err(error) if Directions::new(inbound, outbound).lost() => {
                            return Poll::Ready(Err(error.into()));
                        }
                        Err(_) => {}
                    }
                }
            }
        }
    }
}

/// The sending direction, while a message is borrowed from the receiving one.
struct Answering<'s, S> {
    stream: &'s mut S,
    outbound: &'s mut Outbound<Server>,
    unflushed: &'s mut bool,
}

impl<S: AsyncWrite + Unpin> Answering<'_, S> {
    /// Sends a message, once there is room for it.
    async fn send(&mut self, message: impl AsPayload) -> Result<(), Error> {
        let payload = message.as_payload();
        let mut compressing = Compressing::new();
        POOL.with_borrow_mut(|pool| self.outbound.acquire(pool));
        let Self { stream, outbound, unflushed } = self;
        poll_fn(|cx| {
            while !outbound.has_room(payload.as_bytes().len()) {
                ready!(poll_write(cx, stream, outbound, unflushed))?;
            }
            // A long one goes out from where it stands, behind what is queued, as far as the transport takes it.
            let fed = outbound.feed_in_turns(payload, true, &mut compressing, |[queued, payload]| {
                let parts = [std::io::IoSlice::new(queued), std::io::IoSlice::new(payload)];
                match Pin::new(&mut **stream).poll_write_vectored(cx, &parts) {
                    Poll::Ready(Ok(count)) => {
                        **unflushed = true;
                        count
                    }
                    _ => 0,
                }
            });
            match fed? {
                Fed::Queued => Poll::Ready(Ok::<(), Error>(())),
                Fed::Compressing => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            }
        })
        .await?;
        poll_fn(|cx| {
            while !outbound.output().is_empty() {
                ready!(poll_write(cx, stream, outbound, unflushed))?;
            }
            Pin::new(&mut **stream).poll_flush(cx).map_err(Error::from)
        })
        .await
    }
}

/// Writes what the transport takes.
fn poll_write<S: AsyncWrite + Unpin>(
    cx: &mut Context<'_>,
    stream: &mut S,
    outbound: &mut Outbound<Server>,
    unflushed: &mut bool,
) -> Poll<Result<(), Error>> {
    match ready!(Pin::new(stream).poll_write(cx, outbound.output())) {
        Ok(count @ 1..) => {
            *unflushed = true;
            outbound.wrote(count);
            Poll::Ready(Ok(()))
        }
        failed => {
            outbound.write_ended();
            Poll::Ready(Err(failed.err().unwrap_or_else(|| std::io::ErrorKind::WriteZero.into()).into()))
        }
    }
}

impl<S> Socket<S> {
    fn closed(&self) -> Option<Closed> {
        self.endpoint.as_ref()?.closed()
    }
}

#[test]
fn an_adapter_from_public_items_alone_passes_the_kit() {
    let watchdog = watchdog!();
    let report = conformance::run(&mut |wire: Wire| {
        watchdog.next_case();
        let mut outcome = Outcome::new();
        let mut socket = Socket::new(TokioWire(wire.clone()));
        let task = async {
            while outcome.goes_on() {
                match interrupted(&wire, socket.recv()).await {
                    None => {}
                    Some(Ok(Some((message, mut answering)))) => {
                        outcome.message(message);
                        let _ = interrupted(&wire, answering.send(message)).await;
                    }
                    Some(Ok(None)) => outcome.ended(socket.closed()),
                    Some(Err(error)) => outcome.failure(error),
                }
            }
        };
        run_tasks(&wire, vec![Box::pin(task)]);
        outcome
    });
    assert!(report.is_ok(), "{report}");
    assert!(report.passed > 10_000, "only {} cases", report.passed);
}
