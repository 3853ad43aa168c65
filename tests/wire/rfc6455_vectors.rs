//! The examples of RFC 6455 section 5.7, read and written byte for byte.

use crate::common;

use common::*;
use sockless::{
    Client, Config, Connection, ControlPayload, Entropy, EntropyError, MessageKind, Payload, Server, Side,
};

/// Gives the masking key of the examples for every frame.
struct RfcKey;

impl Entropy for RfcKey {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), EntropyError> {
        dest.copy_from_slice(&KEY);
        Ok(())
    }
}

fn client() -> Connection<Client<RfcKey>> {
    Connection::new(Client::new(RfcKey), Config::new())
}

fn server() -> Connection<Server> {
    Connection::new(Server, Config::new())
}

const F1: &[u8] = &[0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F];
const F2: &[u8] = &[0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58];
const F3: [&[u8]; 2] = [&[0x01, 0x03, 0x48, 0x65, 0x6C], &[0x80, 0x02, 0x6C, 0x6F]];
const F4_PING: &[u8] = &[0x89, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F];
const F4_PONG: &[u8] = &[0x8A, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58];
const F5_HEADER: &[u8] = &[0x82, 0x7E, 0x01, 0x00];
const F6_HEADER: &[u8] = &[0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0];

fn octets(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7) as u8).collect()
}

#[test]
fn rfc6455_5_7_f1_unmasked_text() {
    assert_eq!(see_all(Side::Client, F1), [text("Hello")]);

    let mut out = [0; 7];
    assert_eq!(server().writer().encode("Hello".into(), true, &mut out), Ok(7));
    assert_eq!(out, F1);
    let mut server = server();
    let frame = server.writer().frame("Hello".into(), true).unwrap();
    assert_eq!(frame.as_slices().concat(), F1);
}

#[test]
fn rfc6455_5_7_f2_masked_text() {
    assert_eq!(see_all(Side::Server, F2), [text("Hello")]);

    let mut out = [0; 11];
    assert_eq!(client().writer().encode("Hello".into(), true, &mut out), Ok(11));
    assert_eq!(out, F2);
}

#[test]
fn rfc6455_5_7_f3_fragmented_unmasked_text() {
    assert_eq!(see_all(Side::Client, &F3.concat()), [text("Hello")]);

    let mut server = server();
    let mut out = [0; 9];
    assert_eq!(server.writer().encode("Hel".into(), false, &mut out), Ok(5));
    assert_eq!(server.writer().encode("lo".into(), true, &mut out[5..]), Ok(4));
    assert_eq!(out[..], F3.concat());
}

#[test]
fn rfc6455_5_7_f4_ping_and_masked_pong() {
    // A client is pinged and answers.
    let mut ping = F4_PING.to_vec();
    let mut client = client();
    let event = client.recv(&mut sockless::Input::new(&mut ping)).unwrap();
    assert_eq!(event, Some(sockless::Event::Ping));
    assert_eq!(client.reader().control_payload(), b"Hello");
    let mut out = [0; 131];
    assert_eq!(client.poll_transmit(&mut out), Ok(11));
    assert_eq!(&out[..11], F4_PONG);

    // A server pings and is answered.
    let hello = ControlPayload::new(b"Hello").unwrap();
    assert_eq!(server().writer().ping(hello, &mut out), Ok(7));
    assert_eq!(&out[..7], F4_PING);
    assert_eq!(see_all(Side::Server, F4_PONG), [Seen::Pong(b"Hello".to_vec())]);
}

#[test]
fn rfc6455_5_7_f5_256_binary_octets() {
    long_binary(256, F5_HEADER);
}

#[test]
fn rfc6455_5_7_f6_64_kib_of_binary_octets() {
    long_binary(65_536, F6_HEADER);
}

fn long_binary(len: usize, header: &[u8]) {
    let payload = octets(len);
    let wire = [header, &payload].concat();
    assert_eq!(see_all(Side::Client, &wire), [binary(&payload)]);

    let mut out = vec![0; wire.len()];
    assert_eq!(server().writer().encode(Payload::binary(&payload), true, &mut out), Ok(wire.len()));
    assert!(out == wire);
    let begun = server().writer().begin(MessageKind::Binary, true, len as u64).unwrap();
    assert_eq!(begun.as_bytes(), header);
}
