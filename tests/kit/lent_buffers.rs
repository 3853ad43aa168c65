//! The suite for the two adapters in fixed buffers, with what they need from their caller: ending the writing
//! direction and reading on, which their traits cannot do, and repeating what a time-out has stopped.

use std::future::poll_fn;
use std::{fmt, io};

use crate::watchdog::Watchdog;
use embedded_io::ErrorKind;
use sockless::message::{Message, SliceAssembler};
use sockless::{embedded_io as blocking, embedded_io_async as asynchronous};
use sockless::{Config, Payload, Server};
use sockless_conformance::{self as conformance, interrupted, run_tasks, Failure, Outcome, Wire};

/// How a message is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// Queued, to be written before the next wait for input.
    Feed,
    /// Written at once.
    Send,
}

/// Sizes of the read and the write buffer, and how is answered. First, a read and all its answers fit; then
/// messages pass in pieces: those of 130 octets, too, fill more than the smallest write buffer.
const RUNS: [(usize, usize, Answer); 4] = [
    (4096, 8192, Answer::Feed),
    (4096, 8192, Answer::Send),
    (16, blocking::FixedBuffers::MIN_WRITE, Answer::Feed),
    (1, blocking::FixedBuffers::MIN_WRITE, Answer::Send),
];

/// What joins a message.
const STORAGE: usize = 128 << 10;

type Error = blocking::Error<WireError>;

/// The wire with the traits of firmware, and what its user must remember.
struct EmbeddedWire {
    wire: Wire,
    /// Whether a read has said that nothing more will come.
    ended: bool,
    /// Whether it was taken back: the adapter has given its last report.
    taken_back: bool,
    /// Whether the adapter has used it anyway.
    misused: bool,
}

impl EmbeddedWire {
    fn new(wire: &Wire) -> Self {
        Self { wire: wire.clone(), ended: false, taken_back: false, misused: false }
    }

    fn used<T>(&mut self, result: io::Result<T>) -> Result<T, WireError> {
        self.misused |= self.taken_back;
        result.map_err(|error| WireError(error.kind()))
    }

    fn has_read(&mut self, result: io::Result<usize>) -> Result<usize, WireError> {
        let result = self.used(result);
        self.ended = match &result {
            Ok(count) => *count == 0,
            Err(error) => !error.is_passing(),
        };
        result
    }

    /// What the adapters leave to their caller: ends the writing direction. Not where the peer has ended
    /// already: then closing is all that is left. Whether there is anything to wait for.
    ///
    /// It flushes nothing, which is the adapter's.
    fn end(&mut self) -> bool {
        self.taken_back = false;
        while !self.ended
            && self.wire.shutdown_write().is_err_and(|error| WireError(error.kind()).is_passing())
        {}
        !self.ended
    }
}

/// An error of the wire.
#[derive(Clone, Copy, Debug)]
struct WireError(io::ErrorKind);

impl WireError {
    /// Whether to call again.
    fn is_passing(self) -> bool {
        use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
        matches!(self.0, Interrupted | TimedOut | WouldBlock)
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for WireError {}

impl embedded_io::Error for WireError {
    fn kind(&self) -> ErrorKind {
        match self.0 {
            io::ErrorKind::Interrupted => ErrorKind::Interrupted,
            // A limit of time that ran out, by either name.
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => ErrorKind::TimedOut,
            io::ErrorKind::ConnectionReset => ErrorKind::ConnectionReset,
            io::ErrorKind::BrokenPipe => ErrorKind::BrokenPipe,
            _ => ErrorKind::Other,
        }
    }
}

impl embedded_io::ErrorType for EmbeddedWire {
    type Error = WireError;
}

impl embedded_io::Read for EmbeddedWire {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, WireError> {
        let result = io::Read::read(&mut self.wire, buf);
        self.has_read(result)
    }
}

impl embedded_io::Write for EmbeddedWire {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, WireError> {
        let result = io::Write::write(&mut self.wire, bytes);
        self.used(result)
    }

    fn flush(&mut self) -> Result<(), WireError> {
        let result = io::Write::flush(&mut self.wire);
        self.used(result)
    }
}

impl embedded_io_async::Read for EmbeddedWire {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, WireError> {
        let result = poll_fn(|cx| self.wire.poll_read(cx, buf)).await;
        self.has_read(result)
    }
}

impl embedded_io_async::Write for EmbeddedWire {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, WireError> {
        let result = poll_fn(|cx| self.wire.poll_write(cx, bytes)).await;
        self.used(result)
    }

    async fn flush(&mut self) -> Result<(), WireError> {
        let result = poll_fn(|cx| self.wire.poll_flush(cx)).await;
        self.used(result)
    }
}

/// Notes an error of receiving. Whether it is the last word of the adapter: its caller may take the transport
/// back.
fn note(outcome: &mut Outcome, error: Error) -> bool {
    let is_last = !is_passing(&error);
    outcome.failure(match error {
        Error::Protocol(error) => Failure::Protocol(error),
        Error::Io(error) => Failure::Io(error.0),
        other => Failure::Other(other.to_string()),
    });
    is_last
}

/// Whether an operation is to be called again.
fn is_passing(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.is_passing())
}

/// Notes whether the adapter has used the transport after its last word.
fn note_misuse(outcome: &mut Outcome, stream: &EmbeddedWire) {
    if stream.misused {
        outcome.failure(Failure::Other("the transport was used after the last word".into()));
    }
}

/// All cases of the suite in each of the runs.
fn passes_the_kit(
    watchdog: Watchdog,
    echo: impl Fn(&Wire, blocking::FixedBuffers<'_>, SliceAssembler<'_>, Answer) -> Outcome,
) {
    let mut storage = vec![0; STORAGE];
    for (read, write, answer) in RUNS {
        let (mut read_buffer, mut write_buffer) = (vec![0; read], vec![0; write]);
        let report = conformance::run(&mut |wire: Wire| {
            watchdog.next_case();
            let buffers = blocking::FixedBuffers::new(&mut read_buffer, &mut write_buffer).unwrap();
            echo(&wire, buffers, SliceAssembler::new(&mut storage), answer)
        });
        assert!(report.is_ok(), "{read} bytes to read into, {write} to write from, {answer:?}: {report}");
        assert!(report.passed > 10_000, "only {} cases", report.passed);
    }
}

/// Queues a message whole, however often time runs out.
fn feed(outgoing: &mut blocking::Outgoing<'_, '_, EmbeddedWire, Server>, message: Message<'_>) -> bool {
    let payload = Payload::from(message);
    let mut result = outgoing.feed(payload);
    while let Err(error) = result {
        if !is_passing(&error) {
            return false;
        }
        result = match missing(payload, outgoing.frame_remaining()) {
            [] => outgoing.feed(payload),
            rest => outgoing.feed_payload(rest),
        };
    }
    true
}

/// What the adapters say is to be given again.
fn missing(payload: Payload<'_>, remaining: u64) -> &[u8] {
    let octets = payload.as_bytes();
    &octets[octets.len() - usize::try_from(remaining).unwrap()..]
}

fn blocking_echo(
    wire: &Wire,
    buffers: blocking::FixedBuffers<'_>,
    mut assembler: SliceAssembler<'_>,
    answer: Answer,
) -> Outcome {
    use embedded_io::Read;

    let mut outcome = Outcome::new();
    let mut socket = blocking::WebSocket::new(EmbeddedWire::new(wire), Server, Config::new(), buffers);
    while outcome.goes_on() {
        match socket.recv_message_with(&mut assembler) {
            Ok(Some((message, mut outgoing))) => {
                outcome.message(message);
                if feed(&mut outgoing, message) && answer == Answer::Send {
                    while outgoing.flush().is_err_and(|error| is_passing(&error)) {}
                }
            }
            Ok(None) => {
                socket.get_mut().taken_back = true;
                outcome.ended(socket.closed());
            }
            Err(error) => socket.get_mut().taken_back |= note(&mut outcome, error),
        }
    }
    let mut stream = socket.into_inner();
    note_misuse(&mut outcome, &stream);
    if stream.end() {
        while !stream.ended {
            let _ = stream.read(&mut [0; 100]);
        }
    }
    outcome
}

#[test]
fn embedded_io_passes_the_kit() {
    passes_the_kit(watchdog!(), blocking_echo);
}

/// Queues a message whole, however often the future is dropped.
async fn feed_interrupted(
    wire: &Wire,
    outgoing: &mut asynchronous::Outgoing<'_, '_, EmbeddedWire, Server>,
    message: Message<'_>,
) -> bool {
    let payload = Payload::from(message);
    let mut result = interrupted(wire, outgoing.feed(payload)).await;
    loop {
        if let Some(result) = result {
            return result.is_ok();
        }
        result = match missing(payload, outgoing.frame_remaining()) {
            [] => interrupted(wire, outgoing.feed(payload)).await,
            rest => interrupted(wire, outgoing.feed_payload(rest)).await,
        };
    }
}

fn asynchronous_echo(
    wire: &Wire,
    buffers: asynchronous::FixedBuffers<'_>,
    mut assembler: SliceAssembler<'_>,
    answer: Answer,
) -> Outcome {
    use embedded_io_async::Read;

    let mut outcome = Outcome::new();
    let task = async {
        let mut socket =
            asynchronous::WebSocket::new(EmbeddedWire::new(wire), Server, Config::new(), buffers);
        while outcome.goes_on() {
            match interrupted(wire, socket.recv_message_with(&mut assembler)).await {
                None => {}
                Some(Ok(Some((message, mut outgoing)))) => {
                    outcome.message(message);
                    if feed_interrupted(wire, &mut outgoing, message).await && answer == Answer::Send {
                        // Interrupted or not, it is queued.
                        let _ = interrupted(wire, outgoing.flush()).await;
                    }
                }
                Some(Ok(None)) => {
                    socket.get_mut().taken_back = true;
                    outcome.ended(socket.closed());
                }
                Some(Err(error)) => socket.get_mut().taken_back |= note(&mut outcome, error),
            }
        }
        let mut stream = socket.into_inner();
        note_misuse(&mut outcome, &stream);
        if stream.end() {
            while !stream.ended {
                let _ = interrupted(wire, stream.read(&mut [0; 100])).await;
            }
        }
    };
    run_tasks(wire, vec![Box::pin(task)]);
    outcome
}

#[test]
fn embedded_io_async_passes_the_kit() {
    passes_the_kit(watchdog!(), asynchronous_echo);
}
