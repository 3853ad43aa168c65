//! A transport in memory that follows a script.
//
// Owns: what was read and written, who waits, and what was done that no transport should see.
// Must not know: the protocol.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::task::{Context, Poll, Waker};
use std::io::{self, Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::script::Script;
use super::state::{Done, State, READ};

/// A transport in memory that follows a [`Script`]. Its clones are handles of the same transport.
///
/// It keeps for each direction the waker of the last poll only, as a socket may, and wakes nobody else.
#[derive(Clone)]
pub struct Wire {
    state: Arc<Mutex<State>>,
}

impl Wire {
    /// At the beginning of this script.
    pub fn new(script: Script) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(script))) }
    }

    /// What has reached the peer.
    pub fn written(&self) -> Vec<u8> {
        self.lock().written.clone()
    }

    /// Whether the writing direction was ended.
    pub fn is_shut(&self) -> bool {
        self.lock().shut
    }

    /// What was done to it that no transport should see, each once.
    pub fn faults(&self) -> Vec<&'static str> {
        self.lock().faults.clone()
    }

    /// Whether no other handle is left: whoever used it has dropped it.
    pub fn is_dropped(&self) -> bool {
        Arc::strong_count(&self.state) == 1
    }

    /// As `PollTransport::poll_read`.
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

    /// As `PollTransport::poll_write`.
    ///
    /// # Errors
    ///
    /// Those of the script.
    pub fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_out(cx, |state| state.write(buf))
    }

    /// As `PollTransport::poll_flush`. A flush that is done forgets a write that waits, as that of async-net
    /// does.
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

    /// As `PollTransport::poll_shutdown`; it flushes.
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
        // It may be what the peer waits for.
        let reader = if state.is_held() { None } else { state.reader.take() };
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(done)
    }

    /// Lets happen what everybody waits for, and wakes who waits for it. Whether anybody was woken.
    pub(super) fn advance(&self) -> bool {
        let mut state = self.lock();
        state.waits = state.waits.wrapping_add(1);
        let mut wakers = [None, None];
        for (index, gate) in state.gates.iter_mut().enumerate() {
            if core::mem::take(&mut gate.wanted) {
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

    /// Whether a future that waits now is to be dropped.
    pub(super) fn interrupts(&self) -> bool {
        let state = &mut *self.lock();
        let turn = state.waits.wrapping_add(1);
        let due = turn.checked_rem(state.script.cut.interrupt) == Some(0);
        due && core::mem::replace(&mut state.interrupted, turn) != turn
    }

    /// A task is polled.
    pub(super) fn begin_turn(&self) {
        let state = &mut *self.lock();
        (state.turn, state.in_task) = (0, true);
    }

    /// Nobody is left who would wake a task: why.
    pub(super) fn stuck(&self) {
        let state = &mut *self.lock();
        state.fault(if state.is_held() {
            "the peer waits for what does not come"
        } else {
            "nothing is left that would wake a task"
        });
    }

    /// Whether tasks are polled although nothing woke them.
    pub(super) fn is_spurious(&self) -> bool {
        self.lock().script.cut.spurious
    }

    /// Notes what no transport should see.
    pub(super) fn fault(&self, what: &'static str) {
        self.lock().fault(what);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a blocking caller gets for an operation that has to wait: it has waited, and may call again.
    fn block<T>(&self, operation: impl FnOnce(&mut State) -> Done<T>) -> io::Result<T> {
        let mut state = self.lock();
        let done = operation(&mut state);
        done.unwrap_or_else(|| {
            for gate in &mut state.gates {
                gate.open |= core::mem::take(&mut gate.wanted);
            }
            let kinds = [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted, io::ErrorKind::TimedOut];
            Err(state.next_of(2, &kinds, io::ErrorKind::WouldBlock).into())
        })
    }

    /// As [`blocking::BlockingTransport::shutdown_write`](crate::adapter::blocking::BlockingTransport::shutdown_write); what was not
    /// flushed before is lost.
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

impl crate::adapter::blocking::BlockingTransport for Wire {
    fn shutdown_write(&mut self) -> io::Result<()> {
        Self::shutdown_write(self)
    }
}

#[cfg(any(feature = "futures-io", feature = "tokio"))]
impl crate::adapter::polled::PollTransport for Wire {
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
