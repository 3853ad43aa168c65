//! Counts the requirements: every row of `requirements.md` has a test with its id in the name, or a reason why
//! not.
//!
//! The table is the list of rules, the names of the tests are the evidence. If one of them loses a row, this
//! notices. That these tests have run and passed is checked by `.ci/ran.py`, which reads what they printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The number of rows that the table was made with. It changes only with the standards.
const ROWS: usize = 468;

/// Parts that are planned and own rows already.
const PARTS: [&str; 2] = ["permessage-deflate", "HTTP/2 and HTTP/3"];

const COLUMNS: [&str; 7] = ["id", "requirement", "role", "level", "module", "test", "state"];

#[test]
fn the_table_holds_every_row_exactly_once_in_a_known_state() {
    let rows = rows();
    let mut faults = Vec::new();
    if rows.len() != ROWS {
        faults.push(format!("{} rows instead of {ROWS}", rows.len()));
    }
    let mut by_key = BTreeMap::new();
    for row in &rows {
        if let Some(other) = by_key.insert(key(&row.id), &row.id) {
            faults.push(format!("{} and {other} have the same name in tests", row.id));
        }
        if let Err(fault) = check_state(row) {
            faults.push(format!("{}: {fault}", row.id));
        }
    }
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &rows {
        *states.entry(row.state.as_str()).or_default() += 1;
    }
    for (state, count) in states {
        println!("{count:4}  {state}");
    }
    println!("{:4}  in all", rows.len());
    assert!(faults.is_empty(), "{} faults in requirements.md:\n  {}", faults.len(), faults.join("\n  "));
}

#[test]
fn every_row_that_needs_a_test_has_one() {
    let tests = named_tests();
    let rows = rows();
    let known = known_keys(&rows);
    let shown: BTreeSet<String> =
        tests.iter().filter(|t| t.fault.is_none()).flat_map(|t| ids_in(&t.name, &known)).flatten().collect();

    let mut missing: BTreeMap<(usize, &str), Vec<&str>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.state == "test" && !shown.contains(&key(&row.id))) {
        missing.entry((row.section, &row.heading)).or_default().push(&row.id);
    }
    let needed = rows.iter().filter(|row| row.state == "test").count();
    let lacking: usize = missing.values().map(Vec::len).sum();
    println!("{} of {needed} rows that need a test have one, by {} tests", needed - lacking, tests.len());
    let more: Vec<&str> = rows
        .iter()
        .filter(|r| r.state != "test" && shown.contains(&key(&r.id)))
        .map(|r| r.id.as_str())
        .collect();
    if !more.is_empty() {
        println!("tested although the table does not ask for it: {}", more.join(" "));
    }
    let list: Vec<String> = missing
        .iter()
        .map(|((_, heading), ids)| format!("{heading} ({}): {}", ids.len(), ids.join(" ")))
        .collect();
    assert!(missing.is_empty(), "{lacking} of {needed} rows have no test\n  {}", list.join("\n  "));
}

#[test]
fn tests_name_only_rows_of_the_table() {
    let rows = rows();
    let known = known_keys(&rows);
    let mut faults = Vec::new();
    for test in named_tests() {
        if let Some(fault) = test.fault {
            faults.push(format!("{}: {} {fault}", test.file.display(), test.name));
        }
        for unknown in ids_in(&test.name, &known).filter_map(Result::err) {
            faults.push(format!("{}: {} names no row at `{unknown}`", test.file.display(), test.name));
        }
    }
    assert!(faults.is_empty(), "{} faults in the names of tests:\n  {}", faults.len(), faults.join("\n  "));
}

struct Row {
    section: usize,
    heading: String,
    id: String,
    state: String,
}

/// The rows of the tables that have the seven columns, in order.
fn rows() -> Vec<Row> {
    let path = root().join("tests/requirements.md");
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (mut section, mut heading, mut in_table) = (0, String::new(), false);
    let mut rows = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(title) = line.strip_prefix("## ") {
            section += 1;
            heading = title.to_owned();
            in_table = false;
        }
        let Some(inner) = line.strip_prefix('|').and_then(|l| l.strip_suffix('|')) else {
            in_table = false;
            continue;
        };
        let cells: Vec<&str> = inner.split('|').map(str::trim).collect();
        if cells == COLUMNS {
            in_table = true;
        } else if in_table && !cells[0].starts_with("---") {
            assert_eq!(cells.len(), COLUMNS.len(), "requirements.md:{}: wrong number of cells", number + 1);
            assert!(cells.iter().all(|c| !c.is_empty()), "requirements.md:{}: an empty cell", number + 1);
            let (id, state) = (cells[0].to_owned(), cells[6].to_owned());
            rows.push(Row { section, heading: heading.clone(), id, state });
        }
    }
    rows
}

/// A state is `test`, `docs`, `later:` with a planned part, or `application:` with a module whose text names the row.
fn check_state(row: &Row) -> Result<(), String> {
    let state = row.state.as_str();
    if state == "test" || state == "docs" {
        return Ok(());
    }
    if let Some(part) = state.strip_prefix("later: ") {
        return if PARTS.contains(&part) {
            Ok(())
        } else {
            Err(format!("no planned part is called `{part}`"))
        };
    }
    if let Some(module) = state.strip_prefix("application: documented in ") {
        let stem = root().join("src").join(module.replace("::", "/"));
        let text = fs::read_to_string(stem.with_extension("rs"))
            .or_else(|_| fs::read_to_string(stem.join("mod.rs")));
        return match text {
            Ok(text) if text.contains(&row.id) => Ok(()),
            Ok(_) => Err(format!("the documentation of `{module}` does not name it")),
            Err(_) => Err(format!("there is no module `{module}` to document it")),
        };
    }
    Err(format!("unknown state `{state}`"))
}

/// `6455-5.4-1` as it is written in a function name: `6455_5_4_1`.
fn key(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

fn known_keys(rows: &[Row]) -> BTreeSet<String> {
    rows.iter().map(|row| key(&row.id)).collect()
}

/// The ids in a function name: `Ok` with the row's key, `Err` with what follows a `req_` that names no row.
fn ids_in<'a>(
    name: &'a str,
    known: &'a BTreeSet<String>,
) -> impl Iterator<Item = Result<String, String>> + 'a {
    let starts = name.match_indices("req_").map(|(at, _)| at);
    starts.filter(|&at| at == 0 || name[..at].ends_with('_')).filter_map(|at| {
        let rest = &name[at + 4..];
        let ends_here = |id: &str| {
            let mut after = rest[id.len()..].chars();
            match (after.next(), after.next()) {
                (None, _) => true,
                (Some('_'), Some(next)) => next.is_ascii_alphabetic(),
                _ => false,
            }
        };
        let found = known.iter().filter(|id| rest.starts_with(id.as_str())).find(|id| ends_here(id));
        match found {
            Some(id) => Some(Ok(id.clone())),
            // In the middle of a name `req_` may be a word of its own; at the front it announces an id.
            None if at > 0 && !rest.starts_with(|c: char| c.is_ascii_digit()) => None,
            None => Some(Err(rest.to_owned())),
        }
    })
}

struct NamedTest {
    file: PathBuf,
    name: String,
    /// Why the function is no evidence, although its name says so.
    fault: Option<&'static str>,
}

/// Every function under `tests/`, `src/` and `crates/` with `req_` in its name.
fn named_tests() -> Vec<NamedTest> {
    let mut files = Vec::new();
    rust_files(&root().join("tests"), &mut files);
    rust_files(&root().join("src"), &mut files);
    rust_files(&root().join("crates"), &mut files);
    let mut tests = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(name) = function_name(line).filter(|name| name.contains("req_")) else { continue };
            // The attributes are directly above, among comments.
            let above = lines[..at].iter().rev().take_while(|l| l.starts_with("#[") || l.starts_with("//"));
            let attributes: Vec<&&str> = above.filter(|l| l.starts_with("#[")).collect();
            let is_test = attributes.iter().any(|a| **a == "#[test]" || a.starts_with("#[tokio::test"));
            let fault = match name.starts_with("req_") {
                _ if attributes.iter().any(|a| a.starts_with("#[ignore")) => Some("is ignored"),
                _ if attributes.iter().any(|a| a.starts_with("#[cfg")) => Some("is not always compiled"),
                true if !is_test => Some("is not a test"),
                false if !is_test => continue,
                _ => None,
            };
            tests.push(NamedTest {
                file: file.strip_prefix(root()).unwrap_or(&file).to_owned(),
                name: name.to_owned(),
                fault,
            });
        }
    }
    tests
}

/// The name in `fn name(…`, with or without `async` or `pub` in front.
fn function_name(line: &str) -> Option<&str> {
    if line.starts_with("//") {
        return None;
    }
    let rest = line.strip_prefix("fn ").or_else(|| line.split_once(" fn ").map(|(_, rest)| rest))?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
    rest.get(..end).filter(|name| !name.is_empty())
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap_or_else(|e| panic!("{}: {e}", dir.display()))
        .map(|entry| entry.expect("a readable directory").path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() && path.file_name().is_some_and(|n| n != "target" && n != "node_modules") {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
