//! TLS by rustls on a stream that blocks.
//
// Owns: moving octets between rustls and the stream below, for two threads at once.
// Must not know: who is trusted, or WebSocket.

use std::io::{self, IoSlice, Read, Write};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use sockless::blocking::{BlockingTransport, CloneTransport};

use super::Stream;

/// Bytes of a read: as many as rustls itself takes at once.
const READ: usize = 4 << 10;

/// A handle of a TLS connection. While one thread waits for input, another one can write.
pub(super) struct TlsStream {
    pub(super) below: Stream,
    session: Arc<Session>,
}

/// What all handles share. Neither lock is held while a read waits.
struct Session {
    inner: Mutex<Inner>,
    /// Records that wait to be written. Locked before `inner`, and while they are written, so that they stay in order.
    outgoing: Mutex<Vec<u8>>,
}

struct Inner {
    connection: ClientConnection,
    /// What rustls had no room for yet.
    received: Vec<u8>,
}

impl TlsStream {
    /// Sets TLS up.
    pub(super) fn connect(config: Arc<ClientConfig>, mut below: Stream, host: &str) -> io::Result<Self> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            match connection.complete_io(&mut below) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => drop(result?),
            }
        }
        let session = Session {
            inner: Mutex::new(Inner { connection, received: Vec::new() }),
            outgoing: Mutex::new(Vec::new()),
        };
        Ok(Self { below, session: Arc::new(session) })
    }

    /// Another handle of the same connection.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { below: self.below.try_clone()?, session: Arc::clone(&self.session) })
    }

    /// Has rustls do something, and writes what it says then. What waits from before is written first.
    ///
    /// # Errors
    ///
    /// Those of what waits from before: nothing was done then.
    fn say<T>(&mut self, operation: impl FnOnce(&mut ClientConnection) -> io::Result<T>) -> io::Result<T> {
        let mut outgoing = locked(&self.session.outgoing);
        write_out(&mut self.below, &mut outgoing)?;
        let done = {
            let connection = &mut locked(&self.session.inner).connection;
            let done = operation(connection)?;
            while connection.wants_write() {
                connection.write_tls(&mut *outgoing)?;
            }
            done
        };
        // It is done. What could not be written now is written first the next time, or the error comes back then.
        let _ = write_out(&mut self.below, &mut outgoing);
        Ok(done)
    }
}

impl Read for TlsStream {
    /// Waits once at most. What came may be only a part of a record: then it is `Interrupted`, so that whoever has a
    /// time looks at it before the next wait.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Some(read) = locked(&self.session.inner).plaintext(buf)? {
            return Ok(read);
        }
        let mut octets = [0; READ];
        let count = self.below.read(&mut octets)?;
        let (plaintext, has_answer) = {
            let mut inner = locked(&self.session.inner);
            match octets.get(..count) {
                Some(octets @ [_, ..]) => inner.received.extend_from_slice(octets),
                // So rustls knows whether the end was announced.
                _ => drop(inner.connection.read_tls(&mut io::empty())?),
            }
            (inner.plaintext(buf), inner.connection.wants_write())
        };
        if has_answer {
            // An alert that says what was wrong, or new keys. Where it cannot be written now, the next write tries again.
            let _ = self.say(|_| Ok(()));
        }
        plaintext?.ok_or_else(|| io::ErrorKind::Interrupted.into())
    }
}

impl Inner {
    /// Plaintext that is there. `None` if more must be received for it.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::UnexpectedEof`] if the stream was cut: it ended, and that was not announced.
    fn plaintext(&mut self, buf: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match self.connection.reader().read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read.map(Some),
            }
            if self.received.is_empty() {
                return Ok(None);
            }
            let received = mem::take(&mut self.received);
            let taken = self.connection.read_tls(&mut received.as_slice())?;
            self.received = received.get(taken..).unwrap_or(&[]).to_vec();
            let processed = self.connection.process_new_packets();
            processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
    }
}

impl Write for TlsStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.say(|connection| connection.writer().write(buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.say(|connection| connection.writer().write_vectored(bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut outgoing = locked(&self.session.outgoing);
        write_out(&mut self.below, &mut outgoing)?;
        self.below.flush()
    }
}

impl BlockingTransport for TlsStream {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.say(|connection| {
            connection.send_close_notify();
            Ok(())
        })?;
        self.flush()?;
        self.below.shutdown_write()
    }

    fn limit_read(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.below.limit_read(limit)
    }

    fn limit_write(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.below.limit_write(limit)
    }
}

/// Writes these records. Those that could not be written stay.
fn write_out(below: &mut Stream, outgoing: &mut Vec<u8>) -> io::Result<()> {
    while !outgoing.is_empty() {
        match below.write(outgoing) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => drop(outgoing.drain(..count.min(outgoing.len()))),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    // An idle connection keeps no buffer.
    *outgoing = Vec::new();
    Ok(())
}

/// The lock of what a panic cannot leave half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
