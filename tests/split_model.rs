//! The halves of a polled WebSocket under a model checker, which tries the orders in which tasks can run:
//! `RUSTFLAGS="--cfg shuttle" cargo test --release --test split_model --features tokio`.
//!
//! A wake-up that is lost, or a lock that is never given back, shows as a deadlock.
#![cfg(shuttle)]

use std::collections::VecDeque;
use std::future::Future as _;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use shuttle::future::{block_on, spawn};
use shuttle::sync::Mutex;
use sockless::adapter::polled::{PollTransport, WebSocket};
use sockless::message::{Buffers, Endpoint, OwnedMessage};
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

/// A Ping comes while a message goes out through a pipe that holds neither: both arrive, in either order, and the
/// closing handshake ends for both halves.
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

/// The sender is cancelled while it waits for the transport, perhaps for which the receiver waits as well; the
/// receiver writes what is left.
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
