//! Polled sockets that leave their endpoints while they rest: nothing that can be observed differs, and little is kept.

use crate::common;

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use common::{counting, to, Keys, BINARY, CLOSE, END, MORE, PING, PONG, TEXT, TEXT_PART};
use futures_util::task::noop_waker;
use proptest::prelude::*;
use sockless::endpoint::Buffers;
use sockless::message::Prepared;
use sockless::polled::{PollTransport, WebSocket};
use sockless::{
    AnyRole, CloseCode, Config, ControlPayload, Limits, ReadyState, Role, Server, Side, Timeouts, Timestamp,
};

/// What a transport and the test share.
#[derive(Debug, Default)]
struct Line {
    incoming: Vec<u8>,
    ended: bool,
    blocked: bool,
    /// Bytes that it takes before it is blocked.
    room: Option<usize>,
    now: u64,
    /// What was asked of the transport, in order.
    done: Vec<Done>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Done {
    Wrote(Vec<u8>),
    ShutDown,
}

/// A transport with a clock, both controlled by the test.
#[derive(Debug)]
struct Wire<L>(L);

/// Reaches the line, on one thread or from several.
trait Reach {
    fn with<T>(&self, work: impl FnOnce(&mut Line) -> T) -> T;
}

impl Reach for Rc<RefCell<Line>> {
    fn with<T>(&self, work: impl FnOnce(&mut Line) -> T) -> T {
        work(&mut self.borrow_mut())
    }
}

impl Reach for Arc<Mutex<Line>> {
    fn with<T>(&self, work: impl FnOnce(&mut Line) -> T) -> T {
        work(&mut self.lock().unwrap())
    }
}

impl<L: Reach> PollTransport for Wire<L> {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.with(|line| {
            if line.incoming.is_empty() {
                return if line.ended { Poll::Ready(Ok(0)) } else { Poll::Pending };
            }
            let count = buf.len().min(line.incoming.len());
            buf[..count].copy_from_slice(&line.incoming[..count]);
            line.incoming.drain(..count);
            Poll::Ready(Ok(count))
        })
    }

    fn poll_write(&mut self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.with(|line| {
            if line.blocked || line.room == Some(0) {
                return Poll::Pending;
            }
            let buf = &buf[..line.room.unwrap_or(usize::MAX).min(buf.len())];
            line.room = line.room.map(|room| room - buf.len());
            match line.done.last_mut() {
                // How much one write takes, or one read brings, carries no meaning.
                Some(Done::Wrote(before)) => before.extend_from_slice(buf),
                _ => line.done.push(Done::Wrote(buf.to_vec())),
            }
            Poll::Ready(Ok(buf.len()))
        })
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.with(|line| line.done.push(Done::ShutDown));
        Poll::Ready(Ok(()))
    }

    fn now(&mut self) -> Option<Timestamp> {
        Some(Timestamp::from_micros(self.0.with(|line| line.now)))
    }

    fn poll_sleep(&mut self, _: &mut Context<'_>, until: Timestamp) -> Poll<()> {
        if self.0.with(|line| Timestamp::from_micros(line.now)) >= until {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

type Local = Rc<RefCell<Line>>;

/// One kind of connections has timers and small limits, the other has neither; they read differently as well.
fn settings(kind: bool) -> (Config, Buffers) {
    if kind {
        (Config::new(), Buffers::DEFAULT.with_read(1024))
    } else {
        let config = Config::new()
            .with_limits(Limits::DEFAULT.with_max_message_size(900))
            .with_timeouts(Timeouts::SERVER);
        (config, Buffers::DEFAULT.with_read(300))
    }
}

fn socket<R: Role + 'static>(role: R, kind: bool) -> (WebSocket<Wire<Local>, R>, Local) {
    let line = Local::default();
    let (config, buffers) = settings(kind);
    (WebSocket::new(Wire(Rc::clone(&line)), role, config, buffers, &[]), line)
}

fn poll<F: Future>(future: F) -> Poll<F::Output> {
    let waker = noop_waker();
    pin!(future).poll(&mut Context::from_waker(&waker))
}

/// A server that can leave its endpoint, or one that cannot, as its role has room for a generator.
struct Talk<R> {
    socket: WebSocket<Wire<Local>, R>,
    line: Local,
    seen: Vec<String>,
    pieces: Vec<u8>,
}

/// What happens to a connection.
#[derive(Clone, Debug)]
enum Act {
    /// So many of the octets that are still to come arrive, and messages are echoed.
    Arrive(usize),
    /// The same, in pieces, which are not.
    ArrivePieces(usize),
    Send(usize),
    /// Sends as well, by different ways: one of them prepared.
    Tell(usize),
    Ping,
    Close,
    Pass(u64),
    Block(bool),
    Room(usize),
    End,
    /// The application looks at it.
    Look,
    Split,
}

impl<R: Role + 'static> Talk<R> {
    fn new(role: R, kind: bool) -> Self {
        let (socket, line) = socket(role, kind);
        Self { socket, line, seen: Vec::new(), pieces: Vec::new() }
    }

    fn note(&mut self, what: impl std::fmt::Debug) {
        self.seen.push(format!("{what:?}"));
    }

    fn act(&mut self, act: &Act, coming: &mut Vec<u8>) {
        match *act {
            Act::Arrive(count) | Act::ArrivePieces(count) => {
                let count = count.min(coming.len());
                self.line.with(|line| line.incoming.extend(coming.drain(..count)));
                self.receive(matches!(act, Act::ArrivePieces(_)));
            }
            Act::Send(len) => {
                let sent = poll(self.socket.send(&vec![b's'; len][..]));
                self.note(sent);
            }
            Act::Ping => {
                let sent = poll(self.socket.ping(ControlPayload::new(b"own").unwrap()));
                self.note(sent);
            }
            Act::Close => {
                let sent = poll(self.socket.start_close(CloseCode::NORMAL));
                self.note(sent);
            }
            Act::Pass(micros) => {
                self.line.with(|line| line.now += micros);
                self.receive(false);
            }
            Act::Block(blocked) => self.line.with(|line| (line.blocked, line.room) = (blocked, None)),
            Act::Room(room) => self.line.with(|line| line.room = Some(room)),
            Act::End => {
                self.line.with(|line| line.ended = true);
                self.receive(false);
            }
            Act::Look => {
                let seen = (self.socket.closed(), self.socket.close_reason().to_owned());
                self.note(seen);
                let endpoint = self.socket.endpoint();
                let queued = endpoint.output().len(); // and what is owed
                let seen = (endpoint.ready_state(), endpoint.poll_timeout(), queued);
                self.note(seen);
            }
            Act::Tell(_) | Act::Split => {}
        }
    }

    /// Until there is nothing more, each time in a future that is dropped.
    fn receive(&mut self, pieces: bool) {
        for _ in 0..50 {
            let (goes_on, seen) = if pieces {
                match poll(self.socket.recv_piece()) {
                    Poll::Ready(Ok(Some(piece))) => {
                        self.pieces.extend_from_slice(piece.as_bytes());
                        continue;
                    }
                    other => (false, format!("{other:?}")),
                }
            } else {
                match poll(self.socket.recv_with()) {
                    Poll::Ready(Ok(Some((message, mut outgoing)))) => {
                        let fed = poll(outgoing.feed(message));
                        (true, format!("{:?} {:?} {fed:?}", message.kind(), message.as_bytes()))
                    }
                    Poll::Ready(Ok(None)) => (false, "end".into()),
                    Poll::Ready(Err(error)) => (true, format!("{error:?}")),
                    Poll::Pending => (false, "pending".into()),
                }
            };
            self.seen.push(seen);
            if !goes_on {
                break;
            }
        }
    }

    fn split(self) -> Self {
        let (receiver, sender) = self.socket.into_split();
        let socket = receiver.reunite(sender).unwrap_or_else(|_| panic!("they are halves of one"));
        Self { socket, ..self }
    }
}

fn from_client(first: u8, payload: &[u8]) -> Vec<u8> {
    to(Side::Server, first, payload)
}

/// What a client sends, usually valid.
fn traffic() -> impl Strategy<Value = Vec<u8>> {
    let one = (0..20_u8, 0_usize..700).prop_map(|(shape, size)| match shape {
        0..=6 => from_client(BINARY, &vec![shape; size]),
        7..=9 => from_client(TEXT, &vec![b'a' + shape; size]),
        10..=12 => from_client(PING, &vec![shape; size % 126]),
        13 => from_client(PONG, b"pong"),
        14..=17 => [
            from_client(TEXT_PART, &vec![b'x'; size]),
            from_client(PING, b"amid"),
            from_client(MORE, b"y"),
            from_client(END, &vec![b'z'; size / 2]),
        ]
        .concat(),
        18 => from_client(CLOSE, b"\x03\xE8bye"),
        _ => from_client(TEXT, b"\xFF\xFE"),
    });
    proptest::collection::vec(one, 1..12).prop_map(|frames| frames.concat())
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => (1_usize..1500).prop_map(Act::Arrive),
        2 => (1_usize..1500).prop_map(Act::ArrivePieces),
        2 => (0_usize..500).prop_map(Act::Send),
        4 => (0_usize..500).prop_map(Act::Tell),
        1 => Just(Act::Ping),
        1 => Just(Act::Close),
        4 => (1_000_000_u64..25_000_000).prop_map(Act::Pass),
        1 => any::<bool>().prop_map(Act::Block),
        2 => (0_usize..600).prop_map(Act::Room),
        2 => Just(Act::Block(false)),
        1 => Just(Act::End),
        2 => Just(Act::Look),
        1 => Just(Act::Split),
    ]
}

proptest! {
    #[test]
    fn connections_that_leave_their_endpoints_behave_like_those_that_do_not(
        inputs in proptest::collection::vec((any::<bool>(), traffic()), 1..5),
        acts in proptest::collection::vec((any::<prop::sample::Index>(), act()), 1..80),
    ) {
        let mut resting: Vec<_> = inputs.iter().map(|(kind, _)| Some(Talk::new(Server, *kind))).collect();
        let alone = || AnyRole::<Keys>::Server;
        let mut awake: Vec<_> = inputs.iter().map(|(kind, _)| Some(Talk::new(alone(), *kind))).collect();
        let mut coming: Vec<_> = inputs.iter().map(|(_, input)| (input.clone(), input.clone())).collect();
        for (index, act) in acts {
            let index = index.index(inputs.len());
            if matches!(act, Act::Split) {
                resting[index] = resting[index].take().map(Talk::split);
                awake[index] = awake[index].take().map(Talk::split);
                continue;
            }
            let (resting, awake) = (resting[index].as_mut().unwrap(), awake[index].as_mut().unwrap());
            if let Act::Tell(len) = act {
                let told = vec![b't'; len];
                let sent = poll(resting.socket.send_prepared(&Prepared::new(&told[..])));
                resting.note(sent);
                let sent = poll(awake.socket.send(&told[..]));
                awake.note(sent);
            }
            resting.act(&act, &mut coming[index].0);
            awake.act(&act, &mut coming[index].1);
            prop_assert_eq!(&resting.seen, &awake.seen);
            prop_assert_eq!(&resting.pieces, &awake.pieces);
            prop_assert_eq!(resting.line.with(|line| line.done.clone()), awake.line.with(|line| line.done.clone()));
        }
    }
}

#[test]
fn a_server_that_waits_keeps_little() {
    let _watchdog = watchdog!();
    const COUNT: usize = 200;
    let mut sockets: Vec<_> = (0..COUNT).map(|_| socket(Server, true)).collect();
    let awake: Vec<_> = (0..COUNT).map(|_| socket(AnyRole::<Keys>::Server, true)).collect();
    drop(awake);
    let (held, _, ()) = counting::held(|| {
        for (socket, line) in &mut sockets {
            line.with(|line| line.incoming = from_client(BINARY, &[7; 600]));
            assert!(matches!(poll(socket.recv()), Poll::Ready(Ok(Some(_)))));
            assert!(poll(socket.recv()).is_pending());
            line.with(|line| line.incoming = Vec::new());
        }
    });
    // Each left an endpoint, of which the thread keeps one with its buffer.
    let each = held / COUNT as isize;
    assert!(each < -500, "{each} bytes each");
    let (held, _, _) = counting::held(|| drop(sockets.split_off(1)));
    let each = -held / (COUNT as isize - 1);
    // The line is of the test. 8 are of the feature `tracing`.
    assert!(each <= 160 + size_of::<Line>() as isize, "{each} bytes each");
}

#[test]
fn a_server_that_waits_sends_what_is_prepared_without_an_endpoint() {
    let _watchdog = watchdog!();
    let (mut socket, line) = socket(Server, true);
    assert!(poll(socket.recv()).is_pending());
    let prepared = Prepared::new("to all");
    line.with(|line| line.done = vec![Done::Wrote(Vec::with_capacity(64))]);
    let (_, peak, sent) = counting::held(|| poll(socket.send_prepared(&prepared)));
    assert!(matches!(sent, Poll::Ready(Ok(()))));
    assert_eq!(peak, 0, "bytes were allocated to queue it");
    assert_eq!(line.with(|line| line.done.clone()), [Done::Wrote(prepared.frame().to_vec())]);
    // The transport takes a part of the next one. The remainder is written before anything that is sent later.
    line.with(|line| line.room = Some(3));
    assert!(poll(socket.send_prepared(&prepared)).is_pending());
    assert!(poll(socket.send_prepared(&Prepared::new("more"))).is_pending());
    assert_eq!(socket.endpoint().outbound().queued(), 5 + 6);
    line.with(|line| line.room = None);
    assert!(poll(socket.recv()).is_pending());
    let want = [prepared.frame(), prepared.frame(), b"\x81\x04more"].concat();
    assert_eq!(line.with(|line| line.done.clone()), [Done::Wrote(want)]);
}

#[test]
fn waking_up_and_resting_again_allocates_nothing() {
    let _watchdog = watchdog!();
    let mut sockets: Vec<_> = (0..10).map(|_| socket(Server, true)).collect();
    let mut turn = || {
        for (socket, line) in &mut sockets {
            line.with(|line| line.incoming.extend_from_slice(&[0x82, 0x81, 0, 0, 0, 0, 1]));
            let Poll::Ready(Ok(Some((message, mut outgoing)))) = poll(socket.recv_with()) else {
                panic!("a message came");
            };
            assert!(matches!(poll(outgoing.feed(message)), Poll::Ready(Ok(()))));
            line.with(|line| line.blocked = true);
            assert!(poll(socket.recv()).is_pending());
            line.with(|line| line.blocked = false);
            assert!(poll(socket.flush()).is_ready());
            assert!(poll(socket.recv()).is_pending());
            line.with(|line| line.done.clear());
        }
    };
    turn();
    let (count, ()) = counting::allocations(turn);
    // What the transport notes of each write.
    assert_eq!(count, 10);
}

#[test]
fn a_message_for_a_large_buffer_leaves_none_with_the_thread() {
    let _watchdog = watchdog!();
    let (mut socket, line) = socket(Server, true);
    let long = from_client(BINARY, &vec![1; 300_000]);
    assert!(poll(socket.recv()).is_pending());
    let (held, _, ()) = counting::held(|| {
        line.with(|line| line.incoming = long);
        for _ in 0..2 {
            match poll(socket.recv()) {
                Poll::Ready(Ok(Some(message))) => assert_eq!(message.as_bytes().len(), 300_000),
                Poll::Ready(other) => panic!("{other:?}"),
                Poll::Pending => break,
            }
        }
        line.with(|line| line.incoming = Vec::new());
    });
    // It is among those that connections of this thread share for large messages, and taken from there again.
    assert!(held < 1_300_000, "{held}");
    let (more, _, ()) = counting::held(|| {
        for _ in 0..5 {
            line.with(|line| line.incoming = from_client(BINARY, &vec![1; 300_000]));
            assert!(matches!(poll(socket.recv()), Poll::Ready(Ok(Some(_)))));
            assert!(poll(socket.recv()).is_pending());
            line.with(|line| line.incoming = Vec::new());
        }
    });
    assert!(more < 1000, "{more}");
}

#[test]
fn an_endpoint_is_there_whenever_it_is_asked_for() {
    let _watchdog = watchdog!();
    let (mut socket, line) = socket(Server, false);
    assert!(poll(socket.recv()).is_pending());
    assert_eq!((socket.closed(), socket.close_reason()), (None, ""));
    assert_eq!(socket.endpoint().ready_state(), ReadyState::Open);
    assert!(poll(socket.recv()).is_pending());
    // From rest: sending, a Ping, halves, a Close.
    assert!(matches!(poll(socket.send("news")), Poll::Ready(Ok(()))));
    assert!(poll(socket.recv()).is_pending());
    assert!(matches!(poll(socket.ping(ControlPayload::EMPTY)), Poll::Ready(Ok(()))));
    assert!(poll(socket.recv()).is_pending());
    let (mut receiver, mut sender) = socket.into_split();
    assert!(poll(receiver.recv()).is_pending());
    assert!(matches!(poll(sender.send("half")), Poll::Ready(Ok(()))));
    let mut socket = receiver.reunite(sender).unwrap_or_else(|_| panic!("they are halves of one"));
    assert!(poll(socket.recv()).is_pending());
    assert!(matches!(poll(socket.start_close(CloseCode::NORMAL)), Poll::Ready(Ok(()))));
    assert!(poll(socket.recv()).is_pending());
    line.with(|line| line.incoming = from_client(CLOSE, b"\x03\xE8bye"));
    line.with(|line| line.ended = true);
    assert!(matches!(poll(socket.recv()), Poll::Ready(Ok(None))));
    assert!(socket.closed().is_some_and(|closed| closed.clean));
    assert_eq!(socket.close_reason(), "bye");
    let written = [&b"\x81\x04news"[..], b"\x89\0", b"\x81\x04half", b"\x88\x02\x03\xE8"].concat();
    assert_eq!(line.borrow().done[0], Done::Wrote(written));
}

#[test]
fn limits_and_timers_are_those_of_each_connection_however_they_take_turns() {
    let _watchdog = watchdog!();
    let (mut bounded, bounded_line) = socket(Server, false);
    let (mut free, free_line) = socket(Server, true);
    for _ in 0..3 {
        for (socket, line) in [(&mut bounded, &bounded_line), (&mut free, &free_line)] {
            line.with(|line| line.incoming = from_client(BINARY, &[1; 800]));
            assert!(matches!(poll(socket.recv()), Poll::Ready(Ok(Some(_)))));
            assert!(poll(socket.recv()).is_pending());
        }
    }
    // Something was received since the last look; when is not known.
    for seconds in [31, 50] {
        for (socket, line) in [(&mut bounded, &bounded_line), (&mut free, &free_line)] {
            line.with(|line| line.now = Duration::from_secs(seconds).as_micros() as u64);
            assert!(poll(socket.recv()).is_pending());
        }
    }
    let ping = Done::Wrote(b"\x89\0".to_vec());
    assert_eq!(
        (bounded_line.borrow().done.as_slice(), free_line.borrow().done.as_slice()),
        (&[ping][..], &[][..])
    );
    for (socket, line) in [(&mut bounded, &bounded_line), (&mut free, &free_line)] {
        line.with(|line| line.incoming = from_client(BINARY, &[1; 901]));
        let polled = poll(socket.recv());
        assert_eq!(matches!(polled, Poll::Ready(Ok(Some(_)))), Rc::ptr_eq(line, &free_line), "{polled:?}");
    }
}

#[test]
fn a_connection_goes_on_where_its_task_does() {
    let _watchdog = watchdog!();
    let line = Arc::new(Mutex::new(Line::default()));
    let (config, buffers) = settings(false);
    let mut socket = WebSocket::new(Wire(Arc::clone(&line)), Server, config, buffers, &[]);
    for turn in 0..4_u8 {
        line.with(|line| line.incoming = from_client(BINARY, &[turn; 100]));
        socket = std::thread::spawn(move || {
            let waker = noop_waker();
            let mut cx = Context::from_waker(&waker);
            {
                let mut future = pin!(socket.recv_with());
                let Poll::Ready(Ok(Some((message, mut outgoing)))) = future.as_mut().poll(&mut cx) else {
                    panic!("a message came");
                };
                assert_eq!(message.as_bytes(), [turn; 100]);
                assert!(matches!(poll(outgoing.send(message)), Poll::Ready(Ok(()))));
            }
            assert!(poll(socket.recv()).is_pending());
            socket
        })
        .join()
        .unwrap();
    }
    let echoes: Vec<u8> = (0..4).flat_map(|turn| [&[0x82, 100][..], &[turn; 100]].concat()).collect();
    assert_eq!(line.with(|line| line.done.clone()), [Done::Wrote(echoes)]);
}
