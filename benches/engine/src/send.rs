//! Sending: messages through a `Writer` into a buffer, or as slices.

use std::hint::black_box;

use sockless::frame::{FrameHeader, Masker};
use sockless::{Client, Role, Server, SystemEntropy, Writer};

use crate::payload::Kind;
use crate::{Keys, Workload};

/// Equal messages and their sender, each written over the one before.
pub struct Send<R> {
    role: fn() -> R,
    kind: Kind,
    payload: Vec<u8>,
    fragments: usize,
    count: usize,
}

/// A server sends.
pub fn server(kind: Kind, len: usize, count: usize) -> Send<Server> {
    Send { role: || Server, kind, payload: kind.octets(len), fragments: 1, count }
}

/// A client sends, and masks.
pub fn client(kind: Kind, len: usize, count: usize) -> Send<Client<Keys>> {
    let role = || Client::new(Keys::new());
    Send { role, kind, payload: kind.octets(len), fragments: 1, count }
}

/// A client sends with unpredictable masking keys.
pub fn unpredictable(kind: Kind, len: usize, count: usize) -> Send<Client<SystemEntropy>> {
    let role = || Client::new(SystemEntropy::new());
    Send { role, kind, payload: kind.octets(len), fragments: 1, count }
}

/// A client sends messages in fragments.
pub fn fragments(len: usize, fragments: usize, count: usize) -> Send<Client<Keys>> {
    Send { fragments, ..client(Kind::Binary, len, count) }
}

/// A writer, and the last message that it wrote.
pub struct State<R> {
    writer: Writer<R>,
    out: Vec<u8>,
    written: usize,
}

impl<R: Role> Workload for Send<R> {
    type State = State<R>;

    fn count(&self) -> usize {
        self.count
    }

    fn as_bytes(&self) -> usize {
        self.count * self.payload.len()
    }

    fn ready(&self) -> State<R> {
        let room = self.payload.len() + self.fragments * FrameHeader::MAX_LEN;
        let mut writer = Writer::new((self.role)());
        let mut out = vec![0; room];
        // The first key may cost more than the others.
        writer.encode(self.kind.payload(&self.payload), true, &mut out).expect("there is room");
        State { writer, out, written: 0 }
    }

    #[inline(never)]
    fn run(&self, state: &mut State<R>) {
        let payload = self.kind.payload(&self.payload);
        for _ in 0..self.count {
            let mut out = black_box(state.out.as_mut_slice());
            if self.fragments == 1 {
                state.written = state.writer.encode(black_box(payload), true, out).expect("there is room");
                continue;
            }
            let mut fragments = self.payload.chunks(self.payload.len() / self.fragments).peekable();
            state.written = 0;
            while let Some(fragment) = fragments.next() {
                let fin = fragments.peek().is_none();
                let len = state.writer.encode(fragment.into(), fin, out).expect("there is room");
                out = &mut out[len..];
                state.written += len;
            }
        }
    }

    fn check(&self, state: &mut State<R>) {
        assert_eq!(unframed(&mut state.out[..state.written]), (self.payload.clone(), self.fragments));
    }
}

/// The payload of a message, and the number of its frames.
fn unframed(mut bytes: &mut [u8]) -> (Vec<u8>, usize) {
    let (mut message, mut frames) = (Vec::new(), 0);
    while !bytes.is_empty() {
        let (header, len) = FrameHeader::decode(bytes).expect("a header");
        let (payload, rest) =
            bytes[len..].split_at_mut(usize::try_from(header.payload_len).expect("it fits"));
        if let Some(key) = header.masking_key {
            Masker::new(key).apply(payload);
        }
        message.extend_from_slice(payload);
        frames += 1;
        bytes = rest;
        assert_eq!(header.fin, bytes.is_empty());
    }
    (message, frames)
}

/// A server sends without a copy: a header, and the payload itself.
pub struct Slices(Send<Server>);

/// A server sends without a copy.
pub fn slices(kind: Kind, len: usize, count: usize) -> Slices {
    Slices(server(kind, len, count))
}

impl Workload for Slices {
    type State = State<Server>;

    fn count(&self) -> usize {
        self.0.count()
    }

    fn as_bytes(&self) -> usize {
        self.0.as_bytes()
    }

    fn ready(&self) -> State<Server> {
        self.0.ready()
    }

    #[inline(never)]
    fn run(&self, state: &mut State<Server>) {
        let payload = self.0.kind.payload(&self.0.payload);
        for _ in 0..self.0.count {
            let frame = state.writer.frame(black_box(payload), true).expect("it can be sent");
            state.written = black_box(frame.as_slices()).map(<[u8]>::len).iter().sum();
        }
    }

    fn check(&self, state: &mut State<Server>) {
        let frame = state.writer.frame(self.0.kind.payload(&self.0.payload), true).expect("it can be sent");
        let mut bytes = frame.as_slices().concat();
        assert_eq!(state.written, bytes.len());
        assert_eq!(unframed(&mut bytes), (self.0.payload.clone(), 1));
    }
}
