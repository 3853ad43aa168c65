//! WebSockets at a client.
//
// Owns: waiting for the server's word that it takes them, and opening one.
// Must not know: the rules of the handshake.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;
use http::Response;
use sockless::handshake::client::{ClientProgress, ClientRequest};
use sockless::handshake::{ComposeError, HandshakeError, Headers, Negotiated};
use sockless::tokio::Tokio;
use sockless::{ClientConfig, OpeningError};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{sleep, timeout};

use crate::error::Error;
use crate::head::{fields, in_room, request as head_of};
use crate::stream::H2Stream;
use crate::ClientSocket;

/// How long a client waits for the server's SETTINGS to allow extended CONNECT, at most.
pub const SETTINGS_TIME: Duration = Duration::from_secs(5);

/// Opens a WebSocket on a new stream of this connection. Returns the response as well, for its header fields.
///
/// The connection itself, [`h2::client::Connection`], must be polled meanwhile and as long as the socket is in use: spawn it.
///
/// The server has to say first that it takes extended CONNECT (RFC 8441 section 3). It says so in its first frame, which may
/// still be on its way, so this waits for it: [`SETTINGS_TIME`] at most. All of it is bounded by
/// [`Timeouts::opening`](sockless::Timeouts::opening).
///
/// # Errors
///
/// [`Error::NotEnabled`] if the server does not say so; [`Error::Rejected`] with the server's answer if that was no 2xx;
/// [`Error::Opening`] if the answer breaks a rule, or the request or the config is invalid; [`Error::TimedOut`];
/// [`Error::Io`] if the stream or the connection failed.
///
/// # Cancel safety
///
/// Not cancel safe: dropped, the stream is reset. The connection is not harmed.
pub async fn connect<'c>(
    send: &SendRequest<Bytes>,
    request: impl TryInto<ClientRequest<'c>, Error: Into<OpeningError>>,
    config: &'c ClientConfig,
) -> Result<(ClientSocket, Response<()>), Error> {
    let request = config.complete(request.try_into().map_err(Into::into)?)?;
    let opening = Box::pin(open(send, request, config));
    match config.timeouts.opening {
        Some(limit) => timeout(limit, opening).await.unwrap_or(Err(Error::TimedOut)),
        None => opening.await,
    }
}

async fn open(
    send: &SendRequest<Bytes>,
    request: ClientRequest<'_>,
    config: &ClientConfig,
) -> Result<(ClientSocket, Response<()>), Error> {
    if timeout(SETTINGS_TIME, enabled(send)).await.is_err() {
        return Err(Error::NotEnabled);
    }
    let head = in_room(|room| {
        request.to_parsed(None, room).map(|parsed| head_of(&parsed)).map_err(ComposeError::BufferTooSmall)
    })?;
    let (response, send) = send.clone().ready().await?.send_request(head, false)?;
    let (head, recv) = response.await?.into_parts();
    let stream = H2Stream::new(send, recv);
    let (negotiated, subprotocol) = {
        let fields = fields(&head.headers);
        let judged =
            request.judge(None, head.status.as_u16(), Headers::parsed(&fields), &config.head_limits)?;
        match judged {
            ClientProgress::Accepted(accepted) => {
                (Some(accepted.negotiated()), accepted.subprotocol().map(String::from))
            }
            ClientProgress::Rejected(_) => (None, None),
            // `h2` keeps interim responses to itself.
            _ => return Err(HandshakeError::MalformedStartLine.into()),
        }
    };
    let Some(negotiated) = negotiated else {
        let body = read_body(stream, config.max_rejection_body).await;
        return Err(Error::Rejected(Box::new(Response::from_parts(head, body))));
    };
    Ok((socket(stream, negotiated, subprotocol, config), Response::from_parts(head, ())))
}

/// `h2` does not tell when SETTINGS come, so they are looked for now and then.
async fn enabled(send: &SendRequest<Bytes>) {
    let mut pause = Duration::from_millis(1);
    while !send.is_extended_connect_protocol_enabled() {
        sleep(pause).await;
        pause = pause.saturating_mul(2).min(Duration::from_millis(50));
    }
}

fn socket(
    stream: H2Stream,
    negotiated: Negotiated,
    subprotocol: Option<String>,
    config: &ClientConfig,
) -> ClientSocket {
    let endpoint = config.endpoint(negotiated, &[]);
    let socket = ClientSocket::with_endpoint(Tokio::new(stream), endpoint).with_negotiated(negotiated);
    match subprotocol {
        Some(name) => socket.with_subprotocol(name),
        None => socket,
    }
}

/// As much as is kept of it, and as comes.
async fn read_body(stream: impl AsyncRead + Unpin, max: usize) -> Bytes {
    let mut stream = stream.take(u64::try_from(max).unwrap_or(u64::MAX));
    let mut body = BytesMut::new();
    // What fails now does not change that the server refused.
    let _ = timeout(BODY_TIME, async { while matches!(stream.read_buf(&mut body).await, Ok(1..)) {} }).await;
    body.freeze()
}

/// For the body of a refusal.
const BODY_TIME: Duration = Duration::from_secs(5);
