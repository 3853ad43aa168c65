// What a dropped future loses: nothing.

use sockless::embedded_io_async::{FixedBuffers, Error, WebSocket};
use sockless::message::SliceAssembler;
use sockless::{CloseCode, Config, ControlPayload, Event, ProtocolError, Server, Side};

use crate::common::{close_body, sent_by, to, BINARY, CLOSE, END, PING, TEXT, TEXT_PART};
use crate::script::{poll_times, run, Script};

macro_rules! server {
    ($socket:ident, $script:expr, $read:expr) => {
        let (mut read, mut write) = (vec![0; $read], [0; FixedBuffers::MIN_WRITE]);
        let buffers = FixedBuffers::new(&mut read, &mut write).unwrap();
        let mut $socket = WebSocket::new($script, Server, Config::new(), buffers);
    };
}

fn conversation() -> Vec<u8> {
    let end = close_body(1000, b"");
    [
        to(Side::Server, TEXT_PART, b"Hel"),
        to(Side::Server, PING, b"ping"),
        to(Side::Server, END, b"lo"),
        to(Side::Server, BINARY, &[7; 100]),
        to(Side::Server, CLOSE, &end),
    ]
    .concat()
}

const REPLIES: &[u8] = b"\x8A\x04ping\x88\x02\x03\xE8";

#[test]
fn receiving_survives_being_dropped_at_every_await() {
    for polls in 1..8 {
        for grain in [1, 3, 1000] {
            server!(socket, Script::new(&conversation(), grain), 16);
            let (mut octets, mut others) = (Vec::new(), 0);
            loop {
                match poll_times(socket.recv(), polls) {
                    None => {}
                    Some(Ok(Some(Event::Data(data)))) => octets.extend_from_slice(data.as_bytes()),
                    Some(Ok(Some(_))) => others += 1,
                    Some(Ok(None)) => break,
                    Some(Err(error)) => panic!("{error}"),
                }
            }
            assert_eq!((octets, others), ([b"Hello", &[7; 100][..]].concat(), 2));
            assert_eq!(socket.get_ref().written, REPLIES, "polls {polls} grain {grain}");
            assert!(socket.closed().unwrap().clean);
        }
    }
}

#[test]
fn joining_survives_it_too() {
    for polls in 1..8 {
        server!(socket, Script::new(&conversation(), 2), 16);
        let mut storage = [0; 100];
        let mut assembler = SliceAssembler::new(&mut storage);
        let mut messages = Vec::new();
        loop {
            match poll_times(socket.recv_message(&mut assembler), polls) {
                None => {}
                Some(Ok(Some(message))) => messages.push(message.as_bytes().to_vec()),
                Some(Ok(None)) => break,
                Some(Err(error)) => panic!("{error}"),
            }
        }
        assert_eq!(messages, [b"Hello".to_vec(), vec![7; 100]]);
        assert_eq!(socket.get_ref().written, REPLIES);
    }
}

#[test]
fn a_failure_is_reported_once_however_often_its_close_is_dropped() {
    for bad in [to(Side::Server, TEXT, b"\xFF"), to(Side::Server, 0x83, b"")] {
        for polls in 1..12 {
            server!(socket, Script::new(&bad, 1), 16);
            let mut errors = Vec::new();
            loop {
                match poll_times(socket.recv(), polls) {
                    None => {}
                    Some(Ok(Some(event))) => panic!("{event:?}"),
                    Some(Ok(None)) => break,
                    Some(Err(error)) => errors.push(error),
                }
            }
            assert!(
                matches!(
                    errors[..],
                    [Error::Protocol(ProtocolError::InvalidUtf8 | ProtocolError::ReservedOpcode)]
                ),
                "{errors:?}"
            );
            assert_eq!(sent_by(Side::Server, &socket.get_ref().written).len(), 1);
        }
    }
}

#[test]
fn sending_dropped_at_every_await_cuts_and_repeats_nothing() {
    let want = [
        (TEXT, b"Hello".to_vec()),
        (TEXT_PART, b"a".to_vec()),
        (END, b"b".to_vec()),
        (PING, b"p".to_vec()),
        (CLOSE, close_body(1001, b"")),
    ];
    for polls in 1..40 {
        server!(socket, Script::new(&[], 1), 16);
        // Each is queued at its first poll; where it is dropped does not matter.
        let _ = poll_times(socket.send("Hello"), polls);
        let _ = poll_times(socket.send_fragment("a", false), polls);
        let _ = poll_times(socket.send_fragment("b", true), polls);
        let _ = poll_times(socket.ping(ControlPayload::new(b"p").unwrap()), polls);
        let _ = poll_times(socket.start_close(CloseCode::GOING_AWAY), polls);
        let _ = poll_times(socket.flush(), polls);
        run(socket.flush()).unwrap();
        assert_eq!(sent_by(Side::Server, &socket.get_ref().written), want, "polls {polls}");
    }
}

#[test]
fn a_long_message_goes_on_where_it_was_dropped() {
    let payload: Vec<u8> = (0..1000_u32).map(|at| at as u8).collect();
    for polls in 1..60 {
        server!(socket, Script::new(&[], 20), 16);
        let mut dropped = 0;
        if poll_times(socket.outgoing().feed(&payload[..]), polls).is_none() {
            loop {
                dropped += 1;
                let missing = usize::try_from(socket.outgoing().frame_remaining()).unwrap();
                assert!(missing > 0, "a future that is ready was dropped");
                let rest = &payload[payload.len() - missing..];
                if poll_times(socket.outgoing().feed_payload(rest), polls).is_some() {
                    break;
                }
                // A frame in progress keeps every other away, and reading is still possible.
                assert!(poll_times(socket.send("x"), 1).unwrap().is_err());
            }
        }
        assert_eq!(socket.outgoing().frame_remaining(), 0);
        run(socket.flush()).unwrap();
        assert_eq!(sent_by(Side::Server, &socket.get_ref().written), [(BINARY, payload.clone())]);
        assert!(dropped > 0 || polls > 40);
    }
}

#[test]
fn feeding_dropped_while_there_is_no_room_queues_nothing() {
    let mut script = Script::new(&[], 10);
    script.blocked = true;
    server!(socket, script, 16);
    run(socket.outgoing().feed(&[1; 120])).unwrap();
    assert!(poll_times(socket.outgoing().feed("never queued"), 5).is_none());
    assert!(poll_times(socket.outgoing().feed(&[2; 500]), 5).is_none(), "however long");
    assert!(poll_times(socket.ping(ControlPayload::new(b"never queued").unwrap()), 5).is_none());
    assert_eq!(socket.outgoing().frame_remaining(), 0);
    socket.get_mut().blocked = false;
    run(socket.flush()).unwrap();
    assert_eq!(sent_by(Side::Server, &socket.get_ref().written), [(BINARY, vec![1; 120])]);
}

#[test]
fn closing_dropped_at_every_await_sends_one_close() {
    let input = to(Side::Server, CLOSE, &close_body(1001, b""));
    for polls in 1..10 {
        server!(socket, Script::new(&input, 1), 16);
        let closed = loop {
            if let Some(result) = poll_times(socket.close(CloseCode::GOING_AWAY), polls) {
                break result.unwrap().unwrap();
            }
        };
        assert_eq!((closed.status, closed.clean), (1001, true));
        assert_eq!(socket.get_ref().written, b"\x88\x02\x03\xE9");
    }
}
