//! How long the Pong took, as the sockets tell it: each way to receive measures it.

use crate::common;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use common::*;
use sockless::endpoint::Buffers;
use sockless::tokio::{Tokio, WebSocket};
use sockless::{blocking, Config, ControlPayload, Server, Side, Timeouts};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{sleep, timeout};

const TIME: Duration = Duration::from_millis(40);

fn payload() -> ControlPayload<'static> {
    ControlPayload::new(b"now").unwrap()
}

/// Answers a Ping after this time.
async fn answer(peer: &mut DuplexStream, payload: &[u8]) {
    let mut frame = vec![0; 2 + payload.len()];
    peer.read_exact(&mut frame).await.unwrap();
    assert_eq!((frame[0], &frame[2..]), (PING, payload));
    sleep(TIME).await;
    peer.write_all(&to(Side::Server, PONG, payload)).await.unwrap();
}

fn pair(timeouts: Timeouts) -> (WebSocket<DuplexStream, Server>, DuplexStream) {
    let (ours, peer) = tokio::io::duplex(4096);
    let config = Config::new().with_timeouts(timeouts);
    (WebSocket::new(Tokio::new(ours), Server, config, Buffers::DEFAULT, &[]), peer)
}

#[tokio::test(start_paused = true)]
async fn on_tokio() {
    let _watchdog = watchdog!();
    for timeouts in [Timeouts::SERVER, Timeouts::NONE] {
        let (mut socket, mut peer) = pair(timeouts);
        socket.ping(payload()).await.unwrap();
        assert!(socket.awaits_pong());
        let ours = timeout(TIME * 2, socket.recv());
        let (_, waited) = tokio::join!(answer(&mut peer, b"now"), ours);
        assert!(waited.is_err(), "no message comes");
        assert_eq!((socket.latency(), socket.awaits_pong()), (Some(TIME), false));
    }
}

#[tokio::test(start_paused = true)]
async fn of_keep_alive_on_tokio_while_parked() {
    let _watchdog = watchdog!();
    let (mut socket, mut peer) = pair(Timeouts::SERVER);
    let ours = timeout(Duration::from_secs(31), socket.recv());
    let (_, waited) = tokio::join!(answer(&mut peer, b""), ours);
    assert!(waited.is_err(), "no message comes");
    let latency = socket.latency().unwrap();
    assert!(latency >= TIME && latency < TIME * 2, "{latency:?}");
}

#[tokio::test(start_paused = true)]
async fn of_halves_on_tokio() {
    let _watchdog = watchdog!();
    let (socket, mut peer) = pair(Timeouts::SERVER);
    let (mut receiver, mut sender) = socket.into_split();
    sender.ping(payload()).await.unwrap();
    assert!(sender.awaits_pong());
    let (_, waited) = tokio::join!(answer(&mut peer, b"now"), timeout(TIME * 2, receiver.recv()));
    assert!(waited.is_err(), "no message comes");
    assert_eq!((sender.latency(), sender.awaits_pong()), (Some(TIME), false));
}

/// A server's blocking socket, and a peer that answers one Ping and then closes.
fn blocking_pair() -> (blocking::WebSocket<TcpStream, Server>, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let peer = std::thread::spawn(move || {
        let mut peer = TcpStream::connect(address).unwrap();
        let mut frame = [0; 5];
        peer.read_exact(&mut frame).unwrap();
        std::thread::sleep(TIME);
        peer.write_all(&to(Side::Server, PONG, b"now")).unwrap();
        // The Pong is read by itself, and its time with it.
        std::thread::sleep(TIME);
        peer.write_all(&to(Side::Server, CLOSE, b"")).unwrap();
        let _ = peer.read_to_end(&mut Vec::new());
    });
    let stream = listener.accept().unwrap().0;
    let config = Config::new().with_timeouts(Timeouts::SERVER);
    (blocking::WebSocket::new(stream, Server, config, Buffers::DEFAULT, &[]), peer)
}

#[test]
fn on_threads() {
    let _watchdog = watchdog!();
    let (mut socket, peer) = blocking_pair();
    socket.ping(payload()).unwrap();
    assert!(socket.awaits_pong());
    assert!(socket.recv().unwrap().is_none());
    assert!(socket.latency().unwrap() >= TIME / 2 && !socket.awaits_pong());
    peer.join().unwrap();

    let (socket, peer) = blocking_pair();
    let (mut receiver, mut sender) = socket.into_split().unwrap();
    sender.ping(payload()).unwrap();
    assert!(receiver.recv().unwrap().is_none());
    assert!(sender.latency().unwrap() >= TIME / 2 && !sender.awaits_pong());
    drop((sender, receiver));
    peer.join().unwrap();
}
