// Scenarios for both adapters: `adapter` is one of the two, `go!` runs one of its operations to the end.

use adapter::{FixedBuffers, Error, WebSocket};
use embedded_io::ErrorKind;
use sockless::message::SliceAssembler;
use sockless::{
    Client, CloseCode, CloseFrame, CloseReason, Config, ControlPayload, EntropyError, Event, Limits, Message,
    MessageKind, Payload, ProtocolError, SendError, Server, Side, Timeout, Timeouts, Timestamp, Wake,
};
use std::time::Duration;

use crate::common::{
    close_body, frame, header, parse, sent_by, to, Keys, BINARY, CLOSE, END, KEY, MORE, PING, PONG, TEXT,
    TEXT_PART,
};
use crate::script::Script;

/// A server with a read buffer of `$read` bytes and the smallest write buffer.
macro_rules! server {
    ($socket:ident, $script:expr, $read:expr) => {
        server!($socket, $script, $read, Config::new())
    };
    ($socket:ident, $script:expr, $read:expr, $config:expr) => {
        let (mut read, mut write) = (vec![0; $read], [0; FixedBuffers::MIN_WRITE]);
        let buffers = FixedBuffers::new(&mut read, &mut write).unwrap();
        let mut $socket = WebSocket::new($script, Server, $config, buffers);
    };
}

macro_rules! client {
    ($socket:ident, $script:expr, $read:expr) => {
        let (mut read, mut write) = (vec![0; $read], [0; FixedBuffers::MIN_WRITE]);
        let buffers = FixedBuffers::new(&mut read, &mut write).unwrap();
        let mut $socket = WebSocket::new($script, Client::new(Keys(1)), Config::new(), buffers);
    };
}

/// What a client sends: a message in two fragments with a Ping between them, one of 200 octets, a Pong, and a Close.
fn conversation() -> Vec<u8> {
    [
        to(Side::Server, TEXT_PART, "Hello, w\u{F6}".as_bytes()),
        to(Side::Server, PING, b"ping"),
        to(Side::Server, END, b"rld"),
        to(Side::Server, BINARY, &[7; 200]),
        to(Side::Server, PONG, b"?"),
        to(Side::Server, CLOSE, &close_body(1000, b"done")),
    ]
    .concat()
}

const REPLIES: &[u8] = b"\x8A\x04ping\x88\x02\x03\xE8";

/// The octets of messages, and how many messages were complete.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    octets: Vec<u8>,
    ends: usize,
    others: Vec<&'static str>,
}

impl Heard {
    fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Data(data) => {
                self.octets.extend_from_slice(data.as_bytes());
                self.ends += usize::from(data.is_last());
            }
            Event::Ping => self.others.push("ping"),
            Event::Pong => self.others.push("pong"),
            Event::Close(_) => self.others.push("close"),
            _ => unreachable!(),
        }
    }
}

fn everything() -> Heard {
    let mut octets = "Hello, w\u{F6}rld".as_bytes().to_vec();
    octets.extend_from_slice(&[7; 200]);
    Heard { octets, ends: 2, others: vec!["ping", "pong", "close"] }
}

#[test]
fn buffers_that_cannot_work_are_refused() {
    let mut write = [0; FixedBuffers::MIN_WRITE];
    assert_eq!(FixedBuffers::new(&mut [], &mut write).unwrap_err().required, 1);
    let short = FixedBuffers::new(&mut [0], &mut write[1..]).unwrap_err();
    assert_eq!(short.required, FixedBuffers::MIN_WRITE);
    assert!(FixedBuffers::new(&mut [0], &mut write).is_ok());
}

#[test]
fn a_conversation_is_the_same_through_buffers_and_transports_of_any_size() {
    for read in [1, 2, 3, 7, 64, 4096] {
        for grain in [1, 2, 5, 1000] {
            server!(socket, Script::new(&conversation(), grain), read);
            let mut heard = Heard::default();
            while let Some(event) = go!(socket.recv()).unwrap() {
                heard.note(&event);
            }
            assert_eq!(heard, everything(), "read {read} grain {grain}");
            assert_eq!(socket.connection().reader().close_reason(), "done");
            let closed = socket.closed().unwrap();
            assert_eq!((closed.status, closed.clean), (1000, true));
            assert!(go!(socket.recv()).unwrap().is_none());
            assert_eq!(socket.into_inner().written, REPLIES, "read {read} grain {grain}");
        }
    }
}

#[test]
fn whole_messages_are_joined_only_where_they_must_be() {
    for (read, grain) in [(1, 1), (7, 3), (64, 1000), (4096, 4096)] {
        let mut storage = [0; 200];
        let mut assembler = SliceAssembler::new(&mut storage);
        server!(socket, Script::new(&conversation(), grain), read);
        let first = go!(socket.recv_message(&mut assembler)).unwrap();
        assert_eq!(first, Some(Message::Text("Hello, w\u{F6}rld")));
        let second = go!(socket.recv_message(&mut assembler)).unwrap();
        assert_eq!(second, Some(Message::Binary(&[7; 200])));
        assert_eq!(go!(socket.recv_message(&mut assembler)).unwrap(), None);
        assert_eq!(socket.into_inner().written, REPLIES);
    }
    // A message that is whole in the read buffer needs no storage.
    let mut none = [0; 0];
    let mut assembler = SliceAssembler::new(&mut none);
    server!(socket, Script::new(&to(Side::Server, BINARY, &[7; 200]), 1000), 4096);
    assert_eq!(go!(socket.recv_message(&mut assembler)).unwrap(), Some(Message::Binary(&[7; 200])));
}

#[test]
fn the_rest_of_a_message_of_which_a_piece_was_taken_is_passed_over() {
    let mut storage = [0; 200];
    let mut assembler = SliceAssembler::new(&mut storage);
    server!(socket, Script::new(&conversation(), 3), 64);
    assert!(matches!(go!(socket.recv()).unwrap(), Some(Event::Data(data)) if data.is_first()));
    let message = go!(socket.recv_message(&mut assembler)).unwrap();
    assert_eq!(message, Some(Message::Binary(&[7; 200])));
}

#[test]
fn a_message_with_a_hole_is_never_joined() {
    let input = [
        to(Side::Server, BINARY, b"abcdef"),
        to(Side::Server, BINARY, b"ghi"),
        to(Side::Server, TEXT, b"whole"),
    ];
    // One byte a read, and a time-out after the first two octets of the payload.
    for elsewhere in [false, true] {
        let mut script = Script::new(&input.concat(), 1);
        script.end = Some(ErrorKind::TimedOut);
        let rest = script.incoming.split_off(8);
        let (mut storage, mut other) = ([0; 64], [0; 64]);
        let mut assembler = SliceAssembler::new(&mut storage);
        server!(socket, script, 1);
        assert_eq!(go!(socket.recv_message(&mut assembler)), Err(Error::Io(ErrorKind::TimedOut)));
        socket.get_mut().incoming = rest;
        if elsewhere {
            // Another assembler was not given the beginning.
            let mut other = SliceAssembler::new(&mut other);
            let message = go!(socket.recv_message(&mut other)).unwrap();
            assert_eq!(message, Some(Message::Binary(b"ghi")));
        } else {
            // A piece from the middle was taken.
            assert!(matches!(go!(socket.recv()), Ok(Some(Event::Data(data))) if data.as_bytes() == b"c"));
            let message = go!(socket.recv_message(&mut assembler)).unwrap();
            assert_eq!(message, Some(Message::Binary(b"ghi")));
        }
        let message = go!(socket.recv_message(&mut assembler)).unwrap();
        assert_eq!(message, Some(Message::Text("whole")));
    }
}

#[test]
fn a_message_beyond_the_storage_fails_the_connection_and_the_peer_is_told() {
    let mut storage = [0; 199];
    let mut assembler = SliceAssembler::new(&mut storage);
    server!(socket, Script::new(&to(Side::Server, BINARY, &[7; 200]), 50), 64);
    let error = go!(socket.recv_message(&mut assembler)).unwrap_err();
    assert_eq!(error, Error::Protocol(ProtocolError::MessageTooBig));
    assert_eq!(go!(socket.recv_message(&mut assembler)), Ok(None));
    assert_eq!(socket.closed().unwrap().error, Some(ProtocolError::MessageTooBig));
    assert_eq!(socket.into_inner().written, b"\x88\x02\x03\xF1");
}

#[test]
fn an_echo_needs_no_buffer_for_the_message() {
    let long: Vec<u8> = (0..100_000_u32).map(|at| at as u8).collect();
    let text = "\u{1F980}\u{20AC}x".repeat(500);
    let input = [
        to(Side::Server, BINARY, &long),
        to(Side::Server, TEXT, text.as_bytes()),
        to(Side::Server, CLOSE, &[]),
    ];
    server!(socket, Script::new(&input.concat(), 1000), 97);
    while let Some((event, mut outgoing)) = go!(socket.recv_with()).unwrap() {
        if let Event::Data(data) = event {
            let payload = Payload::forward(&data).unwrap();
            go!(outgoing.feed_fragment(payload, data.is_last())).unwrap();
        }
    }
    let mut messages: Vec<Vec<u8>> = Vec::new();
    for (first, payload) in sent_by(Side::Server, &socket.into_inner().written) {
        match first & 0x0F {
            0 => messages.last_mut().unwrap().extend(payload),
            _ => messages.push(payload),
        }
    }
    assert_eq!(messages, [long, text.into_bytes(), vec![]]);
}

#[test]
fn the_end_of_the_stream_at_any_byte_is_told_from_a_close() {
    let conversation = conversation();
    let close_from = conversation.len() - to(Side::Server, CLOSE, &close_body(1000, b"done")).len();
    for cut in 0..=conversation.len() {
        server!(socket, Script::new(&conversation[..cut], 9), 16);
        let mut heard = Heard::default();
        let error = loop {
            match go!(socket.recv()) {
                Ok(Some(event)) => heard.note(&event),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        let whole = cut == conversation.len();
        assert_eq!(error, (!whole).then_some(Error::Protocol(ProtocolError::UnexpectedEof)), "cut {cut}");
        assert_eq!(go!(socket.recv()), Ok(None));
        let closed = socket.closed().unwrap();
        assert_eq!((closed.status, closed.clean), if whole { (1000, true) } else { (1006, false) });
        if cut >= close_from {
            assert_eq!(heard.ends, 2);
        }
        assert_eq!(go!(socket.send("late")), Err(Error::Send(SendError::Closed)));
    }
}

#[test]
fn an_error_in_reading_at_any_byte_is_reported_once() {
    let conversation = conversation();
    for cut in 0..=conversation.len() {
        let mut script = Script::new(&conversation[..cut], 9);
        script.end = Some(ErrorKind::ConnectionReset);
        server!(socket, script, 16);
        let error = loop {
            match go!(socket.recv()) {
                Ok(Some(_)) => {}
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        let whole = cut == conversation.len();
        assert_eq!(error, (!whole).then_some(Error::Io(ErrorKind::ConnectionReset)), "cut {cut}");
        assert_eq!(go!(socket.recv()), Ok(None), "cut {cut}");
        assert_eq!(socket.closed().unwrap().clean, whole);
    }
}

#[test]
fn a_peer_that_does_not_read_any_more_is_still_heard() {
    for room in 0..REPLIES.len() {
        for full in [Some(ErrorKind::ConnectionReset), None] {
            let mut script = Script::new(&conversation(), 9);
            (script.room, script.full) = (room, full);
            server!(socket, script, 16);
            let mut heard = Heard::default();
            loop {
                match go!(socket.recv()) {
                    Ok(Some(event)) => heard.note(&event),
                    Ok(None) => break,
                    Err(error) => panic!("room {room}: {error}"),
                }
            }
            assert_eq!(heard, everything(), "room {room}");
            // The transport did not take the whole answer to its Close, whatever pieces it was offered.
            assert!(!socket.closed().unwrap().clean, "room {room}");
            assert_eq!(socket.into_inner().written, REPLIES[..room]);
        }
    }
}

#[test]
fn to_a_peer_that_does_not_read_any_more_nothing_is_sent() {
    let input = [to(Side::Server, PING, b"?"), to(Side::Server, TEXT, b"x")].concat();
    let mut script = Script::new(&input, 7);
    script.room = 0;
    server!(socket, script, 7);
    assert_eq!(go!(socket.recv()), Ok(Some(Event::Ping)));
    assert!(
        matches!(go!(socket.recv()), Ok(Some(Event::Data(_)))),
        "the Pong was lost, and what follows not"
    );
    assert_eq!(go!(socket.send("x")), Err(Error::Send(SendError::Closed)));
    assert_eq!(go!(socket.ping(ControlPayload::EMPTY)), Err(Error::Send(SendError::Closed)));
    assert_eq!(go!(socket.start_close(CloseCode::NORMAL)), Err(Error::Send(SendError::Closed)));
    let begun = go!(socket.outgoing().begin_frame(MessageKind::Text, true, 1));
    assert_eq!(begun, Err(Error::Send(SendError::Closed)));
}

#[test]
fn an_error_in_sending_is_reported_to_who_sends() {
    for room in [0, 1, 100, 131, 200] {
        let mut script = Script::new(&[], 64);
        script.room = room;
        server!(socket, script, 16);
        let long = [7; 1000];
        assert_eq!(go!(socket.send(long)), Err(Error::Io(ErrorKind::ConnectionReset)), "room {room}");
        let mut script = Script::new(&[], 64);
        (script.room, script.full) = (room, None);
        server!(socket, script, 16);
        assert_eq!(go!(socket.send(long)), Err(Error::WriteZero), "room {room}");
    }
}

#[test]
fn after_a_time_out_in_reading_or_writing_everything_can_be_called_again() {
    for grain in [1, 4, 1000] {
        let mut script = Script::new(&conversation(), grain);
        let errors = [ErrorKind::TimedOut, ErrorKind::Interrupted, ErrorKind::TimedOut];
        script.read_errors = errors.into_iter().cycle().take(300).collect();
        script.write_errors = errors.into_iter().cycle().take(30).collect();
        server!(socket, script, 16);
        let (mut heard, mut timeouts) = (Heard::default(), 0);
        loop {
            match go!(socket.recv()) {
                Ok(Some(event)) => heard.note(&event),
                Ok(None) => break,
                Err(Error::Io(ErrorKind::TimedOut)) => timeouts += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(heard, everything());
        assert_eq!(timeouts, 220, "two of three");
        assert!(socket.closed().unwrap().clean);
        assert_eq!(socket.into_inner().written, REPLIES);
    }
    // A message that was cut short goes on where it stopped.
    let mut script = Script::new(&[], 1);
    script.write_errors = [ErrorKind::Interrupted, ErrorKind::TimedOut].into();
    server!(socket, script, 16);
    let payload = [7; 300];
    assert_eq!(go!(socket.send(payload)), Err(Error::Io(ErrorKind::TimedOut)));
    let missing = usize::try_from(socket.outgoing().frame_remaining()).unwrap();
    assert!(missing > 0 && missing < 300);
    go!(socket.outgoing().feed_payload(&payload[300 - missing..])).unwrap();
    go!(socket.flush()).unwrap();
    assert_eq!(sent_by(Side::Server, &socket.into_inner().written), [(BINARY, payload.to_vec())]);
}

#[test]
fn messages_of_any_length_are_masked_through_the_buffer() {
    for len in [0, 1, 124, 125, 126, 127, 131, 1000, 65_535, 65_536, 100_000] {
        for grain in [7, 1000] {
            let payload: Vec<u8> = (0..len).map(|at| at as u8).collect();
            client!(socket, Script::new(&[], grain), 16);
            go!(socket.send(payload.as_slice())).unwrap();
            let wire = parse(&socket.into_inner().written);
            assert_eq!(wire.len(), 1, "one frame");
            assert_eq!((wire[0].first, &wire[0].payload), (BINARY, &payload));
            assert!(wire[0].key.is_some());
        }
    }
}

#[test]
fn fragments_streams_and_control_frames_share_the_buffer_in_order() {
    server!(socket, Script::new(&[], 10), 16);
    let text = "\u{20AC}".repeat(100);
    go!(socket.send_fragment(&text[..150], false)).unwrap();
    go!(socket.ping(ControlPayload::new(b"between").unwrap())).unwrap();
    let mut outgoing = socket.outgoing();
    go!(outgoing.pong(ControlPayload::EMPTY)).unwrap();
    // In pieces that cut characters.
    go!(outgoing.begin_frame(MessageKind::Text, true, 150)).unwrap();
    assert_eq!(go!(outgoing.ping(ControlPayload::EMPTY)), Err(Error::Send(SendError::FrameInProgress)));
    assert_eq!(go!(outgoing.feed("no")), Err(Error::Send(SendError::FrameInProgress)));
    for piece in text.as_bytes()[150..].chunks(7) {
        go!(outgoing.feed_payload(piece)).unwrap();
    }
    assert_eq!(outgoing.frame_remaining(), 0);
    assert_eq!(go!(outgoing.feed_payload(b"x")), Err(Error::Send(SendError::PayloadTooLong)));
    go!(outgoing.flush()).unwrap();
    let want = [
        (TEXT_PART, text.as_bytes()[..150].to_vec()),
        (PING, b"between".to_vec()),
        (PONG, vec![]),
        (END, text.as_bytes()[150..].to_vec()),
    ];
    assert_eq!(sent_by(Side::Server, &socket.into_inner().written), want);
}

#[test]
fn a_header_that_does_not_fit_behind_what_waits_is_not_lost() {
    for waiting in 100..=FixedBuffers::MIN_WRITE - 2 {
        server!(socket, Script::new(&[], 1000), 16);
        let (first, second) = (vec![1; waiting], vec![2; 70_000]);
        go!(socket.outgoing().feed(first.as_slice())).unwrap();
        go!(socket.outgoing().begin_frame(MessageKind::Binary, true, 70_000)).unwrap();
        go!(socket.outgoing().feed_payload(&second)).unwrap();
        go!(socket.flush()).unwrap();
        let sent = sent_by(Side::Server, &socket.into_inner().written);
        assert_eq!(sent, [(BINARY, first), (BINARY, second)], "waiting {waiting}");
    }
}

#[test]
fn a_close_goes_behind_a_pong_that_fills_the_buffer() {
    let input = [to(Side::Server, TEXT, b"x"), to(Side::Server, PING, &[b'p'; 125])].concat();
    server!(socket, Script::new(&input, 1000), 1000);
    assert!(matches!(go!(socket.recv()), Ok(Some(Event::Data(_)))));
    go!(socket.outgoing().feed([1; 100])).unwrap();
    assert_eq!(go!(socket.recv()), Ok(Some(Event::Ping)));
    let reason = "r".repeat(CloseReason::MAX_LEN);
    go!(socket.start_close(CloseFrame::new(CloseCode::NORMAL, CloseReason::new(&reason).unwrap()))).unwrap();
    let want =
        [(BINARY, vec![1; 100]), (PONG, vec![b'p'; 125]), (CLOSE, close_body(1000, reason.as_bytes()))];
    assert_eq!(sent_by(Side::Server, &socket.into_inner().written), want);
}

#[test]
fn many_small_messages_are_written_together() {
    server!(socket, Script::new(&[], 1000), 16);
    for _ in 0..100 {
        go!(socket.outgoing().feed("0123456789")).unwrap();
    }
    go!(socket.flush()).unwrap();
    assert_eq!(socket.into_inner().written, b"\x81\x0A0123456789".repeat(100));
}

#[test]
fn what_is_owed_waits_for_the_frame_in_progress_and_no_longer() {
    let input = [to(Side::Server, PING, b"a"), to(Side::Server, CLOSE, &[])].concat();
    server!(socket, Script::new(&input, 1000), 64);
    go!(socket.outgoing().begin_frame(MessageKind::Binary, true, 4)).unwrap();
    go!(socket.outgoing().feed_payload(b"12")).unwrap();
    assert_eq!(go!(socket.recv()), Ok(Some(Event::Ping)));
    assert_eq!(socket.connection().reader().control_payload(), b"a");
    assert_eq!(go!(socket.recv()), Ok(Some(Event::Close(None))));
    go!(socket.outgoing().feed_payload(b"34")).unwrap();
    assert_eq!(go!(socket.recv()), Ok(None));
    assert!(socket.closed().unwrap().clean);
    assert_eq!(socket.into_inner().written, b"\x82\x041234\x8A\x01a\x88\x00");

    // An incomplete frame does not keep a connection that is over.
    for side in [Side::Server, Side::Client] {
        let input = to(side, CLOSE, &[]);
        let (mut read, mut write) = (vec![0; 64], [0; FixedBuffers::MIN_WRITE]);
        let buffers = FixedBuffers::new(&mut read, &mut write).unwrap();
        let role = match side {
            Side::Server => sockless::AnyRole::Server,
            Side::Client => sockless::AnyRole::Client(Keys(1)),
        };
        let mut script = Script::new(&input, 1000);
        script.end = Some(ErrorKind::Other);
        let mut socket = WebSocket::new(script, role, Config::new(), buffers);
        go!(socket.outgoing().begin_frame(MessageKind::Binary, true, 4)).unwrap();
        assert_eq!(go!(socket.recv()), Ok(Some(Event::Close(None))));
        assert_eq!(go!(socket.recv()), Ok(None));
        assert!(!socket.closed().unwrap().clean);
    }
}

#[test]
fn a_failure_is_reported_after_the_peer_was_told() {
    let half = &"\u{20AC}".as_bytes()[..2];
    let cases: [(Vec<u8>, ProtocolError, u16); 5] = [
        (frame(TEXT, None, b"unmasked"), ProtocolError::MissingMask, 1002),
        (to(Side::Server, 0x83, b""), ProtocolError::ReservedOpcode, 1002),
        (to(Side::Server, TEXT, b"\xFF"), ProtocolError::InvalidUtf8, 1007),
        (to(Side::Server, TEXT, half), ProtocolError::InvalidUtf8, 1007),
        (header(BINARY, Some(KEY), 1001), ProtocolError::FrameTooBig, 1009),
    ];
    for (bad, error, code) in cases {
        for grain in [1, 1000] {
            let input = [to(Side::Server, PING, b"p"), bad.clone(), to(Side::Server, TEXT, b"late")].concat();
            let mut limits = Limits::DEFAULT;
            limits.max_frame_size = 1000;
            let config = Config::new().with_limits(limits);
            let want = [&b"\x8A\x01p"[..], &[CLOSE, 2], &code.to_be_bytes()].concat();

            server!(socket, Script::new(&input, grain), 64, config);
            assert_eq!(go!(socket.recv()), Ok(Some(Event::Ping)));
            let met = loop {
                match go!(socket.recv()) {
                    Ok(Some(event)) => assert!(matches!(event, Event::Data(_)), "{event:?}"),
                    Ok(None) => panic!("{error} was not reported"),
                    Err(error) => break error,
                }
            };
            assert_eq!(met, Error::Protocol(error), "grain {grain}");
            assert_eq!(socket.get_ref().written, want);
            assert_eq!(socket.get_ref().flushed, want.len(), "and flushed");
            assert_eq!(go!(socket.recv()), Ok(None));
            assert_eq!(socket.closed().unwrap().error, Some(error));

            let mut storage = [0; 64];
            let mut assembler = SliceAssembler::new(&mut storage);
            server!(socket, Script::new(&input, grain), 64, config);
            let met = go!(socket.recv_message(&mut assembler)).unwrap_err();
            assert_eq!(met, Error::Protocol(error), "grain {grain}");
            assert_eq!(socket.get_ref().written, want);
            assert_eq!(go!(socket.recv_message(&mut assembler)), Ok(None));
        }
    }
}

#[test]
fn a_failure_is_not_reported_while_its_close_waits_for_time() {
    let input = to(Side::Server, TEXT, b"\xFF");
    for grain in [1, 1000] {
        for joins in [false, true] {
            let mut script = Script::new(&input, grain);
            script.write_errors = [ErrorKind::TimedOut, ErrorKind::Interrupted, ErrorKind::TimedOut].into();
            server!(socket, script, 64);
            let mut storage = [0; 64];
            let mut assembler = SliceAssembler::new(&mut storage);
            let (mut errors, mut events) = (Vec::new(), 0);
            while socket.closed().is_none() {
                let result = if joins {
                    go!(socket.recv_message(&mut assembler)).map(|message| message.is_some())
                } else {
                    go!(socket.recv()).map(|event| event.is_some())
                };
                match result {
                    Ok(more) => events += usize::from(more),
                    Err(error) => errors.push((error, socket.get_ref().flushed)),
                }
            }
            let timed_out = (Error::Io(ErrorKind::TimedOut), 0);
            let told = (Error::Protocol(ProtocolError::InvalidUtf8), 4);
            assert_eq!(errors, [timed_out.clone(), timed_out, told], "grain {grain}, joins {joins}");
            assert_eq!(socket.get_ref().written, b"\x88\x02\x03\xEF");
            assert_eq!(events, 0);
        }
    }
}

#[test]
fn after_a_failure_that_could_not_be_told_nothing_is_written() {
    let input = to(Side::Server, TEXT, b"\xFF");
    for grain in [1, 1000] {
        let mut script = Script::new(&input, grain);
        script.write_errors = [ErrorKind::ConnectionReset].into();
        server!(socket, script, 64);
        let error = go!(socket.recv()).unwrap_err();
        assert_eq!(error, Error::Protocol(ProtocolError::InvalidUtf8), "grain {grain}");
        assert_eq!(go!(socket.recv()), Ok(None), "once");
        assert!(socket.get_ref().written.is_empty(), "the transport was the caller's by then");
    }
}

#[test]
fn closing_waits_for_the_other_close() {
    let input = [
        to(Side::Server, TEXT, b"still coming"),
        to(Side::Server, PING, b"p"),
        to(Side::Server, CLOSE, &close_body(1000, b"")),
    ];
    server!(socket, Script::new(&input.concat(), 5), 16);
    let reason = CloseReason::new("enough").unwrap();
    let closed = go!(socket.close(CloseFrame::new(CloseCode::GOING_AWAY, reason))).unwrap().unwrap();
    assert_eq!((closed.status, closed.clean), (1000, true));
    assert_eq!(go!(socket.close(CloseCode::NORMAL)).unwrap(), Some(closed), "a second time");
    assert_eq!(go!(socket.start_close(CloseCode::NORMAL)), Err(Error::Send(SendError::Closed)));
    let reads = socket.get_ref().reads;
    let sent = sent_by(Side::Server, &socket.into_inner().written);
    assert_eq!(sent, [(CLOSE, close_body(1001, b"enough")), (PONG, b"p".to_vec())]);
    assert!(reads > 0);
}

#[test]
fn a_client_waits_for_the_server_to_end_and_a_server_does_not() {
    for end in [None, Some(ErrorKind::ConnectionReset)] {
        let mut script = Script::new(&to(Side::Client, CLOSE, &close_body(1000, b"")), 1000);
        script.end = end;
        client!(socket, script, 64);
        let closed = go!(socket.close(CloseCode::NORMAL)).unwrap().unwrap();
        assert!(closed.clean, "however the stream ends");
        assert_eq!(socket.get_ref().reads, 2, "the second read met the end");
    }
    server!(socket, Script::new(&to(Side::Server, CLOSE, &close_body(1000, b"")), 1000), 64);
    assert!(go!(socket.close(CloseCode::NORMAL)).unwrap().unwrap().clean);
    assert_eq!(socket.get_ref().reads, 1);
}

#[test]
fn deadlines_are_data_that_pass_through() {
    let at = |seconds| Timestamp::from_duration(Duration::from_secs(seconds));
    let mut timeouts = Timeouts::NONE;
    timeouts.idle = Some(Duration::from_secs(10));
    let mut script = Script::new(&to(Side::Server, TEXT, b"x"), 1000);
    script.end = Some(ErrorKind::TimedOut);
    server!(socket, script, 64, Config::new().with_timeouts(timeouts));
    assert_ne!(socket.poll_timeout(), Wake::Never);
    socket.handle_timeout(at(0));
    assert!(matches!(go!(socket.recv()), Ok(Some(Event::Data(_)))));
    socket.handle_timeout(at(1));
    assert_eq!(socket.poll_timeout(), Wake::At(at(11)));
    assert_eq!(go!(socket.recv()), Err(Error::Io(ErrorKind::TimedOut)));
    socket.handle_timeout(at(11));
    assert_eq!(go!(socket.recv()), Err(Error::Protocol(ProtocolError::TimedOut(Timeout::Idle))));
    assert_eq!(go!(socket.recv()), Ok(None));
    assert_eq!(socket.poll_timeout(), Wake::Never);
    assert_eq!(socket.into_inner().written, b"\x88\x02\x03\xF0", "1008");
}

#[test]
fn the_pong_of_keep_alive_tells_how_long_it_took() {
    let at = |millis| Timestamp::from_duration(Duration::from_millis(millis));
    let mut timeouts = Timeouts::NONE;
    timeouts.ping_interval = Some(Duration::from_secs(10));
    let mut script = Script::new(&to(Side::Server, PONG, b""), 1000);
    script.end = Some(ErrorKind::TimedOut);
    server!(socket, script, 64, Config::new().with_timeouts(timeouts));
    socket.handle_timeout(at(0));
    socket.handle_timeout(at(10_000));
    assert_eq!(go!(socket.flush()), Ok(()));
    socket.handle_timeout(at(10_000));
    assert_eq!(go!(socket.recv()), Ok(Some(Event::Pong)));
    assert_eq!((socket.connection().latency(), socket.poll_timeout()), (None, Wake::Now));
    socket.handle_timeout(at(10_040));
    assert_eq!(socket.connection().latency(), Some(Duration::from_millis(40)));
    assert_eq!(socket.into_inner().written, b"\x89\x00");
}

#[test]
fn a_client_does_not_wait_for_ever_for_the_server_to_end() {
    let mut timeouts = Timeouts::NONE;
    timeouts.closing = Some(Duration::from_secs(5));
    let mut script = Script::new(&to(Side::Client, CLOSE, &close_body(1000, b"")), 1000);
    script.end = Some(ErrorKind::TimedOut);
    let (mut read, mut write) = ([0; 64], [0; FixedBuffers::MIN_WRITE]);
    let buffers = FixedBuffers::new(&mut read, &mut write).unwrap();
    let config = Config::new().with_timeouts(timeouts);
    let mut socket = WebSocket::new(script, Client::new(Keys(1)), config, buffers);
    assert_eq!(go!(socket.recv()), Ok(Some(Event::Close(CloseCode::new(1000)))));
    for seconds in 0..5 {
        socket.handle_timeout(Timestamp::from_duration(Duration::from_secs(seconds)));
        assert_eq!(go!(socket.recv()), Err(Error::Io(ErrorKind::TimedOut)));
    }
    socket.handle_timeout(Timestamp::from_duration(Duration::from_secs(5)));
    assert_eq!(go!(socket.recv()), Ok(None));
    assert!(socket.closed().unwrap().clean);
}

#[test]
fn a_close_that_cannot_be_written_in_time_is_not_waited_for() {
    let at = |seconds| Timestamp::from_duration(Duration::from_secs(seconds));
    let mut timeouts = Timeouts::NONE;
    timeouts.closing = Some(Duration::from_secs(5));
    let mut script = Script::new(&[], 1000);
    script.write_errors = [ErrorKind::TimedOut].into();
    server!(socket, script, 64, Config::new().with_timeouts(timeouts));
    assert_eq!(go!(socket.start_close(CloseCode::NORMAL)), Err(Error::Io(ErrorKind::TimedOut)));
    socket.handle_timeout(at(0));
    socket.handle_timeout(at(5));
    let late = Error::Protocol(ProtocolError::TimedOut(Timeout::ClosingHandshake));
    assert_eq!(go!(socket.recv()), Err(late));
    assert_eq!(go!(socket.recv()), Ok(None));
    assert_eq!(socket.into_inner().written, b"");
}

#[test]
fn without_a_masking_key_nothing_is_sent_and_nothing_is_lost() {
    let mut keys = 0;
    let entropy = |dest: &mut [u8]| {
        keys += 1;
        dest.fill(keys);
        if keys < 4 {
            Err(EntropyError)
        } else {
            Ok(())
        }
    };
    let (mut read, mut write) = ([0; 64], [0; FixedBuffers::MIN_WRITE]);
    let buffers = FixedBuffers::new(&mut read, &mut write).unwrap();
    let script = Script::new(&to(Side::Client, PING, b"p"), 1000);
    let mut socket = WebSocket::new(script, Client::new(entropy), Config::new(), buffers);
    let no_key = || Error::Send(SendError::Entropy(EntropyError));
    assert_eq!(go!(socket.send("x")), Err(no_key()));
    assert_eq!(go!(socket.recv()), Ok(Some(Event::Ping)));
    assert_eq!(go!(socket.recv()), Err(no_key()));
    assert_eq!(go!(socket.recv()), Err(Error::Protocol(ProtocolError::UnexpectedEof)), "after the Pong");
    assert_eq!(sent_by(Side::Client, &socket.into_inner().written), [(PONG, b"p".to_vec())]);
}

#[test]
fn a_connection_that_was_dropped_says_nothing_more() {
    server!(socket, Script::new(&conversation(), 1000), 64);
    assert!(go!(socket.recv()).unwrap().is_some());
    assert_eq!(go!(socket.recv()), Ok(Some(Event::Ping)), "whose Pong is queued");
    socket.abort();
    assert_eq!(go!(socket.recv()), Ok(None));
    assert_eq!(go!(socket.send("x")), Err(Error::Send(SendError::Closed)));
    assert!(!socket.closed().unwrap().clean);
    assert_eq!(socket.into_inner().written, b"");
}

#[test]
fn what_was_received_with_the_opening_handshake_comes_first() {
    let mut read = to(Side::Server, TEXT, b"early");
    let (len, mut write) = (read.len(), [0; FixedBuffers::MIN_WRITE]);
    read.extend_from_slice(&[0; 64]);
    let buffers = FixedBuffers::new(&mut read, &mut write).unwrap().with_received(len);
    let script = Script::new(&to(Side::Server, MORE, b""), 1000);
    let mut socket = WebSocket::new(script, Server, Config::new(), buffers);
    assert!(matches!(go!(socket.recv()), Ok(Some(Event::Data(data))) if data.as_str() == Some("early")));
    assert_eq!(socket.get_ref().reads, 0);
}
