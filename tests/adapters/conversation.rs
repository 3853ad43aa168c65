//! Whole conversations, opening handshake included, through an adapter: however the input is cut, the same messages come
//! out and the same bytes go out.

use crate::common;

use std::io::{self, Read, Write};

use common::{all_to, BINARY, BINARY_PART, CLOSE, END, MORE, PING, TEXT, TEXT_PART};
use proptest::prelude::*;
use sockless::blocking::{self, BlockingTransport, WebSocket};
use sockless::handshake::client::ClientRequest;
use sockless::handshake::{accept_value, OriginPolicy, Uri};
use sockless::message::OwnedMessage;
use sockless::{ClientConfig, Error, ServerConfig};
use sockless::{Closed, Role, Side};

/// A transport that gives its input in pieces of these sizes, in turn, and keeps what is written.
struct Cut {
    input: Vec<u8>,
    at: usize,
    sizes: Vec<usize>,
    turn: usize,
    written: Vec<u8>,
    /// Frames to give once a client's request was written, after an answer that fits its key.
    frames: Option<Vec<u8>>,
}

impl Cut {
    fn new(input: Vec<u8>, sizes: &[usize]) -> Self {
        Self { input, at: 0, sizes: sizes.to_vec(), turn: 0, written: Vec::new(), frames: None }
    }
}

impl Read for Cut {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.turn += 1;
        let size = self.sizes[self.turn % self.sizes.len()].max(1);
        let rest = &self.input[self.at..];
        let count = size.min(rest.len()).min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

impl Write for Cut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(bytes);
        if self.written.ends_with(b"\r\n\r\n") {
            if let Some(frames) = self.frames.take() {
                let head = String::from_utf8(std::mem::take(&mut self.written)).unwrap();
                let key = head.split("Sec-WebSocket-Key: ").nth(1).unwrap().split("\r\n").next().unwrap();
                let accept = accept_value(key).unwrap();
                let answer = format!(
                    "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
                    accept.as_str()
                );
                self.input = [answer.into_bytes(), frames].concat();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlockingTransport for Cut {
    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Told = (Vec<OwnedMessage>, Option<String>, Option<Closed>);

fn listen<R: Role>(mut socket: WebSocket<Cut, R>) -> (Told, Vec<u8>) {
    let (mut messages, mut error) = (Vec::new(), None);
    loop {
        match socket.recv() {
            Ok(Some(message)) => messages.push(message.into()),
            Ok(None) => break,
            Err(Error::Protocol(failure)) => assert_eq!(error.replace(format!("{failure:?}")), None),
            Err(other) => panic!("{other}"),
        }
    }
    let closed = socket.closed();
    assert!(closed.is_some());
    ((messages, error, closed), socket.get_ref().written.clone())
}

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

fn as_server(frames: &[u8], sizes: &[usize]) -> (Told, Vec<u8>) {
    let stream = Cut::new([REQUEST.as_bytes(), frames].concat(), sizes);
    listen(blocking::accept(stream, &ServerConfig::new(OriginPolicy::Any)).unwrap())
}

/// What a client writes is masked with random keys; how long it is stays the same.
fn as_client(frames: &[u8], sizes: &[usize]) -> (Told, usize) {
    let mut stream = Cut::new(Vec::new(), sizes);
    stream.frames = Some(frames.to_vec());
    let request = ClientRequest::new(Uri::parse("ws://a/chat").unwrap());
    let (told, written) = listen(blocking::client(stream, request, &ClientConfig::new()).unwrap());
    (told, written.len())
}

fn frames() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let text = "\\PC{0,40}".prop_map(String::into_bytes);
    let frame = prop_oneof![
        4 => (Just(TEXT), text).prop_map(|(first, payload)| vec![(first, payload)]),
        2 => proptest::collection::vec(any::<u8>(), 0..300).prop_map(|payload| vec![(BINARY, payload)]),
        2 => ("\\PC{0,20}", 0_usize..20).prop_map(|(text, at)| {
            let octets = text.into_bytes();
            let (a, b) = octets.split_at(at.min(octets.len()));
            vec![(TEXT_PART, a.to_vec()), (PING, b"in between".to_vec()), (END, b.to_vec())]
        }),
        1 => Just(vec![(BINARY_PART, vec![1; 5]), (MORE, Vec::new()), (END, vec![2; 5])]),
        1 => Just(vec![(PING, b"?".to_vec())]),
        1 => Just(vec![(CLOSE, vec![3, 232])]),
        1 => (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..5)).prop_map(|frame| vec![frame]),
    ];
    proptest::collection::vec(frame, 0..8).prop_map(|frames| frames.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_cut_of_a_conversation_comes_to_the_same(
        frames in frames(), sizes in proptest::collection::vec(1_usize..50, 1..5), noise in any::<Option<(u16, u8)>>(),
    ) {
        let frames: Vec<(u8, &[u8])> = frames.iter().map(|(first, payload)| (*first, payload.as_slice())).collect();
        for side in [Side::Server, Side::Client] {
            let mut bytes = all_to(side, &frames);
            if let (Some((at, byte)), false) = (noise, bytes.is_empty()) {
                let at = usize::from(at) % bytes.len();
                bytes[at] = byte;
            }
            match side {
                Side::Server => {
                    let whole = as_server(&bytes, &[usize::MAX]);
                    prop_assert!(whole.1.starts_with(b"HTTP/1.1 101 "));
                    prop_assert_eq!(&whole, &as_server(&bytes, &sizes));
                    prop_assert_eq!(&whole, &as_server(&bytes, &[1]));
                }
                Side::Client => {
                    let whole = as_client(&bytes, &[usize::MAX]);
                    prop_assert_eq!(&whole, &as_client(&bytes, &sizes));
                    prop_assert_eq!(&whole, &as_client(&bytes, &[1]));
                }
            }
        }
    }
}
