//! Both directions of the codec, run over input and room cut in any way, watched for calls that lead nowhere.

use proptest::prelude::*;
use sockless::deflate::{Deflater, Flush, InflateStatus, Inflater, Params, WindowBits};
use sockless::{MessageKind, ProtocolError, Side};

use super::other;

/// Sizes of the pieces of input, and of the room for output, in turns. None is 0.
#[derive(Clone, Copy, Debug)]
pub struct Cuts<'a> {
    pub input: &'a [usize],
    pub room: &'a [usize],
}

/// Everything at once.
pub const WHOLE: Cuts<'static> = Cuts { input: &[usize::MAX], room: &[1 << 18] };

/// Parameters in which `sender` has this context and window, and the other side the opposite.
pub fn agreed(sender: Side, takeover: bool, bits: u8) -> Params {
    let mut params = Params::DEFAULT;
    for (side, takeover, bits) in [(sender, takeover, bits), (other(sender), !takeover, 23 - bits)] {
        let bits = Some(WindowBits::new(bits).unwrap());
        match side {
            Side::Server => {
                (params.server_no_context_takeover, params.server_max_window_bits) = (!takeover, bits);
            }
            Side::Client => {
                (params.client_no_context_takeover, params.client_max_window_bits) = (!takeover, bits);
            }
        }
    }
    params
}

/// The pieces, at least one.
fn pieces<'a>(mut octets: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for size in sizes.iter().cycle() {
        let (piece, rest) = octets.split_at(octets.len().min(*size));
        pieces.push(piece);
        octets = rest;
        if octets.is_empty() {
            break;
        }
    }
    pieces
}

/// Compresses `octets`, and ends with `flush`.
pub fn deflate(deflater: &mut Deflater, octets: &[u8], flush: Flush, cuts: Cuts<'_>) -> Vec<u8> {
    let mut buffer = vec![0; cuts.room.iter().copied().max().unwrap()];
    let mut rooms = cuts.room.iter().cycle();
    let mut out = Vec::new();
    let pieces = pieces(octets, cuts.input);
    for (at, piece) in pieces.iter().enumerate() {
        let flush = if at + 1 == pieces.len() { flush } else { Flush::None };
        let mut rest = *piece;
        loop {
            let room = &mut buffer[..*rooms.next().unwrap()];
            let deflated = deflater.deflate(&mut rest, flush, room).expect("zlib works");
            out.extend_from_slice(&room[..deflated.written]);
            if deflated.done {
                assert!(rest.is_empty(), "done means that all input was taken");
                break;
            }
            assert_eq!(deflated.written, room.len(), "not done means that there was no room");
        }
    }
    out
}

/// A whole message at once.
pub fn message(deflater: &mut Deflater, octets: &[u8]) -> Vec<u8> {
    deflate(deflater, octets, Flush::Message, WHOLE)
}

/// Inflates a part of a message, and appends it to `out`, which holds what was inflated before.
pub fn inflate_part(
    inflater: &mut Inflater,
    kind: MessageKind,
    (part, last): (&[u8], bool),
    cuts: Cuts<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ProtocolError> {
    let mut buffer = vec![0; cuts.room.iter().copied().max().unwrap()];
    let mut rooms = cuts.room.iter().cycle();
    let pieces = pieces(part, cuts.input);
    for (at, piece) in pieces.iter().enumerate() {
        let (mut rest, last) = (*piece, last && at + 1 == pieces.len());
        loop {
            let room = &mut buffer[..*rooms.next().unwrap()];
            let room_len = room.len();
            let inflated = inflater.inflate(kind, &mut rest, last, room)?;
            let (bytes, status) = (inflated.as_bytes(), inflated.status());
            if !bytes.is_empty() {
                // As text where the piece begins and ends between characters.
                let text = std::str::from_utf8(bytes).ok();
                let expected = text.filter(|_| kind == MessageKind::Text && std::str::from_utf8(out).is_ok());
                assert_eq!(inflated.as_str(), expected);
            }
            out.extend_from_slice(bytes);
            match status {
                InflateStatus::OutputFull => {
                    assert_eq!(bytes.len(), room_len, "there is room left");
                    continue;
                }
                InflateStatus::NeedInput => assert!(!last, "there is no more input"),
                InflateStatus::MessageEnd => assert!(last, "the message has not ended"),
            }
            assert!(rest.is_empty(), "input is left");
            break;
        }
    }
    Ok(())
}

/// Inflates a message.
pub fn inflate(
    inflater: &mut Inflater,
    kind: MessageKind,
    payload: &[u8],
    cuts: Cuts<'_>,
) -> Result<Vec<u8>, ProtocolError> {
    let mut out = Vec::new();
    inflate_part(inflater, kind, (payload, true), cuts, &mut out).map(|()| out)
}

/// A binary message at once.
pub fn binary(inflater: &mut Inflater, payload: &[u8]) -> Result<Vec<u8>, ProtocolError> {
    inflate(inflater, MessageKind::Binary, payload, WHOLE)
}

/// Octets without any order, always the same for a seed.
pub fn noise(seed: u32, len: usize) -> Vec<u8> {
    dice(seed).take(len).collect()
}

fn dice(seed: u32) -> impl Iterator<Item = u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 11) as u8
    })
}

/// Octets in which much repeats, near and far, with noise between.
pub fn echoes(seed: u32, len: usize) -> Vec<u8> {
    let mut dice = dice(seed).map(usize::from);
    let mut roll = move || dice.next().unwrap();
    let mut out: Vec<u8> = Vec::with_capacity(len);
    while out.len() < len {
        let (choice, far, count) = (roll(), roll() << 8 | roll(), 3 + roll() % 40);
        let far = if choice % 2 == 0 { far % 600 } else { far };
        if choice < 64 || far >= out.len() {
            out.push(choice as u8);
        } else {
            let from = out.len() - 1 - far;
            (from..from + count).for_each(|at| out.push(out[at]));
        }
    }
    out.truncate(len);
    out
}

/// Messages of all sorts and up to `most` octets, few of them long.
pub fn octets(most: usize) -> impl Strategy<Value = Vec<u8>> {
    let len = prop_oneof![6 => 0_usize..400, 3 => 400..5000_usize, 1 => 5000..most];
    (any::<u32>(), len, 0..5_u8).prop_map(|(seed, len, sort)| match sort {
        0 => noise(seed, len),
        1 => echoes(seed, len),
        2 => noise(seed, len).into_iter().map(|octet| b"etaoin shrdlu"[usize::from(octet) % 13]).collect(),
        3 => noise(seed, 1 + len / 50).repeat(50)[..len].to_vec(),
        _ => vec![seed as u8; len],
    })
}

/// Sizes for [`Cuts`], from single octets to more than most messages have.
pub fn sizes() -> impl Strategy<Value = Vec<usize>> {
    let size = prop_oneof![1_usize..=16, 1_usize..400, Just(5000), Just(1 << 17)];
    prop::collection::vec(size, 1..5)
}
