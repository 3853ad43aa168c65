//! Every wait has an end: a peer that does not read is dropped no later than one that does not answer, wherever
//! that is waited for; one that is slow is not.

use crate::common;

use std::future::Future;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::thread;
use std::time::Duration;

use common::*;
use futures_util::SinkExt;
use sockless::deflate::{Params, Tuning};
use sockless::endpoint::{Buffers, Endpoint};
use sockless::message::{OwnedMessage, Prepared};
use sockless::tokio::{Tokio, WebSocket};
use sockless::{blocking, polled, Error};
use sockless::{
    Client, CloseCode, CloseFrame, Config, ControlPayload, EntropyError, ProtocolError, SendError, Server,
    Side, Timeout, Timeouts,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{sleep, timeout, Instant};

type Socket = WebSocket<DuplexStream, Server>;
type Receiver = polled::Receiver<Tokio<DuplexStream>, Server>;
type Sender = polled::Sender<Tokio<DuplexStream>, Server>;

const LARGE: usize = 4 << 20;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn endpoint(timeouts: Timeouts, deflate: bool) -> Endpoint<Server> {
    let config = Config::new().with_timeouts(timeouts);
    let endpoint = Endpoint::new(Server, config, Buffers::DEFAULT, &[]);
    if deflate {
        endpoint.with_deflate(&Params::DEFAULT, Tuning::DEFAULT.with_threshold(usize::MAX), None)
    } else {
        endpoint
    }
}

/// A server's socket, and its peer, with a transport between that takes 4 KiB.
fn pair(timeouts: Timeouts, deflate: bool) -> (Socket, DuplexStream) {
    let (ours, peer) = tokio::io::duplex(4096);
    (WebSocket::with_endpoint(Tokio::new(ours), endpoint(timeouts, deflate)), peer)
}

fn timed_out<T: std::fmt::Debug>(result: Result<T, Error>, why: Timeout, what: &str) {
    match result {
        Err(Error::Protocol(ProtocolError::TimedOut(timeout))) if timeout == why => {}
        other => panic!("{what}: {:?} instead of {why:?}", other.map(|_| ())),
    }
}

/// All ways to wait for a peer that does not read, which each operation begins by itself.
type Way<S> = (&'static str, for<'s> fn(&'s mut S) -> Pin<Box<dyn Future<Output = Result<(), Error>> + 's>>);

fn ways_of_a_socket() -> Vec<Way<Socket>> {
    vec![
        ("send", |socket| Box::pin(async move { socket.send(&vec![1; LARGE][..]).await })),
        ("feed", |socket| {
            Box::pin(async move {
                loop {
                    socket.feed(&[1; 10_000][..]).await?;
                }
            })
        }),
        ("feed and receive", |socket| {
            Box::pin(async move {
                socket.feed(&vec![1; LARGE][..]).await?;
                socket.recv().await.map(|_| ())
            })
        }),
        ("flush", |socket| {
            Box::pin(async move {
                socket.feed(&vec![1; LARGE][..]).await?;
                socket.flush().await
            })
        }),
        ("fragments", |socket| {
            Box::pin(async move {
                loop {
                    socket.send_fragment(&[1; 10_000][..], false).await?;
                }
            })
        }),
        ("ping", |socket| {
            Box::pin(async move {
                socket.feed(&vec![1; LARGE][..]).await?;
                socket.ping(ControlPayload::EMPTY).await
            })
        }),
        ("drain", |socket| {
            Box::pin(async move {
                socket.feed(&vec![1; LARGE][..]).await?;
                socket.outgoing().drain_to(1000).await
            })
        }),
        ("prepared, sent", |socket| {
            Box::pin(async move {
                let message = Prepared::new(&vec![1; LARGE][..]);
                socket.send_prepared(&message).await
            })
        }),
        ("prepared, sent at rest", |socket| {
            Box::pin(async move {
                let message = Prepared::new(&vec![1; LARGE][..]);
                assert!(timeout(Duration::from_millis(1), socket.recv()).await.is_err());
                socket.send_prepared(&message).await
            })
        }),
        ("prepared, fed", |socket| {
            Box::pin(async move {
                let message = Prepared::new(&[1; 10_000][..]);
                loop {
                    socket.feed_prepared(&message).await?;
                }
            })
        }),
        ("sink", |socket| {
            Box::pin(async move {
                loop {
                    SinkExt::feed(socket, OwnedMessage::from(vec![1; 10_000])).await?;
                }
            })
        }),
        ("sink, flushed", |socket| {
            Box::pin(async move { SinkExt::send(socket, OwnedMessage::from(vec![1; LARGE])).await })
        }),
        ("answer", |socket| {
            Box::pin(async move {
                let Some((_, mut outgoing)) = socket.recv_with().await? else { return Ok(()) };
                outgoing.send(&vec![1; LARGE][..]).await
            })
        }),
    ]
}

fn ways_of_a_half() -> Vec<Way<Sender>> {
    vec![
        ("send", |sender| Box::pin(async move { sender.send(&vec![1; LARGE][..]).await })),
        ("feed", |sender| {
            Box::pin(async move {
                loop {
                    sender.feed(&[1; 10_000][..]).await?;
                }
            })
        }),
        ("flush", |sender| {
            Box::pin(async move {
                sender.feed(&vec![1; LARGE][..]).await?;
                sender.flush().await
            })
        }),
        ("fragments", |sender| {
            Box::pin(async move {
                loop {
                    sender.send_fragment(&[1; 10_000][..], false).await?;
                }
            })
        }),
        ("ping", |sender| {
            Box::pin(async move {
                sender.feed(&vec![1; LARGE][..]).await?;
                sender.ping(ControlPayload::EMPTY).await
            })
        }),
        ("drain", |sender| {
            Box::pin(async move {
                sender.feed(&vec![1; LARGE][..]).await?;
                sender.drain_to(1000).await
            })
        }),
        ("prepared", |sender| {
            Box::pin(async move {
                let message = Prepared::new(&vec![1; LARGE][..]);
                sender.send_prepared(&message).await
            })
        }),
        ("sink", |sender| {
            Box::pin(async move { SinkExt::send(sender, OwnedMessage::from(vec![1; LARGE])).await })
        }),
    ]
}

/// The timers that servers and clients have by default, and others.
fn all_timeouts() -> Vec<(Timeouts, u64)> {
    let mut idle = Timeouts::NONE;
    (idle.idle, idle.closing) = (Some(seconds(20)), Some(seconds(5)));
    let mut both = Timeouts::SERVER;
    both.idle = Some(seconds(40));
    vec![(Timeouts::SERVER, 50), (Timeouts::CLIENT, 50), (idle, 20), (both, 40)]
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_dropped_wherever_that_is_waited_for() {
    let _watchdog = watchdog!();
    for (timeouts, after) in all_timeouts() {
        for deflate in [false, true] {
            for (what, way) in ways_of_a_socket() {
                let (mut socket, mut peer) = pair(timeouts, deflate);
                if what == "answer" {
                    peer.write_all(&to(Side::Server, TEXT, b"?")).await.unwrap();
                }
                let began = Instant::now();
                let result = timeout(seconds(1000), way(&mut socket)).await.expect(what);
                timed_out(result, Timeout::BlockedOutput, what);
                let took = began.elapsed();
                // Where input is read as well, the Close is tried for as long as any other.
                let most = if what == "feed and receive" { after + 5 } else { after };
                assert!(took >= seconds(after) && took <= seconds(most + 1), "{what}: {took:?}");
                // The end is reported once, here as well, and then it is over.
                let _ = timeout(seconds(10), socket.recv()).await.expect(what);
                assert!(matches!(timeout(seconds(10), socket.recv()).await, Ok(Ok(None))), "{what}");
                assert!(socket.closed().is_some_and(|closed| !closed.clean), "{what}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_dropped_by_halves_as_well() {
    let _watchdog = watchdog!();
    for (timeouts, after) in all_timeouts() {
        for receives in [true, false] {
            for (what, way) in ways_of_a_half() {
                let (socket, _peer) = pair(timeouts, false);
                let (mut receiver, mut sender) = socket.into_split();
                let began = Instant::now();
                let receiving = async {
                    if receives {
                        receiver.recv().await.map(|_| ())
                    } else {
                        Ok(())
                    }
                };
                let sending = async { (way(&mut sender).await, began.elapsed()) };
                let both = timeout(seconds(1000), async { tokio::join!(receiving, sending) }).await;
                let (received, (sent, took)) = both.expect(what);
                match sent {
                    Err(Error::Protocol(ProtocolError::TimedOut(Timeout::BlockedOutput))) => {}
                    // Where the other half keeps the time, this one hears that it is over.
                    Err(Error::Send(SendError::Closed)) if receives => {}
                    other => panic!("{what}: {other:?}"),
                }
                assert!(took >= seconds(after) && took <= seconds(after + 6), "{what}: {took:?}");
                if receives {
                    timed_out(received, Timeout::BlockedOutput, what);
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_behind_output_that_is_stuck_ends_in_time() {
    let _watchdog = watchdog!();
    for split in [false, true] {
        let (mut socket, _peer) = pair(Timeouts::SERVER, false);
        let stuck = timeout(seconds(1), socket.send(&vec![1; LARGE][..])).await;
        assert!(stuck.is_err());
        let began = Instant::now();
        let closing = async {
            if split {
                let (mut receiver, mut sender) = socket.into_split();
                let (closed, received) = tokio::join!(sender.start_close(CloseCode::NORMAL), receiver.recv());
                assert!(closed.is_err() && received.is_err());
                receiver.closed()
            } else {
                timed_out(socket.close(CloseCode::NORMAL).await, Timeout::ClosingHandshake, "close");
                socket.closed()
            }
        };
        let closed = timeout(seconds(1000), closing).await.expect("it ends").expect("it has ended");
        assert!(!closed.clean && closed.status == 1006);
        assert!(began.elapsed() <= seconds(6), "{:?}", began.elapsed());
    }
}

/// Text that is not UTF-8, and broken compressed data: found when it is taken, not at its header.
#[tokio::test(start_paused = true)]
async fn a_failure_found_while_a_message_is_taken_ends_in_time_behind_stuck_output() {
    let _watchdog = watchdog!();
    let compressed = to(Side::Server, 0xC1, b"\xFF\xFF\xFF");
    let cases = [(to(Side::Server, TEXT, b"\xC3\x28"), false), (compressed, true), (vec![0xFF, 0x80], false)];
    for (bad, deflate) in cases {
        for split in [false, true] {
            for pieces in [false, true] {
                let (mut socket, mut peer) = pair(Timeouts::SERVER, deflate);
                let stuck = timeout(seconds(1), socket.send(&vec![1; LARGE][..])).await;
                assert!(stuck.is_err());
                peer.write_all(&bad).await.unwrap();
                let began = Instant::now();
                let receive = async {
                    if split {
                        let (mut receiver, _sender) = socket.into_split();
                        receive(&mut receiver, pieces).await
                    } else if pieces {
                        socket.recv_piece().await.map(|_| ())
                    } else {
                        socket.recv().await.map(|_| ())
                    }
                };
                let failed = timeout(seconds(1000), receive)
                    .await
                    .unwrap_or_else(|_| panic!("{bad:x?} {split} {pieces}: it does not end"))
                    .unwrap_err();
                assert!(matches!(failed, Error::Protocol(_)), "{failed:?}");
                assert!(began.elapsed() <= seconds(6), "{bad:x?} {split} {pieces}: {:?}", began.elapsed());
            }
        }
    }
}

async fn receive(receiver: &mut Receiver, pieces: bool) -> Result<(), Error> {
    if pieces {
        receiver.recv_piece().await.map(|_| ())
    } else {
        receiver.recv().await.map(|_| ())
    }
}

/// Reads as slowly as this, and answers every Ping at once.
async fn read_slowly(mut peer: DuplexStream, stops_after: usize) -> usize {
    let (mut total, mut buf) = (0, vec![0; 2048]);
    while total < stops_after {
        sleep(Duration::from_millis(100)).await;
        match peer.read(&mut buf).await {
            Ok(0) | Err(_) => return total,
            Ok(count) => total += count,
        }
    }
    sleep(seconds(10_000)).await;
    total
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_lives_and_one_that_stops_does_not() {
    let _watchdog = watchdog!();
    for split in [false, true] {
        for (stops_after, what) in [(usize::MAX, "reads on"), (1 << 20, "stops")] {
            let (mut socket, peer) = pair(Timeouts::SERVER, false);
            let reading = tokio::spawn(read_slowly(peer, stops_after));
            let began = Instant::now();
            // 20 KiB a second: over three minutes.
            let sending = async {
                if split {
                    let (mut receiver, mut sender) = socket.into_split();
                    let message = vec![1; LARGE];
                    tokio::select! {
                        sent = sender.send(&message[..]) => sent,
                        received = receiver.recv() => received.map(|_| ()),
                    }
                } else {
                    socket.send(&vec![1; LARGE][..]).await
                }
            };
            let sent = timeout(seconds(10_000), sending).await.expect("it ends");
            if stops_after == usize::MAX {
                sent.expect(what);
                assert!(began.elapsed() >= seconds(180));
            } else {
                match sent {
                    Err(Error::Protocol(ProtocolError::TimedOut(_))) => {}
                    // The other half found it out first.
                    Err(Error::Send(SendError::Closed)) if split => {}
                    other => panic!("{other:?}"),
                }
                // It read for about 52 seconds.
                assert!(began.elapsed() <= seconds(53 + 56), "{:?}", began.elapsed());
            }
            reading.abort();
        }
    }
}

/// A Ping after output that waits is not answered in time. The time counts from when the transport took it.
#[tokio::test(start_paused = true)]
async fn the_time_for_a_pong_runs_from_when_the_transport_took_the_ping() {
    let _watchdog = watchdog!();
    let (socket, mut peer) = pair(Timeouts::SERVER, false);
    let (mut receiver, mut sender) = socket.into_split();
    let receiving = tokio::spawn(async move { receiver.recv().await.map(|_| ()) });
    let sending = tokio::spawn(async move { sender.send(&vec![1; 64 << 10][..]).await.map(|()| sender) });
    // 45 seconds of nothing; then all is read, and with it a Ping that was queued after 30.
    sleep(seconds(45)).await;
    let mut got = vec![0; 10 + (64 << 10) + 2];
    peer.read_exact(&mut got).await.unwrap();
    assert_eq!(got[got.len() - 2..], [PING, 0]);
    sleep(seconds(19)).await;
    peer.write_all(&to(Side::Server, PONG, b"")).await.unwrap();
    sleep(seconds(5)).await;
    assert!(!receiving.is_finished(), "it answered in time");
    drop(sending.await.unwrap().unwrap());
    receiving.abort();
}

#[tokio::test(start_paused = true)]
async fn a_trickle_holds_no_message_open_and_a_slow_upload_is_taken() {
    let _watchdog = watchdog!();
    for split in [false, true] {
        for (octets, every, lives) in
            [(1, 100, false), (25, 100, true), (2000, 4000, true), (100, 15_000, false)]
        {
            let (mut socket, mut peer) = pair(Timeouts::SERVER, false);
            let began = Instant::now();
            let trickle = async {
                let _ = peer.write_all(&header(BINARY, key_to(Side::Server), 65_535)).await;
                let mut left = 65_535_usize;
                while left > 0 {
                    sleep(Duration::from_millis(every)).await;
                    let count = left.min(octets);
                    if peer.write_all(&vec![7; count]).await.is_err() {
                        break;
                    }
                    left -= count;
                }
            };
            let receiving = async {
                if split {
                    let (mut receiver, _sender) = socket.into_split();
                    receiver.recv().await.map(|message| message.map(OwnedMessage::from))
                } else {
                    socket.recv().await.map(|message| message.map(OwnedMessage::from))
                }
            };
            let received = tokio::select! {
                received = receiving => received,
                () = async { trickle.await; sleep(seconds(1000)).await } => panic!("neither message nor failure"),
            };
            if lives {
                assert_eq!(
                    received.unwrap().map(|message| message.as_message().as_bytes().len()),
                    Some(65_535)
                );
            } else {
                timed_out(received, Timeout::SlowMessage, "a trickle");
                assert!(began.elapsed() <= seconds(130), "{:?}", began.elapsed());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_vanishes_is_dropped_in_time() {
    let _watchdog = watchdog!();
    for split in [false, true] {
        for busy in [0, 1, 29, 31, 45, 100] {
            let (mut socket, mut peer) = pair(Timeouts::SERVER, false);
            let talking = tokio::spawn(async move {
                for _ in 0..busy {
                    peer.write_all(&to(Side::Server, TEXT, b"x")).await.unwrap();
                    sleep(seconds(1)).await;
                }
                (peer, Instant::now())
            });
            let listening = async {
                if split {
                    let (mut receiver, _sender) = socket.into_split();
                    while let Ok(Some(_)) = receiver.recv().await {}
                    while let Ok(Some(_)) | Err(_) = receiver.recv().await {}
                } else {
                    while let Ok(Some(_)) = socket.recv().await {}
                    while let Ok(Some(_)) | Err(_) = socket.recv().await {}
                }
            };
            timeout(seconds(1000), listening).await.expect("it ends");
            let (peer, vanished) = talking.await.unwrap();
            assert!(vanished.elapsed() <= seconds(56), "{busy}: {:?}", vanished.elapsed());
            drop(peer);
        }
    }
}

/// What comes after the end is swallowed, up to a bound; then the transport is dropped.
#[tokio::test]
async fn what_comes_after_the_end_is_bounded_without_a_clock() {
    let _watchdog = watchdog!();
    let ends = [
        to(Side::Server, CLOSE, &close_body(1000, b"")), // a Close
        vec![0xFF, 0x80],                                // a failure
    ];
    for end in ends {
        for split in [false, true] {
            let (mut socket, mut peer) = pair(Timeouts::NONE, false);
            let end = end.clone();
            let flood = tokio::spawn(async move {
                peer.write_all(&end).await.unwrap();
                let (mut reader, mut writer) = tokio::io::split(peer);
                tokio::spawn(async move {
                    while reader.read(&mut [0; 4096]).await.is_ok_and(|count| count > 0) {}
                });
                let mut written = 0;
                while let Ok(count) = writer.write(&[0x82; 4096]).await {
                    written += count;
                    assert!(written < 100 << 20, "it swallows on and on");
                }
                written
            });
            let listening = async {
                if split {
                    let (mut receiver, sender) = socket.into_split();
                    while receiver.recv().await.is_ok_and(|message| message.is_some()) {}
                    assert!(receiver.recv().await.is_ok_and(|message| message.is_none()));
                    assert!(receiver.closed().is_some());
                    drop(sender);
                } else {
                    while socket.recv().await.is_ok_and(|message| message.is_some()) {}
                    assert!(socket.recv().await.is_ok_and(|message| message.is_none()));
                    assert!(socket.closed().is_some());
                    drop(socket);
                }
            };
            timeout(seconds(20), listening).await.expect("it ends");
            let written = flood.await.unwrap();
            assert!((1 << 20..(1 << 20) + (256 << 10)).contains(&written), "{written}");
        }
    }
}

type Key = fn(&mut [u8]) -> Result<(), EntropyError>;

const KEY: Key = |dest| {
    dest.fill(0);
    Ok(())
};

/// A client's Close handshake, as far as the peer's Close: the transport stays open.
#[tokio::test(start_paused = true)]
async fn the_peers_close_is_known_at_once() {
    let _watchdog = watchdog!();
    let client = || {
        let (ours, peer) = tokio::io::duplex(4096);
        let config = Config::new().with_timeouts(Timeouts::CLIENT);
        (WebSocket::new(Tokio::new(ours), Client::new(KEY), config, Buffers::DEFAULT, &[]), peer)
    };
    let told = |close: Option<CloseFrame<'_>>| {
        close.map(|close| (close.code().map(CloseCode::value), close.reason().to_owned()))
    };
    let cases: [(&[u8], _); 2] =
        [(b"\x88\x05\x0f\xa7bye", (Some(4007), "bye".to_owned())), (b"\x88\x00", (None, String::new()))];
    for (close, expected) in cases {
        let (mut socket, mut peer) = client();
        assert_eq!(told(socket.received_close()), None);
        peer.write_all(close).await.unwrap();
        assert!(timeout(Duration::from_millis(10), socket.recv()).await.is_err(), "the transport is open");
        assert_eq!(told(socket.received_close()), Some(expected.clone()));
        assert_eq!(told(socket.endpoint().received_close()), Some(expected.clone()));
        assert_eq!(socket.closed(), None);
        // Asking for what happens already is not an error.
        socket.start_close(CloseCode::NORMAL).await.unwrap();
        drop(peer);
        assert!(matches!(socket.recv().await, Ok(None)));
        assert_eq!(told(socket.received_close()), Some(expected.clone()));

        let (socket, mut peer) = client();
        let (mut receiver, mut sender) = socket.into_split();
        assert_eq!(told(sender.received_close()), None);
        peer.write_all(close).await.unwrap();
        assert!(timeout(Duration::from_millis(10), receiver.recv()).await.is_err());
        assert_eq!(told(receiver.received_close()), Some(expected.clone()));
        assert_eq!(told(sender.received_close()), Some(expected.clone()));
        sender.start_close(CloseCode::NORMAL).await.unwrap();
        assert!(matches!(sender.send("too late").await, Err(Error::Send(SendError::Closed))));
        assert_eq!(told(sender.received_close()), Some(expected));
    }
}

/// What the other half wrote before the end was written: a flush says so.
#[tokio::test]
async fn a_flush_of_a_half_succeeds_where_everything_was_written() {
    let _watchdog = watchdog!();
    let (socket, mut peer) = pair(Timeouts::SERVER, false);
    let (mut receiver, mut sender) = socket.into_split();
    sender.feed("last words").await.unwrap();
    peer.write_all(&to(Side::Server, CLOSE, &close_body(1000, b""))).await.unwrap();
    let ended = tokio::spawn(async move { (receiver.recv().await.map(|_| ()), receiver) });
    let mut got = Vec::new();
    peer.read_to_end(&mut got).await.unwrap();
    drop(peer);
    assert_eq!(got, b"\x81\x0alast words\x88\x02\x03\xe8");
    let (end, receiver) = ended.await.unwrap();
    end.unwrap();
    sender.flush().await.expect("everything was written");
    sender.drain_to(0).await.expect("everything was written");
    drop(receiver);
    sender.flush().await.expect("everything was written");
    // What was not is an error.
    let (socket, peer) = pair(Timeouts::SERVER, false);
    let (mut receiver, mut sender) = socket.into_split();
    sender.feed("never written").await.unwrap();
    drop(peer);
    while receiver.recv().await.is_err() {}
    assert!(sender.flush().await.is_err());
}

/// The sending half can wait for the end. The transport is dropped when nobody needs it.
#[tokio::test(start_paused = true)]
async fn a_sender_can_wait_for_the_end_and_the_transport_is_free_then() {
    let _watchdog = watchdog!();
    let (socket, mut peer) = pair(Timeouts::SERVER, false);
    let (mut receiver, mut sender) = socket.into_split();
    let waiting = tokio::spawn(async move { (sender.ended().await, sender) });
    let receiving = tokio::spawn(async move { while let Ok(Some(_)) = receiver.recv().await {} });
    sleep(seconds(1)).await;
    assert!(!waiting.is_finished());
    peer.write_all(&to(Side::Server, CLOSE, &close_body(1001, b""))).await.unwrap();
    let mut got = Vec::new();
    timeout(seconds(1), peer.read_to_end(&mut got)).await.expect("the direction ends").unwrap();
    peer.shutdown().await.unwrap();
    receiving.await.unwrap();
    let (closed, sender) = timeout(seconds(1), waiting).await.expect("it is woken").unwrap();
    assert_eq!(closed.map(|closed| (closed.status, closed.clean)), Some((1001, true)));
    // Our end of the pipe is gone, though a half is still there.
    assert_eq!(peer.write(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    drop(sender);

    // Without the other half, the end is not to be known.
    let (socket, _peer) = pair(Timeouts::SERVER, false);
    let (receiver, mut sender) = socket.into_split();
    let waiting = tokio::spawn(async move { sender.ended().await });
    sleep(seconds(1)).await;
    drop(receiver);
    assert_eq!(timeout(seconds(1), waiting).await.expect("it is woken").unwrap(), None);
}

/// Shorter for what blocks: a tenth of a second for each.
fn short() -> Timeouts {
    let mut timeouts = Timeouts::SERVER;
    timeouts.ping_interval = Some(Duration::from_millis(200));
    timeouts.pong = Some(Duration::from_millis(200));
    timeouts.stalled_fragment = Some(Duration::from_millis(300));
    timeouts.closing = Some(Duration::from_millis(200));
    timeouts
}

fn streams() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, peer)
}

/// Runs on a thread, for as long as a test may take.
fn within<T: Send + 'static>(time: Duration, what: &str, run: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, done) = std::sync::mpsc::channel();
    thread::spawn(move || sender.send(run()));
    done.recv_timeout(time).unwrap_or_else(|_| panic!("{what}: it does not end"))
}

type Blocking = blocking::WebSocket<TcpStream, Server>;
type BlockingWay = (&'static str, fn(Blocking) -> Result<(), Error>);

#[test]
fn blocking_waits_end_as_well() {
    let _watchdog = watchdog!();
    const HUGE: usize = 32 << 20;
    let ways: [BlockingWay; 7] = [
        ("send", |mut socket| socket.send(&vec![1; HUGE][..])),
        ("feed", |mut socket| loop {
            socket.feed(&[1; 100_000][..])?;
        }),
        ("flush", |mut socket| {
            socket.feed(&vec![1; HUGE][..])?;
            socket.flush()
        }),
        ("receive", |mut socket| {
            socket.feed(&vec![1; HUGE][..])?;
            socket.recv().map(|_| ())
        }),
        ("half", |socket| {
            let (_receiver, mut sender) = socket.into_split()?;
            sender.send(&vec![1; HUGE][..])
        }),
        ("half, fed", |socket| {
            let (_receiver, mut sender) = socket.into_split()?;
            loop {
                sender.feed(&[1; 100_000][..])?;
            }
        }),
        ("halves", |socket| {
            let (mut receiver, mut sender) = socket.into_split()?;
            thread::spawn(move || while let Ok(Some(_)) = receiver.recv() {});
            sender.send(&vec![1; HUGE][..])
        }),
    ];
    for (what, way) in ways {
        let (ours, peer) = streams();
        let result = within(seconds(5), what, move || {
            way(blocking::WebSocket::with_endpoint(ours, endpoint(short(), false)))
        });
        match result {
            Err(Error::Protocol(ProtocolError::TimedOut(Timeout::BlockedOutput))) => {}
            Err(Error::Send(SendError::Closed)) if what == "halves" => {}
            other => panic!("{what}: {other:?}"),
        }
        drop(peer);
    }
}

#[test]
fn blocking_closes_failures_and_trickles_end_as_well() {
    let _watchdog = watchdog!();
    const HUGE: usize = 32 << 20;
    // A Close after output that is stuck.
    let (ours, peer) = streams();
    let error = within(seconds(5), "close", move || {
        let mut timeouts = short();
        (timeouts.ping_interval, timeouts.pong) = (None, None);
        let mut socket = blocking::WebSocket::with_endpoint(ours, endpoint(timeouts, false));
        let _ = socket.feed(&vec![1; HUGE][..]);
        socket.close(CloseCode::NORMAL)
    });
    timed_out(error, Timeout::ClosingHandshake, "close");
    drop(peer);
    // A failure that is found while a message is taken.
    let (ours, mut peer) = streams();
    peer.write_all(&to(Side::Server, TEXT, b"\xC3\x28")).unwrap();
    let error = within(seconds(5), "failure", move || {
        let mut socket = blocking::WebSocket::with_endpoint(ours, endpoint(short(), false));
        socket.endpoint().outbound().feed(&vec![1; HUGE][..]).unwrap();
        socket.recv().map(|_| ()).unwrap_err()
    });
    assert!(matches!(error, Error::Protocol(_)), "{error:?}");
    drop(peer);
    // A message that trickles in.
    let (ours, mut peer) = streams();
    let trickle = thread::spawn(move || {
        peer.write_all(&header(BINARY, key_to(Side::Server), 65_535)).unwrap();
        while peer.write_all(&[7]).is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let error = within(seconds(5), "trickle", move || {
        let mut socket = blocking::WebSocket::with_endpoint(ours, endpoint(short(), false));
        socket.recv().map(|_| ())
    });
    timed_out(error, Timeout::SlowMessage, "trickle");
    trickle.join().unwrap();
    // A stream after the end.
    for split in [false, true] {
        let (ours, mut peer) = streams();
        peer.write_all(&to(Side::Server, CLOSE, &close_body(1000, b""))).unwrap();
        let flood = thread::spawn(move || {
            let mut written = 0;
            while let Ok(count) = peer.write(&[0x82; 4096]) {
                written += count;
                assert!(written < 100 << 20, "it swallows on and on");
            }
        });
        within(seconds(10), "flood", move || {
            let mut socket = blocking::WebSocket::with_endpoint(ours, endpoint(Timeouts::NONE, false));
            if split {
                let (mut receiver, sender) = socket.into_split().unwrap();
                while receiver.recv().is_ok_and(|message| message.is_some()) {}
                drop(sender);
            } else {
                while socket.recv().is_ok_and(|message| message.is_some()) {}
            }
        });
        flood.join().unwrap();
    }
}

#[test]
fn blocking_halves_know_the_end_at_once() {
    let _watchdog = watchdog!();
    let (ours, mut peer) = streams();
    let (mut receiver, mut sender) =
        blocking::WebSocket::with_endpoint(ours, endpoint(Timeouts::SERVER, false)).into_split().unwrap();
    sender.feed("last words").unwrap();
    let receiving = thread::spawn(move || (receiver.recv().map(|_| ()), receiver));
    peer.write_all(&to(Side::Server, CLOSE, &close_body(4007, b"bye"))).unwrap();
    let mut got = Vec::new();
    peer.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"\x81\x0alast words\x88\x02\x0f\xa7");
    assert_eq!(sender.received_close().and_then(|close| close.code()).map(CloseCode::value), Some(4007));
    assert_eq!(sender.received_close().map(|close| close.reason().to_owned()).as_deref(), Some("bye"));
    sender.start_close(CloseCode::NORMAL).unwrap();
    drop(peer);
    let closed = within(seconds(5), "ended", move || (sender.ended(), sender.flush().is_ok()));
    assert_eq!((closed.0.map(|closed| (closed.status, closed.clean)), closed.1), (Some((4007, true)), true));
    let (end, receiver) = receiving.join().unwrap();
    end.unwrap();
    assert_eq!(receiver.received_close().map(|close| close.reason().to_owned()).as_deref(), Some("bye"));
}

/// A caller of the engine may hold a message that found the queue full, and read nothing while it waits for
/// room. A peer that takes a little now and then stays connected, one that takes nothing does not.
#[test]
fn a_full_queue_is_a_wait_for_the_transport() {
    let _watchdog = watchdog!();
    for (takes, lives) in [(true, true), (false, false)] {
        let mut endpoint = endpoint(Timeouts::SERVER, false);
        let at = |second| sockless::Timestamp::from_duration(seconds(second));
        endpoint.handle_timeout(at(0));
        endpoint.outbound().feed(&vec![1; LARGE][..]).unwrap();
        let held = OwnedMessage::from(vec![2; LARGE]);
        let mut failed = None;
        for second in 1..200 {
            // As much as the transport takes; then the message still finds no room.
            if takes {
                assert!(!endpoint.output().is_empty());
                endpoint.wrote(1000);
            }
            if endpoint.outbound().feed(&held).is_ok() {
                panic!("the queue is full");
            }
            while endpoint.poll_timeout().is_due(at(second)) {
                endpoint.handle_timeout(at(second));
            }
            if endpoint.ready_state() != sockless::ReadyState::Open {
                failed = Some(second);
                break;
            }
        }
        match failed {
            None => assert!(lives),
            Some(second) => {
                assert!(!lives && (50..=52).contains(&second), "takes: {takes}, dropped at {second}")
            }
        }
    }
}

/// A transport whose writes fail, but what the peer said before can still be read.
struct Reset(DuplexStream);

impl tokio::io::AsyncRead for Reset {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl tokio::io::AsyncWrite for Reset {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        std::task::Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

/// A server says why it closes, and is gone. The client, which was sending, finds out.
#[tokio::test(start_paused = true)]
async fn the_reason_behind_a_failed_send_is_not_lost() {
    let _watchdog = watchdog!();
    for split in [false, true] {
        let (ours, mut peer) = tokio::io::duplex(4096);
        peer.write_all(b"\x88\x0c\x0f\xa1over quota").await.unwrap();
        drop(peer);
        let config = Config::new().with_timeouts(Timeouts::CLIENT);
        let mut socket =
            WebSocket::new(Tokio::new(Reset(ours)), Client::new(KEY), config, Buffers::DEFAULT, &[]);
        let told = |close: Option<CloseFrame<'_>>| {
            close.map(|close| (close.code().map(CloseCode::value), close.reason().to_owned()))
        };
        let expected = Some((Some(4001), "over quota".to_owned()));
        if split {
            let (mut receiver, mut sender) = socket.into_split();
            assert!(sender.send("more").await.is_err());
            assert!(matches!(receiver.recv().await, Ok(None)));
            assert_eq!(
                (told(receiver.received_close()), told(sender.received_close())),
                (expected.clone(), expected)
            );
        } else {
            assert!(socket.send("more").await.is_err());
            assert!(matches!(socket.recv().await, Ok(None)));
            assert_eq!(told(socket.received_close()), expected);
        }
    }
}
