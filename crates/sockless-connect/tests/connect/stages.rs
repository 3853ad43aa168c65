//! In which stage connecting fails, and that all stages share one time.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use sockless_connect::{Connect, ConnectError, Stage};
use tokio::net::{TcpListener, TcpSocket};

use crate::ways::{Way, WAYS};
use crate::{both, dribble, listener, within};

/// An address that neither accepts nor refuses a connection: its backlog is full. It is so while the others live.
fn black_hole() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut filling = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        filling.push(stream);
        assert!(filling.len() < 100, "the backlog has no end");
    }
    (address, listener, filling)
}

/// The error, and how long it took.
async fn failed(way: Way, connect: Connect) -> (ConnectError, Duration) {
    let began = Instant::now();
    (way.connect(&connect).await.unwrap_err(), began.elapsed())
}

#[tokio::test]
async fn connecting_ends_with_the_opening_time() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let (address, _listener, _filling) = black_hole();
        let limit = Duration::from_millis(400);
        let (error, took) = failed(way, within(limit, &format!("ws://{address}/"))).await;
        assert!(matches!(error, ConnectError::TimedOut(Stage::Connecting)), "{error:?}");
        assert_eq!(error.to_string(), "connecting took too long");
        assert!(took >= limit && took < limit + Duration::from_secs(1), "{took:?}");
    }
}

#[tokio::test]
async fn a_connection_that_is_refused_is_an_error_at_once() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let (listener, address) = listener().await;
        drop(listener);
        let (error, took) = failed(way, Connect::new(format!("ws://{address}/"))).await;
        let ConnectError::Connect(cause) = &error else { panic!("{error:?}") };
        assert_eq!(
            (cause.kind(), error.stage()),
            (io::ErrorKind::ConnectionRefused, Some(Stage::Connecting))
        );
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
}

#[tokio::test]
async fn a_host_that_cannot_be_a_name_is_not_found() {
    let _watchdog = watchdog!();
    for way in WAYS {
        // A label of more than 63 octets (RFC 1035 section 2.3.4): no server is asked.
        let (error, _) = failed(way, Connect::new(format!("ws://{}.invalid/", "a".repeat(64)))).await;
        assert!(matches!(error, ConnectError::Resolve(_)), "{error:?}");
        assert_eq!(error.stage(), Some(Stage::Resolving));
    }
}

#[tokio::test]
async fn a_name_is_looked_up() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let (listener, address) = listener().await;
        let url = format!("ws://{}/", address.replace("127.0.0.1", "localhost"));
        let server = async { listener.accept().await.map(drop).unwrap() };
        let ((), result) = both(server, way.connect(&Connect::new(&url))).await;
        // The server ended instead of answering: the client came as far as that.
        assert_eq!(result.unwrap_err().stage(), Some(Stage::Handshake));
    }
}

#[tokio::test]
async fn silence_after_connecting_is_silence_in_tls() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let (listener, address) = listener().await;
        let limit = Duration::from_millis(400);
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::time::sleep(limit * 3).await;
            drop(stream);
        };
        let (_, (error, took)) = both(server, failed(way, within(limit, &format!("wss://{address}/")))).await;
        assert!(matches!(error, ConnectError::TimedOut(Stage::Tls)), "{error:?}");
        assert!(took >= limit && took < limit + Duration::from_secs(1), "{took:?}");
    }
}

#[tokio::test]
async fn octets_of_tls_now_and_then_do_not_make_the_time_longer() {
    let _watchdog = watchdog!();
    let limit = Duration::from_millis(400);
    for way in WAYS {
        let (listener, address) = listener().await;
        let server = async { dribble(&mut listener.accept().await.unwrap().0, 0x16).await };
        let (_, (error, took)) = both(server, failed(way, within(limit, &format!("wss://{address}/")))).await;
        assert!(matches!(error, ConnectError::TimedOut(Stage::Tls)), "{way:?}: {error:?}");
        assert!(took >= limit && took < limit + Duration::from_secs(1), "{way:?}: {took:?}");
    }
}

/// What TLS has used up, the handshake has no more.
#[tokio::test]
async fn all_stages_share_one_time() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let (listener, address) = listener().await;
        let limit = Duration::from_millis(600);
        let connect = within(limit, &format!("wss://{address}/"));
        let slow = match way {
            Way::Tokio => connect.with_tls_by(move |stream, _| async move {
                tokio::time::sleep(limit / 2).await;
                Ok(stream)
            }),
            Way::Blocking => connect.with_tls_by_blocking(move |stream, _| {
                std::thread::sleep(limit / 2);
                Ok(stream)
            }),
        };
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::time::sleep(limit * 3).await;
            drop(stream);
        };
        let (_, (error, took)) = both(server, failed(way, slow)).await;
        assert!(matches!(error, ConnectError::TimedOut(Stage::Handshake)), "{error:?}");
        assert!(took >= limit && took < limit * 2 - limit / 2, "{took:?}");
    }
}
