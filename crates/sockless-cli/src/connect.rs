//! `sockless connect`: standard input to a server, and what it says to standard output.

use std::future::{pending, Future};
use std::io::ErrorKind;
use std::pin::{pin, Pin};
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use sockless::tokio::Tokio;
use sockless::{polled, Entropy, SystemEntropy};
use sockless_connect::{Backoff, CloseCode, Closed, Interruption, Payload, Response, Stream, Timestamp};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::client::Client;
use crate::failure::Failure;
use crate::interrupt::interrupt;
use crate::speech::{Input, Modes, Output, Piece};
use crate::terminal::{say, warn};
use crate::values::duration;

/// Connect to a server: standard input goes there, and what comes is written to standard output.
///
/// The end of standard input closes the connection in order, and so does Ctrl-C. What the server still says until then is
/// written.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sockless connect wss://example.com/chat
  echo '{\"subscribe\":\"EURUSD\"}' | sockless connect --no-close wss://example.com/prices
  sockless connect -1 -m ping wss://example.com/        send one message, print the answer
  sockless connect --binary ws://localhost/up <file     as binary messages
  SOCKLESS_BEARER=@token sockless connect wss://example.com/

'sockless help' lists the exit status.")]
pub struct Options {
    /// A URL: ws://, wss://, or http:// and https:// for the same.
    url: String,
    #[command(flatten)]
    modes: Modes,
    /// Send this text message first.
    #[arg(short, long = "message", value_name = "TEXT", help_heading = "Messages")]
    messages: Vec<String>,
    /// Send at most one message, and end when one has come. The end of standard input does not close then.
    #[arg(short = '1', long, help_heading = "Messages")]
    one_message: bool,
    /// Go on to listen where standard input ends.
    #[arg(short, long, help_heading = "Messages")]
    no_close: bool,
    /// Connect again when the connection is lost, after waits that grow to a minute. The first one is at most this long: 5s, if
    /// nothing is said. What was on its way is lost; --message is sent each time.
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "5s", value_parser = duration)]
    reconnect: Option<Duration>,
    /// Show the head of the answer on standard error. Of a refusal also the body.
    #[arg(long)]
    show_head: bool,
    #[command(flatten)]
    client: Client,
}

type Receiver = polled::Receiver<Tokio<Stream>, sockless::Client<SystemEntropy>>;
type Sender = polled::Sender<Tokio<Stream>, sockless::Client<SystemEntropy>>;

/// How long a closing handshake may take that standard output holds up.
const LAST_WORDS: Duration = Duration::from_secs(10);

pub async fn run(options: &Options) -> Result<(), Failure> {
    let connect = options.client.connect(&options.url)?;
    let mut input = Input::new(options.modes.mode(), options.client.bounds.max_message_size);
    let began = Instant::now();
    let mut backoff = Backoff::new().with_first_delay(options.reconnect.unwrap_or_default());
    // One for all of it, so that none is missed between two stages.
    let mut interrupted = pin!(interrupt());
    loop {
        let connected = tokio::select! {
            connected = connect.connect() => connected,
            () = &mut interrupted => return Ok(()),
        };
        let (result, may_come_back, asked) = match connected {
            Ok((socket, response)) => {
                backoff.opened(Timestamp::from_duration(began.elapsed()));
                if options.show_head {
                    show(&response);
                }
                let (mut receiver, mut sender) = socket.into_split();
                let talked =
                    talk(options, &mut input, &mut receiver, &mut sender, interrupted.as_mut()).await;
                let closed = receiver.closed();
                let may_come_back = closed.is_some_and(|Closed { status, by, error, .. }| {
                    Interruption::Closed { status, by, error }.is_temporary()
                });
                (talked.and(Failure::of_end(closed, receiver.close_reason())), may_come_back, None)
            }
            Err(error) => {
                if let Some(response) = error.response().filter(|_| options.show_head) {
                    show(response);
                }
                let (may_come_back, asked) = (error.is_temporary(), error.retry_after(SystemTime::now()));
                (Err(error.into()), may_come_back, asked)
            }
        };
        if options.reconnect.is_none() || !may_come_back {
            return result;
        }
        let Some(wait) = backoff.failed(Timestamp::from_duration(began.elapsed()), random()) else {
            return result;
        };
        let wait = wait.saturating_add(asked.unwrap_or_default());
        let why = result.map_or_else(|failure| failure.to_string(), |()| "the server went away".into());
        warn(format_args!("{why}; connecting again in {:.1} s", wait.as_secs_f64()));
        tokio::select! {
            () = sleep(wait) => {}
            () = &mut interrupted => return Ok(()),
        }
    }
}

/// A number for the wait. Without one it is the longest.
fn random() -> u32 {
    let mut random = [0; 4];
    SystemEntropy::new().fill(&mut random).map_or(u32::MAX, |()| u32::from_ne_bytes(random))
}

/// Talks until the connection has ended.
async fn talk(
    options: &Options,
    input: &mut Input,
    receiver: &mut Receiver,
    sender: &mut Sender,
    mut interrupted: Pin<&mut impl Future<Output = ()>>,
) -> Result<(), Failure> {
    let enough = Notify::new();
    let mut hearing = pin!(hear(options, receiver, &enough));
    let broken = {
        let mut speaking = pin!(speak(options, input, sender));
        let mut is_speaking = true;
        loop {
            tokio::select! {
                heard = &mut hearing => return heard,
                spoken = &mut speaking, if is_speaking => match spoken {
                    Ok(()) => is_speaking = false,
                    Err(failure) => break Some(failure),
                },
                () = enough.notified() => break None,
                () = &mut interrupted => break None,
            }
        }
    };
    // Both at once: the Close goes out, and what comes before the server's is taken.
    let closing = async {
        let code = if broken.is_some() { CloseCode::GOING_AWAY } else { CloseCode::NORMAL };
        let _ = sender.start_close(code).await;
        pending().await
    };
    let rest = async {
        tokio::select! {
            heard = hearing => heard,
            never = closing => never,
        }
    };
    // Where standard output takes nothing, this takes for ever.
    let rest = timeout(LAST_WORDS, rest).await.unwrap_or(Ok(()));
    broken.map_or(rest, Err)
}

/// Writes what the server says, until the connection has ended. Once it is enough, it says so, and writes no more.
async fn hear(options: &Options, receiver: &mut Receiver, enough: &Notify) -> Result<(), Failure> {
    let mut output = Output::new(options.modes.mode());
    let mut is_writing = true;
    while let Some(message) = receiver.recv().await? {
        if !is_writing {
            continue;
        }
        let is_over = match output.write("", message).await {
            // Nobody reads any more, as behind `| head -1`: there is nothing left to do here.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => true,
            written => {
                written?;
                options.one_message
            }
        };
        if is_over {
            is_writing = false;
            enough.notify_one();
        }
    }
    Ok(())
}

/// Sends what is on the command line and on standard input, and closes at the end of that.
async fn speak(options: &Options, input: &mut Input, sender: &mut Sender) -> Result<(), Failure> {
    let sent = async {
        let mut given = options.messages.iter();
        for message in given.by_ref().take(if options.one_message { 1 } else { usize::MAX }) {
            sender.send(message.as_str()).await.map_err(|_| Broken::Connection)?;
        }
        if options.one_message && !options.messages.is_empty() {
            return Ok(());
        }
        while let Some(piece) = input.next().await.map_err(Broken::Input)? {
            let is_whole = !matches!(piece, Piece::Fragment { is_last: false, .. });
            let sent = match piece {
                Piece::Text(text) => sender.send(text.as_str()).await,
                Piece::Binary(octets) => sender.send(Payload::binary(&octets)).await,
                Piece::Fragment { text, is_last } => sender.send_fragment(text.as_str(), is_last).await,
            };
            sent.map_err(|_| Broken::Connection)?;
            if options.one_message && is_whole {
                break;
            }
        }
        Ok(())
    };
    match sent.await {
        Ok(()) if options.one_message || options.no_close => Ok(()),
        Ok(()) => {
            // Whether that went well, the receiving half knows.
            let _ = sender.start_close(CloseCode::NORMAL).await;
            Ok(())
        }
        // The connection is at its end, of which the receiving half knows more.
        Err(Broken::Connection) => Ok(()),
        Err(Broken::Input(failure)) => Err(failure),
    }
}

/// What keeps us from sending more.
enum Broken {
    Connection,
    Input(Failure),
}

/// Shows the head of an answer, and the body that a refusal has.
fn show(response: &Response) {
    say(format_args!("HTTP status {}", response.status()));
    for (name, value) in response.fields() {
        say(format_args!("{name}: {}", String::from_utf8_lossy(value)));
    }
    let body = String::from_utf8_lossy(response.body());
    if !body.is_empty() {
        say("");
        body.lines().for_each(say);
    }
}
