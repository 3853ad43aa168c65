//! Servers and proxies that do everything wrong. Each is an error of its own, in time, and nothing is left of the attempt: no
//! descriptor, no task. A program of its own, because it counts the descriptors of the whole process.
#![cfg(target_os = "linux")]

#[macro_use]
#[path = "../../../tests/common/watchdog.rs"]
mod watchdog;

use std::time::{Duration, Instant};

use sockless_connect::{ClientConfig, Connect, ConnectError, Proxy, Timeouts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

/// The time for all of connecting, where it is used up.
const LIMIT: Duration = Duration::from_millis(300);

/// How the error begins when it is printed for debugging, how the client is set, and what is answered: nothing means
/// that the server ends the connection.
type Case = (&'static str, fn(&str) -> Connect, Option<fn(&str) -> String>);

const CASES: [Case; 26] = [
    ("Rejected(Response { status: 200,", plain, Some(|_| page("200 OK", 10))),
    ("Rejected(Response { status: 401,", plain, Some(|_| page("401 Unauthorized", 0))),
    ("Rejected(Response { status: 407,", plain, Some(|_| page("407 Proxy Authentication Required", 0))),
    ("Rejected(Response { status: 502,", plain, Some(|_| page("502 Bad Gateway", 100 << 10))),
    (
        "Rejected(Response { status: 502,",
        plain,
        Some(|_| "HTTP/1.1 502 No\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n<html>\r\n0\r\n\r\n".into()),
    ),
    ("Rejected(Response { status: 302,", plain, Some(to_itself)),
    ("TooManyRedirects(Response { status: 302,", |address| plain(address).with_redirects(3), Some(to_itself)),
    (
        "Handshake(Opening(Handshake(InvalidAccept",
        plain,
        Some(|head| opened(head, "").replace("pt: ", "pt: A")),
    ),
    (
        "Handshake(Opening(Handshake(UnofferedSub",
        plain,
        Some(|head| opened(head, "Sec-WebSocket-Protocol: a\r\n")),
    ),
    (
        "Handshake(Opening(Handshake(UnofferedExt",
        plain,
        Some(|head| opened(head, "Sec-WebSocket-Extensions: a\r\n")),
    ),
    (
        "Handshake(Opening(Handshake(",
        plain,
        Some(|_| format!("HTTP/1.1 101 Yes\r\n{}", "X: 1\r\n".repeat(50_000))),
    ),
    ("Handshake(Opening(Handshake(MalformedStartLine", plain, Some(|_| "220 mail.example ESMTP\r\n".into())),
    ("Handshake(Opening(Handshake(UnexpectedEof", plain, None),
    ("TimedOut(Handshake)", plain, Some(|_| String::new())),
    ("TimedOut(Handshake)", plain, Some(|_| "HTTP/1.1 101 Yes\r\nUpgrade: ".into())),
    ("Tls(", secure, Some(|_| page("400 Bad Request", 10))),
    ("Tls(", secure, None),
    ("TimedOut(Tls)", secure, Some(|_| String::new())),
    ("Proxy(Rejected(Response { status: 407,", |address| by("http", address), Some(|_| page("407 No", 0))),
    (
        "Proxy(Rejected(Response { status: 502,",
        |address| by("http", address),
        Some(|_| page("502 No", 100 << 10)),
    ),
    ("Proxy(Failed(", |address| by("http", address), None),
    ("TimedOut(Proxy)", |address| by("http", address), Some(|_| String::new())),
    ("TimedOut(Proxy)", |address| by("https", address), Some(|_| String::new())),
    ("Proxy(Failed(", |address| by("socks5h", address), Some(|_| page("400 Bad Request", 10))),
    ("Proxy(Socks5(NoAcceptableMethod", |address| by("socks5h", address), Some(|_| "\u{5}\u{ff}".into())),
    ("TimedOut(Proxy)", |address| by("socks5h", address), Some(|_| String::new())),
];

fn plain(address: &str) -> Connect {
    Connect::new(format!("ws://{address}/"))
}

fn secure(address: &str) -> Connect {
    Connect::new(format!("wss://{address}/"))
}

fn by(scheme: &str, address: &str) -> Connect {
    Connect::new("ws://server.invalid/").with_proxy(Proxy::new(&format!("{scheme}://{address}")).unwrap())
}

fn page(status: &str, len: usize) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {len}\r\n\r\n{}", "x".repeat(len))
}

fn to_itself(_: &str) -> String {
    "HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n".into()
}

/// The right answer, with these fields as well.
fn opened(head: &str, fields: &str) -> String {
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let accept = sockless_connect::sockless::handshake::accept_value(key).unwrap();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n{fields}\r\n",
        accept.as_str()
    )
}

/// Answers everyone, and waits until each is gone.
async fn serve(listener: TcpListener, answer: Option<fn(&str) -> String>) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = [0; 4096];
        let len = stream.read(&mut asked).await.unwrap();
        let Some(answer) = answer else { continue };
        // Each character is an octet.
        let octets: Vec<u8> =
            answer(&String::from_utf8_lossy(&asked[..len])).chars().map(|octet| octet as u8).collect();
        let _ = stream.write_all(&octets).await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
}

/// What became of a connection to such a server.
async fn attempt((expected, set, answer): Case, blocks: bool) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut timeouts = Timeouts::NONE;
    let is_late = expected.starts_with("TimedOut");
    timeouts.opening = Some(if is_late { LIMIT } else { LIMIT * 50 });
    let config = ClientConfig::new().with_timeouts(timeouts);
    let connect = set(&listener.local_addr().unwrap().to_string()).with_config(config);
    let began = Instant::now();
    let client = async {
        match blocks {
            false => connect.connect().await.map(drop),
            true => spawn_blocking(move || connect.connect_blocking().map(drop)).await.unwrap(),
        }
    };
    let result: Result<(), ConnectError> = tokio::select! {
        result = client => result,
        () = serve(listener, answer) => unreachable!("it serves for ever"),
    };
    let error = format!("{:?}", result.unwrap_err());
    assert!(error.starts_with(expected), "{error} instead of {expected}, blocks: {blocks}");
    let took = began.elapsed();
    assert!(took < LIMIT * 10 && (took >= LIMIT || !is_late), "{expected} after {took:?}");
}

#[tokio::test]
async fn nothing_is_left_of_a_connection_that_was_not_opened() {
    let watchdog = watchdog!();
    let mut counted = Vec::new();
    // What the process keeps, such as its settings for TLS, is made in the first round.
    for _ in 0..2 {
        for blocks in [false, true] {
            for case in CASES {
                attempt(case, blocks).await;
                watchdog.next_case();
            }
        }
        counted.push(std::fs::read_dir("/proc/self/fd").unwrap().count());
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
    }
    assert_eq!(counted[1], counted[0]);
}
