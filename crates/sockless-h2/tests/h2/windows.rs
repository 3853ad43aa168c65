//! Flow control: who does not read stops its own stream, costs no more than a window, and stops no other.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use h2::SendStream;
use sockless_h2::STREAM_WINDOW;
use tokio::time::timeout;

use crate::{both, counting, echo, Link, CLIENT, SERVER, STREAMS};

/// Sends this again and again, as far as the window allows. Returns how many octets that were.
async fn fill(send: &mut SendStream<Bytes>, most: usize) -> usize {
    let mut sent = 0;
    while sent < most {
        send.reserve_capacity(most - sent);
        let room = match send.capacity() {
            0 => match timeout(Duration::from_secs(1), poll_fn(|cx| send.poll_capacity(cx))).await {
                Ok(room) => room.expect("the stream is open").unwrap(),
                Err(_) => break,
            },
            room => room,
        };
        send.send_data(Bytes::from(vec![0; room.min(most - sent)]), false).unwrap();
        sent += room.min(most - sent);
    }
    sent
}

/// A binary message of a client that is as long as this, masked with zeros.
fn header(len: usize) -> Vec<u8> {
    [&b"\x82\xff"[..], &(len as u64).to_be_bytes(), &[0; 4]].concat()
}

#[tokio::test(start_paused = true)]
async fn octets_open_the_window_when_they_are_read_and_not_before() {
    let _watchdog = watchdog!();
    let mut link = Link::new().await;
    let (mut socket, mut peer) = link.server().await;
    const LEN: usize = 1 << 20;
    peer.put(&header(LEN), false);
    let sent = fill(&mut peer.send, LEN).await;
    assert_eq!(sent + header(LEN).len(), STREAM_WINDOW as usize, "one window, since nobody reads");
    let (received, more) = tokio::join!(
        async { socket.recv().await.unwrap().unwrap().as_bytes().len() },
        fill(&mut peer.send, LEN - sent),
    );
    assert_eq!((received, sent + more), (LEN, LEN));
}

#[tokio::test(start_paused = true)]
async fn streams_that_nobody_reads_do_not_stop_another() {
    let _watchdog = watchdog!();
    let mut link = Link::new().await;
    let mut stalled = Vec::new();
    for _ in 1..STREAMS {
        let (socket, mut peer) = link.server().await;
        peer.put(&header(1 << 20), false);
        assert!(fill(&mut peer.send, 1 << 20).await < STREAM_WINDOW as usize);
        stalled.push((socket, peer));
    }
    let (server, mut client) = both(&mut link, &SERVER, &CLIENT).await;
    tokio::spawn(echo(server));
    let message = vec![7; 1 << 20];
    client.send(&message[..]).await.unwrap();
    assert!(client.recv().await.unwrap().unwrap().as_bytes() == message);
    // What was not read is given back when its socket goes, so the connection can be used on and on.
    for _ in 0..20 {
        stalled.pop();
        let (socket, mut peer) = link.server().await;
        peer.put(&header(1 << 20), false);
        assert!(fill(&mut peer.send, 1 << 20).await > STREAM_WINDOW as usize / 2);
        stalled.push((socket, peer));
    }
}

/// All of it runs on one thread, whose memory is counted: both ends, and what is between.
#[test]
fn a_peer_that_never_reads_costs_a_bounded_amount_of_memory() {
    let _watchdog = watchdog!();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let message = vec![7; 16 << 10];
    let (_, peak, sent) = counting::held(|| {
        runtime.block_on(async {
            let mut link = Link::new().await;
            let (mut socket, _peer) = link.server().await;
            let mut sent = 0;
            while timeout(Duration::from_secs(1), socket.send(&message[..])).await.is_ok() {
                sent += message.len();
                assert!(sent < 64 << 20, "nothing stops it");
            }
            sent
        })
    });
    assert!(sent >= STREAM_WINDOW as usize / 2, "{sent}");
    assert!(sent <= 2 * STREAM_WINDOW as usize, "{sent} octets were taken");
    assert!(peak < 1 << 20, "{peak} octets of memory");
}

/// The same the other way round: a socket whose program does not receive.
#[test]
fn a_program_that_never_receives_costs_a_bounded_amount_of_memory() {
    let _watchdog = watchdog!();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (_, peak, sent) = counting::held(|| {
        runtime.block_on(async {
            let mut link = Link::new().await;
            let (_socket, mut peer) = link.server().await;
            fill(&mut peer.send, 64 << 20).await
        })
    });
    assert_eq!(sent, STREAM_WINDOW as usize);
    assert!(peak < 1 << 20, "{peak} octets of memory");
}

/// Small messages, so that a window that was given back too late or twice shows.
#[tokio::test]
async fn many_small_messages_pass_through_small_windows() {
    let _watchdog = watchdog!();
    let mut client = sockless_h2::client_builder(STREAMS);
    client.initial_window_size(1000);
    let mut server = sockless_h2::server_builder(STREAMS);
    server.initial_window_size(777);
    let mut link = Link::with(server, client, Duration::ZERO).await;
    let (server, client) = both(&mut link, &SERVER, &CLIENT).await;
    tokio::spawn(echo(server));
    let (mut receiver, mut sender) = client.into_split();
    let sending = tokio::spawn(async move {
        for len in 0..3000 {
            sender.send(&vec![len as u8; len][..]).await.unwrap();
        }
        sender
    });
    for len in 0..3000 {
        let message = receiver.recv().await.unwrap().unwrap();
        assert!(message.as_bytes() == vec![len as u8; len], "{len}");
    }
    sending.await.unwrap();
}
