//! How long the Pong took that answered a Ping: of keep-alive and of the application.

use crate::common;

use std::time::Duration;

use common::{to, PING, PONG, TEXT};
use sockless::endpoint::{Action, Buffers, Endpoint, WriteSide};
use sockless::{
    Config, Connection, ControlPayload, Input, Parked, Server, Side, Timeout, TimeoutAction, Timeouts,
    Timestamp, Wake,
};

const SECOND: u64 = 1_000_000;

fn endpoint(timeouts: Timeouts) -> Endpoint<Server> {
    Endpoint::new(Server, Config::new().with_timeouts(timeouts), Buffers::DEFAULT, &[])
}

fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn pong(payload: &[u8]) -> Vec<u8> {
    to(Side::Server, PONG, payload)
}

/// Reads these bytes, and writes and takes all that follows from them.
fn give(endpoint: &mut Endpoint<Server>, bytes: &[u8]) {
    endpoint.space()[..bytes.len()].copy_from_slice(bytes);
    endpoint.filled(bytes.len());
    settle(endpoint);
}

fn settle(endpoint: &mut Endpoint<Server>) {
    loop {
        match endpoint.poll(WriteSide::Ready).unwrap() {
            Action::Take(ready) => drop(endpoint.message(ready).unwrap()),
            Action::Write => {
                let all = endpoint.output().len();
                endpoint.wrote(all);
            }
            Action::Yield => {}
            action => return assert_eq!(action, Action::Read),
        }
    }
}

fn ping(endpoint: &mut Endpoint<Server>, payload: &[u8], now: u64) {
    endpoint.outbound().ping(ControlPayload::new(payload).unwrap()).unwrap();
    endpoint.outbound().pinged(at(now));
    settle(endpoint);
}

#[test]
fn of_a_keep_alive_ping() {
    let mut endpoint = endpoint(Timeouts::SERVER);
    endpoint.handle_timeout(at(0));
    assert_eq!((endpoint.latency(), endpoint.awaits_pong()), (None, false));
    assert_eq!(endpoint.next_timer(), Some(TimeoutAction::SendPing));
    endpoint.handle_timeout(at(30 * SECOND));
    settle(&mut endpoint);
    assert!(endpoint.awaits_pong());
    assert_eq!(endpoint.next_timer(), Some(TimeoutAction::Fail(Timeout::Pong)));
    // Other messages are a sign of life, and no answer.
    give(&mut endpoint, &to(Side::Server, TEXT, b"news"));
    endpoint.handle_timeout(at(30 * SECOND + 1000));
    assert_eq!((endpoint.latency(), endpoint.awaits_pong()), (None, true));
    give(&mut endpoint, &pong(b""));
    assert_eq!(endpoint.poll_timeout(), Wake::Now);
    endpoint.handle_timeout(at(30 * SECOND + 2500));
    assert_eq!((endpoint.latency(), endpoint.awaits_pong()), (Some(Duration::from_micros(2500)), false));
    // Pongs that nobody asked for change nothing.
    give(&mut endpoint, &pong(b""));
    assert_ne!(endpoint.poll_timeout(), Wake::Now);
    endpoint.handle_timeout(at(31 * SECOND));
    assert_eq!(endpoint.latency(), Some(Duration::from_micros(2500)));
}

#[test]
fn of_the_ping_that_was_sent_last() {
    for timeouts in [Timeouts::NONE, Timeouts::SERVER] {
        let mut endpoint = endpoint(timeouts);
        ping(&mut endpoint, b"1", 1000);
        ping(&mut endpoint, b"2", 2000);
        let three = [pong(b"1"), pong(b"2"), pong(b"3"), to(Side::Server, PING, b"theirs")].concat();
        give(&mut endpoint, &pong(b"1"));
        assert!(endpoint.awaits_pong());
        // Each Pong of one read is seen.
        give(&mut endpoint, &three);
        assert_eq!(endpoint.poll_timeout(), Wake::Now);
        endpoint.handle_timeout(at(2700));
        assert_eq!((endpoint.latency(), endpoint.awaits_pong()), (Some(Duration::from_micros(700)), false));
    }
}

#[test]
fn without_a_clock_nothing_is_asked_for() {
    let mut endpoint = endpoint(Timeouts::NONE);
    endpoint.outbound().ping(ControlPayload::EMPTY).unwrap();
    settle(&mut endpoint);
    assert_eq!((endpoint.poll_timeout(), endpoint.awaits_pong()), (Wake::Never, true));
    give(&mut endpoint, &pong(b""));
    assert_eq!((endpoint.poll_timeout(), endpoint.awaits_pong()), (Wake::Never, false));
    assert_eq!(endpoint.latency(), None);
}

#[test]
fn is_kept_while_the_connection_is_parked() {
    let mut one = endpoint(Timeouts::SERVER);
    one.handle_timeout(at(0));
    ping(&mut one, b"first", 0);
    let parked = one.park().expect("it only waits");
    assert_eq!((parked.latency(), parked.awaits_pong()), (None, true));
    let mut another = endpoint(Timeouts::SERVER);
    ping(&mut another, b"of another connection", 5);
    another.unpark(parked);
    give(&mut another, &pong(b"first"));
    assert_eq!(another.park(), None, "the time is asked for");
    another.handle_timeout(at(300));
    let parked = another.park().expect("all is told");
    assert_eq!((parked.latency(), parked.awaits_pong()), (Some(Duration::from_micros(300)), false));
    another.unpark(Parked::new());
    assert_eq!((another.latency(), another.awaits_pong()), (None, false));
    another.unpark(parked);
    assert_eq!(another.latency(), Some(Duration::from_micros(300)));
}

#[test]
fn of_a_connection_without_buffers() {
    let mut connection = Connection::new(Server, Config::new().with_timeouts(Timeouts::SERVER));
    connection.handle_timeout(at(0)).unwrap();
    connection.handle_timeout(at(30 * SECOND)).unwrap();
    let mut out = [0; 16];
    assert_eq!(connection.poll_transmit(&mut out), Ok(2));
    let mut pong = pong(b"");
    let mut input = Input::new(&mut pong);
    while connection.recv(&mut input).unwrap().is_some() {}
    assert_eq!((connection.poll_timeout(), connection.latency()), (Wake::Now, None));
    connection.handle_timeout(at(30 * SECOND + 40)).unwrap();
    assert_eq!(connection.latency(), Some(Duration::from_micros(40)));
}
