//! Receiving: a stream of frames through a `Connection`, in reads of a given size.

use std::hint::black_box;
use std::ops::Range;

use sockless::{Client, Config, Connection, Event, Input, Limits, Payload, Role, Server, Writer};

use crate::payload::Kind;
use crate::{Keys, Workload};

/// The length of a read unless stated otherwise: the default of an endpoint.
const READ: usize = 16 << 10;

/// A stream of equal messages, and who receives it.
pub struct Receive<R> {
    role: R,
    payload: Vec<u8>,
    count: usize,
    read: usize,
    stream: Vec<u8>,
    /// Where the payload of each frame is in the stream.
    payloads: Vec<Range<usize>>,
}

/// A server receives masked frames.
pub fn server(kind: Kind, len: usize, count: usize) -> Receive<Server> {
    Receive::new(Server, Writer::new(Client::new(Keys::new())), kind, len, 1, count)
}

/// A client receives frames that are not masked.
pub fn client(kind: Kind, len: usize, count: usize) -> Receive<Client<Keys>> {
    Receive::new(Client::new(Keys::new()), Writer::new(Server), kind, len, 1, count)
}

/// A server receives messages in masked fragments.
pub fn fragments(kind: Kind, len: usize, fragments: usize, count: usize) -> Receive<Server> {
    Receive::new(Server, Writer::new(Client::new(Keys::new())), kind, len, fragments, count)
}

impl<R: Role + Copy> Receive<R> {
    fn new<P: Role>(
        role: R,
        mut peer: Writer<P>,
        kind: Kind,
        len: usize,
        fragments: usize,
        count: usize,
    ) -> Self {
        let payload = kind.octets(len);
        let (mut stream, mut payloads) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let mut rest = payload.as_slice();
            for left in (1..=fragments).rev() {
                let (fragment, others) = rest.split_at(rest.len() / left);
                rest = others;
                let from = stream.len();
                stream.resize(from + peer.encoded_len(fragment.len()), 0);
                let fragment_payload = match fragments {
                    1 => kind.payload(fragment),
                    _ => Payload::binary(fragment),
                };
                peer.encode(fragment_payload, left == 1, &mut stream[from..]).expect("it can be sent");
                payloads.push(stream.len() - fragment.len()..stream.len());
            }
        }
        Self { role, payload, count, read: READ, stream, payloads }
    }

    /// In reads of `octets`.
    pub fn in_reads_of(mut self, octets: usize) -> Self {
        self.read = octets;
        self
    }

    /// A frame in each read.
    pub fn frame_by_frame(self) -> Self {
        let frame = self.stream.len() / self.payloads.len();
        self.in_reads_of(frame)
    }
}

/// A connection, its input, and what it reported.
pub struct State<R> {
    connection: Connection<R>,
    stream: Vec<u8>,
    octets: usize,
    messages: usize,
}

impl<R: Role + Copy> Workload for Receive<R> {
    type State = State<R>;

    fn count(&self) -> usize {
        self.count
    }

    fn as_bytes(&self) -> usize {
        self.count * self.payload.len()
    }

    fn ready(&self) -> State<R> {
        let config = Config::new().with_limits(Limits::DEFAULT);
        let connection = Connection::new(self.role, config);
        State { connection, stream: self.stream.clone(), octets: 0, messages: 0 }
    }

    #[inline(never)]
    fn run(&self, state: &mut State<R>) {
        for read in state.stream.chunks_mut(self.read) {
            let mut input = Input::new(read);
            while let Some(event) = state.connection.recv(&mut input).expect("the stream is right") {
                if let Event::Data(data) = event {
                    state.octets += black_box(data.as_bytes()).len();
                    state.messages += usize::from(data.is_last());
                }
            }
        }
    }

    fn check(&self, state: &mut State<R>) {
        assert_eq!((state.messages, state.octets), (self.count, self.as_bytes()));
        // It is unmasked in place.
        let mut expected = self.payload.iter().cycle();
        for range in &self.payloads {
            assert!(state.stream[range.clone()].iter().eq(expected.by_ref().take(range.len())), "{range:?}");
        }
    }
}
