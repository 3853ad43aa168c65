//! ratchet_rs. The caller must check text.

use bytes::BytesMut;
use ratchet_rs::{NoExt, NoExtProvider, Role, SubprotocolRegistry, WebSocket, WebSocketConfig};

use super::{Contender, Job, Lane, Side};
use crate::codec::memory::{Memory, now};

pub const CONTENDER: Contender = Contender {
    name: "ratchet_rs",
    package: "ratchet_rs",
    ours: false,
    checks_text: false,
    assembles: true,
    draws_keys_well: false,
    receive: Some(receive),
    send: Some(send),
    accept: Some(accept),
};

fn socket(job: &Job, side: Side) -> WebSocket<Memory, NoExt> {
    let role = match side {
        Side::Server => Role::Server,
        Side::Client => Role::Client,
    };
    WebSocket::from_upgraded(WebSocketConfig::default(), job.stream(), None, BytesMut::new(), role)
}

fn receive(job: &Job, side: Side) -> Lane {
    let mut socket = socket(job, side);
    let mut taker = job.taker(&CONTENDER);
    let mut message = BytesMut::new();
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                message.clear();
                socket.read(&mut message).await.expect("a message");
                taker.message(&message);
            }
        });
    })
}

fn send(job: &Job, side: Side) -> Lane {
    let mut socket = socket(job, side);
    let mut payloads = job.payloads();
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                socket.write_binary(payloads.next()).await.expect("sent");
            }
        });
    })
}

fn accept(job: &Job) -> Lane {
    let stream = job.stream();
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                let upgrader = ratchet_rs::accept_with(
                    stream.clone(),
                    WebSocketConfig::default(),
                    NoExtProvider,
                    SubprotocolRegistry::default(),
                );
                upgrader.await.expect("a request").upgrade().await.expect("accepted");
            }
        });
    })
}
