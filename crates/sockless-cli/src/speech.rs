//! Messages of standard input, and on standard output.

use std::io::{self, IsTerminal};

use clap::Args;
use sockless_connect::Message;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Stdin, Stdout};

use crate::failure::{Exit, Failure};
use crate::printable::Printable;

/// Octets of a message or a fragment that are read at once where no line ends it.
const PIECE: usize = 64 << 10;

/// What a message is on standard input and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Lines,
    Text,
    Binary,
}

#[derive(Args)]
#[group(multiple = false)]
pub struct Modes {
    /// Each line of standard input is a text message, and each message that comes is written as a line, binary ones in hex;
    /// this is the default.
    #[arg(long, help_heading = "Messages")]
    lines: bool,
    /// All of standard input is one text message, and what comes is written as it is.
    #[arg(short, long, help_heading = "Messages")]
    text: bool,
    /// Standard input goes out as binary messages, as it comes, and what comes is written as it is.
    #[arg(short, long, help_heading = "Messages")]
    binary: bool,
}

impl Modes {
    pub const fn mode(&self) -> Mode {
        match self {
            Self { text: true, .. } => Mode::Text,
            Self { binary: true, .. } => Mode::Binary,
            Self { .. } => Mode::Lines,
        }
    }
}

/// Standard input as messages.
pub struct Input {
    stdin: BufReader<Stdin>,
    mode: Mode,
    max_line: usize,
    /// What belongs to the next piece.
    kept: Vec<u8>,
    has_begun: bool,
    has_ended: bool,
}

/// What goes out next.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    Binary(Vec<u8>),
    /// Of a text message, the last one if `is_last`.
    Fragment {
        text: String,
        is_last: bool,
    },
}

impl Input {
    /// Lines are at most so long.
    pub fn new(mode: Mode, max_line: u64) -> Self {
        let max_line = usize::try_from(max_line).unwrap_or(usize::MAX);
        let stdin = BufReader::with_capacity(PIECE, tokio::io::stdin());
        Self { stdin, mode, max_line, kept: Vec::new(), has_begun: false, has_ended: false }
    }

    /// The next piece; `None` at the end.
    ///
    /// Cancel safe: what was read before it was dropped is kept.
    pub async fn next(&mut self) -> Result<Option<Piece>, Failure> {
        match self.mode {
            Mode::Lines => Ok(self.line().await?.map(Piece::Text)),
            Mode::Text => self.fragment().await,
            Mode::Binary => {
                let octets = self.stdin.fill_buf().await.map_err(unreadable)?.to_vec();
                self.stdin.consume(octets.len());
                Ok((!octets.is_empty()).then_some(Piece::Binary(octets)))
            }
        }
    }

    async fn line(&mut self) -> Result<Option<String>, Failure> {
        loop {
            let octets = self.stdin.fill_buf().await.map_err(unreadable)?;
            let end = octets.iter().position(|octet| *octet == b'\n');
            let taken = end.unwrap_or(octets.len());
            let is_end = octets.is_empty();
            if self.kept.len().saturating_add(taken) > self.max_line {
                return Err(Failure::new(
                    Exit::Other,
                    "a line of the input is longer than --max-message-size",
                ));
            }
            self.kept.extend_from_slice(octets.get(..taken).unwrap_or(&[]));
            self.stdin.consume(taken.saturating_add(usize::from(end.is_some())));
            if end.is_some() || is_end && !self.kept.is_empty() {
                if self.kept.last() == Some(&b'\r') {
                    self.kept.pop();
                }
                return String::from_utf8(std::mem::take(&mut self.kept)).map(Some).map_err(|_| not_text());
            }
            if is_end {
                return Ok(None);
            }
        }
    }

    async fn fragment(&mut self) -> Result<Option<Piece>, Failure> {
        loop {
            if self.has_ended {
                return Ok(None);
            }
            let octets = self.stdin.fill_buf().await.map_err(unreadable)?;
            let taken = octets.len();
            self.kept.extend_from_slice(octets);
            self.stdin.consume(taken);
            if taken == 0 {
                self.has_ended = true;
                if !self.kept.is_empty() {
                    return Err(not_text());
                }
                return Ok(self.has_begun.then(|| Piece::Fragment { text: String::new(), is_last: true }));
            }
            self.has_begun = true;
            // A character may be cut at the end: the rest of it comes with the next piece.
            let whole = match std::str::from_utf8(&self.kept) {
                Ok(_) => self.kept.len(),
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                Err(_) => return Err(not_text()),
            };
            let rest = self.kept.split_off(whole);
            let text = std::mem::replace(&mut self.kept, rest);
            if whole > 0 {
                let text = String::from_utf8(text).map_err(|_| not_text())?;
                return Ok(Some(Piece::Fragment { text, is_last: false }));
            }
        }
    }
}

fn unreadable(error: io::Error) -> Failure {
    Failure::new(Exit::Other, format_args!("standard input: {error}"))
}

fn not_text() -> Failure {
    Failure::new(Exit::Other, "standard input is not UTF-8: --binary sends it as it is")
}

/// Messages on standard output. On a terminal nothing of them can steer it.
pub struct Output {
    stdout: Stdout,
    is_raw: bool,
    is_terminal: bool,
}

impl Output {
    pub fn new(mode: Mode) -> Self {
        let is_terminal = io::stdout().is_terminal();
        Self { stdout: tokio::io::stdout(), is_raw: mode != Mode::Lines && !is_terminal, is_terminal }
    }

    /// Writes a message. A terminal shows from whom it is.
    pub async fn write(&mut self, from: &str, message: Message<'_>) -> io::Result<()> {
        if self.is_raw {
            self.stdout.write_all(message.as_bytes()).await?;
            return self.stdout.flush().await;
        }
        match message {
            Message::Text(text) if self.is_terminal => {
                self.stdout.write_all(format!("{from}{}", Printable(text)).as_bytes()).await?;
            }
            Message::Text(text) => self.stdout.write_all(text.as_bytes()).await?,
            Message::Binary(octets) => {
                let from = if self.is_terminal { from } else { "" };
                self.stdout.write_all(from.as_bytes()).await?;
                for octets in octets.chunks(PIECE) {
                    self.stdout.write_all(hex::encode(octets).as_bytes()).await?;
                }
            }
        }
        self.stdout.write_all(b"\n").await?;
        self.stdout.flush().await
    }
}
