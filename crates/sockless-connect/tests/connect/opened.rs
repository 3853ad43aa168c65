//! An open WebSocket, against the server of `sockless`.

use sockless_connect::sockless::deflate::Policy;
use sockless_connect::sockless::handshake::OriginPolicy;
use sockless_connect::sockless::tokio::accept_with;
use sockless_connect::sockless::{handshake::server::Request, Answer, ServerConfig};
use sockless_connect::{CloseCode, Connect, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::ways::WAYS;
use crate::{answer_to, both, listener, read_head};

/// Serves so many connections: each message comes back.
async fn echo(listener: &TcpListener, connections: usize) {
    let config =
        ServerConfig::new(OriginPolicy::Any).with_subprotocols(&["v1", "v2"]).with_deflate(Policy::DEFAULT);
    for _ in 0..connections {
        let (stream, _) = listener.accept().await.unwrap();
        let answer = |_: &Request<'_>| {
            let answer = Answer::new().with_field("Set-Cookie", "a=1").with_field("Set-Cookie", "b=2");
            Ok(answer.with_field("X-Octets", "caf\u{e9}"))
        };
        let mut socket = accept_with(stream, &config, answer).await.unwrap();
        while let Some((message, mut outgoing)) = socket.recv_with().await.unwrap() {
            outgoing.send(message).await.unwrap();
        }
    }
}

#[tokio::test]
async fn messages_go_both_ways_and_the_answer_is_there() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let (listener, address) = listener().await;
        let client = async {
            let connect =
                Connect::new(format!("ws://{address}/")).with_subprotocol("v2").with_subprotocol("v1");
            let (mut socket, response) = way.connect(&connect).await.unwrap();
            assert_eq!(socket.subprotocol(), Some("v2"));
            assert!(socket.negotiated().deflate.is_some(), "compression is offered by default");
            for text in ["Hello", "", &"long ".repeat(100_000)] {
                socket.send(text).await.unwrap();
                assert_eq!(socket.recv().await.unwrap().unwrap().as_text(), Some(text));
            }
            assert_eq!(socket.nodelay_and_peer(), Some((true, address)));
            socket.close(CloseCode::NORMAL).await.unwrap();
            assert!(socket.closed().unwrap().clean);
            response
        };
        let ((), response) = both(echo(&listener, 1), client).await;
        assert_eq!((response.status(), response.body(), response.is_complete()), (101, &b""[..], true));
        assert_eq!(response.field("upgrade"), Some("websocket"));
        assert_eq!(response.field("X-Missing"), None);
        let cookies: Vec<_> = response.fields_named("SET-COOKIE").collect();
        assert_eq!(cookies, [b"a=1", b"b=2"], "not merged");
        assert!(
            response.fields().iter().any(|(name, _)| name == "Sec-WebSocket-Accept"),
            "{:?}",
            response.fields()
        );
        assert!(!format!("{response:?}").contains("a=1"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_kept_cloned_and_moved_into_tasks() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let (listener, address) = listener().await;
        let connect = Connect::new(format!("ws://{address}/")).with_subprotocol("v1");
        let server = tokio::spawn(async move { echo(&listener, 4).await });
        let tasks: Vec<_> = (0..2)
            .map(|_| {
                let connect = connect.clone();
                tokio::spawn(async move {
                    for _ in 0..2 {
                        let (mut socket, _) = way.connect(&connect).await.unwrap();
                        socket.send("a").await.unwrap();
                        assert_eq!(socket.recv().await.unwrap().unwrap().as_text(), Some("a"));
                        socket.close(CloseCode::NORMAL).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        server.await.unwrap();
    }
}

/// Sending reads nothing. A program that does nothing else answers Pings by looking at what is there between two pieces.
#[tokio::test]
async fn a_long_message_and_pings_meanwhile() {
    let _watchdog = watchdog!();
    for (way, looks) in WAYS.into_iter().flat_map(|way| [(way, true), (way, false)]) {
        let (listener, address) = listener().await;
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let head = read_head(&mut stream).await;
            // With the answer comes a Ping (RFC 6455 section 5.5.2).
            let sent = [answer_to(&head, "").as_bytes(), b"\x89\x01?"].concat();
            stream.write_all(&sent).await.unwrap();
            let mut opcodes = Vec::new();
            while opcodes.last() != Some(&0x80) {
                let (first, second) = (stream.read_u8().await.unwrap(), stream.read_u8().await.unwrap());
                // The length is in the second octet; the key of the mask follows.
                let mut rest = vec![0; 4 + usize::from(second & 0x7f)];
                stream.read_exact(&mut rest).await.unwrap();
                opcodes.push(first);
            }
            opcodes
        };
        let client = async {
            let connect = Connect::new(format!("ws://{address}/")).without_deflate();
            let (mut socket, _) = way.connect(&connect).await.unwrap();
            for at in 0..3 {
                socket.send_fragment(b"piece", at == 2).await.unwrap();
                if looks && at < 2 {
                    socket.look().await;
                }
            }
            socket
        };
        let (opcodes, _socket) = both(server, client).await;
        let expected: &[u8] = if looks { &[0x02, 0x8a, 0x00, 0x80] } else { &[0x02, 0x00, 0x80] };
        assert_eq!(opcodes, expected, "{way:?}");
    }
}

/// One connection through a stream that the caller has made.
#[tokio::test]
async fn any_other_stream_is_plugged_in() {
    let _watchdog = watchdog!();
    let (near, far) = tokio::io::duplex(64);
    let server = async {
        let config = ServerConfig::new(OriginPolicy::Any);
        let mut socket = sockless_connect::sockless::tokio::accept(far, &config).await.unwrap();
        socket.send("from memory").await.unwrap();
        while socket.recv().await.unwrap().is_some() {}
    };
    let client = async {
        // A `wss:` URL too: who gives the stream has set TLS up.
        let (mut socket, response): (_, Response) =
            Connect::new("wss://example.com/").client(near).await.unwrap();
        assert_eq!(socket.recv().await.unwrap().unwrap().as_text(), Some("from memory"));
        socket.close(CloseCode::NORMAL).await.unwrap();
        response.status()
    };
    assert_eq!(both(server, client).await, ((), 101));
}

#[tokio::test]
async fn a_stream_on_which_nothing_was_asked() {
    let _watchdog = watchdog!();
    let (listener, address) = listener().await;
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut octets = Vec::new();
        stream.read_to_end(&mut octets).await.unwrap();
        octets
    };
    let client = async {
        let mut stream = Connect::new(format!("ws://{address}/")).stream().await.unwrap();
        stream.write_all(b"mine").await.unwrap();
    };
    assert_eq!(both(server, client).await.0, b"mine");
}
