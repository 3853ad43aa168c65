//! fastwebsockets. Its opening handshake is hyper's, and not measured.

use fastwebsockets::{FragmentCollector, Frame, Payload, Role, WebSocket};

use super::{Contender, Job, Lane, Side};
use crate::codec::memory::now;

pub const CONTENDER: Contender = Contender {
    name: "fastwebsockets",
    package: "fastwebsockets",
    ours: false,
    checks_text: true,
    assembles: true,
    draws_keys_well: true,
    receive: Some(receive),
    send: Some(send),
    accept: None,
};

const fn role(side: Side) -> Role {
    match side {
        Side::Server => Role::Server,
        Side::Client => Role::Client,
    }
}

fn receive(job: &Job, side: Side) -> Lane {
    let mut socket = FragmentCollector::new(WebSocket::after_handshake(job.stream(), role(side)));
    let mut taker = job.taker(&CONTENDER);
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                taker.message(&socket.read_frame().await.expect("a frame").payload);
            }
        });
    })
}

fn send(job: &Job, side: Side) -> Lane {
    let mut socket = WebSocket::after_handshake(job.stream(), role(side));
    let mut payloads = job.payloads();
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                let payload = Payload::Borrowed(payloads.next());
                socket.write_frame(Frame::binary(payload)).await.expect("sent");
            }
        });
    })
}
