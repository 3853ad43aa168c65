//! One end of a connection, driven like by an adapter, but over a wire on which anything may happen.

use std::cell::RefCell;
use std::rc::Rc;

use sockless::endpoint::{Action, BufferPool, Endpoint, FeedError, Ready, WriteSide};
use sockless::message::OwnedMessage;
use sockless::{MessageKind, Payload, ProtocolError, ReadyState, Role, SendError};

use super::script::Cuts;

/// How messages are taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unit {
    Message,
    Piece,
}

pub struct End<R> {
    pub endpoint: Endpoint<R>,
    pub unit: Unit,
    /// Buffers that this end shares with others. `None` if it has its own.
    pub spare: Option<Rc<RefCell<BufferPool>>>,
    /// Whether it is parked whenever possible.
    pub rests: bool,
    /// Everything that was written.
    pub sent: Vec<u8>,
    /// What was received, and how much of it was read.
    pub wire: Vec<u8>,
    pub read: usize,
    /// Whether the peer has ended its direction of the wire.
    pub peer_ended: bool,
    eof: bool,
    /// Whether this end has ended its own.
    pub ended: bool,
    pub done: bool,
    pub fed: Vec<OwnedMessage>,
    /// What was queued of a message in fragments.
    pub feeding: Option<(MessageKind, Vec<u8>)>,
    pub taken: Vec<OwnedMessage>,
    /// What was taken of a message in pieces.
    pub taking: Option<(MessageKind, Vec<u8>)>,
    pub failures: Vec<ProtocolError>,
}

impl<R: Role> End<R> {
    pub fn new(endpoint: Endpoint<R>, unit: Unit) -> Self {
        Self {
            endpoint,
            unit,
            spare: None,
            rests: false,
            sent: Vec::new(),
            wire: Vec::new(),
            read: 0,
            peer_ended: false,
            eof: false,
            ended: false,
            done: false,
            fed: Vec::new(),
            feeding: None,
            taken: Vec::new(),
            taking: None,
            failures: Vec::new(),
        }
    }

    /// Works until it waits for the wire or has read `most` octets. Returns whether anything was done.
    pub fn turn(&mut self, most: usize, cuts: &mut Cuts) -> bool {
        self.acquire();
        let progress = self.work(most, cuts);
        self.release();
        progress
    }

    fn work(&mut self, mut most: usize, cuts: &mut Cuts) -> bool {
        let mut progress = false;
        while !self.done {
            let polled = match self.unit {
                Unit::Message => self.endpoint.poll(WriteSide::Ready),
                Unit::Piece => self.endpoint.poll_piece(WriteSide::Ready),
            };
            match polled {
                Err(error) => self.failures.push(error),
                Ok(Action::Take(ready)) => self.take(ready),
                Ok(Action::Write) => {
                    let output = self.endpoint.output();
                    assert!(!output.is_empty() && !self.ended);
                    let len = output.len().min(1 + cuts.cut());
                    self.sent.extend_from_slice(&output[..len]);
                    self.endpoint.wrote(len);
                    if cuts.cut() == 3 {
                        return true; // the wire takes no more for now
                    }
                }
                Ok(Action::ShutdownWrite) => {
                    assert!(!std::mem::replace(&mut self.ended, true));
                    self.endpoint.write_ended();
                }
                Ok(Action::Read) if self.read < self.wire.len() && most > 0 => {
                    let rest = &self.wire[self.read..];
                    let space = self.endpoint.space();
                    let len = rest.len().min(space.len()).min(most).min(1 + cuts.cut());
                    space[..len].copy_from_slice(&rest[..len]);
                    self.endpoint.filled(len);
                    self.read += len;
                    most -= len;
                }
                Ok(Action::Read) if self.read == self.wire.len() && self.peer_ended => {
                    assert!(!std::mem::replace(&mut self.eof, true), "it reads on after the end");
                    self.endpoint.eof();
                }
                Ok(Action::Read) => break,
                Ok(Action::Yield) => {}
                Ok(Action::Close) => self.done = true,
            }
            progress = true;
        }
        progress
    }

    fn acquire(&mut self) {
        if let Some(spare) = &self.spare {
            self.endpoint.acquire(&mut spare.borrow_mut());
        }
    }

    fn release(&mut self) {
        if let Some(spare) = &self.spare {
            self.endpoint.release(&mut spare.borrow_mut());
        }
        if self.rests {
            if let Some(rest) = self.endpoint.park() {
                self.endpoint.unpark(rest);
            }
        }
    }

    fn take(&mut self, ready: Ready) {
        match self.unit {
            Unit::Message => match self.endpoint.message(ready) {
                Ok(message) => self.taken.push(message.expect("it was announced").into()),
                Err(error) => self.failures.push(error),
            },
            Unit::Piece => match self.endpoint.piece(ready) {
                Ok(piece) => {
                    let piece = piece.expect("it was announced");
                    assert_eq!(piece.is_first(), self.taking.is_none());
                    assert!(piece.as_str().map_or(true, |text| text.as_bytes() == piece.as_bytes()));
                    let (kind, octets) = self.taking.get_or_insert((piece.kind(), Vec::new()));
                    assert_eq!(*kind, piece.kind());
                    octets.extend_from_slice(piece.as_bytes());
                    if piece.is_last() {
                        self.taken.extend(self.taking.take().map(owned));
                    }
                }
                Err(error) => self.failures.push(error),
            },
        }
    }

    /// Queues a message, or a fragment of one, and notes what the peer must receive.
    pub fn feed(&mut self, payload: Payload<'_>, whole: bool, fin: bool) {
        self.acquire();
        let outbound = self.endpoint.outbound();
        let result = if whole { outbound.feed(payload) } else { outbound.feed_fragment(payload, fin) };
        match result {
            Ok(()) => {
                let (kind, octets) = self.feeding.get_or_insert((payload.kind(), Vec::new()));
                assert_eq!(*kind, payload.kind());
                octets.extend_from_slice(payload.as_bytes());
                if fin {
                    self.fed.extend(self.feeding.take().map(owned));
                }
            }
            Err(error) => self.refused(error, payload.kind()),
        }
        self.release();
    }

    /// It may only be refused for a good reason.
    pub fn refused(&self, error: FeedError, kind: MessageKind) {
        match error {
            FeedError::Full { queued, .. } => assert!(queued > 0),
            FeedError::Send(SendError::Closed) => assert_ne!(self.endpoint.ready_state(), ReadyState::Open),
            FeedError::Send(SendError::MessageInProgress) => {
                assert!(self.feeding.as_ref().is_some_and(|(other, _)| *other != kind));
            }
            other => panic!("{other:?}"),
        }
    }

    /// Its frames: the first octet, and the unmasked payload.
    pub fn frames(&self) -> Vec<(u8, Vec<u8>)> {
        let mut frames = Vec::new();
        let mut rest = &self.sent[..];
        while let [first, second, after @ ..] = rest {
            let (len, after) = match second & 0x7F {
                126 => (usize::from(u16::from_be_bytes([after[0], after[1]])), &after[2..]),
                127 => panic!("nothing is that long"),
                len => (usize::from(len), after),
            };
            let (key, after) =
                if second & 0x80 == 0 { ([0; 4], after) } else { (super::endpoint::KEY, &after[4..]) };
            let payload = after[..len].iter().zip(key.iter().cycle()).map(|(octet, key)| octet ^ key);
            frames.push((*first, payload.collect()));
            rest = &after[len..];
        }
        assert!(rest.is_empty());
        frames
    }
}

fn owned((kind, octets): (MessageKind, Vec<u8>)) -> OwnedMessage {
    match kind {
        MessageKind::Text => String::from_utf8(octets).expect("it was checked").into(),
        MessageKind::Binary => octets.into(),
    }
}
