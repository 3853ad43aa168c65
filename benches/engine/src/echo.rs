//! The message layer: an `Endpoint` that echoes what it reads, in bursts.

use std::hint::black_box;

use sockless::endpoint::{Action, Buffers, Endpoint, WriteSide};
use sockless::{Client, Config, Server, Writer};

use crate::payload::Kind;
use crate::{Keys, Workload};

/// Equal messages, several in each read.
pub struct Echo {
    /// The bytes of one read.
    burst: Vec<u8>,
    /// The expected answer.
    answer: Vec<u8>,
    payload: usize,
    pipelined: usize,
    count: usize,
}

/// A server echoes `count` messages, `pipelined` of them in each read.
pub fn server(kind: Kind, len: usize, pipelined: usize, count: usize) -> Echo {
    let payload = kind.octets(len);
    let (mut client, mut server) = (Writer::new(Client::new(Keys::new())), Writer::new(Server));
    let (mut burst, mut answer) = (Vec::new(), Vec::new());
    for _ in 0..pipelined {
        let (asked, answered) = (burst.len(), answer.len());
        burst.resize(asked + client.encoded_len(len), 0);
        answer.resize(answered + server.encoded_len(len), 0);
        client.encode(kind.payload(&payload), true, &mut burst[asked..]).expect("there is room");
        server.encode(kind.payload(&payload), true, &mut answer[answered..]).expect("there is room");
    }
    assert_eq!(count % pipelined, 0, "whole bursts");
    Echo { burst, answer, payload: len, pipelined, count }
}

/// An endpoint, and how much it wrote.
pub struct State {
    endpoint: Endpoint<Server>,
    written: usize,
}

impl State {
    /// Reads a burst, and writes the answers.
    #[inline(always)]
    fn echo(&mut self, burst: &[u8], mut write: impl FnMut(&[u8])) {
        let mut rest = burst;
        let endpoint = &mut self.endpoint;
        loop {
            match endpoint.poll(WriteSide::Ready).expect("the frames are right") {
                Action::Take(ready) => {
                    let (inbound, outbound) = endpoint.split_mut();
                    let message = inbound.message(ready).expect("it is right").expect("it is whole");
                    outbound.feed(message).expect("there is room");
                }
                Action::Write => {
                    let output = endpoint.output();
                    let len = output.len();
                    write(output);
                    endpoint.wrote(len);
                    self.written += len;
                }
                Action::Read if rest.is_empty() => return,
                Action::Read => {
                    let space = endpoint.space();
                    let (read, later) = rest.split_at(rest.len().min(space.len()));
                    space[..read.len()].copy_from_slice(read);
                    endpoint.filled(read.len());
                    rest = later;
                }
                Action::Yield => {} // to nobody
                Action::ShutdownWrite | Action::Close => unreachable!("nobody closed"),
            }
        }
    }
}

impl Workload for Echo {
    type State = State;

    fn count(&self) -> usize {
        self.count
    }

    fn as_bytes(&self) -> usize {
        self.count * self.payload
    }

    fn ready(&self) -> State {
        let endpoint = Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]);
        let mut state = State { endpoint, written: 0 };
        // Lets the buffers grow first.
        state.echo(&self.burst, |_| {});
        state.written = 0;
        state
    }

    #[inline(never)]
    fn run(&self, state: &mut State) {
        for _ in 0..self.count / self.pipelined {
            state.echo(black_box(&self.burst), |output| {
                black_box(output);
            });
        }
    }

    fn check(&self, state: &mut State) {
        assert_eq!(state.written, self.count / self.pipelined * self.answer.len());
        let mut written = Vec::new();
        state.echo(&self.burst, |output| written.extend_from_slice(output));
        assert_eq!(written, self.answer);
    }
}
