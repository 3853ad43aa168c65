//! This crate with its buffers: `Endpoint`, whole messages.

use sockless::endpoint::{Action, BufferPool, Buffers, Endpoint, WriteSide};
use sockless::{Client, Config, Payload, Role, Server, SystemEntropy};

use super::{Contender, Job, Lane, Side};

pub const CONTENDER: Contender = Contender {
    name: "sockless Endpoint",
    package: "sockless",
    ours: true,
    checks_text: true,
    assembles: true,
    draws_keys_well: true,
    receive: Some(|job, side| match side {
        Side::Server => receive(job, Server),
        Side::Client => receive(job, Client::new(SystemEntropy::new())),
    }),
    send: Some(|job, side| match side {
        Side::Server => send(job, Server),
        Side::Client => send(job, Client::new(SystemEntropy::new())),
    }),
    accept: None,
};

fn receive<R: Role + 'static>(job: &Job, role: R) -> Lane {
    let mut endpoint = Endpoint::new(role, Config::new(), Buffers::DEFAULT, &[]);
    let mut spare = BufferPool::new();
    let mut source = job.source();
    let mut taker = job.taker(&CONTENDER);
    Box::new(move |messages| {
        let mut left = messages;
        while left > 0 {
            match endpoint.poll(WriteSide::Ready).expect("no failure") {
                Action::Take(ready) => {
                    let message = endpoint.message(ready).expect("no failure").expect("a message");
                    taker.message(message.as_bytes());
                    left -= 1;
                }
                Action::Read => {
                    let (inbound, _) = endpoint.split_mut();
                    inbound.acquire(&mut spare);
                    let read = source.read(inbound.space());
                    inbound.filled(read);
                }
                Action::Yield => {}
                other => panic!("{other:?}"),
            }
        }
    })
}

fn send<R: Role + 'static>(job: &Job, role: R) -> Lane {
    let mut endpoint = Endpoint::new(role, Config::new(), Buffers::DEFAULT, &[]);
    let mut payloads = job.payloads();
    let wire = job.wire();
    Box::new(move |messages| {
        for _ in 0..messages {
            endpoint.outbound().feed(Payload::binary(payloads.next())).expect("room");
            let output = endpoint.output();
            wire.write(output);
            let len = output.len();
            endpoint.wrote(len);
        }
    })
}
