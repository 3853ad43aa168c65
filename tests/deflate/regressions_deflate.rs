//! Defects of other WebSocket libraries in compression, each as the test that would have caught it.
//! The name says whose it was; most also break a requirement that another file shows.

use crate::common;
use crate::compressed;
use crate::opening;

use common::counting::held;
use common::inflate::Reference;
use common::{
    all_to, close_body, other, parse, sent_by, to, BINARY, BINARY_PART, BOTH, CLOSE, END, MORE, PING, PONG,
    TEXT, TEXT_PART,
};
use compressed::{drain, give, noise, owned, params, peer, receive, receive_pieces, Peer, ALL, KEY};
use opening::deflate::{agreed, answer, answer_by, ask, bits, offer, offered, plain, policy};
use sockless::deflate::{
    ClientWindow, Deflater, Flush, InflateStatus, Inflater, Offer, Params, Policy, Tuning,
};
use sockless::endpoint::{Action, Buffers, Endpoint, FeedError, WriteSide};
use sockless::handshake::HandshakeError;
use sockless::message::{OwnedMessage, Prepared};
use sockless::{AnyRole, Config, ControlPayload, Limits, MessageKind, Payload, ProtocolError, Server, Side};

/// What `from` says comes in at `to` as it was said. The wire of each message.
fn carry(from: &mut Peer, to: &mut Peer, payloads: &[Payload<'_>]) -> Vec<Vec<u8>> {
    let say = |payload: &Payload<'_>| {
        from.outbound().feed(*payload).unwrap();
        drain(from)
    };
    let frames: Vec<Vec<u8>> = payloads.iter().map(say).collect();
    let expected: Vec<_> = payloads.iter().map(|payload| owned(*payload)).collect();
    assert_eq!(receive(to, &frames.concat(), 7), (expected, None));
    frames
}

/// A sender and a receiver.
fn ends(sender: Side, params: Params, tuning: Tuning) -> (Peer, Peer) {
    (peer(sender, params, tuning, Config::new()), peer(other(sender), params, tuning, Config::new()))
}

/// The parameters that either side takes out of the same opening handshake: the client's, and the server's.
fn negotiated(offer: Offer, policy: &Policy) -> (Params, Params) {
    let offers = offered(plain().with_deflate(&[offer])).unwrap();
    let (element, server) = answer(&[&offers], policy);
    (agreed(&[offer], &element.unwrap()).unwrap(), server.unwrap())
}

const LONG: &str = "said so often, said so often, said so often that it is worth while";

// Windows that must stay in step.

/// sockudo-ws PR 14: a message that was compressed, found no shorter and sent as it was, stayed in the
/// compressor's window: all that followed was corrupt.
#[test]
fn sockudo_pr_14_what_goes_out_plain_is_not_in_the_window() {
    let noise = noise(3000);
    for sender in BOTH {
        for takeover in [true, false] {
            let tuning = Tuning::DEFAULT.with_threshold(20);
            let (mut from, mut to) = ends(sender, params(takeover, takeover, 15), tuning);
            let long = Payload::text(LONG);
            for plain in [
                Payload::binary(&noise),
                Payload::text("too short"),
                Payload::text("long enough, but not to be compressed").with_compression(false),
            ] {
                let frames = carry(&mut from, &mut to, &[long, plain, long, plain, plain, long]);
                assert_eq!(frames[2][0], 0xC1);
                // With takeover, it refers to messages before the last one.
                assert_eq!(frames[2].len() < 20, takeover, "{}", frames[2].len());
            }
        }
    }
}

/// The same, where the queue was full and gave the message back.
#[test]
fn sockudo_pr_14_what_was_refused_is_not_in_the_window() {
    let takeover = params(true, true, 15);
    let buffers = Buffers::DEFAULT.with_max_queued(100);
    let mut from = Endpoint::new(Server, Config::new(), buffers, &[]).with_deflate(&takeover, ALL, None);
    let refused = "refused, and never to be referred to ".repeat(10);
    from.outbound().feed(LONG).unwrap();
    for _ in 0..3 {
        let error = from.outbound().feed(refused.as_str()).unwrap_err();
        assert!(matches!(error, FeedError::Full { .. }), "{error:?}");
    }
    from.outbound().feed("never to be referred to").unwrap();
    let mut to = peer(Side::Client, takeover, ALL, Config::new());
    let expected = vec![owned(LONG.into()), owned("never to be referred to".into())];
    assert_eq!(receive(&mut to, &drain(&mut from), 5), (expected, None));
}

/// The same in the other direction: what somebody else has compressed is also in the peer's window.
#[test]
fn sockudo_pr_14_what_somebody_else_compressed_is_not_in_our_window() {
    let takeover = params(true, true, 15);
    let prepared = Prepared::deflated(LONG, takeover.window_bits(Side::Server), ALL).unwrap();
    let mut from =
        Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]).with_deflate(&takeover, ALL, None);
    let mut to = peer(Side::Client, takeover, ALL, Config::new());
    for _ in 0..2 {
        from.outbound().feed("Hello, Hello").unwrap();
        from.outbound().feed_prepared(&prepared).unwrap();
    }
    from.outbound().feed("Hello, Hello").unwrap();
    let (hello, long) = (owned("Hello, Hello".into()), owned(LONG.into()));
    let expected = vec![hello.clone(), long.clone(), hello.clone(), long, hello];
    assert_eq!(receive(&mut to, &drain(&mut from), 5), (expected, None));
}

/// The same for payloads that come compressed from the caller.
#[test]
fn sockudo_pr_14_what_the_caller_compressed_is_not_in_our_window() {
    // RFC 7692 section 7.2.3.1.
    let hello = Payload::deflated(MessageKind::Text, b"\xF2\x48\xCD\xC9\xC9\x07\x00");
    for sender in BOTH {
        let (mut from, mut to) = ends(sender, params(true, true, 15), ALL);
        from.outbound().feed(LONG).unwrap();
        from.outbound().feed(hello).unwrap();
        from.outbound().feed(LONG).unwrap();
        let (hello, long) = (owned("Hello".into()), owned(LONG.into()));
        assert_eq!(receive(&mut to, &drain(&mut from), 5), (vec![long.clone(), hello, long], None));
    }
}

/// soketto #49 and uWebSockets #1347: a client's messages after the first could not be inflated, because its
/// context was not kept.
#[test]
fn soketto_49_uwebsockets_1347_a_second_message_is_read() {
    for sender in BOTH {
        let (mut from, mut to) = ends(sender, params(true, true, 15), ALL);
        for text in ["aaa", "hello", LONG] {
            let frames = carry(&mut from, &mut to, &[text.into(); 5]);
            assert!(frames[1].len() <= frames[0].len(), "{text}");
        }
    }
}

/// bun PR 33003: the one mode that let clients take their context over did not keep it.
#[test]
fn bun_pr_33003_a_server_that_grants_takeover_keeps_the_context() {
    let (client, server) = negotiated(Offer::DEFAULT, &Policy::TAKEOVER);
    assert!(!server.client_no_context_takeover);
    let mut from = peer(Side::Client, client, Tuning::DEFAULT, Config::new());
    let mut to = peer(Side::Server, server, Tuning::DEFAULT, Config::new());
    let texts: Vec<String> =
        (0..4).map(|n| format!("msg{n}:{}", "abcdefghijklmnopqrstuvwxyz".repeat(40))).collect();
    let payloads: Vec<_> = texts.iter().map(|text| Payload::text(text)).collect();
    let frames = carry(&mut from, &mut to, &payloads);
    assert!(frames.iter().all(|frame| frame[0] == 0xC1));
}

/// soketto PR 107: contexts were not kept, whatever was agreed on. bun PR 41629: they were kept although the
/// client had demanded otherwise.
#[test]
fn soketto_pr_107_bun_pr_41629_req_7692_7_1_1_1_2_req_7692_7_1_1_2_3_what_is_agreed_on_is_done() {
    let both = [false, true];
    let choices = both.into_iter().flat_map(|a| both.map(|b| (a, b)));
    for ((demanded, hinted), (by_server, of_client)) in
        choices.clone().flat_map(|offered| choices.clone().map(move |policy| (offered, policy)))
    {
        let offer = offer(|offer| {
            (offer.server_no_context_takeover, offer.client_no_context_takeover) = (demanded, hinted);
        });
        let policy = policy(|policy| {
            (policy.server_no_context_takeover, policy.client_no_context_takeover) = (by_server, of_client);
        });
        let (client, server) = negotiated(offer, &policy);
        assert_eq!(server.server_no_context_takeover, demanded || by_server);
        assert_eq!(server.client_no_context_takeover, hinted || of_client);
        for sender in BOTH {
            let side = |side| if side == Side::Client { client } else { server };
            let mut from = peer(sender, side(sender), ALL, Config::new());
            let mut to = peer(other(sender), side(other(sender)), ALL, Config::new());
            let frames = carry(&mut from, &mut to, &[LONG.into(); 3]);
            // Whoever keeps nothing says the same thing each time in the same way.
            let kept = server.context_takeover(sender);
            assert_eq!(frames[1] == frames[0], !kept, "{sender:?}, {server:?}");
            assert_eq!(frames[1].len() < frames[0].len(), kept, "{sender:?}, {server:?}");
        }
    }
}

/// netty PR 8395: the parameters of the two directions were taken for each other's.
#[test]
fn netty_pr_8395_each_parameter_is_of_its_own_direction() {
    let far = [&noise(600)[..], &noise(600)].concat();
    for sender in BOTH {
        for (takeover, bits) in [(true, 9), (false, 15)] {
            let (opposite, wide) = (!takeover, if bits == 9 { 15 } else { 9 });
            let mut agreed = params(opposite, opposite, wide);
            let own = params(takeover, takeover, bits);
            match sender {
                Side::Server => {
                    agreed.server_no_context_takeover = own.server_no_context_takeover;
                    agreed.server_max_window_bits = own.server_max_window_bits;
                }
                Side::Client => {
                    agreed.client_no_context_takeover = own.client_no_context_takeover;
                    agreed.client_max_window_bits = own.client_max_window_bits;
                }
            }
            let (mut from, mut to) = ends(sender, agreed, ALL);
            let frames = carry(&mut from, &mut to, &[LONG.into(), LONG.into(), Payload::binary(&far)]);
            assert_eq!(frames[1].len() < frames[0].len(), takeover, "{sender:?}");
            // A distance of 600 needs the larger window.
            assert_eq!(frames[2].len() < 1000, bits == 15, "{sender:?}, {}", frames[2].len());
        }
    }
}

/// Boost.Beast #2313: the sender never used its window for the next message, so that takeover was of no use.
#[test]
fn beast_2313_the_window_is_used() {
    for sender in BOTH {
        let (mut from, mut to) = ends(sender, params(true, true, 15), ALL);
        let frames = carry(&mut from, &mut to, &["Hello".into(), "Hello".into()]);
        let header = frames[0].len() - 7;
        assert_eq!(frames[1].len(), header + 5, "RFC 7692 section 7.2.3.2");
    }
}

/// ws #983, ratchet #13 and nginx-clojure #163: a plain message between two compressed ones was inflated, or
/// got into the window.
#[test]
fn ws_983_ratchet_13_plain_messages_go_between_compressed_ones() {
    for sender in BOTH {
        let (mut from, mut to) = ends(sender, params(true, true, 15), ALL);
        let plain = |text| Payload::text(text).with_compression(false);
        let said = [plain("first"), LONG.into(), plain(LONG), plain(""), LONG.into(), plain("last")];
        let frames = carry(&mut from, &mut to, &said);
        let firsts: Vec<u8> = frames.iter().map(|frame| frame[0]).collect();
        assert_eq!(firsts, [0x81, 0xC1, 0x81, 0x81, 0xC1, 0x81]);
        assert!(frames[4].len() < 20);
    }
}

// Frames.

/// `wire` fails the connection with `error`, in reads of any size. The Close with `code` is written once, and before the
/// failure is reported. Returns the messages before it.
fn fails(side: Side, limits: Limits, wire: &[u8], error: ProtocolError, code: u16) -> Vec<OwnedMessage> {
    let mut before = Vec::new();
    for chunk in [1, 2, 3, 7, 100, usize::MAX] {
        let context = format!("{side:?}, {error:?}, in reads of {chunk}");
        let mut peer = peer(side, Params::DEFAULT, ALL, Config::new().with_limits(limits));
        let (mut rest, mut messages) = (wire, Vec::new());
        loop {
            match peer.poll(WriteSide::Blocked).unwrap() {
                Action::Take(ready) => messages.extend(peer.message(ready).unwrap().map(OwnedMessage::from)),
                Action::Read if rest.is_empty() => break,
                Action::Read => give(&mut peer, &mut rest, chunk),
                Action::Yield => {}
                other => panic!("{other:?}, {context}"),
            }
        }
        assert_eq!(peer.poll(WriteSide::Ready), Ok(Action::Write), "{context}");
        let mut sent = sent_by(side, &drain(&mut peer));
        sent.retain(|(first, _)| *first != PONG);
        assert_eq!(sent, [(CLOSE, close_body(code, b""))], "{context}");
        assert_eq!(peer.poll(WriteSide::Ready), Ok(Action::ShutdownWrite), "{context}");
        peer.write_ended();
        assert_eq!(peer.poll(WriteSide::Ready), Err(error), "{context}");
        before = messages;
    }
    before
}

const DEFLATED: u8 = 0x40;
/// RFC 7692 sections 7.2.3.1 and 7.2.3.2: "Hello", and "Hello" after "Hello".
const HELLO: &[u8] = b"\xF2\x48\xCD\xC9\xC9\x07\x00";
const AGAIN: &[u8] = b"\xF2\x00\x11\x00\x00";

/// sockudo-ws #29 and python-websockets #1720: RSV1 on a continuation was taken.
#[test]
fn sockudo_29_websockets_1720_rsv1_on_a_continuation_fails() {
    let (start, rest) = HELLO.split_at(3);
    for side in BOTH {
        for (first, start) in [
            (DEFLATED | TEXT_PART, start),
            (DEFLATED | BINARY_PART, start),
            (TEXT_PART, b"Hel"),
            (BINARY_PART, b"Hel"),
        ] {
            for next in [DEFLATED | MORE, DEFLATED | END] {
                let wire = all_to(side, &[(first, start), (next, rest), (END, b"")]);
                let before = fails(side, Limits::DEFAULT, &wire, ProtocolError::ReservedBits, 1002);
                assert_eq!(before, []);
            }
        }
    }
}

/// libwebsockets #1470, wsproto PR 205: a Pong inside a compressed message was inflated, or made the remainder
/// be read as uncompressed.
#[test]
fn libwebsockets_1470_wsproto_pr_205_control_frames_are_not_inflated() {
    for side in BOTH {
        let mut wire = to(side, PONG, HELLO);
        for payload in [HELLO, AGAIN] {
            for (at, octet) in payload.iter().enumerate() {
                let first = if at == 0 { DEFLATED | TEXT_PART } else { MORE };
                wire.extend(to(side, first, &[*octet]));
                wire.extend(all_to(side, &[(PONG, HELLO), (PING, b"\xF2\x48"), (PONG, b"")]));
            }
            wire.extend(all_to(side, &[(END, b""), (PING, b"")]));
        }
        for chunk in [1, 2, 3, 5, 8, usize::MAX] {
            let mut peer = peer(side, Params::DEFAULT, ALL, Config::new());
            let (messages, failed) = receive(&mut peer, &wire, chunk);
            assert_eq!((messages, failed), (vec![owned("Hello".into()); 2], None));
            let sent = sent_by(side, &drain(&mut peer));
            assert!(!sent.is_empty());
            assert!(sent.iter().all(|(first, payload)| *first == PONG && b"\xF2\x48".starts_with(payload)));
        }
    }
}

/// uWebSockets #1650: the tail was appended in place, over the header of the frame that followed.
#[test]
fn uwebsockets_1650_frames_after_a_compressed_one_are_whole() {
    for sender in BOTH {
        let said: Vec<String> = (0..50).map(|n| "x".repeat(n * 40)).collect();
        let mut from = peer(sender, Params::DEFAULT, ALL, Config::new());
        for text in &said {
            from.outbound().feed(text.as_str()).unwrap();
            from.outbound().feed(Payload::binary(b"\x00\x00\xFF\xFF").with_compression(false)).unwrap();
            from.outbound().ping(ControlPayload::new(b"\x00\x00\xFF\xFF").unwrap()).unwrap();
        }
        let wire = drain(&mut from);
        let expected: Vec<_> =
            said.into_iter().flat_map(|text| [text.into(), b"\x00\x00\xFF\xFF".to_vec().into()]).collect();
        for chunk in [1, 2, 3, 5, 100, usize::MAX] {
            let mut to = peer(other(sender), Params::DEFAULT, ALL, Config::new());
            assert_eq!(receive(&mut to, &wire, chunk), (expected.clone(), None));
        }
    }
}

/// ws #594: the octets to inflate were in a buffer that the next read had already overwritten.
#[test]
fn ws_594_what_is_read_later_does_not_change_what_was_read() {
    for sender in BOTH {
        let mut from = peer(sender, Params::DEFAULT, ALL, Config::new());
        let said: Vec<Vec<u8>> = (1..40).map(|n| noise(n * 7)).collect();
        for octets in &said {
            from.outbound().feed(octets.as_slice()).unwrap();
            from.outbound().feed_fragment(&octets[..octets.len() / 2], false).unwrap();
            from.outbound().feed_fragment(&octets[octets.len() / 2..], true).unwrap();
        }
        let wire = drain(&mut from);
        let expected: Vec<OwnedMessage> =
            said.into_iter().flat_map(|octets| [octets.clone().into(), octets.into()]).collect();
        for read in [1, 2, 15, 16, 40, 300] {
            let role = if sender == Side::Client { AnyRole::Server } else { AnyRole::Client(KEY) };
            let to = Endpoint::new(role, Config::new(), Buffers::DEFAULT.with_read(read), &[]);
            let mut to = to.with_deflate(&Params::DEFAULT, ALL, None);
            assert_eq!(receive(&mut to, &wire, usize::MAX), (expected.clone(), None), "reads of {read}");
        }
    }
}

/// uWebSockets PR 1662: where the transport took the header alone, the payload was lost.
#[test]
fn uwebsockets_pr_1662_a_transport_may_take_any_number_of_bytes() {
    for sender in BOTH {
        let say = |from: &mut Peer, n: usize| {
            from.outbound().feed(LONG).unwrap();
            from.outbound().feed_fragment(&noise(n)[..], false).unwrap();
            from.outbound().feed_fragment(&noise(200)[..], true).unwrap();
        };
        let fresh = || peer(sender, Params::DEFAULT, ALL, Config::new());
        let mut whole = fresh();
        (0..3).for_each(|n| say(&mut whole, n));
        let whole = drain(&mut whole);
        for takes in 1..=whole.len() {
            let (mut from, mut wire) = (fresh(), Vec::new());
            for n in 0..3 {
                say(&mut from, n);
                // What is left stands before what is said next.
                for _ in 0..=n {
                    let count = from.output().len().min(takes);
                    wire.extend_from_slice(&from.output()[..count]);
                    from.wrote(count);
                }
            }
            while !from.output().is_empty() {
                let count = from.output().len().min(takes);
                wire.extend_from_slice(&from.output()[..count]);
                from.wrote(count);
            }
            assert_eq!(wire, whole, "{takes} at a time");
        }
    }
}

/// fastwebsockets PR 43, and the reason for several forks: users got an error about reserved bits, because the
/// peer had been told that it may compress.
#[test]
fn fastwebsockets_pr_43_rsv1_is_understood_exactly_where_it_was_agreed_on() {
    // Nobody offers or accepts compression unasked, so nobody may send it.
    assert_eq!(offered(plain()), None);
    assert_eq!(ask(plain(), &["permessage-deflate"]), Err(HandshakeError::UnofferedExtension));
    let (element, session) = answer_by(&["permessage-deflate"], &[]).unwrap();
    assert_eq!((element, session.deflate), (None, None));
    for side in BOTH {
        let role = if side == Side::Server { AnyRole::Server } else { AnyRole::Client(KEY) };
        let mut peer = Endpoint::new(role, Config::new(), Buffers::DEFAULT, &[]);
        let wire = to(side, DEFLATED | TEXT, HELLO);
        assert_eq!(receive(&mut peer, &wire, 1), (vec![], Some(ProtocolError::ReservedBits)));
    }
    // Where it was accepted, both sides know.
    let (client, server) = negotiated(Offer::DEFAULT, &Policy::DEFAULT);
    let mut client = peer(Side::Client, client, ALL, Config::new());
    let mut server = peer(Side::Server, server, ALL, Config::new());
    assert_eq!(carry(&mut client, &mut server, &[LONG.into()])[0][0], 0xC1);
    assert_eq!(carry(&mut server, &mut client, &[LONG.into()])[0][0], 0xC1);
}

/// capnproto PR 1601: an empty message met an assertion about its tail.
#[test]
fn capnproto_pr_1601_empty_messages_go_out_and_come_in() {
    for sender in BOTH {
        for takeover in [true, false] {
            let (mut from, mut to) = ends(sender, params(takeover, takeover, 15), ALL);
            let empty = Payload::binary(b"");
            carry(&mut from, &mut to, &["".into(), empty, LONG.into(), "".into(), empty, LONG.into()]);
        }
    }
}

// Streams.

/// Stored blocks (RFC 1951 section 3.2.4), all or none with BFINAL.
fn stored(bfinal: bool, octets: &[u8]) -> Vec<u8> {
    let block = |octets: &[u8]| {
        let len = octets.len() as u16;
        [&[u8::from(bfinal)][..], &len.to_le_bytes(), &(!len).to_le_bytes(), octets].concat()
    };
    octets.chunks(60_000).flat_map(block).collect()
}

/// sockudo-ws #88, Boost.Beast #923 and Tomcat: a block with BFINAL was an error. bun PR 34105: all messages
/// after one that ended with it were empty.
#[test]
fn sockudo_88_beast_923_bun_pr_34105_bfinal_ends_neither_message_nor_context() {
    let long = [&noise(200 << 10)[..], b"Hello"].concat();
    let hello = OwnedMessage::from(b"Hello".to_vec());
    for (payload, octets) in [
        // RFC 7692 section 7.2.3.4.
        (b"\xF3\x48\xCD\xC9\xC9\x07\x00\x00".to_vec(), &b"Hello"[..]),
        ([stored(true, b"Hel"), stored(true, b"lo"), vec![0]].concat(), b"Hello"),
        ([stored(true, b"Hel"), stored(false, b"lo"), vec![0]].concat(), b"Hello"),
        ([stored(true, &long), vec![0]].concat(), &long),
    ] {
        for side in BOTH {
            for chunk in [1, 4, 1000, usize::MAX] {
                let mut peer = peer(side, Params::DEFAULT, ALL, Config::new());
                let first = [(DEFLATED | BINARY_PART, &payload[..3]), (END, &payload[3..])];
                // What follows refers back to it, twice.
                let next = (DEFLATED | BINARY, AGAIN);
                let wire = [all_to(side, &first), all_to(side, &[next, next])].concat();
                let expected = vec![octets.to_vec().into(), hello.clone(), hello.clone()];
                assert!(receive(&mut peer, &wire, chunk) == (expected, None), "{side:?}, {chunk}");
            }
        }
    }
}

/// bun PR 33592 accepts what Node's `deflateRawSync` makes. That ends with BFINAL, and lacks the octet that RFC
/// 7692 section 7.2.1 demands: together with the tail it is an unfinished stored block, which fails.
#[test]
fn bun_pr_33592_a_stream_without_its_empty_block_is_cut_off() {
    for side in BOTH {
        let wire = to(side, DEFLATED | TEXT, b"\xF3\x48\xCD\xC9\xC9\x07\x00");
        assert_eq!(fails(side, Limits::DEFAULT, &wire, ProtocolError::InvalidCompressedData, 1007), []);
    }
}

/// sockudo-ws #68 and libwebsockets #1555: output that was larger than the input, or than the buffer, was cut off.
#[test]
fn sockudo_68_libwebsockets_1555_what_does_not_get_shorter_is_whole() {
    let noise = noise(70_000);
    for (sender, level, memory_level) in [
        (Side::Server, 0, 1),
        (Side::Client, 0, 9),
        (Side::Server, 1, 8),
        (Side::Client, 5, 1),
        (Side::Server, 9, 9),
    ] {
        let tuning = ALL.with_level(level).with_memory_level(memory_level);
        for takeover in [true, false] {
            let (mut from, mut to) = ends(sender, params(takeover, takeover, 15), tuning);
            for len in [1, 126, 16_383, 65_535, 65_536, 70_000] {
                let octets = Payload::binary(&noise[..len]);
                carry(&mut from, &mut to, &[octets]);
                // Its length is not known in advance, so it is compressed even if it becomes longer.
                from.outbound().feed_fragment(octets, false).unwrap();
                from.outbound().feed_fragment(octets, true).unwrap();
                let expected = vec![noise[..len].repeat(2).into()];
                assert!(receive(&mut to, &drain(&mut from), 5000) == (expected, None), "{len}, {tuning:?}");
            }
        }
    }
}

/// Compresses a message into room of this size at a time.
fn deflate(deflater: &mut Deflater, mut octets: &[u8], room: usize) -> Vec<u8> {
    let (mut out, mut room) = (Vec::new(), vec![0; room]);
    loop {
        let deflated = deflater.deflate(&mut octets, Flush::Message, &mut room).unwrap();
        out.extend_from_slice(&room[..deflated.written]);
        if deflated.done {
            return out;
        }
    }
}

/// Inflates a message into room of this size at a time.
fn inflate(inflater: &mut Inflater, mut payload: &[u8], room: usize) -> Result<Vec<u8>, ProtocolError> {
    let (mut out, mut room) = (Vec::new(), vec![0; room]);
    loop {
        let inflated = inflater.inflate(MessageKind::Binary, &mut payload, true, &mut room)?;
        out.extend_from_slice(inflated.as_bytes());
        if inflated.status() == InflateStatus::MessageEnd {
            return Ok(out);
        }
    }
}

/// yawc #7: a flush that filled its buffer exactly was repeated, and added octets that put off all that followed.
#[test]
fn yawc_7_buffers_that_are_just_full_add_nothing() {
    let text = "abc,def,gh,ad,fe,ga,sg,h,as,h\n1,2,3,4,5,6,7,8,9,,,,,7\n".repeat(20);
    for room in 1..=200 {
        let mut deflater = Deflater::new(&Params::DEFAULT, Side::Server, ALL);
        let mut ample = Deflater::new(&Params::DEFAULT, Side::Server, ALL);
        let mut inflater = Inflater::new(&Params::DEFAULT, Side::Server, Limits::DEFAULT);
        for n in 0..4 {
            let octets = &text.as_bytes()[..text.len() - n];
            let payload = deflate(&mut deflater, octets, room);
            assert_eq!(payload, deflate(&mut ample, octets, 4096), "{room}");
            assert_eq!(inflate(&mut inflater, &payload, room).as_deref(), Ok(octets), "{room}");
        }
    }
}

/// shiguredo_websocket 0021: where a flush gave nothing, the empty block was left out.
#[test]
fn shiguredo_0021_a_flush_that_gives_nothing_still_ends_the_message() {
    for sender in BOTH {
        let (mut from, mut to) = ends(sender, Params::DEFAULT, ALL);
        for (fragments, last) in [
            (&[LONG, ""][..], &[0][..]),
            (&["", ""], &[0]),
            (&["", "", LONG, "", ""], &[0]),
            (&[""], &[0]),
            (&["Hello", ""], &[0]),
        ] {
            for (at, fragment) in fragments.iter().enumerate() {
                from.outbound().feed_fragment(*fragment, at + 1 == fragments.len()).unwrap();
            }
            let wire = drain(&mut from);
            assert_eq!(parse(&wire).pop().unwrap().payload, last);
            assert_eq!(receive(&mut to, &wire, 3), (vec![owned(fragments.concat().as_str().into())], None));
        }
    }
}

/// Boost.Beast #3028: reads that ended inside a message left the decompressor in a state that failed it.
#[test]
fn beast_3028_a_message_is_taken_in_pieces_of_any_size() {
    for sender in BOTH {
        let mut from = peer(sender, Params::DEFAULT, ALL, Config::new());
        let said = [&noise(70)[..], b"", LONG.as_bytes(), &[7; 300], LONG.as_bytes(), b"x"];
        for octets in said {
            from.outbound().feed(octets).unwrap();
        }
        let wire = drain(&mut from);
        let expected: Vec<OwnedMessage> = said.into_iter().map(|octets| octets.to_vec().into()).collect();
        for piece in 1..=80 {
            let role = if sender == Side::Client { AnyRole::Server } else { AnyRole::Client(KEY) };
            let to = Endpoint::new(role, Config::new(), Buffers::DEFAULT.with_read(piece), &[]);
            let mut to = to.with_deflate(&Params::DEFAULT, ALL, None);
            let (messages, largest, failed) = receive_pieces(&mut to, &wire, usize::MAX);
            assert_eq!((messages, failed), (expected.clone(), None), "pieces of {piece}");
            assert!(largest <= piece.max(16), "{largest} in pieces of {piece}");
        }
    }
}

// Windows.

/// Octets that repeat from this distance, and from no other.
fn echo(distance: usize) -> Vec<u8> {
    noise(distance).repeat(2)
}

/// zlib #171, and bun PR 38632, yawc and python-websockets PR 1757 over it: a window of 8 bits was widened to 9, or
/// refused when it had been agreed on.
#[test]
fn zlib_171_bun_pr_38632_a_window_of_256_octets_is_kept() {
    let small = policy(|policy| {
        (policy.server_max_window_bits, policy.client_max_window_bits) = (bits(8), bits(8));
    });
    let demand = offer(|offer| {
        offer.server_max_window_bits = Some(bits(8));
        offer.client_max_window_bits = ClientWindow::AtMost(bits(8));
    });
    for (offer, policy) in [(Offer::DEFAULT, &small), (demand, &Policy::TAKEOVER)] {
        let (client, server) = negotiated(offer, policy);
        assert_eq!(client, server);
        for sender in BOTH {
            assert_eq!(client.window_bits(sender), bits(8));
            for level in 1..=9 {
                let (mut from, mut to) = ends(sender, client, ALL.with_level(level));
                let said: Vec<Vec<u8>> = [200, 256, 257, 300, 511, 512, 513, 600]
                    .into_iter()
                    // In one message, and from one to the next.
                    .flat_map(|distance| [echo(distance), noise(distance), noise(distance)])
                    .collect();
                let payloads: Vec<_> = said.iter().map(|octets| Payload::binary(octets)).collect();
                let mut reference = Reference::new(bits(8).window_size());
                for (frame, octets) in carry(&mut from, &mut to, &payloads).into_iter().zip(&said) {
                    let payload = parse(&frame).pop().unwrap().payload;
                    assert_eq!(reference.message(&payload).as_ref(), Ok(octets), "level {level}");
                }
                // The whole window is used.
                assert!(reference.max_distance >= 200, "{} at level {level}", reference.max_distance);
            }
        }
    }
}

/// The receiving side of zlib #171: if 8 bits were agreed on, and distances of 9 bits are received, no other
/// memory may be read. The inflater has room for them, so it accepts them if they refer to received octets.
#[test]
fn zlib_171_what_comes_from_a_wider_window_is_read_or_refused() {
    let (wide, narrow) = (params(true, true, 15), params(true, true, 8));
    for sender in BOTH {
        for distance in [256, 257, 300, 512, 5000, 32_768] {
            let mut from = peer(sender, wide, ALL, Config::new());
            let mut to = peer(other(sender), narrow, ALL, Config::new());
            let said = [echo(distance), noise(distance)];
            for octets in &said {
                from.outbound().feed(octets.as_slice()).unwrap();
            }
            let (messages, failed) = receive(&mut to, &drain(&mut from), 1000);
            match failed {
                None => assert!(messages.iter().eq(&said.map(OwnedMessage::from)), "{distance}"),
                Some(error) => assert_eq!(error, ProtocolError::InvalidCompressedData, "{distance}"),
            }
        }
    }
}

/// zlib (CVE-2018-25032) and with it Boost.Beast PR 2489: many far distances ran over the buffer of the compressor.
#[test]
fn cve_2018_25032_beast_pr_2489_many_far_distances_come_back() {
    for window in 8..=15 {
        let reach = 1 << window;
        // Copies of the shortest length, each from about as far back as the window goes, and few literals.
        let mut octets = noise(reach);
        for (n, step) in (0..12_000).zip(noise(12_000)) {
            let from = octets.len().saturating_sub(reach - 1 - usize::from(step) * (reach >> 9));
            octets.extend_from_within(from..from + 3);
            if n % 97 == 0 {
                octets.push(step);
            }
        }
        for level in 0..=9 {
            for memory_level in [1, 8] {
                let sender = BOTH[usize::from(level % 2)];
                let tuning = ALL.with_level(level).with_memory_level(memory_level);
                let agreed = params(true, true, window);
                let mut deflater = Deflater::new(&agreed, sender, tuning);
                let mut inflater = Inflater::new(&agreed, sender, Limits::DEFAULT);
                let room = [100, 4096, Deflater::bound(octets.len())][usize::from(level) % 3];
                let payload = deflate(&mut deflater, &octets, room);
                assert!(payload.len() <= Deflater::bound(octets.len()));
                let back = inflate(&mut inflater, &payload, 5000);
                assert!(back.as_ref() == Ok(&octets), "window {window}, {tuning:?}");
                let mut reference = Reference::new(reach);
                assert!(reference.message(&payload).as_ref() == Ok(&octets), "window {window}, {tuning:?}");
            }
        }
    }
}

// Bombs and memory.

/// Octets of the largest message, where bombs go off.
const MOST: usize = 64 << 10;
/// What a receiver may use besides the message: its context with a window, and its read buffer.
const BESIDE: usize = 160 << 10;

/// The frames that send `octets` in so many fragments, from a peer that takes its context over.
fn bomb(to: Side, octets: usize, fragments: usize) -> Vec<u8> {
    let mut from = peer(other(to), Params::DEFAULT, ALL, Config::new());
    // The window is full of what comes.
    from.outbound().feed(&vec![0; MOST][..]).unwrap();
    let mut wire = drain(&mut from);
    let fragment = vec![0; octets / fragments];
    for n in 0..fragments {
        from.outbound().feed_fragment(&fragment[..], n + 1 == fragments).unwrap();
        wire.extend(drain(&mut from));
    }
    wire
}

/// python-websockets (CVE-2018-1000518), undici (CVE-2026-1526) as a client: there was no limit on what a
/// message inflated to.
#[test]
fn cve_2018_1000518_cve_2026_1526_bombs_stop_at_the_limit() {
    let limits = Limits::DEFAULT.with_max_message_size(MOST as u64);
    for side in BOTH {
        for fragments in [1, 2, 1000] {
            let wire = bomb(side, 8_000_000, fragments);
            assert!(wire.len() < 40_000, "{}", wire.len());
            let before = fails(side, limits, &wire, ProtocolError::MessageTooBig, 1009);
            assert_eq!(before, [vec![0; MOST].into()]);
            let mut peer = peer(side, Params::DEFAULT, ALL, Config::new().with_limits(limits));
            let (_, peak, (messages, failed)) = held(|| receive(&mut peer, &wire, 1000));
            assert_eq!((messages.len(), failed), (1, Some(ProtocolError::MessageTooBig)));
            // Twice, because the first message was kept by this test.
            assert!(peak < (3 * MOST + BESIDE) as isize, "{side:?}, {fragments} fragments: {peak}");
        }
    }
}

/// soketto 0.8, ratchet_deflate 1.2 and wtx 0.46 had no bound unless, or even if, one was configured.
#[test]
fn soketto_ratchet_wtx_the_defaults_are_a_bound() {
    for side in BOTH {
        let most = Limits::DEFAULT.max_message_size as usize;
        let wire = bomb(side, most + 2, 2);
        let mut peer = peer(side, Params::DEFAULT, ALL, Config::new());
        let mut taken = 0;
        let mut rest = &wire[..];
        loop {
            match peer.poll_piece(WriteSide::Blocked).unwrap() {
                Action::Take(ready) => taken += peer.piece(ready).unwrap().unwrap().as_bytes().len(),
                Action::Read if rest.is_empty() => break,
                Action::Read => give(&mut peer, &mut rest, usize::MAX),
                Action::Yield => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(taken <= MOST + most, "{taken}");
        assert_eq!(sent_by(side, &drain(&mut peer)), [(CLOSE, close_body(1009, b""))]);
    }
}

/// sockudo-ws #76: the output of the decompressor's last call was not checked against the limit.
#[test]
fn sockudo_76_the_last_octets_count_as_well() {
    for most in [1_usize, 7, 1000, 1024] {
        let limits = Limits::DEFAULT.with_max_message_size(most as u64);
        for len in [most - 1, most, most + 1, most + 2, most + 258, 3 * most] {
            for octets in [vec![0; len], noise(len)] {
                let payload = deflate(&mut Deflater::new(&Params::DEFAULT, Side::Client, ALL), &octets, 4096);
                for room in [1, 2, most, most + 1, 2 * most, 8192] {
                    let mut inflater = Inflater::new(&Params::DEFAULT, Side::Client, limits);
                    let got = inflate(&mut inflater, &payload, room);
                    let expected =
                        if len <= most { Ok(octets.clone()) } else { Err(ProtocolError::MessageTooBig) };
                    assert_eq!(got, expected, "{len} of {most}, {room} at a time");
                }
                if len > most {
                    for side in BOTH {
                        let wire = to(side, DEFLATED | BINARY, &payload);
                        assert_eq!(fails(side, limits, &wire, ProtocolError::MessageTooBig, 1009), []);
                    }
                }
            }
        }
    }
}

/// CivetWeb (CVE-2026-29035): the decompressor wrote past its buffer.
#[test]
fn cve_2026_29035_nothing_is_written_but_what_is_reported() {
    let octets = [LONG.as_bytes(), &noise(300), &[0; 700]].concat();
    let payload = deflate(&mut Deflater::new(&Params::DEFAULT, Side::Client, ALL), &octets, 4096);
    for most in [u64::MAX, 1000, 300] {
        let limits = Limits::DEFAULT.with_max_message_size(most);
        for room in (0..300).chain([1000, 1066, 1067]) {
            let mut inflater = Inflater::new(&Params::DEFAULT, Side::Client, limits);
            let (mut rest, mut at) = (&payload[..], 0);
            for _ in 0..2000 {
                let mut memory = [0xEE; 1200];
                let (below, out) = memory.split_at_mut(50);
                let (out, above) = out.split_at_mut(room);
                let Ok(inflated) = inflater.inflate(MessageKind::Binary, &mut rest, true, out) else { break };
                let (len, status) = (inflated.as_bytes().len(), inflated.status());
                let same = inflated.as_bytes() == &octets[at..at + len];
                assert!(same, "{room} at a time, at most {most}");
                at += len;
                assert!(below.iter().chain(above.iter()).all(|octet| *octet == 0xEE));
                if status == InflateStatus::MessageEnd {
                    break;
                }
            }
            assert_eq!(at == octets.len(), room > 0 && most == u64::MAX, "{room} at a time, at most {most}");
            assert!(at as u64 <= most);
        }
    }
}

/// ws #497: every message and every connection leaked some memory.
#[test]
fn ws_497_messages_and_connections_leave_nothing_behind() {
    for takeover in [true, false] {
        let (left, _, ()) = held(|| {
            let (mut client, mut server) = ends(Side::Client, params(takeover, takeover, 15), ALL);
            let mut talk = |times| {
                for n in 0..times {
                    let text = LONG.repeat(1 + n % 50);
                    for said in [Payload::text(&text), Payload::text(LONG).with_compression(false)] {
                        carry(&mut client, &mut server, &[said]);
                        carry(&mut server, &mut client, &[said]);
                    }
                }
            };
            talk(60);
            let (more, _, ()) = held(|| talk(600));
            assert_eq!(more, 0, "takeover: {takeover}");
        });
        assert_eq!(left, 0, "takeover: {takeover}");
    }
}

/// Jetty #13029: each connection kept the last message that it had sent or taken.
#[test]
fn jetty_13029_the_last_message_is_not_kept() {
    let (small, large) = (noise(100), noise(300_000));
    for sender in BOTH {
        for takeover in [true, false] {
            let after = |octets: &[u8]| {
                let (mut from, mut to) = ends(sender, params(takeover, takeover, 15), ALL);
                let (kept, _, ()) = held(|| {
                    // The window is full either way.
                    for octets in [&large, octets, &[]] {
                        carry(&mut from, &mut to, &[Payload::binary(octets)]);
                    }
                    from.shrink();
                    to.shrink();
                });
                kept
            };
            assert_eq!(after(&large), after(&small), "{sender:?}, takeover: {takeover}");
        }
    }
}
