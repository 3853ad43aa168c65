//! The endpoint of a connection. An idle one keeps only its [`Parked`] state, and others of its thread use the
//! endpoint.
//
// Owns: where an endpoint goes when its connection is parked, and where the next one comes from.
// Must not know: when a connection is parked, or what wakes it.
// For an idle connection on tokio with its timer (`cargo bench --bench connections`) it saves 0.8 KiB of 2.1. Dropping
// the endpoint and making another when it wakes takes 0.1 KiB more, and for each echo of a short message 2,850
// instructions instead of 1,530 from one wait to the next.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::any::Any;
use core::cell::RefCell;

use crate::adapter::thread_pool;
use crate::connection::parked::Parked;
use crate::connection::Config;
use crate::endpoint::{Buffers, Endpoint};
use crate::role::{Role, Server};

/// A parked connection goes on in the endpoint that another one of the thread has just left.
pub(super) struct EndpointSlot<R> {
    /// The endpoint, while a `Shared` connection is not parked.
    awake: Option<Box<Endpoint<R>>>,
    kind: Kind<R>,
}

enum Kind<R> {
    /// A client has a generator of its own, and an endpoint that compresses has its contexts.
    Owned(Box<Endpoint<R>>),
    /// In any endpoint of the thread that was made with equal settings.
    Shared { parked: Parked, sharing: Sharing<R>, settings: Arc<Settings> },
}

struct Sharing<R> {
    wake: fn(Parked, &Arc<Settings>) -> Box<Endpoint<R>>,
    leave: fn(&Arc<Settings>, Box<Endpoint<R>>),
}

/// Only servers share: a client has a generator of its own.
static SERVERS: Sharing<Server> = Sharing { wake, leave };

/// What an endpoint is made with, besides its role.
type Settings = (Config, Buffers);

impl<R: Role> EndpointSlot<R> {
    pub(super) fn new(endpoint: Endpoint<R>) -> Self
    where
        R: 'static,
    {
        let endpoint = Box::new(endpoint);
        let servers: &'static dyn Any = &SERVERS;
        // This is `Some` where `R` is `Server`.
        match (servers.downcast_ref::<Sharing<R>>(), endpoint.settings()) {
            (Some(&Sharing { wake, leave }), Some(settings)) => {
                let sharing = Sharing { wake, leave };
                let kind = Kind::Shared { parked: Parked::new(), sharing, settings: shared(settings) };
                Self { awake: Some(endpoint), kind }
            }
            _ => Self { awake: None, kind: Kind::Owned(endpoint) },
        }
    }

    /// Unless the connection is parked.
    pub(super) fn get(&self) -> Option<&Endpoint<R>> {
        match &self.kind {
            Kind::Owned(endpoint) => Some(endpoint),
            Kind::Shared { .. } => self.awake.as_deref(),
        }
    }

    pub(super) fn get_mut(&mut self) -> Option<&mut Endpoint<R>> {
        match &mut self.awake {
            Some(endpoint) => Some(endpoint),
            None => match &mut self.kind {
                Kind::Owned(endpoint) => Some(endpoint),
                Kind::Shared { .. } => None,
            },
        }
    }

    pub(super) fn park(&self) -> Option<Parked> {
        match (&self.awake, &self.kind) {
            (None, Kind::Shared { parked, .. }) => Some(*parked),
            _ => None,
        }
    }

    /// A parked connection gets one first.
    pub(super) fn awake(&mut self) -> &mut Endpoint<R> {
        match &mut self.awake {
            Some(endpoint) => endpoint,
            none => match &mut self.kind {
                Kind::Owned(endpoint) => endpoint,
                Kind::Shared { parked, sharing, settings } => none.insert((sharing.wake)(*parked, settings)),
            },
        }
    }

    pub(super) fn into_awake(self) -> Endpoint<R> {
        match (self.awake, self.kind) {
            (Some(endpoint), _) | (None, Kind::Owned(endpoint)) => *endpoint,
            (None, Kind::Shared { parked, sharing, settings }) => *(sharing.wake)(parked, &settings),
        }
    }

    /// Parks the connection if it is idle; `known` is its parked state if the caller has it. If not, buffers that it
    /// does not need go back to the pool of the thread.
    pub(super) fn settle(&mut self, known: Option<Parked>) {
        let endpoint = match (self.awake.take(), &mut self.kind) {
            (Some(mut endpoint), Kind::Shared { parked, sharing, settings }) => {
                match known.or_else(|| endpoint.park()) {
                    Some(left) => {
                        *parked = left;
                        return (sharing.leave)(settings, endpoint);
                    }
                    None => self.awake.insert(endpoint),
                }
            }
            (_, Kind::Owned(endpoint)) => endpoint,
            (None, Kind::Shared { .. }) => return,
        };
        thread_pool::with(|pool| endpoint.release(pool));
    }
}

/// The endpoint that was left on this thread, if it was made with these settings.
fn wake(parked: Parked, settings: &Arc<Settings>) -> Box<Endpoint<Server>> {
    let left = LEFT.try_with(|left| {
        let mut left = left.try_borrow_mut().ok()?;
        if left.is_kin(settings) {
            left.endpoint.take()
        } else {
            None
        }
    });
    let mut endpoint = left.ok().flatten().unwrap_or_else(|| anew(settings));
    endpoint.unpark(parked);
    endpoint
}

// A new endpoint needs much of the stack, and is seldom needed.
fn anew(&(config, buffers): &Settings) -> Box<Endpoint<Server>> {
    Box::new(Endpoint::new(Server, config, buffers, &[]))
}

/// The last on this thread.
struct Left {
    settings: Option<Arc<Settings>>,
    endpoint: Option<Box<Endpoint<Server>>>,
}

std::thread_local! {
    static LEFT: RefCell<Left> = const { RefCell::new(Left { settings: None, endpoint: None }) };
}

impl Left {
    fn is_kin(&self, settings: &Arc<Settings>) -> bool {
        match &self.settings {
            Some(own) => Arc::ptr_eq(own, settings) || are_same(own, settings),
            None => false,
        }
    }
}

/// The first look is at their addresses.
fn are_same(some: &Settings, others: &Settings) -> bool {
    some == others
}

fn shared(settings: Settings) -> Arc<Settings> {
    let shared = LEFT.try_with(|left| match left.try_borrow_mut() {
        Ok(mut left) => match &left.settings {
            Some(own) if **own == settings => Arc::clone(own),
            _ => {
                let settings = Arc::new(settings);
                *left = Left { settings: Some(Arc::clone(&settings)), endpoint: None };
                settings
            }
        },
        Err(_) => Arc::new(settings),
    });
    shared.unwrap_or_else(|_| Arc::new(settings))
}

/// For the next connection of this thread that needs one. One is kept at most.
fn leave(settings: &Arc<Settings>, mut endpoint: Box<Endpoint<Server>>) {
    if endpoint.has_large_buffer() {
        thread_pool::with(|pool| endpoint.release(pool));
    }
    let before = LEFT.try_with(|left| {
        let mut left = left.try_borrow_mut().ok()?;
        if !left.is_kin(settings) {
            left.settings = Some(Arc::clone(settings));
        }
        left.endpoint.replace(endpoint)
    });
    if let Ok(Some(mut before)) = before {
        thread_pool::with(|pool| before.release(pool));
    }
}

impl<R> core::fmt::Debug for EndpointSlot<R> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match (&self.awake, &self.kind) {
            (Some(endpoint), _) | (None, Kind::Owned(endpoint)) => endpoint.fmt(f),
            (None, Kind::Shared { parked, .. }) => parked.fmt(f),
        }
    }
}
