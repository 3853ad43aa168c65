//! What the tests of the opening handshake share: a request that is right, ways to spoil it, and a server that reads it
//! whole and octet by octet.
#![allow(dead_code, reason = "each test crate uses its own part of this module")]

pub mod deflate;

use sockless::handshake::server::{Reject, Request, ServerHandshake, ServerProgress};
use sockless::handshake::{HandshakeError, HeadLimits, OriginPolicy};

/// The key and the accept value of RFC 6455 section 1.3.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The request of RFC 6455 section 1.3, line by line.
pub const LINES: [&str; 8] = [
    "GET /chat HTTP/1.1",
    "Host: server.example.com",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Origin: http://example.com",
    "Sec-WebSocket-Protocol: chat, superchat",
    "Sec-WebSocket-Version: 13",
];

pub fn head<L: AsRef<str>>(lines: impl IntoIterator<Item = L>) -> String {
    let mut head = String::new();
    for line in lines {
        head.push_str(line.as_ref());
        head.push_str("\r\n");
    }
    head + "\r\n"
}

/// The right request with one more line.
pub fn with(line: &str) -> String {
    head(LINES.into_iter().chain([line]))
}

/// The right request without the lines of this field.
pub fn without(name: &str) -> String {
    head(LINES.into_iter().filter(|line| !line.starts_with(&format!("{name}:"))))
}

/// The right request with this line in place of its namesake; the request line has no colon.
pub fn replaced(line: &str) -> String {
    let name = line.split([':', ' ']).next().unwrap();
    let is_request_line = line.contains("HTTP/") && !line.split(' ').next().unwrap().contains(':');
    head(LINES.into_iter().enumerate().map(|(at, old)| {
        let same = if is_request_line { at == 0 } else { old.split(':').next() == Some(name) };
        if same {
            line
        } else {
            old
        }
    }))
}

/// What a server made of a head, and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    More,
    Accepted(Box<Seen>),
    Http(String, String),
    Refused(HandshakeError, u16, String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub target: String,
    pub host: String,
    pub origin: Option<String>,
    pub subprotocols: Vec<String>,
    pub extensions: Vec<String>,
    pub fields: Vec<(String, Vec<u8>)>,
    pub response: String,
    pub taken: usize,
}

pub fn serve(head: &str) -> Outcome {
    serve_bytes(head.as_bytes())
}

/// Reads the head whole and octet by octet; both must come to the same.
pub fn serve_bytes(head: &[u8]) -> Outcome {
    let whole = serve_in(head, head.len(), HeadLimits::DEFAULT, 64 << 10);
    assert_eq!(whole, serve_in(head, 1, HeadLimits::DEFAULT, 64 << 10));
    whole
}

pub fn serve_in(head: &[u8], chunk: usize, limits: HeadLimits, size: usize) -> Outcome {
    let mut storage = vec![0; size];
    let mut handshake = ServerHandshake::new(&mut storage, limits);
    let mut taken = 0;
    for chunk in head.chunks(chunk.max(1)) {
        match handshake.recv(chunk) {
            Ok((more, ServerProgress::NeedMore)) => taken += more,
            Ok((more, ServerProgress::Request(request))) => {
                return Outcome::Accepted(Box::new(see(&request, taken + more)));
            }
            Ok((_, ServerProgress::Http(plain))) => {
                return Outcome::Http(plain.method().into(), plain.target().into());
            }
            Ok((_, other)) => panic!("{other:?}"),
            Err(error) => {
                let answer = Reject::for_error(error).expect("a server answers");
                return Outcome::Refused(error, answer.status(), rejection(&answer));
            }
        }
    }
    Outcome::More
}

fn see(request: &Request<'_>, taken: usize) -> Seen {
    let mut out = [0; 1024];
    let accept = request.accept(OriginPolicy::Any).unwrap();
    let (len, _) = accept.write(&mut out).unwrap();
    Seen {
        target: request.target().into(),
        host: request.host().into(),
        origin: request.origin().map(str::to_owned),
        subprotocols: request.subprotocols().iter().map(str::to_owned).collect(),
        extensions: request.extensions().iter().map(|extension| extension.name().to_owned()).collect(),
        fields: request.headers().iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect(),
        response: String::from_utf8(out[..len].to_vec()).unwrap(),
        taken,
    }
}

pub fn rejection(reject: &Reject<'_>) -> String {
    let mut out = [0; 2048];
    let len = reject.write(&mut out).unwrap();
    String::from_utf8(out[..len].to_vec()).unwrap()
}

/// The request is accepted.
pub fn accepted(head: &str) -> Seen {
    match serve(head) {
        Outcome::Accepted(seen) => *seen,
        other => panic!("{other:?} for\n{head}"),
    }
}

/// The request is refused with this status; the answer.
pub fn refused(head: &str, status: u16) -> String {
    match serve(head) {
        Outcome::Refused(_, got, answer) => {
            assert_eq!(got, status, "for\n{head}");
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            assert!(!answer.contains(" 101 "));
            answer
        }
        other => panic!("{other:?} for\n{head}"),
    }
}

/// The field of a response, which must stand there once.
pub fn field<'r>(response: &'r str, name: &str) -> Option<&'r str> {
    let mut values = response
        .split("\r\n")
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(": "))
        .filter(|(candidate, _)| *candidate == name)
        .map(|(_, value)| value);
    let value = values.next();
    assert_eq!(values.next(), None, "{name} stands twice");
    value
}
