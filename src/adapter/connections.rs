//! All connections of a server, so that they can be closed together.
//
// Owns: which connections there are, and what they are told.
// Must not know: any transport, or what a connection does when it is told.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::{poll_fn, Future};
use core::pin::pin;
use core::sync::atomic::{AtomicU8, Ordering};
#[cfg(any(feature = "futures-io", feature = "tokio"))]
use core::task::Context;
use core::task::{Poll, Waker};
use core::time::Duration;
use std::sync::PoisonError;
use std::time::Instant;

use super::sync::{Condvar, Mutex, MutexGuard};
use crate::close::{CloseCode, CloseFrame, CloseReason};
use crate::endpoint::{Directions, Inbound, Outbound};
use crate::error::SendError;
use crate::role::Role;

/// All open connections of a server, so that they can be closed together when the server ends.
///
/// [`close_all`](Self::close_all) sends a Close to each of them, usually with [`CloseCode::GOING_AWAY`] (1001; RFC 6455
/// section 7.4.1), waits until they have ended, and drops those that have not ended in time.
///
/// A clone is another handle of the same set. A connection enters it with
/// [`ServerConfig::with_connections`](super::ServerConfig::with_connections), or with `with_connections` of its socket,
/// and leaves it when its socket, or the receiving half of it, is dropped. The Close is sent by the methods that
/// receive, so each connection must receive until they return `None`.
///
/// ```
/// use std::time::Duration;
/// use sockless::Connections;
/// use sockless::CloseCode;
///
/// let connections = Connections::new();
/// // On tokio: `connections.close_all(code, reason, tokio::time::sleep(within)).await`.
/// let left = connections.close_all_blocking(CloseCode::GOING_AWAY, "restarting", Duration::from_secs(5));
/// assert_eq!(left, 0, "nobody is there");
/// ```
#[derive(Clone, Default)]
pub struct Connections {
    shared: Arc<Registry>,
}

#[derive(Default)]
struct Registry {
    told: AtomicU8,
    members: Mutex<Members>,
    left: Condvar,
}

#[derive(Default)]
struct Members {
    /// `vacant` has the indices of the free slots.
    wakers: Vec<Option<Arc<Wakers>>>,
    vacant: Vec<usize>,
    close: Option<(CloseCode, String)>,
    waiter: Option<Waker>,
}

type Wakers = Mutex<Option<Waker>>;

const NOTHING: u8 = 0;
const CLOSE: u8 = 1;
const DROP: u8 = 2;

impl Connections {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        lock(&self.shared.members).len()
    }

    /// Whether there are no connections.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sends every connection a Close with this code and reason (cut to 123 octets), and waits until all have ended.
    /// When `within` is ready, the remaining ones are dropped. Returns how many those were.
    ///
    /// Stop accepting first. Connections that enter later are closed as well.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the Closes are sent at the first poll. Call it again to go on waiting.
    pub async fn close_all(&self, code: CloseCode, reason: &str, within: impl Future) -> usize {
        self.tell_close(code, reason);
        let mut within = pin!(within);
        poll_fn(|cx| {
            let mut members = lock(&self.shared.members);
            if members.len() == 0 {
                return Poll::Ready(0);
            }
            members.waiter = Some(cx.waker().clone());
            drop(members);
            within.as_mut().poll(cx).map(|_| self.drop_all())
        })
        .await
    }

    /// Does the same for servers that block, and waits at most `within`. A connection notices within half a second if
    /// its transport can limit the time of a read.
    pub fn close_all_blocking(&self, code: CloseCode, reason: &str, within: Duration) -> usize {
        self.tell_close(code, reason);
        let until = Instant::now().checked_add(within);
        let mut members = lock(&self.shared.members);
        while members.len() > 0 {
            let now = Instant::now();
            let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(now));
            if left.is_zero() {
                drop(members);
                return self.drop_all();
            }
            let waited = self.shared.left.wait_timeout(members, left.min(Duration::from_secs(3600)));
            members = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        0
    }

    /// Drops every connection at once. Returns how many there were.
    pub fn drop_all(&self) -> usize {
        self.tell(DROP)
    }

    fn tell_close(&self, code: CloseCode, reason: &str) {
        lock(&self.shared.members).close.get_or_insert_with(|| (code, reason.into()));
        self.tell(CLOSE);
    }

    fn tell(&self, what: u8) -> usize {
        self.shared.told.fetch_max(what, Ordering::SeqCst);
        let wakers: Vec<_> = lock(&self.shared.members).wakers.iter().flatten().cloned().collect();
        for wakers in &wakers {
            let waker = lock(wakers).take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        wakers.len()
    }

    pub(super) fn enter(&self) -> Member {
        let wakers: Arc<Wakers> = Arc::default();
        let mut members = lock(&self.shared.members);
        let place = members.vacant.pop().unwrap_or(members.wakers.len());
        match members.wakers.get_mut(place) {
            Some(vacant) => *vacant = Some(Arc::clone(&wakers)),
            None => members.wakers.push(Some(Arc::clone(&wakers))),
        }
        drop(members);
        Member {
            shared: Arc::clone(&self.shared),
            #[cfg(any(feature = "futures-io", feature = "tokio"))]
            wakers,
            place,
            heard: NOTHING,
        }
    }
}

impl Members {
    fn len(&self) -> usize {
        self.wakers.len().saturating_sub(self.vacant.len())
    }
}

/// It leaves when this is dropped.
pub(super) struct Member {
    shared: Arc<Registry>,
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    wakers: Arc<Wakers>,
    place: usize,
    heard: u8,
}

pub(super) enum Order {
    /// Send this Close.
    Close(CloseCode, String),
    /// Drop the transport.
    Drop,
}

impl Member {
    /// If nothing, this task is woken later.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Option<Order> {
        {
            // Before looking, so that nothing is missed.
            let mut waker = lock(&self.wakers);
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
        }
        self.order()
    }

    pub(super) fn order(&mut self) -> Option<Order> {
        let told = self.shared.told.load(Ordering::SeqCst);
        if told == self.heard {
            return None;
        }
        self.heard = told;
        match told {
            CLOSE => {
                lock(&self.shared.members).close.clone().map(|(code, reason)| Order::Close(code, reason))
            }
            _ => Some(Order::Drop),
        }
    }
}

impl Order {
    pub(super) fn obey<R: Role>(
        self,
        inbound: &mut Inbound,
        outbound: &mut Outbound<R>,
    ) -> Result<(), SendError> {
        match self {
            Self::Close(code, reason) => {
                outbound.close(CloseFrame::new(code, CloseReason::truncated(&reason)))
            }
            Self::Drop => {
                Directions::new(inbound, outbound).abort();
                Ok(())
            }
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut members = lock(&self.shared.members);
        if let Some(place) = members.wakers.get_mut(self.place) {
            *place = None;
        }
        members.vacant.push(self.place);
        let waiter = if members.len() == 0 { members.waiter.take() } else { None };
        if members.len() == 0 {
            // Gives memory back after a storm of connections.
            members.wakers = Vec::new();
            members.vacant = Vec::new();
        }
        drop(members);
        self.shared.left.notify_all();
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that is done under the lock panics.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

debug_states!([] Connections, |this| { len: this.len() });
debug_states!([] Member, |this| { place: this.place });
