//! Tests of what `deflate` keeps to itself.

use super::*;
use crate::handshake::head_writer::compose;

fn read(value: &str) -> Option<Offer> {
    assert_eq!(check_value(value.as_bytes(), &mut 0), Ok(true), "{value}");
    iter_value(value.as_bytes()).next().and_then(|element| parse_offer(&element))
}

fn offers() -> impl Iterator<Item = Offer> {
    let bits = || (8..=15).filter_map(WindowBits::new);
    let client = [ClientWindow::Unnamed, ClientWindow::Any].into_iter();
    let client = client.chain(bits().map(ClientWindow::AtMost));
    client.flat_map(move |client| {
        [None].into_iter().chain(bits().map(Some)).flat_map(move |server| {
            (0..4_u8).map(move |takeover| Offer {
                server_no_context_takeover: takeover & 1 != 0,
                client_no_context_takeover: takeover & 2 != 0,
                server_max_window_bits: server,
                client_max_window_bits: client,
            })
        })
    })
}

#[test]
fn every_offer_is_read_as_it_was_written() {
    assert_eq!(offers().count(), 360);
    for offer in offers() {
        let mut out = [0; 160];
        let len = compose(&mut out, |head| write_offer(head, &offer)).unwrap();
        assert_eq!(read(core::str::from_utf8(&out[..len]).unwrap()), Some(offer));
    }
}

#[test]
fn every_answer_is_read_as_it_was_written() {
    for offer in offers().filter(|offer| offer.client_max_window_bits != ClientWindow::Any) {
        let answer = Params {
            server_no_context_takeover: offer.server_no_context_takeover,
            client_no_context_takeover: offer.client_no_context_takeover,
            server_max_window_bits: offer.server_max_window_bits,
            client_max_window_bits: match offer.client_max_window_bits {
                ClientWindow::AtMost(most) => Some(most),
                _ => None,
            },
        };
        let mut out = [0; 160];
        let len = compose(&mut out, |head| write_answer(head, &answer)).unwrap();
        assert_eq!(parse_deflate_answer(core::str::from_utf8(&out[..len]).unwrap()), Some(answer));
    }
}

#[test]
fn names_are_compared_exactly() {
    for value in ["permessage-deflat", "Permessage-Deflate", "x-permessage-deflate"] {
        assert_eq!(read(value), None, "{value}");
    }
    assert_eq!(read("permessage-deflate; Server_No_Context_Takeover"), None);
}
