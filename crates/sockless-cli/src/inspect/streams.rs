//! TCP segments in any order become the streams of connections.
//
// Owns: the order of octets in a stream, and what is done where some are missing.
// Must not know: how packets are written in files, or what is in a stream.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use sockless::{Limits, Side};

use super::conversation::Conversation;
use super::show::Show;

/// Octets that wait in one direction for those before them, and pieces of them.
const MAX_HELD: usize = 1 << 20;
const MAX_PIECES: usize = 4096;
/// How a request begins, and pieces that are kept until that is known.
const GET: &[u8] = b"GET ";
const MAX_EARLY: usize = 16;
/// Connections at the same time.
const MAX_CONNECTIONS: usize = 4096;

/// A segment of TCP.
#[derive(Debug)]
pub struct Segment<'p> {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub sequence: u32,
    /// SYN, and whether it is that of a server.
    pub is_first: bool,
    pub is_answer: bool,
    pub is_last: bool,
    pub is_reset: bool,
    pub octets: &'p [u8],
}

/// All connections of a capture.
pub struct Streams {
    limits: Limits,
    max_front: usize,
    open: BTreeMap<(SocketAddr, SocketAddr), Connection>,
    /// WebSockets, and whatever asked for one, so far.
    shown: u64,
    others: u64,
    has_fault: bool,
}

struct Connection {
    client: SocketAddr,
    /// Its number, once it is known to be of interest.
    number: Option<u64>,
    is_other: bool,
    /// What came before that was known.
    early: Vec<(Side, Vec<u8>)>,
    began: Duration,
    conversation: Conversation,
    of_client: Stream,
    of_server: Stream,
}

/// One direction.
#[derive(Default)]
struct Stream {
    /// The number of the next octet, once it is known.
    next: Option<u32>,
    /// What came before its turn.
    held: Vec<(u32, Vec<u8>)>,
    held_octets: usize,
    /// Where the stream ends.
    end: Option<u32>,
    has_ended: bool,
}

impl Streams {
    pub const fn new(limits: Limits, max_front: usize) -> Self {
        Self { limits, max_front, open: BTreeMap::new(), shown: 0, others: 0, has_fault: false }
    }

    /// A segment came at this time.
    pub fn received(&mut self, segment: &Segment<'_>, at: Duration, show: &Show) -> io::Result<()> {
        let ends = (segment.from.min(segment.to), segment.from.max(segment.to));
        // A client that begins anew, perhaps with an address that another connection had.
        if segment.is_first && !segment.is_answer {
            let is_repeated = self.open.get(&ends).is_some_and(|connection| {
                connection.of_client.next == Some(segment.sequence.wrapping_add(1))
                    && connection.client == segment.from
            });
            if !is_repeated {
                self.end(ends, at, show)?;
            }
        }
        if !self.open.contains_key(&ends) {
            let client = match segment {
                Segment { is_first: true, is_answer: false, .. } => segment.from,
                Segment { is_first: true, .. } => segment.to,
                Segment { octets, .. } if octets.starts_with(GET) => segment.from,
                // It began before the capture did.
                _ => return Ok(()),
            };
            if self.open.len() >= MAX_CONNECTIONS {
                return show.note(0, "too many connections at once: one is left out", Some(at));
            }
            let connection = Connection {
                client,
                number: None,
                is_other: false,
                early: Vec::new(),
                began: at,
                conversation: Conversation::new(self.limits, self.max_front),
                of_client: Stream::default(),
                of_server: Stream::default(),
            };
            self.open.insert(ends, connection);
        }
        let Some(connection) = self.open.get_mut(&ends) else { return Ok(()) };
        let from = if segment.from == connection.client { Side::Client } else { Side::Server };
        let since = at.saturating_sub(connection.began);
        let stream = match from {
            Side::Client => &mut connection.of_client,
            Side::Server => &mut connection.of_server,
        };
        let mut pieces = Vec::new();
        let is_whole = stream.received(segment, &mut pieces);
        for piece in pieces {
            if connection.number.is_none() && !connection.is_other {
                connection.early.push((from, piece));
                let asks = connection.asks();
                if asks == Some(true) {
                    self.shown = self.shown.saturating_add(1);
                    connection.number = Some(self.shown);
                    let what = format!("{} to {}", segment.from, segment.to);
                    show.note(self.shown, &what, Some(Duration::ZERO))?;
                    // What the server says answers what the client does.
                    let (of_client, of_server): (Vec<_>, Vec<_>) = std::mem::take(&mut connection.early)
                        .into_iter()
                        .partition(|(from, _)| *from == Side::Client);
                    for (from, piece) in of_client.into_iter().chain(of_server) {
                        connection.received(from, &piece, since, show)?;
                    }
                } else if asks == Some(false) {
                    connection.is_other = true;
                    connection.early.clear();
                }
            } else {
                connection.received(from, &piece, since, show)?;
            }
        }
        if !is_whole {
            connection.unread(from, since, show)?;
        }
        let stream = match from {
            Side::Client => &mut connection.of_client,
            Side::Server => &mut connection.of_server,
        };
        if segment.is_reset || stream.is_over() && !stream.has_ended {
            stream.has_ended = true;
            connection.ended(from, since, show)?;
        }
        if segment.is_reset || connection.of_client.has_ended && connection.of_server.has_ended {
            self.end(ends, at, show)?;
        }
        Ok(())
    }

    /// The capture ends. Whether all kept to the rules.
    pub fn ended(mut self, show: &Show) -> io::Result<bool> {
        let open: Vec<_> = self.open.keys().copied().collect();
        for ends in open {
            let at = self.open.get(&ends).map_or(Duration::ZERO, |connection| connection.began);
            self.end(ends, at, show)?;
        }
        if self.shown == 0 || self.others > 0 {
            let what =
                format!("{} connections ask for a WebSocket, {} others do not", self.shown, self.others);
            show.note(0, &what, None)?;
        }
        Ok(!self.has_fault)
    }

    fn end(&mut self, ends: (SocketAddr, SocketAddr), at: Duration, show: &Show) -> io::Result<()> {
        let Some(mut connection) = self.open.remove(&ends) else { return Ok(()) };
        if connection.number.is_none() {
            self.others = self.others.saturating_add(1);
            return Ok(());
        }
        let since = at.saturating_sub(connection.began);
        for from in [Side::Client, Side::Server] {
            let stream = match from {
                Side::Client => &connection.of_client,
                Side::Server => &connection.of_server,
            };
            if !stream.held.is_empty() {
                connection.unread(from, since, show)?;
            }
        }
        self.has_fault |= connection.conversation.has_fault();
        Ok(())
    }
}

impl Connection {
    /// Whether the client asks as one does that wants a WebSocket. `None` if it has not said enough, and the server not too much.
    fn asks(&self) -> Option<bool> {
        let of_client = self.early.iter().filter(|(from, _)| *from == Side::Client);
        let front: Vec<u8> = of_client.flat_map(|(_, octets)| octets).take(GET.len()).copied().collect();
        match front.len() {
            _ if self.early.len() > MAX_EARLY => Some(false),
            len if len < GET.len() && GET.starts_with(&front) => None,
            _ => Some(front == GET),
        }
    }

    fn received(&mut self, from: Side, octets: &[u8], at: Duration, show: &Show) -> io::Result<()> {
        let Some(number) = self.number else { return Ok(()) };
        let mut records = Vec::new();
        self.conversation.received(from, octets, at, &mut records);
        show.records(number, records)
    }

    /// Octets are missing, so nothing that follows can be understood.
    fn unread(&mut self, from: Side, at: Duration, show: &Show) -> io::Result<()> {
        let Some(number) = self.number else { return Ok(()) };
        let mut records = Vec::new();
        self.conversation.unread(from, "octets are missing in the capture", at, &mut records);
        show.records(number, records)
    }

    fn ended(&mut self, from: Side, at: Duration, show: &Show) -> io::Result<()> {
        let Some(number) = self.number else { return Ok(()) };
        let mut records = Vec::new();
        self.conversation.ended(from, at, &mut records);
        show.records(number, records)
    }
}

impl Stream {
    /// Puts what is next in turn into `pieces`. `false` if so much waits for octets before it that they are missing for good.
    fn received(&mut self, segment: &Segment<'_>, pieces: &mut Vec<Vec<u8>>) -> bool {
        let mut first = segment.sequence;
        if segment.is_first {
            first = first.wrapping_add(1);
            self.next.get_or_insert(first);
        }
        self.next.get_or_insert(first);
        if segment.is_last {
            self.end = Some(first.wrapping_add(u32::try_from(segment.octets.len()).unwrap_or(0)));
        }
        if !segment.octets.is_empty() {
            if self.held.len() >= MAX_PIECES
                || self.held_octets.saturating_add(segment.octets.len()) > MAX_HELD
            {
                self.held.clear();
                self.held_octets = 0;
                return false;
            }
            self.held_octets = self.held_octets.saturating_add(segment.octets.len());
            self.held.push((first, segment.octets.to_vec()));
        }
        while let Some(piece) = self.next_piece() {
            if !piece.is_empty() {
                pieces.push(piece);
            }
        }
        true
    }

    /// A piece that stands at the next octet, without what came before.
    fn next_piece(&mut self) -> Option<Vec<u8>> {
        let next = self.next?;
        // Octets of a piece that came already; `None` if others come before it.
        let known = |first: u32| {
            let known = next.wrapping_sub(first);
            (known < 1 << 31).then_some(known)
        };
        let at = self.held.iter().position(|(first, _)| known(*first).is_some())?;
        let (first, mut octets) = self.held.swap_remove(at);
        self.held_octets = self.held_octets.saturating_sub(octets.len());
        let known = usize::try_from(known(first)?).unwrap_or(usize::MAX).min(octets.len());
        let octets = octets.split_off(known);
        self.next = Some(next.wrapping_add(u32::try_from(octets.len()).unwrap_or(0)));
        Some(octets)
    }

    fn is_over(&self) -> bool {
        self.end.is_some() && self.end == self.next
    }
}
