//! The `inspect` example, as test kits use it: hex in, JSON lines out, an exit status.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{json, Value};
use sockless::Tolerance;

/// The example, which `cargo test` builds beside the tests.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples/inspect");
    assert!(
        path.with_extension(std::env::consts::EXE_EXTENSION).exists(),
        "build it: cargo build --example inspect"
    );
    path
}

fn inspect(arguments: &[&str], input: &str) -> (Vec<Value>, i32) {
    let mut child = Command::new(example())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Where the arguments are refused the input is never read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    (lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), output.status.code().unwrap())
}

fn frames(role: &str, input: &str) -> (Vec<Value>, i32) {
    inspect(&["--role", role, "--stage", "frames"], input)
}

#[test]
fn messages_control_frames_and_the_closing_handshake() {
    let _watchdog = watchdog!();
    let input = "# RFC 6455 section 5.7, masked\n81 85 37 fa 21 3d 7f 9f 4d 51 58\n\n\
                 0183000000004865 6c\n8980 00000000\n808200000000 6c6f\n8a8100000000 70\n\
                 8885 00000000 03e8627965\neof\n";
    let want = [
        json!({"event": "message", "kind": "text", "hex": "48656c6c6f"}),
        json!({"event": "ping", "hex": ""}),
        json!({"send": "8a00"}),
        json!({"event": "message", "kind": "text", "hex": "48656c6c6f"}),
        json!({"event": "pong", "hex": "70"}),
        json!({"event": "close", "code": 1000, "reason": "bye"}),
        json!({"send": "880203e8"}),
        json!({"transport": "close"}),
    ];
    assert_eq!(frames("server", input), (want.to_vec(), 0));
}

#[test]
fn chunks_may_end_anywhere() {
    let _watchdog = watchdog!();
    let input = "81\n85\n37fa\n213d7f\n9f4d51\n58\n";
    let want =
        [json!({"event": "message", "kind": "text", "hex": "48656c6c6f"}), json!({"transport": "open"})];
    assert_eq!(frames("server", input), (want.to_vec(), 0));
}

#[test]
fn a_client_masks_with_zeros_and_waits_for_the_server_to_end() {
    let _watchdog = watchdog!();
    let want = [
        json!({"event": "ping", "hex": "61"}),
        json!({"send": "8a810000000061"}),
        json!({"event": "close", "code": null, "reason": ""}),
        json!({"send": "888000000000"}),
        json!({"transport": "await_eof"}),
    ];
    assert_eq!(frames("client", "8901618800"), (want.to_vec(), 0));
}

#[test]
fn a_failure_is_told_once_and_followed_by_sends_alone() {
    let _watchdog = watchdog!();
    let want = [
        json!({"event": "error", "name": "MissingMask", "close_code": 1002, "http_status": null}),
        json!({"send": "880203ea"}),
        json!({"transport": "shutdown_write"}),
    ];
    assert_eq!(frames("server", "810161\n8180000000008180 00000000\n"), (want.to_vec(), 1));
    let (lines, status) =
        inspect(&["--role", "client", "--stage", "frames", "--max-message", "2"], "8203010203");
    assert_eq!((&lines[0]["close_code"], status), (&json!(1009), 1));
    // The received code is printed, the peer's reason is not.
    let (lines, status) = frames("client", "880603ee6f6f7073");
    let want = json!({
        "event": "error", "name": "InvalidCloseCode(1006)", "close_code": 1002, "http_status": null,
    });
    assert_eq!((&lines[0], status), (&want, 1));
    // A peer that vanishes: there is nobody to tell.
    let (lines, status) = frames("client", "0101\neof\n");
    assert_eq!(
        (&lines[0]["name"], &lines[0]["close_code"], status),
        (&json!("UnexpectedEof"), &json!(null), 1)
    );
    assert_eq!(lines[1..], [json!({"transport": "close"})]);
}

#[test]
fn both_sides_of_the_opening_handshake() {
    let _watchdog = watchdog!();
    let request =
        "GET /chat?x HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n\
                   Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let input = format!("{}\n8180 00000000\n", hex::encode(request));
    let (lines, status) =
        inspect(&["--role", "server", "--subprotocol", "superchat", "--subprotocol", "chat"], &input);
    assert_eq!(status, 0);
    assert_eq!(
        lines[0],
        json!({
            "event": "request", "target": "/chat?x", "host": "server.example.com", "origin": "http://example.com",
            "subprotocols": ["chat", "superchat"], "extensions": null,
        })
    );
    let answer = hex::decode(lines[1]["send"].as_str().unwrap()).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    assert!(answer.contains("\r\nSec-WebSocket-Protocol: chat\r\n"));
    assert_eq!(
        lines[2..],
        [json!({"event": "message", "kind": "text", "hex": ""}), json!({"transport": "open"})]
    );

    let url = ["--role", "client", "--url", "ws://server.example.com/chat", "--subprotocol", "chat"];
    let (lines, status) = inspect(&url, &format!("{}\n8101\n61\n", hex::encode(&answer)));
    assert_eq!(status, 0);
    assert!(hex::decode(lines[0]["send"].as_str().unwrap()).unwrap().starts_with(b"GET /chat HTTP/1.1\r\n"));
    assert_eq!(
        lines[1],
        json!({"event": "response", "status": 101, "subprotocol": "chat", "extensions": null})
    );
    assert_eq!(lines[2]["hex"], "61");
}

#[test]
fn a_handshake_that_fails_names_its_status() {
    let _watchdog = watchdog!();
    let request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let (lines, status) = inspect(&["--role", "server"], &hex::encode(request));
    assert_eq!(status, 1);
    assert_eq!(
        lines[0],
        json!({"event": "error", "name": "InvalidKey", "close_code": null, "http_status": 400})
    );
    assert!(hex::decode(lines[1]["send"].as_str().unwrap()).unwrap().starts_with(b"HTTP/1.1 400 "));
    assert_eq!(lines[2], json!({"transport": "shutdown_write"}));
    let (lines, status) = inspect(&["--role", "server"], &hex::encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!((&lines[0]["http_status"], status), (&json!(426), 1));
    let rejection = hex::encode("HTTP/1.1 404 Not Found\r\n\r\n");
    let (lines, status) = inspect(&["--role", "client", "--url", "ws://a/"], &rejection);
    assert_eq!((&lines[1]["status"], &lines[2]["name"], status), (&json!(404), &json!("Rejected"), 1));
}

const DEFLATE: [&str; 6] = [
    "--role",
    "client",
    "--stage",
    "frames",
    "--extensions",
    "permessage-deflate; server_max_window_bits=10",
];

/// RFC 7692 section 7.2.3.
#[test]
fn compressed_messages_are_inflated() {
    let _watchdog = watchdog!();
    let hello = json!({"event": "message", "kind": "text", "hex": "48656c6c6f"});
    let open = json!({"transport": "open"});
    let input = "4103f248cd\n8900\n8004c9c90700\nc105f200110000\nc10100\n810161\n";
    let want = [
        json!({"event": "ping", "hex": ""}),
        json!({"send": "8a8000000000"}),
        hello.clone(),
        hello.clone(),
        json!({"event": "message", "kind": "text", "hex": ""}),
        json!({"event": "message", "kind": "text", "hex": "61"}),
        open.clone(),
    ];
    assert_eq!(inspect(&DEFLATE, input), (want.to_vec(), 0));
    let masked = ["--role", "server", "--stage", "frames", "--extensions", "permessage-deflate"];
    assert_eq!(inspect(&masked, "c187 00000000 f248cdc9c90700"), (vec![hello, open], 0));
    // A reference to octets that do not exist.
    let (lines, status) = inspect(&DEFLATE, "c105f200110000");
    assert_eq!((&lines[0]["name"], &lines[0]["close_code"]), (&json!("InvalidCompressedData"), &json!(1007)));
    assert_eq!((&lines[1], status), (&json!({"send": "88820000000003ef"}), 1));
    // "Hello", where four octets are allowed.
    let limited = [&DEFLATE[..], &["--max-message", "4"]].concat();
    let (lines, status) = inspect(&limited, "c107f248cdc9c90700");
    assert_eq!((&lines[0]["close_code"], status), (&json!(1009), 1));
    // Without the extension the bit means nothing.
    let (lines, status) = frames("client", "c107f248cdc9c90700");
    assert_eq!((&lines[0]["name"], status), (&json!("ReservedBits"), 1));
}

#[test]
fn what_the_opening_handshake_agrees_on_is_used() {
    let _watchdog = watchdog!();
    let offer =
        "permessage-deflate; server_max_window_bits=10; foo, permessage-deflate; server_max_window_bits=9";
    let agreed = "permessage-deflate; server_max_window_bits=9";
    let (lines, _) = inspect(&["--role", "client", "--offer", offer], "");
    let request = hex::decode(lines[0]["send"].as_str().unwrap()).unwrap();
    let input = format!("{}\nc187 00000000 f248cdc9c90700", hex::encode(&request));
    let (lines, status) = inspect(&["--role", "server", "--deflate"], &input);
    assert_eq!((&lines[0]["extensions"], status), (&json!(offer), 0));
    let answer = hex::decode(lines[1]["send"].as_str().unwrap()).unwrap();
    let line = format!("\r\nSec-WebSocket-Extensions: {agreed}\r\n");
    assert!(String::from_utf8(answer.clone()).unwrap().contains(&line));
    assert_eq!(lines[2]["hex"], "48656c6c6f");
    let input = format!("{}\nc107f248cdc9c90700", hex::encode(&answer));
    let (lines, status) = inspect(&["--role", "client", "--offer", offer], &input);
    assert_eq!(
        (&lines[1]["extensions"], &lines[2]["hex"], status),
        (&json!(agreed), &json!("48656c6c6f"), 0)
    );
    // An offer of our own, and a server that was not told to accept any.
    let (lines, _) = inspect(&["--role", "client", "--deflate"], "");
    let request = hex::decode(lines[0]["send"].as_str().unwrap()).unwrap();
    let (lines, status) = inspect(&["--role", "server"], &hex::encode(request));
    assert_eq!((&lines[0]["extensions"], status), (&json!("permessage-deflate; client_max_window_bits"), 0));
    let answer = hex::decode(lines[1]["send"].as_str().unwrap()).unwrap();
    assert!(!String::from_utf8(answer).unwrap().contains("Extensions"));
}

#[test]
fn bad_usage_ends_with_2() {
    let _watchdog = watchdog!();
    for arguments in [
        &["--role", "nobody"][..],
        &[],
        &["--role", "client", "--offer", "permessage-deflate; ="],
        &[
            "--role",
            "server",
            "--stage",
            "frames",
            "--extensions",
            "permessage-deflate; client_max_window_bits",
        ],
        &["--role", "server", "--stage", "frames", "--extensions", "permessage-deflate, other"],
        &["--role", "server", "--stage", "frames", "--extensions", "other"],
        &["--role", "client", "--url", "http://a/"],
        &["--role", "client", "--key", "short"],
    ] {
        assert_eq!(inspect(arguments, "").1, 2, "{arguments:?}");
    }
    assert_eq!(frames("server", "8x\n").1, 2);
    assert_eq!(inspect(&["--role", "server", "--stage", "frames", "--extensions", ""], "").1, 0);
}

/// What the example writes: to its output, and to its log.
fn raw(arguments: &[&str], input: &str) -> (String, String, i32) {
    let mut child = Command::new(example())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

#[test]
fn tolerances_are_listed_by_name() {
    let _watchdog = watchdog!();
    // Whatever else is asked for.
    for more in [&[][..], &["--role", "server"], &["--tolerate", "bare-lf-in-responses"]] {
        let (list, _, status) = raw(&[&["--tolerate", "list"], more].concat(), "");
        assert_eq!(status, 0);
        let lines: Vec<&str> = list.lines().collect();
        assert_eq!(lines.len(), Tolerance::ALL.len());
        for (line, tolerance) in lines.into_iter().zip(Tolerance::ALL) {
            let (name, summary) = line.split_once(' ').unwrap();
            assert_eq!((name, summary.trim_start()), (tolerance.name(), tolerance.summary()));
        }
    }
    let (_, message, status) = raw(&["--role", "server", "--tolerate", "everything"], "");
    assert!(status == 2 && message.contains("everything"), "{message}");
    // Without a side there is nothing to play.
    assert_eq!(raw(&["--tolerate", "raw-targets"], "").2, 2);
    for tolerance in Tolerance::ALL {
        let name = tolerance.name();
        assert_eq!(inspect(&["--role", "server", "--tolerate", name], "").1, 0, "{name}");
    }
}

#[test]
fn what_is_tolerated_is_named_one_by_one() {
    let _watchdog = watchdog!();
    let response = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let request = "GET /\u{FC} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let with = |line: &str| response.replacen("\r\n", &format!("\r\n{line}\r\n"), 1);
    for (role, name, head) in [
        ("client", "invalid-response-fields", with("no colon")),
        ("client", "bare-lf-in-responses", response.replace("\r\n", "\n")),
        ("client", "empty-lists", with("Sec-WebSocket-Extensions:")),
        ("server", "raw-targets", request.to_owned()),
        ("server", "websocket-targets", request.replace("/\u{FC}", "ws://a/")),
    ] {
        let input = hex::encode(head);
        assert_eq!(inspect(&["--role", role], &input).1, 1, "{name}");
        assert_eq!(inspect(&["--role", role, "--tolerate", name], &input).1, 0, "{name}");
        // Several, in any order.
        let both = ["--tolerate", "masked-by-server", "--role", role, "--tolerate", name];
        assert_eq!(inspect(&both, &input).1, 0, "{name}");
        let other = if name == "empty-lists" { "raw-targets" } else { "empty-lists" };
        assert_eq!(inspect(&["--role", role, "--tolerate", other], &input).1, 1, "{name}");
    }
}

/// Those that are about frames and messages too.
#[test]
fn what_is_tolerated_of_frames_is_named_as_well() {
    let _watchdog = watchdog!();
    for (role, name, input) in [
        ("client", "masked-by-server", "8181 00000000 61"),
        ("server", "unmasked-by-client", "810161"),
        ("client", "invalid-text", "8101ff"),
        ("client", "finished-deflate", "c107f348cdc9c90700"),
        ("client", "kept-deflate-tail", "c10bf248cdc9c907000000ffff"),
        ("client", "empty-deflate", "c100"),
    ] {
        let arguments = ["--role", role, "--stage", "frames", "--extensions", "permessage-deflate"];
        assert_eq!(inspect(&arguments, input).1, 1, "{name}");
        let (lines, status) = inspect(&[&arguments[..], &["--tolerate", name]].concat(), input);
        assert_eq!((status, &lines[0]["event"]), (0, &json!("message")), "{name}: {lines:?}");
        let other = if name == "invalid-text" { "masked-by-server" } else { "invalid-text" };
        assert_eq!(inspect(&[&arguments[..], &["--tolerate", other]].concat(), input).1, 1, "{name}");
    }
}

/// `inspect ... | head -1`.
#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    let _watchdog = watchdog!();
    for (arguments, input) in [
        (&["--role", "server", "--stage", "frames"][..], "8180 00000000\n".repeat(20_000)),
        (&["--tolerate", "list"], String::new()),
    ] {
        let mut child = Command::new(example())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), String::from_utf8(output.stderr).unwrap()),
            (Some(0), String::new())
        );
    }
}

/// What a peer says must not steer the terminal that shows it.
#[test]
fn no_control_character_of_the_peer_is_written_as_it_is() {
    let _watchdog = watchdog!();
    let hostile = "a\u{1B}[31m\u{7F}\u{9B}2J\u{85}\u{202E}\u{2066}\u{200F}\u{2028}\u{FEFF}\t\u{FC}";
    let mut close = vec![0x88, 2 + hostile.len() as u8, 0x03, 0xE8];
    close.extend_from_slice(hostile.as_bytes());
    let (written, _, status) = raw(&["--role", "client", "--stage", "frames"], &hex::encode(close));
    assert_eq!(status, 0);
    let shown =
        |text: &str| text.chars().filter(|c| *c != '\n').all(|c| c == '\u{FC}' || matches!(c, ' '..='~'));
    assert!(shown(&written), "{written:?}");
    // It is the same text anyway.
    let event: Value = serde_json::from_str(written.lines().next().unwrap()).unwrap();
    assert_eq!(event["reason"], hostile);

    let target = "/\u{9B}31m\u{202E}";
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    let arguments = ["--role", "server", "--tolerate", "raw-targets"];
    let (written, _, status) = raw(&arguments, &hex::encode(request));
    assert!(status == 0 && shown(&written), "{written:?}");
    let event: Value = serde_json::from_str(written.lines().next().unwrap()).unwrap();
    assert_eq!(event["target"], target);
}
