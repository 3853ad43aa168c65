//! What a connection costs a client: `sockless-connect` beside `connect_async` of tokio-tungstenite. `connect --help` lists
//! what there is to run.
//!
//! The server and each client that is measured are processes of their own. A client connects so many times, one after the
//! other, and drops each WebSocket once it is open. Its CPU time and its allocations are counted. In every round each client
//! has its turn, and the least CPU time counts: anything else that runs on the machine only adds.

mod client;
mod server;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use clap::{Parser, Subcommand};

use client::{Figures, Library, Way};

type Result<T = (), E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

// What is allocated is counted where it is allocated.
#[global_allocator]
static ALLOCATOR: &stats_alloc::StatsAlloc<std::alloc::System> = &stats_alloc::INSTRUMENTED_SYSTEM;

#[derive(Parser)]
#[command(about = "Compares what a connection costs a client")]
struct Arguments {
    /// How often each client connects in a round.
    #[arg(long, default_value_t = 1000)]
    connections: u32,
    /// How often each client has its turn.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    #[command(subcommand)]
    command: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    /// Is the server. Prints its two ports and where its certificate is, and serves until its input ends.
    Serve,
    /// Is a client that is measured.
    Client(client::Options),
}

fn main() -> Result {
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Role::Serve) => server::serve(),
        Some(Role::Client(options)) => client::run(&options),
        None => compare(arguments.connections, arguments.rounds),
    }
}

fn compare(connections: u32, rounds: u32) -> Result {
    let server = Server::start()?;
    let mut best = BTreeMap::new();
    for round in 0..rounds {
        // Each is first in every other round.
        let mut libraries = [Library::Sockless, Library::Tungstenite];
        libraries.rotate_left(round as usize % 2);
        for way in [Way::Plain, Way::Tls, Way::TlsResumed] {
            for library in libraries {
                let figures = server.measure(library, way, "cost", connections)?;
                let least = best.entry((way, library)).or_insert(figures);
                least.cpu_us = least.cpu_us.min(figures.cpu_us);
            }
        }
    }
    println!(
        "| a connection | library | CPU µs | allocations | octets allocated |\n|---|---|---:|---:|---:|"
    );
    for ((way, library), Figures { cpu_us, allocations, octets, .. }) in &best {
        println!("| {way} | {library} | {cpu_us:.1} | {allocations:.1} | {octets:.0} |");
    }
    println!("\n| an idle connection over TLS | resident KiB |\n|---|---:|");
    for library in [Library::Rustls, Library::Sockless, Library::Tungstenite] {
        let figures = server.measure(library, Way::Tls, "memory", connections)?;
        println!("| {library} | {:.2} |", figures.resident_kib);
    }
    Ok(())
}

/// The server while it runs.
struct Server {
    process: Child,
    ports: [u16; 2],
    certificate: String,
}

impl Server {
    fn start() -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or("the server has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let (plain, tls, certificate) = serde_json::from_str(&line)?;
        Ok(Self { process, ports: [plain, tls], certificate })
    }

    fn measure(&self, library: Library, way: Way, what: &str, connections: u32) -> Result<Figures> {
        let [plain, tls] = self.ports;
        let port = if way == Way::Plain { plain } else { tls };
        let output = Command::new(std::env::current_exe()?)
            .args(["client", &library.to_string(), &way.to_string(), what])
            .args([port.to_string(), connections.to_string(), self.certificate.clone()])
            .stderr(Stdio::inherit())
            .output()?;
        match output.status.success() {
            true => Ok(serde_json::from_slice(&output.stdout)?),
            false => Err(format!("{library} failed, {way}").into()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
