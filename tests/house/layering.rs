//! Which module may use which: dependencies point one way, from the adapters down to the wire, and no files use each
//! other in a circle. And that no macro has a panic in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What each room of the house may use. A room that is not listed may not exist. In `connection`, each part is a room.
const MAY_USE: [(&str, &[&str]); 30] = [
    // Values.
    ("time", &[]),
    ("tolerance", &[]),
    ("limits", &["tolerance"]),
    ("input", &[]),
    ("utf8", &[]),
    ("frame", &[]),
    ("close", &[]),
    ("error", &["close"]),
    ("entropy", &["error", "role"]),
    ("role", &["error", "frame"]),
    ("event", &["close", "frame"]),
    ("payload", &["event", "frame"]),
    // The two halves of a connection, and what they mean together.
    ("connection::closing", &["error"]),
    ("connection::round_trip", &["time"]),
    ("connection::deadline", &["connection::round_trip", "error", "event", "time"]),
    ("connection::turn", &[]),
    ("connection::parked", &["connection::deadline", "connection::round_trip", "frame", "time"]),
    ("connection::close_state", &["close", "connection::closing", "error", "role"]),
    ("connection::mailbox", &["connection::close_state", "connection::round_trip"]),
    (
        "connection::reader",
        &[
            "close",
            "connection::close_state",
            "connection::mailbox",
            "error",
            "event",
            "frame",
            "input",
            "limits",
            "role",
            "tolerance",
            "utf8",
        ],
    ),
    (
        "connection::writer",
        &[
            "close",
            "connection::close_state",
            "connection::mailbox",
            "error",
            "frame",
            "payload",
            "role",
            "utf8",
        ],
    ),
    (
        "connection::send_half",
        &[
            "close",
            "connection::close_state",
            "connection::closing",
            "connection::deadline",
            "connection::mailbox",
            "connection::parked",
            "connection::writer",
            "error",
            "event",
            "role",
            "time",
        ],
    ),
    (
        "connection",
        &["connection::*", "close", "error", "event", "frame", "input", "limits", "role", "time", "utf8"],
    ),
    // Compression, whole messages, and the buffers for them.
    ("deflate", &["error", "event", "frame", "limits", "role", "tolerance", "utf8"]),
    ("message", &["connection::parked", "deflate", "error", "event", "frame", "payload", "role", "utf8"]),
    (
        "endpoint",
        &[
            "close",
            "connection",
            "connection::*",
            "deflate",
            "error",
            "event",
            "frame",
            "input",
            "limits",
            "message",
            "payload",
            "role",
            "time",
            "utf8",
        ],
    ),
    // The opening handshake knows nothing of frames.
    ("handshake", &["deflate", "error", "tolerance"]),
    ("proxy", &["error", "handshake"]),
    // The adapters may use everything; nothing uses them.
    ("adapter", &["*"]),
    ("lib", &["*"]),
];

#[test]
fn dependencies_point_one_way() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    scan(&src, &src, &mut used);
    assert!(used.len() > 15, "the scan found only {used:?}");
    let allowed: BTreeMap<_, _> = MAY_USE.into_iter().collect();
    let mut faults = Vec::new();
    for (room, uses) in &used {
        let Some(allowed) = allowed.get(room.as_str()) else {
            faults.push(format!("{room} is not in the table"));
            continue;
        };
        for target in uses {
            let part = if target.contains("::") { "connection::*" } else { "*" };
            let fits = |rule: &&str| *rule == "*" || *rule == part || *rule == target;
            if target != room && !allowed.iter().any(fits) {
                faults.push(format!("{room} uses {target}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Notes for each file under `dir` which rooms it uses: `crate::room`, or an item that lib.rs re-exports from one.
fn scan(src: &Path, dir: &Path, used: &mut BTreeMap<String, BTreeSet<String>>) {
    let lib = fs::read_to_string(src.join("lib.rs")).unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scan(src, &path, used);
            continue;
        }
        let relative = path.strip_prefix(src).unwrap();
        let module = relative.with_extension("");
        let names: Vec<&str> = module.iter().map(|name| name.to_str().unwrap()).collect();
        let uses = used.entry(room(&names)).or_default();
        for line in fs::read_to_string(&path).unwrap().lines() {
            // Links in documentation point anywhere.
            let code = line.split("//").next().unwrap();
            for (at, _) in code.match_indices("crate::") {
                let is_path = |c: &char| c.is_alphanumeric() || *c == '_' || *c == ':';
                let used_path: String = code[at + 7..].chars().take_while(is_path).collect();
                assert!(!used_path.is_empty(), "{}: spell out what `{line}` uses", path.display());
                uses.insert(room_of(&used_path, &lib));
            }
        }
    }
}

/// The room of a module: its first name, and in `connection` the second as well.
fn room(names: &[&str]) -> String {
    match names {
        ["connection", part, ..] if *part != "mod" && part.starts_with(char::is_lowercase) => {
            format!("connection::{part}")
        }
        names => names[0].to_owned(),
    }
}

/// The room that owns what a path leads to: a module's, or that of an item that lib.rs re-exports.
fn room_of(path: &str, lib: &str) -> String {
    let names: Vec<&str> = path.split("::").filter(|name| !name.is_empty()).collect();
    let exported = lib.split("pub use ").skip(1).map(|statement| statement.split(';').next().unwrap()).find(
        |statement| statement.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == names[0]),
    );
    match exported {
        Some(statement) if names[0].starts_with(char::is_uppercase) => {
            let from: Vec<&str> = statement.split("::").take_while(|name| !name.starts_with('{')).collect();
            room(&from)
        }
        _ => room(&names),
    }
}

/// What src/lib.rs refuses by name, as far as clippy does not see it in the body of a macro. It does see an index.
const PANICS: [&str; 8] = [
    ".unwrap()",
    ".unwrap_err()",
    ".expect(",
    ".expect_err(",
    "panic!",
    "todo!",
    "unimplemented!",
    "unreachable!",
];

#[test]
fn no_macro_has_a_panic_in_it() {
    let (mut counted, mut faults) = (0, Vec::new());
    each_source(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut |path, text| {
        let mut end = None;
        for (at, line) in text.lines().enumerate() {
            let Some(closing) = &end else {
                if let Some(indent) = line.find("macro_rules!") {
                    end = Some(format!("{}}}", &line[..indent]));
                }
                continue;
            };
            if line == closing {
                end = None;
                continue;
            }
            counted += 1;
            let code = line.split("//").next().unwrap();
            for name in PANICS.iter().filter(|name| code.contains(**name)) {
                faults.push(format!("{}:{}: {name}", path.display(), at + 1));
            }
        }
        assert_eq!(end, None, "{}: where does the macro end?", path.display());
    });
    assert!(counted > 500, "only {counted} lines of macros were found");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Shows `look` each file under `dir`, with its text.
fn each_source(dir: &Path, look: &mut impl FnMut(&Path, &str)) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            each_source(&path, look);
        } else {
            look(&path, &fs::read_to_string(&path).unwrap());
        }
    }
}

/// The module path of a file: `handshake::uri` is `["handshake", "uri"]`, and lib.rs is `[]`.
type Module = Vec<String>;

/// A path in the source, from the root of the crate. A `use` brings its end in under a name.
struct Used {
    path: Vec<String>,
    name: Option<String>,
}

/// Files that use each other in a circle can only be understood all at once.
///
/// What a file uses of its parent modules does not count: it is a part of them in a file of its own.
#[test]
fn no_files_use_each_other_in_a_circle() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut texts: BTreeMap<Module, String> = BTreeMap::new();
    each_source(&src, &mut |path, text| {
        let module = path.strip_prefix(&src).unwrap().with_extension("");
        let names = module.iter().map(|name| name.to_str().unwrap().to_owned());
        texts.insert(names.filter(|name| name != "mod" && name != "lib").collect(), text.to_owned());
    });
    let all: BTreeSet<Module> = texts.keys().cloned().collect();
    let used: BTreeMap<Module, Vec<Used>> =
        texts.iter().map(|(module, text)| (module.clone(), paths(module, text, &all))).collect();
    let edges: BTreeMap<Module, BTreeSet<Module>> = used
        .iter()
        .map(|(module, used_here)| {
            let targets = used_here.iter().map(|one| owner(&one.path, &used, &mut BTreeSet::new()));
            (module.clone(), targets.filter(|target| !module.starts_with(target)).collect())
        })
        .collect();
    let count: usize = edges.values().map(BTreeSet::len).sum();
    assert!(all.len() > 80 && count > 400, "only {} files and {count} uses were found", all.len());

    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        edges.keys().map(|module| (module, reachable(module, &edges))).collect();
    // Files belong to one circle if each is reached from each.
    let circles: BTreeSet<Vec<&Module>> = edges
        .keys()
        .filter(|module| reached[module].contains(module))
        .map(|module| {
            edges.keys().filter(|o| reached[module].contains(o) && reached[o].contains(module)).collect()
        })
        .collect();
    let mut faults = String::new();
    for circle in circles {
        faults.push_str("a circle:\n");
        for from in &circle {
            for to in circle.iter().filter(|to| edges[*from].contains(**to)) {
                faults.push_str(&format!("  {} uses {}\n", from.join("::"), to.join("::")));
            }
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

/// Everything that `from` uses, directly or not.
fn reachable<'e>(from: &Module, edges: &'e BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<&'e Module> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&Module> = edges[from].iter().collect();
    while let Some(module) = open.pop() {
        if found.insert(module) {
            open.extend(&edges[module]);
        }
    }
    found
}

/// The file that defines what a path means, not one that only re-exports it.
fn owner(
    path: &[String],
    used: &BTreeMap<Module, Vec<Used>>,
    seen: &mut BTreeSet<(Module, String)>,
) -> Module {
    let len = (0..=path.len()).rev().find(|&len| used.contains_key(&path[..len])).unwrap();
    let module = path[..len].to_vec();
    let Some(name) = path.get(len) else { return module };
    if !seen.insert((module.clone(), name.clone())) {
        return module;
    }
    if let Some(one) = used[&module].iter().find(|one| one.name.as_ref() == Some(name)) {
        return owner(&one.path, used, seen);
    }
    for one in used[&module].iter().filter(|one| one.name.as_deref() == Some("*")) {
        let all_of = &one.path[..one.path.len() - 1];
        let found = owner(&[all_of, std::slice::from_ref(name)].concat(), used, seen);
        if found != all_of {
            return found;
        }
    }
    module
}

/// Every path to somewhere in this crate.
fn paths(module: &Module, text: &str, all: &BTreeSet<Module>) -> Vec<Used> {
    let mut found = Vec::new();
    // How the modules end that are written out in this file.
    let mut inner: Vec<String> = Vec::new();
    let mut statement = String::new();
    for line in text.lines() {
        let code = line.split("//").next().unwrap().trim_end();
        let indent = &code[..code.len() - code.trim_start().len()];
        let words: Vec<&str> = code.split_whitespace().collect();
        if inner.last().is_some_and(|end| code == end) {
            inner.pop();
        } else if words.contains(&"mod") && words.ends_with(&["{"]) {
            inner.push(format!("{indent}}}"));
        }
        if statement.is_empty() && !words.iter().take(2).any(|word| *word == "use") {
            for begin in ["crate::", "super::", "self::"] {
                for (at, _) in code.match_indices(begin) {
                    let before = code[..at].chars().next_back();
                    if before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':') {
                        let end = code[at..].find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
                        let path = &code[at..end.map_or(code.len(), |end| at + end)];
                        found.extend(from_root(path.trim_end_matches(':'), module, inner.len(), all, false));
                    }
                }
            }
            continue;
        }
        statement.push_str(code);
        statement.push(' ');
        if code.ends_with(';') {
            let tree = statement.split_once("use ").unwrap().1.trim_end().trim_end_matches(';');
            for path in branches(tree) {
                found.extend(from_root(&path, module, inner.len(), all, true));
            }
            statement.clear();
        }
    }
    assert!(statement.is_empty(), "{}: {statement}", module.join("::"));
    found
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`.
fn branches(tree: &str) -> Vec<String> {
    let Some((stem, rest)) = tree.split_once('{') else { return vec![tree.trim().to_owned()] };
    let inside = rest.trim_end().strip_suffix('}').unwrap();
    let (mut depth, mut from, mut found) = (0, 0, Vec::new());
    for (at, c) in inside.char_indices().chain([(inside.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let branch = &inside[from..at];
                found.extend(
                    branches(branch)
                        .iter()
                        .filter(|path| !path.is_empty())
                        .map(|path| format!("{}{path}", stem.trim())),
                );
                from = at + 1;
            }
            _ => {}
        }
    }
    found
}

/// The meaning of a path in a file, inside these inline modules. `None` if it leads to another crate.
fn from_root(
    written: &str,
    module: &Module,
    inner: usize,
    all: &BTreeSet<Module>,
    brings_in: bool,
) -> Option<Used> {
    let (written, alias) = match written.split_once(" as ") {
        Some((path, alias)) => (path, Some(alias)),
        None => (written, None),
    };
    let names: Vec<&str> = written.split("::").map(str::trim).collect();
    let ups = names.iter().take_while(|name| **name == "super").count();
    let (base, rest) = match names[0] {
        "crate" | "$crate" => (&[][..], &names[1..]),
        // In a module that is written out here, the first few lead to this file.
        "super" => (&module[..module.len() - ups.saturating_sub(inner)], &names[ups..]),
        "self" => (&module[..], &names[1..]),
        name if all.contains(&[&module[..], &[name.to_owned()]].concat()) => (&module[..], &names[..]),
        _ => return None,
    };
    let mut path: Vec<String> = base.to_vec();
    path.extend(rest.iter().filter(|name| **name != "self").map(|name| (*name).to_owned()));
    let name = alias.or(names.iter().rev().copied().find(|name| *name != "self"));
    Some(Used { path, name: name.filter(|_| brings_in).map(str::to_owned) })
}
