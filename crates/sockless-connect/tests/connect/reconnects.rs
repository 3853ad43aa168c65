//! Connections to one server, one after the other: when the next is made, and when none is.
//!
//! The clock stands, and goes on to the next timer when nothing else can be done. So no other timer is set.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use sockless_connect::{
    Backoff, ClientConfig, CloseCode, Connect, ConnectError, Interruption, Reconnect, Response, Timeouts,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::{answer_to, listener, read_head};

const SECOND: Duration = Duration::from_secs(1);

fn reconnecting(address: &str) -> Reconnect {
    let config = ClientConfig::new().with_timeouts(Timeouts::NONE);
    Connect::new(format!("ws://{address}/")).with_config(config).reconnecting()
}

/// What a server does with a client.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Refuses it with this status, phrase, and perhaps fields.
    Refuse(&'static str),
    /// Opens a WebSocket, sends this, and ends after the client's Close.
    Open(&'static [u8]),
    /// Opens one, and ends at once.
    Lose,
    /// It is open until the client ends.
    Stay,
}

use Act::{Lose, Open, Refuse, Stay};

const CLOSE_1000: &[u8] = b"\x88\x02\x03\xe8";

/// Does these to the next clients, one after the other. Returns when each came.
fn serve(listener: TcpListener, acts: impl IntoIterator<Item = Act>) -> JoinHandle<Vec<Instant>> {
    let acts = Vec::from_iter(acts);
    tokio::spawn(async move {
        let mut came = Vec::new();
        for act in acts {
            let (mut stream, _) = listener.accept().await.unwrap();
            came.push(Instant::now());
            perform(&mut stream, act).await;
        }
        came
    })
}

async fn perform(stream: &mut TcpStream, act: Act) {
    let head = read_head(stream).await;
    let sent = match act {
        Refuse(line) => format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n").into_bytes(),
        Open(frames) => [answer_to(&head, "").as_bytes(), frames].concat(),
        Lose | Stay => answer_to(&head, "").into_bytes(),
    };
    stream.write_all(&sent).await.unwrap();
    if matches!(act, Open(_) | Stay) {
        // The client's Close, or its end.
        let _ = stream.read(&mut [0; 64]).await;
    }
}

/// Reads to the end.
async fn read_out(feed: &mut Reconnect) -> Result<bool, ConnectError> {
    let Some((socket, response)) = feed.next().await? else { return Ok(false) };
    assert_eq!(response.status(), 101);
    while let Ok(Some(_)) = socket.recv().await {}
    Ok(true)
}

#[tokio::test(start_paused = true)]
async fn req_6455_7_2_3_1_the_next_connection_is_made_after_a_wait() {
    let _watchdog = watchdog!();
    let (listener, address) = listener().await;
    let busy = Refuse("503 Busy");
    let server = serve(listener, [busy, busy, Lose, busy, Lose, Open(CLOSE_1000)]);
    let began = Instant::now();
    let mut feed = reconnecting(&address);
    let mut connections = 0;
    while read_out(&mut feed).await.unwrap() {
        connections += 1;
    }
    assert_eq!(connections, 3);
    let came = server.await.unwrap();
    assert_eq!(came[0], began, "the first attempt is made at once");
    // No connection stayed open for long, so the limits go on.
    for (limit, pair) in [5, 10, 20, 40, 60].into_iter().zip(came.windows(2)) {
        assert!(pair[1] - pair[0] <= SECOND * limit, "{limit}: {:?}", pair[1] - pair[0]);
    }
    // That none of them waits is as likely as 0 in a draw from 2⁶⁴.
    assert!(came[5] > began);
}

/// What becomes of a client after each close.
#[tokio::test(start_paused = true)]
async fn the_close_says_whether_to_come_back() {
    let _watchdog = watchdog!();
    for (code, expected) in [
        (1000, "end"),
        (1001, "again"),
        (1002, "error"),
        (1003, "error"),
        (1007, "error"),
        (1008, "error"),
        (1009, "error"),
        (1010, "error"),
        (1011, "again"),
        (1012, "again"),
        (1013, "again"),
        (1014, "again"),
        (3000, "error"),
        (3003, "error"),
        (3008, "again"),
        (4000, "error"),
        (4999, "error"),
    ] {
        let frame = [&[0x88, 2][..], &u16::to_be_bytes(code)].concat().leak();
        assert_eq!(after(Open(frame)).await, expected, "{code}");
    }
    // A Close without a code; no Close at all; a frame that no server may send; text that is not UTF-8.
    for (act, expected) in [
        (Open(b"\x88\x00"), "again"),
        (Lose, "again"),
        (Open(b"\xf1\x00"), "error"),
        (Open(b"\x81\x01\xff"), "error"),
    ] {
        assert_eq!(after(act).await, expected, "{act:?}");
    }
}

/// What `next` says after a connection on which the server did this.
async fn after(act: Act) -> &'static str {
    let (listener, address) = listener().await;
    let server = serve(listener, [act, Stay]);
    let mut feed = reconnecting(&address);
    assert!(read_out(&mut feed).await.unwrap());
    let next = feed.next().await;
    let outcome = match &next {
        Ok(Some(_)) => "again",
        Ok(None) => "end",
        Err(ConnectError::Closed { .. }) => "error",
        Err(error) => panic!("{error:?}"),
    };
    server.abort();
    outcome
}

/// The Close counts as soon as it came, also for those who do not wait for the end of the connection.
#[tokio::test(start_paused = true)]
async fn a_close_counts_before_the_connection_has_ended() {
    let _watchdog = watchdog!();
    let (listener, address) = listener().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        let sent = [answer_to(&head, "").as_bytes(), b"\x88\x02\x03\xf0"].concat();
        stream.write_all(&sent).await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
    });
    let mut feed = reconnecting(&address);
    let (socket, _) = feed.next().await.unwrap().unwrap();
    assert!(tokio::time::timeout(SECOND, socket.recv()).await.is_err(), "the server has not ended");
    let error = feed.next().await.unwrap_err();
    assert!(matches!(error, ConnectError::Closed { status: 1008, error: None }), "{error:?}");
    assert_eq!(error.to_string(), "the connection was closed with status 1008");
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn whoever_closes_does_not_come_back() {
    let _watchdog = watchdog!();
    let (listener, address) = listener().await;
    let server = serve(listener, [Open(b"\x81\x01a\x88\x02\x03\xe8")]);
    let mut feed = reconnecting(&address);
    let (socket, _) = feed.next().await.unwrap().unwrap();
    socket.close(CloseCode::NORMAL).await.unwrap();
    assert!(feed.next().await.unwrap().is_none());
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_asked_again_but_whoever_insists_waits() {
    let _watchdog = watchdog!();
    for line in
        ["403 Forbidden", "404 Not Found", "401 Unauthorized", "302 Found\r\nLocation: /", "426 Upgrade"]
    {
        let (listener, address) = listener().await;
        let server = serve(listener, [Refuse(line), Refuse(line), Refuse(line)]);
        let mut feed = reconnecting(&address);
        for _ in 0..3 {
            let error = feed.next().await.unwrap_err();
            assert!(matches!(error, ConnectError::Rejected(_)), "{error:?}");
        }
        let came = server.await.unwrap();
        assert!(came[2] > came[0] && came[2] - came[0] <= SECOND * 15, "{came:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn settings_can_change_between_two_attempts() {
    let _watchdog = watchdog!();
    let (listener, address) = listener().await;
    let refuses = serve(listener, [Refuse("401 Unauthorized")]);
    let mut feed = reconnecting(&address);
    let error = feed.next().await.unwrap_err();
    assert_eq!(error.response().map(Response::status), Some(401));
    refuses.await.unwrap();
    let (listener, address) = crate::listener().await;
    let lets_in = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        stream.write_all(answer_to(&head, "").as_bytes()).await.unwrap();
        head
    });
    let config = ClientConfig::new().with_timeouts(Timeouts::NONE);
    feed.set_connect(Connect::new(format!("ws://{address}/")).with_config(config).with_bearer("new"));
    assert!(feed.next().await.unwrap().is_some());
    assert!(lets_in.await.unwrap().contains("Authorization: Bearer new\r\n"));
}

#[tokio::test(start_paused = true)]
async fn what_a_server_asks_to_wait_is_added_up_to_ten_minutes() {
    let _watchdog = watchdog!();
    let date = |after| httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(after));
    for (status, value, least) in [
        (503, "120".to_owned(), 120),
        (429, "7".into(), 7),
        (408, "0".into(), 0),
        (503, "100000".into(), 600),
        (503, "99999999999999999999999999".into(), 600),
        // A date has whole seconds, and the clock that it is compared with goes on.
        (503, date(60), 57),
        (503, date(1_000_000), 600),
        (503, "Thu, 01 Jan 1970 00:00:00 GMT".into(), 0),
        (503, "-5".into(), 0),
        (503, "soon".into(), 0),
    ] {
        let (listener, address) = listener().await;
        let line = format!("{status} Wait\r\nRetry-After: {value}").leak();
        let server = serve(listener, [Refuse(line), Lose]);
        assert!(read_out(&mut reconnecting(&address)).await.unwrap());
        let came = server.await.unwrap();
        let waited = came[1] - came[0];
        let most = SECOND * (least + 3 + 5);
        assert!(waited >= SECOND * least && waited <= most, "{status} {value}: {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_application_decides_and_sees_everything() {
    let _watchdog = watchdog!();
    let (listener, address) = listener().await;
    let server = serve(
        listener,
        [Refuse("403 Forbidden"), Open(CLOSE_1000), Stay, Open(b"\x88\x02\x0f\xa0"), Refuse("503 Busy")],
    );
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let mut feed = reconnecting(&address).with_retry_if(move |why| {
        log.lock().unwrap().push(why.to_string());
        !matches!(why, Interruption::Failed(error) if error.response().is_some_and(|r| r.status() == 503))
    });
    assert!(read_out(&mut feed).await.unwrap());
    assert!(feed.next().await.unwrap().is_some());
    // The one before is dropped, and the server sees that.
    assert!(read_out(&mut feed).await.unwrap());
    assert_eq!(feed.next().await.unwrap_err().response().map(|response| response.status()), Some(503));
    server.await.unwrap();
    assert_eq!(
        *seen.lock().unwrap(),
        [
            "the server answered with status 403",
            "the connection was closed with status 1000",
            "the connection was dropped",
            "the connection was closed with status 4000",
            "the server answered with status 503",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn it_gives_up_where_that_is_set() {
    let _watchdog = watchdog!();
    let (listener, address) = listener().await;
    drop(listener);
    let began = Instant::now();
    let mut feed = reconnecting(&address).with_backoff(Backoff::new().with_max_attempts(3));
    let error = feed.next().await.unwrap_err();
    assert!(matches!(error, ConnectError::Connect(_)), "{error:?}");
    assert!(began.elapsed() <= SECOND * 15);
    let (listener, address) = crate::listener().await;
    let server = serve(listener, [Lose, Lose]);
    // Connections that are lost at once are failures too.
    let mut feed = reconnecting(&address).with_backoff(Backoff::new().with_max_attempts(2));
    assert!(read_out(&mut feed).await.unwrap());
    assert!(read_out(&mut feed).await.unwrap());
    let error = feed.next().await.unwrap_err();
    assert!(matches!(error, ConnectError::Closed { status: 1006, .. }), "{error:?}");
    assert_eq!((error.stage(), error.is_temporary()), (None, false));
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_loses_neither_the_wait_nor_the_attempt() {
    let _watchdog = watchdog!();
    let (listener, address) = listener().await;
    let server = tokio::spawn(async move {
        let (mut refused, _) = listener.accept().await.unwrap();
        perform(&mut refused, Refuse("503 Busy\r\nRetry-After: 10")).await;
        let was_refused = Instant::now();
        let (mut stream, _) = listener.accept().await.unwrap();
        let waited = was_refused.elapsed();
        // Longer than any call waits.
        tokio::time::sleep(SECOND).await;
        perform(&mut stream, Stay).await;
        waited
    });
    let mut feed = reconnecting(&address);
    let mut calls = 0;
    loop {
        calls += 1;
        let call = tokio::time::timeout(SECOND / 10, feed.next());
        if let Ok(opened) = call.await {
            assert!(opened.unwrap().is_some());
            break;
        }
    }
    drop(feed);
    let waited = server.await.unwrap();
    assert!(waited >= SECOND * 10 && waited <= SECOND * 15 + SECOND / 10, "{waited:?}");
    assert!(calls > 100, "{calls}");
}

#[test]
fn it_can_move_into_a_task() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&Connect::new("ws://a.example").reconnecting());
}

/// The connection is taken out, split and given back, or not.
#[tokio::test(start_paused = true)]
async fn a_connection_can_be_taken_out_and_split() {
    let _watchdog = watchdog!();
    let (listener, address) = listener().await;
    let server = serve(listener, [Lose, Lose, Open(CLOSE_1000)]);
    let mut feed = reconnecting(&address);
    assert!(feed.take_socket().is_none());
    for is_given_back in [true, false, true] {
        assert!(feed.next().await.unwrap().is_some());
        let (mut receiver, sender) = feed.take_socket().unwrap().into_split();
        assert!(feed.take_socket().is_none());
        while let Ok(Some(_)) = receiver.recv().await {}
        if is_given_back {
            feed.put_back(receiver.reunite(sender).unwrap());
        }
    }
    assert!(feed.next().await.unwrap().is_none(), "it was closed with 1000");
    let came = server.await.unwrap();
    assert!(came[1] > came[0] && came[2] > came[1], "it waits also where nobody says how it ended: {came:?}");
}
