//! The results: Markdown for people, JSON for programs.

use std::fmt::{self, Write as _};

use serde::Serialize;

use super::contenders::Contender;
use super::timing::Outcome;
use super::workload::{Case, Content, Side, Work};
use crate::machine::Machine;

/// One row: a case, and the result of each contender.
pub struct Row {
    pub case: Case,
    pub outcomes: Vec<Outcome>,
}

/// All that was measured.
pub struct Report<'c> {
    pub machine: Machine,
    pub contenders: &'c [Contender],
    pub rows: Vec<Row>,
}

/// One figure, as programs get it.
#[derive(Serialize)]
struct Figure<'r> {
    case: &'r str,
    title: &'r str,
    contender: &'r str,
    ours: bool,
    lowest_ns: Option<f64>,
    median_ns: Option<f64>,
    /// Whether the measurement adds the check of text.
    check_added: bool,
    failed: Option<&'r str>,
}

impl Report<'_> {
    /// Every figure, and where it was measured.
    pub fn json(&self) -> serde_json::Result<String> {
        let figures: Vec<_> = self.rows.iter().flat_map(|row| self.figures(row)).collect();
        serde_json::to_string_pretty(&serde_json::json!({ "machine": self.machine, "figures": figures }))
    }

    fn figures<'r>(&'r self, row: &'r Row) -> impl Iterator<Item = Figure<'r>> {
        self.contenders.iter().zip(&row.outcomes).map(|(contender, outcome)| {
            let (lowest_ns, median_ns, failed) = match outcome {
                Outcome::Time { lowest, median } => (Some(*lowest), Some(*median), None),
                Outcome::Failed(why) => (None, None, Some(why.as_str())),
                Outcome::Unable => (None, None, None),
            };
            Figure {
                case: row.case.id,
                title: row.case.title,
                contender: contender.name,
                ours: contender.ours,
                lowest_ns,
                median_ns,
                check_added: check_added(row, contender),
                failed,
            }
        })
    }

    /// The best of the others.
    pub fn best_peer(&self, row: &Row) -> Option<(&Contender, f64)> {
        let peers = self.contenders.iter().zip(&row.outcomes).filter(|(contender, _)| !contender.ours);
        peers
            .filter_map(|(contender, outcome)| Some((contender, outcome.lowest()?)))
            .min_by(|(_, left), (_, right)| left.total_cmp(right))
    }

    fn ours_and_best(&self, out: &mut String) -> fmt::Result {
        let ours = || self.contenders.iter().filter(|contender| contender.ours);
        write!(out, "| case |")?;
        ours().try_for_each(|contender| write!(out, " {} | × best |", contender.name))?;
        write!(out, " best peer | its name |\n|---|")?;
        ours().try_for_each(|_| write!(out, "---:|---:|"))?;
        writeln!(out, "---:|---|")?;
        for row in &self.rows {
            let best = self.best_peer(row);
            write!(out, "| {} |", row.case.title)?;
            for (contender, outcome) in self.contenders.iter().zip(&row.outcomes) {
                if contender.ours {
                    let ratio = outcome.lowest().zip(best).map(|(ours, (_, best))| ours / best);
                    let ratio = ratio.map_or("–".into(), |ratio| format!("{ratio:.2}"));
                    write!(out, " {} | {ratio} |", Cell(row, contender, outcome))?;
                }
            }
            match best {
                None => writeln!(out, " – | – |")?,
                Some((contender, best)) => {
                    writeln!(out, " {} | {}{} |", Ns(best), contender.name, mark(row, contender))?;
                }
            }
        }
        Ok(())
    }

    fn all(&self, out: &mut String) -> fmt::Result {
        write!(out, "| case |")?;
        self.contenders.iter().try_for_each(|contender| {
            write!(out, " {}{} |", contender.name, if contender.assembles { "" } else { "‡" })
        })?;
        write!(out, "\n|---|")?;
        self.contenders.iter().try_for_each(|_| write!(out, "---:|"))?;
        for row in &self.rows {
            write!(out, "\n| {} |", row.case.title)?;
            for (contender, outcome) in self.contenders.iter().zip(&row.outcomes) {
                write!(out, " {} |", Cell(row, contender, outcome))?;
            }
        }
        writeln!(out)
    }

    fn failures(&self, out: &mut String) -> fmt::Result {
        for row in &self.rows {
            for (contender, outcome) in self.contenders.iter().zip(&row.outcomes) {
                if let Outcome::Failed(why) = outcome {
                    writeln!(
                        out,
                        "\n✗ {} in {}: {}",
                        contender.name,
                        row.case.title,
                        why.replace('\n', " ")
                    )?;
                }
            }
        }
        Ok(())
    }
}

/// The tables.
impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        self.ours_and_best(&mut out)?;
        writeln!(out, "\nNanoseconds a message, the lowest of interleaved rounds.\n")?;
        self.all(&mut out)?;
        writeln!(
            out,
            "\n† the library leaves text unchecked, and the measurement adds the check of `core`."
        )?;
        writeln!(out, "‡ gives pieces of messages that came in several reads, or fragments, as they are.")?;
        writeln!(out, "§ masks with keys that can be predicted, against RFC 6455 section 10.3.")?;
        self.failures(&mut out)?;
        writeln!(out, "\n{}. {}.", self.machine.line(), self.machine.versions_line())?;
        f.write_str(&out)
    }
}

fn check_added(row: &Row, contender: &Contender) -> bool {
    row.case.content != Content::Binary && !contender.checks_text
}

/// Remarks about a figure.
fn mark(row: &Row, contender: &Contender) -> &'static str {
    match row.case.work {
        _ if check_added(row, contender) => "†",
        Work::Send(Side::Client) if !contender.draws_keys_well => "§",
        _ => "",
    }
}

/// One cell of a table.
struct Cell<'r>(&'r Row, &'r Contender, &'r Outcome);

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(row, contender, outcome) = self;
        match outcome {
            Outcome::Time { lowest, .. } => {
                write!(f, "{}{}", Ns(*lowest), mark(row, contender))
            }
            Outcome::Failed(_) => f.write_str("✗"),
            Outcome::Unable => f.write_str("–"),
        }
    }
}

/// Nanoseconds with three digits, or all digits before the point.
pub struct Ns(pub f64);

impl fmt::Display for Ns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ns @ ..10.0 => write!(f, "{ns:.2}"),
            ns @ ..100.0 => write!(f, "{ns:.1}"),
            ns => write!(f, "{ns:.0}"),
        }
    }
}
