//! A connection in halves ends as it does in one: whatever happens, both say the same and write the same bytes.

use crate::common;

use std::time::Duration;

use common::*;
use proptest::prelude::*;
use sockless::{
    AnyRole, Connection, ControlPayload, Event, Input, Mailbox, ProtocolError, Reader, SendHalf, Side,
    Timeouts, Timestamp, Writer,
};

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The peer sends a frame: first byte and payload.
    Frame(u8, &'static [u8]),
    /// The peer sends so much that means nothing.
    Flood,
    Send(bool),
    Ping,
    Close(u16),
    /// A frame is begun, and so much of its payload follows.
    Begin(u64, usize),
    Transmit,
    Sleep(u64),
    Fail(ProtocolError),
    Eof,
    Abort,
    WriteEnded(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let frame = prop_oneof![
        Just((TEXT, &b"text"[..])),
        Just((TEXT_PART, &b"part"[..])),
        Just((END, &b"end"[..])),
        Just((PING, &b"?"[..])),
        Just((PONG, &b"!"[..])),
        Just((TEXT, &b"\xFF"[..])),
        Just((0x83, &b""[..])),
        Just((CLOSE, &b""[..])),
        Just((CLOSE, &b"\x0F\xA0"[..])),
    ];
    let failure = prop_oneof![Just(ProtocolError::UnsupportedData), Just(ProtocolError::UnexpectedEof)];
    prop_oneof![
        8 => frame.prop_map(|(first, payload)| Step::Frame(first, payload)),
        1 => Just(Step::Flood),
        4 => any::<bool>().prop_map(Step::Send),
        2 => Just(Step::Ping),
        2 => (4000_u16..4010).prop_map(Step::Close),
        1 => (0_u64..4, 0_usize..4).prop_map(|(len, sent)| Step::Begin(len, sent)),
        4 => Just(Step::Transmit),
        2 => (1_u64..40).prop_map(Step::Sleep),
        1 => failure.prop_map(Step::Fail),
        1 => Just(Step::Eof),
        1 => Just(Step::Abort),
        1 => any::<bool>().prop_map(Step::WriteEnded),
    ]
}

/// What a read brought.
fn take<'b>(
    bytes: &'b mut [u8],
    mut next: impl FnMut(&mut Input<'b>) -> Result<Option<Event<'b>>, ProtocolError>,
) -> Vec<String> {
    let (mut input, mut seen) = (Input::new(bytes), Vec::new());
    loop {
        match next(&mut input) {
            Ok(None) => return seen,
            event => seen.push(format!("{event:?}")),
        }
    }
}

/// Sends what this step says. What was written.
fn send(writer: &mut Writer<AnyRole<Keys>>, step: Step) -> String {
    let mut out = [0; 512];
    let result = match step {
        Step::Send(fin) => writer.encode("text".into(), fin, &mut out),
        Step::Ping => writer.ping(ControlPayload::EMPTY, &mut out),
        Step::Close(status) => writer.close(code(status), &mut out),
        Step::Begin(len, sent) => {
            let begun = writer.begin(sockless::MessageKind::Binary, true, len);
            begun.and_then(|_| writer.mask_copy(&[7; 3][..sent], &mut out))
        }
        Step::Transmit => writer.poll_transmit(&mut out).map_err(Into::into),
        _ => Ok(0),
    };
    format!("{:?} {out:?}", result)
}

fn received(side: Side, step: Step) -> Option<Vec<u8>> {
    match step {
        Step::Frame(first, payload) => Some(to(side, first, payload)),
        Step::Flood => Some(vec![0; 600 << 10]),
        _ => None,
    }
}

/// Does what this step says to the whole connection. All that came of it.
fn whole(conn: &mut Conn, side: Side, now: Timestamp, step: Step) -> String {
    if let Some(mut bytes) = received(side, step) {
        return format!("{:?}", take(&mut bytes, |input| conn.recv(input)));
    }
    let result = match step {
        Step::Sleep(_) => conn.handle_timeout(now),
        Step::Eof => conn.eof(),
        other => {
            match other {
                Step::Fail(error) => conn.fail(error),
                Step::Abort => conn.abort(),
                Step::WriteEnded(complete) => conn.write_ended(complete),
                _ => return send(conn.writer(), step),
            }
            Ok(())
        }
    };
    format!("{result:?}")
}

/// The same in halves, which tell each other what their documentation says.
fn halves(
    (reader, send_half): &mut (Reader, SendHalf<AnyRole<Keys>>),
    side: Side,
    now: Timestamp,
    step: Step,
) -> String {
    let mut mailbox = Mailbox::new();
    if let Some(mut bytes) = received(side, step) {
        let seen = take(&mut bytes, |input| reader.next(input, &mut mailbox));
        send_half.accept(&mut mailbox);
        assert!(mailbox.is_empty());
        return format!("{seen:?}");
    }
    let result = match step {
        Step::Sleep(_) => send_half.handle_timeout(now, reader.message_progress()),
        Step::Eof => send_half.eof(),
        other => {
            match other {
                Step::Fail(error) => send_half.fail(error),
                Step::Abort => send_half.abort(),
                Step::WriteEnded(complete) => send_half.write_ended(complete),
                _ => return send(send_half.writer(), step),
            }
            Ok(())
        }
    };
    if let Some(error) = send_half.failure() {
        reader.fail(error, &mut mailbox);
    }
    format!("{result:?}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn halves_say_and_write_what_the_whole_connection_does(
        client in any::<bool>(),
        steps in proptest::collection::vec(step(), 0..40),
    ) {
        let side = if client { Side::Client } else { Side::Server };
        let mut timeouts = Timeouts::SERVER;
        timeouts.idle = Some(Duration::from_secs(90));
        let config = sockless::Config::new().with_timeouts(timeouts);
        let mut conn = connection(side, config);
        let mut split = connection(side, config).split();
        let mut now = 0;
        for step in steps {
            if let Step::Sleep(seconds) = step {
                now += seconds;
            }
            let at = Timestamp::from_duration(Duration::from_secs(now));
            prop_assert_eq!(whole(&mut conn, side, at, step), halves(&mut split, side, at, step));
            let (reader, send_half) = &split;
            prop_assert_eq!(conn.transport(), send_half.transport());
            prop_assert_eq!(conn.ready_state(), send_half.ready_state());
            prop_assert_eq!(conn.closed(), send_half.closed());
            prop_assert_eq!(conn.reader().received_close(), send_half.received_close());
            prop_assert_eq!(conn.reader().failure(), send_half.failure());
            prop_assert_eq!(conn.poll_timeout(), send_half.poll_timeout(reader.message_progress()));
        }
        // And in one again.
        let mut joined = Connection::join(split.0, split.1);
        prop_assert_eq!(conn.park(), joined.park());
        prop_assert_eq!(conn.eof(), joined.eof());
        prop_assert_eq!(conn.closed(), joined.closed());
    }
}
