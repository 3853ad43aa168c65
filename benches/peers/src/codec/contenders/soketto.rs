//! soketto. The caller must check text.

use soketto::connection::{Builder, Mode, Receiver, Sender};
use soketto::handshake::Server;
use soketto::handshake::server::Response;

use super::{Contender, Job, Lane, Side};
use crate::codec::memory::{Memory, now};

pub const CONTENDER: Contender = Contender {
    name: "soketto",
    package: "soketto",
    ours: false,
    checks_text: false,
    assembles: true,
    draws_keys_well: true,
    receive: Some(receive),
    send: Some(send),
    accept: Some(accept),
};

fn socket(job: &Job, side: Side) -> (Sender<Memory>, Receiver<Memory>) {
    let mode = match side {
        Side::Server => Mode::Server,
        Side::Client => Mode::Client,
    };
    Builder::new(job.stream(), mode).finish()
}

fn receive(job: &Job, side: Side) -> Lane {
    let (_sender, mut receiver) = socket(job, side);
    let mut taker = job.taker(&CONTENDER);
    let mut message = Vec::new();
    Box::new(move |messages| {
        let _ = &_sender;
        now(async {
            for _ in 0..messages {
                message.clear();
                receiver.receive_data(&mut message).await.expect("a message");
                taker.message(&message);
            }
        });
    })
}

fn send(job: &Job, side: Side) -> Lane {
    let (mut sender, _receiver) = socket(job, side);
    let mut payloads = job.payloads();
    Box::new(move |messages| {
        let _ = &_receiver;
        now(async {
            for _ in 0..messages {
                sender.send_binary(payloads.next()).await.expect("sent");
                sender.flush().await.expect("flushed");
            }
        });
    })
}

fn accept(job: &Job) -> Lane {
    let stream = job.stream();
    Box::new(move |messages| {
        now(async {
            for _ in 0..messages {
                let mut server = Server::new(stream.clone());
                let key = server.receive_request().await.expect("a request").key();
                let response = Response::Accept { key, protocol: None };
                server.send_response(&response).await.expect("accepted");
            }
        });
    })
}
