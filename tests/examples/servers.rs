//! The example servers that show one thing each: that they do it, and what they do not put up with.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{json, Value};
use sha2::{Digest as _, Sha256};
use sockless::handshake::OriginPolicy;
use sockless::{blocking, ClientConfig, CloseCode, Error, Message, OpeningError, ServerConfig};

use crate::process::{closed, example, hear, Server, Socket};

fn speaking(names: &[&str]) -> ClientConfig {
    names.iter().fold(ClientConfig::new(), |config, name| config.with_subprotocol(*name))
}

/// The status that refused it.
#[track_caller]
fn refused(opened: Result<Socket, Error>) -> u16 {
    match opened {
        Err(Error::Opening(OpeningError::Rejected(response))) => response.status(),
        other => panic!("{other:?}"),
    }
}

/// A folder that is there for one test.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sockless-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn pages_of_others_are_refused() {
    let _watchdog = watchdog!();
    let folder = Folder::new("origin");
    let users = folder.0.join("users");
    fs::write(&users, "").unwrap();
    let servers = [
        Server::start("auth", &[&"--users", &users]),
        Server::start("json", &[]),
        Server::start("proxy", &[&"--to", &"ws://127.0.0.1:1"]),
        Server::start("shutdown", &[]),
        Server::start("subprotocols", &[]),
        Server::start("upload", &[&"serve", &"--folder", &folder.0]),
    ];
    for server in servers {
        let config = speaking(&["lines"]).with_origin("http://elsewhere.example");
        assert_eq!(refused(server.open_with(&config)), 403);
    }
}

#[test]
fn a_token_comes_as_a_subprotocol_or_in_the_first_message() {
    let _watchdog = watchdog!();
    let folder = Folder::new("auth");
    let users = folder.0.join("users");
    fs::write(&users, "ann s3cret-of-ann\nbob s3cret-of-bob\n").unwrap();
    let server = Server::start("auth", &[&"--users", &users]);

    let mut socket = server.open_with(&speaking(&["chat.v1", "bearer.s3cret-of-ann"])).unwrap();
    assert_eq!(socket.subprotocol(), Some("chat.v1"), "and not the token");
    assert_eq!(hear(&mut socket), "hello ann");
    assert_eq!(refused(server.open_with(&speaking(&["chat.v1", "bearer.s3cret-of-eve"]))), 401);

    let mut socket = server.open();
    socket.send("s3cret-of-bob").unwrap();
    assert_eq!(hear(&mut socket), "hello bob");
    socket.send("said").unwrap();
    assert_eq!(hear(&mut socket), "said");

    for wrong in ["s3cret-of-eve", "", "bob", "bob s3cret-of-bob"] {
        let mut socket = server.open();
        socket.send(wrong).unwrap();
        assert_eq!(closed(&mut socket), (1008, "wrong token".into()), "{wrong:?}");
    }
    let mut socket = server.open();
    socket.send(b"s3cret-of-bob").unwrap();
    assert_eq!(closed(&mut socket), (1008, "wrong token".into()));

    let (mut silent, began) = (server.open(), Instant::now());
    assert_eq!(closed(&mut silent), (1008, "no token in time".into()));
    assert!((4..9).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[test]
fn questions_in_json_are_answered_and_faults_are_told_without_repeating_them() {
    let _watchdog = watchdog!();
    let server = Server::start("json", &[]);
    let mut socket = server.open();
    let mut ask = |question: &str| -> Value {
        socket.send(question).unwrap();
        serde_json::from_str(&hear(&mut socket)).unwrap()
    };
    assert_eq!(ask(r#"{"type":"sum","of":[1,2,-5]}"#), json!({"type": "sum", "is": -2}));
    assert_eq!(ask(r#"{"type":"reverse","text":"größer"}"#), json!({"type": "reverse", "text": "reßörg"}));
    let too_large = format!(r#"{{"type":"sum","of":[{0},{0}]}}"#, i64::MAX);
    assert_eq!(ask(&too_large)["reason"], "the sum is too large");
    let faults = [
        "s3cret",
        r#"{"type":"s3cret"}"#,
        r#"{"type":"sum","of":"s3cret"}"#,
        r#"{"type":"sum","of":[],"s3cret":1}"#,
    ];
    for fault in faults {
        let answer = ask(fault);
        assert_eq!(answer["type"], "error", "{fault}");
        assert!(!answer.to_string().contains("s3cret"), "{answer}");
    }
    assert_eq!(ask(r#"{"type":"sum","of":[]}"#)["is"], 0, "it goes on");
}

#[test]
fn the_subprotocol_says_which_code_answers() {
    let _watchdog = watchdog!();
    let server = Server::start("subprotocols", &[]);
    assert_eq!(refused(server.open_with(&ClientConfig::new())), 400);
    assert_eq!(refused(server.open_with(&speaking(&["mqtt"]))), 400);

    let mut lines = server.open_with(&speaking(&["mqtt", "lines"])).unwrap();
    assert_eq!(lines.subprotocol(), Some("lines"));
    lines.send("a line").unwrap();
    assert_eq!(hear(&mut lines), "a line");
    lines.send(b"bytes").unwrap();
    assert_eq!(closed(&mut lines), (1003, "text only".into()));

    let open = || server.open_with(&speaking(&["graphql-transport-ws", "lines"])).unwrap();
    let say = |socket: &mut Socket, value: Value| socket.send(value.to_string()).unwrap();
    let init = || json!({"type": "connection_init"});
    let subscribe =
        |id: &str| json!({"type": "subscribe", "id": id, "payload": {"query": "subscription { count }"}});
    let mut socket = open();
    say(&mut socket, init());
    assert_eq!(hear(&mut socket), r#"{"type":"connection_ack"}"#);
    say(&mut socket, json!({"type": "ping"}));
    assert_eq!(hear(&mut socket), r#"{"type":"pong"}"#);
    say(&mut socket, subscribe("a"));
    say(&mut socket, subscribe("b"));
    let mut counts = std::collections::BTreeMap::<String, u64>::new();
    while counts.len() < 2 || counts.values().any(|&count| count < 2) {
        let next: Value = serde_json::from_str(&hear(&mut socket)).unwrap();
        let count = next["payload"]["data"]["count"].as_u64().unwrap();
        let last = counts.insert(next["id"].as_str().unwrap().into(), count);
        assert_eq!(count, last.unwrap_or(0) + 1);
    }
    say(&mut socket, json!({"type": "subscribe", "id": "c", "payload": {"query": "{ other }"}}));
    say(&mut socket, json!({"type": "complete", "id": "a"}));
    say(&mut socket, json!({"type": "ping"}));
    while hear(&mut socket) != r#"{"type":"pong"}"# {}
    let next = hear(&mut socket);
    assert!(next.contains(r#""id":"b""#), "only b is left: {next}");

    let refusals: [(&[Value], u16); 5] = [
        (&[subscribe("a")], 4401),
        (&[init(), init()], 4429),
        (&[init(), subscribe("a"), subscribe("a")], 4409),
        (&[json!({"type": "other"})], 4400),
        (&[], 4408),
    ];
    for (said, code) in refusals {
        let mut socket = open();
        said.iter().for_each(|value| say(&mut socket, value.clone()));
        while let Ok(Some(_)) = socket.recv() {}
        assert_eq!(socket.closed().map(|closed| closed.status), Some(code));
    }
}

#[test]
fn a_proxy_passes_messages_and_closes_both_ways() {
    let _watchdog = watchdog!();
    // The server behind it: it says what it was asked for, echoes, and closes when it is told to.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("ws://{}", listener.local_addr().unwrap());
    let (tell, ends) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let config = ServerConfig::new(OriginPolicy::SameHost).with_subprotocols(&["one", "two"]);
            let mut asked = String::new();
            let mut socket = blocking::accept_with(stream.unwrap(), &config, |request| {
                let from = request.headers().get("X-Forwarded-For").unwrap_or_default();
                asked = format!("{} {}", request.target(), String::from_utf8_lossy(from));
                Ok(())
            })
            .unwrap();
            socket.send(&asked).unwrap();
            while let Ok(Some((message, mut outgoing))) = socket.recv_with() {
                match message {
                    Message::Text("close") => {
                        outgoing.start_close((CloseCode::new(4321).unwrap(), "enough")).unwrap()
                    }
                    Message::Text("vanish") => break,
                    message => outgoing.send(message).unwrap(),
                }
            }
            tell.send(socket.closed().map(|closed| (closed.status, socket.close_reason().to_owned())))
                .unwrap();
        }
    });
    let proxy = Server::start("proxy", &[&"--to", &to, &"--max-message", &"2000000"]);
    let open = || {
        let request = format!("{}/a/b?c=d", proxy.url());
        let mut socket = blocking::client(proxy.connect(), &*request, &speaking(&["two", "one"])).unwrap();
        assert_eq!(socket.subprotocol(), Some("two"));
        assert_eq!(hear(&mut socket), "/a/b?c=d 127.0.0.1");
        socket
    };

    let mut socket = open();
    let long: String = "größer 🦀 ".chars().cycle().take(500_000).collect();
    for text in ["", "short", &long] {
        socket.send(text).unwrap();
        assert!(hear(&mut socket) == text, "{} octets", text.len());
        socket.send(text.as_bytes()).unwrap();
        assert!(matches!(socket.recv(), Ok(Some(Message::Binary(came))) if came == text.as_bytes()));
    }
    socket.close((CloseCode::new(3210).unwrap(), "done")).unwrap();
    assert_eq!(ends.recv().unwrap(), Some((3210, "done".into())));

    let mut socket = open();
    socket.send("close").unwrap();
    assert_eq!(closed(&mut socket), (4321, "enough".into()));
    assert_eq!(ends.recv().unwrap().unwrap().0, 4321);

    // What is no Close has a code too: each side hears what became of the other.
    let mut socket = open();
    socket.send("vanish").unwrap();
    assert_eq!(closed(&mut socket).0, 1014);
    assert_eq!(ends.recv().unwrap(), None);
    drop(open());
    assert_eq!(ends.recv().unwrap().unwrap().0, 1001);
    let mut socket = open();
    socket.send(vec![0; 2_000_001]).unwrap();
    while let Ok(Some(_)) = socket.recv() {}
    assert_eq!(socket.closed().map(|closed| closed.status), Some(1009));
    assert_eq!(ends.recv().unwrap().unwrap().0, 1001);

    let nowhere = Server::start("proxy", &[&"--to", &"ws://127.0.0.1:1"]);
    assert_eq!(closed(&mut nowhere.open()).0, 1014);
}

#[test]
fn a_file_arrives_whole_or_not_at_all() {
    let _watchdog = watchdog!();
    let (here, there) = (Folder::new("upload-from"), Folder::new("upload-to"));
    let server = Server::start("upload", &[&"serve", &"--folder", &there.0, &"--max-size", &"6000000"]);
    let send = |content: &[u8]| {
        let file = here.0.join("file");
        fs::write(&file, content).unwrap();
        let sent =
            example("upload").arg("send").arg(file).arg(server.url()).stderr(Stdio::null()).output().unwrap();
        (sent.status.success(), String::from_utf8(sent.stdout).unwrap())
    };
    let content: Vec<u8> = (0..5_500_000_u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
    for content in [&content[..], b""] {
        let (stored, told) = send(content);
        assert!(stored, "{told}");
        let name = hex::encode(Sha256::digest(content));
        let size = content.len();
        let mut steps: Vec<_> = told.lines().collect();
        assert_eq!(steps.pop(), Some(&*format!("stored {size} {name} of {size}")));
        // One for each MiB that is whole.
        assert_eq!(steps.len(), size >> 20, "{told}");
        let received = |line: &&str| line.strip_prefix("received ")?.split(' ').next()?.parse().ok();
        let received: Vec<usize> = steps.iter().filter_map(received).collect();
        assert!(received.len() == steps.len() && received.is_sorted(), "{told}");
        assert!(fs::read(there.0.join(name)).unwrap() == content);
    }
    let names = || fs::read_dir(&there.0).unwrap().count();
    assert_eq!(names(), 2, "the files, and nothing else");

    // Too long; and one of which the end does not come.
    assert!(!send(&vec![1; 6_000_001]).0);
    let mut socket = server.open();
    socket.send_fragment(&content[..2_000_000], false).unwrap();
    assert_eq!(hear(&mut socket).split(' ').next(), Some("received"));
    drop(socket);
    let began = Instant::now();
    while names() != 2 {
        assert!(began.elapsed() < Duration::from_secs(10), "what is not whole is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn thousands_of_connections_are_closed_in_bounded_time() {
    let _watchdog = watchdog!();
    const READING: usize = 2000;
    const STUCK: usize = 20;
    rlimit::increase_nofile_limit(8192).unwrap();
    let mut server = Server::start("shutdown", &[&"--grace", &"4"]);
    let mut reading: Vec<_> = (0..READING).map(|_| server.open()).collect();
    let _stuck: Vec<_> = (0..STUCK).map(|_| server.open()).collect();
    let began = Instant::now();
    server.signal("-TERM");
    for socket in &mut reading {
        assert_eq!(closed(socket), (1001, "the server ends".into()));
    }
    let output = server.rest();
    let took = began.elapsed();
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines[0], format!("closing {} connections", READING + STUCK));
    assert!(lines[1].starts_with(&format!("{READING} were closed and {STUCK} dropped after 4.")), "{output}");
    assert!(took < Duration::from_secs(9), "{took:?}");
    assert!(server.child.wait().unwrap().success());
}

#[test]
fn whoever_reads_the_output_no_more_does_not_keep_the_closes_away() {
    let _watchdog = watchdog!();
    let mut server = Server::start("shutdown", &[]).unheard();
    let mut socket = server.open();
    server.signal("-TERM");
    assert_eq!(closed(&mut socket), (1001, "the server ends".into()));
    assert!(server.child.wait().unwrap().success());
}
