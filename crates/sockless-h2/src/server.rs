//! WebSockets at a server: one stream after the other, beside plain requests.
//
// Owns: answering a request.
// Must not know: the rules of the handshake, or what is done with a socket.

use bytes::Bytes;
use h2::ext::Protocol;
use h2::server::SendResponse;
use h2::RecvStream;
use http::request::Parts;
use http::{Request, Response};
use sockless::handshake::server::{self as handshake, Reject, ServerProgress};
use sockless::handshake::{ComposeError, Negotiated};
use sockless::tokio::Tokio;
use sockless::{Answer, OpeningError, ServerConfig};

use crate::error::Error;
use crate::head::{fields, in_room, parsed, response, NOTHING};
use crate::stream::H2Stream;
use crate::ServerSocket;

/// Whether this is an extended CONNECT (RFC 8441 section 4), for [`accept`]. Everything else is plain HTTP/2: its method, its
/// path and its body are the program's own affair.
pub fn is_extended_connect<B>(request: &Request<B>) -> bool {
    request.extensions().get::<Protocol>().is_some()
}

/// Opens a WebSocket on the stream of a request, or refuses it with the status that is due.
///
/// It does not wait, so call it from the task of the stream or from that of the connection. Somebody must go on calling
/// [`h2::server::Connection::accept`] while the socket is in use: that is what reads and writes the connection.
///
/// A decision that has to wait, for a database perhaps, is made before: the request has all it needs. Refuse it with
/// [`refuse`] then.
///
/// # Errors
///
/// [`Error::Opening`] after the client was told; [`Error::Io`] if the stream has gone.
pub fn accept(
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
    config: &ServerConfig,
) -> Result<ServerSocket, Error> {
    accept_with(request, respond, config, |_| Ok(()))
}

/// Opens a WebSocket once `decide` has looked at the request.
///
/// `decide` refuses it with a response of 300 to 599, a 404 for example, or adds to the [`Answer`] that opens the WebSocket.
/// `Ok(())` adds nothing. All else is as for [`accept`].
///
/// ```no_run
/// # use sockless_h2::{http, Error, ServerSocket};
/// # use sockless::{Answer, ServerConfig};
/// # fn example(
/// #     request: http::Request<h2::RecvStream>, respond: h2::server::SendResponse<bytes::Bytes>, config: &ServerConfig,
/// # ) -> Result<ServerSocket, Error> {
/// sockless_h2::accept_with(request, respond, config, |request| match request.path() {
///     "/chat" => Ok(Answer::new().with_field("Set-Cookie", "seen=1")),
///     _ => {
///         let mut response = http::Response::new("there is no such room".into());
///         *response.status_mut() = http::StatusCode::NOT_FOUND;
///         Err(Box::new(response))
///     }
/// })
/// # }
/// ```
///
/// # Errors
///
/// [`Error::Opening`] after the client was told; [`Error::Io`] if the stream has gone.
pub fn accept_with<'a, A: Into<Answer<'a>>>(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    config: &ServerConfig,
    decide: impl FnOnce(&handshake::Request<'_>) -> Result<A, Box<Response<Bytes>>>,
) -> Result<ServerSocket, Error> {
    let (parts, recv) = request.into_parts();
    let accepted = match judge(&parts, config, decide) {
        Ok(accepted) => accepted,
        Err(refused) => return refused.send(respond),
    };
    let send = respond.send_response(accepted.head, false)?;
    let endpoint = config.endpoint(accepted.negotiated, &[]);
    let stream = Tokio::new(H2Stream::new(send, recv));
    let mut socket = ServerSocket::with_endpoint(stream, endpoint).with_negotiated(accepted.negotiated);
    if let Some(name) = accepted.subprotocol {
        socket = socket.with_subprotocol(name);
    }
    Ok(match config.connections() {
        Some(connections) => socket.with_connections(connections),
        None => socket,
    })
}

/// Answers with this and ends the stream.
///
/// # Errors
///
/// [`Error::Opening`] if the status is below 300, which would open a WebSocket: a 500 is sent then. [`Error::Io`] if the
/// stream has gone, or a field has no place in HTTP/2, such as `Connection`.
pub fn refuse(mut respond: SendResponse<Bytes>, mut response: Response<Bytes>) -> Result<(), Error> {
    let mut result = Ok(());
    if response.status().as_u16() < 300 {
        result = Err(ComposeError::InvalidStatus.into());
        response = Response::new(NOTHING);
        *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
    }
    let (head, body) = response.into_parts();
    let mut send = respond.send_response(Response::from_parts(head, ()), body.is_empty())?;
    if !body.is_empty() {
        send.send_data(body, true)?;
    }
    result
}

struct Accepted {
    head: Response<()>,
    negotiated: Negotiated,
    subprotocol: Option<String>,
}

struct Refused {
    response: Box<Response<Bytes>>,
    error: Error,
}

impl Refused {
    fn send(self, respond: SendResponse<Bytes>) -> Result<ServerSocket, Error> {
        refuse(respond, *self.response)?;
        Err(self.error)
    }

    /// With the answer of this crate.
    fn by(reject: Option<Reject<'_>>, error: Error) -> Self {
        let reject = reject.map(Reject::without_upgrade);
        let answer = reject.and_then(|reject| {
            let body = Bytes::copy_from_slice(reject.body());
            in_room(|room| Ok(response(reject.status(), reject.fields(room)?, body.clone()))).ok()
        });
        let response = answer.unwrap_or_else(|| {
            let mut response = Response::new(NOTHING);
            *response.status_mut() = http::StatusCode::BAD_REQUEST;
            response
        });
        Self { response: Box::new(response), error }
    }
}

fn judge<'a, A: Into<Answer<'a>>>(
    parts: &Parts,
    config: &ServerConfig,
    decide: impl FnOnce(&handshake::Request<'_>) -> Result<A, Box<Response<Bytes>>>,
) -> Result<Accepted, Refused> {
    let fields = fields(&parts.headers);
    let request = match handshake::Request::from_parsed(&parsed(parts, &fields), &config.head_limits) {
        Ok(ServerProgress::Request(request)) => request,
        Ok(_) => {
            return Err(Refused::by(Some(Reject::for_plain_http()), OpeningError::NotWebSocket.into()));
        }
        Err(error) => return Err(Refused::by(Reject::for_error(error), error.into())),
    };
    let accept =
        config.accept(&request).map_err(|error| Refused::by(Reject::for_error(error), error.into()))?;
    let answer = decide(&request).map(Into::into).map_err(|response| {
        let error = OpeningError::Refused(response.status().as_u16()).into();
        Refused { response, error }
    })?;
    let ours = |error| Refused::by(Reject::new(500).ok(), error);
    let accept = config.complete(accept, &answer).map_err(|error| ours(error.into()))?;
    let head = in_room(|room| Ok(response(accept.status(), accept.fields(room)?, ()))).map_err(ours)?;
    let subprotocol = accept.chosen_subprotocol().map(String::from);
    Ok(Accepted { head, negotiated: accept.negotiated(), subprotocol })
}
