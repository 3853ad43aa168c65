//! What the documentation promises of itself.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn all() -> Vec<(PathBuf, String)> {
    let (root, mut found) = (Path::new(env!("CARGO_MANIFEST_DIR")), Vec::new());
    sources(&root.join("src"), &mut found);
    sources(&root.join("crates/sockless-conformance/src"), &mut found);
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// How a function begins that is `async` in one of two adapters: see src/adapter/embedded.rs.
const MAYBE_ASYNC: &str = "pub $($async)? fn";

#[test]
fn every_public_async_method_says_what_dropping_it_loses() {
    let (mut counted, mut in_macros) = (0, 0);
    for (path, text) in all() {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            let heading = if line.starts_with("pub async fn") {
                counted += 1;
                "/// # Cancel safety"
            } else if line.starts_with(MAYBE_ASYNC) {
                in_macros += 1;
                "#[doc = $cancel_safety]"
            } else {
                continue;
            };
            let documentation: Vec<&str> = lines[..at]
                .iter()
                .rev()
                .copied()
                .take_while(|line| ["///", "#[", "$(", ")?"].iter().any(|begin| line.starts_with(begin)))
                .collect();
            let documented = documentation.contains(&heading);
            assert!(documented, "{}:{}: {line}", path.display(), at + 1);
            // In the adapter that blocks, the section must not be there: it belongs to the optional part.
            if heading.starts_with('#') {
                let optional = documentation.iter().skip_while(|line| **line != ")?");
                let optional: Vec<&str> = optional.take_while(|line| **line != "$(").copied().collect();
                assert_eq!(optional.last(), Some(&heading), "{}:{}: {line}", path.display(), at + 1);
                assert!(optional.len() > 2, "{}:{}: the section is empty", path.display(), at + 1);
                assert!(!documentation.contains(&"/// # Cancel safety"), "{}:{}", path.display(), at + 1);
            }
        }
    }
    assert!(counted >= 10, "only {counted} async methods were found");
    assert!(in_macros >= 20, "only {in_macros} methods were found that are async in one adapter");
}

/// The heading is an argument of the macros: the text of one adapter must give it, and that of the other must
/// not.
#[test]
fn only_the_asynchronous_adapter_has_sections_on_cancel_safety() {
    let mut given = [0, 0];
    for (path, text) in all() {
        for line in text.lines().filter(|line| line.starts_with("super::embedded::")) {
            let waits = line.contains("[async] [.await] ");
            let headed = line.contains(r##"["\n# Cancel safety\n"]"##);
            assert_eq!(waits, headed, "{}: {line}", path.display());
            assert!(waits || line.contains("!([] [] [] "), "{}: {line}", path.display());
            given[usize::from(waits)] += 1;
        }
    }
    assert!(given[0] > 0 && given[0] == given[1], "{given:?}");
}

#[test]
fn every_module_says_what_it_owns_and_what_it_must_not_know() {
    for (path, text) in all() {
        let documentation = text.lines().take_while(|line| line.starts_with("//!"));
        assert!(documentation.clone().count() > 0, "{} begins with no word of itself", path.display());
        // For maintainers only: a comment below the documentation.
        let comment: Vec<&str> =
            text.lines().skip(documentation.count()).take_while(|l| l.starts_with("//")).collect();
        let says = |word| comment.iter().any(|line| line.starts_with(word));
        if !path.ends_with("lib.rs") && !path.ends_with("tests.rs") {
            assert!(says("// Owns: ") && says("// Must not know: "), "{}", path.display());
        }
    }
}

#[test]
fn the_memory_table_says_what_the_types_measure() {
    use std::mem::size_of;

    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let row = |name: &str| -> usize {
        let name = format!("`{name}`");
        let mut rows = lib.lines().filter(|line| line.starts_with("//! | [`") && line.contains(&name));
        rows.find_map(|row| row.split('|').nth(2)?.trim().parse().ok()).expect("a number")
    };
    if cfg!(target_pointer_width = "64") {
        assert_eq!(row("Reader"), size_of::<sockless::Reader>());
        assert_eq!(row("Writer<Server>"), size_of::<sockless::Writer<sockless::Server>>());
        assert_eq!(row("SendHalf<Server>"), size_of::<sockless::SendHalf<sockless::Server>>());
        assert_eq!(row("Deadlines"), size_of::<sockless::Deadlines>());
        assert_eq!(row("Connection<Server>"), size_of::<sockless::Connection<sockless::Server>>());
        assert_eq!(row("Parked"), size_of::<sockless::Parked>());
        assert_eq!(row("Event"), size_of::<sockless::Event<'_>>());
        assert_eq!(row("Data"), size_of::<sockless::Data<'_>>());
        assert_eq!(row("Mailbox"), size_of::<sockless::Mailbox>());
        assert_eq!(row("Utf8Check"), size_of::<sockless::Utf8Check>());
        assert_eq!(row("Masker"), size_of::<sockless::frame::Masker>());
    }
}

#[test]
fn every_path_in_the_architecture_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    // Everything between two backquotes, except in the picture.
    let text: String = text.split("```").step_by(2).collect();
    let paths: Vec<&str> = text.split('`').skip(1).step_by(2).filter(|name| name.contains('/')).collect();
    assert!(paths.len() > 100, "only {} paths were found", paths.len());
    let missing: Vec<_> = paths.into_iter().filter(|path| !root.join(path).exists()).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names {missing:?}");
}

#[test]
fn the_workflow_runs_every_step() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = fs::read_to_string(root.join(".ci/run")).unwrap();
    let workflow = fs::read_to_string(root.join(".github/workflows/ci.yml")).unwrap();
    let steps = script.lines().find_map(|line| line.strip_prefix("steps=(")?.strip_suffix(')')).unwrap();
    let jobs = workflow.lines().filter_map(|line| line.trim().strip_prefix("- step: "));
    assert_eq!(steps.split(' ').collect::<Vec<_>>(), jobs.collect::<Vec<_>>());
}

#[test]
fn the_programs_in_the_readme_are_the_examples() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let readme = read("README.md");
    let client = read("examples/hello_client.rs");
    let program: Vec<&str> = client.lines().filter(|line| !line.starts_with("//!")).collect();
    assert!(readme.contains(&program.join("\n")), "the client differs");
    // The README shows the part of the server that serves one connection.
    let server = read("examples/hello_server.rs");
    let served: Vec<&str> = server.lines().skip_while(|line| !line.starts_with("fn echo(")).skip(1).collect();
    assert!(served.len() > 4 && readme.contains(&served.join("\n")), "the server differs");
    for path in ["examples/hello_client.rs", "examples/hello_server.rs"] {
        assert!(read(path).lines().count() <= 20, "{path} is too long to be the first");
    }
}

/// All pages for people, but those of `tests/external`, which need other programs anyway.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [
        "",
        "docs",
        "examples",
        "tests",
        "benches/peers",
        "crates/sockless-axum",
        "crates/sockless-cli",
        "crates/sockless-connect",
    ];
    let files = folders.iter().flat_map(|folder| fs::read_dir(root.join(folder)).unwrap());
    files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "md"))
        .collect()
}

/// Without the programs.
fn prose(page: &Path) -> String {
    fs::read_to_string(page).unwrap().split("```").step_by(2).collect()
}

/// As a forge makes it of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase().replace(' ', "-");
    kept.chars().filter(|it| it.is_alphanumeric() || matches!(it, '-' | '_')).collect()
}

#[test]
fn every_link_in_the_pages_leads_somewhere() {
    let (mut counted, mut dead) = (0, Vec::new());
    for page in pages() {
        for link in prose(&page).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            counted += 1;
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            let found = target.exists()
                && (heading.is_empty()
                    || prose(&target).lines().any(|line| {
                        line.starts_with('#') && anchor(line.trim_start_matches('#')) == heading
                    }));
            if !found {
                dead.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(counted > 100, "only {counted} links were found");
    assert!(dead.is_empty(), "{dead:#?}");
}

#[test]
fn the_book_lists_every_page_and_compiles_every_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let (contents, compiled) = (read("docs/README.md"), read("crates/sockless-book/src/lib.rs"));
    for page in pages().into_iter().filter(|page| page.parent().unwrap().ends_with("docs")) {
        let (name, text) = (page.file_name().unwrap().to_str().unwrap(), fs::read_to_string(&page).unwrap());
        assert!(
            name == "README.md" || contents.contains(&format!("]({name})")),
            "{name} is not in the contents"
        );
        assert!(text.lines().count() <= 200, "{name} is long");
        if text.contains("```rust") {
            assert!(compiled.contains(&format!("/docs/{name}\"")), "nothing compiles the programs of {name}");
            assert!(!text.contains("```rust,ignore"), "{name}");
        }
    }
}

/// What `cargo hack --each-feature` would do, for every package that is published.
#[test]
fn each_feature_alone_is_checked() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = fs::read_to_string(root.join(".ci/run")).unwrap().replace("\\\n", "");
    let mut packages = vec![("sockless".to_owned(), root.to_owned())];
    for entry in fs::read_dir(root.join("crates")).unwrap() {
        let entry = entry.unwrap();
        packages.push((entry.file_name().into_string().unwrap(), entry.path()));
    }
    let mut count = 0;
    for (package, folder) in packages {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let Some((_, features)) = manifest.split_once("\n[features]\n") else { continue };
        let features = features.split("\n[").next().unwrap();
        let line = format!("lints_of_features {package} ");
        let checked = script.lines().find_map(|text| text.split_once(&line)).map_or("", |(_, sets)| sets);
        for name in features
            .lines()
            .filter_map(|line| Some(line.split_once(" = [")?.0))
            .filter(|name| *name != "default")
        {
            assert!(
                checked.split_whitespace().any(|set| set == name),
                "nothing checks `{name}` of {package} alone"
            );
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}
