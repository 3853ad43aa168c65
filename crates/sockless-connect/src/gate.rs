//! One opening connection to a server at a time (RFC 6455 section 4.1).
//
// Owns: who is connecting to which server, and who waits for that.
// Must not know: how a connection is made, or how one waits.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Lets one connection at a time be opened to an address, as RFC 6455 section 4.1 demands of clients: the next one waits
/// until the WebSocket is open, or the attempt has failed. A program that opens many connections does not overrun a
/// server with that.
///
/// Clones are one gate: give each [`Connect`](crate::Connect) that is to be counted a clone
/// ([`with_gate`](crate::Connect::with_gate)). For a whole program, keep one in a `static` with a
/// [`LazyLock`](std::sync::LazyLock).
///
/// An address is an IP address and a port; whoever has several waits for all of them. Through a proxy the addresses are not
/// known, so there it is the host's name and port. Whoever came first is first.
#[derive(Clone)]
pub struct Gate {
    /// How many connections may be opening at all.
    limit: usize,
    queues: Arc<Mutex<Queues>>,
}

#[derive(Default)]
struct Queues {
    last: u64,
    /// Whoever may connect stands first, and behind that whoever waits.
    queues: HashMap<Remote, VecDeque<Ticket>>,
}

struct Ticket {
    number: u64,
    waker: Option<Waker>,
}

/// What has a queue. All take their turns in this order, so none waits for whoever waits for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Remote {
    Address(SocketAddr),
    Name(String, u16),
    Any,
}

/// A place in a queue. It ends when this is dropped.
pub(crate) struct Turn {
    gate: Gate,
    remote: Remote,
    number: u64,
}

impl Gate {
    /// A gate that limits nothing but how many connections to one address are opened at a time: one.
    pub fn new() -> Self {
        Self { limit: usize::MAX, queues: Arc::default() }
    }

    /// A gate that also limits how many connections are opened at a time, to all servers together. The RFC advises that
    /// where the addresses are not known. 0 counts as 1.
    pub fn with_limit(limit: usize) -> Self {
        Self { limit: limit.max(1), queues: Arc::default() }
    }

    /// What an opening to these must wait for, in order.
    pub(crate) fn order(&self, remotes: impl IntoIterator<Item = Remote>) -> BTreeSet<Remote> {
        let any = (self.limit < usize::MAX).then_some(Remote::Any);
        remotes.into_iter().chain(any).collect()
    }

    /// Takes a place in this queue, at its end.
    pub(crate) fn enter(&self, remote: Remote) -> Turn {
        let mut queues = self.queues();
        queues.last = queues.last.wrapping_add(1);
        let number = queues.last;
        queues.queues.entry(remote.clone()).or_default().push_back(Ticket { number, waker: None });
        Turn { gate: self.clone(), remote, number }
    }

    /// How many at the front of this queue may connect.
    fn limit_of(&self, remote: &Remote) -> usize {
        if *remote == Remote::Any {
            self.limit
        } else {
            1
        }
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        // Whoever panicked did not leave half of a change.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Waits until it is at the front.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let mut queues = self.gate.queues();
        let Some(queue) = queues.queues.get_mut(&self.remote) else { return Poll::Ready(()) };
        let at = queue.iter().position(|ticket| ticket.number == self.number);
        match at.and_then(|at| queue.get_mut(at).filter(|_| at >= self.gate.limit_of(&self.remote))) {
            Some(ticket) => {
                ticket.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let limit = self.gate.limit_of(&self.remote);
        let mut queues = self.gate.queues();
        let Some(queue) = queues.queues.get_mut(&self.remote) else { return };
        queue.retain(|ticket| ticket.number != self.number);
        // Whoever has come to the front by that.
        let next = limit.checked_sub(1).and_then(|last| queue.get_mut(last));
        let waker = next.and_then(|ticket| ticket.waker.take());
        if queue.is_empty() {
            queues.queues.remove(&self.remote);
        }
        drop(queues);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queues = self.queues();
        f.debug_struct("Gate").field("servers", &queues.queues.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
