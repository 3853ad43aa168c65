//! What is ready is a value: nothing is lost if it is dropped, and nothing comes of it once it is out of date.

use super::common::{all_to, to, BINARY, BINARY_PART, BOTH, END, KEY, MORE, PING, TEXT};
use super::compressed::{self, drain, expect_ready, give, ALL};
use proptest::prelude::*;
use sockless::deflate::Params;
use sockless::endpoint::{Action, Buffers, Endpoint, Ready, WriteSide};
use sockless::frame::Rsv;
use sockless::message::OwnedMessage;
use sockless::{AnyRole, Config, MessageKind, Parked, ProtocolError, Side};

type Peer = Endpoint<AnyRole<compressed::Key>>;

fn endpoint(side: Side, deflate: bool) -> Peer {
    let role = match side {
        Side::Server => AnyRole::Server,
        Side::Client => AnyRole::Client(compressed::KEY),
    };
    let endpoint = Endpoint::new(role, Config::new(), Buffers::DEFAULT.with_read(1000), &[]);
    if deflate {
        endpoint.with_deflate(&Params::DEFAULT, ALL, None)
    } else {
        endpoint
    }
}

/// What the peer of `side` sends: one or more messages of some kind for each word.
fn script(side: Side, deflate: bool, words: &[u8]) -> Vec<u8> {
    let other = if side == Side::Server { Side::Client } else { Side::Server };
    let mut peer = endpoint(other, deflate);
    let mut out = Vec::new();
    for word in words {
        let len = [0, 1, 30, 125, 126, 900, 3000, 70_000][usize::from(word >> 5)];
        let octets = vec![b'a' + word % 26; len];
        match word % 4 {
            0 => peer.outbound().feed(std::str::from_utf8(&octets).unwrap()).unwrap(),
            1 => out.extend(to(side, BINARY, &octets)),
            2 => out.extend(all_to(
                side,
                &[(BINARY_PART, &octets), (PING, b"?"), (MORE, b""), (MORE, b"b"), (END, &octets)],
            )),
            _ => out.extend(all_to(side, &[(TEXT, &octets), (PING, b"!")])),
        }
        out.extend(drain(&mut peer));
    }
    out
}

/// What comes of some bytes if all that is ready is taken at once.
fn taken_at_once(side: Side, deflate: bool, bytes: &[u8]) -> Vec<OwnedMessage> {
    let (messages, failed) = compressed::receive(&mut endpoint(side, deflate), bytes, usize::MAX);
    assert_eq!(failed, None);
    messages
}

/// Takes messages, or pieces of them, and drops some of what is ready before. What was ready once is tried again
/// whenever something else was taken.
struct Taker {
    messages: Vec<OwnedMessage>,
    /// The pieces of a message.
    pieces: Option<Vec<u8>>,
    dropped: Vec<Ready>,
}

impl Taker {
    fn receive(
        &mut self,
        endpoint: &mut Peer,
        mut rest: &[u8],
        chunk: usize,
        in_pieces: bool,
        drops: &mut impl Iterator<Item = u8>,
    ) {
        loop {
            for _ in 0..drops.next().unwrap() % 3 {
                // Between pieces of a message, asking for a whole one passes over the rest.
                let whole = self.pieces.is_none() && drops.next().unwrap() % 2 == 0;
                let polled = if whole {
                    endpoint.poll(WriteSide::Blocked)
                } else {
                    endpoint.poll_piece(WriteSide::Blocked)
                };
                if let Action::Take(ready) = polled.unwrap() {
                    self.dropped.push(ready);
                }
            }
            let polled = if in_pieces {
                endpoint.poll_piece(WriteSide::Blocked)
            } else {
                endpoint.poll(WriteSide::Blocked)
            };
            match polled.unwrap() {
                Action::Take(ready) if in_pieces => {
                    let piece = endpoint.piece(ready).unwrap().expect("it was ready");
                    assert_eq!(piece.is_first(), self.pieces.is_none());
                    let octets = self.pieces.get_or_insert_with(Vec::new);
                    octets.extend_from_slice(piece.as_bytes());
                    let (kind, last) = (piece.kind(), piece.is_last());
                    self.messages.extend(self.pieces.take_if(|_| last).map(|octets| owned(kind, octets)));
                }
                Action::Take(ready) => {
                    self.messages.push(endpoint.message(ready).unwrap().expect("it was ready").into());
                }
                Action::Read if rest.is_empty() => return,
                Action::Read => {
                    give(endpoint, &mut rest, chunk);
                    continue;
                }
                Action::Yield => continue,
                other => panic!("{other:?}"),
            }
            for ready in self.dropped.drain(..) {
                if drops.next().unwrap() % 2 == 0 {
                    assert_eq!(endpoint.message(ready).unwrap(), None);
                } else {
                    assert!(endpoint.piece(ready).unwrap().is_none());
                }
            }
        }
    }
}

fn owned(kind: MessageKind, octets: Vec<u8>) -> OwnedMessage {
    match kind {
        MessageKind::Text => String::from_utf8(octets).unwrap().into(),
        MessageKind::Binary => octets.into(),
    }
}

proptest! {
    #[test]
    fn what_is_dropped_is_ready_again_and_what_is_out_of_date_is_nothing(
        words in prop::collection::vec(any::<u8>(), 1..12),
        chunk in prop_oneof![1_usize..10, 100_usize..3000, Just(usize::MAX)],
        drops in prop::collection::vec(any::<u8>(), 1..40),
        deflate: bool,
        in_pieces: bool,
    ) {
        for side in BOTH {
            let bytes = script(side, deflate, &words);
            let mut taker = Taker { messages: vec![], pieces: None, dropped: vec![] };
            let mut drops = drops.iter().copied().cycle();
            taker.receive(&mut endpoint(side, deflate), &bytes, chunk, in_pieces, &mut drops);
            prop_assert_eq!(taker.messages, taken_at_once(side, deflate, &bytes));
        }
    }
}

/// All that can be ready, each in a way of its own.
fn all_kinds(side: Side) -> Vec<(bool, Vec<u8>)> {
    let long = [7; 2000];
    let mut kinds: Vec<_> = [
        to(side, TEXT, b""),
        to(side, TEXT, b"short"),
        to(side, BINARY, &[7; 300]),
        to(side, BINARY, &long),
        to(side, BINARY, &[7; 70_000]),
        all_to(side, &[(BINARY_PART, &long), (END, &long)]),
    ]
    .map(|bytes| (false, bytes))
    .into();
    kinds.push((true, script(side, true, &[0xC0])));
    kinds.push((true, script(side, true, &[0xE0])));
    kinds
}

/// Reads until something is ready.
fn ready(endpoint: &mut Peer, poll: Poll, bytes: &[u8]) -> Ready {
    compressed::next(endpoint, poll, &mut &bytes[..], usize::MAX)
}

type Poll = fn(&mut Peer, WriteSide) -> Result<Action, ProtocolError>;

#[test]
fn what_another_endpoint_has_ready_does_no_harm() {
    for side in BOTH {
        for (deflate, bytes) in all_kinds(side) {
            for (other_deflate, other_bytes) in all_kinds(side) {
                for poll in [Endpoint::poll as Poll, Endpoint::poll_piece] {
                    let (mut one, mut other) = (endpoint(side, deflate), endpoint(side, other_deflate));
                    let foreign = [(); 2].map(|()| ready(&mut other, poll, &other_bytes));
                    // Where something else was taken since, it is told apart.
                    give(&mut one, &mut &to(side, TEXT, b"first")[..], usize::MAX);
                    let first = expect_ready(one.poll(WriteSide::Blocked));
                    assert!(one.message(first).unwrap().is_some());
                    ready(&mut one, poll, &bytes);
                    for (foreign, whole) in foreign.into_iter().zip([true, false]) {
                        let taken = if whole {
                            one.message(foreign).unwrap().is_some()
                        } else {
                            one.piece(foreign).unwrap().is_some()
                        };
                        assert!(!taken);
                    }
                    // Where it is not, it is wrong for once.
                    let (mut one, mut other) = (endpoint(side, deflate), endpoint(side, other_deflate));
                    ready(&mut one, poll, &bytes);
                    let foreign = ready(&mut other, poll, &other_bytes);
                    let _ = one.piece(foreign);
                    for _ in 0..10 {
                        if let Ok(Action::Take(ready)) = one.poll_piece(WriteSide::Blocked) {
                            let _ = one.piece(ready);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn nothing_comes_of_what_was_ready_before_another_connection() {
    for side in BOTH {
        for (deflate, bytes) in all_kinds(side) {
            for poll in [Endpoint::poll as Poll, Endpoint::poll_piece] {
                let mut endpoint = endpoint(side, deflate);
                let before = [(); 2].map(|()| ready(&mut endpoint, poll, &bytes));
                let rsv = if deflate { Rsv::RSV1 } else { Rsv::NONE };
                endpoint.unpark(Parked::new().with_allowed_rsv(rsv));
                give(&mut endpoint, &mut &to(side, TEXT, b"another")[..], usize::MAX);
                let [message, piece] = before;
                assert_eq!(endpoint.message(message).unwrap(), None);
                assert!(endpoint.piece(piece).unwrap().is_none());
                let ready = expect_ready(endpoint.poll(WriteSide::Blocked));
                assert_eq!(endpoint.message(ready).unwrap().unwrap().as_text(), Some("another"));
            }
        }
    }
}

/// What was ready at the end of the connection is the last that can come of it, if it does.
#[test]
fn what_was_ready_at_the_end_does_no_harm() {
    let ends: [fn(&mut Peer); 3] = [Endpoint::eof, Endpoint::abort, |endpoint| {
        let _ = endpoint.lost();
    }];
    for side in BOTH {
        for (deflate, bytes) in all_kinds(side) {
            for poll in [Endpoint::poll as Poll, Endpoint::poll_piece] {
                for end in ends {
                    let mut endpoint = endpoint(side, deflate);
                    let ready = ready(&mut endpoint, poll, &bytes);
                    end(&mut endpoint);
                    assert!(endpoint.piece(ready).is_ok());
                    let ended = endpoint.closed();
                    assert!(ended.is_some() || endpoint.poll(WriteSide::Ready).is_err());
                    assert!(!matches!(endpoint.poll(WriteSide::Ready), Ok(Action::Read)), "{ended:?}");
                }
            }
        }
    }
}

#[test]
fn what_is_wrong_with_a_text_is_found_when_it_is_taken_and_told_once() {
    for side in BOTH {
        let mut endpoint = endpoint(side, false);
        let bytes = to(side, TEXT, b"\xFF");
        let _ = ready(&mut endpoint, Endpoint::poll, &bytes);
        let ready = expect_ready(endpoint.poll(WriteSide::Blocked));
        assert_eq!(endpoint.message(ready), Err(ProtocolError::InvalidUtf8));
        assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Write));
        let close = drain(&mut endpoint);
        assert_eq!(close[..2], [0x88, if side == Side::Server { 2 } else { 0x82 }]);
    }
}

/// A message that stands unread is unmasked where it is taken, once.
#[test]
fn asking_again_does_not_change_what_was_read() {
    for len in [1, 8, 125, 126, 900] {
        let mut endpoint = endpoint(Side::Server, false);
        let payload: Vec<u8> = KEY.iter().copied().cycle().take(len).collect();
        give(&mut endpoint, &mut &to(Side::Server, BINARY, &payload)[..], usize::MAX);
        let first = endpoint.ready();
        assert!(first.is_some());
        assert_eq!(endpoint.ready(), first);
        assert_eq!(endpoint.poll(WriteSide::Ready).ok(), first.map(Action::Take));
        let ready = expect_ready(endpoint.poll_piece(WriteSide::Ready));
        assert_eq!(endpoint.message(ready).unwrap().unwrap().as_bytes(), payload);
        assert_eq!(endpoint.ready(), None);
    }
}
