//! The event stream: what is known of every connection, kept within bounds, for any number of pages that read at their own speed.
//!
//! Events are kept once, in one log. A page has a cursor in it. So whoever records never waits for a page, and a page that
//! reads too slowly costs no memory: what was dropped before it came there is counted, and told as a `gap`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{json, Value};
use tokio::sync::mpsc;

use crate::chat::Command;

/// Frames that are kept of a connection.
pub const FRAMES: usize = 500;
/// Bytes of events about frames that are kept in all.
const BYTES: usize = 4 << 20;
/// Connections that are kept after their end.
const ENDED: usize = 32;
/// Round trips that are kept of a connection.
const ROUND_TRIPS: usize = 20;
/// Bytes of a batch of events, about.
const BATCH: usize = 32 << 10;

/// What is known of all connections, and who may be reached.
#[derive(Default)]
pub struct Hub {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// The number of the next event.
    next: u64,
    last_connection: u32,
    frames: BTreeMap<u64, Entry>,
    others: BTreeMap<u64, Entry>,
    bytes: usize,
    connections: BTreeMap<u32, Known>,
    ended: VecDeque<u32>,
    /// Pages, and their chat connections once they have one.
    tabs: BTreeMap<String, Option<u32>>,
    /// Connections that a script of ours will open, by the address that they will come from.
    expected: BTreeMap<SocketAddr, u32>,
    commands: BTreeMap<u32, mpsc::Sender<Command>>,
}

struct Entry {
    connection: u32,
    text: Arc<str>,
    /// For every page, whichever connections it follows.
    for_all: bool,
    /// Of a frame: how many frames, and octets of their payload, came before it on this connection.
    before: Sums,
    octets: u64,
}

#[derive(Clone, Copy, Default)]
struct Sums {
    frames: u64,
    octets: u64,
}

#[derive(Default)]
struct Known {
    frames: VecDeque<u64>,
    logged: Sums,
    state: Option<u64>,
    round_trips: VecDeque<u64>,
    lasting: Vec<u64>,
}

/// What an event is, as far as its place in the log depends on it.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Kept as long as the connection is known; a connection has few of them.
    Lasting,
    /// Only the last one counts.
    State,
    RoundTrip,
    /// With so many octets of payload.
    Frame(u64),
}

/// Where a page is in the log.
pub struct Cursor {
    next: u64,
    seen: BTreeMap<u32, Sums>,
    /// How many frames there were when the page came.
    at_first: BTreeMap<u32, u64>,
    /// `None` for all.
    follows: Option<BTreeSet<u32>>,
    paused: bool,
}

impl Hub {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing here panics half-way.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a new connection.
    pub fn next_connection(&self) -> u32 {
        let mut inner = self.inner();
        inner.last_connection = inner.last_connection.wrapping_add(1);
        inner.last_connection
    }

    /// A page that has come, by an unguessable name.
    pub fn add_tab(&self, tab: &str) {
        self.inner().tabs.insert(tab.into(), None);
    }

    pub fn remove_tab(&self, tab: &str) {
        self.inner().tabs.remove(tab);
    }

    /// Whether the page is there and has no chat connection: this one is its own from now on.
    pub fn pair(&self, tab: &str, connection: u32) -> bool {
        match self.inner().tabs.get_mut(tab) {
            Some(slot @ None) => {
                *slot = Some(connection);
                true
            }
            _ => false,
        }
    }

    /// The chat connection of a page.
    pub fn paired(&self, tab: &str) -> Option<u32> {
        self.inner().tabs.get(tab).copied().flatten()
    }

    /// A script of ours connects from this address.
    pub fn expect(&self, from: SocketAddr, connection: u32) {
        self.inner().expected.insert(from, connection);
    }

    /// Which connection of a script this is.
    pub fn take_expected(&self, from: SocketAddr) -> Option<u32> {
        self.inner().expected.remove(&from)
    }

    /// Where a connection takes commands.
    pub fn listen(&self, connection: u32, commands: mpsc::Sender<Command>) {
        self.inner().commands.insert(connection, commands);
    }

    /// Whether there was room for the command.
    pub fn command(&self, connection: u32, command: Command) -> bool {
        self.inner().commands.get(&connection).is_some_and(|commands| commands.try_send(command).is_ok())
    }

    /// Adds an event of a connection.
    pub fn push(&self, connection: u32, kind: Kind, event: &Value) {
        let text = Arc::from(event.to_string());
        let for_all = event.get("t").and_then(Value::as_str) == Some("open");
        self.inner().push(connection, kind, text, for_all);
    }

    /// The connection has ended: it is forgotten when others have ended after it.
    pub fn ended(&self, connection: u32) {
        let mut inner = self.inner();
        inner.ended.push_back(connection);
        inner.commands.remove(&connection);
        // Its page may open another one.
        for paired in inner.tabs.values_mut().filter(|paired| **paired == Some(connection)) {
            *paired = None;
        }
        while inner.ended.len() > ENDED {
            if let Some(oldest) = inner.ended.pop_front() {
                inner.forget(oldest);
            }
        }
    }

    /// A cursor at the beginning of what is kept.
    pub fn cursor(&self) -> Cursor {
        let inner = self.inner();
        let at_first = inner.connections.iter().map(|(c, known)| (*c, known.logged.frames)).collect();
        Cursor { next: 0, seen: BTreeMap::new(), at_first, follows: None, paused: false }
    }

    /// The next events for a page, about as many as make a batch. Empty when there is nothing new.
    pub fn batch(&self, cursor: &mut Cursor) -> Vec<Arc<str>> {
        self.inner().batch(cursor)
    }
}

impl Inner {
    fn push(&mut self, connection: u32, kind: Kind, text: Arc<str>, for_all: bool) {
        let number = self.next;
        self.next = number.saturating_add(1);
        let known = self.connections.entry(connection).or_default();
        let mut entry = Entry { connection, text, for_all, before: known.logged, octets: 0 };
        match kind {
            Kind::Lasting => known.lasting.push(number),
            Kind::State => {
                if let Some(last) = known.state.replace(number) {
                    self.others.remove(&last);
                }
            }
            Kind::RoundTrip => {
                known.round_trips.push_back(number);
                if known.round_trips.len() > ROUND_TRIPS {
                    known.round_trips.pop_front().map(|oldest| self.others.remove(&oldest));
                }
            }
            Kind::Frame(octets) => {
                entry.octets = octets;
                known.logged.frames = known.logged.frames.saturating_add(1);
                known.logged.octets = known.logged.octets.saturating_add(octets);
                known.frames.push_back(number);
                let oldest = (known.frames.len() > FRAMES).then(|| known.frames.front().copied()).flatten();
                self.bytes = self.bytes.saturating_add(entry.text.len());
                self.frames.insert(number, entry);
                if let Some(oldest) = oldest {
                    self.drop_frame(oldest);
                }
                while self.bytes > BYTES {
                    let Some((&oldest, _)) = self.frames.first_key_value() else { break };
                    self.drop_frame(oldest);
                }
                return;
            }
        }
        self.others.insert(number, entry);
    }

    /// The oldest of its connection.
    fn drop_frame(&mut self, number: u64) {
        let Some(entry) = self.frames.remove(&number) else { return };
        self.bytes = self.bytes.saturating_sub(entry.text.len());
        if let Some(known) = self.connections.get_mut(&entry.connection) {
            known.frames.pop_front();
        }
    }

    fn forget(&mut self, connection: u32) {
        let Some(known) = self.connections.remove(&connection) else { return };
        for number in known.frames {
            self.drop_frame(number);
        }
        for number in known.lasting.into_iter().chain(known.round_trips).chain(known.state) {
            self.others.remove(&number);
        }
    }

    fn batch(&self, cursor: &mut Cursor) -> Vec<Arc<str>> {
        let mut batch = Batch { events: Vec::new(), bytes: 0 };
        let mut paused = BTreeMap::<u32, Sums>::new();
        let mut frames = self.frames.range(cursor.next..).peekable();
        let mut others = self.others.range(cursor.next..).peekable();
        while batch.bytes < BATCH {
            let frame_is_next = match (frames.peek(), others.peek()) {
                (Some((frame, _)), Some((other, _))) => frame < other,
                (frame, _) => frame.is_some(),
            };
            let Some((&number, entry)) = (if frame_is_next { frames.next() } else { others.next() }) else {
                break;
            };
            cursor.next = number.saturating_add(1);
            let follows = cursor.follows(entry.connection);
            if !frame_is_next {
                if entry.for_all || follows {
                    batch.push(Arc::clone(&entry.text));
                }
                continue;
            }
            let seen = cursor.seen.entry(entry.connection).or_default();
            let missing = entry.before.minus(*seen);
            *seen = entry.before.plus(entry.octets);
            if cursor.paused && follows {
                let sums = paused.entry(entry.connection).or_default();
                sums.frames = sums.frames.saturating_add(missing.frames).saturating_add(1);
                sums.octets = sums.octets.saturating_add(missing.octets).saturating_add(entry.octets);
            } else if follows {
                batch.gap(entry.connection, missing, cursor.why(entry.connection, entry.before));
                batch.push(Arc::clone(&entry.text));
            }
        }
        if batch.bytes < BATCH {
            // All that is left of some connections may have been dropped.
            cursor.next = self.next;
            for (&connection, known) in &self.connections {
                let seen = cursor.seen.entry(connection).or_default();
                let missing = known.logged.minus(*seen);
                *seen = known.logged;
                if cursor.follows(connection) {
                    batch.gap(connection, missing, cursor.why(connection, known.logged));
                }
            }
            cursor.seen.retain(|connection, _| self.connections.contains_key(connection));
        }
        for (connection, sums) in paused {
            batch.gap(connection, sums, "paused");
        }
        batch.events
    }
}

impl Sums {
    fn minus(self, other: Self) -> Self {
        Self {
            frames: self.frames.saturating_sub(other.frames),
            octets: self.octets.saturating_sub(other.octets),
        }
    }

    fn plus(self, octets: u64) -> Self {
        Self { frames: self.frames.saturating_add(1), octets: self.octets.saturating_add(octets) }
    }
}

struct Batch {
    events: Vec<Arc<str>>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, text: Arc<str>) {
        self.bytes = self.bytes.saturating_add(text.len());
        self.events.push(text);
    }

    /// Unless nothing is missing.
    fn gap(&mut self, connection: u32, missing: Sums, why: &str) {
        if missing.frames > 0 {
            let gap = json!({"t": "gap", "c": connection, "frames": missing.frames, "bytes": missing.octets, "why": why});
            self.push(Arc::from(gap.to_string()));
        }
    }
}

impl Cursor {
    /// Shows these connections only, or all.
    pub fn follow(&mut self, connections: Option<BTreeSet<u32>>) {
        self.follows = connections;
    }

    /// Counts frames instead of showing them.
    pub fn pause(&mut self, on: bool) {
        self.paused = on;
    }

    fn follows(&self, connection: u32) -> bool {
        self.follows.as_ref().is_none_or(|these| these.contains(&connection))
    }

    /// Why frames before this place are missing.
    fn why(&self, connection: u32, place: Sums) -> &'static str {
        match self.at_first.get(&connection) {
            Some(&at_first) if place.frames <= at_first => "old",
            _ => "slow page",
        }
    }
}
