//! What compression costs in memory: measured, and as docs/compression.md says.

use crate::common;

use common::counting::{allocations, held};
use sockless::deflate::{Deflater, Flush, InflateStatus, Inflater, Params, Pool, Tuning, WindowBits};
use sockless::endpoint::{Action, Buffers, Endpoint, WriteSide};
use sockless::{Client, Config, EntropyError, Limits, MessageKind, Payload, Role, Server, Side};

type Key = fn(&mut [u8]) -> Result<(), EntropyError>;

const KEY: Key = |dest| {
    dest.fill(0x5A);
    Ok(())
};

fn params(takeover: bool, bits: u8) -> Params {
    let mut params = Params::DEFAULT;
    params.server_no_context_takeover = !takeover;
    params.client_no_context_takeover = !takeover;
    params.server_max_window_bits = WindowBits::new(bits);
    params.client_max_window_bits = WindowBits::new(bits);
    params
}

fn endpoints(params: &Params, pool: Option<&Pool>) -> (Endpoint<Server>, Endpoint<Client<Key>>) {
    let tuning = Tuning::DEFAULT.with_threshold(0);
    let server = Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]);
    let client = Endpoint::new(Client::new(KEY), Config::new(), Buffers::DEFAULT, &[]);
    (server.with_deflate(params, tuning, pool), client.with_deflate(params, tuning, pool))
}

/// Carries the output of one endpoint to the other. Returns how many octets were received in pieces.
fn carry<A: Role, B: Role>(from: &mut Endpoint<A>, to: &mut Endpoint<B>) -> u64 {
    let mut octets = 0;
    loop {
        match to.poll_piece(WriteSide::Blocked).unwrap() {
            Action::Take(ready) => octets += to.piece(ready).unwrap().unwrap().as_bytes().len() as u64,
            Action::Read => {
                let space = to.space();
                let count = from.output().len().min(space.len());
                if count == 0 {
                    return octets;
                }
                space[..count].copy_from_slice(&from.output()[..count]);
                from.wrote(count);
                to.filled(count);
            }
            Action::Yield => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The rows of the table of memory in docs/compression.md: setting, bytes.
fn readme() -> Vec<(String, isize)> {
    let text = include_str!("../../docs/compression.md");
    let from = text.find("| context |").expect("docs/compression.md has a table of contexts");
    let rows = text[from..].lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        (cells[0].to_owned(), cells[1].replace(',', "").parse().unwrap())
    })
    .collect()
}

#[test]
fn req_7692_7_2_2_5_contexts_cost_what_the_readme_says() {
    let octets: Vec<u8> = (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut measured = Vec::new();
    for (bits, memory_level) in [(15, 8), (15, 1), (12, 8), (12, 4), (9, 8), (9, 1)] {
        let tuning = Tuning::DEFAULT.with_memory_level(memory_level);
        let params = params(true, bits);
        let mut out = vec![0; Deflater::bound(octets.len())];
        let (bytes, peak, _) = held(|| {
            let mut deflater = Deflater::new(&params, Side::Server, tuning);
            deflater.deflate(&mut octets.as_slice(), Flush::Message, &mut out).unwrap();
            deflater
        });
        assert_eq!(bytes, peak, "nothing is asked for and given back on the way");
        measured.push((format!("compress, window {bits}, memory level {memory_level}"), bytes));
    }
    for bits in [15, 12, 9, 8] {
        let mut deflater = Deflater::new(&params(true, bits), Side::Server, Tuning::DEFAULT);
        let mut wire = vec![0; Deflater::bound(octets.len())];
        let len = deflater.deflate(&mut octets.as_slice(), Flush::Message, &mut wire).unwrap().written;
        let mut out = vec![0; octets.len() + 1];
        let (bytes, _, _) = held(|| {
            let mut inflater = Inflater::new(&params(true, bits), Side::Server, Limits::DEFAULT);
            let status =
                inflater.inflate(MessageKind::Binary, &mut &wire[..len], true, &mut out).unwrap().status();
            assert_eq!(status, InflateStatus::MessageEnd);
            inflater
        });
        measured.push((format!("inflate, window {bits}"), bytes));
    }
    assert_eq!(readme(), measured);
}

#[test]
fn req_t_pmd_9_contexts_are_made_when_they_are_needed_and_can_be_given_back() {
    let params = params(false, 15);
    let (bytes, _, (mut server, mut client)) = held(|| endpoints(&params, None));
    assert!(bytes < 2048, "{bytes} bytes before the first message");
    // Messages that are short, or sent uncompressed, need no context either.
    let (bytes, _, _) = held(|| {
        client.outbound().feed(Payload::text("plain").with_compression(false)).unwrap();
        carry(&mut client, &mut server);
        server.shrink();
        client.shrink();
    });
    assert_eq!(bytes, 0);
    let (bytes, _, _) = held(|| {
        client.outbound().feed("compressed, compressed").unwrap();
        carry(&mut client, &mut server);
    });
    assert!(bytes > 400_000, "{bytes} bytes hold two contexts");
    let (given_back, _, _) = held(|| {
        server.shrink();
        client.shrink();
    });
    // The 22 octets that the client sent: it may keep its window, although it was told not to.
    assert_eq!(bytes + given_back, 22);
    // Where contexts are taken over, giving back the buffers leaves them as they are.
    let (mut server, mut client) = endpoints(&self::params(true, 15), None);
    for _ in 0..3 {
        client.outbound().feed("taken over, taken over").unwrap();
        assert_eq!(carry(&mut client, &mut server), 22);
        server.shrink();
        client.shrink();
    }
}

#[test]
fn an_idle_connection_without_takeover_holds_no_context() {
    let pool = Pool::new(4);
    let params = params(false, 15);
    let (bytes, _, pairs) = held(|| {
        let mut pairs: Vec<_> = (0..100).map(|_| endpoints(&params, Some(&pool))).collect();
        for (server, client) in &mut pairs {
            client.outbound().feed("compressed, compressed").unwrap();
            assert_eq!(carry(client, server), 22);
            server.outbound().feed("compressed, compressed").unwrap();
            assert_eq!(carry(server, client), 22);
            server.shrink();
            client.shrink();
        }
        pairs
    });
    assert_eq!(pool.idle(), (1, 1));
    let contexts = 600_000; // of the pool
    assert!(bytes < contexts + 100 * 3000, "{bytes} bytes for {} connections", pairs.len());
}

#[test]
fn steady_traffic_asks_for_no_memory() {
    let message = "a message like many others, ".repeat(40);
    for takeover in [true, false] {
        let pool = Pool::new(1);
        let (mut server, mut client) = endpoints(&params(takeover, 15), Some(&pool));
        let mut echo = || {
            client.outbound().feed(message.as_str()).unwrap();
            carry(&mut client, &mut server);
            server.outbound().feed(message.as_str()).unwrap();
            carry(&mut server, &mut client)
        };
        // The history of what was received grows up to the window.
        for _ in 0..100 {
            echo();
        }
        let (count, octets) = allocations(|| (0..100).map(|_| echo()).sum::<u64>());
        assert_eq!((count, octets), (0, 100 * message.len() as u64));
    }
}

/// Carries the output of one endpoint to the other. Returns how many octets were received as whole messages.
fn carry_whole<A: Role, B: Role>(from: &mut Endpoint<A>, to: &mut Endpoint<B>) -> usize {
    let mut octets = 0;
    loop {
        match to.poll(WriteSide::Blocked).unwrap() {
            Action::Take(ready) => octets += to.message(ready).unwrap().unwrap().as_bytes().len(),
            Action::Read => {
                let space = to.space();
                let count = from.output().len().min(space.len());
                if count == 0 {
                    return octets;
                }
                space[..count].copy_from_slice(&from.output()[..count]);
                from.wrote(count);
                to.filled(count);
            }
            Action::Yield => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn steady_whole_messages_of_up_to_64_kib_ask_for_no_memory() {
    let text = "a message like many others, ".repeat(64 << 10);
    for takeover in [true, false] {
        let pool = Pool::new(1);
        for len in [1000, 20_000, 40_000, 60_000, (64 << 10) - 1, 64 << 10] {
            let (mut server, mut client) = endpoints(&params(takeover, 15), Some(&pool));
            let mut echo = || {
                client.outbound().feed(&text[..len]).unwrap();
                let there = carry_whole(&mut client, &mut server);
                server.outbound().feed(&text[..len]).unwrap();
                there + carry_whole(&mut server, &mut client)
            };
            for _ in 0..100 {
                echo();
            }
            let (count, octets) = allocations(|| (0..10).map(|_| echo()).sum::<usize>());
            assert_eq!((count, octets), (0, 10 * 2 * len), "takeover: {takeover}");
        }
    }
}

/// Memory is reserved for what is expected, which a peer may exploit: a message that repeats itself at first,
/// and then does not.
#[test]
fn the_room_of_a_message_is_bounded_by_what_came_of_it() {
    let config = Config::new().with_limits(Limits::DEFAULT.with_max_message_size(1 << 30));
    for feigned in [10_000, 50_000, 200_000] {
        let noise = (0..1_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 ^ n as u8);
        let octets: Vec<u8> = std::iter::repeat_n(0, feigned).chain(noise).collect();
        let mut client = endpoints(&params(true, 15), None).1;
        client.outbound().feed(octets.as_slice()).unwrap();
        let server = Endpoint::new(Server, config, Buffers::DEFAULT, &[]);
        let mut server = server.with_deflate(&params(true, 15), Tuning::DEFAULT, None);
        // The message, as far as it was sent, at each of many points.
        let wire = client.output().to_vec();
        let mut sent = 0;
        let (_, peak, ()) = held(|| {
            while sent < 64 << 10 {
                match server.poll(WriteSide::Blocked).unwrap() {
                    Action::Read => {
                        let space = server.space();
                        let count = space.len().min(16 << 10);
                        space[..count].copy_from_slice(&wire[sent..][..count]);
                        sent += count;
                        server.filled(count);
                    }
                    Action::Yield => {}
                    other => panic!("{other:?}"),
                }
            }
        });
        let came = feigned + sent;
        assert!(peak < (4 * came + 200_000) as isize, "{peak} bytes for {came} octets");
    }
}

/// 1 GiB in one message, in fragments of 16 KiB, in either role.
#[test]
fn req_7692_6_2_1_a_gibibyte_passes_through_16_kib() {
    const TOTAL: u64 = 1 << 30;
    let config =
        Config::new().with_limits(Limits::DEFAULT.with_max_message_size(TOTAL).with_max_expansion(u16::MAX));
    let tuning = Tuning::DEFAULT.with_memory_level(8);
    let fragment = [0x61_u8; 16 << 10];
    let (_, peak, octets) = held(|| {
        let server = Endpoint::new(Server, config, Buffers::DEFAULT, &[]);
        let client = Endpoint::new(Client::new(KEY), config, Buffers::DEFAULT, &[]);
        let mut server = server.with_deflate(&Params::DEFAULT, tuning, None);
        let mut client = client.with_deflate(&Params::DEFAULT, tuning, None);
        let (mut sent, mut octets) = (0, 0);
        while sent < TOTAL {
            sent += fragment.len() as u64;
            client.outbound().feed_fragment(fragment, sent == TOTAL).unwrap();
            octets += carry(&mut client, &mut server);
        }
        octets
    });
    assert_eq!(octets, TOTAL);
    assert!(peak < 700_000, "{peak} bytes at the most, contexts of both sides included");
}

/// zlib-rs counts in 32 bits where C's `long` has 32 bits, and panics after 4 GiB in a program with overflow
/// checks. So a new stream is begun before that, and the context is kept.
#[test]
fn a_context_outlives_a_gibibyte() {
    let params = params(true, 15);
    let mut deflater = Deflater::new(&params, Side::Server, Tuning::DEFAULT);
    let limits = Limits::DEFAULT.with_max_expansion(u16::MAX);
    let mut inflater = Inflater::new(&params, Side::Server, limits);
    let (long, text) = (vec![0; 60 << 20], b"refers to the one before it".repeat(3));
    let (mut wire, mut out) = (vec![0; Deflater::bound(long.len())], vec![0; long.len() + 1]);
    let mut pass = |message: &[u8]| {
        let len = deflater.deflate(&mut &*message, Flush::Message, &mut wire).unwrap().written;
        let inflated = inflater.inflate(MessageKind::Binary, &mut &wire[..len], true, &mut out).unwrap();
        assert!(inflated.status() == InflateStatus::MessageEnd && inflated.as_bytes() == message);
        len
    };
    let first = pass(&text);
    let again = pass(&text);
    assert!(again < first / 2);
    for n in 0..20 {
        pass(&long);
        assert_eq!((pass(&text) > again, pass(&text)), (true, again), "after {n} long messages");
    }
}
