//! What an endpoint makes of reads: however little of a message they bring, it tells the same after each of
//! them as a connection that looks at every octet; and they end where little has to be moved.

use crate::common;

use std::time::Duration;

use common::*;
use proptest::prelude::*;
use proptest::sample::Index;
use sockless::endpoint::{Action, BufferPool, Buffers, Endpoint, Ready, WriteSide};
use sockless::message::OwnedMessage;
use sockless::{
    AnyRole, Config, Limits, MessageKind, ProtocolError, Server, Side, Timeout, Timeouts, Timestamp, Wake,
};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_duration(Duration::from_secs(seconds))
}

fn stalls_after(seconds: u64) -> Config {
    let mut timeouts = Timeouts::NONE;
    timeouts.stalled_fragment = Some(Duration::from_secs(seconds));
    Config::new().with_timeouts(timeouts)
}

fn endpoint(side: Side, config: Config, read: usize) -> Endpoint<AnyRole<Keys>> {
    let role = match side {
        Side::Server => AnyRole::Server,
        Side::Client => AnyRole::Client(Keys(1)),
    };
    Endpoint::new(role, config, Buffers::DEFAULT.with_read(read), &[])
}

/// An endpoint, and what it reported.
struct Talk {
    endpoint: Endpoint<AnyRole<Keys>>,
    messages: Vec<OwnedMessage>,
    /// What was taken of a message in pieces.
    taken: Option<(MessageKind, Vec<u8>)>,
    failure: Option<ProtocolError>,
    closed: bool,
}

impl Talk {
    fn new(endpoint: Endpoint<AnyRole<Keys>>) -> Self {
        Self { endpoint, messages: Vec::new(), taken: None, failure: None, closed: false }
    }

    /// Reads `bytes`, and takes what is ready: in pieces, or as whole messages if none was begun in pieces.
    fn receive(&mut self, mut bytes: &[u8], pieces: bool, mut spare: Option<&mut BufferPool>) {
        while !self.closed {
            let pieces = pieces || self.taken.is_some();
            let action = if pieces {
                self.endpoint.poll_piece(WriteSide::Ready)
            } else {
                self.endpoint.poll(WriteSide::Ready)
            };
            match action {
                Ok(Action::Take(ready)) if pieces => self.take_piece(ready),
                Ok(Action::Take(ready)) => match self.endpoint.message(ready) {
                    Ok(message) => self.messages.push(message.unwrap().into()),
                    Err(error) => self.fail(error),
                },
                Ok(Action::Write) => {
                    let len = self.endpoint.output().len();
                    self.endpoint.wrote(len);
                }
                Ok(Action::ShutdownWrite) => self.endpoint.write_ended(),
                Ok(Action::Yield) => {}
                Ok(Action::Read) if bytes.is_empty() => break,
                Ok(Action::Read) => {
                    if let Some(spare) = &mut spare {
                        self.endpoint.acquire(spare);
                    }
                    let space = self.endpoint.space();
                    assert!(!space.is_empty());
                    let (now, later) = bytes.split_at(bytes.len().min(space.len()));
                    space[..now.len()].copy_from_slice(now);
                    self.endpoint.filled(now.len());
                    bytes = later;
                }
                Ok(Action::Close) => self.closed = true,
                Err(error) => self.fail(error),
            }
        }
        if let Some(spare) = spare {
            self.endpoint.release(spare);
        }
    }

    fn take_piece(&mut self, ready: Ready) {
        match self.endpoint.piece(ready) {
            Ok(piece) => {
                let piece = piece.unwrap();
                let (_, octets) = self.taken.get_or_insert_with(|| (piece.kind(), Vec::new()));
                octets.extend_from_slice(piece.as_bytes());
                if piece.is_last() {
                    self.messages.extend(self.taken.take().map(whole));
                }
            }
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: ProtocolError) {
        assert_eq!(self.failure.replace(error), None, "a failure is told once");
    }
}

fn whole((kind, octets): (MessageKind, Vec<u8>)) -> OwnedMessage {
    match kind {
        MessageKind::Text => String::from_utf8(octets).unwrap().as_str().into(),
        MessageKind::Binary => octets.into(),
    }
}

/// Moves the whole messages among the data of `seen` to `messages`.
fn collect(seen: &mut Vec<Seen>, messages: &mut Vec<OwnedMessage>) {
    seen.retain(|seen| matches!(seen, Seen::Data { .. }));
    for one in joined(core::mem::take(seen)) {
        match one {
            Seen::Data { kind, last: true, octets, .. } => messages.push(whole((kind, octets))),
            part => seen.push(part),
        }
    }
}

/// Gives the same to an endpoint and to a connection, and compares them after each read.
fn assert_alike(
    mut talk: Talk,
    mut conn: Conn,
    bytes: &[u8],
    reads: &[(usize, bool)],
    mut spare: Option<BufferPool>,
) -> Result<(), TestCaseError> {
    let (mut seen, mut messages, mut rest) = (Vec::new(), Vec::new(), bytes);
    for (second, (count, pieces)) in (1..).zip(reads.iter().cycle()) {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at((*count).min(rest.len()));
        rest = later;
        talk.receive(now, *pieces, spare.as_mut());
        seen.extend(feed(&mut conn, now));
        transmit(&mut conn);
        let failure = conn.reader().failure();
        prop_assert_eq!(talk.failure, failure);
        collect(&mut seen, &mut messages);
        prop_assert_eq!(talk.messages.len(), messages.len());
        prop_assert_eq!(talk.messages.last(), messages.last());
        prop_assert_eq!(talk.endpoint.close_reason(), conn.reader().close_reason());
        prop_assert_eq!(talk.endpoint.ready_state(), conn.ready_state());
        if failure.is_some() || conn.reader().received_close().is_some() {
            continue;
        }
        prop_assert_eq!(talk.endpoint.handle_timeout(at(second)), ());
        prop_assert_eq!(conn.handle_timeout(at(second)), Ok(()));
        prop_assert_eq!(talk.endpoint.poll_timeout(), conn.poll_timeout());
    }
    prop_assert_eq!(talk.messages, messages);
    Ok(())
}

/// Frames of all lengths that a buffer of a few thousand octets treats differently.
fn frames(side: Side) -> impl Strategy<Value = Vec<u8>> {
    let size = prop_oneof![0_usize..20, 120_usize..130, 300_usize..1100, 1000_usize..5000];
    let one = (size, 0..9_u8, any::<u8>()).prop_map(move |(size, shape, octet)| match shape {
        0..=2 => to(side, BINARY, &vec![octet; size]),
        3 => to(side, TEXT, &vec![b'a' + octet % 26; size]),
        4 => to(side, TEXT, "é€😀".repeat(size / 9).as_bytes()),
        5 => [to(side, BINARY_PART, &vec![octet; size]), to(side, END, &vec![1; size / 3])].concat(),
        6 => all_to(side, &[(TEXT_PART, "ż".as_bytes()), (PING, b"?"), (MORE, b""), (END, b"!")]),
        7 => to(side, PING, &[octet; 125][..size.min(125)]),
        _ => to(side, BINARY, &vec![octet; 1000 + usize::from(octet)]).repeat(6),
    });
    prop::collection::vec(one, 1..8).prop_map(|frames| frames.concat())
}

fn reads() -> impl Strategy<Value = Vec<(usize, bool)>> {
    let count = prop_oneof![2 => 1_usize..4, 2 => 1_usize..40, 2 => 1_usize..5000, 1 => Just(1_usize)];
    prop::collection::vec((count, prop::bool::weighted(0.2)), 1..12)
}

fn limits() -> impl Strategy<Value = Limits> {
    let tight = (0_u64..300, 0_u64..400, any::<[bool; 2]>()).prop_map(|(frame, message, [text, binary])| {
        let mut limits = Limits::DEFAULT.with_max_frame_size(frame).with_max_message_size(message);
        (limits.accept_text, limits.accept_binary) = (text, binary);
        limits
    });
    prop_oneof![4 => Just(Limits::DEFAULT), 1 => tight]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn after_each_read_an_endpoint_knows_as_much_as_a_connection(
        (side, mut bytes) in prop_oneof![Just(Side::Server), Just(Side::Client)]
            .prop_flat_map(|side| (Just(side), frames(side))),
        change in prop::option::weighted(0.6, (any::<Index>(), any::<u8>(), any::<bool>())),
        reads in reads(),
        read in prop_oneof![1_usize..200, Just(1024_usize), Just(4096), Just(1 << 16)],
        limits in limits(),
        shares in any::<bool>(),
    ) {
        if let Some((place, octet, near)) = change {
            // Headers stand near the front.
            let place = place.index(if near { bytes.len().min(16) } else { bytes.len() });
            bytes[place] ^= octet;
        }
        let config = stalls_after(5).with_limits(limits);
        let talk = Talk::new(endpoint(side, config, read));
        assert_alike(talk, connection(side, config), &bytes, &reads, shares.then(BufferPool::new))?;
    }
}

#[test]
fn each_read_of_a_large_frame_that_is_taken_in_pieces_is_a_sign_of_life() {
    let wire = to(Side::Server, BINARY, &[7; 1000]);
    let mut talk = Talk::new(endpoint(Side::Server, stalls_after(5), 4096));
    for (second, bytes) in (0..).step_by(4).zip(wire.chunks(10)) {
        talk.receive(bytes, true, None);
        talk.endpoint.handle_timeout(at(second));
        assert_eq!(talk.endpoint.poll_timeout(), Wake::At(at(second + 5)));
        if talk.taken.as_ref().is_some_and(|(_, octets)| octets.len() > 900) {
            return;
        }
    }
    panic!("it came in pieces");
}

#[test]
fn a_short_message_that_was_begun_must_go_on_wherever_it_stopped() {
    for side in BOTH {
        for len in [0, 5, 125, 126, 3000] {
            let wire = to(side, BINARY, &vec![7; len]);
            for cut in 1..wire.len() {
                let mut talk = Talk::new(endpoint(side, stalls_after(5), 4096));
                talk.endpoint.handle_timeout(at(0));
                assert_eq!(talk.endpoint.poll_timeout(), Wake::Never);
                talk.receive(&wire[..cut], false, None);
                talk.endpoint.handle_timeout(at(10));
                assert_eq!(talk.endpoint.poll_timeout(), Wake::At(at(15)));
                // Asking again is no sign of life.
                talk.receive(&[], false, None);
                talk.endpoint.handle_timeout(at(14));
                assert_eq!(talk.endpoint.poll_timeout(), Wake::At(at(15)));
                assert!(talk.endpoint.park().is_none());
                // Its rest comes too late, and is swallowed.
                talk.endpoint.handle_timeout(at(15));
                talk.receive(&wire[cut..], false, None);
                let error = ProtocolError::TimedOut(Timeout::StalledFragment);
                assert_eq!((talk.failure, talk.messages.len()), (Some(error), 0));
            }
        }
    }
}

#[test]
fn the_end_of_the_stream_amid_a_short_message_is_told_and_leaves_nothing_behind() {
    let wire = to(Side::Server, BINARY, b"Hello");
    for cut in 1..wire.len() {
        let mut talk = Talk::new(endpoint(Side::Server, Config::new(), 64 << 10));
        talk.receive(&wire[..cut], false, None);
        let (held, _, ()) = counting::held(|| {
            talk.endpoint.eof();
            talk.receive(&[], false, None);
            talk.endpoint.shrink();
        });
        assert_eq!((talk.failure, talk.closed), (Some(ProtocolError::UnexpectedEof), true));
        assert!(held <= -(64 << 10), "{held} for {cut}");
    }
}

#[test]
fn what_little_came_of_a_message_keeps_no_buffer() {
    let wire = to(Side::Server, BINARY, b"Hello");
    let mut talk = Talk::new(endpoint(Side::Server, Config::new(), 64 << 10));
    talk.receive(&wire[..7], false, None);
    let (held, _, ()) = counting::held(|| talk.endpoint.shrink());
    assert_eq!(held, 7 - (64 << 10));
    talk.receive(&wire[7..], false, None);
    assert_eq!(talk.messages, [OwnedMessage::from(b"Hello".to_vec())]);
}

#[test]
fn messages_of_one_length_are_not_moved_and_need_no_other_buffer() {
    // None of them divides a read.
    for len in [5_000_usize, 16_384, 20_000, 30_000, 40_000, 60_000] {
        for (opcode, before) in [(BINARY, 0), (TEXT, 0), (BINARY, 2_000), (TEXT, 300)] {
            let mut endpoint = Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]);
            let frame = to(Side::Server, opcode, &vec![b'a'; len]);
            let first = to(Side::Server, BINARY, &vec![b'a'; before]);
            let wire = [&first[..], &frame.repeat(40)].concat();
            let (mut read, mut place, mut moved, mut count) = (0, 0, 0, 0);
            let (allocations, ()) = counting::allocations(|| loop {
                match endpoint.poll(WriteSide::Ready).unwrap() {
                    Action::Read => {
                        let space = endpoint.space();
                        let now = space.len().min(wire.len() - read);
                        if now == 0 {
                            break;
                        }
                        assert!(read == 0 || now == wire.len() - read || now + len > 48 << 10, "{now}");
                        space[..now].copy_from_slice(&wire[read..read + now]);
                        place = space.as_ptr() as usize + now;
                        read += now;
                        endpoint.filled(now);
                    }
                    Action::Take(ready) => {
                        let message = endpoint.message(ready).unwrap().unwrap();
                        let octets = message.as_bytes().as_ptr_range();
                        let end = first.len() + count * frame.len();
                        moved += usize::from(octets.end as usize + read != place + end);
                        count += 1;
                    }
                    other => panic!("{other:?}"),
                }
            });
            assert_eq!(count, 41, "{len}");
            assert!(moved <= 1, "{moved} of {len} after {before}");
            assert!(allocations <= 1, "{allocations} for {len} after {before}");
        }
    }
}

#[test]
fn reads_are_as_large_as_the_buffer_again_after_short_messages() {
    let mut talk = Talk::new(endpoint(Side::Server, Config::new(), 64 << 10));
    let large = to(Side::Server, BINARY, &vec![7; 40_000]);
    talk.receive(&large.repeat(3), false, None);
    assert_eq!(talk.endpoint.space().len(), large.len() + 1);
    let short = to(Side::Server, BINARY, &[7; 100]);
    talk.receive(&short.repeat(3)[..250], false, None);
    assert_eq!(talk.messages.len(), 5);
    talk.receive(&short.repeat(3)[250..], false, None);
    assert_eq!(talk.endpoint.space().len(), 64 << 10);
}
