//! The tokio adapter on scripted transports: one byte at a time, pending at every point, futures dropped at every await.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::{pin, Pin};
use std::task::{Context, Poll};

use futures_util::task::noop_waker;
use futures_util::{SinkExt, StreamExt};
use sockless::endpoint::{Buffers, FeedError};
use sockless::message::{OwnedMessage, Prepared};
use sockless::tokio::{Tokio, WebSocket};
use sockless::Error;
use sockless::{
    Client, CloseCode, Config, ControlPayload, EntropyError, Payload, ProtocolError, Server, Writer,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A transport that reads and writes at most `grain` bytes a call, and is pending at every second call.
struct Wire {
    incoming: VecDeque<u8>,
    written: Vec<u8>,
    grain: usize,
    stutter: bool,
    turn: bool,
    flushes: usize,
    writes: usize,
    shut: bool,
    blocked: bool,
    ends: bool,
}

impl Wire {
    fn new(incoming: &[u8], grain: usize, stutter: bool) -> Self {
        Self {
            incoming: incoming.iter().copied().collect(),
            written: Vec::new(),
            grain,
            stutter,
            turn: false,
            flushes: 0,
            writes: 0,
            shut: false,
            blocked: false,
            ends: true,
        }
    }

    fn stutters(&mut self, cx: &Context<'_>) -> bool {
        self.turn = self.stutter && !self.turn;
        if self.turn {
            cx.waker().wake_by_ref();
        }
        self.turn
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.stutters(cx) || (self.incoming.is_empty() && !self.ends) {
            return Poll::Pending;
        }
        let count = self.grain.min(buf.remaining()).min(self.incoming.len());
        let bytes: Vec<u8> = self.incoming.drain(..count).collect();
        buf.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        assert!(!self.shut, "written after the writing direction was ended");
        if self.blocked || self.stutters(cx) {
            return Poll::Pending;
        }
        let count = self.grain.min(bytes.len());
        self.written.extend_from_slice(&bytes[..count]);
        self.writes += 1;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.stutters(cx) {
            return Poll::Pending;
        }
        self.flushes += 1;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.stutters(cx) {
            return Poll::Pending;
        }
        self.shut = true;
        Poll::Ready(Ok(()))
    }
}

type Key = fn(&mut [u8]) -> Result<(), EntropyError>;

fn zero_key(dest: &mut [u8]) -> Result<(), EntropyError> {
    dest.fill(0);
    Ok(())
}

/// What a client sends: two messages in fragments with a Ping between them, and a Close.
fn conversation() -> Vec<u8> {
    let mut writer = Writer::new(Client::new(zero_key as Key));
    let mut out = Vec::new();
    let mut buf = [0; 512];
    let mut push = |len: usize, buf: &[u8]| out.extend_from_slice(&buf[..len]);
    let n = writer.encode(Payload::text("Hello, "), false, &mut buf).unwrap();
    push(n, &buf);
    let n = writer.ping(ControlPayload::new(b"ping").unwrap(), &mut buf).unwrap();
    push(n, &buf);
    let n = writer.encode(Payload::text("w\u{F6}rld"), true, &mut buf).unwrap();
    push(n, &buf);
    let n = writer.encode(Payload::binary(&[7; 200]), true, &mut buf).unwrap();
    push(n, &buf);
    let n = writer.close(CloseCode::NORMAL.into(), &mut buf).unwrap();
    push(n, &buf);
    out
}

fn server(wire: Wire) -> WebSocket<Wire, Server> {
    WebSocket::new(Tokio::new(wire), Server, Config::new(), Buffers::DEFAULT.with_read(64), &[])
}

/// Polls a new future `polls` times and drops it; its output if it was ready before.
fn poll_times<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let waker = noop_waker();
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    for _ in 0..polls {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Some(output);
        }
    }
    None
}

/// Polls to the end; the transports here never need a wake-up.
fn run<F: Future>(future: F) -> F::Output {
    poll_times(future, 1_000_000).expect("the future never became ready")
}

const REPLIES: &[u8] = b"\x8A\x04ping\x88\x02\x03\xE8";

#[test]
fn receiving_survives_being_dropped_at_every_await() {
    let _watchdog = watchdog!();
    for polls in 1..8 {
        for grain in [1, 3, 1000] {
            let mut socket = server(Wire::new(&conversation(), grain, true));
            let mut messages = Vec::new();
            loop {
                match poll_times(socket.recv(), polls) {
                    None => {}
                    Some(Ok(Some(message))) => messages.push(OwnedMessage::from(message)),
                    Some(Ok(None)) => break,
                    Some(Err(error)) => panic!("{error}"),
                }
            }
            assert_eq!(messages, [OwnedMessage::from("Hello, w\u{F6}rld"), OwnedMessage::from(vec![7; 200])]);
            assert_eq!(socket.get_ref().written, REPLIES, "polls {polls} grain {grain}");
            assert!(socket.closed().unwrap().clean);
        }
    }
}

#[test]
fn receiving_with_the_sending_direction_survives_it_too() {
    let _watchdog = watchdog!();
    let mut socket = server(Wire::new(&conversation(), 2, true));
    let mut echoed = 0;
    loop {
        match poll_times(socket.recv_with(), 1) {
            None => {}
            Some(Ok(Some((message, mut outgoing)))) => {
                outgoing.queue().feed(message).unwrap();
                echoed += 1;
            }
            Some(Ok(None)) => break,
            Some(Err(error)) => panic!("{error}"),
        }
    }
    assert_eq!(echoed, 2);
    let mut want = b"\x8A\x04ping\x81\x0EHello, w\xC3\xB6rld".to_vec();
    want[7] = 13;
    want.extend_from_slice(b"\x82\x7E\x00\xC8");
    want.extend_from_slice(&[7; 200]);
    want.extend_from_slice(b"\x88\x02\x03\xE8");
    assert_eq!(socket.get_ref().written, want);
}

#[test]
fn receiving_pieces_survives_being_dropped_at_every_await() {
    let _watchdog = watchdog!();
    let mut socket = server(Wire::new(&conversation(), 5, true));
    let (mut octets, mut ends) = (Vec::new(), 0);
    loop {
        match poll_times(socket.recv_piece(), 1) {
            None => {}
            Some(Ok(Some(piece))) => {
                octets.extend_from_slice(piece.as_bytes());
                ends += usize::from(piece.is_last());
            }
            Some(Ok(None)) => break,
            Some(Err(error)) => panic!("{error}"),
        }
    }
    assert_eq!((octets.len(), ends), (13 + 200, 2));
    assert_eq!(socket.get_ref().written, REPLIES);
}

#[test]
fn sending_dropped_at_every_await_cuts_and_repeats_nothing() {
    let _watchdog = watchdog!();
    let mut want = Vec::new();
    want.extend_from_slice(b"\x81\x05Hello\x01\x01a\x80\x01b\x89\x01p\x81\x04each\x82\x03all");
    for polls in 1..40 {
        let mut socket = server(Wire::new(&[], 1, true));
        // Each is queued at its first poll, whole; where it is dropped does not matter.
        let _ = poll_times(socket.send("Hello"), polls);
        let _ = poll_times(socket.send_fragment("a", false), polls);
        let _ = poll_times(socket.send_fragment("b", true), polls);
        let _ = poll_times(socket.ping(ControlPayload::new(b"p").unwrap()), polls);
        let _ = poll_times(socket.feed_prepared(&Prepared::new("each")), polls);
        let _ = poll_times(socket.send_prepared(&Prepared::new(&b"all"[..])), polls);
        let _ = poll_times(socket.flush(), polls);
        run(socket.flush()).unwrap();
        assert_eq!(socket.get_ref().written, want, "polls {polls}");
    }
}

#[test]
fn feeding_dropped_while_the_queue_is_full_queues_nothing() {
    let _watchdog = watchdog!();
    let mut wire = Wire::new(&[], 1, false);
    wire.blocked = true;
    wire.ends = false;
    let buffers = Buffers::DEFAULT.with_max_queued(10);
    let mut socket = WebSocket::new(Tokio::new(wire), Server, Config::new(), buffers, &[]);
    run(socket.feed("12345678")).unwrap();
    assert!(poll_times(socket.feed("never queued"), 3).is_none());
    assert!(poll_times(socket.send("never queued"), 3).is_none());
    assert!(matches!(socket.outgoing().queue().feed("full"), Err(FeedError::Full { queued: 10, .. })));
    let mut out = socket.outgoing();
    assert_eq!(out.queue().queued(), 10);
}

#[test]
fn closing_dropped_at_every_await_sends_one_close() {
    let _watchdog = watchdog!();
    let mut writer = Writer::new(Client::new(zero_key as Key));
    let mut close = [0; 32];
    let len = writer.close(CloseCode::GOING_AWAY.into(), &mut close).unwrap();
    for polls in 1..10 {
        let mut socket = server(Wire::new(&close[..len], 1, true));
        let closed = loop {
            if let Some(result) = poll_times(socket.close(CloseCode::GOING_AWAY), polls) {
                break result.unwrap().unwrap();
            }
        };
        assert!(closed.clean);
        assert_eq!(closed.status, 1001);
        assert_eq!(socket.get_ref().written, b"\x88\x02\x03\xE9");
        assert!(socket.get_ref().shut);
    }
    // As `start_close`, which alone does not wait. What is closing already is not closed again.
    let mut socket = server(Wire::new(&close[..len], 1, true));
    let _ = poll_times(socket.start_close(CloseCode::NORMAL), 1);
    run(socket.start_close(CloseCode::NORMAL)).unwrap();
    assert_eq!(run(socket.recv()).unwrap(), None);
    assert_eq!(socket.get_ref().written, b"\x88\x02\x03\xE8");
}

#[test]
fn what_one_read_brought_is_answered_in_one_write() {
    let _watchdog = watchdog!();
    let mut writer = Writer::new(Client::new(zero_key as Key));
    let (mut bytes, mut buf) = (Vec::new(), [0; 64]);
    for _ in 0..20 {
        let len = writer.encode(Payload::text("x"), true, &mut buf).unwrap();
        bytes.extend_from_slice(&buf[..len]);
    }
    let mut wire = Wire::new(&bytes, 10_000, false);
    wire.ends = false;
    let mut socket = WebSocket::new(Tokio::new(wire), Server, Config::new(), Buffers::DEFAULT, &[]);
    let echo = async {
        while let Some((message, mut outgoing)) = socket.recv_with().await.unwrap() {
            outgoing.feed(message).await.unwrap();
        }
    };
    assert!(poll_times(echo, 3).is_none());
    assert_eq!(socket.get_ref().written, b"\x81\x01x".repeat(20));
    assert_eq!(socket.get_ref().writes, 1);
    // The same under `forward`-like use of Stream and Sink.
    let mut wire = Wire::new(&bytes, 10_000, false);
    wire.ends = false;
    let socket = WebSocket::new(Tokio::new(wire), Server, Config::new(), Buffers::DEFAULT, &[]);
    let (sink, stream) = socket.split();
    let mut forward = pin!(stream.forward(sink));
    let waker = noop_waker();
    assert!(forward.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
}

#[test]
fn as_a_stream_and_a_sink_it_gives_and_takes_owned_messages() {
    let _watchdog = watchdog!();
    let mut socket = server(Wire::new(&conversation(), 3, true));
    let first = run(socket.next()).unwrap().unwrap();
    assert_eq!(first, OwnedMessage::from("Hello, w\u{F6}rld"));
    run(SinkExt::send(&mut socket, first)).unwrap();
    assert_eq!(run(socket.next()).unwrap().unwrap(), OwnedMessage::from(vec![7; 200]));
    assert!(run(socket.next()).is_none());
    assert!(socket.get_ref().written.ends_with(b"\x88\x02\x03\xE8"));
    assert!(socket.closed().unwrap().clean);
    // A Sink that is closed sends a Close.
    let mut socket = server(Wire::new(&[], 3, true));
    run(SinkExt::close(&mut socket)).unwrap();
    assert_eq!(socket.get_ref().written, b"\x88\x02\x03\xE8");
}

#[test]
fn a_failure_is_told_to_the_peer_before_it_is_returned() {
    let _watchdog = watchdog!();
    for (bytes, error, close) in [
        (&b"\x81\x01a"[..], ProtocolError::MissingMask, b"\x88\x02\x03\xEA"),
        // Text that is whole in one read is checked when it is taken. The peer is told anyway.
        (&b"\x81\x81\0\0\0\0\xFF"[..], ProtocolError::InvalidUtf8, b"\x88\x02\x03\xEF"),
    ] {
        for stutter in [false, true] {
            let mut socket = server(Wire::new(bytes, 100, stutter));
            assert!(matches!(run(socket.recv()), Err(Error::Protocol(got)) if got == error));
            assert_eq!(socket.get_ref().written, close);
            assert!(socket.get_ref().shut);
            assert_eq!(run(socket.recv()).unwrap(), None);
            let closed = socket.closed().unwrap();
            assert_eq!((closed.status, closed.clean, closed.error), (1006, false, Some(error)));
        }
    }
}

#[test]
fn a_failure_is_returned_once_even_if_its_telling_is_dropped() {
    let _watchdog = watchdog!();
    for polls in 1..6 {
        let mut socket = server(Wire::new(b"\x81\x81\0\0\0\0\xFF", 100, true));
        let error = loop {
            match poll_times(socket.recv(), polls) {
                None => {}
                Some(Err(error)) => break error,
                Some(Ok(message)) => panic!("{message:?}"),
            }
        };
        assert!(matches!(error, Error::Protocol(ProtocolError::InvalidUtf8)));
        assert_eq!(socket.get_ref().written, b"\x88\x02\x03\xEF");
        assert_eq!(run(socket.recv()).unwrap(), None);
    }
}

#[test]
fn req_6455_6_1_7_partial_writes_put_every_byte_on_the_wire_once_and_in_order() {
    let _watchdog = watchdog!();
    let payload: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let mut want = b"\x82\x7E\x13\x88".to_vec();
    want.extend_from_slice(&payload);
    for grain in [1, 2, 3, 7, 64, 4999, 10_000] {
        let mut socket = server(Wire::new(&[], grain, true));
        run(socket.send(&payload[..])).unwrap();
        assert_eq!(socket.get_ref().written, want);
    }
}

#[test]
fn a_peer_that_never_reads_cannot_grow_memory() {
    let _watchdog = watchdog!();
    let mut ping = [0; 16];
    let mut writer = Writer::new(Client::new(zero_key as Key));
    let len = writer.ping(ControlPayload::new(b"flood").unwrap(), &mut ping).unwrap();
    let mut wire = Wire::new(&ping[..len].repeat(50_000), 1000, false);
    wire.blocked = true;
    wire.ends = false;
    let buffers = Buffers::DEFAULT.with_max_queued(4096);
    let mut socket = WebSocket::new(Tokio::new(wire), Server, Config::new(), buffers, &[]);
    // In turns.
    assert!(poll_times(socket.recv(), 100).is_none());
    assert!(socket.get_ref().incoming.is_empty(), "Pings are read although nothing can be written");
    assert!(socket.outgoing().queue().queued() <= 4096 + 131);
}
