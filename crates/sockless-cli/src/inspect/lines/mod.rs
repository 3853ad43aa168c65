//! One side of a connection as chunks in hex, explained: one JSON object a line comes out.

mod handshake;
mod output;
mod session;

use std::io::BufRead;

use clap::{Args, ValueEnum};
use output::Output;
use sockless::deflate::Params;
use sockless::handshake::{parse_deflate_answer, HeadLimits};
use sockless::{Config, Limits, Tolerance, Tolerances, UnknownTolerance};
#[allow(unused_imports, reason = "the example does not need it")]
pub use {output::escaped, session::inflate};

#[derive(Args)]
#[group(skip)]
pub struct Options {
    /// The side that the engine plays.
    #[arg(long)]
    role: Option<Role>,
    /// Where the input begins.
    #[arg(long, default_value = "handshake")]
    stage: Stage,
    /// A subprotocol that the server supports or the client offers, the preferred first.
    #[arg(long = "subprotocol", value_name = "NAME")]
    subprotocols: Vec<String>,
    /// The server accepts permessage-deflate, and asks for nothing that the client did not; the client offers
    /// it as browsers do.
    #[arg(long)]
    deflate: bool,
    /// What the client offers instead, such as `permessage-deflate; server_max_window_bits=10`.
    #[arg(long, value_name = "VALUE")]
    offer: Option<String>,
    /// The negotiated extensions, for `--stage frames`: empty, or the server's answer for permessage-deflate.
    #[arg(long, value_name = "VALUE", default_value = "", value_parser = agreed)]
    extensions: Agreed,
    /// Octets of the largest message.
    #[arg(long, value_name = "BYTES")]
    max_message: Option<u64>,
    /// A departure from the RFCs to put up with, besides those that are put up with by default; `list` names all.
    #[arg(long, value_name = "NAME", value_parser = tolerate)]
    tolerate: Vec<Tolerate>,
    /// Where the client asks.
    #[arg(long, default_value = "ws://localhost/")]
    url: String,
    /// The client's `Sec-WebSocket-Key`.
    #[arg(long, value_name = "BASE64", default_value = "dGhlIHNhbXBsZSBub25jZQ==")]
    key: String,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    Server,
    Client,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    Handshake,
    Frames,
}

/// What was agreed on for permessage-deflate.
pub type Agreed = Option<Params>;

fn agreed(value: &str) -> Result<Agreed, String> {
    match value.trim() {
        "" => Ok(None),
        value => parse_deflate_answer(value).map(Some).ok_or_else(|| "no valid answer for extensions".into()),
    }
}

/// What is asked for of tolerances.
#[derive(Clone, Copy)]
pub enum Tolerate {
    List,
    One(Tolerance),
}

fn tolerate(name: &str) -> Result<Tolerate, String> {
    match name {
        "list" => Ok(Tolerate::List),
        name => name.parse().map(Tolerate::One).map_err(|error: UnknownTolerance| error.to_string()),
    }
}

impl Options {
    /// What is put up with.
    pub fn tolerances(&self) -> Tolerances {
        self.tolerate.iter().fold(Tolerances::DEFAULT, |tolerances, one| match one {
            Tolerate::List => tolerances,
            Tolerate::One(tolerance) => tolerances.with(*tolerance),
        })
    }

    /// The limits on heads.
    fn head_limits(&self) -> HeadLimits {
        HeadLimits::DEFAULT.with_tolerances(self.tolerances())
    }
}

/// What a line of input says.
pub enum Line {
    Chunk(Vec<u8>),
    Eof,
}

/// Reads received chunks, one a line in hex (blank lines and lines that begin with `#` are skipped; `eof` ends the stream),
/// and writes what the engine makes of them. Whether the peer behaved.
pub fn run(options: &Options, input: impl BufRead) -> Result<bool, String> {
    if options.tolerate.iter().any(|one| matches!(one, Tolerate::List)) {
        for tolerance in Tolerance::ALL {
            output::line(&format!("{:24} {}", tolerance.name(), tolerance.summary()));
        }
        return Ok(true);
    }
    let role = options.role.ok_or("--role is missing")?;
    let lines = read_lines(input)?;
    let mut limits = Limits::DEFAULT.with_tolerances(options.tolerances());
    if let Some(octets) = options.max_message {
        limits = limits.with_max_message_size(octets);
    }
    let config = Config::new().with_limits(limits);
    let mut output = Output::default();
    let mut lines = lines.into_iter();
    let (agreed, rest) = match (options.stage, role) {
        (Stage::Frames, _) => (options.extensions, Vec::new()),
        (Stage::Handshake, role) => {
            let opened = match role {
                Role::Server => handshake::serve(options, &mut lines, &mut output)?,
                Role::Client => handshake::ask(options, &mut lines, &mut output)?,
            };
            match opened {
                Some(opened) => opened,
                None => return Ok(output.finish()),
            }
        }
    };
    let mut session = session::Session::new(role, config, agreed);
    session.receive(rest, &mut output);
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
fn read_lines(input: impl BufRead) -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    for (at, line) in input.lines().enumerate() {
        let line = line.map_err(|error| error.to_string())?;
        match line.trim() {
            "eof" => lines.push(Line::Eof),
            "" => {}
            comment if comment.starts_with('#') => {}
            digits => {
                let digits: String = digits.chars().filter(|c| !c.is_whitespace()).collect();
                let bytes =
                    hex::decode(digits).map_err(|error| format!("line {}: {error}", at.saturating_add(1)))?;
                lines.push(Line::Chunk(bytes));
            }
        }
    }
    Ok(lines)
}
