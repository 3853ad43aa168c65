//! Long messages go out compressed through every way to send of every adapter, where compression was agreed on.

use crate::common;

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::thread;

use common::codec::{self, WHOLE};
use common::parse;
use futures_util::SinkExt;
use sockless::deflate::{Inflater, Params, Tuning};
use sockless::endpoint::{Buffers, Endpoint};
use sockless::message::OwnedMessage;
use sockless::{blocking, futures_io, tokio as tokio_io};
use sockless::{Config, Limits, MessageKind, Payload, Server, Side};

/// 1 MiB of text, and lengths near those of buffers and steps.
fn texts() -> Vec<String> {
    let text: String = (0..40_000).map(|n| format!("{{\"id\":{n},\"name\":\"user{}\"}},", n % 977)).collect();
    let lens = [1 << 20, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, 200, 128 << 10, 3 << 18];
    lens.iter().map(|len| text[..*len].to_owned()).collect()
}

fn endpoint() -> Endpoint<Server> {
    let endpoint = Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]);
    endpoint.with_deflate(&Params::DEFAULT, Tuning::DEFAULT, None)
}

/// All frames but the last have RSV1 and are small, and they are the texts.
fn check(way: &str, written: &[u8]) {
    let frames = parse(written);
    let texts = texts();
    assert!(frames.len() >= texts.len(), "{way}: {} frames", frames.len());
    let mut inflater = Inflater::new(&Params::DEFAULT, Side::Server, Limits::DEFAULT);
    for (frame, text) in frames.iter().zip(&texts) {
        let len = text.len();
        assert_eq!(frame.first, 0xC1, "{way}: {len} octets went as they were");
        assert!(frame.payload.len() * 2 < len, "{way}: {} octets of {len}", frame.payload.len());
        let got = codec::inflate(&mut inflater, MessageKind::Text, &frame.payload, WHOLE).unwrap();
        assert!(got == text.as_bytes(), "{way}: {len} octets came back");
    }
}

/// A server's stream, and a thread that reads everything from the other end.
fn loopback() -> (TcpStream, thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).unwrap();
        all
    });
    (listener.accept().unwrap().0, reader)
}

#[test]
fn std_sends_long_messages_compressed() {
    let _watchdog = watchdog!();
    let socket = || {
        let (stream, reader) = loopback();
        (blocking::WebSocket::with_endpoint(stream, endpoint()), reader)
    };
    let (mut it, reader) = socket();
    texts().iter().for_each(|text| it.send(text.as_str()).unwrap());
    drop(it);
    check("send", &reader.join().unwrap());

    let (mut it, reader) = socket();
    for text in texts() {
        it.feed(text.as_str()).unwrap();
    }
    it.flush().unwrap();
    drop(it);
    check("feed", &reader.join().unwrap());

    let (mut it, reader) = socket();
    texts().iter().for_each(|text| it.outgoing().send(text.as_str()).unwrap());
    drop(it);
    check("outgoing", &reader.join().unwrap());

    let (it, reader) = socket();
    let (receiver, mut sender) = it.into_split().unwrap();
    texts().iter().for_each(|text| sender.send(text.as_str()).unwrap());
    drop((receiver, sender));
    check("half", &reader.join().unwrap());

    let (it, reader) = socket();
    let (receiver, mut sender) = it.into_split().unwrap();
    texts().iter().for_each(|text| sender.feed(text.as_str()).unwrap());
    sender.flush().unwrap();
    drop((receiver, sender));
    check("half, feed", &reader.join().unwrap());
}

/// The ways of the adapters that are polled.
macro_rules! polled {
    ($socket:ident) => {{
        let (mut it, reader) = $socket!();
        for text in texts() {
            it.send(text.as_str()).await.unwrap();
        }
        drop(it);
        check("send", &reader.join().unwrap());

        let (mut it, reader) = $socket!();
        for text in texts() {
            it.feed(text.as_str()).await.unwrap();
        }
        it.flush().await.unwrap();
        drop(it);
        check("feed", &reader.join().unwrap());

        let (mut it, reader) = $socket!();
        for text in texts() {
            it.outgoing().send(text.as_str()).await.unwrap();
        }
        drop(it);
        check("outgoing", &reader.join().unwrap());

        let (mut it, reader) = $socket!();
        for text in texts() {
            SinkExt::<OwnedMessage>::send(&mut it, text.as_str().into()).await.unwrap();
        }
        drop(it);
        check("sink", &reader.join().unwrap());

        let (it, reader) = $socket!();
        let (receiver, mut sender) = it.into_split();
        for text in texts() {
            sender.send(text.as_str()).await.unwrap();
        }
        drop((receiver, sender));
        check("half", &reader.join().unwrap());

        let (it, reader) = $socket!();
        let (receiver, mut sender) = it.into_split();
        for text in texts() {
            sender.feed(text.as_str()).await.unwrap();
        }
        sender.flush().await.unwrap();
        drop((receiver, sender));
        check("half, feed", &reader.join().unwrap());
    }};
}

#[test]
fn tokio_sends_long_messages_compressed() {
    let _watchdog = watchdog!();
    macro_rules! socket {
        () => {{
            let (stream, reader) = loopback();
            stream.set_nonblocking(true).unwrap();
            let stream = tokio_io::Tokio::new(tokio::net::TcpStream::from_std(stream).unwrap());
            (tokio_io::WebSocket::with_endpoint(stream, endpoint()), reader)
        }};
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { polled!(socket) });
}

#[test]
fn futures_io_sends_long_messages_compressed() {
    let _watchdog = watchdog!();
    macro_rules! socket {
        () => {{
            let (stream, reader) = loopback();
            let stream = smol::Async::new(stream).unwrap();
            (futures_io::WebSocket::with_endpoint(futures_io::FuturesIo::new(stream), endpoint()), reader)
        }};
    }
    smol::block_on(async { polled!(socket) });
}

/// A fragmented message of which each fragment is long.
#[test]
fn long_fragments_go_out_compressed() {
    let _watchdog = watchdog!();
    let (stream, reader) = loopback();
    let mut it = blocking::WebSocket::with_endpoint(stream, endpoint());
    let text = &texts()[0];
    let (one, other) = text.split_at(text.len() / 2);
    it.send_fragment(Payload::text(one), false).unwrap();
    it.send_fragment(Payload::text(other), true).unwrap();
    drop(it);
    let frames = parse(&reader.join().unwrap());
    assert_eq!([frames[0].first, frames[1].first], [0x41, 0x80]);
    assert!(frames[..2].iter().all(|frame| frame.payload.len() * 3 < text.len() / 2));
}
