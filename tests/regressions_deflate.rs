//! Defects of other WebSocket libraries in compression, each as the test that would have caught it.
//! The name says whose it was; most also break a requirement that another file shows.

mod common;
mod compressed;
mod opening;

use common::{other, BOTH};
use compressed::{drain, noise, owned, params, peer, receive, Peer, ALL};
use opening::deflate::{agreed, answer, offer, offered, plain, policy};
use sockless::deflate::{Offer, Params, Policy, Tuning};
use sockless::message::{Buffers, Endpoint, FeedError, Prepared};
use sockless::{Config, Payload, Server, Side};

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
    let offers = offered(plain().deflate(&[offer])).unwrap();
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
                // With takeover it refers back over what went between.
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
        let error = from.outbound().feed(refused.as_str()).unwrap_err().error;
        assert!(matches!(error, FeedError::Full { .. }), "{error:?}");
    }
    from.outbound().feed("never to be referred to").unwrap();
    let mut to = peer(Side::Client, takeover, ALL, Config::new());
    let expected = vec![owned(LONG.into()), owned("never to be referred to".into())];
    assert_eq!(receive(&mut to, &drain(&mut from), 5), (expected, None));
}

/// The same the other way round: what goes out compressed, but by somebody else, is in the peer's window.
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

/// soketto #49 and uWebSockets #1347: whatever a client sent after its first message could not be inflated,
/// because its context was not kept.
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

/// soketto PR 107: contexts were not kept, whatever the handshake had said about them; bun PR 41629: they were
/// kept although the client had demanded otherwise.
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
