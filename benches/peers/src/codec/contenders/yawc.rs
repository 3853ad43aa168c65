//! yawc, with its text check on. Its opening handshake is hyper's, and not measured.

use futures_util::SinkExt;
use yawc::{Frame, Options, Role, WebSocket};

use super::{Contender, Job, Lane, Side};
use crate::codec::memory::{Memory, now};

pub const CONTENDER: Contender = Contender {
    name: "yawc",
    package: "yawc",
    ours: false,
    checks_text: true,
    assembles: true,
    draws_keys_well: true,
    receive: Some(receive),
    send: Some(send),
    accept: None,
};

fn socket(job: &Job, side: Side) -> WebSocket<Memory> {
    let role = match side {
        Side::Server => Role::Server,
        Side::Client => Role::Client,
    };
    // Its limits are exclusive, and one mebibyte by default.
    let options = Options::default().without_compression().with_utf8().with_limits(16 << 20, 32 << 20);
    WebSocket::from_stream(job.stream(), role, options).expect("a connection")
}

fn receive(job: &Job, side: Side) -> Lane {
    let mut socket = socket(job, side);
    let mut taker = job.taker(&CONTENDER);
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                taker.message(socket.next_frame().await.expect("a message").payload());
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
                socket.send(Frame::binary(payloads.next().clone())).await.expect("sent");
            }
        });
    })
}
