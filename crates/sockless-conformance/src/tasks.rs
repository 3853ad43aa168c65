//! Polls the futures of an adapter that is tested.
//
// Owns: which task is woken, and when a future is dropped.
// Must not know: what the futures do.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::Wake;
use std::task::{Context, Poll, Waker};

use crate::Wire;

/// A task of an adapter that is tested.
pub type Task<'t> = Pin<Box<dyn Future<Output = ()> + 't>>;

/// Polls the tasks to their end. Each is polled only if its waker was woken, unless the script has spurious
/// wake-ups. If no task is awake, the wire does what is waited for.
///
/// If that wakes nobody, the tasks are dropped, and the [`Report`](crate::Report) says why.
pub fn run_tasks(wire: &Wire, tasks: Vec<Task<'_>>) {
    let mut tasks: Vec<_> = tasks.into_iter().map(|task| (Some(task), Arc::new(Woken::default()))).collect();
    for _ in 0..MAX_ROUNDS {
        let awake =
            tasks.iter_mut().fold(false, |awake, (task, woken)| poll(wire, task, woken, false) || awake);
        if tasks.iter().all(|(task, _)| task.is_none()) {
            return;
        }
        if awake {
            continue;
        }
        if wire.is_spurious() {
            for (task, woken) in &mut tasks {
                poll(wire, task, woken, true);
            }
        }
        if !wire.advance() && !tasks.iter().any(|(_, woken)| woken.is_awake()) {
            wire.stuck();
            return;
        }
    }
    wire.fault("polled over and over");
}

/// More rounds than any case of the suite needs.
const MAX_ROUNDS: usize = 1 << 20;

/// Polls a task if it was woken. Returns whether it was.
fn poll(wire: &Wire, task: &mut Option<Task<'_>>, woken: &Arc<Woken>, anyway: bool) -> bool {
    if !(woken.take() || anyway) {
        return false;
    }
    wire.begin_turn();
    let waker = Waker::from(Arc::clone(woken));
    if let Some(future) = task {
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            *task = None;
        }
    }
    true
}

/// Counts wake-ups. A task begins as woken.
#[derive(Default)]
struct Woken {
    wakes: AtomicUsize,
    seen: AtomicUsize,
}

impl Woken {
    fn count(&self) -> usize {
        self.wakes.load(Ordering::Acquire)
    }

    /// Whether it was woken since it was last polled. A new task was.
    fn is_awake(&self) -> bool {
        self.seen.load(Ordering::Acquire) != self.count().wrapping_add(1)
    }

    /// The same, and marks it as polled.
    fn take(&self) -> bool {
        let count = self.count().wrapping_add(1);
        self.seen.swap(count, Ordering::AcqRel) != count
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::AcqRel);
    }
}

/// Drops a waiting future when the script says so, as `select!` does, and then returns `None`. Nothing may be
/// lost: the next future must go on where it stopped.
pub fn interrupted<F: Future>(wire: &Wire, future: F) -> Interrupted<'_, F> {
    Interrupted { wire, future: Some(Box::pin(future)) }
}

/// See [`interrupted`].
pub struct Interrupted<'w, F> {
    wire: &'w Wire,
    future: Option<Pin<Box<F>>>,
}

impl<F: Future> Future for Interrupted<'_, F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(future) = &mut this.future else { return Poll::Ready(None) };
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        if this.wire.interrupts() {
            this.future = None;
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl<F> fmt::Debug for Interrupted<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupted").field("dropped", &self.future.is_none()).finish_non_exhaustive()
    }
}
