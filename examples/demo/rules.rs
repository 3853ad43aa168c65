//! Which rule a failure broke: its place in the RFC, one sentence, and the field of the frame to look at.

use std::fmt::Display;

use serde_json::{json, Value};
use sockless::handshake::HandshakeError;
use sockless::{ProtocolError, Timeout};

/// One rule, as the page shows it.
#[derive(Clone, Copy)]
pub struct Rule {
    /// As `tests/requirements.md` numbers it.
    pub id: &'static str,
    pub place: &'static str,
    pub text: &'static str,
    /// Which part of the drawn frame broke it.
    pub field: Option<&'static str>,
}

const fn rule(id: &'static str, place: &'static str, field: &'static str, text: &'static str) -> Rule {
    Rule { id, place, text, field: if field.is_empty() { None } else { Some(field) } }
}

/// The rule behind a failure. Every failure has one.
pub fn rule_of(error: ProtocolError) -> Rule {
    match error {
        ProtocolError::MissingMask => rule(
            "6455-5.1-2",
            "RFC 6455 section 5.1",
            "mask",
            "A client masks every frame; a server that gets one without a mask closes the connection.",
        ),
        ProtocolError::UnexpectedMask => rule(
            "6455-5.1-5",
            "RFC 6455 section 5.1",
            "mask",
            "A server never masks; a client that gets a masked frame closes the connection.",
        ),
        ProtocolError::ReservedBits => rule(
            "6455-5.2-3",
            "RFC 6455 section 5.2",
            "rsv",
            "A reserved bit that no extension gave a meaning fails the connection.",
        ),
        ProtocolError::ReservedOpcode => rule(
            "6455-5.2-4",
            "RFC 6455 section 5.2",
            "op",
            "An opcode that has no meaning yet fails the connection.",
        ),
        ProtocolError::FragmentedControl => rule(
            "6455-5.4-4",
            "RFC 6455 section 5.4",
            "fin",
            "A control frame must not be fragmented: its FIN bit is 1.",
        ),
        ProtocolError::OversizedControl => rule(
            "6455-5.5-1",
            "RFC 6455 section 5.5",
            "len",
            "A control frame has at most 125 bytes of payload.",
        ),
        ProtocolError::UnexpectedContinuation => rule(
            "6455-5.4-7",
            "RFC 6455 section 5.4",
            "op",
            "A continuation frame needs a message that was begun before it.",
        ),
        ProtocolError::ExpectedContinuation => rule(
            "6455-5.4-6",
            "RFC 6455 section 5.4",
            "op",
            "A new message must wait until the message before it has ended.",
        ),
        ProtocolError::NonMinimalLength => rule(
            "6455-5.2-7",
            "RFC 6455 section 5.2",
            "len",
            "The length must be written in the fewest bytes that can hold it.",
        ),
        ProtocolError::LengthOverflow => rule(
            "6455-5.2-6",
            "RFC 6455 section 5.2",
            "len",
            "The highest bit of a 64-bit length must be 0.",
        ),
        ProtocolError::InvalidUtf8 => rule(
            "6455-8.1-1",
            "RFC 6455 section 8.1",
            "payload",
            "A text message that is not valid UTF-8 fails the connection.",
        ),
        ProtocolError::InvalidClosePayload => rule(
            "6455-5.5.1-2",
            "RFC 6455 section 5.5.1",
            "payload",
            "The body of a Close is empty, or it begins with a code of two bytes.",
        ),
        ProtocolError::InvalidCloseCode(_) => rule(
            "6455-7.4.1-2",
            "RFC 6455 section 7.4.1",
            "payload",
            "This close code has a local meaning only, or none: it must not cross the wire.",
        ),
        ProtocolError::InvalidCloseReason => rule(
            "6455-8.1-2",
            "RFC 6455 section 8.1",
            "payload",
            "The reason of a Close must be valid UTF-8.",
        ),
        ProtocolError::FrameTooBig => rule(
            "6455-10.4-1",
            "RFC 6455 section 10.4",
            "len",
            "A frame that announces more than the limit is refused by its header, before any memory is used.",
        ),
        ProtocolError::MessageTooBig | ProtocolError::TooManyFragments => rule(
            "6455-10.4-2",
            "RFC 6455 section 10.4",
            "payload",
            "A message that grows beyond the limit is refused, also if it only grows when it is inflated.",
        ),
        ProtocolError::ExpansionTooBig => rule(
            "6455-10.4-2",
            "RFC 6455 section 10.4",
            "payload",
            "A message that inflates to many times its size is refused.",
        ),
        ProtocolError::InvalidCompressedData => rule(
            "7692-7.2.2-1",
            "RFC 7692 section 7.2",
            "payload",
            "A compressed message must be valid DEFLATE data.",
        ),
        ProtocolError::UnsupportedData => rule(
            "6455-7.4.1-4",
            "RFC 6455 section 7.4.1",
            "op",
            "This server does not take messages of this kind.",
        ),
        ProtocolError::UnexpectedEof => rule(
            "6455-7.1.4-1",
            "RFC 6455 section 7.1.4",
            "",
            "The connection ended before both sides had sent a Close, so the end is not clean.",
        ),
        ProtocolError::TimedOut(Timeout::ClosingHandshake) => rule(
            "6455-7.1.1-3",
            "RFC 6455 section 7.1.1",
            "",
            "The peer did not answer the Close or did not end the connection in time, so the server drops it.",
        ),
        ProtocolError::TimedOut(Timeout::Pong) => rule(
            "6455-5.5.2-2",
            "RFC 6455 section 5.5.2",
            "",
            "A Ping must be answered. A peer that gives no sign of life after one counts as gone.",
        ),
        ProtocolError::TimedOut(Timeout::BlockedOutput) => rule(
            "6455-10.4-1",
            "RFC 6455 section 10.4",
            "",
            "A peer that does not read for too long is given up, so that it holds no memory.",
        ),
        ProtocolError::TimedOut(_) => rule(
            "6455-10.4-1",
            "RFC 6455 section 10.4",
            "",
            "A peer that begins something and does not go on is given up, so that it holds no memory.",
        ),
        _ => rule("6455-7.1.7-2", "RFC 6455 section 7.1.7", "", "The connection has failed."),
    }
}

/// Its name, without what the peer sent.
pub fn name_of(error: ProtocolError) -> String {
    match error {
        ProtocolError::InvalidCloseCode(_) => "InvalidCloseCode".into(),
        error => format!("{error:?}"),
    }
}

/// The rule that a request broke.
fn rule_of_opening(error: HandshakeError) -> Rule {
    match error {
        HandshakeError::UnsupportedVersion => rule(
            "6455-4.2.2-20",
            "RFC 6455 section 4.2.2",
            "",
            "A server answers a version that it does not know with 426, and lists those that it does.",
        ),
        HandshakeError::InvalidKey => rule(
            "6455-4.2.1-7",
            "RFC 6455 section 4.2.1",
            "",
            "The key is the Base64 of 16 bytes, with its padding. All else is answered with 400.",
        ),
        HandshakeError::OriginRefused => rule(
            "6455-4.2.2-10",
            "RFC 6455 section 4.2.2",
            "",
            "A page of another site may not connect: a server that does not accept its origin answers with 403.",
        ),
        HandshakeError::MethodNotAllowed => rule(
            "6455-4.2.1-2",
            "RFC 6455 section 4.2.1",
            "",
            "A WebSocket is asked for with GET. All else is answered with 405.",
        ),
        _ => rule(
            "6455-4.2.1-1",
            "RFC 6455 section 4.2.1",
            "",
            "A request that breaks a rule of the opening handshake is answered with an HTTP error.",
        ),
    }
}

/// The members of a `fail` event that follow from the error.
pub fn verdict(error: ProtocolError) -> Value {
    members(rule_of(error), &name_of(error), &error, error.close_code().map(|code| code.value()))
}

/// The same for a request. No Close follows: it was answered with an HTTP error.
pub fn opening_verdict(error: HandshakeError) -> Value {
    members(rule_of_opening(error), &format!("{error:?}"), &error, None)
}

fn members(rule: Rule, name: &str, says: &dyn Display, code: Option<u16>) -> Value {
    json!({"error": name, "says": says.to_string(), "code": code,
        "rule": {"id": rule.id, "where": rule.place, "text": rule.text}, "field": rule.field})
}
