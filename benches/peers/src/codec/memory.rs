//! Takes the place of a socket: reads come from the image, at once and without end; writes are discarded.
//!
//! A read costs one copy, as from the kernel. A write costs nothing, because what the kernel would take is the
//! same for all.

use std::hint::black_box;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use tokio::io::ReadBuf;

use super::workload::{Reads, Workload};

/// The reading side. It never ends: after the last frame comes the first.
#[derive(Clone, Debug)]
pub struct Source {
    workload: Arc<Workload>,
    at: usize,
    /// The frame in which `at` is.
    frame: usize,
}

impl Source {
    pub fn new(workload: &Arc<Workload>) -> Self {
        Self { workload: Arc::clone(workload), at: 0, frame: 0 }
    }

    /// The bytes of the next read into `room` octets.
    #[inline]
    fn take(&mut self, room: usize) -> &[u8] {
        let image = self.workload.image;
        let end = match self.workload.case.reads {
            Reads::Full => image.len(),
            Reads::UpTo(len) => image.len().min(self.at + len),
            Reads::Frame => self.workload.ends[self.frame],
        };
        let end = end.min(self.at + room);
        let taken = &image[self.at..end];
        if self.workload.case.reads == Reads::Frame && end == self.workload.ends[self.frame] {
            self.frame = if end == image.len() { 0 } else { self.frame + 1 };
        }
        self.at = if end == image.len() { 0 } else { end };
        taken
    }

    /// Reads as much as one read brings.
    #[inline]
    pub fn read(&mut self, out: &mut [u8]) -> usize {
        let taken = self.take(out.len());
        out[..taken.len()].copy_from_slice(taken);
        taken.len()
    }
}

/// Where the verification reads what was written.
pub type Tape = Arc<Mutex<Vec<u8>>>;

/// The writing side.
#[derive(Clone, Debug, Default)]
pub struct Wire {
    tape: Option<Tape>,
}

impl Wire {
    /// Without a tape nothing is kept.
    pub fn new(tape: Option<Tape>) -> Self {
        Self { tape }
    }

    /// Takes all of it.
    #[inline]
    pub fn write(&self, octets: &[u8]) {
        black_box(octets);
        if let Some(tape) = &self.tape {
            record(tape, octets);
        }
    }
}

/// Never inlined into code that is timed.
#[cold]
#[inline(never)]
fn record(tape: &Tape, octets: &[u8]) {
    tape.lock().expect("one thread").extend_from_slice(octets);
}

/// Both sides as one stream, for contenders that want one.
#[derive(Clone, Debug)]
pub struct Memory {
    pub source: Source,
    pub wire: Wire,
}

impl Memory {
    fn write_all_of(&self, slices: &[io::IoSlice<'_>]) -> usize {
        slices.iter().for_each(|slice| self.wire.write(slice));
        slices.iter().map(|slice| slice.len()).sum()
    }
}

impl io::Read for Memory {
    #[inline]
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        Ok(self.source.read(out))
    }
}

impl io::Write for Memory {
    #[inline]
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.wire.write(octets);
        Ok(octets.len())
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        Ok(self.write_all_of(slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl tokio::io::AsyncRead for Memory {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        out.put_slice(self.source.take(out.remaining()));
        Poll::Ready(Ok(()))
    }
}

impl tokio::io::AsyncWrite for Memory {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.wire.write(octets);
        Poll::Ready(Ok(octets.len()))
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.write_all_of(slices)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl futures_util::io::AsyncRead for Memory {
    #[inline]
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.source.read(out)))
    }
}

impl futures_util::io::AsyncWrite for Memory {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.wire.write(octets);
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl wtx::stream::StreamReader for Memory {
    #[inline]
    async fn read(&mut self, out: &mut [u8]) -> wtx::Result<usize> {
        Ok(self.source.read(out))
    }
}

impl wtx::stream::StreamWriter for Memory {
    #[inline]
    async fn write_all(&mut self, octets: &[u8]) -> wtx::Result<()> {
        self.wire.write(octets);
        Ok(())
    }

    #[inline]
    async fn write_all_vectored(&mut self, slices: &[&[u8]]) -> wtx::Result<()> {
        slices.iter().for_each(|slice| self.wire.write(slice));
        Ok(())
    }
}

/// Runs a future that never waits.
///
/// # Panics
///
/// If it waits.
#[inline]
pub fn now<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("waits, although everything is at hand"),
    }
}
