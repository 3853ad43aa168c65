//! What a server pays for an opening handshake and for a message, axum's and hyper's own against those of sockless:
//! `cargo run --release --bin cost`. The README says how.

// The load generator, and what it needs, and how the fastest of the others answers: those of benches/peers.
#[path = "../../../../peers/src/contenders/batches.rs"]
mod batches;
#[path = "../../../../peers/src/client/mod.rs"]
mod client;
#[path = "../../../../peers/src/cores.rs"]
mod cores;
#[path = "../../../../peers/src/pacing.rs"]
mod pacing;

mod measure;
mod servers;

use std::error::Error;

use clap::{Parser, Subcommand};

type Result<T = (), E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// How often each server has its turn.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
}

#[derive(Subcommand)]
enum Command {
    /// Is one of the servers.
    Serve { name: String },
    /// Loads a server that runs, for a profiler.
    Load(client::load::Options),
    /// Opens WebSockets on a server that runs and ends them, for a profiler.
    Open { address: std::net::SocketAddr, count: usize },
}

fn main() -> Result {
    let arguments = Arguments::parse();
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    match arguments.command {
        None => measure::run(arguments.rounds),
        Some(Command::Serve { name }) => servers::serve(&name),
        Some(Command::Load(options)) => client::load::run(&options),
        Some(Command::Open { address, count }) => measure::open(address, count),
    }
}
