//! Payloads: the same octets in each run.

use sockless::Payload;

/// What is in a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Binary.
    Binary,
    /// Text in ASCII.
    Ascii,
    /// Text in characters of one to four octets.
    Mixed,
}

/// Many scripts and symbols, as in an international chat.
const SCRIPTS: &str = "Grüße, мир! Καλημέρα 世界 こんにちは 👋🏽 plain words between them, שלום, ça va? ";

impl Kind {
    /// A payload of exactly `len` octets.
    pub fn octets(self, len: usize) -> Vec<u8> {
        match self {
            Self::Binary => (0..len).map(|at| (at * 31 + at / 251) as u8).collect(),
            Self::Ascii => (0..len).map(|at| b' ' + (at % 95) as u8).collect(),
            Self::Mixed => {
                let mut text = SCRIPTS.repeat(len / SCRIPTS.len() + 1);
                let end = (0..=len).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
                text.truncate(end);
                text.push_str(&".".repeat(len - end));
                text.into_bytes()
            }
        }
    }

    /// The payload as it is sent.
    pub fn payload(self, octets: &[u8]) -> Payload<'_> {
        match self {
            Self::Binary => Payload::binary(octets),
            Self::Ascii | Self::Mixed => Payload::text(std::str::from_utf8(octets).expect("it is text")),
        }
    }
}

/// Messages as applications send them, about `len` octets each, all different.
pub fn records(len: usize, count: usize) -> Vec<Vec<u8>> {
    let mut random = 1_u32;
    let mut next = |below: u32| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 16) % below
    };
    let record = |_| {
        let mut message = String::from("[");
        while message.len() < len {
            let (id, price, volume) = (next(60_000), next(60_000), next(900));
            let side = ["buy", "sell"][next(2) as usize];
            message += &format!(r#"{{"id":{id},"side":"{side}","price":{price}.25,"volume":{volume}}},"#);
        }
        message.truncate(len - 1);
        message.push(']');
        message.into_bytes()
    };
    (0..count).map(record).collect()
}
