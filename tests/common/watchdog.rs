//! Ends a test that hangs, and names it. Otherwise a lost wake-up would stop the whole test run without a name.
//!
//! A test that waits for threads, tasks, sockets or programs begins with `let _watchdog = watchdog!();`.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How long a test may take that waits for something.
pub const LIMIT: Duration = Duration::from_secs(30);

/// As long as it lives, its test has to come to an end within the limit, or to the next of its cases.
pub struct Watchdog {
    /// The thread that watches hears of the end by this end of the channel.
    _end: Sender<()>,
    cases: Arc<AtomicU64>,
}

impl Watchdog {
    pub fn new(place: &'static str, limit: Duration) -> Self {
        // `place` is a function inside the test, which may be a future.
        let test = place.trim_end_matches("::here").trim_end_matches("::{{closure}}");
        let (end, ended) = mpsc::channel();
        let cases = Arc::new(AtomicU64::new(0));
        let watched = Arc::clone(&cases);
        let watch = move || {
            let mut seen = 0;
            while ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                let case = watched.load(Relaxed);
                if case == seen {
                    // Only the end of the process can end the thread that hangs. And the output of macros is
                    // kept back until the test has ended.
                    let _ = writeln!(std::io::stderr(), "\n{test} stands still: no end after {limit:?}");
                    std::process::abort();
                }
                seen = case;
            }
        };
        thread::Builder::new().name("watchdog".into()).spawn(watch).expect("a thread");
        Self { _end: end, cases }
    }

    /// The next of many cases begins, which has the limit to itself.
    #[allow(dead_code, reason = "for tests of many cases")]
    pub fn next_case(&self) {
        self.cases.fetch_add(1, Relaxed);
    }
}

/// Watches the test until its value is dropped.
macro_rules! watchdog {
    () => {
        watchdog!($crate::watchdog::LIMIT)
    };
    ($limit:expr) => {{
        fn here() {}
        fn name_of<T>(_: T) -> &'static str {
            std::any::type_name::<T>()
        }
        $crate::watchdog::Watchdog::new(name_of(here), $limit)
    }};
}
