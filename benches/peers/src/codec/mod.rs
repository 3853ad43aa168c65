//! The engines in memory, without sockets: what receiving, sending and accepting cost in each library.

mod check;
mod contenders;
mod instructions;
mod memory;
mod picture;
mod report;
mod timing;
mod workload;

use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::contenders::{CONTENDERS, Contender, Job, Lane};
use self::report::{Report, Row};
use self::timing::Plan;
use self::workload::{CASES, Case, Workload};
use crate::Result;
use crate::contenders::uwebsockets_version;
use crate::machine::Machine;

/// What is measured.
#[derive(clap::Args)]
pub struct Options {
    /// About one minute instead of six.
    #[arg(long)]
    quick: bool,
    /// Only cases whose name begins like this; may be given more than once.
    #[arg(long = "case", value_name = "PREFIX")]
    cases: Vec<String>,
    /// Only contenders with this in their name; may be given more than once.
    #[arg(long, value_name = "PART")]
    only: Vec<String>,
    /// Where to write `codec.json`, `codec.md` and the pictures.
    #[arg(long, value_name = "DIRECTORY")]
    results: Option<PathBuf>,
    /// Counts instructions instead, with valgrind.
    #[arg(long)]
    instructions: bool,
    /// Processes so many messages, once, and prints nothing. For profilers.
    #[arg(long, num_args = 3, value_names = ["CASE", "CONTENDER", "MESSAGES"])]
    one: Option<Vec<String>>,
}

const QUICK: Plan = Plan { rounds: 80, slice: Duration::from_micros(800) };
const FULL: Plan = Plan { rounds: 400, slice: Duration::from_millis(1) };

/// Cases whose instructions are counted, unless others are named.
const COUNTED: [&str; 6] = ["a1-16", "a1-125", "a1-1k", "a4-16", "a4-125", "a4-1k"];

/// The sources of uWebSockets that were compiled in.
const UWEBSOCKETS: Option<&str> =
    if cfg!(feature = "uwebsockets") { option_env!("UWEBSOCKETS") } else { None };

/// How `--one` ends if the contender cannot do the case.
const UNABLE: u8 = 3;

/// Measures, and prints tables.
pub fn run(options: &Options) -> Result {
    // Some libraries set timers, which never expire here.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let _guard = runtime.enter();
    if let Some(one) = &options.one {
        return work(one);
    }
    let contenders: Vec<_> =
        CONTENDERS.iter().copied().filter(|contender| options.wants(contender)).collect();
    if options.instructions {
        return count(&options.cases_or(&COUNTED), &contenders);
    }
    let mut versions = Vec::new();
    match UWEBSOCKETS {
        None => eprintln!(
            "skipped: uWebSockets, which is not compiled in (UWEBSOCKETS=DIRECTORY, --features uwebsockets)"
        ),
        Some(sources) => versions.push(("uWebSockets".into(), uwebsockets_version(Path::new(sources)))),
    }
    let start = Instant::now();
    let plan = if options.quick { QUICK } else { FULL };
    let mut rows = Vec::new();
    for case in options.cases_or(&[]) {
        eprintln!("{:4.0} s  {}", start.elapsed().as_secs_f64(), case.title);
        rows.push(Row { case, outcomes: timing::measure(case, &contenders, plan) });
    }
    eprintln!("took {:.0} s", start.elapsed().as_secs_f64());
    let mut packages: Vec<_> = contenders.iter().map(|contender| contender.package).collect();
    packages.dedup();
    let mut machine = Machine::here(&packages)?;
    machine.versions.extend(versions);
    let report = Report { machine, contenders: &contenders, rows };
    print!("{report}");
    if let Some(folder) = &options.results {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("codec.json"), report.json()?)?;
        std::fs::write(folder.join("codec.md"), report.to_string())?;
        picture::draw(&report, folder)?;
    }
    Ok(())
}

impl Options {
    fn wants(&self, contender: &Contender) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| contender.name.contains(part))
    }

    /// The cases that were asked for. If none were, those in `names`, or all.
    fn cases_or(&self, names: &[&str]) -> Vec<Case> {
        let wanted = |case: &&Case| match (self.cases.as_slice(), names) {
            ([], []) => true,
            ([], names) => names.contains(&case.id),
            (prefixes, _) => prefixes.iter().any(|prefix| case.id.starts_with(prefix)),
        };
        CASES.iter().filter(wanted).copied().collect()
    }
}

/// Works on exactly as many messages as are asked for.
fn work(one: &[String]) -> Result {
    let [case, contender, messages] = one else { return Err("three values".into()) };
    let case = CASES.iter().find(|known| known.id == case).ok_or("no such case")?;
    let contender = CONTENDERS.iter().find(|known| known.name == contender).ok_or("no such contender")?;
    let job = Job { workload: Arc::new(Workload::new(*case)), counter: None, tape: None };
    let Some(mut lane) = contender.lane(&job) else { process::exit(UNABLE.into()) };
    counted(&mut lane, messages.parse()?);
    Ok(())
}

/// Callgrind counts inside this function, which it finds by its name.
#[inline(never)]
fn counted(lane: &mut Lane, messages: usize) {
    lane(messages);
}

/// Prints the instructions a message.
fn count(cases: &[Case], contenders: &[Contender]) -> Result {
    println!(
        "| instructions a message |{}",
        contenders.iter().fold(String::new(), |row, c| row + " " + c.name + " |")
    );
    println!("|---|{}", "---:|".repeat(contenders.len()));
    for case in cases {
        print!("| {} |", case.title);
        for contender in contenders {
            match instructions::count(case, contender)? {
                Some(count) => print!(" {count:.0} |"),
                None => print!(" – |"),
            }
        }
        println!();
    }
    Ok(())
}
