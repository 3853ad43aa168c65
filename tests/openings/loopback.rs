//! Both adapters on real sockets of the loopback interface: opening, refusing, closing, and messages of every size.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use sockless::blocking;
use sockless::endpoint::Buffers;
use sockless::handshake::client::ClientRequest;
use sockless::handshake::server::{Request, ServerProgress};
use sockless::handshake::{ComposeError, HandshakeError, HeadLimits, OriginPolicy, Uri, UriError};
use sockless::message::OwnedMessage;
use sockless::{ClientConfig, Error, Opened, OpeningError, Refusal, ServerConfig};
use sockless::{CloseCode, Message};

fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/chat?room=1", listener.local_addr().unwrap());
    (listener, url)
}

fn open() -> ServerConfig {
    ServerConfig::new(OriginPolicy::Any)
}

/// Sends `request` raw and returns everything that comes back.
fn ask_raw(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

#[test]
fn req_6455_4_1_6_without_a_proxy_the_client_connects_directly_and_both_agree() {
    let _watchdog = watchdog!();
    let (listener, url) = listener();
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let options = open().with_subprotocols(&["v2", "v1"]).with_fields(&[("X-Served-By", "sockless")]);
        let mut seen = None;
        let mut socket = blocking::accept_with(stream, &options, |request| {
            seen = Some((request.target().to_owned(), request.origin().map(str::to_owned)));
            Ok(())
        })
        .unwrap();
        while let Some((message, mut outgoing)) = socket.recv_with().unwrap() {
            outgoing.feed(message).unwrap();
        }
        (seen.unwrap(), socket.subprotocol().map(str::to_owned), socket.closed().unwrap())
    });
    let request = ClientRequest::new(Uri::parse(&url).unwrap())
        .with_subprotocols(&["v1", "v2"])
        .unwrap()
        .with_origin("http://example.com")
        .unwrap();
    let mut socket = blocking::connect(request, &ClientConfig::new()).unwrap();
    assert_eq!(socket.subprotocol(), Some("v1"));
    for size in [0, 1, 125, 126, 65_535, 65_536, 3 << 20] {
        let octets: Vec<u8> = (0..=250).cycle().take(size).collect();
        socket.send(&octets[..]).unwrap();
        assert_eq!(socket.recv().unwrap(), Some(Message::Binary(&octets)));
    }
    let closed = socket.close(CloseCode::NORMAL).unwrap().unwrap();
    assert!(closed.clean);
    let ((target, origin), subprotocol, closed) = server.join().unwrap();
    assert_eq!((target.as_str(), origin.as_deref()), ("/chat?room=1", Some("http://example.com")));
    assert_eq!((subprotocol.as_deref(), closed.status, closed.clean), (Some("v1"), 1000, true));
}

#[test]
fn req_6455_4_1_8_a_connection_that_fails_fails_the_handshake() {
    let _watchdog = watchdog!();
    let (listener, url) = listener();
    drop(listener);
    let request = ClientRequest::new(Uri::parse(&url).unwrap());
    assert!(matches!(blocking::connect(request, &ClientConfig::new()), Err(Error::Io(_))));
}

#[test]
fn a_secure_uri_is_never_opened_in_clear() {
    let _watchdog = watchdog!();
    let request = ClientRequest::new(Uri::parse("wss://127.0.0.1:9/").unwrap());
    let error = blocking::connect(request, &ClientConfig::new()).unwrap_err();
    assert!(matches!(error, Error::Opening(OpeningError::TlsRequired)));
}

#[test]
fn one_error_holds_whatever_stops_a_client() {
    let _watchdog = watchdog!();
    fn open(url: &str, cookie: &str) -> Result<(), Error> {
        let fields = [("Cookie", cookie)];
        let request = ClientRequest::new(Uri::parse(url)?).with_fields(&fields)?;
        blocking::connect(request, &ClientConfig::new()).map(drop)
    }
    let error = |url, cookie| match open(url, cookie) {
        Err(Error::Opening(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(error("http://a/", "b"), OpeningError::InvalidUri(UriError::Scheme));
    assert_eq!(error("ws://a/", "b\r\nc: d"), OpeningError::Compose(ComposeError::InvalidValue));
    assert_eq!(error("wss://a/", "b"), OpeningError::TlsRequired);
}

#[test]
fn a_refusal_reaches_the_client_with_status_fields_and_body() {
    let _watchdog = watchdog!();
    let (listener, url) = listener();
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let refusal = Refusal::new(404).with_field("X-Why", "no such room").with_body("gone");
        blocking::accept_with(stream, &open(), |_| Err::<(), _>(refusal)).unwrap_err()
    });
    let request = ClientRequest::new(Uri::parse(&url).unwrap());
    let Err(Error::Opening(OpeningError::Rejected(rejection))) =
        blocking::connect(request, &ClientConfig::new())
    else {
        panic!("not rejected")
    };
    assert_eq!((rejection.status(), rejection.body()), (404, &b"gone"[..]));
    assert!(rejection.fields().contains(&("X-Why".into(), b"no such room".to_vec())));
    assert!(matches!(server.join().unwrap(), Error::Opening(OpeningError::Refused(404))));
}

#[test]
fn a_bad_request_is_answered_with_its_status() {
    let _watchdog = watchdog!();
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    for (request, status) in [
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{upgrade}{key}Sec-WebSocket-Version: 8\r\n\r\n"), "426"),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{upgrade}Sec-WebSocket-Version: 13\r\n\r\n"), "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n".into(), "426"),
    ] {
        let (listener, _) = listener();
        let address = listener.local_addr().unwrap();
        let server =
            thread::spawn(move || blocking::accept(listener.accept().unwrap().0, &open()).unwrap_err());
        let response = ask_raw(address, &request);
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
        assert!(matches!(server.join().unwrap(), Error::Opening(_)));
    }
}

#[test]
fn one_port_serves_http_and_websocket() {
    let _watchdog = watchdog!();
    let (listener, _) = listener();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        match blocking::accept_or_http(stream, &open(), |_| Ok(())).unwrap() {
            Opened::Http { mut stream, received } => {
                let Ok(ServerProgress::Http(request)) = Request::parse(&received, &HeadLimits::DEFAULT)
                else {
                    panic!("{}", String::from_utf8_lossy(&received))
                };
                assert_eq!((request.method(), request.target()), ("GET", "/index.html"));
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap();
            }
            Opened::WebSocket(socket) => panic!("{socket:?}"),
        }
    });
    assert!(ask_raw(address, "GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("hi"));
    server.join().unwrap();
}

#[test]
fn a_peer_that_vanishes_in_the_handshake_is_an_error() {
    let _watchdog = watchdog!();
    let (listener, url) = listener();
    let server = thread::spawn(move || blocking::accept(listener.accept().unwrap().0, &open()).unwrap_err());
    let mut stream = TcpStream::connect(url.trim_start_matches("ws://").split('/').next().unwrap()).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHo").unwrap();
    drop(stream);
    let error = server.join().unwrap();
    assert!(matches!(error, Error::Opening(OpeningError::Handshake(HandshakeError::UnexpectedEof))));
}

#[test]
fn frames_glued_to_the_handshake_are_not_lost() {
    let _watchdog = watchdog!();
    let (listener, _) = listener();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let mut socket = blocking::accept(listener.accept().unwrap().0, &open()).unwrap();
        socket.recv().unwrap().map(OwnedMessage::from)
    });
    let mut stream = TcpStream::connect(address).unwrap();
    let head = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let frame = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    stream.write_all(&[head.as_bytes(), frame].concat()).unwrap();
    assert_eq!(server.join().unwrap(), Some(OwnedMessage::from("Hello")));
}

#[test]
fn a_message_of_any_size_streams_both_ways_in_constant_memory() {
    let _watchdog = watchdog!();
    const PIECES: usize = 1000;
    const PIECE: usize = 64 << 10;
    let (listener, url) = listener();
    let server = thread::spawn(move || {
        // More than the limit for messages that are assembled would be a failure; streaming has a limit of its own.
        let limits = sockless::Limits::DEFAULT.with_max_message_size(u64::MAX);
        let options = open().with_limits(limits).with_buffers(Buffers::DEFAULT.with_read(4096));
        let mut socket = blocking::accept(listener.accept().unwrap().0, &options).unwrap();
        let (mut total, mut largest) = (0, 0);
        while let Some(piece) = socket.recv_piece().unwrap() {
            total += piece.as_bytes().len();
            largest = largest.max(piece.as_bytes().len());
        }
        (total, largest)
    });
    let request = ClientRequest::new(Uri::parse(&url).unwrap());
    let mut socket = blocking::connect(request, &ClientConfig::new()).unwrap();
    let piece = vec![0x42; PIECE];
    for n in 1..=PIECES {
        socket.send_fragment(&piece[..], n == PIECES).unwrap();
    }
    socket.close(CloseCode::NORMAL).unwrap();
    let (total, largest) = server.join().unwrap();
    assert_eq!(total, PIECES * PIECE);
    assert!(largest <= 4096);
}

#[tokio::test]
async fn the_tokio_adapter_opens_refuses_and_closes_as_well() {
    let _watchdog = watchdog!();
    use sockless::tokio as adapter;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        for refuse in [true, false] {
            let (stream, _) = listener.accept().await.unwrap();
            let decide = |_: &Request<'_>| if refuse { Err(Refusal::new(503)) } else { Ok(()) };
            let Ok(mut socket) = adapter::accept_with(stream, &open(), decide).await else { continue };
            while let Some((message, mut outgoing)) = socket.recv_with().await.unwrap() {
                outgoing.feed(message).await.unwrap();
            }
            assert!(socket.closed().unwrap().clean);
        }
    });
    let request = ClientRequest::new(Uri::parse(&url).unwrap());
    let error = adapter::connect(request, &ClientConfig::new()).await.unwrap_err();
    assert!(matches!(error, Error::Opening(OpeningError::Rejected(rejection)) if rejection.status() == 503));
    let mut socket = adapter::connect(request, &ClientConfig::new()).await.unwrap();
    let text = "za\u{17C}\u{F3}\u{142}\u{107} ".repeat(100_000);
    socket.send(text.as_str()).await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some(Message::Text(&text)));
    assert!(socket.close(CloseCode::NORMAL).await.unwrap().unwrap().clean);
    server.await.unwrap();
}
