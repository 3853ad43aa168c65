//! embedded-websocket: from one buffer of the caller to another, in pieces. The caller must check text.

use embedded_websocket::{
    EmptyRng, Error, WebSocket, WebSocketClient, WebSocketSendMessageType, WebSocketServer, WebSocketState,
    WebSocketType, read_http_header,
};

use super::keys::Keys;
use super::{Contender, Job, Lane, READ, ReadBuffer, Side};

pub const CONTENDER: Contender = Contender {
    name: "embedded-websocket",
    package: "embedded-websocket",
    ours: false,
    checks_text: false,
    assembles: false,
    draws_keys_well: true,
    receive: Some(|job, side| match side {
        Side::Server => receive(job, WebSocketServer::new_server()),
        Side::Client => receive(job, WebSocketClient::new_client(Keys::default())),
    }),
    send: Some(|job, side| match side {
        Side::Server => send(job, WebSocketServer::new_server()),
        Side::Client => send(job, WebSocketClient::new_client(Keys::default())),
    }),
    accept: Some(accept),
};

fn receive<R, T>(job: &Job, mut socket: WebSocket<R, T>) -> Lane
where
    R: rand_core::RngCore + 'static,
    T: WebSocketType + 'static,
{
    socket.state = WebSocketState::Open;
    let mut source = job.source();
    let mut taker = job.taker(&CONTENDER);
    let mut from = ReadBuffer::new();
    let mut to = ReadBuffer::new();
    let mut unread = 0..0;
    Box::new(move |messages| {
        let mut left = messages;
        while left > 0 {
            let result = match unread.is_empty() {
                true => Err(Error::ReadFrameIncomplete),
                false => socket.read(&from.0[unread.clone()], &mut to.0),
            };
            match result {
                Ok(read) => {
                    assert!(read.len_from > 0, "stands still");
                    unread.start += read.len_from;
                    taker.piece(&to.0[..read.len_to], read.end_of_message);
                    left -= usize::from(read.end_of_message);
                }
                Err(Error::ReadFrameIncomplete) => {
                    from.0.copy_within(unread.clone(), 0);
                    unread = 0..unread.len();
                    unread.end += source.read(&mut from.0[unread.end..]);
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    })
}

fn send<R, T>(job: &Job, mut socket: WebSocket<R, T>) -> Lane
where
    R: rand_core::RngCore + 'static,
    T: WebSocketType + 'static,
{
    socket.state = WebSocketState::Open;
    let mut payloads = job.payloads();
    let wire = job.wire();
    let mut buffer = job.frame_buffer();
    Box::new(move |messages| {
        for _ in 0..messages {
            let payload = payloads.next();
            let kind = WebSocketSendMessageType::Binary;
            let len = socket.write(kind, true, payload, &mut buffer).expect("a frame");
            wire.write(&buffer[..len]);
        }
    })
}

fn accept(job: &Job) -> Lane {
    let source = job.source();
    let wire = job.wire();
    let mut buffer = vec![0; READ];
    let mut response = [0; 1024];
    Box::new(move |messages| {
        for _ in 0..messages {
            let read = source.clone().read(&mut buffer);
            let mut headers = [httparse::EMPTY_HEADER; 16];
            let mut request = httparse::Request::new(&mut headers);
            assert!(request.parse(&buffer[..read]).expect("a request").is_complete());
            let fields = request.headers.iter().map(|field| (field.name, field.value));
            let context = read_http_header(fields).expect("a request").expect("for a WebSocket");
            let mut socket: WebSocket<EmptyRng, _> = WebSocketServer::new_server();
            let accepted = socket.server_accept(&context.sec_websocket_key, None, &mut response);
            wire.write(&response[..accepted.expect("accepted")]);
        }
    })
}
