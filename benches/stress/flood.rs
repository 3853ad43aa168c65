//! Those who mean harm: floods, each from a connection that is opened again when the server has ended it, and
//! peers that stay.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread::{sleep, spawn, JoinHandle};
use std::time::Duration;

use crate::wire::{self, frame, repeated};
use crate::Result;

/// Something that goes on until it is ended, and says then what went wrong.
pub struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<String>>>,
    others: Vec<Self>,
}

impl Load {
    /// Threads that look whether they are to stop.
    pub fn start(count: usize, run: impl Fn(&AtomicBool) -> Vec<String> + Clone + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let start = |_| {
            let (run, stop) = (run.clone(), Arc::clone(&stop));
            spawn(move || run(&stop))
        };
        Self { threads: (0..count).map(start).collect(), stop, others: Vec::new() }
    }

    /// All of them as one.
    pub fn join(loads: Vec<Self>) -> Self {
        Self { stop: Arc::default(), threads: Vec::new(), others: loads }
    }

    pub fn end(self) -> Vec<String> {
        self.stop();
        self.wait()
    }

    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.others.iter().for_each(Self::stop);
    }

    fn wait(self) -> Vec<String> {
        let panicked = |_| vec!["a thread panicked".to_owned()];
        let own = self.threads.into_iter().flat_map(|thread| thread.join().unwrap_or_else(panicked));
        own.chain(self.others.into_iter().flat_map(Self::wait)).collect()
    }
}

/// A kind of flood.
#[derive(Clone, Copy)]
pub struct Flood {
    name: &'static str,
    peers: usize,
    /// Whether it agrees on compression.
    compressed: bool,
    /// Whether it reads what the server answers.
    reads: bool,
    /// For an echo to others meanwhile.
    in_time: Duration,
    /// What is sent once.
    first: fn() -> Vec<u8>,
    /// What is sent again and again.
    again: fn() -> Vec<u8>,
}

/// Those whose names contain `part`.
pub fn all(part: &str) -> Vec<Flood> {
    FLOODS.into_iter().filter(|flood| flood.name.contains(part)).collect()
}

/// For an echo to others, whatever one peer does.
pub const IN_TIME: Duration = Duration::from_millis(100);

const NOTHING: fn() -> Vec<u8> = Vec::new;

const fn flood(name: &'static str, again: fn() -> Vec<u8>) -> Flood {
    Flood { name, peers: 1, compressed: false, reads: true, in_time: IN_TIME, first: NOTHING, again }
}

const FLOODS: [Flood; 24] = [
    flood("messages of 1 octet", || repeated(&frame(0x81, b"a"))),
    flood("empty messages", || repeated(&frame(0x82, b""))),
    Flood { peers: 4, ..flood("messages of 1 octet, 4 peers", || repeated(&frame(0x81, b"a"))) },
    Flood {
        compressed: true,
        ..flood("compressed messages of 5 octets", || repeated(&frame(0xC1, &wire::deflated(b"Hello"))))
    },
    Flood {
        compressed: true,
        ..flood("compressed messages of 4 KiB", || repeated(&frame(0xC1, &wire::deflated(&words(4 << 10)))))
    },
    Flood {
        compressed: true,
        ..flood("empty compressed messages", || repeated(&frame(0xC1, &wire::deflated(b""))))
    },
    flood("Pings of 125 octets", || repeated(&frame(0x89, &[b'p'; 125]))),
    flood("empty Pings", || repeated(&frame(0x89, b""))),
    Flood { reads: false, ..flood("Pings, and no Pong is read", || repeated(&frame(0x89, &[b'p'; 125]))) },
    Flood { peers: 20, reads: false, ..flood("64 KiB, and no echo is read", || frame(0x82, &[0; 64 << 10])) },
    Flood { reads: false, ..flood("16 MiB, and no echo is read", || frame(0x82, &[0; 16 << 20])) },
    // To keep an echo that nobody reads costs a server 10 to 25 ms of copying and of new memory, in one turn. What is not
    // compressed is not kept in parts: all of it, or nothing, is what a dropped `send` has sent.
    Flood {
        peers: 4,
        reads: false,
        in_time: IN_TIME.saturating_mul(3),
        ..flood("16 MiB from 4 who do not read", || frame(0x82, &[0; 16 << 20]))
    },
    flood("Pongs", || repeated(&frame(0x8A, b""))),
    flood("fragments of 1 octet", || {
        let fragments = frame(0x00, b"a").repeat(10_000);
        [frame(0x01, b"a"), fragments, frame(0x80, b"a")].concat()
    }),
    flood("Pings between empty fragments", || {
        let between = [frame(0x00, b""), frame(0x89, b"ping")].concat().repeat(5_000);
        [frame(0x02, b""), between, frame(0x80, b"")].concat()
    }),
    flood("frames of 1 MiB", || frame(0x82, &[b'x'; 1 << 20])),
    flood("text of 16 MiB", || frame(0x81, "ä".repeat(8 << 20).as_bytes())),
    Flood { compressed: true, ..flood("text of 8 MiB, compressed", prose) },
    Flood { compressed: true, peers: 4, ..flood("the same from 4 peers", prose) },
    Flood { compressed: true, ..flood("60 MiB of zeros, compressed", bomb) },
    Flood { compressed: true, peers: 20, reads: false, ..flood("zeros from 20 who do not read", bomb) },
    Flood {
        first: || frame(0x88, &1000_u16.to_be_bytes()),
        ..flood("octets behind a Close", || vec![0; 1 << 20])
    },
    Flood { first: || frame(0x83, b""), ..flood("octets behind a wrong frame", || vec![0; 1 << 20]) },
    Flood { peers: 4, ..flood("connecting, and a wrong frame", || frame(0x83, b"")) },
];

/// Made once: it takes a while.
fn bomb() -> Vec<u8> {
    static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| frame(0xC2, &wire::deflated(&vec![0; 60 << 20])));
    BOMB.clone()
}

fn prose() -> Vec<u8> {
    static PROSE: LazyLock<Vec<u8>> = LazyLock::new(|| frame(0xC1, &wire::deflated(&words(8 << 20))));
    PROSE.clone()
}

/// Text that compresses as prose does.
fn words(len: usize) -> Vec<u8> {
    let mut seed = 7_u32;
    let mut words = Vec::new();
    while words.len() < len {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        words.extend(format!("{} word ", seed >> 20).bytes());
    }
    words.truncate(len);
    words
}

impl Flood {
    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub const fn in_time(&self) -> Duration {
        self.in_time
    }

    /// From one peer only.
    pub const fn alone(mut self) -> Self {
        self.peers = 1;
        self
    }

    pub fn start(self, address: SocketAddr) -> Load {
        let (first, again) = ((self.first)(), Arc::new((self.again)()));
        Load::start(self.peers, move |stop| {
            while !stop.load(Ordering::Relaxed) {
                // Whatever the server does about it is right, as long as the others are served.
                if let Ok(stream) = wire::open(address, self.compressed) {
                    pour(stream, self.reads, &first, &again, stop);
                }
                sleep(Duration::from_millis(5));
            }
            Vec::new()
        })
    }
}

fn pour(mut stream: TcpStream, reads: bool, first: &[u8], again: &[u8], stop: &AtomicBool) {
    let reader =
        stream.try_clone().ok().filter(|_| reads).map(|copy| spawn(move || wire::read_until_end(copy)));
    let stops = || stop.load(Ordering::Relaxed);
    let mut wrote = wire::write_unless(&mut stream, first, stops);
    while wrote.is_ok() {
        wrote = wire::write_unless(&mut stream, again, stops);
    }
    let _ = stream.shutdown(Shutdown::Both);
    if let Some(reader) = reader {
        let _ = reader.join();
    }
}

/// Peers that stay without doing anything more, or next to nothing, until this is dropped.
pub struct Stay {
    streams: Vec<(&'static str, TcpStream)>,
    trickle: Option<Load>,
}

const TRICKLING: &str = "an octet of a frame now and then";

impl Stay {
    /// So many of each kind.
    pub fn start(address: SocketAddr, each: usize) -> Result<Self> {
        type Kind = (&'static str, fn(SocketAddr) -> io::Result<TcpStream>);
        let kinds: [Kind; 9] = [
            ("silent", wire::connect),
            ("half a head", |address| said(wire::connect(address)?, b"GET / HTTP/1.1\r\nHost: loc")),
            ("refused", |address| {
                let mut refused = wire::connect(address)?;
                wire::ask(&mut refused, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
                Ok(refused)
            }),
            ("refused, which is not read", |address| said(wire::connect(address)?, b"nonsense\r\n\r\n")),
            ("open", |address| wire::open(address, false)),
            ("open, and half closed", |address| {
                let half = wire::open(address, true)?;
                half.shutdown(Shutdown::Write)?;
                Ok(half)
            }),
            ("in the middle of a frame", |address| {
                said(wire::open(address, true)?, &[0x82, 0xFE, 0xFF, 0xFF, 0, 0, 0, 0, b'x'])
            }),
            ("behind a Close", |address| {
                said(wire::open(address, false)?, &frame(0x88, &1001_u16.to_be_bytes()))
            }),
            (TRICKLING, |address| said(wire::open(address, false)?, &[0x82, 0xFE, 0xFF, 0xFF, 0, 0, 0, 0])),
        ];
        let mut streams = Vec::new();
        for _ in 0..each {
            for (what, start) in kinds {
                streams.push((what, start(address)?));
            }
        }
        let stuck = frame(0x82, &[0; 256 << 10]);
        for _ in 0..each / 4 {
            // As far as the buffers between take them.
            let mut unread = wire::open(address, false)?;
            unread.set_nonblocking(true)?;
            for _ in 0..64 {
                let _ = unread.write(&stuck);
                sleep(Duration::from_micros(200));
            }
            streams.push(("echoes that are not read", unread));
        }
        let trickling: io::Result<Vec<_>> = streams
            .iter()
            .filter(|(what, _)| *what == TRICKLING)
            .map(|(_, stream)| stream.try_clone())
            .collect();
        let trickling = Arc::new(trickling?);
        let trickle = Load::start(1, move |stop| {
            let mut streams: Vec<_> = trickling.iter().collect();
            while !stop.load(Ordering::Relaxed) {
                streams.retain_mut(|stream| stream.write(b"x").is_ok());
                sleep(Duration::from_millis(200));
            }
            Vec::new()
        });
        Ok(Self { streams, trickle: Some(trickle) })
    }

    /// How many of which kind the server has not ended.
    pub fn alive(&mut self) -> BTreeMap<&'static str, usize> {
        let mut alive = BTreeMap::new();
        let mut scratch = vec![0; 64 << 10];
        for (what, stream) in &mut self.streams {
            let _ = stream.set_nonblocking(true);
            // What it said last comes before the end; whoever says more than this goes on.
            let ended = (0..1000).find_map(|_| match stream.read(&mut scratch) {
                Ok(0) => Some(true),
                Ok(_) => None,
                Err(error) => Some(!wire::would_wait(&error)),
            });
            if ended != Some(true) {
                *alive.entry(*what).or_default() += 1;
            }
        }
        alive
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.trickle.take().map(Load::end);
    }
}

/// The connection, on which this was said.
fn said(mut stream: TcpStream, octets: &[u8]) -> io::Result<TcpStream> {
    stream.write_all(octets)?;
    Ok(stream)
}
