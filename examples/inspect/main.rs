//! What crosses the wire, explained: hex in, one JSON object a line out.
//!
//! `cargo run --release --example inspect -- --role server --stage frames` reads received chunks from
//! standard input, one a line in hex (blank lines and lines that begin with `#` are skipped; `eof` ends the
//! stream), and writes what the engine makes of them. It exits with 0 where the peer behaved, 1 where the
//! engine failed the connection, and 2 for bad usage.

mod handshake;
mod output;
mod session;

use std::io::{self, BufRead};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use output::Output;
use sockless::{Config, Limits};

#[derive(Parser)]
#[command(about = "Explains what crosses the wire of a WebSocket: hex in, JSON out")]
struct Options {
    /// The side that the engine plays.
    #[arg(long)]
    role: Role,
    /// Where the input begins.
    #[arg(long, default_value = "handshake")]
    stage: Stage,
    /// A subprotocol that the server supports or the client offers, the preferred first.
    #[arg(long = "subprotocol", value_name = "NAME")]
    subprotocols: Vec<String>,
    /// Compression: not built yet.
    #[arg(long)]
    deflate: bool,
    /// The client's offer of extensions: not built yet.
    #[arg(long, value_name = "VALUE")]
    offer: Option<String>,
    /// The negotiated extensions, for `--stage frames`; only the empty value, until there are some.
    #[arg(long, value_name = "VALUE")]
    extensions: Option<String>,
    /// Octets of the largest message.
    #[arg(long, value_name = "BYTES")]
    max_message: Option<u64>,
    /// Where the client asks.
    #[arg(long, default_value = "ws://localhost/")]
    url: String,
    /// The client's `Sec-WebSocket-Key`.
    #[arg(long, value_name = "BASE64", default_value = "dGhlIHNhbXBsZSBub25jZQ==")]
    key: String,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    Server,
    Client,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stage {
    Handshake,
    Frames,
}

/// What a line of input says.
enum Line {
    Chunk(Vec<u8>),
    Eof,
}

fn main() -> ExitCode {
    // Bad usage ends here with status 2.
    let options = Options::parse();
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => {
            eprintln!("inspect: {message}");
            ExitCode::from(2)
        }
    }
}

/// Whether the peer behaved.
fn run(options: &Options) -> Result<bool, String> {
    if options.deflate
        || options.offer.is_some()
        || options.extensions.as_ref().is_some_and(|e| !e.is_empty())
    {
        return Err("compression is not built yet".into());
    }
    let lines = read_lines()?;
    let mut limits = Limits::DEFAULT;
    if let Some(octets) = options.max_message {
        limits = limits.with_max_message_size(octets).with_max_frame_size(octets);
    }
    let config = Config::new().with_limits(limits);
    let mut output = Output::default();
    let mut session = session::Session::new(options.role, config);
    let mut lines = lines.into_iter();
    if options.stage == Stage::Handshake {
        let opened = match options.role {
            Role::Server => handshake::serve(options, &mut lines, &mut output)?,
            Role::Client => handshake::ask(options, &mut lines, &mut output)?,
        };
        match opened {
            Some(rest) => session.receive(rest, &mut output),
            None => return Ok(output.finish()),
        }
    }
    for line in lines {
        match line {
            Line::Chunk(bytes) => session.receive(bytes, &mut output),
            Line::Eof => {
                session.eof(&mut output);
                break;
            }
        }
    }
    output.transport(session.transport());
    Ok(output.finish())
}

/// The whole input: a mistake in its last line is bad usage as much as one in its first.
fn read_lines() -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    for (at, line) in io::stdin().lock().lines().enumerate() {
        let line = line.map_err(|error| error.to_string())?;
        match line.trim() {
            "eof" => lines.push(Line::Eof),
            "" => {}
            comment if comment.starts_with('#') => {}
            digits => {
                let digits: String = digits.chars().filter(|c| !c.is_whitespace()).collect();
                let bytes = hex::decode(digits).map_err(|error| format!("line {}: {error}", at + 1))?;
                lines.push(Line::Chunk(bytes));
            }
        }
    }
    Ok(lines)
}
