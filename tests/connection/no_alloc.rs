//! The core asks for no memory, and lends payload out of the caller's buffer.

use crate::common;

use common::counting::allocations;
use common::*;
use sockless::{
    AnyRole, Client, CloseCode, Config, Connection, ControlPayload, Event, Input, MessageKind, Role, Server,
    Side, Timeouts, Timestamp, MAX_CONTROL_FRAME_LEN,
};

/// Sends one of everything into `out`, and returns the number of bytes.
fn send_everything<R: Role>(conn: &mut Connection<R>, out: &mut [u8]) -> usize {
    let mut at = 0;
    let writer = conn.writer();
    at += writer.encode("whole text".into(), true, &mut out[at..]).unwrap();
    at += writer.encode(b"bin".into(), false, &mut out[at..]).unwrap();
    at += writer.ping(ControlPayload::new(b"amid").unwrap(), &mut out[at..]).unwrap();
    at += writer.encode(b"ary".into(), true, &mut out[at..]).unwrap();
    let begun = writer.begin(MessageKind::Text, true, 300).unwrap();
    out[at..at + begun.as_bytes().len()].copy_from_slice(begun.as_bytes());
    at += begun.as_bytes().len();
    for _ in 0..10 {
        out[at..at + 10].fill(b'm');
        writer.mask(&mut out[at..at + 10]).unwrap();
        at += 10;
        at += writer.mask_copy("twenty octets of €".as_bytes(), &mut out[at..]).unwrap();
    }
    writer.keep_alive();
    at += conn.poll_transmit(&mut out[at..]).unwrap();
    at += conn.writer().close(CloseCode::NORMAL.into(), &mut out[at..]).unwrap();
    at
}

/// Receives `bytes` in chunks of `size`, answering all the while. Gives how many events there were.
fn receive_everything<R: Role>(conn: &mut Connection<R>, bytes: &mut [u8], size: usize) -> usize {
    let (mut events, mut out) = (0, [0; MAX_CONTROL_FRAME_LEN]);
    for (i, chunk) in bytes.chunks_mut(size).enumerate() {
        let mut input = Input::new(chunk);
        while let Ok(Some(_)) = conn.recv(&mut input) {
            events += 1;
        }
        while conn.poll_transmit(&mut out).unwrap() > 0 {}
        conn.handle_timeout(Timestamp::from_micros(i as u64)).unwrap();
        let _ = (conn.poll_timeout(), conn.transport(), conn.ready_state());
    }
    events
}

fn converse<A: Role, B: Role>(sender: A, receiver: impl Fn() -> B) {
    let config = Config::new().with_timeouts(Timeouts::SERVER);
    let mut buffer = [0; 2048];
    let mut sender = Connection::new(sender, config);
    let (count, len) = allocations(|| send_everything(&mut sender, &mut buffer));
    assert_eq!(count, 0, "sending");
    for size in [1, 2, 3, 7, 64, 2048] {
        let mut bytes = buffer;
        let mut receiver = Connection::new(receiver(), config);
        let (count, events) = allocations(|| receive_everything(&mut receiver, &mut bytes[..len], size));
        assert_eq!(count, 0, "receiving in chunks of {size}");
        assert!(events >= 7, "{events} events");
        assert_eq!(receiver.reader().received_close(), Some(Some(CloseCode::NORMAL)));
        let (count, ()) = allocations(|| {
            receiver.eof().unwrap();
            assert!(receiver.closed().unwrap().clean);
        });
        assert_eq!(count, 0, "ending");
    }
}

#[test]
fn no_role_ever_allocates() {
    converse(Server, || Client::new(Keys(3)));
    converse(Client::new(Keys(3)), || Server);
    converse(AnyRole::<Keys>::Server, || AnyRole::Client(Keys(4)));
    converse(AnyRole::Client(Keys(4)), || AnyRole::<Keys>::Server);
}

#[test]
fn failing_allocates_nothing() {
    for side in BOTH {
        for bad in [to(side, 0xFF, b""), to(side, TEXT, b"\xFF"), to(side, CLOSE, b"\x00")] {
            let (mut conn, mut bad) = (connection(side, Config::new()), bad);
            let (count, ()) = allocations(|| {
                let error = conn.recv(&mut Input::new(&mut bad)).unwrap_err();
                assert!(error.close_code().is_some());
                let mut out = [0; MAX_CONTROL_FRAME_LEN];
                assert!(conn.poll_transmit(&mut out).unwrap() > 0);
                conn.eof().unwrap();
                assert!(!conn.closed().unwrap().clean);
            });
            assert_eq!(count, 0);
        }
    }
}

#[test]
fn a_server_sends_the_callers_own_octets() {
    let payload = b"never moved";
    let mut conn = Connection::new(Server, Config::new());
    let (count, ()) = allocations(|| {
        let frame = conn.writer().frame(payload.into(), true).unwrap();
        assert!(std::ptr::eq(frame.payload, &payload[..]));
        assert!(std::ptr::eq(frame.as_slices()[1], &payload[..]));
    });
    assert_eq!(count, 0);
}

#[test]
fn payload_is_lent_from_where_it_was_received_and_outlives_the_engine() {
    for side in BOTH {
        let first_header = header(TEXT, key_to(side), 5).len();
        let mut buffer = [to(side, TEXT, b"Hello"), to(side, BINARY, b"World")].concat();
        let start = buffer.as_ptr() as usize;
        // Both pieces are alive at once, and neither needs the connection or the cursor, which end here.
        let (count, [hello, world]) = allocations(|| {
            let mut conn = connection(side, Config::new());
            let mut input = Input::new(&mut buffer);
            [(); 2].map(|()| match conn.recv(&mut input) {
                Ok(Some(Event::Data(data))) => data,
                other => panic!("{other:?}"),
            })
        });
        assert_eq!(count, 0);
        assert_eq!((hello.as_str(), world.as_bytes()), (Some("Hello"), &b"World"[..]));
        assert_eq!(hello.as_bytes().as_ptr() as usize, start + first_header);
        assert_eq!(world.as_bytes().as_ptr() as usize, start + 2 * first_header + 5);
    }
}

/// Each piece of a payload that comes in many reads borrows from its own read.
#[test]
fn pieces_of_a_frame_are_lent_from_each_read() {
    for side in BOTH {
        let mut conn = connection(side, Config::new());
        let wire = to(side, BINARY, &[0x5A; 100]);
        let header_len = wire.len() - 100;
        let mut at = 0;
        for chunk in wire.chunks(9) {
            let mut read = [0; 9];
            let read = &mut read[..chunk.len()];
            read.copy_from_slice(chunk);
            let payload_from = header_len.saturating_sub(at).min(read.len());
            let expected = read.as_ptr() as usize + payload_from;
            let mut input = Input::new(read);
            while let Some(event) = conn.recv(&mut input).unwrap() {
                let Event::Data(data) = event else { panic!("{event:?}") };
                assert_eq!(data.as_bytes().as_ptr() as usize, expected);
                assert!(data.as_bytes().iter().all(|octet| *octet == 0x5A), "unmasked where it stands");
            }
            at += chunk.len();
        }
        assert!(!conn.reader().is_mid_message());
    }
    assert_eq!(BOTH, [Side::Server, Side::Client]);
}
