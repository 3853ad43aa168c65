//! A client and a server that talk through queues of bytes, with a clock of the test's own and a limit on
//! spinning.

use crate::common;

use std::collections::VecDeque;
use std::time::Duration;

use common::*;
use proptest::prelude::*;
use sockless::{
    Config, ControlPayload, Initiator, MessageKind, ProtocolError, ReadyState, Side, Timeout, Timeouts,
    Timestamp, TransportAction, Wake,
};

const LOCAL: Option<Initiator> = Some(Initiator::Local);
const PEER: Option<Initiator> = Some(Initiator::Peer);

/// One end with its side of the transport.
struct End {
    conn: Conn,
    /// On its way to the other end.
    out: VecDeque<u8>,
    /// Everything that this end ever wrote.
    wire: Vec<u8>,
    /// Whether this end will write no more, or takes no more.
    shut: bool,
    gone: bool,
    seen: Vec<Seen>,
}

impl End {
    fn new(side: Side, config: Config) -> Self {
        let (out, wire, seen) = (VecDeque::new(), Vec::new(), Vec::new());
        Self { conn: connection(side, config), out, wire, shut: false, gone: false, seen }
    }

    fn write(&mut self, bytes: &[u8]) {
        if !self.shut {
            self.out.extend(bytes);
            self.wire.extend_from_slice(bytes);
        }
    }

    /// Bytes that this end's engine never wrote.
    fn inject(&mut self, bytes: &[u8]) {
        self.out.extend(bytes);
    }

    fn send<'p>(&mut self, payload: impl Into<sockless::Payload<'p>>, fin: bool) {
        let bytes = encode(&mut self.conn, payload, fin);
        self.write(&bytes);
    }

    fn ping(&mut self, payload: &[u8]) {
        let mut out = [0; 131];
        let len = self.conn.writer().ping(ControlPayload::new(payload).unwrap(), &mut out).unwrap();
        self.write(&out[..len]);
    }

    fn close(&mut self, status: u16) {
        let bytes = close(&mut self.conn, code(status));
        self.write(&bytes);
    }

    /// Writes what is owed, then does with the transport what the engine says, like an adapter.
    fn serve(&mut self) {
        let bytes = transmit(&mut self.conn);
        self.write(&bytes);
        match self.conn.transport() {
            TransportAction::Open | TransportAction::AwaitEof => {}
            TransportAction::ShutdownWrite => self.shut = true,
            TransportAction::Close => (self.shut, self.gone) = (true, true),
        }
    }

    fn closes_sent(&self) -> usize {
        parse(&self.wire).iter().filter(|frame| frame.first == CLOSE).count()
    }
}

struct Pair {
    client: End,
    server: End,
    now: Timestamp,
    /// How many bytes the transport delivers at once.
    chunk: usize,
    /// Bytes get lost from now on, without anybody noticing.
    cable_cut: bool,
}

impl Pair {
    fn new(client: Config, server: Config, chunk: usize) -> Self {
        let (client, server) = (End::new(Side::Client, client), End::new(Side::Server, server));
        Self { client, server, now: Timestamp::from_micros(0), chunk, cable_cut: false }
    }

    fn ends(&mut self) -> [&mut End; 2] {
        [&mut self.client, &mut self.server]
    }

    /// Delivers until nothing moves any more.
    fn settle(&mut self) {
        for spin in 0.. {
            assert!(spin < 100_000, "the pair spins");
            self.ends().into_iter().for_each(End::serve);
            let now = self.now;
            for end in self.ends() {
                let before = end.conn.reader().failure();
                if let Err(error) = end.conn.handle_timeout(now) {
                    assert_eq!(before, None);
                    end.seen.push(Seen::Fail(error));
                }
                assert!(matches!(end.conn.poll_timeout(), Wake::Never | Wake::At(_)));
                end.serve();
            }
            let (chunk, cut) = (self.chunk, self.cable_cut);
            let to_server = deliver(&mut self.client, &mut self.server, chunk, cut);
            let to_client = deliver(&mut self.server, &mut self.client, chunk, cut);
            if !to_server && !to_client {
                break;
            }
        }
    }

    /// Runs until nothing happens, then sleeps until the next timer; until `until`, or until nobody waits.
    fn run(&mut self, until: u64) {
        let until = seconds(until);
        for spin in 0.. {
            assert!(spin < 10_000, "a busy loop");
            self.settle();
            let next = self.ends().into_iter().filter_map(|end| match end.conn.poll_timeout() {
                Wake::At(at) => Some(at),
                Wake::Never => None,
                Wake::Now => panic!("{:?} after handle_timeout", Wake::Now),
            });
            match next.min() {
                Some(at) if at <= until => {
                    assert!(at > self.now, "time stands still");
                    self.now = at;
                }
                _ => break,
            }
        }
        self.now = until;
        self.settle();
    }

    /// Both ends have ended, each as it says, with at most one Close each.
    fn assert_ended(&self, client: Report, server: Report) {
        for (end, report) in [(&self.client, client), (&self.server, server)] {
            assert_eq!(end.conn.ready_state(), ReadyState::Closed);
            assert_eq!(ending(&end.conn), report);
            assert!(end.closes_sent() <= 1);
        }
    }
}

type Report = (u16, bool, Option<Initiator>, Option<ProtocolError>);

/// Moves some bytes, or the end of the stream. Gives whether anything moved.
fn deliver(from: &mut End, to: &mut End, chunk: usize, cable_cut: bool) -> bool {
    let count = from.out.len().min(chunk);
    let bytes: Vec<u8> = from.out.drain(..count).collect();
    if cable_cut || to.gone {
        return count > 0;
    }
    if count > 0 {
        to.seen.extend(feed(&mut to.conn, &bytes));
        return true;
    }
    if from.shut && to.conn.ready_state() != ReadyState::Closed {
        if let Err(error) = to.conn.eof() {
            to.seen.push(Seen::Fail(error));
        }
        return true;
    }
    false
}

fn seconds(seconds: u64) -> Timestamp {
    Timestamp::from_duration(Duration::from_secs(seconds))
}

fn timers(change: impl FnOnce(&mut Timeouts)) -> Config {
    let mut timeouts = Timeouts::NONE;
    change(&mut timeouts);
    Config::new().with_timeouts(timeouts)
}

fn secs(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

#[test]
fn a_conversation_both_ways() {
    let _watchdog = watchdog!();
    for chunk in [1, 2, 5, 1000] {
        let mut pair = Pair::new(Config::new(), Config::new(), chunk);
        pair.client.send("Hello", true);
        pair.server.send(b"\x01\x02", false);
        pair.server.ping(b"amid");
        pair.server.send(b"\x03", true);
        pair.settle();
        pair.client.send("fragments €", false);
        pair.client.send("", true);
        pair.settle();
        let expected = [text("Hello"), Seen::Pong(b"amid".to_vec()), text("fragments €")];
        assert_eq!(joined(pair.server.seen.clone()), expected);
        let ping = Seen::Ping(b"amid".to_vec());
        let parts = [&b"\x01\x02"[..], b"\x03"];
        let expected = [
            part(MessageKind::Binary, true, parts[0], false),
            ping,
            part(MessageKind::Binary, false, parts[1], true),
        ];
        assert_eq!(joined(pair.client.seen.clone()), expected);
        pair.client.close(1000);
        pair.settle();
        pair.assert_ended((1000, true, LOCAL, None), (1000, true, PEER, None));
    }
}

#[test]
fn either_end_may_close_first_and_the_server_always_ends_the_transport() {
    let _watchdog = watchdog!();
    for chunk in [1, 3, 1000] {
        let mut pair = Pair::new(Config::new(), Config::new(), chunk);
        pair.server.close(1001);
        pair.settle();
        pair.assert_ended((1001, true, PEER, None), (1001, true, LOCAL, None));

        let mut pair = Pair::new(Config::new(), Config::new(), chunk);
        pair.client.close(4000);
        pair.client.serve();
        while deliver(&mut pair.client, &mut pair.server, chunk, false) {}
        pair.server.serve();
        assert!(pair.server.shut, "the server ends its direction with its answer");
        while !pair.server.out.is_empty() {
            deliver(&mut pair.server, &mut pair.client, chunk, false);
        }
        pair.client.serve();
        assert!(!pair.client.shut, "the client waits");
        pair.settle();
        pair.assert_ended((4000, true, LOCAL, None), (4000, true, PEER, None));
    }
}

#[test]
fn closes_that_cross_end_cleanly_with_one_close_each() {
    let _watchdog = watchdog!();
    for chunk in [1, 1000] {
        let mut pair = Pair::new(Config::new(), Config::new(), chunk);
        pair.client.send("last words", true);
        pair.client.close(4001);
        pair.server.close(4002);
        pair.settle();
        pair.assert_ended((4002, true, LOCAL, None), (4001, true, LOCAL, None));
        let expected = [text("last words"), Seen::Close(Some(4001), String::new())];
        assert_eq!((pair.client.closes_sent(), pair.server.closes_sent()), (1, 1));
        assert_eq!(joined(pair.server.seen), expected, "what was on its way arrives");
    }
}

#[test]
fn a_failure_is_told_to_the_peer_and_ends_both() {
    let _watchdog = watchdog!();
    let broken = b"\xFF\x80junk that no engine sends";
    let error = ProtocolError::ReservedOpcode;
    for chunk in [1, 1000] {
        let mut pair = Pair::new(Config::new(), Config::new(), chunk);
        pair.client.inject(broken);
        pair.settle();
        pair.assert_ended((1002, true, PEER, None), (1006, false, LOCAL, Some(error)));

        let mut pair = Pair::new(Config::new(), Config::new(), chunk);
        pair.server.inject(broken);
        pair.settle();
        pair.assert_ended((1006, false, LOCAL, Some(error)), (1002, true, PEER, None));
    }
}

#[test]
fn both_may_fail_at_once() {
    let _watchdog = watchdog!();
    let mut pair = Pair::new(Config::new(), Config::new(), 1000);
    pair.client.inject(b"\x83\x80\0\0\0\0");
    pair.server.inject(b"\x84\x00");
    pair.settle();
    let report = (1006, false, LOCAL, Some(ProtocolError::ReservedOpcode));
    pair.assert_ended(report, report);
}

#[test]
fn keep_alive_keeps_an_idle_connection_alive() {
    let _watchdog = watchdog!();
    let pings = timers(|timeouts| {
        timeouts.ping_interval = secs(30);
        timeouts.pong = secs(20);
        timeouts.idle = secs(100);
    });
    let patient = timers(|timeouts| timeouts.idle = secs(40));
    for (client, server) in [(patient, pings), (pings, patient), (pings, pings)] {
        let mut pair = Pair::new(client, server, 7);
        pair.run(3600);
        for end in pair.ends() {
            assert_eq!((end.conn.ready_state(), end.conn.reader().failure()), (ReadyState::Open, None));
        }
        let signs = |end: &End| end.seen.len();
        assert!(signs(&pair.client) > 50 && signs(&pair.server) > 50, "pings and pongs all the while");
        pair.client.close(1000);
        pair.run(3601);
        pair.assert_ended((1000, true, LOCAL, None), (1000, true, PEER, None));
    }
}

#[test]
fn a_dead_peer_is_noticed_by_its_missing_pong_and_let_go() {
    let _watchdog = watchdog!();
    let config = timers(|timeouts| {
        timeouts.ping_interval = secs(30);
        timeouts.pong = secs(20);
        timeouts.closing = secs(5);
    });
    let mut pair = Pair::new(config, config, 7);
    pair.client.send("alive", true);
    pair.run(10);
    pair.cable_cut = true;
    // Silence since 0: Pings at 30, given up at 50, the transport dropped at 55.
    pair.run(54);
    for end in pair.ends() {
        assert_eq!(end.seen.last(), Some(&Seen::Fail(ProtocolError::TimedOut(Timeout::Pong))));
        assert_eq!(end.conn.ready_state(), ReadyState::Closing);
    }
    pair.run(55);
    let report = (1006, false, LOCAL, Some(ProtocolError::TimedOut(Timeout::Pong)));
    pair.assert_ended(report, report);
}

#[test]
fn an_idle_connection_is_ended_by_whoever_minds() {
    let _watchdog = watchdog!();
    let mut pair = Pair::new(Config::new(), timers(|timeouts| timeouts.idle = secs(60)), 7);
    pair.client.send("once", true);
    pair.run(59);
    assert_eq!(pair.server.conn.ready_state(), ReadyState::Open);
    pair.run(60);
    let timed_out = ProtocolError::TimedOut(Timeout::Idle);
    pair.assert_ended((1008, true, PEER, None), (1006, false, LOCAL, Some(timed_out)));
}

#[test]
fn a_message_that_stalls_is_given_up() {
    let _watchdog = watchdog!();
    let mut pair = Pair::new(Config::new(), timers(|timeouts| timeouts.stalled_fragment = secs(60)), 7);
    pair.run(500);
    pair.client.send("begun and", false);
    pair.run(559);
    assert_eq!(pair.server.conn.ready_state(), ReadyState::Open);
    pair.run(560);
    let timed_out = ProtocolError::TimedOut(Timeout::StalledFragment);
    pair.assert_ended((1008, true, PEER, None), (1006, false, LOCAL, Some(timed_out)));
}

#[test]
fn a_peer_that_never_answers_a_close_is_let_go() {
    let _watchdog = watchdog!();
    for from_client in [true, false] {
        let config = timers(|timeouts| timeouts.closing = secs(5));
        let mut pair = Pair::new(config, config, 7);
        pair.cable_cut = true;
        let [client, server] = pair.ends();
        let end = if from_client { client } else { server };
        end.close(1000);
        pair.run(4);
        let waiting =
            |pair: &Pair| if from_client { pair.client.conn.closed() } else { pair.server.conn.closed() };
        assert_eq!(waiting(&pair), None);
        pair.run(5);
        let closed = waiting(&pair).unwrap();
        let error = Some(ProtocolError::TimedOut(Timeout::ClosingHandshake));
        assert_eq!((closed.status, closed.clean, closed.by, closed.error), (1006, false, LOCAL, error));
    }
}

/// The Close arrives, but the server never ends the transport: the client may, and its end is clean.
#[test]
fn a_server_that_keeps_the_transport_open_is_let_go() {
    let _watchdog = watchdog!();
    let mut pair = Pair::new(timers(|timeouts| timeouts.closing = secs(5)), Config::new(), 1000);
    pair.client.close(1000);
    pair.client.serve();
    deliver(&mut pair.client, &mut pair.server, 1000, false);
    pair.server.serve();
    deliver(&mut pair.server, &mut pair.client, 1000, false);
    pair.server.shut = false;
    pair.cable_cut = true;
    pair.run(100);
    assert_eq!(ending(&pair.client.conn), (1000, true, LOCAL, None));
}

/// What each end may do at any step.
#[derive(Clone, Copy, Debug)]
enum Step {
    Text,
    Fragment(bool),
    Ping,
    Close(u16),
    Settle,
    Sleep(u64),
    CutCable,
    Garbage,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Text),
        4 => any::<bool>().prop_map(Step::Fragment),
        4 => Just(Step::Ping),
        1 => (4000_u16..4010).prop_map(Step::Close),
        4 => Just(Step::Settle),
        2 => (1_u64..40).prop_map(Step::Sleep),
        1 => Just(Step::CutCable),
        1 => Just(Step::Garbage),
    ]
}

/// Plays `steps`; who acts in each is its flag. Gives all that can be observed.
fn play(chunk: usize, steps: &[(bool, Step)]) -> impl PartialEq + std::fmt::Debug {
    let mut timeouts = Timeouts::SERVER;
    timeouts.idle = secs(90);
    let config = Config::new().with_timeouts(timeouts);
    let mut pair = Pair::new(config, config, chunk);
    let mut now = 0;
    for (by_client, step) in steps {
        let end = if *by_client { &mut pair.client } else { &mut pair.server };
        if end.conn.writer().is_open() {
            match step {
                Step::Text => {
                    // A binary fragment may be in progress.
                    let mut out = [0; 64];
                    if let Ok(len) = end.conn.writer().encode("text".into(), true, &mut out) {
                        end.write(&out[..len]);
                    }
                }
                Step::Fragment(fin) => {
                    let mut out = [0; 64];
                    if let Ok(len) = end.conn.writer().encode(b"part".into(), *fin, &mut out) {
                        end.write(&out[..len]);
                    }
                }
                Step::Ping => end.ping(b"?"),
                Step::Close(status) => end.close(*status),
                Step::Garbage => end.inject(&[0x8B, 0x80, 0, 0, 0, 0]),
                Step::Settle | Step::Sleep(_) | Step::CutCable => {}
            }
        }
        match step {
            Step::Settle => pair.settle(),
            Step::Sleep(length) => {
                now += length;
                pair.run(now);
            }
            Step::CutCable => pair.cable_cut = true,
            _ => {}
        }
    }
    // Whatever happened: if somebody closes, both come to an end.
    for end in pair.ends() {
        if end.conn.writer().is_open() {
            end.close(1000);
        }
    }
    pair.run(now + 1000);
    let ends = pair.ends().map(|end| {
        let closed = end.conn.closed().expect("every connection ends");
        assert_eq!(end.conn.poll_timeout(), Wake::Never);
        let failures = end.seen.iter().filter(|seen| matches!(seen, Seen::Fail(_))).count();
        assert_eq!(failures, usize::from(closed.error.is_some()), "reported once: {:?}", end.seen);
        assert!(closed.clean != closed.error.is_some(), "clean, or with a reason: {closed:?}");
        assert_ne!(closed.clean, closed.status == 1006);
        assert!(end.closes_sent() <= 1);
        (closed, std::mem::take(&mut end.seen), std::mem::take(&mut end.wire))
    });
    ends
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Every conversation ends, the end is reported once, and a second run gives the same.
    #[test]
    fn req_t_lim_4_any_conversation_ends_and_is_the_same_when_replayed(
        chunk in prop_oneof![Just(1_usize), 1_usize..20, Just(10_000)],
        steps in prop::collection::vec((any::<bool>(), step()), 0..40),
    ) {
        let first = play(chunk, &steps);
        prop_assert_eq!(first, play(chunk, &steps));
    }
}
