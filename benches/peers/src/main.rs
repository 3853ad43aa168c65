//! sockless beside the other WebSocket libraries. `peers --help` lists what there is to run.

mod codec;

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
    /// The engines in memory, without sockets.
    Codec(codec::Options),
}

fn main() -> Result {
    match Arguments::parse().command {
        Command::Codec(options) => codec::run(&options),
    }
}
