//! The endpoint with its buffers, driven without a transport: bytes in, actions and bytes out.

use std::cell::Cell;
use std::rc::Rc;

use super::compressed::expect_ready;
use sockless::endpoint::{Action, BufferPool, Buffers, Compressing, Endpoint, Fed, FeedError, WriteSide};
use sockless::frame::MessageKind;
use sockless::message::{Message, OwnedMessage, Prepared};
use sockless::{
    AnyRole, Client, CloseCode, Config, ControlPayload, Entropy, EntropyError, Limits, Payload,
    ProtocolError, ReadyState, Role, SendError, Server, Writer,
};

type Key = fn(&mut [u8]) -> Result<(), EntropyError>;

fn client_writer() -> Writer<Client<Key>> {
    Writer::new(Client::new(|dest: &mut [u8]| {
        dest.fill(0x5A);
        Ok(())
    }))
}

/// The bytes of a client's frames: one message in fragments of at most `size` octets.
fn masked(payload: Payload<'_>, size: usize) -> Vec<u8> {
    let mut writer = client_writer();
    let mut out = Vec::new();
    let octets = payload.as_bytes();
    let mut pieces = octets.chunks(size.max(1)).peekable();
    if pieces.peek().is_none() {
        out.resize(6, 0);
        writer.encode(payload, true, &mut out).unwrap();
    }
    while let Some(piece) = pieces.next() {
        let fin = pieces.peek().is_none();
        let header = writer.begin(payload.kind(), fin, piece.len() as u64).unwrap();
        out.extend_from_slice(header.as_ref());
        let at = out.len();
        out.extend_from_slice(piece);
        writer.mask(&mut out[at..]).unwrap();
    }
    out
}

fn endpoint(buffers: Buffers) -> Endpoint<Server> {
    Endpoint::new(Server, Config::new(), buffers, &[])
}

/// Reads `bytes` in chunks of at most `chunk`, collecting messages.
fn feed(endpoint: &mut Endpoint<Server>, bytes: &[u8], chunk: usize) -> Vec<OwnedMessage> {
    let mut messages = Vec::new();
    let mut rest = bytes;
    loop {
        match endpoint.poll(WriteSide::Blocked).unwrap() {
            Action::Take(ready) => messages.push(endpoint.message(ready).unwrap().unwrap().into()),
            Action::Read if rest.is_empty() => return messages,
            Action::Read => {
                let space = endpoint.space();
                let count = rest.len().min(chunk).min(space.len());
                space[..count].copy_from_slice(&rest[..count]);
                rest = &rest[count..];
                endpoint.filled(count);
            }
            Action::Yield => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn messages_are_the_same_however_they_are_cut() {
    let text: String = "za\u{17C}\u{F3}\u{142}\u{107} \u{1F600} ".repeat(40);
    let binary: Vec<u8> = (0..=255).cycle().take(3000).collect();
    let want = [
        OwnedMessage::from(text.as_str()),
        OwnedMessage::from(binary.clone()),
        OwnedMessage::from(""),
        OwnedMessage::from(Vec::new()),
    ];
    for fragment in [1, 2, 7, 100, 10_000] {
        let mut bytes = masked(Payload::text(&text), fragment);
        bytes.extend(masked(Payload::binary(&binary), fragment));
        bytes.extend(masked(Payload::text(""), fragment));
        bytes.extend(masked(Payload::binary(&[]), fragment));
        for chunk in [1, 3, 64, 100_000] {
            for read in [1, 16, 4096, 1 << 16] {
                let mut endpoint = endpoint(Buffers::DEFAULT.with_read(read));
                let got = feed(&mut endpoint, &bytes, chunk);
                assert_eq!(got, want, "fragment {fragment} chunk {chunk} read {read}");
            }
        }
    }
}

#[test]
fn a_message_that_came_whole_is_lent_out_of_the_read_buffer() {
    let mut endpoint = endpoint(Buffers::DEFAULT);
    let bytes = masked(Payload::text("Hello"), 100);
    assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Read));
    let space = endpoint.space();
    space[..bytes.len()].copy_from_slice(&bytes);
    let place = space.as_ptr() as usize + bytes.len() - 5;
    endpoint.filled(bytes.len());
    let ready = expect_ready(endpoint.poll(WriteSide::Ready));
    let Some(Message::Text(text)) = endpoint.message(ready).unwrap() else { panic!() };
    assert_eq!((text, text.as_ptr() as usize), ("Hello", place));
}

#[test]
fn pieces_come_in_constant_memory_and_the_rest_is_passed_over() {
    let mut endpoint = endpoint(Buffers::DEFAULT.with_read(64));
    let mut bytes = masked(Payload::binary(&[7; 100_000]), 30_000);
    bytes.extend(masked(Payload::text("next"), 10));
    let mut rest = &bytes[..];
    let (mut octets, mut largest) = (0, 0);
    while octets < 50_000 {
        match endpoint.poll_piece(WriteSide::Ready).unwrap() {
            Action::Take(ready) => {
                let piece = endpoint.piece(ready).unwrap().unwrap();
                assert_eq!(piece.is_first(), octets == 0);
                octets += piece.as_bytes().len();
            }
            Action::Read => {
                let space = endpoint.space();
                largest = largest.max(space.len());
                let count = rest.len().min(space.len());
                space[..count].copy_from_slice(&rest[..count]);
                rest = &rest[count..];
                endpoint.filled(count);
            }
            Action::Yield => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(largest <= 64);
    assert_eq!(feed(&mut endpoint, rest, 1000), [OwnedMessage::from("next")]);
}

#[test]
fn a_message_that_was_joined_in_part_can_go_on_in_pieces_and_spoils_no_other() {
    let mut endpoint = endpoint(Buffers::DEFAULT);
    let bytes = masked(Payload::text("one two three"), 4);
    // Half of it was received and joined, then the user wants pieces.
    assert!(feed(&mut endpoint, &bytes[..20], 100).is_empty());
    let mut got = Vec::new();
    let mut rest = &bytes[20..];
    loop {
        match endpoint.poll_piece(WriteSide::Ready).unwrap() {
            Action::Take(ready) => {
                let piece = endpoint.piece(ready).unwrap().unwrap();
                assert_eq!((piece.kind(), piece.is_first()), (MessageKind::Text, got.is_empty()));
                got.extend_from_slice(piece.as_bytes());
                if piece.is_last() {
                    break;
                }
            }
            Action::Read => {
                let count = rest.len().min(3);
                endpoint.space()[..count].copy_from_slice(&rest[..count]);
                rest = &rest[count..];
                endpoint.filled(count);
            }
            Action::Yield => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(got, b"one two three");
    let next = masked(Payload::text("whole"), 2);
    assert_eq!(feed(&mut endpoint, &next, 100), [OwnedMessage::from("whole")]);
}

#[test]
fn what_was_announced_one_way_can_be_taken_the_other() {
    let mut bytes = masked(Payload::text("one two"), 3);
    bytes.extend(masked(Payload::text("whole"), 100));
    let mut endpoint = endpoint(Buffers::DEFAULT);
    endpoint.space()[..bytes.len()].copy_from_slice(&bytes);
    endpoint.filled(bytes.len());
    // Joined, and taken as one piece.
    expect_ready(endpoint.poll(WriteSide::Ready));
    let ready = expect_ready(endpoint.poll_piece(WriteSide::Ready));
    let piece = endpoint.piece(ready).unwrap().unwrap();
    assert_eq!((piece.as_bytes(), piece.is_first(), piece.is_last()), (&b"one two"[..], true, true));
    // Announced as a piece, and taken whole.
    expect_ready(endpoint.poll_piece(WriteSide::Ready));
    let ready = expect_ready(endpoint.poll(WriteSide::Ready));
    assert_eq!(endpoint.message(ready).unwrap(), Some(Message::Text("whole")));
    assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Read));
}

#[test]
fn what_was_announced_stays_the_same_until_it_is_taken() {
    let lengths = [0, 1, 3, 4, 7, 8, 16, 17, 32, 33, 64, 65, 125, 126, 128, 129, 1000, 9000];
    for len in lengths {
        let octets: Vec<u8> = (b'a'..=b'z').cycle().take(len).collect();
        let text = core::str::from_utf8(&octets).unwrap();
        for (payload, message) in
            [(Payload::text(text), Message::Text(text)), (Payload::binary(&octets), Message::Binary(&octets))]
        {
            let mut bytes = masked(payload, 10_000);
            bytes.extend(masked(Payload::text("next"), 100));
            let (mut spare, mut endpoint) = (BufferPool::new(), endpoint(Buffers::DEFAULT));
            endpoint.acquire(&mut spare);
            endpoint.space()[..bytes.len()].copy_from_slice(&bytes);
            endpoint.filled(bytes.len());
            let before = expect_ready(endpoint.poll(WriteSide::Ready));
            // Asked for again, either way, and moved to storage of its own and back.
            let piece = expect_ready(endpoint.poll_piece(WriteSide::Ready));
            assert_eq!(expect_ready(endpoint.poll(WriteSide::Blocked)), before);
            endpoint.release(&mut spare);
            assert_eq!(endpoint.park(), None);
            endpoint.acquire(&mut spare);
            assert!(!endpoint.space().is_empty());
            let ready = expect_ready(endpoint.poll(WriteSide::Ready));
            assert_eq!(endpoint.message(ready).unwrap(), Some(message));
            assert_eq!(endpoint.message(before).unwrap(), None, "it was taken");
            assert_eq!(endpoint.piece(piece).unwrap(), None, "it was taken");
            let before = expect_ready(endpoint.poll(WriteSide::Ready));
            let ready = expect_ready(endpoint.poll_piece(WriteSide::Ready));
            let piece = endpoint.piece(ready).unwrap().unwrap();
            assert_eq!((piece.as_str(), piece.is_first(), piece.is_last()), (Some("next"), true, true));
            assert_eq!(endpoint.piece(before).unwrap(), None, "it was taken");
        }
    }
}

#[test]
fn everything_one_read_brought_is_answered_before_anything_is_written() {
    let mut endpoint = endpoint(Buffers::DEFAULT);
    let mut bytes = Vec::new();
    for _ in 0..10 {
        bytes.extend(masked(Payload::text("ping"), 10));
    }
    endpoint.space()[..bytes.len()].copy_from_slice(&bytes);
    endpoint.filled(bytes.len());
    for _ in 0..10 {
        let ready = expect_ready(endpoint.poll(WriteSide::Ready));
        let (inbound, outbound) = endpoint.split_mut();
        let message = inbound.message(ready).unwrap().unwrap();
        outbound.feed(message).unwrap();
    }
    assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Write));
    assert_eq!(endpoint.output(), b"\x81\x04ping".repeat(10));
    let count = endpoint.output().len();
    endpoint.wrote(count);
    assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Read));
}

#[test]
fn req_t_lim_3_a_full_queue_refuses_messages_and_loses_neither_pong_nor_close() {
    let mut endpoint = endpoint(Buffers::DEFAULT.with_max_queued(1000));
    let outbound = endpoint.outbound();
    for _ in 0..9 {
        outbound.feed([1; 100]).unwrap();
    }
    let queued = outbound.queued();
    let full = Err(FeedError::Full { queued, cap: 1000 });
    assert_eq!(outbound.feed([2; 100]), full);
    assert_eq!(outbound.feed(OwnedMessage::from(vec![3; 100])), full);
    assert_eq!(outbound.feed_fragment([4; 100], false), full);
    assert_eq!(outbound.feed_prepared(&Prepared::new([5; 100])), Err(FeedError::Full { queued, cap: 1000 }));
    // Pings are answered from their slot once there is room; a Close always finds room.
    let ping = {
        let mut out = [0; 64];
        let mut writer = client_writer();
        let len = writer.ping(ControlPayload::new(b"late").unwrap(), &mut out).unwrap();
        out[..len].to_vec()
    };
    for _ in 0..1000 {
        assert!(feed(&mut endpoint, &ping, 100).is_empty());
    }
    assert!(endpoint.output().len() < 1000 + 131);
    endpoint.outbound().close(CloseCode::GOING_AWAY.into()).unwrap();
    let output = endpoint.output().to_vec();
    assert!(output.ends_with(b"\x88\x02\x03\xE9"));
    // Pongs have filled the queue. The newest waits in its slot until there is room.
    let pongs = |bytes: &[u8]| bytes.windows(6).filter(|w| w == b"\x8A\x04late").count();
    assert!(pongs(&output) >= 1);
    assert_eq!(endpoint.outbound().feed([0]).unwrap_err(), FeedError::Send(SendError::Closed));
}

#[test]
fn messages_of_all_lengths_are_queued_as_the_writer_encodes_them() {
    assert_queued_as_encoded(|| Server);
    assert_queued_as_encoded(|| Client::new(keys()));
    assert_queued_as_encoded(|| AnyRole::Client(keys()));
}

/// Keys of which no two in a row are the same.
fn keys() -> impl Entropy {
    let mut last = 0_u8;
    move |dest: &mut [u8]| {
        for octet in dest {
            last = last.wrapping_mul(5).wrapping_add(77);
            *octet = last;
        }
        Ok(())
    }
}

/// Queues messages of many lengths, and some that are not whole.
fn assert_queued_as_encoded<R: Role>(role: impl Fn() -> R) {
    let octets: Vec<u8> = (0..=255).cycle().take(65_600).collect();
    let buffers = Buffers::DEFAULT.with_max_queued(1 << 30);
    let mut endpoint = Endpoint::new(role(), Config::new(), buffers, &[]);
    let (mut writer, mut want) = (Writer::new(role()), Vec::new());
    let mut encode = |payload: Payload<'_>, fin| {
        let at = want.len();
        want.resize(at + writer.encoded_len(payload.as_bytes().len()), 0);
        writer.encode(payload, fin, &mut want[at..]).unwrap();
        want.clone()
    };
    for len in (0..=300).chain([1000, 65_535, 65_536, 65_600]) {
        let payload = Payload::binary(&octets[..len]);
        endpoint.outbound().feed(payload).unwrap();
        assert!(endpoint.output() == encode(payload, true), "{len} octets");
        assert_eq!(
            endpoint.outbound().feed_in_turns(payload, true, &mut Compressing::new(), |_| 0),
            Ok(Fed::Queued)
        );
        assert!(endpoint.output() == encode(payload, true), "{len} octets");
    }
    // What ends a message is no message, however short.
    endpoint.outbound().feed_fragment("a", false).unwrap();
    assert!(endpoint.output() == encode("a".into(), false));
    assert_eq!(endpoint.outbound().feed(b"b").unwrap_err(), FeedError::Send(SendError::MessageInProgress));
    for message in ["b", "c"] {
        endpoint.outbound().feed(message).unwrap();
        assert!(endpoint.output() == encode(message.into(), true), "{message}");
    }
}

#[test]
fn without_a_key_no_message_is_queued_and_no_other_key_is_asked_for() {
    let (works, draws) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0)));
    let entropy = {
        let (works, draws) = (works.clone(), draws.clone());
        move |dest: &mut [u8]| {
            dest.fill(0x5A);
            draws.set(draws.get() + 1);
            works.get().then_some(()).ok_or(EntropyError)
        }
    };
    let mut endpoint = Endpoint::new(Client::new(entropy), Config::new(), Buffers::DEFAULT, &[]);
    let mut want = Vec::new();
    // The first makes the room that the second finds.
    for message in ["first", "second", "third"] {
        works.set(false);
        let refused = endpoint.outbound().feed(message).unwrap_err();
        assert_eq!(refused, FeedError::Send(SendError::Entropy(EntropyError)));
        assert_eq!((draws.take(), endpoint.output()), (1, &*want));
        works.set(true);
        endpoint.outbound().feed(message).unwrap();
        want.extend(masked(message.into(), 10));
        assert_eq!((draws.take(), endpoint.output()), (1, &*want));
    }
}

#[test]
fn the_cap_is_met_to_the_byte() {
    assert_cap_is_met(|| Server, 0);
    assert_cap_is_met(|| Client::new(keys()), 4);
}

/// Fills the queue of a role whose frames have a key of this length.
fn assert_cap_is_met<R: Role>(role: impl Fn() -> R, key: usize) {
    let octets = [0; 500];
    for len in [0, 10, 46, 125, 126, 300] {
        let buffers = Buffers::DEFAULT.with_max_queued(500);
        let mut endpoint = Endpoint::new(role(), Config::new(), buffers, &[]);
        let outbound = endpoint.outbound();
        let header = key + if len > 125 { 4 } else { 2 };
        outbound.feed(&octets[..500 - key - 4 - header - len]).unwrap();
        let refused = outbound.feed(&octets[..=len]).unwrap_err();
        assert_eq!(refused, FeedError::Full { queued: 500 - header - len, cap: 500 });
        outbound.feed(&octets[..len]).unwrap();
        assert_eq!(outbound.queued(), 500);
    }
}

#[test]
fn what_is_written_in_any_parts_is_not_there_again() {
    for part in [1, 2, 7, 100, 1000, 70_000, usize::MAX] {
        let mut endpoint = endpoint(Buffers::DEFAULT.with_max_queued(1 << 20));
        let (mut sent, mut want) = (Vec::new(), Vec::new());
        for n in 0..300_u16 {
            let octets = [n as u8; 701];
            endpoint.outbound().feed(&octets[..usize::from(n * 7 % 701)]).unwrap();
            want.extend(framed(&octets[..usize::from(n * 7 % 701)]));
            let output = endpoint.output();
            let count = output.len().min(part);
            sent.extend_from_slice(&output[..count]);
            endpoint.wrote(part);
            assert_eq!(endpoint.outbound().queued(), want.len() - sent.len());
        }
        sent.extend_from_slice(endpoint.output());
        assert!(sent == want, "parts of {part}");
    }
}

/// A server's frame: one binary message.
fn framed(octets: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new(Server);
    let frame = writer.frame(Payload::binary(octets), true).unwrap();
    frame.as_slices().concat()
}

#[test]
fn every_ping_of_one_read_is_answered_in_order() {
    let mut endpoint = endpoint(Buffers::DEFAULT);
    let (mut pings, mut pongs) = (Vec::new(), Vec::new());
    for n in 0..10 {
        let mut out = [0; 64];
        let len = client_writer().ping(ControlPayload::new(&[n]).unwrap(), &mut out).unwrap();
        pings.extend_from_slice(&out[..len]);
        pongs.extend_from_slice(&[0x8A, 1, n]);
    }
    assert!(feed(&mut endpoint, &pings, 1000).is_empty());
    assert_eq!(endpoint.output(), pongs);
}

#[test]
fn a_message_larger_than_the_cap_is_taken_while_none_wait() {
    let mut endpoint = endpoint(Buffers::DEFAULT.with_max_queued(10));
    endpoint.outbound().feed([0; 100]).unwrap();
    assert!(endpoint.outbound().feed([0; 1]).is_err());
}

#[test]
fn a_failure_is_reported_after_its_close_was_written_and_the_writing_direction_ended() {
    let mut endpoint = endpoint(Buffers::DEFAULT);
    let bytes = b"\x81\x01a"; // not masked
    endpoint.space()[..3].copy_from_slice(bytes);
    endpoint.filled(3);
    assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Write));
    assert_eq!(endpoint.output(), b"\x88\x02\x03\xEA");
    endpoint.wrote(4);
    assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::ShutdownWrite));
    endpoint.write_ended();
    assert_eq!(endpoint.poll(WriteSide::Ready), Err(ProtocolError::MissingMask));
    assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Read));
    endpoint.eof();
    assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Close));
    let closed = endpoint.closed().unwrap();
    assert_eq!((closed.status, closed.clean, closed.error), (1006, false, Some(ProtocolError::MissingMask)));
}

#[test]
fn a_closing_handshake_runs_to_its_clean_end() {
    let mut endpoint = endpoint(Buffers::DEFAULT);
    let mut out = [0; 64];
    let len = client_writer().close(CloseCode::NORMAL.into(), &mut out).unwrap();
    endpoint.space()[..len].copy_from_slice(&out[..len]);
    endpoint.filled(len);
    assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Write));
    assert_eq!(endpoint.output(), b"\x88\x02\x03\xE8");
    endpoint.wrote(4);
    assert_eq!(endpoint.ready_state(), ReadyState::Closing);
    assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::ShutdownWrite));
    endpoint.write_ended();
    assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Read));
    endpoint.eof();
    assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Close));
    let closed = endpoint.closed().unwrap();
    assert_eq!((closed.status, closed.clean, closed.error), (1000, true, None));
}

#[test]
fn a_peer_that_ends_its_direction_after_its_close_still_gets_ours() {
    let mut endpoint = endpoint(Buffers::DEFAULT);
    let mut out = [0; 64];
    let len = client_writer().close(CloseCode::NORMAL.into(), &mut out).unwrap();
    endpoint.space()[..len].copy_from_slice(&out[..len]);
    endpoint.filled(len);
    assert_eq!(endpoint.poll(WriteSide::Blocked), Ok(Action::Read));
    endpoint.eof();
    // There is nothing left to read: wait for the transport to take it, then end it in order.
    assert_eq!(endpoint.poll(WriteSide::Blocked), Ok(Action::Write));
    assert_eq!(endpoint.output(), b"\x88\x02\x03\xE8");
    endpoint.wrote(4);
    assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::ShutdownWrite));
    endpoint.write_ended();
    assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Close));
    assert!(endpoint.closed().unwrap().clean);
}

#[test]
fn an_end_is_not_clean_if_our_close_could_not_be_written() {
    let mut out = [0; 64];
    let len = client_writer().close(CloseCode::NORMAL.into(), &mut out).unwrap();
    // Writing fails before the Close comes, while its answer waits, and half way through it.
    for (before, wrote) in [(true, 0), (false, 0), (false, 3)] {
        let mut endpoint = endpoint(Buffers::DEFAULT);
        if before {
            endpoint.write_ended();
        }
        endpoint.space()[..len].copy_from_slice(&out[..len]);
        endpoint.filled(len);
        if !before {
            assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Write));
            endpoint.wrote(wrote);
            endpoint.write_ended();
        }
        assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Read));
        // Asked anyway, by a caller that flushes.
        let _ = endpoint.output();
        endpoint.eof();
        assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Close));
        let closed = endpoint.closed().unwrap();
        assert_eq!((closed.status, closed.clean, closed.error), (1000, false, None));
    }
}

#[test]
fn a_transport_that_fails_is_reported_unless_something_else_has_ended_the_connection() {
    // Nothing else has.
    let mut plain = endpoint(Buffers::DEFAULT);
    assert!(plain.lost());
    assert_eq!(plain.poll(WriteSide::Ready), Ok(Action::Close));
    assert_eq!(plain.closed().unwrap().error, Some(ProtocolError::UnexpectedEof));
    // The peer broke the protocol: that is reported, once, be it before or after.
    for reported in [false, true] {
        let mut failed = endpoint(Buffers::DEFAULT);
        failed.space()[..3].copy_from_slice(b"\x81\x01a");
        failed.filled(3);
        if reported {
            assert_eq!(failed.poll(WriteSide::Ready), Ok(Action::Write));
            failed.write_ended();
            assert_eq!(failed.poll(WriteSide::Ready), Err(ProtocolError::MissingMask));
        } else {
            assert_eq!(failed.poll(WriteSide::Blocked), Ok(Action::Read));
        }
        assert!(!failed.lost());
        if !reported {
            assert_eq!(failed.poll(WriteSide::Blocked), Err(ProtocolError::MissingMask));
        }
        assert_eq!(failed.poll(WriteSide::Ready), Ok(Action::Close));
        assert_eq!(failed.closed().unwrap().error, Some(ProtocolError::MissingMask));
    }
    // Both Closes went, or one was still to be written.
    let mut out = [0; 64];
    let len = client_writer().close(CloseCode::NORMAL.into(), &mut out).unwrap();
    for written in [true, false] {
        let mut closing = endpoint(Buffers::DEFAULT);
        closing.space()[..len].copy_from_slice(&out[..len]);
        closing.filled(len);
        assert_eq!(closing.poll(WriteSide::Ready), Ok(Action::Write));
        if written {
            closing.wrote(4);
        }
        assert_eq!(closing.lost(), !written);
        assert_eq!(closing.poll(WriteSide::Ready), Ok(Action::Close));
        assert_eq!(closing.closed().unwrap().clean, written);
    }
}

#[test]
fn the_end_of_the_stream_without_a_close_is_one_truthful_event() {
    let mut endpoint = endpoint(Buffers::DEFAULT);
    endpoint.outbound().feed("never read").unwrap();
    endpoint.eof();
    assert_eq!(endpoint.poll(WriteSide::Ready), Err(ProtocolError::UnexpectedEof));
    assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Close));
    assert!(endpoint.output().is_empty());
    let closed = endpoint.closed().unwrap();
    assert_eq!((closed.status, closed.clean, closed.by), (1006, false, None));
}

#[test]
fn forwarded_pieces_cannot_make_text_that_is_not_utf_8() {
    let bytes = masked(Payload::text("a\u{20AC}b"), 100);
    // Takes the pieces of a text that is cut inside its character, and hands them to `send`.
    let run = |send: &mut dyn FnMut(Payload<'_>, bool)| {
        let mut endpoint = endpoint(Buffers::DEFAULT);
        for chunk in [&bytes[..8], &bytes[8..]] {
            endpoint.space()[..chunk.len()].copy_from_slice(chunk);
            endpoint.filled(chunk.len());
            let ready = expect_ready(endpoint.poll_piece(WriteSide::Ready));
            let piece = endpoint.piece(ready).unwrap().unwrap();
            send(Payload::forward(&piece).unwrap(), piece.is_last());
        }
    };
    let mut all = endpoint(Buffers::DEFAULT);
    run(&mut |payload, fin| all.outbound().feed_fragment(payload, fin).unwrap());
    assert_eq!(all.output(), b"\x01\x02a\xE2\x80\x03\x82\xACb");
    let invalid = FeedError::Send(SendError::InvalidUtf8);
    let mut ended = endpoint(Buffers::DEFAULT);
    let mut turn = 0;
    run(&mut |payload, _| {
        turn += 1;
        match turn {
            // The first piece ends inside a character: neither can the message end there, nor other text follow.
            1 => {
                assert_eq!(ended.outbound().feed_fragment(payload, true).unwrap_err(), invalid);
                ended.outbound().feed_fragment(payload, false).unwrap();
                assert_eq!(ended.outbound().feed_fragment("x", true).unwrap_err(), invalid);
            }
            // The second begins inside one: no message can begin with it.
            _ => {
                let mut fresh = endpoint(Buffers::DEFAULT);
                assert_eq!(fresh.outbound().feed(payload).unwrap_err(), invalid);
            }
        }
    });
}

#[test]
fn a_prepared_message_goes_out_as_it_is_but_not_into_the_middle_of_another() {
    let prepared = Prepared::new("to all");
    assert_eq!(prepared.kind(), MessageKind::Text);
    let mut one = endpoint(Buffers::DEFAULT);
    let mut two = endpoint(Buffers::DEFAULT);
    one.outbound().feed_prepared(&prepared).unwrap();
    two.outbound().feed_prepared(&prepared.clone()).unwrap();
    assert_eq!(one.output(), b"\x81\x06to all");
    assert_eq!(two.output(), one.output());
    one.outbound().feed_fragment("part", false).unwrap();
    let error = one.outbound().feed_prepared(&prepared).unwrap_err();
    assert_eq!(error, FeedError::Send(SendError::MessageInProgress));
}

#[test]
fn memory_grows_with_what_came_and_not_with_what_was_announced() {
    let limits = Limits::DEFAULT.with_max_message_size(u64::MAX).with_max_frame_size(u64::MAX);
    let mut endpoint =
        Endpoint::new(Server, Config::new().with_limits(limits), Buffers::DEFAULT.with_read(1024), &[]);
    let mut bytes = b"\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0".to_vec();
    bytes.extend([9; 5000]);
    assert!(feed(&mut endpoint, &bytes, 500).is_empty());
    assert!(endpoint.space().len() <= 4 * 5000);
}
