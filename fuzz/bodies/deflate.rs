//! The sending half of permessage-deflate: the peer can always inflate what was compressed.

use sockless::deflate::{Deflater, Flush, InflateStatus, Inflater, Params, Pool, Tuning, WindowBits};
use sockless::{Limits, MessageKind, Side};

use super::plain::Plain;
use super::script::Script;

/// Messages, compressed with some parameters. Four bytes choose the parameters, then comes each fragment: what is done
/// with it, and its content.
///
/// With any room, the result inflates to the messages, within the window that was agreed on.
pub fn deflate(data: &[u8]) {
    let [flags, choice, memory, room, script @ ..] = data else { return };
    let mut params = Params::DEFAULT;
    params.server_no_context_takeover = flags & 1 == 0;
    params.server_max_window_bits = WindowBits::new(8 + (choice & 7));
    let level = (choice >> 3) % 10;
    let setup = Setup {
        params,
        tuning: Tuning::DEFAULT.with_level(level).with_memory_level(1 + memory % 9),
        pooled: flags & 2 != 0,
    };
    let messages = messages(Script(script));
    let compressed = setup.round_trip(&messages, Room::Bound);
    // Each call takes time, so large messages get more room.
    if compressed < 4000 {
        setup.round_trip(&messages, Room::Octets(1 + compressed / 400));
    }
    setup.round_trip(&messages, Room::Octets(usize::from(*room) + 2));
}

/// A message, in fragments.
struct Message {
    fragments: Vec<Fragment>,
    /// What is done after it.
    then: Then,
}

struct Fragment {
    octets: Vec<u8>,
    /// How the octets before the next fragment are flushed.
    flush: Flush,
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    Nothing,
    /// It is not sent, and the compressor must forget it.
    Lose,
    /// The memory of an idle connection is freed.
    Release,
}

/// At most 40,000 octets, so that an input does not take too long.
fn messages(mut script: Script<'_>) -> Vec<Message> {
    let (mut messages, mut fragments, mut said) = (Vec::new(), Vec::new(), Vec::new());
    while !script.is_empty() && said.len() < 40_000 {
        let choice = script.number();
        let octets = script.content(&mut said);
        let flush = match choice & 3 {
            0 => Flush::None,
            1 => Flush::Fragment,
            _ => Flush::Message,
        };
        fragments.push(Fragment { octets, flush });
        if flush == Flush::Message {
            let then = match choice >> 2 & 7 {
                0 => Then::Lose,
                1 => Then::Release,
                _ => Then::Nothing,
            };
            messages.push(Message { fragments: std::mem::take(&mut fragments), then });
        }
    }
    messages
}

struct Setup {
    params: Params,
    tuning: Tuning,
    pooled: bool,
}

/// How much room a call gets.
#[derive(Clone, Copy)]
enum Room {
    /// What `Deflater::bound` says.
    Bound,
    Octets(usize),
}

impl Setup {
    /// How many octets the messages were compressed to.
    fn round_trip(&self, messages: &[Message], room: Room) -> usize {
        let mut total = 0;
        let pool = Pool::new(1);
        let mut deflater = Deflater::new(&self.params, Side::Server, self.tuning);
        let mut inflater = Inflater::new(&self.params, Side::Server, Limits::DEFAULT);
        if self.pooled {
            deflater = deflater.with_pool(pool.clone());
            inflater = inflater.with_pool(pool.clone());
        }
        let mut plain = Plain::default();
        for message in messages {
            let lost = message.then == Then::Lose;
            if !self.params.context_takeover(Side::Server) {
                plain.octets.clear();
            }
            let compressed = compress(&mut deflater, message, room, |compressed, octets| {
                // After a reset, a peer that missed a message can read the next one.
                if !lost {
                    let before = plain.octets.len();
                    plain.read(compressed);
                    assert!(plain.octets[before..] == *octets);
                }
            });
            match message.then {
                Then::Lose => {
                    deflater.reset();
                    continue;
                }
                Then::Release => deflater.release(),
                Then::Nothing => {}
            }
            total += compressed.len();
            assert!(!compressed.is_empty(), "section 7.2.3.6");
            let octets: Vec<u8> = message.fragments.iter().flat_map(|part| part.octets.clone()).collect();
            let mut inflated = vec![0; octets.len() + 1];
            let mut input = &compressed[..];
            let result = inflater.inflate(MessageKind::Binary, &mut input, true, &mut inflated);
            let result = result.expect("the peer can read it");
            assert_eq!(result.status(), InflateStatus::MessageEnd);
            assert!(result.as_bytes() == octets);
        }
        assert!(plain.farthest <= self.params.window_bits(Side::Server).window_size());
        if self.pooled && !self.params.context_takeover(Side::Server) {
            assert!(pool.idle().0 <= 1 && pool.idle().1 <= 1);
        } else {
            assert_eq!(pool.idle(), (0, 0));
        }
        total
    }
}

/// The compressed message. `flushed` gets each flush with its tail, and the octets in it.
fn compress(
    deflater: &mut Deflater,
    message: &Message,
    room: Room,
    mut flushed: impl FnMut(&[u8], &[u8]),
) -> Vec<u8> {
    let (mut compressed, mut at) = (Vec::new(), 0);
    let mut pending = Vec::new();
    for Fragment { octets, flush } in &message.fragments {
        let mut input = &octets[..];
        let before = compressed.len();
        let at_once = pending.is_empty();
        pending.extend_from_slice(octets);
        loop {
            let size = match room {
                Room::Bound => Deflater::bound(pending.len()),
                Room::Octets(size) => size,
            };
            let mut out = vec![0; size];
            let given = deflater.deflate(&mut input, *flush, &mut out).expect("the codec has no defect");
            compressed.extend_from_slice(&out[..given.written]);
            if given.done {
                break;
            }
            assert!(given.written == size, "there was room left");
            assert!(!matches!(room, Room::Bound), "more than the bound");
        }
        assert!(input.is_empty());
        assert!(
            !at_once || *flush == Flush::None || compressed.len() - before <= Deflater::bound(octets.len())
        );
        match flush {
            Flush::None => continue,
            Flush::Fragment => {
                // Up to a whole octet, marked by an empty block, unless there is nothing to flush.
                assert_eq!(compressed.len() == at, pending.is_empty());
                assert!(pending.is_empty() || compressed[at..].ends_with(&TAIL));
                flushed(&compressed[at..], &pending);
            }
            Flush::Message => flushed(&[&compressed[at..], &TAIL].concat(), &pending),
        }
        at = compressed.len();
        pending.clear();
    }
    compressed
}

const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];
