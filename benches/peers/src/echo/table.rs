//! The results as tables in Markdown.

use std::fmt::Write as _;

use super::results::{CellResult, Measured, Results};
use crate::contenders;

/// All of them.
pub fn all(results: &Results) -> String {
    let mut out = format!("{}. {}.\n\n", results.machine.line(), results.machine.versions_line());
    for part in
        [cpu(results), ways(results), rates(results), memory(results), broadcast(results), checks(results)]
    {
        if !part.is_empty() {
            out.push_str(&part);
            out.push('\n');
        }
    }
    out
}

/// The server's CPU time a message: the yardstick.
pub fn cpu(results: &Results) -> String {
    let caption = format!(
        "Server CPU time a message in µs, the lowest of {} rounds; in brackets: × the best peer. Ours in bold.\n\n",
        results.rounds
    );
    caption
        + &by_cell(&results.cells, |cell, measured| {
            let lowest = measured.lowest();
            if !lowest.is_finite() {
                return "failed".into();
            }
            format!("{} ({:.2})", micros(lowest), lowest / cell.best_peer())
        })
}

/// How each library is used.
fn ways(results: &Results) -> String {
    let mut out = String::from("| server | how the library is used |\n|---|---|\n");
    let took_part = |name| results.cells.first().is_some_and(|cell| cell.of(name).is_some());
    for contender in contenders::ALL.iter().filter(|contender| took_part(contender.name)) {
        row(&mut out, contender.is_ours(), contender.name, &[contender.how.into()]);
    }
    out
}

/// Messages a second, and latency.
fn rates(results: &Results) -> String {
    let rate = by_cell(&results.cells, |_, measured| thousands(measured.median(|sample| sample.rate)));
    let latency = by_cell(&results.cells, |_, measured| {
        let p50 = measured.median(|sample| sample.p50 as f64);
        let p99 = measured.median(|sample| sample.p99 as f64);
        format!("{} / {}", micros(p50), micros(p99))
    });
    let cpu = by_cell(&results.cells, |_, measured| micros(measured.median(|sample| sample.cpu)));
    format!(
        "Server CPU time a message in µs, the median of the rounds.\n\n{cpu}\n\
         Thousands of messages a second, the median of the rounds.\n\n{rate}\n\
         Latency in µs, half / 99 % of the messages, the median of the rounds.\n\n{latency}"
    )
}

fn by_cell(cells: &[CellResult], figure: impl Fn(&CellResult, &Measured) -> String) -> String {
    let mut out = String::from("| server |");
    for cell in cells {
        let _ = write!(out, " {} |", cell.name);
    }
    out.push_str("\n|---|");
    out.push_str(&"---:|".repeat(cells.len()));
    out.push('\n');
    let Some(first) = cells.first() else { return out };
    for measured in &first.contenders {
        let _ = write!(out, "| {} |", bold(measured.ours, &measured.name));
        for cell in cells {
            let figure = cell.of(&measured.name).map_or(String::new(), |measured| figure(cell, measured));
            let _ = write!(out, " {} |", bold(measured.ours, &figure));
        }
        out.push('\n');
    }
    out
}

/// Resident memory a connection.
pub fn memory(results: &Results) -> String {
    let Some(first) = results.memory.first() else { return String::new() };
    let mut out = format!(
        "Resident memory of the server a connection in KiB, {} connections.\n\n\
         | server | idle after the opening handshake | idle after one message |\n|---|---:|---:|\n",
        first.connections
    );
    for memory in &results.memory {
        let figures = [memory.opened, memory.echoed].map(|octets| format!("{:.2}", octets / 1024.0));
        row(&mut out, memory.ours, &memory.name, &figures);
    }
    out
}

/// One message to all.
pub fn broadcast(results: &Results) -> String {
    let Some(first) = results.broadcast.first() else { return String::new() };
    let mut out = format!(
        "One message of {} octets to {} connections: server CPU time a receiver in µs.\n\n\
         | server | lowest | median | ms until the last has it | what is shared |\n|---|---:|---:|---:|---|\n",
        first.payload, first.connections
    );
    for broadcast in &results.broadcast {
        let figures = [
            micros(broadcast.cpu),
            micros(broadcast.median),
            format!("{:.0}", broadcast.seconds * 1e3),
            broadcast.how.clone(),
        ];
        row(&mut out, broadcast.ours, &broadcast.name, &figures);
    }
    out
}

/// What is done about what RFC 6455 forbids.
pub fn checks(results: &Results) -> String {
    let Some(first) = results.checks.first() else { return String::new() };
    let mut out = String::from(
        "What each server does with what RFC 6455 forbids (the section is given): the Close it sends; \
         `ended`: it ends the connection without one; \
         *echoed*, *ignored*, *no reaction*: it does not notice. Each is used as its documentation shows.\n\n| sent |",
    );
    for checks in &results.checks {
        let _ = write!(out, " {} |", bold(checks.ours, &checks.name));
    }
    out.push_str("\n|---|");
    out.push_str(&"---|".repeat(results.checks.len()));
    out.push('\n');
    for (index, (offence, _)) in first.outcomes.iter().enumerate() {
        let _ = write!(out, "| {offence} |");
        for checks in &results.checks {
            let outcome = checks.outcomes.get(index).map_or("", |(_, outcome)| outcome);
            match outcome {
                "echoed" | "ignored" | "no reaction" | "Pong" => _ = write!(out, " *{outcome}* |"),
                _ => _ = write!(out, " {outcome} |"),
            }
        }
        out.push('\n');
    }
    out
}

fn row(out: &mut String, ours: bool, name: &str, figures: &[String]) {
    let _ = write!(out, "| {} |", bold(ours, name));
    for figure in figures {
        let _ = write!(out, " {} |", bold(ours, figure));
    }
    out.push('\n');
}

fn bold(ours: bool, text: &str) -> String {
    if ours { format!("**{text}**") } else { text.into() }
}

/// Nanoseconds as microseconds, with three digits that count.
pub fn micros(nanos: f64) -> String {
    let micros = nanos / 1e3;
    match micros {
        _ if !micros.is_finite() => "failed".into(),
        0.0..10.0 => format!("{micros:.2}"),
        10.0..100.0 => format!("{micros:.1}"),
        _ => format!("{micros:.0}"),
    }
}

fn thousands(rate: f64) -> String {
    micros(rate)
}
