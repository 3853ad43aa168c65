//! The opening handshake of either side.

use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;
use serde_json::{json, Value};
use sockless::deflate::{Offer, Policy};
use sockless::handshake::client::{self, ClientRequest};
use sockless::handshake::server::{self, Reject, Request, ServerProgress};
use sockless::handshake::{HandshakeError, Headers, OriginPolicy, Uri};
use sockless::TransportAction;

use super::output::Output;
use super::{Agreed, Line, Options};

/// Bytes of the largest head: more than any peer takes, so that what is explained is not our limit.
const HEAD: usize = 64 << 10;

/// What was agreed on, and the bytes after the head, if the WebSocket is open.
type Opened = Option<(Agreed, Vec<u8>)>;

/// Reads a request and answers it.
pub fn serve(
    options: &Options,
    lines: &mut impl Iterator<Item = Line>,
    output: &mut Output,
) -> Result<Opened, String> {
    let mut storage = vec![0; HEAD];
    let mut handshake = server::ServerHandshake::new(&mut storage, options.head_limits());
    let supported: Vec<&str> = options.subprotocols.iter().map(String::as_str).collect();
    for line in lines {
        let Line::Chunk(chunk) = line else {
            if let Err(error) = handshake.eof() {
                refuse(error, output);
            }
            return Ok(None);
        };
        match handshake.recv(&chunk) {
            Ok((_, ServerProgress::NeedMore)) => {}
            Ok((taken, ServerProgress::Request(request))) => {
                explain_request(&request, output);
                let mut out = vec![0; HEAD];
                match request.accept(OriginPolicy::Any) {
                    Ok(accept) => {
                        let mut accept = accept.with_supported_subprotocols(&supported);
                        if options.deflate {
                            accept = accept.with_deflate(&Policy::TAKEOVER);
                        }
                        let (len, session) = accept.write(&mut out).map_err(|error| error.to_string())?;
                        output.send(out.get(..len).unwrap_or(&[]));
                        return Ok(Some((session.deflate, chunk.get(taken..).unwrap_or(&[]).to_vec())));
                    }
                    Err(error) => {
                        refuse(error, output);
                        return Ok(None);
                    }
                }
            }
            Ok((_, ServerProgress::Http(_))) => {
                let reject = Reject::for_plain_http();
                output.error("NotWebSocket", None, Some(reject.status()));
                send_rejection(&reject, output);
                return Ok(None);
            }
            Ok((_, other)) => return Err(format!("unexpected: {other:?}")),
            Err(error) => {
                refuse(error, output);
                return Ok(None);
            }
        }
    }
    Ok(None)
}

fn explain_request(request: &Request<'_>, output: &mut Output) {
    output.event(json!({
        "event": "request",
        "target": request.target(),
        "host": request.host(),
        "origin": request.origin(),
        "subprotocols": request.subprotocols().iter().collect::<Vec<_>>(),
        "extensions": extensions(request.headers()),
    }));
}

fn refuse(error: HandshakeError, output: &mut Output) {
    output.error(&format!("{error:?}"), None, error.status());
    match Reject::for_error(error) {
        Some(reject) => send_rejection(&reject, output),
        None => output.transport(TransportAction::Close),
    }
}

fn send_rejection(reject: &Reject<'_>, output: &mut Output) {
    let mut out = [0; 1024];
    if let Ok(len) = reject.write(&mut out) {
        output.send(out.get(..len).unwrap_or(&[]));
    }
    output.transport(TransportAction::ShutdownWrite);
}

/// Writes a request and reads the answer.
pub fn ask(
    options: &Options,
    lines: &mut impl Iterator<Item = Line>,
    output: &mut Output,
) -> Result<Opened, String> {
    let uri = Uri::parse(&options.url).map_err(|error| error.to_string())?;
    let offered: Vec<&str> = options.subprotocols.iter().map(String::as_str).collect();
    let mut request =
        ClientRequest::new(uri).with_subprotocols(&offered).map_err(|error| error.to_string())?;
    match &options.offer {
        Some(offer) => request = request.with_extensions(offer).map_err(|error| error.to_string())?,
        None if options.deflate => request = request.with_deflate(&[Offer::DEFAULT]),
        None => {}
    }
    let mut storage = vec![0; HEAD];
    let nonce = nonce(&options.key)?;
    let mut handshake = client::ClientHandshake::new(request, nonce, &mut storage, options.head_limits());
    let mut out = vec![0; HEAD];
    let len = handshake.write_request(&mut out).map_err(|error| error.to_string())?;
    output.send(out.get(..len).unwrap_or(&[]));
    for line in lines {
        let Line::Chunk(chunk) = line else {
            if let Err(error) = handshake.eof() {
                fail(error, output);
            }
            return Ok(None);
        };
        match handshake.recv(&chunk) {
            Ok((_, client::ClientProgress::NeedMore)) => {}
            Ok((taken, client::ClientProgress::Accepted(accepted))) => {
                explain_response(101, accepted.subprotocol(), accepted.headers(), output);
                return Ok(Some((accepted.negotiated().deflate, chunk.get(taken..).unwrap_or(&[]).to_vec())));
            }
            Ok((_, client::ClientProgress::Rejected(rejected))) => {
                explain_response(rejected.status(), None, rejected.headers(), output);
                output.error("Rejected", None, Some(rejected.status()));
                output.transport(TransportAction::Close);
                return Ok(None);
            }
            Ok((_, other)) => return Err(format!("unexpected: {other:?}")),
            Err(error) => {
                fail(error, output);
                return Ok(None);
            }
        }
    }
    Ok(None)
}

fn explain_response(status: u16, subprotocol: Option<&str>, headers: Headers<'_>, output: &mut Output) {
    output.event(json!({
        "event": "response",
        "status": status,
        "subprotocol": subprotocol,
        "extensions": extensions(headers),
    }));
}

fn fail(error: HandshakeError, output: &mut Output) {
    output.error(&format!("{error:?}"), None, None);
    output.transport(TransportAction::Close);
}

/// All lines of the field as one list, or null.
fn extensions(headers: Headers<'_>) -> Value {
    let values: Vec<_> = headers.get_all("Sec-WebSocket-Extensions").map(String::from_utf8_lossy).collect();
    if values.is_empty() {
        Value::Null
    } else {
        values.join(", ").into()
    }
}

fn nonce(key: &str) -> Result<[u8; 16], String> {
    let bytes = STANDARD.decode(key).map_err(|error| format!("--key: {error}"))?;
    bytes.try_into().map_err(|_| "--key: not 16 bytes".into())
}
