//! uWebSockets: its parser in C++, called in place. Its opening handshake is a part of its HTTP server, and
//! not measured. Client keys come from `rand` of the C library.

use std::ffi::c_void;

use super::{Contender, Job, Lane, Side};
use crate::codec::check::Taker;

pub const CONTENDER: Contender = Contender {
    name: "uWebSockets",
    package: "uWebSockets",
    ours: false,
    checks_text: true,
    assembles: true,
    draws_keys_well: false,
    receive: Some(receive),
    send: Some(send),
    accept: None,
};

type OnMessage = unsafe extern "C" fn(user: *mut c_void, data: *const u8, len: usize);

unsafe extern "C" {
    fn peers_uws_new(server: bool, on_message: OnMessage, user: *mut c_void) -> *mut c_void;
    fn peers_uws_delete(server: bool, receiver: *mut c_void);
    fn peers_uws_receive_server(receiver: *mut c_void, data: *mut u8, len: u32);
    fn peers_uws_receive_client(receiver: *mut c_void, data: *mut u8, len: u32);
    fn peers_uws_format(server: bool, to: *mut u8, from: *const u8, len: usize) -> usize;
}

/// The length of a read: the one that it uses for all connections of a thread. Its fastest loop needs exactly
/// this.
const READ: usize = 512 << 10;

/// How much its parser may write before and after the received octets.
const PADDING: usize = 32;

struct Receiver {
    side: Side,
    inner: *mut c_void,
    /// Receives the messages. `inner` points to it.
    taker: *mut Taker,
}

impl Receiver {
    fn new(side: Side, taker: Taker) -> Self {
        let taker = Box::into_raw(Box::new(taker));
        // SAFETY: the taker is given back only after `inner` is.
        let inner = unsafe { peers_uws_new(side == Side::Server, on_message, taker.cast()) };
        Self { side, inner, taker }
    }

    /// Takes `len` octets, which follow the padding of the buffer.
    #[inline]
    fn consume(&mut self, buffer: &mut [u8], len: usize) {
        assert!(buffer.len() >= PADDING + len + PADDING);
        // SAFETY: there is padding on both sides, and `inner` is of that kind.
        unsafe {
            let data = buffer.as_mut_ptr().add(PADDING);
            match self.side {
                Side::Server => peers_uws_receive_server(self.inner, data, len as u32),
                Side::Client => peers_uws_receive_client(self.inner, data, len as u32),
            }
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // SAFETY: both were made in `new`, and nobody else has them.
        unsafe {
            peers_uws_delete(self.side == Side::Server, self.inner);
            drop(Box::from_raw(self.taker));
        }
    }
}

/// A panic here ends the program.
unsafe extern "C" fn on_message(taker: *mut c_void, data: *const u8, len: usize) {
    assert!(!data.is_null(), "it closed the connection");
    // SAFETY: `taker` is what `new` passed, and no other reference is alive while messages are consumed.
    unsafe { (*taker.cast::<Taker>()).message(std::slice::from_raw_parts(data, len)) }
}

fn receive(job: &Job, side: Side) -> Lane {
    // It reports all messages of a read at once, so it must not get an octet too many.
    let message = job.workload.image.len() / job.workload.payloads.len();
    let mut source = job.source();
    let mut buffer = vec![0; PADDING + READ + PADDING];
    let mut receiver = Receiver::new(side, job.taker(&CONTENDER));
    Box::new(move |messages| {
        let mut left = messages * message;
        while left > 0 {
            let read = source.read(&mut buffer[PADDING..PADDING + left.min(READ)]);
            receiver.consume(&mut buffer, read);
            left -= read;
        }
    })
}

fn send(job: &Job, side: Side) -> Lane {
    let mut payloads = job.payloads();
    let wire = job.wire();
    let mut buffer = job.frame_buffer();
    Box::new(move |messages| {
        for _ in 0..messages {
            let payload = payloads.next();
            assert!(buffer.len() >= payload.len() + 14);
            let (to, from) = (buffer.as_mut_ptr(), payload.as_ptr());
            // SAFETY: there is room for any header.
            let len = unsafe { peers_uws_format(side == Side::Server, to, from, payload.len()) };
            wire.write(&buffer[..len]);
        }
    })
}
