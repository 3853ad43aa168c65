//! A transport in memory that follows a script.
//
// Owns: what was read and written, who waits, and misuse of the transport.
// Must not know: the protocol.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::script::Script;
use crate::state::{Done, State, READ};

/// A transport in memory that follows a [`Script`]. A clone is another handle of the same transport.
///
/// For each direction it keeps only the waker of the last poll, as a socket may, and wakes nobody else.
#[derive(Clone)]
pub struct Wire {
    state: Arc<Mutex<State>>,
}

impl Wire {
    /// A transport at the beginning of this script.
    pub fn new(script: Script) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(script))) }
    }

    /// The bytes that the peer has received.
    pub fn written(&self) -> Vec<u8> {
        self.lock().written.clone()
    }

    /// Whether the writing direction was ended.
    pub fn is_shut(&self) -> bool {
        self.lock().shut
    }

    /// How the transport was misused. Each kind is listed once.
    pub fn faults(&self) -> Vec<&'static str> {
        self.lock().faults.clone()
    }

    /// Whether all other handles were dropped.
    pub fn is_dropped(&self) -> bool {
        Arc::strong_count(&self.state) == 1
    }

    /// Reads into `buf` like `PollTransport::poll_read`. 0 bytes are the end of the stream.
    ///
    /// # Errors
    ///
    /// Those of the script.
    pub fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        match state.read(buf) {
            Some(done) => Poll::Ready(done),
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Writes some of `buf` like `PollTransport::poll_write`. Returns how many bytes.
    ///
    /// # Errors
    ///
    /// Those of the script.
    pub fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_out(cx, |state| state.write(buf))
    }

    /// Flushes like `PollTransport::poll_flush`. A complete flush forgets a waiting write, as in async-net.
    ///
    /// # Errors
    ///
    /// Those of the script.
    pub fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.poll_out(cx, State::flush);
        if flushed.is_ready() {
            self.lock().writer = None;
        }
        flushed
    }

    /// Flushes and ends the writing direction like `PollTransport::poll_shutdown`.
    ///
    /// # Errors
    ///
    /// Those of the script.
    pub fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_out(cx, |state| state.shutdown(true))
    }

    fn poll_out<T>(
        &self,
        cx: &mut Context<'_>,
        operation: impl FnOnce(&mut State) -> Done<T>,
    ) -> Poll<io::Result<T>> {
        let mut state = self.lock();
        let Some(done) = operation(&mut state) else {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        };
        // This may be what the peer waits for.
        let reader = if state.is_held() { None } else { state.reader.take() };
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(done)
    }

    /// Does what is waited for, and wakes those who wait. Returns whether anybody was woken.
    pub(super) fn advance(&self) -> bool {
        let mut state = self.lock();
        state.waits = state.waits.wrapping_add(1);
        let mut wakers = [None, None];
        for (index, gate) in state.gates.iter_mut().enumerate() {
            if std::mem::take(&mut gate.wanted) {
                gate.open = true;
                if let Some(wake) = wakers.get_mut(usize::from(index != READ)) {
                    *wake = Some(());
                }
            }
        }
        let [reader, writer] = wakers;
        let reader = reader.and_then(|()| state.reader.take());
        let writer = writer.and_then(|()| state.writer.take());
        drop(state);
        let any = reader.is_some() || writer.is_some();
        reader.into_iter().chain(writer).for_each(Waker::wake);
        any
    }

    /// Whether a future that waits now should be dropped.
    pub(super) fn interrupts(&self) -> bool {
        let state = &mut *self.lock();
        let turn = state.waits.wrapping_add(1);
        let due = turn.checked_rem(state.script.cut.interrupt) == Some(0);
        due && std::mem::replace(&mut state.interrupted, turn) != turn
    }

    /// Notes that a task is polled.
    pub(super) fn begin_turn(&self) {
        let state = &mut *self.lock();
        (state.turn, state.in_task) = (0, true);
    }

    /// Notes why no task can be woken any more.
    pub(super) fn stuck(&self) {
        let state = &mut *self.lock();
        state.fault(if state.is_held() {
            "the peer waits for what does not come"
        } else {
            "nothing is left that would wake a task"
        });
    }

    /// Whether tasks are also polled without being woken.
    pub(super) fn is_spurious(&self) -> bool {
        self.lock().script.cut.spurious
    }

    /// Notes a misuse of the transport.
    pub(super) fn fault(&self, what: &'static str) {
        self.lock().fault(what);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The result for a blocking caller if the operation has to wait: it has waited, and may call again.
    fn block<T>(&self, operation: impl FnOnce(&mut State) -> Done<T>) -> io::Result<T> {
        let mut state = self.lock();
        let done = operation(&mut state);
        done.unwrap_or_else(|| {
            for gate in &mut state.gates {
                gate.open |= std::mem::take(&mut gate.wanted);
            }
            let kinds = [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted, io::ErrorKind::TimedOut];
            Err(state.next_of(2, &kinds, io::ErrorKind::WouldBlock).into())
        })
    }

    /// Ends the writing direction like
    /// [`blocking::BlockingTransport::shutdown_write`](sockless::blocking::BlockingTransport::shutdown_write).
    /// What was not flushed before is lost.
    ///
    /// # Errors
    ///
    /// Those of the script.
    pub fn shutdown_write(&self) -> io::Result<()> {
        self.block(|state| state.shutdown(false))
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.block(|state| state.read(buf))
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.block(|state| state.write(buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.block(State::flush)
    }
}

impl sockless::blocking::BlockingTransport for Wire {
    fn shutdown_write(&mut self) -> io::Result<()> {
        Self::shutdown_write(self)
    }
}

impl sockless::polled::PollTransport for Wire {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Self::poll_read(self, cx, buf)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Self::poll_write(self, cx, buf)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_flush(self, cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_shutdown(self, cx)
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Wire")
            .field("read", &state.read)
            .field("written", &state.written.len())
            .field("shut", &state.shut)
            .field("faults", &state.faults.len())
            .finish_non_exhaustive()
    }
}
