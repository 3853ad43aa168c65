//! The adapters in lent buffers against each other: opening, messages of every size, Pings, closing.

use std::collections::VecDeque;
use std::future::{poll_fn, Future};
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll};
use std::thread;

use embedded_io::{ErrorKind, ErrorType};
use futures_util::task::noop_waker_ref;
use sockless::embedded_io::FixedBuffers;
use sockless::handshake::client::ClientRequest;
use sockless::handshake::{OriginPolicy, Uri};
use sockless::message::SliceAssembler;
use sockless::{embedded_io as blocking, embedded_io_async as asynchronous};
use sockless::{CloseCode, Closed, ControlPayload, EntropyError, Event, Message, Payload};

const SIZES: [usize; 7] = [0, 1, 125, 126, 1000, 65_535, 65_536];
const TEXT: &str = "gr\u{FC}\u{DF}e \u{1F980}";

/// One direction of a stream.
#[derive(Debug, Default)]
struct Pipe {
    bytes: Mutex<(VecDeque<u8>, bool)>,
    changed: Condvar,
}

impl Pipe {
    fn put(&self, bytes: &[u8]) {
        self.bytes.lock().unwrap().0.extend(bytes);
        self.changed.notify_all();
    }

    fn end(&self) {
        self.bytes.lock().unwrap().1 = true;
        self.changed.notify_all();
    }

    /// At most 700 bytes, 0 at the end; `None` if one had to wait.
    fn poll_take(&self, buf: &mut [u8]) -> Option<usize> {
        let mut bytes = self.bytes.lock().unwrap();
        let count = buf.len().min(bytes.0.len()).min(700);
        for (slot, octet) in buf.iter_mut().zip(bytes.0.drain(..count)) {
            *slot = octet;
        }
        (count > 0 || bytes.1).then_some(count)
    }
}

/// One end of a stream; dropped, it ends.
struct End {
    incoming: Arc<Pipe>,
    outgoing: Arc<Pipe>,
}

fn stream() -> (End, End) {
    let (a, b) = (Arc::new(Pipe::default()), Arc::new(Pipe::default()));
    (End { incoming: a.clone(), outgoing: b.clone() }, End { incoming: b, outgoing: a })
}

impl Drop for End {
    fn drop(&mut self) {
        self.outgoing.end();
    }
}

impl ErrorType for End {
    type Error = ErrorKind;
}

impl embedded_io::Read for End {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        loop {
            if let Some(count) = self.incoming.poll_take(buf) {
                return Ok(count);
            }
            let waiting = |(bytes, ended): &mut (VecDeque<u8>, bool)| bytes.is_empty() && !*ended;
            drop(self.incoming.changed.wait_while(self.incoming.bytes.lock().unwrap(), waiting).unwrap());
        }
    }
}

impl embedded_io::Write for End {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let count = bytes.len().min(300);
        self.outgoing.put(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl embedded_io_async::Read for End {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        poll_fn(|_| self.incoming.poll_take(buf).map_or(Poll::Pending, |count| Poll::Ready(Ok(count)))).await
    }
}

impl embedded_io_async::Write for End {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let mut waited = false;
        poll_fn(|_| {
            waited = !waited;
            if waited {
                Poll::Pending
            } else {
                Poll::Ready(embedded_io::Write::write(self, bytes))
            }
        })
        .await
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Polls to the end, on a thread of its own or beside another.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut cx = Context::from_waker(noop_waker_ref());
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::yield_now(),
        }
    }
}

fn keys(dest: &mut [u8]) -> Result<(), EntropyError> {
    dest.iter_mut().zip(1..).for_each(|(slot, octet)| *slot = octet);
    Ok(())
}

fn octets(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

/// An echo server, and a client that checks it. `go` runs an operation to its end.
macro_rules! both_sides {
    ($adapter:ident, $($async:ident)?, ($($wait:tt)*), $serve:ident, $ask:ident) => {
        $($async)? fn $serve(stream: End) -> Closed {
            let (mut read, mut write) = ([0; 512], [0; 256]);
            let buffers = FixedBuffers::new(&mut read, &mut write).unwrap();
            let options = $adapter::ServerConfig::new(OriginPolicy::Any);
            let mut storage = [0; 512];
            let mut socket = $adapter::accept(stream, &options, &mut storage, buffers)$($wait)*.unwrap();
            while let Some((event, mut outgoing)) = socket.recv_with()$($wait)*.unwrap() {
                if let Event::Data(data) = event {
                    let payload = Payload::forward(&data).unwrap();
                    outgoing.feed_fragment(payload, data.is_last())$($wait)*.unwrap();
                }
            }
            socket.closed().unwrap()
        }

        $($async)? fn $ask(stream: End) -> Closed {
            let (mut read, mut write) = ([0; 100], [0; 256]);
            let buffers = FixedBuffers::new(&mut read, &mut write).unwrap();
            let request = ClientRequest::new(Uri::parse("ws://h/echo").unwrap());
            let (mut storage, settings) = (vec![0; 1 << 16], $adapter::ClientConfig::new());
            let socket = $adapter::client(stream, request, keys, &settings, &mut storage, buffers)$($wait)*;
            let mut socket = socket.unwrap();
            let mut assembler = SliceAssembler::new(&mut storage);
            for len in SIZES {
                let octets = octets(len);
                socket.send(octets.as_slice())$($wait)*.unwrap();
                let echoed = socket.recv_message(&mut assembler)$($wait)*.unwrap();
                assert_eq!(echoed, Some(Message::Binary(&octets)), "{len}");
            }
            socket.send_fragment(&TEXT[..4], false)$($wait)*.unwrap();
            socket.ping(ControlPayload::new(b"ping").unwrap())$($wait)*.unwrap();
            socket.send_fragment(&TEXT[4..], true)$($wait)*.unwrap();
            let (mut text, mut pongs) = (Vec::new(), 0);
            loop {
                match socket.recv()$($wait)*.unwrap().unwrap() {
                    Event::Data(data) => {
                        text.extend_from_slice(data.as_bytes());
                        if data.is_last() {
                            break;
                        }
                    }
                    Event::Pong => {
                        assert_eq!(socket.connection().reader().control_payload(), b"ping");
                        pongs += 1;
                    }
                    event => panic!("{event:?}"),
                }
            }
            assert_eq!((text.as_slice(), pongs), (TEXT.as_bytes(), 1));
            socket.close(CloseCode::GOING_AWAY)$($wait)*.unwrap().unwrap()
        }
    };
}

both_sides!(blocking, , (), serve_blocking, ask_blocking);
both_sides!(asynchronous, async, (.await), serve_async, ask_async);

fn check(server: Closed, client: Closed) {
    assert_eq!((server.status, server.clean), (1001, true));
    assert_eq!((client.status, client.clean), (1001, true));
}

#[test]
fn a_blocking_client_and_a_blocking_server() {
    let _watchdog = watchdog!();
    let (a, b) = stream();
    let server = thread::spawn(move || serve_blocking(a));
    let client = ask_blocking(b);
    check(server.join().unwrap(), client);
}

#[test]
fn an_asynchronous_client_and_a_blocking_server() {
    let _watchdog = watchdog!();
    let (a, b) = stream();
    let server = thread::spawn(move || serve_blocking(a));
    let client = block_on(ask_async(b));
    check(server.join().unwrap(), client);
}

#[test]
fn a_blocking_client_and_an_asynchronous_server() {
    let _watchdog = watchdog!();
    let (a, b) = stream();
    let server = thread::spawn(move || block_on(serve_async(a)));
    let client = ask_blocking(b);
    check(server.join().unwrap(), client);
}

#[test]
fn both_asynchronous_in_one_thread() {
    let _watchdog = watchdog!();
    let (a, b) = stream();
    let (server, client) = block_on(futures_util::future::join(serve_async(a), ask_async(b)));
    check(server, client);
}
