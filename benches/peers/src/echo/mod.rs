//! Servers end to end, over loopback.

mod broadcast;
mod cells;
mod checks;
mod measure;
mod memory;
pub mod plots;
mod readme;
mod results;
mod table;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use cells::Cell;
use results::{CellResult, Measured, Results};

use crate::contenders::{self, Contender};
use crate::machine::Machine;
use crate::{Result, cores, server};

/// What is measured, and where it is written.
#[derive(clap::Args)]
pub struct Options {
    /// A glance: two rounds, fewer connections that idle.
    #[arg(long)]
    quick: bool,
    /// Text messages instead of binary ones.
    #[arg(long)]
    text: bool,
    /// Seconds of a cell in each round.
    #[arg(long)]
    seconds: Option<f64>,
    /// Rounds; the lowest counts.
    #[arg(long)]
    rounds: Option<usize>,
    /// Only contenders with this in their name; may be given more than once.
    #[arg(long, value_name = "PART")]
    only: Vec<String>,
    /// Only cells with this in their name; may be given more than once.
    #[arg(long, value_name = "PART")]
    cell: Vec<String>,
    /// Neither memory, nor broadcast, nor checks.
    #[arg(long)]
    no_extras: bool,
    /// The sources of uWebSockets, with those of uSockets in `uSockets`: it takes part then.
    #[arg(long, value_name = "DIRECTORY", env = "UWEBSOCKETS")]
    uwebsockets: Option<PathBuf>,
    #[command(flatten)]
    output: PlotOptions,
}

/// Where results are written.
#[derive(clap::Args)]
pub struct PlotOptions {
    /// Where `echo.json`, `echo.md` and the pictures are.
    #[arg(long, value_name = "DIRECTORY", default_value = "results")]
    results: PathBuf,
    /// A file whose part between the marks is replaced with the tables and pictures.
    #[arg(long, value_name = "FILE")]
    write_readme: Option<PathBuf>,
}

/// Measures, and writes what came of it.
pub fn run(options: &Options) -> Result {
    let began = Instant::now();
    match &options.uwebsockets {
        Some(sources) => contenders::build_uwebsockets(sources)?,
        None => eprintln!("skipped: uWebSockets, whose sources are not given (--uwebsockets DIRECTORY)"),
    }
    let files = server::raise_file_limit()?;
    let seconds = options.seconds.unwrap_or(if options.quick { 0.3 } else { 0.45 });
    let rounds = options.rounds.unwrap_or(if options.quick { 2 } else { 5 });
    let chosen =
        |name: &str, parts: &[String]| parts.is_empty() || parts.iter().any(|part| name.contains(part));
    let contenders: Vec<&Contender> = (contenders::ALL.iter())
        .filter(|contender| contender.is_here() && chosen(contender.name, &options.only))
        .filter(|contender| contender.library != "uWebSockets" || options.uwebsockets.is_some())
        .collect();
    let cells: Vec<Cell> =
        cells::ALL.iter().copied().filter(|cell| chosen(&cell.name(), &options.cell)).collect();

    let mut libraries: Vec<_> = contenders.iter().map(|contender| contender.library).collect();
    libraries.dedup();
    let mut machine = Machine::here(&[libraries.as_slice(), &["tokio", "mio"]].concat())?;
    if let Some(sources) = &options.uwebsockets {
        machine.versions.push(("uWebSockets".into(), contenders::uwebsockets_version(sources)));
    }
    cores::pin(cores::CLIENT)?;
    let mut results = Results {
        machine,
        rounds,
        seconds,
        text: options.text,
        cells: measure_cells(&cells, &contenders, rounds, Duration::from_secs_f64(seconds), options.text)?,
        memory: Vec::new(),
        broadcast: Vec::new(),
        checks: Vec::new(),
    };
    if !options.no_extras {
        // A socket each on both sides, and some to spare.
        let most = usize::try_from(files)?.saturating_sub(100);
        let idle = most.min(if options.quick { 2_000 } else { 10_000 });
        measure_extras(&mut results, &contenders, idle, options)?;
    }
    eprintln!("took {:.0} s", began.elapsed().as_secs_f64());
    write(&results, &options.output)
}

/// Draws an earlier run again.
pub fn plot(options: &PlotOptions) -> Result {
    let json = std::fs::read_to_string(options.results.join("echo.json"))?;
    write(&serde_json::from_str(&json)?, options)
}

/// Every contender once in every cell, and that as often as there are rounds.
fn measure_cells(
    cells: &[Cell],
    contenders: &[&Contender],
    rounds: usize,
    duration: Duration,
    text: bool,
) -> Result<Vec<CellResult>> {
    let new = |contender: &&Contender| Measured {
        name: contender.name.into(),
        ours: contender.is_ours(),
        rounds: Vec::new(),
    };
    let mut results: Vec<_> = (cells.iter())
        .map(|cell| CellResult { name: cell.name(), contenders: contenders.iter().map(new).collect() })
        .collect();
    for round in 0..rounds {
        for (cell, result) in cells.iter().zip(&mut results) {
            eprint!("\rround {} of {rounds}: {:<16}", round + 1, result.name);
            // Nobody always comes after the same.
            let turns = contenders.len().max(1);
            for turn in 0..contenders.len() {
                let turn = (turn + round * 5) % turns;
                let (Some(contender), Some(measured)) =
                    (contenders.get(turn), result.contenders.get_mut(turn))
                else {
                    continue;
                };
                match measure::measure(contender.name, &cell.load(text), duration) {
                    Ok(sample) => measured.rounds.push(sample),
                    Err(error) => eprintln!("\n{}, {}: {error}", contender.name, cell.name()),
                }
            }
        }
    }
    eprintln!();
    Ok(results)
}

fn measure_extras(
    results: &mut Results,
    contenders: &[&Contender],
    idle: usize,
    options: &Options,
) -> Result {
    for contender in contenders {
        eprintln!("memory and checks: {}", contender.name);
        results.memory.push(memory::measure(contender, idle)?);
        // A library checks the same however it is used.
        let known = |checks: &results::Checks| checks.library == contender.library;
        if contender.is_ours() || !results.checks.iter().any(known) {
            results.checks.push(checks::measure(contender)?);
        }
    }
    for broadcaster in contenders::broadcast::ALL {
        eprintln!("broadcast: {}", broadcaster.name);
        let rounds = if options.quick { 5 } else { 20 };
        results.broadcast.push(broadcast::measure(broadcaster, idle, 1024, rounds)?);
    }
    Ok(())
}

fn write(results: &Results, options: &PlotOptions) -> Result {
    std::fs::create_dir_all(&options.results)?;
    std::fs::write(options.results.join("echo.json"), serde_json::to_string_pretty(results)?)?;
    let tables = table::all(results);
    std::fs::write(options.results.join("echo.md"), &tables)?;
    println!("{tables}");
    plots::draw(results, &options.results)?;
    match &options.write_readme {
        Some(file) => readme::replace(file, results, &options.results),
        None => Ok(()),
    }
}
