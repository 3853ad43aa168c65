//! The opening handshake on blocking transports.
//
// Owns: reading and writing it.
// Must not know: its rules.

use alloc::string::String;
use alloc::vec::Vec;
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

/// Accepts a WebSocket on a stream that a listener has given. A plain HTTP request is answered with 426.
///
/// Where the transport [limits](BlockingTransport::limit_read) its reads and writes,
/// [`Timeouts::opening`](crate::Timeouts::opening) bounds the whole; a client that is too slow is answered with 408.
/// After a refusal this waits until the client ends as well, has sent 1 MiB more, or the time is up: what is left of
/// the opening time, but a second at least, and 5 s if none is set. Where reads have no limit nothing is waited for.
///
/// # Errors
///
/// [`Error::Opening`] after the client was told, as far as it read that; [`Error::Protocol`] if it was too slow;
/// [`Error::Io`] if the transport failed.
pub fn accept<S: BlockingTransport>(stream: S, config: &ServerConfig) -> Result<ServerSocket<S>, Error> {
    accept_with(stream, config, |_| Ok(()))
}

/// Accepts a WebSocket once `decide` has looked at the request.
///
/// `decide` refuses the request with a [`Refusal`], a 404 for example, or adds to the [`Answer`] that opens the
/// WebSocket, a cookie for example. `Ok(())` adds nothing. All else is as for [`accept`].
///
/// # Errors
///
/// [`Error::Opening`] after the client was told, as far as it read that; [`Error::Protocol`] if it was too slow;
/// [`Error::Io`] if the transport failed.
pub fn accept_with<'a, S: BlockingTransport, A: Into<Answer<'a>>>(
    stream: S,
    config: &ServerConfig,
    decide: impl FnOnce(&Request<'_>) -> Result<A, Refusal>,
) -> Result<ServerSocket<S>, Error> {
    open(stream, &[], config, decide, Plain::Refused)?.websocket()
}

/// Reads a request and leaves the answer to you, which may wait for a database: [`PendingRequest`] accepts or refuses
/// it. A plain HTTP request, and one of a page that may not ask, are refused here, as by [`accept`]. The opening time
/// goes on until the answer.
///
/// # Errors
///
/// Those of [`accept`].
pub fn receive<S: BlockingTransport>(stream: S, config: &ServerConfig) -> Result<PendingRequest<S>, Error> {
    receive_request(stream, &[], config, Plain::Refused)?.websocket()
}

/// Does what [`receive`] does, where the port serves plain HTTP too: as [`accept_buffered`] does, of which this is the
/// first step.
///
/// # Errors
///
/// Those of [`accept`].
pub fn receive_buffered<S: BlockingTransport>(
    stream: S,
    received: &[u8],
    config: &ServerConfig,
) -> Result<Opened<PendingRequest<S>, S>, Error> {
    receive_request(stream, received, config, Plain::HandedBack)
}

/// Accepts a WebSocket, or hands a plain HTTP request back, so that one port can serve pages as well.
///
/// `decide` sees only requests for a WebSocket, as for [`accept_with`]. [`Opened`] shows how to read the plain
/// request. Where the connection is kept after the answer, the next request may ask for a WebSocket: give the
/// stream to [`accept_buffered`] then.
///
/// # Errors
///
/// [`Error::Opening`] after the client was told, as far as it read that; [`Error::Protocol`] if it was too slow;
/// [`Error::Io`] if the transport failed.
pub fn accept_or_http<'a, S: BlockingTransport, A: Into<Answer<'a>>>(
    stream: S,
    config: &ServerConfig,
    decide: impl FnOnce(&Request<'_>) -> Result<A, Refusal>,
) -> Result<Opened<ServerSocket<S>, S>, Error> {
    open(stream, &[], config, decide, Plain::HandedBack)
}

/// Does what [`accept_or_http`] does, on a stream of which some bytes were read already: `received` comes first.
///
/// This is for connections that are kept: a server that has answered a plain request gives the stream back for the
/// next one, which may ask for a WebSocket. `received` is what it has read of that, perhaps nothing. Nothing of the
/// request that was answered may be in it. The opening time begins anew.
///
/// # Errors
///
/// [`Error::Opening`] after the client was told, as far as it read that; [`Error::Protocol`] if it was too slow;
/// [`Error::Io`] if the transport failed.
pub fn accept_buffered<'a, S: BlockingTransport, A: Into<Answer<'a>>>(
    stream: S,
    received: &[u8],
    config: &ServerConfig,
    decide: impl FnOnce(&Request<'_>) -> Result<A, Refusal>,
) -> Result<Opened<ServerSocket<S>, S>, Error> {
    open(stream, received, config, decide, Plain::HandedBack)
}

fn open<'a, S: BlockingTransport, A: Into<Answer<'a>>>(
    stream: S,
    received: &[u8],
    config: &ServerConfig,
    decide: impl FnOnce(&Request<'_>) -> Result<A, Refusal>,
    plain: Plain,
) -> Result<Opened<ServerSocket<S>, S>, Error> {
    match receive_request(stream, received, config, plain)? {
        Opened::WebSocket(pending) => {
            let decision = decide(&pending.request()?);
            match decision {
                Ok(answer) => pending.accept(config, answer).map(Opened::WebSocket),
                Err(refusal) => Err(pending.refuse(refusal)),
            }
        }
        Opened::Http { stream, received } => Ok(Opened::Http { stream, received }),
    }
}

fn receive_request<S: BlockingTransport>(
    mut stream: S,
    mut received: &[u8],
    config: &ServerConfig,
    plain: Plain,
) -> Result<Opened<PendingRequest<S>, S>, Error> {
    let mut storage = alloc::vec![0; config.head_size];
    let mut handshake = ServerHandshake::new(&mut storage, config.head_limits);
    let mut buf = alloc::vec![0; config.buffers.read.max(1)];
    let mut timed = TimedStream::new(&mut stream, config.timeouts.opening);
    loop {
        let input = match core::mem::take(&mut received) {
            [] => match timed.read(&mut buf) {
                Err(Error::Protocol(LATE)) => return Err(timed.refuse(too_late(408))),
                read => until_end(read?)?,
            },
            received => received,
        };
        match serve(&mut handshake, input, config, plain) {
            Ok(None) => {}
            Ok(Some(Ok(request))) => {
                let until = timed.until;
                return Ok(Opened::WebSocket(PendingRequest { stream, request, until }));
            }
            Ok(Some(Err(received))) => {
                timed.end()?;
                return Ok(Opened::Http { stream, received });
            }
            Err(refused) => return Err(timed.refuse(refused)),
        }
    }
}

/// A request for a WebSocket that waits for an answer. It is valid, and its origin is one of the config's.
///
/// Dropped, it drops the transport: the client sees the connection end without an answer.
pub struct PendingRequest<S = TcpStream> {
    stream: S,
    request: Unanswered,
    until: Option<Instant>,
}

impl<S: BlockingTransport> PendingRequest<S> {
    /// The request. Its head is parsed anew: call this once, and copy what is needed later.
    ///
    /// # Errors
    ///
    /// None that is known: the same head was valid before.
    pub fn request(&self) -> Result<Request<'_>, Error> {
        Ok(self.request.request()?)
    }

    /// Opens the WebSocket. `config` may be another than the one before, such as without compression or with larger
    /// limits: its origins are asked as well. If the opening time is over, the client gets a 503.
    ///
    /// # Errors
    ///
    /// [`Error::Opening`] after the client was told, as far as it read that; [`Error::Protocol`] if the time was up;
    /// [`Error::Io`] if the transport failed.
    pub fn accept<'a>(
        mut self,
        config: &ServerConfig,
        answer: impl Into<Answer<'a>>,
    ) -> Result<ServerSocket<S>, Error> {
        let mut timed = TimedStream { stream: &mut self.stream, until: self.until, limited: false };
        match self.request.accept(config, &answer.into(), timed.left()) {
            Ok((response, endpoint, agreed)) => {
                // Before the client knows: whoever closes all connections from now on closes this one as well.
                let member = config.connections().map(Connections::enter);
                timed.write(&response)?;
                timed.end()?;
                let socket = WebSocket::with_endpoint(self.stream, endpoint);
                Ok(socket.with_member(member).with_agreed(agreed))
            }
            Err(refused) => Err(timed.refuse(refused)),
        }
    }

    /// Refuses the request, and waits until the client ends as well, as [`accept`] does. Returns what `accept_with`
    /// would: [`Error::Opening`] with [`OpeningError::Refused`], if the refusal itself is valid.
    pub fn refuse(mut self, refusal: Refusal) -> Error {
        let until = self.until;
        TimedStream { stream: &mut self.stream, until, limited: false }.refuse(refusal.into())
    }
}

debug_states!([S] PendingRequest<S>, |this| { received: this.request.len(), limited: this.until.is_some() });

/// Opens a WebSocket on a transport that is connected already, with TLS if the URI asks for it. The opening time
/// begins here: who has spent a part of it on connecting and on TLS sets what is left of it.
///
/// # Errors
///
/// [`Error::Opening`], with the server's answer if it was no 101, of which the body is read as well, as far as it
/// comes in time; [`Error::Protocol`] if the server was too slow; [`Error::Io`] if the transport failed.
pub fn client<'c, S: BlockingTransport>(
    stream: S,
    request: impl TryInto<ClientRequest<'c>, Error: Into<OpeningError>>,
    config: &ClientConfig,
) -> Result<ClientSocket<S>, Error> {
    Ok(client_with(stream, request, config, |_| ())?.0)
}

/// Does what [`client`] does, and shows the response to `look` before the WebSocket is open. What `look` returns is
/// returned beside the WebSocket, such as the cookies that the server sets:
/// [`Accepted::headers`](crate::handshake::client::Accepted::headers) has all fields.
///
/// # Errors
///
/// [`Error::Opening`], with the server's answer if that was no 101; [`Error::Protocol`] if the server was too slow;
/// [`Error::Io`] if the transport failed.
pub fn client_with<'c, S: BlockingTransport, T>(
    stream: S,
    request: impl TryInto<ClientRequest<'c>, Error: Into<OpeningError>>,
    config: &ClientConfig,
    look: impl FnOnce(&Accepted<'_>) -> T,
) -> Result<(ClientSocket<S>, T), Error> {
    let request = request.try_into().map_err(Into::<OpeningError>::into)?;
    open_client(stream, request, config, config.timeouts.opening, look)
}

/// A part of the opening time is used up already.
fn open_client<S: BlockingTransport, T>(
    mut stream: S,
    request_for: ClientRequest<'_>,
    config: &ClientConfig,
    limit: Option<Duration>,
    look: impl FnOnce(&Accepted<'_>) -> T,
) -> Result<(ClientSocket<S>, T), Error> {
    let mut storage = alloc::vec![0; config.head_size];
    let mut handshake = client_handshake(request_for, &mut storage, config)?;
    let mut timed = TimedStream::new(&mut stream, limit);
    let sent = timed.write(&request(&handshake)?);
    sent.map_err(|error| cut_off(&handshake, error, config))?;
    let mut buf = alloc::vec![0; config.buffers.read.max(1)];
    loop {
        let received = timed.read(&mut buf).and_then(until_end);
        let received = received.map_err(|error| cut_off(&handshake, error, config))?;
        match ask(&mut handshake, received, config)? {
            ClientStep::NeedMore => {}
            ClientStep::Open { accepted, taken } => {
                timed.end()?;
                let (agreed, seen) = (Agreed::of(&accepted), look(&accepted));
                let rest = received.get(taken..).unwrap_or(&[]);
                let socket = WebSocket::with_endpoint(stream, config.endpoint(agreed.negotiated, rest));
                return Ok((socket.with_agreed(agreed), seen));
            }
            ClientStep::Rejected(mut rejected) => {
                timed.part(Duration::ZERO);
                while rejected.needs_more() {
                    let limit = rejected.limit(timed.left());
                    let mut timed = TimedStream::new(timed.stream, limit);
                    // The refusal is the news.
                    let Ok(received) = timed.read(&mut buf) else { break };
                    rejected.read(received);
                }
                return Err(rejected.into_error().into());
            }
        }
    }
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
