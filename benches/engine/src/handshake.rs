//! The opening handshake, from bytes to bytes, on both sides.

use std::hint::black_box;

use sockless::handshake::client::{self, ClientRequest};
use sockless::handshake::server::{self, ServerProgress};
use sockless::handshake::{HeadLimits, OriginPolicy, Uri};

use crate::Workload;

/// What Chrome sends for `new WebSocket("wss://example.com/chat")`.
const CHROME: &[u8] = b"GET /chat HTTP/1.1\r\n\
    Host: example.com\r\n\
    Connection: Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n\
    Upgrade: websocket\r\n\
    Origin: https://example.com\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en-US;q=0.9,en;q=0.8\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
    \r\n";

/// The answer to the key of RFC 6455 section 1.3, which Chrome has here.
const ACCEPT: &str = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

/// The octets of that key.
const NONCE: [u8; 16] = *b"the sample nonce";

const REQUEST_TARGET: &str = "wss://example.com/chat";

/// A server reads Chrome's request and writes the answer.
pub struct Accept {
    count: usize,
}

/// A server accepts Chrome.
pub fn accept(count: usize) -> Accept {
    Accept { count }
}

/// Storage for heads, and what was written.
pub struct State {
    storage: Vec<u8>,
    out: Vec<u8>,
    written: usize,
}

impl State {
    fn new() -> Self {
        Self { storage: vec![0; HeadLimits::STORAGE], out: vec![0; 1024], written: 0 }
    }

    fn accept(&mut self, request: &[u8]) {
        let mut handshake = server::ServerHandshake::new(&mut self.storage, HeadLimits::default());
        let (taken, progress) = handshake.recv(request).expect("the request is right");
        let ServerProgress::Request(request) = progress else { panic!("{taken} bytes are no whole request") };
        let accept = request.accept(OriginPolicy::SameHost).expect("the origin is the host's");
        (self.written, _) = accept.write(&mut self.out).expect("there is room");
    }
}

impl Workload for Accept {
    type State = State;

    fn count(&self) -> usize {
        self.count
    }

    fn as_bytes(&self) -> usize {
        self.count * CHROME.len()
    }

    fn ready(&self) -> State {
        State::new()
    }

    #[inline(never)]
    fn run(&self, state: &mut State) {
        for _ in 0..self.count {
            state.accept(black_box(CHROME));
            black_box(&state.out);
        }
    }

    fn check(&self, state: &mut State) {
        let answer = std::str::from_utf8(&state.out[..state.written]).expect("a head is text");
        assert!(answer.starts_with("HTTP/1.1 101 ") && answer.contains(ACCEPT), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }
}

/// A client writes its request and reads the answer.
pub struct Open {
    answer: Vec<u8>,
    count: usize,
}

/// A client opens.
pub fn open(count: usize) -> Open {
    let mut server = State::new();
    server.accept(CHROME);
    server.out.truncate(server.written);
    Open { answer: server.out, count }
}

impl Workload for Open {
    type State = State;

    fn count(&self) -> usize {
        self.count
    }

    fn as_bytes(&self) -> usize {
        self.count * self.answer.len()
    }

    fn ready(&self) -> State {
        State::new()
    }

    #[inline(never)]
    fn run(&self, state: &mut State) {
        for _ in 0..self.count {
            let uri = Uri::parse(black_box(REQUEST_TARGET)).expect("it is a URI");
            let request = ClientRequest::new(uri);
            let mut handshake = client::ClientHandshake::new(
                request,
                black_box(NONCE),
                &mut state.storage,
                HeadLimits::default(),
            );
            state.written = handshake.write_request(&mut state.out).expect("there is room");
            let progress = handshake.recv(black_box(&self.answer));
            assert!(matches!(progress, Ok((_, client::ClientProgress::Accepted(_)))), "{progress:?}");
        }
    }

    fn check(&self, state: &mut State) {
        // The run has already checked that the answer was accepted.
        let request = String::from_utf8(state.out[..state.written].to_vec()).expect("a head is text");
        assert!(request.starts_with("GET /chat HTTP/1.1\r\nHost: example.com\r\n"), "{request}");
        state.accept(request.as_bytes());
        assert_eq!(state.out[..state.written], self.answer);
    }
}
