//! How an input says what to do: numbers, octets, and how things are cut.

/// An input that is read from its front. After its end there are zeros.
#[derive(Clone, Copy)]
pub struct Script<'d>(pub &'d [u8]);

impl<'d> Script<'d> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn number(&mut self) -> u8 {
        let [first, rest @ ..] = self.0 else { return 0 };
        self.0 = rest;
        *first
    }

    /// At most `len` octets.
    pub fn octets(&mut self, len: usize) -> &'d [u8] {
        let (octets, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        octets
    }

    /// Octets of one of four kinds, chosen by the two upper bits of the first number. Repeated octets are taken
    /// from the end of `said`, and all are appended to it.
    pub fn content(&mut self, said: &mut Vec<u8>) -> Vec<u8> {
        let choice = self.number();
        let len = usize::from(choice & 63);
        let octets = match choice >> 6 {
            0 => self.octets(len).to_vec(),
            1 => vec![self.number(); len * 64],
            2 => {
                let mut cuts = Cuts::new(self.number());
                (0..len * 16).map(|_| cuts.below(256) as u8).collect()
            }
            _ => {
                let back = usize::from(u16::from_be_bytes([self.number(), self.number()]));
                let from = said.len().saturating_sub(back);
                said[from..].iter().copied().take(len * 32).collect()
            }
        };
        said.extend_from_slice(&octets);
        octets
    }
}

/// Numbers that look random, and are the same in each run.
pub struct Cuts(u32);

impl Cuts {
    pub fn new(seed: u8) -> Self {
        Self(u32::from(seed))
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 16) as usize % bound
    }

    /// Usually small ones, also 0.
    pub fn cut(&mut self) -> usize {
        let bound = [2, 4, 20, 300, 5000][self.below(5)];
        self.below(bound)
    }
}
