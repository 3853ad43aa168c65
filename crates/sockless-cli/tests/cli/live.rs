//! `sockless inspect` between a client and a server.

use std::io::{BufRead, BufReader};
use std::time::Duration;

use serde_json::{json, Value};
use sockless::deflate::Policy;
use sockless::tokio::{accept, accept_with};
use sockless_connect::{CloseCode, Connect, ConnectError, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::certificates::identity;
use crate::support::{command, first_line, start, tcp_server, OPEN};

/// The program in front of this server, and its URL. It writes JSON.
async fn between(arguments: &[&str]) -> (std::process::Child, String) {
    in_front(&[&["--json"], arguments].concat()).await
}

async fn in_front(arguments: &[&str]) -> (std::process::Child, String) {
    let all = [&["inspect", "--listen", "127.0.0.1:0", "--no-proxy"], arguments].concat();
    let mut child = start(&mut command(&all));
    let (child, line) = spawn_blocking(move || {
        let line = first_line(&mut child);
        (child, line)
    })
    .await
    .unwrap();
    (child, line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}")).into())
}

/// What it has written until this connection was over.
async fn events(mut child: std::process::Child) -> Vec<Value> {
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let reading = spawn_blocking(move || {
        let mut events = Vec::new();
        for line in stdout.lines() {
            let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let text = event["text"].as_str().unwrap_or_default();
            let is_over = event["event"] == "note" && (text == "closed" || text.starts_with("lost"));
            events.push(event);
            if is_over {
                break;
            }
        }
        events
    });
    let events = reading.await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_passed_on_and_shown() {
    let _watchdog = watchdog!();
    let identity = identity("everything_is_passed_on_and_shown");
    let acceptor = identity.acceptor.clone();
    let address = tcp_server(move |stream| {
        let (acceptor, host) = (acceptor.clone(), stream.local_addr().unwrap().to_string());
        async move {
            let stream = acceptor.accept(stream).await.unwrap();
            let config = OPEN.clone().with_deflate(Policy::DEFAULT).with_subprotocol("v1");
            let decide = |request: &sockless::handshake::server::Request<'_>| {
                assert_eq!((request.host(), request.target()), (host.as_str(), "/asked?for"));
                Ok(())
            };
            let mut socket = accept_with(stream, &config, decide).await.unwrap();
            while let Some((message, mut outgoing)) = socket.recv_with().await.unwrap() {
                outgoing.feed(message).await.unwrap();
            }
        }
    });
    let to = format!("wss://{}/", address.await);
    let (child, url) = between(&["--to", &to, "--cacert", identity.certificate.to_str().unwrap()]).await;
    let server = Connect::new(format!("{url}asked?for")).with_subprotocol("v1");
    let (mut socket, response) = server.connect().await.unwrap();
    assert_eq!(response.field("Sec-WebSocket-Protocol"), Some("v1"));
    let text = "a\u{1b}b".repeat(100);
    socket.send(text.as_str()).await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some(Message::Text(&text)));
    assert!(socket.close(CloseCode::NORMAL).await.unwrap().unwrap().clean);

    let events = events(child).await;
    for from in ["client", "server"] {
        let of_side: Vec<_> = events.iter().filter(|event| event["from"] == from).collect();
        let kinds: Vec<_> = of_side.iter().map(|event| event["event"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["head", "frame", "message", "frame", "close", "end"], "{from}");
        assert_eq!((&of_side[1]["rsv1"], &of_side[2]["compressed"]), (&json!(true), &json!(true)));
        assert_eq!((&of_side[2]["text"], &of_side[4]["code"]), (&json!(text), &json!(1000)));
    }
    let start = &events.iter().find(|event| event["event"] == "head").unwrap()["start"];
    assert_eq!(start, "GET /asked?for HTTP/1.1");
    let times: Vec<_> = events.iter().map(|event| event["time"].as_f64().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
}

/// The lines that people see until this connection was over.
async fn lines(mut child: std::process::Child) -> Vec<String> {
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let reading = spawn_blocking(move || {
        let mut lines = Vec::new();
        for line in stdout.lines() {
            lines.push(line.unwrap());
            if lines.last().is_some_and(|line| line.ends_with("#1    closed") || line.contains("#1    lost"))
            {
                break;
            }
        }
        lines
    });
    let lines = reading.await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    lines
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Each octet that the peers send is known, and what they want a terminal to do is only shown.
#[tokio::test(flavor = "multi_thread")]
async fn people_see_heads_frames_messages_and_when_they_came() {
    const PAUSE: Duration = Duration::from_millis(200);
    let _watchdog = watchdog!();
    let address = tcp_server(|mut stream| async move {
        assert!(read_head(&mut stream).await.starts_with("GET /chat HTTP/1.1\r\n"));
        let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
            Sec-WebSocket-Extensions: permessage-deflate\r\nServer: a\u{9b}2J\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
        // "Hello" compressed (RFC 7692 section 7.2.3.1), whole and in two fragments.
        stream.write_all(&hex::decode("c107f248cdc9c907004103f248cd8004c9c90700").unwrap()).await.unwrap();
        sleep(PAUSE).await;
        // A Pong, and a Close whose reason would set the title of a terminal.
        stream.write_all(&hex::decode("8a011b880503e8621b5d").unwrap()).await.unwrap();
        stream.shutdown().await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let (child, url) = in_front(&["--to", &format!("ws://{}/", address.await), "--show", "10"]).await;
    let at = url.trim_start_matches("ws://").trim_end_matches('/');
    let mut client = TcpStream::connect(at).await.unwrap();
    let request = format!(
        "GET /chat HTTP/1.1\r\nHost: {at}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Extensions: permessage-deflate\r\nUser-Agent: us\r\n\r\n"
    );
    client.write_all(request.as_bytes()).await.unwrap();
    assert!(read_head(&mut client).await.starts_with("HTTP/1.1 101 "));
    // "Hello" (RFC 6455 section 5.7), a text that clears a screen, octets, a Ping, and a Close without a code.
    let frames = "818537fa213d7f9f4d5158 818e00000000 611b5b324a6262626262626262 63 \
        828300000000ff001b 8981000000001b 888000000000";
    client.write_all(&hex::decode(frames.replace(' ', "")).unwrap()).await.unwrap();
    let mut of_server = Vec::new();
    client.read_to_end(&mut of_server).await.unwrap();
    assert_eq!(
        of_server,
        hex::decode("c107f248cdc9c907004103f248cd8004c9c907008a011b880503e8621b5d").unwrap()
    );
    drop(client);

    let lines = lines(child).await;
    let all = lines.join("\n");
    assert!(!all.contains(|c: char| c.is_control() && c != '\n'), "{all:?}");
    let of = |arrow: &str| -> Vec<String> {
        let front = format!("#1 {arrow} ");
        lines.iter().filter_map(|line| Some(line.split_once(&front)?.1.to_owned())).collect()
    };
    let client = [
        "GET /chat HTTP/1.1",
        "frame FIN text, 5 octets, masked with 37fa213d",
        "text of 5 octets: Hello",
        "frame FIN text, 14 octets, masked with 00000000",
        r"text of 14 octets: a\u{1b}[2Jbbbbb ...",
        "frame FIN binary, 3 octets, masked with 00000000",
        "binary of 3 octets: ff001b",
        "frame FIN ping, 1 octets, masked with 00000000",
        "ping 1b",
        "frame FIN close, 0 octets, masked with 00000000",
        "close without a code",
        "end of the stream",
    ];
    let server = [
        "HTTP/1.1 101 Switching Protocols",
        "frame FIN RSV1 text, 7 octets",
        "text of 5 octets, inflated: Hello",
        "frame RSV1 text, 3 octets",
        "frame FIN continuation, 4 octets",
        "text of 5 octets, inflated: Hello",
        "frame FIN pong, 1 octets",
        "pong 1b",
        "frame FIN close, 5 octets",
        r"close 1000 b\u{1b}]",
        "end of the stream",
    ];
    assert_eq!(
        (of("->"), of("<-")),
        (client.map(String::from).to_vec(), server.map(String::from).to_vec()),
        "{all}"
    );
    // Fields stand below their head, without a time.
    for field in ["Sec-WebSocket-Version: 13", "User-Agent: us", r"Server: a\u{9b}2J"] {
        assert!(lines.contains(&format!("{:16}{field}", "")), "{field} in {all}");
    }
    assert!(lines[0].contains("#1    from 127.0.0.1:") && all.ends_with("#1    closed"), "{all}");
    let seconds = |line: &String| line.split_once(" #1 ")?.0.trim().parse::<f64>().ok();
    let times: Vec<_> = lines.iter().filter_map(seconds).collect();
    assert!(times.len() == client.len() + server.len() + 2 && times.is_sorted(), "{times:?}");
    let when = |end: &str| lines.iter().find(|line| line.ends_with(end)).and_then(seconds).unwrap();
    let pause = when("pong 1b") - when("<- frame FIN RSV1 text, 7 octets");
    assert!((PAUSE.as_secs_f64() / 2.0..20.0).contains(&pause), "{pause}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_path_of_the_url_takes_precedence_and_faults_are_passed_on() {
    let _watchdog = watchdog!();
    let address = tcp_server(|stream| async move {
        let decide = |request: &sockless::handshake::server::Request<'_>| {
            assert_eq!(request.target(), "/mine?q");
            Ok(())
        };
        let socket = accept_with(stream, &OPEN, decide).await.unwrap();
        let mut stream = socket.into_inner().into_inner();
        // A masked frame of a server.
        tokio::io::AsyncWriteExt::write_all(&mut stream, &[0x81, 0x80, 0, 0, 0, 0]).await.unwrap();
        let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 64]).await;
    });
    let (child, url) = between(&["--to", &format!("ws://{}/mine?q", address.await)]).await;
    let (mut socket, _) = Connect::new(format!("{url}other")).connect().await.unwrap();
    let error = socket.recv().await.unwrap_err();
    assert_eq!(error.to_string(), "a server sent a masked frame");
    drop(socket);
    let events = events(child).await;
    let fault = events.iter().find(|event| event["event"] == "fault").unwrap();
    assert_eq!((&fault["from"], &fault["text"]), (&json!("server"), &json!("a server sent a masked frame")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there() {
    let _watchdog = watchdog!();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (child, url) = between(&["--to", &format!("ws://{free}/")]).await;
    match Connect::new(url).connect().await {
        Err(ConnectError::Rejected(response)) => assert_eq!(response.status(), 502),
        other => panic!("{:?}", other.map(drop)),
    }
    let events = events(child).await;
    assert!(events.last().unwrap()["text"].as_str().unwrap().starts_with("lost: "), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_passed_on() {
    let _watchdog = watchdog!();
    let address = tcp_server(|stream| async move {
        let config = sockless::ServerConfig::new(sockless::handshake::OriginPolicy::NonBrowser);
        drop(accept(stream, &config).await);
    });
    let (child, url) = between(&["--to", &format!("ws://{}/", address.await)]).await;
    match Connect::new(url).with_origin("https://example.com").connect().await {
        Err(ConnectError::Rejected(response)) => assert_eq!(response.status(), 403),
        other => panic!("{:?}", other.map(drop)),
    }
    let events = events(child).await;
    assert!(events.iter().any(|event| event["text"] == "the server refused"), "{events:?}");
}
