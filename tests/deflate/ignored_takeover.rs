//! Clients that keep their window although the server told them not to: some do not know the parameter
//! (Tornado, Mojolicious, Safari 15). RFC 7692 section 7.2.2 lets a server keep the window.

use crate::common;
use crate::compressed;

use common::codec::noise;
use common::counting::held;
use common::streams::{cut, Zlib};
use common::{frame, KEY as MASK};
use compressed::{params, receive, receive_pieces, text, ALL};
use sockless::deflate::{Inflater, Offer, Params, Policy, Pool, WindowBits};
use sockless::endpoint::{Buffers, Endpoint};
use sockless::message::OwnedMessage;
use sockless::{Config, Limits, MessageKind, ProtocolError, Server, Side};

/// A client's messages, as zlib makes them.
struct Client {
    zlib: Zlib,
    keeps: bool,
}

impl Client {
    fn new(keeps: bool, level: u8, bits: u8) -> Self {
        Self { zlib: Zlib::new(level, 8, bits), keeps }
    }

    fn payload(&mut self, text: &[u8]) -> Vec<u8> {
        if !self.keeps {
            self.zlib.forget();
        }
        match self.zlib.sync(text) {
            payload if payload.is_empty() => vec![0x00],
            payload => cut(&payload).to_vec(),
        }
    }

    fn frame(&mut self, text: &str) -> Vec<u8> {
        frame(0xC1, Some(MASK), &self.payload(text.as_bytes()))
    }
}

/// What the default policy answers to a browser.
fn agreed() -> Params {
    Policy::DEFAULT.answer(&Offer::DEFAULT).unwrap()
}

fn server(params: &Params, pool: Option<&Pool>) -> Endpoint<Server> {
    Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]).with_deflate(params, ALL, pool)
}

/// Messages of several kinds: some repeat what was sent long before, some repeat nothing.
fn messages(kind: u8, count: usize) -> Vec<String> {
    let hex =
        |seed: usize, len| noise(seed as u32, len).iter().map(|o| format!("{o:02x}")).collect::<String>();
    (0..count)
        .map(|n| match kind {
            0 => format!(r#"{{"type":"update","seq":{n},"user":"{}","on":{}}}"#, n % 7, n % 3 == 0),
            1 => format!("{n}"),
            2 => hex(n % 5, 10 + n % 50),
            3 => hex(n, 40),
            4 if n % 10 == 9 => hex(n % 4, 5000),
            4 => "ping".to_owned(),
            5 => "the same line, again and again\n".repeat(1 + n * 37 % 400),
            6 => String::new(),
            _ => format!("{}{}", hex(n, 3), "common ground".repeat(n % 3)),
        })
        .collect()
}

#[test]
fn req_7692_7_2_2_2_the_default_policy_works_with_clients_that_keep_their_window() {
    let params = agreed();
    assert!(params.client_no_context_takeover, "the client is told");
    for kind in 0..8 {
        for (level, bits) in [(1, 15), (6, 15), (9, 9), (0, 15)] {
            let texts = messages(kind, 300);
            for (chunk, pooled) in [(usize::MAX, true), (1, false), (100, true)] {
                let pool = Pool::new(2);
                let mut server = server(&params, pooled.then_some(&pool));
                let mut client = Client::new(true, level, bits);
                let wire: Vec<u8> = texts.iter().flat_map(|text| client.frame(text)).collect();
                let (got, failed) = receive(&mut server, &wire, chunk);
                let want: Vec<OwnedMessage> = texts.iter().map(|it| text(it)).collect();
                assert_eq!(failed, None, "kind {kind}, level {level}, after {} messages", got.len());
                assert!(got == want);
            }
        }
    }
}

#[test]
fn it_works_in_pieces_and_in_fragments_and_in_every_window() {
    let texts = messages(0, 300);
    for bits in 9..=15 {
        let mut policy = Policy::DEFAULT;
        policy.client_max_window_bits = WindowBits::new(bits).unwrap();
        let params = policy.answer(&Offer::DEFAULT).unwrap();
        let mut client = Client::new(true, 6, bits);
        let mut wire = Vec::new();
        for text in &texts {
            let payload = client.payload(text.as_bytes());
            let (a, b) = payload.split_at(payload.len() / 2);
            wire.extend(frame(0x41, Some(MASK), a));
            wire.extend(frame(0x89, Some(MASK), b"?"));
            wire.extend(frame(0x80, Some(MASK), b));
        }
        for chunk in [usize::MAX, 1, 50] {
            let (got, _, failed) = receive_pieces(&mut server(&params, None), &wire, chunk);
            assert_eq!((got.len(), failed), (300, None), "window {bits}, by {chunk}");
            assert!(got.iter().zip(&texts).all(|(got, want)| *got == text(want)));
        }
    }
}

/// How many bytes a server keeps between messages, apart from the pool.
fn bytes_held(keeps: bool, texts: &[String]) -> (isize, Endpoint<Server>) {
    let (params, pool) = (agreed(), Pool::new(1));
    // The pool has its context.
    let mut warm = server(&params, Some(&pool));
    receive(&mut warm, &Client::new(false, 6, 15).frame("a message"), usize::MAX);
    let mut client = Client::new(keeps, 6, 15);
    let wires: Vec<_> = texts.iter().map(|text| client.frame(text)).collect();
    let mut endpoint = server(&params, Some(&pool));
    let mut space = vec![0; 1 << 20];
    let (bytes, _, ()) = held(|| {
        for wire in &wires {
            let count = wire.len();
            space[..count].copy_from_slice(wire);
            assert_eq!(receive(&mut endpoint, &space[..count], usize::MAX).1, None);
        }
        endpoint.shrink();
    });
    (bytes, endpoint)
}

#[test]
fn what_a_client_costs_whose_window_may_be_needed() {
    let texts = messages(0, 300);
    let total: usize = texts.iter().map(String::len).sum();
    // A client that begins each message with an empty window: its first message is kept, and from the second on
    // nothing.
    let first = bytes_held(false, &texts[..1]).0;
    assert!(first >= texts[0].len() as isize && first <= texts[0].len() as isize + 64, "{first} bytes");
    for count in [3, 10, 300, 2] {
        assert_eq!(bytes_held(false, &texts[..count]).0, 0, "after {count} messages");
    }
    // A client that keeps its window: its octets are kept, up to a window, and no context.
    for count in [2, 10, 300] {
        let came: usize = texts[..count].iter().map(String::len).sum();
        let bytes = bytes_held(true, &texts[..count]).0;
        assert!(bytes >= came as isize && bytes <= came as isize + 64, "{bytes} bytes after {came} octets");
    }
    let many = messages(0, 2000);
    assert_eq!(bytes_held(true, &many).0, 32_768, "the window");
    assert!(total < 32_768);
    println!("after one message of {} octets: {first} bytes", texts[0].len());
}

/// Its second message shows that a client begins with an empty window. From then on a reference to earlier
/// messages is refused.
#[test]
fn a_client_that_begins_anew_is_held_to_it_over_every_cut() {
    let line = "a line that is sent again and again";
    for chunk in [usize::MAX, 1, 10] {
        let mut server = server(&agreed(), None);
        let mut fresh = Client::new(false, 6, 15);
        for n in 0..3 {
            let (got, failed) = receive(&mut server, &fresh.frame(line), chunk);
            assert_eq!((got, failed), (vec![text(line)], None), "message {n}");
        }
        let mut keeping = Client::new(true, 6, 15);
        keeping.frame(line);
        let (got, failed) = receive(&mut server, &keeping.frame(line), chunk);
        assert_eq!((got, failed), (vec![], Some(ProtocolError::InvalidCompressedData)), "by {chunk}");
    }
}

/// Whatever a connection sent, another one that takes its context from the pool cannot refer to it.
#[test]
fn no_window_goes_to_another_connection_with_a_context_of_the_pool() {
    let secret = "a secret of one connection, which no other may copy";
    let mut keeping = Client::new(true, 6, 15);
    let (first, refers) = (keeping.payload(secret.as_bytes()), keeping.payload(secret.as_bytes()));
    for before in 0..3 {
        let pool = Pool::new(1);
        let params = agreed();
        let inflater = || Inflater::new(&params, Side::Client, Limits::DEFAULT).with_pool(pool.clone());
        let (mut one, mut other) = (inflater(), inflater());
        let mut out = [0; 1000];
        let mut take = |inflater: &mut Inflater, payload: &[u8]| {
            let inflated = inflater.inflate(MessageKind::Text, &mut &*payload, true, &mut out);
            inflated.map(|inflated| inflated.as_bytes().to_vec())
        };
        for _ in 0..before {
            let own = Client::new(false, 6, 15).payload(b"nothing in common");
            assert_eq!(take(&mut other, &own).unwrap(), b"nothing in common");
        }
        assert_eq!(take(&mut one, &first).unwrap(), secret.as_bytes());
        assert_eq!(pool.idle(), (1, 0));
        assert_eq!(take(&mut other, &refers), Err(ProtocolError::InvalidCompressedData), "after {before}");
        assert_eq!(take(&mut one, &refers).unwrap(), secret.as_bytes(), "its own it may copy");
        let mut third = inflater();
        assert_eq!(take(&mut third, &refers), Err(ProtocolError::InvalidCompressedData));
    }
}

/// A server has said itself what it does, so a client is strict, as RFC 7692 section 7.1.1.1 demands.
#[test]
fn a_server_that_said_it_begins_anew_is_held_to_it() {
    let params = params(false, false, 15);
    let mut zlib = Zlib::new(6, 8, 15);
    let (first, second) = (zlib.sync(b"Hello, Hello"), zlib.sync(b"Hello, Hello"));
    let mut inflater = Inflater::new(&params, Side::Server, Limits::DEFAULT);
    let mut out = [0; 1000];
    assert!(inflater.inflate(MessageKind::Text, &mut cut(&first), true, &mut out).is_ok());
    let error = inflater.inflate(MessageKind::Text, &mut cut(&second), true, &mut out).err();
    assert_eq!(error, Some(ProtocolError::InvalidCompressedData));
}
