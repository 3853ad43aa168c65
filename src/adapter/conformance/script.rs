//! What a [`Wire`](super::Wire) does when it is used.
//
// Owns: the terms of a script.
// Must not know: who follows it.

use alloc::vec::Vec;
use std::io;

/// What the peer sends, how the transport cuts it, and how both end.
#[derive(Clone)]
#[non_exhaustive]
pub struct Script {
    /// What the peer sends, after the opening handshake.
    pub input: Vec<u8>,
    /// What the peer waits for before it goes on, in the order of the input.
    pub holds: Vec<Hold>,
    /// What comes after the input.
    pub end: End,
    /// From so many bytes written on, every write fails with this.
    pub write_error: Option<(usize, io::ErrorKind)>,
    /// How the transport cuts what passes through it.
    pub cut: Cut,
}

impl Script {
    /// This input in one piece, and then the end of the stream.
    pub fn new(input: impl Into<Vec<u8>>) -> Self {
        Self { input: input.into(), holds: Vec::new(), end: End::Eof, write_error: None, cut: Cut::WHOLE }
    }

    /// With another end.
    #[must_use]
    pub fn with_end(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    /// With another cut.
    #[must_use]
    pub fn with_cut(mut self, cut: Cut) -> Self {
        self.cut = cut;
        self
    }

    /// With one thing more to wait for.
    #[must_use]
    pub fn with_hold(mut self, hold: Hold) -> Self {
        self.holds.push(hold);
        self
    }

    /// With writes that fail once so many bytes were written.
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
    /// In order.
    Eof,
    /// Every further read fails with this.
    Error(io::ErrorKind),
}

/// What the peer waits for. One that never gets it ends nothing: the wire is stuck. Once writing has failed,
/// nothing is waited for any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever writes a script makes it")]
pub struct Hold {
    /// So many bytes of the input come before; what follows, be it the end, comes after.
    pub at: usize,
    /// So many bytes have reached the peer.
    pub written: usize,
    /// The writing direction was ended.
    pub shut: bool,
}

/// How a transport cuts what passes through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cut {
    /// What it is called in a report.
    pub name: &'static str,
    /// How many bytes each read gives at most, over and over.
    pub reads: &'static [usize],
    /// How many bytes each write takes at most, over and over.
    pub writes: &'static [usize],
    /// Whether each operation makes the caller wait once before it is done: pending, or `WouldBlock`,
    /// `TimedOut` and `Interrupted` by turns.
    pub pending: bool,
    /// Whether tasks are polled again although nothing woke them.
    pub spurious: bool,
    /// Every so many waits the future that waits is dropped (see [`interrupted`](super::interrupted)); 0 is
    /// never.
    pub interrupt: usize,
    /// Whether what is written reaches the peer only once it is flushed.
    pub buffered: bool,
    /// Whether the peer waits after each frame for what answers it.
    pub lockstep: bool,
}

/// As much as fits.
const ALL: &[usize] = &[usize::MAX];

impl Cut {
    /// Not at all.
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

    /// Not at all, but each operation makes the caller wait once.
    pub const PENDING: Self = Self { name: "pending", pending: true, ..Self::WHOLE };
    /// One byte at a time.
    pub const BYTES: Self = Self { name: "bytes", reads: &[1], writes: &[1], ..Self::WHOLE };
    /// A few bytes at a time.
    pub const SHORT: Self = Self { name: "short", reads: &[3, 1, 7], writes: &[2, 5], ..Self::WHOLE };

    /// What is written reaches the peer only once it is flushed.
    pub const BUFFERED: Self = Self { name: "buffered", buffered: true, ..Self::WHOLE };

    /// All that the own cases of the suite use.
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

debug_states!([] Script, |this| { input: this.input.len(), holds: this.holds.len(), end: this.end, write_error: this.write_error, cut: this.cut });
