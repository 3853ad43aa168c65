//! The halves of a WebSocket on two threads, and the timers of blocking transports.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{mpsc, Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use sockless::blocking::{accept, BlockingTransport, CloneTransport, WebSocket};
use sockless::deflate::{Params, Tuning};
use sockless::endpoint::{Buffers, Endpoint};
use sockless::handshake::OriginPolicy;
use sockless::message::OwnedMessage;
use sockless::{
    Client, CloseCode, Config, ControlPayload, EntropyError, ProtocolError, Role, SendError, Server, Timeout,
    Timeouts,
};
use sockless::{Error, ServerConfig};

type Key = fn(&mut [u8]) -> Result<(), EntropyError>;

const KEY: Key = |dest| {
    dest.fill(0x5A);
    Ok(())
};

/// Both ends of a connection.
fn streams() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, client)
}

fn socket<R: Role>(stream: TcpStream, role: R, config: Config, deflate: bool) -> WebSocket<TcpStream, R> {
    let buffers = Buffers::DEFAULT.with_max_queued(256 << 10);
    let mut endpoint = Endpoint::new(role, config, buffers, &[]);
    if deflate {
        endpoint = endpoint.with_deflate(&Params::DEFAULT, Tuning::DEFAULT, None);
    }
    WebSocket::with_endpoint(stream, endpoint)
}

/// Runs `work` on a thread, and fails if it takes too long.
fn soon<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    let thread = thread::spawn(move || done.send(work()).unwrap());
    let result = result.recv_timeout(Duration::from_secs(60));
    match result {
        Ok(result) => {
            thread.join().unwrap();
            result
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            panic!("{:?}", thread.join().unwrap_err().downcast_ref::<&str>())
        }
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it stands still"),
    }
}

/// Sends and receives at once on two threads; the halves, together again.
fn flood<R: Role + Send + 'static>(socket: WebSocket<TcpStream, R>, count: usize) -> WebSocket<TcpStream, R> {
    let message = |n: usize| format!("message {n}, {}", "x".repeat(n * 97 % 9000));
    let (mut receiver, mut sender) = socket.into_split().unwrap();
    let sending = thread::spawn(move || {
        for n in 0..count {
            sender.send(message(n).as_str()).unwrap();
            if n % 20 == 0 {
                sender.ping(ControlPayload::new(b"ping").unwrap()).unwrap();
            }
        }
        sender
    });
    for n in 0..count {
        let got = receiver.recv().unwrap().map(OwnedMessage::from);
        assert_eq!(got, Some(message(n).into()));
    }
    receiver.reunite(sending.join().unwrap()).unwrap()
}

#[test]
fn both_directions_at_once_lose_nothing_and_never_stand_still() {
    let _watchdog = watchdog!();
    for deflate in [false, true] {
        soon(move || {
            let (server, client) = streams();
            let client = thread::spawn(move || {
                let mut client = flood(socket(client, Client::new(KEY), Config::new(), deflate), 1500);
                client.close(CloseCode::NORMAL).unwrap().unwrap()
            });
            let mut server = flood(socket(server, Server, Config::new(), deflate), 1500);
            while server.recv().unwrap().is_some() {}
            assert!(server.closed().unwrap().clean);
            assert!(client.join().unwrap().clean);
        });
    }
}

#[test]
fn pings_are_answered_while_the_sending_half_does_nothing() {
    let _watchdog = watchdog!();
    soon(|| {
        let (server, mut client) = streams();
        let (mut receiver, _sender) = socket(server, Server, Config::new(), false).into_split().unwrap();
        let receiving = thread::spawn(move || receiver.recv().map(|message| message.map(OwnedMessage::from)));
        client.write_all(b"\x89\x86\0\0\0\0alive?").unwrap();
        let mut pong = [0; 8];
        client.read_exact(&mut pong).unwrap();
        assert_eq!(&pong, b"\x8A\x06alive?");
        drop(client);
        assert!(matches!(receiving.join().unwrap(), Err(Error::Protocol(ProtocolError::UnexpectedEof))));
    });
}

/// A sender that is stuck in a write does not keep the other half from receiving.
#[test]
fn receiving_goes_on_while_the_peer_does_not_read() {
    let _watchdog = watchdog!();
    soon(|| {
        let (server, mut client) = streams();
        let (mut receiver, mut sender) = socket(server, Server, Config::new(), false).into_split().unwrap();
        let sending = thread::spawn(move || sender.send(vec![7; 32 << 20].as_slice()).map(|()| sender));
        // The message is on its way.
        client.peek(&mut [0; 2]).unwrap();
        for n in 0..200_u8 {
            client.write_all(&[0x82, 0x81, 0, 0, 0, 0, n, 0x89, 0x80, 0, 0, 0, 0]).unwrap();
            assert_eq!(receiver.recv().unwrap().map(OwnedMessage::from), Some(vec![n].into()));
        }
        let reading = thread::spawn(move || {
            let mut head = vec![0; 10 + (32 << 20) + 2];
            client.read_exact(&mut head).unwrap();
            (head[..2].to_vec(), head[head.len() - 2..].to_vec(), client)
        });
        // The message first, then the Pongs.
        let sender = sending.join().unwrap().unwrap();
        let receiving =
            thread::spawn(move || receiver.recv().map(|message| message.map(OwnedMessage::from)).is_err());
        let (first, last, client) = reading.join().unwrap();
        assert_eq!((first, last), (vec![0x82, 127], vec![0x8A, 0]));
        drop((client, sender));
        assert!(receiving.join().unwrap());
    });
}

#[test]
fn either_half_may_close() {
    let _watchdog = watchdog!();
    soon(|| {
        let (server, client) = streams();
        let (mut server_in, mut server_out) =
            socket(server, Server, Config::new(), false).into_split().unwrap();
        let server = thread::spawn(move || {
            while server_in.recv().unwrap().is_some() {}
            server_in.closed().unwrap()
        });
        let (mut client_in, mut client_out) =
            socket(client, Client::new(KEY), Config::new(), false).into_split().unwrap();
        client_out.start_close(CloseCode::NORMAL).unwrap();
        assert!(matches!(client_out.send("after"), Err(Error::Send(SendError::Closed))));
        assert_eq!(client_in.recv().unwrap(), None);
        assert!(client_in.closed().unwrap().clean);
        assert!(server.join().unwrap().clean);
        assert!(matches!(server_out.send("after"), Err(Error::Send(SendError::Closed))));
    });
}

#[test]
fn strangers_are_given_back() {
    let _watchdog = watchdog!();
    let halves = || socket(streams().0, Server, Config::new(), false).into_split().unwrap();
    let ((one_in, one_out), (another_in, another_out)) = (halves(), halves());
    let strangers = one_in.reunite(another_out).unwrap_err();
    assert_eq!(strangers.to_string(), "these are not halves of one WebSocket");
    strangers.0.reunite(one_out).unwrap();
    another_in.reunite(strangers.1).unwrap();
}

fn timeouts(set: impl FnOnce(&mut Timeouts)) -> Config {
    let mut timeouts = Timeouts::NONE;
    set(&mut timeouts);
    Config::new().with_timeouts(timeouts)
}

const SHORT: Option<Duration> = Some(Duration::from_millis(60));

/// What a server with these timers says to a client that says nothing, and how it ends.
fn silence(config: Config, split: bool) -> (Vec<u8>, Error, Duration) {
    soon(move || {
        let (server, mut client) = streams();
        let from = Instant::now();
        let error = thread::spawn(move || {
            let mut socket = socket(server, Server, config, false);
            if split {
                let (mut receiver, _sender) = socket.into_split().unwrap();
                receiver.recv().map(|_| ()).unwrap_err()
            } else {
                socket.recv().map(|_| ()).unwrap_err()
            }
        });
        let mut said = Vec::new();
        client.read_to_end(&mut said).unwrap();
        drop(client);
        (said, error.join().unwrap(), from.elapsed())
    })
}

#[test]
fn timers_run_while_a_read_waits() {
    let _watchdog = watchdog!();
    for split in [false, true] {
        let (said, error, after) = silence(timeouts(|t| t.idle = SHORT), split);
        assert_eq!(said, b"\x88\x02\x03\xF0");
        assert!(matches!(error, Error::Protocol(ProtocolError::TimedOut(Timeout::Idle))), "{error:?}");
        assert!(after >= Duration::from_millis(60));
        let keep_alive = timeouts(|t| (t.ping_interval, t.pong) = (SHORT, SHORT));
        let (said, error, after) = silence(keep_alive, split);
        assert_eq!(said, b"\x89\x00\x88\x02\x03\xF0");
        assert!(matches!(error, Error::Protocol(ProtocolError::TimedOut(Timeout::Pong))), "{error:?}");
        assert!(after >= Duration::from_millis(120));
    }
}

#[test]
fn a_close_that_nobody_answers_has_a_deadline() {
    let _watchdog = watchdog!();
    for split in [false, true] {
        soon(move || {
            let (server, client) = streams();
            let mut socket = socket(server, Server, timeouts(|t| t.closing = SHORT), false);
            let error = if split {
                let (mut receiver, mut sender) = socket.into_split().unwrap();
                let receiving = thread::spawn(move || receiver.recv().map(|_| ()).unwrap_err());
                // The read may have begun.
                thread::sleep(Duration::from_millis(30));
                sender.start_close(CloseCode::NORMAL).unwrap();
                receiving.join().unwrap()
            } else {
                socket.close(CloseCode::NORMAL).unwrap_err()
            };
            assert!(
                matches!(error, Error::Protocol(ProtocolError::TimedOut(Timeout::ClosingHandshake))),
                "{error:?}"
            );
            drop(client);
        });
    }
}

#[test]
fn the_opening_handshake_has_a_deadline() {
    let _watchdog = watchdog!();
    soon(|| {
        let (server, mut client) = streams();
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n").unwrap();
        let times = timeouts(|t| t.opening = SHORT).timeouts;
        let options = ServerConfig::new(OriginPolicy::Any).with_timeouts(times);
        let error = accept(server, &options).map(|_| ()).unwrap_err();
        assert!(
            matches!(error, Error::Protocol(ProtocolError::TimedOut(Timeout::OpeningHandshake))),
            "{error:?}"
        );
    });
}

/// A transport that keeps what is written until it is flushed, as TLS may. It is flushed at the third attempt.
#[derive(Clone)]
struct Buffering {
    stream: Arc<TcpStream>,
    kept: Arc<Mutex<(Vec<u8>, u32)>>,
}

impl Read for Buffering {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self.stream).read(buf)
    }
}

impl Write for Buffering {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.kept.lock().unwrap().0.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let (kept, attempts) = &mut *self.kept.lock().unwrap();
        if !kept.is_empty() && *attempts < 2 {
            *attempts += 1;
            thread::sleep(Duration::from_millis(20));
            return Err(io::ErrorKind::WouldBlock.into());
        }
        *attempts = 0;
        (&*self.stream).write_all(&std::mem::take(kept))
    }
}

impl BlockingTransport for Buffering {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    fn limit_read(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(limit)
    }

    fn limit_write(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.stream.set_write_timeout(limit)
    }
}

impl CloneTransport for Buffering {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(self.clone())
    }
}

/// A TLS library, say, whose socket takes nothing: it keeps one write, and gets rid of nothing.
#[derive(Clone)]
struct Stuck {
    stream: Arc<TcpStream>,
    kept: Arc<Mutex<bool>>,
}

impl Stuck {
    fn later() -> io::Error {
        thread::sleep(Duration::from_millis(5));
        io::ErrorKind::WouldBlock.into()
    }
}

impl Read for Stuck {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self.stream).read(buf)
    }
}

impl Write for Stuck {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if std::mem::replace(&mut *self.kept.lock().unwrap(), true) {
            return Err(Self::later());
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(Self::later())
    }
}

impl BlockingTransport for Stuck {
    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn limit_read(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(limit)
    }

    fn limit_write(&mut self, _limit: Option<Duration>) -> io::Result<()> {
        Ok(()) // none of its operations waits for longer
    }
}

impl CloneTransport for Stuck {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(self.clone())
    }
}

#[test]
fn a_flush_of_a_transport_that_takes_nothing_ends_with_the_connection() {
    let _watchdog = watchdog!();
    let (server, _client) = streams();
    let transport = Stuck { stream: Arc::new(server), kept: Arc::default() };
    let soon_up = Some(Duration::from_millis(50));
    let mut timeouts = Timeouts::SERVER;
    (timeouts.ping_interval, timeouts.pong, timeouts.closing) = (soon_up, soon_up, soon_up);
    let config = Config::new().with_timeouts(timeouts);
    let socket = WebSocket::new(transport, Server, config, Buffers::DEFAULT, &[]);
    let (mut receiver, mut sender) = socket.into_split().unwrap();
    let sending = thread::spawn(move || sender.send("Hello"));
    let error = receiver.recv().map(|message| message.is_some()).unwrap_err();
    assert!(matches!(error, Error::Protocol(ProtocolError::TimedOut(_))), "{error:?}");
    assert!(receiver.recv().unwrap().is_none());
    drop(receiver);
    let sent = soon(move || sending.join().unwrap());
    assert!(matches!(sent, Err(Error::Send(SendError::Closed) | Error::Protocol(_))), "{sent:?}");
}

#[test]
fn what_a_transport_keeps_is_flushed_by_either_half() {
    let _watchdog = watchdog!();
    let (server, mut client) = streams();
    client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let transport = Buffering { stream: Arc::new(server), kept: Arc::default() };
    let socket = WebSocket::new(transport, Server, Config::new(), Buffers::DEFAULT, &[]);
    let (mut receiver, mut sender) = socket.into_split().unwrap();
    let receiving = thread::spawn(move || {
        assert!(receiver.recv().unwrap().is_none());
        receiver.closed().unwrap()
    });
    let mut ask = |octets: &[u8], expected: &[u8]| {
        client.write_all(octets).unwrap();
        let mut answer = vec![0; expected.len()];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(answer, expected);
    };
    sender.send("Hello").unwrap();
    ask(b"", b"\x81\x05Hello");
    // From here on the sending half does nothing. The client's key is zero.
    ask(b"\x89\x81\0\0\0\0?", b"\x8A\x01?");
    ask(b"\x88\x82\0\0\0\0\x03\xE8", b"\x88\x02\x03\xE8");
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    drop(client);
    assert!(receiving.join().unwrap().clean);
}
