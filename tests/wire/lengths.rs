//! Lengths beyond 32 bits, in every place that has one: RFC 6455 section 5.2 gives a frame 63 bits, whatever an
//! address of this machine has.
//!
//! Payloads are received to their last octet: without masking and without a check of text, an octet costs
//! nothing.

use crate::common;

use common::counting::held;
use common::*;
use sockless::deflate::{Deflater, Flush, InflateStatus, Inflater, Params, Tuning};
use sockless::endpoint::{Action, Buffers, Endpoint, WriteSide};
use sockless::frame::{FrameHeader, LengthForm, MaskingKey, Opcode};
use sockless::{
    Client, Config, Input, Limits, Mailbox, MessageKind, ProtocolError, Reader, SendError, Server, Side,
    Writer,
};

/// Cut to 32 bits it is 5.
const LONG: u64 = (1 << 32) + 5;

/// Octets of the pieces that long payloads are fed in. It does not divide `LONG`.
const PIECE: usize = 3 << 20;

const BEYOND: [u64; 6] = [u32::MAX as u64, 1 << 32, LONG, 0x1_0000_FFFF, u64::MAX >> 2, u64::MAX >> 1];

fn limits(frame: u64, message: u64) -> Limits {
    Limits::DEFAULT.with_max_frame_size(frame).with_max_message_size(message)
}

fn config(frame: u64, message: u64) -> Config {
    Config::new().with_limits(limits(frame, message))
}

/// The next piece of `left` octets.
fn piece_of(left: u64) -> usize {
    usize::try_from(left).map_or(PIECE, |left| left.min(PIECE))
}

#[test]
fn req_6455_5_2_5_a_header_carries_all_bits_of_its_length() {
    for len in BEYOND {
        for key in [None, Some(KEY)] {
            let wire = header(BINARY, key, len);
            let built = FrameHeader::new(true, Opcode::BINARY, len, key.map(MaskingKey));
            assert_eq!((built.payload_len, built.length_form), (len, LengthForm::Bits64));
            assert_eq!(built.encode().as_bytes(), wire);
            assert_eq!(FrameHeader::decode(&wire), Some((built, wire.len())));
        }
    }
}

#[test]
fn req_t_lim_1_limits_of_more_than_32_bits_pass_what_they_say_and_not_one_more() {
    for side in BOTH {
        for max in BEYOND {
            let configs = [
                (config(max, u64::MAX), ProtocolError::FrameTooBig),
                (config(u64::MAX, max), ProtocolError::MessageTooBig),
            ];
            for (config, error) in configs {
                // No length is taken modulo 2^32, which would make some of them fit the limit.
                for len in [5, 6, 70_000, u64::from(u32::MAX), max - 1, max] {
                    let (conn, seen) = receive(side, config, &header(BINARY, key_to(side), len.min(max)));
                    assert_eq!((conn.reader().frame_remaining(), seen), (len.min(max), vec![]), "{side:?}");
                }
                if max < u64::MAX >> 1 {
                    fails(side, config, &header(BINARY, key_to(side), max + 1), error, 1009);
                }
                fails(
                    side,
                    config,
                    &header(BINARY, key_to(side), 1 << 63),
                    ProtocolError::LengthOverflow,
                    1002,
                );
            }
        }
    }
}

#[test]
fn req_t_lim_1_a_sum_beyond_32_bits_is_held_against_the_limit() {
    for side in BOTH {
        let mut wire = to(side, BINARY_PART, b"12345");
        wire.extend(header(END, key_to(side), 1 << 32));
        let (conn, seen) = receive(side, config(u64::MAX, LONG), &wire);
        assert_eq!((conn.reader().frame_remaining(), seen.len()), (1 << 32, 1));
        fails(side, config(u64::MAX, LONG - 1), &wire, ProtocolError::MessageTooBig, 1009);

        // The largest limit means no limit: no sum exceeds it, and none wraps.
        let mut wire = to(side, BINARY_PART, b"12345");
        wire.extend(header(END, key_to(side), u64::MAX >> 1));
        let (conn, seen) = receive(side, config(u64::MAX, u64::MAX), &wire);
        assert_eq!((conn.reader().frame_remaining(), seen.len()), (u64::MAX >> 1, 1));
    }
}

/// Gives `reader` the payload of a frame after its header, and checks every count on the way.
fn feed_payload(reader: &mut Reader, buffer: &mut [u8], len: u64, first: bool, fin: bool) {
    let mut mailbox = Mailbox::new();
    let mut left = len;
    while left > 0 {
        assert_eq!(reader.frame_remaining(), left);
        let count = piece_of(left);
        let mut input = Input::new(&mut buffer[..count]);
        let Ok(Some(sockless::Event::Data(data))) = reader.next(&mut input, &mut mailbox) else {
            panic!("no data with {left} octets left");
        };
        let begins = first && left == len;
        left -= count as u64;
        assert_eq!((data.as_bytes().len(), data.frame_remaining()), (count, left));
        assert_eq!((data.is_first(), data.is_last()), (begins, fin && left == 0));
        assert_eq!((input.remaining(), reader.next(&mut input, &mut mailbox)), (0, Ok(None)));
    }
    assert_eq!(reader.frame_remaining(), 0);
}

fn feed_header(reader: &mut Reader, first: u8, len: u64) -> Result<(), ProtocolError> {
    let mut bytes = header(first, None, len);
    let mut input = Input::new(&mut bytes);
    let event = reader.next(&mut input, &mut Mailbox::new())?;
    assert_eq!((event, input.remaining()), (None, 0));
    Ok(())
}

#[test]
fn req_t_lim_1_a_frame_of_more_than_32_bits_is_received_to_its_last_octet() {
    let mut buffer = vec![0; PIECE];
    let mut reader = Reader::new(Side::Client, limits(LONG, LONG));
    for first in [BINARY, TEXT] {
        // What follows is a frame again, not payload.
        feed_header(&mut reader, BINARY, LONG).unwrap();
        feed_payload(&mut reader, &mut buffer, LONG, true, true);
        feed_header(&mut reader, first, 5).unwrap();
        feed_payload(&mut reader, &mut buffer, 5, true, true);
    }
}

#[test]
fn req_t_lim_1_fragments_sum_up_beyond_32_bits_to_the_last_octet() {
    let mut buffer = vec![0; PIECE];
    // Three fragments, each below 32 bits; then with one octet too many.
    let size = u64::from(u32::MAX);
    for (max, result) in [(3 * size, Ok(())), (3 * size - 1, Err(ProtocolError::MessageTooBig))] {
        let mut reader = Reader::new(Side::Client, limits(size, max));
        for first in [BINARY_PART, MORE] {
            feed_header(&mut reader, first, size).unwrap();
            feed_payload(&mut reader, &mut buffer, size, first == BINARY_PART, false);
        }
        assert_eq!(feed_header(&mut reader, END, size), result);
        if result.is_ok() {
            feed_payload(&mut reader, &mut buffer, size, false, true);
        }
    }
}

#[test]
fn req_t_lim_1_a_frame_of_more_than_32_bits_is_sent_to_its_last_octet() {
    let mut buffer = vec![0; PIECE];
    let mut writer = Writer::new(Server);
    for fin in [false, true] {
        let begun = writer.begin(MessageKind::Binary, fin, LONG).unwrap();
        let first = if fin { END } else { BINARY_PART };
        assert_eq!(begun.as_bytes(), header(first, None, LONG));
        let mut left = LONG;
        while left > 0 {
            assert_eq!(writer.frame_remaining(), left);
            // Nothing may be sent in between.
            assert_eq!(writer.encode("x".into(), true, &mut [0; 64]), Err(SendError::FrameInProgress));
            let count = piece_of(left);
            if count < PIECE {
                assert_eq!(writer.mask(&mut buffer[..=count]), Err(SendError::PayloadTooLong));
            }
            writer.mask(&mut buffer[..count]).unwrap();
            left -= count as u64;
        }
        assert_eq!(writer.frame_remaining(), 0);
        assert_eq!(writer.mask(&mut [0]), Err(SendError::PayloadTooLong));
    }
    assert_eq!(writer.encode("x".into(), true, &mut [0; 64]), Ok(3));
}

#[test]
fn req_t_lim_1_a_client_begins_a_frame_of_more_than_32_bits() {
    let mut buffer = vec![0; PIECE];
    for len in BEYOND {
        let mut writer = Writer::new(Client::new(Keys(1)));
        let begun = writer.begin(MessageKind::Text, true, len).unwrap();
        let key: [u8; 4] = begun.as_bytes()[10..].try_into().unwrap();
        assert_eq!(begun.as_bytes(), header(TEXT, Some(key), len));
        // More than a length cut to 32 bits would leave.
        for count in [6, 70_000, PIECE - 70_006] {
            writer.mask(&mut buffer[..count]).unwrap();
            buffer.fill(0);
        }
        assert_eq!(writer.frame_remaining(), len - PIECE as u64);
    }
}

#[test]
fn the_length_of_a_frame_saturates() {
    let server = Writer::new(Server);
    let client = Writer::new(Client::new(Keys(1)));
    let cases: [(usize, u64); 6] =
        [(0, 2), (125, 2), (126, 4), (0xFFFF, 4), (0x1_0000, 10), (u32::MAX as usize, 10)];
    for (len, header) in cases {
        let sum = |more| usize::try_from(len as u64 + header + more).unwrap_or(usize::MAX);
        assert_eq!((server.encoded_len(len), client.encoded_len(len)), (sum(0), sum(4)), "{len}");
    }
    for short in 0..=14 {
        let len = usize::MAX - short;
        let sum = |header: usize| len.saturating_add(header);
        assert_eq!((server.encoded_len(len), client.encoded_len(len)), (sum(10), sum(14)), "{len}");
    }
}

#[test]
fn req_t_lim_1_an_endpoint_hands_out_more_than_32_bits_in_pieces_and_reserves_none() {
    let buffers = Buffers::DEFAULT.with_read(PIECE);
    let client = Client::new(Keys(1));
    let mut endpoint =
        Endpoint::new(client, config(u64::MAX, u64::MAX), buffers, &header(BINARY, None, LONG));
    let (_, peak, octets) = held(|| {
        let mut octets = 0;
        loop {
            match endpoint.poll_piece(WriteSide::Ready).unwrap() {
                Action::Read => {
                    let count = endpoint.space().len().min(piece_of(LONG - octets));
                    endpoint.filled(count);
                }
                Action::Take(ready) => {
                    let data = endpoint.piece(ready).unwrap().unwrap();
                    octets += data.as_bytes().len() as u64;
                    assert_eq!((data.frame_remaining(), data.is_last()), (LONG - octets, octets == LONG));
                    if data.is_last() {
                        return octets;
                    }
                }
                Action::Yield => {}
                other => panic!("{other:?}"),
            }
        }
    });
    assert_eq!(octets, LONG);
    assert!(peak <= 3 * PIECE as isize, "{peak} bytes");
}

#[test]
fn req_t_lim_1_a_whole_message_of_more_than_32_bits_takes_memory_as_it_comes() {
    for side in BOTH {
        let wire = header(BINARY, key_to(side), LONG);
        let (_, peak, ()) = held(|| match side {
            Side::Server => announce(Endpoint::new(Server, config(LONG, LONG), Buffers::DEFAULT, &wire)),
            Side::Client => {
                announce(Endpoint::new(Client::new(Keys(1)), config(LONG, LONG), Buffers::DEFAULT, &wire));
            }
        });
        // The buffer of a read, and what was received with the end of the opening handshake.
        let most = Buffers::DEFAULT.read + wire.len();
        assert!(peak <= most as isize, "{side:?}: {peak} bytes");
    }

    fn announce<R: sockless::Role>(mut endpoint: Endpoint<R>) {
        for _ in 0..2 {
            assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Read));
            endpoint.space();
            endpoint.filled(6);
        }
        assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Read));
    }
}

#[test]
fn req_t_lim_1_what_a_message_inflates_to_is_counted_beyond_32_bits() {
    // Zeros after zeros: the same octets again and again.
    let mut deflater = Deflater::new(&Params::DEFAULT, Side::Client, Tuning::DEFAULT);
    let mut deflate = |octets: &[u8], flush| {
        let (mut input, mut out) = (octets, vec![0; Deflater::bound(octets.len())]);
        let written = deflater.deflate(&mut input, flush, &mut out).unwrap().written;
        out.truncate(written);
        out
    };
    let mebibyte = vec![0; 1 << 20];
    let first = deflate(&mebibyte, Flush::Fragment);
    let more = deflate(&mebibyte, Flush::Fragment);
    let last = deflate(&[0; 5], Flush::Message);

    let mut out = vec![0; 1 << 20];
    // A remaining limit whose low 32 bits are zero is not taken for 0. So much input at once is allowed.
    let mut inflater = Inflater::new(&Params::DEFAULT, Side::Client, limits(u64::MAX, 1 << 32));
    let begin = [first.clone(), more.repeat(100)].concat();
    let mut input = &begin[..];
    let inflated = inflater.inflate(MessageKind::Binary, &mut input, false, &mut out).unwrap();
    assert_eq!((inflated.as_bytes().len(), inflated.status()), (1 << 20, InflateStatus::OutputFull));

    let mut run = |max: u64| {
        let mut inflater = Inflater::new(&Params::DEFAULT, Side::Client, limits(u64::MAX, max));
        let mut octets = 0;
        for i in 0..=4096 {
            let piece = match i {
                0 => &first,
                4096 => &last,
                _ => &more,
            };
            let mut input = &piece[..];
            loop {
                let result = inflater.inflate(MessageKind::Binary, &mut input, i == 4096, &mut out);
                let inflated = result.map_err(|error| (i, error))?;
                octets += inflated.as_bytes().len() as u64;
                match inflated.status() {
                    InflateStatus::OutputFull => {}
                    InflateStatus::NeedInput => break,
                    InflateStatus::MessageEnd => return Ok(octets),
                }
            }
        }
        panic!("no end after {octets} octets");
    };
    assert_eq!(run(LONG), Ok(LONG));
    assert_eq!(run(LONG - 1), Err((4096, ProtocolError::MessageTooBig)));
}
