//! The figures as a picture, drawn as those of `echo` are.

use std::path::Path;

use super::contenders::Contender;
use super::report::{Ns, Report, Row};
use super::timing::Outcome;
use crate::Result;
use crate::echo::plots::{Dot, Panel, page};

/// The cases that are shown; the table has all.
const SHOWN: [&str; 16] = [
    "a1-16",
    "a1-125",
    "a1-1k",
    "a1-16k",
    "a1-1m",
    "a1-ascii-1k",
    "a1-mixed-1k",
    "a1-fragments",
    "a2-16",
    "a2-1k",
    "a3-16",
    "a3-1k",
    "a4-16",
    "a4-1k",
    "a5",
    "a7-frame-1k",
];

/// Draws `codec-light.svg` and `codec-dark.svg` into this folder.
pub fn draw(report: &Report<'_>, folder: &Path) -> Result {
    let shown = report.rows.iter().filter(|row| SHOWN.contains(&row.case.id));
    let panels = shown.map(|row| panel(report.contenders, row)).collect::<Vec<_>>();
    let title = "In memory: nanoseconds a message (logarithmic)";
    let foot = format!("{}. {}", report.machine.line(), report.machine.versions_line());
    page(folder, "codec", title, &foot, &panels, 4)
}

fn panel(contenders: &[Contender], row: &Row) -> Panel {
    let dot = |(contender, outcome): (&Contender, &Outcome)| Dot {
        name: contender.name.into(),
        ours: contender.ours,
        value: outcome.lowest().unwrap_or(f64::NAN),
        label: outcome.lowest().map_or(String::new(), |lowest| Ns(lowest).to_string()),
    };
    Panel { title: row.case.title.into(), dots: contenders.iter().zip(&row.outcomes).map(dot).collect() }
}
