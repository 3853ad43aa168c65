//! Puts load on an echo server: many connections, each with several messages in flight.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::{PATIENCE, client_frame, open, server_frame};
use crate::{Result, cores};

/// What is sent, by all alike.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub connections: usize,
    /// Octets of a message.
    pub payload: usize,
    /// How many messages of one connection are on their way.
    pub depth: usize,
    /// Text instead of binary messages.
    pub text: bool,
}

/// What a server is loaded with.
#[derive(clap::Args)]
pub struct Options {
    address: SocketAddr,
    connections: usize,
    /// Octets of a message.
    payload: usize,
    /// Messages in flight on each connection.
    depth: usize,
    seconds: f64,
}

/// Puts load on a server, and prints how many messages came back. A quarter of the time is for warming up.
pub fn run(options: &Options) -> Result {
    cores::pin(cores::CLIENT)?;
    let Options { address, connections, payload, depth, seconds } = *options;
    let mut generator = Generator::connect(address, &Load { connections, payload, depth, text: false })?;
    generator.run(Duration::from_secs_f64(seconds / 4.0))?;
    let messages = generator.run(Duration::from_secs_f64(seconds))?;
    let latency = [0.5, 0.99, 1.0].map(|quantile| generator.latency().value_at_quantile(quantile) / 1000);
    println!("{messages} messages, {latency:?} µs");
    Ok(())
}

/// Connections to a server, all open.
pub struct Generator {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    shared: Shared,
}

struct Shared {
    /// One frame, repeated for all messages in flight.
    burst: Vec<u8>,
    frame: usize,
    depth: usize,
    /// The echo of one.
    echo: Vec<u8>,
    header: usize,
    space: Vec<u8>,
    latency: Histogram<u64>,
}

struct Connection {
    stream: TcpStream,
    /// How many octets must be written, and where in a frame they begin.
    unsent: usize,
    offset: usize,
    /// How many octets of echoes were received.
    received: u64,
    /// When messages were sent that have not come back, and how many.
    sent: VecDeque<(Instant, usize)>,
}

impl Generator {
    /// Opens the connections.
    pub fn connect(address: SocketAddr, load: &Load) -> Result<Self> {
        let payload: Vec<u8> = (b'!'..=b'~').cycle().take(load.payload).collect();
        let first = if load.text { 0x81 } else { 0x82 };
        let frame = client_frame(first, &payload);
        let echo = server_frame(first, &payload);
        let shared = Shared {
            burst: frame.repeat(load.depth),
            frame: frame.len(),
            depth: load.depth,
            header: echo.len() - payload.len(),
            echo,
            space: vec![0; 512 << 10],
            latency: Histogram::new(3)?,
        };
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(load.connections);
        for token in 0..load.connections {
            let stream = open(address)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(token), interest)?;
            let sent = VecDeque::new();
            connections.push(Connection { stream, unsent: 0, offset: 0, received: 0, sent });
        }
        Ok(Self { poll, events: Events::with_capacity(1024), connections, shared })
    }

    /// Keeps all messages in flight for so long, and waits for the last echo: nothing is in flight before
    /// or after. Returns how many came back.
    pub fn run(&mut self, duration: Duration) -> Result<u64> {
        self.shared.latency.reset();
        let began = Instant::now();
        let mut messages = 0;
        let mut in_flight = self.connections.len() * self.shared.depth;
        for connection in &mut self.connections {
            connection.send(self.shared.depth, Instant::now(), &self.shared)?;
        }
        let mut last = began;
        while in_flight > 0 {
            match self.poll.poll(&mut self.events, Some(PATIENCE)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            if self.events.is_empty() && last.elapsed() >= PATIENCE {
                return Err(format!("{in_flight} messages do not come back").into());
            }
            for event in &self.events {
                let Some(connection) = self.connections.get_mut(event.token().0) else { continue };
                let now = Instant::now();
                last = now;
                if event.is_writable() {
                    connection.flush(&self.shared)?;
                }
                if !event.is_readable() {
                    continue;
                }
                let completed = connection.receive(&mut self.shared)?;
                messages += completed as u64;
                in_flight -= completed;
                if completed > 0 && now.duration_since(began) < duration {
                    in_flight += completed;
                    connection.send(completed, Instant::now(), &self.shared)?;
                }
            }
        }
        Ok(messages)
    }

    /// How long the messages of the last run took, in nanoseconds.
    pub fn latency(&self) -> &Histogram<u64> {
        &self.shared.latency
    }
}

impl Connection {
    fn send(&mut self, count: usize, now: Instant, shared: &Shared) -> Result {
        self.sent.push_back((now, count));
        self.unsent += count * shared.frame;
        self.flush(shared)
    }

    fn flush(&mut self, shared: &Shared) -> Result {
        while self.unsent > 0 {
            let end = shared.burst.len().min(self.offset + self.unsent);
            match self.stream.write(&shared.burst[self.offset..end]) {
                Ok(count) => {
                    self.unsent -= count;
                    self.offset = (self.offset + count) % shared.frame;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads all that is there. Returns how many messages came back.
    fn receive(&mut self, shared: &mut Shared) -> Result<usize> {
        let mut completed = 0;
        loop {
            let count = match self.stream.read(&mut shared.space) {
                Ok(0) => return Err("the server ended a connection".into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(completed),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            let now = Instant::now();
            let came = self.check(&shared.space[..count], &shared.echo, shared.header)?;
            self.note(came, now, &mut shared.latency)?;
            completed += came;
            // The read did not fill the buffer: there is no more.
            if count < shared.space.len() {
                return Ok(completed);
            }
        }
    }

    /// Compares what was received with what was sent: the first message completely, the others by their
    /// headers. Returns how many messages are complete now.
    fn check(&mut self, mut came: &[u8], echo: &[u8], header: usize) -> Result<usize> {
        let before = self.received / echo.len() as u64;
        while !came.is_empty() {
            let at = (self.received % echo.len() as u64) as usize;
            let (here, rest) = came.split_at(came.len().min(echo.len() - at));
            let end = at + here.len();
            let compared = if self.received < echo.len() as u64 { end } else { end.min(header) };
            if at < compared && here[..compared - at] != echo[at..compared] {
                return Err("an echo is not what was sent".into());
            }
            self.received += here.len() as u64;
            came = rest;
        }
        Ok((self.received / echo.len() as u64 - before) as usize)
    }

    fn note(&mut self, mut count: usize, now: Instant, latency: &mut Histogram<u64>) -> Result {
        while count > 0 {
            let (at, sent) = self.sent.front_mut().ok_or("more comes back than was sent")?;
            let here = count.min(*sent);
            latency.record_n(now.duration_since(*at).as_nanos() as u64, here as u64)?;
            *sent -= here;
            count -= here;
            if *sent == 0 {
                self.sent.pop_front();
            }
        }
        Ok(())
    }
}
