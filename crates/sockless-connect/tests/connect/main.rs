//! Connecting, against servers on this machine: those of `sockless`, and some that say what no server should.

#[macro_use]
#[path = "../../../../tests/common/watchdog.rs"]
mod watchdog;

mod certificates;
mod ends;
mod gates;
mod opened;
mod proxies;
mod reconnects;
mod redirects;
mod refused;
mod requests;
mod stages;
mod tls;
#[cfg(feature = "tracing")]
mod traced;
mod ways;

use std::future::Future;
use std::time::Duration;

use sockless_connect::{ClientConfig, Connect, Timeouts};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A listener, and the address for a URL.
async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// A request head, up to its blank line.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a whole head"));
    }
    String::from_utf8(head).unwrap()
}

/// Sends a record of TLS of this type, an octet now and then, until the client has gone. It is never whole.
async fn dribble(stream: &mut TcpStream, record: u8) {
    stream.write_all(&[record, 3, 3, 0x40, 0]).await.unwrap();
    while stream.write_all(&[0]).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The 101 that answers a request, with further fields, each with its line break.
fn answer_to(head: &str, fields: &str) -> String {
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let accept = sockless_connect::sockless::handshake::accept_value(key).unwrap();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n{fields}\r\n",
        accept.as_str()
    )
}

/// To this URL, with this opening time and no other timer.
fn within(limit: Duration, url: &str) -> Connect {
    let mut timeouts = Timeouts::NONE;
    timeouts.opening = Some(limit);
    Connect::new(url).with_config(ClientConfig::new().with_timeouts(timeouts))
}

/// Runs both at once, so that a server which fails ends the test.
async fn both<A, B>(server: impl Future<Output = A>, client: impl Future<Output = B>) -> (A, B) {
    tokio::join!(server, client)
}
