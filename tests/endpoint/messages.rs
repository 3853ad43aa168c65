//! Memory of whole messages: no allocation once buffers have grown, and a limit that the peer cannot move.

use crate::common;

use common::{counting, to, Keys, BINARY, BINARY_PART, END, MORE, PING, TEXT};
use sockless::endpoint::{Action, Buffers, Endpoint, WriteSide};
use sockless::message::{Message, SliceAssembler};
use sockless::{Client, Config, Input, Limits, ProtocolError, Role, Server, Side};

/// Reads `bytes`, echoes every message, and writes everything. Returns how many messages were received.
fn echo<R: Role>(endpoint: &mut Endpoint<R>, bytes: &[u8]) -> usize {
    let (mut rest, mut messages) = (bytes, 0);
    loop {
        match endpoint.poll(WriteSide::Ready).unwrap() {
            Action::Take(ready) => {
                let (inbound, outbound) = endpoint.split_mut();
                let message = inbound.message(ready).unwrap().unwrap();
                outbound.feed(message).unwrap();
                messages += 1;
            }
            Action::Write => {
                let count = endpoint.output().len();
                endpoint.wrote(count);
            }
            Action::Read if rest.is_empty() => return messages,
            Action::Read => {
                let space = endpoint.space();
                let count = rest.len().min(space.len());
                space[..count].copy_from_slice(&rest[..count]);
                rest = &rest[count..];
                endpoint.filled(count);
            }
            Action::Yield => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Messages of many sizes that fit the read buffer, fragmented and not, with Pings between them.
fn traffic(side: Side) -> (Vec<u8>, usize) {
    let (mut bytes, mut messages) = (Vec::new(), 0);
    for size in [0, 1, 16, 125, 126, 1000, 4000] {
        bytes.extend(to(side, BINARY, &vec![7; size]));
        bytes.extend(to(side, TEXT, &vec![b'a'; size]));
        bytes.extend(to(side, BINARY_PART, &vec![1; size]));
        bytes.extend(to(side, PING, b"between"));
        bytes.extend(to(side, END, &vec![2; size]));
        messages += 3;
    }
    (bytes, messages)
}

#[test]
fn messages_that_fit_the_read_buffer_are_received_and_sent_without_allocating() {
    fn steady<R: Role>(mut endpoint: Endpoint<R>, side: Side) {
        let (bytes, messages) = traffic(side);
        assert_eq!(echo(&mut endpoint, &bytes), messages); // buffers come to their size
        let (allocations, count) =
            counting::allocations(|| (0..100).map(|_| echo(&mut endpoint, &bytes)).sum::<usize>());
        assert_eq!((allocations, count), (0, 100 * messages), "{side:?}");
    }
    steady(Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]), Side::Server);
    let client = Client::new(Keys(1));
    steady(Endpoint::new(client, Config::new(), Buffers::DEFAULT, &[]), Side::Client);
}

#[test]
fn a_flood_of_fragments_costs_no_more_memory_than_its_payload() {
    let limits = Limits::DEFAULT.with_max_fragments(u32::MAX);
    let config = Config::new().with_limits(limits);
    let buffers = Buffers::DEFAULT.with_read(1024);
    for payload in [&b"x"[..], b""] {
        let mut endpoint = Endpoint::new(Server, config, buffers, &[]);
        assert_eq!(echo(&mut endpoint, &to(Side::Server, BINARY_PART, payload)), 0);
        let frame = to(Side::Server, MORE, payload).repeat(1000);
        let (allocations, _) = counting::allocations(|| {
            for _ in 0..1000 {
                assert_eq!(echo(&mut endpoint, &frame), 0);
            }
        });
        // Doubling from 1 KiB to the megabyte of payload. No allocation without payload.
        assert!(allocations <= if payload.is_empty() { 0 } else { 12 }, "{allocations}");
        assert!(endpoint.space().len() <= 4 << 20);
    }
}

#[test]
fn an_idle_endpoint_gives_its_buffers_back() {
    let mut endpoint = Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]);
    let (bytes, messages) = traffic(Side::Server);
    assert_eq!(echo(&mut endpoint, &bytes), messages);
    endpoint.shrink();
    let (allocations, _) = counting::allocations(|| echo(&mut endpoint, &[]));
    assert_eq!(allocations, 0);
    // The next read makes a buffer again, and nothing was lost.
    assert_eq!(echo(&mut endpoint, &bytes), messages);
}

#[test]
fn without_an_allocator_messages_are_joined_in_the_caller_s_storage() {
    let mut storage = [0; 16];
    let mut assembler = SliceAssembler::new(&mut storage);
    let mut conn = common::connection(Side::Server, Config::new());
    let frames: [(u8, &[u8]); 6] = [
        (TEXT, b"whole, and longer than the storage"),
        (0x01, b"two "),
        (END, "p\u{EF}eces".as_bytes()),
        (BINARY_PART, &[1; 10]),
        (MORE, &[2; 6]),
        (END, &[]),
    ];
    let mut bytes = common::all_to(Side::Server, &frames);
    let (allocations, seen) = counting::allocations(|| {
        let mut input = Input::new(&mut bytes);
        let mut seen = 0;
        while let Some(event) = conn.recv(&mut input).unwrap() {
            let sockless::Event::Data(data) = event else { panic!() };
            match assembler.push(data).unwrap() {
                None => {}
                Some(Message::Text("whole, and longer than the storage")) => seen |= 1,
                Some(Message::Text("two p\u{EF}eces")) => seen |= 2,
                Some(Message::Binary([1, .., 2])) => seen |= 4,
                Some(other) => panic!("{other:?}"),
            }
        }
        seen
    });
    assert_eq!((allocations, seen), (0, 7));
    // One octet more than fits the storage.
    let mut bytes = common::all_to(Side::Server, &[(BINARY_PART, &[1; 10]), (END, &[2; 7])]);
    let mut input = Input::new(&mut bytes);
    let mut results = Vec::new();
    while let Some(sockless::Event::Data(data)) = conn.recv(&mut input).unwrap() {
        results.push(assembler.push(data).map(|message| message.is_some()));
    }
    assert_eq!(results, [Ok(false), Err(ProtocolError::MessageTooBig)]);
}
