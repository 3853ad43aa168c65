//! A server that ends closes all its connections together, and drops those that do not end in time.

use crate::common;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use sockless::endpoint::Buffers;
use sockless::handshake::OriginPolicy;
use sockless::tokio::{accept, Tokio, WebSocket};
use sockless::{blocking, Connections, ServerConfig};
use sockless::{CloseCode, Config, Server, Side, Timeouts};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{sleep, timeout};

fn socket(stream: DuplexStream, connections: &Connections) -> WebSocket<DuplexStream, Server> {
    let config = Config::new().with_timeouts(Timeouts::SERVER);
    WebSocket::new(Tokio::new(stream), Server, config, Buffers::DEFAULT, &[]).with_connections(connections)
}

/// Receives until the end of the stream, and answers a Close if `answers`.
async fn peer(mut stream: DuplexStream, answers: bool) -> Vec<u8> {
    let (mut got, mut buf) = (Vec::new(), [0; 64]);
    while let Ok(count @ 1..) = stream.read(&mut buf).await {
        got.extend_from_slice(&buf[..count]);
        if answers && got.ends_with(b"\x88\x06\x03\xe9noon") {
            let _ = stream.write_all(&to(Side::Server, CLOSE, &close_body(1001, b""))).await;
        }
    }
    got
}

async fn echo(mut socket: WebSocket<DuplexStream, Server>) -> Option<(u16, bool)> {
    while let Ok(Some((message, mut outgoing))) = socket.recv_with().await {
        let _ = outgoing.feed(message).await;
    }
    socket.closed().map(|closed| (closed.status, closed.clean))
}

async fn echo_in_halves(socket: WebSocket<DuplexStream, Server>) -> Option<(u16, bool)> {
    let (mut receiver, mut sender) = socket.into_split();
    while let Ok(Some(message)) = receiver.recv().await {
        let _ = sender.send(message).await;
    }
    receiver.closed().map(|closed| (closed.status, closed.clean))
}

#[tokio::test(start_paused = true)]
async fn two_thousand_connections_are_closed_at_once() {
    let _watchdog = watchdog!();
    let connections = Connections::new();
    let (mut servers, mut peers) = (Vec::new(), Vec::new());
    for index in 0..2000 {
        let (ours, theirs) = tokio::io::duplex(256);
        let socket = socket(ours, &connections);
        servers.push(match index % 2 {
            0 => tokio::spawn(echo(socket)),
            _ => tokio::spawn(echo_in_halves(socket)),
        });
        peers.push(tokio::spawn(peer(theirs, true)));
    }
    sleep(Duration::from_millis(1)).await;
    assert_eq!(connections.len(), 2000);
    let left = connections.close_all(CloseCode::GOING_AWAY, "noon", sleep(Duration::from_secs(4))).await;
    assert_eq!(left, 0);
    assert!(connections.is_empty());
    for server in servers {
        assert_eq!(server.await.unwrap(), Some((1001, true)));
    }
    for peer in peers {
        assert_eq!(peer.await.unwrap(), b"\x88\x06\x03\xe9noon");
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_is_dropped_after_the_time() {
    let _watchdog = watchdog!();
    let connections = Connections::new();
    let mut servers = Vec::new();
    let mut peers = Vec::new();
    for answers in [true, false, false] {
        let (ours, theirs) = tokio::io::duplex(256);
        servers.push(tokio::spawn(echo(socket(ours, &connections))));
        peers.push(tokio::spawn(peer(theirs, answers)));
    }
    // One that never reads, nor ends: its Close cannot be written.
    let (ours, stuck) = tokio::io::duplex(4);
    let mut socket = socket(ours, &connections);
    socket.feed("more than four octets").await.unwrap();
    servers.push(tokio::spawn(echo(socket)));
    sleep(Duration::from_millis(1)).await;
    let began = tokio::time::Instant::now();
    let left = connections.close_all(CloseCode::GOING_AWAY, "noon", sleep(Duration::from_secs(2))).await;
    assert_eq!(left, 3);
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    for (index, server) in servers.into_iter().enumerate() {
        let end = timeout(Duration::from_secs(1), server).await.expect("it was dropped").unwrap();
        let expected = if index == 0 { (1001, true) } else { (1006, false) };
        assert_eq!(end, Some(expected), "{index}");
    }
    assert!(connections.is_empty());
    drop(stuck);
    // Whoever comes later is closed as well.
    let (ours, theirs) = tokio::io::duplex(256);
    let late = tokio::spawn(echo(self::socket(ours, &connections)));
    drop(theirs);
    assert_eq!(late.await.unwrap(), Some((1006, false)));
}

/// The options let each connection enter: who was told of the 101, and who has read no more than its first
/// octet.
#[tokio::test(start_paused = true)]
async fn who_is_let_in_or_being_let_in_is_told_as_well() {
    let _watchdog = watchdog!();
    for (pipe, reads) in [(4096, 129), (8, 1)] {
        let connections = Connections::new();
        let (ours, mut theirs) = tokio::io::duplex(pipe);
        let server = connections.clone();
        let serving = tokio::spawn(async move {
            let options = ServerConfig::new(OriginPolicy::Any).with_connections(&server);
            let mut socket = accept(ours, &options).await.unwrap();
            while let Ok(Some(_)) = socket.recv().await {}
            socket.closed()
        });
        let request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
        theirs.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; reads];
        theirs.read_exact(&mut answer).await.unwrap();
        assert_eq!(connections.len(), 1);
        let peer = tokio::spawn(peer(theirs, true));
        let left = connections.close_all(CloseCode::GOING_AWAY, "noon", sleep(Duration::from_secs(10))).await;
        assert_eq!(left, 0);
        assert!(serving.await.unwrap().unwrap().clean);
        answer.extend(peer.await.unwrap());
        assert!(answer.starts_with(b"HTTP/1.1 101 "));
        assert!(answer.ends_with(b"\r\n\r\n\x88\x06\x03\xe9noon"));
    }
}

#[test]
fn blocking_connections_are_closed_as_well() {
    let _watchdog = watchdog!();
    let connections = Connections::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut serving = Vec::new();
    let mut peers = Vec::new();
    for index in 0..6 {
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let stream = listener.accept().unwrap().0;
        let config =
            Config::new().with_timeouts(if index % 3 == 0 { Timeouts::NONE } else { Timeouts::SERVER });
        let socket = blocking::WebSocket::new(stream, Server, config, Buffers::DEFAULT, &[]);
        let mut socket = socket.with_connections(&connections);
        serving.push(thread::spawn(move || {
            if index % 2 == 0 {
                while let Ok(Some(_)) = socket.recv() {}
                socket.closed()
            } else {
                let (mut receiver, _sender) = socket.into_split().unwrap();
                while let Ok(Some(_)) = receiver.recv() {}
                receiver.closed()
            }
        }));
        // The last one does not answer.
        peers.push(thread::spawn(move || {
            let mut got = [0; 8];
            peer.read_exact(&mut got).unwrap();
            assert_eq!(&got, b"\x88\x06\x03\xe9noon");
            if index < 5 {
                peer.write_all(&to(Side::Server, CLOSE, &close_body(1001, b""))).unwrap();
            }
            let _ = peer.read_to_end(&mut Vec::new());
        }));
    }
    let began = Instant::now();
    let left = connections.close_all_blocking(CloseCode::GOING_AWAY, "noon", Duration::from_millis(1500));
    assert_eq!(left, 1);
    assert!(began.elapsed() >= Duration::from_millis(1500) && began.elapsed() < Duration::from_secs(5));
    for (index, serving) in serving.into_iter().enumerate() {
        assert_eq!(serving.join().unwrap().map(|closed| closed.clean), Some(index < 5), "{index}");
    }
    for peer in peers {
        peer.join().unwrap();
    }
    assert!(connections.is_empty());
}
