//! sockudo-ws.

use futures_util::{SinkExt, StreamExt};
use sockudo_ws::handshake::server_handshake;
use sockudo_ws::{Config, Message, WebSocketStream};

use super::{Contender, Job, Lane, Side};
use crate::codec::memory::{Memory, now};

pub const CONTENDER: Contender = Contender {
    name: "sockudo-ws",
    package: "sockudo-ws",
    ours: false,
    checks_text: true,
    assembles: true,
    draws_keys_well: false,
    receive: Some(receive),
    send: Some(send),
    accept: Some(accept),
};

fn socket(job: &Job, side: Side) -> WebSocketStream<Memory> {
    match side {
        Side::Server => WebSocketStream::server(job.stream(), Config::default()),
        Side::Client => WebSocketStream::client(job.stream(), Config::default()),
    }
}

fn receive(job: &Job, side: Side) -> Lane {
    let mut socket = socket(job, side);
    let mut taker = job.taker(&CONTENDER);
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                match socket.next().await {
                    Some(Ok(Message::Text(octets) | Message::Binary(octets))) => taker.message(&octets),
                    other => panic!("{other:?}"),
                }
            }
        });
    })
}

fn send(job: &Job, side: Side) -> Lane {
    let mut socket = socket(job, side);
    let mut payloads = job.shared();
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                socket.send(Message::Binary(payloads.next().clone())).await.expect("sent");
            }
        });
    })
}

fn accept(job: &Job) -> Lane {
    let stream = job.stream();
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                server_handshake(&mut stream.clone()).await.expect("accepted");
            }
        });
    })
}
