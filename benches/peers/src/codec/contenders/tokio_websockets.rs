//! tokio-websockets.

use futures_util::{SinkExt, StreamExt};
use tokio_websockets::{ClientBuilder, Message, ServerBuilder, WebSocketStream};

use super::{Contender, Job, Lane, Side};
use crate::codec::memory::{Memory, now};

pub const CONTENDER: Contender = Contender {
    name: "tokio-websockets",
    package: "tokio-websockets",
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
        Side::Server => ServerBuilder::new().serve(job.stream()),
        Side::Client => ClientBuilder::new().take_over(job.stream()),
    }
}

fn receive(job: &Job, side: Side) -> Lane {
    let mut socket = socket(job, side);
    let mut taker = job.taker(&CONTENDER);
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                taker.message(socket.next().await.expect("open").expect("a message").as_payload());
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
                socket.send(Message::binary(payloads.next().clone())).await.expect("sent");
            }
        });
    })
}

fn accept(job: &Job) -> Lane {
    let stream = job.stream();
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                ServerBuilder::new().accept(stream.clone()).await.expect("accepted");
            }
        });
    })
}
