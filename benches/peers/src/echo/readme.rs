//! The part of a README that is generated: between two marks, which stay.

use std::path::Path;

use super::results::Results;
use super::table;
use crate::Result;

const BEGIN: &str = "<!-- begin: written by benches/peers -->";
const END: &str = "<!-- end: written by benches/peers -->";

/// Replaces what stands between the marks in this file with tables and pictures. `results` is where the
/// pictures are.
pub fn replace(file: &Path, results: &Results, folder: &Path) -> Result {
    let text = std::fs::read_to_string(file)?;
    let marks = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) =
        marks.ok_or_else(|| format!("{} has no lines {BEGIN} and {END}", file.display()))?;
    let part = part(results, &relative(folder, file)?);
    Ok(std::fs::write(file, format!("{before}{BEGIN}\n{part}{END}{after}"))?)
}

/// The folder as seen from the file's.
fn relative(folder: &Path, file: &Path) -> Result<String> {
    let (folder, file) = (folder.canonicalize()?, file.canonicalize()?);
    let home = file.parent().ok_or("a file is in a folder")?;
    let relative = folder.strip_prefix(home).map_err(|_| "the results are not below the README's folder")?;
    Ok(relative.to_string_lossy().into_owned())
}

fn part(results: &Results, folder: &str) -> String {
    let mut parts = vec![
        picture(folder, "echo", "Server CPU time a message, ours beside the others"),
        table::cpu(results),
        table::memory(results),
        table::broadcast(results),
        table::checks(results),
    ];
    if !results.memory.is_empty() {
        parts.insert(2, picture(folder, "memory", "Memory a connection, ours beside the others"));
    }
    parts.push(format!("{}. {}.\n", results.machine.line(), results.machine.versions_line()));
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

/// One picture for light pages, one for dark ones.
fn picture(folder: &str, name: &str, what: &str) -> String {
    format!(
        "<picture><source media=\"(prefers-color-scheme: dark)\" srcset=\"{folder}/{name}-dark.svg\">\
         <img alt=\"{what}\" src=\"{folder}/{name}-light.svg\"></picture>\n"
    )
}
