//! What a [`Wire`](crate::Wire) does when it is used.
//
// Owns: the description of a transport and its peer.
// Must not know: what carries it out.

use std::io;

/// What the peer sends, how the transport cuts it, and how both end.
#[derive(Clone)]
#[non_exhaustive]
pub struct Script {
    /// The bytes that the peer sends after the opening handshake.
    pub input: Vec<u8>,
    /// What the peer waits for before it goes on, in the order of the input.
    pub holds: Vec<Hold>,
    /// How the stream ends after the input.
    pub end: End,
    /// Every write fails with this error once so many bytes were written.
    pub write_error: Option<(usize, io::ErrorKind)>,
    /// How the transport cuts the data.
    pub cut: Cut,
}

impl Script {
    /// A script with this input, uncut, and then the end of the stream.
    pub fn new(input: impl Into<Vec<u8>>) -> Self {
        Self { input: input.into(), holds: Vec::new(), end: End::Eof, write_error: None, cut: Cut::WHOLE }
    }

    /// Sets the end of the stream.
    #[must_use]
    pub fn with_end(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    /// Sets the cut.
    #[must_use]
    pub fn with_cut(mut self, cut: Cut) -> Self {
        self.cut = cut;
        self
    }

    /// Adds something to wait for.
    #[must_use]
    pub fn with_hold(mut self, hold: Hold) -> Self {
        self.holds.push(hold);
        self
    }

    /// Makes writes fail once `after` bytes were written.
    #[must_use]
    pub fn with_write_error(mut self, after: usize, kind: io::ErrorKind) -> Self {
        self.write_error = Some((after, kind));
        self
    }
}

/// How the stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a read gives the end or an error")]
pub enum End {
    /// With the end of the stream.
    Eof,
    /// Every later read fails with this.
    Error(io::ErrorKind),
}

/// What the peer waits for. If it never happens, the wire is stuck, and the test fails. After writing has
/// failed, nothing is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever writes a script makes it")]
pub struct Hold {
    /// The peer waits after so many bytes of its input. What follows, even the end, comes later.
    pub at: usize,
    /// So many bytes must have been written to the peer.
    pub written: usize,
    /// The writing direction must have been ended.
    pub shut: bool,
}

/// How a transport cuts the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cut {
    /// The name in a report.
    pub name: &'static str,
    /// The most bytes of each read, used in turn.
    pub reads: &'static [usize],
    /// The most bytes of each write, used in turn.
    pub writes: &'static [usize],
    /// Whether each operation makes its caller wait once: pending, or in turn `WouldBlock`, `TimedOut` and
    /// `Interrupted`.
    pub pending: bool,
    /// Whether tasks are also polled without being woken.
    pub spurious: bool,
    /// After so many waits the waiting future is dropped (see [`interrupted`](crate::interrupted)). 0 means
    /// never.
    pub interrupt: usize,
    /// Whether written bytes reach the peer only after a flush.
    pub buffered: bool,
    /// Whether the peer waits after each frame for its answer.
    pub lockstep: bool,
}

/// No limit.
const ALL: &[usize] = &[usize::MAX];

impl Cut {
    /// Uncut.
    pub const WHOLE: Self = Self {
        name: "whole",
        reads: ALL,
        writes: ALL,
        pending: false,
        spurious: false,
        interrupt: 0,
        buffered: false,
        lockstep: false,
    };

    /// Uncut, but each operation makes its caller wait once.
    pub const PENDING: Self = Self { name: "pending", pending: true, ..Self::WHOLE };
    /// One byte at a time.
    pub const BYTES: Self = Self { name: "bytes", reads: &[1], writes: &[1], ..Self::WHOLE };
    /// A few bytes at a time.
    pub const SHORT: Self = Self { name: "short", reads: &[3, 1, 7], writes: &[2, 5], ..Self::WHOLE };

    /// Written bytes reach the peer only after a flush.
    pub const BUFFERED: Self = Self { name: "buffered", buffered: true, ..Self::WHOLE };

    /// All cuts that the suite uses.
    pub const EACH: [Self; 12] = [
        Self::WHOLE,
        Self::BYTES,
        Self::SHORT,
        Self::PENDING,
        Self::BUFFERED,
        Self { name: "lockstep", lockstep: true, ..Self::BUFFERED },
        Self { name: "bytes, pending", pending: true, ..Self::BYTES },
        Self { name: "short, pending, spurious", pending: true, spurious: true, ..Self::SHORT },
        Self { name: "interrupted", interrupt: 1, ..Self::PENDING },
        Self { name: "bytes, interrupted", pending: true, interrupt: 1, ..Self::BYTES },
        Self {
            name: "short, interrupted by turns",
            pending: true,
            interrupt: 2,
            buffered: true,
            ..Self::SHORT
        },
        Self {
            name: "everything at once",
            pending: true,
            spurious: true,
            interrupt: 3,
            buffered: true,
            lockstep: true,
            ..Self::SHORT
        },
    ];
}

debug_states!(Script, |this| { input: this.input.len(), holds: this.holds.len(), end: this.end, write_error: this.write_error, cut: this.cut });
