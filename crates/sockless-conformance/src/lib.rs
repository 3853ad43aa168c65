//! A test suite for adapters of [`sockless`], for those who write one.
//!
//! The adapter under test is a [`Subject`]: an echo server that runs over a [`Wire`]. A wire is a transport in
//! memory. It gives its input in pieces of any size, takes only some bytes of a write, makes its caller wait
//! everywhere, and fails or ends where a [`Script`] says so. The results must be the same for each [`Cut`] of
//! the data.
//!
//! ```
//! use sockless_conformance::{Outcome, Wire};
//! use sockless::blocking::WebSocket;
//! use sockless::endpoint::Buffers;
//! use sockless::{Config, Server};
//!
//! let report = sockless_conformance::run(&mut |wire: Wire| {
//!     let mut socket = WebSocket::new(wire, Server, Config::new(), Buffers::DEFAULT, &[]);
//!     let mut outcome = Outcome::new();
//!     while outcome.goes_on() {
//!         match socket.recv_with() {
//!             Ok(Some((message, mut outgoing))) => {
//!                 outcome.message(message);
//!                 let _ = outgoing.feed(message); // what stops it ends the connection as well
//!             }
//!             Ok(None) => outcome.ended(socket.closed()),
//!             Err(error) => outcome.failure(error),
//!         }
//!     }
//!     outcome
//! });
//! assert!(report.is_ok(), "{report}");
//! ```
//!
//! An asynchronous adapter runs its tasks with [`run_tasks`], which polls only tasks that were woken. It
//! receives through [`interrupted`], which drops the future at every await.
//
// Owns: what adapters are tested for, and the results.
// Must not know: any one adapter.

#![forbid(unsafe_code)]
#![deny(missing_docs, missing_debug_implementations, unreachable_pub, unused_must_use)]

/// Implements `Debug` for a type that holds payloads or what a socket received: it prints the listed states and nothing else.
macro_rules! debug_states {
    ($type:ident, |$this:ident| { $($state:ident: $value:expr),* }) => {
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let $this = self;
                f.debug_struct(stringify!($type))$(.field(stringify!($state), &$value))*.finish_non_exhaustive()
            }
        }
    };
}

mod cases;
mod script;
mod state;
mod tasks;
mod wire;

pub use cases::{cases, Case, Transcript};
pub use script::{Cut, End, Hold, Script};
pub use tasks::{interrupted, run_tasks, Interrupted, Task};
pub use wire::Wire;

use std::fmt;
use std::io;

use sockless::message::OwnedMessage;
use sockless::{AsPayload, Closed, Error, ProtocolError};

/// An adapter that is tested.
pub trait Subject {
    /// Runs an echo server over the wire, with default limits and without timers, and drops it at the end. The
    /// opening handshake is already done.
    ///
    /// The server receives whole messages, and answers each with the same message before it receives the next.
    /// Both queueing and sending are fine. Do not report what stops an answer: receiving will tell how the
    /// connection ended.
    fn echo(&mut self, wire: Wire) -> Outcome;
}

impl<F: FnMut(Wire) -> Outcome> Subject for F {
    fn echo(&mut self, wire: Wire) -> Outcome {
        self(wire)
    }
}

/// What receiving returned, in order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    messages: Vec<OwnedMessage>,
    failures: Vec<Failure>,
    closed: Option<Closed>,
    ends: u8,
    retries: usize,
}

impl Outcome {
    /// Nothing was received yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to receive again: until the end was reported twice.
    pub fn goes_on(&self) -> bool {
        let given = self.messages.len().saturating_add(self.failures.len());
        self.ends < 2 && given < 10_000 && self.retries < 10_000_000
    }

    /// Notes a message.
    pub fn message(&mut self, message: impl Into<OwnedMessage>) {
        self.messages.push(message.into());
    }

    /// Notes an error. One that only means "call again" is ignored.
    pub fn failure(&mut self, failure: impl Into<Failure>) {
        match failure.into() {
            Failure::Io(io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted) => {
                self.retries = self.retries.saturating_add(1)
            }
            failure => self.failures.push(failure),
        }
    }

    /// Notes the end. `closed` is what the adapter says about it.
    pub fn ended(&mut self, closed: Option<Closed>) {
        self.ends = self.ends.saturating_add(1);
        self.closed = closed;
    }
}

/// An error that an adapter reported.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The peer broke a rule.
    Protocol(ProtocolError),
    /// The transport failed.
    Io(io::ErrorKind),
    /// Any other error. No case expects one.
    Other(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Protocol(error) => Self::Protocol(error),
            Error::Io(error) => Self::Io(error.kind()),
            other => Self::Other(format!("{other}")),
        }
    }
}

/// Runs all [`cases`]. Stops after ten that failed.
pub fn run(subject: &mut impl Subject) -> Report {
    let mut report = Report::default();
    for case in cases() {
        report.passed = report.passed.saturating_add(1);
        if let Err(complaint) = check(subject, &case) {
            report.passed = report.passed.saturating_sub(1);
            report.complaints.push(format!("{}: {complaint}", case.name));
        }
        if report.complaints.len() == 10 {
            break;
        }
    }
    report
}

/// Runs one case.
///
/// # Errors
///
/// A description of what was not as expected.
pub fn check(subject: &mut impl Subject, case: &Case) -> Result<(), String> {
    let wire = Wire::new(case.script.clone());
    let outcome = subject.echo(wire.clone());
    let expected = &case.expected;
    if let Some(fault) = wire.faults().first() {
        return Err(format!("{fault}; {outcome:?}, written {:?}", Bytes(&wire.written())));
    }
    if outcome.ends < 2 {
        return Err(format!("not run to its end: {outcome:?}"));
    }
    same("messages", &Messages(&outcome.messages), &Messages(&expected.messages))?;
    same("errors", &outcome.failures, &expected.failures)?;
    let written = wire.written();
    if !(expected.written == written || expected.may_write_less && expected.written.starts_with(&written)) {
        let (got, want) = (Bytes(&written), Bytes(&expected.written));
        return Err(format!("written: {got:?} instead of {want:?}"));
    }
    let Some(closed) = expected.closed else {
        return Err("the case does not say how the connection ends".into());
    };
    same("closed()", &outcome.closed, &Some(closed))?;
    if let Some(shut) = expected.shut {
        same("writing direction ended", &wire.is_shut(), &shut)?;
    }
    if !wire.is_dropped() {
        return Err("the transport was not dropped".into());
    }
    Ok(())
}

fn same<T: PartialEq + fmt::Debug>(what: &str, got: &T, want: &T) -> Result<(), String> {
    if got == want {
        Ok(())
    } else {
        Err(format!("{what}: {got:?} instead of {want:?}"))
    }
}

/// Messages, printed with their contents, which their own `Debug` leaves out.
#[derive(PartialEq)]
struct Messages<'m>(&'m [OwnedMessage]);

impl fmt::Debug for Messages<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().map(AsPayload::as_payload).map(|it| (it.kind(), Bytes(it.as_bytes())));
        f.debug_list().entries(shown).finish()
    }
}

/// Bytes, printed as a literal of limited length.
struct Bytes<'b>(&'b [u8]);

impl fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.get(..400).unwrap_or(self.0);
        write!(f, "{} bytes \"{}\"", self.0.len(), shown.escape_ascii())
    }
}

/// The result of [`run`].
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Report {
    /// How many cases passed.
    pub passed: usize,
    /// What went wrong, one line for each case.
    pub complaints: Vec<String>,
}

impl Report {
    /// Whether every case passed.
    pub fn is_ok(&self) -> bool {
        self.complaints.is_empty() && self.passed > 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for complaint in &self.complaints {
            writeln!(f, "{complaint}")?;
        }
        write!(f, "{} cases passed, {} failed", self.passed, self.complaints.len())
    }
}

debug_states!(Outcome, |this| { messages: this.messages.len(), failures: this.failures.len(), closed: this.closed, ends: this.ends });

impl std::fmt::Debug for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Protocol(error) => write!(f, "Protocol({error:?})"),
            Self::Io(kind) => write!(f, "Io({kind:?})"),
            Self::Other(text) => write!(f, "Other({text:.200})"),
        }
    }
}

debug_states!(Report, |this| { passed: this.passed, complaints: this.complaints.len() });
