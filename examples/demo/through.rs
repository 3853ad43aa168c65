//! Between a client and another server (`--inspect ws://…`): every byte passes as it is, and is shown.
//!
//! Of the request the target and `Host` are replaced, and `Origin` if that is asked for. The key stays, so the accept value is valid
//! from end to end. What a proxy reads in frames and writes anew it can change; this one changes nothing (RFC 6455 section 5.4).

use std::io;
use std::time::Duration;

use serde_json::{json, Value};
use sockless::handshake::{HeadLimits, Uri};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::TcpStream;
use tokio::time::{interval, sleep, timeout, MissedTickBehavior};

use crate::tap::{end_of_head, Head, Recorder, Seen, Way};

/// Bytes of each direction that are on their way.
const BUFFER: usize = 64 << 10;
/// For the head of a request, and for a connection to the server.
const SOON: Duration = Duration::from_secs(10);
/// For a side to take what the other has sent.
const BLOCKED: Duration = Duration::from_secs(60);
/// For the other side, once one has ended.
const PARTING: Duration = Duration::from_secs(10);
/// Without a byte either way.
const IDLE: Duration = Duration::from_secs(3600);
/// How often the state is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// The server behind this one.
pub struct Upstream {
    pub url: String,
    host: String,
    port: u16,
    target: String,
    authority: String,
    /// The origin of the server stands in for the client's.
    replaces_origin: bool,
}

impl Upstream {
    pub fn parse(url: &str, replaces_origin: bool) -> Result<Self, String> {
        let uri = Uri::parse(url).map_err(|error| format!("{url}: {error}"))?;
        if uri.is_secure() {
            return Err("This example has no TLS, which wss: needs. Name the server by ws:, or put a program that does TLS between.".into());
        }
        let (host, port) = uri.address();
        let authority =
            if uri.is_default_port() { uri.host().to_owned() } else { format!("{}:{port}", uri.host()) };
        let target = uri.resource_name().to_string();
        Ok(Self { url: url.into(), host: host.into(), port, target, authority, replaces_origin })
    }

    /// Whether that would be this program itself.
    pub fn is(&self, listens: std::net::SocketAddr) -> bool {
        let host = &self.host;
        let is_here = host.eq_ignore_ascii_case("localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip == listens.ip());
        is_here && self.port == listens.port()
    }

    /// Whether a page of this origin may come. Another one's origin goes on as it is, and the server judges it. Where ours
    /// would stand in for it, only pages of this machine may come.
    pub fn admits(&self, origin: Option<&str>) -> bool {
        let Some(origin) = origin.filter(|_| self.replaces_origin) else { return true };
        let host = origin.split_once("://").map_or("", |(_, rest)| rest);
        let host = host
            .rsplit_once(':')
            .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
            .map_or(host, |(host, _)| host);
        ["localhost", "127.0.0.1", "[::1]"].contains(&host)
    }

    /// The request as the server gets it.
    fn rewrite(&self, head: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for (at, line) in split_lines(head).enumerate() {
            let name = line.split(|&byte| byte == b':').next().unwrap_or(&[]);
            if at == 0 {
                let mut words = line.splitn(3, |&byte| byte == b' ');
                let (method, version) = (words.next().unwrap_or(&[]), words.nth(1).unwrap_or(&[]));
                out.extend_from_slice(&[method, b" ", self.target.as_bytes(), b" ", version].concat());
            } else if name.eq_ignore_ascii_case(b"host") {
                out.extend_from_slice(format!("Host: {}", self.authority).as_bytes());
            } else if self.replaces_origin && name.eq_ignore_ascii_case(b"origin") {
                out.extend_from_slice(format!("Origin: http://{}", self.authority).as_bytes());
            } else {
                out.extend_from_slice(line);
            }
            out.extend_from_slice(b"\r\n");
        }
        out
    }
}

/// The lines of a head, without the empty one at its end.
fn split_lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let text = head.strip_suffix(b"\r\n\r\n").unwrap_or(head);
    text.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// The first head, and what came with it. Shorter if the client ended, or sends too much.
pub async fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut received = Vec::new();
    let reading = timeout(SOON, async {
        while end_of_head(&received).is_none() && received.len() < HeadLimits::STORAGE {
            if stream.read_buf(&mut received).await? == 0 {
                break;
            }
        }
        Ok::<(), io::Error>(())
    });
    reading.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    Ok(received)
}

/// Whether this asks for something of the server behind, and not for the page.
pub fn is_for_upstream(received: &[u8]) -> bool {
    let Some(end) = end_of_head(received) else { return false };
    let head = Head::parse(received.get(..end).unwrap_or(&[]));
    let path = head.line.split(' ').nth(1).and_then(|target| target.split('?').next());
    head.field("Upgrade").is_some() && path != Some("/inspect")
}

/// Passes one connection on, from its request to its end. It was announced.
pub async fn pass(
    mut client: TcpStream,
    received: &[u8],
    upstream: &Upstream,
    recorder: &Recorder,
) -> io::Result<()> {
    recorder.passed(Way::In, received);
    let address = (upstream.host.as_str(), upstream.port);
    let connected = timeout(SOON, TcpStream::connect(address));
    let mut server = match connected.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(server) => server,
        Err(error) => {
            let says = format!("could not reach {}: {error}", upstream.url);
            recorder.fail(None, unreachable(&says));
            let answer = format!(
                "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{says}\n",
                says.len().saturating_add(1)
            );
            recorder.passed(Way::Out, answer.as_bytes());
            let _ = timeout(SOON, client.write_all(answer.as_bytes())).await;
            let _ = timeout(SOON, client.shutdown()).await;
            return Ok(());
        }
    };
    server.set_nodelay(true)?;
    let end = end_of_head(received).unwrap_or(received.len());
    let (head, rest) = received.split_at_checked(end).unwrap_or((received, &[]));
    let request = [upstream.rewrite(head), b"\r\n".to_vec(), rest.to_vec()].concat();
    timeout(BLOCKED, server.write_all(&request)).await??;

    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut there = Box::pin(copy(from_client, to_server, Way::In, recorder));
    let mut back = Box::pin(copy(from_server, to_client, Way::Out, recorder));
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = None;
    loop {
        tokio::select! {
            // One side ended or vanished: the other has some time to do so too.
            ended = &mut there => return part(ended, back).await,
            ended = &mut back => return part(ended, there).await,
            _ = looks.tick() => tell(recorder, &mut last),
        }
    }
}

/// Waits for the other direction. Where one failed, both are over.
async fn part(
    ended: io::Result<()>,
    other: impl std::future::Future<Output = io::Result<()>>,
) -> io::Result<()> {
    ended?;
    tokio::select! {
        ended = other => ended,
        () = sleep(PARTING) => Ok(()),
    }
}

/// One direction, to its end. The next bytes are read when these were taken, so a slow side slows the other.
async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    recorder: &Recorder,
) -> io::Result<()> {
    let mut buf = vec![0; BUFFER];
    loop {
        let count = timeout(IDLE, from.read(&mut buf)).await??;
        let Some(bytes @ [_, ..]) = buf.get(..count) else {
            recorder.ended(way);
            return timeout(BLOCKED, to.shutdown()).await?;
        };
        recorder.passed(way, bytes);
        timeout(BLOCKED, to.write_all(bytes)).await??;
    }
}

/// If it has changed.
fn tell(recorder: &Recorder, last: &mut Option<Seen>) {
    let seen = recorder.seen();
    if last.as_ref() == Some(&seen) {
        return;
    }
    let closing = seen.close_sent.is_some() || seen.close_received.is_some();
    let ready = if closing { "closing" } else { "open" };
    let transport = match (seen.input_ended || seen.output_ended, closing) {
        (true, _) => "await_eof",
        (false, true) => "shutdown_write",
        (false, false) => "open",
    };
    recorder.state(ready, transport, &Value::Null, 0, &seen);
    *last = Some(seen);
}

/// The members of a `fail` event.
fn unreachable(says: &str) -> Value {
    json!({"error": "Unreachable", "says": says, "code": null, "field": null,
        "rule": {"id": "9110-15.6.3", "where": "RFC 9110 section 15.6.3",
            "text": "A gateway that gets no answer from the server behind it says 502."}})
}
