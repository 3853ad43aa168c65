//! `sockless inspect` of captures: hex, pcap and pcapng.

use serde_json::{json, Value};

use crate::captures::{pcap, pcapng, Packet, CLIENT, SERVER, TO_CLIENT, TO_SERVER};
use crate::support::{folder, run, Ran};

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\
    Sec-WebSocket-Protocol: chat\r\n\r\n";

/// What a client says: the request, a masked "Hello" (RFC 6455 section 5.7), a Ping, and a Close.
fn of_client() -> Vec<u8> {
    let frames = "818537fa213d7f9f4d5158 8981000000001b 88820000000003e8";
    [REQUEST.as_bytes(), &hex::decode(frames.replace(' ', "")).unwrap()].concat()
}

/// What a server says: the answer, "Hello" compressed (RFC 7692 section 7.2.3.1) and in two fragments, a Pong, and a Close.
fn of_server() -> Vec<u8> {
    let frames = "c107f248cdc9c90700 410 3f248cd 8004c9c90700 8a011b 880503e8621b5d";
    [ANSWER.as_bytes(), &hex::decode(frames.replace(' ', "")).unwrap()].concat()
}

/// The connection, whole, with the parts of the two streams in this order.
fn packets(parts: impl Fn(&mut Vec<Vec<u8>>, &[u8], &[u8])) -> Vec<Packet> {
    let (client, server) = (of_client(), of_server());
    let mut packets = vec![TO_SERVER.syn(), TO_CLIENT.syn()];
    parts(&mut packets, &client, &server);
    packets
        .into_iter()
        .enumerate()
        .map(|(at, packet)| (1_600_000_000_000_000 + 1000 * at as u64, packet))
        .collect()
}

/// A request, an answer, and the frames, in order.
fn in_order(packets: &mut Vec<Vec<u8>>, client: &[u8], server: &[u8]) {
    let (request, answer) = (REQUEST.len(), ANSWER.len());
    packets.push(TO_SERVER.part(client, 0..request));
    packets.push(TO_CLIENT.part(server, 0..answer));
    packets.push(TO_SERVER.part(client, request..client.len()));
    packets.push(TO_CLIENT.part(server, answer..server.len()));
}

async fn inspect(test: &str, capture: &[u8], arguments: &[&str]) -> Ran {
    let file = folder(test).join("capture");
    std::fs::write(&file, capture).unwrap();
    run(&[&["inspect", file.to_str().unwrap()], arguments].concat(), b"").await
}

/// Its JSON, without times.
fn events(ran: &Ran) -> Vec<Value> {
    let without_time = |line: &str| {
        let mut value: Value = serde_json::from_str(line).unwrap();
        value.as_object_mut().unwrap().remove("time");
        value
    };
    ran.text().lines().map(without_time).collect()
}

/// What each side is shown to have said.
fn of_side(events: &[Value], side: &str) -> Vec<Value> {
    events.iter().filter(|event| event["from"] == side).cloned().collect()
}

fn frame(from: &str, bits: [bool; 2], opcode: u8, name: &str, octets: u64, mask: Option<&str>) -> Value {
    json!({
        "connection": 1, "from": from, "event": "frame", "fin": bits[0], "rsv1": bits[1], "rsv2": false, "rsv3": false,
        "opcode": opcode, "name": name, "octets": octets, "mask": mask,
    })
}

fn message(from: &str, is_compressed: bool) -> Value {
    json!({
        "connection": 1, "from": from, "event": "message", "kind": "text", "octets": 5, "compressed": is_compressed,
        "whole": true, "text": "Hello",
    })
}

fn want(side: &str) -> Vec<Value> {
    let event = |value: Value| {
        let mut event = json!({ "connection": 1, "from": side });
        value.as_object().unwrap().iter().for_each(|(name, value)| event[name] = value.clone());
        event
    };
    match side {
        "client" => vec![
            frame("client", [true, false], 1, "text", 5, Some("37fa213d")),
            message("client", false),
            frame("client", [true, false], 9, "ping", 1, Some("00000000")),
            event(json!({ "event": "ping", "hex": "1b" })),
            frame("client", [true, false], 8, "close", 2, Some("00000000")),
            event(json!({ "event": "close", "code": 1000, "reason": "" })),
            event(json!({ "event": "end" })),
        ],
        _ => vec![
            frame("server", [true, true], 1, "text", 7, None),
            message("server", true),
            frame("server", [false, true], 1, "text", 3, None),
            frame("server", [true, false], 0, "continuation", 4, None),
            message("server", true),
            frame("server", [true, false], 10, "pong", 1, None),
            event(json!({ "event": "pong", "hex": "1b" })),
            frame("server", [true, false], 8, "close", 5, None),
            event(json!({ "event": "close", "code": 1000, "reason": "b\u{1b}]" })),
            event(json!({ "event": "end" })),
        ],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_frames_and_messages_of_every_kind_of_file() {
    let _watchdog = watchdog!();
    let packets = packets(in_order);
    for (name, file) in [
        ("pcap", pcap(&packets, false, false)),
        ("pcap_of_big_endian", pcap(&packets, true, false)),
        ("pcap_with_nanoseconds", pcap(&packets, false, true)),
        ("pcapng", pcapng(&packets)),
    ] {
        let ran = inspect(name, &file, &["--json"]).await;
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{name} {ran:?}");
        // No octet of a peer is there as it is: JSON escapes what would steer a terminal.
        assert!(ran.text().contains("b\\u001b]"), "{ran:?}");
        let events = events(&ran);
        assert_eq!(events[0]["text"], format!("192.0.2.1:{} to 192.0.2.2:{}", CLIENT.1, SERVER.1));
        let (client, server) = (of_side(&events, "client"), of_side(&events, "server"));
        assert_eq!(client[0]["start"], "GET /chat HTTP/1.1");
        assert_eq!(client[0]["fields"][0], json!(["Host", "server.example.com"]));
        assert_eq!(server[0]["start"], "HTTP/1.1 101 Switching Protocols");
        assert_eq!((&client[1..], &server[1..]), (&want("client")[..], &want("server")[..]), "{name}");
        let last: Value = serde_json::from_str(ran.text().lines().last().unwrap()).unwrap();
        assert!((last["time"].as_f64().unwrap() - 0.005).abs() < 1e-9, "{name} {last}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_may_come_in_any_order_and_twice() {
    let _watchdog = watchdog!();
    type Parts = fn(&mut Vec<Vec<u8>>, &[u8], &[u8]);
    let each_octet: Parts = |packets, client, server| {
        (0..client.len()).for_each(|at| packets.push(TO_SERVER.part(client, at..at + 1)));
        (0..server.len()).for_each(|at| packets.push(TO_CLIENT.part(server, at..at + 1)));
    };
    let backwards: Parts = |packets, client, server| {
        (0..client.len()).rev().for_each(|at| packets.push(TO_SERVER.part(client, at..at + 1)));
        (0..server.len()).rev().for_each(|at| packets.push(TO_CLIENT.part(server, at..at + 1)));
    };
    let overlapping: Parts = |packets, client, server| {
        for (way, stream) in [(TO_SERVER, client), (TO_CLIENT, server)] {
            packets.push(way.syn());
            for at in (0..stream.len()).step_by(7) {
                packets.push(way.part(stream, at.saturating_sub(9)..(at + 12).min(stream.len())));
            }
        }
    };
    for (name, parts) in [("each_octet", each_octet), ("backwards", backwards), ("overlapping", overlapping)]
    {
        let ran = inspect(name, &pcap(&packets(parts), false, false), &["--json"]).await;
        assert_eq!(ran.status, 0, "{name} {ran:?}");
        let events = events(&ran);
        let (client, server) = (of_side(&events, "client"), of_side(&events, "server"));
        assert_eq!((&client[1..], &server[1..]), (&want("client")[..], &want("server")[..]), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_is_said() {
    let _watchdog = watchdog!();
    let packets = packets(|packets, client, server| {
        in_order(packets, client, server);
        // Four octets amid the frames of the server are missing.
        packets.pop();
        packets.push(TO_CLIENT.part(server, ANSWER.len()..ANSWER.len() + 2));
        packets.push(TO_CLIENT.part(server, ANSWER.len() + 6..server.len()));
    });
    let ran = inspect("a_gap_is_said", &pcap(&packets, false, false), &["--json"]).await;
    let events = events(&ran);
    assert_eq!(of_side(&events, "client")[1..], want("client"));
    let server = of_side(&events, "server");
    assert_eq!(server[1], want("server")[0]);
    assert_eq!((&server[2]["event"], server.len()), (&json!("unread"), 3));
    assert_eq!(server[2]["text"], "octets are missing in the capture");
}

#[tokio::test(flavor = "multi_thread")]
async fn text_for_people_cannot_steer_their_terminal() {
    let _watchdog = watchdog!();
    let ran = inspect("text_for_people", &pcap(&packets(in_order), false, false), &[]).await;
    let shown: String = ran.text().chars().filter(|c| c.is_control() && *c != '\n').collect();
    assert_eq!((ran.status, shown.as_str()), (0, ""), "{ran:?}");
    for line in [
        "#1 -> GET /chat HTTP/1.1",
        "Sec-WebSocket-Protocol: chat",
        "#1 -> frame FIN text, 5 octets, masked with 37fa213d",
        "#1 -> text of 5 octets: Hello",
        "#1 <- frame FIN RSV1 text, 7 octets",
        "#1 <- text of 5 octets, inflated: Hello",
        "#1 <- close 1000 b\\u{1b}]",
    ] {
        assert!(ran.text().lines().any(|given| given.ends_with(line)), "{line} in {}", ran.text());
    }
    let ran = inspect("text_for_people", &pcap(&packets(in_order), false, false), &["--show", "2"]).await;
    assert!(ran.text().contains("text of 5 octets: He ...\n"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_rule_is_a_fault() {
    let _watchdog = watchdog!();
    let packets = packets(|packets, _, server| {
        // The client masks nothing, and goes on after that.
        let frames = hex::decode("810548656c6c6f8100").unwrap();
        let client = [REQUEST.as_bytes(), &frames].concat();
        in_order(packets, &client, server);
    });
    let ran = inspect("a_broken_rule", &pcap(&packets, false, false), &["--json"]).await;
    assert_eq!(ran.status, 1, "{ran:?}");
    let client = of_side(&events(&ran), "client");
    let kinds: Vec<_> = client.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["head", "frame", "fault", "frame", "end"]);
    assert_eq!(client[2]["text"], "a client sent a frame that is not masked");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_websocket_and_what_is_no_capture() {
    let _watchdog = watchdog!();
    let other = packets(|packets, _, _| packets.push(TO_SERVER.part(b"\x16\x03\x01", 0..3)));
    let ran = inspect("no_websocket", &pcapng(&other), &[]).await;
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.text().contains("0 connections ask for a WebSocket, 1 others do not"), "{ran:?}");

    let whole = pcap(&packets(in_order), false, false);
    for (name, file, status) in [
        ("cut", &whole[..whole.len() - 3], 0),
        ("only_magic", &whole[..4], 2),
        ("no_block", &pcapng(&[])[..30], 0),
    ] {
        let ran = inspect(name, file, &["--json"]).await;
        assert_eq!(ran.status, status, "{name} {ran:?}");
    }
    // Without a role, hex cannot be explained.
    let ran = inspect("nothing", b"", &[]).await;
    assert_eq!(ran.status, 2, "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_in_hex() {
    let _watchdog = watchdog!();
    let ran =
        run(&["inspect", "--role", "server", "--stage", "frames"], b"81 85 37fa213d\n7f9f4d5158\n").await;
    let want =
        [json!({"event": "message", "kind": "text", "hex": "48656c6c6f"}), json!({"transport": "open"})];
    assert_eq!((events(&ran), ran.status), (want.to_vec(), 0));
    assert_eq!(run(&["inspect", "--role", "server", "--stage", "frames", "-"], b"8100").await.status, 1);
}
