//! sockless beside the other WebSocket libraries. `peers --help` lists what there is to run.

mod client;
mod codec;
mod contenders;
mod cores;
mod echo;
mod machine;
mod pacing;
mod server;

use std::error::Error;

use clap::{Parser, Subcommand};

type Result<T = (), E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

#[derive(Parser)]
#[command(about = "Compares sockless with the other WebSocket libraries")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Servers end to end, over loopback: CPU time a message, latency, memory, what they check.
    Echo(echo::Options),
    /// Draws the tables and plots of an earlier `echo` again.
    Plot(echo::PlotOptions),
    /// The engines in memory, without sockets.
    Codec(codec::Options),
    /// Loads a server that runs, for a profiler.
    Load(client::load::Options),
    /// Is one of the servers: what `echo` starts.
    Serve(server::ServeOptions),
}

fn main() -> Result {
    match Arguments::parse().command {
        Command::Echo(options) => echo::run(&options),
        Command::Plot(options) => echo::plot(&options),
        Command::Codec(options) => codec::run(&options),
        Command::Load(options) => client::load::run(&options),
        Command::Serve(options) => server::serve(&options),
    }
}
