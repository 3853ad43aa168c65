//! websocket-sans-io: frames only. It returns pieces; messages, their order and text are left to the caller.

use websocket_sans_io::{
    FrameInfo, Opcode, WebsocketFrameDecoder, WebsocketFrameEncoder, WebsocketFrameEvent,
};

use super::keys::Keys;
use super::{Contender, Job, Lane, ReadBuffer, Side};

pub const CONTENDER: Contender = Contender {
    name: "websocket-sans-io",
    package: "websocket-sans-io",
    ours: false,
    checks_text: false,
    assembles: false,
    draws_keys_well: true,
    receive: Some(receive),
    send: Some(send),
    accept: None,
};

fn receive(job: &Job, _: Side) -> Lane {
    let mut decoder = WebsocketFrameDecoder::new();
    let mut source = job.source();
    let mut taker = job.taker(&CONTENDER);
    let mut buffer = ReadBuffer::new();
    let mut unread = 0..0;
    Box::new(move |messages| {
        let mut left = messages;
        while left > 0 {
            let data = &mut buffer.0[unread.clone()];
            let result = decoder.add_data(data).expect("a frame");
            unread.start += result.consumed_bytes;
            match result.event {
                Some(WebsocketFrameEvent::PayloadChunk { .. }) => {
                    taker.piece(&data[..result.consumed_bytes], false);
                }
                Some(WebsocketFrameEvent::End { frame_info, .. }) if frame_info.fin => {
                    taker.piece(&[], true);
                    left -= 1;
                }
                Some(_) => {}
                None if result.consumed_bytes == 0 => unread = 0..source.read(&mut buffer.0),
                None => {}
            }
        }
    })
}

fn send(job: &Job, side: Side) -> Lane {
    let mut encoder = WebsocketFrameEncoder::new();
    let mut keys = Keys::default();
    let mut payloads = job.payloads();
    let wire = job.wire();
    let mut buffer = job.frame_buffer();
    Box::new(move |messages| {
        for _ in 0..messages {
            let payload = payloads.next();
            let info = FrameInfo {
                opcode: Opcode::Binary,
                payload_length: payload.len() as u64,
                mask: (side == Side::Client).then(|| keys.next()),
                fin: true,
                reserved: 0,
            };
            let header = encoder.start_frame(&info);
            wire.write(&header);
            if encoder.transform_needed() {
                let copy = &mut buffer[..payload.len()];
                copy.copy_from_slice(payload);
                encoder.transform_frame_payload(copy);
                wire.write(copy);
            } else {
                wire.write(payload);
            }
        }
    })
}
