//! The examples, as programs: what a user would see of each.

#[macro_use]
#[path = "../../../tests/common/watchdog.rs"]
mod watchdog;

use std::io::Write;
use std::process::{Command, Output, Stdio};

use sockless_connect::sockless::handshake::server::Request;
use sockless_connect::sockless::handshake::OriginPolicy;
use sockless_connect::sockless::tokio::{accept, accept_with, ServerSocket};
use sockless_connect::sockless::{Answer, Refusal, ServerConfig};
use sockless_connect::CloseCode;
use tokio::io::{copy_bidirectional, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_blocking;

static CONFIG: ServerConfig = ServerConfig::new(OriginPolicy::Any).with_max_message_size(1 << 30);

fn example(name: &str, arguments: &[&str]) -> Command {
    let test = std::env::current_exe().unwrap();
    let mut command = Command::new(test.parent().unwrap().parent().unwrap().join("examples").join(name));
    for variable in ["all_proxy", "ALL_PROXY", "http_proxy", "ws_proxy", "WS_PROXY", "no_proxy", "NO_PROXY"] {
        command.env_remove(variable);
    }
    command.args(arguments);
    command
}

/// Runs it to its end, with these lines as input.
async fn run(mut command: Command, input: &'static str) -> Output {
    let ran = spawn_blocking(move || {
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().expect("the examples are built");
        // One that ends at once does not read it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    });
    ran.await.unwrap()
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A listener, and the URL for it.
async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    (listener, url)
}

async fn next(listener: &TcpListener) -> ServerSocket {
    accept(listener.accept().await.unwrap().0, &CONFIG).await.unwrap()
}

/// Each message comes back, until the client closes.
async fn echo(mut socket: ServerSocket) {
    while let Some((message, mut outgoing)) = socket.recv_with().await.unwrap() {
        outgoing.send(message).await.unwrap();
    }
}

#[tokio::test]
async fn price_feed_comes_back_when_it_is_lost_and_when_it_is_silent() {
    let _watchdog = watchdog!();
    let (listener, url) = listener().await;
    let server = async {
        // Its stream ends without a Close.
        let mut socket = next(&listener).await;
        assert_eq!(socket.recv().await.unwrap().unwrap().as_text(), Some("EURUSD"));
        socket.send("1.1").await.unwrap();
        drop(socket);
        // It says nothing more.
        let mut silent = next(&listener).await;
        assert_eq!(silent.recv().await.unwrap().unwrap().as_text(), Some("EURUSD"));
        silent.send("1.2").await.unwrap();
        let mut socket = next(&listener).await;
        assert_eq!(socket.recv().await.unwrap().unwrap().as_text(), Some("EURUSD"));
        socket.send("1.3").await.unwrap();
        socket.close(CloseCode::NORMAL).await.unwrap();
    };
    let arguments = [&url, "--say", "EURUSD", "--wait", "20", "--silence", "300"];
    let (output, ()) = tokio::join!(run(example("price_feed", &arguments), ""), server);
    let (code, prices, log) = said(&output);
    assert_eq!((code, prices.as_str()), (Some(0), "1.1\n1.2\n1.3\n"), "{log}");
    assert_eq!(log.matches("connected\n").count(), 3, "{log}");
}

/// A proxy for one client. Without credentials it refuses.
async fn proxy(listener: TcpListener, server: String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with(&format!("CONNECT {server} HTTP/1.1\r\n")), "{head}");
    if !head.contains("Proxy-Authorization: Basic bWU6d29yZA==\r\n") {
        let refusal = "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"a\"\r\nContent-Length: 0\r\n\r\n";
        return stream.write_all(refusal.as_bytes()).await.unwrap();
    }
    stream.write_all(b"HTTP/1.1 200 Yes\r\n\r\n").await.unwrap();
    let mut server = TcpStream::connect(server).await.unwrap();
    let _ = copy_bidirectional(&mut stream, &mut server).await;
}

#[tokio::test]
async fn through_proxy_takes_it_from_an_argument_or_the_environment() {
    let _watchdog = watchdog!();
    for (credentials, is_argument, expected) in [
        ("", true, (Some(2), "", "the proxy wants Basic credentials\n")),
        ("", false, (Some(2), "", "the proxy wants Basic credentials\n")),
        ("me:word@", true, (Some(0), "Hello\n", "")),
        ("me:word@", false, (Some(0), "Hello\n", "")),
    ] {
        let (listener, url) = listener().await;
        let server = tokio::spawn(async move { echo(next(&listener).await).await });
        let host = url.trim_start_matches("ws://").trim_end_matches('/').to_owned();
        let (proxy_listener, proxy_url) = crate::listener().await;
        let proxy_url = proxy_url.replace("ws://", credentials);
        let command = match is_argument {
            true => example("through_proxy", &[&url, "--proxy", &proxy_url]),
            false => {
                let mut command = example("through_proxy", &[&url]);
                command.env("http_proxy", &proxy_url);
                command
            }
        };
        let (output, ()) = tokio::join!(run(command, ""), proxy(proxy_listener, host));
        let (code, out, log) = said(&output);
        assert_eq!((code, out.as_str(), log.as_str()), expected);
        server.abort();
    }
    let output = run(example("through_proxy", &["ws://127.0.0.1:1/", "--proxy", "wss://a"]), "").await;
    assert!(
        said(&output).2.contains("the scheme of a proxy is http, https, socks5 or socks5h"),
        "{output:?}"
    );
}

/// Lets in whoever has this token, in the field of this name.
async fn guarded(listener: &TcpListener, name: &str, value: &str) -> Option<ServerSocket> {
    let (stream, _) = listener.accept().await.unwrap();
    let judge = |request: &Request<'_>| {
        let mut fields = request.headers().iter();
        match fields.any(|(given, token)| given.eq_ignore_ascii_case(name) && token == value.as_bytes()) {
            true => Ok(Answer::new()),
            false => Err(Refusal::new(401).with_field("WWW-Authenticate", "Bearer error=\"invalid_token\"")),
        }
    };
    accept_with(stream, &CONFIG, judge).await.ok()
}

#[tokio::test]
async fn token_is_shown_in_three_ways_and_not_shown_again_once_it_is_refused() {
    let _watchdog = watchdog!();
    for (way, name, value) in
        [("bearer", "Authorization", "Bearer good"), ("cookie", "Cookie", "session=good")]
    {
        for (token, expected) in [("good", (Some(0), "Hello\n")), ("old", (Some(1), ""))] {
            let (listener, url) = listener().await;
            let server = async {
                if let Some(mut socket) = guarded(&listener, name, value).await {
                    socket.send("Hello").await.unwrap();
                    socket.close(CloseCode::NORMAL).await.unwrap();
                }
            };
            let command = example("token", &[&url, "--token", token, "--way", way]);
            let (output, ()) = tokio::join!(run(command, ""), server);
            let (code, out, log) = said(&output);
            assert_eq!((code, out.as_str()), expected, "{log}");
            assert_eq!(log.contains("status 401"), token == "old", "{log}");
        }
    }
    let (listener, url) = listener().await;
    let server = async {
        let mut socket = next(&listener).await;
        assert_eq!(socket.recv().await.unwrap().unwrap().as_text(), Some("old"));
        socket.close(CloseCode::POLICY_VIOLATION).await.unwrap();
    };
    let command = example("token", &[&url, "--token", "old", "--way", "first"]);
    let (output, ()) = tokio::join!(run(command, ""), server);
    let (code, out, log) = said(&output);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{log}");
    assert!(log.contains("1008"), "{log}");
}

#[cfg(unix)]
#[tokio::test]
async fn token_is_renewed_by_a_program() {
    let _watchdog = watchdog!();
    let (listener, url) = listener().await;
    // Any program that prints the same line each time.
    let new = Command::new("uname").output().unwrap().stdout;
    let value = format!("Bearer {}", String::from_utf8(new).unwrap().trim());
    let server = async {
        assert!(guarded(&listener, "Authorization", &value).await.is_none());
        let mut socket = guarded(&listener, "Authorization", &value).await.unwrap();
        socket.send("Hello").await.unwrap();
        socket.close(CloseCode::NORMAL).await.unwrap();
    };
    let command = example("token", &[&url, "--token", "old", "--renew", "uname"]);
    let (output, ()) = tokio::join!(run(command, ""), server);
    let (code, out, log) = said(&output);
    assert_eq!((code, out.as_str()), (Some(0), "Hello\n"), "{log}");
}

#[tokio::test]
async fn ask_waits_for_an_answer_only_so_long() {
    let _watchdog = watchdog!();
    let (listener, url) = listener().await;
    let (output, ()) =
        tokio::join!(run(example("ask", &[&url]), "a\nb\n"), async { echo(next(&listener).await).await });
    assert_eq!(said(&output), (Some(0), "a\nb\n".into(), String::new()));
    let silent = async { next(&listener).await };
    let (output, _socket) = tokio::join!(run(example("ask", &[&url, "--answer", "50"]), "a\n"), silent);
    assert_eq!(said(&output), (Some(1), String::new(), "no answer in time\n".into()));
    let silent = async { listener.accept().await };
    let (output, _stream) = tokio::join!(run(example("ask", &[&url, "--opening", "50"]), "a\n"), silent);
    assert_eq!(said(&output), (Some(1), String::new(), "the opening handshake took too long\n".into()));
}

#[tokio::test]
async fn send_file_takes_constant_memory_and_tells_why_it_was_refused() {
    const SIZE: u64 = 64 << 20;
    let _watchdog = watchdog!(watchdog::LIMIT * 2);
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("send_file.bin");
    std::fs::File::create(&path).unwrap().set_len(SIZE).unwrap();
    let path = path.to_str().unwrap();

    let (listener, url) = listener().await;
    let mut child =
        example("send_file", &[&url, path]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut socket = next(&listener).await;
    let (mut came, mut is_whole) = (0, false);
    while !is_whole {
        let piece = socket.recv_piece().await.unwrap().unwrap();
        came += piece.as_bytes().len() as u64;
        is_whole = piece.is_last();
    }
    assert_eq!(came, SIZE);
    // A Ping is answered while it waits.
    socket.ping(sockless_connect::ControlPayload::EMPTY).await.unwrap();
    if cfg!(target_os = "linux") {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kib: u64 = most.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kib < 24 << 10, "{kib} KiB");
    }
    socket.send("thank you").await.unwrap();
    assert!(socket.recv().await.unwrap().is_none());
    assert!(socket.latency().is_some());
    drop(socket);
    assert!(spawn_blocking(move || child.wait()).await.unwrap().unwrap().success());

    let refuse = async {
        let mut socket = next(&listener).await;
        socket.recv_piece().await.unwrap().unwrap();
        let _ = socket.close(CloseCode::MESSAGE_TOO_BIG).await;
    };
    let (output, ()) = tokio::join!(run(example("send_file", &[&url, path]), ""), refuse);
    let (code, out, log) = said(&output);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{log}");
    assert!(log.contains("1009"), "{log}");
}

/// Those that print what a server says, and an option that each of them can be given.
const PRINTING: [(&str, &str); 3] =
    [("price_feed", "--wait=20"), ("through_proxy", "Hello"), ("token", "--token=a")];

#[tokio::test]
async fn text_of_a_server_does_not_steer_the_terminal() {
    let _watchdog = watchdog!();
    let (listener, url) = listener().await;
    for (name, option) in PRINTING {
        let server = async {
            let mut socket = next(&listener).await;
            socket.send("\x1b[2J1.1\u{9b}").await.unwrap();
            socket.close(CloseCode::NORMAL).await.unwrap();
        };
        let (output, ()) = tokio::join!(run(example(name, &[&url, option]), ""), server);
        let (code, out, log) = said(&output);
        assert_eq!((code, out.as_str()), (Some(0), " [2J1.1 \n"), "{name}: {log}");
    }
}

#[tokio::test]
async fn output_that_nobody_reads_is_no_panic() {
    let _watchdog = watchdog!();
    let (listener, url) = listener().await;
    for (name, option) in PRINTING {
        let mut command = example(name, &[&url, option]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut socket = next(&listener).await;
        socket.send("1.1").await.unwrap();
        let closing = async {
            // This one goes on until its message cannot be printed, or its server leaves.
            let _ = socket.close(CloseCode::NORMAL).await;
        };
        let waiting = spawn_blocking(move || child.wait_with_output().unwrap());
        let (output, ()) = tokio::join!(waiting, closing);
        let (_, _, log) = said(&output.unwrap());
        assert!(!log.contains("panicked"), "{name}: {log}");
    }
}
