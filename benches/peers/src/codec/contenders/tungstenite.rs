//! tungstenite, over a blocking stream.

use tungstenite::protocol::{Role, WebSocket};
use tungstenite::{Message, accept as tungstenite_accept};

use super::{Contender, Job, Lane, Side};

pub const CONTENDER: Contender = Contender {
    name: "tungstenite",
    package: "tungstenite",
    ours: false,
    checks_text: true,
    assembles: true,
    draws_keys_well: true,
    receive: Some(receive),
    send: Some(send),
    accept: Some(accept),
};

const fn role(side: Side) -> Role {
    match side {
        Side::Server => Role::Server,
        Side::Client => Role::Client,
    }
}

fn receive(job: &Job, side: Side) -> Lane {
    let mut socket = WebSocket::from_raw_socket(job.stream(), role(side), None);
    let mut taker = job.taker(&CONTENDER);
    Box::new(move |messages| {
        for _ in 0..messages {
            match socket.read() {
                Ok(Message::Binary(octets)) => taker.message(&octets),
                Ok(Message::Text(text)) => taker.message(text.as_bytes()),
                other => panic!("{other:?}"),
            }
        }
    })
}

fn send(job: &Job, side: Side) -> Lane {
    let mut socket = WebSocket::from_raw_socket(job.stream(), role(side), None);
    let mut payloads = job.shared();
    Box::new(move |messages| {
        for _ in 0..messages {
            socket.send(Message::Binary(payloads.next().clone())).expect("sent");
        }
    })
}

fn accept(job: &Job) -> Lane {
    let stream = job.stream();
    Box::new(move |messages| {
        for _ in 0..messages {
            tungstenite_accept(stream.clone()).expect("accepted");
        }
    })
}
