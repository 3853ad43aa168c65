//! Time as an input: which timer fires when, and what happens to the connection.

use crate::common;

use std::time::Duration;

use common::*;
use proptest::prelude::*;
use sockless::{
    Config, Deadlines, Initiator, MessageProgress, Output, Progress, ProtocolError, ReadyState, Side,
    Timeout, TimeoutAction, Timeouts, Timestamp, TransportAction, Wake,
};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_duration(Duration::from_secs(seconds))
}

fn timers(change: impl FnOnce(&mut Timeouts)) -> Config {
    let mut timeouts = Timeouts::NONE;
    change(&mut timeouts);
    Config::new().with_timeouts(timeouts)
}

fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

/// A connection whose timers run since second 0.
fn started(side: Side, config: Config) -> Conn {
    let mut conn = connection(side, config);
    if config.timeouts.idle.or(config.timeouts.ping_interval).is_some() {
        assert_eq!(conn.poll_timeout(), Wake::Now, "only the caller knows the time");
    }
    assert_eq!(conn.handle_timeout(at(0)), Ok(()));
    conn
}

/// Nothing happens before second `when`, then `conn` fails with `timeout`, once, and owes `code`.
fn fails_at(mut conn: Conn, when: u64, timeout: Timeout, code: Option<u16>) -> Conn {
    let side = conn.writer().side();
    assert_eq!(conn.poll_timeout(), Wake::At(at(when)), "{timeout:?}");
    assert_eq!(conn.next_timer(), Some(TimeoutAction::Fail(timeout)));
    let before = Timestamp::from_micros(at(when).as_micros() - 1);
    assert_eq!(conn.handle_timeout(before), Ok(()), "never early");
    assert_eq!(conn.poll_timeout(), Wake::At(at(when)));
    let error = ProtocolError::TimedOut(timeout);
    assert_eq!(conn.handle_timeout(at(when)), Err(error));
    assert_eq!(conn.handle_timeout(at(when)), Ok(()), "reported once");
    assert_eq!(conn.reader().failure(), Some(error));
    assert_eq!(error.close_code().map(u16::from), code);
    let mut owes = owed(&mut conn);
    owes.retain(|(first, _)| *first != PONG);
    assert_eq!(owes, Vec::from_iter(code.map(|code| (CLOSE, close_body(code, b"")))));
    assert_eq!(feed(&mut conn, &to(side, TEXT, b"late")), []);
    conn
}

#[test]
fn without_timers_the_caller_needs_no_clock() {
    for side in BOTH {
        let conn = connection(side, Config::new());
        assert_eq!((conn.poll_timeout(), conn.next_timer()), (Wake::Never, None));
    }
}

#[test]
fn the_opening_handshake_has_a_deadline_and_only_that() {
    let mut deadlines = Deadlines::new(Timeouts::SERVER);
    let opening = Progress::default();
    assert_eq!(deadlines.poll_timeout(opening), Wake::Now);
    assert_eq!(deadlines.handle_timeout(at(100), opening), None);
    // What trickles in does not extend it.
    deadlines.received();
    assert_eq!(deadlines.handle_timeout(at(105), opening), None);
    assert_eq!(deadlines.poll_timeout(opening), Wake::At(at(110)));
    let failed = Some(TimeoutAction::Fail(Timeout::OpeningHandshake));
    assert_eq!(deadlines.next_timer(opening), failed);
    assert_eq!(deadlines.clone().handle_timeout(at(110), opening), failed);
    assert_eq!(ProtocolError::TimedOut(Timeout::OpeningHandshake).close_code(), None);

    let open = Progress { open: true, ..opening };
    assert_eq!(deadlines.handle_timeout(at(109), open), None);
    assert_eq!(deadlines.poll_timeout(open), Wake::At(at(139)), "the next is the keep-alive");
}

#[test]
fn idle_counts_from_the_last_sign_of_life_whatever_it_was() {
    for side in BOTH {
        let config = timers(|timeouts| timeouts.idle = seconds(10));
        fails_at(started(side, config), 10, Timeout::Idle, Some(1008));
        for sign in [to(side, TEXT, b"x"), to(side, PING, b""), to(side, PONG, b""), vec![TEXT]] {
            let mut conn = started(side, config);
            feed(&mut conn, &sign);
            assert_eq!(conn.handle_timeout(at(9)), Ok(()));
            fails_at(conn, 19, Timeout::Idle, Some(1008));
        }
        // What we send is no sign of life of the peer.
        let mut conn = started(side, config);
        encode(&mut conn, "x", true);
        assert_eq!(conn.handle_timeout(at(9)), Ok(()));
        fails_at(conn, 10, Timeout::Idle, Some(1008));
    }
}

/// A caller that tried to read and got nothing has not heard from the peer.
#[test]
fn an_empty_read_is_no_sign_of_life() {
    for side in BOTH {
        let mut conn = started(side, timers(|timeouts| timeouts.idle = seconds(10)));
        for second in 1..10 {
            feed(&mut conn, b"");
            assert_eq!(conn.handle_timeout(at(second)), Ok(()));
        }
        fails_at(conn, 10, Timeout::Idle, Some(1008));
    }
}

#[test]
fn a_ping_follows_silence_and_a_pong_deadline_follows_the_ping() {
    let config = timers(|timeouts| {
        timeouts.ping_interval = seconds(30);
        timeouts.pong = seconds(20);
    });
    for side in BOTH {
        let mut conn = started(side, config);
        assert_eq!(conn.poll_timeout(), Wake::At(at(30)));
        assert_eq!(conn.next_timer(), Some(TimeoutAction::SendPing));
        assert_eq!(conn.handle_timeout(at(30)), Ok(()));
        assert_eq!(owed(&mut conn), [(PING, vec![])]);
        assert_eq!(conn.poll_timeout(), Wake::At(at(50)));
        assert_eq!(conn.next_timer(), Some(TimeoutAction::Fail(Timeout::Pong)));
        // Any octet counts as a sign of life. When it was received is known to those who pass the time after
        // each read...
        let mut exact = conn.clone();
        feed(&mut exact, &to(side, TEXT, b"alive"));
        assert_eq!(exact.handle_timeout(at(49)), Ok(()));
        assert_eq!(owed(&mut exact), []);
        assert_eq!(exact.poll_timeout(), Wake::At(at(79)));
        // ... and not to those who do when they are asked to: it may have been right after the Ping.
        feed(&mut conn, &to(side, TEXT, b"alive"));
        assert_eq!(conn.handle_timeout(at(50)), Ok(()));
        assert_eq!(owed(&mut conn), []);
        assert_eq!(conn.poll_timeout(), Wake::At(at(60)));
        assert_eq!(conn.handle_timeout(at(60)), Ok(()));
        assert_eq!(owed(&mut conn), [(PING, vec![])]);
        fails_at(conn, 80, Timeout::Pong, Some(1008));
    }
}

/// A vanished peer is found at most after the interval, the time for the Pong and the closing time together.
/// That holds for a busy connection too, and if the time is only passed when asked for.
#[test]
fn a_peer_that_vanishes_is_dropped_in_time_whenever_that_is() {
    let config = timers(|timeouts| {
        timeouts.ping_interval = seconds(30);
        timeouts.pong = seconds(20);
        timeouts.closing = seconds(5);
    });
    for side in BOTH {
        for vanishes in 0..200 {
            let mut conn = started(side, config);
            let mut now = 0;
            loop {
                let wake = conn.poll_timeout();
                if conn.transport() == TransportAction::Close {
                    break;
                }
                now += 1;
                if now <= vanishes {
                    feed(&mut conn, &to(side, TEXT, b"still here"));
                }
                if !matches!(wake, Wake::At(until) if until > at(now)) {
                    let _ = conn.handle_timeout(at(now));
                }
                transmit(&mut conn);
            }
            assert!((25..=56).contains(&(now - vanishes)), "vanished at {vanishes}, dropped at {now}");
        }
    }
}

/// An octet now and then is a sign of life, but does not keep a message open for ever.
#[test]
fn a_message_that_was_begun_must_come_at_some_rate() {
    let config = timers(|timeouts| {
        timeouts.stalled_fragment = seconds(10);
        timeouts.message_rate = 100;
    });
    // A large frame, small fragments, and a frame of control; with Pings between, where they may be. And a frame
    // that is not so large, whose length has 16 bits.
    for (side, what) in BOTH.into_iter().flat_map(|side| (0..5).map(move |what| (side, what))) {
        for rate in [1, 99, 100, 1000] {
            let mut conn = started(side, config);
            let mut failed = None;
            for second in 0..100 {
                let octets = vec![b'x'; rate];
                let brings = match (what, second) {
                    (0, 0) => header(BINARY, key_to(side), 1 << 20),
                    (4, 0) => header(BINARY, key_to(side), 60_000),
                    (4, second) if second as usize * rate > 60_000 => vec![],
                    (0 | 4, _) => octets,
                    (1 | 2, 0) => to(side, TEXT_PART, b"x"),
                    (1, _) => to(side, MORE, &octets),
                    (2, _) => [to(side, PING, &[7; 125]), to(side, MORE, &octets)].concat(),
                    (_, 0) => header(PING, key_to(side), 125),
                    (_, 1..) if rate < 100 && second < 100 => vec![b'x'; 1],
                    _ => to(side, TEXT, &octets),
                };
                feed(&mut conn, &brings);
                failed = failed.or(conn.handle_timeout(at(second)).err());
            }
            let slow = Some(ProtocolError::TimedOut(Timeout::SlowMessage));
            assert_eq!(failed, if rate < 100 { slow } else { None }, "{side:?} {what} {rate}");
        }
    }
}

/// The rate is that of one message. Other messages received meanwhile do not count.
#[test]
fn a_stream_of_messages_is_never_too_slow() {
    let config = timers(|timeouts| {
        timeouts.stalled_fragment = seconds(10);
        timeouts.message_rate = 100;
    });
    for side in BOTH {
        let mut conn = started(side, config);
        for second in 0..1000 {
            // At each time, the same few octets of another message were received.
            let mut ends = if second == 0 { vec![] } else { to(side, END, b"lo") };
            ends.extend(to(side, TEXT_PART, b"Hel"));
            feed(&mut conn, &ends);
            assert_eq!(conn.handle_timeout(at(second)), Ok(()));
        }
        // Messages of one frame, of which as much has come, or less than of the one before: of the header alone,
        // too.
        let frame = to(side, TEXT, b"Hello, world");
        for step in 0..frame.len() {
            let mut conn = started(side, config);
            let mut came = frame.len();
            for second in 0..300 {
                let cut = 1 + second as usize * step % (frame.len() - 1);
                feed(&mut conn, &[&frame[came..], &frame[..cut]].concat());
                came = cut;
                assert_eq!(conn.handle_timeout(at(second)), Ok(()), "{side:?} step {step}, second {second}");
            }
        }
    }
}

#[test]
fn without_a_pong_deadline_pings_go_on() {
    for side in BOTH {
        let mut conn = started(side, timers(|timeouts| timeouts.ping_interval = seconds(30)));
        for second in [30, 60, 90] {
            assert_eq!(conn.poll_timeout(), Wake::At(at(second)));
            assert_eq!(conn.handle_timeout(at(second)), Ok(()));
            assert_eq!(owed(&mut conn), [(PING, vec![])]);
        }
    }
}

#[test]
fn pings_that_find_no_way_out_do_not_pile_up() {
    for side in BOTH {
        let mut conn = started(side, timers(|timeouts| timeouts.ping_interval = seconds(1)));
        for second in 1..100 {
            assert_eq!(conn.handle_timeout(at(second)), Ok(()));
        }
        assert_eq!(owed(&mut conn), [(PING, vec![])]);
    }
}

#[test]
fn a_message_that_was_begun_must_go_on() {
    let config = timers(|timeouts| timeouts.stalled_fragment = seconds(5));
    for side in BOTH {
        let begun = [
            to(side, TEXT_PART, b"Hel"),
            to(side, TEXT_PART, b""),
            to(side, TEXT, b"Hello")[..1].to_vec(),
            header(TEXT, key_to(side), 5),
            header(PING, key_to(side), 5),
        ];
        for begun in begun {
            let mut conn = started(side, config);
            assert_eq!(conn.poll_timeout(), Wake::Never, "no message, no deadline");
            assert_eq!(conn.handle_timeout(at(100)), Ok(()));
            feed(&mut conn, &begun);
            assert_eq!(conn.handle_timeout(at(100)), Ok(()));
            fails_at(conn, 105, Timeout::StalledFragment, Some(1008));
        }
        // Each piece moves it, the end of the message takes it away.
        let mut conn = started(side, config);
        feed(&mut conn, &to(side, TEXT_PART, b"Hel"));
        for second in [4, 8, 12] {
            assert_eq!(conn.handle_timeout(at(second)), Ok(()));
            assert_eq!(conn.poll_timeout(), Wake::At(at(second + 5)));
            feed(&mut conn, &to(side, MORE, b"."));
        }
        feed(&mut conn, &to(side, END, b"lo"));
        assert_eq!(conn.handle_timeout(at(1000)), Ok(()));
        assert_eq!(conn.poll_timeout(), Wake::Never);
    }
}

#[test]
fn req_6455_5_5_1_13_req_6455_7_1_1_4_a_closing_handshake_has_a_deadline() {
    let config = timers(|timeouts| timeouts.closing = seconds(5));
    for side in BOTH {
        // No answer to our Close.
        let mut conn = connection(side, config);
        assert_eq!(conn.poll_timeout(), Wake::Never, "it is not closing");
        close(&mut conn, code(1000));
        assert_eq!(conn.poll_timeout(), Wake::Now, "the timer is to be armed");
        assert_eq!(conn.handle_timeout(at(10)), Ok(()));
        assert_eq!(conn.transport(), TransportAction::Open, "waiting");
        let conn = fails_at(conn, 15, Timeout::ClosingHandshake, None);
        assert_eq!((conn.transport(), conn.ready_state()), (TransportAction::Close, ReadyState::Closed));
        let error = ProtocolError::TimedOut(Timeout::ClosingHandshake);
        assert_eq!(ending(&conn), (1006, false, Some(Initiator::Local), Some(error)));
        assert_eq!(conn.poll_timeout(), Wake::Never);

        // Both Closes, but the peer does not end the transport: clean, and over.
        let mut conn = connection(side, config);
        feed(&mut conn, &to(side, CLOSE, &close_body(1000, b"")));
        transmit(&mut conn);
        assert_eq!(conn.handle_timeout(at(10)), Ok(()));
        assert_eq!(conn.poll_timeout(), Wake::At(at(15)));
        assert_eq!(conn.handle_timeout(at(15)), Ok(()));
        assert_eq!(conn.transport(), TransportAction::Close);
        assert_eq!(ending(&conn), (1000, true, Some(Initiator::Peer), None));
    }
}

#[test]
fn nothing_that_comes_extends_the_closing_handshake() {
    let config = timers(|timeouts| timeouts.closing = seconds(5));
    for side in BOTH {
        let mut conn = connection(side, config);
        close(&mut conn, code(1000));
        for second in 0..5 {
            feed(&mut conn, &to(side, TEXT, b"still talking"));
            assert_eq!(conn.handle_timeout(at(second)), Ok(()));
        }
        assert!(conn.handle_timeout(at(5)).is_err());
    }
}

/// A failed connection waits for the peer's end of the transport, but not for ever: a peer that is gone never
/// ends it.
#[test]
fn whatever_failed_the_connection_the_closing_deadline_runs() {
    let config = timers(|timeouts| {
        timeouts.ping_interval = seconds(10);
        timeouts.pong = seconds(10);
        timeouts.idle = seconds(60);
        timeouts.stalled_fragment = seconds(15);
        timeouts.closing = seconds(5);
    });
    for side in BOTH {
        let mut no_pong = started(side, config);
        no_pong.handle_timeout(at(10)).unwrap();
        transmit(&mut no_pong);
        no_pong = fails_at(no_pong, 20, Timeout::Pong, Some(1008));

        let mut without_pings = config;
        without_pings.timeouts.ping_interval = None;
        without_pings.timeouts.stalled_fragment = None;
        let mut idle = started(side, without_pings);
        assert!(idle.handle_timeout(at(60)).is_err());

        let mut stalled = started(side, config);
        feed(&mut stalled, &to(side, TEXT_PART, b"Hel"));
        assert_eq!(stalled.handle_timeout(at(5)), Ok(()));
        assert_eq!(stalled.handle_timeout(at(15)), Ok(()), "the keep-alive");
        assert!(stalled.handle_timeout(at(20)).is_err());

        let mut broken = started(side, config);
        feed(&mut broken, &to(side, 0xFF, b""));
        assert_eq!(broken.poll_timeout(), Wake::Now);
        assert_eq!(broken.handle_timeout(at(20)), Ok(()));

        for (mut conn, deadline) in [(no_pong, 25), (idle, 65), (stalled, 25), (broken, 25)] {
            let failure = conn.reader().failure();
            transmit(&mut conn);
            assert_eq!(conn.transport(), TransportAction::ShutdownWrite);
            assert_eq!(conn.poll_timeout(), Wake::At(at(deadline)), "after {failure:?}");
            assert_eq!(conn.handle_timeout(at(deadline)), Ok(()), "the failure was reported already");
            assert_eq!(conn.transport(), TransportAction::Close);
            assert_eq!(ending(&conn), (1006, false, Some(Initiator::Local), failure));
            assert_eq!(conn.poll_timeout(), Wake::Never);
        }
    }
}

#[test]
fn a_late_caller_gets_one_ping_and_no_time_is_made_up() {
    for side in BOTH {
        let mut conn = started(side, timers(|timeouts| timeouts.ping_interval = seconds(10)));
        assert_eq!(conn.handle_timeout(at(1000)), Ok(()));
        assert_eq!(owed(&mut conn), [(PING, vec![])]);
        assert_eq!(conn.poll_timeout(), Wake::At(at(1010)));
    }
}

#[test]
fn timestamps_keep_what_they_are_given_and_end_at_the_end_of_time() {
    for micros in [0, 1, 1_000_000, u64::MAX - 1] {
        assert_eq!(Timestamp::from_micros(micros).as_micros(), micros);
    }
    assert_eq!(at(1), Timestamp::from_micros(1_000_000));
    assert_eq!(at(1).after(Duration::from_micros(5)).as_micros(), 1_000_005);
    let end = Timestamp::from_micros(u64::MAX);
    assert_eq!((at(0).after(Duration::MAX), end.after(Duration::from_secs(1))), (end, end));
    // A timer of that length never fires.
    for side in BOTH {
        let conn = started(side, timers(|timeouts| timeouts.idle = Some(Duration::MAX)));
        assert_eq!(conn.poll_timeout(), Wake::At(end));
    }
}

/// Durations near the length of a step, and zero.
fn duration() -> impl Strategy<Value = Option<Duration>> {
    prop_oneof![
        Just(None),
        Just(Some(Duration::ZERO)),
        (0_u64..3000).prop_map(|nanos| Some(Duration::from_nanos(nanos))),
        (0_u64..50).prop_map(|micros| Some(Duration::from_micros(micros))),
    ]
}

fn timeouts() -> impl Strategy<Value = Timeouts> {
    [duration(), duration(), duration(), duration(), duration(), duration()].prop_map(
        |[opening, ping_interval, pong, idle, stalled_fragment, closing]| {
            let mut timeouts = Timeouts::NONE;
            timeouts.opening = opening;
            timeouts.ping_interval = ping_interval;
            timeouts.pong = pong;
            timeouts.idle = idle;
            timeouts.stalled_fragment = stalled_fragment;
            timeouts.message_rate = u32::from(stalled_fragment.is_some()) * 1000;
            timeouts.closing = closing;
            timeouts
        },
    )
}

/// After `handle_timeout(now)` a caller may sleep: anything else would be a busy loop.
fn is_later(wake: Wake, now: Timestamp) -> bool {
    match wake {
        Wake::Never => true,
        Wake::At(at) => at > now,
        Wake::Now => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn deadlines_never_ask_to_be_called_again_at_once(
        timeouts in timeouts(),
        steps in prop::collection::vec((0_u64..40, any::<[bool; 7]>(), 0_u32..3), 1..40),
    ) {
        let mut deadlines = Deadlines::new(timeouts);
        let (mut now, mut octets) = (0, 0);
        for (advance, [received, wrote, open, mid_message, closing, waits, only_writes], number) in steps {
            now += advance;
            octets += advance;
            let time = Timestamp::from_micros(now);
            let message = mid_message.then_some(MessageProgress { number, octets });
            let output = if waits { Output::Waits } else { Output::Taken };
            let progress = Progress { open, message, closing, output, only_writes };
            if received {
                deadlines.received();
            }
            if wrote {
                deadlines.wrote();
            }
            let _ = deadlines.handle_timeout(time, progress);
            let wake = deadlines.poll_timeout(progress);
            prop_assert!(is_later(wake, time), "{:?} at {:?} with {:?}", wake, time, progress);
        }
    }

    #[test]
    fn connections_never_ask_to_be_called_again_at_once(
        timeouts in timeouts(),
        server: bool,
        steps in prop::collection::vec((0_u64..40, 0_u8..12), 1..40),
    ) {
        let side = if server { Side::Server } else { Side::Client };
        let mut conn = connection(side, Config::new().with_timeouts(timeouts));
        let mut now = 0;
        for (advance, action) in steps {
            now += advance;
            match action {
                0 => drop(feed(&mut conn, &to(side, TEXT_PART, b"x"))),
                1 => drop(feed(&mut conn, &to(side, END, b"x"))),
                2 => drop(feed(&mut conn, &to(side, PING, b"x"))),
                3 => drop(feed(&mut conn, &[PONG])),
                4 if now % 3 == 0 => drop(feed(&mut conn, &to(side, CLOSE, b""))),
                5 if now % 3 == 0 => drop(conn.writer().close(code(1000), &mut [0; 262])),
                6 => drop(transmit(&mut conn)),
                7 if now % 5 == 0 => drop(conn.eof()),
                8 if now % 5 == 0 => conn.abort(),
                _ => {}
            }
            let time = Timestamp::from_micros(now);
            let _ = conn.handle_timeout(time);
            let wake = conn.poll_timeout();
            prop_assert!(is_later(wake, time), "{:?} at {:?} in {:?}", wake, time, conn.ready_state());
        }
    }

    /// Asked between events, the wake-up is never later than a timer that was configured.
    #[test]
    fn no_timer_is_forgotten(timeouts in timeouts(), silence in 0_u64..200) {
        let mut conn = connection(Side::Server, Config::new().with_timeouts(timeouts));
        let _ = conn.handle_timeout(Timestamp::from_micros(0));
        let mut spins = 0;
        while let Wake::At(at) = conn.poll_timeout() {
            if at > Timestamp::from_micros(silence) {
                break;
            }
            spins += 1;
            prop_assert!(spins < 1000, "a busy loop");
            let _ = conn.handle_timeout(at);
        }
        if timeouts.idle.is_some_and(|idle| idle.as_micros() <= u128::from(silence)) && silence > 0 {
            prop_assert!(conn.reader().failure().is_some());
        }
    }
}
