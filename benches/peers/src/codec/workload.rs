//! The cases, and for each its memory image: what a peer would have sent, or what is to be sent.
//
// Owns: the list of cases, payloads and frames. Everything is generated from fixed seeds, so two runs measure
// the same octets.

/// Which end of the connection the contender is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Receives masked frames, sends unmasked ones.
    Server,
    /// Sends masked frames, receives unmasked ones.
    Client,
}

/// What the contender does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Receives messages from the image.
    Receive(Side),
    /// Sends messages.
    Send(Side),
    /// Answers opening handshakes.
    Accept,
}

/// What the payloads are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Any octets.
    Binary,
    /// Text of one octet a character.
    Ascii,
    /// Text of one to four octets a character.
    Mixed,
}

/// How much one read brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// As much as fits the buffer.
    Full,
    /// At most so many octets.
    UpTo(usize),
    /// One frame at most.
    Frame,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its name on the command line.
    pub id: &'static str,
    /// Its name in the table.
    pub title: &'static str,
    pub work: Work,
    pub content: Content,
    /// Octets of a message.
    pub len: usize,
    /// Frames of a message.
    pub fragments: usize,
    pub reads: Reads,
}

const fn receive(side: Side, id: &'static str, title: &'static str, content: Content, len: usize) -> Case {
    Case { id, title, work: Work::Receive(side), content, len, fragments: 1, reads: Reads::Full }
}

const fn send(side: Side, id: &'static str, title: &'static str, len: usize) -> Case {
    let work = Work::Send(side);
    Case { id, title, work, content: Content::Binary, len, fragments: 1, reads: Reads::Full }
}

const fn small(id: &'static str, title: &'static str, len: usize, reads: Reads) -> Case {
    let work = Work::Receive(Side::Server);
    Case { id, title, work, content: Content::Binary, len, fragments: 1, reads }
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// All of them, in the order of the table.
pub const CASES: &[Case] = {
    use Content::{Ascii, Binary, Mixed};
    use Side::{Client, Server};
    &[
        receive(Server, "a1-0", "A1 server receives 0 B", Binary, 0),
        receive(Server, "a1-16", "A1 16 B", Binary, 16),
        receive(Server, "a1-125", "A1 125 B", Binary, 125),
        receive(Server, "a1-126", "A1 126 B", Binary, 126),
        receive(Server, "a1-1k", "A1 1 KiB", Binary, KIB),
        receive(Server, "a1-16k", "A1 16 KiB", Binary, 16 * KIB),
        receive(Server, "a1-64k", "A1 64 KiB", Binary, 64 * KIB),
        receive(Server, "a1-1m", "A1 1 MiB", Binary, MIB),
        receive(Server, "a1-ascii-16", "A1 ASCII 16 B", Ascii, 16),
        receive(Server, "a1-ascii-125", "A1 ASCII 125 B", Ascii, 125),
        receive(Server, "a1-ascii-1k", "A1 ASCII 1 KiB", Ascii, KIB),
        receive(Server, "a1-ascii-16k", "A1 ASCII 16 KiB", Ascii, 16 * KIB),
        receive(Server, "a1-ascii-1m", "A1 ASCII 1 MiB", Ascii, MIB),
        receive(Server, "a1-mixed-16", "A1 mixed text 16 B", Mixed, 16),
        receive(Server, "a1-mixed-125", "A1 mixed text 125 B", Mixed, 125),
        receive(Server, "a1-mixed-1k", "A1 mixed text 1 KiB", Mixed, KIB),
        receive(Server, "a1-mixed-16k", "A1 mixed text 16 KiB", Mixed, 16 * KIB),
        receive(Server, "a1-mixed-1m", "A1 mixed text 1 MiB", Mixed, MIB),
        Case {
            id: "a1-fragments",
            title: "A1 1 KiB in 8 fragments",
            fragments: 8,
            ..receive(Server, "", "", Binary, KIB)
        },
        receive(Client, "a2-16", "A2 client receives 16 B", Binary, 16),
        receive(Client, "a2-1k", "A2 1 KiB", Binary, KIB),
        receive(Client, "a2-16k", "A2 16 KiB", Binary, 16 * KIB),
        send(Server, "a3-16", "A3 server sends 16 B", 16),
        send(Server, "a3-1k", "A3 1 KiB", KIB),
        send(Client, "a4-16", "A4 client sends 16 B", 16),
        send(Client, "a4-125", "A4 125 B", 125),
        send(Client, "a4-1k", "A4 1 KiB", KIB),
        send(Client, "a4-16k", "A4 16 KiB", 16 * KIB),
        Case { work: Work::Accept, ..small("a5", "A5 accepts a Chrome request", 0, Reads::Full) },
        small("a7-1", "A7 125 B in reads of 1 B", 125, Reads::UpTo(1)),
        small("a7-7", "A7 125 B in reads of 7 B", 125, Reads::UpTo(7)),
        small("a7-1460", "A7 1 KiB in reads of 1460 B", KIB, Reads::UpTo(1460)),
        small("a7-frame-16", "A7 16 B, one frame a read", 16, Reads::Frame),
        small("a7-frame-1k", "A7 1 KiB, one frame a read", KIB, Reads::Frame),
    ]
};

/// What Chrome asks a WebSocket server on its own machine.
pub const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\n\
Host: localhost:9001\r\n\
Connection: Upgrade\r\n\
Pragma: no-cache\r\n\
Cache-Control: no-cache\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36\r\n\
Upgrade: websocket\r\n\
Origin: http://localhost:9001\r\n\
Sec-WebSocket-Version: 13\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
\r\n";

/// What must be in the answer (the example of RFC 6455 section 1.3).
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A case with its octets.
#[derive(Debug)]
pub struct Workload {
    pub case: Case,
    /// What is read, again and again.
    pub image: &'static [u8],
    /// Where each frame of the image ends.
    pub ends: Vec<usize>,
    /// The messages in the image, or those to be sent.
    pub payloads: Vec<Vec<u8>>,
}

impl Workload {
    pub fn new(case: Case) -> Self {
        let mut seed = Seed(0x9e37_79b9_7f4a_7c15);
        let mut image = Vec::new();
        let mut ends = Vec::new();
        // An image that fits the second level of the cache, unless four messages do not.
        let count = if case.work == Work::Accept { 1 } else { (128 * KIB / (case.len + 14)).clamp(4, 4096) };
        let payloads: Vec<_> = (0..count).map(|_| payload(case.content, case.len, &mut seed)).collect();
        match case.work {
            Work::Accept => image.extend_from_slice(REQUEST),
            Work::Send(_) => {}
            Work::Receive(side) => {
                for payload in &payloads {
                    let pieces = payload.len().div_ceil(case.fragments).max(1);
                    for (at, piece) in split(payload, pieces).enumerate() {
                        let first = if at > 0 { 0 } else { opcode(case.content) };
                        let last = if at + 1 == case.fragments { 0x80 } else { 0 };
                        let key = (side == Side::Server).then(|| seed.next().to_le_bytes());
                        frame(
                            &mut image,
                            first | last,
                            key.and_then(|key| key.first_chunk().copied()),
                            piece,
                        );
                        ends.push(image.len());
                    }
                }
            }
        }
        if case.work == Work::Accept {
            ends.push(image.len());
        }
        Self { case, image: in_pages(&image), ends, payloads }
    }
}

/// The octets at the beginning of a page, where a kernel has them, for as long as the program runs: how fast
/// they are read is not to hang on where an allocator happens to put them.
fn in_pages(octets: &[u8]) -> &'static [u8] {
    const PAGE: usize = 4096;
    let space = vec![0; octets.len() + PAGE].leak();
    let start = space.as_ptr().align_offset(PAGE);
    let image = &mut space[start..start + octets.len()];
    image.copy_from_slice(octets);
    image
}

/// The pieces of a payload; an empty one has one as well.
fn split(payload: &[u8], len: usize) -> impl Iterator<Item = &[u8]> {
    let empty = payload.is_empty().then_some(payload);
    empty.into_iter().chain(payload.chunks(len))
}

const fn opcode(content: Content) -> u8 {
    match content {
        Content::Binary => 2,
        Content::Ascii | Content::Mixed => 1,
    }
}

/// Appends a frame (RFC 6455 section 5.2).
fn frame(image: &mut Vec<u8>, first: u8, key: Option<[u8; 4]>, payload: &[u8]) {
    let masked = if key.is_some() { 0x80 } else { 0 };
    image.push(first);
    match payload.len() {
        len @ ..126 => image.push(masked | len as u8),
        len @ ..0x1_0000 => {
            image.push(masked | 126);
            image.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            image.push(masked | 127);
            image.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    let key = match key {
        None => [0; 4],
        Some(key) => {
            image.extend_from_slice(&key);
            key
        }
    };
    image.extend(payload.iter().zip(key.iter().cycle()).map(|(octet, key)| octet ^ key));
}

/// One message. Text is cut at a character, and filled up with letters.
fn payload(content: Content, len: usize, seed: &mut Seed) -> Vec<u8> {
    /// Scripts of two, three and four octets a character, with the spaces and stops between.
    const MIXED: &str = "Zażółć gęślą jaźń. いろはにほへと ちりぬるを. Съешь же ещё этих мягких булок. 🦀🌍 ";
    let mut octets = Vec::with_capacity(len + 4);
    match content {
        Content::Binary => octets.extend((0..len).map(|_| seed.next() as u8)),
        Content::Ascii => octets.extend((0..len).map(|_| b' ' + (seed.next() % 95) as u8)),
        Content::Mixed => {
            let skip = seed.next() as usize % MIXED.chars().count();
            for character in MIXED.chars().cycle().skip(skip) {
                if octets.len() + character.len_utf8() > len {
                    break;
                }
                octets.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            octets.resize(len, b'.');
        }
    }
    octets
}

/// A generator of octets that need not be unpredictable (xorshift64*).
struct Seed(u64);

impl Seed {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
}
