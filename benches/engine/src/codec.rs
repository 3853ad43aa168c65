//! Compression: the codec of the crate, and zlib-rs alone on the same messages, to see what the crate adds.
//!
//! Contexts are kept from message to message, at the default level of the crate.

use std::hint::black_box;

use sockless::deflate::{Deflater, Flush, InflateStatus, Inflater, Params, Tuning};
use sockless::{Limits, MessageKind, Side};
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush};

use crate::payload::records;
use crate::Workload;

/// The tail that a compressed message leaves out (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// The least room in octets, as in an endpoint: zlib is slow with less.
const ROOM: usize = 16 << 10;

/// Messages, and the payloads that they compress to.
pub struct Messages {
    plain: Vec<Vec<u8>>,
    compressed: Vec<Vec<u8>>,
}

impl Messages {
    fn new(len: usize, count: usize) -> Self {
        let plain = records(len, count);
        let mut deflater = deflater();
        let mut out = vec![0; Deflater::bound(len)];
        let compressed = plain.iter().map(|message| {
            let len = deflate_one(&mut deflater, message, &mut out);
            out[..len].to_vec()
        });
        let compressed = compressed.collect();
        Self { plain, compressed }
    }

    /// How many octets of messages one run processes.
    fn as_bytes(&self) -> usize {
        self.plain[1..].iter().map(Vec::len).sum()
    }
}

fn deflater() -> Deflater {
    Deflater::new(&Params::DEFAULT, Side::Server, Tuning::DEFAULT)
}

fn deflate_one(deflater: &mut Deflater, mut message: &[u8], out: &mut [u8]) -> usize {
    let result = deflater.deflate(&mut message, Flush::Message, out).expect("it compresses");
    assert!(result.done);
    result.written
}

/// A codec in the middle of a stream, what it writes to, and how much it has written in all.
pub struct State<C> {
    codec: C,
    out: Vec<u8>,
    written: usize,
}

impl<C> State<C> {
    fn new(codec: C, messages: &Messages) -> Self {
        // zlib shows that it is done by leaving some of the room.
        let longest = messages.plain.iter().map(Vec::len).max().unwrap_or(0);
        let least = Deflater::bound(longest) + TAIL.len() + 1;
        Self { codec, out: vec![0; least.max(ROOM)], written: 0 }
    }
}

/// One of the four codecs.
pub trait Codec: Sized {
    /// At the beginning of a stream.
    fn begin() -> Self;

    /// Whether it compresses or decompresses.
    const COMPRESSES: bool;

    /// Processes a message into `out`, and returns the length of the result.
    fn turn(&mut self, message: &[u8], out: &mut [u8]) -> usize;
}

impl Codec for Deflater {
    const COMPRESSES: bool = true;

    fn begin() -> Self {
        deflater()
    }

    #[inline(always)]
    fn turn(&mut self, message: &[u8], out: &mut [u8]) -> usize {
        deflate_one(self, message, out)
    }
}

impl Codec for Inflater {
    const COMPRESSES: bool = false;

    fn begin() -> Self {
        Self::new(&Params::DEFAULT, Side::Server, Limits::DEFAULT)
    }

    #[inline(always)]
    fn turn(&mut self, mut message: &[u8], out: &mut [u8]) -> usize {
        // Binary, because zlib does not check text either.
        let result = self.inflate(MessageKind::Binary, &mut message, true, out).expect("it inflates");
        assert_eq!(result.status(), InflateStatus::MessageEnd);
        result.as_bytes().len()
    }
}

impl Codec for Deflate {
    const COMPRESSES: bool = true;

    fn begin() -> Self {
        let tuning = Tuning::DEFAULT;
        Self::new_with_config(DeflateConfig {
            level: i32::from(tuning.level),
            mem_level: i32::from(tuning.memory_level),
            window_bits: -15,
            ..DeflateConfig::default()
        })
    }

    #[inline(always)]
    fn turn(&mut self, message: &[u8], out: &mut [u8]) -> usize {
        let before = self.total_out();
        self.compress(message, out, DeflateFlush::SyncFlush).expect("it compresses");
        (self.total_out() - before) as usize - TAIL.len()
    }
}

impl Codec for Inflate {
    const COMPRESSES: bool = false;

    fn begin() -> Self {
        Self::new(false, 15)
    }

    #[inline(always)]
    fn turn(&mut self, message: &[u8], out: &mut [u8]) -> usize {
        let before = self.total_out();
        for input in [message, &TAIL] {
            let done = (self.total_out() - before) as usize;
            self.decompress(input, &mut out[done..], InflateFlush::SyncFlush).expect("it inflates");
        }
        (self.total_out() - before) as usize
    }
}

/// A stream of messages through a codec.
pub struct Stream<C> {
    messages: Messages,
    codec: std::marker::PhantomData<C>,
}

/// The crate compresses.
pub fn deflate(len: usize, count: usize) -> Stream<Deflater> {
    Stream::new(len, count)
}

/// The crate decompresses.
pub fn inflate(len: usize, count: usize) -> Stream<Inflater> {
    Stream::new(len, count)
}

/// zlib-rs compresses.
pub fn zlib_deflate(len: usize, count: usize) -> Stream<Deflate> {
    Stream::new(len, count)
}

/// zlib-rs decompresses.
pub fn zlib_inflate(len: usize, count: usize) -> Stream<Inflate> {
    Stream::new(len, count)
}

impl<C: Codec> Stream<C> {
    fn new(len: usize, count: usize) -> Self {
        // The first message creates the context.
        Self { messages: Messages::new(len, count + 1), codec: std::marker::PhantomData }
    }

    /// The inputs and the outputs.
    fn ends(&self) -> (&[Vec<u8>], &[Vec<u8>]) {
        let Messages { plain, compressed } = &self.messages;
        if C::COMPRESSES {
            (plain, compressed)
        } else {
            (compressed, plain)
        }
    }
}

impl<C: Codec> Workload for Stream<C> {
    type State = State<C>;

    fn count(&self) -> usize {
        self.messages.plain.len() - 1
    }

    fn as_bytes(&self) -> usize {
        self.messages.as_bytes()
    }

    fn ready(&self) -> State<C> {
        let mut state = State::new(C::begin(), &self.messages);
        state.codec.turn(&self.ends().0[0], &mut state.out);
        state
    }

    #[inline(never)]
    fn run(&self, state: &mut State<C>) {
        for message in &self.ends().0[1..] {
            state.written += state.codec.turn(black_box(message), &mut state.out);
            black_box(&state.out);
        }
    }

    fn check(&self, state: &mut State<C>) {
        let (given, wanted) = self.ends();
        assert_eq!(state.written, wanted[1..].iter().map(Vec::len).sum::<usize>());
        assert!(self.messages.compressed.concat().len() * 2 < self.as_bytes(), "they compress well");
        let mut codec = C::begin();
        for (message, wanted) in given.iter().zip(wanted) {
            let len = codec.turn(message, &mut state.out);
            assert_eq!(state.out[..len], wanted[..]);
        }
    }
}
