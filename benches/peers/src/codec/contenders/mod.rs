//! The contenders, and what each of them is measured on.
//!
//! One module for each library. Each uses its library as its own documentation does, from memory to memory.

mod embedded_websocket;
mod fastwebsockets;
mod keys;
mod ratchet;
mod sans_io;
mod sockless_connection;
mod sockless_endpoint;
mod sockudo;
mod soketto;
mod tokio_websockets;
mod tungstenite;
#[cfg(feature = "uwebsockets")]
mod uwebsockets;
mod web_socket;
mod wtx;
mod yawc;

use std::sync::Arc;

use bytes::Bytes;

use super::check::{Counter, Taker};
use super::memory::{Memory, Source, Tape, Wire};
use super::workload::{Side, Work, Workload};

/// Processes so many messages.
pub type Lane = Box<dyn FnMut(usize)>;

/// The length of a read if the caller brings the buffer: one that all connections of a thread would share.
const READ: usize = 64 << 10;

/// The buffer for such reads. It is aligned to pages, so that its speed does not depend on the allocator.
#[repr(align(4096))]
struct ReadBuffer([u8; READ]);

impl ReadBuffer {
    fn new() -> Box<Self> {
        Box::new(Self([0; READ]))
    }
}

/// One library, or one way to use it.
#[derive(Clone, Copy)]
pub struct Contender {
    pub name: &'static str,
    /// The package whose version is printed.
    pub package: &'static str,
    /// Whether it is this crate.
    pub ours: bool,
    /// Whether it checks that text is UTF-8. If not, the measurement does.
    pub checks_text: bool,
    /// Whether it returns whole messages, or pieces of messages that came in several reads.
    pub assembles: bool,
    /// Whether the masking keys of its client are unpredictable, as RFC 6455 section 10.3 asks.
    pub draws_keys_well: bool,
    receive: Option<fn(&Job, Side) -> Lane>,
    send: Option<fn(&Job, Side) -> Lane>,
    accept: Option<fn(&Job) -> Lane>,
}

impl Contender {
    /// Makes a connection, and what drives it. `None` if the library cannot do the case.
    pub fn lane(&self, job: &Job) -> Option<Lane> {
        match job.workload.case.work {
            Work::Receive(side) => self.receive.map(|receive| receive(job, side)),
            Work::Send(side) => self.send.map(|send| send(job, side)),
            Work::Accept => self.accept.map(|accept| accept(job)),
        }
    }
}

/// All of them, ours first.
pub const CONTENDERS: &[Contender] = &[
    sockless_connection::CONTENDER,
    sockless_endpoint::CONTENDER,
    tungstenite::CONTENDER,
    fastwebsockets::CONTENDER,
    tokio_websockets::CONTENDER,
    yawc::CONTENDER,
    wtx::CONTENDER,
    sockudo::CONTENDER,
    sans_io::CONTENDER,
    embedded_websocket::CONTENDER,
    web_socket::CONTENDER,
    soketto::CONTENDER,
    ratchet::CONTENDER,
    #[cfg(feature = "uwebsockets")]
    uwebsockets::CONTENDER,
];

/// What a contender gets for one case.
pub struct Job {
    pub workload: Arc<Workload>,
    /// Where to count received messages, if they are verified.
    pub counter: Option<Counter>,
    /// Where to keep what was written, if it is verified.
    pub tape: Option<Tape>,
}

impl Job {
    fn source(&self) -> Source {
        Source::new(&self.workload)
    }

    fn wire(&self) -> Wire {
        Wire::new(self.tape.clone())
    }

    fn stream(&self) -> Memory {
        Memory { source: self.source(), wire: self.wire() }
    }

    fn taker(&self, contender: &Contender) -> Taker {
        Taker::new(&self.workload, contender.checks_text, self.counter.clone())
    }

    /// The payloads, for libraries that borrow them.
    fn payloads(&self) -> Cycle<Vec<u8>> {
        Cycle { items: self.workload.payloads.clone(), at: 0 }
    }

    /// The payloads, for libraries that share them.
    fn shared(&self) -> Cycle<Bytes> {
        let items = self.workload.payloads.iter().cloned().map(Bytes::from).collect();
        Cycle { items, at: 0 }
    }

    /// How many octets any frame of the case takes at most.
    fn frame_buffer(&self) -> Vec<u8> {
        vec![0; self.workload.case.len + 64]
    }
}

/// Repeats the items for ever.
struct Cycle<T> {
    items: Vec<T>,
    at: usize,
}

impl<T> Cycle<T> {
    #[inline]
    fn next(&mut self) -> &mut T {
        let at = self.at;
        self.at = if at + 1 == self.items.len() { 0 } else { at + 1 };
        &mut self.items[at]
    }
}
