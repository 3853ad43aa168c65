//! `sockless bench`: how fast a server answers that echoes.

use std::io::{self, IsTerminal, Write};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use sockless_connect::{CloseCode, Connect, Payload, Socket};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout, Instant};

use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::interrupt::interrupt;
use crate::values::{duration, size};

/// Measure a server that echoes: each connection sends a message, waits for it to come back, and sends the next.
///
/// Ctrl-C ends it early, with the table of what was measured until then.
#[derive(Args)]
#[command(after_help = "\
Example:
  sockless bench ws://127.0.0.1:9000/ --connections 100 --size 1K --duration 10s")]
pub struct Options {
    /// A URL: ws://, wss://, or http:// and https:// for the same.
    url: String,
    /// Connections at the same time.
    #[arg(short, long, value_name = "NUMBER", default_value = "10", value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Octets of a message.
    #[arg(short, long, default_value = "64", value_parser = size)]
    size: u64,
    /// How long to measure.
    #[arg(short, long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    duration: Duration,
    /// Send binary messages, not text.
    #[arg(short, long)]
    binary: bool,
    /// Write the result as one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    client: Client,
}

/// Connections that are opened at once.
const OPENING: usize = 32;
/// How often progress is shown.
const PROGRESS: Duration = Duration::from_millis(250);
const LAST_WORDS: Duration = Duration::from_secs(5);

pub async fn run(options: &Options) -> Result<(), Failure> {
    let connect = options.client.connect(&options.url)?;
    let payload = payload(options)?;
    let mut interrupted = pin!(interrupt());
    let began = Instant::now();
    let sockets = tokio::select! {
        sockets = open(&connect, options.connections) => sockets?,
        () = &mut interrupted => return Ok(()),
    };
    let opened_in = began.elapsed();
    let answered = Arc::new(AtomicU64::new(0));
    let (stop, stopped) = watch::channel(());
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for socket in sockets {
        tasks.spawn(measure(
            socket,
            Arc::clone(&payload),
            options.binary,
            Arc::clone(&answered),
            stopped.clone(),
        ));
    }
    drop(stopped);
    let mut all = Latencies::default();
    let mut result = Ok(());
    // A connection that fails ends it for all.
    let mut add = |joined: Option<Result<Result<Latencies, Failure>, _>>| match joined {
        Some(Ok(Ok(latencies))) => {
            all.add(&latencies);
            true
        }
        Some(Ok(Err(failure))) => {
            result = Err(failure);
            false
        }
        _ => false,
    };
    tokio::select! {
        () = progress(options, began, &answered) => {}
        () = sleep(options.duration) => {}
        () = &mut interrupted => {}
        _ = async { while add(tasks.join_next().await) {} } => {}
    }
    let measured = began.elapsed();
    drop(stop);
    let _ = timeout(LAST_WORDS, async { while add(tasks.join_next().await) {} }).await;
    result?;
    if all.count == 0 {
        return Err(Failure::new(Exit::Other, "no answer came: does this server echo?"));
    }
    let text = match options.json {
        true => all.json(options, opened_in, measured),
        false => all.table(options, opened_in, measured),
    };
    Ok(io::stdout().write_all(text.as_bytes())?)
}

/// Text that does not compress to nothing.
fn payload(options: &Options) -> Result<Arc<Vec<u8>>, Failure> {
    if options.size > options.client.bounds.max_message_size {
        return Err(Failure::usage("--size: more than --max-message-size"));
    }
    let letters = (0..options.size).scan(1_u32, |state, _| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b"abcdefghijklmnopqrstuvwxyz012345".get(usize::try_from(*state >> 27).unwrap_or(0)).copied()
    });
    Ok(Arc::new(letters.collect()))
}

async fn open(connect: &Connect, connections: u16) -> Result<Vec<Socket>, Failure> {
    let mut tasks = JoinSet::new();
    let mut sockets = Vec::new();
    for _ in 0..connections {
        if tasks.len() >= OPENING {
            sockets.extend(opened(&mut tasks).await?);
        }
        let connect = connect.clone();
        tasks.spawn(async move { connect.connect().await.map(|(socket, _)| socket) });
    }
    while !tasks.is_empty() {
        sockets.extend(opened(&mut tasks).await?);
    }
    Ok(sockets)
}

/// The next that is open.
async fn opened(
    tasks: &mut JoinSet<Result<Socket, sockless_connect::ConnectError>>,
) -> Result<Option<Socket>, Failure> {
    match tasks.join_next().await {
        Some(Ok(socket)) => Ok(Some(socket?)),
        Some(Err(error)) => Err(Failure::new(Exit::Other, error)),
        None => Ok(None),
    }
}

/// Messages there and back, until it is stopped.
async fn measure(
    mut socket: Socket,
    payload: Arc<Vec<u8>>,
    is_binary: bool,
    answered: Arc<AtomicU64>,
    mut stopped: watch::Receiver<()>,
) -> Result<Latencies, Failure> {
    let mut latencies = Latencies::default();
    let text = std::str::from_utf8(&payload).unwrap_or_default();
    loop {
        let began = Instant::now();
        let there_and_back = async {
            match is_binary {
                true => socket.send(Payload::binary(&payload)).await?,
                false => socket.send(text).await?,
            }
            Ok::<_, Failure>(socket.recv().await?.is_some())
        };
        let is_there = tokio::select! {
            is_there = there_and_back => is_there?,
            // Its other end is dropped.
            _ = stopped.changed() => break,
        };
        if !is_there {
            Failure::of_end(socket.closed(), socket.close_reason())?;
            return Err(Failure::new(Exit::ClosedOtherwise, "the server closed the connection"));
        }
        latencies.count(began.elapsed());
        answered.fetch_add(1, Relaxed);
    }
    socket.close(CloseCode::NORMAL).await?;
    Ok(latencies)
}

/// Shows how far it is, on a terminal. Never ends.
async fn progress(options: &Options, began: Instant, answered: &AtomicU64) {
    if !io::stderr().is_terminal() {
        return std::future::pending().await;
    }
    let mut ticks = interval(PROGRESS);
    /// Clears the line in the end.
    struct Line;
    impl Drop for Line {
        fn drop(&mut self) {
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }
    let _line = Line;
    loop {
        ticks.tick().await;
        let (passed, answered) = (began.elapsed().as_secs_f64(), answered.load(Relaxed));
        let all = options.duration.as_secs_f64();
        let line = format!("\r\x1b[K{passed:.1} s of {all:.1} s, {answered} messages");
        let _ = io::stderr().write_all(line.as_bytes());
    }
}

/// How long messages took, in classes that are at most 3 % wide.
struct Latencies {
    classes: Vec<u64>,
    count: u64,
    longest: u64,
}

/// Classes between a power of two and the next.
const STEPS: u32 = 32;

impl Default for Latencies {
    fn default() -> Self {
        Self { classes: vec![0; 60 * 32], count: 0, longest: 0 }
    }
}

impl Latencies {
    fn count(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        if let Some(class) = self.classes.get_mut(class_of(nanos)) {
            *class = class.saturating_add(1);
        }
        self.count = self.count.saturating_add(1);
        self.longest = self.longest.max(nanos);
    }

    fn add(&mut self, other: &Self) {
        for (class, more) in self.classes.iter_mut().zip(&other.classes) {
            *class = class.saturating_add(*more);
        }
        self.count = self.count.saturating_add(other.count);
        self.longest = self.longest.max(other.longest);
    }

    /// What so many of a thousand messages did not exceed, in microseconds.
    #[allow(clippy::cast_precision_loss, reason = "it is shown with one decimal")]
    fn quantile(&self, of_thousand: u64) -> f64 {
        let wanted = self.count.saturating_mul(of_thousand).div_ceil(1000);
        let mut seen: u64 = 0;
        let class = self.classes.iter().position(|class| {
            seen = seen.saturating_add(*class);
            seen >= wanted
        });
        class.map_or(self.longest, most_of).min(self.longest) as f64 / 1e3
    }

    #[allow(clippy::cast_precision_loss, reason = "rates are shown with few digits")]
    fn rates(&self, options: &Options, measured: Duration) -> (f64, f64) {
        let a_second = self.count as f64 / measured.as_secs_f64();
        (a_second, a_second * options.size as f64 / 1e6)
    }

    fn table(&self, options: &Options, opened_in: Duration, measured: Duration) -> String {
        let (a_second, megabytes) = self.rates(options, measured);
        let [half, most, nearly, last] = [500, 900, 990, 999].map(|part| self.quantile(part));
        format!(
            "connections  {:>12}    opened in {:.3} s\n\
             messages     {:>12}    of {} octets, in {:.3} s\n\
             rate         {a_second:>12.0}    messages/s\n\
             throughput   {megabytes:>12.3}    MB/s in each direction\n\
             latency           median         90 %         99 %       99.9 %          max\n\
             microseconds {half:>11.1} {most:>12.1} {nearly:>12.1} {last:>12.1} {:>12.1}\n",
            options.connections,
            opened_in.as_secs_f64(),
            self.count,
            options.size,
            measured.as_secs_f64(),
            self.quantile(1000),
        )
    }

    fn json(&self, options: &Options, opened_in: Duration, measured: Duration) -> String {
        let (a_second, megabytes) = self.rates(options, measured);
        let [half, most, nearly, last, longest] = [500, 900, 990, 999, 1000].map(|part| self.quantile(part));
        let result = json!({
            "connections": options.connections,
            "opened_in_s": opened_in.as_secs_f64(),
            "messages": self.count,
            "octets": options.size,
            "measured_s": measured.as_secs_f64(),
            "messages_per_s": a_second,
            "megabytes_per_s": megabytes,
            "latency_us": { "50": half, "90": most, "99": nearly, "99.9": last, "max": longest },
        });
        format!("{result}\n")
    }
}

/// The class of a time: below 32 each number has its own, then there are 32 for each power of two.
fn class_of(nanos: u64) -> usize {
    let shift = nanos.checked_ilog2().unwrap_or(0).saturating_sub(STEPS.ilog2());
    let class = u64::from(shift.saturating_mul(STEPS)).saturating_add(nanos >> shift);
    usize::try_from(class).unwrap_or(usize::MAX)
}

/// The longest time of a class.
fn most_of(class: usize) -> u64 {
    let class = u64::try_from(class).unwrap_or(u64::MAX);
    let shift = class.checked_div(STEPS.into()).unwrap_or(0).saturating_sub(1);
    let step = class.saturating_sub(shift.saturating_mul(STEPS.into()));
    (step.saturating_add(1) << shift.min(63)).saturating_sub(1)
}
