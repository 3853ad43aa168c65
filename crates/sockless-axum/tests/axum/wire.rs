//! Bytes of HTTP/1.1 in and out, over loopback and over a pipe in memory.

use axum::routing::any;
use axum::Router;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use sockless_axum::{CloseCode, WebSocketUpgrade};
use tokio::io::{duplex, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::common::{echo, over_http2, served, SAME_HOST};

fn app() -> Router {
    let handler = async |ws: WebSocketUpgrade| ws.on_upgrade(&SAME_HOST, echo);
    Router::new().route("/", any(async || "a page")).route("/ws", any(handler))
}

const ASKED: &str = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a whole head"));
    }
    String::from_utf8(head).unwrap()
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection to the server, over loopback or in memory.
async fn connected(address: Option<&str>) -> Box<dyn Stream> {
    let Some(address) = address else {
        let (ours, theirs) = duplex(1 << 16);
        let serve = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(theirs), TowerToHyperService::new(app()));
        tokio::spawn(serve.with_upgrades());
        return Box::new(ours);
    };
    Box::new(TcpStream::connect(address).await.unwrap())
}

#[tokio::test]
async fn a_frame_behind_the_request_is_answered() {
    let _watchdog = watchdog!();
    let address = served(app()).await;
    for address in [Some(&*address), None] {
        let mut stream = connected(address).await;
        let mut sent = format!("{ASKED}\r\n").into_bytes();
        // RFC 6455 section 5.7.
        sent.extend_from_slice(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        stream.write_all(&sent).await.unwrap();
        let head = head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
        assert!(head.contains("\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
        let mut received = [0; 7];
        stream.read_exact(&mut received).await.unwrap();
        assert_eq!(&received, b"\x81\x05Hello");
        // Close 1000, and its answer.
        stream.write_all(b"\x88\x82\0\0\0\0\x03\xe8").await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"\x88\x02\x03\xe8");
    }
}

#[tokio::test]
async fn every_other_request_gets_its_status() {
    let _watchdog = watchdog!();
    let address = served(app()).await;
    let asked = |from: &str, to: &str| format!("{}\r\n", ASKED.replace(from, to));
    for (request, status, field) in [
        ("GET /ws HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 426, "upgrade: websocket"),
        ("HEAD /ws HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 426, "upgrade: websocket"),
        ("POST /ws HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".to_owned(), 426, "upgrade: websocket"),
        (asked("GET", "POST"), 405, "allow: GET"),
        (asked("GET", "HEAD"), 405, "allow: GET"),
        (asked("HTTP/1.1", "HTTP/1.0"), 505, ""),
        (asked("Version: 13", "Version: 12"), 426, "sec-websocket-version: 13"),
        (asked("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), 400, ""),
        (asked("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="), 400, ""),
        (asked("Connection: Upgrade\r\n", ""), 400, ""),
        (asked("Host: localhost", "Host: localhost\r\nOrigin: http://evil.example"), 403, ""),
        (asked("/ws", "/nowhere"), 404, ""),
    ] {
        for address in [Some(&*address), None] {
            let mut stream = connected(address).await;
            stream.write_all(request.as_bytes()).await.unwrap();
            let head = head(&mut stream).await;
            assert_eq!(head.split(' ').nth(1), Some(&*status.to_string()), "{request}{head}");
            assert!(head.contains(field), "{request}{head}");
        }
    }
}

#[tokio::test]
async fn a_connection_without_upgrades_is_told_to_the_application() {
    let _watchdog = watchdog!();
    let (told, mut tells) = mpsc::channel(1);
    let handler = async move |ws: WebSocketUpgrade| {
        let told = told.clone();
        ws.on_failed_upgrade(move |error| drop(told.try_send(error.to_string())))
            .on_upgrade(&SAME_HOST, async |_| panic!("it cannot be opened"))
    };
    let (mut ours, theirs) = duplex(1 << 16);
    let app = TowerToHyperService::new(Router::new().route("/ws", any(handler)));
    let serve = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(theirs), app);
    tokio::spawn(serve);
    ours.write_all(format!("{ASKED}\r\n").as_bytes()).await.unwrap();
    assert!(!tells.recv().await.unwrap().is_empty());
}

#[tokio::test]
async fn messages_of_a_mebibyte_come_back_over_http2() {
    let _watchdog = watchdog!();
    let address = served(app()).await;
    let mut client = over_http2(&address, "/ws").await.unwrap();
    let long = vec![7; 1 << 20];
    client.send(&long).await.unwrap();
    assert_eq!(client.recv().await.unwrap().unwrap().as_bytes(), long);
    let closed = client.close(CloseCode::NORMAL).await.unwrap().unwrap();
    assert!(closed.clean, "{closed:?}");
    assert_eq!(over_http2(&address, "/nowhere").await.unwrap_err(), 404);
}
