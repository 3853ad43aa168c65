//! Connecting where this crate is built without tokio, and perhaps without anything else.

#[macro_use]
#[path = "../../../tests/common/watchdog.rs"]
mod watchdog;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use sockless_connect::sockless::blocking::accept;
use sockless_connect::sockless::handshake::OriginPolicy;
use sockless_connect::sockless::ServerConfig;
use sockless_connect::{blocking, Backoff, ClientConfig, CloseCode, Connect, ConnectError, Stage, Timeouts};

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

/// Two connections that are lost, with a refusal between them, and one that the server ends.
#[test]
fn a_connection_that_is_lost_is_made_again() {
    let _watchdog = watchdog!();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = thread::spawn(move || {
        for act in ["lose", "refuse", "lose", "close"] {
            let (mut stream, _) = listener.accept().unwrap();
            if act == "refuse" {
                let answer = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                stream.write_all(answer.as_bytes()).unwrap();
                continue;
            }
            let mut socket = accept(stream, &ServerConfig::new(OriginPolicy::Any)).unwrap();
            socket.send(act).unwrap();
            if act == "close" {
                socket.close(CloseCode::NORMAL).unwrap();
            }
        }
    });
    let waits = Backoff::new().with_first_delay(Duration::from_millis(20));
    let seen = Arc::new(AtomicUsize::new(0));
    let mut feed = within(Duration::from_secs(30), &address).reconnecting_blocking().with_backoff(waits);
    let counted = Arc::clone(&seen);
    feed = feed.with_retry_if(move |why| {
        counted.fetch_add(1, Ordering::Relaxed);
        why.is_temporary()
    });
    let mut said = Vec::new();
    while let Some((socket, response)) = feed.next().unwrap() {
        assert_eq!(response.status(), 101);
        while let Ok(Some(message)) = socket.recv() {
            said.push(message.as_text().unwrap().to_owned());
        }
    }
    assert_eq!(said, ["lose", "lose", "close"]);
    assert_eq!(seen.load(Ordering::Relaxed), 4);
    serving.join().unwrap();
}

/// What is not worth another attempt is an error at once, and so is a back-off that has come to its end.
#[test]
fn who_is_refused_for_good_does_not_come_back() {
    let _watchdog = watchdog!();
    for (status, most, came) in [("403 Forbidden", 9, 1), ("503 Busy", 3, 3)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serving = thread::spawn(move || {
            for _ in 0..came {
                let (mut stream, _) = listener.accept().unwrap();
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let waits = Backoff::new().with_first_delay(Duration::from_millis(1)).with_max_attempts(most);
        let connect = within(Duration::from_secs(30), &address);
        let mut feed = connect.reconnecting_blocking().with_backoff(waits);
        match feed.next() {
            Err(ConnectError::Rejected(response)) => {
                assert!(status.starts_with(&response.status().to_string()), "{response:?}");
            }
            other => panic!("{status}: {other:?}"),
        }
        serving.join().unwrap();
    }
}
