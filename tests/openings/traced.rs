//! What is told through `tracing`: one span for each connection, how it was opened and how it ended, and nothing that others
//! sent.

use std::fmt::{Debug, Write as _};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sockless::deflate::Policy;
use sockless::handshake::{server::Request, OriginPolicy};
use sockless::{blocking, ClientConfig, Refusal, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tracing::field::{Field, Visit};
use tracing::{span, Event, Metadata, Subscriber};

/// Stands in each header value, payload and reason.
const SECRET: &str = "hunter2Zq7Secret";

/// Keeps all that is told, one line for each.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>, Arc<AtomicU64>);

impl Log {
    fn say(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    /// What was told of this crate while `work` ran.
    fn of(work: impl FnOnce()) -> Vec<String> {
        let log = Self::default();
        tracing::subscriber::with_default(log.clone(), work);
        let lines = log.0.lock().unwrap().clone();
        assert!(!lines.concat().contains("hunter2"), "{lines:#?}");
        lines
    }
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sockless"
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        let mut fields = Fields(String::new());
        span.record(&mut fields);
        let id = self.1.fetch_add(1, Ordering::Relaxed) + 1;
        self.say(format!("{id} {}{}", span.metadata().name(), fields.0));
        span::Id::from_u64(id)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        let id = event.parent().map_or(0, span::Id::into_u64);
        self.say(format!("{id} {}{}", event.metadata().level(), fields.0));
    }

    fn try_close(&self, id: span::Id) -> bool {
        self.say(format!("{} dropped", id.into_u64()));
        true
    }
}

fn request() -> String {
    format!(
        "GET /{SECRET} HTTP/1.1\r\nHost: srv\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nCookie: {SECRET}\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    )
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, 0x80 | payload.len() as u8, 0, 0, 0, 0], payload].concat()
}

fn close() -> Vec<u8> {
    frame(0x88, &[&[3, 232], SECRET.as_bytes()].concat())
}

/// What a client sends after its request, and what is told then.
fn ends() -> [(Vec<u8>, &'static [&'static str]); 3] {
    [
        (
            [frame(0x81, SECRET.as_bytes()), close()].concat(),
            &["DEBUG message=closed code=1000 by=\"peer\" clean=true"],
        ),
        (
            frame(0x81, &[SECRET.as_bytes(), b"\xFF"].concat()),
            &[
                "INFO message=failed error=text is not UTF-8",
                "DEBUG message=closed code=1006 by=\"us\" clean=false",
            ],
        ),
        (
            Vec::new(),
            &[
                "INFO message=failed error=the transport ended before the closing handshake was complete",
                "DEBUG message=closed code=1006 clean=false",
            ],
        ),
    ]
}

fn expected(compression: bool, told: &[&str]) -> Vec<String> {
    let opened = format!("DEBUG message=opened subprotocol=\"chat\" compression={compression}");
    let lines = std::iter::once(&*opened).chain(told.iter().copied());
    let lines = std::iter::once("websocket role=\"server\"").chain(lines).chain(["dropped"]);
    lines.map(|line| format!("1 {line}")).collect()
}

fn streams() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, peer)
}

/// One end of TCP, and the other one, which sends this and ends.
fn tcp(sent: &[u8]) -> (TcpStream, TcpStream) {
    let (ours, mut peer) = streams();
    peer.write_all(sent).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    (ours, peer)
}

fn config(deflate: bool) -> ServerConfig {
    let config = ServerConfig::new(OriginPolicy::Any).with_subprotocol("chat");
    if deflate {
        config.with_deflate(Policy::DEFAULT)
    } else {
        config
    }
}

#[test]
fn a_connection_on_a_thread_and_on_two() {
    let _watchdog = watchdog!();
    for (sent, told) in ends() {
        for (deflate, halves) in [(false, false), (true, false), (false, true)] {
            let (stream, mut peer) = tcp(&[request().as_bytes(), &sent].concat());
            let lines = Log::of(|| {
                let mut socket = blocking::accept(stream, &config(deflate)).unwrap();
                if halves {
                    let (mut receiver, sender) = socket.into_split().unwrap();
                    while !matches!(receiver.recv(), Ok(None)) {}
                    drop(sender);
                } else {
                    while !matches!(socket.recv(), Ok(None)) {}
                }
            });
            assert_eq!(lines, expected(deflate, told));
            let _ = peer.read_to_end(&mut Vec::new());
        }
    }
}

#[test]
fn a_connection_on_a_task_and_on_two() {
    let _watchdog = watchdog!();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (sent, told) in ends() {
        for way in ["recv", "stream", "halves", "halves, stream"] {
            let (ours, mut peer) = tokio::io::duplex(1 << 16);
            let lines = Log::of(|| {
                runtime.block_on(async {
                    peer.write_all(request().as_bytes()).await.unwrap();
                    peer.write_all(&sent).await.unwrap();
                    peer.shutdown().await.unwrap();
                    let mut socket = sockless::tokio::accept(ours, &config(true)).await.unwrap();
                    match way {
                        "recv" => while !matches!(socket.recv().await, Ok(None)) {},
                        "stream" => while futures_util::StreamExt::next(&mut socket).await.is_some() {},
                        "halves" => {
                            let mut receiver = socket.into_split().0;
                            while !matches!(receiver.recv().await, Ok(None)) {}
                        }
                        _ => {
                            let mut receiver = socket.into_split().0;
                            while futures_util::StreamExt::next(&mut receiver).await.is_some() {}
                        }
                    }
                });
            });
            assert_eq!(lines, expected(true, told), "{way}");
        }
    }
}

#[test]
fn a_refusal_at_both_ends() {
    let _watchdog = watchdog!();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lines = Log::of(|| {
        runtime.block_on(async {
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            let server = async {
                let config = ServerConfig::new(OriginPolicy::Any);
                let refuse = |_: &Request<'_>| {
                    Err::<(), _>(Refusal::new(404).with_field("X-Why", SECRET).with_body(SECRET))
                };
                sockless::tokio::accept_with(ours, &config, refuse).await.unwrap_err();
            };
            let client = async {
                let url = format!("ws://srv/{SECRET}");
                sockless::tokio::client(theirs, &*url, &ClientConfig::new()).await.unwrap_err();
            };
            tokio::join!(server, client);
            // A request that is none, and a response that is none.
            let (ours, mut peer) = tokio::io::duplex(1 << 16);
            let wrong = request().replace("Version: 13", "Version: 12");
            peer.write_all(wrong.as_bytes()).await.unwrap();
            peer.shutdown().await.unwrap();
            sockless::tokio::accept(ours, &config(false)).await.unwrap_err();
            let (ours, mut peer) = tokio::io::duplex(1 << 16);
            let answer = format!(
                "HTTP/1.1 101 {SECRET}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {SECRET}\r\n\r\n"
            );
            peer.write_all(answer.as_bytes()).await.unwrap();
            sockless::tokio::client(ours, "ws://srv/", &ClientConfig::new()).await.unwrap_err();
            drop(peer.read_u8().await);
        });
    });
    assert_eq!(
        lines,
        [
            "0 INFO message=refused role=\"server\" status=404 reason=the request was refused with status 404",
            "0 INFO message=refused role=\"client\" status=404 reason=the server answered with status 404",
            "0 INFO message=refused role=\"server\" status=426 reason=Sec-WebSocket-Version is not 13",
            "0 INFO message=refused role=\"client\" reason=Sec-WebSocket-Accept is missing, repeated or wrong",
        ]
    );
}

/// What asks for no WebSocket is refused as well. A client that gets no answer tells why: it came too late, or not at all.
#[test]
fn an_opening_that_comes_to_nothing() {
    let _watchdog = watchdog!();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let plain = format!("GET /{SECRET} HTTP/1.1\r\nHost: srv\r\n\r\n");
    let url = format!("ws://srv/{SECRET}");
    let mut hasty = ClientConfig::new();
    hasty.timeouts.opening = Some(Duration::from_millis(50));
    let on_a_thread = || {
        let (ours, _peer) = tcp(plain.as_bytes());
        blocking::accept(ours, &config(false)).unwrap_err();
        let (ours, _peer) = streams();
        blocking::client(ours, &*url, &hasty).unwrap_err();
        let (ours, _peer) = tcp(b"");
        blocking::client(ours, &*url, &ClientConfig::new()).unwrap_err();
    };
    let on_a_task = async {
        let (ours, mut peer) = tokio::io::duplex(1 << 16);
        peer.write_all(plain.as_bytes()).await.unwrap();
        peer.shutdown().await.unwrap();
        sockless::tokio::accept(ours, &config(false)).await.unwrap_err();
        let (ours, peer) = tokio::io::duplex(1 << 16);
        sockless::tokio::client(ours, &*url, &hasty).await.unwrap_err();
        drop(peer);
        let (ours, mut peer) = tokio::io::duplex(1 << 16);
        peer.shutdown().await.unwrap();
        sockless::tokio::client(ours, &*url, &ClientConfig::new()).await.unwrap_err();
    };
    for lines in [Log::of(on_a_thread), Log::of(|| runtime.block_on(on_a_task))] {
        assert_eq!(
            lines,
            [
                "0 INFO message=refused role=\"server\" status=426 reason=the request does not ask for a WebSocket",
                "0 INFO message=failed role=\"client\" error=the opening handshake timed out",
                "0 INFO message=failed role=\"client\" error=the connection ended before the head of the handshake was complete",
            ]
        );
    }
}
