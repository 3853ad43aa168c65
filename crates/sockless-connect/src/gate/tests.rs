//! Tests of what `gate` keeps to itself.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Whether each may connect.
fn ready<const N: usize>(turns: [&Turn; N], woken: &Arc<Woken>) -> [bool; N] {
    let waker = Waker::from(woken.clone());
    turns.map(|turn| turn.poll(&Context::from_waker(&waker)).is_ready())
}

fn name(name: &str) -> Remote {
    Remote::Name(name.into(), 80)
}

#[test]
fn whoever_came_first_is_first_and_others_do_not_wait() {
    let (gate, woken) = (Gate::new(), Arc::new(Woken::default()));
    let [a, b, c, other] = ["x", "x", "x", "y"].map(|remote| gate.clone().enter(name(remote)));
    assert_eq!(ready([&c, &b, &a, &other], &woken), [false, false, true, true]);
    // One in the middle gives up: nobody comes to the front.
    drop(b);
    assert_eq!(woken.0.load(Ordering::SeqCst), 0);
    assert_eq!(ready([&a, &c], &woken), [true, false]);
    drop(a);
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert_eq!(ready([&c], &woken), [true]);
    drop((c, other));
    assert!(gate.queues().queues.is_empty(), "nothing stays behind");
}

#[test]
fn a_limit_lets_so_many_through() {
    let (gate, woken) = (Gate::with_limit(2), Arc::new(Woken::default()));
    let [a, b, c, d] = [(); 4].map(|()| gate.enter(Remote::Any));
    assert_eq!(ready([&a, &b, &c, &d], &woken), [true, true, false, false]);
    drop(a);
    assert_eq!((woken.0.load(Ordering::SeqCst), ready([&b, &c, &d], &woken)), (1, [true, true, false]));
    drop(c);
    assert_eq!((woken.0.load(Ordering::SeqCst), ready([&b, &d], &woken)), (2, [true, true]));
    let order = |gate: &Gate| Vec::from_iter(gate.order([name("b"), name("a"), name("b")]));
    assert_eq!(order(&gate), [name("a"), name("b"), Remote::Any]);
    assert_eq!(order(&Gate::new()), [name("a"), name("b")]);
    assert_eq!(ready([&Gate::with_limit(0).enter(Remote::Any)], &woken), [true]);
}
