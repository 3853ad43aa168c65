//! The table in the documentation of how a connection ends is what the code does.

use std::fs;
use std::path::Path;

use crate::common::{close_body, code, to, CLOSE};
use sockless::{
    Client, Closed, Config, Connection, Entropy, EntropyError, Initiator, Input, ProtocolError, ReadyState,
    Role, Server,
};

#[derive(Clone)]
struct Zeros;

impl Entropy for Zeros {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.fill(0);
        Ok(())
    }
}

/// What can happen, as the table calls it.
const EVENTS: [&str; 4] = ["our Close is sent", "the peer's Close comes", "it fails", "what is owed is sent"];

fn happens<R: Role>(conn: &mut Connection<R>, event: &str) {
    let mut out = [0; 64];
    let side = conn.writer().side();
    match event {
        "our Close is sent" => drop(conn.writer().close(code(1001), &mut out)),
        "the peer's Close comes" => {
            let mut bytes = to(side, CLOSE, &close_body(1000, b""));
            let _ = conn.recv(&mut Input::new(&mut bytes));
        }
        "it fails" => conn.fail(ProtocolError::UnsupportedData),
        "what is owed is sent" => assert!(conn.poll_transmit(&mut out).is_ok()),
        other => panic!("what is {other}?"),
    }
}

/// What the table calls the state of this connection.
fn name<R: Role + Clone>(conn: &Connection<R>) -> &'static str {
    let owes = conn.wants_transmit();
    let mut send_half = conn.clone().split().1;
    let sent = send_half.writer().sent_close().is_some();
    match (send_half.received_close().is_some(), sent, send_half.failure().is_some()) {
        (false, false, false) => "open",
        (false, true, false) => "close sent",
        (true, false, false) => "close received",
        (true, true, false) => "both closed",
        (false, false, true) if owes => "failing",
        (false, _, true) => "failed",
        other => panic!("{other:?}"),
    }
}

fn ending(closed: Option<Closed>) -> String {
    let closed = closed.unwrap();
    let clean = if closed.clean { ", clean" } else { "" };
    let by = match closed.by {
        None => "nobody",
        Some(Initiator::Local) => "us",
        Some(Initiator::Peer) => "the peer",
    };
    format!("{}{clean}, by {by}", closed.status)
}

fn row<R: Role + Clone>(server: &Connection<Server>, client: &Connection<R>) -> String {
    let mut row = format!("| {} ", name(server));
    for event in EVENTS {
        let mut after = server.clone();
        happens(&mut after, event);
        let cell = if name(&after) == name(server) { "" } else { name(&after) };
        row.push_str(&format!("| {cell} "));
    }
    row.push_str(&format!("| `{:?}` | `{:?}` ", server.transport(), client.transport()));
    let (mut ended, mut aborted) = (server.clone(), server.clone());
    let _ = ended.eof();
    aborted.abort();
    assert_eq!((ended.ready_state(), aborted.ready_state()), (ReadyState::Closed, ReadyState::Closed));
    row.push_str(&format!("| {} | {} |", ending(ended.closed()), ending(aborted.closed())));
    row
}

/// The table, from what connections do.
fn table() -> Vec<String> {
    let mut rows = vec![
        format!(
            "| state | {} | [`transport`](Self::transport) of a server | of a client | [`closed`](Self::closed) if the \
             transport ends now | if we drop it |",
            EVENTS.join(" | ")
        ),
        format!("|{}", "---|".repeat(EVENTS.len() + 5)),
    ];
    // A way to each state.
    let ways: [&[usize]; 6] = [&[], &[0], &[1], &[0, 1], &[2], &[2, 3]];
    let mut names = Vec::new();
    for way in ways {
        let mut server = Connection::new(Server, Config::new());
        let mut client = Connection::new(Client::new(Zeros), Config::new());
        for event in way {
            happens(&mut server, EVENTS[*event]);
            happens(&mut client, EVENTS[*event]);
        }
        assert_eq!(name(&server), name(&client));
        names.push(name(&server));
        rows.push(row(&server, &client));
    }
    assert_eq!(names, ["open", "close sent", "close received", "both closed", "failing", "failed"]);
    rows
}

#[test]
fn the_table_of_how_a_connection_ends_is_what_the_code_does() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/connection/send_half.rs");
    let text = fs::read_to_string(source).unwrap();
    let documented: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("/// |")).collect();
    let table = table();
    let expected: Vec<&str> = table.iter().map(|row| &row[1..]).collect();
    assert!(
        documented == expected,
        "it should be:\n{}",
        table.iter().map(|row| format!("/// {row}\n")).collect::<String>()
    );
}
