//! The kit over every adapter but those in lent buffers, which have a file of their own; and broken adapters,
//! which it must fail.

use crate::wires;

use std::cell::RefCell;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use sockless::endpoint::{Action, Buffers, Endpoint, WriteSide};
use sockless::message::OwnedMessage;
use sockless::{blocking, futures_io, polled, tokio, Error};
use sockless::{Config, Server};
use sockless_conformance::{self as conformance, interrupted, run_tasks, Outcome, Report, Wire};
use wires::{FuturesWire, TokioWire};

const BUFFERS: Buffers = Buffers::DEFAULT.with_read(4096);

#[track_caller]
fn passes(report: &Report) {
    assert!(report.is_ok(), "{report}");
    assert!(report.passed > 10_000, "only {} cases", report.passed);
}

/// How a message is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Queued, to be written before the next wait for input.
    Feed,
    /// Written at once.
    Send,
}

const ANSWERS: [Answer; 2] = [Answer::Feed, Answer::Send];

/// An echo on any transport that is polled, in one task.
fn echo<S: polled::PollTransport>(wire: &Wire, stream: S, answer: Answer) -> Outcome {
    let mut outcome = Outcome::new();
    let task = async {
        let mut socket = polled::WebSocket::new(stream, Server, Config::new(), BUFFERS, &[]);
        while outcome.goes_on() {
            match interrupted(wire, socket.recv_with()).await {
                None => {}
                Some(Ok(Some((message, mut outgoing)))) => {
                    outcome.message(message);
                    // Interrupted or not, the message is queued whole.
                    let _ = match answer {
                        Answer::Feed => interrupted(wire, outgoing.feed(message)).await,
                        Answer::Send => interrupted(wire, outgoing.send(message)).await,
                    };
                }
                Some(Ok(None)) => outcome.ended(socket.closed()),
                Some(Err(error)) => outcome.failure(error),
            }
        }
    };
    run_tasks(wire, vec![Box::pin(task)]);
    outcome
}

#[test]
fn tokio_passes_the_kit() {
    let watchdog = watchdog!();
    for answer in ANSWERS {
        passes(&conformance::run(&mut |wire: Wire| {
            watchdog.next_case();
            let stream = tokio::Tokio::new(TokioWire(wire.clone()));
            echo(&wire, stream, answer)
        }));
    }
}

#[test]
fn futures_io_passes_the_kit() {
    let watchdog = watchdog!();
    passes(&conformance::run(&mut |wire: Wire| {
        watchdog.next_case();
        let stream = futures_io::FuturesIo::new(FuturesWire(wire.clone()));
        echo(&wire, stream, Answer::Feed)
    }));
}

#[test]
fn a_blocking_transport_passes_the_kit() {
    let watchdog = watchdog!();
    for answer in ANSWERS {
        passes(&conformance::run(&mut |wire: Wire| {
            watchdog.next_case();
            let mut socket = blocking::WebSocket::new(wire, Server, Config::new(), BUFFERS, &[]);
            let mut outcome = Outcome::new();
            while outcome.goes_on() {
                match socket.recv_with() {
                    Ok(Some((message, mut outgoing))) => {
                        outcome.message(message);
                        let _ = match answer {
                            Answer::Feed => outgoing.feed(message),
                            Answer::Send => outgoing.send(message),
                        };
                    }
                    Ok(None) => outcome.ended(socket.closed()),
                    Err(error) => outcome.failure(error),
                }
            }
            outcome
        }));
    }
}

/// Hands over one thing at a time between two tasks of a thread, and waits until the other is done with it.
#[derive(Default)]
struct Counter<T> {
    state: RefCell<(Option<T>, bool, Option<Waker>)>,
}

impl<T> Counter<T> {
    fn wake(&self) {
        let waker = self.state.borrow_mut().2.take();
        waker.into_iter().for_each(Waker::wake);
    }

    /// Waits until it was taken and done with.
    async fn give(&self, thing: T) {
        self.state.borrow_mut().0 = Some(thing);
        self.wake();
        poll_fn(|cx| {
            let mut state = self.state.borrow_mut();
            if std::mem::take(&mut state.1) {
                return Poll::Ready(());
            }
            state.2 = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn done(&self) {
        self.state.borrow_mut().1 = true;
        self.wake();
    }

    async fn take(&self) -> T {
        poll_fn(|cx| {
            let mut state = self.state.borrow_mut();
            match state.0.take() {
                Some(thing) => Poll::Ready(thing),
                None => {
                    state.2 = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// The halves in two tasks of one executor: one receives, the other answers.
fn echo_in_halves(wire: &Wire, answer: Answer) -> Outcome {
    let mut outcome = Outcome::new();
    let socket = polled::WebSocket::new(wire.clone(), Server, Config::new(), BUFFERS, &[]);
    let (mut receiver, mut sender) = socket.into_split();
    let counter = Counter::<Option<OwnedMessage>>::default();
    let receive = async {
        while outcome.goes_on() {
            match interrupted(wire, receiver.recv()).await {
                None => {}
                Some(Ok(Some(message))) => {
                    let message = OwnedMessage::from(message);
                    outcome.message(message.clone());
                    counter.give(Some(message)).await;
                }
                Some(Ok(None)) => outcome.ended(receiver.closed()),
                Some(Err(error)) => outcome.failure(error),
            }
        }
        counter.give(None).await;
        drop(receiver);
    };
    let send = async {
        while let Some(message) = counter.take().await {
            let _ = match answer {
                Answer::Feed => interrupted(wire, sender.feed(message.as_message())).await,
                Answer::Send => interrupted(wire, sender.send(message.as_message())).await,
            };
            counter.done();
        }
        drop(sender);
        counter.done();
    };
    run_tasks(wire, vec![Box::pin(receive), Box::pin(send)]);
    outcome
}

#[test]
fn the_halves_of_a_polled_one_pass_the_kit() {
    let watchdog = watchdog!();
    for answer in ANSWERS {
        passes(&conformance::run(&mut |wire: Wire| {
            watchdog.next_case();
            echo_in_halves(&wire, answer)
        }));
    }
}

/// What a broken adapter forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forgets {
    Nothing,
    /// Writing what is owed before it waits for input.
    Owed,
    /// What it has read, if it is dropped while it waits for something else.
    Bytes,
    /// To flush.
    Flush,
    /// That a short write is short.
    ShortWrites,
    /// To end the writing direction.
    Shutdown,
    /// To leave its waker where it waits.
    Waker,
    /// That writing has failed, and that what was sent before must still be received.
    LastWords,
    /// That it has reported an error.
    Reported,
    /// To drop the transport.
    Drop,
}

/// An adapter as small as can be, which waits for each write.
struct Sloppy {
    wire: Wire,
    endpoint: Endpoint<Server>,
    unflushed: bool,
    failed: Option<Error>,
    forgets: Forgets,
}

impl Sloppy {
    async fn recv(&mut self) -> Result<Option<OwnedMessage>, Error> {
        let Self { wire, endpoint, unflushed, failed, forgets } = self;
        let forgets = *forgets;
        loop {
            let action = endpoint.poll(WriteSide::Ready).inspect_err(|error| {
                *failed = (forgets == Forgets::Reported).then(|| Error::from(*error));
            })?;
            match action {
                Action::Take(ready) => {
                    let (inbound, _) = endpoint.split_mut();
                    // An error is reported by `poll`, after its Close.
                    if let Ok(Some(message)) = inbound.message(ready) {
                        return Ok(Some(message.into()));
                    }
                }
                Action::Write if forgets == Forgets::Owed && endpoint.output()[0] == 0x8A => {
                    let count = endpoint.output().len();
                    endpoint.wrote(count);
                }
                Action::Write => match poll_fn(|cx| wire.poll_write(cx, endpoint.output())).await {
                    Ok(count) => {
                        let all = endpoint.output().len();
                        endpoint.wrote(if forgets == Forgets::ShortWrites { all } else { count });
                        *unflushed = forgets != Forgets::Flush;
                    }
                    Err(error) if forgets == Forgets::LastWords => return Err(error.into()),
                    Err(_) => endpoint.write_ended(),
                },
                Action::ShutdownWrite => {
                    if forgets != Forgets::Shutdown {
                        let _ = poll_fn(|cx| wire.poll_shutdown(cx)).await;
                    }
                    endpoint.write_ended();
                }
                Action::Read => {
                    if *unflushed {
                        let _ = poll_fn(|cx| wire.poll_flush(cx)).await;
                        *unflushed = false;
                    }
                    let mut local = [0; 64];
                    let read = match forgets {
                        Forgets::Bytes => {
                            let read = poll_fn(|cx| wire.poll_read(cx, &mut local)).await;
                            let _ = poll_fn(|cx| wire.poll_flush(cx)).await;
                            if let Ok(count) = read {
                                endpoint.space()[..count].copy_from_slice(&local[..count]);
                            }
                            read
                        }
                        Forgets::Waker => {
                            let mut nobody = Context::from_waker(futures_util::task::noop_waker_ref());
                            poll_fn(|_| wire.poll_read(&mut nobody, endpoint.space())).await
                        }
                        _ => poll_fn(|cx| wire.poll_read(cx, endpoint.space())).await,
                    };
                    match read {
                        Ok(0) => endpoint.eof(),
                        Ok(count) => endpoint.filled(count),
                        Err(error) if endpoint.lost() => return Err(error.into()),
                        Err(_) => {}
                    }
                }
                Action::Yield => {
                    let mut yielded = false;
                    poll_fn(|cx| {
                        if std::mem::replace(&mut yielded, true) {
                            return Poll::Ready(());
                        }
                        cx.waker().wake_by_ref();
                        Poll::Pending
                    })
                    .await;
                }
                Action::Close => return failed.take().map_or(Ok(None), Err),
            }
        }
    }
}

fn sloppy(wire: &Wire, forgets: Forgets) -> Outcome {
    let mut outcome = Outcome::new();
    let endpoint = Endpoint::new(Server, Config::new(), BUFFERS, &[]);
    let mut socket = Sloppy { wire: wire.clone(), endpoint, unflushed: false, failed: None, forgets };
    let task = async {
        while outcome.goes_on() {
            match interrupted(wire, socket.recv()).await {
                None => {}
                Some(Ok(Some(message))) => {
                    let _ = socket.endpoint.outbound().feed(&message);
                    outcome.message(message);
                }
                Some(Ok(None)) => outcome.ended(socket.endpoint.closed()),
                Some(Err(error)) => outcome.failure(error),
            }
        }
    };
    run_tasks(wire, vec![Box::pin(task)]);
    if forgets == Forgets::Drop {
        std::mem::forget(socket);
    }
    outcome
}

#[test]
fn the_kit_fails_adapters_that_forget_something_and_says_what() {
    let watchdog = watchdog!();
    let told = |forgets| {
        conformance::run(&mut |wire: Wire| {
            watchdog.next_case();
            sloppy(&wire, forgets)
        })
    };
    passes(&told(Forgets::Nothing));
    for (forgets, complaint) in [
        (Forgets::Owed, "the peer waits for what does not come"),
        (Forgets::Bytes, "messages: "),
        (Forgets::Flush, "the peer waits for what does not come"),
        (Forgets::ShortWrites, "clean: true"),
        (Forgets::Shutdown, "writing direction ended: false"),
        (Forgets::Waker, "nothing is left that would wake a task"),
        (Forgets::LastWords, "messages: "),
        (Forgets::Reported, "errors: "),
        (Forgets::Drop, "the transport was not dropped"),
    ] {
        let report = told(forgets);
        assert!(report.complaints.iter().any(|line| line.contains(complaint)), "{forgets:?}: {report}");
    }
}
