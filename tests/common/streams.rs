//! Compressed data to inflate: made bit by bit by hand, or by zlib.

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Status};

/// DEFLATE data that is written down block by block, right or wrong (RFC 1951 section 3).
#[derive(Clone, Debug, Default)]
pub struct ByHand {
    bytes: Vec<u8>,
    /// How many bits of the last octet are taken; 0 if all are.
    taken: u32,
}

/// Types of blocks (RFC 1951 section 3.2.3).
pub const STORED: u32 = 0;
pub const FIXED: u32 = 1;
pub const DYNAMIC: u32 = 2;
pub const RESERVED: u32 = 3;

impl ByHand {
    pub fn new() -> Self {
        Self::default()
    }

    /// A number of `count` bits, the least significant first.
    pub fn number(mut self, number: u32, count: u32) -> Self {
        for place in 0..count {
            if self.taken == 0 {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= ((number >> place & 1) as u8) << self.taken;
            self.taken = (self.taken + 1) % 8;
        }
        self
    }

    /// A prefix code of `count` bits: the most significant first.
    pub fn code(self, code: u32, count: u32) -> Self {
        (0..count).rev().fold(self, |this, place| this.number(code >> place & 1, 1))
    }

    /// The header of a block.
    pub fn block(self, last: bool, kind: u32) -> Self {
        self.number(u32::from(last), 1).number(kind, 2)
    }

    /// A symbol in the fixed code of literals and lengths (RFC 1951 section 3.2.6).
    pub fn fixed(self, symbol: u32) -> Self {
        match symbol {
            0..=143 => self.code(0x30 + symbol, 8),
            144..=255 => self.code(0x190 + symbol - 144, 9),
            256..=279 => self.code(symbol - 256, 7),
            _ => self.code(0xC0 + symbol - 280, 8),
        }
    }

    /// Octets as literals of a fixed block.
    pub fn literals(self, octets: &[u8]) -> Self {
        octets.iter().fold(self, |this, octet| this.fixed(u32::from(*octet)))
    }

    /// A copy of three octets in a fixed block: the code of the distance, and its extra bits.
    pub fn copy(self, code: u32, extra: u32, count: u32) -> Self {
        self.fixed(257).code(code, 5).number(extra, count)
    }

    /// A whole fixed block of literals.
    pub fn fixed_block(self, last: bool, octets: &[u8]) -> Self {
        self.block(last, FIXED).literals(octets).fixed(256)
    }

    /// A whole stored block.
    pub fn stored_block(self, last: bool, octets: &[u8]) -> Self {
        let mut this = self.block(last, STORED).pad();
        let len = octets.len() as u16;
        this.bytes.extend([len.to_le_bytes(), (!len).to_le_bytes()].concat());
        this.bytes.extend(octets);
        this
    }

    /// The header of a dynamic block with codes of these lengths (RFC 1951 section 3.2.7). The lengths themselves
    /// are written in four bits each: the code of code lengths has 4 for each of 0 to 15, and none for repetitions.
    pub fn dynamic(self, last: bool, literals: &[u32], distances: &[u32]) -> Self {
        let counts = (literals.len() as u32 - 257, distances.len() as u32 - 1);
        let mut this = self.block(last, DYNAMIC).number(counts.0, 5).number(counts.1, 5).number(15, 4);
        this = this.number(0, 9);
        this = (0..16).fold(this, |this, _| this.number(4, 3));
        literals.iter().chain(distances).fold(this, |this, len| this.code(*len, 4))
    }

    /// Zero bits up to the next octet (RFC 7692 section 7.2.1).
    pub fn pad(mut self) -> Self {
        self.taken = 0;
        self
    }

    /// Ends a message: the first octet of an empty stored block, whose rest is the tail.
    pub fn flush(self) -> Vec<u8> {
        self.block(false, STORED).bytes
    }

    /// What was written so far.
    pub fn bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// zlib, as a peer that compresses.
pub struct Zlib(Deflate);

impl Zlib {
    /// A raw stream. zlib has no window of 8 bits.
    pub fn new(level: u8, memory_level: u8, window_bits: u8) -> Self {
        let config = DeflateConfig {
            level: i32::from(level),
            mem_level: i32::from(memory_level),
            window_bits: -i32::from(window_bits),
            ..DeflateConfig::default()
        };
        Self(Deflate::new_with_config(config))
    }

    /// Compresses and flushes: ends with the tail, unless there was nothing to compress and nothing to flush.
    pub fn sync(&mut self, input: &[u8]) -> Vec<u8> {
        self.run(input, DeflateFlush::SyncFlush)
    }

    /// Compresses and ends the stream with a block that has BFINAL set.
    pub fn finish(&mut self, input: &[u8]) -> Vec<u8> {
        self.run(input, DeflateFlush::Finish)
    }

    /// Empties the window.
    pub fn forget(&mut self) {
        self.0.reset();
    }

    fn run(&mut self, input: &[u8], flush: DeflateFlush) -> Vec<u8> {
        let mut out = vec![0; 2 * input.len() + 1024]; // Always room to spare: then one call does it.
        let before = (self.0.total_in(), self.0.total_out());
        let status = self.0.compress(input, &mut out, flush).expect("zlib compresses");
        assert_eq!(self.0.total_in() - before.0, input.len() as u64, "zlib takes everything");
        let len = (self.0.total_out() - before.1) as usize;
        assert!(len < out.len());
        assert_eq!(status == Status::StreamEnd, flush == DeflateFlush::Finish);
        out.truncate(len);
        out
    }
}

/// The payload of a message: without the tail (RFC 7692 section 7.2.1).
pub fn cut(flushed: &[u8]) -> &[u8] {
    flushed.strip_suffix(&super::inflate::TAIL).expect("flushed data ends with the tail")
}

/// Payloads that no decoder may accept, each for another reason, with any window.
pub fn corrupt() -> Vec<(&'static str, Vec<u8>)> {
    // 'a' and the end of the block have codes of one bit.
    let mut two = [0; 257];
    (two[97], two[256]) = (1, 1);
    let with = |at: usize, len: u32| {
        let mut lengths = two;
        lengths[at] = len;
        lengths
    };
    let hello = || ByHand::new().block(false, FIXED).literals(b"Hello");
    let counts = |literals, distances| {
        let header = ByHand::new().block(false, DYNAMIC).number(literals, 5).number(distances, 5);
        header.number(15, 4) // All 19 lengths of the code of code lengths follow.
    };
    // Of the lengths, 1 has the code 0, and 16 (first in order) or 18 (third) the code 1; 1 is the last but one.
    let with_repetition =
        |place| (0..19).fold(counts(0, 0), |this, at| this.number(u32::from(at == place || at == 17), 3));
    vec![
        ("a reserved block type", ByHand::new().block(false, RESERVED).flush()),
        ("a reserved block type after a block", hello().fixed(256).block(true, RESERVED).flush()),
        ("LEN and NLEN differ", vec![0x00, 0x05, 0x00, 0xFB, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00]),
        ("LEN runs over the end", vec![0x00, 0x40, 0x00, 0xBF, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00]),
        ("the symbol 286", hello().fixed(286).fixed(256).flush()),
        ("the symbol 287", hello().fixed(287).fixed(256).flush()),
        ("the distance code 30", hello().copy(30, 0, 0).fixed(256).flush()),
        ("the distance code 31", hello().copy(31, 0, 0).fixed(256).flush()),
        ("a distance before the first octet", hello().copy(4, 1, 1).fixed(256).flush()),
        ("a distance at the first octet", ByHand::new().block(false, FIXED).copy(0, 0, 0).fixed(256).flush()),
        ("288 literal and length codes", (0..19).fold(counts(31, 0), |s, _| s.number(4, 3)).flush()),
        ("an over-subscribed code of lengths", (0..19).fold(counts(0, 0), |s, _| s.number(1, 3)).flush()),
        ("an incomplete code of lengths", (0..19).fold(counts(0, 0), |s, _| s.number(5, 3)).flush()),
        ("an empty code of lengths", (0..19).fold(counts(0, 0), |s, _| s.number(0, 3)).flush()),
        ("a repetition of nothing", with_repetition(0).code(1, 1).number(3, 2).flush()),
        (
            "a repetition over the end",
            (0..3).fold(with_repetition(2), |this, _| this.code(1, 1).number(127, 7)).flush(),
        ),
        ("an over-subscribed code", ByHand::new().dynamic(false, &with(98, 1), &[0]).fixed(0).flush()),
        ("an incomplete code", ByHand::new().dynamic(false, &with(97, 2), &[0]).fixed(0).flush()),
        (
            "no code for the end",
            ByHand::new().dynamic(false, &[[0; 256], [0; 256]].concat()[..257], &[0]).flush(),
        ),
        (
            "an over-subscribed distance code",
            ByHand::new().dynamic(false, &two, &[1, 1, 1]).code(1, 1).flush(),
        ),
        ("an incomplete distance code", ByHand::new().dynamic(false, &two, &[2, 2]).code(1, 1).flush()),
    ]
}
