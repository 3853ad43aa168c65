//! A header is refused at the wrong octet: nothing after it is waited for, not even the masking key.

use crate::common;

use common::*;
use sockless::endpoint::{Action, Buffers, Endpoint, WriteSide};
use sockless::{AnyRole, Config, Limits, ProtocolError, ReadyState, Side};

type Error = ProtocolError;

/// Earlier frames, the first octet, the second without its mask bit, and the octets of a longer length.
struct Case {
    before: Vec<(u8, Vec<u8>)>,
    header: Vec<u8>,
    error: Error,
    code: u16,
}

fn case(before: Frames<'_>, header: &[u8], error: Error, code: u16) -> Case {
    let before = before.iter().map(|(first, payload)| (*first, payload.to_vec())).collect();
    Case { before, header: header.to_vec(), error, code }
}

/// The header of a data frame up to its length, in this form.
fn long(first: u8, form: u8, len: u64) -> Vec<u8> {
    match form {
        126 => [&[first, 126][..], &(len as u16).to_be_bytes()].concat(),
        127 => [&[first, 127][..], &len.to_be_bytes()].concat(),
        _ => vec![first, len as u8],
    }
}

impl Case {
    /// As the peer of `side` sends it, up to the octet that is wrong.
    fn wire(&self, side: Side) -> (Vec<u8>, Vec<u8>) {
        let before = self.before.iter().flat_map(|(first, payload)| to(side, *first, payload)).collect();
        let mut header = self.header.clone();
        if let (Some(second), Side::Server) = (header.get_mut(1), side) {
            *second ^= 0x80;
        }
        (before, header)
    }

    /// It fails at the last octet of the header and not before, over every cut and whatever follows.
    fn check(&self, config: Config) {
        for side in BOTH {
            let (before, header) = self.wire(side);
            let wire = [&before[..], &header].concat();
            fails(side, config, &wire, self.error, self.code);
            for behind in [&[0xFF; 14][..], &[0; 14], &to(side, TEXT, b"more")] {
                fails(side, config, &[&wire[..], behind].concat(), self.error, self.code);
            }
            let held_back = &wire[..wire.len() - 1];
            let seen = receive(side, config, held_back).1;
            assert!(!seen.iter().any(|seen| matches!(seen, Seen::Fail(_))), "{seen:?} of {held_back:02x?}");
            for cut in cuts(&wire) {
                assert_eq!(self.endpoint(side, config, &cut), Some(self.error), "{side:?}, cut {cut:02x?}");
            }
            assert_eq!(self.endpoint(side, config, &[held_back]), None, "{held_back:02x?}");
        }
    }

    /// The same by an endpoint, which awaits whole messages.
    fn endpoint(&self, side: Side, config: Config, cut: &[&[u8]]) -> Option<Error> {
        let role = match side {
            Side::Server => AnyRole::Server,
            Side::Client => AnyRole::Client(Keys(1)),
        };
        let mut endpoint = Endpoint::new(role, config, Buffers::DEFAULT, &[]);
        let mut pieces = cut.iter();
        loop {
            match endpoint.poll(WriteSide::Blocked) {
                Ok(Action::Take(ready)) => drop(endpoint.message(ready).unwrap()),
                Ok(Action::Read) => {
                    let Some(piece) = pieces.next() else { break };
                    endpoint.space()[..piece.len()].copy_from_slice(piece);
                    endpoint.filled(piece.len());
                }
                other => panic!("{other:?}"),
            }
        }
        if endpoint.ready_state() == ReadyState::Open {
            return None;
        }
        // A failure is reported after its Close went out.
        let owed = endpoint.output().len();
        endpoint.wrote(owed);
        assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::ShutdownWrite));
        endpoint.write_ended();
        endpoint.poll(WriteSide::Ready).err()
    }
}

#[test]
fn what_the_first_octet_says_is_judged_before_the_second_comes() {
    let config = Config::new().with_limits(Limits::DEFAULT.with_max_fragments(2));
    for rsv in [0x10, 0x20, 0x40, 0x70] {
        for first in [TEXT, BINARY, TEXT_PART, PING, CLOSE] {
            case(&[], &[first | rsv], Error::ReservedBits, 1002).check(config);
        }
        case(&[(TEXT_PART, b"")], &[MORE | rsv], Error::ReservedBits, 1002).check(config);
    }
    for opcode in [3, 4, 7, 0xB, 0xF] {
        for fin in [0, 0x80] {
            case(&[], &[fin | opcode], Error::ReservedOpcode, 1002).check(config);
        }
    }
    for control in [PING, PONG, CLOSE] {
        case(&[], &[control & 0xF], Error::FragmentedControl, 1002).check(config);
        case(&[(TEXT_PART, b"")], &[control & 0xF], Error::FragmentedControl, 1002).check(config);
    }
    for first in [MORE, END] {
        case(&[], &[first], Error::UnexpectedContinuation, 1002).check(config);
        case(&[(TEXT, b"one")], &[first], Error::UnexpectedContinuation, 1002).check(config);
        let two: Frames<'_> = &[(TEXT_PART, b""), (PING, b""), (MORE, b"a")];
        case(two, &[first], Error::TooManyFragments, 1008).check(config);
    }
    for first in [TEXT, BINARY, TEXT_PART, BINARY_PART] {
        case(&[(TEXT_PART, b"a")], &[first], Error::ExpectedContinuation, 1002).check(config);
    }
    let mut text_only = Limits::DEFAULT;
    text_only.accept_binary = false;
    for first in [BINARY, BINARY_PART] {
        case(&[], &[first], Error::UnsupportedData, 1003).check(Config::new().with_limits(text_only));
    }
    let none = Config::new().with_limits(Limits::DEFAULT.with_max_fragments(0));
    for first in [TEXT, BINARY, TEXT_PART, BINARY_PART] {
        case(&[], &[first], Error::TooManyFragments, 1008).check(none);
    }
}

#[test]
fn what_the_second_octet_says_is_judged_before_a_length_or_a_key_comes() {
    for control in [PING, PONG, CLOSE] {
        for len in [126, 127] {
            case(&[], &[control, len], Error::OversizedControl, 1002).check(Config::new());
        }
    }
    for side in BOTH {
        for first in [TEXT, BINARY, TEXT_PART, PING, CLOSE] {
            for len in [0, 5, 125, 126, 127] {
                let (mask, error) = match side {
                    Side::Server => (0, Error::MissingMask),
                    Side::Client => (0x80, Error::UnexpectedMask),
                };
                fails(side, Config::new(), &[first, mask | len], error, 1002);
            }
        }
    }
}

/// A length in 7, 16 or 64 bits, of a whole message, of its first fragment, and of a later one.
#[test]
fn req_6455_10_4_2_a_length_is_judged_before_the_masking_key_comes() {
    for (max, form, over) in [
        (4, 7, 5),
        (0, 7, 1),
        (124, 7, 125),
        (125, 126, 126),
        (200, 126, 201),
        (1000, 126, 0xFFFF),
        (0xFFFF, 127, 0x1_0000),
        (64 << 20, 127, (64 << 20) + 1),
        (64 << 20, 127, u64::MAX >> 1),
    ] {
        let frame = Config::new().with_limits(Limits::DEFAULT.with_max_frame_size(max));
        let message = Limits::DEFAULT.with_max_frame_size(u64::MAX).with_max_message_size(max);
        let message = Config::new().with_limits(message);
        for (config, error) in [(frame, Error::FrameTooBig), (message, Error::MessageTooBig)] {
            for first in [TEXT, BINARY, TEXT_PART, BINARY_PART] {
                case(&[], &long(first, form, over), error, 1009).check(config);
                case(&[(TEXT, b"")], &long(first, form, over), error, 1009).check(config);
            }
            for first in [MORE, END] {
                case(&[(BINARY_PART, b"")], &long(first, form, over), error, 1009).check(config);
            }
        }
        if max > 10 {
            // The sum over the fragments, of which the last is itself no larger than the limit.
            let first = vec![b'x'; 10];
            let form = if form == 126 && over - 10 < 126 { 7 } else { form };
            let form = if form == 127 && over - 10 < 0x1_0000 { 126 } else { form };
            let rest = long(END, form, over - 10);
            case(&[(TEXT_PART, &first), (PING, b"?")], &rest, Error::MessageTooBig, 1009).check(message);
        }
    }
}

#[test]
fn req_6455_5_2_6_req_6455_5_2_7_a_length_that_is_malformed_is_refused_before_the_masking_key_comes() {
    for first in [TEXT, BINARY, TEXT_PART, BINARY_PART] {
        for len in [0, 1, 5, 125] {
            case(&[], &long(first, 126, len), Error::NonMinimalLength, 1002).check(Config::new());
            case(&[(TEXT, b"x")], &long(first, 126, len), Error::NonMinimalLength, 1002).check(Config::new());
        }
        for len in [0, 5, 125, 126, 0xFFFF] {
            case(&[], &long(first, 127, len), Error::NonMinimalLength, 1002).check(Config::new());
        }
        for len in [1 << 63, u64::MAX] {
            case(&[], &long(first, 127, len), Error::LengthOverflow, 1002).check(Config::new());
        }
    }
    case(&[(TEXT_PART, b"x")], &long(END, 126, 5), Error::NonMinimalLength, 1002).check(Config::new());
    // Before the limits, which say less.
    let none = Config::new().with_limits(Limits::DEFAULT.with_max_frame_size(0));
    case(&[], &long(BINARY, 126, 5), Error::NonMinimalLength, 1002).check(none);
    case(&[], &long(BINARY, 127, u64::MAX), Error::LengthOverflow, 1002).check(none);
}
