//! permessage-deflate in `Sec-WebSocket-Extensions` (RFC 7692 sections 5.1 and 7.1).
//
// Owns: the extension's name, and how its four parameters are written and read.
// Must not know: which offers are made or accepted.

use super::fields::{check_value, iter_value, Extension, Parameter};
use super::head_writer::HeadWriter;
use crate::deflate::{ClientWindow, Offer, Params, WindowBits};

/// The registered name. It is compared with case (section 5).
pub(super) const NAME: &str = "permessage-deflate";

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// Reads what a server's `Sec-WebSocket-Extensions` agreed to, for those who did not see the offers, such as a tool
/// that inspects captured frames.
///
/// `None` unless the value is one element, `permessage-deflate`, with parameters that an answer may have (RFC 7692
/// section 7.1). A client's handshake gives [`Negotiated::deflate`](super::Negotiated::deflate).
///
/// ```
/// use sockless::deflate::WindowBits;
/// use sockless::handshake::parse_deflate_answer;
///
/// let agreed = parse_deflate_answer("permessage-deflate; server_max_window_bits=10").unwrap();
/// assert_eq!(agreed.server_max_window_bits, WindowBits::new(10));
/// assert_eq!(parse_deflate_answer("permessage-deflate; server_max_window_bits=010"), None);
/// ```
pub fn parse_deflate_answer(value: &str) -> Option<Params> {
    check_value(value.as_bytes(), &mut 0).ok()?;
    let mut extensions = iter_value(value.as_bytes());
    match (extensions.next(), extensions.next()) {
        (Some(only), None) => parse_answer(&only),
        _ => None,
    }
}

/// `None` if a server must decline the offer (section 7).
pub(super) fn parse_offer(extension: &Extension<'_>) -> Option<Offer> {
    if extension.name() != NAME {
        return None;
    }
    let mut offer = Offer {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        server_max_window_bits: None,
        client_max_window_bits: ClientWindow::Unnamed,
    };
    for parameter in extension.parameters() {
        // Each parameter may stand once, and there are only four.
        let first = match parameter.name() {
            SERVER_NO_CONTEXT_TAKEOVER => {
                !parameter.has_value() && !core::mem::replace(&mut offer.server_no_context_takeover, true)
            }
            CLIENT_NO_CONTEXT_TAKEOVER => {
                !parameter.has_value() && !core::mem::replace(&mut offer.client_no_context_takeover, true)
            }
            SERVER_MAX_WINDOW_BITS => offer.server_max_window_bits.replace(bits(parameter)?).is_none(),
            CLIENT_MAX_WINDOW_BITS => {
                let named = match parameter.has_value() {
                    true => ClientWindow::AtMost(bits(parameter)?),
                    false => ClientWindow::Any,
                };
                core::mem::replace(&mut offer.client_max_window_bits, named) == ClientWindow::Unnamed
            }
            _ => false,
        };
        if !first {
            return None;
        }
    }
    Some(offer)
}

/// `None` if a client must refuse the answer (section 7).
pub(super) fn parse_answer(extension: &Extension<'_>) -> Option<Params> {
    let written = parse_offer(extension)?;
    Some(Params {
        server_no_context_takeover: written.server_no_context_takeover,
        client_no_context_takeover: written.client_no_context_takeover,
        server_max_window_bits: written.server_max_window_bits,
        client_max_window_bits: match written.client_max_window_bits {
            ClientWindow::Unnamed => None,
            // Section 7.1.2.2: in an answer the value must be given.
            ClientWindow::Any => return None,
            ClientWindow::AtMost(most) => Some(most),
        },
    })
}

/// Reads 8 to 15 in decimal, without a leading zero (section 7.1.2).
fn bits(parameter: Parameter<'_>) -> Option<WindowBits> {
    let mut value = parameter.value();
    let bits = match (value.next()?, value.next(), value.next()) {
        (digit @ b'8'..=b'9', None, None) => digit & 0x0F,
        (b'1', Some(digit @ b'0'..=b'5'), None) => (digit & 0x0F).saturating_add(10),
        _ => return None,
    };
    WindowBits::new(bits)
}

pub(super) fn write_offer(head: &mut HeadWriter<'_>, offer: &Offer) {
    head.text(NAME);
    if offer.server_no_context_takeover {
        head.text("; ").text(SERVER_NO_CONTEXT_TAKEOVER);
    }
    if offer.client_no_context_takeover {
        head.text("; ").text(CLIENT_NO_CONTEXT_TAKEOVER);
    }
    if let Some(most) = offer.server_max_window_bits {
        head.text("; ").text(SERVER_MAX_WINDOW_BITS).text("=").number(usize::from(most.get()));
    }
    if offer.client_max_window_bits != ClientWindow::Unnamed {
        head.text("; ").text(CLIENT_MAX_WINDOW_BITS);
    }
    if let ClientWindow::AtMost(most) = offer.client_max_window_bits {
        head.text("=").number(usize::from(most.get()));
    }
}

/// An answer has the form of an offer of these parameters.
pub(super) fn write_answer(head: &mut HeadWriter<'_>, answer: &Params) {
    write_offer(
        head,
        &Offer {
            server_no_context_takeover: answer.server_no_context_takeover,
            client_no_context_takeover: answer.client_no_context_takeover,
            server_max_window_bits: answer.server_max_window_bits,
            client_max_window_bits: answer
                .client_max_window_bits
                .map_or(ClientWindow::Unnamed, ClientWindow::AtMost),
        },
    );
}

#[cfg(test)]
mod tests;
