//! Tests of what `blocking` keeps to itself.

use std::net::TcpListener;
use std::time::Duration;

use super::*;

/// An address that refuses connections.
fn refusing() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// An address that neither accepts nor refuses a connection: its backlog is full. It is so while the others live.
fn silent() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut filling = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        filling.push(stream);
    }
    (address, listener, filling)
}

#[test]
fn req_8305_1_silence_costs_a_delay_and_a_refusal_costs_nothing() {
    let (silent, _listener, _filling) = silent();
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let open_address = open.local_addr().unwrap();
    let begun = Instant::now();
    let connected = first_of(vec![refusing(), refusing(), open_address], None).unwrap();
    assert_eq!(connected.peer_addr().unwrap(), open_address);
    assert!(begun.elapsed() < Duration::from_millis(200), "{:?}", begun.elapsed());

    let begun = Instant::now();
    let connected = first_of(vec![silent, refusing(), open_address], None).unwrap();
    assert_eq!(connected.peer_addr().unwrap(), open_address);
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(250) && took < Duration::from_millis(450), "{took:?}");
}

#[test]
fn if_nothing_answers_the_first_error_is_told_or_the_time_is_up() {
    let error = first_of(vec![refusing(), refusing()], None).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    assert_eq!(first_of(Vec::new(), None).unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);

    let (silent, _listener, _filling) = silent();
    let begun = Instant::now();
    let limit = Duration::from_millis(300);
    let error = first_of(vec![silent, silent, silent], begun.checked_add(limit)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    let took = begun.elapsed();
    assert!(took >= limit && took < limit + Duration::from_millis(200), "{took:?}");
}
