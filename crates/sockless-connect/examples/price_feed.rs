//! Prints what a feed sends, and comes back when the connection is lost or the feed falls silent. Ctrl-C ends it.
//!
//! `cargo run -p sockless-connect --example price_feed -- wss://example.com/prices --say '{"subscribe":"EURUSD"}'`

use std::error::Error;
use std::io::{self, stderr, stdout, Write as _};
use std::time::Duration;

use clap::Parser;
use sockless_connect::{Backoff, CloseCode, Connect, Socket};
use tokio::time::timeout;

#[derive(Parser)]
#[command(about = "Prints what a feed sends, and comes back when it is lost")]
struct Options {
    /// A `ws:` or `wss:` URL.
    url: String,
    /// Send this each time that the connection is open.
    #[arg(long, value_name = "TEXT")]
    say: Option<String>,
    /// A connection on which nothing came for so many milliseconds is given up.
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    silence: u64,
    /// The first wait has at most so many milliseconds. Each further one doubles that, up to a minute.
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    wait: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let backoff = Backoff::new().with_first_delay(Duration::from_millis(options.wait));
    let mut feed = Connect::new(&options.url).reconnecting().with_backoff(backoff).with_retry_if(|why| {
        let _ = writeln!(stderr(), "{why}");
        why.is_temporary()
    });
    loop {
        let next = tokio::select! {
            next = feed.next() => next?,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        // The server has closed with 1000: there is nothing more to come.
        let Some((socket, _response)) = next else { return Ok(()) };
        let _ = writeln!(stderr(), "connected");
        tokio::select! {
            read = read(socket, &options) => read?,
            _ = tokio::signal::ctrl_c() => {
                socket.close(CloseCode::NORMAL).await?;
                return Ok(());
            }
        }
    }
}

/// Until the connection is lost or silent. What became of it, `feed` finds out itself.
async fn read(socket: &mut Socket, options: &Options) -> io::Result<()> {
    if let Some(text) = &options.say {
        if socket.send(text).await.is_err() {
            return Ok(());
        }
    }
    let silence = Duration::from_millis(options.silence);
    while let Ok(Ok(Some(message))) = timeout(silence, socket.recv()).await {
        // Nothing that a server sends is to steer the terminal.
        writeln!(stdout(), "{}", message.as_text().unwrap_or("(bytes)").replace(char::is_control, " "))?;
    }
    Ok(())
}
