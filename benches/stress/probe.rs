//! Those who mean no harm: a peer that is connected, newcomers, and a clock that nothing should disturb.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::{sleep, spawn, JoinHandle};
use std::time::{Duration, Instant};

use crate::wire;

const EVERY: Duration = Duration::from_millis(20);
const NEWCOMERS_EVERY: Duration = Duration::from_millis(100);
const MESSAGE: &[u8] = b"0123456789abcdef";

/// What was found.
#[derive(Default)]
pub struct Found {
    pub echoes: Vec<Duration>,
    pub newcomers: Vec<Duration>,
    /// By how much a thread that only sleeps woke too late, at most.
    pub noise: Duration,
    pub complaints: Vec<String>,
}

/// They run until this is asked for what they found.
pub struct Probes {
    stop: Arc<AtomicBool>,
    healthy: JoinHandle<Outcome>,
    newcomers: JoinHandle<Outcome>,
    noise: JoinHandle<Duration>,
}

type Outcome = (Vec<Duration>, Vec<String>);

impl Probes {
    pub fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let [a, b, c] = [0; 3].map(|_| Arc::clone(&stop));
        Self {
            stop,
            healthy: spawn(move || healthy(address, &a)),
            newcomers: spawn(move || newcomers(address, &b)),
            noise: spawn(move || noise(&c)),
        }
    }

    pub fn end(self) -> Found {
        self.stop.store(true, Ordering::Relaxed);
        let failed = |_| (Vec::new(), vec!["a probe panicked".to_owned()]);
        let (echoes, mut complaints) = self.healthy.join().unwrap_or_else(failed);
        let (newcomers, more) = self.newcomers.join().unwrap_or_else(failed);
        complaints.extend(more);
        if echoes.is_empty() || newcomers.is_empty() {
            complaints.push("no echo at all".to_owned());
        }
        Found { echoes, newcomers, noise: self.noise.join().unwrap_or_default(), complaints }
    }
}

/// Connects, has a message echoed, and closes.
pub fn visit(address: SocketAddr) -> io::Result<Duration> {
    let from = Instant::now();
    let mut stream = wire::open(address, false)?;
    echo(&mut stream)?;
    let took = from.elapsed();
    stream.write_all(&wire::frame(0x88, &1000_u16.to_be_bytes()))?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if answer == b"\x88\x02\x03\xe8" {
        Ok(took)
    } else {
        Err(io::Error::other(format!("a Close was answered by {answer:02x?}")))
    }
}

/// Sends a message, and reads its echo. Pings that come before it are answered.
fn echo(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(&wire::frame(0x81, MESSAGE))?;
    loop {
        let mut header = [0; 2];
        stream.read_exact(&mut header)?;
        let mut payload = vec![0; header[1].into()];
        stream.read_exact(&mut payload)?;
        match header[0] {
            0x81 if payload == MESSAGE => return Ok(()),
            0x89 => stream.write_all(&wire::frame(0x8A, &payload))?,
            _ => {
                return Err(io::Error::other(format!(
                    "a message was answered by {header:02x?} {payload:02x?}"
                )))
            }
        }
    }
}

/// A time that passed without an answer counts as one: it is how late the answer is at least.
fn healthy(address: SocketAddr, stop: &AtomicBool) -> Outcome {
    let (mut echoes, mut complaints) = (Vec::new(), Vec::new());
    let mut connection = None;
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let from = Instant::now();
        let result = match connection.take() {
            Some(mut stream) => echo(&mut stream).map(|()| {
                echoes.push(from.elapsed());
                stream
            }),
            // How long that takes is for newcomers to find out.
            None => wire::open(address, false),
        };
        match result {
            Ok(stream) => connection = Some(stream),
            Err(error) => {
                complaints.push(format!("healthy: {error}"));
                echoes.push(from.elapsed());
            }
        }
        next = (next + EVERY).max(Instant::now());
        sleep(next.saturating_duration_since(Instant::now()));
    }
    (echoes, complaints)
}

fn newcomers(address: SocketAddr, stop: &AtomicBool) -> Outcome {
    let (mut times, mut complaints) = (Vec::new(), Vec::new());
    while !stop.load(Ordering::Relaxed) {
        let from = Instant::now();
        times.push(visit(address).unwrap_or_else(|error| {
            complaints.push(format!("newcomer: {error}"));
            from.elapsed()
        }));
        sleep(NEWCOMERS_EVERY);
    }
    (times, complaints)
}

fn noise(stop: &AtomicBool) -> Duration {
    let step = Duration::from_millis(2);
    let mut most = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let from = Instant::now();
        sleep(step);
        most = most.max(from.elapsed().saturating_sub(step));
    }
    most
}

/// The time that so many of a hundred did not exceed.
pub fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}

/// In milliseconds.
pub fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1000.0;
    if millis < 10.0 {
        format!("{millis:.1}")
    } else {
        format!("{millis:.0}")
    }
}
