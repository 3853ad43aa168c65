//! Endpoints with permessage-deflate, driven without a transport (RFC 7692).

use crate::common;
use crate::compressed;

use common::streams::{ByHand, FIXED};
use common::{parse, to, BOTH, CLOSE, END, MORE, PING, PONG, TEXT, TEXT_PART};
use compressed::*;
use proptest::prelude::*;
use sockless::deflate::{Params, Pool, Tuning, WindowBits};
use sockless::endpoint::{Action, Buffers, Endpoint, WriteSide};
use sockless::message::{OwnedMessage, Prepared};
use sockless::{
    Client, CloseCode, CloseFrame, CloseReason, Config, ControlPayload, EntropyError, Limits, MessageKind,
    Payload, ProtocolError, SendError, Server,
};

type Error = ProtocolError;

/// RFC 7692 section 7.2.3.1, as the server frames it, twice: the second refers to the first.
#[test]
fn req_7692_6_1_1_req_iana_hdr_1_messages_go_out_with_rsv1_as_the_rfc_prints_them() {
    let mut pair = Pair::new(Params::DEFAULT);
    pair.server.outbound().feed("Hello").unwrap();
    pair.server.outbound().feed("Hello").unwrap();
    let wire = drain(&mut pair.server);
    assert_eq!(hex::encode(&wire), "c107f248cdc9c90700c105f200110000");
    let (messages, failed) = receive(&mut pair.client, &wire, usize::MAX);
    assert_eq!((messages, failed), (vec![text("Hello"), text("Hello")], None));
}

#[test]
fn req_7692_6_1_1_req_7692_7_2_1_4_fragments_carry_rsv1_on_the_first_only() {
    let mut pair = Pair::new(Params::DEFAULT);
    pair.server.outbound().feed_fragment("He", false).unwrap();
    pair.server.outbound().ping(ControlPayload::new(b"p").unwrap()).unwrap();
    pair.server.outbound().feed_fragment("llo", true).unwrap();
    let wire = drain(&mut pair.server);
    // Section 7.2.3.5 with its two blocks cut between them: the first keeps its tail.
    assert_eq!(hex::encode(&wire), "4108f24805000000ffff890170".to_owned() + "8005cac9c90700");
    for chunk in 1..=wire.len() {
        let mut client = Pair::new(Params::DEFAULT).client;
        let (messages, failed) = receive(&mut client, &wire, chunk);
        assert_eq!((messages, failed), (vec![text("Hello")], None));
        // The Ping between the fragments was answered, and never inflated.
        assert_eq!(client.output(), [0x8A, 0x81, 0x5A, 0x5A, 0x5A, 0x5A, b'p' ^ 0x5A]);
    }
}

#[test]
fn req_7692_6_1_3_rsv1_is_on_no_control_frame_and_on_no_later_fragment() {
    for side in BOTH {
        let mut sender = peer(side, Params::DEFAULT, ALL, Config::new());
        let ping = ControlPayload::new(b"Hello, Hello, Hello").unwrap();
        for (message, compress) in [("one", true), ("two", true), ("three", false)] {
            let payload = |text| Payload::text(text).with_compression(compress);
            let outbound = sender.outbound();
            outbound.ping(ping).unwrap();
            outbound.feed(payload(message)).unwrap();
            for fragment in ["Hello", "", "Hello"] {
                outbound.feed_fragment(payload(fragment), false).unwrap();
                outbound.ping(ping).unwrap();
                outbound.pong(ping).unwrap();
            }
            outbound.feed_fragment(payload("Hello"), true).unwrap();
        }
        // A Pong that is owed, in the middle of a message, and the Close.
        sender.outbound().feed_fragment("Hello", false).unwrap();
        let owes = receive(&mut sender, &to(side, PING, b"Hello"), 100);
        assert_eq!(owes, (vec![], None));
        let mut wire = drain(&mut sender);
        sender.outbound().close(CloseCode::NORMAL.into()).unwrap();
        wire.extend(drain(&mut sender));
        let firsts: Vec<u8> = parse(&wire).into_iter().map(|frame| frame.first).collect();
        let fragments = |first| [first, PING, PONG, MORE, PING, PONG, MORE, PING, PONG, END];
        let deflated = [&[PING, 0xC1][..], &fragments(0x41)].concat();
        let plain = [&[PING, TEXT][..], &fragments(TEXT_PART)].concat();
        assert_eq!(firsts, [&deflated[..], &deflated, &plain, &[0x41, PONG, CLOSE]].concat());
    }
}

#[test]
fn req_7692_6_1_2_req_7692_6_2_2_plain_messages_stand_between_compressed_ones() {
    let mut pair = Pair::new(Params::DEFAULT);
    let plain = |text| Payload::text(text).with_compression(false);
    let outbound = pair.client.outbound();
    outbound.feed("Hello").unwrap();
    outbound.feed(plain("Hello, plain")).unwrap();
    outbound.feed_fragment(plain("a"), false).unwrap();
    // A message is compressed or not as it began.
    outbound.feed_fragment(Payload::text("b").with_compression(true), true).unwrap();
    outbound.feed("Hello").unwrap();
    let wire = drain(&mut pair.client);
    let firsts: Vec<u8> = [0, 13, 31, 38, 45].into_iter().map(|at| wire[at]).collect();
    assert_eq!(firsts, [0xC1, 0x81, 0x01, 0x80, 0xC1]);
    let (messages, failed) = receive(&mut pair.server, &wire, 3);
    assert_eq!(messages, [text("Hello"), text("Hello, plain"), text("ab"), text("Hello")]);
    assert_eq!(failed, None);
}

#[test]
fn what_is_below_the_threshold_goes_as_it_is_unless_the_caller_says_otherwise() {
    let tuning = Tuning::DEFAULT.with_threshold(16);
    let mut pair = Pair::with(Params::DEFAULT, tuning, Config::new(), None);
    let mut first = |payload: Payload<'_>| {
        pair.server.outbound().feed(payload).unwrap();
        drain(&mut pair.server)[0]
    };
    assert_eq!(first(Payload::text("fifteen octets!")), 0x81);
    assert_eq!(first(Payload::text("sixteen octets!!")), 0xC1);
    assert_eq!(first(Payload::text("short").with_compression(true)), 0xC1);
    assert_eq!(first(Payload::text("sixteen octets!!").with_compression(false)), 0x81);
}

#[test]
fn req_7692_7_2_3_6_1_empty_messages_and_final_fragments_are_one_octet() {
    let mut pair = Pair::new(Params::DEFAULT);
    let outbound = pair.server.outbound();
    outbound.feed("").unwrap();
    outbound.feed("Hello").unwrap();
    outbound.feed("").unwrap();
    outbound.feed_fragment("Hello", false).unwrap();
    outbound.feed_fragment("", true).unwrap();
    let wire = drain(&mut pair.server);
    assert!(wire.starts_with(b"\xC1\x01\x00\xC1\x07"), "{wire:x?}");
    assert!(wire.ends_with(b"\x80\x01\x00"), "{wire:x?}");
    let (messages, failed) = receive(&mut pair.client, &wire, 1);
    assert_eq!(messages, [text(""), text("Hello"), text(""), text("Hello")]);
    assert_eq!(failed, None);
}

/// What a client in these parameters makes of a server's bytes.
fn client_of(
    params: Params,
    limits: Limits,
    wire: &[u8],
    chunk: usize,
) -> (Vec<OwnedMessage>, Option<Error>) {
    let config = Config::new().with_limits(limits);
    receive(&mut Pair::with(params, ALL, config, None).client, wire, chunk)
}

/// The rest of a long text of which a piece was taken is passed over, wherever its characters are cut.
#[test]
fn a_text_of_which_a_piece_was_taken_is_passed_over_between_any_octets() {
    for lead in ["", "a", "ab"] {
        let long = lead.to_owned() + &"€".repeat(100_000);
        for level in [0, 1, 6] {
            let mut pair = Pair::with(Params::DEFAULT, ALL.with_level(level), Config::new(), None);
            pair.server.outbound().feed(Payload::text(&long).with_compression(true)).unwrap();
            pair.server.outbound().feed("next").unwrap();
            let wire = drain(&mut pair.server);
            for chunk in [100, 5000, usize::MAX] {
                let mut client = Pair::new(Params::DEFAULT).client;
                let mut rest = &wire[..];
                let ready = next(&mut client, Endpoint::poll_piece, &mut rest, chunk);
                assert!(client.piece(ready).unwrap().unwrap().is_first());
                let (messages, failed) = receive(&mut client, rest, chunk);
                assert_eq!((messages, failed), (vec![text("next")], None), "level {level}, by {chunk}");
            }
        }
    }
}

/// RFC 7692 section 7.2.3, as frames of a server; the prose of 7.2.3.3 says 7 octets where its frame has 11.
#[test]
fn req_7692_6_1_req_7692_6_2_1_req_t_pmd_2_the_rfcs_frames_are_read() {
    for (frames, count) in [
        ("c1 07 f2 48 cd c9 c9 07 00", 1),
        ("41 03 f2 48 cd 80 04 c9 c9 07 00", 1),
        ("c1 07 f2 48 cd c9 c9 07 00 c1 05 f2 00 11 00 00", 2),
        ("c1 0b 00 05 00 fa ff 48 65 6c 6c 6f 00", 1),
        ("c1 08 f3 48 cd c9 c9 07 00 00", 1),
        ("c1 0d f2 48 05 00 00 00 ff ff ca c9 c9 07 00", 1),
        ("c1 08 f3 48 cd c9 c9 07 00 00 c1 05 f2 00 11 00 00", 2),
    ] {
        let wire = from_hex(frames);
        for chunk in 1..=wire.len() {
            let got = client_of(Params::DEFAULT, Limits::DEFAULT, &wire, chunk);
            assert_eq!(got, (vec![text("Hello"); count], None), "{frames} by {chunk}");
        }
    }
}

#[test]
fn req_7692_7_2_1_6_req_7692_7_2_1_9_without_takeover_each_message_stands_alone() {
    let mut pair = Pair::new(params(false, false, 15));
    let mut wire = || {
        pair.server.outbound().feed("Hello, Hello, Hello").unwrap();
        drain(&mut pair.server)
    };
    let first = wire();
    assert_eq!((first[0], &first), (0xC1, &wire()));
}

#[test]
fn req_6455_6_2_5_req_7692_6_1_5_req_t_utf8_3_text_is_checked_as_it_is_inflated() {
    // "H\xFF" in fixed codes: compressed by ourselves as binary, then sent as text.
    let mut pair = Pair::new(Params::DEFAULT);
    pair.server.outbound().feed(&b"H\xFFllo"[..]).unwrap();
    let mut wire = drain(&mut pair.server);
    wire[0] = 0xC1;
    for chunk in 1..=wire.len() {
        let (messages, failed) = client_of(Params::DEFAULT, Limits::DEFAULT, &wire, chunk);
        assert_eq!((messages, failed), (vec![], Some(Error::InvalidUtf8)));
    }
    // As binary the same octets are right; and compressed octets themselves are not checked.
    wire[0] = 0xC2;
    assert_eq!(
        client_of(Params::DEFAULT, Limits::DEFAULT, &wire, 1).0,
        [OwnedMessage::from(b"H\xFFllo".to_vec())]
    );
    // It fails while the message goes on.
    let mut pair = Pair::new(Params::DEFAULT);
    pair.server.outbound().feed_fragment(&b"H\xFF"[..], false).unwrap();
    let mut wire = drain(&mut pair.server);
    wire[0] = 0x41;
    assert_eq!(client_of(Params::DEFAULT, Limits::DEFAULT, &wire, 5).1, Some(Error::InvalidUtf8));
    // A character that two fragments share is whole.
    let mut pair = Pair::new(Params::DEFAULT);
    pair.server.outbound().feed_fragment(&b"\xE2\x82"[..], false).unwrap();
    pair.server.outbound().feed_fragment(&b"\xAC"[..], true).unwrap();
    let mut wire = drain(&mut pair.server);
    wire[0] = 0x41;
    assert_eq!(client_of(Params::DEFAULT, Limits::DEFAULT, &wire, 2), (vec![text("\u{20AC}")], None));
    let pieces = receive_pieces(&mut Pair::new(Params::DEFAULT).client, &wire, 2);
    assert_eq!((pieces.0, pieces.2), (vec![text("\u{20AC}")], None));
}

#[test]
fn req_7692_6_1_4_rsv1_elsewhere_fails() {
    for frames in ["c9 00", "ca 00", "c8 00", "41 03 f2 48 cd c0 04 c9 c9 07 00", "a1 01 48", "91 01 48"] {
        let (messages, failed) = client_of(Params::DEFAULT, Limits::DEFAULT, &from_hex(frames), 1);
        assert_eq!((messages, failed), (vec![], Some(Error::ReservedBits)), "{frames}");
    }
}

/// A message of zeros, with another octet after every thousand.
fn bomb(len: usize) -> Vec<u8> {
    let mut pair = Pair::new(Params::DEFAULT);
    pair.server.outbound().feed(vec![0; len].as_slice()).unwrap();
    drain(&mut pair.server)
}

#[test]
fn req_t_pmd_3_a_bomb_is_stopped_at_the_limit() {
    let wire = bomb(1 << 20);
    assert!(wire.len() < 2 << 10, "{}", wire.len());
    let limits = Limits::DEFAULT.with_max_message_size(64 << 10);
    for chunk in [1, 7, 1000, usize::MAX] {
        let (messages, failed) = client_of(Params::DEFAULT, limits, &wire, chunk);
        assert_eq!((messages, failed), (vec![], Some(Error::MessageTooBig)));
        // In pieces, no more than the limit is returned.
        let config = Config::new().with_limits(limits);
        let mut client = Pair::with(Params::DEFAULT, ALL, config, None).client;
        let mut taken = 0;
        let mut rest = &wire[..];
        let failed = loop {
            match client.poll_piece(WriteSide::Blocked) {
                Ok(Action::Take(ready)) => taken += client.piece(ready).unwrap().unwrap().as_bytes().len(),
                Ok(Action::Read) if rest.is_empty() => break client.poll_piece(WriteSide::Ready),
                Ok(_) => give(&mut client, &mut rest, chunk),
                Err(error) => break Err(error),
            }
        };
        assert!(taken <= 64 << 10);
        // The Close is written first, so the failure is reported in the next turn.
        assert!(matches!(failed, Ok(Action::Write)), "{failed:?}");
        assert_eq!(&client.output()[..2], [0x88, 0x82]);
        let masked = [client.output()[6] ^ 0x5A, client.output()[7] ^ 0x5A];
        assert_eq!(u16::from_be_bytes(masked), u16::from(CloseCode::MESSAGE_TOO_BIG));
    }
    // What is as long as the limit passes, and one octet more does not.
    for (len, failed) in [(64 << 10, None), ((64 << 10) + 1, Some(Error::MessageTooBig))] {
        assert_eq!(client_of(Params::DEFAULT, limits, &bomb(len), 100).1, failed);
    }
    // So does the expansion.
    let limits = Limits::DEFAULT.with_max_expansion(10);
    assert_eq!(client_of(Params::DEFAULT, limits, &bomb(3 << 20), 100).1, Some(Error::ExpansionTooBig));
    assert_eq!(client_of(Params::DEFAULT, limits, &bomb(60 << 10), 100).1, None);
}

#[test]
fn req_t_pmd_8_a_frame_that_cannot_be_sent_leaves_no_trace() {
    // A source of keys that fails once.
    let mut calls = 0;
    let key = move |dest: &mut [u8]| {
        calls += 1;
        dest.fill(1);
        if calls == 2 {
            Err(EntropyError)
        } else {
            Ok(())
        }
    };
    let client = Endpoint::new(Client::new(key), Config::new(), Buffers::DEFAULT, &[]);
    let mut client = client.with_deflate(&Params::DEFAULT, ALL, None);
    client.outbound().feed("Hello, Hello").unwrap();
    let refused = client.outbound().feed("Hello, lost").unwrap_err();
    assert_eq!(refused, SendError::Entropy(EntropyError).into());
    client.outbound().feed("Hello, lost and found").unwrap();
    let wire = drain(&mut client);
    let mut server = Pair::new(Params::DEFAULT).server;
    let (messages, failed) = receive(&mut server, &wire, usize::MAX);
    assert_eq!((messages, failed), (vec![text("Hello, Hello"), text("Hello, lost and found")], None));
}

#[test]
fn req_t_pmd_8_what_does_not_get_shorter_goes_as_it_is_where_nothing_is_kept() {
    let octets = noise(40_000);
    for takeover in [false, true] {
        for threshold in [0, 1] {
            let tuning = ALL.with_threshold(threshold);
            let mut pair = Pair::with(params(takeover, takeover, 15), tuning, Config::new(), None);
            for message in [&b"compress me, compress me"[..], &octets, b"compress me, compress me", &octets] {
                pair.client.outbound().feed(message).unwrap();
                let wire = drain(&mut pair.client);
                // With a threshold of 0 everything is compressed.
                let compressed = takeover || message.len() < 100 || threshold == 0;
                assert_eq!(wire[0], if compressed { 0xC2 } else { 0x82 });
                let (messages, failed) = receive(&mut pair.server, &wire, 4096);
                assert_eq!((messages, failed), (vec![message.to_vec().into()], None));
            }
        }
    }
}

#[test]
fn req_t_pmd_9_req_7692_7_2_2_2_contexts_come_from_the_pool_and_go_back() {
    let pool = Pool::new(2);
    let mut pairs: Vec<_> =
        (0..10).map(|_| Pair::with(params(false, false, 15), ALL, Config::new(), Some(&pool))).collect();
    assert_eq!(pool.idle(), (0, 0));
    for round in 0..3 {
        for pair in &mut pairs {
            let message = format!("round {round}, round {round}");
            pair.client.outbound().feed(message.as_str()).unwrap();
            assert_eq!(pair.up(5), (vec![text(&message)], None));
            pair.server.outbound().feed(message.as_str()).unwrap();
            assert_eq!(pair.down(5), (vec![text(&message)], None));
            // One of each was enough for all.
            assert_eq!(pool.idle(), (1, 1));
        }
    }
    // In the middle of a message a context is out.
    pairs[0].client.outbound().feed_fragment("begun", false).unwrap();
    assert_eq!(pairs[0].up(100), (vec![], None));
    assert_eq!(pool.idle(), (0, 0));
    pairs[0].client.outbound().feed_fragment("ended", true).unwrap();
    assert_eq!(pairs[0].up(100), (vec![text("begunended")], None));
    assert_eq!(pool.idle(), (1, 1));
}

#[test]
fn a_message_prepared_once_goes_compressed_to_whom_it_suits() {
    let octets = "prepare, prepare, prepare, prepare, prepare".repeat(10);
    let window = WindowBits::new(12).unwrap();
    let prepared = Prepared::deflated(octets.as_str(), window, Tuning::DEFAULT).unwrap();
    for (agreed, first) in [
        (Some(params(true, true, 15)), 0xC1),
        (Some(params(false, true, 12)), 0xC1),
        (Some(params(true, true, 11)), 0x81),
        (None, 0x81),
    ] {
        let mut pair = Pair::new(agreed.unwrap_or_default());
        if agreed.is_none() {
            pair.server = Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]);
        }
        // Before and after it, messages of the connection alone.
        pair.server.outbound().feed(octets.as_str()).unwrap();
        pair.down(100);
        pair.server.outbound().feed_prepared(&prepared).unwrap();
        let wire = drain(&mut pair.server);
        assert_eq!(wire[0], first);
        pair.server.outbound().feed(octets.as_str()).unwrap();
        let wire = [wire, drain(&mut pair.server)].concat();
        let got = receive(&mut pair.client, &wire, 11);
        assert_eq!(got, (vec![text(&octets), text(&octets)], None));
    }
}

#[test]
fn pieces_and_whole_messages_can_be_taken_in_turn() {
    let long = "a long message, ".repeat(10_000);
    let mut pair = Pair::new(Params::DEFAULT);
    for message in [long.as_str(), "next", long.as_str(), "last"] {
        pair.server.outbound().feed(message).unwrap();
    }
    let wire = drain(&mut pair.server);
    let mut rest = &wire[..];
    // One piece of the first message is taken. The remainder is skipped, but its context is kept.
    let ready = next(&mut pair.client, Endpoint::poll_piece, &mut rest, 50);
    let piece = pair.client.piece(ready).unwrap().unwrap();
    assert!(piece.is_first() && !piece.is_last() && long.as_bytes().starts_with(piece.as_bytes()));
    let ready = next(&mut pair.client, Endpoint::poll, &mut rest, 50);
    assert_eq!(pair.client.message(ready).unwrap().map(OwnedMessage::from), Some(text("next")));
    // Announced as a piece, taken as a message.
    let ready = next(&mut pair.client, Endpoint::poll_piece, &mut rest, 50);
    assert_eq!(pair.client.message(ready).unwrap(), None);
    assert_eq!(receive(&mut pair.client, rest, 50), (vec![text(&long), text("last")], None));
}

/// A message may refer to what was taken in pieces, or to the beginning of its own remainder.
#[test]
fn req_7692_7_2_2_3_the_window_outlives_bfinal_in_whole_messages_and_in_pieces() {
    // The last octet of the largest window is the largest distance of the last code.
    let copy = |payload: ByHand| payload.block(true, FIXED).copy(29, 8191, 13).fixed(256).pad();
    for len in [20_000, 60_000] {
        let octets = noise(2 * len);
        let (before, after) = octets.split_at(len);
        let first = ByHand::new().stored_block(false, before).stored_block(true, after);
        let said = [&octets, &octets[octets.len() - 32_768..][..3]].concat();
        let again = &said[said.len() - 32_768..][..3];
        let expected = vec![said.clone().into(), again.to_vec().into()];
        for side in BOTH {
            let binary = |payload: ByHand| to(side, 0xC2, &payload.flush());
            let wire = [binary(copy(first.clone())), binary(copy(ByHand::new()))].concat();
            let fresh = || peer(side, Params::DEFAULT, ALL, Config::new());
            for chunk in [7, 1000, usize::MAX] {
                assert!(receive(&mut fresh(), &wire, chunk) == (expected.clone(), None), "{len}, {chunk}");
                let (messages, largest, failed) = receive_pieces(&mut fresh(), &wire, chunk);
                assert!((messages, failed) == (expected.clone(), None), "{len}, {chunk}");
                assert!(largest <= Buffers::DEFAULT.read);
                // A piece is taken, and the rest passed over.
                let (mut passing, mut rest) = (fresh(), &wire[..]);
                let ready = next(&mut passing, Endpoint::poll_piece, &mut rest, chunk);
                assert!(said.starts_with(passing.piece(ready).unwrap().unwrap().as_bytes()));
                let got = receive(&mut passing, rest, chunk);
                assert!(got == (expected[1..].to_vec(), None), "{len}, {chunk}");
            }
        }
    }
}

#[test]
fn a_close_amid_a_compressed_message_ends_normally() {
    let mut pair = Pair::new(Params::DEFAULT);
    pair.client.outbound().feed_fragment("never to be whole", false).unwrap();
    pair.client.outbound().close(CloseCode::NORMAL.into()).unwrap();
    assert_eq!(pair.up(4), (vec![], None));
    pair.server.eof();
    let closed = pair.server.closed().unwrap();
    assert!(closed.clean && closed.status == 1000, "{closed:?}");
}

#[test]
fn what_was_not_agreed_on_is_neither_taken_nor_sent() {
    let mut plain = Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]);
    let error = plain.outbound().feed(Payload::deflated(MessageKind::Text, b"\x00")).unwrap_err();
    assert_eq!(error, SendError::CompressionNotNegotiated.into());
    let (messages, failed) = receive(&mut plain, &from_hex("c1 81 00 00 00 00 00"), 100);
    assert_eq!((messages, failed), (vec![], Some(Error::ReservedBits)));
    // What somebody else compressed may be sent where it was.
    let mut pair = Pair::new(params(false, false, 15));
    pair.server.outbound().feed(Payload::deflated(MessageKind::Text, &from_hex("f248cdc9c90700"))).unwrap();
    assert_eq!(pair.down(1), (vec![text("Hello")], None));
}

/// If an application needs compression, it must check what was agreed on.
#[test]
fn req_6455_7_4_1_7_a_client_that_needs_compression_says_so_and_leaves() {
    let mut client = Endpoint::new(Client::new(KEY), Config::new(), Buffers::DEFAULT, &[]);
    let mut server = Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]);
    let reason = CloseReason::new("permessage-deflate").unwrap();
    let needs = CloseFrame::new(CloseCode::MANDATORY_EXTENSION, reason);
    assert_eq!(server.outbound().close(needs), Err(SendError::CloseCodeNotForServers));
    assert!(server.output().is_empty());
    client.outbound().close(needs).unwrap();
    assert_eq!(receive(&mut server, &drain(&mut client), 1), (vec![], None));
    assert_eq!(server.close_reason(), "permessage-deflate");
    server.eof();
    let closed = server.closed().unwrap();
    assert!(closed.clean && closed.status == 1010, "{closed:?}");
}

#[derive(Clone, Debug)]
enum Say {
    Whole(Vec<u8>, Option<bool>),
    Fragments(Vec<Vec<u8>>),
    Ping(u8),
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        prop::collection::vec(any::<u8>(), 0..300),
        prop::collection::vec(0_u8..4, 0..5000),
        (any::<u8>(), 0_usize..40_000).prop_map(|(octet, len)| vec![octet; len]),
    ]
}

fn say() -> impl Strategy<Value = Say> {
    prop_oneof![
        4 => (octets(), any::<Option<bool>>()).prop_map(|(octets, choice)| Say::Whole(octets, choice)),
        2 => prop::collection::vec(octets(), 1..5).prop_map(Say::Fragments),
        1 => any::<u8>().prop_map(Say::Ping),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn req_7692_6_2_1_whatever_is_said_arrives_in_either_direction_cut_anywhere(
        says in prop::collection::vec(say(), 1..12),
        server_takeover: bool,
        client_takeover: bool,
        bits in 8_u8..=15,
        level in 0_u8..=9,
        memory_level in 1_u8..=9,
        pooled: bool,
        chunk in prop_oneof![Just(1_usize), 2_usize..100, Just(usize::MAX)],
    ) {
        let pool = Pool::new(1);
        let tuning = ALL.with_level(level).with_memory_level(memory_level);
        let params = params(server_takeover, client_takeover, bits);
        let mut pair = Pair::with(params, tuning, Config::new(), pooled.then_some(&pool));
        let mut expected: Vec<OwnedMessage> = Vec::new();
        let mut pings = 0;
        for say in &says {
            let (up, down) = (pair.client.outbound(), pair.server.outbound());
            match say {
                Say::Whole(octets, choice) => {
                    let payload = Payload::binary(octets);
                    let payload = choice.map_or(payload, |choice| payload.with_compression(choice));
                    up.feed(payload).unwrap();
                    down.feed(payload).unwrap();
                    expected.push(octets.clone().into());
                }
                Say::Fragments(fragments) => {
                    for (at, fragment) in fragments.iter().enumerate() {
                        let fin = at + 1 == fragments.len();
                        up.feed_fragment(fragment.as_slice(), fin).unwrap();
                        down.feed_fragment(fragment.as_slice(), fin).unwrap();
                    }
                    expected.push(fragments.concat().into());
                }
                Say::Ping(octet) => {
                    up.ping(ControlPayload::new(&[*octet]).unwrap()).unwrap();
                    down.ping(ControlPayload::new(&[*octet]).unwrap()).unwrap();
                    pings += 1;
                }
            }
        }
        let (up, down) = (drain(&mut pair.client), drain(&mut pair.server));
        prop_assert_eq!(receive(&mut pair.server, &up, chunk), (expected.clone(), None));
        prop_assert_eq!(receive(&mut pair.client, &down, chunk), (expected.clone(), None));
        prop_assert_eq!(pair.server.output().is_empty(), pings == 0);
        // The same in pieces, none longer than a read.
        let mut fresh = Pair::with(params, tuning, Config::new(), None);
        let (messages, largest, failed) = receive_pieces(&mut fresh.server, &up, chunk);
        prop_assert_eq!((messages, failed), (expected, None));
        prop_assert!(largest <= Buffers::DEFAULT.read);
    }
}

/// Found by fuzzing: a text that fails in pieces failed again with each piece that was still to be inflated.
#[test]
fn bad_text_in_pieces_fails_once() {
    let client = Endpoint::new(Client::new(KEY), Config::new(), Buffers::DEFAULT.with_read(16), &[]);
    let mut client = client.with_deflate(&Params::DEFAULT, ALL, None);
    // 100 octets of FF.
    let wire = from_hex("c1 05 fa 4f 07 00 00");
    let (mut rest, mut failures) = (&wire[..], Vec::new());
    for _ in 0..50 {
        match client.poll_piece(WriteSide::Ready) {
            Ok(Action::Take(ready)) => failures.extend(client.piece(ready).err()),
            Ok(Action::Read) if rest.is_empty() => break,
            Ok(Action::Read) => give(&mut client, &mut rest, 100),
            Ok(Action::Write) => {
                let len = client.output().len();
                client.wrote(len);
            }
            Ok(Action::ShutdownWrite) => client.write_ended(),
            Ok(Action::Yield) => {}
            Ok(Action::Close) => break,
            Err(error) => failures.push(error),
        }
    }
    assert_eq!(failures, [Error::InvalidUtf8]);
}
