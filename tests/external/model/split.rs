//! The halves of a WebSocket, polled and blocking, under a model checker, which tries the orders in which tasks can run:
//! `RUSTFLAGS="--cfg shuttle" cargo test --release --manifest-path tests/external/model/Cargo.toml`.
//!
//! A wake-up that is lost, or a lock that is never given back, shows as a deadlock.

#[cfg(not(shuttle))]
compile_error!("without `--cfg shuttle` the crate uses other locks, and nothing is checked");

use std::collections::VecDeque;
use std::future::Future as _;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use shuttle::future::{block_on, spawn};
use shuttle::rand::{thread_rng, Rng};
use shuttle::sync::{Condvar, Mutex};
use shuttle::thread;
use sockless::blocking::{self, BlockingTransport, CloneTransport};
use sockless::endpoint::{Buffers, Endpoint};
use sockless::message::OwnedMessage;
use sockless::polled::{PollTransport, WebSocket};
use sockless::{CloseCode, Config, Server};

/// A pipe of few bytes, with one waker for each direction, as real transports have it.
#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    ended: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

const ROOM: usize = 3;

#[derive(Clone, Default)]
struct End {
    input: Arc<Mutex<Pipe>>,
    output: Arc<Mutex<Pipe>>,
}

fn ends() -> (End, End) {
    let one = End::default();
    let other = End { input: Arc::clone(&one.output), output: Arc::clone(&one.input) };
    (one, other)
}

impl PollTransport for End {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut pipe = self.input.lock().unwrap();
        if pipe.bytes.is_empty() && !pipe.ended {
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = pipe.bytes.len().min(buf.len());
        for (slot, byte) in buf.iter_mut().zip(pipe.bytes.drain(..count).collect::<Vec<_>>()) {
            *slot = byte;
        }
        let writer = pipe.writer.take();
        drop(pipe);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(count))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut pipe = self.output.lock().unwrap();
        let count = buf.len().min(ROOM - pipe.bytes.len());
        if count == 0 {
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        pipe.bytes.extend(&buf[..count]);
        let reader = pipe.reader.take();
        drop(pipe);
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = self.output.lock().unwrap();
        pipe.ended = true;
        let reader = pipe.reader.take();
        drop(pipe);
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }
}

async fn write_all(end: &mut End, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let count = std::future::poll_fn(|cx| end.poll_write(cx, bytes)).await.unwrap();
        bytes = &bytes[count..];
    }
}

async fn read_exact(end: &mut End, len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < len {
        let mut buf = vec![0; len - bytes.len()];
        let count = std::future::poll_fn(|cx| end.poll_read(cx, &mut buf)).await.unwrap();
        assert_ne!(count, 0, "the stream ended after {bytes:x?}");
        bytes.extend_from_slice(&buf[..count]);
    }
    bytes
}

fn server(end: End) -> WebSocket<End, Server> {
    WebSocket::with_endpoint(end, Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]))
}

/// A Ping is received while a message is sent through a pipe that is too small for either. Both arrive, in
/// either order, and the closing handshake ends for both halves.
fn pong_message_and_close() {
    let (ours, mut peer) = ends();
    let (mut receiver, mut sender) = server(ours).into_split();
    let receiving = spawn(async move {
        let message = receiver.recv().await.unwrap().map(OwnedMessage::from);
        assert_eq!(message, Some(vec![9].into()));
        assert_eq!(receiver.recv().await.unwrap(), None);
        receiver.closed().unwrap()
    });
    let sending = spawn(async move {
        sender.send(&[1, 2, 3]).await.unwrap();
        sender.start_close(CloseCode::NORMAL).await.unwrap();
    });
    let peer_in = spawn({
        let mut peer = peer.clone();
        async move {
            let mut frames = Vec::new();
            while frames.len() < 3 {
                let head = read_exact(&mut peer, 2).await;
                frames.push((head[0], read_exact(&mut peer, usize::from(head[1])).await));
            }
            // Pings are answered also after our own Close (RFC 6455 section 5.5.2).
            let pong = frames.iter().position(|frame| *frame == (0x8A, vec![7])).expect("the Pong came");
            frames.remove(pong);
            assert_eq!(frames, [(0x82, vec![1, 2, 3]), (0x88, vec![3, 0xE8])]);
            peer
        }
    });
    block_on(async move {
        write_all(&mut peer, &[0x89, 0x81, 0, 0, 0, 0, 7]).await;
        write_all(&mut peer, &[0x82, 0x81, 0, 0, 0, 0, 9]).await;
        let mut peer = peer_in.await.unwrap();
        sending.await.unwrap();
        write_all(&mut peer, &[0x88, 0x82, 0, 0, 0, 0, 3, 0xE8]).await;
        std::future::poll_fn(|cx| peer.poll_shutdown(cx)).await.unwrap();
        assert!(receiving.await.unwrap().clean);
    });
}

/// The sender is cancelled while it waits for the transport, for which the receiver may wait as well. The
/// receiver writes the remainder.
fn cancelled_sender() {
    let (ours, mut peer) = ends();
    let (mut receiver, mut sender) = server(ours).into_split();
    let receiving = spawn(async move {
        assert!(receiver.recv().await.is_err());
    });
    block_on(async move {
        // Its Pong is longer than the pipe has room.
        write_all(&mut peer, &[0x89, 0x82, 0, 0, 0, 0, 6, 7]).await;
        {
            let mut send = std::pin::pin!(sender.send(&[1, 2, 3, 4, 5]));
            std::future::poll_fn(|cx| {
                let _ = send.as_mut().poll(cx);
                Poll::Ready(())
            })
            .await;
        }
        let wire = read_exact(&mut peer, 11).await;
        let (message, pong) = ([0x82, 5, 1, 2, 3, 4, 5], [0x8A, 2, 6, 7]);
        assert!(
            wire == [&message[..], &pong].concat() || wire == [&pong[..], &message].concat(),
            "{wire:x?}"
        );
        std::future::poll_fn(|cx| peer.poll_shutdown(cx)).await.unwrap();
        receiving.await.unwrap();
        drop(sender);
    });
}

#[test]
fn nothing_is_lost_in_any_order_of_two_tasks() {
    shuttle::check_random(pong_message_and_close, 20_000);
    shuttle::check_pct(pong_message_and_close, 20_000, 4);
}

#[test]
fn a_cancelled_sender_leaves_the_transport_to_the_receiver() {
    shuttle::check_random(cancelled_sender, 20_000);
    shuttle::check_pct(cancelled_sender, 20_000, 4);
}

/// A pipe whose reads and writes block, and which reach their time limit whenever the checker likes.
#[derive(Clone, Default)]
struct Blocking {
    input: Arc<(Mutex<Pipe>, Condvar)>,
    output: Arc<(Mutex<Pipe>, Condvar)>,
    limited: bool,
}

fn blocking_ends() -> (Blocking, Blocking) {
    let one = Blocking::default();
    let (input, output) = (Arc::clone(&one.output), Arc::clone(&one.input));
    (one, Blocking { input, output, limited: false })
}

impl Blocking {
    /// Waits until the pipe is as it should be, or the time is up.
    fn when<T>(
        &self,
        pipe: &(Mutex<Pipe>, Condvar),
        ready: impl Fn(&Pipe) -> bool,
        act: impl FnOnce(&mut Pipe) -> T,
    ) -> io::Result<T> {
        let mut state = pipe.0.lock().unwrap();
        while !ready(&state) {
            if self.limited && thread_rng().gen::<bool>() {
                drop(state);
                thread::yield_now();
                return Err(io::ErrorKind::WouldBlock.into());
            }
            if self.limited {
                drop(state);
                thread::yield_now();
                state = pipe.0.lock().unwrap();
            } else {
                state = pipe.1.wait(state).unwrap();
            }
        }
        let result = act(&mut state);
        pipe.1.notify_all();
        Ok(result)
    }
}

impl Read for Blocking {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.when(
            &self.input,
            |pipe| !pipe.bytes.is_empty() || pipe.ended,
            |pipe| {
                let count = pipe.bytes.len().min(buf.len());
                for (slot, byte) in buf.iter_mut().zip(pipe.bytes.drain(..count)) {
                    *slot = byte;
                }
                count
            },
        )
    }
}

impl Write for Blocking {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.when(
            &self.output,
            |pipe| pipe.bytes.len() < ROOM,
            |pipe| {
                let count = buf.len().min(ROOM - pipe.bytes.len());
                pipe.bytes.extend(&buf[..count]);
                count
            },
        )
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlockingTransport for Blocking {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.output.0.lock().unwrap().ended = true;
        self.output.1.notify_all();
        Ok(())
    }

    fn limit_read(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.limited = limit.is_some();
        Ok(())
    }

    fn limit_write(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.limited = limit.is_some();
        Ok(())
    }
}

impl CloneTransport for Blocking {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { limited: true, ..self.clone() })
    }
}

/// As `pong_message_and_close`, on threads.
fn threads() {
    let (ours, mut peer) = blocking_ends();
    let endpoint = Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]);
    let (mut receiver, mut sender) = blocking::WebSocket::with_endpoint(ours, endpoint).into_split().unwrap();
    let receiving = thread::spawn(move || {
        let message = receiver.recv().unwrap().map(OwnedMessage::from);
        assert_eq!(message, Some(vec![9].into()));
        assert_eq!(receiver.recv().unwrap(), None);
        receiver.closed().unwrap()
    });
    let sending = thread::spawn(move || sender.send(&[1, 2, 3]).map(|()| sender).unwrap());
    let mut reading_end = peer.clone();
    let reading = thread::spawn(move || {
        let mut frames = Vec::new();
        for _ in 0..2 {
            let mut head = [0; 2];
            reading_end.read_exact(&mut head).unwrap();
            let mut payload = vec![0; usize::from(head[1])];
            reading_end.read_exact(&mut payload).unwrap();
            frames.push((head[0], payload));
        }
        frames.sort();
        assert_eq!(frames, [(0x82, vec![1, 2, 3]), (0x8A, vec![6, 7])]);
        reading_end
    });
    peer.write_all(&[0x89, 0x82, 0, 0, 0, 0, 6, 7]).unwrap();
    peer.write_all(&[0x82, 0x81, 0, 0, 0, 0, 9]).unwrap();
    let mut reading_end = reading.join().unwrap();
    let sender = sending.join().unwrap();
    peer.write_all(&[0x88, 0x82, 0, 0, 0, 0, 3, 0xE8]).unwrap();
    let mut close = [0; 4];
    reading_end.read_exact(&mut close).unwrap();
    assert_eq!(close, [0x88, 2, 3, 0xE8]);
    peer.shutdown_write().unwrap();
    assert!(receiving.join().unwrap().clean);
    drop(sender);
}

#[test]
fn nothing_is_lost_in_any_order_of_two_threads() {
    shuttle::check_random(threads, 10_000);
    shuttle::check_pct(threads, 2_000, 4);
}
