//! How long a message takes. The contenders take turns in many short rounds, and the lowest round counts.
//!
//! Measured is the time of this thread on a core, because nothing here waits. A shared machine still changes
//! its speed from second to second. What disturbs one contender in a round disturbs the others right after, and
//! the lowest of many short rounds was disturbed least.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::check;
use super::contenders::{Contender, Job, Lane};
use super::memory::Tape;
use super::workload::{ACCEPT, Case, Work, Workload};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Rounds of each case.
    pub rounds: usize,
    /// How long one contender works in one round.
    pub slice: Duration,
}

/// The result of one contender in one case.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Nanoseconds for each message: the lowest of the rounds, and their median.
    Time { lowest: f64, median: f64 },
    /// It did not do the work correctly.
    Failed(String),
    /// It cannot do the work.
    Unable,
}

impl Outcome {
    /// The figure that counts.
    pub fn lowest(&self) -> Option<f64> {
        match self {
            Self::Time { lowest, .. } => Some(*lowest),
            Self::Failed(_) | Self::Unable => None,
        }
    }
}

/// Measures one case. The results are in the order of the contenders.
pub fn measure(case: Case, contenders: &[Contender], plan: Plan) -> Vec<Outcome> {
    let workload = Arc::new(Workload::new(case));
    let mut outcomes = Vec::new();
    let mut entrants = Vec::new();
    for (at, contender) in contenders.iter().enumerate() {
        outcomes.push(match verify(contender, &workload) {
            Ok(true) => {
                entrants.push(Entrant::new(at, contender, &workload, plan.slice));
                Outcome::Unable // until it is measured
            }
            Ok(false) => Outcome::Unable,
            Err(why) => Outcome::Failed(why),
        });
    }
    for round in 0..plan.rounds {
        // The order changes, so that nobody always follows the same one.
        let first = round % entrants.len().max(1);
        let (later, sooner) = entrants.split_at_mut(first);
        sooner.iter_mut().chain(later).for_each(Entrant::round);
    }
    for mut entrant in entrants {
        entrant.times.sort_by(f64::total_cmp);
        let lowest = entrant.times[0];
        outcomes[entrant.at] = Outcome::Time { lowest, median: entrant.times[entrant.times.len() / 2] };
    }
    outcomes
}

/// A contender that is being measured.
struct Entrant {
    at: usize,
    lane: Lane,
    /// Messages of a round.
    messages: usize,
    /// Nanoseconds a message.
    times: Vec<f64>,
}

impl Entrant {
    fn new(at: usize, contender: &Contender, workload: &Arc<Workload>, slice: Duration) -> Self {
        let job = Job { workload: Arc::clone(workload), counter: None, tape: None };
        let mut lane = contender.lane(&job).expect("it could be verified");
        let mut messages = 1;
        loop {
            let took = time(&mut lane, messages);
            if took * 4 >= slice {
                let fit = slice.as_nanos() * messages as u128 / took.as_nanos().max(1);
                return Self { at, lane, messages: (fit as usize).max(1), times: Vec::new() };
            }
            messages *= 2;
        }
    }

    fn round(&mut self) {
        let took = time(&mut self.lane, self.messages);
        self.times.push(took.as_nanos() as f64 / self.messages as f64);
    }
}

fn time(lane: &mut Lane, messages: usize) -> Duration {
    let start = on_core();
    lane(messages);
    on_core() - start
}

/// How long this thread was on a core so far.
fn on_core() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes to `time`.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert!(result == 0, "Linux has that clock");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Whether the contender can do the case. An error if it does not do all of it correctly, octet by octet.
fn verify(contender: &Contender, workload: &Arc<Workload>) -> Result<bool, String> {
    let messages = workload.payloads.len() + 3; // past the end of the image
    let tape = Tape::default();
    let counter = Rc::default();
    let job = Job {
        workload: Arc::clone(workload),
        counter: Some(Rc::clone(&counter)),
        tape: (!matches!(workload.case.work, Work::Receive(_))).then(|| Arc::clone(&tape)),
    };
    let Some(mut lane) = contender.lane(&job) else { return Ok(false) };
    quietly(|| lane(messages))?;
    let written = tape.lock().map_err(|error| error.to_string())?;
    match workload.case.work {
        Work::Receive(_) if counter.get() == messages => Ok(true),
        Work::Receive(_) => Err(format!("{} of {messages} messages came", counter.get())),
        Work::Send(side) => {
            check::sent(workload, side, &written, messages).map(|()| true).map_err(Into::into)
        }
        Work::Accept => {
            let accepted = String::from_utf8_lossy(&written).matches(ACCEPT).count();
            if accepted == messages { Ok(true) } else { Err(format!("{accepted} of {messages} accepted")) }
        }
    }
}

thread_local! {
    static WHY: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work`, and returns the message if it panicked.
fn quietly(work: impl FnOnce()) -> Result<(), String> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|info| {
        WHY.with(|why| *why.borrow_mut() = Some(info.to_string()));
    }));
    let result = catch_unwind(AssertUnwindSafe(work));
    std::panic::set_hook(hook);
    result.map_err(|_| WHY.with(|why| why.borrow_mut().take()).unwrap_or_default())
}
