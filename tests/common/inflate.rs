//! A second opinion on DEFLATE: a slow decoder written from RFC 1951, which forgives nothing and looks back no
//! further than it may.
//!
//! Where it is stricter than other decoders: a literal and length code must be complete, 284 does not stand for a
//! length of 258, a distance must lie within the window and within what was decoded before, and the tail must end
//! the empty stored block that it was cut off.

/// The end of an empty stored block, which RFC 7692 section 7.2.1 cuts off each message.
pub const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// The receiving end of a series of compressed messages (RFC 7692 section 7.2.2).
#[derive(Clone, Debug)]
pub struct Reference {
    window: usize,
    history: Vec<u8>,
    /// The largest distance that any message used.
    pub max_distance: usize,
    /// How many stored, fixed and dynamic blocks there were, the one that the tail ends included.
    pub blocks: [usize; 3],
    /// How many of them held nothing.
    pub empty_blocks: usize,
}

impl Reference {
    /// A decoder that refuses distances of more than `window` octets.
    pub fn new(window: usize) -> Self {
        Self { window, history: Vec::new(), max_distance: 0, blocks: [0; 3], empty_blocks: 0 }
    }

    /// Inflates the payload of one message, the tail not included.
    pub fn message(&mut self, payload: &[u8]) -> Result<Vec<u8>, String> {
        let start = self.history.len();
        let input = [payload, &TAIL].concat();
        let mut bits = Bits { bytes: &input, at: 0 };
        let mut ends_stored_and_empty = false;
        while !bits.at_end() {
            let last = bits.take(1)? == 1;
            let kind = bits.take(2)?;
            let before = self.history.len();
            match kind {
                0 => self.stored(&mut bits)?,
                1 => self.coded(&mut bits, &fixed_literals()?, &fixed_distances()?)?,
                2 => {
                    let (literals, distances) = dynamic(&mut bits)?;
                    self.coded(&mut bits, &literals, &distances)?;
                }
                _ => return Err("a reserved block type".to_owned()),
            }
            self.blocks[kind] += 1;
            let empty = self.history.len() == before;
            self.empty_blocks += usize::from(empty);
            ends_stored_and_empty = kind == 0 && empty;
            if last {
                bits.align(); // RFC 7692 section 7.2.3.4
            }
        }
        if !ends_stored_and_empty {
            return Err("the tail ends another block than the one it was cut off".to_owned());
        }
        Ok(self.history[start..].to_vec())
    }

    /// Empties the window, as between messages without context takeover.
    pub fn forget(&mut self) {
        self.history.clear();
    }

    /// RFC 1951 section 3.2.4.
    fn stored(&mut self, bits: &mut Bits<'_>) -> Result<(), String> {
        bits.align();
        let (len, complement) = (bits.take(16)?, bits.take(16)?);
        if len ^ complement != 0xFFFF {
            return Err(format!("LEN is {len:04x}, NLEN {complement:04x}"));
        }
        for _ in 0..len {
            self.history.push(bits.take(8)? as u8);
        }
        Ok(())
    }

    /// RFC 1951 section 3.2.3: literals, and copies of what came before.
    fn coded(&mut self, bits: &mut Bits<'_>, literals: &Code, distances: &Code) -> Result<(), String> {
        loop {
            let symbol = literals.symbol(bits)?;
            let len = match symbol {
                0..=255 => {
                    self.history.push(symbol as u8);
                    continue;
                }
                256 => return Ok(()),
                257..=285 => length(bits, symbol)?,
                _ => return Err(format!("symbol {symbol}")),
            };
            let distance = match distances.symbol(bits)? {
                code @ 0..=29 => DISTANCES[code] + bits.take(DISTANCE_BITS[code])?,
                code => return Err(format!("distance code {code}")),
            };
            if distance > self.window {
                return Err(format!("distance {distance} with a window of {}", self.window));
            }
            let Some(from) = self.history.len().checked_sub(distance) else {
                return Err(format!("distance {distance} after {} octets", self.history.len()));
            };
            self.max_distance = self.max_distance.max(distance);
            for at in from..from + len {
                self.history.push(self.history[at]);
            }
        }
    }
}

/// RFC 1951 section 3.2.5, codes 257 to 285: the shortest length of each.
const LENGTHS: [usize; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
    227, 258,
];
/// How many bits say by how much it is longer.
const LENGTH_BITS: [u32; 29] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
/// The same for the distance codes 0 to 29.
const DISTANCES: [usize; 30] = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073,
    4097, 6145, 8193, 12289, 16385, 24577,
];
const DISTANCE_BITS: [u32; 30] =
    [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];

fn length(bits: &mut Bits<'_>, symbol: usize) -> Result<usize, String> {
    let row = symbol - 257;
    match (symbol, LENGTHS[row] + bits.take(LENGTH_BITS[row])?) {
        (284, 258) => Err("a length of 258 as symbol 284".to_owned()),
        (_, len) => Ok(len),
    }
}

/// The bits of the input, the least significant of each octet first (RFC 1951 section 3.1.1).
struct Bits<'a> {
    bytes: &'a [u8],
    /// How many bits were read.
    at: usize,
}

impl Bits<'_> {
    fn at_end(&self) -> bool {
        self.at == self.bytes.len() * 8
    }

    /// A number of `count` bits.
    fn take(&mut self, count: u32) -> Result<usize, String> {
        let mut number = 0;
        for place in 0..count {
            let octet = self.bytes.get(self.at / 8).ok_or("the input ends inside a block")?;
            number |= usize::from(octet >> (self.at % 8) & 1) << place;
            self.at += 1;
        }
        Ok(number)
    }

    /// Goes on at the next octet boundary.
    fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }
}

/// A prefix code (RFC 1951 section 3.2.2).
struct Code {
    /// How many codes have each length. None has length 0.
    counts: [usize; 16],
    /// The symbols that have codes, in the order of their codes.
    symbols: Vec<usize>,
}

impl Code {
    /// The code in which the symbols have these lengths.
    fn new(lengths: &[usize]) -> Result<Self, String> {
        let mut counts = [0; 16];
        for len in lengths.iter().filter(|len| **len > 0) {
            counts[*len] += 1;
        }
        let mut free = 1_usize;
        for count in &counts[1..] {
            free = (2 * free).checked_sub(*count).ok_or("a code is over-subscribed")?;
        }
        if free > 0 {
            return Err("a code is incomplete".to_owned());
        }
        let mut symbols: Vec<usize> = (0..lengths.len()).filter(|symbol| lengths[*symbol] > 0).collect();
        symbols.sort_by_key(|symbol| (lengths[*symbol], *symbol));
        Ok(Self { counts, symbols })
    }

    /// A distance code. It may be empty, or one code of one bit (RFC 1951 section 3.2.7).
    fn of_distances(lengths: &[usize]) -> Result<Self, String> {
        let used: Vec<usize> = (0..lengths.len()).filter(|symbol| lengths[*symbol] > 0).collect();
        match used[..] {
            [] => Ok(Self { counts: [0; 16], symbols: used }),
            [only] if lengths[only] == 1 => {
                let mut counts = [0; 16];
                counts[1] = 1;
                Ok(Self { counts, symbols: used })
            }
            _ => Self::new(lengths),
        }
    }

    /// The next symbol. Codes of one length are consecutive numbers, and shorter ones come before longer ones.
    fn symbol(&self, bits: &mut Bits<'_>) -> Result<usize, String> {
        let (mut code, mut first, mut skipped) = (0, 0, 0);
        for count in &self.counts[1..] {
            code = code << 1 | bits.take(1)?;
            first <<= 1;
            if code < first + count {
                return Ok(self.symbols[skipped + code - first]);
            }
            first += count;
            skipped += count;
        }
        Err("bits that are no code".to_owned())
    }
}

/// RFC 1951 section 3.2.6.
fn fixed_literals() -> Result<Code, String> {
    Code::new(&[[8].repeat(144), [9].repeat(112), [7].repeat(24), [8].repeat(8)].concat())
}

fn fixed_distances() -> Result<Code, String> {
    Code::new(&[5; 32])
}

/// RFC 1951 section 3.2.7: the two codes of a dynamic block.
fn dynamic(bits: &mut Bits<'_>) -> Result<(Code, Code), String> {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let literals = bits.take(5)? + 257;
    let distances = bits.take(5)? + 1;
    if literals > 286 || distances > 30 {
        return Err(format!("{literals} literal and length codes, {distances} distance codes"));
    }
    let mut lengths = [0; 19];
    let given = bits.take(4)? + 4;
    for symbol in &ORDER[..given] {
        lengths[*symbol] = bits.take(3)?;
    }
    let code = Code::new(&lengths)?;
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let (len, times) = match code.symbol(bits)? {
            16 => (*lengths.last().ok_or("there is no length to repeat")?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            len => (len, 1),
        };
        lengths.extend([len].repeat(times));
    }
    if lengths.len() > literals + distances {
        return Err("a repetition runs over the end".to_owned());
    }
    if lengths[256] == 0 {
        return Err("a block that cannot end".to_owned());
    }
    Ok((Code::new(&lengths[..literals])?, Code::of_distances(&lengths[literals..])?))
}
