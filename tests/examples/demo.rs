//! The `demo` example as a process: what it answers over HTTP, the events of a conversation, and every case of its scripted peer.

use std::future::Future;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{json, Value};
use sockless::deflate::Offer;
use sockless::tokio::{client, ClientSocket};
use sockless::{ClientConfig, CloseCode, Payload};
use tokio::time::{sleep, timeout};

/// For whatever the demo does at once, also on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// The example, which `cargo test` builds beside the tests.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples/demo");
    assert!(
        path.with_extension(std::env::consts::EXE_EXTENSION).exists(),
        "build it: cargo build --example demo"
    );
    path
}

/// A demo that ends with this.
struct Demo {
    child: Child,
    address: SocketAddr,
    /// What it printed after the address.
    query: String,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(example());
        command.args(["--listen", "127.0.0.1:0"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (address, query) = line.trim_end().strip_prefix("Open http://").unwrap().split_once('/').unwrap();
        Self { child, address: address.parse().unwrap(), query: query.into() }
    }

    /// The answer to this request, to the end of the connection.
    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    }

    fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address))
    }

    /// A request for a WebSocket with these fields.
    fn upgrade(&self, path: &str, fields: &str) -> String {
        self.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n",
            self.address
        ))
    }

    async fn open(&self, path: &str, config: ClientConfig) -> ClientSocket {
        let stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let config = config.with_origin(format!("http://{}", self.address));
        client(stream, format!("ws://{}{path}", self.address).as_str(), &config).await.unwrap()
    }

    async fn chat(&self, path: &str) -> ClientSocket {
        self.open(path, ClientConfig::new().with_deflate(Offer::DEFAULT)).await
    }

    /// A page that looks.
    async fn page(&self) -> Page {
        let config = ClientConfig::new().with_subprotocol("sockless.inspect.1");
        let mut page = Page { socket: self.open("/inspect", config).await, events: Vec::new() };
        page.wait_for(|event| event["t"] == "hello").await;
        page
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Page {
    socket: ClientSocket,
    /// All that came.
    events: Vec<Value>,
}

impl Page {
    /// The first event of this kind, whether it came already or not.
    #[track_caller]
    fn wait_for<'p>(&'p mut self, is: impl Fn(&Value) -> bool + 'p) -> impl Future<Output = Value> + 'p {
        let caller = std::panic::Location::caller();
        async move {
            let mut looked_at = 0;
            loop {
                if let Some(event) = self.events[looked_at..].iter().find(|event| is(event)) {
                    return event.clone();
                }
                looked_at = self.events.len();
                // The longest is a peer that answers no Ping: 20 s until the Close, and 5 s for the end.
                let message = timeout(SOON * 3, self.socket.recv()).await;
                let message =
                    message.unwrap_or_else(|_| panic!("{caller}: it does not come: {:#?}", self.events));
                let text = message.unwrap().expect("it is open").as_text().unwrap().to_owned();
                let events: Vec<Value> = serde_json::from_str(&text).unwrap();
                self.events.extend(events);
            }
        }
    }

    /// The answer to this command.
    async fn command(&mut self, command: Value) -> Value {
        self.events.retain(|event| event["t"] != "answer");
        self.socket.send(command.to_string().as_str()).await.unwrap();
        self.wait_for(|event| event["t"] == "answer").await
    }

    fn of(&self, connection: &Value, kind: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["c"] == *connection && event["t"] == kind).collect()
    }

    fn tab(&self) -> String {
        self.events.iter().find(|event| event["t"] == "hello").unwrap()["tab"].as_str().unwrap().into()
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

/// Status, head and body.
fn parts(answer: &str) -> (u16, &str, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head, body)
}

fn status(answer: &str) -> u16 {
    parts(answer).0
}

#[test]
fn http_answers_and_their_fields() {
    let _watchdog = watchdog!();
    let demo = Demo::start(&[]);
    let host = demo.address;
    let policy = format!(
        "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'"
    );
    let asked =
        |method: &str, path: &str| demo.ask(&format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    let mut answers = vec![
        (200, demo.get("/")),
        (200, demo.get("/app.css")),
        (200, demo.get("/app.js")),
        (200, demo.get("/favicon.svg")),
        (200, asked("HEAD", "/")),
        (405, asked("POST", "/")),
        (405, asked("DELETE", "/app.js")),
        (404, demo.get("/../Cargo.toml")),
        (404, demo.get("/%2e%2e/Cargo.toml")),
        (404, demo.get("//")),
        (426, demo.get("/chat")),
        (404, demo.upgrade("/elsewhere", "")),
        (403, demo.upgrade("/inspect", "Sec-WebSocket-Protocol: sockless.inspect.1\r\n")),
        (400, demo.upgrade("/inspect", &format!("Origin: http://{host}\r\n"))),
    ];
    for foreign in ["evil.example", "127.0.0.1", &format!("evil.example:{}", host.port()), "127.0.0.1:1"] {
        answers.push((421, demo.ask(&format!("GET / HTTP/1.1\r\nHost: {foreign}\r\n\r\n"))));
        // A page of that name, as DNS rebinding has it.
        answers.push((
            421,
            demo.ask(&format!(
                "GET /chat HTTP/1.1\r\nHost: {foreign}\r\nOrigin: http://{foreign}\r\nUpgrade: websocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )),
        ));
    }
    for (expected, answer) in &answers {
        let (status, head, body) = parts(answer);
        assert_eq!(status, *expected, "{answer}");
        for field in [
            policy.as_str(),
            "X-Content-Type-Options: nosniff",
            "Referrer-Policy: no-referrer",
            "Cross-Origin-Opener-Policy: same-origin",
            "Cross-Origin-Resource-Policy: same-origin",
            "Cache-Control: no-store",
            "Connection: close",
        ] {
            assert!(head.lines().any(|line| line == field), "{field} in {head}");
        }
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
        assert!(body.len().to_string() == length || body.is_empty(), "{answer}");
    }
    assert!(parts(&answers[4].1).2.is_empty(), "HEAD");
    assert!(answers[5].1.contains("\r\nAllow: GET, HEAD\r\n"));
    for name in ["localhost", "[::1]"] {
        let answer = demo.ask(&format!("GET / HTTP/1.1\r\nHost: {name}:{}\r\n\r\n", host.port()));
        assert_eq!(status(&answer), 200);
        assert!(answer.contains(&format!("connect-src 'self' ws://{name}:{}", host.port())));
    }
    for path in ["/chat", "/inspect"] {
        let fields = "Origin: http://example.com\r\nSec-WebSocket-Protocol: sockless.inspect.1\r\n";
        assert_eq!(status(&demo.upgrade(path, fields)), 403);
    }
}

/// The files are read as they are: nothing makes them smaller.
#[test]
fn the_page_is_small() {
    let _watchdog = watchdog!();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/demo/page");
    for (name, most) in
        [("index.html", 7 << 10), ("app.css", 11 << 10), ("app.js", 40 << 10), ("favicon.svg", 1 << 10)]
    {
        let bytes = std::fs::read(folder.join(name)).unwrap().len();
        assert!(bytes <= most, "{name} has {bytes} bytes");
    }
}

#[test]
fn a_port_that_is_taken_and_an_address_that_lets_others_in() {
    let _watchdog = watchdog!();
    let demo = Demo::start(&[]);
    let try_to = |listen: &str| {
        let output = Command::new(example()).args(["--listen", listen]).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
        String::from_utf8(output.stderr).unwrap()
    };
    let taken = try_to(&demo.address.to_string());
    assert_eq!(taken, format!("{} is in use. Try --listen 127.0.0.1:0\n", demo.address));
    assert!(try_to("0.0.0.0:0").contains("--allow-remote"));
}

#[test]
fn where_others_may_come_every_path_asks_for_the_token() {
    let _watchdog = watchdog!();
    let demo = Demo::start(&["--allow-remote"]);
    let token = demo.query.strip_prefix("?t=").unwrap();
    assert_eq!(token.len(), 32);
    let page = demo.get(&format!("/?t={token}"));
    assert_eq!(status(&page), 200);
    assert!(page.contains(&format!("app.js?t={token}\"")) && page.contains(&format!("app.css?t={token}\"")));
    for path in ["/", "/app.js", "/app.css", "/favicon.svg"] {
        assert_eq!(status(&demo.get(path)), 403);
        assert_eq!(
            status(&demo.get(&format!("{path}?t=0{}", &token[1..]))),
            if token.starts_with('0') { 200 } else { 403 }
        );
        assert_eq!(status(&demo.get(&format!("{path}?t={token}"))), 200);
    }
    assert_eq!(status(&demo.upgrade("/chat", "")), 403);
    let fields = format!("Origin: http://{}\r\nSec-WebSocket-Protocol: sockless.inspect.1\r\n", demo.address);
    assert_eq!(status(&demo.upgrade("/inspect", &fields)), 403);
    run(async {
        demo.chat(&format!("/chat?t={token}")).await.close(CloseCode::NORMAL).await.unwrap();
    });
}

/// A frame, as far as this test looks at it.
fn brief(frame: &Value) -> Value {
    json!([frame["dir"], frame["name"], frame["fin"], frame["rsv"], frame["msg"], frame["part"]])
}

#[test]
fn the_events_of_a_conversation() {
    let _watchdog = watchdog!();
    let demo = Demo::start(&[]);
    run(async {
        let mut page = demo.page().await;
        let mut chat = demo.chat(&format!("/chat?tab={}", page.tab())).await;
        let c = page.wait_for(|event| event["t"] == "paired").await["c"].clone();
        assert!(chat.recv().await.unwrap().unwrap().as_text().unwrap().contains("Guest 1"));
        // The tab has its connection: another is no page's.
        let second = demo.chat(&format!("/chat?tab={}", page.tab())).await;
        page.wait_for(|event| event["t"] == "open" && event["kind"] == "client").await;
        drop(second);
        let open = page.wait_for(|event| event["t"] == "open" && event["kind"] == "page").await;
        assert_eq!((&open["c"], &open["role"]), (&c, &json!("server")));

        let accept = page.wait_for(|event| event["t"] == "accept" && event["c"] == c).await;
        let key = accept["key"].as_str().unwrap();
        let value = sockless::handshake::accept_value(key).unwrap();
        assert_eq!((&accept["value"], &accept["sent"]), (&json!(value.as_str()), &json!(value.as_str())));
        let agreed = page.wait_for(|event| event["t"] == "agreed" && event["c"] == c).await;
        assert_eq!(agreed["deflate"]["in"], json!({"bits": 15, "kept": true}));

        chat.send("{\"say\":\"Grüße 👋\"}").await.unwrap();
        let said = loop {
            let message = chat.recv().await.unwrap().unwrap();
            if message.as_text().unwrap().contains("from") {
                break message.as_text().unwrap().to_owned();
            }
        };
        assert_eq!(said, "{\"from\":\"Guest 1\",\"say\":\"Grüße 👋\"}");
        chat.send(Payload::binary(b"\x00\x01")).await.unwrap();
        while chat.recv().await.unwrap().unwrap().as_bytes() != b"\x00\x01" {}

        for (command, ok) in [
            (json!({"do": "ping"}), true),
            (json!({"do": "fragments", "ping": true}), true),
            (json!({"do": "compressed"}), true),
            (json!({"do": "close", "code": 1006}), false),
            (json!({"do": "close", "code": 1010}), false),
            (json!({"do": "hex", "bytes": "8g"}), false),
            (json!({"do": "hex", "bytes": "00".repeat(257)}), false),
            (json!({"do": "case", "id": "no such case"}), false),
            (json!({"do": "dance"}), false),
            (json!("no object"), false),
            (json!({"do": "ping", "more": "x".repeat(600)}), false),
        ] {
            let answer = page.command(command.clone()).await;
            assert_eq!(answer["ok"], ok, "{command}: {answer}");
            assert_eq!(answer["says"].is_null(), ok);
            // Pings are answered, and so is what the server says.
            let _ = timeout(Duration::from_millis(50), async { while chat.recv().await.is_ok() {} }).await;
        }
        page.wait_for(|event| event["t"] == "rtt" && event["c"] == c).await;
        let compressed =
            page.wait_for(|event| event["c"] == c && event["dir"] == "out" && event["rsv"] == 4).await;
        assert!(compressed["len"].as_u64() < compressed["inflated"]["len"].as_u64());

        let answer = page.command(json!({"do": "close", "code": 4000})).await;
        assert_eq!(answer["ok"], true);
        while chat.recv().await.unwrap().is_some() {}
        let closed = page.wait_for(|event| event["t"] == "closed" && event["c"] == c).await;
        assert_eq!(
            json!([closed["status"], closed["clean"], closed["by"], closed["error"], closed["reason"]]),
            json!([4000, true, "local", null, ""])
        );
        let state = page.events.iter().rfind(|event| event["t"] == "state" && event["c"] == c).unwrap();
        assert_eq!((&state["ready"], &state["timer"]), (&json!("closed"), &Value::Null));

        let heads: Vec<&Value> = page.of(&c, "head").iter().map(|head| &head["dir"]).collect();
        assert_eq!(heads, ["in", "out"]);
        let frames = page.of(&c, "frame");
        let find = |wanted: Value| frames.iter().position(|frame| brief(frame) == wanted);
        // The fragments, with the Ping after the first.
        let first = frames.iter().position(|frame| frame["dir"] == "out" && frame["fin"] == false).unwrap();
        let message = &frames[first]["msg"];
        let names: Vec<&Value> = frames[first..first + 4].iter().map(|frame| &frame["name"]).collect();
        assert_eq!(names, ["text", "ping", "continuation", "continuation"]);
        assert!(find(json!(["out", "continuation", true, 0, message, 2])).is_some());
        for (at, frame) in frames.iter().enumerate() {
            assert_eq!(frame["n"], at + 1);
            let masked = frame["dir"] == "in";
            assert_eq!(frame["key"].is_null(), !masked);
            let header = hex::decode(frame["h"].as_str().unwrap()).unwrap();
            assert_eq!(header[1] & 0x80 != 0, masked);
            assert_eq!(header[0] & 0x0F, frame["op"].as_u64().unwrap() as u8);
        }
        // Each direction without a hole.
        for (way, head) in [("in", 0), ("out", 1)] {
            let mut offset = page.of(&c, "head")[head]["bytes"].as_u64().unwrap();
            for frame in frames.iter().filter(|frame| frame["dir"] == way) {
                assert_eq!(frame["off"], offset, "{frame}");
                offset += frame["h"].as_str().unwrap().len() as u64 / 2 + frame["len"].as_u64().unwrap();
            }
        }
        // A page that comes later sees the same.
        let mut late = demo.page().await;
        late.wait_for(|event| event["t"] == "closed" && event["c"] == c).await;
        assert_eq!(late.of(&c, "frame"), frames);
        // The page may connect again.
        let _chat = demo.chat(&format!("/chat?tab={}", page.tab())).await;
        page.wait_for(|event| event["t"] == "paired" && event["c"] != c).await;
    });
}

#[test]
fn secrets_are_hidden_unless_asked_for() {
    let _watchdog = watchdog!();
    for (arguments, shown) in [(&[][..], false), (&["--show-secrets"][..], true)] {
        let demo = Demo::start(arguments);
        run(async {
            let mut page = demo.page().await;
            let config =
                ClientConfig::new().with_field("Cookie", "id=secret1").with_field("authorization", "secret2");
            let _chat = demo.open("/chat", config).await;
            let head = page.wait_for(|event| event["t"] == "head" && event["dir"] == "in").await;
            assert_eq!(head.to_string().contains("secret1"), shown, "{head}");
            assert_eq!(head.to_string().contains("secret2"), shown, "{head}");
            let hidden = if shown { json!([]) } else { json!(["Cookie", "authorization"]) };
            assert_eq!(head["hidden"], hidden);
            let cookie = json!(["Cookie", "10 bytes, hidden"]);
            assert_eq!(head["fields"].as_array().unwrap().contains(&cookie), !shown);
        });
    }
}

/// What the engine makes of each case: the error, the code of its Close, the rule, and the field that is drawn as broken.
const FAILURES: [(&str, &str, u16, &str, &str); 20] = [
    ("unmasked", "MissingMask", 1002, "6455-5.1-2", "mask"),
    ("rsv2", "ReservedBits", 1002, "6455-5.2-3", "rsv"),
    ("opcode3", "ReservedOpcode", 1002, "6455-5.2-4", "op"),
    ("ping-fragment", "FragmentedControl", 1002, "6455-5.4-4", "fin"),
    ("ping-126", "OversizedControl", 1002, "6455-5.5-1", "len"),
    ("continuation", "UnexpectedContinuation", 1002, "6455-5.4-7", "op"),
    ("interleaved", "ExpectedContinuation", 1002, "6455-5.4-6", "op"),
    ("long-length", "NonMinimalLength", 1002, "6455-5.2-7", "len"),
    ("top-bit", "LengthOverflow", 1002, "6455-5.2-6", "len"),
    ("bad-text", "InvalidUtf8", 1007, "6455-8.1-1", "payload"),
    ("close-1-byte", "InvalidClosePayload", 1002, "6455-5.5.1-2", "payload"),
    ("close-1006", "InvalidCloseCode", 1002, "6455-7.4.1-2", "payload"),
    ("close-text", "InvalidCloseReason", 1007, "6455-8.1-2", "payload"),
    ("not-deflate", "InvalidCompressedData", 1007, "7692-7.2.2-1", "payload"),
    ("giant", "FrameTooBig", 1009, "6455-10.4-1", "len"),
    ("bomb", "MessageTooBig", 1009, "6455-10.4-2", "payload"),
    ("stalls", "TimedOut(StalledFragment)", 1008, "6455-10.4-1", ""),
    ("no-pong", "TimedOut(Pong)", 1008, "6455-5.5.2-2", ""),
    ("no-close", "TimedOut(ClosingHandshake)", 0, "6455-7.1.1-3", ""),
    ("vanishes", "UnexpectedEof", 0, "6455-7.1.4-1", ""),
];
const REFUSALS: [(&str, u16, &str); 4] = [
    ("version-12", 426, "6455-4.2.2-20"),
    ("key", 400, "6455-4.2.1-7"),
    ("origin", 403, "6455-4.2.2-10"),
    ("post", 405, "6455-4.2.1-2"),
];

#[test]
fn every_case_of_the_scripted_peer() {
    let _watchdog = watchdog!();
    let demo = Demo::start(&[]);
    run(async {
        let cases = demo.page().await.events[0]["cases"].as_array().unwrap().clone();
        let rules = include_str!("../requirements.md");
        let mut known: Vec<&str> = FAILURES.iter().map(|case| case.0).collect();
        known.extend(REFUSALS.iter().map(|case| case.0));
        known.extend(["good", "no-upgrade"]);
        for case in &cases {
            let (id, rule) = (case["id"].as_str().unwrap(), case["rule"].as_str().unwrap());
            assert!(known.contains(&id), "what should become of {id}?");
            assert!(rules.contains(&format!("\n| {rule} |")), "{id}: there is no rule {rule}");
            assert!(!case["label"].as_str().unwrap().is_empty());
        }
        assert_eq!(cases.len(), known.len());
        // Each of them from a page of its own, all at once: some take 20 s.
        let failures = FAILURES.iter().map(|&(id, error, code, rule, field)| {
            let demo = &demo;
            async move {
                let (mut page, c) = played(demo, id).await;
                let fail = page.wait_for(|event| event["t"] == "fail" && event["c"] == c).await;
                let closed = page.wait_for(|event| event["t"] == "closed" && event["c"] == c).await;
                let sent = (code > 0).then_some(code);
                let expected = (!field.is_empty()).then_some(field);
                assert_eq!(
                    json!([fail["error"], fail["code"], fail["rule"]["id"], fail["field"]]),
                    json!([error, sent, rule, expected]),
                    "{id}: {fail}"
                );
                assert!(fail["rule"]["text"].as_str().unwrap().ends_with('.'), "{id}");
                assert!(fail["rule"]["where"].as_str().unwrap().starts_with("RFC "), "{id}");
                assert_eq!(closed["error"], error, "{id}: {closed}");
                assert_eq!(closed["clean"], false);
                let timers: Vec<&Value> =
                    page.of(&c, "state").iter().map(|state| &state["timer"]["kind"]).collect();
                let timer = match id {
                    "stalls" => "stalled",
                    "no-pong" => "pong",
                    "no-close" => "closing",
                    _ => "",
                };
                assert!(timer.is_empty() || timers.contains(&&json!(timer)), "{id}: {timers:?}");
                assert!(id != "no-pong" || timers.contains(&&json!("ping")), "{id}: {timers:?}");
                // The field stands in the frame that is to blame, and the Close that answered says the code.
                let frames = page.of(&c, "frame");
                if expected.is_some() || id == "stalls" || id == "vanishes" {
                    let blamed = frames.iter().find(|frame| frame["n"] == fail["n"]);
                    let blamed = blamed.unwrap_or_else(|| panic!("{id}: {fail} {frames:#?}"));
                    let last_in = frames.iter().rfind(|frame| {
                        frame["dir"] == "in" && frame["name"] != "close" || frame["n"] == fail["n"]
                    });
                    assert_eq!(blamed["dir"], "in", "{id}");
                    assert_eq!(last_in, Some(blamed), "{id}: nothing is read after a failure");
                } else {
                    assert_eq!(fail["n"], Value::Null, "{id}");
                }
                let close = frames.iter().find(|frame| frame["dir"] == "out" && frame["name"] == "close");
                let said = close.map(|close| base64(&close["data"]));
                match (code, id) {
                    (0, "no-close") => assert_eq!(said.unwrap()[..2], 1000_u16.to_be_bytes()),
                    (0, _) => assert_eq!(said, None, "{id}"),
                    (code, _) => assert_eq!(said.unwrap()[..2], code.to_be_bytes(), "{id}"),
                }
            }
        });
        let refusals = REFUSALS.iter().map(|&(id, status, rule)| {
            let demo = &demo;
            async move {
                let (mut page, c) = played(demo, id).await;
                let fail = page.wait_for(|event| event["t"] == "fail" && event["c"] == c).await;
                page.wait_for(|event| event["t"] == "closed" && event["c"] == c).await;
                assert_eq!(
                    json!([fail["code"], fail["n"], fail["rule"]["id"]]),
                    json!([null, null, rule]),
                    "{id}"
                );
                let start = format!("HTTP/1.1 {status} ");
                assert!(page.of(&c, "head")[1]["line"].as_str().unwrap().starts_with(&start), "{id}");
                let answer = page.events.iter().find(|event| event["t"] == "answer").unwrap();
                assert!(answer["says"].as_str().unwrap().starts_with(&start), "{id}");
            }
        });
        let others = async {
            let (mut page, c) = played(&demo, "good").await;
            let closed = page.wait_for(|event| event["t"] == "closed" && event["c"] == c).await;
            assert_eq!(json!([closed["status"], closed["clean"], closed["by"]]), json!([1000, true, "peer"]));
            assert!(page.of(&c, "fail").is_empty());
            let (mut page, c) = played(&demo, "no-upgrade").await;
            page.wait_for(|event| event["t"] == "closed" && event["c"] == c).await;
            assert_eq!(page.of(&c, "head")[1]["line"], "HTTP/1.1 200 OK");
        };
        let failures = futures_util::future::join_all(failures);
        let refusals = futures_util::future::join_all(refusals);
        futures_util::future::join3(failures, refusals, others).await;
    });
}

/// A page that has begun this case, and the case's connection.
async fn played(demo: &Demo, id: &str) -> (Page, Value) {
    let mut page = demo.page().await;
    let answer = page.command(json!({"do": "case", "id": id})).await;
    assert_eq!((&answer["ok"], &answer["id"]), (&json!(true), &json!(id)), "{answer}");
    let c = answer["c"].clone();
    assert!(c.is_u64());
    let again = page.command(json!({"do": "case", "id": "rsv2"})).await;
    if matches!(id, "stalls" | "no-pong" | "no-close") {
        assert_eq!((&again["ok"], &again["says"]), (&json!(false), &json!("One at a time.")));
    }
    page.events.retain(|event| event["t"] != "answer");
    page.events.push(answer);
    (page, c)
}

fn base64(text: &Value) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text.as_str().unwrap()).unwrap()
}

#[test]
fn a_page_that_does_not_read_is_told_how_much_it_missed_and_the_chat_does_not_wait() {
    let _watchdog = watchdog!();
    const MESSAGES: u64 = 20_000;
    let demo = Demo::start(&[]);
    run(async {
        let mut slow = demo.page().await;
        let mut paused = demo.page().await;
        assert_eq!(paused.command(json!({"do": "pause", "on": true})).await["ok"], true);
        let mut chat = demo.chat("/chat").await;
        let (mut said, mut heard) = (0, 0);
        while heard < MESSAGES {
            while said < MESSAGES && said < heard + 100 {
                chat.feed(Payload::binary(&said.to_be_bytes()).with_compression(false)).await.unwrap();
                said += 1;
            }
            let message =
                timeout(SOON, chat.recv()).await.expect("nobody waits for a page").unwrap().unwrap();
            if message.as_text().is_none() {
                assert_eq!(message.as_bytes(), heard.to_be_bytes());
                heard += 1;
            }
        }
        chat.close(CloseCode::NORMAL).await.unwrap();
        slow.wait_for(|event| event["t"] == "closed").await;
        let c = json!(1);
        // Greeting, news of who is here, and the Closes.
        let all = MESSAGES * 2 + 4;
        let sum = |page: &Page, why: &str| -> u64 {
            let gaps = page.of(&c, "gap");
            gaps.iter().filter(|gap| gap["why"] == why).map(|gap| gap["frames"].as_u64().unwrap()).sum()
        };
        let shown = slow.of(&c, "frame").len() as u64;
        assert_eq!(shown + sum(&slow, "slow page"), all);
        assert!(shown < MESSAGES, "this page was too fast to miss anything");
        assert_eq!(paused.command(json!({"do": "pause", "on": false})).await["ok"], true);
        paused.wait_for(|event| event["t"] == "closed").await;
        sleep(Duration::from_millis(200)).await;
        let answer = paused.command(json!({"do": "dance"})).await;
        assert_eq!(answer["ok"], false);
        assert_eq!(
            paused.of(&c, "frame").len() as u64 + sum(&paused, "paused") + sum(&paused, "slow page"),
            all
        );
        // For a late page the beginning is old.
        let mut late = demo.page().await;
        late.wait_for(|event| event["t"] == "closed").await;
        assert_eq!(late.of(&c, "frame").len(), 500);
        assert_eq!(sum(&late, "old"), all - 500);
    });
}

/// The news go out every 50 ms; a user who goes on sooner gets the paused time counted all the same.
#[test]
fn a_frame_of_a_paused_time_is_counted_however_soon_the_page_goes_on() {
    let _watchdog = watchdog!();
    let demo = Demo::start(&[]);
    run(async {
        let mut page = demo.page().await;
        let mut chat = demo.chat("/chat").await;
        page.wait_for(|event| event["t"] == "open").await;
        // The first message passes while nothing is paused, and the greeting before it.
        for time in 0..=20_u64 {
            assert_eq!(page.command(json!({"do": "pause", "on": time > 0})).await["ok"], true);
            chat.send(Payload::binary(&time.to_be_bytes()).with_compression(false)).await.unwrap();
            while timeout(SOON, chat.recv()).await.unwrap().unwrap().unwrap().as_text().is_some() {}
            assert_eq!(page.command(json!({"do": "pause", "on": false})).await["ok"], true);
            let gaps = page.of(&json!(1), "gap");
            let frames: u64 = gaps.iter().map(|gap| gap["frames"].as_u64().unwrap()).sum();
            assert_eq!(frames, time * 2, "the message and its echo, each time");
        }
    });
}

#[test]
fn whatever_comes_the_demo_goes_on() {
    let _watchdog = watchdog!();
    let demo = Demo::start(&[]);
    run(async {
        let mut page = demo.page().await;
        // Pieces of everything, in an order that no client would choose.
        let mut seed = 7_u64;
        for len in 0..60 {
            let mut bytes = Vec::new();
            for _ in 0..len {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                bytes.push((seed >> 56) as u8);
            }
            let answer = page.command(json!({"do": "hex", "bytes": hex::encode(&bytes)})).await;
            if answer["ok"] == true {
                let c = answer["c"].clone();
                if len >= 40 {
                    page.wait_for(|event| event["t"] == "frame" && event["c"] == c).await;
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
        for garbage in
            ["\r\n\r\n", "GET", "\0\0\0\0", "GET /chat\r\n\r\n", "GET / HTTP/1.1\r\nHost: \u{ff}\r\n\r\n"]
        {
            let mut stream = TcpStream::connect(demo.address).unwrap();
            stream.write_all(garbage.as_bytes()).unwrap();
        }
    });
    assert_eq!(status(&demo.get("/")), 200);
}

/// Behind a demo that passes on: one connection, with the answer that opens it and `says` after that. Returns where it
/// listens, and what it received.
fn upstream(answer: impl Fn(&str) -> String + Send + 'static, says: Vec<u8>) -> (u16, JoinHandle<Vec<u8>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let mut received = Vec::new();
        while !received.windows(4).any(|four| four == b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            received.extend_from_slice(&byte);
        }
        let head = String::from_utf8(received.clone()).unwrap();
        let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
        stream.write_all(answer(key).as_bytes()).unwrap();
        stream.write_all(&says).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        stream.read_to_end(&mut received).unwrap();
        received
    });
    (port, server)
}

fn switching(key: &str) -> String {
    let accept = sockless::handshake::accept_value(key).unwrap();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\
         X-Own:  kept  \r\n\r\n",
        accept.as_str()
    )
}

/// A request that has something unusual, which must not change on its way.
fn unusual(demo: &Demo, origin: &str) -> String {
    format!(
        "GET /elsewhere?a=b HTTP/1.1\r\nHost: {}\r\nupgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: {origin}\r\nX-Odd:\t two \r\n\
         Sec-WebSocket-Extensions: x-unknown; a=\"b,c\"\r\n\r\n",
        demo.address
    )
}

#[test]
fn every_byte_passes_on_and_broken_rules_are_only_told() {
    let _watchdog = watchdog!();
    for (arguments, origin) in [(&[][..], "http://localhost:3000"), (&["--origin", "upstream"][..], "")] {
        // A masked frame of a server, and after it no frames at all.
        let says = [&b"\x81\x02hi\x81\x82\x00\x00\x00\x00ho"[..], &[0xA5; 300_000]].concat();
        let (port, server) = upstream(switching, says.clone());
        let target = format!("ws://localhost:{port}/real?x=1");
        let demo = Demo::start(&[&["--inspect", &target], arguments].concat());
        let request = unusual(&demo, "http://localhost:3000");
        let sends = [&b"\x82\x83\x01\x02\x03\x04abc\x81\x02no"[..], &[0x5A; 300_000]].concat();
        let received = std::thread::scope(|scope| {
            let mut stream = TcpStream::connect(demo.address).unwrap();
            stream.set_read_timeout(Some(SOON)).unwrap();
            let mut writing = stream.try_clone().unwrap();
            // In pieces that end anywhere. The first frame comes with the head, the rest after the answer.
            let bytes = [request.as_bytes(), &sends].concat();
            let (first, rest) = bytes.split_at(request.len() + 12);
            let rest = rest.to_vec();
            writing.write_all(first).unwrap();
            let mut received = vec![0; 12];
            stream.read_exact(&mut received).unwrap();
            scope.spawn(move || {
                for piece in rest.chunks(997) {
                    writing.write_all(piece).unwrap();
                }
                writing.shutdown(Shutdown::Write).unwrap();
            });
            stream.read_to_end(&mut received).unwrap();
            received
        });
        let wanted = [switching("dGhlIHNhbXBsZSBub25jZQ==").as_bytes(), &says].concat();
        assert!(received == wanted, "the answer and what follows");
        let own = format!("http://localhost:{port}");
        let request = request
            .replace("/elsewhere?a=b", "/real?x=1")
            .replace(&demo.address.to_string(), &format!("localhost:{port}"))
            .replace("http://localhost:3000", if origin.is_empty() { &own } else { origin });
        let wanted = [request.as_bytes(), &sends].concat();
        let came = server.join().unwrap();
        assert!(came == wanted, "the request and what follows: {}", String::from_utf8_lossy(&came[..600]));
        run(async {
            let mut page = demo.page().await;
            let hello = &page.events[0];
            assert_eq!((&hello["mode"], &hello["target"]), (&json!("inspect"), &json!(target)));
            assert_eq!(hello["cases"], json!([]));
            let closed = page.wait_for(|event| event["t"] == "closed").await;
            let c = closed["c"].clone();
            assert_eq!(page.of(&c, "open")[0]["kind"], "upstream");
            let seen: Vec<Value> = page
                .of(&c, "frame")
                .into_iter()
                .map(|frame| json!([frame["dir"], frame["op"], frame["len"]]))
                .collect();
            for frame in [json!(["in", 2, 3]), json!(["in", 1, 2]), json!(["out", 1, 2])] {
                assert!(seen.contains(&frame), "{frame} in {seen:?}");
            }
            assert_eq!(seen.len(), 4, "nothing after a broken frame");
            let mut fails: Vec<Value> = page
                .of(&c, "fail")
                .into_iter()
                .map(|fail| json!([fail["dir"], fail["error"], fail["code"]]))
                .collect();
            fails.sort_by_key(Value::to_string);
            assert_eq!(fails, [json!(["in", "MissingMask", null]), json!(["out", "UnexpectedMask", null])]);
            assert_eq!(json!([closed["status"], closed["clean"]]), json!([1006, false]));
            assert_eq!(page.command(json!({"do": "hex", "bytes": "8180"})).await["ok"], false);
        });
    }
}

#[test]
fn a_conversation_through_another_demo() {
    let _watchdog = watchdog!();
    let server = Demo::start(&[]);
    let demo = Demo::start(&["--inspect", &format!("ws://{}/chat", server.address), "--origin", "upstream"]);
    assert_eq!(status(&demo.get("/")), 200);
    assert_eq!(status(&demo.ask(&unusual(&demo, "http://example.com"))), 403);
    assert_eq!(status(&demo.ask("GET / HTTP/1.1\r\nHost: evil.example\r\nUpgrade: websocket\r\n\r\n")), 421);
    run(async {
        let mut page = demo.page().await;
        let mut chat = demo.chat("/any/path").await;
        chat.send("{\"say\":\"Hello\"}").await.unwrap();
        let bytes = vec![7; 60_000];
        chat.send(Payload::binary(&bytes)).await.unwrap();
        let mut came = Vec::new();
        while came != bytes {
            came = chat.recv().await.unwrap().unwrap().as_bytes().to_vec();
        }
        let closed = chat.close((CloseCode::NORMAL, "bye")).await.unwrap().unwrap();
        assert_eq!((closed.status, closed.clean), (1000, true));
        let closed = page.wait_for(|event| event["t"] == "closed").await;
        assert_eq!(
            json!([closed["status"], closed["clean"], closed["by"], closed["reason"]]),
            json!([1000, true, "peer", "bye"])
        );
        let c = closed["c"].clone();
        assert!(page.of(&c, "fail").is_empty());
        let agreed = page.of(&c, "agreed")[0];
        assert_eq!(agreed["deflate"]["out"], json!({"bits": 15, "kept": true}));
        let both: Vec<&Value> =
            page.of(&c, "frame").into_iter().filter(|frame| frame["inflated"]["len"] == 60_000).collect();
        assert_eq!(both.len(), 2, "there and back");
        let state = page.events.iter().rfind(|event| event["t"] == "state").unwrap();
        assert_eq!(state["ready"], "closed");
    });
}

#[test]
fn a_server_that_is_not_there_or_answers_otherwise() {
    let _watchdog = watchdog!();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let demo = Demo::start(&["--inspect", &format!("ws://{gone}/")]);
    let answer = demo.ask(&unusual(&demo, "http://localhost"));
    assert_eq!(status(&answer), 502);
    assert!(answer.contains(&format!("could not reach ws://{gone}/: ")), "{answer}");
    run(async {
        let mut page = demo.page().await;
        let fail = page.wait_for(|event| event["t"] == "fail").await;
        assert!(fail["says"].as_str().unwrap().starts_with("could not reach"), "{fail}");
        page.wait_for(|event| event["t"] == "closed").await;
    });
    let refusal = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\nWWW-Authenticate: Basic\r\n\r\nkey?";
    let (port, server) = upstream(|_| refusal.into(), Vec::new());
    let demo = Demo::start(&["--inspect", &format!("ws://127.0.0.1:{port}")]);
    let mut stream = TcpStream::connect(demo.address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(unusual(&demo, "http://localhost").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, refusal);
    drop(stream);
    server.join().unwrap();
    run(async {
        let mut page = demo.page().await;
        page.wait_for(|event| event["t"] == "closed").await;
        let heads = page.events.iter().filter(|event| event["t"] == "head");
        assert_eq!(heads.map(|head| &head["line"]).nth(1).unwrap(), "HTTP/1.1 401 Unauthorized");
    });
    for url in ["wss://example.com/", "http://example.com/", "ws://"] {
        let output =
            Command::new(example()).args(["--listen", "127.0.0.1:0", "--inspect", url]).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{url}");
    }
}

#[test]
fn a_server_that_answers_again_and_again_is_told_a_few_times() {
    let _watchdog = watchdog!();
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
    let (port, server) = upstream(move |key| interim.repeat(10_000) + &switching(key), Vec::new());
    let demo = Demo::start(&["--inspect", &format!("ws://127.0.0.1:{port}")]);
    let mut stream = TcpStream::connect(demo.address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(unusual(&demo, "http://localhost").as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, interim.repeat(10_000) + &switching("dGhlIHNhbXBsZSBub25jZQ=="));
    server.join().unwrap();
    run(async {
        let mut page = demo.page().await;
        let closed = page.wait_for(|event| event["t"] == "closed").await;
        let heads = page.of(&closed["c"], "head").len();
        assert!(heads < 20, "{heads} heads are kept");
    });
}

#[test]
fn limits_of_the_chat() {
    let _watchdog = watchdog!();
    let demo = Demo::start(&[]);
    /// The next message with this member.
    async fn next(chat: &mut ClientSocket, member: &str) -> String {
        loop {
            let message = timeout(SOON, chat.recv()).await.unwrap().unwrap().expect("it is open");
            let value: Value = serde_json::from_str(message.as_text().unwrap()).unwrap();
            if let Some(text) = value[member].as_str() {
                return text.into();
            }
        }
    }
    run(async {
        let mut one = demo.chat("/chat").await;
        assert_eq!(next(&mut one, "you").await, "Guest 1");
        let mut other = demo.chat("/chat").await;
        assert_eq!(next(&mut other, "you").await, "Guest 2");
        let name = "é".repeat(40);
        one.send(json!({"name": name}).to_string().as_str()).await.unwrap();
        assert_eq!(next(&mut one, "you").await, "é".repeat(24));
        one.send(json!({"say": "x".repeat(2001)}).to_string().as_str()).await.unwrap();
        assert!(next(&mut one, "note").await.contains("2000 bytes"));
        one.send(json!({"say": "x".repeat(2000)}).to_string().as_str()).await.unwrap();
        assert_eq!(next(&mut other, "say").await, "x".repeat(2000));
        for _ in 0..100 {
            let _ = one.send("{\"say\":\"again\"}").await;
        }
        while let Ok(Some(_)) = one.recv().await {}
        assert_eq!(one.closed().unwrap().status, 1008);
        other.send("{\"say\":\"still here\"}").await.unwrap();
        while next(&mut other, "say").await != "still here" {}
    });
}

#[test]
fn no_more_connections_than_there_are_places() {
    let _watchdog = watchdog!();
    let demo = Demo::start(&[]);
    run(async {
        let mut chats = Vec::new();
        for _ in 0..64 {
            chats.push(demo.chat("/chat").await);
        }
        let answer = demo.upgrade("/chat", "");
        assert_eq!((status(&answer), parts(&answer).2), (503, "There are 64 connections already.\n"));
        let mut pages = Vec::new();
        for _ in 0..32 {
            pages.push(demo.page().await);
        }
        let fields =
            format!("Origin: http://{}\r\nSec-WebSocket-Protocol: sockless.inspect.1\r\n", demo.address);
        let answer = demo.upgrade("/inspect", &fields);
        assert_eq!((status(&answer), parts(&answer).2), (503, "There are 32 pages already.\n"));
        // A place that was left is free.
        drop(chats.pop());
        let mut tries = 0;
        while status_of_upgrade(&demo) == 503 {
            tries += 1;
            assert!(tries < 200);
            sleep(Duration::from_millis(50)).await;
        }
    });
}

/// Of a request for the chat, without waiting for the end of the connection.
fn status_of_upgrade(demo: &Demo) -> u16 {
    let mut stream = TcpStream::connect(demo.address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let request = unusual(demo, &format!("http://{}", demo.address)).replace("/elsewhere?a=b", "/chat");
    stream.write_all(request.as_bytes()).unwrap();
    let mut line = [0; 12];
    stream.read_exact(&mut line).unwrap();
    std::str::from_utf8(&line[9..]).unwrap().parse().unwrap()
}

/// Resident memory of the process.
#[cfg(target_os = "linux")]
fn memory(demo: &Demo) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", demo.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

#[cfg(target_os = "linux")]
#[test]
fn a_side_that_does_not_read_slows_the_other() {
    let _watchdog = watchdog!();
    const MUCH: usize = 256 << 20;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let demo = Demo::start(&["--inspect", &format!("ws://{}", listener.local_addr().unwrap())]);
    let before = memory(&demo);
    let mut client = TcpStream::connect(demo.address).unwrap();
    client.write_all(unusual(&demo, "http://localhost").as_bytes()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    server.read_exact(&mut [0; 64]).unwrap();
    server.write_all(switching("dGhlIHNhbXBsZSBub25jZQ==").as_bytes()).unwrap();
    // One frame without end.
    server.write_all(b"\x82\x7f\x00\x00\x00\x01\x00\x00\x00\x00").unwrap();
    server.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut written = 0;
    while written < MUCH {
        match server.write(&[7; 64 << 10]) {
            Ok(count) => written += count,
            Err(_) => break,
        }
    }
    assert!(written < MUCH, "the server was never held up");
    let grown = memory(&demo).saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes more");
    // It vanishes in the middle of the frame, and so the client is told.
    drop(server);
    client.set_read_timeout(Some(SOON)).unwrap();
    let mut all = 0;
    let mut buf = vec![0; 1 << 20];
    while let Ok(count @ 1..) = client.read(&mut buf) {
        all += count;
    }
    assert!(all > 1 << 16);
    run(async {
        let mut page = demo.page().await;
        let closed = page.wait_for(|event| event["t"] == "closed").await;
        assert_eq!(json!([closed["status"], closed["clean"]]), json!([1006, false]));
        let frame = page.of(&closed["c"], "frame")[0];
        assert!(frame["note"].as_str().unwrap().starts_with("Only "), "{frame}");
    });
}

/// Frames of every kind, masked with zeros: compressed text, fragments with a Ping between, a long one, a Close.
fn everything() -> Vec<u8> {
    let frames = [
        "8185 37fa213d 7f9f4d5158",
        "c187 00000000 f248cdc9c90700",
        "0183 00000000 48656c",
        "8982 00000000 6869",
        "8082 00000000 6c6f",
        "8a80 00000000",
        "4184 00000000 f248cdc9",
        "8083 00000000 c90700",
    ];
    let mut bytes: Vec<u8> =
        frames.iter().flat_map(|frame| hex::decode(frame.replace(' ', "")).unwrap()).collect();
    bytes.extend_from_slice(b"\x82\xfe\x13\x88\x01\x02\x03\x04");
    bytes.extend((0..5000).map(|byte| byte as u8));
    bytes.extend_from_slice(b"\x88\x85\x00\x00\x00\x00\x03\xe8bye");
    bytes
}

#[test]
fn where_the_bytes_are_cut_changes_no_frame() {
    let _watchdog = watchdog!();
    let demo = Demo::start(&[]);
    let request = unusual(&demo, &format!("http://{}", demo.address))
        .replace("/elsewhere?a=b", "/chat")
        .replace("x-unknown; a=\"b,c\"", "permessage-deflate");
    let mut seen: Vec<Vec<Value>> = Vec::new();
    for piece in [usize::MAX, 1, 2, 3, 7, 61] {
        let mut stream = TcpStream::connect(demo.address).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.set_nodelay(true).unwrap();
        let bytes = [request.as_bytes(), &everything()].concat();
        for piece in bytes.chunks(piece) {
            stream.write_all(piece).unwrap();
        }
        stream.read_to_end(&mut Vec::new()).unwrap();
        // The server waits for that, some seconds long.
        drop(stream);
        run(async {
            let mut page = demo.page().await;
            let c = json!(seen.len() + 1);
            page.wait_for(|event| event["t"] == "closed" && event["c"] == c).await;
            let frames = page.of(&c, "frame").into_iter().filter(|frame| frame["dir"] == "in");
            let frames = frames.map(|frame| {
                let mut frame = frame.clone();
                // When it came, its connection, and its place among the frames that were sent.
                for member in ["at", "c", "n"] {
                    frame.as_object_mut().unwrap().remove(member);
                }
                frame
            });
            seen.push(frames.collect());
        });
    }
    assert_eq!(seen[0].len(), 10);
    for (at, frames) in seen[0].iter().enumerate() {
        assert_eq!(frames["note"], Value::Null, "{at}");
    }
    assert_eq!(seen[0][1]["inflated"]["len"], 5);
    let halves =
        seen[0][6]["inflated"]["len"].as_u64().unwrap() + seen[0][7]["inflated"]["len"].as_u64().unwrap();
    assert_eq!(halves, 5);
    assert_eq!(base64(&seen[0][8]["data"]).len(), 4096);
    assert_eq!(seen[0][8]["cut"], true);
    for cut in &seen[1..] {
        assert_eq!(*cut, seen[0]);
    }
}
