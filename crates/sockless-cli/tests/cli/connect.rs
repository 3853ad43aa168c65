//! `sockless connect`: what goes out, and what comes back.

use std::sync::{Arc, Mutex};

use sockless_connect::sockless::deflate::Policy;
use sockless_connect::sockless::tokio::{accept, accept_with};
use sockless_connect::CloseCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::certificates::{identity, identity_that_asks_for};
use crate::support::{command, echo, finish, folder, run, server, start, tcp_server, OPEN};

#[tokio::test(flavor = "multi_thread")]
async fn each_line_is_a_message_and_each_message_a_line() {
    let _watchdog = watchdog!();
    let ran = run(&["connect", &echo().await], "one\r\ntwo\n\nlast, without an end: \u{e9}".as_bytes()).await;
    assert_eq!((ran.text(), ran.status), ("one\ntwo\n\nlast, without an end: \u{e9}\n", 0), "{ran:?}");
    assert_eq!(ran.stderr, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn octets_go_through_as_they_are() {
    let _watchdog = watchdog!();
    // More than any buffer on the way holds, so both directions have to go on at once.
    let octets: Vec<u8> =
        (0..20_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let ran = run(&["connect", "--binary", "--no-deflate", &echo().await], &octets).await;
    assert!(ran.stdout == octets && ran.status == 0, "{} octets, {}", ran.stdout.len(), ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_the_input_is_one_text_message() {
    let _watchdog = watchdog!();
    let lengths = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&lengths);
    let url = server(move |mut socket| {
        let seen = Arc::clone(&seen);
        async move {
            while let Ok(Some(message)) = socket.recv().await {
                seen.lock().unwrap().push(message.as_text().unwrap().len());
            }
        }
    });
    // Characters of three octets, so that pieces end inside of some.
    let text = "\u{20ac}\n".repeat(100_000);
    let ran = run(&["connect", "--text", &url.await], text.as_bytes()).await;
    assert_eq!((ran.status, lengths.lock().unwrap().as_slice()), (0, [text.len()].as_slice()), "{ran:?}");
    assert_eq!(run(&["connect", "--text", &echo().await], b"").await.text(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_out_and_one_in() {
    let _watchdog = watchdog!();
    let url = server(|mut socket| async move {
        while let Ok(Some(message)) = socket.recv().await {
            let answer = format!("got {}", message.as_text().unwrap());
            for _ in 0..2 {
                socket.send(answer.as_str()).await.unwrap();
            }
        }
    });
    let url = url.await;
    for (arguments, input) in [
        (["-1", "-m", "a"].as_slice(), ""),
        (&["--one-message"], "a\nb\n"),
        (&["-1", "-m", "a", "-m", "b"], ""),
    ] {
        let ran = run(&[&["connect", &url], arguments].concat(), input.as_bytes()).await;
        assert_eq!((ran.text(), ran.status), ("got a\n", 0), "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_listens_on_until_the_server_closes() {
    let _watchdog = watchdog!();
    let url = server(|mut socket| async move {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        socket.send("late").await.unwrap();
        socket.send(&[0xff, 0x00]).await.unwrap();
        socket.close(CloseCode::GOING_AWAY).await.unwrap();
    });
    let ran = run(&["connect", "--no-close", &url.await], b"").await;
    assert_eq!((ran.text(), ran.status), ("late\nff00\n", 0), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_where_nobody_reads_any_more() {
    let _watchdog = watchdog!();
    let url = server(|mut socket| async move {
        while socket.send("line").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            // Our Close is seen here.
            let _ = tokio::time::timeout(std::time::Duration::from_millis(1), socket.recv()).await;
        }
    });
    let mut child = start(&mut command(&["connect", "--no-close", &url.await]));
    drop(child.stdout.take());
    let ran = finish(child, b"").await;
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_request_says() {
    let _watchdog = watchdog!();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    let address = tcp_server(move |stream| {
        let seen = Arc::clone(&seen);
        async move {
            let config = OPEN.clone().with_subprotocol("v2").with_deflate(Policy::DEFAULT);
            let decide = |request: &sockless_connect::sockless::handshake::server::Request<'_>| {
                let head = String::from_utf8(request.head().to_vec()).unwrap();
                seen.lock().unwrap().push(head);
                Ok(())
            };
            let mut socket = accept_with(stream, &config, decide).await.unwrap();
            while let Ok(Some(_)) = socket.recv().await {}
        }
    });
    let url = format!("http://{}/a?b", address.await);
    let folder = folder("what_the_request_says");
    let (token, fields) = (folder.join("token"), folder.join("fields"));
    std::fs::write(&token, "from-file\n").unwrap();
    std::fs::write(&fields, "X-One: 1\nX-Two: 2\n").unwrap();
    let fields = format!("@{}", fields.display());
    let arguments = [
        "connect",
        &url,
        "-H",
        "X-Zero:  0",
        "-H",
        &fields,
        "--cookie",
        "a=b",
        "--cookie",
        "c=d",
        "--subprotocol",
        "v2",
        "--origin",
        "https://example.com",
        "--show-head",
    ];
    let mut program = command(&arguments);
    let child = start(program.env("SOCKLESS_BEARER", format!("@{}", token.display())));
    let ran = finish(child, b"").await;
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.stderr.starts_with("HTTP status 101\n"), "{ran:?}");
    assert!(ran.stderr.contains("Sec-WebSocket-Protocol: v2\n"), "{ran:?}");
    let head = heads.lock().unwrap().pop().unwrap();
    for line in [
        "GET /a?b HTTP/1.1",
        "X-Zero: 0",
        "X-One: 1",
        "X-Two: 2",
        "Cookie: a=b; c=d",
        "Authorization: Bearer from-file",
        "Origin: https://example.com",
        "Sec-WebSocket-Protocol: v2",
    ] {
        assert!(head.lines().any(|given| given == line), "{line} in {head}");
    }
    assert!(head.contains("permessage-deflate"), "{head}");
    // What stands on the command line comes before the environment.
    let mut program = command(&["connect", &url, "--no-deflate", "--basic", "me:secret"]);
    assert_eq!(finish(start(program.env("SOCKLESS_BEARER", "other")), b"").await.status, 0);
    let head = heads.lock().unwrap().pop().unwrap();
    assert!(head.contains("Authorization: Basic bWU6c2VjcmV0\r\n"), "{head}");
    assert!(!head.contains("permessage-deflate") && !head.contains("Bearer"), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_that_is_checked_and_tls_that_is_not() {
    let _watchdog = watchdog!();
    let identity = identity("tls_that_is_checked_and_tls_that_is_not");
    let acceptor = identity.acceptor.clone();
    let address = tcp_server(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let mut socket = accept(stream, &OPEN).await.unwrap();
            socket.send("hello").await.unwrap();
            while let Ok(Some(_)) = socket.recv().await {}
        }
    });
    let url = format!("wss://{}/", address.await);
    let certificate = identity.certificate.to_str().unwrap();
    let ran = run(&["connect", "-1", "--cacert", certificate, &url], b"").await;
    assert_eq!((ran.text(), ran.status, ran.stderr.as_str()), ("hello\n", 0, ""), "{ran:?}");
    let ran = run(&["connect", "-1", "--insecure", &url], b"").await;
    assert_eq!((ran.text(), ran.status), ("hello\n", 0), "{ran:?}");
    assert!(ran.stderr.starts_with("warning: --insecure"), "{ran:?}");
    let other = crate::certificates::identity("tls_of_another");
    let ran = run(&["connect", "-1", "--cacert", other.certificate.to_str().unwrap(), &url], b"").await;
    assert_eq!((ran.text(), ran.status), ("", 5), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_our_own() {
    let _watchdog = watchdog!();
    let ours = identity("a_certificate_of_our_own");
    let server = identity_that_asks_for("a_server_that_asks_for_it", &ours);
    let acceptor = server.acceptor.clone();
    let address = tcp_server(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let mut socket = accept(stream, &OPEN).await.unwrap();
            while let Ok(Some(_)) = socket.recv().await {}
        }
    });
    let url = format!("wss://{}/", address.await);
    let (certificate, key) = (ours.certificate.to_str().unwrap(), ours.key.to_str().unwrap());
    for trust in [&["--cacert", server.certificate.to_str().unwrap()] as &[&str], &["--insecure"]] {
        let ran = run(&[&["connect", &url, "--cert", certificate, "--key", key], trust].concat(), b"").await;
        assert_eq!(ran.status, 0, "{ran:?}");
        let ran = run(&[&["connect", &url], trust].concat(), b"").await;
        assert_eq!(ran.status, 5, "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_that_are_followed_on_request() {
    let _watchdog = watchdog!();
    let to = echo().await;
    let address = tcp_server(move |mut stream| {
        let answer = format!("HTTP/1.1 307 Go\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
        async move {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let url = format!("ws://{}/", address.await);
    assert_eq!(run(&["connect", &url], b"a\n").await.status, 6);
    let ran = run(&["connect", "--redirects", "1", &url], b"a\n").await;
    assert_eq!((ran.text(), ran.status), ("a\n", 0), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_proxy_of_the_arguments_or_of_the_environment() {
    let _watchdog = watchdog!();
    // One that lets in who knows the password.
    let address = tcp_server(|mut stream| async move {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(octet) = stream.read_u8().await else { return };
            head.push(octet);
        }
        let head = String::from_utf8(head).unwrap();
        if !head.contains("Proxy-Authorization: Basic bWU6c2VjcmV0\r\n") {
            let _ = stream.write_all(b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n").await;
            return;
        }
        let target = head.split(' ').nth(1).unwrap();
        let mut server = tokio::net::TcpStream::connect(target).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
    });
    let (url, address) = (echo().await, address.await);
    let proxy = format!("http://me:secret@{address}");
    let ran = run(&["connect", "--proxy", &proxy, &url], b"a\n").await;
    assert_eq!((ran.text(), ran.status), ("a\n", 0), "{ran:?}");
    let ran = run(&["connect", "--proxy", &format!("http://{address}"), &url], b"a\n").await;
    assert_eq!((ran.text(), ran.status), ("", 4), "{ran:?}");
    for (variable, arguments, status) in [
        (proxy.as_str(), &[] as &[&str], 0),
        (&format!("http://{address}"), &[], 4),
        (&format!("http://{address}"), &["--no-proxy"], 0),
        ("gopher://nowhere", &[], 2),
    ] {
        let mut program = command(&[&["connect", &url], arguments].concat());
        let ran = finish(start(program.env("ALL_PROXY", variable)), b"a\n").await;
        assert_eq!(ran.status, status, "{variable} {arguments:?} {ran:?}");
    }
}
