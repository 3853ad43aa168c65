//! The life of the codec's contexts: none before the first message, one until the last octet of a message, then
//! given back or kept.

use crate::common;

use common::codec::*;
use common::counting::{allocations, held};
use common::streams::{cut, Zlib};
use common::BOTH;
use sockless::deflate::{Deflater, Flush, Inflater, Pool, Tuning};
use sockless::{Limits, MessageKind, ProtocolError, Side};

fn both(sender: Side, takeover: bool, bits: u8, tuning: Tuning) -> (Deflater, Inflater) {
    let params = agreed(sender, takeover, bits);
    (Deflater::new(&params, sender, tuning), Inflater::new(&params, sender, Limits::DEFAULT))
}

/// Compresses and inflates without any memory of its own.
fn exchange(out: &mut Deflater, back: &mut Inflater, text: &[u8], [payload, got]: [&mut [u8]; 2]) {
    let step = out.deflate(&mut &text[..], Flush::Message, payload).unwrap();
    assert!(step.done);
    let inflated = back.inflate(MessageKind::Binary, &mut &payload[..step.written], true, got).unwrap();
    assert_eq!(inflated.as_bytes(), text);
}

#[test]
fn req_t_pmd_9_a_codec_that_has_seen_no_message_holds_no_memory() {
    let (_, most, codecs) = held(|| both(Side::Server, true, 15, Tuning::DEFAULT));
    assert_eq!(most, 0);
    drop(codecs);
}

#[test]
fn req_t_pmd_9_memory_comes_with_the_first_message_and_goes_when_it_is_released() {
    for sender in BOTH {
        for takeover in [false, true] {
            let (mut out, mut back) = both(sender, takeover, 15, Tuning::DEFAULT);
            let (mut payload, mut got) = ([0; 1000], [0; 1000]);
            let text = echoes(1, 500);
            for _ in 0..3 {
                let (now, _, step) =
                    held(|| out.deflate(&mut &text[..], Flush::Message, &mut payload).unwrap());
                assert!(step.done && now > 100_000, "{now}");
                let message = &payload[..step.written];
                let (half, _, _) = held(|| {
                    let (mut first, room) = (&message[..20], &mut got[..]);
                    back.inflate(MessageKind::Binary, &mut first, false, room).unwrap().status()
                });
                assert!(half > 40_000, "{half}");
                // Amid a message the context is needed.
                assert_eq!(held(|| back.release()).0, 0);
                let mut rest = &message[20..];
                back.inflate(MessageKind::Binary, &mut rest, true, &mut got).unwrap();

                let (out_now, _, ()) = held(|| out.release());
                let (back_now, _, ()) = held(|| back.release());
                if takeover {
                    assert_eq!((out_now, back_now), (0, 0), "what may be referred to is kept");
                    break;
                }
                // What a client sent is kept until it is known whether it may refer to it.
                let kept = if sender == Side::Client { 500 } else { 0 };
                // The history of the message may have grown since.
                assert!(out_now == -now && back_now <= kept - half, "{out_now} {back_now}");
                if kept > 0 {
                    break;
                }
            }
        }
    }
}

#[test]
fn amid_a_message_nothing_is_released() {
    let (mut out, mut back) = both(Side::Server, false, 15, Tuning::DEFAULT);
    let text = echoes(2, 9000);
    let mut payload = deflate(&mut out, &text[..4000], Flush::None, WHOLE);
    out.release();
    payload.extend(deflate(&mut out, &text[4000..6000], Flush::Fragment, WHOLE));
    out.release();
    payload.extend(deflate(&mut out, &text[6000..], Flush::Message, WHOLE));
    assert!(binary(&mut back, &payload) == Ok(text));
}

#[test]
fn req_t_pmd_9_a_pool_holds_what_no_connection_needs() {
    let pool = Pool::new(1);
    let (mut payload, mut got) = ([0; 1000], [0; 1000]);
    let mut pairs: Vec<(Deflater, Inflater)> = (0..5)
        .map(|_| {
            let (out, back) = both(Side::Server, false, 15, Tuning::DEFAULT);
            (out.with_pool(pool.clone()), back.with_pool(pool.clone()))
        })
        .collect();
    let (out, back) = &mut pairs[0];
    let (first, _, ()) = held(|| exchange(out, back, b"Hello", [&mut payload, &mut got]));
    assert!(first > 0);
    assert_eq!(pool.idle(), (1, 1));
    for (out, back) in &mut pairs {
        let (count, ()) = allocations(|| exchange(out, back, b"Hello", [&mut payload, &mut got]));
        assert_eq!(count, 0, "the same contexts serve all");
        assert_eq!(pool.idle(), (1, 1));
    }
}

#[test]
fn req_t_pmd_3_a_bomb_takes_no_more_memory_than_any_message() {
    let bomb = Zlib::new(9, 8, 15).sync(&vec![0; 10 << 20]);
    let params = agreed(Side::Client, true, 15);
    let mut out = vec![0; 1 << 16];
    let unbounded = Limits::DEFAULT.with_max_expansion(u16::MAX);
    for limits in [Limits::DEFAULT.with_max_message_size(64 << 10), Limits::DEFAULT, unbounded] {
        let mut inflater = Inflater::new(&params, Side::Client, limits);
        let (_, most, result) = held(|| {
            let mut input = cut(&bomb);
            loop {
                match inflater.inflate(MessageKind::Binary, &mut input, false, &mut out) {
                    Ok(_) if !input.is_empty() => {}
                    Ok(_) => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
        });
        let failed = matches!(result, Err(ProtocolError::MessageTooBig | ProtocolError::ExpansionTooBig));
        assert_eq!(failed, limits != unbounded);
        // About 48 KB, and a history that doubles up to 32 KiB.
        assert!((40_000..120_000).contains(&most), "{most}");
        assert_eq!(failed, held(|| drop(inflater)).0 == 0, "a failure gives it back at once");
    }
}
