//! What crosses the wire, explained: hex in, one JSON object a line out.
//!
//! `cargo run --release --example inspect -- --role server --stage frames` reads received chunks from
//! standard input, one a line in hex (blank lines and lines that begin with `#` are skipped; `eof` ends the
//! stream), and writes what the engine makes of them. It exits with 0 where the peer behaved, 1 where the
//! engine failed the connection, and 2 for bad usage.
//!
//! `sockless inspect` does the same. The source of both is in `crates/sockless-cli/src/inspect/lines`.

#[path = "../crates/sockless-cli/src/inspect/lines/mod.rs"]
mod lines;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(about = "Explains what crosses the wire of a WebSocket: hex in, JSON out")]
struct Arguments {
    #[command(flatten)]
    options: lines::Options,
}

fn main() -> ExitCode {
    // Bad usage ends here with status 2.
    let Arguments { options } = Arguments::parse();
    match lines::run(&options, io::stdin().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => {
            // Where nobody listens there is nothing more to do.
            let _ = writeln!(io::stderr(), "inspect: {message}");
            ExitCode::from(2)
        }
    }
}
