//! The opening handshake on tokio transports.
//!
//! Owns: reading and writing it. Must not know: its rules.

use ::tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use ::tokio::net::TcpStream;
use alloc::vec::Vec;

use super::WebSocket;
use crate::adapter::opening::{
    ask, client_endpoint, client_handshake, request, serve, server_endpoint, Asked, Served, MAX_DRAINED,
};
use crate::adapter::{Accepted, Error, OpeningError, Refusal, ServerOptions, Settings};
use crate::entropy::SystemEntropy;
use crate::handshake::client::ClientRequest;
use crate::handshake::server::{Handshake, Request};
use crate::handshake::HandshakeError;
use crate::role::{Client, Server};

/// What [`accept_or_http`] came to on such a transport.
pub type Opened<S> = Accepted<WebSocket<S, Server>, S>;

/// Accepts a WebSocket. Plain HTTP requests are answered with 426. After a refusal this waits until the
/// client ends as well, or has sent 1 MiB more; bound the whole by a time limit of the transport.
///
/// # Errors
///
/// [`Error::Opening`] after the client was told; [`Error::Io`] if the transport failed.
///
/// # Cancel safety
///
/// Not cancel safe: dropped, the transport is dropped with it. Bound it with a timeout.
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    options: &ServerOptions<'_>,
) -> Result<WebSocket<S, Server>, Error> {
    accept_with(stream, options, |_| Ok(())).await
}

/// As [`accept`], where the application looks at the request and may refuse it.
///
/// # Errors
///
/// As [`accept`].
///
/// # Cancel safety
///
/// Not cancel safe: dropped, the transport is dropped with it. Bound it with a timeout.
pub async fn accept_with<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    options: &ServerOptions<'_>,
    decide: impl FnOnce(&Request<'_>) -> Result<(), Refusal>,
) -> Result<WebSocket<S, Server>, Error> {
    match open(stream, options, decide).await? {
        (Accepted::WebSocket(socket), _) => Ok(socket),
        (Accepted::Http { mut stream, .. }, response) => {
            end(&mut stream, &response).await?;
            Err(OpeningError::NotWebSocket.into())
        }
    }
}

/// As [`accept_with`], where a plain HTTP request is handed back, so that one port can serve both.
///
/// # Errors
///
/// As [`accept`].
///
/// # Cancel safety
///
/// Not cancel safe: dropped, the transport is dropped with it. Bound it with a timeout.
pub async fn accept_or_http<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    options: &ServerOptions<'_>,
    decide: impl FnOnce(&Request<'_>) -> Result<(), Refusal>,
) -> Result<Opened<S>, Error> {
    open(stream, options, decide).await.map(|(accepted, _)| accepted)
}

async fn open<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    options: &ServerOptions<'_>,
    decide: impl FnOnce(&Request<'_>) -> Result<(), Refusal>,
) -> Result<(Opened<S>, Vec<u8>), Error> {
    let settings = options.settings;
    let mut storage = alloc::vec![0; settings.head_size];
    let mut handshake = Handshake::new(&mut storage, settings.head_limits);
    let mut decide = Some(decide);
    let mut buf = alloc::vec![0; settings.buffers.read.max(1)];
    loop {
        let received = read(&mut stream, &mut buf).await?;
        let decide = |request: &Request<'_>| decide.take().map_or(Ok(()), |decide| decide(request));
        match serve(&mut handshake, received, options, decide) {
            Served::NeedMore => {}
            Served::Open { response, session, taken } => {
                stream.write_all(&response).await?;
                stream.flush().await?;
                let rest = received.get(taken..).unwrap_or(&[]);
                let socket = WebSocket::with_endpoint(stream, server_endpoint(&session, options, rest));
                return Ok((Accepted::WebSocket(socket.with_session(session)), Vec::new()));
            }
            Served::Http { mut head, response, taken } => {
                head.extend_from_slice(received.get(taken..).unwrap_or(&[]));
                return Ok((Accepted::Http { stream, received: head }, response));
            }
            Served::Refused { response, error } => {
                end(&mut stream, &response).await?;
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
///
/// # Cancel safety
///
/// Not cancel safe: dropped, the transport is dropped with it. Bound it with a timeout.
pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    request_for: ClientRequest<'_>,
    settings: &Settings,
) -> Result<WebSocket<S, Client<SystemEntropy>>, Error> {
    let mut storage = alloc::vec![0; settings.head_size];
    let mut handshake = client_handshake(request_for, &mut storage, settings)?;
    stream.write_all(&request(&handshake)?).await?;
    stream.flush().await?;
    let mut buf = alloc::vec![0; settings.buffers.read.max(1)];
    loop {
        let received = read(&mut stream, &mut buf).await?;
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
///
/// # Cancel safety
///
/// Not cancel safe: dropped, the transport is dropped with it. Bound it with a timeout.
pub async fn dial(
    request_for: ClientRequest<'_>,
    settings: &Settings,
) -> Result<WebSocket<TcpStream, Client<SystemEntropy>>, Error> {
    let uri = request_for.uri();
    if uri.is_secure() {
        return Err(OpeningError::TlsRequired.into());
    }
    let stream = TcpStream::connect(uri.address()).await?;
    stream.set_nodelay(true)?;
    connect(stream, request_for, settings).await
}

async fn read<'b, S: AsyncRead + Unpin>(stream: &mut S, buf: &'b mut [u8]) -> Result<&'b [u8], Error> {
    match stream.read(buf).await? {
        0 => Err(OpeningError::Handshake(HandshakeError::UnexpectedEof).into()),
        count => Ok(buf.get(..count).unwrap_or(&[])),
    }
}

/// Writes a refusal, ends the writing direction, and reads on, within a bound, so that the answer to what the
/// client is still sending is no reset that overtakes the refusal.
async fn end<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, response: &[u8]) -> Result<(), Error> {
    stream.write_all(response).await?;
    stream.flush().await?;
    // A transport that has ended is as good.
    let _ = stream.shutdown().await;
    let mut buf = alloc::vec![0; 4096];
    let mut left = MAX_DRAINED;
    while let (Ok(count @ 1..), 1..) = (stream.read(&mut buf).await, left) {
        left = left.saturating_sub(count);
    }
    Ok(())
}
