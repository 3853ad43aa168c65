//! WebSocket in the terminal. `sockless --help` says what it does.
#![forbid(unsafe_code)]
#![deny(unused_must_use)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

mod bench;
mod client;
mod connect;
mod failure;
mod insecure;
mod inspect;
mod interrupt;
mod listen;
mod printable;
mod speech;
mod terminal;
mod values;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use failure::Failure;
use tokio::runtime::Builder;

#[derive(Parser)]
#[command(name = "sockless", version, about, after_help = failure::EXIT_CODES)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Connect(connect::Options),
    Listen(listen::Options),
    Inspect(Box<inspect::Options>),
    Bench(bench::Options),
}

fn main() -> ExitCode {
    // Bad usage ends here with status 2.
    let command = Program::parse().command;
    match run(&command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            terminal::fail(&failure);
            failure.exit.into()
        }
    }
}

fn run(command: &Command) -> Result<(), Failure> {
    let mut builder = match command {
        Command::Bench(_) => Builder::new_multi_thread(),
        _ => Builder::new_current_thread(),
    };
    let runtime = builder.enable_all().build()?;
    let result = match command {
        Command::Connect(options) => runtime.block_on(connect::run(options)),
        Command::Listen(options) => runtime.block_on(listen::run(options)),
        Command::Inspect(options) => runtime.block_on(inspect::run(options)),
        Command::Bench(options) => runtime.block_on(bench::run(options)),
    };
    // The thread that reads standard input may have nothing to read for ever.
    runtime.shutdown_background();
    result
}
