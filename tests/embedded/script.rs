//! A transport for both adapters that does what it is told, call by call.

use std::collections::VecDeque;
use std::future::{poll_fn, Future};
use std::pin::pin;
use std::task::{Context, Poll};

use embedded_io::{ErrorKind, ErrorType};
use futures_util::task::noop_waker_ref;

/// Gives its input, at most `grain` bytes a call, then `end`. Takes what is written, `grain` bytes a call, up
/// to `room`.
#[derive(Clone, Debug)]
pub struct Script {
    pub incoming: VecDeque<u8>,
    pub grain: usize,
    /// `None` is the end of the stream.
    pub end: Option<ErrorKind>,
    /// Errors to be met by the next reads or writes, before anything else happens.
    pub read_errors: VecDeque<ErrorKind>,
    pub write_errors: VecDeque<ErrorKind>,
    pub written: Vec<u8>,
    pub room: usize,
    /// What a write beyond `room` meets; `None` takes nothing and says so.
    pub full: Option<ErrorKind>,
    pub reads: usize,
    pub flushed: usize,
    /// Whether every other call of the asynchronous transport makes the caller wait.
    pub stutter: bool,
    /// Whether the asynchronous transport lets no write end.
    pub blocked: bool,
    turn: bool,
}

impl Script {
    pub fn new(incoming: &[u8], grain: usize) -> Self {
        Self {
            incoming: incoming.iter().copied().collect(),
            grain,
            end: None,
            read_errors: VecDeque::new(),
            write_errors: VecDeque::new(),
            written: Vec::new(),
            room: usize::MAX,
            full: Some(ErrorKind::ConnectionReset),
            reads: 0,
            flushed: 0,
            stutter: true,
            blocked: false,
            turn: false,
        }
    }

    fn do_read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        assert!(!buf.is_empty(), "read into nothing");
        let flushed = self.flushed == self.written.len() || self.written.len() == self.room;
        assert!(flushed, "waited for input before everything was flushed");
        self.reads += 1;
        if let Some(error) = self.read_errors.pop_front() {
            return Err(error);
        }
        let count = self.grain.min(buf.len()).min(self.incoming.len());
        for (slot, octet) in buf.iter_mut().zip(self.incoming.drain(..count)) {
            *slot = octet;
        }
        match self.end {
            Some(error) if count == 0 => Err(error),
            _ => Ok(count),
        }
    }

    fn do_write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        assert!(!bytes.is_empty(), "wrote nothing");
        if let Some(error) = self.write_errors.pop_front() {
            return Err(error);
        }
        let count = self.grain.min(bytes.len()).min(self.room - self.written.len());
        self.written.extend_from_slice(&bytes[..count]);
        match self.full {
            Some(error) if count == 0 => Err(error),
            _ => Ok(count),
        }
    }

    fn do_flush(&mut self) -> Result<(), ErrorKind> {
        self.flushed = self.written.len();
        Ok(())
    }

    async fn pause(&mut self) {
        if self.stutter {
            poll_fn(|_| {
                self.turn = !self.turn;
                if self.turn {
                    Poll::Pending
                } else {
                    Poll::Ready(())
                }
            })
            .await;
        }
    }
}

impl ErrorType for Script {
    type Error = ErrorKind;
}

impl embedded_io::Read for Script {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        self.do_read(buf)
    }
}

impl embedded_io::Write for Script {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.do_write(bytes)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.do_flush()
    }
}

impl embedded_io_async::Read for Script {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        self.pause().await;
        self.do_read(buf)
    }
}

impl embedded_io_async::Write for Script {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.pause().await;
        if self.blocked {
            std::future::pending::<()>().await;
        }
        self.do_write(bytes)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        self.pause().await;
        self.do_flush()
    }
}

/// Polls a new future `polls` times and drops it; its output if it was ready before.
pub fn poll_times<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut cx = Context::from_waker(noop_waker_ref());
    let mut future = pin!(future);
    for _ in 0..polls {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Some(output);
        }
    }
    None
}

/// Polls to the end; the transports here need no wake-up.
pub fn run<F: Future>(future: F) -> F::Output {
    poll_times(future, 10_000_000).expect("the future never became ready")
}
