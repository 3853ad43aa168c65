//! Endpoints that share their buffers, and messages that are written without a copy: the result is the same,
//! and an idle connection has no buffer.

use crate::{common, compressed};

use common::{counting, to, BINARY, BINARY_PART, END, MORE, PING, TEXT};
use compressed::expect_ready;
use proptest::prelude::*;
use sockless::endpoint::{Action, BufferPool, Buffers, Compressing, Endpoint, Fed, FeedError, WriteSide};
use sockless::message::OwnedMessage;
use sockless::{Config, Payload, Server, Side};

fn endpoint(buffers: Buffers) -> Endpoint<Server> {
    Endpoint::new(Server, Config::new(), buffers, &[])
}

/// One conversation: its remaining input, and its results.
struct Talk {
    endpoint: Endpoint<Server>,
    input: Vec<u8>,
    output: Vec<u8>,
    messages: Vec<OwnedMessage>,
}

impl Talk {
    fn new(buffers: Buffers, input: Vec<u8>) -> Self {
        Self { endpoint: endpoint(buffers), input, output: Vec::new(), messages: Vec::new() }
    }

    /// Reads once, at most `count` bytes, echoes what was received, and writes everything.
    fn turn(&mut self, count: usize) {
        let mut read = false;
        loop {
            match self.endpoint.poll(WriteSide::Ready).unwrap() {
                Action::Take(ready) => {
                    let (inbound, outbound) = self.endpoint.split_mut();
                    let message = inbound.message(ready).unwrap().unwrap();
                    outbound.feed(message).unwrap();
                    self.messages.push(message.into());
                }
                Action::Write => {
                    self.output.extend_from_slice(self.endpoint.output());
                    let count = self.endpoint.output().len();
                    self.endpoint.wrote(count);
                }
                Action::Read if read || self.input.is_empty() => return,
                Action::Read => {
                    let space = self.endpoint.space();
                    let count = count.min(space.len()).min(self.input.len());
                    space[..count].copy_from_slice(&self.input[..count]);
                    self.input.drain(..count);
                    self.endpoint.filled(count);
                    read = true;
                }
                Action::Yield => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Messages of one connection: size and shape.
fn traffic() -> impl Strategy<Value = Vec<u8>> {
    let size = prop_oneof![0_usize..20, 100_usize..150, 900_usize..1100, 4000_usize..9000];
    let one = (size, 0..4_u8, any::<u8>()).prop_map(|(size, shape, octet)| match shape {
        0 => to(Side::Server, BINARY, &vec![octet; size]),
        1 => to(Side::Server, TEXT, &vec![b'a' + octet % 26; size]),
        2 => {
            let mut bytes = to(Side::Server, BINARY_PART, &vec![octet; size]);
            bytes.extend(to(Side::Server, PING, &[octet; 5]));
            bytes.extend(to(Side::Server, MORE, &vec![octet ^ 1; size / 2]));
            bytes.extend(to(Side::Server, END, &vec![octet ^ 2; size / 3]));
            bytes
        }
        _ => to(Side::Server, PING, &[octet; 125][..size.min(125)]),
    });
    proptest::collection::vec(one, 1..8).prop_map(|frames| frames.concat())
}

proptest! {
    #[test]
    fn connections_that_share_buffers_behave_like_those_that_do_not(
        inputs in proptest::collection::vec(traffic(), 1..4),
        read in prop_oneof![Just(1_usize), Just(16), Just(1024), Just(4096)],
        turns in proptest::collection::vec((any::<prop::sample::Index>(), 1_usize..6000), 1..60),
    ) {
        let buffers = Buffers::DEFAULT.with_read(read);
        let new = || inputs.iter().map(|input| Talk::new(buffers, input.clone())).collect::<Vec<_>>();
        let (mut alone, mut sharing, mut spare) = (new(), new(), BufferPool::new());
        for (index, count) in turns {
            let index = index.index(inputs.len());
            alone[index].turn(count);
            sharing[index].endpoint.acquire(&mut spare);
            sharing[index].turn(count);
            sharing[index].endpoint.release(&mut spare);
        }
        // How much is read at once depends on the space. The result must not.
        for (alone, sharing) in alone.iter_mut().zip(&mut sharing) {
            while !alone.input.is_empty() {
                alone.turn(6000);
            }
            while !sharing.input.is_empty() {
                sharing.endpoint.acquire(&mut spare);
                sharing.turn(700);
                sharing.endpoint.release(&mut spare);
            }
            prop_assert_eq!(&alone.messages, &sharing.messages);
            prop_assert_eq!(&alone.output, &sharing.output);
        }
    }

    #[test]
    fn a_message_written_through_is_the_same_on_the_wire_however_much_the_transport_takes(
        size in prop_oneof![0_usize..200, 16_000_usize..20_000, 65_000_usize..70_000],
        before in 0_usize..300,
        taken in any::<prop::sample::Index>(),
    ) {
        let (payload, other) = (vec![7_u8; size], vec![1_u8; before]);
        let (mut copied, mut through) = (endpoint(Buffers::DEFAULT), endpoint(Buffers::DEFAULT));
        for endpoint in [&mut copied, &mut through] {
            endpoint.outbound().feed(Payload::binary(&other)).unwrap();
        }
        copied.outbound().feed(Payload::binary(&payload)).unwrap();
        let mut wire = Vec::new();
        let fed = through.outbound().feed_in_turns(Payload::binary(&payload), true, &mut Compressing::new(), |slices| {
            let all = slices.concat();
            let count = taken.index(all.len() + 1);
            wire.extend_from_slice(&all[..count]);
            count
        });
        prop_assert_eq!(fed, Ok(Fed::Queued));
        wire.extend_from_slice(through.output());
        prop_assert_eq!(&wire[..], copied.output());
    }
}

#[test]
fn a_message_written_through_is_refused_like_any_other() {
    let long = vec![0; 100_000];
    let through = |endpoint: &mut Endpoint<Server>| {
        let write = |_: [&[u8]; 2]| panic!("nothing may be written");
        endpoint.outbound().feed_in_turns(&long, true, &mut Compressing::new(), write).unwrap_err()
    };
    let mut full = endpoint(Buffers::DEFAULT.with_max_queued(10));
    full.outbound().feed("waits").unwrap();
    assert_eq!(through(&mut full), FeedError::Full { queued: 7, cap: 10 });
    let mut closing = endpoint(Buffers::DEFAULT);
    closing.outbound().close(sockless::CloseCode::NORMAL.into()).unwrap();
    assert_eq!(through(&mut closing), FeedError::Send(sockless::SendError::Closed));
    let mut part = endpoint(Buffers::DEFAULT);
    part.outbound().feed_fragment("part", false).unwrap();
    assert_eq!(through(&mut part), FeedError::Send(sockless::SendError::MessageInProgress));
}

#[test]
fn connections_that_wait_hold_no_buffer_and_little_of_what_is_incomplete() {
    let mut spare = BufferPool::new();
    let mut talks: Vec<Talk> = (0..100).map(|_| Talk::new(Buffers::DEFAULT, Vec::new())).collect();
    let frame = to(Side::Server, BINARY, &[3; 1000]);
    let (held, peak, ()) = counting::held(|| {
        for talk in &mut talks {
            talk.input = Vec::new();
            talk.endpoint.acquire(&mut spare);
            let space = talk.endpoint.space();
            space[..frame.len()].copy_from_slice(&frame);
            talk.endpoint.filled(frame.len());
            let ready = expect_ready(talk.endpoint.poll(WriteSide::Ready));
            let (inbound, outbound) = talk.endpoint.split_mut();
            let message = inbound.message(ready).unwrap().unwrap();
            outbound.feed(message).unwrap();
            let count = talk.endpoint.output().len();
            talk.endpoint.wrote(count);
            talk.endpoint.release(&mut spare);
        }
    });
    // One buffer to read into and one to write from, for all of them.
    assert!((65_536..70_000).contains(&held), "{held}");
    assert!(peak < 72_000, "{peak}");
    // Half a frame is kept as it is.
    let (held, _, ()) = counting::held(|| {
        for talk in &mut talks {
            talk.endpoint.acquire(&mut spare);
            talk.endpoint.space()[..500].copy_from_slice(&frame[..500]);
            talk.endpoint.filled(500);
            assert_eq!(talk.endpoint.poll(WriteSide::Ready).unwrap(), Action::Read);
            talk.endpoint.release(&mut spare);
        }
    });
    assert!((100 * 480..=100 * 500).contains(&held), "{held}");
    // And is completed later.
    for talk in &mut talks {
        talk.endpoint.acquire(&mut spare);
        talk.endpoint.space()[..508].copy_from_slice(&frame[500..]);
        talk.endpoint.filled(508);
        let ready = expect_ready(talk.endpoint.poll(WriteSide::Ready));
        assert_eq!(talk.endpoint.message(ready).unwrap().unwrap().as_bytes(), &[3; 1000]);
        talk.endpoint.release(&mut spare);
    }
}

#[test]
fn a_connection_that_is_woken_in_steady_state_allocates_nothing() {
    let mut spare = BufferPool::new();
    let mut talk = Talk::new(Buffers::DEFAULT, Vec::new());
    let frame = to(Side::Server, TEXT, b"steady").repeat(20);
    let mut wake = || {
        talk.endpoint.acquire(&mut spare);
        talk.endpoint.space()[..frame.len()].copy_from_slice(&frame);
        talk.endpoint.filled(frame.len());
        loop {
            match talk.endpoint.poll(WriteSide::Ready).unwrap() {
                Action::Take(ready) => {
                    let (inbound, outbound) = talk.endpoint.split_mut();
                    let message = inbound.message(ready).unwrap().unwrap();
                    outbound.feed(message).unwrap();
                }
                Action::Yield => {}
                _ => break,
            }
        }
        let count = talk.endpoint.output().len();
        assert_eq!(count, 20 * 8);
        talk.endpoint.wrote(count);
        talk.endpoint.release(&mut spare);
    };
    wake();
    assert_eq!(counting::allocations(|| (0..100).for_each(|_| wake())).0, 0);
}

/// In how many reads a message was received that is longer than a plain read.
fn receive_large(endpoint: &mut Endpoint<Server>, spare: &mut BufferPool, mut wire: &[u8]) -> usize {
    let mut reads = 0;
    loop {
        match endpoint.poll(WriteSide::Ready).unwrap() {
            Action::Read => {
                endpoint.acquire(spare);
                let space = endpoint.space();
                let count = space.len().min(wire.len());
                space[..count].copy_from_slice(&wire[..count]);
                wire = &wire[count..];
                endpoint.filled(count);
                reads += 1;
            }
            Action::Take(ready) => {
                assert!(endpoint.message(ready).unwrap().unwrap().as_bytes().len() > 60_000);
                assert!(wire.is_empty());
                assert_eq!(endpoint.poll(WriteSide::Ready).unwrap(), Action::Read);
                endpoint.release(spare);
                return reads;
            }
            Action::Yield => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn large_messages_in_steady_state_allocate_nothing_and_come_in_few_reads() {
    // Text is read at once, so that it is checked only once; binary data is read in blocks.
    for (opcode, len, most) in
        [(BINARY, 65_536, 1), (TEXT, 65_536, 1), (BINARY, 1 << 20, 2), (TEXT, 1 << 20, 1)]
    {
        let (mut endpoint, mut spare) = (endpoint(Buffers::DEFAULT), BufferPool::new());
        let wire = to(Side::Server, opcode, &vec![b'a'; len]);
        for _ in 0..3 {
            receive_large(&mut endpoint, &mut spare, &wire);
        }
        let (allocations, reads) = counting::allocations(|| receive_large(&mut endpoint, &mut spare, &wire));
        assert_eq!(allocations, 0, "{len}");
        assert!(reads <= most, "{reads} reads for {len}");
        // Many connections share one between them.
        let mut others: Vec<_> = (0..10).map(|_| self::endpoint(Buffers::DEFAULT)).collect();
        let (held, _, ()) = counting::held(|| {
            for other in &mut others {
                receive_large(other, &mut spare, &wire);
            }
        });
        assert_eq!(held, 0, "{len}");
    }
}

#[test]
fn after_a_large_message_little_of_the_next_is_held_in_little() {
    let mut spare = BufferPool::new();
    let wire = to(Side::Server, BINARY, &vec![7; 1 << 20]);
    let mut endpoints: Vec<_> = (0..20).map(|_| endpoint(Buffers::DEFAULT)).collect();
    for (len, most) in [(10, 16), (10_000, 10_000), (60_000, 65_536)] {
        for endpoint in &mut endpoints {
            receive_large(endpoint, &mut spare, &wire);
            receive_large(endpoint, &mut spare, &wire);
        }
        let (held, _, ()) = counting::held(|| {
            for endpoint in &mut endpoints {
                endpoint.acquire(&mut spare);
                endpoint.space()[..len].copy_from_slice(&wire[..len]);
                endpoint.filled(len);
                assert_eq!(endpoint.poll(WriteSide::Ready).unwrap(), Action::Read);
                endpoint.release(&mut spare);
            }
        });
        assert!(held <= 20 * most, "{held} for {len}");
        for endpoint in &mut endpoints {
            assert!(receive_large(endpoint, &mut spare, &wire[len..]) > 0);
        }
    }
}

#[test]
fn after_a_large_message_and_small_ones_a_read_is_a_plain_one_again() {
    let (mut endpoint, mut spare) = (endpoint(Buffers::DEFAULT), BufferPool::new());
    let (large, small) = (to(Side::Server, BINARY, &vec![7; 1 << 20]), to(Side::Server, BINARY, &[7; 100]));
    let wake = |endpoint: &mut Endpoint<Server>, spare: &mut BufferPool| {
        endpoint.acquire(spare);
        endpoint.space()[..small.len()].copy_from_slice(&small);
        endpoint.filled(small.len());
        let ready = expect_ready(endpoint.poll(WriteSide::Ready));
        assert_eq!(endpoint.message(ready).unwrap().unwrap().as_bytes(), [7; 100]);
        assert_eq!(endpoint.poll(WriteSide::Ready).unwrap(), Action::Read);
        // As an adapter that reads until nothing is there.
        assert!(endpoint.space().len() >= 64 << 10);
        endpoint.release(spare);
    };
    for _ in 0..3 {
        receive_large(&mut endpoint, &mut spare, &large);
        endpoint.acquire(&mut spare);
        assert!(endpoint.space().len() > 64 << 10);
        wake(&mut endpoint, &mut spare);
        wake(&mut endpoint, &mut spare);
        endpoint.acquire(&mut spare);
        assert_eq!(endpoint.space().len(), 64 << 10);
        endpoint.release(&mut spare);
    }
    let (allocations, ()) = counting::allocations(|| {
        for _ in 0..10 {
            receive_large(&mut endpoint, &mut spare, &large);
            wake(&mut endpoint, &mut spare);
            wake(&mut endpoint, &mut spare);
        }
    });
    assert_eq!(allocations, 0);
}
