//! The time of an opening handshake, on every adapter that has a clock: timers run by default, a refusal ends,
//! and a client that was too slow is told so.

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sockless::endpoint::Buffers;
use sockless::futures_io::FuturesIo;
use sockless::handshake::client::ClientRequest;
use sockless::handshake::server::Request;
use sockless::handshake::{HandshakeError, OriginPolicy, Uri};
use sockless::{blocking, polled, tokio as on_tokio, ClientConfig, Error, OpeningError, ServerConfig};
use sockless::{blocking::BlockingTransport, Refusal};
use sockless::{Limits, ProtocolError, Timeout, Timeouts};
use tokio::io::{duplex, AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const PLAIN: &str = "GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n";
const BAD: &str = "GET / HTTP/1.1\r\nX Y: z\r\n\r\n";

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn any_origin() -> ServerConfig {
    ServerConfig::new(OriginPolicy::Any)
}

fn request() -> ClientRequest<'static> {
    ClientRequest::new(Uri::parse("ws://a/").unwrap())
}

/// Timers of which only that of the opening handshake runs.
fn opening(limit: Duration) -> Timeouts {
    let mut timeouts = Timeouts::NONE;
    timeouts.opening = Some(limit);
    timeouts
}

fn is_late<T>(result: &Result<T, Error>, timeout: Timeout) -> bool {
    matches!(result, Err(Error::Protocol(ProtocolError::TimedOut(late))) if *late == timeout)
}

/// The result, and how long it took on tokio's clock, which is stopped while anything can be done.
async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let output = tokio::time::timeout(seconds(3600), future).await.expect("it waits for ever");
    (output, began.elapsed())
}

/// The same on the clock on the wall, for blocking sockets.
fn soon<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> (T, Duration) {
    let (sender, receiver) = mpsc::channel();
    let began = std::time::Instant::now();
    thread::spawn(move || sender.send(run()));
    let output = receiver.recv_timeout(seconds(20)).expect("it waits for ever, or has panicked");
    (output, began.elapsed())
}

fn streams() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, peer)
}

fn between(took: Duration, least: Duration, most: Duration) {
    assert!(took >= least && took <= most, "{took:?} is not between {least:?} and {most:?}");
}

// Timers by default.

/// Every way to say something else of a server leaves its timers.
fn servers() -> Vec<ServerConfig> {
    vec![
        any_origin(),
        any_origin().with_subprotocols(&["a"]),
        any_origin().with_buffers(Buffers::DEFAULT.with_read(4096)),
        any_origin().with_limits(Limits::DEFAULT.with_max_message_size(1000)),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_of_timers_has_those_of_servers() {
    let _watchdog = watchdog!();
    for options in servers() {
        let (ours, _silent) = duplex(1 << 16);
        let (result, took) = timed(on_tokio::accept(ours, &options)).await;
        assert!(is_late(&result, Timeout::OpeningHandshake), "{result:?}");
        between(took, seconds(10), seconds(12));
        // Those of the open connection: a Ping after 30 s, 20 s for its answer, 5 s for that to a Close.
        let (ours, mut peer) = duplex(1 << 16);
        peer.write_all(REQUEST.as_bytes()).await.unwrap();
        let mut socket = on_tokio::accept(ours, &options).await.unwrap();
        let (result, took) = timed(async { socket.recv().await.map(|_| ()) }).await;
        assert!(is_late(&result, Timeout::Pong), "{result:?}");
        between(took, seconds(50), seconds(56));
    }
}

/// Without timers there is no limit, whichever way that is set.
#[tokio::test(start_paused = true)]
async fn no_timers_are_none() {
    let _watchdog = watchdog!();
    for options in [any_origin().without_timeouts(), any_origin().with_timeouts(Timeouts::NONE)] {
        let (ours, _peer) = tokio::io::duplex(4096);
        let waiting = tokio::time::timeout(seconds(10_000), sockless::tokio::accept(ours, &options));
        assert!(waiting.await.is_err(), "it waits without end");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_of_timers_has_those_of_clients() {
    let _watchdog = watchdog!();
    for config in [ClientConfig::new(), ClientConfig::new().with_limits(Limits::DEFAULT)] {
        let (ours, _silent) = duplex(1 << 16);
        let (result, took) = timed(on_tokio::client(ours, request(), &config)).await;
        assert!(is_late(&result, Timeout::OpeningHandshake), "{result:?}");
        between(took, seconds(30), seconds(31));
    }
}

/// A transport that blocks until the limit that it was given, and notes the limits.
#[derive(Default)]
struct Noting {
    limits: Vec<Option<Duration>>,
}

impl Read for Noting {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

impl Write for Noting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlockingTransport for &mut Noting {
    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn limit_read(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.limits.push(limit);
        Ok(())
    }
}

#[test]
fn blocking_sockets_have_the_same_timers() {
    let _watchdog = watchdog!();
    let first = |noting: &Noting| noting.limits.first().copied().flatten().expect("no read was limited");
    for options in servers() {
        let mut noting = Noting::default();
        assert!(blocking::accept(&mut noting, &options).is_err());
        between(first(&noting), seconds(9), seconds(10));
    }
    let mut noting = Noting::default();
    assert!(blocking::client(&mut noting, request(), &ClientConfig::new()).is_err());
    between(first(&noting), seconds(29), seconds(30));
}

// A refusal ends, whether its client reads it, does not, or leaves.

/// What a client sends, why the server refuses it, and the status.
const REFUSED: [(&str, u16); 3] = [(BAD, 400), (PLAIN, 426), (REQUEST, 404)];

#[track_caller]
fn is_refused<T: std::fmt::Debug>(result: Result<T, Error>, status: u16) {
    match (status, result.expect_err("refused")) {
        (400, Error::Opening(OpeningError::Handshake(HandshakeError::MalformedHeader))) => {}
        (426, Error::Opening(OpeningError::NotWebSocket)) => {}
        (404, Error::Opening(OpeningError::Refused(404))) => {}
        (status, error) => panic!("{status}: {error:?}"),
    }
}

/// A client that stays, and says nothing more, or an octet now and then.
async fn stays(mut peer: DuplexStream, sends: &str, drips: bool) -> String {
    peer.write_all(sends.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    let mut buf = [0; 7];
    loop {
        tokio::select! {
            read = peer.read(&mut buf) => match read.unwrap() {
                0 => break,
                count => response.extend_from_slice(&buf[..count]),
            },
            () = tokio::time::sleep(Duration::from_millis(100)), if drips => {
                let _ = peer.write_all(b"x").await;
            }
        }
    }
    // The server has ended its direction; ours stays open.
    while drips && peer.write_all(b"x").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    if !drips {
        tokio::time::sleep(seconds(60)).await;
    }
    String::from_utf8(response).unwrap()
}

#[tokio::test(start_paused = true)]
async fn on_tokio_a_refusal_ends_in_time_with_timers_and_without() {
    let _watchdog = watchdog!();
    let times = [
        (any_origin(), 10),
        (any_origin().with_timeouts(opening(seconds(3))), 3),
        (any_origin().without_timeouts(), 5),
        // Octet by octet.
        (any_origin().with_buffers(Buffers::DEFAULT.with_read(1)), 10),
    ];
    for (options, most) in times {
        for (sends, status) in REFUSED {
            for drips in [false, true] {
                let (ours, peer) = duplex(1 << 16);
                let peer = tokio::spawn(stays(peer, sends, drips));
                let refuse = |_: &Request<'_>| Err::<(), _>(Refusal::new(404));
                let (result, took) = timed(on_tokio::accept_with(ours, &options, refuse)).await;
                is_refused(result, status);
                assert!(took <= seconds(most) + Duration::from_millis(10), "{status} {drips}: {took:?}");
                let response = timed(peer).await.0.unwrap();
                assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn on_tokio_a_client_that_does_not_read_its_refusal_is_left_in_time() {
    let _watchdog = watchdog!();
    for (options, most) in [(any_origin(), 10), (any_origin().without_timeouts(), 5)] {
        for (sends, status) in REFUSED {
            // The pipe holds nothing of the response until the client reads.
            let (ours, mut peer) = duplex(8);
            let send = async {
                let _ = peer.write_all(sends.as_bytes()).await;
                tokio::time::sleep(seconds(7200)).await;
            };
            let refuse = |_: &Request<'_>| Err::<(), _>(Refusal::new(404).with_body(vec![b'x'; 1 << 20]));
            let (result, took) = tokio::select! {
                timed = timed(on_tokio::accept_with(ours, &options, refuse)) => timed,
                () = send => unreachable!(),
            };
            is_refused(result, status);
            assert!(took <= seconds(most) + Duration::from_millis(10), "{status}: {took:?}");
        }
    }
}

#[test]
fn on_blocking_sockets_a_refusal_ends_in_time_with_timers_and_without() {
    let _watchdog = watchdog!();
    let short = || any_origin().with_timeouts(opening(Duration::from_millis(500)));
    let servers: Vec<thread::JoinHandle<()>> = [(short(), 4500), (any_origin().without_timeouts(), 9000)]
        .into_iter()
        .flat_map(|(options, most)| REFUSED.map(|(sends, status)| (options.clone(), most, sends, status)))
        .flat_map(|(options, most, sends, status)| {
            [false, true].map(|reads| {
                let options = options.clone();
                thread::spawn(move || {
                    let (ours, mut peer) = streams();
                    peer.write_all(sends.as_bytes()).unwrap();
                    // More than the kernel takes for a client that does not read.
                    let body = vec![b'x'; if reads { 10 } else { 12 << 20 }];
                    let refuse = |_: &Request<'_>| Err::<(), _>(Refusal::new(404).with_body(body));
                    let ((), took) = {
                        let began = std::time::Instant::now();
                        is_refused(blocking::accept_with(ours, &options, refuse), status);
                        ((), began.elapsed())
                    };
                    assert!(took <= Duration::from_millis(most), "{status} {reads}: {took:?}");
                    if reads {
                        let mut response = String::new();
                        peer.read_to_string(&mut response).unwrap();
                        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
                    }
                })
            })
        })
        .collect();
    for server in servers {
        let (result, _) = soon(move || server.join());
        result.unwrap();
    }
}

/// A client that does not read may stop an acceptance as well: the 101 with fields that fill its window.
#[test]
fn on_blocking_sockets_the_writes_of_an_opening_have_their_time_too() {
    let _watchdog = watchdog!();
    let (ours, mut peer) = streams();
    peer.write_all(REQUEST.as_bytes()).unwrap();
    let (result, took) = soon(move || {
        let value = "x".repeat(12 << 20);
        let options =
            any_origin().with_field("X-Long", value).with_timeouts(opening(Duration::from_millis(300)));
        blocking::accept(ours, &options).map(|_| ())
    });
    assert!(is_late(&result, Timeout::OpeningHandshake), "{result:?}");
    between(took, Duration::from_millis(300), seconds(6));
    let (result, _) = soon(move || {
        let (ours, _peer) = streams();
        let value = "x".repeat(12 << 20);
        let fields = [("X-Long", value.as_str())];
        let settings = ClientConfig::new().with_timeouts(opening(Duration::from_millis(300)));
        blocking::client(ours, request().with_fields(&fields).unwrap(), &settings).map(|_| ())
    });
    assert!(is_late(&result, Timeout::OpeningHandshake), "{result:?}");
}

/// After the opening handshake its limit is not left on the socket.
#[test]
fn on_blocking_sockets_the_limits_of_the_opening_end_with_it() {
    let _watchdog = watchdog!();
    for options in [any_origin().with_timeouts(opening(Duration::from_millis(500))), any_origin()] {
        let (ours, mut peer) = streams();
        peer.write_all(REQUEST.as_bytes()).unwrap();
        let socket = blocking::accept(ours, &options).unwrap();
        assert_eq!(socket.get_ref().read_timeout().unwrap(), None);
        assert_eq!(socket.get_ref().write_timeout().unwrap(), None);
        let (ours, mut peer) = streams();
        peer.write_all(PLAIN.as_bytes()).unwrap();
        let opened = blocking::accept_or_http(ours, &options, |_| Ok(())).unwrap();
        let sockless::Opened::Http { stream, .. } = opened else { panic!("it is plain HTTP") };
        assert_eq!((stream.read_timeout().unwrap(), stream.write_timeout().unwrap()), (None, None));
    }
}

/// A socket that does not block says so; it is not asked again and again until the time is up.
#[test]
fn a_socket_that_does_not_block_is_no_busy_wait() {
    let _watchdog = watchdog!();
    let (ours, _peer) = streams();
    ours.set_nonblocking(true).unwrap();
    let (result, took) = soon(move || blocking::accept(ours, &any_origin()).map(|_| ()));
    assert!(matches!(result, Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock));
    assert!(took < seconds(1), "{took:?}");
}

/// Without a timer nothing but octets bounds a refusal: the client's end, or 1 MiB.
#[test]
fn on_futures_io_a_refusal_ends_with_a_timer_in_time_and_without_one_with_the_octets() {
    let _watchdog = watchdog!();
    for (sends, status) in REFUSED {
        // Without timers it is 5 s, once.
        for timeouts in
            [Some(opening(Duration::from_millis(300)))].into_iter().chain((status == 404).then_some(None))
        {
            let (result, took) = soon(move || {
                smol::block_on(async {
                    let (ours, mut peer) = streams();
                    peer.write_all(sends.as_bytes()).unwrap();
                    let ours = FuturesIo::new(smol::Async::new(ours).unwrap()).with_timer(smol::Timer::at);
                    let options = match timeouts {
                        Some(timeouts) => any_origin().with_timeouts(timeouts),
                        None => any_origin().without_timeouts(),
                    };
                    let refuse = |_: &Request<'_>| Err::<(), _>(Refusal::new(404));
                    (polled::accept_with(ours, &options, refuse).await.map(|_| ()), peer)
                })
            });
            is_refused(result.0, status);
            assert!(took < seconds(6), "{took:?}");
        }
        let (result, _) = soon(move || {
            smol::block_on(async {
                let (ours, mut peer) = streams();
                peer.write_all(sends.as_bytes()).unwrap();
                let flood = thread::spawn(move || {
                    let mut sent = 0_usize;
                    while let Ok(count @ 1..) = peer.write(&[b'y'; 4096]) {
                        sent += count;
                    }
                    sent
                });
                let ours = smol::Async::new(ours).unwrap();
                let refuse = |_: &Request<'_>| Err::<(), _>(Refusal::new(404));
                let result = sockless::futures_io::accept_with(ours, &any_origin(), refuse).await;
                is_refused(result, status);
                flood
            })
        });
        assert!(soon(move || result.join().unwrap()).0 >= 1 << 20);
    }
}

// Too slow.

/// A head that does not end, sent whole, octet by octet, or not at all.
const SLOW: [&str; 3] = ["", "G", "GET / HTTP/1.1\r\nHost: a\r\nX-Y: "];

#[tokio::test(start_paused = true)]
async fn req_9112_9_5_1_on_tokio_a_client_that_is_too_slow_gets_a_408() {
    let _watchdog = watchdog!();
    for sends in SLOW {
        for drips in [false, true] {
            let (ours, peer) = duplex(1 << 16);
            let peer = tokio::spawn(stays(peer, sends, drips));
            let read = if drips { 1 } else { 4096 };
            let options = any_origin()
                .with_timeouts(opening(seconds(2)))
                .with_buffers(Buffers::DEFAULT.with_read(read));
            let (result, took) = timed(on_tokio::accept(ours, &options)).await;
            // An octet that makes the request line invalid is a 400 at the end of the line only.
            assert!(is_late(&result, Timeout::OpeningHandshake), "{sends:?}: {result:?}");
            between(took, seconds(2), seconds(8));
            let response = timed(peer).await.0.unwrap();
            assert!(response.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{response}");
            assert!(response.contains("\r\nConnection: close\r\n"), "{response}");
        }
    }
}

#[test]
fn req_9112_9_5_1_on_blocking_sockets_and_on_futures_io_a_client_that_is_too_slow_gets_a_408() {
    let _watchdog = watchdog!();
    let options = any_origin().with_timeouts(opening(Duration::from_millis(200)));
    for sends in SLOW {
        for on_smol in [false, true] {
            let options = options.clone();
            let (ours, mut peer) = streams();
            peer.write_all(sends.as_bytes()).unwrap();
            let client = thread::spawn(move || {
                let mut response = String::new();
                peer.read_to_string(&mut response).unwrap();
                (response, peer)
            });
            let (result, took) = soon(move || {
                if on_smol {
                    let ours = FuturesIo::new(smol::Async::new(ours).unwrap()).with_timer(smol::Timer::at);
                    smol::block_on(polled::accept(ours, &options)).map(|_| ())
                } else {
                    blocking::accept(ours, &options).map(|_| ())
                }
            });
            assert!(is_late(&result, Timeout::OpeningHandshake), "{sends:?}: {result:?}");
            between(took, Duration::from_millis(200), seconds(3));
            let (response, _) = client.join().unwrap();
            assert!(response.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{response}");
        }
    }
}

/// A client that is slow and does not read either takes only a moment.
#[tokio::test(start_paused = true)]
async fn a_408_that_nobody_reads_is_not_waited_for() {
    let _watchdog = watchdog!();
    let (ours, _peer) = duplex(8);
    let options = any_origin().with_timeouts(opening(seconds(2)));
    let (result, took) = timed(on_tokio::accept(ours, &options)).await;
    assert!(is_late(&result, Timeout::OpeningHandshake), "{result:?}");
    between(took, seconds(2), seconds(4));
}

#[tokio::test(start_paused = true)]
async fn a_client_says_nothing_to_a_server_that_is_too_slow() {
    let _watchdog = watchdog!();
    let (ours, mut peer) = duplex(1 << 16);
    let settings = ClientConfig::new().with_timeouts(opening(seconds(2)));
    let (result, took) = timed(on_tokio::client(ours, request(), &settings)).await;
    assert!(is_late(&result, Timeout::OpeningHandshake), "{result:?}");
    between(took, seconds(2), seconds(8));
    let mut got = String::new();
    peer.read_to_string(&mut got).await.unwrap();
    assert!(got.starts_with("GET / HTTP/1.1\r\n") && got.ends_with("\r\n\r\n"), "{got}");
    assert_eq!(got.matches("HTTP/1.1").count(), 1);
}

/// `Shutdown` of the client after its bad request: nothing is left to wait for.
#[test]
fn a_client_that_ends_is_waited_for_no_longer() {
    let _watchdog = watchdog!();
    let (ours, mut peer) = streams();
    peer.write_all(BAD.as_bytes()).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    let (result, took) = soon(move || blocking::accept(ours, &any_origin()));
    is_refused(result, 400);
    assert!(took < seconds(1), "{took:?}");
}
