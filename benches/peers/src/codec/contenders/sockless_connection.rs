//! This crate without its buffers: `Connection`, and the opening handshake in the caller's storage.

use sockless::handshake::server::{ServerHandshake, ServerProgress};
use sockless::handshake::{HeadLimits, OriginPolicy};
use sockless::{Client, Config, Connection, Event, Input, Payload, Role, Server, SystemEntropy};

use super::{Contender, Job, Lane, READ, ReadBuffer, Side};

pub const CONTENDER: Contender = Contender {
    name: "sockless",
    package: "sockless",
    ours: true,
    checks_text: true,
    assembles: false,
    draws_keys_well: true,
    receive: Some(|job, side| match side {
        Side::Server => receive(job, Server),
        Side::Client => receive(job, Client::new(SystemEntropy::new())),
    }),
    send: Some(|job, side| match side {
        Side::Server if job.workload.case.len <= COPIED => send(job, Server),
        Side::Server => send_slices(job),
        Side::Client => send(job, Client::new(SystemEntropy::new())),
    }),
    accept: Some(accept),
};

/// Up to this payload length, a copy is cheaper than a second slice.
const COPIED: usize = 256;

fn receive<R: Role + 'static>(job: &Job, role: R) -> Lane {
    let mut connection = Connection::new(role, Config::new());
    let mut source = job.source();
    let mut taker = job.taker(&CONTENDER);
    let mut buffer = ReadBuffer::new();
    // Received, but not asked for yet.
    let mut unread = 0..0;
    Box::new(move |messages| {
        let ReadBuffer(buffer) = &mut *buffer;
        let mut left = messages;
        let mut end = unread.end;
        let mut input = Input::new(&mut buffer[unread.clone()]);
        loop {
            while input.remaining() > 0 {
                match connection.recv(&mut input) {
                    Ok(Some(Event::Data(data))) if !data.is_last() => taker.piece(data.as_bytes(), false),
                    Ok(Some(Event::Data(data))) => {
                        taker.piece(data.as_bytes(), true);
                        left -= 1;
                        if left == 0 {
                            assert!(!connection.wants_transmit());
                            unread = end - input.remaining()..end;
                            return;
                        }
                    }
                    Ok(None) => {}
                    // Only these may owe an answer, and the workload has none.
                    Ok(Some(_)) => panic!("more than messages"),
                    Err(error) => panic!("{error}"),
                }
            }
            end = source.read(buffer);
            input = Input::new(&mut buffer[..end]);
        }
    })
}

/// A server's frame needs no copy: header and payload are two slices.
fn send_slices(job: &Job) -> Lane {
    let mut connection = Connection::new(Server, Config::new());
    let mut payloads = job.payloads();
    let wire = job.wire();
    Box::new(move |messages| {
        for _ in 0..messages {
            let payload = Payload::binary(payloads.next());
            let frame = connection.writer().frame(payload, true).expect("a frame");
            frame.as_slices().into_iter().for_each(|slice| wire.write(slice));
        }
    })
}

/// A short payload is copied after its header, like one that must be masked.
fn send<R: Role + 'static>(job: &Job, role: R) -> Lane {
    let mut connection = Connection::new(role, Config::new());
    let mut payloads = job.payloads();
    let wire = job.wire();
    let mut buffer = job.frame_buffer();
    Box::new(move |messages| {
        for _ in 0..messages {
            let payload = Payload::binary(payloads.next());
            let len = connection.writer().encode(payload, true, &mut buffer).expect("a frame");
            wire.write(&buffer[..len]);
        }
    })
}

fn accept(job: &Job) -> Lane {
    let source = job.source();
    let wire = job.wire();
    let mut buffer = vec![0; READ];
    let mut storage = vec![0; HeadLimits::STORAGE];
    let mut response = [0; 1024];
    Box::new(move |messages| {
        for _ in 0..messages {
            let read = source.clone().read(&mut buffer);
            let mut handshake = ServerHandshake::new(&mut storage, HeadLimits::DEFAULT);
            let (_, progress) = handshake.recv(&buffer[..read]).expect("a request");
            let ServerProgress::Request(request) = progress else { panic!("{progress:?}") };
            let accept = request.accept(OriginPolicy::SameHost).expect("the same host");
            let (len, _) = accept.write(&mut response).expect("a response");
            wire.write(&response[..len]);
        }
    })
}
