//! The server's side of the opening handshake for loops of their own: one decision, written once.

use sockless::deflate::Policy;
use sockless::handshake::server::{Reject, ServerHandshake, ServerProgress};
use sockless::handshake::{ComposeError, HandshakeError, Negotiated, OriginPolicy};

/// What came of the octets that were received.
pub enum Opening {
    /// The head is not complete.
    NeedMore,
    /// The response accepts; so many of the octets belonged to the request, and frames follow them.
    Open(Negotiated, usize),
    /// The response refuses.
    Refused,
}

/// Gives what was received to the handshake, and appends the answer to `response`.
pub fn open(
    handshake: &mut ServerHandshake<'_>,
    received: &[u8],
    policy: Option<&Policy>,
    response: &mut Vec<u8>,
) -> Opening {
    match answer(handshake, received, policy, response) {
        Ok(opening) => opening,
        Err(error) => {
            if let Some(reject) = Reject::for_error(error) {
                refuse(&reject, response);
            }
            Opening::Refused
        }
    }
}

fn answer(
    handshake: &mut ServerHandshake<'_>,
    received: &[u8],
    policy: Option<&Policy>,
    response: &mut Vec<u8>,
) -> Result<Opening, HandshakeError> {
    let (taken, request) = match handshake.recv(received)? {
        (taken, ServerProgress::Request(request)) => (taken, request),
        (_, ServerProgress::NeedMore) => return Ok(Opening::NeedMore),
        _ => {
            refuse(&Reject::for_plain_http(), response);
            return Ok(Opening::Refused);
        }
    };
    // Any page may use an echo; a server with users would say `SameHost`.
    let mut accept = request.accept(OriginPolicy::Any)?;
    if let Some(policy) = policy {
        accept = accept.with_deflate(policy);
    }
    let session = written(response, |out| accept.write(out));
    Ok(Opening::Open(session, taken))
}

/// Appends this refusal to `response`.
pub fn refuse(reject: &Reject<'_>, response: &mut Vec<u8>) {
    written(response, |out| reject.write(out).map(|len| (len, ())));
}

/// Appends what `write` writes. Without header fields of our own nothing can fail but the room.
fn written<T>(
    response: &mut Vec<u8>,
    write: impl FnOnce(&mut [u8]) -> Result<(usize, T), ComposeError>,
) -> T {
    let mut out = [0; 1024];
    let (len, result) = write(&mut out).expect("a response without fields of ours is short and valid");
    response.extend_from_slice(&out[..len]);
    result
}
