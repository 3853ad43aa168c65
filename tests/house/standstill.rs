//! The watchdog of the tests, and that every test that waits has one.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// Set in the process that is to hang.
const HANG: &str = "SOCKLESS_TEST_HANGS";

/// Runs this test alone in a process of its own, where it hangs.
fn hung(test: &str) -> (Option<i32>, String, Duration) {
    let began = Instant::now();
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).args([test, "--exact"]).env(HANG, "1").output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned(), began.elapsed())
}

fn is_to_hang() -> bool {
    std::env::var_os(HANG).is_some()
}

#[test]
fn a_test_that_stands_still_is_ended_and_named() {
    if is_to_hang() {
        let _watchdog = watchdog!(Duration::from_millis(100));
        loop {
            thread::park();
        }
    }
    let _watchdog = watchdog!();
    let (code, said, after) = hung("standstill::a_test_that_stands_still_is_ended_and_named");
    assert_ne!(code, Some(0));
    assert!(said.contains("standstill::a_test_that_stands_still_is_ended_and_named stands still"), "{said}");
    assert!(after < Duration::from_secs(20), "{after:?}");
}

/// A lost wake-up: the future is polled once, and nobody wakes it.
#[test]
fn a_future_that_nobody_wakes_is_named_by_the_test_that_waits_for_it() {
    if is_to_hang() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let _watchdog = watchdog!(Duration::from_millis(100));
            std::future::pending::<()>().await;
        });
    }
    let _watchdog = watchdog!();
    let test = "standstill::a_future_that_nobody_wakes_is_named_by_the_test_that_waits_for_it";
    let (code, said, _) = hung(test);
    assert_ne!(code, Some(0));
    assert!(said.contains(&format!("{test} stands still")), "{said}");
}

/// One case after the other is no standstill; one that does not end is.
#[test]
fn each_of_many_cases_has_the_limit_to_itself() {
    if is_to_hang() {
        let watchdog = watchdog!(Duration::from_millis(200));
        for _ in 0..40 {
            watchdog.next_case();
            thread::sleep(Duration::from_millis(20));
        }
        std::io::stderr().write_all(b"all cases were begun").unwrap();
        loop {
            thread::park();
        }
    }
    let _watchdog = watchdog!();
    let (code, said, _) = hung("standstill::each_of_many_cases_has_the_limit_to_itself");
    assert_ne!(code, Some(0));
    assert!(said.starts_with("all cases were begun"), "{said}");
    assert!(said.contains("standstill::each_of_many_cases_has_the_limit_to_itself stands still"), "{said}");
}

#[test]
fn a_test_that_ends_in_time_is_left_alone() {
    let limit = Duration::from_millis(50);
    drop(watchdog!(limit));
    let failed = thread::spawn(move || {
        let _watchdog = watchdog!(limit);
        std::panic::resume_unwind(Box::new(()));
    });
    assert!(failed.join().is_err());
    thread::sleep(limit * 3);
}

/// What a test waits with.
const WAITS: [&str; 8] = [
    "thread::spawn",
    "thread::scope",
    "TcpListener",
    "TcpStream",
    "UnixStream",
    "tokio::test",
    "block_on(",
    "Command::new",
];

/// Files without such a word, whose tests call again until something comes.
const CALL_AGAIN: [&str; 3] = ["connection/pair", "adapters/std_adapter", "adapters/tokio_adapter"];

/// Files with such a word whose tests need no watchdog, and why.
const OTHERS: [(&str, &str); 1] =
    [("house/requirements", "it reads the source of tests and waits for nothing")];

/// Files whose tests are runs of thousands of cases: each case has a watchdog.
const BY_CASE: [&str; 3] = ["kit/adapters", "kit/lent_buffers", "kit/outsider"];

#[test]
fn every_test_that_waits_has_a_watchdog() {
    let (mut faults, mut watched) = (Vec::new(), 0);
    let files = files();
    for named in CALL_AGAIN.iter().chain(&BY_CASE).chain(OTHERS.iter().map(|(other, _)| other)) {
        assert!(files.contains_key(*named), "there is no tests/{named}.rs");
    }
    for (name, text) in &files {
        let name = name.as_str();
        if name == "house/standstill" || OTHERS.iter().any(|(other, _)| *other == name) {
            continue;
        }
        if BY_CASE.contains(&name) {
            let runs = text.matches("conformance::run(").count();
            if runs == 0 || text.matches("watchdog.next_case();").count() < runs {
                faults.push(format!("{name}: there are runs without `watchdog.next_case();` for each case"));
            }
        } else if CALL_AGAIN.contains(&name) || WAITS.iter().any(|word| text.contains(word)) {
            for (test, first) in tests_of(text) {
                watched += 1;
                if !first.starts_with("let _watchdog = watchdog!(") {
                    faults.push(format!("{name}: {test} does not begin with `let _watchdog = watchdog!();`"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(watched > 50, "only {watched} tests were found");
}

/// The text of each file of tests by its name: `corpus`, or `house/standstill` in a folder that is one program.
fn files() -> BTreeMap<String, String> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let below =
        |dir: &Path| -> Vec<_> { fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect() };
    let programs = below(&tests).into_iter().filter(|path| path.join("main.rs").exists());
    let all = programs.flat_map(|program| below(&program)).chain(below(&tests));
    all.filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| {
            let parts: Vec<_> =
                path.strip_prefix(&tests).unwrap().iter().map(|part| part.to_str().unwrap()).collect();
            (parts.join("/").trim_end_matches(".rs").to_owned(), fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// The tests of a file, each with the first line of its body. Those within a macro are not found.
fn tests_of(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line == "#[test]" || line.starts_with("#[tokio::test") {
            let name = lines.by_ref().find(|line| !line.starts_with("#[")).unwrap_or_default();
            let mut signature = name;
            while !signature.ends_with('{') {
                signature = lines.next().expect("the body of a test");
            }
            found.push((name.trim_end_matches(" {"), lines.next().unwrap_or_default().trim()));
        }
    }
    found
}
