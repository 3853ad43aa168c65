//! web-socket, over a buffered stream. It returns fragments unchanged, and the caller must check text.

use tokio::io::BufReader;
use web_socket::{DataType, Event, Stream, WebSocket};

use super::{Contender, Job, Lane, Side};
use crate::codec::memory::{Memory, now};

pub const CONTENDER: Contender = Contender {
    name: "web-socket",
    package: "web-socket",
    ours: false,
    checks_text: false,
    assembles: false,
    draws_keys_well: true,
    receive: Some(receive),
    send: Some(send),
    accept: None,
};

fn socket(job: &Job, side: Side) -> WebSocket<BufReader<Memory>> {
    let stream = BufReader::new(job.stream());
    match side {
        Side::Server => WebSocket::server(stream),
        Side::Client => WebSocket::client(stream),
    }
}

fn receive(job: &Job, side: Side) -> Lane {
    let mut socket = socket(job, side);
    let mut taker = job.taker(&CONTENDER);
    Box::new(move |messages| {
        now(async {
            let mut left = messages;
            while left > 0 {
                match socket.recv().await {
                    Ok(Event::Data { ty, data }) => {
                        let last = matches!(ty, DataType::Complete(_) | DataType::Stream(Stream::End(_)));
                        taker.piece(&data, last);
                        left -= usize::from(last);
                    }
                    other => panic!("{other:?}"),
                }
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
                socket.send(payloads.next().as_slice()).await.expect("sent");
            }
        });
    })
}
