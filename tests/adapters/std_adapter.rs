//! The blocking adapter on scripted transports: short reads and writes, errors at every point, the order of the end.

use crate::common;

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::Duration;

use common::{to, Keys, CLOSE, PING, TEXT};
use sockless::blocking::{accept, BlockingTransport, WebSocket};
use sockless::endpoint::Buffers;
use sockless::handshake::OriginPolicy;
use sockless::message::{Message, OwnedMessage};
use sockless::{Client, CloseCode, CloseFrame, CloseReason, Config, ProtocolError, Server, Side};
use sockless::{Error, ServerConfig};
use sockless_conformance::{self as conformance, Cut, Wire};

/// What a transport does when it is read.
#[derive(Clone, Debug)]
enum Step {
    Bytes(Vec<u8>),
    Error(io::ErrorKind),
}

/// What was done to the transport, in order.
#[derive(Debug, PartialEq, Eq)]
enum Done {
    Wrote(Vec<u8>),
    Shutdown,
    ReadEnd,
}

#[derive(Debug, Default)]
struct Script {
    steps: VecDeque<Step>,
    done: Vec<Done>,
    grain: usize,
    write_error: Option<io::ErrorKind>,
}

impl Script {
    fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), grain: 1000, ..Self::default() }
    }

    fn written(&self) -> Vec<u8> {
        let writes = self.done.iter().filter_map(|done| match done {
            Done::Wrote(bytes) => Some(bytes.as_slice()),
            _ => None,
        });
        writes.flatten().copied().collect()
    }
}

impl Read for Script {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.steps.pop_front() {
            None => {
                self.done.push(Done::ReadEnd);
                Ok(0)
            }
            Some(Step::Error(kind)) => Err(kind.into()),
            Some(Step::Bytes(mut bytes)) => {
                let count = bytes.len().min(buf.len()).min(self.grain);
                buf[..count].copy_from_slice(&bytes[..count]);
                let rest = bytes.split_off(count);
                if !rest.is_empty() {
                    self.steps.push_front(Step::Bytes(rest));
                }
                Ok(count)
            }
        }
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(kind) = self.write_error {
            return Err(kind.into());
        }
        assert!(!self.done.contains(&Done::Shutdown), "written after the writing direction was ended");
        let count = bytes.len().min(self.grain);
        self.done.push(Done::Wrote(bytes[..count].to_vec()));
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlockingTransport for Script {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.done.push(Done::Shutdown);
        Ok(())
    }
}

impl BlockingTransport for &mut Script {
    fn shutdown_write(&mut self) -> io::Result<()> {
        (**self).shutdown_write()
    }

    /// It never blocks.
    fn limit_read(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
}

fn server(script: Script) -> WebSocket<Script, Server> {
    WebSocket::new(script, Server, Config::new(), Buffers::DEFAULT, &[])
}

fn client(script: Script) -> WebSocket<Script, Client<Keys>> {
    WebSocket::new(script, Client::new(Keys(1)), Config::new(), Buffers::DEFAULT, &[])
}

/// A client's frame.
fn from_client(first: u8, payload: &[u8]) -> Vec<u8> {
    to(Side::Server, first, payload)
}

fn bytes(bytes: impl Into<Vec<u8>>) -> Step {
    Step::Bytes(bytes.into())
}

#[test]
fn req_6455_7_1_1_1_the_server_ends_its_direction_then_drains_then_closes() {
    let _watchdog = watchdog!();
    let rest = from_client(TEXT, b"too late");
    let mut socket = server(Script::new([bytes(from_client(CLOSE, &[3, 232])), bytes(rest)]));
    assert_eq!(socket.recv().unwrap(), None);
    let want = [Done::Wrote(vec![CLOSE, 2, 3, 232]), Done::Shutdown, Done::ReadEnd];
    assert_eq!(socket.get_ref().done, want);
    assert!(socket.closed().unwrap().clean);
}

#[test]
fn req_6455_7_1_1_1_the_client_waits_for_the_server_to_end() {
    let _watchdog = watchdog!();
    let mut socket = client(Script::new([bytes([CLOSE, 2, 3, 232])]));
    let closed = socket.close(CloseCode::NORMAL).unwrap().unwrap();
    assert_eq!((closed.status, closed.clean), (1000, true));
    let done = &socket.get_ref().done;
    assert!(matches!(done[..], [Done::Wrote(_), Done::ReadEnd, Done::Shutdown]), "{done:?}");
}

#[test]
fn req_t_close_3_the_end_of_the_stream_after_both_closes_is_clean_however_it_comes() {
    let _watchdog = watchdog!();
    let ends = [
        None,
        Some(Step::Error(io::ErrorKind::ConnectionReset)),
        // What TLS libraries say where the peer sent no close_notify.
        Some(Step::Error(io::ErrorKind::UnexpectedEof)),
    ];
    for end in ends {
        let mut steps = vec![bytes(from_client(CLOSE, &[3, 232]))];
        steps.extend(end);
        let mut socket = server(Script::new(steps));
        assert_eq!(socket.recv().unwrap(), None);
        let closed = socket.closed().unwrap();
        assert_eq!((closed.status, closed.clean, closed.error), (1000, true, None));
    }
}

#[test]
fn a_transport_that_fails_before_the_closes_is_reported_once_and_truthfully() {
    let _watchdog = watchdog!();
    let mut socket = server(Script::new([
        bytes(from_client(TEXT, b"Hello")),
        Step::Error(io::ErrorKind::ConnectionReset),
    ]));
    assert_eq!(socket.recv().unwrap().unwrap().as_bytes(), b"Hello");
    assert!(matches!(socket.recv(), Err(Error::Io(error)) if error.kind() == io::ErrorKind::ConnectionReset));
    assert_eq!(socket.recv().unwrap(), None);
    let closed = socket.closed().unwrap();
    assert_eq!((closed.status, closed.clean, closed.by), (1006, false, None));
    // A peer that just ends the stream.
    let mut socket = server(Script::new([]));
    assert!(matches!(socket.recv(), Err(Error::Protocol(ProtocolError::UnexpectedEof))));
    assert_eq!(socket.recv().unwrap(), None);
    assert!(socket.get_ref().written().is_empty());
}

#[test]
fn a_peer_that_stopped_reading_is_still_heard() {
    let _watchdog = watchdog!();
    let mut script = Script::new([bytes(from_client(PING, b"?")), bytes(from_client(TEXT, b"last words"))]);
    script.write_error = Some(io::ErrorKind::BrokenPipe);
    let mut socket = server(script);
    assert_eq!(socket.recv().unwrap().unwrap().as_bytes(), b"last words");
    assert!(matches!(socket.send("no"), Err(Error::Io(_))));
}

#[test]
fn closing_hears_what_a_peer_said_that_does_not_read_any_more() {
    let _watchdog = watchdog!();
    let mut script = Script::new([bytes(from_client(CLOSE, &[3, 233]))]);
    script.write_error = Some(io::ErrorKind::BrokenPipe);
    let closed = server(script).close(CloseCode::NORMAL).unwrap().unwrap();
    assert_eq!((closed.status, closed.clean, closed.error), (1001, false, None));
}

#[test]
fn an_operation_that_would_block_can_be_called_again() {
    let _watchdog = watchdog!();
    let frame = from_client(TEXT, b"in two halves");
    let mut socket = server(Script::new([
        Step::Error(io::ErrorKind::Interrupted),
        bytes(&frame[..7]),
        Step::Error(io::ErrorKind::WouldBlock),
        Step::Error(io::ErrorKind::TimedOut),
        bytes(&frame[7..]),
    ]));
    for kind in [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut] {
        assert!(matches!(socket.recv(), Err(Error::Io(error)) if error.kind() == kind));
    }
    assert_eq!(socket.recv().unwrap().unwrap().as_bytes(), b"in two halves");
    // A message that could not be written stays queued, whole.
    let mut socket = server(Script::new([]));
    socket.endpoint().outbound().feed("queued").unwrap();
    socket.flush().unwrap();
    assert_eq!(socket.get_ref().written(), b"\x81\x06queued");
}

#[test]
fn what_is_owed_is_flushed_before_the_wait_for_input() {
    let _watchdog = watchdog!();
    let wire = Wire::new(conformance::Script::new(from_client(PING, b"?")).with_cut(Cut::BUFFERED));
    let mut socket = WebSocket::new(wire.clone(), Server, Config::new(), Buffers::DEFAULT, &[]);
    assert!(matches!(socket.recv(), Err(Error::Protocol(ProtocolError::UnexpectedEof))));
    assert_eq!(wire.written(), b"\x8A\x01?");
}

#[test]
fn a_shutdown_that_would_block_is_called_again() {
    let _watchdog = watchdog!();
    let close = (from_client(CLOSE, &[3, 232]), b"\x88\x02\x03\xE8");
    let failure = (from_client(TEXT, b"\xFF"), b"\x88\x02\x03\xEF");
    for (input, written) in [close, failure] {
        let wire = Wire::new(conformance::Script::new(input).with_cut(Cut::PENDING));
        let mut socket = WebSocket::new(wire.clone(), Server, Config::new(), Buffers::DEFAULT, &[]);
        while !matches!(socket.recv(), Ok(None)) {}
        assert_eq!((wire.written(), wire.is_shut()), (written.to_vec(), true));
    }
}

#[test]
fn req_6455_6_1_7_short_writes_put_every_byte_on_the_wire_once_and_in_order() {
    let _watchdog = watchdog!();
    for grain in [1, 2, 5, 100] {
        let mut script = Script::new([]);
        script.grain = grain;
        let mut socket = server(script);
        socket.send("Hello").unwrap();
        socket.send_fragment("a", false).unwrap();
        socket.send_fragment("b", true).unwrap();
        assert_eq!(socket.get_ref().written(), b"\x81\x05Hello\x01\x01a\x80\x01b");
    }
}

#[test]
fn a_message_is_answered_while_it_is_borrowed() {
    let _watchdog = watchdog!();
    let mut socket =
        server(Script::new([bytes([from_client(TEXT, b"a"), from_client(TEXT, b"b")].concat())]));
    let mut seen = Vec::new();
    while let Ok(Some((message, mut outgoing))) = socket.recv_with() {
        outgoing.feed(message).unwrap();
        seen.push(OwnedMessage::from(message));
    }
    assert_eq!(seen, [OwnedMessage::from("a"), OwnedMessage::from("b")]);
    assert_eq!(
        socket.get_ref().done[0],
        Done::Wrote(b"\x81\x01a\x81\x01b".to_vec()),
        "one write for one read"
    );
}

#[test]
fn text_that_is_not_utf_8_fails_the_connection_and_the_peer_is_told_first() {
    let _watchdog = watchdog!();
    let mut socket = server(Script::new([bytes(from_client(TEXT, b"\xFF"))]));
    assert!(matches!(socket.recv(), Err(Error::Protocol(ProtocolError::InvalidUtf8))));
    assert_eq!(socket.get_ref().done, [Done::Wrote(vec![CLOSE, 2, 3, 0xEF]), Done::Shutdown]);
    assert_eq!(socket.recv().unwrap(), None);
}

/// If a transport is dropped before its input was read, it answers with a reset, which may arrive before the
/// refusal.
#[test]
fn a_refusal_reads_what_a_client_is_still_sending_within_a_bound() {
    let _watchdog = watchdog!();
    let options = ServerConfig::new(OriginPolicy::Any);
    let steps = [bytes("GET / HTTP/1.1\r\nX Y: z\r\n\r\n"), bytes(vec![b'y'; 5000])];
    let mut script = Script::new(steps);
    let error = accept(&mut script, &options).unwrap_err();
    assert!(matches!(error, Error::Opening(_)), "{error}");
    assert!(matches!(script.done[..], [Done::Wrote(_), Done::Shutdown, Done::ReadEnd]), "{:?}", script.done);
    assert!(script.written().starts_with(b"HTTP/1.1 400 "));
    // A client that sends for ever is not read for ever.
    let mut script = Script::new([bytes("nonsense\r\n\r\n"), bytes(vec![b'y'; 10 << 20])]);
    script.grain = 1 << 20;
    assert!(accept(&mut script, &options).is_err());
    let Some(Step::Bytes(rest)) = script.steps.pop_front() else { panic!("all of it was read") };
    assert!(rest.len() > 8 << 20);
}

#[test]
fn the_reason_of_a_close_is_kept() {
    let _watchdog = watchdog!();
    let mut socket = server(Script::new([bytes(from_client(CLOSE, b"\x0F\xA0gone fishing"))]));
    assert_eq!(socket.recv().unwrap(), None);
    assert_eq!((socket.closed().unwrap().status, socket.close_reason()), (4000, "gone fishing"));
    let mut socket = server(Script::new([]));
    let reason = "long ".repeat(50);
    let frame = CloseFrame::new(CloseCode::GOING_AWAY, CloseReason::truncated(&reason));
    socket.start_close(frame).unwrap();
    assert_eq!(socket.get_ref().written().len(), 127);
}

#[cfg(unix)]
#[test]
fn a_message_is_waited_for_as_long_as_the_caller_says() {
    let _watchdog = watchdog!();
    use std::os::unix::net::UnixStream;

    let pair = || {
        let (peer, stream) = UnixStream::pair().unwrap();
        let config = Config::new().with_timeouts(sockless::Timeouts::SERVER);
        (peer, WebSocket::new(stream, Server, config, Buffers::DEFAULT, &[]))
    };
    type Text = Result<Option<String>, Error>;
    fn check(mut peer: UnixStream, mut recv: impl FnMut(Option<u64>) -> Text) {
        let hello = || Some("Hello".to_owned());
        let whole = to(Side::Server, TEXT, b"Hello");
        let (begin, end) = whole.split_at(4);
        for limit in [0, 30] {
            let start = std::time::Instant::now();
            let Err(Error::Io(error)) = recv(Some(limit)) else { panic!("it came") };
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert!(start.elapsed() >= Duration::from_millis(limit));
        }
        // What came of a message is not lost, and the next wait for it has no end.
        peer.write_all(begin).unwrap();
        assert!(recv(Some(5)).is_err());
        peer.write_all(end).unwrap();
        assert_eq!(recv(None).unwrap(), hello());
        peer.write_all(&whole.repeat(2)).unwrap();
        for _ in 0..2 {
            assert_eq!(recv(Some(60_000)).unwrap(), hello());
        }
        peer.write_all(&to(Side::Server, CLOSE, b"")).unwrap();
        drop(peer);
        assert_eq!(recv(Some(60_000)).unwrap(), None);
    }
    let text = |message: Option<Message<'_>>| message.map(|message| message.as_text().unwrap().to_owned());
    let (peer, mut socket) = pair();
    check(peer, |limit| {
        let message = match limit {
            Some(limit) => socket.recv_timeout(Duration::from_millis(limit)),
            None => socket.recv(),
        };
        message.map(text)
    });
    let (peer, socket) = pair();
    let (mut receiver, _sender) = socket.into_split().unwrap();
    check(peer, |limit| {
        let message = match limit {
            Some(limit) => receiver.recv_timeout(Duration::from_millis(limit)),
            None => receiver.recv(),
        };
        message.map(text)
    });
}
