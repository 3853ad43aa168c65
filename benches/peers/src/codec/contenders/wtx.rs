//! wtx. It masks in place, so a payload that must not change has to be copied first.

use wtx::collection::Vector;
use wtx::rng::{Xorshift64, simple_seed};
use wtx::web_socket::{
    Frame, OpCode, WebSocketAcceptor, WebSocketBuffer, WebSocketOwned, WebSocketPayloadOrigin,
};

use super::{Contender, Job, Lane, Side};
use crate::codec::memory::{Memory, now};

pub const CONTENDER: Contender = Contender {
    name: "wtx",
    package: "wtx",
    ours: false,
    checks_text: true,
    assembles: true,
    draws_keys_well: false,
    receive: Some(|job, side| match side {
        Side::Server => receive(job, socket::<false>(job)),
        Side::Client => receive(job, socket::<true>(job)),
    }),
    send: Some(|job, side| match side {
        Side::Server => send(job, socket::<false>(job)),
        Side::Client => send(job, socket::<true>(job)),
    }),
    accept: Some(accept),
};

type Socket<const IS_CLIENT: bool> = WebSocketOwned<(), Xorshift64, Memory, IS_CLIENT>;

fn socket<const IS_CLIENT: bool>(job: &Job) -> Socket<IS_CLIENT> {
    // It has only an xorshift generator, whose masking keys are predictable.
    let rng = Xorshift64::from(simple_seed());
    Socket::new((), false, rng, job.stream(), WebSocketBuffer::new())
}

fn receive<const IS_CLIENT: bool>(job: &Job, mut socket: Socket<IS_CLIENT>) -> Lane {
    let mut taker = job.taker(&CONTENDER);
    let mut buffer = Vector::new();
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                buffer.clear();
                let frame = socket.read_frame(&mut buffer, WebSocketPayloadOrigin::Adaptive).await;
                taker.message(frame.expect("a message").payload());
            }
        });
    })
}

fn send<const IS_CLIENT: bool>(job: &Job, mut socket: Socket<IS_CLIENT>) -> Lane {
    let mut payloads = job.payloads();
    let mut copy = job.frame_buffer();
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                let mut payload = payloads.next().as_mut_slice();
                if IS_CLIENT {
                    let len = payload.len();
                    copy[..len].copy_from_slice(payload);
                    payload = &mut copy[..len];
                }
                let mut frame = Frame::new_fin(OpCode::Binary, payload);
                socket.write_frame(&mut frame).await.expect("sent");
            }
        });
    })
}

fn accept(job: &Job) -> Lane {
    let stream = job.stream();
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                WebSocketAcceptor::default().accept(stream.clone()).await.expect("accepted");
            }
        });
    })
}
