//! A plain decoder of RFC 1951, slow and strict. It shows what octets refer to, which a codec with its own
//! window does not.

/// A peer that keeps everything it received, and measures how far back it has to look.
#[derive(Default)]
pub struct Plain {
    pub octets: Vec<u8>,
    /// The largest distance.
    pub farthest: usize,
}

impl Plain {
    /// Reads whole blocks, with no other stream after them.
    ///
    /// # Panics
    ///
    /// If they are not valid.
    pub fn read(&mut self, compressed: &[u8]) {
        let mut bits = Bits { octets: compressed, at: 0 };
        while bits.at < compressed.len() * 8 {
            assert_eq!(bits.take(1), 0, "BFINAL");
            match bits.take(2) {
                0 => {
                    bits.at = bits.at.next_multiple_of(8);
                    let len = bits.take(16);
                    assert_eq!(bits.take(16), !len & 0xFFFF, "section 3.2.4");
                    self.octets.extend_from_slice(&compressed[bits.at / 8..][..len]);
                    bits.at += len * 8;
                }
                1 => {
                    let lengths: Vec<_> = (0..288)
                        .map(|symbol| match symbol {
                            0..=143 => 8,
                            144..=255 => 9,
                            256..=279 => 7,
                            _ => 8,
                        })
                        .collect();
                    self.block(&mut bits, &Code::new(&lengths), &Code::new(&[5; 30]));
                }
                2 => {
                    let (literals, distances) = dynamic(&mut bits);
                    self.block(&mut bits, &literals, &distances);
                }
                _ => panic!("a reserved type"),
            }
        }
    }

    /// Section 3.2.5.
    fn block(&mut self, bits: &mut Bits<'_>, literals: &Code, distances: &Code) {
        loop {
            let symbol = literals.symbol(bits);
            match symbol {
                0..=255 => self.octets.push(symbol as u8),
                256 => return,
                _ => {
                    let len = match symbol - 257 {
                        28 => 258,
                        symbol => 3 + bits.extended(symbol, 4),
                    };
                    let distance = 1 + {
                        let symbol = distances.symbol(bits);
                        bits.extended(symbol, 2)
                    };
                    self.farthest = self.farthest.max(distance);
                    for _ in 0..len {
                        self.octets.push(self.octets[self.octets.len() - distance]);
                    }
                }
            }
        }
    }
}

/// Section 3.2.7.
fn dynamic(bits: &mut Bits<'_>) -> (Code, Code) {
    let (literals, distances, count) = (257 + bits.take(5), 1 + bits.take(5), 4 + bits.take(4));
    let mut lengths = [0; 19];
    for at in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15].into_iter().take(count) {
        lengths[at] = bits.take(3);
    }
    let code = Code::new(&lengths);
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let (length, times) = match code.symbol(bits) {
            16 => (*lengths.last().expect("a length to repeat"), 3 + bits.take(2)),
            17 => (0, 3 + bits.take(3)),
            18 => (0, 11 + bits.take(7)),
            length => (length, 1),
        };
        lengths.extend(std::iter::repeat_n(length, times));
    }
    let (literals, distances) = lengths.split_at(literals);
    (Code::new(literals), Code::new(distances))
}

struct Bits<'d> {
    octets: &'d [u8],
    at: usize,
}

impl Bits<'_> {
    /// The next bits, the least significant first.
    fn take(&mut self, count: usize) -> usize {
        (0..count).fold(0, |number, bit| {
            let next = usize::from(self.octets[self.at / 8] >> (self.at % 8)) & 1;
            self.at += 1;
            number | next << bit
        })
    }

    /// The tables of section 3.2.5: after each `step` symbols there is one more extra bit, but not the first
    /// two times.
    fn extended(&mut self, symbol: usize, step: usize) -> usize {
        if symbol < 2 * step {
            return symbol;
        }
        let extra = symbol / step - 1;
        ((step + symbol % step) << extra) + self.take(extra)
    }
}

/// A Huffman code, made from its lengths (section 3.2.2).
struct Code {
    /// How many codes there are of each length.
    counts: [usize; 16],
    /// Symbols in the order of their codes.
    symbols: Vec<usize>,
}

impl Code {
    fn new(lengths: &[usize]) -> Self {
        let mut counts = [0; 16];
        lengths.iter().filter(|length| **length > 0).for_each(|length| counts[*length] += 1);
        let mut symbols: Vec<_> = (0..lengths.len()).filter(|symbol| lengths[*symbol] > 0).collect();
        symbols.sort_by_key(|symbol| lengths[*symbol]);
        Self { counts, symbols }
    }

    fn symbol(&self, bits: &mut Bits<'_>) -> usize {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            code |= bits.take(1);
            if code < first + count {
                return self.symbols[index + code - first];
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        panic!("no such code")
    }
}
