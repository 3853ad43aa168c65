//! `sockless listen`.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin};

use sockless_connect::{CloseCode, Connect, ConnectError, Message, Socket, Tls};
use tokio::task::spawn_blocking;

use crate::certificates::identity;
use crate::support::{command, first_line, run, start, waited};

/// The program, and the URL that it listens at.
async fn listen(arguments: &[&str]) -> (Child, String) {
    let mut child = start(&mut command(&[&["listen", "127.0.0.1:0"], arguments].concat()));
    let (child, line) = spawn_blocking(move || {
        let line = first_line(&mut child);
        (child, line)
    })
    .await
    .unwrap();
    (child, line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}")).into())
}

/// Ends a program that is still there.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn connected(url: &str) -> Socket {
    Connect::new(url).connect().await.unwrap().0
}

fn say(stdin: &mut ChildStdin, text: &str) {
    stdin.write_all(text.as_bytes()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_hears_the_input_and_is_heard() {
    let _watchdog = watchdog!();
    let (mut child, url) = listen(&[]).await;
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    // What is said while nobody is there waits.
    say(&mut stdin, "early\n");
    let mut first = connected(&url).await;
    assert_eq!(first.recv().await.unwrap(), Some(Message::Text("early")));
    let mut second = connected(&url).await;
    for (socket, text) in [(&mut first, "from \u{1b}one"), (&mut second, "from two")] {
        socket.send(text).await.unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, format!("{text}\n"));
    }
    say(&mut stdin, "to all\n");
    drop(stdin);
    for socket in [&mut first, &mut second] {
        assert_eq!(socket.recv().await.unwrap(), Some(Message::Text("to all")));
        assert_eq!(socket.recv().await.unwrap(), None);
        assert_eq!(socket.closed().unwrap().status, 1000);
    }
    let ran = waited(child).await;
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.stderr.contains("#2 from 127.0.0.1:"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_over_tls() {
    let _watchdog = watchdog!();
    let identity = identity("an_echo_over_tls");
    let (certificate, key) = (identity.certificate.to_str().unwrap(), identity.key.to_str().unwrap());
    let (child, url) = listen(&["--echo", "--tls", certificate, key, "--subprotocol", "v1"]).await;
    let _killed = Killed(child);
    assert!(url.starts_with("wss://"), "{url}");
    let tls = Tls::new().with_added_roots_only().with_root_pem(std::fs::read(certificate).unwrap()).unwrap();
    let (mut socket, _) = Connect::new(url).with_tls(tls).with_subprotocol("v1").connect().await.unwrap();
    assert_eq!(socket.subprotocol(), Some("v1"));
    let octets = vec![7; 1_000_000];
    socket.send(octets.as_slice()).await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some(Message::Binary(&octets)));
    assert!(socket.close(CloseCode::NORMAL).await.unwrap().unwrap().clean);
}

#[tokio::test(flavor = "multi_thread")]
async fn which_pages_may_connect() {
    let _watchdog = watchdog!();
    for (arguments, page, is_let_in) in [
        (&[] as &[&str], "https://example.com", false),
        (&["--origin", "https://example.com"], "https://example.com", true),
        (&["--origin", "https://example.com"], "https://example.net", false),
        (&["--origin", "any"], "https://example.net", true),
    ] {
        let (child, url) = listen(&[&["--echo"], arguments].concat()).await;
        let _killed = Killed(child);
        let result = Connect::new(url).with_origin(page).connect().await;
        match result {
            Ok(_) => assert!(is_let_in, "{arguments:?} {page}"),
            Err(ConnectError::Rejected(response)) => {
                assert!(!is_let_in && response.status() == 403, "{arguments:?} {page} {response:?}");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn octets_go_out_as_they_are() {
    let _watchdog = watchdog!();
    let (mut child, url) = listen(&["--binary"]).await;
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut socket = connected(&url).await;
    socket.send(&[0, 10, 255]).await.unwrap();
    let mut heard = [0; 3];
    stdout.read_exact(&mut heard).unwrap();
    assert_eq!(heard, [0, 10, 255]);
    let octets: Vec<u8> = (0..3_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let written = octets.clone();
    let writing = spawn_blocking(move || stdin.write_all(&written).unwrap());
    let mut received = Vec::new();
    while let Some(message) = socket.recv().await.unwrap() {
        received.extend_from_slice(message.as_bytes());
    }
    writing.await.unwrap();
    assert!(received == octets);
    assert_eq!(waited(child).await.status, 0);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_tells_everybody() {
    let _watchdog = watchdog!();
    let (child, url) = listen(&["--echo"]).await;
    let mut socket = connected(&url).await;
    let mut kill = std::process::Command::new("kill");
    assert!(kill.args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(socket.recv().await.unwrap(), None);
    assert_eq!(socket.closed().unwrap().status, 1001);
    assert_eq!(waited(child).await.status, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn others_wait_where_no_place_is_free() {
    let _watchdog = watchdog!();
    let (child, url) = listen(&["--echo", "--max-clients", "1"]).await;
    let _killed = Killed(child);
    let mut first = connected(&url).await;
    let second = tokio::spawn({
        let url = url.clone();
        async move { connected(&url).await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(!second.is_finished());
    first.close(CloseCode::NORMAL).await.unwrap();
    let mut second = second.await.unwrap();
    second.send("now").await.unwrap();
    assert_eq!(second.recv().await.unwrap(), Some(Message::Text("now")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_nothing_costs_the_opening_time() {
    let _watchdog = watchdog!();
    let (child, url) = listen(&["--echo", "--max-clients", "1", "--opening-time", "100ms"]).await;
    let _killed = Killed(child);
    let address = url.trim_start_matches("ws://").trim_end_matches('/');
    let _silent = tokio::net::TcpStream::connect(address).await.unwrap();
    drop(connected(&url).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken() {
    let _watchdog = watchdog!();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ran = run(&["listen", &taken.local_addr().unwrap().to_string()], b"").await;
    assert_eq!(ran.status, 1, "{ran:?}");
    assert_eq!(run(&["listen", "127.0.0.1:0", "--tls", "/no/file", "/no/file"], b"").await.status, 2);
}
