//! The opening handshake on blocking transports.
//!
//! Owns: reading and writing it. Must not know: its rules.

use alloc::vec::Vec;
use std::io;
use std::net::TcpStream;
use std::time::Duration;

use super::clock::{Clock, Limited};
use super::{is_transient, Stream, WebSocket};
use crate::adapter::opening::{
    ask, client_endpoint, client_handshake, request, serve, server_endpoint, Asked, Served, MAX_DRAINED,
};
use crate::adapter::{Accepted, Error, OpeningError, Refusal, ServerOptions, Settings};
use crate::entropy::SystemEntropy;
use crate::error::{ProtocolError, Timeout};
use crate::handshake::client::ClientRequest;
use crate::handshake::server::{Handshake, Request};
use crate::handshake::HandshakeError;
use crate::role::{Client, Server};
use crate::time::{Timestamp, Wake};

/// What [`accept_or_http`] came to on such a transport.
pub type Opened<S> = Accepted<WebSocket<S, Server>, S>;

/// Accepts a WebSocket. Plain HTTP requests are answered with 426. After a refusal this waits until the
/// client ends as well, or has sent 1 MiB more; [`Timeouts::opening`](crate::Timeouts::opening) bounds the
/// reads before.
///
/// # Errors
///
/// [`Error::Opening`] after the client was told; [`Error::Io`] if the transport failed.
pub fn accept<S: Stream>(stream: S, options: &ServerOptions<'_>) -> Result<WebSocket<S, Server>, Error> {
    accept_with(stream, options, |_| Ok(()))
}

/// As [`accept`], where the application looks at the request and may refuse it.
///
/// # Errors
///
/// As [`accept`].
pub fn accept_with<S: Stream>(
    stream: S,
    options: &ServerOptions<'_>,
    decide: impl FnOnce(&Request<'_>) -> Result<(), Refusal>,
) -> Result<WebSocket<S, Server>, Error> {
    match open(stream, options, decide)? {
        (Accepted::WebSocket(socket), _) => Ok(socket),
        (Accepted::Http { mut stream, .. }, response) => {
            end(&mut stream, &response)?;
            Err(OpeningError::NotWebSocket.into())
        }
    }
}

/// As [`accept_with`], where a plain HTTP request is handed back, so that one port can serve both.
///
/// # Errors
///
/// As [`accept`].
pub fn accept_or_http<S: Stream>(
    stream: S,
    options: &ServerOptions<'_>,
    decide: impl FnOnce(&Request<'_>) -> Result<(), Refusal>,
) -> Result<Opened<S>, Error> {
    open(stream, options, decide).map(|(accepted, _)| accepted)
}

fn open<S: Stream>(
    mut stream: S,
    options: &ServerOptions<'_>,
    decide: impl FnOnce(&Request<'_>) -> Result<(), Refusal>,
) -> Result<(Opened<S>, Vec<u8>), Error> {
    let settings = options.settings;
    let mut storage = alloc::vec![0; settings.head_size];
    let mut handshake = Handshake::new(&mut storage, settings.head_limits);
    let mut decide = Some(decide);
    let mut buf = alloc::vec![0; settings.buffers.read.max(1)];
    let mut timed = Timed::new(settings.server_config().timeouts.opening);
    loop {
        let received = timed.read(&mut stream, &mut buf)?;
        let decide = |request: &Request<'_>| decide.take().map_or(Ok(()), |decide| decide(request));
        match serve(&mut handshake, received, options, decide) {
            Served::NeedMore => {}
            Served::Open { response, session, taken } => {
                stream.write_all(&response)?;
                stream.flush()?;
                let rest = received.get(taken..).unwrap_or(&[]);
                let socket = WebSocket::with_endpoint(stream, server_endpoint(&session, options, rest));
                return Ok((Accepted::WebSocket(socket.with_session(session)), Vec::new()));
            }
            Served::Http { mut head, response, taken } => {
                head.extend_from_slice(received.get(taken..).unwrap_or(&[]));
                return Ok((Accepted::Http { stream, received: head }, response));
            }
            Served::Refused { response, error } => {
                end(&mut stream, &response)?;
                return Err(error.into());
            }
        }
    }
}

/// Opens a WebSocket on a transport that is connected already, with TLS if the URI asks for it.
///
/// # Errors
///
/// [`Error::Opening`], with the server's answer if it was no 101; [`Error::Io`] if the transport failed.
pub fn connect<S: Stream>(
    mut stream: S,
    request_for: ClientRequest<'_>,
    settings: &Settings,
) -> Result<WebSocket<S, Client<SystemEntropy>>, Error> {
    let mut storage = alloc::vec![0; settings.head_size];
    let mut handshake = client_handshake(request_for, &mut storage, settings)?;
    stream.write_all(&request(&handshake)?)?;
    stream.flush()?;
    let mut buf = alloc::vec![0; settings.buffers.read.max(1)];
    let mut timed = Timed::new(settings.client_config().timeouts.opening);
    loop {
        let received = timed.read(&mut stream, &mut buf)?;
        match ask(&mut handshake, received)? {
            Asked::NeedMore => {}
            Asked::Open { session, taken } => {
                let rest = received.get(taken..).unwrap_or(&[]);
                let socket = WebSocket::with_endpoint(stream, client_endpoint(&session, settings, rest));
                return Ok(socket.with_session(session));
            }
        }
    }
}

/// Connects over TCP and opens a WebSocket. Addresses are tried one after the other.
///
/// # Errors
///
/// As [`connect`]; [`OpeningError::TlsRequired`] for a `wss:` URI, which is never opened in clear.
pub fn dial(
    request_for: ClientRequest<'_>,
    settings: &Settings,
) -> Result<WebSocket<TcpStream, Client<SystemEntropy>>, Error> {
    let uri = request_for.uri();
    if uri.is_secure() {
        return Err(OpeningError::TlsRequired.into());
    }
    let stream = TcpStream::connect(uri.address())?;
    stream.set_nodelay(true)?;
    connect(stream, request_for, settings)
}

/// The reads of an opening handshake, within its time.
struct Timed {
    clock: Clock,
    limit: Option<Duration>,
}

impl Timed {
    const fn new(limit: Option<Duration>) -> Self {
        Self { clock: Clock::new(), limit }
    }

    fn read<'b>(&mut self, stream: &mut impl Stream, buf: &'b mut [u8]) -> Result<&'b [u8], Error> {
        loop {
            let wake =
                self.limit.map_or(Wake::Never, |limit| Wake::At(Timestamp::from_micros(0).after(limit)));
            let limited = match self.clock.limit_read(stream, wake)? {
                Limited::Passed(_) => {
                    return Err(ProtocolError::TimedOut(Timeout::OpeningHandshake).into());
                }
                limited => limited != Limited::Not,
            };
            match stream.read(buf) {
                Ok(0) => return Err(OpeningError::Handshake(HandshakeError::UnexpectedEof).into()),
                Ok(count) => {
                    self.clock.limit_read(stream, Wake::Never)?;
                    return Ok(buf.get(..count).unwrap_or(&[]));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if limited && is_transient(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Writes a refusal, ends the writing direction, and reads on, within a bound, so that the answer to what the
/// client is still sending is no reset that overtakes the refusal.
fn end(stream: &mut impl Stream, response: &[u8]) -> Result<(), Error> {
    stream.write_all(response)?;
    stream.flush()?;
    // A transport that has ended is as good.
    let _ = stream.shutdown_write();
    let mut buf = alloc::vec![0; 4096];
    let mut left = MAX_DRAINED;
    while let (Ok(count @ 1..), 1..) = (stream.read(&mut buf), left) {
        left = left.saturating_sub(count);
    }
    Ok(())
}
