//! Which module may use which: dependencies point one way, from the adapters down to the wire. And that no macro has a
//! panic in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What each room of the house may use. A room that is not listed may not exist.
const MAY_USE: [(&str, &[&str]); 25] = [
    // The wire format, and values.
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
    ("mailbox", &["close"]),
    ("deadline", &["error", "event", "time"]),
    ("parked", &["deadline", "frame", "time"]),
    ("closing", &["close", "error", "role"]),
    ("deflate", &["error", "event", "frame", "limits", "role", "tolerance", "utf8"]),
    // The two halves, and what they mean together.
    (
        "reader",
        &["close", "error", "event", "frame", "input", "limits", "mailbox", "role", "tolerance", "utf8"],
    ),
    ("writer", &["close", "error", "frame", "payload", "mailbox", "role", "utf8"]),
    (
        "send_half",
        &["close", "closing", "deadline", "error", "event", "mailbox", "parked", "role", "time", "writer"],
    ),
    (
        "connection",
        &[
            "close",
            "closing",
            "send_half",
            "deadline",
            "error",
            "event",
            "frame",
            "input",
            "limits",
            "reader",
            "parked",
            "role",
            "time",
            "writer",
        ],
    ),
    (
        "message",
        &[
            "close",
            "closing",
            "send_half",
            "connection",
            "deadline",
            "deflate",
            "error",
            "event",
            "frame",
            "input",
            "limits",
            "payload",
            "reader",
            "mailbox",
            "parked",
            "role",
            "time",
            "tolerance",
            "utf8",
            "writer",
        ],
    ),
    // The opening handshake knows nothing of frames.
    ("handshake", &["deflate", "error", "tolerance"]),
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
            if target != room && !allowed.contains(&"*") && !allowed.contains(&target.as_str()) {
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
        let room = relative.components().next().unwrap().as_os_str().to_str().unwrap();
        let uses = used.entry(room.trim_end_matches(".rs").to_owned()).or_default();
        for line in fs::read_to_string(&path).unwrap().lines() {
            // Links in documentation point anywhere.
            let code = line.split("//").next().unwrap();
            for (at, _) in code.match_indices("crate::") {
                let name: String =
                    code[at + 7..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                assert!(!name.is_empty(), "{}: spell out what `{line}` uses", path.display());
                uses.insert(room_of(&name, &lib));
            }
        }
    }
}

/// The room that owns `name`: itself if it is a module, else the one that lib.rs re-exports it from.
fn room_of(name: &str, lib: &str) -> String {
    let exported = lib.split("pub use ").skip(1).find(|statement| {
        let statement = statement.split(';').next().unwrap();
        statement.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
    });
    match exported {
        Some(statement) if name.starts_with(char::is_uppercase) => {
            statement.split("::").next().unwrap().to_owned()
        }
        _ => name.to_owned(),
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
