//! How a connection ends, or never begins: the exit status, and what is said of it.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::Arc;

use sockless_connect::CloseCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{command, echo, run, server, start, tcp_server, waited};

#[tokio::test(flavor = "multi_thread")]
async fn wrong_arguments() {
    let _watchdog = watchdog!();
    for arguments in [
        &["connect"] as &[&str],
        &["connect", "ftp://localhost/"],
        &["connect", "ws://localhost/", "--basic", "no colon"],
        &["connect", "ws://localhost/", "-H", "no colon"],
        &["connect", "ws://localhost/", "--cookie", "none"],
        &["connect", "ws://localhost/", "--proxy", "gopher://localhost"],
        &["connect", "ws://localhost/", "--cacert", "/no/such/file"],
        &["connect", "ws://localhost/", "--opening-time", "0"],
        &["connect", "ws://localhost/", "--text", "--binary"],
    ] {
        let ran = run(arguments, b"").await;
        assert_eq!((ran.status, ran.text()), (2, ""), "{arguments:?} {ran:?}");
        assert!(ran.stderr.starts_with("error: "), "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_there() {
    let _watchdog = watchdog!();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = run(&["connect", &format!("ws://{free}/")], b"").await;
    assert_eq!(ran.status, 3, "{ran:?}");
    let ran = run(&["connect", "ws://127.0.0.1:1/", "--proxy", &format!("http://{free}")], b"").await;
    assert_eq!(ran.status, 4, "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_shown_without_what_could_steer_a_terminal() {
    let _watchdog = watchdog!();
    let address = tcp_server(|mut stream| async move {
        let mut head = [0; 4096];
        let _ = stream.read(&mut head).await.unwrap();
        let body = "no \u{1b}[2J\u{9b}1m\u{202e}here\n\u{7}";
        let answer = format!(
            "HTTP/1.1 404 Not Found\r\nX-Field: \u{fffd}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    let url = format!("ws://{}/", address.await);
    let ran = run(&["connect", &url], b"").await;
    assert_eq!((ran.status, ran.stderr.as_str()), (6, "error: the server answered with status 404\n"));
    let ran = run(&["connect", "--show-head", &url], b"").await;
    assert_eq!(ran.status, 6);
    assert!(ran.stderr.contains("HTTP status 404\nX-Field: "), "{ran:?}");
    assert!(ran.stderr.contains("\nno \\u{1b}[2J\\u{9b}1m\\u{202e}here\n\\u{7}\n"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_peer_breaks_a_rule() {
    let _watchdog = watchdog!();
    // It answers nothing that belongs to WebSocket.
    let address = tcp_server(|mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(b"SSH-2.0-\x1b[2J\r\n\r\n").await;
        let _ = stream.read(&mut [0; 1]).await;
    });
    let ran = run(&["connect", &format!("ws://{}/", address.await)], b"").await;
    assert!(ran.status == 7 && !ran.stderr.contains('\x1b'), "{ran:?}");
    let url = server(|mut socket| async move {
        let _ = socket.send("longer than four").await;
        while let Ok(Some(_)) = socket.recv().await {}
    });
    let ran = run(&["connect", "--no-close", "--max-message-size", "4", &url.await], b"").await;
    assert_eq!((ran.status, ran.stderr.as_str()), (7, "error: a frame is longer than the limit\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_code_closes_it() {
    let _watchdog = watchdog!();
    let url = server(|mut socket| async move {
        let code = CloseCode::new(4000).unwrap();
        let _ = socket.close((code, "go \u{1b}[1maway\n")).await;
    });
    let ran = run(&["connect", "--no-close", &url.await], b"").await;
    let want = "error: the peer closed with 4000: go \\u{1b}[1maway\\n\n";
    assert_eq!((ran.status, ran.stderr.as_str()), (8, want));
}

#[tokio::test(flavor = "multi_thread")]
async fn time_is_up() {
    let _watchdog = watchdog!();
    let address = tcp_server(|mut stream| async move { while stream.read(&mut [0; 1024]).await.is_ok() {} });
    let ran = run(&["connect", "--opening-time", "200ms", &format!("ws://{}/", address.await)], b"").await;
    assert_eq!((ran.status, ran.stderr.as_str()), (9, "error: the opening handshake took too long\n"));
    // It takes what comes, and answers no Ping.
    let url = server(|socket| async move {
        let mut stream = socket.into_inner().into_inner();
        while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
    });
    let ran = run(&["connect", "--no-close", "--ping-interval", "100ms", &url.await], b"").await;
    assert_eq!((ran.status, ran.stderr.as_str()), (9, "error: no sign of life came after a Ping\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_is_lost() {
    let _watchdog = watchdog!();
    let url = server(|socket| async move { drop(socket) });
    let ran = run(&["connect", "--no-close", &url.await], b"").await;
    assert_eq!(ran.status, 10, "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_comes_back_where_that_may_help() {
    let _watchdog = watchdog!();
    let times = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&times);
    // The first connection is lost, the second ends in order.
    let url = server(move |mut socket| {
        let time = counted.fetch_add(1, Relaxed);
        async move {
            let heard = socket.recv().await.unwrap().unwrap().into_owned();
            socket.send(&heard).await.unwrap();
            if time > 0 {
                let _ = socket.close(CloseCode::NORMAL).await;
            }
        }
    });
    let arguments = ["connect", "--no-close", "--message", "me", "--reconnect=40ms", &url.await];
    let ran = run(&arguments, b"").await;
    assert_eq!((ran.text(), ran.status, times.load(Relaxed)), ("me\nme\n", 0, 2), "{ran:?}");
    assert!(
        ran.stderr.starts_with("warning: ") && ran.stderr.contains("connecting again in 0.0 s\n"),
        "{ran:?}"
    );
    // A refusal for good stays one, and a rule that was broken would be again.
    let url = server(|mut socket| async move { drop(socket.close(CloseCode::POLICY_VIOLATION).await) });
    let ran = run(&["connect", "--no-close", "--reconnect", &url.await], b"").await;
    assert_eq!((ran.status, ran.text()), (8, ""), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn input_that_cannot_be_sent() {
    let _watchdog = watchdog!();
    let url = echo().await;
    for (arguments, input) in [
        (&["connect", "--lines", &url] as &[&str], b"\xff\n".as_slice()),
        (&["connect", "--text", &url], b"abc\xe2\x82"),
        (&["connect", "--max-message-size", "4", &url], b"12345"),
    ] {
        let ran = run(arguments, input).await;
        assert_eq!(ran.status, 1, "{arguments:?} {ran:?}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_closes_in_order() {
    use std::process::Command;

    use tokio::sync::mpsc::channel;

    let _watchdog = watchdog!();
    let (tell, mut hear) = channel(1);
    let url = server(move |mut socket| {
        let tell = tell.clone();
        async move {
            tell.send(0).await.unwrap();
            while let Ok(Some(_)) = socket.recv().await {}
            tell.send(socket.closed().unwrap().status).await.unwrap();
        }
    });
    let child = start(&mut command(&["connect", &url.await]));
    assert_eq!(hear.recv().await, Some(0));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ran = waited(child).await;
    assert_eq!((ran.status, ran.stderr.as_str(), hear.recv().await), (0, "", Some(1000)));
}
