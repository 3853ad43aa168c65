//! What a connection costs in memory: `cargo bench --bench connections -- [SIMULATED] [REAL]`.
//!
//! First a million states of the engine in one process, counted by the allocator. Then ten thousand connections
//! over loopback to servers on tokio and mio, by the resident memory that the system reports. Their clients are
//! in another process, which is not counted. What the kernel keeps for sockets is not counted either.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use counting::{held, Counting};
use sockless::endpoint::{Action, Buffers, Endpoint, WriteSide};
use sockless::{Config, Connection, Event, Input, Parked, Server, Timeouts, Timestamp, Wake};

#[path = "../examples/echo_server_mio/connection.rs"]
mod connection;
#[path = "../tests/common/counting.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod counting;
#[path = "../examples/echo_server_mio/event_loop.rs"]
#[allow(dead_code, reason = "nothing stops it here")]
mod event_loop;
#[path = "../examples/shared/log.rs"]
mod log;
#[path = "connections/loopback.rs"]
mod loopback;
#[path = "../examples/shared/opening.rs"]
mod opening;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo adds its own options.
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve", how, count] => loopback::serve(how, count.parse()?),
        ["connect", url, count] => loopback::connect_many(url, count.parse()?),
        _ => {
            let simulated = arguments.first().map_or(Ok(1_000_000), |count| count.parse())?;
            let real = arguments.get(1).map_or(Ok(10_000), |count| count.parse())?;
            println!("{:<58}{:>12}{:>12}{:>12}", "", "connections", "bytes each", "ns each");
            simulate_connections(simulated);
            simulate_rest(simulated);
            simulate_endpoints(simulated / 10);
            loopback::measure(real)
        }
    }
}

/// A row of the table.
fn row(what: &str, count: usize, bytes: isize, took: Option<Duration>) {
    let each = |total: f64| total / count.max(1) as f64;
    let bytes = format!("{:.0}", each(bytes as f64));
    let nanos = took.map_or(String::new(), |took| format!("{:.0}", each(took.as_nanos() as f64)));
    println!("{what:<58}{count:>12}{bytes:>12}{nanos:>12}");
}

/// Prints how much memory the result of `f` holds, and how long it took.
fn measured<T>(what: &str, count: usize, f: impl FnOnce() -> T) -> T {
    let from = Instant::now();
    let (bytes, _, result) = held(f);
    row(what, count, bytes, Some(from.elapsed()));
    result
}

/// States alone: no buffers, every timer on.
fn simulate_connections(count: usize) {
    println!("Connection<Server>: {} bytes, by size_of", size_of::<Connection<Server>>());
    let config = Config::new().with_timeouts(Timeouts::SERVER);
    let at = |seconds| Timestamp::from_duration(Duration::from_secs(seconds));
    let mut connections = measured("  idle, timers running", count, || {
        let mut connections = Vec::with_capacity(count);
        for _ in 0..count {
            let mut connection = Connection::new(Server, config);
            connection.handle_timeout(at(0)).expect("nothing is due");
            connections.push(connection);
        }
        connections
    });
    measured("  and a Ping came, and was answered (more)", count, || {
        // Masked with zeros, which changes nothing.
        let ping = [0x89, 0x84, 0, 0, 0, 0, b'p', b'i', b'n', b'g'];
        let mut out = [0; 16];
        for connection in &mut connections {
            let mut bytes = ping;
            let mut input = Input::new(&mut bytes);
            assert!(matches!(connection.recv(&mut input), Ok(Some(Event::Ping))));
            assert!(matches!(connection.recv(&mut input), Ok(None)));
            let len = connection.poll_transmit(&mut out).expect("servers mask nothing");
            assert_eq!(out[..len], [0x8A, 4, b'p', b'i', b'n', b'g']);
        }
    });
    measured("  and a keep-alive Ping was due, and sent (more)", count, || {
        let mut out = [0; 16];
        for connection in &mut connections {
            // The Ping that was received changes the timer first.
            connection.handle_timeout(at(29)).expect("nothing is due");
            assert_eq!(connection.poll_timeout(), Wake::At(at(59)));
            connection.handle_timeout(at(59)).expect("only a Ping is due");
            assert_eq!(connection.poll_transmit(&mut out), Ok(2));
        }
    });
    black_box(connections);
}

/// Parked connections, and one that is not.
fn simulate_rest(count: usize) {
    println!("Parked: {} bytes, by size_of", size_of::<Parked>());
    let at = |seconds| Timestamp::from_duration(Duration::from_secs(seconds));
    let mut awake = Connection::new(Server, Config::new().with_timeouts(Timeouts::SERVER));
    let mut rests = measured("  idle, timers running", count, || {
        let started = |_| {
            awake.unpark(Parked::new());
            awake.handle_timeout(at(0)).expect("nothing is due");
            awake.park().expect("nothing is owed")
        };
        (0..count).map(started).collect::<Vec<_>>()
    });
    measured("  and a Ping came, and was answered (more)", count, || {
        let ping = [0x89, 0x84, 0, 0, 0, 0, b'p', b'i', b'n', b'g'];
        let mut out = [0; 16];
        for rest in &mut rests {
            awake.unpark(*rest);
            let mut bytes = ping;
            let mut input = Input::new(&mut bytes);
            assert!(matches!(awake.recv(&mut input), Ok(Some(Event::Ping))));
            assert!(matches!(awake.recv(&mut input), Ok(None)));
            let len = awake.poll_transmit(&mut out).expect("servers mask nothing");
            assert_eq!(out[..len], [0x8A, 4, b'p', b'i', b'n', b'g']);
            *rest = awake.park().expect("nothing is owed");
        }
    });
    measured("  and all were asked when they are due (more)", count, || {
        assert!(rests.iter().all(|rest| rest.poll_timeout(&Timeouts::SERVER) == Wake::At(at(30))));
    });
    black_box(rests);
}

/// States with their buffers.
fn simulate_endpoints(count: usize) {
    println!("Endpoint<Server>: {} bytes, by size_of", size_of::<Endpoint<Server>>());
    let config = Config::new().with_timeouts(Timeouts::SERVER);
    let mut endpoints = measured("  idle", count, || {
        let endpoint = |_| Endpoint::new(Server, config, Buffers::DEFAULT, &[]);
        (0..count).map(endpoint).collect::<Vec<_>>()
    });
    measured("  and a message of 100 octets came and went back (more)", count, || {
        let mut frame = vec![0x82, 0x80 | 100, 0, 0, 0, 0];
        frame.resize(frame.len() + 100, b'x');
        for endpoint in &mut endpoints {
            echo(endpoint, &frame);
        }
    });
    measured("  and its buffers were given back (more)", count, || {
        endpoints.iter_mut().for_each(Endpoint::shrink);
    });
    black_box(endpoints);
}

/// Reads a frame, and writes the engine's output.
fn echo(endpoint: &mut Endpoint<Server>, mut frame: &[u8]) {
    loop {
        match endpoint.poll(WriteSide::Ready).expect("the frame is right") {
            Action::Take(ready) => {
                let (inbound, outbound) = endpoint.split_mut();
                let message = inbound.message(ready).expect("it is right").expect("it is whole");
                outbound.feed(message).expect("there is room");
            }
            Action::Write => {
                let len = endpoint.output().len();
                endpoint.wrote(len);
            }
            Action::Read if frame.is_empty() => return,
            Action::Read => {
                endpoint.space()[..frame.len()].copy_from_slice(frame);
                endpoint.filled(frame.len());
                frame = &[];
            }
            Action::Yield => {} // to nobody
            Action::ShutdownWrite | Action::Close => unreachable!("nobody closed"),
        }
    }
}
