//! Parked connections: when a connection can be parked, and that it goes on as if it had not been.

use crate::common;

use std::time::Duration;

use common::{all_to, close_body, to, BINARY_PART, BOTH, CLOSE, END, MORE, PING, PONG, TEXT, TEXT_PART};
use proptest::prelude::*;
use sockless::frame::Rsv;
use sockless::{
    AnyRole, CloseCode, Config, Connection, EntropyError, Event, Input, Limits, MessageKind, Parked, Payload,
    ProtocolError, Side, Timeouts, Timestamp, Wake,
};

type Key = fn(&mut [u8]) -> Result<(), EntropyError>;
type Conn = Connection<AnyRole<Key>>;

/// A connection that always masks with the same key: those who park connections share one source of keys.
fn connection(side: Side, config: Config) -> Conn {
    let key: Key = |dest| {
        dest.fill(0x5A);
        Ok(())
    };
    Connection::new(if side == Side::Server { AnyRole::Server } else { AnyRole::Client(key) }, config)
}

fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// Everything that was reported for these bytes.
fn feed(conn: &mut Conn, bytes: &[u8]) -> Vec<String> {
    let mut bytes = bytes.to_vec();
    let mut input = Input::new(&mut bytes);
    let mut seen = Vec::new();
    loop {
        match conn.recv(&mut input) {
            Ok(None) => return seen,
            Ok(Some(Event::Data(data))) => seen.push(format!("{data:?} {:?}", data.as_bytes())),
            Ok(Some(event)) => seen.push(format!("{event:?} {:?}", conn.reader().control_payload())),
            Err(error) => seen.push(format!("{error:?}")),
        }
    }
}

/// What a caller does between two reads.
#[derive(Clone, Debug)]
enum Step {
    Receive(usize),
    Garbage(u8),
    Time(u64),
    Transmit(usize),
    Encode(MessageKind, bool),
    Begin(u64),
    Mask(usize),
    Ping,
    Close,
    KeepAlive,
    Eof,
    Abort,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => prop_oneof![1_usize..8, Just(1000_usize)].prop_map(Step::Receive),
        1 => any::<u8>().prop_map(Step::Garbage),
        6 => (0_u64..40).prop_map(Step::Time),
        8 => prop_oneof![Just(131_usize), 0_usize..12].prop_map(Step::Transmit),
        3 => (prop_oneof![Just(MessageKind::Text), Just(MessageKind::Binary)], prop::bool::weighted(0.7))
            .prop_map(|(kind, fin)| Step::Encode(kind, fin)),
        1 => (0_u64..9).prop_map(Step::Begin),
        2 => (0_usize..9).prop_map(Step::Mask),
        1 => Just(Step::Ping),
        1 => Just(Step::Close),
        1 => Just(Step::KeepAlive),
        1 => Just(Step::Eof),
        1 => Just(Step::Abort),
    ]
}

/// What the peer sends. All is valid, except for the last kinds.
fn stream(side: Side) -> impl Strategy<Value = Vec<u8>> {
    let one = prop_oneof![
        4 => Just(vec![(TEXT, &b"Hello"[..])]),
        2 => Just(vec![(TEXT_PART, &b"He"[..]), (PING, b"p"), (MORE, b""), (END, b"llo")]),
        2 => Just(vec![(BINARY_PART, &b"\xC3"[..]), (END, &[0; 200])]),
        3 => Just(vec![(PING, &b"ping"[..])]),
        2 => Just(vec![(PONG, &b""[..])]),
        1 => Just(vec![(TEXT | 0x40, &b"\xC3"[..])]),
        1 => Just(vec![(CLOSE, &b"\x03\xE8"[..])]),
        1 => Just(vec![(TEXT, &b"\xFF"[..])]),
    ];
    prop::collection::vec(one, 0..12).prop_map(move |frames| all_to(side, &frames.concat()))
}

fn timeouts() -> impl Strategy<Value = Timeouts> {
    let one = || prop_oneof![Just(None), (0_u64..60).prop_map(|micros| Some(Duration::from_micros(micros)))];
    [one(), one(), one(), one(), one()].prop_map(|[ping_interval, pong, idle, stalled_fragment, closing]| {
        let mut timeouts = Timeouts::NONE;
        timeouts.ping_interval = ping_interval;
        timeouts.pong = pong;
        timeouts.idle = idle;
        timeouts.stalled_fragment = stalled_fragment;
        timeouts.closing = closing;
        timeouts
    })
}

/// Does one step. Returns all that can be observed.
fn take(conn: &mut Conn, step: &Step, input: &mut &[u8], now: &mut u64) -> String {
    let mut out = [0; 300];
    let done = match *step {
        Step::Receive(count) => {
            let (piece, rest) = input.split_at(count.min(input.len()));
            *input = rest;
            format!("{:?}", feed(conn, piece))
        }
        Step::Garbage(octet) => format!("{:?}", feed(conn, &[octet])),
        Step::Time(advance) => {
            *now += advance;
            format!("{:?}", conn.handle_timeout(at(*now)))
        }
        Step::Transmit(room) => {
            let count = conn.poll_transmit(&mut out[..room]);
            format!("{count:?} {:?}", &out[..count.unwrap_or(0)])
        }
        Step::Encode(kind, fin) => {
            let payload =
                if kind == MessageKind::Text { Payload::text("abc") } else { Payload::binary(b"abc") };
            let count = conn.writer().encode(payload, fin, &mut out);
            format!("{count:?} {:?}", &out[..count.unwrap_or(0)])
        }
        Step::Begin(len) => format!("{:?}", conn.writer().begin(MessageKind::Text, true, len)),
        Step::Mask(len) => format!("{:?} {out:?}", conn.writer().mask(&mut out[..len])),
        Step::Ping => {
            let count = conn.writer().ping(Default::default(), &mut out);
            format!("{count:?} {:?}", &out[..count.unwrap_or(0)])
        }
        Step::Close => {
            let count = conn.writer().close(CloseCode::NORMAL.into(), &mut out);
            format!("{count:?} {:?}", &out[..count.unwrap_or(0)])
        }
        Step::KeepAlive => {
            conn.writer().keep_alive();
            String::new()
        }
        Step::Eof => format!("{:?}", conn.eof()),
        Step::Abort => {
            conn.abort();
            String::new()
        }
    };
    let (reader, states) = (conn.reader(), (conn.transport(), conn.ready_state(), conn.closed()));
    let reading = (reader.is_mid_message(), reader.frame_remaining(), reader.failure());
    let ending = (reader.received_close(), reader.close_reason().to_owned());
    let timer = conn.poll_timeout();
    let owes = conn.wants_transmit();
    let writer = conn.writer();
    let writing = (writer.is_open(), writer.sent_close(), writer.frame_remaining());
    format!("{step:?}: {done}, {states:?} {reading:?} {ending:?} {timer:?} {owes} {writing:?}")
}

/// Connections in all kinds of states, in whose place another may go on.
fn places(side: Side, config: Config) -> Vec<Conn> {
    let fresh = connection(side, config);
    let mut places = vec![fresh.clone()];
    let mut after = |change: &dyn Fn(&mut Conn)| {
        let mut conn = fresh.clone();
        change(&mut conn);
        places.push(conn);
    };
    for bytes in [&[TEXT][..], &to(side, TEXT_PART, b"\xC3"), &to(side, PING, b"other"), &to(side, 0xFF, b"")]
    {
        after(&|conn| drop(feed(conn, bytes)));
    }
    after(&|conn| drop(feed(conn, &to(side, CLOSE, &close_body(1001, b"gone")))));
    after(&|conn| drop(feed(conn, &to(side, PING, &[7; 125])[..70])));
    after(&|conn| {
        conn.writer().encode(Payload::binary(b"part"), false, &mut [0; 99]).unwrap();
        conn.writer().begin(MessageKind::Binary, false, 5).unwrap();
    });
    after(&|conn| {
        conn.writer().begin(MessageKind::Text, true, 5).unwrap();
        conn.writer().mask(&mut [0xC3]).unwrap();
    });
    after(&|conn| assert!(conn.writer().close(CloseCode::NORMAL.into(), &mut [0; 300]).is_ok()));
    after(&|conn| {
        for micros in [5, 200, 400, 600] {
            let _ = conn.handle_timeout(at(micros));
        }
    });
    after(&|conn| assert_eq!(conn.eof(), Err(ProtocolError::UnexpectedEof)));
    after(&|conn| conn.abort());
    after(&|conn| conn.fail(ProtocolError::InvalidCompressedData));
    places
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Put to rest wherever that is possible, and resumed in the place of connections of all kinds.
    #[test]
    fn who_rests_behaves_like_who_never_does(
        (side, input) in prop_oneof![Just(Side::Server), Just(Side::Client)]
            .prop_flat_map(|side| (Just(side), stream(side))),
        timeouts in timeouts(),
        extension: bool,
        steps in prop::collection::vec((step(), any::<prop::sample::Index>()), 1..60),
    ) {
        let config = Config::new()
            .with_limits(Limits::DEFAULT.with_max_fragments(3).with_max_message_size(150))
            .with_timeouts(timeouts);
        let places = places(side, config);
        let rsv = if extension { Rsv::RSV1 } else { Rsv::NONE };
        let mut steady = connection(side, config).with_allowed_rsv(rsv);
        let mut resting = places[0].clone();
        resting.unpark(Parked::new().with_allowed_rsv(rsv));
        let (mut input, mut same, mut now, mut same_now) = (&input[..], &input[..], 0, 0);
        for (step, place) in steps {
            let want = take(&mut steady, &step, &mut input, &mut now);
            prop_assert_eq!(take(&mut resting, &step, &mut same, &mut same_now), want);
            let rest = resting.park();
            prop_assert_eq!(rest, steady.park());
            if let Some(rest) = rest {
                prop_assert_eq!(rest.poll_timeout(&timeouts), steady.poll_timeout());
                resting = place.get(&places).clone();
                resting.unpark(rest);
                prop_assert_eq!(resting.park(), Some(rest));
                prop_assert_eq!(resting.reader().control_payload(), b"", "that of another connection");
            }
        }
    }
}

#[test]
fn a_connection_can_be_parked_between_messages_when_nothing_is_owed() {
    for side in BOTH {
        let mut conn = connection(side, Config::new());
        assert_eq!(conn.park(), Some(Parked::new()), "from the first byte on");
        let mut bytes = all_to(side, &[(TEXT_PART, b"He"), (PONG, b""), (END, b"llo")]);
        let end = bytes.len();
        bytes.extend(to(side, PING, b""));
        for count in 1..=bytes.len() {
            feed(&mut conn, &bytes[count - 1..count]);
            assert_eq!(conn.park().is_some(), count == end, "{side:?} after {count} bytes");
        }
        conn.poll_transmit(&mut [0; 16]).unwrap();
        assert!(conn.park().is_some(), "the Pong went out");

        let mut sending = conn.clone();
        sending.writer().encode("part".into(), false, &mut [0; 99]).unwrap();
        assert_eq!(sending.park(), None);
        sending.writer().begin(MessageKind::Text, true, 3).unwrap();
        sending.writer().mask(&mut [b'x'; 2]).unwrap();
        assert_eq!(sending.park(), None);
        sending.writer().mask(&mut [b'x'; 1]).unwrap();
        assert!(sending.park().is_some());

        let mut owing = conn.clone();
        owing.writer().keep_alive();
        assert_eq!(owing.park(), None, "a Ping is due");
    }
}

#[test]
fn who_closes_failed_or_ended_cannot_be_parked() {
    type End = fn(&mut Conn, Side);
    let ends: [End; 5] = [
        |conn, _| assert!(conn.writer().close(CloseCode::NORMAL.into(), &mut [0; 300]).is_ok()),
        |conn, side| assert_eq!(feed(conn, &to(side, CLOSE, b"")).len(), 1),
        |conn, _| conn.fail(ProtocolError::InvalidCompressedData),
        |conn, _| assert_eq!(conn.eof(), Err(ProtocolError::UnexpectedEof)),
        |conn, _| conn.abort(),
    ];
    for side in BOTH {
        for end in ends {
            let mut conn = connection(side, Config::new());
            end(&mut conn, side);
            assert_eq!(conn.park(), None);
            while conn.poll_transmit(&mut [0; 300]).unwrap() > 0 {}
            assert_eq!(conn.park(), None);
        }
    }
}

#[test]
fn a_keep_alive_goes_on_over_a_rest() {
    let config = Config::new().with_timeouts(Timeouts::SERVER);
    let seconds = |seconds| Timestamp::from_duration(Duration::from_secs(seconds));
    let mut one = connection(Side::Server, config);
    let mut rest = Parked::new();
    assert_eq!(rest.poll_timeout(&config.timeouts), Wake::Now, "only the caller knows the time");
    // Sent, and not answered yet; then a sign of life, which may have come right after the Ping; then silence.
    for (now, came, sent, next) in
        [(0, false, 0, 30), (30, false, 2, 50), (50, true, 0, 60), (60, false, 2, 80)]
    {
        one.unpark(rest);
        if came {
            feed(&mut one, &to(Side::Server, PONG, b""));
        }
        assert_eq!(one.handle_timeout(seconds(now)), Ok(()));
        assert_eq!(one.poll_transmit(&mut [0; 16]), Ok(sent), "at {now} s");
        rest = one.park().unwrap();
        assert_eq!(rest.poll_timeout(&config.timeouts), Wake::At(seconds(next)));
        one.unpark(Parked::new());
    }
    one.unpark(rest);
    assert!(one.handle_timeout(seconds(80)).is_err(), "no Pong came");
    assert_eq!(one.park(), None);
}
