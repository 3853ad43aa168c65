//! Sends each line of its input and prints the answer, on blocking sockets and without a runtime. Each wait has an end.
//!
//! `cargo run -p sockless-connect --no-default-features --example ask -- ws://127.0.0.1:9001/ --answer 500`

use std::error::Error;
use std::io::{stderr, stdin, stdout, ErrorKind, Write as _};
use std::time::Duration;

use clap::Parser;
use sockless_connect::{ClientConfig, CloseCode, Connect};

#[derive(Parser)]
#[command(about = "Sends lines, and prints the answers")]
struct Options {
    /// A `ws:` or `wss:` URL.
    url: String,
    /// All of connecting has this time, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    opening: u64,
    /// An answer has this time, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    answer: u64,
}

fn main() {
    if let Err(error) = run(&Options::parse()) {
        let _ = writeln!(stderr(), "{error}");
        std::process::exit(1);
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut config = ClientConfig::new();
    config.timeouts.opening = Some(Duration::from_millis(options.opening));
    let (mut socket, _response) = Connect::new(&options.url).with_config(config).connect_blocking()?;
    for line in stdin().lines() {
        socket.send(line?)?;
        match socket.recv_timeout(Duration::from_millis(options.answer)) {
            // Nothing that a server sends is to steer the terminal.
            Ok(Some(message)) => {
                let answer = message.as_text().unwrap_or("(bytes)").replace(char::is_control, " ");
                writeln!(stdout(), "{answer}")?;
            }
            Ok(None) => return Err(format!("the server has closed: {:?}", socket.close_reason()).into()),
            // An answer that comes later would be taken for that to the next line.
            Err(sockless_connect::Error::Io(error)) if error.kind() == ErrorKind::TimedOut => {
                return Err("no answer in time".into())
            }
            Err(error) => return Err(error.into()),
        }
    }
    socket.close(CloseCode::NORMAL)?;
    Ok(())
}
