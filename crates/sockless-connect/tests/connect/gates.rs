//! One opening connection to an address at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sockless_connect::{Connect, ConnectError, Gate, Proxy, Stage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::ways::WAYS;
use crate::{answer_to, listener, read_head, within};

const SLOW: Duration = Duration::from_millis(30);

/// Opens a WebSocket for each client after a while. Returns the most that were connecting at the same time.
fn slow(listener: TcpListener) -> Arc<AtomicUsize> {
    let most = Arc::new(AtomicUsize::new(0));
    let seen = most.clone();
    tokio::spawn(async move {
        let connecting = Arc::new(AtomicUsize::new(0));
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let connecting = connecting.clone();
            seen.fetch_max(connecting.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut head = read_head(&mut stream).await;
                if head.starts_with("CONNECT ") {
                    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                    head = read_head(&mut stream).await;
                }
                tokio::time::sleep(SLOW).await;
                connecting.fetch_sub(1, Ordering::SeqCst);
                stream.write_all(answer_to(&head, "").as_bytes()).await.unwrap();
                let _ = stream.read_to_end(&mut Vec::new()).await;
            });
        }
    });
    most
}

/// Opens all of these at once, some in each way.
async fn open_all(connects: impl IntoIterator<Item = Connect>) {
    let mut opening = JoinSet::new();
    for (connect, way) in connects.into_iter().zip(WAYS.into_iter().cycle()) {
        opening.spawn(async move { way.connect(&connect).await.map(drop) });
    }
    for opened in opening.join_all().await {
        opened.unwrap();
    }
}

fn to(address: &str) -> Connect {
    within(Duration::from_secs(20), &format!("ws://{address}/"))
}

#[tokio::test(flavor = "multi_thread")]
async fn req_6455_4_1_2_connections_to_one_address_are_opened_one_after_the_other() {
    let _watchdog = watchdog!();
    let gate = Gate::new();
    let (listener, address) = listener().await;
    // By another name it is the same address.
    let named = address.replace("127.0.0.1", "localhost");
    let most = slow(listener);
    let addresses = [&address, &named, &address, &named, &address, &named];
    open_all(addresses.map(|address| to(address).with_gate(gate.clone()))).await;
    assert_eq!(most.load(Ordering::SeqCst), 1);
    // Without the gate they come together, so this test can fail.
    open_all([(); 6].map(|()| to(&address))).await;
    assert!(most.load(Ordering::SeqCst) > 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_is_waited_for_as_long_as_it_may_take_and_others_are_not_kept() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let gate = Gate::new();
        let (silent, silent_address) = listener().await;
        let (other, other_address) = listener().await;
        let most = slow(other);
        let first_limit = Duration::from_millis(600);
        let first = within(first_limit, &format!("ws://{silent_address}/")).with_gate(gate.clone());
        let first = tokio::spawn(async move { way.connect(&first).await });
        let (mut stream, _) = silent.accept().await.unwrap();
        // The same address: this one's time is up before the first one's is.
        let began = Instant::now();
        let limit = Duration::from_millis(200);
        let second = within(limit, &format!("ws://{silent_address}/")).with_gate(gate.clone());
        let error = way.connect(&second).await.unwrap_err();
        assert!(matches!(error, ConnectError::TimedOut(Stage::Connecting)), "{error:?}");
        assert!(began.elapsed() >= limit && began.elapsed() < first_limit, "{:?}", began.elapsed());
        // Another address goes on meanwhile.
        way.connect(&to(&other_address).with_gate(gate.clone())).await.unwrap();
        assert!(!first.is_finished());
        assert_eq!(most.load(Ordering::SeqCst), 1);
        let error = first.await.unwrap().unwrap_err();
        assert!(matches!(error, ConnectError::TimedOut(Stage::Handshake)), "{error:?}");
        // Whoever failed or gave up is out of the way.
        read_head(&mut stream).await;
        let most = slow(silent);
        way.connect(&to(&silent_address).with_gate(gate.clone())).await.unwrap();
        assert_eq!(most.load(Ordering::SeqCst), 1);
        assert_eq!(format!("{gate:?}"), "Gate { servers: 0, .. }");
    }
}

/// A proxy that is the servers as well, and how many of its clients were connecting at the same time.
async fn proxy() -> (Proxy, Arc<AtomicUsize>) {
    let (listener, address) = listener().await;
    (Proxy::new(&format!("http://{address}")).unwrap(), slow(listener))
}

/// Opens a connection to each of these through the proxy, all at once.
async fn open_through<const N: usize>(proxy: &Proxy, gate: &Gate, names: [&str; N]) {
    let servers = names.map(|name| to(&format!("{name}.invalid")));
    open_all(servers.map(|server| server.with_proxy(proxy.clone()).with_gate(gate.clone()))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn req_6455_4_1_3_behind_a_proxy_each_name_is_a_server_of_its_own() {
    let _watchdog = watchdog!();
    let ((proxy, most), gate) = (proxy().await, Gate::new());
    open_through(&proxy, &gate, ["a"; 4]).await;
    assert_eq!(most.load(Ordering::SeqCst), 1);
    open_through(&proxy, &gate, ["a", "b", "c", "d"]).await;
    assert!(most.load(Ordering::SeqCst) > 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn req_6455_4_1_4_the_number_of_all_can_be_limited() {
    let _watchdog = watchdog!();
    let ((proxy, most), gate) = (proxy().await, Gate::with_limit(2));
    open_through(&proxy, &gate, ["a", "b", "c", "d", "e", "f"]).await;
    assert!((1..=2).contains(&most.load(Ordering::SeqCst)));
}
