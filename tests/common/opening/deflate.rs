//! What the tests of permessage-deflate share: both sides of an opening handshake with any offers and any answer.

use sockless::deflate::{ClientWindow, Offer, Params, Policy, WindowBits};
use sockless::handshake::client::{self, ClientRequest};
use sockless::handshake::server::{Request, ServerProgress};
use sockless::handshake::{ComposeError, HandshakeError, HeadLimits, Negotiated, OriginPolicy, Uri};

use super::{field, head, ACCEPT, LINES};

pub const NAME: &str = "Sec-WebSocket-Extensions";

pub fn bits(bits: u8) -> WindowBits {
    WindowBits::new(bits).unwrap()
}

/// An offer of nothing but the name.
pub fn bare() -> Offer {
    offer(|offer| offer.client_max_window_bits = ClientWindow::Unnamed)
}

/// The default offer, changed.
pub fn offer(change: impl FnOnce(&mut Offer)) -> Offer {
    let mut offer = Offer::DEFAULT;
    change(&mut offer);
    offer
}

/// An answer with these parameters.
pub fn params(change: impl FnOnce(&mut Params)) -> Params {
    let mut params = Params::DEFAULT;
    change(&mut params);
    params
}

/// A server that accepts every offer as it is, with this change.
pub fn policy(change: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = Policy::TAKEOVER;
    change(&mut policy);
    policy
}

/// The element with which a server answers these lines of offers, and what it says was negotiated.
///
/// The request is valid, whatever is offered.
pub fn answer(offers: &[&str], policy: &Policy) -> (Option<String>, Option<Params>) {
    let (element, session) = answer_by(offers, &[Choice::By(policy)]).unwrap();
    (element, session.deflate)
}

/// How a server accepts extensions.
#[derive(Clone, Copy, Debug)]
pub enum Choice<'c> {
    By(&'c Policy),
    Raw(&'c str),
}

/// The extensions that a server answers these lines with, and its session, after these choices.
pub fn answer_by(
    offers: &[&str],
    choices: &[Choice<'_>],
) -> Result<(Option<String>, Negotiated), ComposeError> {
    let lines = offers.iter().map(|value| format!("{NAME}: {value}"));
    let request = head(LINES.into_iter().map(str::to_owned).chain(lines));
    let request = match Request::parse(request.as_bytes(), &HeadLimits::DEFAULT) {
        Ok(ServerProgress::Request(request)) => request,
        other => panic!("{other:?} for {offers:?}"),
    };
    let mut accept = request.accept(OriginPolicy::Any).unwrap();
    for choice in choices {
        accept = match choice {
            Choice::By(policy) => accept.with_deflate(policy),
            Choice::Raw(value) => accept.with_extensions(value)?,
        };
    }
    let mut out = [0; 1024];
    let (len, session) = accept.write(&mut out).unwrap();
    assert_eq!(accept.negotiated(), session);
    let response = std::str::from_utf8(&out[..len]).unwrap();
    Ok((field(response, NAME).map(str::to_owned), session))
}

/// A request without anything optional.
pub fn plain() -> ClientRequest<'static> {
    ClientRequest::new(Uri::parse("ws://server.example.com/chat").unwrap())
}

/// The extensions that this request offers.
pub fn offered(request: ClientRequest<'_>) -> Option<String> {
    let mut out = [0; 1024];
    let handshake = client::ClientHandshake::new(request, *b"the sample nonce", &mut [], HeadLimits::DEFAULT);
    let len = handshake.write_request(&mut out).unwrap();
    field(std::str::from_utf8(&out[..len]).unwrap(), NAME).map(str::to_owned)
}

/// What a client makes of a response with these lines of extensions, read whole and octet by octet.
pub fn ask(request: ClientRequest<'_>, values: &[&str]) -> Result<Negotiated, HandshakeError> {
    let lines: String = values.iter().map(|value| format!("{NAME}: {value}\r\n")).collect();
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {ACCEPT}\r\n{lines}\r\n"
    );
    let whole = ask_cut(request, &head, head.len());
    assert_eq!(whole, ask_cut(request, &head, 1));
    whole
}

fn ask_cut(request: ClientRequest<'_>, head: &str, size: usize) -> Result<Negotiated, HandshakeError> {
    let mut storage = vec![0; head.len()];
    let mut handshake =
        client::ClientHandshake::new(request, *b"the sample nonce", &mut storage, HeadLimits::DEFAULT);
    for chunk in head.as_bytes().chunks(size) {
        if let (_, client::ClientProgress::Accepted(accepted)) = handshake.recv(chunk)? {
            return Ok(accepted.negotiated());
        }
    }
    panic!("the response has no end: {head}")
}

/// What a client that made these offers agrees to.
pub fn agreed(offers: &[Offer], value: &str) -> Result<Params, HandshakeError> {
    ask(plain().with_deflate(offers), &[value]).map(|session| session.deflate.expect("it was accepted"))
}
