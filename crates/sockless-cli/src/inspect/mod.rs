//! `sockless inspect`: what crosses the wire, explained.

mod capture;
mod conversation;
mod lines;
mod live;
mod show;
mod streams;

use std::fs::File;
use std::io::{self, BufReader, Read};

use clap::Args;
use show::Show;
use sockless::Limits;
use streams::Streams;

use crate::client::Reach;
use crate::failure::{Exit, Failure};
use crate::values::{size, unreadable};

/// Explain what crosses the wire: of a capture, or between a client and a server while it does.
///
/// Heads, frames with their bits, and messages inflated are shown. With --listen and --to it stands between clients and a server.
/// What it passes on it does not change, but for the Host of the request, and the path if the URL of --to has one.
///
/// Else FILE or standard input is a capture of packets (pcap or pcapng), as tcpdump and Wireshark write them: each connection is
/// shown that asks for a WebSocket without TLS. Or it is chunks of one side, one a line in hex, and with --role it is shown as
/// JSON what that role would make of them and answer. Blank lines and lines that begin with # are skipped; eof ends the stream.
///
/// The exit status is 1 where somebody broke a rule.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sockless inspect --listen 127.0.0.1:9000 --to wss://example.com/   then connect to ws://127.0.0.1:9000/
  sockless inspect --listen 127.0.0.1:9000 --to ws://127.0.0.1:8080/ --json
  tcpdump -i lo -U -w - port 8080 | sockless inspect
  echo '81 85 37fa213d 7f9f4d5158' | sockless inspect --role server --stage frames")]
pub struct Options {
    /// What to read; without it, or with -, standard input.
    #[arg(value_name = "FILE", conflicts_with = "listen")]
    file: Option<String>,
    /// Where to wait for clients; port 0 picks a free one, which is named on standard error.
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        requires = "to",
        help_heading = "Between a client and a server"
    )]
    listen: Option<String>,
    /// The server that they are led to.
    #[arg(long, value_name = "URL", requires = "listen", help_heading = "Between a client and a server")]
    to: Option<String>,
    /// At most so many clients at the same time. Others wait.
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Between a client and a server")]
    max_clients: u16,
    /// One JSON object a line.
    #[arg(long, help_heading = "Output")]
    json: bool,
    /// Show at most so many octets of a message.
    #[arg(long, value_name = "SIZE", default_value = "1K", value_parser = size, help_heading = "Output")]
    show: u64,
    #[command(flatten, next_help_heading = "Chunks in hex")]
    lines: lines::Options,
    #[command(flatten)]
    reach: Reach,
}

impl Options {
    /// A message of any size may pass: little of it is kept.
    fn limits(&self) -> Limits {
        let mut limits = Limits::DEFAULT.with_tolerances(self.lines.tolerances());
        limits.max_message_size = u64::MAX;
        limits.max_frame_size = u64::MAX;
        limits
    }

    fn max_front(&self) -> usize {
        usize::try_from(self.show).unwrap_or(usize::MAX)
    }
}

pub async fn run(options: &Options) -> Result<(), Failure> {
    if let (Some(listen), Some(to)) = (&options.listen, &options.to) {
        return live::run(options, listen, to).await;
    }
    match options.file.as_deref() {
        None | Some("-") => read(options, io::stdin()),
        Some(path) => read(options, File::open(path).map_err(|error| unreadable(path, error))?),
    }
}

fn read(options: &Options, input: impl Read + Send) -> Result<(), Failure> {
    let mut input = BufReader::new(input);
    if capture::is_capture(&capture::front(&mut input)?) {
        let streams = Streams::new(options.limits(), options.max_front());
        return judged(capture::show(input, streams, &Show::new(options.json))?);
    }
    judged(lines::run(&options.lines, input).map_err(Failure::usage)?)
}

/// Whether everybody behaved is what the exit status says.
fn judged(behaved: bool) -> Result<(), Failure> {
    match behaved {
        true => Ok(()),
        false => Err(Failure::new(Exit::Other, "a rule was broken")),
    }
}
