//! Takes the messages of each contender, and checks that all were received.
//
// Owns: the text check for libraries that have none, and the verification before every measurement.

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use super::workload::{Content, Side, Workload};

/// Takes the messages of one contender, whole or in pieces.
#[derive(Debug)]
pub struct Taker {
    /// Whether there is more to do than to count. One branch for each piece, because some contenders give many
    /// pieces.
    works: bool,
    text: Option<TextCheck>,
    verification: Option<Verification>,
}

impl Taker {
    /// `checks_text`: whether the library checks it.
    pub fn new(workload: &Arc<Workload>, checks_text: bool, counter: Option<Counter>) -> Self {
        let text = (workload.case.content != Content::Binary && !checks_text).then(TextCheck::default);
        let verification = counter.map(|verified| {
            let workload = Arc::clone(workload);
            Verification { workload, seen: 0, verified }
        });
        Self { works: text.is_some() || verification.is_some(), text, verification }
    }

    /// A whole message.
    #[inline]
    pub fn message(&mut self, octets: &[u8]) {
        self.piece(octets, true);
    }

    /// A piece of one.
    #[inline]
    pub fn piece(&mut self, octets: &[u8], last: bool) {
        black_box(octets);
        if self.works {
            self.work(octets, last);
        }
    }

    #[inline(never)]
    fn work(&mut self, octets: &[u8], last: bool) {
        if let Some(text) = &mut self.text {
            text.push(octets, last);
        }
        if let Some(verification) = &mut self.verification {
            verification.push(octets, last);
        }
    }
}

/// How many messages were verified.
pub type Counter = Rc<Cell<usize>>;

#[derive(Debug)]
struct Verification {
    workload: Arc<Workload>,
    /// Octets of the message in progress.
    seen: usize,
    verified: Counter,
}

impl Verification {
    /// Never inlined into code that is timed.
    #[cold]
    #[inline(never)]
    fn push(&mut self, octets: &[u8], last: bool) {
        let expected = &self.workload.payloads[self.verified.get() % self.workload.payloads.len()];
        let end = self.seen + octets.len();
        assert!(expected.get(self.seen..end) == Some(octets), "other octets than were sent");
        self.seen = end;
        if last {
            assert!(self.seen == expected.len(), "a message is cut short");
            self.seen = 0;
            self.verified.set(self.verified.get() + 1);
        }
    }
}

/// The standard library's check, over pieces.
#[derive(Debug, Default)]
struct TextCheck {
    /// The incomplete character at the end of the last piece.
    carry: Vec<u8>,
}

impl TextCheck {
    #[inline]
    fn push(&mut self, mut octets: &[u8], last: bool) {
        while !self.carry.is_empty() {
            let Some((first, rest)) = octets.split_first() else { break };
            octets = rest;
            self.carry.push(*first);
            match std::str::from_utf8(&self.carry) {
                Ok(_) => self.carry.clear(),
                Err(error) => assert!(error.error_len().is_none(), "no text"),
            }
        }
        if let Err(error) = std::str::from_utf8(octets) {
            assert!(error.error_len().is_none(), "no text");
            self.carry.extend_from_slice(&octets[error.valid_up_to()..]);
        }
        assert!(!last || self.carry.is_empty(), "a character is cut short");
    }
}

/// Whether `wire` holds the payloads of the workload in order, again from the start after the last.
pub fn sent(workload: &Workload, side: Side, wire: &[u8], messages: usize) -> Result<(), &'static str> {
    let mut rest = wire;
    for expected in workload.payloads.iter().cycle().take(messages) {
        let octets = take_message(&mut rest, side)?;
        if octets != *expected {
            return Err("other octets than were to be sent");
        }
    }
    if rest.is_empty() { Ok(()) } else { Err("more than was to be sent") }
}

/// Takes the frames of one message off `wire` (RFC 6455 section 5.2).
fn take_message(wire: &mut &[u8], side: Side) -> Result<Vec<u8>, &'static str> {
    const SHORT: &str = "less than was to be sent";
    let mut octets = Vec::new();
    loop {
        let [first, second] = *take(wire, 2).ok_or(SHORT)?.first_chunk().ok_or(SHORT)?;
        let len = match second & 0x7f {
            126 => take(wire, 2).and_then(|len| len.first_chunk()).map(|len| u16::from_be_bytes(*len).into()),
            127 => take(wire, 8).and_then(|len| len.first_chunk()).map(|len| u64::from_be_bytes(*len)),
            len => Some(len.into()),
        };
        let len = usize::try_from(len.ok_or(SHORT)?).map_err(|_| SHORT)?;
        if (second & 0x80 != 0) != (side == Side::Client) {
            return Err("masked or not against the rules");
        }
        let key = match side {
            Side::Server => [0; 4],
            Side::Client => *take(wire, 4).and_then(|key| key.first_chunk()).ok_or(SHORT)?,
        };
        if first & 0x7f != if octets.is_empty() { 2 } else { 0 } {
            return Err("another kind of frame");
        }
        let payload = take(wire, len).ok_or(SHORT)?;
        octets.extend(payload.iter().zip(key.iter().cycle()).map(|(octet, key)| octet ^ key));
        if first & 0x80 != 0 {
            return Ok(octets);
        }
    }
}

fn take<'w>(wire: &mut &'w [u8], len: usize) -> Option<&'w [u8]> {
    let (taken, rest) = wire.split_at_checked(len)?;
    *wire = rest;
    Some(taken)
}
