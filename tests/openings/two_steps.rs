//! A request that is received first and answered later: on each adapter, with the octets of `accept_with`, within the
//! opening time.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use sockless::deflate::Policy;
use sockless::futures_io::FuturesIo;
use sockless::handshake::server::Request;
use sockless::handshake::OriginPolicy;
use sockless::{
    blocking, futures_io, polled, tokio as on_tokio, Answer, Error, Opened, ProtocolError, Refusal,
    ServerConfig, Timeout, Timeouts,
};
use tokio::io::{duplex, AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::answer::{any_origin, came, on_adapter, read_head, soon, streams, upgrade, Adapter, ALL, FRAME};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Steps {
    One,
    Two,
}

type Decide = fn(&Request<'_>) -> Result<Answer<'static>, Refusal>;

fn by_path(request: &Request<'_>) -> Result<Answer<'static>, Refusal> {
    match request.path() {
        "/plain" => Ok(Answer::new()),
        "/fields" => Ok(Answer::new().with_field("Set-Cookie", request.query().unwrap_or("none"))),
        "/v3" => Ok(Answer::new().with_subprotocol("v3").with_field("X-Version", "3")),
        "/v9" => Ok(Answer::new().with_subprotocol("v9")),
        "/bad" => Ok(Answer::new().with_field("X Y", "z")),
        "/200" => Err(Refusal::new(200)),
        "/moved" => Err(Refusal::new(307).with_field("Location", "/plain")),
        _ => Err(Refusal::new(404).with_field("X-Why", "no such room").with_body("gone")),
    }
}

/// Answers one request, and one message after it: what came of that, in words.
fn serve(adapter: Adapter, steps: Steps, stream: TcpStream, config: &ServerConfig, decide: Decide) -> String {
    macro_rules! served {
        ([$($module:tt)+], $stream:expr $(, $wait:tt)*) => {{
            let opened = match steps {
                Steps::One => $($module)+::accept_with($stream, config, decide)$(.$wait)*,
                Steps::Two => match $($module)+::receive($stream, config)$(.$wait)* {
                    Ok(pending) => {
                        let decision = decide(&pending.request().unwrap());
                        match decision {
                            Ok(answer) => pending.accept(config, answer)$(.$wait)*,
                            Err(refusal) => Err(pending.refuse(refusal)$(.$wait)*),
                        }
                    }
                    Err(error) => Err(error),
                },
            };
            match opened {
                Ok(mut socket) => {
                    let subprotocol = socket.subprotocol().map(str::to_owned);
                    let received = socket.recv()$(.$wait)*.map(|message| message.map(|m| m.as_bytes().to_vec()));
                    if let Ok(Some(payload)) = &received {
                        socket.send(payload.as_slice())$(.$wait)*.unwrap();
                    }
                    format!("{subprotocol:?} {received:?}")
                }
                Err(error) => format!("{error:?}"),
            }
        }};
    }
    on_adapter!(adapter, stream, served)
}

/// All octets that the client gets for these, and what the server says of it.
fn exchange(
    adapter: Adapter,
    steps: Steps,
    sent: &[&[u8]],
    config: ServerConfig,
    decide: Decide,
) -> (String, String) {
    let (ours, mut peer) = streams();
    let server = soon(move || serve(adapter, steps, ours, &config, decide));
    for piece in sent {
        peer.write_all(piece).unwrap();
        thread::sleep(Duration::from_micros(300));
    }
    peer.shutdown(Shutdown::Write).unwrap();
    let mut got = Vec::new();
    // A server that is gone may reset what it has not read.
    let _ = peer.read_to_end(&mut got);
    (String::from_utf8_lossy(&got).into_owned(), came(&server))
}

/// Both ways say the same, to the client and to the application, whatever is asked and decided.
#[test]
fn two_steps_answer_as_one_does() {
    let _watchdog = watchdog!();
    let config = ServerConfig::new(OriginPolicy::SameHost)
        .with_subprotocols(&["v2", "v9"])
        .with_fields(&[("X-Served-By", "us")])
        .with_deflate(Policy::DEFAULT);
    let with = |line: &str| upgrade("/plain").replace("Host: a\r\n", &format!("Host: a\r\n{line}\r\n"));
    let heads: Vec<(&str, String, &str)> = vec![
        ("accepted", upgrade("/plain"), "101"),
        ("fields", upgrade("/fields?who=me"), "101"),
        ("subprotocol", upgrade("/v3"), "101"),
        ("a subprotocol that was not offered", upgrade("/v9"), "500"),
        ("an invalid field", upgrade("/bad"), "500"),
        ("a status that refuses nothing", upgrade("/200"), "500"),
        ("moved", upgrade("/moved"), "307"),
        ("refused", upgrade("/else"), "404"),
        ("compressed", with("Sec-WebSocket-Extensions: permessage-deflate"), "101"),
        ("same origin", with("Origin: http://a"), "101"),
        ("foreign origin", with("Origin: http://b"), "403"),
        ("absolute target", with("X: y").replace("GET /plain", "GET http://a?plain"), "404"),
        ("a bad version", upgrade("/plain").replace("Version: 13", "Version: 12"), "426"),
        ("a bad field", with("X Y: z"), "400"),
        ("plain HTTP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n".into(), "426"),
        ("nothing", String::new(), ""),
        ("half a head", upgrade("/plain")[..60].into(), ""),
    ];
    for adapter in ALL {
        for (name, head, status) in &heads {
            let sent: &[&[u8]] = &[head.as_bytes(), FRAME];
            let sent = if status.is_empty() { &sent[..1] } else { sent };
            let [one, two] =
                [Steps::One, Steps::Two].map(|steps| exchange(adapter, steps, sent, config.clone(), by_path));
            assert_eq!(one, two, "{adapter:?} {name}");
            let begin = if status.is_empty() { String::new() } else { format!("HTTP/1.1 {status} ") };
            assert!(two.0.starts_with(&begin), "{adapter:?} {name}: {two:?}");
            assert_eq!(two.0.ends_with("\u{5}Hello") || *name == "compressed", *status == "101", "{two:?}");
        }
    }
}

/// Frames behind the head are the first of the connection, however they are cut.
#[test]
fn octets_after_the_head_are_not_lost() {
    let _watchdog = watchdog!();
    let head = upgrade("/plain");
    let all = [head.as_bytes(), FRAME].concat();
    for adapter in ALL {
        let whole = exchange(adapter, Steps::Two, &[&all], any_origin(), by_path);
        assert!(whole.0.ends_with("\u{5}Hello") && whole.1.contains("72, 101, 108, 108, 111"), "{whole:?}");
        for cut in [1, head.len() - 1, head.len(), head.len() + 1, all.len() - 1] {
            let (first, second) = all.split_at(cut);
            let cut = exchange(adapter, Steps::Two, &[first, second], any_origin(), by_path);
            assert_eq!(whole, cut, "{adapter:?}");
        }
        let single: Vec<&[u8]> = all.chunks(1).collect();
        assert_eq!(whole, exchange(adapter, Steps::Two, &single, any_origin(), by_path), "{adapter:?}");
    }
}

#[test]
fn a_request_that_is_dropped_ends_the_connection_without_an_answer() {
    let _watchdog = watchdog!();
    let (ours, mut peer) = streams();
    peer.write_all(upgrade("/").as_bytes()).unwrap();
    drop(blocking::receive(ours, &any_origin()).unwrap());
    assert_eq!(peer.read(&mut [0; 9]).unwrap(), 0);
    smol::block_on(async {
        let (ours, mut peer) = streams();
        peer.write_all(upgrade("/").as_bytes()).unwrap();
        drop(futures_io::receive(smol::Async::new(ours).unwrap(), &any_origin()).await.unwrap());
        assert_eq!(peer.read(&mut [0; 9]).unwrap(), 0);
    });
}

/// The second config is asked as the first was, and says how the connection is.
#[tokio::test]
async fn the_config_of_the_answer_counts() {
    let _watchdog = watchdog!();
    let asks = upgrade("/").replace(
        "Host: a\r\n",
        "Host: a\r\nOrigin: http://b\r\nSec-WebSocket-Extensions: permessage-deflate\r\n",
    );
    let compressing = any_origin().with_deflate(Policy::DEFAULT);
    for (config, status, extension) in [
        (&compressing, "101", true),
        (&any_origin(), "101", false),
        (&ServerConfig::new(OriginPolicy::SameHost), "403", false),
    ] {
        let (ours, mut peer) = duplex(4096);
        peer.write_all(asks.as_bytes()).await.unwrap();
        let pending = on_tokio::receive(ours, &compressing).await.unwrap();
        assert_eq!(pending.request().unwrap().origin(), Some("http://b"));
        let answered = tokio::spawn({
            let config = config.clone();
            async move { pending.accept(&config, ()).await.map(drop) }
        });
        let mut got = [0; 1024];
        let count = peer.read(&mut got).await.unwrap();
        let got = str::from_utf8(&got[..count]).unwrap();
        assert!(got.starts_with(&format!("HTTP/1.1 {status} ")), "{got}");
        assert_eq!(got.contains("permessage-deflate"), extension, "{got}");
        drop(peer);
        assert_eq!(answered.await.unwrap().is_ok(), status == "101");
    }
}

/// A page, then a WebSocket that a task of its own decides about, on one connection.
#[tokio::test]
async fn a_kept_connection_becomes_a_websocket() {
    let _watchdog = watchdog!();
    const PLAIN: &str = "GET /page HTTP/1.1\r\nHost: a\r\n\r\n";
    let all = [PLAIN.as_bytes(), upgrade("/chat").as_bytes(), FRAME].concat();
    for cut in [0, 10, PLAIN.len(), PLAIN.len() + 7, all.len()] {
        let (ours, mut peer) = duplex(4096);
        peer.write_all(&all[cut..]).await.unwrap();
        let first = on_tokio::receive_buffered(ours, &all[..cut], &any_origin()).await.unwrap();
        let Opened::Http { mut stream, received } = first else { panic!("{first:?}") };
        assert!(received.starts_with(PLAIN.as_bytes()));
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        let second = on_tokio::receive_buffered(stream, &received[PLAIN.len()..], &any_origin()).await;
        let Ok(Opened::WebSocket(pending)) = second else { panic!("{second:?}") };
        assert_eq!(pending.request().unwrap().path(), "/chat");
        let mut socket = pending.accept(&any_origin(), ()).await.unwrap();
        assert_eq!(socket.recv().await.unwrap().unwrap().as_bytes(), b"Hello");
    }
}

// Time.

fn limited(opening: Duration) -> ServerConfig {
    let mut timeouts = Timeouts::NONE;
    timeouts.opening = Some(opening);
    any_origin().with_timeouts(timeouts)
}

fn is_late<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Protocol(ProtocolError::TimedOut(Timeout::OpeningHandshake))))
}

const SECOND: Duration = Duration::from_secs(1);

/// The opening time is one for the head and the decision: the client gets a 408 for a slow head, a 503 for a slow
/// decision.
#[tokio::test(start_paused = true)]
async fn head_and_decision_share_the_opening_time() {
    let _watchdog = watchdog!();
    let config = limited(5 * SECOND);
    for (head, decision, status, seconds) in
        [(6, 0, "408", 5), (4, 2, "503", 5), (0, 9999, "503", 5), (4, 0, "101", 4), (1, 3, "101", 4)]
    {
        let (ours, mut peer) = duplex(4096);
        let began = Instant::now();
        let client = tokio::spawn(async move {
            let request = upgrade("/");
            peer.write_all(&request.as_bytes()[..30]).await.unwrap();
            tokio::time::sleep(head * SECOND).await;
            let _ = peer.write_all(&request.as_bytes()[30..]).await;
            let mut got = vec![0; 12];
            peer.read_exact(&mut got).await.unwrap();
            String::from_utf8(got).unwrap()
        });
        let opened = async {
            let pending = on_tokio::receive(ours, &config).await?;
            let decision = tokio::time::sleep(decision * SECOND);
            let (pending, ()) = pending.wait_for(decision).await?;
            pending.accept(&config, ()).await
        };
        let opened = opened.await;
        assert_eq!(is_late(&opened), status != "101", "{opened:?}");
        assert_eq!(client.await.unwrap(), format!("HTTP/1.1 {status}"));
        assert!(began.elapsed() - seconds * SECOND < head * SECOND + SECOND, "{:?}", began.elapsed());
        assert!(began.elapsed() >= seconds * SECOND);
    }
}

/// Whoever waits by other means is told when it answers.
#[tokio::test(start_paused = true)]
async fn an_answer_after_the_opening_time_is_a_503() {
    let _watchdog = watchdog!();
    for (after, limit, status) in
        [(6, Some(5), "503"), (5, Some(5), "503"), (4, Some(5), "101"), (99, None, "101")]
    {
        let config =
            limit.map_or_else(|| any_origin().with_timeouts(Timeouts::NONE), |limit| limited(limit * SECOND));
        let (ours, mut peer) = duplex(4096);
        peer.write_all(upgrade("/").as_bytes()).await.unwrap();
        let pending = on_tokio::receive(ours, &config).await.unwrap();
        tokio::time::sleep(after * SECOND).await;
        let server = tokio::spawn(async move { pending.accept(&config, ()).await });
        let mut got = [0; 12];
        peer.read_exact(&mut got).await.unwrap();
        assert_eq!(got, *format!("HTTP/1.1 {status}").as_bytes());
        drop(peer);
        assert_eq!(is_late(&server.await.unwrap()), status == "503");
    }
}

#[test]
fn blocking_sockets_and_smol_keep_the_time_too() {
    let _watchdog = watchdog!();
    let limit = Duration::from_millis(150);
    let (ours, mut peer) = streams();
    peer.write_all(upgrade("/").as_bytes()).unwrap();
    let server = soon(move || {
        let pending = blocking::receive(ours, &limited(limit)).unwrap();
        thread::sleep(2 * limit);
        is_late(&pending.accept(&limited(limit), ()))
    });
    assert!(read_head(&mut peer).starts_with("HTTP/1.1 503 "));
    drop(peer);
    assert!(came(&server));

    let (ours, mut peer) = streams();
    peer.write_all(upgrade("/").as_bytes()).unwrap();
    let server = soon(move || {
        smol::block_on(async {
            let stream = FuturesIo::new(smol::Async::new(ours).unwrap()).with_timer(smol::Timer::at);
            let pending = polled::receive(stream, &limited(limit)).await.unwrap();
            is_late(&pending.wait_for(std::future::pending::<()>()).await)
        })
    });
    assert!(read_head(&mut peer).starts_with("HTTP/1.1 503 "));
    drop(peer);
    assert!(came(&server));
}

/// A refusal after the time has its second still: the client is told.
#[tokio::test(start_paused = true)]
async fn a_refusal_may_come_late() {
    let _watchdog = watchdog!();
    let (ours, mut peer) = duplex(4096);
    peer.write_all(upgrade("/").as_bytes()).await.unwrap();
    let pending = on_tokio::receive(ours, &limited(SECOND)).await.unwrap();
    tokio::time::sleep(9 * SECOND).await;
    let began = Instant::now();
    let server = tokio::spawn(pending.refuse(Refusal::new(403).with_body("who are you?")));
    let mut got = Vec::new();
    peer.read_to_end(&mut got).await.unwrap();
    let got = String::from_utf8(got).unwrap();
    assert!(got.starts_with("HTTP/1.1 403 ") && got.ends_with("\r\n\r\nwho are you?"), "{got}");
    // The peer says nothing and does not end.
    assert_eq!(format!("{:?}", server.await.unwrap()), "Opening(Refused(403))");
    assert_eq!(began.elapsed(), SECOND);
}
