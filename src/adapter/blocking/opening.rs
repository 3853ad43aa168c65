//! The opening handshake on blocking transports.
//
// Owns: reading and writing it.
// Must not know: its rules.

use alloc::string::String;
use alloc::vec::Vec;
use core::convert::identity;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::clock::was_limited;
use super::{is_transient, BlockingTransport, WebSocket};
use crate::adapter::agreed::Agreed;
use crate::adapter::opening::{
    ask, client_handshake, cut_off, parting_time, request, serve, share, too_late, until_end, ClientStep,
    Plain, Refused, Unanswered, LATE, MAX_DRAINED, SHORT_PARTING,
};
use crate::adapter::opening_functions::{opening_functions, opening_steps};
use crate::adapter::{
    Answer, ClientConfig, ConnectStage, Connections, Error, Opened, OpeningError, Refusal, ServerConfig,
};
use crate::entropy::SystemEntropy;
use crate::handshake::client::{Accepted, ClientRequest};
use crate::handshake::server::{Request, ServerHandshake};
use crate::role::{Client, Server};

/// A server's WebSocket, on TCP unless said otherwise.
pub type ServerSocket<S = TcpStream> = WebSocket<S, Server>;

/// A client's WebSocket, on TCP unless said otherwise.
pub type ClientSocket<S = TcpStream> = WebSocket<S, Client<SystemEntropy>>;

opening_functions! {
    [] [] [] blocking
    /// Where the transport [limits](BlockingTransport::limit_read) its reads and writes,
    /// [`Timeouts::opening`](crate::Timeouts::opening) bounds the whole; a client that is too slow is answered with
    /// 408. A refusal may take what is left of that time, but a second at least, and 5 s if none is set. Where reads
    /// have no limit nothing is waited for.
    S: [BlockingTransport], pending: PendingRequest<S>, server: ServerSocket<S>, client: ClientSocket<S>,
    wrap: identity, unwrap: identity, boxed: identity,
}

opening_steps! {
    [] [] []
    transport: BlockingTransport, timed: TimedStream, instant: Instant, read: usize::MAX, boxed: identity, end: [end],
}

/// Connects over TCP and opens a WebSocket. The addresses of the host are tried one after the other.
///
/// [`Timeouts::opening`](crate::Timeouts::opening) bounds all of it: looking up the host, connecting, and the
/// handshake. Each address has its share of the time that is left. The system's resolver cannot be interrupted, so it
/// runs on a thread of its own.
///
/// # Errors
///
/// The errors of [`client`]. Also [`Error::Opening`] with [`OpeningError::TimedOut`] if time was up before the
/// handshake, and with [`OpeningError::TlsRequired`] for a `wss:` URI.
pub fn connect<'c>(
    request: impl TryInto<ClientRequest<'c>, Error: Into<OpeningError>>,
    config: &ClientConfig,
) -> Result<ClientSocket, Error> {
    let request = request.try_into().map_err(Into::<OpeningError>::into)?;
    let uri = request.uri();
    if uri.is_secure() {
        return Err(OpeningError::TlsRequired.into());
    }
    let (began, limit) = (Instant::now(), config.timeouts.opening);
    let left = || limit.map(|limit| limit.saturating_sub(began.elapsed()));
    let addresses = resolve(uri.address(), left())?;
    let mut failed = Error::from(io::Error::from(io::ErrorKind::AddrNotAvailable));
    for (at, address) in addresses.iter().enumerate() {
        let share = left().map(|left| share(left, addresses.len().saturating_sub(at)));
        let connected = match share {
            None => TcpStream::connect(address),
            Some(Duration::ZERO) => Err(io::ErrorKind::TimedOut.into()),
            Some(share) => TcpStream::connect_timeout(address, share),
        };
        match connected {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(open_client(stream, request, config, left(), |_| ())?.0);
            }
            Err(error) => failed = error.into(),
        }
    }
    if left().is_some_and(|left| left.is_zero()) {
        failed = OpeningError::TimedOut(ConnectStage::Connecting).into();
    }
    Err(failed)
}

/// If they are found within this time.
fn resolve((host, port): (&str, u16), limit: Option<Duration>) -> Result<Vec<SocketAddr>, Error> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(alloc::vec![(address, port).into()]);
    }
    let Some(limit) = limit else {
        return Ok((host, port).to_socket_addrs()?.collect());
    };
    let host = String::from(host);
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::Builder::new().name("resolver".into()).spawn(move || {
        // Nobody may wait for it any more.
        let _ = sender.send((host.as_str(), port).to_socket_addrs().map(Vec::from_iter));
    })?;
    match receiver.recv_timeout(limit) {
        Ok(addresses) => Ok(addresses?),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(OpeningError::TimedOut(ConnectStage::Resolving).into()),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            Err(io::Error::other("the thread that looks up the host has ended").into())
        }
    }
}

struct TimedStream<'s, S> {
    stream: &'s mut S,
    until: Option<Instant>,
    /// Whether reads or writes were limited.
    limited: bool,
}

impl<'s, S: BlockingTransport> TimedStream<'s, S> {
    fn new(stream: &'s mut S, limit: Option<Duration>) -> Self {
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        Self::until(stream, until)
    }

    fn until(stream: &'s mut S, until: Option<Instant>) -> Self {
        Self { stream, until, limited: false }
    }

    /// Within the time that is left.
    fn run<T>(
        &mut self,
        limit: impl Fn(&mut S, Option<Duration>) -> io::Result<()>,
        mut operation: impl FnMut(&mut S) -> io::Result<T>,
    ) -> Result<T, Error> {
        loop {
            let mut limited = None;
            if let Some(until) = self.until {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(LATE.into());
                }
                match limit(self.stream, Some(left)) {
                    Ok(()) => (self.limited, limited) = (true, Some(left)),
                    Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
                    Err(error) => return Err(error.into()),
                }
            }
            let called = Instant::now();
            match operation(self.stream) {
                Ok(done) => return Ok(done),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error)
                    if is_transient(&error)
                        && limited.is_some_and(|limit| was_limited(called.elapsed(), limit)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Reads once. An empty slice is the end of the transport.
    fn read<'b>(&mut self, buf: &'b mut [u8]) -> Result<&'b [u8], Error> {
        let count = self.run(S::limit_read, |stream| stream.read(buf))?;
        Ok(buf.get(..count).unwrap_or(&[]))
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            match self.run(S::limit_write, |stream| stream.write(bytes))? {
                0 => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                count => bytes = bytes.get(count..).unwrap_or(&[]),
            }
        }
        self.run(S::limit_write, S::flush)
    }

    /// Takes the limits away.
    fn end(&mut self) -> Result<(), Error> {
        if core::mem::take(&mut self.limited) {
            for limit in [S::limit_read, S::limit_write] {
                match limit(self.stream, None) {
                    Err(error) if error.kind() != io::ErrorKind::Unsupported => return Err(error.into()),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn left(&self) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(Instant::now()))
    }

    /// Bounds what is still done by the time that a refusal may take.
    fn part(&mut self, at_least: Duration) {
        self.until = Instant::now().checked_add(parting_time(self.left(), at_least));
    }

    /// Writes a refusal, ends the writing direction, and reads on, within bounds: a reset for what the client is still
    /// sending must not overtake the refusal.
    ///
    /// What goes wrong meanwhile is no news: the client was refused.
    fn refuse(&mut self, refused: Refused) -> Error {
        self.part(SHORT_PARTING);
        if self.write(&refused.response).is_err() {
            return refused.error;
        }
        // A transport that has ended is as good.
        let _ = self.stream.shutdown_write();
        // A read without a limit may last as long as the client likes.
        if self.stream.limit_read(Some(PROBE)).is_err() {
            return refused.error;
        }
        let mut buf = alloc::vec![0; 4096];
        let mut left = MAX_DRAINED;
        while let (Ok(read @ [_, ..]), 1..) = (self.read(&mut buf), left) {
            left = left.saturating_sub(read.len());
        }
        refused.error
    }
}

/// Finds out whether a transport takes limits.
const PROBE: Duration = Duration::from_secs(1);
