//! A client that is refused gets the status, all fields and the body, however TCP cut them, on every adapter.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sockless::endpoint::Buffers;
use sockless::futures_io::FuturesIo;
use sockless::handshake::client::ClientRequest;
use sockless::handshake::{ComposeError, HandshakeError, Uri, UriError};
use sockless::Timeouts;
use sockless::{
    blocking, polled, tokio as on_tokio, ClientConfig, ConnectStage, Error, OpeningError, Rejection,
};

/// How each adapter opens a WebSocket on this socket.
#[derive(Clone, Copy, Debug)]
enum Adapter {
    Blocking,
    Tokio,
    Smol,
    /// `futures-io` without a timer.
    Untimed,
}

use Adapter::{Blocking, Smol, Tokio, Untimed};

const ALL: [Adapter; 4] = [Blocking, Tokio, Smol, Untimed];
const TIMED: [Adapter; 3] = [Blocking, Tokio, Smol];

/// Tests each adapter, all at a time.
fn each(adapters: &[Adapter], test: impl Fn(Adapter) + Sync) {
    thread::scope(|scope| {
        for &adapter in adapters {
            let test = &test;
            scope.spawn(move || test(adapter));
        }
    });
}

fn request() -> ClientRequest<'static> {
    ClientRequest::new(Uri::parse("ws://a/").unwrap())
}

fn connect(adapter: Adapter, stream: TcpStream, settings: &ClientConfig) -> Result<(), Error> {
    let asynchronous = |stream| smol::Async::new(stream).unwrap();
    match adapter {
        Blocking => blocking::client(stream, request(), settings).map(drop),
        Tokio => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                stream.set_nonblocking(true).unwrap();
                let stream = tokio::net::TcpStream::from_std(stream).unwrap();
                on_tokio::client(stream, request(), settings).await.map(drop)
            })
        }
        Smol => smol::block_on(async {
            let stream = FuturesIo::new(asynchronous(stream)).with_timer(smol::Timer::at);
            polled::client(stream, request(), settings).await.map(drop)
        }),
        Untimed => smol::block_on(async {
            sockless::futures_io::client(asynchronous(stream), request(), settings).await.map(drop)
        }),
    }
}

/// A server that answers by these pieces, a moment apart, and then ends or stays.
fn rejected(adapter: Adapter, settings: ClientConfig, pieces: &[&[u8]], ends: bool) -> (Rejection, Duration) {
    let pause = Duration::from_millis(if pieces.len() > 10 { 1 } else { 30 });
    slowly_rejected(adapter, settings, pieces, pause, ends)
}

/// The same, with so long between the pieces.
fn slowly_rejected(
    adapter: Adapter,
    settings: ClientConfig,
    pieces: &[&[u8]],
    pause: Duration,
    ends: bool,
) -> (Rejection, Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    peer.set_nodelay(true).unwrap();
    let (sender, receiver) = mpsc::channel();
    let began = Instant::now();
    thread::spawn(move || sender.send(connect(adapter, stream, &settings)));
    read_head(&mut peer).unwrap();
    for (at, piece) in pieces.iter().enumerate() {
        if at > 0 {
            thread::sleep(pause);
        }
        // A client that knows enough may be gone.
        let _ = peer.write_all(piece);
    }
    if ends {
        peer.shutdown(std::net::Shutdown::Write).unwrap();
    }
    let result = receiver.recv_timeout(Duration::from_secs(20)).expect("it waits for ever, or has panicked");
    match result {
        Err(Error::Opening(OpeningError::Rejected(rejection))) => (rejection, began.elapsed()),
        other => panic!("{adapter:?}: {other:?}"),
    }
}

fn read_head(peer: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        peer.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(head)
}

const LENGTH: &str =
    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\
                      Content-Length: 13\r\n\r\nsay your name";
const CHUNKED: &str = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\
                       Transfer-Encoding: chunked\r\n\r\n4;x=y\r\nsay \r\n9\r\nyour name\r\n0\r\nX-Sum: 1\r\n\r\n";
const UNTIL_END: &str =
    "HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n\
                         say your name";

#[track_caller]
fn is_whole(rejection: &Rejection, adapter: Adapter) {
    assert_eq!((rejection.status(), rejection.is_complete()), (401, true));
    assert_eq!(rejection.body().escape_ascii().to_string(), "say your name", "{adapter:?}");
    let cookies: Vec<_> = rejection.fields().iter().filter(|(name, _)| name == "Set-Cookie").collect();
    assert_eq!(cookies.len(), 2);
}

/// Cut after the head, inside it, inside the body, and in single octets.
fn cuts(response: &str) -> Vec<Vec<&[u8]>> {
    let bytes = response.as_bytes();
    let head = response.find("\r\n\r\n").unwrap() + 4;
    let at = |places: &[usize]| {
        let mut pieces = Vec::new();
        let mut from = 0;
        for &place in places.iter().chain([&bytes.len()]) {
            pieces.push(&bytes[from..place]);
            from = place;
        }
        pieces
    };
    vec![
        at(&[]),
        at(&[head]),
        at(&[9, head, head + 1, head + 6]),
        at(&[head - 2, bytes.len() - 1]),
        bytes.chunks(1).collect(),
    ]
}

#[test]
fn a_refusal_is_read_whole_however_it_is_cut_and_no_longer_than_needed() {
    let _watchdog = watchdog!();
    each(&ALL, |adapter| {
        // A server that keeps the connection is not waited for.
        for response in [LENGTH, CHUNKED] {
            for pieces in cuts(response) {
                let (rejection, took) = rejected(adapter, ClientConfig::new(), &pieces, false);
                is_whole(&rejection, adapter);
                assert!(took < Duration::from_secs(5), "{adapter:?}: {took:?}");
            }
        }
        for response in [LENGTH, CHUNKED, UNTIL_END] {
            for pieces in cuts(response) {
                is_whole(&rejected(adapter, ClientConfig::new(), &pieces, true).0, adapter);
            }
        }
    });
}

#[test]
fn a_refusal_is_read_whole_octet_by_octet() {
    let _watchdog = watchdog!();
    each(&ALL, |adapter| {
        let settings = ClientConfig::new().with_buffers(Buffers::DEFAULT.with_read(1));
        for response in [LENGTH, CHUNKED] {
            is_whole(&rejected(adapter, settings.clone(), &[response.as_bytes()], false).0, adapter);
        }
        is_whole(&rejected(adapter, settings, &[UNTIL_END.as_bytes()], true).0, adapter);
    });
}

/// Timers of which only that of the opening handshake runs.
fn short(millis: u64) -> ClientConfig {
    let mut timeouts = Timeouts::NONE;
    timeouts.opening = Some(Duration::from_millis(millis));
    ClientConfig::new().with_timeouts(timeouts)
}

#[test]
fn a_refusal_whose_body_does_not_end_is_reported_in_time_with_what_came() {
    let _watchdog = watchdog!();
    let body = |response: &str, at: usize| response.find("\r\n\r\n").unwrap() + 4 + at;
    each(&TIMED, |adapter| {
        for (response, cut) in [(LENGTH, 3), (CHUNKED, 10), (UNTIL_END, 3)] {
            let sent = &response.as_bytes()[..body(response, cut)];
            let (rejection, took) = rejected(adapter, short(400), &[sent], false);
            assert_eq!((rejection.status(), rejection.body()), (401, &b"say"[..]), "{adapter:?}");
            assert!(!rejection.is_complete());
            assert!(
                took >= Duration::from_millis(390) && took < Duration::from_secs(3),
                "{adapter:?}: {took:?}"
            );
            // The end of the stream comes before that of the time.
            let (rejection, took) = rejected(adapter, short(10_000), &[sent], true);
            assert_eq!((rejection.status(), rejection.body()), (401, &b"say"[..]), "{adapter:?}");
            assert_eq!(rejection.is_complete(), response == UNTIL_END);
            assert!(took < Duration::from_secs(3), "{adapter:?}: {took:?}");
        }
        // Without timers it is a few seconds.
        let sent = &LENGTH.as_bytes()[..body(LENGTH, 3)];
        let (rejection, took) = rejected(adapter, ClientConfig::new().without_timeouts(), &[sent], false);
        assert_eq!((rejection.status(), rejection.body()), (401, &b"say"[..]), "{adapter:?}");
        assert!(!rejection.is_complete());
        assert!(took < Duration::from_secs(8), "{adapter:?}: {took:?}");
    });
}

/// Where only the end of the connection ends the body, a server that keeps the connection is not waited for: what came for
/// a second is the body, as far as one can know. A body that still comes is waited for.
#[test]
fn a_refusal_without_a_length_does_not_take_the_whole_time() {
    let _watchdog = watchdog!();
    each(&TIMED, |adapter| {
        let (rejection, took) = rejected(adapter, short(15_000), &[UNTIL_END.as_bytes()], false);
        assert_eq!(
            (rejection.body(), rejection.is_complete()),
            (&b"say your name"[..], false),
            "{adapter:?}"
        );
        assert!(took < Duration::from_secs(6), "{adapter:?}: {took:?}");
        let (first, rest) = UNTIL_END.as_bytes().split_at(UNTIL_END.len() - 10);
        let pieces: Vec<_> = std::iter::once(first).chain(rest.chunks(3)).collect();
        let pause = Duration::from_millis(400);
        is_whole(&slowly_rejected(adapter, short(15_000), &pieces, pause, true).0, adapter);
    });
}

/// Firewalls and scripts write heads that are no HTTP; the status line is all that is needed.
#[test]
fn a_refusal_with_a_sloppy_head_is_reported_with_its_fields_and_its_body() {
    let _watchdog = watchdog!();
    for (head, pieces) in [
        ("HTTP/1.1 403 Forbidden\r\nX Foo: 1\r\nServer: x\r\nContent-Length: 4\r\n\r\n", 1),
        ("HTTP/1.1 403 Forbidden\nServer: x\nContent-Length: 4\n\n", 2),
        ("HTTP/1.1 403 Forbidden\r\nno colon\r\nServer: x\r\nBad\u{1}: 2\r\nContent-Length:\r\n 4\n\r\n", 5),
    ] {
        let response = format!("{head}gone and more");
        let size = response.len().div_ceil(pieces);
        let pieces: Vec<&[u8]> = response.as_bytes().chunks(size).collect();
        each(&ALL, |adapter| {
            let (rejection, _) = rejected(adapter, ClientConfig::new(), &pieces, false);
            assert_eq!((rejection.status(), rejection.is_complete()), (403, true), "{adapter:?}");
            assert_eq!(rejection.body(), b"gone");
            let names: Vec<&str> = rejection.fields().iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["Server", "Content-Length"]);
        });
    }
}

/// The end of the transport, the end of the time, and more head than there is room for.
#[test]
fn a_refusal_whose_head_does_not_end_is_reported_with_what_came() {
    let _watchdog = watchdog!();
    let head = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nX: ";
    let check = |rejection: &Rejection, adapter| {
        assert_eq!((rejection.status(), rejection.is_complete()), (503, false), "{adapter:?}");
        assert_eq!(rejection.fields(), [("Retry-After".to_owned(), b"7".to_vec())]);
        assert!(rejection.body().is_empty(), "the rest of a head is no body");
    };
    each(&ALL, |adapter| check(&rejected(adapter, ClientConfig::new(), &[head], true).0, adapter));
    each(&ALL, |adapter| {
        check(&rejected(adapter, ClientConfig::new(), &[&head[..40], &head[40..]], true).0, adapter);
    });
    each(&TIMED, |adapter| check(&rejected(adapter, short(300), &[head], false).0, adapter));
    let small = ClientConfig::new().with_head_size(256);
    let long = [&head[..], &[b'x'; 2000], b"\r\nContent-Length: 4\r\n\r\ngone"].concat();
    each(&ALL, |adapter| check(&rejected(adapter, small.clone(), &[&long], false).0, adapter));
}

#[test]
fn a_body_is_kept_up_to_a_bound() {
    let _watchdog = watchdog!();
    each(&ALL, |adapter| {
        for len in [64 << 10, (64 << 10) + 1, 1 << 20] {
            let response = [
                format!("HTTP/1.1 502 Bad Gateway\r\nContent-Length: {len}\r\n\r\n").into_bytes(),
                vec![b'x'; len],
            ]
            .concat();
            let (rejection, _) = rejected(adapter, ClientConfig::new(), &[&response], false);
            assert_eq!(rejection.body().len(), len.min(64 << 10), "{adapter:?}");
            assert_eq!(rejection.is_complete(), len == 64 << 10);
        }
        // A body without end is not read to its end.
        let response = [&b"HTTP/1.1 502 Bad Gateway\r\n\r\n"[..], &vec![b'x'; 100 << 10]].concat();
        let (rejection, took) = rejected(adapter, ClientConfig::new(), &[&response], false);
        assert_eq!((rejection.body().len(), rejection.is_complete()), (64 << 10, false), "{adapter:?}");
        assert!(took < Duration::from_secs(5), "{adapter:?}: {took:?}");
    });
}

#[test]
fn the_bound_of_a_body_is_a_setting() {
    let _watchdog = watchdog!();
    each(&ALL, |adapter| {
        for (max, body) in [(0, ""), (3, "say"), (13, "say your name"), (14, "say your name")] {
            for response in [LENGTH, CHUNKED] {
                let settings = ClientConfig::new().with_max_rejection_body(max);
                let (rejection, _) = rejected(adapter, settings, &[response.as_bytes()], false);
                assert_eq!(
                    (rejection.body(), rejection.is_complete()),
                    (body.as_bytes(), max >= 13),
                    "{adapter:?}"
                );
            }
        }
    });
}

#[test]
fn a_rejection_that_is_printed_shows_no_value_and_no_body() {
    let _watchdog = watchdog!();
    let (rejection, _) = rejected(Blocking, ClientConfig::new(), &[LENGTH.as_bytes()], false);
    let printed = format!("{:?} {rejection}", OpeningError::Rejected(rejection.clone()));
    assert!(printed.contains("401") && !printed.contains("Basic") && !printed.contains("name"), "{printed}");
}

#[test]
fn a_body_that_cannot_be_told_from_what_follows_hides_no_refusal() {
    let _watchdog = watchdog!();
    each(&ALL, |adapter| {
        for fields in ["Content-Length: 1\r\nContent-Length: 2\r\n", "Content-Length: x\r\n"] {
            let response = format!("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n{fields}\r\nbusy");
            let (rejection, _) = rejected(adapter, ClientConfig::new(), &[response.as_bytes()], false);
            assert_eq!((rejection.status(), rejection.body()), (503, &b""[..]), "{adapter:?}");
            assert_eq!(rejection.fields()[0], ("Retry-After".to_owned(), b"5".to_vec()));
        }
        let response = b"HTTP/1.1 503 x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbusy\r\nnonsense";
        let (rejection, _) = rejected(adapter, ClientConfig::new(), &[response], false);
        assert_eq!((rejection.status(), rejection.body()), (503, &b"busy"[..]), "{adapter:?}");
        let response = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n";
        let (rejection, took) = rejected(adapter, ClientConfig::new(), &[response], false);
        assert_eq!((rejection.status(), rejection.body()), (304, &b""[..]), "{adapter:?}");
        assert!(took < Duration::from_secs(5), "{adapter:?}: {took:?}");
    });
}

/// A chain of errors is printed as the texts of all of them: none may repeat the next.
#[test]
fn what_an_opening_error_is_made_of_is_printed_once() {
    let _watchdog = watchdog!();
    let (rejection, _) = rejected(Blocking, ClientConfig::new(), &[LENGTH.as_bytes()], false);
    for error in [
        OpeningError::Handshake(HandshakeError::InvalidAccept),
        OpeningError::Refused(404),
        OpeningError::NotWebSocket,
        OpeningError::Rejected(rejection),
        OpeningError::Compose(ComposeError::ReservedField),
        OpeningError::InvalidUri(UriError::Scheme),
        OpeningError::TlsRequired,
        OpeningError::TimedOut(ConnectStage::Resolving),
        OpeningError::TimedOut(ConnectStage::Connecting),
        OpeningError::Entropy,
    ] {
        let (printed, mut source) = (error.to_string(), std::error::Error::source(&error));
        assert!(!printed.is_empty());
        while let Some(inner) = source {
            assert!(!printed.contains(&inner.to_string()), "{printed}: {inner}");
            source = inner.source();
        }
    }
}
