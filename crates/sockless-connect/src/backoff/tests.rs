//! Tests of `backoff` by its public methods: it is a value.

use super::*;

const ALL: u32 = u32::MAX;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_duration(Duration::from_secs(seconds))
}

fn seconds(wait: Option<Duration>) -> Option<u64> {
    wait.map(|wait| wait.as_secs())
}

#[test]
fn req_6455_7_2_3_2_limits_double_up_to_the_longest() {
    let mut backoff = Backoff::new();
    let waits = Vec::from_iter((0..100).map_while(|_| seconds(backoff.failed(at(0), ALL))));
    assert_eq!(waits[..6], [5, 10, 20, 40, 60, 60]);
    assert!(waits.len() == 100 && waits[6..].iter().all(|wait| *wait == 60));
}

#[test]
fn a_wait_is_as_much_of_the_limit_as_the_random_number_says() {
    for (random, expected) in [(0, 0), (ALL / 4, 1250), (ALL / 2, 2500), (ALL, 5000)] {
        let wait = Backoff::new().failed(at(0), random).unwrap();
        assert!(wait.as_millis().abs_diff(expected) <= 1, "{random}: {wait:?}");
    }
}

#[test]
fn only_a_connection_that_stayed_open_starts_anew() {
    for (open_for, expected) in [(0, 20), (1, 20), (59, 20), (60, 5), (86_400, 5)] {
        let mut backoff = Backoff::new();
        backoff.failed(at(0), ALL);
        backoff.failed(at(10), ALL);
        backoff.opened(at(20));
        assert_eq!(seconds(backoff.failed(at(20 + open_for), ALL)), Some(expected), "{open_for}");
        // That was taken into account once.
        assert!(seconds(backoff.failed(at(90_000), ALL)) > Some(expected));
    }
}

#[test]
fn limits_can_be_set_and_overflow_nothing() {
    let short = Duration::from_millis(1);
    let mut backoff = Backoff::new().with_first_delay(short).with_longest_delay(short * 3);
    let waits = Vec::from_iter((0..4).map_while(|_| backoff.failed(at(0), ALL)));
    assert_eq!(waits, [short, short * 2, short * 3, short * 3]);
    let mut none = Backoff::new().with_first_delay(Duration::ZERO);
    assert!((0..100).all(|_| none.failed(at(0), ALL) == Some(Duration::ZERO)));
    let mut longest = Backoff::new().with_first_delay(Duration::MAX).with_longest_delay(Duration::MAX);
    assert!((0..100).all(|_| longest.failed(at(u64::MAX), ALL).is_some()));
}

#[test]
fn it_gives_up_after_so_many_attempts_and_can_be_used_again() {
    let mut backoff = Backoff::new().with_max_attempts(3);
    for _ in 0..2 {
        let waits = Vec::from_iter((0..3).map(|_| seconds(backoff.failed(at(0), ALL))));
        assert_eq!(waits, [Some(5), Some(10), None]);
    }
    for few in [0, 1] {
        assert_eq!(Backoff::new().with_max_attempts(few).failed(at(0), 0), None);
    }
}

#[test]
fn it_gives_up_when_the_next_attempt_would_be_too_late() {
    let mut backoff = Backoff::new().with_max_elapsed(Duration::from_secs(30));
    assert_eq!(seconds(backoff.failed(at(100), ALL)), Some(5));
    assert_eq!(seconds(backoff.failed(at(110), ALL)), Some(10));
    assert_eq!(seconds(backoff.failed(at(120), 0)), Some(0), "just in time");
    assert_eq!(backoff.failed(at(120), ALL), None);
    assert_eq!(seconds(backoff.failed(at(200), ALL)), Some(5), "the time begins again");
}
