//! Endpoints that go on with one connection after the other, on one set of buffers.

use crate::common;
use crate::compressed;

use common::{to, BINARY_PART, CLOSE, END, MORE, PING, PONG, TEXT};
use compressed::{drain, expect_ready, give, params, ALL, KEY};
use proptest::prelude::*;
use sockless::deflate::{Params, Pool, WindowBits};
use sockless::endpoint::{Action, Buffers, Endpoint, WriteSide};
use sockless::frame::Rsv;
use sockless::message::Prepared;
use sockless::{
    Client, Config, Limits, Parked, Payload, ProtocolError, ReadyState, Server, Side, Timeouts, Timestamp,
};

/// However long the frames are that are expected, a read may bring half of this.
const BUFFERS: Buffers = Buffers::DEFAULT.with_read(1400);

fn config() -> Config {
    Config::new().with_limits(Limits::DEFAULT.with_max_message_size(3000)).with_timeouts(Timeouts::SERVER)
}

fn endpoint(params: Option<&Params>, pool: Option<&Pool>) -> Endpoint<Server> {
    let endpoint = Endpoint::new(Server, config(), BUFFERS, &[]);
    match params {
        Some(params) => endpoint.with_deflate(params, ALL, pool),
        None => endpoint,
    }
}

/// One connection: where it is, its remaining input, and its results.
struct Talk {
    place: Place,
    input: Vec<u8>,
    seen: Vec<String>,
    pieces: Vec<u8>,
    ended: bool,
}

enum Place {
    Awake(Box<Endpoint<Server>>),
    Parked(Parked),
}

impl Talk {
    /// Reads once, echoes what was received, and writes as far as `blocked` allows. Notes everything.
    fn turn(&mut self, count: usize, pieces: bool, blocked: bool, now: u64) {
        let Place::Awake(endpoint) = &mut self.place else { panic!("it is at rest") };
        let mut read = false;
        endpoint.handle_timeout(Timestamp::from_micros(now));
        for _ in 0..1000 {
            let write = if blocked { WriteSide::Blocked } else { WriteSide::Ready };
            let next = if pieces { endpoint.poll_piece(write) } else { endpoint.poll(write) };
            match next {
                Ok(Action::Take(ready)) if pieces => {
                    // Where pieces are cut carries no meaning.
                    match endpoint.piece(ready).map(Option::unwrap) {
                        Ok(piece) => self.pieces.extend_from_slice(piece.as_bytes()),
                        Err(error) => self.seen.push(format!("{error:?}")),
                    }
                }
                Ok(Action::Take(ready)) => {
                    let (inbound, outbound) = endpoint.split_mut();
                    match inbound.message(ready) {
                        Ok(message) => {
                            self.seen.push(format!("{message:?}"));
                            let echoed = outbound.feed(message.unwrap());
                            self.seen.push(format!("{:?}", echoed));
                        }
                        Err(error) => self.seen.push(format!("{error:?}")),
                    }
                }
                Ok(Action::Write) => {
                    if blocked {
                        break;
                    }
                    let written = drain(endpoint);
                    self.seen.push(format!("{written:?}"));
                }
                Ok(Action::ShutdownWrite) => endpoint.write_ended(),
                Ok(Action::Yield) => {}
                Ok(Action::Read) if read || self.input.is_empty() => break,
                Ok(Action::Read) => {
                    let mut rest = &self.input[..count.min(self.input.len())];
                    let asked = rest.len();
                    give(endpoint, &mut rest, usize::MAX);
                    let taken = asked - rest.len();
                    self.input.drain(..taken);
                    read = true;
                }
                Ok(Action::Close) => {
                    self.ended = true;
                    break;
                }
                Err(error) => self.seen.push(format!("{error:?}")),
            }
        }
        let states = (endpoint.ready_state(), endpoint.closed(), endpoint.close_reason().to_owned());
        self.seen.push(format!("{states:?} {:?} {}", endpoint.poll_timeout(), endpoint.outbound().queued()));
    }
}

/// What a client has to say: compressed if that was agreed on, with a context if that was.
fn script(params: Option<&Params>, words: &[u8]) -> Vec<u8> {
    let mut client = Endpoint::new(Client::new(KEY), Config::new(), Buffers::DEFAULT, &[]);
    if let Some(params) = params {
        client = client.with_deflate(params, ALL, None);
    }
    let mut out = Vec::new();
    for word in words {
        let text = "abcdefgh ".repeat(usize::from(*word));
        match word % 16 {
            0..=7 => client.outbound().feed(Payload::text(&text)).unwrap(),
            8 | 9 => {
                client.outbound().feed_fragment(Payload::text(&text), false).unwrap();
                out.extend(drain(&mut client));
                out.extend(to(Side::Server, PING, &[*word; 7]));
                client.outbound().feed_fragment(Payload::text("."), true).unwrap();
            }
            10 | 11 => out.extend(to(Side::Server, PING, &[*word; 100])),
            12 => out.extend(to(Side::Server, PONG, b"")),
            13 => {
                out.extend(to(Side::Server, BINARY_PART, &[*word; 40]));
                out.extend(to(Side::Server, MORE, b""));
                out.extend(to(Side::Server, END, &[*word; 9]));
            }
            14 => out.extend(to(Side::Server, CLOSE, b"\x03\xE8bye")),
            _ => out.extend(to(Side::Server, TEXT | 0x40, b"\xFF\xFF")),
        }
        out.extend(drain(&mut client));
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Several connections, each parked whenever that is possible, on endpoints that others leave in any state,
    /// give the same as on an endpoint each.
    #[test]
    fn who_rests_behaves_like_who_never_does(
        kind in 0..4_usize,
        words in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..8), 1..4),
        turns in prop::collection::vec(
            (any::<prop::sample::Index>(), prop_oneof![1_usize..20, 100_usize..600], 0..8_u8, 0_u64..20_000_000),
            1..50,
        ),
    ) {
        let params =
            [None, Some(params(false, false, 15)), Some(params(false, false, 15)), Some(params(true, true, 15))][kind];
        let params = params.as_ref();
        let pool = (kind == 1).then(Pool::default);
        let talk = |words: &Vec<u8>, place| Talk {
            place, input: script(params, words), seen: Vec::new(), pieces: Vec::new(), ended: false,
        };
        let new = || Box::new(endpoint(params, pool.as_ref()));
        let rsv = if params.is_some() { Rsv::RSV1 } else { Rsv::NONE };
        let rest = Parked::new().with_allowed_rsv(rsv);
        let mut steady: Vec<_> = words.iter().map(|words| talk(words, Place::Awake(new()))).collect();
        let mut resting: Vec<_> = words.iter().map(|words| talk(words, Place::Parked(rest))).collect();
        let (mut idle, mut now) = (vec![], 0);
        for (index, count, how, advance) in turns {
            let (pieces, blocked) = (how % 4 == 0, how == 1);
            now += advance;
            let index = index.index(words.len());
            let (steady, resting) = (&mut steady[index], &mut resting[index]);
            if steady.ended {
                continue;
            }
            if let Place::Parked(rest) = resting.place {
                let mut endpoint: Box<Endpoint<Server>> = idle.pop().unwrap_or_else(new);
                endpoint.unpark(rest);
                prop_assert_eq!(endpoint.park(), Some(rest));
                prop_assert_eq!(endpoint.poll_timeout(), rest.poll_timeout(&config().timeouts));
                resting.place = Place::Awake(endpoint);
            }
            steady.turn(count, pieces, blocked, now);
            resting.turn(count, pieces, blocked, now);
            prop_assert_eq!(&resting.seen, &steady.seen);
            prop_assert_eq!(&resting.pieces, &steady.pieces);
            let Place::Awake(endpoint) = &mut resting.place else { unreachable!() };
            let rest = if steady.ended { Some(rest) } else { endpoint.park() };
            if let Some(rest) = rest {
                let Place::Awake(endpoint) = std::mem::replace(&mut resting.place, Place::Parked(rest))
                else { unreachable!() };
                idle.push(endpoint);
            }
        }
    }
}

#[test]
fn an_endpoint_is_at_rest_when_all_is_worked_through_and_written() {
    let mut endpoint = endpoint(None, None);
    assert_eq!(endpoint.park(), Some(Parked::new()));
    let bytes = to(Side::Server, TEXT, b"Hello");
    give(&mut endpoint, &mut &bytes[..3], 3);
    assert_eq!(endpoint.park(), None, "unread");
    assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Read));
    assert_eq!(endpoint.park(), None, "in a header");
    give(&mut endpoint, &mut &bytes[3..], 99);
    let ready = expect_ready(endpoint.poll(WriteSide::Ready));
    assert_eq!(endpoint.park(), None, "to be taken");
    assert!(endpoint.message(ready).unwrap().is_some());
    assert!(endpoint.park().is_some(), "taken");
    endpoint.outbound().feed("Hello").unwrap();
    assert_eq!(endpoint.park(), None, "queued");
    drain(&mut endpoint);
    assert!(endpoint.park().is_some(), "written");
    endpoint.outbound().feed_fragment("He", false).unwrap();
    drain(&mut endpoint);
    assert_eq!(endpoint.park(), None, "a message is in progress");
    endpoint.outbound().feed_fragment("llo", true).unwrap();
    drain(&mut endpoint);
    assert!(endpoint.park().is_some());
    endpoint.abort();
    assert_eq!(endpoint.park(), None);
    endpoint.unpark(Parked::new());
    assert_eq!((endpoint.ready_state(), endpoint.closed()), (ReadyState::Open, None), "another connection");
    assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Read));
}

#[test]
fn a_context_that_remembers_messages_does_not_rest() {
    for (server, client) in [(true, true), (true, false), (false, true), (false, false)] {
        let params = params(server, client, 15);
        let mut endpoint = endpoint(Some(&params), None);
        assert!(endpoint.park().is_some(), "nothing to remember yet");
        endpoint.outbound().feed("Hello").unwrap();
        drain(&mut endpoint);
        assert_eq!(endpoint.park().is_some(), !server);
        endpoint.unpark(Parked::new().with_allowed_rsv(Rsv::RSV1));
        // The first message does not show whether a client that was told to begin with an empty window does so.
        let bytes = script(Some(&params), &[3, 3]);
        let half = bytes.len() - script(Some(&params), &[3]).len();
        let (first, second) = bytes.split_at(if client { bytes.len() - half } else { half });
        for (bytes, rests) in [(first, false), (second, !client)] {
            give(&mut endpoint, &mut &bytes[..], 99);
            let ready = expect_ready(endpoint.poll(WriteSide::Ready));
            assert!(endpoint.message(ready).unwrap().is_some());
            assert_eq!(endpoint.park().is_some(), rests);
        }
    }
}

/// One endpoint serves those that have agreed on its compression and those that have not.
#[test]
fn compression_is_for_those_that_agreed_on_it() {
    let params = params(false, false, 15);
    let text = "abcdefgh ".repeat(9);
    let mut compressing = endpoint(Some(&params), None);
    let prepared = Prepared::deflated(Payload::text(&text), WindowBits::MAX, ALL).unwrap();
    for (rest, first) in [(Parked::new(), 0x81), (Parked::new().with_allowed_rsv(Rsv::RSV1), 0xC1)] {
        compressing.unpark(rest);
        compressing.outbound().feed(Payload::text(&text)).unwrap();
        assert_eq!(drain(&mut compressing)[0], first);
        compressing.outbound().feed_prepared(&prepared).unwrap();
        let sent = drain(&mut compressing);
        assert_eq!(sent[0], first);
        assert_eq!(compressing.park(), Some(rest));
        // If the connection need not be unparked, the frame is what an endpoint would send. Otherwise there is none.
        let unwoken = prepared.frame_for_parked(&rest);
        assert_eq!(unwoken, (rest == Parked::new()).then_some(&sent[..]));
    }
    compressing.unpark(Parked::new());
    let mut plain = endpoint(None, None);
    plain.unpark(Parked::new().with_allowed_rsv(Rsv::RSV1));
    for endpoint in [&mut compressing, &mut plain] {
        let (_, failed) = compressed::receive(endpoint, &script(Some(&params), &[3]), 99);
        assert_eq!(failed, Some(ProtocolError::ReservedBits));
    }
}

/// Nothing of the connection before is left, wherever it was given up.
#[test]
fn a_connection_goes_on_in_the_place_of_one_that_was_given_up() {
    for params in [None, Some(params(false, false, 15)), Some(params(true, true, 15))] {
        let params = params.as_ref();
        let rsv = if params.is_some() { Rsv::RSV1 } else { Rsv::NONE };
        let text = "abcdefgh, ijklmnop".repeat(2);
        let mut fresh = endpoint(params, None);
        fresh.outbound().feed(Payload::text(&text)).unwrap();
        let first = drain(&mut fresh);
        let mut bytes = script(params, &[40, 9, 13, 3]);
        bytes.extend(to(Side::Server, 0x83, b""));
        for count in 0..=bytes.len() {
            for polls in [0, 1, 2, 30] {
                let mut endpoint = endpoint(params, None);
                endpoint.outbound().feed_fragment(Payload::text(&text), false).unwrap();
                give(&mut endpoint, &mut &bytes[..count], usize::MAX);
                for _ in 0..polls {
                    if let Ok(Action::Take(_)) = endpoint.poll(WriteSide::Blocked) {
                        let piece = expect_ready(endpoint.poll_piece(WriteSide::Blocked));
                        let _ = endpoint.piece(piece);
                    }
                }
                let rest = Parked::new().with_allowed_rsv(rsv);
                endpoint.unpark(rest);
                assert_eq!(endpoint.output(), b"");
                assert_eq!(endpoint.park(), Some(rest));
                let (messages, failed) = compressed::receive(&mut endpoint, &script(params, &[5, 8, 13]), 30);
                assert_eq!((messages.len(), failed), (3, None), "after {count} bytes");
                assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Write));
                assert_eq!(drain(&mut endpoint)[..2], [0x8A, 7]);
                assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Read));
                // It would be shorter if it referred to what was sent to the other one.
                endpoint.outbound().feed(Payload::text(&text)).unwrap();
                assert_eq!(drain(&mut endpoint), first);
            }
        }
    }
}
