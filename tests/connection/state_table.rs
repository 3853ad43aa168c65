//! What happens in each state when something arrives, is asked for, or the time passes: one table, held cell
//! by cell.

use crate::common;

use std::fmt::Write;
use std::time::Duration;

use common::*;
use sockless::{Config, ControlPayload, ReadyState, SendError, Side, Timeouts, Timestamp, TransportAction};

/// `a>b`: `a` is reported and `b` is owed; `-`: nothing. Numbers are status codes; `Closed` is the send error.
///
/// - States: `mid-message` has the peer's first fragment, `close sent` has ours and `close came` the peer's,
///   whose answer is not written yet, which it is in `both`; `failed` has written its Close, `lost` saw the
///   transport end.
/// - Arrivals: `text` is a whole message, `more` the last fragment of one, `bad` a reserved opcode.
/// - `time`: idle, or waiting for the closing handshake, for too long.
const TABLE: &str = "
| state       | text      | more      | ping      | pong   | close      | bad       | eof     | send        | close()     | ping()      | time      |
| open        | text      | 1002>1002 | ping>pong | pong   | close>1000 | 1002>1002 | 1006    | ok          | ok          | ok          | Idle>1008 |
| mid-message | 1002>1002 | end       | ping>pong | pong   | close>1000 | 1002>1002 | 1006    | ok          | ok          | ok          | Idle>1008 |
| close sent  | text      | 1002      | ping>pong | pong   | close      | 1002      | 1006    | Closed      | Closed      | Closed      | Closing   |
| close came  | ->1000    | ->1000    | ->1000    | ->1000 | ->1000     | ->1000    | ok>1000 | Closed>1000 | Closed>1000 | Closed>1000 | ->1000    |
| both        | -         | -         | -         | -      | -          | -         | ok      | Closed      | Closed      | Closed      | -         |
| failed      | -         | -         | -         | -      | -          | -         | ok      | Closed      | Closed      | Closed      | -         |
| lost        | -         | -         | -         | -      | -          | -         | ok      | Closed      | Closed      | Closed      | -         |
";

/// What the transport is to do, by role, and how a connection that ends in this state is reported after
/// `eof`.
const ENDS: &str = "
| state       | ready   | server        | client        | end                |
| open        | Open    | Open          | Open          | 1006 unclean       |
| mid-message | Open    | Open          | Open          | 1006 unclean       |
| close sent  | Closing | Open          | Open          | 1006 unclean Local |
| close came  | Closing | ShutdownWrite | AwaitEof      | 1000 unclean Peer  |
| both        | Closing | ShutdownWrite | AwaitEof      | 1000 clean Peer    |
| failed      | Closing | ShutdownWrite | ShutdownWrite | 1006 unclean Local |
| lost        | Closed  | Close         | Close         | 1006 unclean       |
";

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_duration(Duration::from_secs(seconds))
}

fn config() -> Config {
    let mut timeouts = Timeouts::NONE;
    timeouts.idle = Some(Duration::from_secs(10));
    timeouts.closing = Some(Duration::from_secs(5));
    Config::new().with_timeouts(timeouts)
}

fn in_state(side: Side, state: &str) -> Conn {
    let mut conn = connection(side, config());
    match state {
        "open" => {}
        "mid-message" => drop(feed(&mut conn, &to(side, TEXT_PART, b"begun"))),
        "close sent" => drop(close(&mut conn, code(1000))),
        "close came" => drop(feed(&mut conn, &to(side, CLOSE, &close_body(1000, b"")))),
        "both" => {
            feed(&mut conn, &to(side, CLOSE, &close_body(1000, b"")));
            transmit(&mut conn);
        }
        "failed" => {
            feed(&mut conn, &to(side, 0x83, b""));
            transmit(&mut conn);
        }
        "lost" => assert!(conn.eof().is_err()),
        other => panic!("no state {other}"),
    }
    assert_eq!(conn.handle_timeout(at(0)), Ok(()));
    conn
}

fn arrival(conn: &mut Conn, frame: Vec<u8>) -> String {
    let seen = feed(conn, &frame);
    match &seen[..] {
        [] => "-".to_owned(),
        [Seen::Data { first: true, last: true, .. }] => "text".to_owned(),
        [Seen::Data { last: true, .. }] => "end".to_owned(),
        [Seen::Ping(_)] => "ping".to_owned(),
        [Seen::Pong(_)] => "pong".to_owned(),
        [Seen::Close(Some(1000), _)] => "close".to_owned(),
        [Seen::Fail(error)] => error.close_code().unwrap().to_string(),
        more => panic!("{more:?}"),
    }
}

fn call(result: Result<usize, SendError>) -> String {
    result.map_or_else(|error| format!("{error:?}"), |_| "ok".to_owned())
}

/// Does `operation`, and describes the result.
fn outcome(side: Side, state: &str, operation: &str) -> String {
    let mut conn = in_state(side, state);
    let mut out = [0; 64];
    let mut cell = match operation {
        "text" => arrival(&mut conn, to(side, TEXT, b"text")),
        "more" => arrival(&mut conn, to(side, END, b"end")),
        "ping" => arrival(&mut conn, to(side, PING, b"?")),
        "pong" => arrival(&mut conn, to(side, PONG, b"!")),
        "close" => arrival(&mut conn, to(side, CLOSE, &close_body(1000, b""))),
        "bad" => arrival(&mut conn, to(side, 0x83, b"")),
        "eof" => match conn.eof() {
            Ok(()) => "ok".to_owned(),
            Err(_) => conn.closed().unwrap().status.to_string(),
        },
        "send" => call(conn.writer().encode("text".into(), true, &mut out)),
        "close()" => call(conn.writer().close(code(1001), &mut out)),
        "ping()" => call(conn.writer().ping(ControlPayload::EMPTY, &mut out)),
        "time" => match conn.handle_timeout(at(100)) {
            Ok(()) => "-".to_owned(),
            Err(error) => {
                format!("{error:?}").replace("TimedOut(", "").replace(")", "").replace("Handshake", "")
            }
        },
        other => panic!("no operation {other}"),
    };
    for (first, payload) in owed(&mut conn) {
        match (first, &payload[..]) {
            (PONG, b"?") => cell.push_str(">pong"),
            (CLOSE, [high, low]) => write!(cell, ">{}", u16::from_be_bytes([*high, *low])).unwrap(),
            other => panic!("{other:?} is owed"),
        }
    }
    cell
}

fn end(side: Side, state: &str, column: &str) -> String {
    let mut conn = in_state(side, state);
    match column {
        "ready" => format!("{:?}", conn.ready_state()),
        "server" | "client" => format!("{:?}", conn.transport()),
        _ => {
            let _ = conn.eof();
            assert_eq!((conn.ready_state(), conn.transport()), (ReadyState::Closed, TransportAction::Close));
            let closed = conn.closed().unwrap();
            let clean = if closed.clean { "clean" } else { "unclean" };
            let by = closed.by.map(|by| format!("{by:?}")).unwrap_or_default();
            format!("{} {clean} {by}", closed.status)
        }
    }
}

fn squeeze(cell: &str) -> String {
    cell.split_whitespace().collect()
}

fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split('|').map(str::trim).collect()
}

/// Compares every cell of `table` with the result of `actual` for its row and column.
fn hold(table: &str, actual: impl Fn(&str, &str) -> String) {
    let mut rows = table.trim().lines();
    let columns = cells(rows.next().unwrap());
    let mut wrong = String::new();
    for row in rows {
        let row = cells(row);
        assert_eq!(row.len(), columns.len(), "{row:?}");
        for (column, expected) in columns.iter().zip(&row).skip(1) {
            let actual = actual(row[0], column);
            if squeeze(&actual) != squeeze(expected) {
                writeln!(wrong, "{}, {column}: {actual}, not {expected}", row[0]).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_state_answers_every_operation_as_the_table_says() {
    for side in BOTH {
        hold(TABLE, |state, operation| outcome(side, state, operation));
    }
}

#[test]
fn every_state_ends_as_the_table_says() {
    hold(ENDS, |state, column| {
        let side = if column == "client" { Side::Client } else { Side::Server };
        end(side, state, column)
    });
}
