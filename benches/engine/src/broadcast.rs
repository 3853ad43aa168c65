//! Broadcast: one `Prepared` message to many endpoints.

use std::hint::black_box;

use sockless::endpoint::{Action, Buffers, Endpoint, WriteSide};
use sockless::message::Prepared;
use sockless::{Config, Server};

use crate::payload::Kind;
use crate::Workload;

/// A message, and how many endpoints it is sent to.
pub struct Broadcast {
    kind: Kind,
    payload: Vec<u8>,
    endpoints: usize,
}

/// A message is encoded once, and queued for and written by each of `endpoints`.
pub fn prepared(kind: Kind, len: usize, endpoints: usize) -> Broadcast {
    Broadcast { kind, payload: kind.octets(len), endpoints }
}

/// The receivers, and what was written for the last one.
pub struct State {
    endpoints: Vec<Endpoint<Server>>,
    written: usize,
}

impl Broadcast {
    /// Encodes the message.
    fn encoded(&self) -> Prepared {
        Prepared::new(self.kind.payload(&self.payload))
    }

    fn send(&self, endpoints: &mut [Endpoint<Server>], mut write: impl FnMut(&[u8])) {
        let message = black_box(self).encoded();
        for endpoint in endpoints {
            endpoint.outbound().feed_prepared(&message).expect("there is room");
            while let Ok(Action::Write) = endpoint.poll(WriteSide::Ready) {
                let output = endpoint.output();
                let len = output.len();
                write(output);
                endpoint.wrote(len);
            }
        }
    }
}

impl Workload for Broadcast {
    type State = State;

    fn count(&self) -> usize {
        self.endpoints
    }

    fn as_bytes(&self) -> usize {
        self.endpoints * self.payload.len()
    }

    fn ready(&self) -> State {
        let endpoint = || Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]);
        let mut endpoints: Vec<_> = std::iter::repeat_with(endpoint).take(self.endpoints).collect();
        // Lets the buffers grow first.
        self.send(&mut endpoints, |_| {});
        State { endpoints, written: 0 }
    }

    #[inline(never)]
    fn run(&self, state: &mut State) {
        let written = &mut state.written;
        self.send(&mut state.endpoints, |output| *written += black_box(output).len());
    }

    fn check(&self, state: &mut State) {
        let expected = self.encoded();
        assert!(expected.frame().ends_with(&self.payload));
        assert_eq!(state.written, self.endpoints * expected.frame().len());
        self.send(&mut state.endpoints, |output| assert_eq!(output, expected.frame()));
    }
}
