//! Measures all servers, round by round.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use frameworks::Server;

use crate::client::load::{Generator, Load};
use crate::{Result, client, cores, servers};

/// Threads that open connections, how many each holds, and how many are opened in all.
const THREADS: usize = 16;
const HELD: usize = 16;
const OPENED: usize = 4_000;

/// Connections, octets of a message, messages in flight on each connection.
const LOADS: [(usize, usize, usize); 4] = [(256, 20, 1), (256, 1 << 10, 1), (32, 20, 16), (32, 1 << 10, 16)];
const DURATION: Duration = Duration::from_millis(300);

/// The best that a server was in any round.
#[derive(Clone, Copy)]
struct Best {
    /// Handshakes a second.
    rate: f64,
    /// Microseconds of CPU: a handshake, then a message of each load.
    cpu: [f64; 1 + LOADS.len()],
}

/// Prints the table.
pub fn run(rounds: usize) -> Result {
    cores::pin(cores::CLIENT)?;
    let mut best = [Best { rate: 0.0, cpu: [f64::MAX; 1 + LOADS.len()] }; servers::ALL.len()];
    for round in 0..rounds {
        let mut order: Vec<_> = (0..servers::ALL.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for at in order {
            let now = measure(servers::ALL[at].0)?;
            best[at].rate = best[at].rate.max(now.rate);
            for (best, now) in best[at].cpu.iter_mut().zip(now.cpu) {
                *best = best.min(now);
            }
        }
    }
    print!("| server | handshakes a second | µs a handshake |");
    for (connections, octets, depth) in LOADS {
        print!(" {connections}×{octets} d{depth} |");
    }
    println!("\n|---|---:|---:|{}", "---:|".repeat(LOADS.len()));
    for ((_, name), best) in servers::ALL.iter().zip(best) {
        print!("| {name} | {:.0} |", best.rate);
        best.cpu.iter().for_each(|cpu| print!(" {cpu:.2} |"));
        println!();
    }
    Ok(())
}

/// One server: a new process for the handshakes, and one for the messages of each load.
fn measure(name: &str) -> Result<Best> {
    let mut best = Best { rate: 0.0, cpu: [0.0; 1 + LOADS.len()] };
    let server = start(name)?;
    let address = server.address.parse()?;
    open(address, OPENED / 10)?;
    let (before, began) = (settled(&server)?, Instant::now());
    open(address, OPENED)?;
    best.rate = OPENED as f64 / began.elapsed().as_secs_f64();
    best.cpu[0] = micros(settled(&server)? - before, OPENED as u64);
    for (cpu, (connections, payload, depth)) in best.cpu[1..].iter_mut().zip(LOADS) {
        let server = start(name)?;
        let load = Load { connections, payload, depth, text: false };
        let mut generator = Generator::connect(server.address.parse()?, &load)?;
        generator.run(DURATION / 4)?;
        let before = settled(&server)?;
        let messages = generator.run(DURATION)?;
        *cpu = micros(settled(&server)? - before, messages.max(1));
    }
    Ok(best)
}

fn start(name: &str) -> Result<Server> {
    Ok(Server::start(Command::new(std::env::current_exe()?).args(["serve", name]))?)
}

/// Opens so many WebSockets. Each stays open until its thread has opened [`HELD`] more.
pub fn open(address: SocketAddr, count: usize) -> Result {
    let open_some = || {
        let mut held = VecDeque::with_capacity(HELD + 1);
        for _ in 0..count / THREADS {
            held.push_back(client::open(address)?);
            if held.len() > HELD {
                held.pop_front();
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads = [(); THREADS].map(|()| scope.spawn(open_some));
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
    })
}

/// The server's time once it sleeps: until then the kernel has not counted the last of it.
fn settled(server: &Server) -> Result<Duration> {
    std::thread::sleep(Duration::from_millis(10));
    Ok(server.cpu()?)
}

fn micros(time: Duration, count: u64) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}
