//! Connecting where this crate is built without tokio, and perhaps without anything else.

#[macro_use]
#[path = "../../../tests/common/watchdog.rs"]
mod watchdog;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use sockless_connect::sockless::blocking::accept;
use sockless_connect::sockless::handshake::OriginPolicy;
use sockless_connect::sockless::ServerConfig;
use sockless_connect::{blocking, ClientConfig, CloseCode, Connect, ConnectError, Stage, Timeouts};

/// A server of one client: its messages come back. And the address for a URL.
fn echo() -> (thread::JoinHandle<()>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut socket = accept(stream, &ServerConfig::new(OriginPolicy::Any)).unwrap();
        while let Some((message, mut outgoing)) = socket.recv_with().unwrap() {
            outgoing.send(message).unwrap();
        }
    });
    (serving, address)
}

/// To this address, with this opening time and no other timer.
fn within(limit: Duration, address: &str) -> Connect {
    let mut timeouts = Timeouts::NONE;
    timeouts.opening = Some(limit);
    Connect::new(format!("ws://{address}/")).with_config(ClientConfig::new().with_timeouts(timeouts))
}

#[test]
fn messages_go_both_ways() {
    let _watchdog = watchdog!();
    let (serving, address) = echo();
    let (mut socket, response) = blocking::connect(&format!("ws://{address}/")).unwrap();
    assert_eq!((response.status(), response.field("Upgrade")), (101, Some("websocket")));
    let long = "long ".repeat(100_000);
    for text in ["Hello", "", long.as_str()] {
        socket.send(text).unwrap();
        assert_eq!(socket.recv().unwrap().unwrap().as_text(), Some(text));
    }
    let tcp = socket.get_ref().tcp_stream().unwrap();
    assert!(tcp.nodelay().unwrap());
    assert_eq!(tcp.peer_addr().unwrap().to_string(), address);
    socket.close(CloseCode::NORMAL).unwrap();
    assert!(socket.closed().unwrap().clean);
    serving.join().unwrap();
}

#[test]
fn a_stream_that_is_connected_already_is_taken() {
    let _watchdog = watchdog!();
    let (serving, address) = echo();
    let stream = TcpStream::connect(&address).unwrap();
    // A `wss:` URL too: who gives the stream has set TLS up.
    let (mut socket, response) = Connect::new("wss://example.com/").client_blocking(stream).unwrap();
    assert_eq!(response.status(), 101);
    socket.send("Hello").unwrap();
    assert_eq!(socket.recv().unwrap().unwrap().as_text(), Some("Hello"));
    socket.close(CloseCode::NORMAL).unwrap();
    serving.join().unwrap();
}

/// After the opening, no limit of it is left: a message may come much later.
#[test]
fn the_opening_time_ends_with_the_opening() {
    let _watchdog = watchdog!();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let limit = Duration::from_millis(300);
    let serving = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut socket = accept(stream, &ServerConfig::new(OriginPolicy::Any)).unwrap();
        thread::sleep(limit * 2);
        socket.send("late").unwrap();
        while socket.recv().unwrap().is_some() {}
    });
    let (mut socket, _) = within(limit, &address).connect_blocking().unwrap();
    assert_eq!(socket.recv().unwrap().unwrap().as_text(), Some("late"));
    let tcp = socket.get_ref().tcp_stream().unwrap();
    assert_eq!((tcp.read_timeout().unwrap(), tcp.write_timeout().unwrap()), (None, None));
    socket.close(CloseCode::NORMAL).unwrap();
    serving.join().unwrap();
}

/// An octet now and then does not make the time longer.
#[test]
fn a_server_that_dribbles_is_given_up_in_time() {
    let _watchdog = watchdog!();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nX: ").unwrap();
        while stream.write_all(b"a").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    let limit = Duration::from_millis(400);
    let began = Instant::now();
    let error = within(limit, &address).connect_blocking().unwrap_err();
    let took = began.elapsed();
    assert!(matches!(error, ConnectError::TimedOut(Stage::Handshake)), "{error:?}");
    assert!(took >= limit && took < limit + Duration::from_secs(1), "{took:?}");
    serving.join().unwrap();
}

#[cfg(not(feature = "rustls"))]
#[test]
fn without_tls_a_secure_url_is_an_error_before_a_connection_is_made() {
    let _watchdog = watchdog!();
    let error = blocking::connect("wss://server.invalid/").unwrap_err();
    assert!(matches!(error, ConnectError::TlsUnavailable), "{error:?}");
}
