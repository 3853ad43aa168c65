//! The example servers under peers that mean harm, and under thousands that mean none:
//! `cargo bench --all-features --bench stress -- [--seconds N] [--connections N] [--server NAME]`.
//!
//! Each server runs in a process of its own, on one thread (on blocking sockets, one for each connection), over
//! loopback. Floods of every kind come one after the other, then all at once, then mixed traffic with
//! reconnects. Meanwhile a healthy peer sends a message every 20 ms and wants each echo within 100 ms, newcomers
//! are to be let in, and memory is to stay bounded. At the end files and memory must be back where they were.
//!
//! Other programs on the machine make everybody late, and so do the floods themselves, which run on it as well.
//! How late is measured, here and for the server, and allowed for: it is the column "noise".
#![allow(clippy::duplicate_mod, reason = "each example brings what it shares with the others")]

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use crate::flood::{Load, Stay, IN_TIME};
use crate::probe::{millis, percentile, Found, Probes};
use crate::server::{Reading, Server, NAMES};

#[path = "../examples/echo_server.rs"]
#[allow(dead_code, reason = "its `main` is not used")]
mod echo_server;
#[path = "../examples/echo_server_mio/main.rs"]
mod echo_server_mio;
#[path = "../examples/echo_server_smol.rs"]
mod echo_server_smol;
#[path = "../examples/echo_server_std.rs"]
mod echo_server_std;
#[path = "stress/flood.rs"]
mod flood;
#[path = "stress/mixed.rs"]
mod mixed;
#[path = "stress/probe.rs"]
mod probe;
#[path = "stress/server.rs"]
mod server;
#[path = "stress/wire.rs"]
mod wire;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Parser)]
#[command(about = "Puts the example servers under stress")]
struct Options {
    /// For each kind of flood; mixed traffic lasts five times as long.
    #[arg(long, value_name = "SECONDS", default_value = "1")]
    seconds: f64,
    /// Of mixed traffic.
    #[arg(long, value_name = "COUNT", default_value = "300")]
    connections: usize,
    /// Only this one; all without: tokio, smol, mio, std.
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Only floods whose name contains this, and no mixed traffic.
    #[arg(long, value_name = "PART")]
    flood: Option<String>,
    /// Wait for what the default timers drop, too: over a minute for each server.
    #[arg(long)]
    stay: bool,
    /// Cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
}

/// How often a row is tried that is late.
const ATTEMPTS: usize = 3;
/// For an echo among hundreds of connections that come and go.
const MIXED_IN_TIME: Duration = Duration::from_millis(200);
/// For a newcomer, from the first packet to the first echo.
const LET_IN: Duration = Duration::from_secs(1);
/// What a server may take on top of what it had at the start, whatever comes: some messages of the largest size.
const MOST_MEMORY: u64 = 400 << 20;
/// What it may keep, and for each of the connections that were open at a time. Nothing of it is ours: it is what the GNU
/// allocator does not give back of its arenas, mostly where each connection has a thread.
const KEPT_MEMORY: u64 = 64 << 20;
const KEPT_OF_EACH: u64 = 16 << 10;
/// How long it may take to give everything back.
const GIVE_BACK: Duration = Duration::from_secs(15);
/// For peers that stay. Who does not answer is dropped 30 s, 20 s for the Pong and 5 s for the Close after it said
/// something. How fast a message comes is first looked at when the next Ping is due, and then for a minute.
const DROPPED: Duration = Duration::from_secs(100);
/// Processor time in a second, for connections at which next to nothing happens.
const IDLE: Duration = Duration::from_millis(100);
/// Peers of each kind that stay.
const STAYING: usize = 40;

fn main() -> ExitCode {
    if !cfg!(target_os = "linux") {
        println!("what a process has open and resident is read from /proc, which only Linux has");
        return ExitCode::SUCCESS;
    }
    let result = match server::wanted() {
        Some(name) => server::serve(&name).map(|()| 0),
        None => run(&Options::parse()),
    };
    match result {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            println!("{failed} failed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// How much failed.
fn run(options: &Options) -> Result<usize> {
    let files = 3 * options.connections as u64 + 2000;
    if rlimit::increase_nofile_limit(files)? < files {
        return Err(format!("{files} open files are needed (see `ulimit -n`)").into());
    }
    let servers: Vec<&str> = match &options.server {
        Some(name) => vec![name],
        None => NAMES.to_vec(),
    };
    let mut verdicts = Verdicts::default();
    for name in servers {
        stress(name, options, &mut verdicts)?;
    }
    println!();
    println!("{} held", verdicts.held);
    verdicts.failed.iter().for_each(|failed| println!("FAILED  {failed}"));
    Ok(verdicts.failed.len())
}

#[derive(Default)]
struct Verdicts {
    held: usize,
    failed: Vec<String>,
}

impl Verdicts {
    /// Returns how it is printed.
    fn judge(&mut self, holds: bool, what: impl Fn() -> String) -> &'static str {
        if holds {
            self.held += 1;
            return "";
        }
        self.failed.push(what());
        " !"
    }
}

fn stress(name: &str, options: &Options, verdicts: &mut Verdicts) -> Result<()> {
    let server = Server::start(name)?;
    let start = server.reading()?;
    let (files, resident) = (start.files, start.resident >> 20);
    println!();
    println!("{name}: {files} files and {resident} MiB resident at the start; times in ms");
    let [longest, newcomer, memory] = ["longest", "newcomer", "MiB at most"];
    println!(
        "{:36}{:>8}{:>8}{:>8}{longest:>9}{newcomer:>10}{:>8}{memory:>13}",
        "", "echoes", "median", "99 %", "noise"
    );
    let floods = flood::all(options.flood.as_deref().unwrap_or(""));
    let duration = Duration::from_secs_f64(options.seconds);
    for flood in &floods {
        under(&server, flood.name(), flood.in_time(), duration, verdicts, || flood.start(server.address));
    }
    if options.flood.is_none() {
        let all = || Load::join(floods.iter().map(|flood| flood.alone().start(server.address)).collect());
        under(&server, "one of each kind at once", IN_TIME, duration, verdicts, all);
        let stay = staying(&server, verdicts);
        idle(&server, verdicts)?;
        let mixed = || mixed::start(server.address, options.connections);
        under(&server, "mixed traffic, while they stay", MIXED_IN_TIME, duration * 5, verdicts, mixed);
        drop(stay);
    }
    let kept = KEPT_MEMORY + KEPT_OF_EACH * options.connections as u64;
    back(&server, "everybody has left", &start, kept, verdicts)?;
    if options.stay {
        let stay = staying(&server, verdicts);
        std::thread::sleep(DROPPED);
        let alive = stay.map(|mut stay| stay.alive()).unwrap_or_default();
        verdicts.judge(alive.is_empty(), || format!("{name}: not dropped after {DROPPED:?}: {alive:?}"));
        println!("peers that stay, after {DROPPED:?}: {alive:?} not dropped");
        back(&server, "everybody was dropped, or has left", &start, kept, verdicts)?;
    }
    Ok(())
}

/// A row of the table, and what is asked of it. A row that is late is tried again: a stall of the server comes again, one
/// of the machine does not.
fn under(
    server: &Server,
    what: &str,
    in_time: Duration,
    duration: Duration,
    verdicts: &mut Verdicts,
    load: impl Fn() -> Load,
) {
    let mut row = Row::take(server, duration, load());
    for _ in 1..ATTEMPTS {
        if row.longest() <= in_time + row.noise && row.newcomer() <= LET_IN + row.noise {
            break;
        }
        row.print(&format!("{what} (again)"), ["", "", ""]);
        row = Row::take(server, duration, load());
    }
    let name = &server.name;
    let (longest, newcomer) = (row.longest(), row.newcomer());
    let Row { before, most, noise, .. } = row;
    let slow = verdicts.judge(longest <= in_time + noise, || {
        format!("{name}: {what}: an echo after {} ms (noise {})", millis(longest), millis(noise))
    });
    let shut = verdicts.judge(newcomer <= LET_IN + noise, || {
        format!("{name}: {what}: a newcomer had its echo after {} ms", millis(newcomer))
    });
    let large = verdicts.judge(most <= before.saturating_add(MOST_MEMORY), || {
        format!("{name}: {what}: {} MiB resident, {} before", most >> 20, before >> 20)
    });
    let complaints = &row.complaints;
    verdicts.judge(complaints.is_empty(), || {
        format!("{name}: {what}: {} complaints, such as: {}", complaints.len(), complaints[0])
    });
    row.print(what, [slow, shut, large]);
}

/// What was found under one load.
struct Row {
    found: Found,
    complaints: Vec<String>,
    /// Resident, in octets.
    before: u64,
    most: u64,
    /// How late the machine made the probes and the server.
    noise: Duration,
}

impl Row {
    fn take(server: &Server, duration: Duration, load: Load) -> Self {
        let before = server.reading().map_or(0, |reading| reading.resident);
        let probes = Probes::start(server.address);
        let until = Instant::now() + duration;
        let mut most = 0;
        let mut waited = Vec::new();
        while Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
            if let Ok(reading) = server.reading() {
                most = most.max(reading.resident);
                waited.push(reading.kept_waiting);
            }
        }
        let mut found = probes.end();
        let mut complaints = load.end();
        complaints.append(&mut found.complaints);
        settle(server.address);
        // The most that it had to wait in the time that an echo may take, and some more.
        let kept_waiting = waited.windows(8).map(|times| times[7].saturating_sub(times[0])).max();
        let noise = found.noise * 2 + kept_waiting.unwrap_or_default();
        Self { found, complaints, before, most, noise }
    }

    fn longest(&self) -> Duration {
        percentile(&self.found.echoes, 100)
    }

    fn newcomer(&self) -> Duration {
        percentile(&self.found.newcomers, 100)
    }

    /// With marks at what did not hold.
    fn print(&self, what: &str, [slow, shut, large]: [&str; 3]) {
        let [median, late] = [50, 99].map(|percent| percentile(&self.found.echoes, percent));
        println!(
            "{what:36}{:>8}{:>8}{:>8}{:>9}{:>10}{:>8}{:>13}{}",
            self.found.echoes.len(),
            millis(median),
            millis(late),
            format!("{}{slow}", millis(self.longest())),
            format!("{}{shut}", millis(self.newcomer())),
            millis(self.noise),
            format!("{}{large}", self.most >> 20),
            self.complaints
                .first()
                .map_or(String::new(), |first| format!("  {} complaints: {first}", self.complaints.len())),
        );
    }
}

/// Waits until the server has dealt with what it was sent, so that no row answers for the one before.
fn settle(address: SocketAddr) {
    let from = Instant::now();
    while from.elapsed() < GIVE_BACK && !probe::visit(address).is_ok_and(|took| took < IN_TIME) {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Peers that stay; nothing if they are not let in.
fn staying(server: &Server, verdicts: &mut Verdicts) -> Option<Stay> {
    let stay = Stay::start(server.address, STAYING);
    verdicts.judge(stay.is_ok(), || {
        let error = stay.as_ref().err().map_or(String::new(), ToString::to_string);
        format!("{}: peers that stay are not let in: {error}", server.name)
    });
    stay.ok()
}

/// Peers that stay, and do nothing or next to nothing, cost no processor.
fn idle(server: &Server, verdicts: &mut Verdicts) -> Result<()> {
    std::thread::sleep(Duration::from_millis(500));
    let before = server.reading()?.processor;
    std::thread::sleep(Duration::from_secs(1));
    let used = server.reading()?.processor.saturating_sub(before);
    let mark = verdicts.judge(used <= IDLE, || {
        format!("{}: {} ms of processor in a second for peers that stay", server.name, millis(used))
    });
    println!("peers that stay: {} ms of processor in a second{mark}", millis(used));
    Ok(())
}

/// Files and memory are back where they were, after some time.
fn back(server: &Server, what: &str, start: &Reading, kept: u64, verdicts: &mut Verdicts) -> Result<()> {
    let from = Instant::now();
    let mut now = server.reading()?;
    while (now.files > start.files || now.resident > start.resident + kept) && from.elapsed() < GIVE_BACK {
        std::thread::sleep(Duration::from_millis(100));
        now = server.reading()?;
    }
    let took = from.elapsed();
    let more = verdicts.judge(now.files <= start.files, || {
        format!("{}: {what}: {} files open, {} at the start", server.name, now.files, start.files)
    });
    let kept = verdicts.judge(now.resident <= start.resident + kept, || {
        format!(
            "{}: {what}: {} MiB resident, {} at the start",
            server.name,
            now.resident >> 20,
            start.resident >> 20
        )
    });
    println!(
        "{what}: {} files{more}, {} MiB resident{kept}, after {} ms",
        now.files,
        now.resident >> 20,
        millis(took)
    );
    Ok(())
}
