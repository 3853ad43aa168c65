//! What an application decides once it has seen the request, and a WebSocket that is asked for on a connection that
//! served plain HTTP before: on each adapter, however the octets come.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sockless::futures_io::FuturesIo;
use sockless::handshake::server::Request;
use sockless::handshake::{ComposeError, OriginPolicy};
use sockless::{
    blocking, futures_io, polled, tokio as on_tokio, Answer, Error, Opened, OpeningError, Refusal,
    ServerConfig,
};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Adapter {
    Blocking,
    Tokio,
    Smol,
    Untimed,
}

use Adapter::{Blocking, Smol, Tokio, Untimed};

pub(crate) const ALL: [Adapter; 4] = [Blocking, Tokio, Smol, Untimed];

/// Calls the macro `$served` with the module of this adapter and a stream for it, and with `await` where one waits so.
macro_rules! on_adapter {
    ($adapter:expr, $stream:expr, $served:ident) => {{
        let stream: std::net::TcpStream = $stream;
        match $adapter {
            $crate::answer::Adapter::Blocking => $served!([sockless::blocking], stream),
            $crate::answer::Adapter::Tokio => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    stream.set_nonblocking(true).unwrap();
                    let stream = tokio::net::TcpStream::from_std(stream).unwrap();
                    $served!([sockless::tokio], stream, await)
                })
            }
            $crate::answer::Adapter::Smol => smol::block_on(async {
                let stream = sockless::futures_io::FuturesIo::new(smol::Async::new(stream).unwrap());
                $served!([sockless::polled], stream.with_timer(smol::Timer::at), await)
            }),
            $crate::answer::Adapter::Untimed => smol::block_on(async {
                $served!([sockless::futures_io], smol::Async::new(stream).unwrap(), await)
            }),
        }
    }};
}
pub(crate) use on_adapter;

/// What a server made of a connection.
#[derive(Debug)]
enum Served {
    /// It sent back the octets of one message; the subprotocol.
    Echoed(Option<String>),
    Http(TcpStream, Vec<u8>),
}

type Decide = fn(&Request<'_>) -> Result<Answer<'static>, Refusal>;

/// Serves what follows `received`.
fn serve(
    adapter: Adapter,
    stream: TcpStream,
    received: &[u8],
    options: &ServerConfig,
    decide: Decide,
) -> Result<Served, Error> {
    macro_rules! served {
        ($accepted:expr, $back:expr $(, $wait:tt)*) => {
            match $accepted? {
                Opened::WebSocket(mut socket) => {
                    let subprotocol = socket.subprotocol().map(str::to_owned);
                    let message = socket.recv()$(.$wait)*?.expect("a message").as_bytes().to_vec();
                    socket.send(message.as_slice())$(.$wait)*?;
                    Ok(Served::Echoed(subprotocol))
                }
                Opened::Http { stream, received } => Ok(Served::Http($back(stream), received)),
            }
        };
    }
    let smol = |stream: TcpStream| smol::Async::new(stream).unwrap();
    let blocking = |stream: TcpStream| {
        stream.set_nonblocking(false).unwrap();
        stream
    };
    match adapter {
        Blocking => served!(blocking::accept_buffered(stream, received, options, decide), |stream| stream),
        Tokio => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                stream.set_nonblocking(true).unwrap();
                let stream = tokio::net::TcpStream::from_std(stream).unwrap();
                let back = |stream: tokio::net::TcpStream| blocking(stream.into_std().unwrap());
                served!(on_tokio::accept_buffered(stream, received, options, decide).await, back, await)
            })
        }
        Smol => smol::block_on(async {
            let stream = FuturesIo::new(smol(stream)).with_timer(smol::Timer::at);
            let back = |stream: FuturesIo<smol::Async<TcpStream>>| {
                blocking(stream.into_inner().into_inner().unwrap())
            };
            served!(polled::accept_buffered(stream, received, options, decide).await, back, await)
        }),
        Untimed => smol::block_on(async {
            let back = |stream: smol::Async<TcpStream>| blocking(stream.into_inner().unwrap());
            served!(futures_io::accept_buffered(smol(stream), received, options, decide).await, back, await)
        }),
    }
}

/// Runs this on a thread of its own, for a bounded time.
pub(crate) fn soon<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> mpsc::Receiver<T> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(run()));
    receiver
}

pub(crate) fn came<T>(receiver: &mpsc::Receiver<T>) -> T {
    receiver.recv_timeout(Duration::from_secs(20)).expect("it waits for ever, or has panicked")
}

pub(crate) fn streams() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    peer.set_nodelay(true).unwrap();
    (listener.accept().unwrap().0, peer)
}

pub(crate) fn read_head(peer: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        peer.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

pub(crate) fn upgrade(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: v1, v2, v3\r\n\r\n"
    )
}

/// "Hello", masked as in RFC 6455 section 5.7.
pub(crate) const FRAME: &[u8] = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";

pub(crate) fn any_origin() -> ServerConfig {
    ServerConfig::new(OriginPolicy::Any)
}

// A connection that is kept.

const PLAIN: &str = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// Answers plain requests until a WebSocket is asked for: its subprotocol, and how many requests came
/// before.
fn serve_both(adapter: Adapter, mut stream: TcpStream) -> (Option<String>, usize) {
    let mut received = Vec::new();
    let mut plain = 0;
    loop {
        match serve(adapter, stream, &received, &any_origin(), |_| Ok(Answer::new())).unwrap() {
            Served::Echoed(subprotocol) => return (subprotocol, plain),
            Served::Http(back, read) => {
                assert!(read.starts_with(PLAIN.as_bytes()));
                plain += 1;
                stream = back;
                stream.write_all(ANSWER).unwrap();
                received = read[PLAIN.len()..].to_vec();
            }
        }
    }
}

#[test]
fn a_connection_that_served_http_becomes_a_websocket() {
    let _watchdog = watchdog!();
    for adapter in ALL {
        for plain in [1, 3] {
            let (ours, mut peer) = streams();
            let server = soon(move || serve_both(adapter, ours));
            for _ in 0..plain {
                peer.write_all(PLAIN.as_bytes()).unwrap();
                let mut answer = vec![0; ANSWER.len()];
                peer.read_exact(&mut answer).unwrap();
                assert_eq!(answer, ANSWER);
            }
            peer.write_all(upgrade("/chat").as_bytes()).unwrap();
            assert!(read_head(&mut peer).starts_with("HTTP/1.1 101 "));
            peer.write_all(FRAME).unwrap();
            let mut echo = [0; 7];
            peer.read_exact(&mut echo).unwrap();
            assert_eq!(&echo, b"\x82\x05Hello");
            assert_eq!(came(&server), (None, plain), "{adapter:?}");
        }
    }
}

/// Both requests and a frame arrive in one segment, or octet by octet: what was read with the first request is
/// passed on for the second, however it is cut.
#[test]
fn what_was_read_already_is_not_lost() {
    let _watchdog = watchdog!();
    let all = [PLAIN.as_bytes(), upgrade("/chat").as_bytes(), FRAME].concat();
    for adapter in ALL {
        for cuts in
            [vec![], vec![PLAIN.len() + 5], vec![PLAIN.len() - 1, all.len() - 3], (1..all.len()).collect()]
        {
            let (ours, mut peer) = streams();
            let server = soon(move || serve_both(adapter, ours));
            let mut from = 0;
            for &cut in cuts.iter().chain([&all.len()]) {
                peer.write_all(&all[from..cut]).unwrap();
                thread::sleep(Duration::from_micros(300));
                from = cut;
            }
            let mut answer = vec![0; ANSWER.len()];
            peer.read_exact(&mut answer).unwrap();
            assert!(read_head(&mut peer).starts_with("HTTP/1.1 101 "));
            let mut echo = [0; 7];
            peer.read_exact(&mut echo).unwrap();
            assert_eq!((&echo, came(&server)), (b"\x82\x05Hello", (None, 1)), "{adapter:?} {cuts:?}");
        }
    }
}

/// Another HTTP server has read so much of the upgrade, with frames after it, before it knows.
#[test]
fn a_server_that_read_the_upgrade_itself_hands_it_over() {
    let _watchdog = watchdog!();
    let all = [upgrade("/chat").as_bytes(), FRAME].concat();
    for adapter in ALL {
        for read in [0, 1, 20, all.len() - FRAME.len(), all.len() - 2, all.len()] {
            let (mut ours, mut peer) = streams();
            peer.write_all(&all).unwrap();
            let server = soon(move || {
                let mut received = vec![0; read];
                ours.read_exact(&mut received).unwrap();
                serve(adapter, ours, &received, &any_origin(), |_| Ok(Answer::new())).unwrap()
            });
            assert!(read_head(&mut peer).starts_with("HTTP/1.1 101 "));
            let mut echo = [0; 7];
            peer.read_exact(&mut echo).unwrap();
            assert_eq!(&echo, b"\x82\x05Hello", "{adapter:?} {read}");
            assert!(matches!(came(&server), Served::Echoed(None)));
        }
    }
}

// Decisions.

/// The head of the answer that this decision gives, and the server's result.
fn decided(
    adapter: Adapter,
    path: &str,
    options: ServerConfig,
    decide: Decide,
) -> (String, Result<Served, Error>) {
    let (ours, mut peer) = streams();
    let server = soon(move || serve(adapter, ours, &[], &options, decide));
    peer.write_all(upgrade(path).as_bytes()).unwrap();
    let head = read_head(&mut peer);
    // A client that was refused has nothing to say.
    let _ = peer.write_all(FRAME).and_then(|()| peer.shutdown(std::net::Shutdown::Write));
    (head, came(&server))
}

fn by_path(request: &Request<'_>) -> Result<Answer<'static>, Refusal> {
    let cookie = format!("seen={}", request.target().len());
    match request.target() {
        "/plain" => Ok(().into()),
        "/cookies" => {
            Ok(Answer::new().with_field("Set-Cookie", cookie).with_field("Set-Cookie", "b=2; Secure"))
        }
        "/v3" => Ok(Answer::new().with_subprotocol("v3").with_field("X-Version", "3")),
        "/none" => Ok(Answer::new().without_subprotocol()),
        _ => Err(Refusal::new(404).with_field("X-Why", "no such room").with_body("gone")),
    }
}

#[test]
fn a_decision_adds_fields_and_chooses_the_subprotocol_by_path() {
    let _watchdog = watchdog!();
    for adapter in ALL {
        let options = any_origin().with_subprotocols(&["v2", "v9"]).with_fields(&[("X-Served-By", "us")]);
        for (path, fields, protocol) in [
            ("/plain", &[][..], Some("v2")),
            ("/cookies", &["Set-Cookie: seen=8", "Set-Cookie: b=2; Secure"], Some("v2")),
            ("/v3", &["X-Version: 3"], Some("v3")),
            ("/none", &[], None),
        ] {
            let (head, served) = decided(adapter, path, options.clone(), by_path);
            assert!(head.starts_with("HTTP/1.1 101 "), "{adapter:?} {path}: {head}");
            for field in fields.iter().chain(&["X-Served-By: us"]) {
                assert_eq!(
                    head.matches(&format!("\r\n{field}\r\n")).count(),
                    1,
                    "{adapter:?} {path}: {head}"
                );
            }
            let line = protocol.map(|name| format!("\r\nSec-WebSocket-Protocol: {name}\r\n"));
            assert_eq!(head.contains("Sec-WebSocket-Protocol"), line.is_some(), "{head}");
            assert!(head.contains(&line.unwrap_or_default()), "{adapter:?} {path}: {head}");
            assert!(
                matches!(&served, Ok(Served::Echoed(name)) if name.as_deref() == protocol),
                "{adapter:?} {path}: {served:?}"
            );
        }
        let (head, served) = decided(adapter, "/else", options, by_path);
        assert!(head.starts_with("HTTP/1.1 404 ") && head.contains("\r\nX-Why: no such room\r\n"), "{head}");
        assert!(matches!(served, Err(Error::Opening(OpeningError::Refused(404)))), "{served:?}");
    }
}

#[test]
fn what_a_decision_adds_is_judged_as_our_own_options_are() {
    let _watchdog = watchdog!();
    let wrong: [(Decide, ComposeError); 7] = [
        (|_| Ok(Answer::new().with_field("Set-Cookie", "a=b\r\nX-Forged: 1")), ComposeError::InvalidValue),
        (|_| Ok(Answer::new().with_field("Set-Cookie", " a=b")), ComposeError::InvalidValue),
        (|_| Ok(Answer::new().with_field("Set Cookie", "a=b")), ComposeError::InvalidName),
        (|_| Ok(Answer::new().with_field("Upgrade", "h2c")), ComposeError::ReservedField),
        (|_| Ok(Answer::new().with_field("sec-websocket-protocol", "v1")), ComposeError::ReservedField),
        (|_| Ok(Answer::new().with_subprotocol("v4")), ComposeError::UnofferedSubprotocol),
        (|_| Ok(Answer::new().with_subprotocol("")), ComposeError::UnofferedSubprotocol),
    ];
    for adapter in ALL {
        for (decide, error) in wrong {
            let (head, served) = decided(adapter, "/", any_origin(), decide);
            assert!(head.starts_with("HTTP/1.1 500 ") && !head.contains("Forged"), "{adapter:?}: {head}");
            assert!(
                matches!(served, Err(Error::Opening(OpeningError::Compose(got))) if got == error),
                "{adapter:?}: {served:?}"
            );
        }
    }
}

#[test]
fn what_is_printed_shows_no_value() {
    let _watchdog = watchdog!();
    let answer = Answer::new().with_field("Set-Cookie", "id=secret").with_subprotocol("secret");
    let refusal = Refusal::new(401).with_field("Set-Cookie", "id=secret").with_body("secret");
    let http: Opened<(), ()> = Opened::Http { stream: (), received: b"Cookie: secret".to_vec() };
    let options = any_origin().with_fields(&[("Set-Cookie", "id=secret")]);
    let printed = format!("{answer:?} {refusal:?} {http:?} {options:?}");
    assert!(!printed.contains("secret") && printed.contains("401"), "{printed}");
    assert!(!printed.contains("115, 101"), "{printed}");
}
