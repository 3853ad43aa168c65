//! Cargo makes a program of each folder in tests/ with a `main.rs`, and compiles the files that it names. A
//! file that is not named would never run, and nobody would notice.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders with Rust files that are not test programs, and what they are.
const OTHERS: [(&str, &str); 2] =
    [("common", "what several programs share"), ("external", "suites that need other programs")];

fn below(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

/// The Rust files below `dir`, at any depth.
fn sources(dir: &Path) -> Vec<PathBuf> {
    let (folders, files): (Vec<_>, Vec<_>) = below(dir).into_iter().partition(|path| path.is_dir());
    let deeper = folders.iter().flat_map(|folder| sources(folder));
    files.into_iter().filter(|path| is_rust(path)).chain(deeper).collect()
}

#[test]
fn every_file_of_tests_is_part_of_a_program() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let (mut faults, mut programs) = (Vec::new(), 0);
    for folder in below(&tests).into_iter().filter(|path| path.is_dir()) {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let files = sources(&folder);
        if files.is_empty() || OTHERS.iter().any(|(other, _)| *other == name) {
            continue;
        }
        programs += 1;
        let main = folder.join("main.rs");
        if !main.exists() {
            faults.push(format!("tests/{name} has no main.rs"));
            continue;
        }
        let main = fs::read_to_string(main).unwrap();
        let texts: Vec<_> = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
        for file in files.iter().filter(|file| !file.ends_with("main.rs")) {
            let part = file.file_stem().unwrap().to_str().unwrap();
            let is_module = main.lines().any(|line| line == format!("mod {part};"));
            let included = format!("include!(\"{part}.rs\");");
            if !is_module && !texts.iter().any(|text| text.contains(&included)) {
                faults.push(format!(
                    "tests/{name}/{part}.rs is in no program: there is no `mod {part};` for it"
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(programs >= 10, "only {programs} folders were found");
}

/// All examples of the workspace are built into one folder.
#[test]
fn no_two_examples_have_the_same_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packages = below(&root.join("crates")).into_iter().chain([root.to_owned()]);
    let folders = packages.map(|package| package.join("examples")).filter(|folder| folder.is_dir());
    let programs = folders.flat_map(|folder| below(&folder)).filter(|path| {
        let package_of_its_own = path.join("Cargo.toml").exists();
        is_rust(path) || path.join("main.rs").exists() && !package_of_its_own
    });
    let mut names: Vec<_> =
        programs.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert!(all >= 15, "only {all} examples were found");
    assert_eq!(names.len(), all, "one is built over the other: {names:?}");
}
