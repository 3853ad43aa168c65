//! How far a script has come.
//
// Owns: the result of each operation of a transport.
// Must not know: who waits for it, or how.

use std::io;
use std::task::Waker;

use crate::script::{End, Hold, Script};

/// What a script has come to.
pub(super) struct State {
    pub(super) script: Script,
    pub(super) read: usize,
    /// Written, but not yet received by the peer.
    pub(super) buffered: Vec<u8>,
    pub(super) written: Vec<u8>,
    pub(super) taken: usize,
    pub(super) shut: bool,
    pub(super) write_failed: bool,
    pub(super) end_read: bool,
    pub(super) gates: [Gate; 4],
    pub(super) turns: [usize; 3],
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
    /// How often anybody has waited, and when a future was last dropped.
    pub(super) waits: usize,
    pub(super) interrupted: usize,
    pub(super) operations: usize,
    /// How many octets were read in this turn of a task.
    pub(super) turn: usize,
    /// Whether tasks are polled. Then other tasks may wait for their turn.
    pub(super) in_task: bool,
    pub(super) faults: Vec<&'static str>,
}

/// Whether the caller has already waited for an operation.
#[derive(Clone, Copy, Default)]
pub(super) struct Gate {
    pub(super) open: bool,
    pub(super) wanted: bool,
}

/// How many octets a task may read in one turn, in messages of 512 octets. An endpoint ends its turn before
/// that.
const MAX_TURN: usize = 1 << 20;

pub(super) const READ: usize = 0;
const WRITE: usize = 1;
const FLUSH: usize = 2;
const SHUTDOWN: usize = 3;

/// The result of an operation. `None` if it has to wait.
pub(super) type Done<T> = Option<io::Result<T>>;

impl State {
    pub(super) fn new(script: Script) -> Self {
        Self {
            script,
            read: 0,
            buffered: Vec::new(),
            written: Vec::new(),
            taken: 0,
            shut: false,
            write_failed: false,
            end_read: false,
            gates: [Gate::default(); 4],
            turns: [0; 3],
            reader: None,
            writer: None,
            waits: 0,
            interrupted: 0,
            operations: 0,
            turn: 0,
            in_task: false,
            faults: Vec::new(),
        }
    }

    pub(super) fn read(&mut self, buf: &mut [u8]) -> Done<usize> {
        if buf.is_empty() {
            self.fault("read into no space, which looks like the end of the stream");
        }
        self.pass(READ)?;
        if self.is_worn_out() {
            return Some(Err(io::ErrorKind::Other.into()));
        }
        if self.is_held() {
            return None;
        }
        let until = self.open_hold().map_or(self.script.input.len(), |hold| hold.at);
        let most = self.next_of(0, self.script.cut.reads, usize::MAX);
        let available = self.script.input.get(self.read..until).unwrap_or(&[]);
        let count = available.len().min(buf.len()).min(most.max(1));
        if let (Some(from), Some(to)) = (available.get(..count), buf.get_mut(..count)) {
            to.copy_from_slice(from);
        }
        self.read = self.read.saturating_add(count);
        self.turn = self.turn.saturating_add(count);
        if self.turn > MAX_TURN && self.in_task {
            self.fault("a task read on and on, and no other had its turn");
        }
        self.close(READ);
        if count > 0 || buf.is_empty() {
            return Some(Ok(count));
        }
        if std::mem::replace(&mut self.end_read, true) {
            self.fault("read again after the end");
        }
        Some(match self.script.end {
            End::Eof => Ok(0),
            End::Error(kind) => Err(kind.into()),
        })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Done<usize> {
        if self.shut {
            self.fault("written after the writing direction was ended");
        }
        if bytes.is_empty() {
            self.fault("written nothing");
        }
        self.pass(WRITE)?;
        if self.is_worn_out() {
            return Some(Err(io::ErrorKind::Other.into()));
        }
        let mut most = self.next_of(1, self.script.cut.writes, usize::MAX).max(1);
        self.close(WRITE);
        if let Some((after, kind)) = self.script.write_error {
            most = most.min(after.saturating_sub(self.taken));
            if most == 0 {
                self.write_failed = true;
                return Some(Err(kind.into()));
            }
        }
        let taken = bytes.get(..most).unwrap_or(bytes);
        let into = if self.script.cut.buffered { &mut self.buffered } else { &mut self.written };
        into.extend_from_slice(taken);
        self.taken = self.taken.saturating_add(taken.len());
        Some(Ok(taken.len()))
    }

    pub(super) fn flush(&mut self) -> Done<()> {
        self.pass(FLUSH)?;
        self.close(FLUSH);
        self.written.append(&mut self.buffered);
        Some(Ok(()))
    }

    pub(super) fn shutdown(&mut self, flushes: bool) -> Done<()> {
        self.pass(SHUTDOWN)?;
        self.close(SHUTDOWN);
        if let (true, Some((_, kind))) = (self.write_failed, self.script.write_error) {
            return Some(Err(kind.into()));
        }
        if flushes {
            self.written.append(&mut self.buffered);
        }
        self.buffered.clear();
        self.shut = true;
        Some(Ok(()))
    }

    /// Lets an operation happen. `None` if it has to wait first.
    fn pass(&mut self, operation: usize) -> Option<()> {
        self.operations = self.operations.saturating_add(1);
        let waits = self.script.cut.pending;
        let gate = self.gates.get_mut(operation)?;
        gate.wanted = waits && !gate.open;
        (!gate.wanted).then_some(())
    }

    /// The operation is done, and the next one has to wait again.
    fn close(&mut self, operation: usize) {
        if let Some(gate) = self.gates.get_mut(operation) {
            gate.open = false;
        }
    }

    /// What the peer waits for now.
    fn open_hold(&self) -> Option<Hold> {
        let met = |hold: &Hold| {
            self.write_failed || (self.written.len() >= hold.written && (self.shut || !hold.shut))
        };
        self.script.holds.iter().find(|hold| !met(hold)).copied()
    }

    /// Whether nothing can be read until the peer gets what it waits for.
    pub(super) fn is_held(&self) -> bool {
        self.open_hold().is_some_and(|hold| hold.at <= self.read)
    }

    /// Counts calls. A caller in an endless loop gets only errors in the end.
    fn is_worn_out(&mut self) -> bool {
        let worn_out = self.operations > self.script.input.len().saturating_add(256).saturating_mul(64);
        if worn_out {
            self.fault(if self.is_held() {
                "the peer waits for what does not come"
            } else {
                "called over and over"
            });
        }
        worn_out
    }

    /// The element of `all` whose turn it is.
    pub(super) fn next_of<T: Copy>(&mut self, turn: usize, all: &[T], otherwise: T) -> T {
        let Some(turn) = self.turns.get_mut(turn) else { return otherwise };
        let index = turn.checked_rem(all.len()).unwrap_or(0);
        *turn = turn.wrapping_add(1);
        all.get(index).copied().unwrap_or(otherwise)
    }

    pub(super) fn fault(&mut self, what: &'static str) {
        if !self.faults.contains(&what) {
            self.faults.push(what);
        }
    }
}
