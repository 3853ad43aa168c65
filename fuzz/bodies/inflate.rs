//! The receiving half of permessage-deflate: any octets, compressed or not.

use sockless::deflate::{InflateStatus, Inflater, Params, Pool, WindowBits};
use sockless::{Limits, MessageKind, ProtocolError, Side};
use zlib_rs::{Inflate, InflateError, InflateFlush, Status};

use super::script::{Cuts, Script};

/// Messages, inflated with some parameters. Three bytes choose the parameters, then comes each message after its length.
///
/// The result does not depend on how the octets are cut, nor on how much room they get. It keeps the limits, and is the
/// same as with zlib-rs.
pub fn inflate(data: &[u8]) {
    let [flags, choice, seed, messages @ ..] = data else { return };
    let window = WindowBits::new(8 + (choice & 7)).expect("it is 8 to 15");
    let mut params = Params::DEFAULT;
    params.server_no_context_takeover = flags & 1 == 0;
    params.server_max_window_bits = Some(window);
    let limits = Limits::DEFAULT.with_max_message_size(SIZES[usize::from(flags >> 4 & 7)]);
    let setup = Setup {
        params,
        limits: limits.with_max_expansion(EXPANSIONS[usize::from(choice >> 3 & 3)]),
        kind: if flags & 2 == 0 { MessageKind::Binary } else { MessageKind::Text },
        pooled: flags & 4 != 0,
        end_apart: flags & 8 != 0,
    };
    let (mut script, mut messages) = (Script(messages), Vec::new());
    while !script.is_empty() {
        let len = script.number();
        // The longest length means: all that is left.
        messages.push(script.octets(if len == u8::MAX { usize::MAX } else { len.into() }));
    }

    let room = usize::try_from(limits.max_message_size).expect("it is small") + 1;
    let whole = setup.run(&messages, || (usize::MAX, room));
    // Each call and each octet takes time, so large messages are cut into fewer pieces, in fewer ways.
    let single = |len: usize| 1 + len / 400;
    let (step, small) = (single(data.len()), single(whole.as_bytes()));
    setup.agree(&whole, &setup.run(&messages, || (step, small)));
    if whole.as_bytes() < 4000 {
        setup.agree(&whole, &setup.run(&messages, || (usize::MAX, small)));
        setup.agree(&whole, &setup.run(&messages, || (step, room)));
    }
    let mut cuts = Cuts::new(*seed);
    setup.agree(&whole, &setup.run(&messages, || (cuts.cut(), cuts.cut())));
    setup.compare(&messages, &whole);
}

const SIZES: [u64; 8] = [3000, 0, 1, 5, 100, 1000, 20_000, 70_000];
const EXPANSIONS: [u16; 4] = [u16::MAX, 1, 10, 500];

struct Setup {
    params: Params,
    limits: Limits,
    kind: MessageKind,
    pooled: bool,
    /// Whether the end of a message is given with its last octets, or after them.
    end_apart: bool,
}

/// The results of the messages.
struct Outcome {
    messages: Vec<Vec<u8>>,
    /// What was inflated of the message after those.
    begun: Vec<u8>,
    error: Option<ProtocolError>,
}

impl Setup {
    /// Inflates the messages. `cut` says how many octets are given next, and how much room.
    fn run(&self, messages: &[&[u8]], mut cut: impl FnMut() -> (usize, usize)) -> Outcome {
        let pool = Pool::new(1);
        let mut inflater = Inflater::new(&self.params, Side::Server, self.limits);
        if self.pooled {
            inflater = inflater.with_pool(pool.clone());
        }
        let mut outcome = Outcome { messages: Vec::new(), begun: Vec::new(), error: None };
        let mut out = Vec::new();
        for message in messages {
            let mut rest = *message;
            let mut given = 0;
            let mut ended = false;
            while !ended {
                let (most, mut room) = cut();
                let (mut input, after) = rest.split_at(most.min(rest.len()));
                rest = after;
                given += input.len();
                let last = rest.is_empty() && (!self.end_apart || input.is_empty());
                loop {
                    if out.len() < room {
                        out = vec![0; room];
                    }
                    let inflated = match inflater.inflate(self.kind, &mut input, last, &mut out[..room]) {
                        Ok(inflated) => inflated,
                        Err(error) => {
                            self.stays_failed(&mut inflater, error);
                            // Only a text that ends too early is found to be wrong after its context was given
                            // back.
                            assert!(error == ProtocolError::InvalidUtf8 || pool.idle() == (0, 0));
                            // The returned octets may end inside a character.
                            let text = std::str::from_utf8(&outcome.begun);
                            let cut = text.map_or_else(|error| error.error_len().is_none(), |_| true);
                            assert!(self.kind == MessageKind::Binary || cut);
                            outcome.error = Some(error);
                            return outcome;
                        }
                    };
                    if let Some(text) = inflated.as_str() {
                        assert_eq!((self.kind, text.as_bytes()), (MessageKind::Text, inflated.as_bytes()));
                    }
                    outcome.begun.extend_from_slice(inflated.as_bytes());
                    self.keeps_limits(&outcome.begun, given);
                    match inflated.status() {
                        InflateStatus::OutputFull => assert_eq!(inflated.as_bytes().len(), room),
                        InflateStatus::NeedInput => {
                            assert!(input.is_empty() && !last && inflater.is_mid_message());
                            break;
                        }
                        InflateStatus::MessageEnd => {
                            assert!(input.is_empty() && last && !inflater.is_mid_message());
                            ended = true;
                            break;
                        }
                    }
                    room = cut().1;
                }
            }
            let octets = std::mem::take(&mut outcome.begun);
            assert!(self.kind == MessageKind::Binary || std::str::from_utf8(&octets).is_ok());
            outcome.messages.push(octets);
            let kept = !self.params.context_takeover(Side::Server) && self.pooled;
            assert_eq!(pool.idle(), (usize::from(kept), 0));
            if given % 2 == 0 {
                inflater.release();
            }
        }
        outcome
    }

    fn stays_failed(&self, inflater: &mut Inflater, error: ProtocolError) {
        for last in [false, true] {
            for mut input in [&[][..], &[0x00]] {
                let mut out = [0; 10];
                let again = inflater.inflate(self.kind, &mut input, last, &mut out);
                assert_eq!(again.map(|_| ()), Err(error));
            }
        }
    }

    /// Of a message of which so many octets were `given`, no more was returned than is allowed.
    fn keeps_limits(&self, octets: &[u8], given: usize) {
        let len = octets.len() as u64;
        assert!(len <= self.limits.max_message_size);
        assert!(len <= (given as u64) * u64::from(self.limits.max_expansion) + (1 << 20));
    }

    /// The same, up to the failure: the octets that one call inflates are lost if the same call fails. Which
    /// error is reported does not depend on the cut.
    fn agree(&self, one: &Outcome, other: &Outcome) {
        assert_eq!(one.error, other.error);
        assert_eq!(one.messages, other.messages);
        let (one, other) = (one.all(), other.all());
        let common = one.len().min(other.len());
        assert!(one[..common] == other[..common]);
    }

    /// The result of zlib-rs for the same octets.
    fn compare(&self, messages: &[&[u8]], outcome: &Outcome) {
        let mut plain = Plain::new(self.params.window_bits(Side::Server).window_size());
        for (at, message) in messages.iter().enumerate() {
            let (inflated, valid) = plain.message(message);
            let text = self.kind == MessageKind::Binary || std::str::from_utf8(&inflated).is_ok();
            match (outcome.messages.get(at), outcome.error) {
                (Some(ours), _) => assert!(valid && text && *ours == inflated),
                (None, Some(ProtocolError::InvalidCompressedData)) => assert!(!valid),
                (None, Some(ProtocolError::InvalidUtf8)) => assert!(!text),
                (None, Some(ProtocolError::ExpansionTooBig)) => assert!(inflated.len() >= 1 << 20),
                (None, Some(ProtocolError::MessageTooBig)) => {
                    assert!(inflated.len() as u64 > self.limits.max_message_size);
                }
                (None, other) => panic!("{other:?}"),
            }
            if outcome.messages.len() == at {
                return;
            }
            if !self.params.context_takeover(Side::Server) {
                plain = Plain::new(plain.window);
            }
        }
    }
}

/// The codec alone.
struct Plain {
    codec: Inflate,
    inflated: Vec<u8>,
    window: usize,
}

impl Plain {
    fn new(window: usize) -> Self {
        Self { codec: Inflate::new(false, 15), inflated: Vec::new(), window }
    }

    /// The first octets of a message, and whether the message is valid.
    fn message(&mut self, mut rest: &[u8]) -> (Vec<u8>, bool) {
        let from = self.inflated.len();
        let mut out = [0; 4096];
        let valid = loop {
            let (result, consumed, len) = self.step(rest, &mut out, InflateFlush::NoFlush);
            rest = &rest[consumed..];
            self.inflated.extend_from_slice(&out[..len]);
            match result {
                Err(_) => break false,
                // A block with BFINAL: another stream follows, with the same window.
                Ok(Status::StreamEnd) => {
                    self.codec = Inflate::new(false, 15);
                    let window = self.inflated.len().saturating_sub(self.window);
                    self.codec.set_dictionary(&self.inflated[window..]).expect("it waits for a dictionary");
                }
                Ok(_) if len < out.len() => {
                    // The octets that the sender removed end a block. Nothing after it is taken.
                    let ending = [0x00, 0x00, 0xFF, 0xFF, 0x00];
                    let (result, consumed, len) = self.step(&ending, &mut out, InflateFlush::Block);
                    break rest.is_empty() && result.is_ok() && consumed == 4 && len == 0;
                }
                Ok(_) if self.inflated.len() > from + (1 << 20) => break true,
                Ok(_) => {}
            }
        };
        (self.inflated[from..].to_vec(), valid)
    }

    fn step(
        &mut self,
        input: &[u8],
        out: &mut [u8],
        flush: InflateFlush,
    ) -> (Result<Status, InflateError>, usize, usize) {
        let (before_in, before_out) = (self.codec.total_in(), self.codec.total_out());
        let result = self.codec.decompress(input, out, flush);
        let since = |now: u64, before: u64| usize::try_from(now - before).expect("it is small");
        (result, since(self.codec.total_in(), before_in), since(self.codec.total_out(), before_out))
    }
}

impl Outcome {
    fn as_bytes(&self) -> usize {
        self.all().len()
    }

    fn all(&self) -> Vec<u8> {
        [&self.messages.concat()[..], &self.begun].concat()
    }
}
