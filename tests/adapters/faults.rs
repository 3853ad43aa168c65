//! What goes wrong under the tokio adapter: resets, half-closes, truncation, silence, and clocks that jump. Each ends in
//! one truthful terminal event, and nothing is left of the connection.

use crate::common;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use common::{to, CLOSE, PING, PONG, TEXT, TEXT_PART};
use sockless::endpoint::Buffers;
use sockless::handshake::client::ClientRequest;
use sockless::handshake::{OriginPolicy, Uri};
use sockless::message::OwnedMessage;
use sockless::tokio::{accept, client, Tokio, WebSocket};
use sockless::{ClientConfig, Error, ServerConfig};
use sockless::{
    CloseCode, Closed, Config, Initiator, ProtocolError, Role, SendError, Server, Side, Timeout, Timeouts,
};
use tokio::io::{duplex, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// A transport of which the test sees whether it was dropped, and whose end may be an error.
#[derive(Debug)]
struct Noted<S> {
    inner: S,
    end: Option<io::ErrorKind>,
    _alive: Arc<()>,
}

fn noted<S>(inner: S, end: Option<io::ErrorKind>) -> (Noted<S>, Weak<()>) {
    let alive = Arc::new(());
    let seen = Arc::downgrade(&alive);
    (Noted { inner, end, _alive: alive }, seen)
}

impl<S: AsyncRead + Unpin> AsyncRead for Noted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match (Pin::new(&mut self.inner).poll_read(cx, buf), self.end) {
            (Poll::Ready(Ok(())), Some(kind)) if buf.filled().len() == before => {
                Poll::Ready(Err(kind.into()))
            }
            (polled, _) => polled,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// A server's socket on a transport whose end may be an error, the peer's end, and whether it was dropped.
fn pair(
    timeouts: Timeouts,
    end: Option<io::ErrorKind>,
) -> (WebSocket<Noted<DuplexStream>, Server>, DuplexStream, Weak<()>) {
    let (ours, theirs) = duplex(1 << 16);
    let (stream, alive) = noted(ours, end);
    let config = Config::new().with_timeouts(timeouts);
    (WebSocket::new(Tokio::new(stream), Server, config, Buffers::DEFAULT, &[]), theirs, alive)
}

fn timeouts(set: impl FnOnce(&mut Timeouts)) -> Timeouts {
    let mut timeouts = Timeouts::NONE;
    set(&mut timeouts);
    timeouts
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn from_client(first: u8, payload: &[u8]) -> Vec<u8> {
    to(Side::Server, first, payload)
}

/// Receives to the end: the messages, the errors, and how it ended; the end stays the end.
async fn listen<S: AsyncRead + AsyncWrite + Unpin, R: Role>(
    socket: &mut WebSocket<S, R>,
) -> (Vec<OwnedMessage>, Vec<Error>, Closed) {
    let (mut messages, mut errors) = (Vec::new(), Vec::new());
    loop {
        match socket.recv().await {
            Ok(Some(message)) => messages.push(message.into()),
            Ok(None) => break,
            Err(error) => errors.push(error),
        }
        assert!(errors.len() < 3, "{errors:?}");
    }
    assert!(matches!(socket.recv().await, Ok(None)));
    assert!(matches!(socket.send("too late").await, Err(Error::Send(SendError::Closed))));
    (messages, errors, socket.closed().expect("the end says how"))
}

/// Everything in the stream, to its end.
async fn rest(mut stream: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}

fn told(closed: Closed) -> (u16, bool, Option<Initiator>, Option<ProtocolError>) {
    (closed.status, closed.clean, closed.by, closed.error)
}

/// The one error was this, and the connection says the same of its end.
#[track_caller]
fn failed_with(errors: &[Error], closed: Closed, by: Option<Initiator>, error: ProtocolError) {
    assert!(matches!(errors, [Error::Protocol(got)] if *got == error), "{errors:?} instead of {error:?}");
    assert_eq!(told(closed), (1006, false, by, Some(error)));
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (peer, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    (accepted.unwrap().0, peer.unwrap())
}

#[tokio::test]
async fn a_reset_is_reported_once_after_what_came_before_it() {
    let _watchdog = watchdog!();
    let (ours, mut peer) = tcp().await;
    let (stream, alive) = noted(ours, None);
    let mut socket = WebSocket::new(Tokio::new(stream), Server, Config::new(), Buffers::DEFAULT, &[]);
    peer.write_all(&from_client(TEXT, b"before")).await.unwrap();
    assert_eq!(socket.recv().await.unwrap().unwrap().as_bytes(), b"before");
    peer.set_zero_linger().unwrap();
    drop(peer);
    let (messages, errors, closed) = listen(&mut socket).await;
    assert!(messages.is_empty());
    assert!(
        matches!(&errors[..], [Error::Io(error)] if error.kind() == io::ErrorKind::ConnectionReset),
        "{errors:?}"
    );
    assert_eq!(told(closed), (1006, false, None, Some(ProtocolError::UnexpectedEof)));
    drop(socket);
    assert!(alive.upgrade().is_none());
}

#[tokio::test]
async fn a_peer_that_half_closes_without_a_close_gets_its_answers_and_then_the_end() {
    let _watchdog = watchdog!();
    let (ours, mut peer) = tcp().await;
    let (stream, alive) = noted(ours, None);
    let mut socket = WebSocket::new(Tokio::new(stream), Server, Config::new(), Buffers::DEFAULT, &[]);
    peer.write_all(&from_client(PING, b"?")).await.unwrap();
    peer.shutdown().await.unwrap();
    let (_, errors, closed) = listen(&mut socket).await;
    failed_with(&errors, closed, None, ProtocolError::UnexpectedEof);
    drop(socket);
    assert!(alive.upgrade().is_none());
    assert_eq!(rest(peer).await, [PONG, 1, b'?']);
}

#[tokio::test]
async fn a_peer_that_half_closes_after_its_close_gets_ours() {
    let _watchdog = watchdog!();
    let (ours, mut peer) = tcp().await;
    let mut socket = WebSocket::new(Tokio::new(ours), Server, Config::new(), Buffers::DEFAULT, &[]);
    peer.write_all(&from_client(CLOSE, &[3, 233])).await.unwrap();
    peer.shutdown().await.unwrap();
    let (_, errors, closed) = listen(&mut socket).await;
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(told(closed), (1001, true, Some(Initiator::Peer), None));
    // Our direction has ended, but the socket is still open.
    assert_eq!(rest(peer).await, [CLOSE, 2, 3, 233]);
}

/// Some TLS libraries report a stream that ends without `close_notify` as an error, others as a plain end.
#[tokio::test]
async fn truncation_amid_a_frame_is_never_a_clean_end() {
    let _watchdog = watchdog!();
    for end in [None, Some(io::ErrorKind::UnexpectedEof)] {
        let frame = from_client(TEXT, b"a whole message");
        for cut in [0, 1, 5, frame.len() - 1] {
            let (mut socket, mut peer, alive) = pair(Timeouts::NONE, end);
            peer.write_all(&frame).await.unwrap();
            peer.write_all(&frame[..cut]).await.unwrap();
            drop(peer);
            let (messages, errors, closed) = listen(&mut socket).await;
            assert_eq!(messages, [OwnedMessage::from("a whole message")]);
            match (end, &errors[..]) {
                (None, [Error::Protocol(ProtocolError::UnexpectedEof)]) => {}
                (Some(end), [Error::Io(error)]) => assert_eq!(error.kind(), end),
                _ => panic!("{errors:?}"),
            }
            assert_eq!(told(closed), (1006, false, None, Some(ProtocolError::UnexpectedEof)));
            drop(socket);
            assert!(alive.upgrade().is_none());
        }
        // After both Closes nothing is missing.
        let (mut socket, mut peer, _) = pair(Timeouts::NONE, end);
        peer.write_all(&from_client(CLOSE, &[3, 232])).await.unwrap();
        let mut answer = [0; 4];
        let peer = async move {
            peer.read_exact(&mut answer).await.unwrap();
            answer
        };
        let ((_, errors, closed), answer) = tokio::join!(listen(&mut socket), peer);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!((told(closed), answer), ((1000, true, Some(Initiator::Peer), None), [CLOSE, 2, 3, 232]));
    }
}

/// How long it took on the clock, which is stopped while anything can be done.
async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let output = future.await;
    (output, began.elapsed())
}

/// As exact as tokio's timer, which counts milliseconds and rounds up.
#[track_caller]
fn lasted(took: Duration, want: Duration) {
    assert!(took >= want && took <= want + Duration::from_millis(2), "{took:?} instead of {want:?}");
}

#[tokio::test(start_paused = true)]
async fn an_opening_handshake_has_its_time_and_no_more() {
    let _watchdog = watchdog!();
    let options = ServerConfig::new(OriginPolicy::Any);
    let (ours, mut peer) = duplex(1 << 16);
    let (stream, alive) = noted(ours, None);
    // A byte a second gains nothing.
    let drip = async {
        for byte in b"GET / HTTP/1.1\r\nHost: example.com\r\n".iter().take(9) {
            peer.write_all(&[*byte]).await.unwrap();
            tokio::time::sleep(seconds(1)).await;
        }
    };
    let ((result, took), ()) = tokio::join!(timed(accept(stream, &options)), drip);
    let error = result.unwrap_err();
    let late = ProtocolError::TimedOut(Timeout::OpeningHandshake);
    assert!(matches!(error, Error::Protocol(error) if error == late), "{error}");
    // The peer is told, and has a second to read it.
    lasted(took, seconds(11));
    assert!(alive.upgrade().is_none());
    assert!(rest(peer).await.starts_with(b"HTTP/1.1 408 "));

    let settings = ClientConfig::new();
    let (ours, _silent) = duplex(1 << 16);
    let (stream, alive) = noted(ours, None);
    let request = ClientRequest::new(Uri::parse("ws://example.com/").unwrap());
    let (result, took) = timed(client(stream, request, &settings)).await;
    assert!(matches!(result.unwrap_err(), Error::Protocol(error) if error == late));
    lasted(took, seconds(30));
    assert!(alive.upgrade().is_none());
}

/// Runs a server's socket against a peer that never reads nor ends, until it ends by itself.
async fn silence(timeouts: Timeouts, begin: &[u8]) -> (Vec<Error>, Closed, Duration, Vec<u8>) {
    let (mut socket, mut peer, alive) = pair(timeouts, None);
    peer.write_all(begin).await.unwrap();
    let ((_, errors, closed), took) = timed(listen(&mut socket)).await;
    drop(socket);
    assert!(alive.upgrade().is_none());
    (errors, closed, took, rest(peer).await)
}

#[tokio::test(start_paused = true)]
async fn each_timer_fails_a_silent_peer_in_time_and_waits_for_its_end_no_longer_than_for_a_close() {
    let _watchdog = watchdog!();
    let idle = timeouts(|t| t.idle = Some(seconds(40)));
    let stalled = timeouts(|t| t.stalled_fragment = Some(seconds(60)));
    let pong = timeouts(|t| (t.ping_interval, t.pong) = (Some(seconds(30)), Some(seconds(20))));
    let half = from_client(TEXT_PART, b"half of");
    let told: &[u8] = &[CLOSE, 2, 3, 240];
    let pinged: &[u8] = &[0x89, 0, CLOSE, 2, 3, 240];
    for (mut timeouts, begin, timeout, after, written) in [
        (idle, &[][..], Timeout::Idle, 40, told),
        (stalled, &half, Timeout::StalledFragment, 60, told),
        (stalled, &half[..1], Timeout::StalledFragment, 60, told),
        (pong, &[], Timeout::Pong, 50, pinged),
    ] {
        timeouts.closing = Some(seconds(5));
        let (errors, closed, took, got) = silence(timeouts, begin).await;
        failed_with(&errors, closed, Some(Initiator::Local), ProtocolError::TimedOut(timeout));
        lasted(took, seconds(after + 5));
        assert_eq!(got, written, "{timeout:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_is_kept_for_ever_and_asked_no_more_than_needed() {
    let _watchdog = watchdog!();
    let keep = timeouts(|t| (t.ping_interval, t.pong) = (Some(seconds(30)), Some(seconds(20))));
    let (mut socket, mut peer, _) = pair(keep, None);
    let peer = async {
        let mut ping = [0; 2];
        for _ in 0..100 {
            peer.read_exact(&mut ping).await.unwrap();
            assert_eq!(ping, [PING, 0]);
            tokio::time::sleep(seconds(19)).await;
            peer.write_all(&from_client(PONG, b"")).await.unwrap();
        }
        peer.write_all(&from_client(CLOSE, &[3, 232])).await.unwrap();
        rest(peer).await
    };
    let (((_, errors, closed), took), left) = tokio::join!(timed(listen(&mut socket)), peer);
    assert!(errors.is_empty() && closed.clean, "{errors:?}");
    // One for each interval, which begins with the Pong: its time is asked for.
    assert!(took >= seconds(100 * 49) && took <= seconds(100 * 50), "{took:?}");
    assert_eq!(left, [CLOSE, 2, 3, 232]);
}

#[tokio::test(start_paused = true)]
async fn a_closing_handshake_that_nobody_answers_ends_in_time() {
    let _watchdog = watchdog!();
    let closing = timeouts(|t| t.closing = Some(seconds(5)));
    let late = ProtocolError::TimedOut(Timeout::ClosingHandshake);
    let (mut socket, peer, alive) = pair(closing, None);
    let (result, took) = timed(socket.close(CloseCode::NORMAL)).await;
    assert!(matches!(result, Err(Error::Protocol(error)) if error == late), "{result:?}");
    lasted(took, seconds(5));
    let (_, errors, closed) = listen(&mut socket).await;
    assert!(errors.is_empty());
    assert_eq!(told(closed), (1006, false, Some(Initiator::Local), Some(late)));
    drop(socket);
    assert!(alive.upgrade().is_none());
    assert_eq!(rest(peer).await, [CLOSE, 2, 3, 232]);

    // A peer that sent its Close but never ends the transport: nothing is missing.
    let (mut socket, mut peer, alive) = pair(closing, None);
    peer.write_all(&from_client(CLOSE, &[3, 232])).await.unwrap();
    let ((_, errors, closed), took) = timed(listen(&mut socket)).await;
    assert!(errors.is_empty());
    assert_eq!(told(closed), (1000, true, Some(Initiator::Peer), None));
    lasted(took, seconds(5));
    drop(socket);
    assert!(alive.upgrade().is_none());

    // In halves, where the one that receives keeps the deadline.
    let (socket, _peer, alive) = pair(closing, None);
    let (mut receiver, mut sender) = socket.into_split();
    let receive = tokio::spawn(async move {
        let error = receiver.recv().await.unwrap_err();
        assert!(matches!(receiver.recv().await, Ok(None)));
        (error, receiver.closed())
    });
    tokio::time::sleep(seconds(100)).await;
    sender.start_close(CloseCode::NORMAL).await.unwrap();
    let (received, took) = timed(receive).await;
    let (error, closed) = received.unwrap();
    assert!(matches!(error, Error::Protocol(error) if error == late));
    assert_eq!(closed, sender.closed());
    lasted(took, seconds(5));
    drop(sender);
    assert!(alive.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_reads_is_failed_although_its_close_cannot_be_written() {
    let _watchdog = watchdog!();
    let idle = timeouts(|t| (t.idle, t.closing) = (Some(seconds(40)), Some(seconds(5))));
    let (ours, _peer) = duplex(8);
    let (stream, alive) = noted(ours, None);
    let config = Config::new().with_timeouts(idle);
    let mut socket = WebSocket::new(Tokio::new(stream), Server, config, Buffers::DEFAULT, &[]);
    socket.feed("more than eight bytes").await.unwrap();
    let ((_, errors, closed), took) = timed(listen(&mut socket)).await;
    failed_with(&errors, closed, Some(Initiator::Local), ProtocolError::TimedOut(Timeout::BlockedOutput));
    lasted(took, seconds(45));
    drop(socket);
    assert!(alive.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_makes_up_no_silence_and_loses_nothing_that_came() {
    let _watchdog = watchdog!();
    let all = timeouts(|t| {
        (t.ping_interval, t.pong) = (Some(seconds(30)), Some(seconds(20)));
        (t.idle, t.stalled_fragment, t.closing) = (Some(seconds(600)), Some(seconds(60)), Some(seconds(5)));
    });
    let (mut socket, mut peer, _) = pair(all, None);
    // The machine sleeps while a task waits. When it wakes, what the peer sent meanwhile is there.
    for jump in [29, 49, 599, 86_400, 100 * 365 * 86_400] {
        let waiting = tokio::time::timeout(Duration::from_millis(1), socket.recv()).await;
        assert!(waiting.is_err());
        peer.write_all(&from_client(TEXT, b"sent in time")).await.unwrap();
        tokio::time::advance(seconds(jump)).await;
        let (message, took) = timed(socket.recv()).await;
        assert_eq!(message.unwrap().unwrap().as_bytes(), b"sent in time");
        assert_eq!(took, Duration::ZERO);
    }
    // If nothing was received, the peer gets a Ping first, and the whole time to answer it.
    let keep = timeouts(|t| (t.ping_interval, t.pong) = (Some(seconds(30)), Some(seconds(20))));
    let (mut socket, mut peer, _) = pair(keep, None);
    assert!(tokio::time::timeout(Duration::from_millis(1), socket.recv()).await.is_err());
    tokio::time::advance(seconds(86_400)).await;
    let answer = async {
        let mut ping = [0; 2];
        peer.read_exact(&mut ping).await.unwrap();
        tokio::time::sleep(seconds(19)).await;
        peer.write_all(&from_client(PONG, b"")).await.unwrap();
        peer.write_all(&from_client(TEXT, b"still here")).await.unwrap();
        ping
    };
    let (message, ping) = tokio::join!(socket.recv(), answer);
    assert_eq!((message.unwrap().unwrap().as_bytes(), ping), (&b"still here"[..], [PING, 0]));
}
